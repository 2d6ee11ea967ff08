"""CPU per frame of the transport: two processes on loopback, each with one network, a table on standard output.

    python benchmarks/bench_p2p.py

`paced` sends one frame at a time, as votes come; `burst` queues as many as the queue takes, as bundles and blocks come.
The figure is user + system time of sender and receiver together, over the frames that arrived, less what the pacing
alone costs.
"""

from __future__ import annotations

import hashlib
import multiprocessing
import os
import sys
import time
from multiprocessing.connection import Connection
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import trio

from node.p2p.network import Channel, Network

CASES = [("paced", 200, 2000), ("burst", 200, 20000), ("paced", 64 * 1024, 500), ("burst", 64 * 1024, 2000)]


def cpu_s() -> float:
    times = os.times()
    return times.user + times.system


def make(name: str, book: dict[bytes, str], on_frame) -> Network:
    async def on_peer_up(_: bytes) -> None: ...

    return Network(
        transport_seed=hashlib.sha256(name.encode()).digest(),
        listen="/ip4/127.0.0.1/tcp/0",
        chain_id=bytes(32),
        members=lambda _: True,
        peers=lambda: book,
        on_frame=on_frame,
        on_peer_up=on_peer_up,
        clock_ms=lambda: int(time.time() * 1000),
    )


def receive(pipe: Connection) -> None:
    """The receiving process: answers each command of the pipe with what arrived and what it cost."""

    async def main() -> None:
        count = 0

        async def on_frame(*_: object) -> None:
            nonlocal count
            count += 1

        network = make("receiver", {}, on_frame)
        async with trio.open_nursery() as nursery:
            pipe.send((network.key, await nursery.start(network.run)))
            while True:
                expected = await trio.to_thread.run_sync(pipe.recv)
                if expected is None:
                    nursery.cancel_scope.cancel()
                    break
                before, count = cpu_s(), 0
                while count < expected:
                    await trio.sleep(0.05)
                pipe.send(cpu_s() - before)

    trio.run(main)


async def send(pipe: Connection) -> None:
    async def on_frame(*_: object) -> None: ...

    key, address = pipe.recv()
    network = make("sender", {key: address}, on_frame)
    async with trio.open_nursery() as nursery:
        await nursery.start(network.run)
        while not network.connected():
            await trio.sleep(0.05)
        before = cpu_s()
        for _ in range(1000):
            await trio.sleep(0.001)
        pacing_s = (cpu_s() - before) / 1000
        print(f"{'way':<8}{'payload bytes':>14}{'frames':>9}{'CPU µs per frame':>18}{'frames/s':>11}")
        for way, size, count in CASES:
            payload = os.urandom(size)
            pipe.send(count)
            await trio.sleep(0.2)
            before, started = cpu_s(), time.monotonic()
            for _ in range(count):
                while not network.send(key, Channel.SYNC, payload):
                    await trio.sleep(0.002)
                if way == "paced":
                    await trio.sleep(0.001)
            theirs = await trio.to_thread.run_sync(pipe.recv)
            seconds = time.monotonic() - started
            total = cpu_s() - before + theirs - (pacing_s * count if way == "paced" else 0)
            print(f"{way:<8}{size:>14}{count:>9}{total / count * 1e6:>18.0f}{count / seconds:>11.0f}", flush=True)
        pipe.send(None)
        nursery.cancel_scope.cancel()


def main() -> None:
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=receive, args=(theirs,))
    process.start()
    trio.run(send, ours)
    process.join(10)


if __name__ == "__main__":
    main()
