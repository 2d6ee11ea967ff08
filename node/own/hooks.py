"""`on_event`: a command of the member's own that is run for each event, with the event as JSON on its standard input.

One command at a time, each with a bounded time; a command that fails is logged and never holds up the node. The command
is split into words as a shell does, without a shell, so that nothing in an event can become a command.
"""

from __future__ import annotations

import shlex
import subprocess
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Any

import msgspec
import structlog
import trio

from ledger.errors import MutuaError

log = structlog.get_logger("mutua.hooks")

COMMAND_TIMEOUT_S = 30.0
"""A notification takes a second; what takes longer should go to the background by itself."""

Subscribe = Callable[[], AbstractAsyncContextManager[trio.MemoryReceiveChannel[dict[str, Any]]]]


def words_of(command: str) -> list[str]:
    """Return the words of an `on_event` command. MutuaError `config_invalid` when its quotes do not close."""
    try:
        words = shlex.split(command)
    except ValueError as error:
        raise MutuaError("config_invalid", f"on_event is {command!r}: {error}", "close its quotes") from None
    if not words:
        raise MutuaError("config_invalid", "on_event names no command", "leave it empty, or name one")
    return words


async def run_hooks(subscribe: Subscribe, command: str) -> None:
    """Run `command` for every event until cancelled or until the events end."""
    words = words_of(command)
    async with subscribe() as channel:
        async for event in channel:
            await run_hook(words, event)


async def run_hook(words: list[str], event: dict[str, Any]) -> None:
    """Run the command for one event; its output is dropped, its failure is logged."""
    name = str(event.get("event", ""))
    try:
        with trio.move_on_after(COMMAND_TIMEOUT_S) as scope:
            given, nowhere = msgspec.json.encode(event) + b"\n", subprocess.DEVNULL
            done = await trio.run_process(words, stdin=given, check=False, stdout=nowhere, stderr=nowhere)
            if done.returncode:
                log.warning("event_hook_failed", hook_event=name, exit_code=done.returncode)
        if scope.cancelled_caught:
            log.warning("event_hook_timed_out", hook_event=name, timeout_s=COMMAND_TIMEOUT_S)
    except OSError as error:
        log.warning("event_hook_failed", hook_event=name, reason=error.strerror)
