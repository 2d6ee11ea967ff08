"""Draw the demo's screen as it stood at one block, from the folders a demo left behind, as an SVG for the README.

    make demo && .venv/bin/python tools/picture.py demo-run

Every number in the picture is read from the ledger of the first member: the picture is real, only drawn later. Lines
that the demo itself said (a daemon was killed, a follower began) are taken from its plain log, if one is named with
`--log`.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import re
import sys
import time
from collections import defaultdict
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

import msgspec  # noqa: E402 - the project's own packages lie beside this folder
from rich.console import Console  # noqa: E402

from ledger.chain import Chain  # noqa: E402
from ledger.leveldb import opened_aside  # noqa: E402
from node.sandbox.demo.screen import LiveScreen  # noqa: E402
from node.sandbox.demo.story import FOLLOWER_BLOCK  # noqa: E402

WIDTH = 122
TITLE = "make demo"
SAID = ("is killed", "starts with an empty ledger", "again, after it lapsed", "imports")
"""Of the lines that the demo said, those worth a place in the picture."""


def read_blocks(folder: Path, last: int) -> tuple[list[dict[str, Any]], float]:
    """Return blocks 1 to `last` as the API gives them, and the seconds from the first to the last."""
    with opened_aside(folder / "ledger") as store:
        chain = Chain.open(store)
        blocks: list[dict[str, Any]] = []
        for height in range(1, min(last, chain.height) + 1):
            block = chain.block(height)
            assert block is not None
            events = [msgspec.json.decode(line) for line in (chain.events(height) or b"").splitlines() if line]
            blocks.append(
                {"height": height, "records": [{"kind": record.kind} for record in block.records], "events": events}
            )
        first, newest = chain.header(1), chain.header(len(blocks))
        assert first is not None
        assert newest is not None
        return blocks, (newest.proposed_time_ms - first.proposed_time_ms) / 1000


def read_said(log: Path | None) -> dict[int, list[str]]:
    """Return what the demo said after each block, from its plain log."""
    said: dict[int, list[str]] = defaultdict(list)
    height = 0
    for line in log.read_text(encoding="utf-8").splitlines() if log else ():
        found = re.match(r"\[ *[\d.]+s\] (.*)", line)
        if found is None:
            continue
        if block := re.match(r"block (\d+)/", found[1]):
            height = int(block[1])
        elif any(mark in found[1] for mark in SAID):
            said[height].append(found[1])
    return said


def draw(folder: Path, height: int, log: Path | None) -> str:
    """Return the SVG of the demo's live screen at `height`."""
    names = sorted(path.name for path in folder.glob("member-*")) + (["follower"] if height > FOLLOWER_BLOCK else [])
    blocks, seconds = read_blocks(folder / "member-1", height)
    said = read_said(log)
    with contextlib.redirect_stdout(io.StringIO()):
        screen = LiveScreen()
        screen.close()
    for block in blocks:
        screen.block(block["height"], block, dict.fromkeys(names, block["height"]))
        for line in said[block["height"]] if block["height"] < height else ():
            screen.say(line)
    screen._started = time.monotonic() - seconds  # noqa: SLF001 - the clock of the run, not of the drawing
    console = Console(record=True, width=WIDTH, file=io.StringIO(), force_terminal=True, color_system="truecolor")
    console.print(screen._draw())  # noqa: SLF001 - the very renderable that the terminal shows
    svg = console.export_svg(title=TITLE, unique_id="mutua")
    return re.sub(r"@font-face \{.*?\}\s*", "", svg, flags=re.DOTALL)  # the picture fetches nothing from anywhere


def main() -> int:
    """Write the picture."""
    parser = argparse.ArgumentParser(description="Draw the demo's screen at one block as SVG.")
    parser.add_argument("folder", type=Path, help="the folder of a finished demo")
    parser.add_argument("--height", type=int, default=37, help="the block at which to look")
    parser.add_argument("--log", type=Path, help="the plain log of the same demo")
    parser.add_argument("--out", type=Path, default=ROOT / "docs/pictures/demo.svg")
    given = parser.parse_args()
    given.out.parent.mkdir(parents=True, exist_ok=True)
    given.out.write_text(draw(given.folder, given.height, given.log), encoding="utf-8")
    print(f"{given.out} written")
    return 0


if __name__ == "__main__":
    sys.exit(main())
