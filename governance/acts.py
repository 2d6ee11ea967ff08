"""One record as governance sees it, and whether the right keys attested it; signatures were verified before."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import msgspec

from ledger.codec import encode
from ledger.errors import RuleBroken
from ledger.hashing import tagged_hash
from ledger.records import Attestation, Body, Record, record_id_of


class Act(msgspec.Struct, frozen=True, gc=False):
    """A record: who acts, who signed, and the body's bytes."""

    kind: str
    author: bytes
    signer: bytes
    record_id: bytes
    number: int
    valid_until_height: int
    body: bytes
    attestations: tuple[Attestation, ...]


def act_of(record: Record, body: Body, record_id: bytes | None = None) -> Act:
    """Return a record with its body as governance sees it. `record_id`: if at hand."""
    return Act(
        record.kind,
        record.author,
        record.signer,
        record_id_of(record) if record_id is None else record_id,
        record.number,
        record.valid_until_height,
        body.data,
        record.attestations,
    )


def attesters_of(act: Act, role: str, subject_hash: bytes) -> set[bytes]:
    """Return the distinct keys that attested `subject_hash` in `role`."""
    return {item.key for item in act.attestations if item.role == role and item.subject_hash == subject_hash}


def hash_of(tag: str, *, with_author: bool = False) -> Callable[[bytes, Any], bytes]:
    """Return what hashes a body, and where wanted its author before it, under a tag: the subject of an attester."""

    def subject(author: bytes, body: Any) -> bytes:
        return tagged_hash(tag, *((author,) if with_author else ()), encode(body))

    return subject


@dataclass(frozen=True, slots=True)
class Attested:
    """What a record kind wants others to sign; for the rule that checks it and for whoever collects signatures.

    `subject(author, body)` is the 32-byte hash that an attester signs; `who` says in a clause who may, and how many are
    needed; `key` which of their keys: `identity`, `cover`, or `device` where the state lists device keys.
    """

    role: str
    subject: Callable[[bytes, Any], bytes]
    who: str
    key: str = "identity"


def check_attested(act: Act, wanted: Attested, body: Any, allowed: Iterable[bytes], threshold: int) -> None:
    """Raise RuleBroken unless `threshold` distinct keys of `allowed` attested this body, in this role."""
    count = len(attesters_of(act, wanted.role, wanted.subject(act.author, body)) & set(allowed))
    if count < threshold:
        what = f"{count} of {threshold} needed attestations of role {wanted.role} are there"
        raise RuleBroken("attestations_missing", what, f"collect {threshold - count} more: {wanted.who}")
