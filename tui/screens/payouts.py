"""Payouts: what the ledger pays, and how far each payment is on its way through bitcoin."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.content import Content
from textual.widget import Widget
from textual.widgets import OptionList

from node.api.client import AsyncClient
from node.api.text import Units, brief, clean, counted
from node.api.views.money import BATCHES, PAYOUTS, Batch, Payout
from tui.model import batches_by_id, part_words, payout_words
from tui.screens.base import LiveScreen
from tui.widgets.rows import RowList
from tui.widgets.words import MUTED, headline, labelled, muted, plain, stacked, title

SIGNS = {
    "due": ("○", "$accent"),
    "queued": ("◐", "$accent"),
    "batched": ("◐", "$accent"),
    "confirmed": ("✓", "$success"),
}


class PayoutsScreen(LiveScreen):
    """Payouts, mine or all."""

    PLACE = "payouts"
    COPIED = ("payouts", "payout id")
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("a", "toggle_all", "Mine/all", id="payouts.all", tooltip="Show my payouts, or those of everybody"),
        Binding("y", "copy", "Copy payout id", id="payouts.copy"),
    ]

    def __init__(self) -> None:
        super().__init__()
        self._is_all = False
        self._payouts: dict[str, Payout] = {}
        self._batches: dict[str, Batch] = {}

    def body(self) -> Iterable[Widget]:
        """A sum, a list, and the details of the one under the cursor."""
        yield plain(name="headline")
        heads = f"  {'due at':>8}  {'claim':<10} {'part':<15}{'amount':>17}  state"
        yield plain(muted(heads), classes="columns")
        yield RowList(id="payouts", empty="Nothing was paid yet.")
        with VerticalScroll(id="payout-pane", can_focus=True):
            yield plain(name="payout")

    async def load(self, client: AsyncClient) -> None:
        """Fetch payouts and batches."""
        answer, batches = await asyncio.gather(client.view(PAYOUTS), client.view(BATCHES))
        status = self.mutua.status
        own = {status.member, status.cover, *status.dependants} if status else set[str | None]()
        everything = sorted(answer, key=lambda item: (-item.height, item.payout_id))
        shown = (
            everything
            if self._is_all or not (status and status.member)
            else [item for item in everything if item.payee in own]
        )
        self._payouts = {item.payout_id: item for item in shown}
        self._batches = batches_by_id(batches)
        paid = sum(item.amount_cents for item in shown if item.status == "confirmed")
        total = sum(item.amount_cents for item in shown)
        whose = "All payouts" if self._is_all else "Your payouts"
        sums = f"{counted(len(shown), 'payment')}, {self.units.money(total)}, of it mined {self.units.money(paid)}"
        self.put("headline", headline(whose, f" – {sums}"))
        rows = self.query_one("#payouts", RowList)
        rows.set_rows([(item.payout_id, _row(item, self._batches, self.units)) for item in shown])
        self._show_detail()

    def _show_detail(self) -> None:
        payout = self._payouts.get(self.query_one("#payouts", RowList).chosen or "")
        self.put("payout", "" if payout is None else _detail(payout, self._batches, self.units))

    def on_option_list_option_highlighted(self, event: OptionList.OptionHighlighted) -> None:
        """Show the payout under the cursor."""
        event.stop()
        self._show_detail()

    def action_toggle_all(self) -> None:
        """Mine, or everybody's."""
        self._is_all = not self._is_all
        self.reload()


def _row(payout: Payout, batches: dict[str, Batch], units: Units) -> Content:
    sign, style = SIGNS.get(payout.status, ("·", MUTED))
    return Content.assemble(
        (f"{sign} ", style),
        f"{payout.height:>8}  ",
        f"{brief(payout.claim):<10} ",
        (f"{part_words(payout):<15}", "bold"),
        f"{units.money(payout.amount_cents):>17}  ",
        (payout_words(payout, batches), style),
    )


def _detail(payout: Payout, batches: dict[str, Batch], units: Units) -> Content:
    lines: list[Content | str] = [
        title(f"{units.money(payout.amount_cents)} for {part_words(payout)}"),
        labelled("claim", clean(payout.claim, 70)),
        labelled(
            "in satoshi",
            f"{payout.amount_sat:,} = sent {payout.sent_sat:,} + waiting {payout.left_sat:,} + carried"
            f" forward {payout.credit_sat:,}",
        ),
        labelled(
            "sent as",
            (
                f"{counted(payout.outputs, 'output')} in standard denominations, to fresh addresses"
                if payout.outputs
                else "not sent yet"
            ),
        ),
    ]
    for txid in payout.batches:
        batch = batches.get(txid)
        lines.append(labelled("transaction", clean(txid, 70)))
        if batch is not None:
            mined = (
                f"bitcoin block {batch.block_height}, {counted(batch.confirmations, 'confirmation')}"
                if batch.confirmations
                else "not mined yet"
            )
            lines.append(labelled("", f"signed in block {batch.height}; {mined}"))
    return stacked(lines)
