"""Contracts: a plan for some terms at a guaranteed rate, and the days on which its owner is covered.

A contract that runs out goes on term by term at the current rate, unless `plan.change` named another, which starts
then. While the waiting period of a dearer plan lasts, the figures of the old plan hold: cover is kept as spans of days
with the plan whose figures hold on them. Days of suspension are gaps in the cover. Covers of dependants stand on the
contract, and their shares of the plan's rate are part of its rate (`governance.benefits.covers`).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal

from msgspec.structs import replace

from governance.acts import Act
from governance.benefits import covers, plans
from governance.day import Day
from governance.membership import members
from governance.state.contracts import CONTRACTS, CONTRACTS_ON, OWING, ContractRow, CoverSpan
from governance.state.covers import DEPENDANTS
from governance.state.members import COVERS, MEMBERS, MemberRow
from governance.state.plans import PLANS
from governance.tables import Draft, Name
from ledger import calendar
from ledger.codec import Shape
from ledger.errors import RuleBroken

# ---- Records ------------------------------------------------------------
LENGTHS = (1, 3, 6, 12)
MemberStatus = Literal["waiting", "covered", "suspended", "leaving", "not_renewed", "ended"]


class PlanChangeBody(Shape):
    """The author's next contract, which starts when the current one ends."""

    plan: str
    contract_terms: int


class LeaveBody(Shape):
    """Notice: cover and membership end with the next full term."""


# ---- Rules --------------------------------------------------------------
def change(day: Day, member: bytes, **fields: Any) -> ContractRow:
    """Write fields of a member's contract and return the row."""
    row = replace(CONTRACTS.get(day.draft, member), **fields)
    CONTRACTS.put(day.draft, row, member)
    return row


def contract_of(draft: Draft, cover: bytes) -> ContractRow | None:
    """Return the contract as a cover has it (a dependant's has its own days, waiting and benefit years), or None."""
    link = COVERS.find(draft, cover)
    row = None if link is None else CONTRACTS.find(draft, link.value)
    own = DEPENDANTS.find(draft, cover)
    if row is None or own is None:
        return row
    clipped = tuple(part for span in row.spans if (part := _clip(span, own.first_day, own.last_day)) is not None)
    return replace(
        row,
        spans=clipped,
        waiting_first_day=own.first_day,
        waiting_last_day=own.waiting_last_day,
        benefit_start=own.first_day,
    )


def _clip(span: CoverSpan, first_day: int, last_day: int | None) -> CoverSpan | None:
    """Return the part of a span that lies in first_day..last_day, or None."""
    first = max(span.first_day, first_day)
    last = span.last_day if last_day is None else last_day if span.last_day is None else min(span.last_day, last_day)
    return CoverSpan(first, last, span.plan, span.contract_plan) if last is None or first <= last else None


def plan_on(row: ContractRow | None, day_number: int) -> str | None:
    """Return the plan whose figures hold on a day of cover, or None on a day without."""
    span = span_on(row, day_number)
    return None if span is None else span.plan


def span_on(row: ContractRow | None, day_number: int) -> CoverSpan | None:
    """Return the span that a day of cover lies in, or None on a day without."""
    if row is None:
        return None
    if row.suspended_from is not None and day_number >= row.suspended_from:
        return None
    if any(first <= day_number <= last for first, last in row.gaps):
        return None
    for span in reversed(row.spans):
        if span.first_day <= day_number and (span.last_day is None or day_number <= span.last_day):
            return span
    return None


def is_waiting(row: ContractRow, day_number: int) -> bool:
    """True on days of the first terms of a first contract that its plan does not cover yet."""
    return row.waiting_first_day <= day_number <= row.waiting_last_day


def check_length(terms: int) -> None:
    """Raise RuleBroken for a contract length that is not offered."""
    if terms not in LENGTHS:
        raise RuleBroken("contract_length", f"a contract has 1, 3, 6 or 12 terms, not {terms}", "choose one of these")


