"""The member's own command for events."""

from __future__ import annotations

import json
import os
import re
import sys
import tomllib
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import trio

from ledger.errors import MutuaError
from node.own import hooks

COPY = "import sys, pathlib; pathlib.Path(sys.argv[1]).open('a').write(sys.stdin.read())"


async def test_each_event_reaches_the_command_in_order(tmp_path) -> None:
    target = tmp_path / "seen events"
    send, receive = trio.open_memory_channel(10)

    @asynccontextmanager
    async def subscribe():
        yield receive

    for height in (1, 2):
        await send.send({"event": "payout_due", "height": height, "note": "$(touch evil); `x`"})
    send.close()
    await hooks.run_hooks(subscribe, f'{sys.executable} -c "{COPY}" "{target}"')
    assert [json.loads(line)["height"] for line in target.read_text().splitlines()] == [1, 2]


async def test_the_example_of_the_guide_shows_the_event_and_runs_nothing_of_it(tmp_path, monkeypatch) -> None:
    guide = Path(__file__).parents[3] / "docs/how-to/run-a-node.md"
    (setting,) = re.findall(r"`(on_event = [^`]*)`", guide.read_text())
    shown = tmp_path / "shown"
    notify = tmp_path / "notify-send"
    notify.write_text(f'#!/bin/sh\nprintf "%s" "$2" > {shown}\n')
    notify.chmod(0o700)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    event = {"event": "payout_due", "height": 3, "note": "$(touch evil); \"'x"}
    await hooks.run_hook(hooks.words_of(tomllib.loads(setting)["on_event"]), event)
    assert json.loads(shown.read_text()) == event


async def test_a_command_that_fails_or_hangs_holds_nothing_up(monkeypatch) -> None:
    monkeypatch.setattr(hooks, "COMMAND_TIMEOUT_S", 0.3)
    with trio.fail_after(10):
        await hooks.run_hook([sys.executable, "-c", "raise SystemExit(3)"], {"event": "a"})
        await hooks.run_hook(["/nowhere/at/all"], {"event": "b"})
        await hooks.run_hook([sys.executable, "-c", "import time; time.sleep(60)"], {"event": "c"})


@pytest.mark.parametrize("command", ['notify "open', "  "])
def test_a_command_that_is_none_is_refused_at_the_start(command) -> None:
    with pytest.raises(MutuaError) as caught:
        hooks.words_of(command)
    assert caught.value.code == "config_invalid"
