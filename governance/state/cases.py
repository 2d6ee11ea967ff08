"""Cases: one claim and one code, with everything fixed as of the block that carried it."""

from __future__ import annotations

from governance.tables import Mark, Table
from ledger.codec import Shape


class CaseRow(Shape):
    """A case and everything fixed as of its block s."""

    claim: bytes
    code: str
    system: str
    s: int
    is_second: bool
    lines: tuple[int, ...]
    charges_cents: int
    excluded: tuple[bytes, ...]
    eligible: int
    bar_bp: int
    seniority_bp: int
    params_version: int
    streak: int
    panel: tuple[bytes, ...]
    status: str
    """open | accepted | denied | lapsed | withdrawn"""
    how: str
    yes: int
    no: int
    opened: int
    award_cents: int
    benefit_cents: int
    closed_height: int


class CaseKey(Shape):
    """Names a case."""

    claim: bytes
    code: str


CASES = Table("voting/case", CaseRow)
OPEN_CASES = Table("voting/open_case", CaseKey)
PANELS_DUE = Table("voting/panel_due", CaseKey)
"""(height at which a duty panel may be drawn, s, claim, code)."""
SMALL_PAID = Table("voting/small_paid", Mark)


class ClosedVote(Shape):
    """A yes or no as it entered its voter's record."""

    voter: bytes
    is_no: bool
    is_auto: bool


class ClosedVotesRow(Shape):
    """Who voted on a case closed by vote, and in which term: a finding of fraud takes it out of the records again."""

    term: int
    votes: tuple[ClosedVote, ...]


CLOSED_VOTES = Table("voting/closed_votes", ClosedVotesRow)
