"""Duties: who was drawn and cast no ballot. Three missed duties in twelve terms cost a reviewer's credit (rules §6).

Credit is only shown with the member. It does not affect tallies, draws, approval thresholds or renewals.
"""

from __future__ import annotations

from collections.abc import Iterable

from governance.day import Day
from governance.membership import members
from governance.state.duties import DUTIES, WITHOUT_CREDIT, DutyRow
from governance.state.members import MEMBERS
from governance.tables import Draft, Name
from ledger import calendar

# ---- Rules --------------------------------------------------------------
WINDOW_TERMS = calendar.YEAR_TERMS
MISSED_KEPT_MAX = 100
"""Misses kept of one member; more say nothing new."""


def missed_of(day: Day, member: bytes) -> int:
    """Return how many duties a member missed in the last twelve terms, the present one included."""
    row = DUTIES.find(day.draft, member)
    return 0 if row is None else len(_recent(day, row))


def has_credit(draft: Draft, member: bytes) -> bool:
    """True unless a member missed too many duties."""
    row = DUTIES.find(draft, member)
    return row is None or row.has_credit


def _recent(day: Day, row: DutyRow) -> tuple[int, ...]:
    return tuple(term for term in row.missed if term > day.term - WINDOW_TERMS)


def record_missed(day: Day, panel: Iterable[bytes], voted: Iterable[bytes]) -> None:
    """Count a missed duty for everyone drawn who cast no ballot and may vote as the vote closes."""
    cast = set(voted)
    for key in panel:
        row = MEMBERS.find(day.draft, key)
        if key not in cast and row is not None and members.is_voter(row):
            _record_miss(day, key)


def _record_miss(day: Day, member: bytes) -> None:
    row = DUTIES.find(day.draft, member) or DutyRow(member, (), True)
    missed = (*_recent(day, row), day.term)[-MISSED_KEPT_MAX:]
    is_lost = row.has_credit and len(missed) >= day.params.duty_missed_max
    DUTIES.put(day.draft, DutyRow(member, missed, row.has_credit and not is_lost), member)
    if is_lost:
        WITHOUT_CREDIT.put(day.draft, Name(member), member)
        day.emit("credit_lost", member=member, missed=len(missed))


def end_term(day: Day) -> None:
    """Give credit back to those who missed fewer duties in the twelve terms that end here."""
    limit = day.params.duty_missed_max
    for name in list(WITHOUT_CREDIT.scan(day.draft)):
        row = DUTIES.get(day.draft, name.value)
        missed = _recent(day, row)
        if len(missed) < limit:
            DUTIES.put(day.draft, DutyRow(row.member, missed, True), row.member)
            WITHOUT_CREDIT.delete(day.draft, row.member)
            day.emit("credit_regained", member=row.member, missed=len(missed))
