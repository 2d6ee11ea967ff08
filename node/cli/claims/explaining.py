"""A claim as tables: its lines, its cases, its payouts. `governance.receipts.words` tells it in words."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from node.api.text import Units, percent, short
from node.api.views.claims import CaseBase, Claim
from node.api.views.money import Payout
from node.cli.common import table

FIGURES = ("charge", "allowed", "deductible", "copay", "coinsurance", "relief", "cut", "benefit")


def claim_lines(claim: Claim, units: Units) -> Iterator[str]:
    """Yield a claim as tables: its lines with every figure, its cases with the tally, its payouts."""
    yield f"claim    {claim.claim}"
    yield f"status   {claim.status}, filed in block {claim.height}, payee {claim.payee}"
    yield f"provider {claim.provider_id}"
    yield f"charged  {units.money(claim.charge_cents)}; benefit {units.money(claim.benefit_cents)}"
    for item in claim.evidence:
        yield f"evidence {item.hash}  {item.size_bytes} bytes  {item.media}"
    yield ""
    rows = [
        (
            line.line,
            line.code,
            line.units,
            line.first_day,
            line.status if line.refusal is None else f"refused ({line.refusal})",
            *(units.figure(getattr(line, f"{name}_cents")) for name in FIGURES),
        )
        for line in claim.lines
    ]
    yield from table(("line", "code", "units", "day", "status", *FIGURES), rows)
    if claim.cases:
        yield ""
        yield from case_table(claim.cases, units)
    if claim.payouts:
        yield ""
        yield from payout_table(claim.payouts, units)


def case_table(cases: Sequence[CaseBase], units: Units, *, height: int | None = None) -> list[str]:
    """Return cases with their tally. `height`: how many blocks are left is told from there."""
    return table(
        ("claim", "code", "charges", "status", "yes", "no", "quorum", "threshold", "streak", "closes"),
        [
            (
                short(case.claim),
                case.code,
                units.money(case.charges_cents),
                case.status,
                case.yes,
                case.no,
                f"{case.cast} of {case.quorum}",
                percent(case.bar_bp),
                f"{case.streak} of {case.streak_needed}",
                f"block {case.closes_at}" + ("" if height is None else f", {max(0, case.closes_at - height)} left"),
            )
            for case in cases
        ],
    )


def payout_table(payouts: Sequence[Payout], units: Units) -> list[str]:
    """Return payouts: what was owed, what was sent, what waits and what is carried forward."""
    return table(
        ("payout", "claim", "case", "block", "amount", "satoshi", "sent", "waiting", "carried", "outputs", "status"),
        [
            (
                short(item.payout_id),
                short(item.claim),
                item.case or "–",
                item.height,
                units.money(item.amount_cents),
                item.amount_sat,
                item.sent_sat,
                item.left_sat,
                item.credit_sat,
                item.outputs,
                item.status,
            )
            for item in payouts
        ],
    )
