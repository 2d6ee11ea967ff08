"""A network in a process of its own, to be frozen or killed by a test.

Arguments seed hex, peer key hex, peer address.
"""

from __future__ import annotations

import sys
import time

import trio

from node.p2p.network import Network, Timing


async def main() -> None:
    seed, key, address = bytes.fromhex(sys.argv[1]), bytes.fromhex(sys.argv[2]), sys.argv[3]

    async def nothing(*_: object) -> None: ...

    network = Network(
        transport_seed=seed,
        listen="/ip4/127.0.0.1/tcp/0",
        chain_id=bytes(32),
        members=lambda _: True,
        peers=lambda: {key: address},
        on_frame=nothing,
        on_peer_up=nothing,
        clock_ms=lambda: int(time.time() * 1000),
        timing=Timing(dial_min_s=0.1, dial_max_s=0.5),
    )
    await network.run()


trio.run(main)
