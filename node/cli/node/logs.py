"""`mutua logs`: the log of a node, running or not; it is read from the file, so it also tells why a node ended."""

from __future__ import annotations

import json
import time
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, TextIO, cast

from cyclopts import Parameter

from ledger.errors import MutuaError
from node.api.text import clean, clean_json
from node.cli.common import DEFAULT, Common, Whole, say

POLL_S = 0.25
LINES_MAX = 100_000


def logs(
    *,
    follow: Annotated[bool, Parameter(name=("--follow", "-f"), negative="")] = False,
    lines: Annotated[Whole, Parameter(name=("--lines", "-n"))] = 20,
    level: str | None = None,
    common: Common = DEFAULT,
) -> int:
    """Show the log, follow it, or change its level.

    :param follow: Go on until interrupted.
    :param lines: How many of the newest lines to show first.
    :param level: Change what the running node writes (debug, info, warning, error), and show nothing.
    """
    if level is not None:
        return say(common, common.client().set_log_level(level), f"the node now logs from {level} on")
    path = common.config().folder.log
    if not path.exists():
        raise MutuaError("log_missing", f"{path} is not there", "the log begins with mutua run")
    stream = path.open(encoding="utf-8", errors="replace")
    for line in deque(stream, max(0, min(lines, LINES_MAX))):
        _show(line, is_json=common.json)
    if follow:
        for line in follow_lines(path, stream):
            _show(line, is_json=common.json)
    stream.close()
    return 0


def follow_lines(path: Path, stream: TextIO) -> Iterator[str]:
    """Yield new lines as they are written to the file of `stream`, and follow it when a new file replaces it."""
    part = ""
    try:
        while True:
            piece = stream.readline()
            if piece:
                part += piece
                if part.endswith("\n"):
                    yield part
                    part = ""
                continue
            if path.exists() and path.stat().st_ino != _inode(stream.fileno()):
                yield from stream.readlines()  # what was written between the last read and the move
                stream.close()
                stream = path.open(encoding="utf-8", errors="replace")
                continue
            time.sleep(POLL_S)
    finally:
        stream.close()


def _inode(descriptor: int) -> int:
    import os

    return os.fstat(descriptor).st_ino


def _show(line: str, *, is_json: bool) -> None:
    text = line.rstrip("\n")
    print(clean_json(text) if is_json else clean(log_line(text), None), flush=True)


def log_line(line: str) -> str:
    """Return one event for people.

    >>> log_line('{"event": "block_final", "height": 8, "level": "info", "timestamp": "2026-01-01T10:00:00.123456Z"}')
    '2026-01-01 10:00:00 info    block_final  height=8'
    """
    try:
        event: Any = json.loads(line)
    except ValueError:
        return line
    if not isinstance(event, dict):
        return line
    fields = cast("dict[str, Any]", event)
    when = str(fields.pop("timestamp", ""))[:19].replace("T", " ")
    name, level = fields.pop("event", ""), str(fields.pop("level", ""))
    fields.pop("logger", None)
    tail = str(fields.pop("exception", ""))
    rest = " ".join(f"{key}={value}" for key, value in fields.items())
    return f"{when} {level:<7} {name}" + (f"  {rest}" if rest else "") + (f"\n{tail}" if tail else "")
