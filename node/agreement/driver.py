"""The driver of consensus: it feeds events to the step function and carries out its effects in order, journal first.

One task owns the machine. Everything that takes time answers with an event: building and checking a block run in
threads, timers and slots are sleeping tasks, peers' messages arrive verified (`node.agreement.receive`). Nothing is
sent before the vote log's bytes are on the disk; nothing is told as final before the block's batch is synced. A height
that becomes final by sync, not by our own votes, ends the same way. A node that may not sign runs the machine as an
observer.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import structlog
import trio

from consensus import effects as fx
from consensus import events as ev
from consensus import machine
from consensus.messages import Certificate, Message, Proposal, VoteKind, encode_message
from consensus.signing import sign_proposal, sign_vote
from ledger.blocks import BlockWithBodies, decode_header
from ledger.errors import MutuaError
from node.agreement.candidates import ProposedBlocks
from node.agreement.metering import RateLimits
from node.agreement.own_votes import OwnVotes, report_of
from node.agreement.receive import Receiver
from node.agreement.signing_guard import DoubleSignGuard
from node.agreement.vote_log import VoteLog
from node.clock import now_ms
from node.execution.ledger import LedgerService
from node.execution.propose import Proposer
from node.faults import is_fatal, quorum_disagrees
from node.p2p.network import Channel, Network
from node.spread import wire

log = structlog.get_logger("mutua.consensus")

RESEND_S = 1.0
BAN_AFTER_S = 0.5
"""Time for the proof to reach the member that is banned for it."""
ASK_AFTER_S = 0.25
"""A block travels behind its proposal: peers are asked for it after this wait."""
ASKED_PEERS = 2
QUEUE_MAX = 10_000
MISBEHAVIOUR_KEPT_MAX = 256


@dataclass(frozen=True, slots=True)
class Seat:
    """A member's place in the committee, with what it takes to sign and propose there."""

    index: int
    consensus_seed: bytes
    proposer: Proposer