def start_contract(
    day: Day, member: bytes, plan_name: str, *, length_terms: int, first_term: int, prepaid_terms: int
) -> None:
    """Begin a first contract at `first_term`, at the current rate, with the plan's waiting terms."""
    plan = PLANS.get(day.draft, plan_name)
    old = CONTRACTS.find(day.draft, member)
    first_day = calendar.first_height_of(first_term)
    waiting = plans.figures_on(plan, first_day).waiting_terms
    waiting_last_day = calendar.last_height_of(first_term + waiting - 1) if waiting else 0
    spans = () if old is None else old.spans
    row = ContractRow(
        member=member,
        plan=plan_name,
        first_term=first_term,
        length_terms=length_terms,
        rate_cents=plan.premium_cents,
        prepaid_until_term=first_term + prepaid_terms,
        owed=() if old is None else old.owed,
        gaps=() if old is None else old.gaps,
        spans=(*spans, CoverSpan(first_day, None, plan_name, plan_name)),
        waiting_first_day=first_day,
        waiting_last_day=waiting_last_day,
        benefit_start=first_day if old is None else old.benefit_start,
        dependants=() if old is None else old.dependants,
    )
    CONTRACTS.put(day.draft, row, member)
    CONTRACTS_ON.put(day.draft, Name(member), member)
    day.count(rates_cents=row.rate_cents, long_rates_cents=row.rate_cents if length_terms > 1 else 0)


def defer_contract(day: Day, member: bytes) -> None:
    """Keep a contract back while the co-op recruits: no cover and no premium, but its rate counts in A."""
    change(day, member, is_in_force=False, spans=(), waiting_last_day=0)


def is_deferred(row: ContractRow) -> bool:
    """True while a contract waits for the end of recruiting."""
    return not row.is_in_force and not row.spans


def contracts_on(draft: Draft) -> Iterator[ContractRow]:
    """Yield the contracts of present members, by member. One that ends or begins meanwhile does no harm."""
    for name in list(CONTRACTS_ON.scan(draft)):
        row = CONTRACTS.find(draft, name.value)
        if row is not None:
            yield row


def start_deferred_contracts(day: Day) -> None:
    """Begin every contract held back with the next term, at its rate: recruiting is over."""
    for row in contracts_on(day.draft):
        if is_deferred(row) and MEMBERS.get(day.draft, row.member).is_member:
            _drop_deferred(day, row)
            start_contract(
                day,
                row.member,
                row.next_plan or row.plan,
                length_terms=row.length_terms if row.next_plan is None else row.next_length,
                first_term=day.term + 1,
                prepaid_terms=row.prepaid_until_term - row.first_term,
            )


def _drop_deferred(day: Day, row: ContractRow) -> None:
    """Take a held contract away; there was no cover and nothing is owed."""
    day.count(rates_cents=-row.rate_cents, long_rates_cents=-row.rate_cents if row.length_terms > 1 else 0)
    CONTRACTS.delete(day.draft, row.member)
    CONTRACTS_ON.delete(day.draft, row.member)


def end_deferred(day: Day, row: ContractRow) -> None:
    """End a membership that never had cover."""
    _drop_deferred(day, row)
    members.end_membership(day, row.member)


def end_contract(day: Day, member: bytes) -> None:
    """End cover with this block, and membership with it; what is owed stays owed."""
    row = CONTRACTS.get(day.draft, member)
    day.count(rates_cents=-row.rate_cents, long_rates_cents=-row.rate_cents if row.length_terms > 1 else 0)
    gaps = row.gaps
    if row.suspended_from is not None and row.suspended_from <= day.height:
        gaps = (*gaps, (row.suspended_from, day.height))
    spans = tuple(_closed(span, day.height) for span in row.spans if span.first_day <= day.height)
    OWING.delete(day.draft, member)
    CONTRACTS_ON.delete(day.draft, member)
    row = change(day, member, is_in_force=False, suspended_from=None, gaps=gaps, spans=spans, next_plan=None)
    day.emit("contract_ended", member=member, plan=row.plan, amount_cents=row.owed_cents)
    if row.dependants:
        change(day, member, dependants=covers.end_all(day, row.dependants))
    members.end_membership(day, member)


