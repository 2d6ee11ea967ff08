"""The driver of consensus: it feeds events to the step function and carries out its effects in order, journal first.

One task owns the machine. Everything that takes time answers with an event: building and checking a block run in
threads, timers and slots are sleeping tasks, peers' messages arrive verified. Nothing is sent before the vote log's
bytes are on the disk; nothing is told as final before the block's batch is synced. A height that becomes final by sync,
not by our own votes, ends the same way. A node that may not sign (`node.agreement.signing_guard`) runs the same machine
as an observer.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace

import structlog
import trio

from consensus import effects as fx
from consensus import events as ev
from consensus import machine
from consensus.messages import CellKind, Certificate, Message, Proposal, Vote, VoteKind, decode_message, encode_message
from consensus.signing import sign_proposal, sign_vote, verify_certificate, verify_proposal, verify_vote
from ledger.blocks import BlockWithBodies, Header, decode_header
from ledger.errors import MalformedBytes, MutuaError
from node.agreement.candidates import Candidates
from node.agreement.metering import Meter
from node.agreement.signing_guard import Standing
from node.agreement.vote_log import VoteLog
from node.execution.propose import Candidate, Proposer
from node.faults import is_fatal, quorum_disagrees
from node.p2p.network import Channel, Network
from node.spread import wire

log = structlog.get_logger("mutua.consensus")

RESEND_S = 1.0
ASK_AFTER_S = 0.25
"""A block travels behind its proposal: so long is waited before peers are asked for it."""
ASKED_PEERS = 2
LOOK_EVERY_S = 0.5
QUEUE_MAX = 10_000
LATER_FRAMES_MAX = 100
LATER_BYTES_MAX = 512 * 1024
"""Messages of the next height kept for each peer; older and later ones are answered by sync."""
THREAD_FROM_SIGNATURES = 3
MISBEHAVIOUR_KEPT_MAX = 256
SEEN_MAX = 1_000
"""Proposals whose time of arrival is remembered."""


@dataclass(frozen=True, slots=True)
class Seat:
    """A member's place in the committee, with what it takes to sign and propose there."""

    index: int
    consensus_seed: bytes
    proposer: Proposer


class Ledger:
    """What the driver asks of the daemon. Written as a class of callables so that each has one name and one shape."""

    def __init__(
        self,
        *,
        chain_id: bytes,
        height: Callable[[], int],
        config: Callable[[], machine.Config],
        earliest_ms: Callable[[], int],
        build: Callable[[], Awaitable[Candidate]],
        check: Callable[[BlockWithBodies], Awaitable[Candidate]],
        commit: Callable[[Candidate, Certificate], Awaitable[None]],
        is_timely: Callable[[Header, int], bool],
        now_ms: Callable[[], int],
    ) -> None:
        self.chain_id = chain_id
        self.height = height
        self.config = config
        self.earliest_ms = earliest_ms
        self.build = build
        self.check = check
        self.commit = commit
        self.is_timely = is_timely
        self.now_ms = now_ms


