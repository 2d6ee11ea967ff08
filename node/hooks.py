"""The member's own command, run for each event with the event as JSON on standard input (`on_event` in config.toml).

No shell, one run at a time, none longer than ten seconds. What it does or fails to do never touches the node.
"""

from __future__ import annotations

import shlex
import subprocess
from collections.abc import Sequence
from typing import TYPE_CHECKING

import msgspec
import structlog
import trio

from ledger.errors import MutuaError

if TYPE_CHECKING:
    from node.facade import Facade

log = structlog.get_logger("mutua.hooks")

RUN_S_MAX = 10.0


def split_command(text: str) -> list[str]:
    """Return the words of a command as a shell splits them. MutuaError `config_invalid` on an open quote.

    >>> split_command("notify-send 'a new block'")
    ['notify-send', 'a new block']
    """
    try:
        return shlex.split(text)
    except ValueError as error:
        raise MutuaError("config_invalid", f"on_event is no command ({error})", "correct its quotes in config.toml") from None


async def run_hook(command: Sequence[str], facade: Facade) -> None:
    """Run the command for each event until cancelled; when it is slow for long, the newest events pass it by."""
    while True:
        async with facade.events() as events:
            async for event in events:
                await _run(command, msgspec.json.encode(event))
        log.warning("hook_too_slow", mend="make the command of on_event faster")


async def _run(command: Sequence[str], data: bytes) -> None:
    try:
        with trio.move_on_after(RUN_S_MAX) as limit:
            done = await trio.run_process(list(command), stdin=data, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)
            if done.returncode:
                log.warning("hook_failed", command=command[0], exit_code=done.returncode)
        if limit.cancelled_caught:
            log.warning("hook_stopped", command=command[0], seconds=RUN_S_MAX)
    except OSError as error:
        log.warning("hook_not_started", command=command[0], error=str(error))
