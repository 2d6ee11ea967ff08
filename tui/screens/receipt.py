"""Step 4, the receipt: what became of a ballot, as a list of steps that are done or still to come.

And the list of all receipts.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any, ClassVar, cast

from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.content import Content
from textual.widget import Widget
from textual.widgets import OptionList, Static

from node.api.errors import ApiError
from node.api.schema import Receipt, convert
from tui.feed import Api
from tui.memory import KeptReceipt
from tui.model import Claim
from tui.screens.base import LiveScreen
from tui.text import clean, counted, refusal, short
from tui.widgets.rows import RowList
from tui.widgets.words import stacked, status_sign, title


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
        yield Static(
            Content.assemble(("Receipt  ", "$foreground-muted"), ("What became of your ballot", "bold")),
            classes="step",
            markup=False,
        )
        with VerticalScroll(classes="card", can_focus=True):
            yield Static("", id="receipt", markup=False)

    def on_tick(self) -> None:
        """A refusal comes without a block: look again until the ballot is final."""
        if self._kept.state == "pending":
            self.reload()

    async def load(self, client: Api) -> None:
        """Fetch the record's state; once final, whether the tally holds it."""
        try:
            receipt = convert(Receipt, await client.record(self._kept.record_id))
        except ApiError as error:
            if error.code != "not_found":
                raise
            receipt = Receipt(record_id=self._kept.record_id, state="unknown")
        if receipt.state in ("final", "refused", "pending"):
            height = receipt.height if receipt.state == "final" else None
            self._kept = replace(self._kept, state=receipt.state, final_height=height)
            self.mutua.memory.note(self._kept.record_id, receipt.state, height)
        if receipt.state == "final":
            case = Claim.of(await client.view("claim", id=self._kept.claim)).case_of(self._kept.code)
            ballot = case.ballot_of(self.mutua.member) if case else None
            self._counted = ballot is not None and ballot.height == receipt.height
        self.query_one("#receipt", Static).update(self._words(receipt))

    def _words(self, receipt: Receipt) -> Content:
        kept = self._kept
        lines: list[Content | str] = [
            Content.assemble(
                "You chose ",
                (clean(kept.choice, 10), "bold $accent"),
                f" on {clean(kept.code, 20)} of claim {short(kept.claim)}.",
            ),
            "",
            _stage(True, f"signed and stored on your node at block {kept.sent_height}"),
        ]
        match receipt.state:
            case "final":
                size, place = receipt.tree_size, (receipt.index or 0) + 1
                lines += [
                    _stage(True, "spread to the members"),
                    _stage(
                        True,
                        f"final in block {receipt.height}: record {place} of {size}, proof of"
                        f" {counted(len(receipt.proof), 'step')}",
                    ),
                    _stage(
                        bool(self._counted),
                        (
                            "counted: the tally holds it"
                            if self._counted
                            else "a newer ballot of yours stands in its place"
                        ),
                    ),
                ]
            case "refused":
                given: Any = receipt.reason
                reason = cast("dict[str, Any]", given) if isinstance(given, dict) else {}
                words = refusal(
                    reason.get("what", "the rules refuse it"),
                    reason.get("hint", "look at the case"),
                    reason.get("rule", ""),
                )
                lines.append(Content.styled(f"✗ refused: {words}", "bold $error"))
            case "unknown":
                lines.append(
                    Content.styled(
                        "– this node knows no such record now; it may have run out before a block carried it",
                        "$warning",
                    )
                )
            case _:
                lines += [
                    _stage(None, "pending: on its way into a block"),
                    _stage(None, "final"),
                    _stage(None, "counted"),
                ]
        lines += [
            "",
            title("Keep this id"),
            Content.styled(clean(kept.record_id, 70), "bold"),
            "",
            "Check it whenever you like, from your own ledger:",
            Content.styled(f"  mutua vote verify {clean(kept.record_id, 70)}", "$accent"),
            Content.styled("This id is remembered under My ballots.", "$foreground-muted"),
        ]
        return stacked(lines)

    def action_copy(self) -> None:
        """Copy the id."""
        self.mutua.copy_text(self._kept.record_id, "record id")


def _stage(is_done: bool | None, text: str) -> Content:
    """Return a step that is done (True), did not happen (False), or is still to come (None)."""
    sign, style = (
        ("✓", "$success") if is_done else ("–", "$warning") if is_done is False else ("○", "$foreground-muted")
    )
    return Content.assemble((f"{sign} ", style), (text, "" if is_done is not None else "$foreground-muted"))


class BallotsScreen(LiveScreen):
    """My ballots: every receipt remembered here."""

    PLACE = "ballots"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("y", "copy", "Copy record id", id="ballots.copy"),
    ]

    def body(self) -> Iterable[Widget]:
        """A list."""
        yield Static(title("Ballots sent from here, newest first"), classes="section")
        yield RowList(id="receipts", empty="No ballot was sent from here yet. Receipts are kept in this list.")

    async def load(self, client: Api) -> None:
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

    def action_copy(self) -> None:
        """Copy the id under the cursor."""
        chosen = self.query_one("#receipts", RowList).chosen
        if chosen:
            self.mutua.copy_text(chosen, "record id")


def _receipt_row(item: KeptReceipt) -> Content:
    sign, style = status_sign(item.state)
    where = f"final in block {item.final_height}" if item.state == "final" else clean(item.state, 10)
    return Content.assemble(
        (f"{sign} ", style),
        (f"{clean(item.choice, 8):<8}", "bold"),
        f" {clean(item.code, 10):<10}",
        (f" claim {short(item.claim)}  ", "$foreground-muted"),
        f"{where:<20}",
        (f" record {short(item.record_id)}", "$foreground-muted"),
    )