class Driver:
    """Runs one height after another until cancelled."""

    def __init__(
        self,
        ledger: Ledger,
        network: Network,
        vote_log: VoteLog,
        *,
        seat: Seat | None,
        standing: Standing | None,
        candidates: Candidates,
        choose_peer: Callable[[Sequence[bytes]], bytes],
    ) -> None:
        self._ledger = ledger
        self._network = network
        self._log = vote_log
        self._seat = seat
        self._standing = standing
        self._candidates = candidates
        self._choose_peer = choose_peer
        self._send, self._queue = trio.open_memory_channel[tuple[int, int | None, ev.Event]](QUEUE_MAX)
        self._later: dict[bytes, deque[tuple[bytes, int]]] = {}
        self._meters: dict[bytes, Meter] = {}
        self._seen_at: dict[bytes, int] = {}
        self._untimely: set[bytes] = set()
        self._nursery: trio.Nursery | None = None
        self._scope = trio.CancelScope()
        self._state: machine.State | None = None
        self._working_on = 0
        self._run_number = 0
        self._is_committing = False
        self.view = 0
        self.messages_in = 0
        self.messages_out = 0
        self.messages_dropped = 0
        self.misbehaviour: deque[object] = deque(maxlen=MISBEHAVIOUR_KEPT_MAX)

    async def run(self) -> None:
        """Look back, then drive heights for ever."""
        if self._standing is not None:
            await self._look_back(self._standing)
        while True:
            height = self._working_on = self._ledger.height() + 1
            await self._candidates.start(height)
            if self._ledger.height() + 1 != height:
                continue
            with trio.CancelScope() as self._scope:
                async with trio.open_nursery() as nursery:
                    self._nursery = nursery
                    await self._run_height(height)
                    nursery.cancel_scope.cancel()

    def height_moved(self, height: int) -> None:
        """A block is final: leave its height if this driver still works on it (it came by sync)."""
        if height >= self._working_on and not self._is_committing:
            self._scope.cancel()

    @property
    def is_signing(self) -> bool:
        """True while this node votes."""
        return self._seat is not None and (self._standing is None or self._standing.may_sign())

    # ---- Peers ------------------------------------------------------------

    async def hear(self, peer: bytes, data: bytes) -> None:
        """Take a frame of the consensus channel. MalformedBytes: the peer is to be struck."""
        self.messages_in += 1
        await self._hear(peer, data, self._ledger.now_ms())

    async def _hear(self, peer: bytes, data: bytes, seen_ms: int) -> None:
        message = decode_message(data)
        working_on = self._ledger.height() + 1
        if message.height == working_on + 1:
            self._keep_for_later(peer, data, seen_ms)
        elif message.height == working_on:
            await self._hear_now(peer, message, seen_ms)

    def _keep_for_later(self, peer: bytes, data: bytes, seen_ms: int) -> None:
        kept = self._later.setdefault(peer, deque())
        if len(kept) < LATER_FRAMES_MAX and sum(len(item) for item, _ in kept) + len(data) <= LATER_BYTES_MAX:
            kept.append((data, seen_ms))
        else:
            self.messages_dropped += 1

    async def _hear_now(self, peer: bytes, message: Message, seen_ms: int) -> None:
        """Verify what is new and queue it.

        What costs more signatures than the peer may spend is dropped; resending brings it again.
        """
        config = self._ledger.config()
        state = self._state if self._state is not None and self._state.config.height == config.height else None
        if state is not None and machine.is_known(state, message):
            return
        certificates = (
            [message]
            if isinstance(message, Certificate)
            else list(message.justification)
            if isinstance(message, Proposal)
            else []
        )
        fresh = [item for item in certificates if state is None or not machine.is_known(state, item)]
        cost = sum(len(item.voters) for item in fresh) + (not isinstance(message, Certificate))
        meter = self._meters.setdefault(peer, Meter(len(config.committee), trio.current_time()))
        if not meter.spend(cost, trio.current_time()):
            self.messages_dropped += 1
            return
        if cost < THREAD_FROM_SIGNATURES:
            _verify(message, fresh, config)
        else:
            await trio.to_thread.run_sync(_verify, message, fresh, config)
        if self._ledger.height() + 1 != config.height:
            return
        await self._look_for_own(message, fresh)
        for item in fresh:
            self._put(ev.CertificateReceived(item), config.height)
        if isinstance(message, Vote):
            self._put(ev.VoteReceived(message), config.height)
        elif isinstance(message, Proposal):
            self._candidates.expect(message.block_hash)
            self._seen_at.setdefault(message.block_hash, seen_ms)
            if len(self._seen_at) > SEEN_MAX:
                del self._seen_at[next(iter(self._seen_at))]
            self._put(ev.ProposalReceived(message), config.height)

    async def hear_candidate(self, peer: bytes, block: BlockWithBodies, size: int) -> None:
        """Take the body of a proposed block; a check that waits for it goes on.

        MalformedBytes: the peer is to be struck.
        """
        await self._candidates.offer(peer, block, size, self._working_on)

    def candidate(self, block_hash: bytes) -> BlockWithBodies | None:
        """Return a proposed block of this height, for a peer that asks."""
        return self._candidates.get(block_hash)

    # ---- Own votes that peers have seen --------------------------------------

    def votes_of(self, voter: int) -> wire.VotesSeen:
        """Return what this node has seen a member sign at the height it works on, newest views first."""
        found: list[Vote] = []
        state = self._state
        if state is not None:
            found += [column[voter] for column in state.votes.values() if voter in column]
            for item in state.certificates.values():
                if voter in item.voters:
                    signature = item.signatures[item.voters.index(voter)]
                    found.append(Vote(item.kind, item.epoch, item.height, item.view, item.block_hash, voter, signature))
        found.sort(key=lambda vote: vote.view, reverse=True)
        votes = list(dict.fromkeys(encode_message(vote) for vote in found))
        return wire.VotesSeen(self._ledger.height() + 1, tuple(votes[: wire.VOTES_SEEN_MAX]))

    async def hear_votes_seen(self, member: bytes, answer: wire.VotesSeen) -> None:
        """Take the answer of a committee member's node to AskVotes."""
        if self._standing is None or self._seat is None:
            return
        config = self._ledger.config()
        for data in answer.votes:
            vote = decode_message(data)
            if (
                not isinstance(vote, Vote)
                or vote.voter != self._seat.index
                or not verify_vote(vote, config.committee, config.chain_id)
            ):
                raise MalformedBytes(
                    "votes_seen", "an answer holds what this node has not signed", "send votes as they were signed"
                )
            await self._look_at_own(vote.kind, vote.height, vote.view, vote.block_hash)
        self._standing.hear_answer(member, answer.height)

    async def _look_for_own(self, message: Message, certificates: Sequence[Certificate]) -> None:
        """Notice what this node's key has signed and its log does not hold."""
        if self._seat is None:
            return
        own = self._seat.index
        if isinstance(message, Vote) and message.voter == own:
            await self._look_at_own(message.kind, message.height, message.view, message.block_hash)
        if (
            isinstance(message, Proposal)
            and message.proposer == own
            and not self._log.has(CellKind.PROPOSE, message.height, message.view, message.block_hash)
        ):
            await self._suspect("a proposal of this node's key is not in its vote log", message.height)
        for item in certificates:
            if own in item.voters:
                await self._look_at_own(item.kind, item.height, item.view, item.block_hash)

    async def _look_at_own(self, kind: VoteKind, height: int, view: int, block_hash: bytes) -> None:
        if height > self._ledger.height() and not self._log.has(CellKind(kind), height, view, block_hash):
            await self._suspect("a vote of this node's key is not in its vote log", height)

    async def _suspect(self, reason: str, height: int) -> None:
        if self._standing is None:
            return
        was_signing = self._standing.may_sign()
        await trio.to_thread.run_sync(self._standing.suspect, reason, height)
        if was_signing and not self._is_committing:
            self._scope.cancel()  # begin the height anew, as an observer

    async def _look_back(self, standing: Standing) -> None:
        """Ask every committee member's node for this node's own votes until enough have answered."""
        assert self._seat is not None
        ask = wire.encode_message(wire.AskVotes(self._seat.index))
        while not standing.look(len(self._network.connected())):
            self._network.broadcast(Channel.SYNC, ask)
            with trio.move_on_after(LOOK_EVERY_S):
                while not standing.look(len(self._network.connected())):  # noqa: ASYNC110 - it depends on a clock, a height and links
                    await trio.sleep(0.02)

    # ---- One height --------------------------------------------------------

    async def _run_height(self, height: int) -> None:
        assert self._nursery is not None
        self._run_number += 1
        run = self._run_number
        self._untimely.clear()
        config = self._ledger.config()
        if not self.is_signing:
            config = replace(config, own_index=None)
        self._state, effects = machine.start_height(config, self._log.cells(height))
        self.view = self._state.view
        if await self._carry_out(effects):
            return
        for task in (self._open_slot, self._resend, self._hear_later):
            self._nursery.start_soon(task)
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
                    self._propose(effect)
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
                    log.warning(
                        "misbehaviour_seen",
                        height=effect.first.height,
                        view=effect.first.view,
                        kind=type(effect.first).__name__,
                    )
                    self.misbehaviour.append(effect)
                case fx.Finalize():
                    if await self._finalize(effect.certificate):
                        return True
        return False

    async def _finalize(self, certificate: Certificate) -> bool:
        """Commit the block of a commit certificate.

        False: it is not here yet; peers are asked, and sync may bring it too.
        """
        height = certificate.height
        if self._ledger.height() >= height:
            return True
        candidate = self._candidates.checked.get(certificate.block_hash)
        if candidate is None:
            self._candidates.expect(certificate.block_hash)
            block = self._candidates.get(certificate.block_hash)
            if block is None:
                self._ask_for(certificate.block_hash)
                return False
            try:
                candidate = await self._ledger.check(block)
            except MutuaError as error:
                if self._ledger.height() >= height:
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

    def _propose(self, effect: fx.SendProposal) -> None:
        assert self._seat is not None
        config = self._ledger.config()
        if config.height != effect.proposal.height or not self.is_signing:
            return
        proposal = sign_proposal(effect.proposal, self._seat.consensus_seed, config.chain_id)
        self._out(proposal)
        block = self._candidates.get(proposal.block_hash)
        if block is not None:
            self._network.broadcast(Channel.SYNC, wire.encode_message(wire.Candidate(block)))
        self._answer(ev.ProposalReceived(proposal))

    async def _build(self, view: int) -> None:
        try:
            candidate = await self._ledger.build()
        except MutuaError as error:
            if is_fatal(error):
                raise
            log.error("block_not_built", code=error.code, what=error.what)  # noqa: TRY400 - an expected error, without its trace
            return
        if candidate.header.height != self._working_on:
            return
        self._candidates.put(candidate)
        await trio.to_thread.run_sync(self._candidates.keep, candidate.block_hash)
        self._answer(ev.BlockBuilt(view, candidate.block.block.header, candidate.block_hash))

    async def _check(self, block_hash: bytes) -> None:
        """Get a proposed block, check it, keep it.

        A fresh one must have been proposed about now, by this node's clock.
        """
        block = await self._obtain(block_hash)
        header = decode_header(block.block.header)
        if not self._is_notarized(block_hash) and not self._ledger.is_timely(
            header, self._seen_at.get(block_hash, self._ledger.now_ms())
        ):
            log.warning(
                "proposal_untimely",
                height=header.height,
                proposed_time_ms=header.proposed_time_ms,
                hint="check this computer's clock",
            )
            self._untimely.add(block_hash)
            self._answer(ev.BlockChecked(block_hash, is_valid=False))
            return
        if block_hash not in self._candidates.checked:
            try:
                self._candidates.checked[block_hash] = await self._ledger.check(block)
            except MutuaError as error:
                if is_fatal(error):
                    raise
                log.warning("proposal_invalid", code=error.code, what=error.what)
                self._answer(ev.BlockChecked(block_hash, is_valid=False))
                return
        await trio.to_thread.run_sync(self._candidates.keep, block_hash)
        self._answer(ev.BlockChecked(block_hash, is_valid=True))

    async def _obtain(self, block_hash: bytes) -> BlockWithBodies:
        wait_s = ASK_AFTER_S
        while (block := self._candidates.get(block_hash)) is None:
            with trio.move_on_after(wait_s):
                await self._candidates.arrived(block_hash)
                continue
            self._ask_for(block_hash)
            wait_s = RESEND_S
        return block

    def _look_again(self) -> None:
        """A block refused for its time alone and notarized by the others is checked again.

        Its time no longer matters.
        """
        for block_hash in [item for item in self._untimely if self._is_notarized(item)]:
            self._untimely.discard(block_hash)
            assert self._nursery is not None
            self._nursery.start_soon(self._check, block_hash)

    def _is_notarized(self, block_hash: bytes) -> bool:
        assert self._state is not None
        return any(
            item.block_hash == block_hash
            for item in self._state.certificates.values()
            if item.kind == VoteKind.NOTARIZE
        )

    async def _open_slot(self) -> None:
        while (wait_ms := self._ledger.earliest_ms() - self._ledger.now_ms()) > 0:  # noqa: ASYNC110 - a wall clock may be set
            await trio.sleep(min(wait_ms, 60_000) / 1000)
        self._answer(ev.SlotOpened())

    async def _timer(self, view: int, after_ms: int) -> None:
        await trio.sleep(after_ms / 1000)
        self._answer(ev.TimerFired(view))

    async def _resend(self) -> None:
        while True:
            await trio.sleep(RESEND_S)
            self._answer(ev.ResendTick())

    async def _hear_later(self) -> None:
        """Take what peers sent ahead of time."""
        later, self._later = self._later, {}
        for peer, frames in later.items():
            for data, seen_ms in frames:
                try:
                    await self._hear(peer, data, seen_ms)
                except MalformedBytes as error:
                    self._network.strike(peer, error.code)

    # ---- Helpers ------------------------------------------------------------

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
            self.messages_dropped += 1


def _verify(message: Message, fresh: Sequence[Certificate], config: machine.Config) -> None:
    """Raise MalformedBytes unless every signature of a message holds."""
    if isinstance(message, Vote) and not verify_vote(message, config.committee, config.chain_id):
        raise MalformedBytes("vote_signature", "a vote's signature does not verify", "send it as its voter signed it")
    if isinstance(message, Proposal) and not verify_proposal(message, config.committee, config.seed, config.chain_id):
        raise MalformedBytes(
            "proposal_signature", "a proposal is not signed by the leader of its view", "only leaders propose"
        )
    for item in fresh:
        if (item.height, item.epoch) != (config.height, config.epoch) or not verify_certificate(
            item, config.committee, config.chain_id
        ):
            raise MalformedBytes(
                "certificate", "a certificate does not hold", "send certificates of this height and committee"
            )
