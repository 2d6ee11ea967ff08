"""Networks on real loopback sockets, one helper for all tests of the transport."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest
import trio

from node.p2p.network import Channel, Network, Timing

CHAIN = bytes(32)
QUICK = Timing(
    handshake_s=4.0, ping_after_s=0.3, silence_max_s=1.5, dial_min_s=0.1, dial_max_s=1.0, yield_s=0.3, ban_s=30.0
)


def seed_of(name: str) -> bytes:
    return hashlib.sha256(name.encode()).digest()


@dataclass
class TestNode:
    """A network and what reached the layer above."""

    __test__ = False
    network: Network
    frames: list[tuple[bytes, Channel, bytes]] = field(default_factory=list)
    ups: list[bytes] = field(default_factory=list)
    scope: trio.CancelScope = field(default_factory=trio.CancelScope)
    address: str = ""
    fault: Callable[[bytes], None] | None = None

    @property
    def key(self) -> bytes:
        return self.network.key


class Cluster:
    """Nodes that share an address book."""

    def __init__(self, nursery: trio.Nursery) -> None:
        self.nursery = nursery
        self.book: dict[bytes, str] = {}
        self.members: set[bytes] = set()

    async def start(
        self,
        name: str,
        *,
        chain_id: bytes = CHAIN,
        listen: str = "/ip4/127.0.0.1/tcp/0",
        is_member: bool = True,
        timing: Timing = QUICK,
    ) -> TestNode:
        async def on_frame(peer: bytes, channel: Channel, payload: bytes) -> None:
            if node.fault is not None:
                node.fault(payload)
            node.frames.append((peer, channel, payload))

        async def on_peer_up(peer: bytes) -> None:
            node.ups.append(peer)

        network = Network(
            transport_seed=seed_of(name),
            listen=listen,
            chain_id=chain_id,
            members=lambda key: key in self.members,
            peers=lambda: self.book,
            on_frame=on_frame,
            on_peer_up=on_peer_up,
            clock_ms=lambda: int(time.time() * 1000),
            timing=timing,
        )
        node = TestNode(network)
        if is_member:
            self.members.add(network.key)

        async def run(task_status: trio.TaskStatus[str]) -> None:
            with node.scope:
                await network.run(task_status=task_status)

        node.address = await self.nursery.start(run)
        if is_member:
            self.book[network.key] = node.address
        return node

    async def start_many(self, count: int) -> list[TestNode]:
        nodes = [await self.start(f"node-{index}") for index in range(count)]
        await until(lambda: all(len(node.network.connected()) == count - 1 for node in nodes))
        return nodes


async def until(condition: Callable[[], bool], seconds: float = 10.0) -> None:
    """Wait for `condition`; fails the test when it does not come true."""
    with trio.fail_after(seconds):
        while not condition():
            await trio.sleep(0.01)


@pytest.fixture
async def cluster(nursery: trio.Nursery) -> Cluster:
    return Cluster(nursery)


@pytest.fixture(name="until")
def until_fixture() -> Callable[..., object]:
    return until
