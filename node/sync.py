"""Block sync: whoever is behind asks a peer for final blocks with their certificates, checks each, and applies it.

Tips are exchanged on connecting, after each block and as a heartbeat. A block from a peer is taken only with a commit certificate
of the committee that this node's own state names, so a liar can waste a request, never change a ledger.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol

import structlog
import trio

from ledger.codec import encode
from ledger.errors import MutuaError
from node.p2p.network import Channel, Network
from node.wire import BLOCKS_ANSWER_BYTES_MAX, BLOCKS_PER_ANSWER_MAX, Blocks, FinalBlock, GetBlocks, Tip, encode_message

log = structlog.get_logger("mutua.sync")

REQUEST_TIMEOUT_S = 8.0
HEARTBEAT_S = 2.0


class Blockchain(Protocol):
    """What sync needs of the ledger and of whoever applies blocks."""

    @property
    def height(self) -> int:
        """The newest final height."""
        ...

    @property
    def block_hash(self) -> bytes:
        """Its hash."""
        ...

    def final_block(self, height: int) -> FinalBlock | None:
        """Return a final block with bodies and certificate."""
        ...

    async def accept_final(self, item: FinalBlock) -> None:
        """Verify, apply and keep the next block; a block already final is passed over. MutuaError when it does not hold."""
        ...


class BlockSync:
    """Tips of the peers, and the one request under way."""

    def __init__(self, network: Network, chain: Blockchain, *, choose_peer: Callable[[Sequence[bytes]], bytes], clock: Callable[[], float]) -> None:
        self._network = network
        self._chain = chain
        self._choose_peer = choose_peer
        self._clock = clock
        self._tips: dict[bytes, int] = {}
        self._asked: tuple[bytes, int, float] | None = None
        self._wake = trio.Event()
        self._inbox_send, self._inbox = trio.open_memory_channel[tuple[bytes, Blocks]](4)

    @property
    def target(self) -> int:
        """The greatest final height that a connected peer has told of."""
        connected = set(self._network.connected())
        return max([self._chain.height, *(tip for peer, tip in self._tips.items() if peer in connected)])

    @property
    def is_syncing(self) -> bool:
        """True while a peer is more than one block ahead."""
        return self.target > self._chain.height + 1

    async def run(self) -> None:
        """Send heartbeats, ask and apply until cancelled."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._heartbeat)
            nursery.start_soon(self._ask_loop)
            nursery.start_soon(self._apply_loop)

    def tell(self, peer: bytes | None = None) -> None:
        """Tell one peer, or all, where this node stands."""
        payload = encode_message(Tip(self._chain.height, self._chain.block_hash))
        if peer is None:
            self._network.broadcast(Channel.SYNC, payload)
        else:
            self._network.send(peer, Channel.SYNC, payload)

    def hear_tip(self, peer: bytes, tip: Tip) -> None:
        """Note a peer's height; wake the asking when it is ahead."""
        self._tips[peer] = tip.height
        if tip.height > self._chain.height:
            self._wake.set()

    def answer(self, peer: bytes, request: GetBlocks) -> None:
        """Send final blocks from `start` on, within the bounds."""
        items: list[FinalBlock] = []
        size = 0
        for height in range(max(1, request.start), request.start + min(request.count, BLOCKS_PER_ANSWER_MAX)):
            item = self._chain.final_block(height)
            if item is None:
                break
            size += len(encode(item))
            if items and size > BLOCKS_ANSWER_BYTES_MAX:
                break
            items.append(item)
        self._network.send(peer, Channel.SYNC, encode_message(Blocks(tuple(items))))

    async def hear_blocks(self, peer: bytes, blocks: Blocks) -> None:
        """Queue a peer's answer; applied in order by the apply loop."""
        if self._asked is not None and self._asked[0] == peer:
            await self._inbox_send.send((peer, blocks))

    async def _heartbeat(self) -> None:
        while True:
            self.tell()
            await trio.sleep(HEARTBEAT_S)

    async def _ask_loop(self) -> None:
        while True:
            await self._wake.wait()
            self._wake = trio.Event()
            # A block that is just being agreed on usually arrives by consensus itself: give it a moment.
            await trio.sleep(0.25)
            self._ask()
            with trio.move_on_after(REQUEST_TIMEOUT_S):
                while self._asked is not None:
                    await trio.sleep(0.05)
            self._asked = None
            if self.target > self._chain.height:
                self._wake.set()

    def _ask(self) -> None:
        connected = set(self._network.connected())
        ahead = [peer for peer, tip in sorted(self._tips.items()) if tip > self._chain.height and peer in connected]
        if ahead:
            peer = self._choose_peer(ahead)
            self._asked = (peer, self._chain.height + 1, self._clock())
            self._network.send(peer, Channel.SYNC, encode_message(GetBlocks(self._chain.height + 1, BLOCKS_PER_ANSWER_MAX)))

    async def _apply_loop(self) -> None:
        async for peer, blocks in self._inbox:
            try:
                for item in blocks.items:
                    await self._chain.accept_final(item)
            except MutuaError as error:
                log.warning("synced_block_refused", peer=peer.hex()[:12], code=error.code, what=error.what)
                self._tips.pop(peer, None)
                self._network.strike(peer, f"a block that does not hold: {error.code}")
            self._asked = None


OnFinal = Callable[[int], Awaitable[None]]
