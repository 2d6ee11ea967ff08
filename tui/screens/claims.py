"""My claims: the list, and beside it everything the ledger knows of the one under the cursor."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.containers import Horizontal, VerticalScroll
from textual.content import Content
from textual.widget import Widget
from textual.widgets import OptionList, Static

from node.api.client import AsyncClient
from node.api.text import Units, brief, clean, percent
from node.api.views.claims import CLAIM, CLAIMS, Case, Claim, ClaimHead, Line
from node.api.views.money import BATCHES, Batch
from tui.model import (
    batches_by_id,
    codes_words,
    figures,
    line_words,
    outcome_words,
    part_words,
    payout_words,
    quorum_words,
    tally_words,
    threshold_words,
    time_left,
    timeline,
)
from tui.screens.base import LiveScreen
from tui.widgets.rows import RowList
from tui.widgets.words import MUTED, labelled, muted, plain, stacked, status_sign, tally_bar, title


def claim_row(claim: ClaimHead, units: Units) -> Content:
    """Return a claim for a list."""
    sign, style = status_sign(claim.status)
    return Content.assemble(
        (f"{sign} ", style),
        (f"{codes_words(claim, 2):<16}", "bold"),
        f"{units.money(claim.charge_cents):>15}  ",
        (f"{clean(claim.status, 10)}", style),
        (f"  block {claim.height}", MUTED),
    )


class ClaimsScreen(LiveScreen):
    """My claims."""

    PLACE = "claims"
    COPIED = ("my-claims", "claim id")
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("y", "copy", "Copy claim id", id="claims.copy", tooltip="Put the claim's id on the clipboard"),
        Binding("tab", "app.focus_next", "List/details", id="claims.pane", show=True),
    ]

    def __init__(self) -> None:
        super().__init__()
        self._wanted: str | None = None

    def body(self) -> Iterable[Widget]:
        """A list left, the details right."""
        with Horizontal(id="panes"):
            yield RowList(id="my-claims", empty="You have filed no claim. File one: mutua claim submit")
            with VerticalScroll(id="detail", can_focus=True):
                yield plain(name="claim")

    def want(self, claim: str) -> None:
        """Put the cursor on a claim as soon as it is listed."""
        self._wanted = claim
        self.reload()

    async def load(self, client: AsyncClient) -> None:
        """Fetch the list and the claim under the cursor."""
        status = self.mutua.status
        rows = self.query_one("#my-claims", RowList)
        if status is None or status.member is None:
            rows.set_rows([], "This node only follows the ledger; it does not belong to a member.")
            return
        listed = await client.view(CLAIMS, member=status.member)
        rows.set_rows([(claim.claim, _short_row(claim, self.units)) for claim in listed])
        if self._wanted is not None and any(claim.claim == self._wanted for claim in listed):
            rows.highlighted = rows.get_option_index(self._wanted)
            self._wanted = None
        await self._load_claim(client, rows.chosen)

    async def _load_claim(self, client: AsyncClient, claim_id: str | None) -> None:
        shown = self.query_one("#claim", Static)
        if claim_id is None:
            shown.update("")
            return
        claim, batches, _ = await asyncio.gather(
            client.view(CLAIM, id=claim_id), client.view(BATCHES), self.mutua.load_names(client)
        )
        if claim_id == self.query_one("#my-claims", RowList).chosen:
            provider = self.mutua.provider_name(claim.provider_id)
            shown.update(claim_detail(claim, batches_by_id(batches), self.height, self.units, provider))

    def on_option_list_option_highlighted(self, event: OptionList.OptionHighlighted) -> None:
        """Show the claim under the cursor."""
        event.stop()
        self.reload()

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        """Enter goes to the details."""
        event.stop()
        self.query_one("#detail").focus()


def _short_row(claim: ClaimHead, units: Units) -> Content:
    sign, style = status_sign(claim.status)
    first = Content.assemble(
        (f"{sign} ", style), (f"{codes_words(claim, 1)[:13]:<13}", "bold"), f"{units.figure(claim.charge_cents):>11}"
    )
    return stacked([first, muted(f"  {clean(claim.status, 10)}, block {claim.height}")])


def claim_detail(claim: Claim, batches: dict[str, Batch], height: int, units: Units, provider: str) -> Content:
    """Return everything about a claim: head, timeline, every figure of each line, tally of each case, payouts."""
    sign, style = status_sign(claim.status)
    lines: list[Content | str] = [
        Content.assemble(
            (f"{sign} {clean(claim.status, 12)}", f"bold {style}"),
            f"  benefit so far {units.money(claim.benefit_cents)}",
        ),
        labelled("claim", brief(claim.claim)),
        labelled("provider", provider),
        labelled("paid to", clean(claim.payee, 12)),
        labelled("documents", f"{len(claim.evidence)}, version {claim.evidence_version}"),
        "",
        title("Timeline"),
    ]
    for moment in timeline(claim, batches, height, units):
        look = "" if moment.is_done else MUTED
        lines.append(
            Content.assemble(
                (f"{'✓' if moment.is_done else '○'} {moment.height:>6}  ", "$success" if moment.is_done else look),
                (moment.text, look),
            )
        )
    for line in claim.lines:
        lines += ["", *_line_detail(line, units)]
    for case in claim.cases:
        lines += ["", *_case_detail(case, height, units)]
    if claim.payouts:
        lines += ["", title("Payouts")]
    for payout in claim.payouts:
        lines.append(
            labelled(part_words(payout)[:LABEL_MAX], f"{units.money(payout.amount_cents)} = {payout.amount_sat:,} sat")
        )
        lines.append(
            Content.styled(
                f"  {payout_words(payout, batches)}; sent {payout.sent_sat:,}, waiting {payout.left_sat:,}, carried"
                f" forward {payout.credit_sat:,} sat",
                MUTED,
            )
        )
    return stacked(lines)


LABEL_MAX = 13


def _line_detail(line: Line, units: Units) -> list[Content | str]:
    kind = "standard" if line.is_standard else "voted on"
    head = Content.assemble(title(f"Line {clean(line.code, 12)}"), (f"  {kind}, {line_words(line)}", MUTED))
    where = f"{units.days(line.first_day, line.last_day)}, {line.units_paid} of {line.units} units paid" + (
        f", plan {clean(line.plan, 20)}" if line.plan else ""
    )
    rows: list[Content | str] = [head, muted(f"  {where}")]
    for place, (sign, label, amount) in enumerate(figures(line, units)):
        is_sum = place == len(figures(line, units)) - 1
        rows.append(Content.assemble((f"  {sign} {label:<29}{amount:>12}", "bold" if is_sum else "")))
    return rows


def _case_detail(case: Case, height: int, units: Units) -> list[Content | str]:
    rows: list[Content | str] = [
        Content.assemble(title(f"Vote on {clean(case.code, 12)}"), (f"  {outcome_words(case, units)}", MUTED)),
        Content.assemble("  ", tally_bar(case)),
        f"  {tally_words(case)}",
        f"  {quorum_words(case)}",
        f"  {threshold_words(case)}",
    ]
    if case.seniority_bp:
        rows.append(f"  your seniority lowers the threshold by {percent(case.seniority_bp)}; voters do not see it")
    if case.is_open:
        rows.append(
            f"  threshold reached for {case.streak} of {case.streak_needed} blocks in a row;"
            f" {time_left(case, height, units)}"
        )
    reasons = sorted({clean(ballot.reason, 120) for ballot in case.ballots if ballot.reason})
    rows += [muted(f"  “{reason}”") for reason in reasons[:5]]
    return rows
