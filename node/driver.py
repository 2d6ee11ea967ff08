"""The driver of consensus: it feeds events to the step function and carries out its effects in order, journal first.

One task owns the machine. Everything that takes time answers with an event: building and checking a block run in threads, timers and
slots are sleeping tasks, peers' messages arrive verified. Nothing is sent before the vote log's bytes are on the disk; nothing is
told as final before the block's batch is synced. A height that becomes final by sync, not by our own votes, ends the same way.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

import structlog
import trio

from consensus import effects as fx
from consensus import events as ev
from consensus import machine
from consensus.messages import Certificate, Proposal, Vote, decode_message, encode_message
from consensus.signing import sign_proposal, sign_vote, verify_certificate, verify_proposal, verify_vote
from ledger.blocks import BlockWithBodies, block_hash_of, decode_header
from ledger.errors import MalformedBytes, MutuaError
from node import wire
from node.p2p.network import Channel, Network
from node.producer import Candidate, Proposer
from node.votes import VoteLog

log = structlog.get_logger("mutua.consensus")

RESEND_S = 1.0
CANDIDATES_MAX = 64
QUEUE_MAX = 10_000
FUTURE_MESSAGES_MAX = 2_000
"""Messages of the next height are kept, a few hundred a height; older and later ones are answered by sync."""


@dataclass(frozen=True, slots=True)
class Seat:
    """This node's place in the committee."""

    index: int
    consensus_seed: bytes
    proposer: Proposer


class Ledger:
    """What the driver asks of the daemon. Written as a class of callables so that each has one name and one shape."""

    def __init__(
        self, *, chain_id: bytes, height: Callable[[], int], config: Callable[[], machine.Config], earliest_ms: Callable[[], int],
        build: Callable[[], Awaitable[Candidate]], check: Callable[[BlockWithBodies], Awaitable[Candidate]],
        commit: Callable[[Candidate, Certificate], Awaitable[None]], now_ms: Callable[[], int],
    ) -> None:  # fmt: skip
        self.chain_id = chain_id
        self.height = height
        self.config = config
        self.earliest_ms = earliest_ms
        self.build = build
        self.check = check
        self.commit = commit
        self.now_ms = now_ms


