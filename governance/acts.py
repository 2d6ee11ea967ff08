"""One record as governance sees it, and the attestations it needs.

Signatures were verified before; here it is only asked whether the right keys attested the right thing.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from ledger.errors import RuleBroken
from ledger.records import Attestation


@dataclass(frozen=True, slots=True)
class Act:
    """A record: who acts, who signed, and the body's bytes."""

    kind: str
    author: bytes
    signer: bytes
    record_id: bytes
    number: int
    valid_until_height: int
    body: bytes
    attestations: tuple[Attestation, ...]


def attesters_of(act: Act, role: str, subject_hash: bytes) -> set[bytes]:
    """Return the distinct keys that attested `subject_hash` in `role`."""
    return {item.key for item in act.attestations if item.role == role and item.subject_hash == subject_hash}


def check_threshold(act: Act, role: str, subject_hash: bytes, allowed: Iterable[bytes], threshold: int) -> None:
    """Raise RuleBroken unless `threshold` distinct keys of `allowed` attested."""
    count = len(attesters_of(act, role, subject_hash) & set(allowed))
    if count < threshold:
        raise RuleBroken("attestations_missing", f"{count} of {threshold} needed attestations of role {role} are there", "collect the missing ones")
