"""Peers that stop without saying so, hosts that break, dials that cross."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import trio
from nacl.signing import SigningKey

from node.p2p import host
from node.p2p.network import Channel

SCRIPT = Path(__file__).with_name("peer_process.py")
ROOT = SCRIPT.parents[3]


async def test_a_frozen_peer_is_dropped_within_seconds_and_comes_back_when_it_thaws(cluster, until):
    node = await cluster.start("steady")
    seed = b"\x11" * 32
    key = bytes(SigningKey(seed).verify_key)
    cluster.members.add(key)
    with subprocess.Popen(
        [sys.executable, str(SCRIPT), seed.hex(), node.key.hex(), node.address],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.DEVNULL,
    ) as process:
        try:
            await until(lambda: node.network.connected() == (key,), 30)
            await trio.sleep(2.5)
            assert node.network.connected() == (key,), "silence without a freeze is bridged by pings"
            process.send_signal(signal.SIGSTOP)
            await until(lambda: node.network.connected() == (), 4)
            process.send_signal(signal.SIGCONT)
            await until(lambda: node.network.connected() == (key,), 15)
            process.kill()
            await until(lambda: node.network.connected() == (), 1)
        finally:
            process.kill()


async def test_a_fault_of_the_host_costs_a_restart_on_the_same_port_and_nothing_else(
    cluster, until, monkeypatch, capsys
):
    left, right = await cluster.start_many(2)

    async def broken(*_: object) -> None:
        monkeypatch.undo()
        raise RuntimeError("a fault in the library")

    monkeypatch.setattr(host._Host, "_dial", broken)
    monkeypatch.setattr(host._Host, "accept", broken)
    left.network._peers[right.key].link.end("test")
    await until(lambda: "a fault in the library" in capsys.readouterr().out)
    await until(lambda: left.network.connected() == (right.key,) and right.network.connected() == (left.key,), 8)
    assert left.network.send(right.key, Channel.SYNC, b"still here")
    await until(lambda: right.frames[-1:] == [(left.key, Channel.SYNC, b"still here")])


async def test_dials_that_cross_leave_one_connection_on_both_sides(cluster, until):
    left, right = await cluster.start("left"), await cluster.start("right")
    for node in (left, right):
        node.network.refresh_address_book()
        for record in node.network.dial_candidates():
            record.dial_delay_s, record.dial_at = 0.1, 0.0  # both dial now
    await until(lambda: left.network.connected() == (right.key,) and right.network.connected() == (left.key,))
    await trio.sleep(1.0)
    ours, theirs = left.network._peers[right.key].link, right.network._peers[left.key].link
    assert ours is not None and theirs is not None
    assert ours.is_dialler != theirs.is_dialler
    left.network.send(right.key, Channel.SYNC, b"one way")
    right.network.send(left.key, Channel.SYNC, b"and back")
    await until(lambda: bool(left.frames) and bool(right.frames))
