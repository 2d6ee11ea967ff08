"""Records of the member who runs this node: for whom, with which key, with which number, for how long.

Who the member is follows from the newest state, not from the charter: a member who was admitted later acts from their
own node as a founder does. A device key signs daily records once the ledger knows it; until then the identity key does.
"""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager

from governance.kinds import KINDS
from governance.membership import members
from governance.state.keys import DEVICES
from governance.state.members import MEMBERS, MemberRow
from governance.state.windows import WINDOWS
from governance.tables import Draft
from ledger.chain import Chain
from ledger.codec import Shape, encode
from ledger.errors import RuleBroken
from ledger.records import RECORD_VERSION, SALT_SIZE, Attestation, Body, Record, SignedRecord, body_hash_of, sign_draft
from node.clock import salt
from node.own.dependants import seeds_of
from node.pool.mempool import Mempool
from wallet.keys import KeyRing

VALID_BLOCKS = 30
"""A record that has found no block after a term is signed again rather than surprising its author later."""


def member_of_keys(draft: Draft, keys: KeyRing) -> MemberRow | None:
    """Return the member, present or past, for whom these keys may sign: as the identity key or a certified device."""
    row = members.member_of_identity(draft, keys.identity_key)
    if row is not None:
        return row
    device = DEVICES.find(draft, keys.device_key)
    return None if device is None else MEMBERS.find(draft, device.value)


class RecordSigner:
    """Signs records of the member who runs this node."""

    def __init__(self, keys: KeyRing, chain: Chain, mempool: Mempool) -> None:
        self._keys = keys
        self._chain = chain
        self._mempool = mempool
        self._given: dict[bytes, int] = {}

    def sign(self, kind: str, body: Shape, attestations: tuple[Attestation, ...] = ()) -> SignedRecord:
        """Return a signed record: by the key that its kind names, a device key only where the ledger knows it."""
        seed, draft = self._draft(kind, body, attestations)
        return sign_draft(seed, draft)

    def sketch(self, kind: str, body: Shape, attestations: tuple[Attestation, ...] = ()) -> SignedRecord:
        """Return the same record without its signature, for the rules to look at."""
        return self._draft(kind, body, attestations)[1]

    def author_of(self, kind: str, body: Shape) -> bytes:
        """Return for whom a record is signed."""
        known = KINDS.get(kind)
        return self._author_and_keys("" if known is None else known.key, getattr(body, "cover_id", b""))[0]

    def _draft(self, kind: str, body: Shape, attestations: tuple[Attestation, ...]) -> tuple[bytes, SignedRecord]:
        """Return the secret to sign with, and all but the signature."""
        known = KINDS.get(kind)
        if known is None:
            what = f"there is no record kind {kind!r}"
            raise RuleBroken("kind_unknown", what, "see the list of record kinds in the reference")
        author, signer, seed = self._author_and_keys(known.key, getattr(body, "cover_id", b""))
        whole = Body(salt(SALT_SIZE), encode(body))
        place = self._next_number(signer), self._chain.height + VALID_BLOCKS
        head = (RECORD_VERSION, self._chain.chain_id, kind, author, signer, *place)
        return seed, SignedRecord(Record(*head, body_hash_of(whole), attestations, b""), whole)

    @contextmanager
    def sketching(self) -> Generator[None]:
        """Sign what will not be sent: the numbers given inside are free again afterwards."""
        before = dict(self._given)
        try:
            yield
        finally:
            self._given = before

    def _author_and_keys(self, key: str, cover: bytes) -> tuple[bytes, bytes, bytes]:
        """Return for whom to sign, the signing key and its secret; for a claim its cover's, also a dependant's."""
        keys = self._keys
        draft = Draft(self._chain.state)
        if key == "cover":
            seed = None if cover == keys.cover_key else seeds_of(draft, keys).get(cover)
            return (keys.cover_key, keys.cover_key, keys.cover_seed) if seed is None else (cover, cover, seed)
        row = member_of_keys(draft, keys)
        author = keys.identity_key if row is None else row.key
        device = DEVICES.find(draft, keys.device_key)
        is_certified = device is not None and device.value == author
        if key == "device" and is_certified:
            return author, keys.device_key, keys.device_seed
        return author, keys.identity_key, keys.identity_seed

    def _next_number(self, signer: bytes) -> int:
        """Return a number above all that this key has used on the ledger, in the mempool and in this process."""
        window = WINDOWS.find(Draft(self._chain.state), signer)
        used = window.highest if window else 0, self._given.get(signer, 0), self._mempool.highest_number(signer)
        self._given[signer] = max(used) + 1
        return self._given[signer]
