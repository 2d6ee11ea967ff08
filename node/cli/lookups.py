"""`mutua plan | code | payout | block`: what the ledger says, as tables or JSON."""

from __future__ import annotations

from collections.abc import Iterator

from cyclopts import App

from node.api.text import Units, clock, percent, short
from node.api.views.chain import Block
from node.api.views.coop import CODES, PLANS, Code, Plan
from node.api.views.money import PAYOUTS
from node.cli.common import DEFAULT, Common, Row, Whole, plan_named, say, table
from node.cli.members.plan_change import change

plan = App(name="plan", help="Look up plans, and name your next contract.")
plan.command(change)
code = App(name="code", help="Look up the list of codes.")
payout = App(name="payout", help="Look up payouts.")
block = App(name="block", help="Look up blocks.")


@plan.command(name="list")
def plan_list(*, common: Common = DEFAULT) -> int:
    """List the plans."""
    session = common.session()
    plans, money = session.view(PLANS), session.units.money
    heads = ("plan", "premium a term", "deductible", "copay", "coinsurance", "yearly maximum")

    def row(item: Plan) -> Row:
        amounts = item.premium_cents, item.deductible_cents, item.copay_cents, item.oop_max_cents
        premium, deductible, copay, most = map(money, amounts)
        return item.name, premium, deductible, copay, percent(item.coinsurance_bp), most

    return say(common, plans, lambda: table(heads, map(row, plans)))


@plan.command(name="show")
def plan_show(name: str, *, common: Common = DEFAULT) -> int:
    """Show a plan with all its figures.

    :param name: The plan's name.
    """
    session = common.session()
    found = plan_named(session.view(PLANS), name)
    return say(common, found, lambda: _plan_lines(found, session.units))


def _plan_lines(item: Plan, units: Units) -> Iterator[str]:
    money = units.money
    yield f"plan            {item.name}"
    yield f"premium         {money(item.premium_cents)} a term"
    yield f"deductible      {money(item.deductible_cents)} a benefit year"
    yield f"copay           {money(item.copay_cents)} a claim"
    yield f"coinsurance     {percent(item.coinsurance_bp)}"
    yield f"yearly maximum  {money(item.oop_max_cents)} borne by the member"
    yield f"ceilings        {money(item.claim_ceiling_cents)} a claim, {money(item.year_ceiling_cents)} a year"
    yield f"waiting         {item.waiting_terms} terms of a first contract"
    yield f"codes           {', '.join(item.codes) or 'every code'}"


@code.command(name="list")
def code_list(*, common: Common = DEFAULT) -> int:
    """List the codes that the co-op has listed; every other code is voted on."""
    session = common.session()
    codes = session.view(CODES)
    heads = ("code", "standard", "allowed", "units a year", "from day", "system")

    def row(item: Code) -> Row:
        standard, allowed = "yes" if item.is_standard else "by vote", session.units.money(item.allowed_cents)
        return item.code, standard, allowed, item.frequency, session.units.day(item.from_day), item.system

    return say(common, codes, lambda: table(heads, map(row, codes)))


@payout.command(name="list")
def payout_list(*, claim: str = "", common: Common = DEFAULT) -> int:
    """List the payouts, oldest first.

    :param claim: Only those of this claim (first digits are enough).
    """
    from node.cli.claims.explaining import payout_table

    session = common.session()
    payouts = [item for item in session.view(PAYOUTS) if item.claim.startswith(claim.lower())]
    return say(common, payouts, lambda: payout_table(payouts, session.units))


@block.command(name="list")
def block_list(*, count: Whole = 20, start: Whole | None = None, common: Common = DEFAULT) -> int:
    """List blocks, the newest by default.

    :param count: How many, at most 200.
    :param start: The first height.
    """
    blocks = common.client().blocks(start, count)
    heads = ("block", "term", "time", "records", "proposer", "hash")
    rows = [
        (item.height, item.term, clock(item.time_ms), item.records, item.proposer, short(item.hash)) for item in blocks
    ]
    return say(common, blocks, lambda: table(heads, rows))


@block.command(name="show")
def block_show(height: Whole, *, common: Common = DEFAULT) -> int:
    """Show a block with its records and events.

    :param height: The block's height.
    """
    answer = common.client().block(height)
    return say(common, answer, lambda: _block_lines(answer))


def _block_lines(item: Block) -> Iterator[str]:
    yield f"block     {item.height}, {clock(item.time_ms)}"
    yield f"hash      {item.hash}"
    yield f"state     {item.state_root}"
    yield f"final     {'with its certificate' if item.has_certificate else 'genesis'}"
    for record in item.records:
        yield f"record    {record.id}  {record.kind}  by {short(record.author)}"
    for event in item.events:
        fields = " ".join(f"{name}={value}" for name, value in event.items() if name not in ("event", "height"))
        yield f"event     {event.get('event')}  {fields}"
