"""A whole committee from one seed, over the very step function that daemons run.

Nothing is real but the protocol: the clock is a number, the network a heap of deliveries, disks are bytes, and chance
is one seeded generator, so a seed always gives the same run. Two phases. First everything goes wrong: messages are
lost, late, doubled; the network splits; members lose power, also in the middle of a write to the vote log; one member
is Byzantine. Then the network is whole and all are up, the Byzantine member goes on, and every honest member must reach
the last height. The checker (`consensus.simulator_invariants`) judges each message and each commit.

    python -m consensus.simulator --seed 1 --runs 1000
"""

from __future__ import annotations

import argparse
import heapq
import sys
from collections.abc import Callable, Collection, Mapping, Sequence
from functools import partial
from hashlib import sha256
from random import Random
from time import perf_counter

from consensus import effects as fx
from consensus import events as ev
from consensus import machine, votelog
from consensus import simulator_byzantine as adversary
from consensus.candidates import Candidates
from consensus.catchup import find_wanted
from consensus.messages import Certificate, Message, Proposal, Vote, decode_message, encode_message
from consensus.simulator_invariants import ALL_RULES, InvariantChecker
from consensus.simulator_member import GENESIS, Member
from consensus.simulator_options import Options, Report, options_of
from consensus.state import Config, State
from ledger.blocks import block_hash_of, decode_header
from ledger.hashing import ZERO_HASH

Step = Callable[[State, ev.Event], tuple[State, tuple[fx.Effect, ...]]]

TIMEOUT0_MS = 400
TIMEOUT_CAP_MS = 3_000
TICK_MS = 300
CALM_MAX_MS = 20_000
"""I12: simulated time in which a whole network must reach the last height; the slowest of 4,300 seeds took 4,332."""
LATER_MAX = 200
_FINGERPRINT_SIZE = 32


