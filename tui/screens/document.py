"""A document of a claim's evidence, shown as plain text where it is text, and by its place where it is not."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.content import Content
from textual.widget import Widget

from node.api.text import clean
from tui.screens.base import LiveScreen
from tui.widgets.words import card, labelled, plain, stacked

DOCUMENT_SHOWN_MAX = 64 * 1024
"""Bytes shown here; longer documents are read with the member's own program."""


def read_document(path: Path) -> str | None:
    """Return the first 64 KiB of a text document, cleaned; None when it is not text or cannot be read."""
    try:
        with path.open("rb") as stream:
            data = stream.read(DOCUMENT_SHOWN_MAX)
    except OSError:
        return None
    if b"\x00" in data:
        return None
    try:
        return clean(data.decode("utf-8-sig").replace("\t", "    ").replace("\r\n", "\n"), DOCUMENT_SHOWN_MAX)
    except UnicodeDecodeError as error:
        return clean(data[: error.start].decode("utf-8"), DOCUMENT_SHOWN_MAX) if error.start > len(data) - 4 else None


class DocumentScreen(LiveScreen):
    """The opened document."""

    PLACE = "home"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "app.leave", "Back to the case", id="document.back"),
        Binding("y", "copy", "Copy place", id="document.copy", tooltip="Put the file's path on the clipboard"),
    ]

    def __init__(self, path: Path, media: str, text: str | None) -> None:
        super().__init__()
        self._path = path
        self._media = media
        self._text = text

    def body(self) -> Iterable[Widget]:
        """What it is, and its text."""
        text = self._text if self._text is not None else "This is not plain text. Open the file in another program."
        told = " Your node signed a receipt; it counts with your ballot."
        yield plain(Content.assemble(("✓ Opened.", "bold $success"), told), classes="step")
        kind, place = clean(self._media, 40) or "unknown", clean(self.place(), 300)
        yield card(plain(stacked([labelled("kind", kind), labelled("file", place), ""])), plain(text, "document"))

    def place(self) -> str:
        """Where the document lies."""
        return str(self._path)

    def action_copy(self) -> None:
        """Copy the path."""
        self.mutua.copy_text(self.place(), "path")
