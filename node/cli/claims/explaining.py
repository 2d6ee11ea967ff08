"""A claim as tables: its lines, its cases, its payouts. `governance.receipts.words` tells it in words."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from node.api.text import Units, percent, short
from node.api.views.claims import CaseBase, Claim, Line
from node.api.views.money import Payout
from node.cli.common import Row, table

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

    def row(line: Line) -> Row:
        status = line.status if line.refusal is None else f"refused ({line.refusal})"
        amounts = [units.figure(getattr(line, f"{name}_cents")) for name in FIGURES]
        return line.line + 1, line.code, line.units, units.days(line.first_day, line.last_day), status, *amounts

    yield from table(("line", "code", "units", "day", "status", *FIGURES), map(row, claim.lines))
    if claim.cases:
        yield ""
        yield from case_table(claim.cases, units)
    if claim.payouts:
        yield ""
        yield from payout_table(claim.payouts, units)


def case_table(cases: Sequence[CaseBase], units: Units, *, height: int | None = None) -> list[str]:
    """Return cases with their tally. `height`: how many blocks are left is told from there."""
    heads = ("claim", "code", "charges", "status", "yes", "no", "quorum", "threshold", "streak", "closes")

    def row(case: CaseBase) -> Row:
        charges, bar = units.money(case.charges_cents), percent(case.bar_bp)
        quorum, streak = f"{case.cast} of {case.quorum}", f"{case.streak} of {case.streak_needed}"
        end = f"block {case.closes_at}" + ("" if height is None else f", {max(0, case.closes_at - height)} left")
        return short(case.claim), case.code, charges, case.status, case.yes, case.no, quorum, bar, streak, end

    return table(heads, map(row, cases))


def payout_table(payouts: Sequence[Payout], units: Units) -> list[str]:
    """Return payouts: what was owed, what was sent, what waits and what is carried forward."""
    heads = ("payout", "claim", "case", "block", "amount", "satoshi", "sent", "waiting", "carried", "outputs", "status")

    def row(item: Payout) -> Row:
        ids, amount = (short(item.payout_id), short(item.claim)), units.money(item.amount_cents)
        satoshi = item.amount_sat, item.sent_sat, item.left_sat, item.credit_sat
        return *ids, item.case or "–", item.height, amount, *satoshi, item.outputs, item.status

    return table(heads, map(row, payouts))
