"""What the rules read when they decided, taken from the state of that day. Pure: nothing is written."""

from __future__ import annotations

from dataclasses import dataclass

from governance.benefits import codes, contracts, plans, preauthorisation, settlement
from governance.day import Day
from governance.membership import delegation, members
from governance.receipts import shapes
from governance.shaping import filled
from governance.state.ballots import BALLOTS
from governance.state.cases import CaseRow
from governance.state.claims import (
    BENEFIT_YEARS,
    DAY_BENEFITS,
    EVENT_BENEFITS,
    UNITS_USED,
    BenefitYearRow,
    ClaimRow,
    LineRow,
)
from governance.state.members import MEMBERS, MemberRow
from governance.state.params import Params
from governance.state.plans import PLANS
from governance.state.preauthorisation import AUTHORISATIONS
from governance.voting import approval_threshold, ballots
from ledger import calendar

Counting = tuple[str, int | None, bool, bool]
"""How a ballot counts: choice, award, by auto-accept, opened."""


# ---- Filing ---------------------------------------------------------------
def cover_of(day: Day, claim: ClaimRow) -> shapes.Cover | None:
    """Return the cover that a claim names, a member's or a dependant's, as this block sees it."""
    row = contracts.contract_of(day.draft, claim.cover)
    if row is None:
        return None
    member = MEMBERS.get(day.draft, claim.member)
    ends = (member.until, None if member.leave_term is None else calendar.last_height_of(member.leave_term))
    return filled(
        shapes.Cover,
        row,
        spans=tuple(filled(shapes.CoverSpan, span) for span in row.spans),
        run_off_height=day.coop.run_off_height,
        known_end=min((end for end in ends if end is not None), default=None),
    )


def filed_line(day: Day, claim: ClaimRow, index: int) -> shapes.FiledLine:
    """Return a line with its code and plan on its day, and the reason for which the carrying block refuses it."""
    line = claim.lines[index]
    code = codes.code_on(day.draft, line.system, line.code, line.first_day)
    plan = contracts.plan_on(contracts.contract_of(day.draft, claim.cover), line.first_day)
    found = preauthorisation.find_refusal if claim.use == preauthorisation.USE else settlement.find_refusal
    return filled(
        shapes.FiledLine,
        line,
        line=index,
        allowed_amount_cents=code.allowed_cents,
        frequency=code.frequency,
        last_filing_height=line.first_day + calendar.TERM_BLOCKS * day.params.filing_terms,
        plan=plan,
        plan_from_day=0 if plan is None else plan_facts(day, plan, line.first_day).from_day,
        refusal=found(day, claim, line),
        authorised_by=b"",
    )


def plan_facts(day: Day, name: str, day_number: int) -> shapes.PlanFacts:
    """Return a plan's figures on a day."""
    return filled(shapes.PlanFacts, plans.figures_on(PLANS.get(day.draft, name), day_number), name=name)


# ---- Settlement -----------------------------------------------------------
@dataclass(slots=True)
class Running:
    """What the lines of a claim have used up so far."""

    other_payer_cents: int
    is_copay_taken: bool = False


def settlement_of(day: Day, claim: ClaimRow, index: int, before: Running) -> shapes.Settlement:
    """Return the steps of a line that was just settled, or refused in settlement; update `before`."""
    line = claim.lines[index]
    contract = contracts.contract_of(day.draft, claim.cover)
    assert contract is not None, "the carrying block found a contract"
    span = contracts.span_on(contract, line.first_day)
    assert span is not None, "cover of the day was checked in the carrying block"
    plan = plan_facts(day, span.plan, line.first_day)
    code = codes.code_on(day.draft, line.system, line.code, line.first_day)
    year_number = settlement.benefit_year_of(contract, line.first_day)
    units_after = UNITS_USED.value(day.draft, claim.cover, line.code, line.system, year_number)
    year = BENEFIT_YEARS.find(day.draft, claim.cover, year_number) or BenefitYearRow()
    borne = line.deductible_cents + line.copay_cents + line.coinsurance_cents - line.relief_cents
    award = _authorised_cents(day, claim, line)
    receipt = filled(
        shapes.Settlement,
        line,  # what it bore, paid and was cut
        line=index,
        height=day.height,
        case=None,
        how="standard",
        benefit_year=year_number,
        plan=plan.name,
        plan_from_day=plan.from_day,
        other_payer_before_cents=before.other_payer_cents,
        other_payer_cents=before.other_payer_cents - claim.other_left_cents,
        frequency=code.frequency,
        units_before=units_after - line.units_paid,
        allowed_amount_cents=code.allowed_cents,
        award_before_cents=award,
        deductible_plan_cents=plan.deductible_cents,
        deductible_before_cents=year.deductible_cents - line.deductible_cents,
        copay_plan_cents=plan.copay_cents,
        is_copay_taken=before.is_copay_taken,
        coinsurance_bp=plan.coinsurance_bp,
        oop_max_cents=plan.oop_max_cents,
        borne_before_cents=year.borne_cents - borne,
        ceilings=() if line.refusal is not None else _ceilings(day, claim, line, plan, year.benefit_cents),
        units_left=None if code.frequency is None else max(0, code.frequency - units_after),
        other_payer_left_cents=claim.other_left_cents,
        award_left_cents=None if award is None else award - line.allowed_cents,
        deductible_left_cents=max(0, plan.deductible_cents - year.deductible_cents),
        oop_left_cents=None if plan.oop_max_cents is None else max(0, plan.oop_max_cents - year.borne_cents),
    )
    before.other_payer_cents = claim.other_left_cents
    before.is_copay_taken = claim.is_copay_taken
    return receipt


