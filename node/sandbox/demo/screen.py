"""What the demo shows: a live table on a terminal, plain lines elsewhere."""

from __future__ import annotations

import sys
import time
from collections import Counter, deque
from typing import Any

from node.sandbox.demo.story import BLOCKS

NEWS_MAX = 12


def sentence(event: dict[str, Any]) -> str:
    """Return an event in words; empty for events that the screen does not show."""
    name, case, claim = event["event"], event.get("case"), str(event.get("claim", ""))[:8]
    if name in ("claim_accepted", "claim_denied", "claim_lapsed"):
        benefit = f"benefit {event.get('benefit_cents', 0) / 100:.2f}"
        if name == "claim_accepted" and event.get("how") != "vote":
            return f"claim {claim}: standard lines accepted, {benefit}, paid in the next block"
        votes = f"{event['yes']} yes, {event['no']} no (threshold {event['bar_bp'] / 100:g} %)"
        if name == "claim_accepted":
            return f"claim {claim}: {case} accepted by vote, {votes}, {benefit}"
        return f"claim {claim}: {case} {name.removeprefix('claim_')}, {votes}"
    if name == "payout_due":
        return f"claim {claim}: {event['amount_cents'] / 100:.2f} due, {event['amount_sat']} sat"
    return ""


class Screen:
    """Where the demo speaks: lines for logs and pipes."""

    def __init__(self) -> None:
        self._started = time.monotonic()

    def say(self, line: str) -> None:
        """Say a line with the seconds since the start."""
        print(f"[{time.monotonic() - self._started:6.1f}s] {line}", flush=True)

    def block(self, height: int, block: dict[str, Any], heights: dict[str, int]) -> None:
        """Print a block's records and events, and the nodes that are behind."""
        behind = [name for name, at in heights.items() if at < height - 2]
        kinds = Counter(record["kind"] for record in block["records"])
        held = ", ".join(f"{count} {kind}" for kind, count in sorted(kinds.items())) or "no records"
        self.say(f"block {height}/{BLOCKS} final: {held}" + (f"; behind or off: {', '.join(behind)}" if behind else ""))
        for words in filter(None, map(sentence, block["events"])):
            print(f"          {words}", flush=True)

    def close(self) -> None:
        """Nothing to restore."""


class LiveScreen(Screen):
    """A table of nodes, a bar of blocks, and the newest news, drawn in place."""

    def __init__(self) -> None:
        from rich.console import Console
        from rich.live import Live

        super().__init__()
        self._news: deque[str] = deque(maxlen=NEWS_MAX)
        self._height = 0
        self._heights: dict[str, int] = {}
        self._records = 0
        self._live = Live(console=Console(), refresh_per_second=8, get_renderable=self._draw)
        self._live.start()

    def say(self, line: str) -> None:
        """Add a line to the news."""
        self._news.append(line)

    def block(self, height: int, block: dict[str, Any], heights: dict[str, int]) -> None:
        """Show a final block."""
        self._height, self._heights = height, heights
        self._records += len(block["records"])
        self._news += [f"{height}: {words}" for words in map(sentence, block["events"]) if words]

    def close(self) -> None:
        """Leave the last picture standing."""
        self._live.stop()

    def _draw(self) -> Any:
        from rich.console import Group
        from rich.panel import Panel
        from rich.progress_bar import ProgressBar
        from rich.table import Table
        from rich.text import Text

        table = Table.grid(padding=(0, 2))
        for name, height in self._heights.items():
            state = f"{self._height - height} behind" if height >= 0 else "off"
            if height >= self._height - 1:
                state = "in sync"
            table.add_row(Text(name, style="bold"), f"block {height if height >= 0 else '–'}", state)
        bar = ProgressBar(total=BLOCKS, completed=self._height, width=60)
        head = Text(
            f"day {self._height} of {BLOCKS} · term {max(0, self._height - 1) // 30 + 1} · {self._records} records ·"
            f" {time.monotonic() - self._started:.0f} s"
        )
        news = Text("\n".join(self._news) or "starting…")
        body = Group(head, bar, Text(), table, Text(), news)
        return Panel(body, title="Mutua: seven members, seven daemons", border_style="cyan")


def open_screen() -> Screen:
    """Return the live screen on a terminal, the plain one elsewhere."""
    return LiveScreen() if sys.stdout.isatty() else Screen()