class Driver:
    """Runs one height after another until cancelled."""

    def __init__(
        self,
        ledger: LedgerService,
        network: Network,
        vote_log: VoteLog,
        candidates: ProposedBlocks,
        *,
        seat: Seat | None,
        guard: DoubleSignGuard | None,
        choose_peer: Callable[[Sequence[bytes]], bytes],
    ) -> None:
        """`seat` and `guard` are None for a node that only follows."""
        self._ledger = ledger
        self._network = network
        self._log = vote_log
        self._seat = seat
        self._guard = guard
        self._candidates = candidates
        self._choose_peer = choose_peer
        self._send, self._queue = trio.open_memory_channel[tuple[int, int | None, ev.Event]](QUEUE_MAX)
        self._lasting: trio.Nursery | None = None
        self._nursery: trio.Nursery | None = None
        self._scope = trio.CancelScope()
        self._state: machine.State | None = None
        self._before: machine.State | None = None
        """Where the height before ended: members ask what they were seen to sign there."""
        self._working_on = 0
        self._run_number = 0
        self._is_committing = False
        self.view = 0
        self.messages_out = 0
        self.misbehaviour: deque[fx.ReportMisbehaviour] = deque(maxlen=MISBEHAVIOUR_KEPT_MAX)
        self._own_votes, limits = None, RateLimits(len(ledger.committee))
        if seat is not None and guard is not None:
            anew = self._begin_anew
            parts = (seat.index, ledger, network, vote_log, limits)
            self._own_votes = OwnVotes(*parts, guard=guard, on_change=anew)
        self.receiver = Receiver(ledger, network, self._own_votes, limits, state=lambda: self._state, put=self._put)

    async def run(self) -> None:
        """Look back, then drive heights for ever."""
        if self._own_votes is not None:
            await self._own_votes.look_back()
        async with trio.open_nursery() as self._lasting:
            await self._run_heights()

    async def _run_heights(self) -> None:
        while True:
            height = self._working_on = self._ledger.height + 1
            await self._candidates.start(height)
            if self._ledger.height + 1 != height:
                continue
            with trio.CancelScope() as self._scope:
                async with trio.open_nursery() as nursery:
                    self._nursery = nursery
                    await self._run_height(height)
                    nursery.cancel_scope.cancel()

    def height_moved(self, height: int) -> None:
        """A block is final: leave its height if this driver still works on it (it came by sync)."""
        if height >= self._working_on:
            self._begin_anew()

    def note_final(self, height: int) -> None:
        """End a quarantine that a final block ends, and forget votes of the heights before. Blocks on the disk."""
        if self._guard is not None:
            self._guard.end_if_over(height)
        self._log.prune(height)

    def _begin_anew(self) -> None:
        if not self._is_committing:
            self._scope.cancel()

    @property
    def quarantined_until(self) -> int | None:
        """The block that must be final before a quarantine ends; None without one, or while it is not known."""
        return None if self._guard is None else self._guard.quarantined_until

    @property
    def signs_elsewhere(self) -> bool:
        """True when another node signs with this node's key."""
        return self._guard is not None and self._guard.signs_elsewhere

    @property
    def is_signing(self) -> bool:
        """True while this node votes."""
        return self._seat is not None and (self._guard is None or self._guard.may_sign())

    @property
    def messages_in(self) -> int:
        """The number of messages that peers sent since the start."""
        return self.receiver.messages_in

    # ---- Peers ------------------------------------------------------------

    async def hear(self, peer: bytes, data: bytes) -> None:
        """Take a frame of the consensus channel. MalformedBytes: the peer is to be struck."""
        await self.receiver.hear(peer, data)

    async def hear_candidate(self, peer: bytes, block: BlockWithBodies, size: int) -> None:
        """Take the body of a proposed block; a check that waits for it goes on. MalformedBytes: strike the peer."""
        await self._candidates.offer(peer, block, size, self._working_on)

    async def hear_vote_report(self, member: bytes, report: wire.VoteReport) -> None:
        """Take what a committee member's node has seen this node sign."""
        if self._own_votes is not None:
            await self._own_votes.hear_report(member, report)

    def hear_tip(self, member: bytes, height: int) -> None:
        """Take the final height of a committee member's node."""
        if self._guard is not None:
            self._guard.hear_tip(member, height)

    async def candidate(self, block_hash: bytes) -> BlockWithBodies | None:
        """Return a proposed block of this height, for a peer that asks."""
        return await self._candidates.get(block_hash)

    def votes_of(self, voter: int) -> wire.VoteReport:
        """Return what this node has seen a member sign at the height it works on and the one before."""
        states = [state for state in (self._state, self._before) if state is not None]
        return report_of(self._ledger.height + 1, voter, states, self.misbehaviour)

    # ---- One height --------------------------------------------------------

    async def _run_height(self, height: int) -> None:
        assert self._nursery is not None
        self._run_number += 1
        run = self._run_number
        config = self._ledger.config()
        if not self.is_signing:
            config = replace(config, own_index=None)
        if self._state is not None and self._state.config.height < height:
            self._before = self._state
        self._state, effects = machine.start_height(config, self._log.cells(height))
        self.view = self._state.view
        if await self._carry_out(effects):
            return
        for task in (self._open_slot, self._resend, self.receiver.hear_kept):
            self._nursery.start_soon(task)
        if self._own_votes is not None:
            self._nursery.start_soon(self._own_votes.keep_asking)
        async for event_height, event_run, event in self._queue:
            if event_height != height or event_run not in (None, run):
                continue
            self._state, effects = machine.step(self._state, event)
            self.view = self._state.view
            if await self._carry_out(effects):
                return
            self._look_again()

    async def _carry_out(self, effects: tuple[fx.Effect, ...]) -> bool:
        """Carry out effects in order; True when the height is final."""
        assert self._nursery is not None
        for effect in effects:
            match effect:
                case fx.Journal():
                    await trio.to_thread.run_sync(self._log.append, effect.cell)
                case fx.CastVote():
                    self._cast(effect)
                case fx.SendProposal():
                    await self._propose(effect)
                case fx.SendCertificate():
                    self._out(effect.certificate)
                case fx.SetTimer():
                    self._nursery.start_soon(self._timer, effect.view, effect.after_ms)
                case fx.BuildBlock():
                    self._nursery.start_soon(self._build, effect.view)
                case fx.CheckBlock():
                    self._check_soon(effect.block_hash, effect.proposer)
                case fx.Resend():
                    for message in effect.messages:
                        self._out(message)
                case fx.ReportMisbehaviour():
                    self._report(effect)
                case fx.Finalize():
                    if await self._finalize(effect.certificate):
                        return True
        return False

    def _report(self, effect: fx.ReportMisbehaviour) -> None:
        """Keep a proof, show it to the member's node, and refuse that node for a while."""
        first = effect.first
        by = first.proposer if isinstance(first, Proposal) else first.voter
        facts = {"height": first.height, "view": first.view, "kind": type(first).__name__}
        log.warning("misbehaviour_seen", peer=self._name_of(by), **facts)
        self.misbehaviour.append(effect)
        assert self._lasting is not None
        self._lasting.start_soon(self._ban, by)

    async def _ban(self, member: int) -> None:
        """Ban a member's node that signed two things where it may sign one; it may be a copy that does not know."""
        peer = next((key for key, index in self._ledger.seats.items() if index == member), None)
        if peer is None or peer == self._network.key:
            return
        self._network.send(peer, Channel.SYNC, wire.encode_message(self.votes_of(member)))
        await trio.sleep(BAN_AFTER_S)
        self._network.ban(peer, "it signed two things where it may sign one")

    async def _finalize(self, certificate: Certificate) -> bool:
        """Commit the block of a commit certificate. False: it is not here yet; peers are asked for it."""
        height = certificate.height
        if self._ledger.height >= height:
            return True
        candidate = self._candidates.checked.get(certificate.block_hash)
        if candidate is None:
            self._candidates.expect(certificate.block_hash, None)
            block = await self._candidates.get(certificate.block_hash)
            if block is None:
                self._ask_for(certificate.block_hash)
                return False
            try:
                candidate = await self._ledger.check(block)
            except MutuaError as error:
                if self._ledger.height >= height:
                    return True
                if is_fatal(error):
                    raise
                raise quorum_disagrees(height, error) from error
        self._is_committing = True
        try:
            await self._ledger.commit(candidate, certificate)
        finally:
            self._is_committing = False
        return True

    # ---- Effects that answer with an event -------------------------------------

    def _cast(self, effect: fx.CastVote) -> None:
        assert self._seat is not None
        config = self._ledger.config()
        if config.height != effect.vote.height or not self.is_signing:
            return
        vote = sign_vote(effect.vote, self._seat.consensus_seed, config.chain_id)
        self._out(vote)
        self._answer(ev.VoteReceived(vote))

    async def _propose(self, effect: fx.SendProposal) -> None:
        assert self._seat is not None
        config = self._ledger.config()
        if config.height != effect.proposal.height or not self.is_signing:
            return
        proposal = sign_proposal(effect.proposal, self._seat.consensus_seed, config.chain_id)
        self._out(proposal)
        block = await self._candidates.get(proposal.block_hash)
        if block is not None:
            self._network.broadcast(Channel.SYNC, wire.encode_message(wire.Candidate(block)))
        self._answer(ev.ProposalReceived(proposal))

    async def _build(self, view: int) -> None:
        assert self._seat is not None
        try:
            candidate = await self._ledger.build(self._seat.proposer)
        except MutuaError as error:
            if is_fatal(error):
                raise
            # An expected error, without its trace.
            log.error("block_not_built", code=error.code, what=error.what)  # noqa: TRY400
            return
        if candidate.header.height != self._working_on:
            return
        self._candidates.put(candidate)
        await self._candidates.keep(candidate.block_hash)
        self._answer(ev.BlockBuilt(view, candidate.block.block.header, candidate.block_hash))

    def _check_soon(self, block_hash: bytes, proposer: int | None) -> None:
        assert self._nursery is not None
        given_up = self._candidates.expect(block_hash, proposer)
        if given_up is not None:
            log.warning("proposal_given_up", proposer=proposer, hint="its proposer names blocks and does not send them")
        self._nursery.start_soon(self._check, block_hash)

    async def _check(self, block_hash: bytes) -> None:
        """Get a proposed block, check and keep it; tell whether it is valid."""
        block = await self._obtain(block_hash)
        is_valid = block is not None and await self._is_valid(block_hash, block)
        if is_valid:
            await self._candidates.keep(block_hash)
        self._answer(ev.BlockChecked(block_hash, is_valid=is_valid))

    async def _is_valid(self, block_hash: bytes, block: BlockWithBodies) -> bool:
        """Check a block. A fresh one must have been proposed about now, by our clock."""
        header = decode_header(block.block.header)
        if not (self._is_notarized(block_hash) or self._ledger.is_timely(header, self.receiver.seen_ms(block_hash))):
            facts = {"height": header.height, "proposed_time_ms": header.proposed_time_ms}
            hint = "check this computer's clock"
            log.warning("proposal_untimely", peer=self._name_of(header.proposer), **facts, hint=hint)
            self._candidates.memory.set_aside(block_hash)
            return False
        if block_hash not in self._candidates.checked:
            try:
                self._candidates.checked[block_hash] = await self._ledger.check(block)
            except MutuaError as error:
                if is_fatal(error):
                    raise
                by = self._name_of(header.proposer)
                log.warning("proposal_invalid", peer=by, code=error.code, what=error.what)
                self._candidates.forget(block_hash)
                return False
        return True

    def _name_of(self, member: int) -> str:
        """Return a committee member for the log; a header may name one who is not there."""
        committee = self._ledger.committee
        return committee[member].hex()[:16] if 0 <= member < len(committee) else f"member {member}"

    async def _obtain(self, block_hash: bytes) -> BlockWithBodies | None:
        """Return a block once it is here, asking peers for it; None when it is given up."""
        wait_s = ASK_AFTER_S
        while (block := await self._candidates.get(block_hash)) is None:
            with trio.move_on_after(wait_s):
                if not await self._candidates.arrived(block_hash):
                    return None
                continue
            self._ask_for(block_hash)
            wait_s = RESEND_S
        return block

    def _look_again(self) -> None:
        """Check again what was set aside and the others notarized: neither its time nor its proposer matters now."""
        assert self._state is not None
        for block_hash in self._candidates.memory.due_again(self._state.certificates.values()):
            self._check_soon(block_hash, None)

    def _is_notarized(self, block_hash: bytes) -> bool:
        assert self._state is not None
        held = self._state.certificates.values()
        return any(item.kind == VoteKind.NOTARIZE and item.block_hash == block_hash for item in held)

    async def _open_slot(self) -> None:
        while (wait_ms := self._ledger.earliest_ms() - now_ms()) > 0:  # noqa: ASYNC110 - a wall clock may be set
            await trio.sleep(min(wait_ms, 60_000) / 1000)
        self._answer(ev.SlotOpened())

    async def _timer(self, view: int, after_ms: int) -> None:
        await trio.sleep(after_ms / 1000)
        self._answer(ev.TimerFired(view))

    async def _resend(self) -> None:
        while True:
            await trio.sleep(RESEND_S)
            self._answer(ev.ResendTick())

    def _ask_for(self, block_hash: bytes) -> None:
        """Ask a few peers, by chance, for a block."""
        peers = list(self._network.connected())
        for _ in range(min(ASKED_PEERS, len(peers))):
            peer = self._choose_peer(peers)
            peers.remove(peer)
            self._network.send(peer, Channel.SYNC, wire.encode_message(wire.GetCandidate(block_hash)))

    def _out(self, message: Message) -> None:
        self.messages_out += self._network.broadcast(Channel.CONSENSUS, encode_message(message))

    def _answer(self, event: ev.Event) -> None:
        """Queue an event of this very run: it means nothing to another run of the same height."""
        self._put(event, self._working_on, self._run_number)

    def _put(self, event: ev.Event, height: int, run: int | None = None) -> None:
        """Queue an event; a full queue drops it, and resending brings it again."""
        try:
            self._send.send_nowait((height, run, event))
        except trio.WouldBlock:
            self.receiver.messages_dropped += 1
