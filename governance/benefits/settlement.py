"""Settlement, line by line, every figure kept: units, allowed, deductible, copay, coinsurance, relief, ceilings (§5).

allowed = deductible + copay + coinsurance - relief + benefit + cut. What is used up - units of a code, deductible and
maximum of a benefit year, ceilings - counts every line settled before, in settlement order. Plan, code status,
frequency and benefit year are those of the line's day.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from msgspec.structs import replace

from governance.benefits import codes, contracts, plans
from governance.day import Day
from governance.state.claims import (
    BENEFIT_YEARS,
    CLAIMS,
    DAY_BENEFITS,
    EVENT_BENEFITS,
    UNITS_USED,
    BenefitYearRow,
    ClaimRow,
    LineRow,
    LineStatus,
)
from governance.state.contracts import ContractRow
from governance.state.members import MEMBERS
from governance.state.plans import PLANS, PlanFigures
from governance.tables import Draft
from ledger import calendar

# ---- Rules --------------------------------------------------------------
AMOUNTS = (
    "allowed_cents", "deductible_cents", "copay_cents", "coinsurance_cents", "relief_cents", "cut_cents",
    "benefit_cents",
)  # fmt: skip
"""Figures of a line: allowed = deductible + copay + coinsurance - relief + benefit + cut."""
NO_COVER, WAITING, FREQUENCY, NOT_IN_PLAN, OTHER_PAYER, FILED_LATE = 1, 2, 3, 4, 7, 8


def benefit_year_of(row: ContractRow, day_number: int) -> int:
    """Return the benefit year of a day: 12 terms each, from the first day of the contract or dependant's cover."""
    return (day_number - row.benefit_start) // calendar.YEAR_BLOCKS


def find_refusal(day: Day, claim: ClaimRow, line: LineRow) -> int | None:
    """Return the reason to refuse a line in the carrying block, tested in the order 8, 1, 2, 4, or None."""
    if day.height > line.first_day + calendar.TERM_BLOCKS * day.params.filing_terms:
        return FILED_LATE
    row = contracts.contract_of(day.draft, claim.cover)
    coop = day.coop
    plan_name = contracts.plan_on(row, line.first_day)
    if row is None or plan_name is None or (coop.run_off_height is not None and line.first_day > coop.run_off_height):
        return NO_COVER
    if contracts.is_waiting(row, line.first_day):
        return WAITING
    covered = plans.figures_on(PLANS.get(day.draft, plan_name), line.first_day).codes
    return NOT_IN_PLAN if covered and line.code not in covered else None


def refuse_line(day: Day, claim: ClaimRow, index: int, refusal: int) -> ClaimRow:
    """Refuse a line with a numbered reason and say so."""
    line = replace(claim.lines[index], status="refused", refusal=refusal)
    return _put_line(day, claim, index, line)


def settle_line(day: Day, claim: ClaimRow, index: int, award_left: int | None) -> tuple[ClaimRow, int | None]:
    """Settle one line; return the claim after it and what is left of the award (None: no award, a standard line)."""
    line = claim.lines[index]
    contract = contracts.contract_of(day.draft, claim.cover)
    span = contracts.span_on(contract, line.first_day)
    assert contract and span, "the carrying block checked the cover of the day"  # noqa: PT018
    plan_name = span.plan
    figures = plans.figures_on(PLANS.get(day.draft, plan_name), line.first_day)
    code = codes.code_on(day.draft, line.system, line.code, line.first_day)
    year_number = benefit_year_of(contract, line.first_day)

    from_other = min(line.charge_cents, claim.other_left_cents)
    claim = replace(claim, other_left_cents=claim.other_left_cents - from_other)
    if from_other and from_other == line.charge_cents:
        return refuse_line(day, claim, index, OTHER_PAYER), award_left
    units_before = UNITS_USED.value(day.draft, claim.cover, line.code, line.system, year_number)
    units = line.units if code.frequency is None else min(line.units, code.frequency - units_before)
    if units <= 0:
        return refuse_line(day, claim, index, FREQUENCY), award_left

    allowed = line.charge_cents - from_other
    if code.allowed_cents is not None:
        allowed = min(allowed, code.allowed_cents * units)
    if award_left is not None:
        allowed = min(allowed, award_left)
        award_left -= allowed
    year = BENEFIT_YEARS.find(day.draft, claim.cover, year_number) or BenefitYearRow()
    deductible = min(allowed, max(0, figures.deductible_cents - year.deductible_cents))
    rest = allowed - deductible
    copay = 0
    if rest and not claim.is_copay_taken:
        copay = min(figures.copay_cents, rest)
        claim = replace(claim, is_copay_taken=True)
    rest -= copay
    coinsurance = rest - rest * (10_000 - figures.coinsurance_bp) // 10_000
    borne = deductible + copay + coinsurance
    relief = 0
    if figures.oop_max_cents is not None:
        relief = min(borne, max(0, year.borne_cents + borne - figures.oop_max_cents))
    uncut = allowed - borne + relief
    room = _room_cents(day, claim, line, figures, year)
    benefit = uncut if room is None else min(uncut, max(0, room))

    plans.add_benefit(day.draft, span.contract_plan, day.term, benefit)
    line = replace(
        line,
        status="settled",
        plan=plan_name,
        units_paid=units,
        allowed_cents=allowed,
        deductible_cents=deductible,
        copay_cents=copay,
        coinsurance_cents=coinsurance,
        relief_cents=relief,
        cut_cents=uncut - benefit,
        benefit_cents=benefit,
    )
    _count_use(day, claim, line, year_number)
    claim = replace(claim, benefit_cents=claim.benefit_cents + benefit)
    return _put_line(day, claim, index, line), award_left


