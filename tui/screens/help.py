"""Help: every key of the present place with its name, and the words this program uses."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, VerticalScroll
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Static

from tui.widgets.words import MUTED, muted, stacked, title

WORDS = (
    ("case", "the part of a claim that members vote on: one code that is not standard."),
    (
        "threshold",
        (
            "the share of accept among yes and no that a case needs. It rises with the denials in the claimant's own"
            " voting."
        ),
    ),
    (
        "quorum",
        "the number of yes and no ballots that a case needs; half must be from members who opened the document.",
    ),
    (
        "15 blocks",
        "a case is accepted once it has reached its approval threshold, with a quorum, for 15 blocks in a row.",
    ),
    (
        "60 blocks",
        "how long ballots count. Then a case with a quorum is denied; one without lapses and may be filed once more.",
    ),
    ("change", "a ballot may be changed once, and in the last 15 blocks only when there is new evidence."),
    ("receipt", "the id of your signed record. With it you can check on your own ledger that your ballot is there."),
    (
        "what others see",
        "that you voted, your choice, award and reason. They never see a claimant's name, only a cover.",
    ),
)
OWN_WAY: tuple[Content | str, ...] = (
    "",
    title("Your own way"),
    "",
    '  In tui.json in the data folder, "keys": {"go.home": "h"} gives another key to a name of the last column above.',
    "  F2 switches to high contrast; the palette (ctrl+p) has more themes. NO_COLOR=1 shows no colour at all.",
    "  Everything here is also a plain command: mutua vote list, mutua vote cast, mutua claim show.",
    "",
    muted("  Escape closes this page."),
)
Key = tuple[str, str, str]
"""(key, what it does, binding id)"""


class HelpScreen(ModalScreen[None]):
    """Keys and words."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape,question_mark,q", "dismiss", "Close", id="help.close")]

    def __init__(self, keys: Sequence[Key]) -> None:
        super().__init__()
        self._keys = keys

    def compose(self) -> ComposeResult:
        """Lay out the page."""
        with VerticalScroll(id="help", can_focus=True):
            yield Static(self._keys_page(), markup=False)
            for word, meaning in WORDS:
                with Horizontal(classes="word"):
                    yield Static(f"  {word}", classes="word-name", markup=False)
                    yield Static(meaning, classes="word-meaning", markup=False)
            yield Static(stacked(OWN_WAY), markup=False)

    def _keys_page(self) -> Content:
        lines: list[Content | str] = [title("Keys here"), ""]
        lines += [
            Content.assemble((f"  {key:<12}", "bold $accent"), f"{words:<26}", (name, MUTED))
            for key, words, name in self._keys
        ]
        return stacked([*lines, "", title("Words"), ""])
