"""Which records may wait here: those whose author has a part in the co-op and whose number is free.

Strangers cannot fill the pool. The rules themselves are asked when a block is built.
"""

from __future__ import annotations

from collections.abc import Sequence

from governance import windows
from governance.kinds import KINDS, Kind, decode_body
from governance.membership import members
from governance.state.applications import APPLICATIONS
from governance.state.members import MEMBERS
from governance.state.windows import WINDOWS
from governance.tables import Draft
from ledger.chain import Chain
from ledger.errors import MutuaError
from ledger.hashing import HASH_SIZE
from ledger.records import Record, SignedRecord

APPLY_KIND = "member.apply"
"""The one kind whose author is not in the co-op yet."""


class Admission:
    """The newest final state, asked about records that want to wait."""

    def __init__(self, chain: Chain) -> None:
        self._chain = chain
        self.chain_id = chain.chain_id

    @property
    def height(self) -> int:
        """The newest final height."""
        return self._chain.height

    def is_expired(self, record: Record) -> bool:
        """True when no block to come may include the record."""
        return windows.is_expired(record.valid_until_height, self._chain.height + 1)

    def is_final(self, record_id: bytes) -> bool:
        """True when a block includes the record."""
        return self._chain.find_record(record_id) is not None

    def may_wait(self, signed: SignedRecord) -> bool:
        """True for a record whose author has a part in the co-op and whose number is not used."""
        draft, record = Draft(self._chain.state), signed.record
        kind = KINDS.get(record.kind)
        if kind is None or not _has_part(draft, kind, record):
            return False
        window = WINDOWS.find(draft, record.signer)
        return window is None or not windows.is_used(window, record.number)

    def commitments_of(self, signed: SignedRecord) -> Sequence[bytes]:
        """Return the hash of the sealed addresses that a claim, or an application's deposit, commits to."""
        if signed.record.kind not in ("claim.file", APPLY_KIND):
            return ()
        try:
            commitment = decode_body(signed.record.kind, signed.body.data).payout_commitment
        except MutuaError:
            return ()
        return (commitment,) if len(commitment) == HASH_SIZE else ()


def _has_part(draft: Draft, kind: Kind, record: Record) -> bool:
    """True when the author applies, has applied, is a member, or is a cover of one."""
    if record.kind == APPLY_KIND:
        return True
    if record.kind == "member.withdraw":
        return APPLICATIONS.find(draft, record.author) is not None
    if kind.is_by_member:
        row = MEMBERS.find(draft, record.author)
        is_author = row is not None and (row.is_member or kind.key == "identity")
        return is_author and members.is_signer(draft, record.author, record.signer)
    return record.signer == record.author and members.member_of_cover(draft, record.author) is not None
