"""Pieces of text that several screens show alike: the tally bar, a label with its value, a section's title."""

from __future__ import annotations

from collections.abc import Iterable

from textual.containers import VerticalScroll
from textual.content import Content
from textual.widget import Widget
from textual.widgets import Static

from node.api.text import Units, clean, percent
from node.api.views.claims import CaseBase, CaseToVote
from tui.model import tally_words, time_short

BAR_WIDTH = 24
MUTED = "$foreground-muted"
LABEL_WIDTH = 14


def tally_bar(case: CaseBase, width: int = BAR_WIDTH) -> Content:
    """Return the tally as a bar: `█` accept, `░` deny, `·` no ballot yet, `┃` the approval threshold."""
    mark = min(width - 1, case.bar_bp * width // 10_000)
    accept = 0 if case.yes_bp is None else (case.yes_bp * width + 5_000) // 10_000
    cells: list[tuple[str, str]] = []
    for place in range(width):
        if place == mark:
            cells.append(("┃", "bold $accent"))
        elif not case.cast:
            cells.append(("·", MUTED))
        else:
            cells.append(("█", "$success") if place < accept else ("░", "$error"))
    return Content.assemble(*cells, (f" needs {percent(case.bar_bp)}", MUTED))


def labelled(label: str, value: str | Content, style: str = "") -> Content:
    """Return `label   value`, labels aligned."""
    return Content.assemble((f"{label:<{LABEL_WIDTH}}", MUTED), value if isinstance(value, Content) else (value, style))


def muted(text: str) -> Content:
    """Return what matters less."""
    return Content.styled(text, MUTED)


def headline(text: str, rest: str) -> Content:
    """Return what a screen is about, and what is said beside it."""
    return Content.assemble((text, "bold"), (rest, MUTED))


def plain(text: str | Content = "", name: str | None = None, classes: str | None = None) -> Static:
    """Return a widget of text without markup; what comes later is put there by its name."""
    return Static(text, id=name, classes=classes, markup=False)


def card(*inside: Widget) -> VerticalScroll:
    """Return a card, which scrolls and takes the keys."""
    return VerticalScroll(*inside, classes="card", can_focus=True)


def title(text: str) -> Content:
    """Return a section's title."""
    return Content.styled(text, "bold $primary")


def stacked(lines: Iterable[Content | str]) -> Content:
    """Return lines one below the other."""
    return Content("\n").join([line if isinstance(line, Content) else Content(line) for line in lines])


def case_row(case: CaseToVote, height: int, units: Units, provider: str) -> Content:
    """Return a case for a list: what and how long on the first line, the tally on the second."""
    mark = Content.styled("✓ ", "$success") if case.my_choice else Content.styled("● ", "$accent")
    first = Content.assemble(
        mark,
        (f"{clean(case.code, 10):<10}", "bold"),
        f"{units.money(case.charges_cents):>15}  ",
        (f"{provider[:16]:<16}  ", MUTED),
        time_short(case, height, units),
    )
    said = f"you: {clean(case.my_choice, 10)} · " if case.my_choice else ""
    duty = (" · you are on duty", "$warning") if case.on_duty else ("", "")
    second = Content.assemble("  ", tally_bar(case), (f"   {said}{tally_words(case)}", MUTED), duty)
    return stacked([first, second])


def status_sign(status: str) -> tuple[str, str]:
    """Return a sign and a style for a status; the word itself stands beside it."""
    return {
        "accepted": ("✓", "$success"),
        "denied": ("✗", "$error"),
        "lapsed": ("–", "$warning"),
        "withdrawn": ("–", MUTED),
        "open": ("●", "$accent"),
        "final": ("✓", "$success"),
        "pending": ("…", "$accent"),
        "refused": ("✗", "$error"),
    }.get(status, ("·", MUTED))