def _room_cents(day: Day, claim: ClaimRow, line: LineRow, figures: PlanFigures, year: BenefitYearRow) -> int | None:
    """Return what the ceilings of claim, event, year and pilot leave for a line, or None (rules §5.7, §13)."""
    rooms: list[int] = []
    of_event = EVENT_BENEFITS.value(day.draft, claim.cover, claim.event_id)
    if figures.claim_ceiling_cents is not None:
        same_visit = DAY_BENEFITS.value(day.draft, claim.cover, claim.provider, line.first_day)
        rooms += [figures.claim_ceiling_cents - of_event, figures.claim_ceiling_cents - same_visit]
    if figures.year_ceiling_cents is not None:
        rooms.append(figures.year_ceiling_cents - year.benefit_cents)
    if day.coop.phase == "pilot":
        rooms.append(day.params.pilot_claim_cents - of_event)
    return min(rooms) if rooms else None


def undo_settlement(day: Day, claim: ClaimRow) -> None:
    """Undo what a claim used up of its cover's units, benefit years and ceilings: the patient had no part in it."""
    for line in [line for line in claim.lines if line.status == "settled"]:
        contract = contracts.contract_of(day.draft, claim.cover)
        assert contract is not None, "a line was settled under it"
        _count_use(day, claim, line, benefit_year_of(contract, line.first_day), sign=-1)


def _count_use(day: Day, claim: ClaimRow, line: LineRow, year_number: int, *, sign: int = 1) -> None:
    """Count, or with `sign` -1 take back, what a settled line uses of its cover's units, benefit year and ceilings."""
    borne = line.deductible_cents + line.copay_cents + line.coinsurance_cents - line.relief_cents
    year = BENEFIT_YEARS.find(day.draft, claim.cover, year_number) or BenefitYearRow()
    year = BenefitYearRow(
        year.deductible_cents + sign * line.deductible_cents,
        year.borne_cents + sign * borne,
        year.benefit_cents + sign * line.benefit_cents,
    )
    BENEFIT_YEARS.put(day.draft, year, claim.cover, year_number)
    UNITS_USED.add(day.draft, sign * line.units_paid, claim.cover, line.code, line.system, year_number)
    DAY_BENEFITS.add(day.draft, sign * line.benefit_cents, claim.cover, claim.provider, line.first_day)
    EVENT_BENEFITS.add(day.draft, sign * line.benefit_cents, claim.cover, claim.event_id)


def _put_line(day: Day, claim: ClaimRow, index: int, line: LineRow) -> ClaimRow:
    """Write a line of the claim and emit its receipt."""
    claim = replace(claim, lines=(*claim.lines[:index], line, *claim.lines[index + 1 :]))
    CLAIMS.put(day.draft, claim, claim.claim)
    day.emit("claim_line", claim=claim.claim, line=index, **figures_of(line), preauth=line.authorised_by or None)
    return claim


def figures_of(line: LineRow) -> dict[str, Any]:
    """Return the figures of a line as its event tells them."""
    told = {name: getattr(line, name) for name in ("units_paid", "charge_cents", *AMOUNTS, "refusal")}
    return {"code": line.code, "standard": line.is_standard, **told}


def set_line_status(draft: Draft, claim_id: bytes, indexes: tuple[int, ...], status: LineStatus) -> None:
    """Mark lines that close without being settled."""
    claim = CLAIMS.get(draft, claim_id)
    lines = tuple(replace(line, status=status) if i in indexes else line for i, line in enumerate(claim.lines))
    CLAIMS.put(draft, replace(claim, lines=lines), claim_id)


def payee_key_of(claim: ClaimRow) -> bytes:
    """Return who is paid: the provider's key or the cover, never the member's key."""
    return claim.provider if claim.payee == "provider" else claim.cover


# ---- Invariants ---------------------------------------------------------
def broken_invariants(draft: Draft) -> Iterator[str]:
    """Yield a sentence for each line whose figures do not add up or are negative."""
    for claim in CLAIMS.scan(draft):
        total = 0
        for index, line in enumerate(claim.lines):
            total += line.benefit_cents
            borne = line.deductible_cents + line.copay_cents + line.coinsurance_cents - line.relief_cents
            is_sum = borne + line.benefit_cents + line.cut_cents == line.allowed_cents
            if not is_sum or any(getattr(line, name) < 0 for name in AMOUNTS):
                yield f"line {index} of claim {claim.claim.hex()} does not add up"
        if total != claim.benefit_cents:
            yield f"claim {claim.claim.hex()} has benefits of {total}, its row says {claim.benefit_cents}"
        if MEMBERS.find(draft, claim.member) is None:
            yield f"claim {claim.claim.hex()} belongs to nobody"