def _closed(span: CoverSpan, last_day: int) -> CoverSpan:
    """Return the span, ending at the latest on `last_day`."""
    if span.last_day is not None and span.last_day <= last_day:
        return span
    return CoverSpan(span.first_day, last_day, span.plan, span.contract_plan)


def roll_over(day: Day, row: ContractRow) -> None:
    """Go on with the next term: the named contract, or term by term at the current rate."""
    first_term = day.term + 1
    plan_name = row.next_plan or row.plan
    length = row.next_length if row.next_plan is not None else 1
    plan = PLANS.get(day.draft, plan_name)
    first_day = calendar.first_height_of(first_term)
    spans = row.spans
    if plan_name != row.plan and spans:
        old = PLANS.get(day.draft, plan_on(row, day.height) or spans[-1].plan)
        waiting = plans.figures_on(plan, first_day).waiting_terms if plan.premium_cents > old.premium_cents else 0
        spans = _spans_after_change(spans, plan_name, first_day, calendar.first_height_of(first_term + waiting))
    shares = tuple(
        covers.priced(day, share, plan.premium_cents) if covers.is_on(share, first_term) else share
        for share in row.dependants
    )
    rate = plan.premium_cents + covers.rate_of(shares, first_term)
    day.count(
        rates_cents=rate - row.rate_cents,
        long_rates_cents=(rate if length > 1 else 0) - (row.rate_cents if row.length_terms > 1 else 0),
    )
    change(
        day,
        row.member,
        plan=plan_name,
        first_term=first_term,
        length_terms=length,
        rate_cents=rate,
        next_plan=None,
        next_length=1,
        spans=spans,
        dependants=shares,
    )


def roll_over_dependants(day: Day, row: ContractRow, plan_name: str) -> ContractRow:
    """Begin and end dependants' covers at this boundary; `plan_name`: the plan of the next term. Return the row."""
    plan = PLANS.get(day.draft, plan_name)
    shares = covers.next_shares(day, row.dependants, plan.premium_cents)
    waiting = plans.figures_on(plan, day.height + 1).waiting_terms
    for share in shares:
        if share.last_term == day.term and share.first_term <= day.term:
            day.emit("cover_ended", cover=share.cover)
        if share.first_term == day.term + 1:
            covers.begin(day, share, waiting)
    added = covers.rate_of(shares, day.term + 1) - covers.rate_of(row.dependants, day.term)
    day.count(rates_cents=added, long_rates_cents=added if row.length_terms > 1 else 0)
    return change(day, row.member, dependants=shares, rate_cents=row.rate_cents + added)


def _spans_after_change(
    spans: tuple[CoverSpan, ...], plan: str, first_day: int, figures_from: int
) -> tuple[CoverSpan, ...]:
    """Return the spans with `plan` from `figures_from` on; until then the earlier figures apply."""
    kept = [span for span in spans if span.first_day < first_day]
    last = kept.pop()
    held = [CoverSpan(first_day, figures_from - 1, last.plan, plan)] if figures_from > first_day else []
    return (*kept, _closed(last, first_day - 1), *held, CoverSpan(figures_from, None, plan, plan))


def check_plan_change(day: Day, act: Act, body: PlanChangeBody) -> None:
    """Raise RuleBroken unless the author may name this next contract now."""
    member = members.check_member(day.draft, act.author)
    if member.leave_term is not None:
        what = f"notice was given; membership ends at block {calendar.last_height_of(member.leave_term)}"
        raise RuleBroken("notice_given", what, "after that, you can apply to return")
    plans.check_plan(day.draft, body.plan)
    row = CONTRACTS.find(day.draft, act.author)
    if row is None or not (row.is_in_force or is_deferred(row)):
        raise RuleBroken("no_contract", "the author has no contract in force", "apply for membership")
    check_guarantee(day, body.contract_terms)


