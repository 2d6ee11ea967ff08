"""Records of the member who runs this node: which key signs what, with which number, for how long."""

from __future__ import annotations

from governance import windows
from governance.kinds import KINDS
from governance.tables import Draft
from ledger.chain import Chain
from ledger.codec import Shape, encode
from ledger.errors import RuleBroken
from ledger.records import SALT_SIZE, Attestation, Body, SignedRecord, sign_record
from node.clock import salt
from node.mempool import Mempool
from wallet.keys import KeyRing

VALID_BLOCKS = 30
"""A record that has found no block after a term is signed anew rather than surprising its author later."""


class Pen:
    """Signs records of the member who runs this node."""

    def __init__(self, keys: KeyRing, chain: Chain, mempool: Mempool) -> None:
        self._keys = keys
        self._chain = chain
        self._mempool = mempool
        self._given: dict[bytes, int] = {}

    def sign(self, kind: str, body: Shape, attestations: tuple[Attestation, ...] = ()) -> SignedRecord:
        """Return a signed record. Claims are signed by the cover key, everything else by the device key for the identity."""
        known = KINDS.get(kind)
        if known is None:
            raise RuleBroken("kind_unknown", f"there is no record kind {kind!r}", "see the list of record kinds in the reference")
        by_cover = not known.is_by_member
        seed = self._keys.cover_seed if by_cover else self._keys.device_seed
        signer = self._keys.cover_key if by_cover else self._keys.device_key
        author = signer if by_cover else self._keys.identity_key
        return sign_record(
            seed, chain_id=self._chain.chain_id, kind=kind, author=author, number=self._next_number(signer),
            valid_until_height=self._chain.height + VALID_BLOCKS, body=Body(salt(SALT_SIZE), encode(body)), attestations=attestations,
        )  # fmt: skip

    def _next_number(self, signer: bytes) -> int:
        """Return a number above all that this key has used on the ledger, in the mempool and in this process."""
        window = windows.WINDOWS.find(Draft(self._chain.state), signer)
        used = [window.highest if window else 0, self._given.get(signer, 0)]
        used += [signed.record.number for _, signed in self._mempool if signed.record.signer == signer]
        self._given[signer] = max(used) + 1
        return self._given[signer]