def _authorised_cents(day: Day, claim: ClaimRow, line: LineRow) -> int | None:
    """Return what is left of the award that an authorised line is about to use; None: it uses none."""
    if not line.authorised_by:
        return None
    rows = AUTHORISATIONS.scan(day.draft, claim.cover, claim.provider, line.system, line.code)
    return next(row.award_left_cents for row in rows if row.claim == line.authorised_by)


def _ceilings(
    day: Day, claim: ClaimRow, line: LineRow, plan: shapes.PlanFacts, year_cents: int
) -> tuple[shapes.Ceiling, ...]:
    """Return the ceilings that apply to a settled line, with what was used before and is left after it."""
    visit = DAY_BENEFITS.value(day.draft, claim.cover, claim.provider, line.first_day)
    of_event = EVENT_BENEFITS.value(day.draft, claim.cover, claim.event_id)
    event = (
        None if claim.event_id == claim.claim and of_event == claim.benefit_cents else of_event
    )  # alone in it: the claim's own ceiling says all
    found: list[tuple[str, int | None, int | None]] = [
        ("claim", plan.claim_ceiling_cents, claim.benefit_cents),
        ("event", plan.claim_ceiling_cents, event),
        ("visit", plan.claim_ceiling_cents, visit),
        ("year", plan.year_ceiling_cents, year_cents),
    ]
    if day.coop.phase == "pilot":
        limit = day.params.pilot_claim_cents
        found += [("pilot", limit, claim.benefit_cents), ("pilot_event", limit, event)]
    return tuple(
        shapes.Ceiling(name, limit, used - line.benefit_cents, max(0, limit - used))
        for name, limit, used in found
        if limit is not None and used is not None
    )


# ---- Votes ------------------------------------------------------------------
def case_params(params: Params) -> shapes.CaseParams:
    """Return the parameters that a case keeps."""
    return filled(shapes.CaseParams, params)


def excluded_of(day: Day, claim: ClaimRow, case: CaseRow) -> tuple[shapes.Excluded, ...]:
    """Return how many members may not vote on a case, by the first reason that applies."""
    member = MEMBERS.get(day.draft, claim.member)
    treating = {claim.provider, members.owner_of_key(day.draft, claim.provider)}
    household = members.household_of(day.draft, member)
    pairs = (
        ("claimant", (claim.member,)),
        ("provider", treating),
        ("household", household),
        ("voucher", member.vouchers),
    )
    counts: dict[str, list[int]] = {}
    for key in case.excluded:
        reason = next((name for name, keys in pairs if key in keys), "other")
        row = MEMBERS.find(day.draft, key)
        count = counts.setdefault(reason, [0, 0])
        count[0] += 1
        count[1] += row is not None and members.was_voter(row, case.carried_height)
    return tuple(shapes.Excluded(reason, *count) for reason, count in sorted(counts.items()))


def bar_of(day: Day, claim: ClaimRow, case: CaseRow, case_params: Params) -> shapes.Bar:
    """Return the claimant's record, the row it falls into, and the seniority, at the end of block s."""
    return bar_facts(day, MEMBERS.get(day.draft, claim.member), case.bar_bp, case.seniority_bp, case_params)


def bar_facts(day: Day, member: MemberRow, bar_bp: int, seniority_bp: int, case_params: Params) -> shapes.Bar:
    """Return a member's record, the row it falls into, and the seniority, with the threshold on the ledger."""
    first, last = day.term - approval_threshold.WINDOW_TERMS, day.term
    rows = [row for row in approval_threshold.records_of(day.draft, member.key) if first <= row.term <= last]
    denied, voted, _ = approval_threshold.record_over_terms(day.draft, member.key, range(first, last + 1))
    sample = max(voted, case_params.deny_sample_min)
    complete = members.terms_complete_of(day, member)
    return shapes.Bar(
        first_term=first,
        last_term=last,
        terms=tuple(filled(shapes.TermRecord, row) for row in rows),
        denied=denied,
        voted=voted,
        sample=sample,
        row_percent=next(
            percent for percent, _ in approval_threshold.THRESHOLD_ROWS if 100 * denied >= percent * sample
        ),
        bar_bp=bar_bp,
        terms_complete=complete,
        years=complete // calendar.YEAR_TERMS,
        seniority_bp=seniority_bp,
        need_bp=bar_bp - seniority_bp,
    )


def counting_of(day: Day, case: CaseRow) -> dict[tuple[bytes, bytes | None], Counting]:
    """Return how each ballot counts in this block's tally, with delegations: (voter, delegator) -> how it counts."""
    live = list(BALLOTS.scan(day.draft, case.claim, case.code))
    own = {row.voter for row in live}
    found: dict[tuple[bytes, bytes | None], Counting] = {}
    for row in live:
        is_auto = bool(row.rule_hash)
        is_opened = not is_auto and ballots.is_opened(day, case.claim, row.voter)
        found[row.voter, None] = row.choice, row.award_cents, is_auto, is_opened
        for delegator in delegation.delegators_of(day.draft, row.voter, case.code):
            if delegator not in own and ballots.is_eligible(day.draft, case, delegator):
                found[row.voter, delegator] = row.choice, row.award_cents, is_auto, False
    return found
