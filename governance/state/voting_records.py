"""How each member voted on closed cases, by term."""

from __future__ import annotations

from governance.tables import Table
from ledger.codec import Shape


class TermRecord(Shape):
    """A member's closings in one term."""

    term: int
    denied: int
    voted: int
    auto: int


class MemberRecord(Shape):
    """A member's closings by term, ascending: the newest term and the twelve before it."""

    terms: tuple[TermRecord, ...]


VOTING_RECORDS = Table("voting/record", MemberRecord)
