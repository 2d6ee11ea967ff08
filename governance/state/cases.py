"""Cases: one claim and one code, with everything fixed as of the block that carried it."""

from __future__ import annotations

from typing import Literal

from governance.tables import Mark, Table
from ledger.codec import Shape

CaseStatus = Literal["open", "accepted", "denied", "lapsed", "withdrawn", "cancelled"]
How = Literal["", "vote", "appeal", "small", "lapse"]
"""What settled a case: `small` and `lapse` are payments without a vote; empty: nothing yet."""


class CaseRow(Shape):
    """A case and everything fixed as of the block that carried it."""

    claim: bytes
    code: str
    system: str
    carried_height: int
    """Height of the block that carried it: what is fixed, is fixed as of its end."""
    is_second: bool
    lines: tuple[int, ...]
    charges_cents: int
    excluded: tuple[bytes, ...] = ()
    eligible: int = 0
    bar_bp: int = 0
    seniority_bp: int = 0
    params_version: int = 0
    passing_since: int = 0
    """First of the passing blocks in a row, the last one included; 0: the last block did not pass."""
    panel: tuple[bytes, ...] = ()
    status: CaseStatus = "open"
    how: How = ""
    yes: int = 0
    no: int = 0
    opened: int = 0
    award_cents: int = 0
    benefit_cents: int = 0
    closed_height: int = 0


def streak_of(case: CaseRow, height: int) -> int:
    """Return the passing blocks in a row of a case: at the end of block `height`, or as it closed."""
    if not case.passing_since:
        return 0
    if case.status == "open":
        return height - case.passing_since + 1
    return case.closed_height - case.passing_since + (case.status not in ("withdrawn", "cancelled"))


class CaseKey(Shape):
    """Names a case."""

    claim: bytes
    code: str


CASES = Table("voting/case", CaseRow)
OPEN_CASES = Table("voting/open_case", CaseKey)
"""By (carrying height, claim, code)."""
CASES_DUE = Table("voting/case_due", CaseKey)
"""(height at whose end an open case is accepted or closed if nobody votes before, carrying height, claim, code)."""
PANELS_DUE = Table("voting/panel_due", CaseKey)
"""(height at which a duty panel may be drawn, carrying height, claim, code)."""
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
