"""Promotion: a code that the members accept over three quarters of the time becomes standard (rules §8).

Per code and term the ledger keeps one row for each case closed by vote; a boundary reads twelve terms of them. Small
and second-lapse payments are no votes and leave no row.
"""

from __future__ import annotations

from governance.benefits import codes
from governance.day import Day, ceil_div, lower_median
from governance.state.claims import ClaimRow
from governance.state.codes import CLOSINGS, CODES, ClosingRow, CodeVersion

# ---- Rules --------------------------------------------------------------
FIRST_BOUNDARY = 360
NO_PROMOTION_BLOCKS = 360
FREQUENCY_PERCENTILE = 90


def note_closing(
    day: Day, claim: ClaimRow, system: str, code: str, indexes: tuple[int, ...], *, is_accepted: bool
) -> None:
    """Remember a case closed by vote."""
    lines = [claim.lines[index] for index in indexes] if is_accepted else []
    allowed, units = sum(line.allowed_cents for line in lines), sum(line.units_paid for line in lines)
    row = ClosingRow(system, code, day.term, is_accepted, claim.member, claim.provider, allowed, units)
    CLOSINGS.put(day.draft, row, day.term, code, system, claim.claim)


def end_term(day: Day) -> None:
    """Promote codes, in their order, that meet all conditions over the last twelve terms."""
    if day.height < FIRST_BOUNDARY:
        return
    by_code: dict[tuple[str, str], list[ClosingRow]] = {}
    for term in range(day.term - 11, day.term + 1):
        for row in CLOSINGS.scan(day.draft, term):
            by_code.setdefault((row.code, row.system), []).append(row)
    for (code, system), rows in sorted(by_code.items()):
        if not codes.code_on(day.draft, system, code, day.height + 1).is_standard and is_promoted(day, rows):
            _promote(day, system, code, rows)


def is_promoted(day: Day, rows: list[ClosingRow]) -> bool:
    """True iff the closings of a code make it standard."""
    first = rows[0]
    listed = CODES.find(day.draft, first.code, first.system)
    set_now = day.params
    accepted = sum(row.is_accepted for row in rows)
    return (
        (listed is None or day.height >= listed.no_promotion_until)
        and 100 * accepted > set_now.promote_pct * len(rows)
        and len(rows) >= set_now.promote_cases
        and len({row.claimant for row in rows}) >= set_now.promote_claimants
        and len({row.provider for row in rows}) >= set_now.promote_providers
        and len({row.term for row in rows}) >= set_now.promote_terms
    )


def _promote(day: Day, system: str, code: str, rows: list[ClosingRow]) -> None:
    """Make a code standard from the next block on, with an amount and a limit from what was accepted."""
    paid = [row for row in rows if row.is_accepted]
    amounts = [row.allowed_cents // row.units for row in paid if row.units]
    units: dict[bytes, int] = {}
    for row in paid:
        units[row.claimant] = units.get(row.claimant, 0) + row.units
    ranked = sorted(units.values())
    frequency = ranked[ceil_div(FREQUENCY_PERCENTILE * len(ranked), 100) - 1]
    allowed = lower_median(amounts) if amounts else None
    codes.set_code(day.draft, system, code, CodeVersion(day.height + 1, True, allowed, frequency))
    day.emit("code_promoted", code=code, paid=len(paid), decided=len(rows), allowed_cents=allowed, frequency=frequency)


def apply_demotion(day: Day, system: str, code: str) -> None:
    """Make a code non-standard by day of service from the next block on; no promotion of it for 360 blocks."""
    codes.set_code(
        day.draft, system, code, CodeVersion(day.height + 1, False, None, None), day.height + NO_PROMOTION_BLOCKS
    )


def share_of(day: Day, system: str, code: str) -> tuple[int, int]:
    """Return (accepted, decided) cases of a code over the last twelve terms."""
    accepted = decided = 0
    for term in range(day.term - 11, day.term + 1):
        for row in CLOSINGS.scan(day.draft, term, code, system):
            decided += 1
            accepted += row.is_accepted
    return accepted, decided
