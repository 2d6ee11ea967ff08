"""A claim as tables, from the claim view of the ledger: its lines, its cases, its payouts.

In words it is told by `governance.receipts.words`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from node.cli.common import Money, percent, short, table

Json = Mapping[str, Any]


def claim_lines(claim: Json, money: Money) -> Iterator[str]:
    """Yield a claim as tables: its lines with every figure, its cases with the tally, its payouts."""
    yield f"claim    {claim['claim']}"
    yield f"status   {claim['status']}, filed in block {claim['height']}, payee {claim['payee']}"
    yield f"provider {claim['provider_id']}"
    yield f"charged  {money.show(claim['charge_cents'])}; benefit {money.show(claim['benefit_cents'])}"
    for item in claim.get("evidence", ()):
        yield f"evidence {item['hash']}  {item['size_bytes']} bytes  {item['media']}"
    yield ""
    yield from table(
        (
            "line",
            "code",
            "units",
            "day",
            "status",
            "charge",
            "allowed",
            "deductible",
            "copay",
            "coinsurance",
            "relief",
            "cut",
            "benefit",
        ),
        [
            (
                line["line"],
                line["code"],
                line["units"],
                line["first_day"],
                line["status"] if line.get("refusal") is None else f"refused ({line['refusal']})",
                *(
                    _bare(money, line[name])
                    for name in (
                        "charge_cents",
                        "allowed_cents",
                        "deductible_cents",
                        "copay_cents",
                        "coinsurance_cents",
                        "relief_cents",
                        "cut_cents",
                        "benefit_cents",
                    )
                ),
            )
            for line in claim["lines"]
        ],
    )
    if claim["cases"]:
        yield ""
        yield from case_table(claim["cases"], money)
    payouts: Sequence[Json] = claim.get("payouts", ())
    if payouts:
        yield ""
        yield from payout_table(payouts, money)


def case_table(cases: Sequence[Json], money: Money, *, height: int | None = None) -> list[str]:
    """Return cases with their tally. `height`: how many blocks are left is told from there."""
    return table(
        ("claim", "code", "charges", "status", "yes", "no", "quorum", "bar", "streak", "closes"),
        [
            (
                short(case["claim"]),
                case["code"],
                money.show(case["charges_cents"]),
                case["status"],
                case["yes"],
                case["no"],
                f"{int(case['yes']) + int(case['no'])} of {case['quorum']}",
                percent(case["bar_bp"]),
                f"{case['streak']} of {case['streak_needed']}",
                f"block {case['closes_at']}"
                + ("" if height is None else f", {max(0, int(case['closes_at']) - height)} left"),
            )
            for case in cases
        ],
    )


def payout_table(payouts: Sequence[Json], money: Money) -> list[str]:
    """Return payouts: what was owed, what was sent, what waits and what is kept as credit."""
    return table(
        ("payout", "claim", "case", "block", "amount", "satoshi", "sent", "waiting", "credit", "outputs", "status"),
        [
            (
                short(item["payout_id"]),
                short(item["claim"]),
                item["case"] or "–",
                item["height"],
                money.show(item["amount_cents"]),
                item["amount_sat"],
                item["sent_sat"],
                item["left_sat"],
                item["credit_sat"],
                item["outputs"],
                item["status"],
            )
            for item in payouts
        ],
    )


def _bare(money: Money, amount: int | None) -> str:
    return money.show(amount).removesuffix(f" {money.currency}")
