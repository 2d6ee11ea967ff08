"""The two lines on top of every screen, and the notice below them when something needs the member's attention."""

from __future__ import annotations

from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.widgets import Static

from node.api.errors import ApiError
from node.api.schema import Status
from tui.text import clean

PLACES = (
    ("home", "1", "Home"),
    ("claims", "2", "My claims"),
    ("ballots", "3", "My ballots"),
    ("payouts", "4", "Payouts"),
    ("blocks", "5", "Blocks"),
)


class TopBar(Vertical):
    """Co-op and state of the node on the first line, the places on the second; the present place stands in brackets."""

    def __init__(self, place: str) -> None:
        super().__init__()
        self._place = place

    def compose(self) -> ComposeResult:
        """Lay out the two lines."""
        with Horizontal(classes="top-line"):
            yield Static("", id="coop", markup=False)
            yield Static("", id="node-state", markup=False)
        yield Static(self._tabs(), id="tabs")

    def _tabs(self) -> Content:
        parts: list[Content | str] = []
        for place, key, name in PLACES:
            is_here = place == self._place
            text = Content.assemble(
                (f"{key} ", "$accent" if not is_here else "$accent bold"),
                (f"[{name}]" if is_here else f" {name} ", "bold" if is_here else "$foreground-muted"),
            )
            parts += [text.stylize(f"@click=app.go('{place}')"), " "]
        return Content.assemble(*parts)

    def show(self, status: Status | None, fault: ApiError | None, *, is_live: bool) -> None:
        """Show where the node stands. Words and signs carry the meaning; colour only repeats it."""
        if not self.query("#coop"):
            return  # news can come before this bar is laid out; the next news finds it
        name = clean(status.name, 30) if status else "Mutua"
        self.query_one("#coop", Static).update(Content.assemble(("▚ ", "$accent"), (name, "bold")))
        if status is None or fault is not None:
            words = "✗ node off" if fault is not None else "… looking for the node"
            self.query_one("#node-state", Static).update(
                Content.styled(words, "$error" if fault else "$foreground-muted")
            )
            return
        if status.is_syncing:
            target = status.sync_target or status.height
            sync, style = (
                f"↻ syncing {status.height} of {target} ({100 * status.height // max(target, 1)} %)",
                "$warning",
            )
        else:
            sync, style = "✓ in step", "$success"
        rest = (
            f" · block {status.height} · {status.peers.connected} of {status.peers.known} peers ·"
            f" {'live' if is_live else 'polling'}"
        )
        self.query_one("#node-state", Static).update(Content.assemble((sync, style), (rest, "$foreground-muted")))


class Notice(Static):
    """What went wrong, as `what` and `how to fix it`; hidden while all is well."""

    def __init__(self) -> None:
        super().__init__("", markup=False, classes="notice")
        self.display = False

    def show(self, fault: ApiError | None) -> None:
        """Show a fault, or hide."""
        self.display = fault is not None
        if fault is not None:
            hint = clean(fault.hint)
            again = (
                "\n  This screen looks again by itself. What you see below may be old." if fault.family == "off" else ""
            )
            self.update(
                Content.assemble((f"✗ {clean(fault.what)}", "bold $error"), f"\n  {hint[:1].upper()}{hint[1:]}{again}")
            )
