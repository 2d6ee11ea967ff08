"""Step 4, the receipt: what became of a ballot, step by step. And the list of all receipts."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar

import msgspec
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.widget import Widget
from textual.widgets import OptionList, Static

from node.api.client import AsyncClient
from node.api.errors import ApiError
from node.api.standing import waiting_words
from node.api.text import brief, clean, counted, refusal
from node.api.views.chain import Reason, Receipt
from node.api.views.claims import CLAIM
from tui.memory import KeptReceipt
from tui.screens.base import LiveScreen
from tui.widgets.rows import RowList
from tui.widgets.words import MUTED, card, muted, plain, stacked, status_sign, title


class ReceiptScreen(LiveScreen):
    """The receipt of one ballot."""

    PLACE = "ballots"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "app.leave", "Done", id="receipt.back"),
        Binding("y", "copy", "Copy record id", id="receipt.copy", tooltip="Put the record's id on the clipboard"),
    ]

    def __init__(self, kept: KeptReceipt) -> None:
        super().__init__()
        self._kept = kept
        self._counted: bool | None = None

    def body(self) -> Iterable[Widget]:
        """The steps of a ballot's life."""
        step = Content.assemble(("Receipt  ", MUTED), ("What happened to your ballot", "bold"))
        yield plain(step, classes="step")
        yield card(plain(name="receipt"))

    def on_tick(self) -> None:
        """A refusal comes without a block: look again until the ballot is final."""
        if self._kept.state == "pending":
            self.reload()

    async def load(self, client: AsyncClient) -> None:
        """Fetch the record's state; once final, whether the tally holds it."""
        try:
            receipt = await client.record(self._kept.record_id)
        except ApiError as error:
            if error.code != "not_found":
                raise
            receipt = None
        if receipt is not None:
            height = receipt.height if receipt.state == "final" else None
            self._kept = msgspec.structs.replace(self._kept, state=receipt.state, final_height=height)
            self.mutua.memory.note(self._kept.record_id, receipt.state, height)
        if receipt is not None and receipt.state == "final":
            case = (await client.view(CLAIM, id=self._kept.claim)).case_of(self._kept.code)
            ballot = case.ballot_of(self.mutua.member) if case else None
            self._counted = ballot is not None and ballot.height == receipt.height
        self.put("receipt", self._words(receipt))

    def _words(self, receipt: Receipt | None) -> Content:
        kept = self._kept
        lines: list[Content | str] = [
            Content.assemble(
                "You chose ",
                (clean(kept.choice, 10), "bold $accent"),
                f" on {clean(kept.code, 20)} of claim {brief(kept.claim)}.",
            ),
            "",
            _stage(True, f"signed and stored on your node at block {kept.sent_height}"),
        ]
        lines += self._stages(receipt)
        lines += [
            "",
            title("Keep this id"),
            Content.styled(clean(kept.record_id, 70), "bold"),
            "",
            "Check it whenever you like, from your own ledger:",
            Content.styled(f"  mutua vote verify {clean(kept.record_id, 70)}", "$accent"),
            muted("This id is remembered under My ballots."),
        ]
        return stacked(lines)

    def _stages(self, receipt: Receipt | None) -> list[Content]:
        """Return how far the record is."""
        if receipt is None:
            gone = "this node knows no such record now; it may have expired before a block included it"
            return [Content.styled(f"– {gone}", "$warning")]
        if receipt.state == "refused":
            reason = receipt.reason or Reason(code="refused", what="the rules refuse it", hint="look at the case")
            words = refusal(reason.what, reason.hint, reason.rule)
            return [Content.styled(f"✗ refused: {words}", "bold $error")]
        if receipt.state == "pending":
            status = self.mutua.status
            where = "on its way into a block" if status is None else waiting_words(status)
            return [_stage(None, text) for text in (f"pending: {where}", "final", "counted")]
        place, proof = (receipt.index or 0) + 1, counted(len(receipt.proof or ()), "step")
        tally = "counted: the tally holds it" if self._counted else "you have replaced it with a newer ballot"
        return [
            _stage(True, "spread to the members"),
            _stage(True, f"final in block {receipt.height}: record {place} of {receipt.tree_size}, proof of {proof}"),
            _stage(bool(self._counted), tally),
        ]

    def action_copy(self) -> None:
        """Copy the id."""
        self.mutua.copy_text(self._kept.record_id, "record id")


def _stage(is_done: bool | None, text: str) -> Content:
    """Return a step that is done (True), did not happen (False), or is still to come (None)."""
    sign, style = ("✓", "$success") if is_done else ("–", "$warning") if is_done is False else ("○", MUTED)
    return Content.assemble((f"{sign} ", style), (text, "" if is_done is not None else MUTED))


class BallotsScreen(LiveScreen):
    """My ballots: every receipt remembered here."""

    PLACE = "ballots"
    COPIED = ("receipts", "record id")
    BINDINGS: ClassVar[list[BindingType]] = [Binding("y", "copy", "Copy record id", id="ballots.copy")]

    def body(self) -> Iterable[Widget]:
        """A list."""
        yield Static(title("Ballots sent from here, newest first"), classes="section")
        yield RowList(id="receipts", empty="No ballot was sent from here yet. Receipts are kept in this list.")

    async def load(self, client: AsyncClient) -> None:
        """Show what is remembered; the app keeps the states fresh."""
        await self.mutua.refresh_receipts(client)
        self.query_one("#receipts", RowList).set_rows(
            [(item.record_id, _receipt_row(item)) for item in self.mutua.memory.receipts]
        )

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        """Show the receipt."""
        event.stop()
        kept = next((item for item in self.mutua.memory.receipts if item.record_id == event.option.id), None)
        if kept is not None:
            self.mutua.push_screen(ReceiptScreen(kept))


def _receipt_row(item: KeptReceipt) -> Content:
    sign, style = status_sign(item.state)
    where = f"final in block {item.final_height}" if item.state == "final" else clean(item.state, 10)
    return Content.assemble(
        (f"{sign} ", style),
        (f"{clean(item.choice, 8):<8}", "bold"),
        f" {clean(item.code, 10):<10}",
        (f" claim {brief(item.claim)}  ", MUTED),
        f"{where:<20}",
        (f" record {brief(item.record_id)}", MUTED),
    )