def check_guarantee(day: Day, terms: int) -> None:
    """Raise RuleBroken for a length not offered, or over one term while guarantees are used up (rules §3)."""
    check_length(terms)
    counts = day.counts
    if terms > 1 and counts.long_rates_cents * 10_000 > counts.rates_cents * day.params.guaranteed_max_bp:
        raise RuleBroken(
            "guarantee_full",
            f"contracts over one term hold {counts.long_rates_cents} of {counts.rates_cents} in rates, more than"
            f" {day.params.guaranteed_max_bp} of 10000",
            "choose one term, or ask again when other guarantees have run out",
        )


def apply_plan_change(day: Day, act: Act, body: PlanChangeBody) -> None:
    """Name the next contract; a later change replaces an earlier one."""
    change(day, act.author, next_plan=body.plan, next_length=body.contract_terms)


def check_leave(day: Day, act: Act, _body: LeaveBody) -> None:
    """Raise RuleBroken unless the author is a member who has not given notice."""
    row = members.check_member(day.draft, act.author)
    if row.leave_term is not None:
        what = f"notice was given; membership ends at block {calendar.last_height_of(row.leave_term)}"
        raise RuleBroken("notice_given", what, "after that, you can apply to return")


def apply_leave(day: Day, act: Act, _body: LeaveBody) -> None:
    """Give notice: the end is the boundary of the next full term."""
    row = MEMBERS.get(day.draft, act.author)
    MEMBERS.put(day.draft, replace(row, leave_term=day.term + 1), act.author)


def end_term(day: Day) -> None:
    """Count contracts in force, then end or roll over those whose time has come (rules §1, end of term 1)."""
    unpaid_terms = day.params.unpaid_terms
    in_force: dict[str, int] = {}
    for row in contracts_on(day.draft):
        member = MEMBERS.get(day.draft, row.member)
        if is_deferred(row) and member.leave_term is not None and member.leave_term <= day.term:
            end_deferred(day, row)
            day.emit("member_left", member=row.member)
        if not row.is_in_force or row.first_term > day.term:
            continue
        in_force[row.plan] = in_force.get(row.plan, 0) + covers.weight_of(row.dependants, day.term)
        is_leaving = member.leave_term is not None and member.leave_term <= day.term
        if is_leaving or len(row.owed) >= unpaid_terms:
            end_contract(day, row.member)
            if is_leaving:
                day.emit("member_left", member=row.member)
        else:
            rolls = row.last_term <= day.term and member.until is None
            turned = (
                roll_over_dependants(day, row, (row.next_plan if rolls else None) or row.plan)
                if row.dependants
                else row
            )
            if rolls:
                roll_over(day, turned)
    for name, weight_bp in sorted(in_force.items()):
        plans.put_contract_weight(day.draft, name, day.term, weight_bp)


def status_of(day: Day, member: MemberRow) -> MemberStatus:
    """Return how a membership stands."""
    row = CONTRACTS.find(day.draft, member.key)
    if not member.is_member:
        return "ended"
    if row is not None and row.suspended_from is not None:
        return "suspended"
    if member.until is not None:
        return "not_renewed"
    if member.leave_term is not None:
        return "leaving"
    is_covered = (
        row is not None and row.is_in_force and day.height >= row.waiting_first_day and not is_waiting(row, day.height)
    )
    return "covered" if is_covered else "waiting"


# ---- Invariants ---------------------------------------------------------
def broken_invariants(draft: Draft, rates_cents: int) -> Iterator[str]:
    """Yield a sentence when the sum of rates drifted or a past member is covered."""
    total = sum(row.rate_cents for row in CONTRACTS.scan(draft) if row.is_in_force or is_deferred(row))
    if total != rates_cents:
        yield f"contracts have rates of {total}, the counter says {rates_cents}"
    present = [row.key for row in MEMBERS.scan(draft) if row.is_member]
    if present != [name.value for name in CONTRACTS_ON.scan(draft)]:
        yield "the list of present contracts names others than the members"
    for row in CONTRACTS.scan(draft):
        if not row.is_in_force and any(span.last_day is None for span in row.spans):
            yield f"{row.member.hex()} has open cover without a contract"
        if not row.is_in_force and any(share.last_term is None for share in row.dependants):
            yield f"a dependant of {row.member.hex()} has open cover without a contract"
        yield from covers.broken_invariants(draft, row.member, row.dependants)
