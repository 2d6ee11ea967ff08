"""Blocks: the newest final ones, older ones by page, and each with its records and what they did."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.content import Content
from textual.widget import Widget
from textual.widgets import OptionList

from node.api.client import AsyncClient
from node.api.text import brief, clean, clock
from node.api.views.chain import Block, BlockHead
from tui.model import event_words
from tui.screens.base import LiveScreen
from tui.widgets.rows import RowList
from tui.widgets.words import MUTED, card, headline, labelled, muted, plain, stacked, title

PAGE = 50


class BlocksScreen(LiveScreen):
    """The list of blocks."""

    PLACE = "blocks"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("o,right_square_bracket", "page(1)", "Older", id="blocks.older"),
        Binding("n,left_square_bracket", "page(-1)", "Newer", id="blocks.newer"),
    ]

    def __init__(self) -> None:
        super().__init__()
        self._page = 0
        """0 follows the tip."""

    def body(self) -> Iterable[Widget]:
        """A list."""
        yield plain(name="headline")
        heads = f"  {'block':>7}  {'time (UTC)':<20} {'term':>4} {'records':>8}  {'proposer':>8}  hash"
        yield plain(muted(heads), classes="columns")
        yield RowList(id="blocks", empty="No block yet.")

    async def load(self, client: AsyncClient) -> None:
        """Fetch the page."""
        newest = self.height - self._page * PAGE
        if newest < 0:
            self._page = 0
            newest = self.height
        start = max(0, newest - PAGE + 1)
        rows = await client.blocks(start=start, count=newest - start + 1)
        where = "the newest, live" if self._page == 0 else f"page {self._page + 1} back"
        self.put("headline", headline(f"Blocks {start} to {newest}", f" – {where}"))
        self.query_one("#blocks", RowList).set_rows([(str(row.height), _row(row)) for row in reversed(rows)])

    def action_page(self, step: int) -> None:
        """Go to older or newer blocks."""
        wanted = max(0, self._page + step)
        if self.height - wanted * PAGE >= 0 and wanted != self._page:
            self._page = wanted
            self.reload()

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        """Show the block."""
        event.stop()
        self.mutua.push_screen(BlockScreen(int(event.option.id or 0)))


class BlockScreen(LiveScreen):
    """One block."""

    PLACE = "blocks"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "app.leave", "Back", id="block.back"),
        Binding("o", "step(-1)", "Older", id="block.older"),
        Binding("n", "step(1)", "Newer", id="block.newer"),
    ]

    def __init__(self, height: int) -> None:
        super().__init__()
        self._block_height = height

    def body(self) -> Iterable[Widget]:
        """Everything about it."""
        yield card(plain(name="block"))

    async def load(self, client: AsyncClient) -> None:
        """Fetch the block."""
        wanted = self._block_height
        block = await client.block(wanted)
        if wanted == self._block_height:
            self.put("block", block_detail(block))

    def action_step(self, step: int) -> None:
        """Go to the neighbour."""
        if 0 <= self._block_height + step <= self.height:
            self._block_height += step
            self.reload()


def _row(row: BlockHead) -> Content:
    records = f"{row.records:>8}" if row.records else f"{'–':>8}"
    return Content.assemble(
        (f"  {row.height:>7}", "bold"),
        f"  {clock(row.time_ms):<20} {row.term:>4} {records}  {row.proposer + 1:>8}  ",
        (brief(row.hash), MUTED),
    )


def block_detail(block: Block) -> Content:
    """Return a block with its records and events."""
    sealed = (
        "✓ certificate of the committee"
        if block.has_certificate
        else "genesis: no certificate is needed"
        if block.height == 0
        else "✗ no certificate here"
    )
    lines: list[Content | str] = [
        Content.styled(f"Block {block.height}", "bold $accent"),
        labelled("time", f"{clock(block.time_ms)} UTC, by the proposer's clock"),
        labelled("term", str(block.term)),
        labelled("proposer", f"member {block.proposer + 1} of the committee"),
        labelled("final by", sealed),
        labelled("hash", clean(block.hash, 70)),
        labelled("state root", clean(block.state_root, 70)),
        "",
        title(f"Records ({len(block.records)})"),
    ]
    lines += [
        Content.assemble(
            (f"  {clean(item.kind, 24):<20}", "bold"), f"by {brief(item.author)}  ", (f"record {brief(item.id)}", MUTED)
        )
        for item in block.records
    ]
    lines += ["", title(f"Events ({len(block.events)})")]
    lines += [f"  {clean(event_words(event), 300)}" for event in block.events]
    return stacked(lines)
