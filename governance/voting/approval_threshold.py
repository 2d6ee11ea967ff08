"""A claimant's approval threshold: whoever denies much needs more yes votes; years in the co-op lower it (rules §7).

Per member the ledger keeps, for each of the last thirteen terms with closings, how many last yes/no ballots on closed
cases there were, how many of them denied, and how many were cast by auto-accept, which count at most for half. What is
older counts nowhere.
"""

from __future__ import annotations

from collections.abc import Container

from governance.day import Day
from governance.membership import members
from governance.state.members import MemberRow
from governance.state.voting_records import VOTING_RECORDS, MemberRecord, TermRecord
from governance.tables import Draft
from ledger.codec import Shape

# ---- Rules --------------------------------------------------------------
WINDOW_TERMS = 12
THRESHOLD_ROWS = ((95, 10_000), (85, 9_500), (80, 9_000), (75, 8_500), (70, 8_000), (65, 7_500), (0, 5_000))
"""(denial rate in percent from which a row holds, threshold in basis points): half-open, highest first."""
THRESHOLD_MAX_BP = 10_000


class RecordRow(Shape):
    """Closings of a member, to be added."""

    denied: int
    voted: int
    """Yes and no by hand or by delegate."""
    auto: int
    """Yes by auto-accept."""


class VotingRecord(Shape):
    """A voting record over a window, and what it asks of the voter's own cases."""

    denied: int
    voted: int
    threshold_bp: int
    seniority_bp: int


def records_of(draft: Draft, member: bytes) -> tuple[TermRecord, ...]:
    """Return a member's closings by term, ascending, as far back as they can count."""
    row = VOTING_RECORDS.find(draft, member)
    return () if row is None else row.terms


def add_closing(draft: Draft, member: bytes, term: int, more: RecordRow) -> None:
    """Count closings of a member in a term; negative figures take them back."""
    known = records_of(draft, member)
    row = next((item for item in known if item.term == term), TermRecord(term, 0, 0, 0))
    row = TermRecord(term, row.denied + more.denied, row.voted + more.voted, row.auto + more.auto)
    terms = sorted([*(item for item in known if item.term != term), row], key=lambda item: item.term)
    newest = terms[-1].term
    VOTING_RECORDS.put(draft, MemberRecord(tuple(item for item in terms if item.term >= newest - WINDOW_TERMS)), member)


def record_over_terms(draft: Draft, member: bytes, terms: Container[int]) -> tuple[int, int, int]:
    """Return (denied, voted, terms with closings); auto-accept ballots count at most for half of the votes."""
    denied = voted = auto = with_closings = 0
    for row in records_of(draft, member):
        if row.term in terms and row.voted + row.auto > 0:
            denied += row.denied
            voted += row.voted
            auto += row.auto
            with_closings += 1
    return denied, voted + min(auto, voted), with_closings


def compute_threshold_bp(denied: int, voted: int, sample_min: int) -> int:
    """Return the threshold of a record (rules §7).

    >>> [compute_threshold_bp(d, 20, 20) for d in (12, 13, 14, 15, 16, 17, 19)]
    [5000, 7500, 8000, 8500, 9000, 9500, 10000]
    """
    sample = max(voted, sample_min)
    return next(bp for percent, bp in THRESHOLD_ROWS if 100 * denied >= percent * sample)


def threshold_of(day: Day, member: MemberRow) -> VotingRecord:
    """Return the record, threshold and seniority of a member as if a claim were carried by this block."""
    set_now = day.params
    term = day.term
    denied, voted, _ = record_over_terms(day.draft, member.key, range(term - WINDOW_TERMS, term + 1))
    threshold_bp = compute_threshold_bp(denied, voted, set_now.deny_sample_min)
    years = members.terms_complete_of(day, member) // WINDOW_TERMS
    seniority = 0
    if threshold_bp < THRESHOLD_MAX_BP:
        room_bp = threshold_bp - set_now.bar_floor_bp
        seniority = max(0, min(years * set_now.seniority_step_bp, set_now.seniority_max_bp, room_bp))
    return VotingRecord(denied, voted, threshold_bp, seniority)