class Cluster:
    """One run."""

    def __init__(self, options: Options, step: Step, rules: frozenset[str]) -> None:
        self.options = options
        self.rng = Random(options.seed)  # noqa: S311  # chance that can be repeated is the point
        self.size = options.size
        self.flood = options.flood
        self._step = step
        self._now_ms = 0
        self._is_calm = False
        self._heap: list[tuple[int, int, Callable[[], None]]] = []
        self._order = 0
        self._groups: list[int] | None = None
        self._event_count = self._crash_count = self._view_max = 0
        self._trace = sha256()
        byzantine = () if options.byzantine is None else (options.byzantine,)
        self.checker = InvariantChecker(options.size, byzantine, GENESIS, rules)
        self._committee = tuple(bytes([member]) * 32 for member in range(options.size))
        start, head = votelog.begin(bytes(_FINGERPRINT_SIZE))
        count = options.size + options.has_observer
        honest = [index for index in range(count) if index not in byzantine]
        self._members = {index: Member(index, bytearray(start), head) for index in honest}
        self._byzantine = None if options.byzantine is None else adversary.ByzantineMember(options.byzantine, self)

    # ---- The run --------------------------------------------------------------

    def run(self) -> Report:
        """Run to the end; Violation when something happens that must not."""
        for member in self._members.values():
            self._start(member)
        self._after(self.options.chaos_ms, self._calm_down)
        if self.options.split_every_ms:
            self._after(self.options.split_every_ms, self._split)
        if self.options.storm_every_ms:
            self._after(self.options.storm_every_ms, self._storm)
        if self._byzantine is not None:
            self._after(adversary.ACT_EVERY_MS, self._act_byzantine)
        while not self._is_done():
            self._now_ms, _, happen = heapq.heappop(self._heap)
            self._event_count += 1
            if self._now_ms > self.options.chaos_ms + CALM_MAX_MS:
                heights = [(member.index, member.height) for member in self._members.values()]
                self.checker.starved(f"(member, height) {heights} after {self._now_ms} ms")
                break
            happen()
        figures = (self._now_ms, self._event_count, self._crash_count, self._view_max)
        return Report(self.options, *figures, self._trace.hexdigest())

    def _is_done(self) -> bool:
        return all(member.height >= self.options.heights for member in self._members.values())

    def _after(self, delay_ms: int, happen: Callable[[], None]) -> None:
        self._order += 1
        heapq.heappush(self._heap, (self._now_ms + delay_ms, self._order, happen))

    def _calm_down(self) -> None:
        self._is_calm = True
        self._groups = None
        for member in self._members.values():
            if member.state is None and member.height < self.options.heights:
                self._restart(member, member.life)

    def _split(self) -> None:
        if self._is_calm:
            return
        whole = self._groups is not None and self.rng.random() < 0.5
        self._groups = None if whole else [self.rng.randrange(2) for _ in range(self.size + 1)]
        self._after(self.rng.randint(1, 2 * self.options.split_every_ms), self._split)

    def _storm(self) -> None:
        if self._is_calm:
            return
        for member in self._members.values():
            if member.state is not None:
                self._crash(member, None)
        self._after(self.rng.randint(1, 2 * self.options.storm_every_ms), self._storm)

    def _act_byzantine(self) -> None:
        assert self._byzantine is not None
        if self._is_calm and self.options.is_byzantine_gone:
            return
        self._byzantine.act()
        self._after(adversary.ACT_EVERY_MS, self._act_byzantine)

    # ---- What the adversary may use ------------------------------------------------

    def send(self, sender: int, to: int, parcel: adversary.Parcel) -> None:
        """Put a parcel on the network, which may lose, delay or double it."""
        options, rng = self.options, self.rng
        if self._is_calm:
            self._after(rng.randint(1, 20), partial(self._deliver, sender, to, parcel))
            return
        if self._groups is not None and self._groups[sender] != self._groups[to]:
            return
        if rng.random() < options.loss:
            return
        for _ in range(1 + (rng.random() < options.duplicates)):
            delay_ms = rng.randint(1, 4_000 if rng.random() < options.slow else options.delay_max_ms)
            self._after(delay_ms, partial(self._deliver, sender, to, parcel))

    def note_vote(self, vote: Vote) -> None:
        """Let the checker know of a vote that exists."""
        self.checker.vote_sent(vote.voter, vote, tuple, {})

    def final_hashes(self) -> Mapping[int, bytes]:
        """Return the final block of each height."""
        return self.checker.final

    # ---- Members --------------------------------------------------------------

    def _start(self, member: Member) -> None:
        """Open the height after the tip, or stop at the last one."""
        member.inbox.clear()
        member.blocks = self.new_blocks()
        for block_hash in member.kept:
            member.blocks.note_kept(block_hash)
        member.life += 1
        if member.height >= self.options.heights:
            member.state = None
            return
        own_index = member.index if member.index < self.size else None
        place = (adversary.CHAIN_ID, 0, member.height + 1, self._committee, adversary.leader_seed(member.tip))
        config = Config(*place, own_index, TIMEOUT0_MS, TIMEOUT_CAP_MS)
        member.state, effects = machine.start_height(config, member.cells)
        life = member.life
        self._after(self.rng.randint(0, 150), partial(self._happen, member, life, ev.SlotOpened()))
        self._after(self.rng.randint(1, TICK_MS), partial(self._tick, member, life))
        later, member.later = member.later, []
        self._carry_out(member, effects)
        for sender, message in later:
            if member.life == life:
                self.hear(member, sender, message)

    def _happen(self, member: Member, life: int, event: ev.Event) -> None:
        """Let an event happen to a member, unless that life or height is over; then all that follows from it."""
        if member.life != life:
            return
        member.inbox.append(event)
        while member.inbox and member.life == life:
            assert member.state is not None
            member.state, effects = self._step(member.state, member.inbox.popleft())
            self._view_max = max(self._view_max, member.state.view)
            self._carry_out(member, effects)
            if member.life == life:
                for block_hash in member.blocks.due_again(member.state.certificates.values()):
                    self._want(member, block_hash, None)

    def _tick(self, member: Member, life: int) -> None:
        if member.life != life:
            return
        self._after(TICK_MS, partial(self._tick, member, life))
        self._broadcast(member, adversary.TipReport(member.height))
        for block_hash in member.blocks.awaited():
            self._broadcast(member, adversary.GetBody(block_hash))
        self._happen(member, life, ev.ResendTick())

    def _deliver(self, sender: int, to: int, parcel: adversary.Parcel) -> None:
        if self._byzantine is not None and to == self._byzantine.index:
            if not (self._is_calm and self.options.is_byzantine_gone):
                self._byzantine.hear(sender, parcel)
            return
        member = self._members[to]
        if member.state is None and member.height < self.options.heights:
            return  # without power
        match parcel:
            case adversary.TipReport(height):
                for wanted in find_wanted(height, [member.height], 3):
                    self.send(to, sender, member.chain[wanted - 1])
            case adversary.Final(header, certificate):
                if certificate.height == member.height + 1:
                    self._commit(member, header, certificate)
            case adversary.GetBody(block_hash):
                header = self.body_of(member, block_hash)
                if header is not None:
                    self.send(to, sender, adversary.Body(header))
            case adversary.Body(header):
                self._take_body(member, sender, header)
            case _:
                self.hear(member, sender, parcel)

    def hear(self, member: Member, sender: int, message: Message) -> None:
        """Take a message as the driver does: this height's at once, the next one's later, an old one gets an answer."""
        if message.height <= member.height:
            self.send(member.index, sender, member.chain[message.height - 1])
            return
        if message.height > member.height + 1:
            if len(member.later) < LATER_MAX:
                member.later.append((sender, message))
            return
        life = member.life
        match message:
            case Vote():
                self._happen(member, life, ev.VoteReceived(message))
            case Certificate():
                self._happen(member, life, ev.CertificateReceived(message))
            case Proposal():
                for certificate in message.justification:
                    self._happen(member, life, ev.CertificateReceived(certificate))
                self._happen(member, life, ev.ProposalReceived(message))

    def _take_body(self, member: Member, sender: int, header: bytes) -> None:
        decoded = decode_header(header)
        block_hash = block_hash_of(decoded)
        if decoded.height == member.height + 1:
            is_awaited = block_hash in member.blocks.awaited()
            member.blocks.offer(bytes([sender]), block_hash, header, len(header))
            if is_awaited:
                self._check(member, block_hash)

    def _check(self, member: Member, block_hash: bytes) -> None:
        header = self.body_of(member, block_hash)
        if header is not None:
            self._after(self.rng.randint(1, 40), partial(self._judge, member, block_hash, header, member.life))

    def _judge(self, member: Member, block_hash: bytes, data: bytes, life: int) -> None:
        """Keep a block that was found valid, as the driver does, and tell the machine."""
        if member.life != life:
            return
        header = decode_header(data)
        is_valid = header.parent == member.tip and header.reserved == ZERO_HASH
        if is_valid:
            self.keep(member, block_hash)
        else:
            member.blocks.forget(block_hash)
        self._happen(member, life, ev.BlockChecked(block_hash, is_valid=is_valid))

    def _build(self, member: Member, view: int, life: int) -> None:
        if member.life != life:
            return
        header = adversary.make_header(member.height + 1, member.tip, member.index, self.rng.randbytes(8))
        block_hash = block_hash_of(decode_header(header))
        member.blocks.hold(block_hash, header, len(header))
        self.keep(member, block_hash)
        self._happen(member, life, ev.BlockBuilt(view, header, block_hash))

    def new_blocks(self) -> Candidates[bytes]:
        """Return where a member has the blocks of a height. Tests plant faults here."""
        return Candidates()

    def body_of(self, member: Member, block_hash: bytes) -> bytes | None:
        """Return a block of this height from memory or disk."""
        return member.blocks.held(block_hash) or member.kept.get(block_hash)

    def keep(self, member: Member, block_hash: bytes) -> None:
        """Write a held block to the disk."""
        if not member.blocks.is_kept(block_hash):
            header = member.blocks.held(block_hash)
            assert header is not None, "a block that is to be kept is held"
            member.kept[block_hash] = header
            member.blocks.note_kept(block_hash)

    # ---- Effects --------------------------------------------------------------

    def _carry_out(self, member: Member, effects: Sequence[fx.Effect]) -> None:
        """Carry out effects in order, as the driver does; the power may go before each."""
        life = member.life
        for effect in effects:
            if not self._is_calm and self.options.crash and self.rng.random() < self.options.crash:
                self._crash(member, effect)
            if member.life != life:
                return
            self._carry_out_one(member, effect)

    def _carry_out_one(self, member: Member, effect: fx.Effect) -> None:
        life = member.life
        match effect:
            case fx.Journal(cell):
                record, member.head = votelog.append(member.head, cell)
                member.disk += record
                member.cells.append(cell)
            case fx.CastVote(vote):
                signed = adversary.signed_vote(vote.kind, vote.height, vote.view, vote.block_hash, vote.voter)
                self.checker.vote_sent(member.index, signed, lambda: member.cells, member.kept)
                self._broadcast(member, _over_the_wire(signed))
                member.inbox.append(ev.VoteReceived(signed))
            case fx.SendProposal(bare):
                height, view, header, proposer = bare.height, bare.view, bare.header, bare.proposer
                proposal = adversary.signed_proposal(height, view, header, proposer, bare.justification)
                self.checker.proposal_sent(member.index, proposal, lambda: member.cells)
                self._broadcast(member, adversary.Body(proposal.header))
                self._broadcast(member, _over_the_wire(proposal))
                member.inbox.append(ev.ProposalReceived(proposal))
            case fx.SendCertificate(certificate):
                self._broadcast(member, _over_the_wire(certificate))
            case fx.SetTimer(view, after_ms):
                self._after(after_ms, partial(self._happen, member, life, ev.TimerFired(view)))
            case fx.BuildBlock(view):
                self._after(self.rng.randint(1, 60), partial(self._build, member, view, life))
            case fx.CheckBlock(block_hash, proposer):
                self._want(member, block_hash, proposer)
            case fx.Resend(messages):
                for message in messages:
                    self._broadcast(member, message)
            case fx.ReportMisbehaviour(first, second):
                self.checker.reported(member.index, first, second)
            case fx.Finalize(certificate):
                header = self.body_of(member, certificate.block_hash)
                if header is None:
                    self._want(member, certificate.block_hash, None)
                else:
                    self._commit(member, header, certificate)

    def _want(self, member: Member, block_hash: bytes, proposer: int | None) -> None:
        given_up = member.blocks.expect(block_hash, proposer)
        if given_up is not None:
            member.inbox.append(ev.BlockChecked(given_up, is_valid=False))
        if member.blocks.has(block_hash):
            self._check(member, block_hash)
        else:
            self._broadcast(member, adversary.GetBody(block_hash))

    def _commit(self, member: Member, header: bytes, certificate: Certificate) -> None:
        """Make a block durable and go on; the vote log forgets the height now and then."""
        self.checker.committed(member.index, header, certificate)
        self._trace.update(bytes([member.index]) + certificate.block_hash)
        member.chain.append(adversary.Final(header, certificate))
        member.kept.clear()
        if self.rng.random() < 0.5:
            data, member.head = votelog.prune(bytes(_FINGERPRINT_SIZE), member.cells, member.height)
            member.disk = bytearray(data)
            member.cells = [cell for cell in member.cells if cell.height > member.height]
        self._start(member)

    def _crash(self, member: Member, effect: fx.Effect | None) -> None:
        """Cut the power. What a journal write had under way is on the disk in part, in full, or not at all."""
        if isinstance(effect, fx.Journal):
            record, _ = votelog.append(member.head, effect.cell)
            member.disk += record[: self.rng.randint(0, len(record))]
        self._crash_count += 1
        member.life += 1
        member.state = None
        member.later.clear()
        self._after(self.rng.randint(20, self.rng.choice((100, 2_500))), partial(self._restart, member, member.life))

    def _restart(self, member: Member, life: int) -> None:
        if member.life != life or member.state is not None:
            return
        scan = votelog.scan(bytes(member.disk), bytes(_FINGERPRINT_SIZE))
        assert list(scan.cells[: len(member.cells)]) == member.cells, "a synced record of the vote log was lost"
        del member.disk[scan.size :]
        member.head = scan.head
        member.cells = list(scan.cells)
        self._start(member)

    def _broadcast(self, member: Member, parcel: adversary.Parcel) -> None:
        if isinstance(parcel, Vote | Proposal):
            self._trace.update(bytes([member.index]) + parcel.signature)
        for to in range(self.size + self.options.has_observer):
            if to != member.index:
                self.send(member.index, to, parcel)


