"""The terminal UI: a calm screen to vote on, over the local API only. `main(socket_path)` is what `mutua tui` calls.

It holds no key and no rule: it shows what the node says and hands the node what the member decided. It never waits for
the node with the screen frozen; while the node is off it says so, with the command that starts it, and comes back by
itself.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable
from pathlib import Path
from typing import Any, ClassVar

from textual.app import App, SystemCommand
from textual.binding import Binding, BindingType
from textual.screen import Screen

from node.api.client import Advise, AsyncClient, start_it
from node.api.errors import ApiError
from node.api.text import Units, brief, clean, counted, refusal
from node.api.views.claims import CaseToVote
from node.api.views.coop import PROVIDERS
from node.api.views.node import Status
from tui.feed import Connect, Feed
from tui.memory import load_memory
from tui.screens.base import LiveScreen
from tui.screens.blocks import BlocksScreen
from tui.screens.case import CaseScreen
from tui.screens.claims import ClaimsScreen
from tui.screens.help import HelpScreen, Key
from tui.screens.home import HomeScreen
from tui.screens.payouts import PayoutsScreen
from tui.screens.receipt import BallotsScreen
from tui.themes import CALM, CONTRAST, THEMES
from tui.widgets.top import PLACES

PENDING_CHECKED_MAX = 20
"""Receipts still pending that are looked up with each block."""


class MutuaApp(App[None]):
    """The app: five places, a connection to the node, and what is remembered."""

    TITLE = "Mutua"
    CSS_PATH = "styles/app.tcss"
    ENABLE_COMMAND_PALETTE = True
    MODES: ClassVar[dict[str, Any]] = {
        "home": HomeScreen,
        "claims": ClaimsScreen,
        "ballots": BallotsScreen,
        "payouts": PayoutsScreen,
        "blocks": BlocksScreen,
    }
    BINDINGS: ClassVar[list[BindingType]] = [
        *(
            Binding(key, f"go('{place}')", name, id=f"go.{place}", show=False, tooltip=f"Go to {name}")
            for place, key, name in PLACES
        ),
        Binding("r", "look", "Look again", id="app.look", show=False, tooltip="Ask the node now"),
        Binding(
            "f2",
            "contrast",
            "High contrast",
            id="app.contrast",
            show=False,
            tooltip="Switch the high-contrast theme on or off",
        ),
        Binding("question_mark", "help", "Help", id="app.help", key_display="?", tooltip="Keys and words"),
        Binding("q", "quit", "Quit", id="app.quit", tooltip="Close this program; the node keeps running"),
    ]

    def __init__(self, socket_path: Path, folder: Path, connect: Connect = AsyncClient) -> None:
        super().__init__()
        self.socket_path = socket_path
        self.folder = folder
        self.memory = load_memory(self.folder)
        self.feed = Feed(socket_path, connect, self._on_status, self._on_fault)
        self.status: Status | None = None
        self.fault: ApiError | None = None
        self.units = Units()
        self._providers: dict[str, str] | None = None
        for theme in THEMES:
            self.register_theme(theme)

    # ---- What the screens ask ----------------------------------------------------

    @property
    def is_live(self) -> bool:
        """True while events arrive."""
        return self.feed.is_live

    @property
    def member(self) -> str:
        """The member's key; empty on a node that only follows."""
        return (self.status.member or "") if self.status else ""

    def provider_name(self, key: str) -> str:
        """Return a provider's name, or its key in short."""
        return (self._providers or {}).get(key) or brief(key) or "–"

    async def load_names(self, client: AsyncClient) -> None:
        """Fetch the providers' names once; a node without that list leaves keys in short."""
        if self._providers is None:
            with contextlib.suppress(ApiError):
                self._providers = {item.key: clean(item.identifier, 40) for item in await client.view(PROVIDERS)}

    def tell(self, fault: ApiError) -> None:
        """Show a fault that belongs to one action."""
        words = refusal(fault.what, fault.hint, fault.rule)
        self.notify(words, severity="error", title="That did not work", timeout=12, markup=False)

    def copy_text(self, text: str, what: str) -> None:
        """Put text on the terminal's clipboard."""
        self.copy_to_clipboard(text)
        self.notify(f"{what} copied: {brief(text)}", markup=False)

    async def refresh_receipts(self, client: AsyncClient) -> None:
        """Look up the receipts that are still pending, and say what became of them."""
        for kept in [item for item in self.memory.receipts if item.state == "pending"][:PENDING_CHECKED_MAX]:
            try:
                receipt = await client.record(kept.record_id)
            except ApiError:
                continue
            if receipt.state == "final":
                self.memory.note(kept.record_id, "final", receipt.height)
                self.notify(f"✓ your ballot on {clean(kept.code, 20)} is final in block {receipt.height}", markup=False)
            elif receipt.state == "refused":
                self.memory.note(kept.record_id, "refused", None)
                words = f"✗ your ballot on {clean(kept.code, 20)} was refused; see My ballots"
                self.notify(words, severity="error", markup=False)

    # ---- Life --------------------------------------------------------------------

    async def on_mount(self) -> None:
        """Apply the member's theme and keys, show the last place, and start following the node."""
        self.animation_level = "full" if self.memory.animations else "none"
        self.theme = self.memory.theme if self.memory.theme in self.available_themes else CALM.name
        self.theme_changed_signal.subscribe(self, self._keep_theme)
        self.set_keymap(self.memory.keys)
        await self.switch_mode(self.memory.screen if self.memory.screen in self.MODES else "home")
        self.run_worker(self.feed.run(), group="feed")

    def _keep_theme(self, theme: Any) -> None:
        if theme.name != (self.memory.theme or CALM.name):
            self.memory.theme = theme.name
            self.memory.save()

    def _on_status(self, status: Status, is_new_block: bool) -> None:
        before, self.status, self.fault = self.status, status, None
        interval = status.block_interval_ms or Units().interval_ms
        self.units = Units(status.currency, status.exponent, interval, status.day_one)
        if before is not None and status.needs_me > before.needs_me and not status.is_syncing:
            self.notify(f"{counted(status.needs_me - before.needs_me, 'new case')} to vote on", markup=False)
        for screen in self._live_screens():
            screen.show_state()
            screen.on_tick()
            if is_new_block or before is None or before.needs_me != status.needs_me:
                screen.reload()
        if is_new_block and any(item.state == "pending" for item in self.memory.receipts):
            self.run_worker(self._check_receipts(), group="receipts", exclusive=True)

    async def _check_receipts(self) -> None:
        with contextlib.suppress(ApiError):
            await self.refresh_receipts(await self.feed.client())

    def _on_fault(self, fault: ApiError) -> None:
        self.fault = fault
        for screen in self._live_screens():
            screen.show_state()

    def _live_screens(self) -> list[LiveScreen]:
        """Return what is in front; covered screens load when they come back."""
        with contextlib.suppress(Exception):
            return [screen for screen in self.screen_stack if isinstance(screen, LiveScreen)][-1:]
        return []

    # ---- Ways --------------------------------------------------------------------

    async def action_go(self, place: str) -> None:
        """Go to a place and remember it."""
        if place in self.MODES:
            await self.switch_mode(place)
            self.memory.screen = place
            self.memory.save()

    def action_leave(self) -> None:
        """Go one screen back; the bottom screen of a place stays."""
        if len(self.screen_stack) > 1:
            self.pop_screen()

    def action_look(self) -> None:
        """Look at the node now."""
        self.feed.ring()
        for screen in self._live_screens():
            screen.reload()

    def action_contrast(self) -> None:
        """Switch the high-contrast theme on or off."""
        self.theme = CALM.name if self.theme == CONTRAST.name else CONTRAST.name

    def action_help(self) -> None:
        """Show keys and words."""
        if isinstance(self.screen, HelpScreen):
            return
        keys: list[Key] = []
        for key, binding in sorted(self.screen.active_bindings.items(), key=_help_order):
            given = binding.binding
            if given.id and not any(name == given.id for _, _, name in keys):
                keys.append((given.key_display or self.get_key_display(given) or key, given.description, given.id))
        self.push_screen(HelpScreen(keys))

    def review(self, case: CaseToVote) -> None:
        """Begin to review a case."""
        self.push_screen(CaseScreen(case))

    async def show_claim(self, claim: str) -> None:
        """Go to one of my claims."""
        await self.action_go("claims")
        if isinstance(self.screen, ClaimsScreen):
            self.screen.want(claim)

    async def finish_with(self, screen: LiveScreen) -> None:
        """Leave the steps of a ballot behind and show its receipt."""
        while len(self.screen_stack) > 1:
            await self.pop_screen()
        await self.push_screen(screen)
        self.feed.ring()

    def get_system_commands(self, screen: Screen[Any]) -> Iterable[SystemCommand]:
        """Add our places to the command palette."""
        yield from super().get_system_commands(screen)  # type: ignore[reportUnknownMemberType]
        for place, _, name in PLACES:
            yield SystemCommand(
                f"Go to {name}", f"Show {name}", lambda place=place: self.run_worker(self.action_go(place), group="go")
            )
        yield SystemCommand("High contrast", "Switch the high-contrast theme on or off", self.action_contrast)
        yield SystemCommand("Words and keys", "Explain the terms that this program uses", self.action_help)


def _help_order(item: tuple[str, Any]) -> tuple[int, str]:
    """Sort keys for the help: those of the place first, then the places by their key, then the app's own."""
    key, active = item
    name = active.binding.id or ""
    return ({"go": 1, "app": 2}.get(name.partition(".")[0], 0), key)


def main(socket_path: Path, folder: Path, advise: Advise = start_it) -> int:
    """Show the terminal UI until the member closes it; return the exit code. `folder` is the node's data folder."""
    app = MutuaApp(socket_path, folder, lambda path: AsyncClient(path, advise=advise))
    app.run()
    return app.return_code or 0
