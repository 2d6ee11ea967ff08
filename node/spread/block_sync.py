"""Block sync: whoever is behind asks a peer for final blocks with their certificates, checks each, and applies it.

Tips are exchanged on connecting, after each block and as a heartbeat. A block from a peer is taken only with a commit
certificate of the committee that this node's own state names, so a false peer can waste a request but never change a
ledger.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import structlog
import trio

from ledger.blocks import FinalBlock
from ledger.codec import encode
from ledger.errors import MutuaError
from node.execution.ledger import LedgerService
from node.faults import is_fatal
from node.p2p.network import Channel, Network
from node.spread import wire

log = structlog.get_logger("mutua.sync")

REQUEST_TIMEOUT_S = 8.0
HEARTBEAT_S = 2.0
PATIENCE_S = 0.25
ANSWER_EVERY_S = 0.05
DOUBT_S = 30.0

ChoosePeer = Callable[[Sequence[bytes]], bytes]


class BlockSync:
    """Tips of the peers, and the one request under way."""

    def __init__(
        self, network: Network, ledger: LedgerService, choose_peer: ChoosePeer, clock: Callable[[], float]
    ) -> None:
        self._network = network
        self._ledger = ledger
        self._choose_peer = choose_peer
        self._clock = clock
        self._tips: dict[bytes, int] = {}
        self._doubted_until: dict[bytes, float] = {}
        self._answered_at: dict[bytes, float] = {}
        self._asked: bytes | None = None
        self._applying = False
        self._wake = trio.Event()
        self._inbox_send, self._inbox = trio.open_memory_channel[tuple[bytes, wire.Blocks]](4)

    @property
    def target(self) -> int:
        """The greatest final height that a connected peer has told of."""
        return max([self._ledger.height, *(self._tips[peer] for peer in self._believed())])

    @property
    def is_syncing(self) -> bool:
        """True while a peer is more than one block ahead."""
        return self.target > self._ledger.height + 1

    async def run(self) -> None:
        """Send heartbeats, ask and apply until cancelled."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._heartbeat)
            nursery.start_soon(self._ask_loop)
            nursery.start_soon(self._apply_loop)

    def tell(self, peer: bytes | None = None) -> None:
        """Tell one peer, or all, the newest final height of this node."""
        payload = wire.encode_message(wire.Tip(self._ledger.height, self._ledger.block_hash))
        if peer is None:
            self._network.broadcast(Channel.SYNC, payload)
        else:
            self._network.send(peer, Channel.SYNC, payload)

    def hear_tip(self, peer: bytes, tip: wire.Tip) -> None:
        """Note a peer's height; wake the asking when it is ahead."""
        self._tips[peer] = tip.height
        differs = tip.height == self._ledger.height and tip.block_hash != self._ledger.block_hash
        if differs and peer not in self._doubted_until:
            hint = "compare mutua audit verify of both nodes"
            log.error("tips_differ", peer=peer.hex()[:16], height=tip.height, hint=hint)
            self._doubt(peer)
        if tip.height > self._ledger.height and peer in self._believed():
            self._wake.set()

    async def answer(self, peer: bytes, request: wire.GetBlocks) -> None:
        """Send final blocks from `start` on, within the bounds. A peer that asks without pause is served slowly."""
        now = self._clock()
        wait_s = self._answered_at.get(peer, -ANSWER_EVERY_S) + ANSWER_EVERY_S - now
        self._answered_at[peer] = now + max(0.0, wait_s)
        if wait_s > 0:
            await trio.sleep(wait_s)
        count = min(request.count, wire.BLOCKS_PER_ANSWER_MAX)
        payload = await trio.to_thread.run_sync(self._read, request.start, count)
        self._network.send(peer, Channel.SYNC, payload)

    def _read(self, start: int, count: int) -> bytes:
        items: list[FinalBlock] = []
        size = 0
        first = max(1, start)
        for height in range(first, min(first + count, self._ledger.height + 1)):
            item = self._ledger.final_block(height)
            if item is None:
                break
            size += len(encode(item))
            if items and size > wire.BLOCKS_ANSWER_BYTES_MAX:
                break
            items.append(item)
        return wire.encode_message(wire.Blocks(tuple(items)))

    def hear_blocks(self, peer: bytes, blocks: wire.Blocks) -> None:
        """Queue the answer of the peer that was asked; applied in order by the apply loop. One answer a question."""
        if self._asked == peer and not self._applying:
            self._applying = True
            self._inbox_send.send_nowait((peer, blocks))

    def _believed(self) -> list[bytes]:
        now, known = self._clock(), [peer for peer in self._network.connected() if peer in self._tips]
        return [peer for peer in known if self._doubted_until.get(peer, 0.0) <= now]

    def _doubt(self, peer: bytes) -> None:
        """Do not believe a peer's tip for a while: it told of blocks and did not send them."""
        self._doubted_until[peer] = self._clock() + DOUBT_S

    async def _heartbeat(self) -> None:
        while True:
            self.tell()
            await trio.sleep(HEARTBEAT_S)

    async def _ask_loop(self) -> None:
        while True:
            await self._wake.wait()
            self._wake = trio.Event()
            # A block that is just being agreed on usually arrives by consensus itself: give it a moment.
            await trio.sleep(PATIENCE_S)
            before = self._ledger.height
            peer = self._ask()
            if peer is None:
                continue
            deadline = self._clock() + REQUEST_TIMEOUT_S
            # The answer, or a deadline that applying extends.
            while self._asked is not None and (self._applying or self._clock() < deadline):  # noqa: ASYNC110
                await trio.sleep(0.02)
            self._asked = None
            if self._ledger.height == before:
                self._doubt(peer)
            if self.target > self._ledger.height:
                self._wake.set()

    def _ask(self) -> bytes | None:
        ahead = sorted(peer for peer in self._believed() if self._tips[peer] > self._ledger.height)
        if not ahead:
            return None
        peer = self._asked = self._choose_peer(ahead)
        request = wire.GetBlocks(self._ledger.height + 1, wire.BLOCKS_PER_ANSWER_MAX)
        self._network.send(peer, Channel.SYNC, wire.encode_message(request))
        return peer

    async def _apply_loop(self) -> None:
        async for peer, blocks in self._inbox:
            try:
                for item in blocks.items:
                    await self._ledger.accept_final(item)
            except MutuaError as error:
                if is_fatal(error):
                    raise
                log.warning("synced_block_refused", peer=peer.hex()[:16], code=error.code, what=error.what)
                self._doubt(peer)
                self._network.strike(peer, f"a block that is not valid: {error.code}")
            self._applying = False
            self._asked = None
