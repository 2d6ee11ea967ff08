"""Frames of peers on their way to the part of the node that they are for. What a peer did wrong is counted here."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import KW_ONLY, dataclass
from typing import Protocol

import structlog
import trio

from ledger.blocks import BlockWithBodies
from ledger.errors import MalformedBytes, MutuaError
from node.faults import is_fatal
from node.p2p.network import Channel, Network
from node.spread import wire
from node.spread.block_sync import BlockSync
from node.spread.gossip import Gossip

log = structlog.get_logger("mutua.daemon")

THREAD_FROM_BYTES = 32 * 1024
"""Larger frames are decoded in a thread: nothing that a peer sends may hold up the others."""
ANSWER_PAUSE_S = 0.05


class Agreement(Protocol):
    """What peers may ask and tell about the next block: `node.agreement.driver.Driver`."""

    async def hear(self, peer: bytes, data: bytes) -> None:
        """Take a frame of the consensus channel."""
        ...

    async def hear_candidate(self, peer: bytes, block: BlockWithBodies, size: int) -> None:
        """Take the body of a proposed block."""
        ...

    async def hear_vote_report(self, member: bytes, report: wire.VoteReport) -> None:
        """Take what a committee member's node has seen this node sign."""
        ...

    def hear_tip(self, member: bytes, height: int) -> None:
        """Take the final height of a committee member's node."""
        ...

    async def candidate(self, block_hash: bytes) -> BlockWithBodies | None:
        """Return a proposed block."""
        ...

    def votes_of(self, voter: int) -> wire.VoteReport:
        """Return what this node has seen a member sign."""
        ...


@dataclass(eq=False, slots=True)
class Router:
    """Hands each frame on. `committee`: transport keys of its members; `fail` ends the node with a fatal error."""

    network: Network
    sync: BlockSync
    gossip: Gossip
    agreement: Agreement
    _: KW_ONLY
    committee: frozenset[bytes]
    hear_signer: Callable[[bytes, bytes], None]
    fail: Callable[[BaseException], None]

    async def hear(self, peer: bytes, channel: Channel, data: bytes) -> None:
        """Take a frame. A malformed one is a strike against the peer; a fault of this node's disk ends the node."""
        try:
            if channel == Channel.CONSENSUS:
                await self.agreement.hear(peer, data)
            elif channel == Channel.SIGNERS:
                self.hear_signer(peer, data)
            elif len(data) >= THREAD_FROM_BYTES:
                await self._hear_message(peer, await trio.to_thread.run_sync(wire.decode_message, data), len(data))
            else:
                await self._hear_message(peer, wire.decode_message(data), len(data))
        except MalformedBytes as error:
            self.network.strike(peer, error.code)
        except (MutuaError, OSError) as error:
            if is_fatal(error):
                self.fail(error)
                return
            log.warning("frame_refused", peer=peer.hex()[:16], error=str(error))

    async def _hear_message(self, peer: bytes, message: wire.Message, size: int) -> None:
        match message:
            case wire.Tip():
                self.sync.hear_tip(peer, message)
                if peer in self.committee:
                    self.agreement.hear_tip(peer, message.height)
            case wire.Bundle():
                await self.gossip.accept_bundle(peer, message)
            case wire.Digest():
                await self.gossip.answer_digest(peer, message)
            case wire.RecordRequest():
                await self.gossip.answer_request(peer, message)
            case wire.GetBlocks():
                await self.sync.answer(peer, message)
            case wire.Blocks():
                self.sync.hear_blocks(peer, message)
            case wire.GetCandidate():
                await self._answer_candidate(peer, message.block_hash)
            case wire.Candidate():
                await self.agreement.hear_candidate(peer, message.block, size)
            case wire.VoteQuery():
                await trio.sleep(ANSWER_PAUSE_S)
                self._send(peer, self.agreement.votes_of(message.voter))
            case wire.VoteReport():
                if peer in self.committee:
                    await self.agreement.hear_vote_report(peer, message)

    async def _answer_candidate(self, peer: bytes, block_hash: bytes) -> None:
        """Send a proposed block; a peer that asks without pause holds up only itself."""
        block = await self.agreement.candidate(block_hash)
        if block is not None:
            payload = await trio.to_thread.run_sync(wire.encode_message, wire.Candidate(block))
            self.network.send(peer, Channel.SYNC, payload)
        await trio.sleep(ANSWER_PAUSE_S)

    def _send(self, peer: bytes, message: wire.Message) -> None:
        self.network.send(peer, Channel.SYNC, wire.encode_message(message))
