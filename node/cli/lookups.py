"""`mutua plan | code | payout | block`: what the ledger says, as tables or JSON."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping
from typing import Any

from cyclopts import App

from ledger.errors import MutuaError
from node.cli.common import DEFAULT, Common, Money, percent, say, short, table
from node.cli.members.plan_change import change

plan = App(name="plan", help="Look up plans, and name your next contract.")
plan.command(change)
code = App(name="code", help="Look up the list of codes.")
payout = App(name="payout", help="Look up payouts.")
block = App(name="block", help="Look up blocks.")

Json = Mapping[str, Any]


@plan.command(name="list")
def plan_list(*, common: Common = DEFAULT) -> int:
    """List the plans."""
    client = common.client()
    plans = client.view("plans")
    money = Money.of(client.status())
    return say(
        common,
        plans,
        lambda: table(
            ("plan", "premium a term", "deductible", "copay", "coinsurance", "yearly maximum"),
            [
                (
                    item["name"],
                    money.show(item["premium_cents"]),
                    money.show(item["deductible_cents"]),
                    money.show(item["copay_cents"]),
                    percent(item["coinsurance_bp"]),
                    money.show(item["oop_max_cents"]),
                )
                for item in plans
            ],
        ),
    )


@plan.command(name="show")
def plan_show(name: str, *, common: Common = DEFAULT) -> int:  # noqa: D417
    """Show a plan with all its figures.

    Parameters
    ----------
    name
        The plan's name.

    """
    client = common.client()
    plans = client.view("plans")
    found = next((item for item in plans if item["name"] == name), None)
    if found is None:
        raise MutuaError(
            "not_found", f"there is no plan {name!r}", f"plans: {', '.join(str(item['name']) for item in plans)}"
        )
    return say(common, found, lambda: _plan_lines(found, Money.of(client.status())))


def _plan_lines(item: Json, money: Money) -> Iterator[str]:
    yield f"plan            {item['name']}"
    yield f"premium         {money.show(item['premium_cents'])} a term"
    yield f"deductible      {money.show(item['deductible_cents'])} a benefit year"
    yield f"copay           {money.show(item['copay_cents'])} a claim"
    yield f"coinsurance     {percent(item['coinsurance_bp'])}"
    yield f"yearly maximum  {money.show(item['oop_max_cents'])} borne by the member"
    yield (
        f"ceilings        {money.show(item['claim_ceiling_cents'])} a claim, {money.show(item['year_ceiling_cents'])} a"
        " year"
    )
    yield f"waiting         {item['waiting_terms']} terms of a first contract"
    yield f"codes           {', '.join(item['codes']) or 'every code'}"


@code.command(name="list")
def code_list(*, common: Common = DEFAULT) -> int:
    """List the codes that the co-op has listed; every other code is voted on."""
    client = common.client()
    codes = client.view("codes")
    money = Money.of(client.status())
    return say(
        common,
        codes,
        lambda: table(
            ("code", "standard", "allowed", "units a year", "from day", "system"),
            [
                (
                    item["code"],
                    "yes" if item["is_standard"] else "by vote",
                    money.show(item["allowed_cents"]),
                    item["frequency"],
                    item["from_day"],
                    item["system"],
                )
                for item in codes
            ],
        ),
    )


@payout.command(name="list")
def payout_list(*, claim: str = "", common: Common = DEFAULT) -> int:  # noqa: D417
    """List the payouts, oldest first.

    Parameters
    ----------
    claim
        Only those of this claim (first digits are enough).

    """
    from node.cli.claims.explaining import payout_table

    client = common.client()
    payouts = [item for item in client.view("payouts") if str(item["claim"]).startswith(claim.lower())]
    return say(common, payouts, lambda: payout_table(payouts, Money.of(client.status())))


@block.command(name="list")
def block_list(*, count: int = 20, start: int | None = None, common: Common = DEFAULT) -> int:  # noqa: D417
    """List blocks, the newest by default.

    Parameters
    ----------
    count
        How many, at most 200.
    start
        The first height.

    """
    blocks = common.client().blocks(start, count)
    return say(
        common,
        blocks,
        lambda: table(
            ("block", "term", "time", "records", "proposer", "hash"),
            [
                (
                    item["height"],
                    item.get("term"),
                    _time(item.get("time_ms")),
                    item["records"],
                    item.get("proposer"),
                    short(item["hash"]),
                )
                for item in blocks
            ],
        ),
    )


@block.command(name="show")
def block_show(height: int, *, common: Common = DEFAULT) -> int:  # noqa: D417
    """Show a block with its records and events.

    Parameters
    ----------
    height
        The block's height.

    """
    answer = common.client().block(height)
    return say(common, answer, lambda: _block_lines(answer))


def _block_lines(item: Json) -> Iterator[str]:
    yield f"block     {item['height']}, {_time(item.get('time_ms'))}"
    yield f"hash      {item['hash']}"
    yield f"state     {item['state_root']}"
    yield f"final     {'with its certificate' if item.get('has_certificate') else 'genesis'}"
    for record in item["records"]:
        yield f"record    {record['id']}  {record['kind']}  by {short(record['author'])}"
    for event in item["events"]:
        fields = " ".join(f"{name}={value}" for name, value in event.items() if name not in ("event", "height"))
        yield f"event     {event.get('event')}  {fields}"


def _time(time_ms: object) -> str:
    if not isinstance(time_ms, int) or time_ms <= 0:
        return "–"
    return dt.datetime.fromtimestamp(time_ms / 1000, tz=dt.UTC).strftime("%Y-%m-%d %H:%M:%S")