def _over_the_wire(message: Message) -> Message:
    """Return a message as it arrives: encoded and decoded."""
    arrived = decode_message(encode_message(message))
    assert arrived == message, "a message changed on the wire"
    return arrived


def simulate(options: Options, step: Step = machine.step, rules: Collection[str] = ALL_RULES) -> Report:
    """Run one cluster; Violation (or an assertion of the machine) when something happens that must not."""
    return Cluster(options, step, frozenset(rules)).run()


def main(arguments: Sequence[str] | None = None) -> int:
    """Run seeds from the command line, print each that fails, and return 1 if one did."""
    parser = argparse.ArgumentParser(prog="python -m consensus.simulator", description="Try to break H-Simplex.")
    parser.add_argument("--seed", type=int, default=1, help="the first seed")
    parser.add_argument("--runs", type=int, default=100, help="how many seeds, one after another")
    parser.add_argument("--verbose", action="store_true", help="print a line for each seed")
    chosen = parser.parse_args(arguments)
    began = perf_counter()
    failed: list[int] = []
    events = crashes = slowest_ms = 0
    for seed in range(chosen.seed, chosen.seed + chosen.runs):
        try:
            report = simulate(options_of(seed))
        except AssertionError as error:
            failed.append(seed)
            print(f"seed {seed} FAILED: {error}; {options_of(seed)}")
            continue
        events += report.event_count
        crashes += report.crash_count
        slowest_ms = max(slowest_ms, report.simulated_ms - report.options.chaos_ms)
        if chosen.verbose:
            print(f"seed {seed}: {report.simulated_ms} ms, view {report.view_max}, {report.options}")
    print(
        f"seeds {chosen.seed}..{chosen.seed + chosen.runs - 1}: {len(failed)} failed, {events} events, {crashes} power"
        f" losses, slowest recovery {slowest_ms} simulated ms, {perf_counter() - began:.1f} s"
    )
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
