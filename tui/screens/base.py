"""What all places share: top bar, notice, footer, and loading that never blocks and never piles up."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from pathlib import Path
from typing import Any, ClassVar, Protocol, cast

from textual.app import ComposeResult
from textual.content import Content
from textual.screen import Screen
from textual.widget import Widget
from textual.widgets import Footer, Static

from node.api.client import AsyncClient
from node.api.errors import ApiError
from node.api.text import Units
from node.api.views.claims import CaseToVote
from node.api.views.node import Status
from tui.feed import Feed, fault_of
from tui.memory import Memory
from tui.widgets.rows import RowList
from tui.widgets.top import Notice, TopBar


class Shell(Protocol):
    """What the screens use of the app around them; `tui.app.MutuaApp` is it."""

    folder: Path
    memory: Memory
    feed: Feed
    status: Status | None
    fault: ApiError | None
    units: Units
    is_live: bool
    member: str
    screen_stack: Any
    push_screen: Callable[[Screen[Any]], Any]
    notify: Callable[..., None]
    run_worker: Callable[..., Any]
    action_leave: Callable[[], None]
    provider_name: Callable[[str], str]
    load_names: Callable[[AsyncClient], Awaitable[None]]
    refresh_receipts: Callable[[AsyncClient], Awaitable[None]]
    tell: Callable[[ApiError], None]
    copy_text: Callable[[str, str], None]
    review: Callable[[CaseToVote], None]
    show_claim: Callable[[str], Awaitable[None]]
    finish_with: Callable[[Any], Awaitable[None]]


class LiveScreen(Screen[Any]):
    """A screen that shows the node's newest final state. Subclasses lay out `body` and fetch and show in `load`."""

    PLACE: ClassVar[str] = ""
    COPIED: ClassVar[tuple[str, str]] = ("", "")
    """The list whose id `action_copy` takes, and what it is."""

    def __init__(self) -> None:
        super().__init__()
        self.load_count = 0
        self._is_laid_out = False
        self._is_loading = False
        self._is_stale = False
        self._load_fault: ApiError | None = None

    # ---- For subclasses ----------------------------------------------------------

    def body(self) -> Iterable[Widget]:
        """Yield the widgets between top bar and footer."""
        raise AssertionError("every screen has a body")

    async def load(self, client: AsyncClient) -> None:
        """Fetch what this screen shows and show it. ApiError is shown in the notice."""

    def on_tick(self) -> None:
        """Do what is due at every look at the node, new block or not."""

    @property
    def mutua(self) -> Shell:
        """The app, with its type."""
        return cast("Shell", self.app)  # type: ignore[reportUnknownMemberType]

    @property
    def units(self) -> Units:
        """How this co-op writes money and time."""
        return self.mutua.units

    @property
    def height(self) -> int:
        """The newest final block."""
        status = self.mutua.status
        return status.height if status else 0

    def put(self, name: str, text: Content | str) -> None:
        """Show a text in the place of this name."""
        self.query_one(f"#{name}", Static).update(text)

    def action_copy(self) -> None:
        """Copy the id under the cursor."""
        rows, what = self.COPIED
        if chosen := self.query_one(f"#{rows}", RowList).chosen:
            self.mutua.copy_text(chosen, what)

    # ---- Life --------------------------------------------------------------------

    def compose(self) -> ComposeResult:
        """Lay out the screen."""
        yield TopBar(self.PLACE)
        yield Notice()
        yield from self.body()
        yield Footer()

    def on_mount(self) -> None:
        """Begin once everything inside is laid out: answers that come earlier would find no place."""
        self.call_after_refresh(self._begin)

    def _begin(self) -> None:
        self._is_laid_out = True
        self.show_state()
        self.reload()

    def on_screen_resume(self) -> None:
        """Show what changed while another screen was in front."""
        self.show_state()
        self.reload()

    def show_state(self) -> None:
        """Show the node's state in the top bar and the notice."""
        if not self._is_laid_out:
            return
        app = self.mutua
        for bar in self.query(TopBar):
            bar.show(app.status, app.fault, is_live=app.is_live)
        for notice in self.query(Notice):
            notice.show(app.fault or self._load_fault)

    def reload(self) -> None:
        """Load in the background. A call while loading makes one more round afterwards, never two."""
        self._is_stale = True
        if not self._is_loading and self._is_laid_out:
            self._is_loading = True
            self.run_worker(self._load_until_fresh(), group="load")

    async def _load_until_fresh(self) -> None:
        try:
            client = await self.mutua.feed.client()
            while self._is_stale:
                self._is_stale = False
                if self.mutua.status is None:
                    return
                try:
                    await self.load(client)
                    self._load_fault = None
                except Exception as error:
                    if not self.is_mounted:
                        return
                    self._load_fault = fault_of(error)
                self.load_count += 1
                self.show_state()
        finally:
            self._is_loading = False
