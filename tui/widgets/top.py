"""The two lines on top of every screen, and the notice below them when something needs the member's attention."""

from __future__ import annotations

from collections.abc import Iterator

from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.widgets import Static

from node.api.errors import ApiError
from node.api.standing import sync_words
from node.api.text import clean
from node.api.views.node import Status

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
        state, name = self.query_one("#node-state", Static), clean(status.name, 30) if status else "Mutua"
        self.query_one("#coop", Static).update(Content.assemble(("▚ ", "$accent"), (name, "bold")))
        if status is None or fault is not None:
            words = "✗ node off" if fault is not None else "… looking for the node"
            state.update(Content.styled(words, "$error" if fault else "$foreground-muted"))
            return
        sign, style = ("✓", "$success")
        if status.peers.alone_since_ms is not None:
            sign, style = ("✗", "bold $error")
        elif status.is_syncing:
            sign, style = ("↻", "$warning")
        warnings = "".join(f" · ! {item}" for item in _warnings(status))
        peers = f"{status.peers.connected} of {status.peers.known} peers"
        rest = f" · block {status.height} · {peers} · {'live' if is_live else 'polling'}"
        parts = (f"{sign} {sync_words(status)}", style), (warnings, "bold $warning"), (rest, "$foreground-muted")
        state.update(Content.assemble(*parts))


def _warnings(status: Status) -> Iterator[str]:
    """Yield what a member should know of the node, in two or three words each; `mutua doctor` says the rest."""
    consensus, job = status.consensus, status.treasury
    if consensus.quarantine is not None:
        until = consensus.quarantine_until
        why = "quarantine" if consensus.signs_elsewhere is None else "its key signs elsewhere"
        yield "signs nothing" + (f" until block {until}" if until else "") + f": {why}"
    elif consensus.is_member and not consensus.is_signing and not status.is_syncing:
        yield "not signing yet"
    if job is not None and job.state == "off":
        yield "no Bitcoin backend"
    elif job is not None and job.state == "waiting":
        yield "treasury waits"
    if consensus.misbehaviour:
        yield f"{consensus.misbehaviour} contradicting"


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
                "\n  This screen refreshes automatically. What you see below may be out of date."
                if fault.family == "off"
                else ""
            )
            self.update(
                Content.assemble((f"✗ {clean(fault.what)}", "bold $error"), f"\n  {hint[:1].upper()}{hint[1:]}{again}")
            )
