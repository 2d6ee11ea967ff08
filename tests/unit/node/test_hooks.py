"""The command of `on_event`: it gets every event, and its faults stay its own."""

from __future__ import annotations

import sys
from contextlib import asynccontextmanager

import pytest
import trio

from ledger.errors import MutuaError
from node import hooks
from node.hooks import run_hook, split_command


class Events:
    """A facade that only has events."""

    def __init__(self) -> None:
        self.send, self.receive = trio.open_memory_channel(10)

    @asynccontextmanager
    async def events(self):
        yield self.receive


async def test_each_event_is_json_on_standard_input(tmp_path, nursery):
    out = tmp_path / "out"
    script = f"import sys; open({str(out)!r}, 'a').write(sys.stdin.read() + chr(10))"
    events = Events()
    nursery.start_soon(run_hook, [sys.executable, "-c", script], events)
    await events.send.send({"event": "block_final", "height": 1})
    await events.send.send({"event": "block_final", "height": 2})
    with trio.fail_after(10):
        while not out.exists() or out.read_text().count("\n") < 2:
            await trio.sleep(0.02)
    assert out.read_text() == '{"event":"block_final","height":1}\n{"event":"block_final","height":2}\n'


@pytest.mark.parametrize("command", [["/no/such/program"], [sys.executable, "-c", "raise SystemExit(3)"], [sys.executable, "-c", "import time; time.sleep(60)"]])
async def test_a_command_that_fails_or_hangs_is_left_behind(command, nursery, monkeypatch):
    monkeypatch.setattr(hooks, "RUN_S_MAX", 0.3)
    events = Events()
    nursery.start_soon(run_hook, command, events)
    with trio.fail_after(10):
        for height in range(12):
            await events.send.send({"height": height}) if height < 1 else await trio.sleep(0.05)
        await events.send.send({"height": 99})


def test_an_open_quote_is_told():
    with pytest.raises(MutuaError):
        split_command("notify 'me")
