"""A list whose rows are identified by id, so that the cursor stays on its row while blocks change the others."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.content import Content
from textual.widgets import OptionList
from textual.widgets.option_list import Option

from tui.widgets.words import muted

Row = tuple[str, Content]
"""(id, what is shown). An id that begins with "-" is a title: shown, never chosen."""


class RowList(OptionList):
    """Rows of text; Enter chooses one."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "select", "Open", id="rows.open", tooltip="Open what is under the cursor")
    ]

    def __init__(self, *, id: str, empty: str) -> None:  # noqa: A002 - Textual's own name
        super().__init__(id=id, markup=False)
        self._empty = empty
        self._rows: list[Row] = []

    def on_mount(self) -> None:
        """Say that nothing is known yet."""
        self.set_rows([], "Looking …")

    @property
    def chosen(self) -> str | None:
        """The id under the cursor."""
        row = self.highlighted_option
        return row.id if row is not None and row.id and not row.disabled else None

    def set_rows(self, rows: Sequence[Row], empty: str | None = None) -> None:
        """Show these rows; only what differs is touched while the ids stay the same."""
        shown = list(rows) or [("-empty", muted(empty or self._empty))]
        if [row[0] for row in shown] == [row[0] for row in self._rows]:
            for index, (old, new) in enumerate(zip(self._rows, shown, strict=True)):
                if old[1] != new[1]:
                    self.replace_option_prompt_at_index(index, new[1])
        else:
            before, place = self.chosen, self.highlighted
            self.set_options([Option(content, id=name, disabled=name.startswith("-")) for name, content in shown])
            self._restore(shown, before, place)
        self._rows = shown

    def _restore(self, shown: list[Row], before: str | None, place: int | None) -> None:
        open_rows = [index for index, row in enumerate(shown) if not row[0].startswith("-")]
        if not open_rows:
            self.highlighted = None
            return
        same = next((index for index in open_rows if shown[index][0] == before), None)
        near = min(open_rows, key=lambda index: abs(index - (place or 0)))
        self.highlighted = near if same is None else same