class Driver:
    """Runs one height after another until cancelled."""

    def __init__(self, ledger: Ledger, network: Network, vote_log: VoteLog, seat: Seat | None) -> None:
        self._ledger = ledger
        self._network = network
        self._log = vote_log
        self._seat = seat
        self._send, self._queue = trio.open_memory_channel[ev.Event](QUEUE_MAX)
        self._candidates: OrderedDict[bytes, Candidate] = OrderedDict()
        self._blocks: OrderedDict[bytes, BlockWithBodies] = OrderedDict()
        self._later: list[tuple[bytes, bytes]] = []
        self._nursery: trio.Nursery | None = None
        self._scope = trio.CancelScope()
        self._working_on = 0
        self._is_committing = False
        self._waiting_checks: set[bytes] = set()
        self.view = 0
        self.messages_in = 0
        self.messages_out = 0
        self.misbehaviour: list[object] = []

    async def run(self) -> None:
        """Drive heights for ever."""
        while True:
            height = self._working_on = self._ledger.height() + 1
            with trio.CancelScope() as self._scope:
                async with trio.open_nursery() as nursery:
                    self._nursery = nursery
                    await self._run_height(height)
                    nursery.cancel_scope.cancel()

    def height_moved(self, height: int) -> None:
        """A block is final: leave its height if this driver still works on it (it came by sync)."""
        if height >= self._working_on and not self._is_committing:
            self._scope.cancel()

    # ---- Peers ------------------------------------------------------------

    async def hear(self, peer: bytes, data: bytes) -> None:
        """Take a frame of the consensus channel. MalformedBytes: the peer is to be struck."""
        message = decode_message(data)
        height = message.height
        self.messages_in += 1
        working_on = self._ledger.height() + 1
        if height == working_on + 1:
            if len(self._later) < FUTURE_MESSAGES_MAX:
                self._later.append((peer, data))
            return
        if height != working_on:
            return
        config = self._ledger.config()
        if isinstance(message, Vote):
            if not verify_vote(message, config.committee, config.chain_id):
                raise MalformedBytes("vote_signature", "a vote's signature does not verify", "send it as its voter signed it")
            await self._put(ev.VoteReceived(message))
        elif isinstance(message, Certificate):
            if not await trio.to_thread.run_sync(verify_certificate, message, config.committee, config.chain_id):
                raise MalformedBytes("certificate", "a certificate does not hold", "send certificates of this committee")
            await self._put(ev.CertificateReceived(message))
        else:
            if not verify_proposal(message, config.committee, config.seed, config.chain_id):
                raise MalformedBytes("proposal_signature", "a proposal is not signed by the leader of its view", "only leaders propose")
            for certificate in message.justification:
                if not verify_certificate(certificate, config.committee, config.chain_id):
                    raise MalformedBytes("certificate", "a proposal's certificate does not hold", "send certificates of this committee")
                await self._put(ev.CertificateReceived(certificate))
            await self._put(ev.ProposalReceived(message))

    async def hear_candidate(self, block: BlockWithBodies) -> None:
        """Take the body of a proposed block; a check that waits for it goes on."""
        header = decode_header(block.block.header)
        block_hash = block_hash_of(header)
        if header.height != self._ledger.height() + 1 or block_hash in self._blocks:
            return
        self._remember(block_hash, block)
        if block_hash in self._waiting_checks and self._nursery is not None:
            self._waiting_checks.discard(block_hash)
            self._nursery.start_soon(self._check, block_hash)

    def candidate(self, block_hash: bytes) -> BlockWithBodies | None:
        """Return a proposed block of this height, for a peer that asks."""
        return self._blocks.get(block_hash)

    # ---- One height --------------------------------------------------------

    async def _run_height(self, height: int) -> None:
        self._waiting_checks.clear()
        self._candidates.clear()
        self._blocks.clear()
        while True:
            try:
                self._queue.receive_nowait()
            except trio.WouldBlock:
                break
        config = self._ledger.config()
        state, effects = machine.start_height(config, self._log.cells(height))
        if await self._carry_out(effects):
            return
        assert self._nursery is not None
        self._nursery.start_soon(self._open_slot)
        self._nursery.start_soon(self._resend)
        later, self._later = self._later, []
        for peer, data in later:
            try:
                await self.hear(peer, data)
            except MutuaError as error:
                self._network.strike(peer, error.code)
        async for event in self._queue:
            state, effects = machine.step(state, event)
            self.view = state.view
            if await self._carry_out(effects):
                return

    async def _carry_out(self, effects: tuple[fx.Effect, ...]) -> bool:
        """Carry out effects in order; True when the height is final."""
        assert self._nursery is not None
        for effect in effects:
            match effect:
                case fx.Journal():
                    await trio.to_thread.run_sync(self._log.append, effect.cell)
                case fx.CastVote():
                    await self._cast(effect)
                case fx.SendProposal():
                    await self._propose(effect)
                case fx.SendCertificate():
                    self._out(effect.certificate)
                case fx.SetTimer():
                    self._nursery.start_soon(self._timer, effect.view, effect.after_ms)
                case fx.BuildBlock():
                    self._nursery.start_soon(self._build, effect.view)
                case fx.CheckBlock():
                    self._nursery.start_soon(self._check, effect.block_hash)
                case fx.Resend():
                    for message in effect.messages:
                        self._out(message)
                case fx.ReportMisbehaviour():
                    log.warning("misbehaviour_seen", kind=type(effect).__name__)
                    self.misbehaviour.append(effect)
                case fx.Finalize():
                    if await self._finalize(effect.certificate):
                        return True
        return False

    async def _finalize(self, certificate: Certificate) -> bool:
        candidate = self._candidates.get(certificate.block_hash)
        if candidate is None:
            block = self._blocks.get(certificate.block_hash)
            if block is None:
                # Final without us: the peers hold the block, sync brings it with the certificate.
                self._network.broadcast(Channel.SYNC, wire.encode_message(wire.GetCandidate(certificate.block_hash)))
                return False
            candidate = await self._ledger.check(block)
        self._is_committing = True
        try:
            await self._ledger.commit(candidate, certificate)
        finally:
            self._is_committing = False
        return True

    # ---- Effects that answer with an event -------------------------------------

    async def _cast(self, effect: fx.CastVote) -> None:
        assert self._seat is not None
        config = self._ledger.config()
        vote = sign_vote(effect.vote, self._seat.consensus_seed, config.chain_id)
        self._out(vote)
        await self._put(ev.VoteReceived(vote))

    async def _propose(self, effect: fx.SendProposal) -> None:
        assert self._seat is not None
        config = self._ledger.config()
        proposal = sign_proposal(effect.proposal, self._seat.consensus_seed, config.chain_id)
        block = self._blocks.get(proposal.block_hash)
        if block is not None:
            self._network.broadcast(Channel.SYNC, wire.encode_message(wire.Candidate(block)))
        self._out(proposal)
        await self._put(ev.ProposalReceived(proposal))

    async def _build(self, view: int) -> None:
        try:
            candidate = await self._ledger.build()
        except MutuaError as error:
            log.error("block_not_built", code=error.code, what=error.what)
            return
        self._remember(candidate.block_hash, candidate.block)
        self._candidates[candidate.block_hash] = candidate
        await self._put(ev.BlockBuilt(view, candidate.block.block.header, candidate.block_hash))

    async def _check(self, block_hash: bytes) -> None:
        if block_hash in self._candidates:
            await self._put(ev.BlockChecked(block_hash, is_valid=True))
            return
        block = self._blocks.get(block_hash)
        if block is None:
            self._waiting_checks.add(block_hash)
            await trio.sleep(0.15)
            while block_hash in self._waiting_checks:
                self._network.broadcast(Channel.SYNC, wire.encode_message(wire.GetCandidate(block_hash)))
                await trio.sleep(RESEND_S)
            return
        try:
            candidate = await self._ledger.check(block)
        except MutuaError as error:
            log.warning("proposal_invalid", code=error.code, what=error.what)
            await self._put(ev.BlockChecked(block_hash, is_valid=False))
            return
        self._candidates[block_hash] = candidate
        await self._put(ev.BlockChecked(block_hash, is_valid=True))

    async def _open_slot(self) -> None:
        while (wait_ms := self._ledger.earliest_ms() - self._ledger.now_ms()) > 0:
            await trio.sleep(min(wait_ms, 60_000) / 1000)
        await self._put(ev.SlotOpened())

    async def _timer(self, view: int, after_ms: int) -> None:
        await trio.sleep(after_ms / 1000)
        await self._put(ev.TimerFired(view))

    async def _resend(self) -> None:
        while True:
            await trio.sleep(RESEND_S)
            await self._put(ev.ResendTick())

    # ---- Helpers ------------------------------------------------------------

    def _out(self, message: Vote | Proposal | Certificate) -> None:
        self.messages_out += self._network.broadcast(Channel.CONSENSUS, encode_message(message))

    async def _put(self, event: ev.Event) -> None:
        """Queue an event; a full queue drops it, and resending brings it again."""
        try:
            self._send.send_nowait(event)
        except trio.WouldBlock:
            log.warning("consensus_queue_full", event=type(event).__name__)

    def _remember(self, block_hash: bytes, block: BlockWithBodies) -> None:
        self._blocks[block_hash] = block
        while len(self._blocks) > CANDIDATES_MAX:
            self._blocks.popitem(last=False)


def vote_log_path(folder: Path) -> Path:
    """Return where the vote log lies in a data folder."""
    return folder / "votes.log"
