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
from ledger.records import SALT_SIZE, Attestation, Body, SignedRecord, sign_record
from ledger.signatures import public_key_of
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
        known = KINDS.get(kind)
        if known is None:
            what = f"there is no record kind {kind!r}"
            raise RuleBroken("kind_unknown", what, "see the list of record kinds in the reference")
        author, seed = self._author_and_seed(known.key, getattr(body, "cover_id", b""))
        return sign_record(
            seed,
            chain_id=self._chain.chain_id,
            kind=kind,
            author=author,
            number=self._next_number(public_key_of(seed)),
            valid_until_height=self._chain.height + VALID_BLOCKS,
            body=Body(salt(SALT_SIZE), encode(body)),
            attestations=attestations,
        )

    @contextmanager
    def sketching(self) -> Generator[None]:
        """Sign what will not be sent: the numbers given inside are free again afterwards."""
        before = dict(self._given)
        try:
            yield
        finally:
            self._given = before

    def _author_and_seed(self, key: str, cover: bytes) -> tuple[bytes, bytes]:
        """Return for whom to sign and the secret to sign with; for a claim those of its cover, also a dependant's."""
        keys = self._keys
        draft = Draft(self._chain.state)
        if key == "cover":
            seed = None if cover == keys.cover_key else seeds_of(draft, keys).get(cover)
            return (keys.cover_key, keys.cover_seed) if seed is None else (cover, seed)
        row = member_of_keys(draft, keys)
        author = keys.identity_key if row is None else row.key
        device = DEVICES.find(draft, keys.device_key)
        is_certified = device is not None and device.value == author
        return author, keys.device_seed if key == "device" and is_certified else keys.identity_seed

    def _next_number(self, signer: bytes) -> int:
        """Return a number above all that this key has used on the ledger, in the mempool and in this process."""
        window = WINDOWS.find(Draft(self._chain.state), signer)
        used = [window.highest if window else 0, self._given.get(signer, 0)]
        used += [signed.record.number for _, signed in self._mempool if signed.record.signer == signer]
        self._given[signer] = max(used) + 1
        return self._given[signer]
