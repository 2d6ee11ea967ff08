"""Own votes that peers have seen: what this node's key has signed and its vote log lacks.

Such a vote means an old disk image, or a second node with the same key; the double-sign guard then begins a quarantine.
Committee members' nodes are asked at the start and at each height, because a second node with this key speaks to them
and not to this one. They tell of the newest final height too: what is signed there is signed in a few seconds of a day.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import KW_ONLY, dataclass, field, replace
from itertools import islice

import trio

from consensus.effects import ReportMisbehaviour
from consensus.messages import CellKind, Certificate, Message, Proposal, Vote, decode_message, encode_message
from consensus.signing import is_proposal_signed, verify_vote
from consensus.state import State
from ledger.errors import MalformedBytes
from node.agreement.metering import THREAD_FROM_SIGNATURES, RateLimits
from node.agreement.signing_guard import DoubleSignGuard
from node.agreement.vote_log import VoteLog
from node.execution.ledger import LedgerService
from node.p2p.network import Channel, Network
from node.spread import wire

LOOK_EVERY_S = 0.5
ASK_EVERY_S = 60.0
"""Within a height they are asked again: not all were connected, or at this height, when it began."""
MESSAGES_PER_TOKEN = 8
"""What an answer costs its sender, besides each signature that it makes this node verify."""


@dataclass(eq=False, slots=True)
class OwnVotes:
    """Compares what peers show of this node's signatures with its vote log. `on_change`: it may sign, or no longer."""

    index: int
    ledger: LedgerService
    network: Network
    vote_log: VoteLog
    limits: RateLimits
    _: KW_ONLY
    guard: DoubleSignGuard
    on_change: Callable[[], None]
    _verified: set[Vote | Proposal] = field(default_factory=set[Vote | Proposal])
    """Own signatures that peers showed and the log lacks: what is sent again is not verified again."""

    async def look_back(self) -> None:
        """Ask every committee member's node for this node's own votes until enough have answered."""
        while not self._is_enough():
            self.ask()
            with trio.move_on_after(LOOK_EVERY_S):
                while not self._is_enough():  # noqa: ASYNC110 - it depends on a clock, a height and links
                    await trio.sleep(0.02)

    async def keep_asking(self) -> None:
        """Ask at once and again and again, for as long as a height lasts."""
        while True:
            self.ask()
            await trio.sleep(ASK_EVERY_S)

    def ask(self) -> None:
        """Ask the committee members' nodes that are connected; followers are neither asked nor counted."""
        query = wire.encode_message(wire.VoteQuery(self.index))
        for peer in self._members():
            self.network.send(peer, Channel.SYNC, query)

    def _members(self) -> list[bytes]:
        return [peer for peer in self.network.connected() if peer in self.ledger.seats]

    def _is_enough(self) -> bool:
        return self.guard.look(len(self._members()))

    async def hear_report(self, member: bytes, report: wire.VoteReport) -> None:
        """Take the answer of a committee member's node to a query. Only what could be news is verified."""
        self._charge(member, 1 + len(report.votes) // MESSAGES_PER_TOKEN)
        if report.height >= self.ledger.height:
            news = self._unknown_in(report)
            self._charge(member, len(news))
            await self._verify(news)
            for signed in news:
                await self._compare(signed)
        self.guard.hear_answer(member, report.height)
        is_waiting = self.guard.quarantined_until is not None
        if is_waiting and await trio.to_thread.run_sync(self.guard.end_if_over, self.ledger.height):
            self.on_change()

    def _charge(self, member: bytes, cost: int) -> None:
        if not self.limits.spend(member, cost, trio.current_time()):
            what = "a peer tells again and again what it saw this node sign"
            raise MalformedBytes("votes_seen", what, "answer once when asked")

    def _unknown_in(self, report: wire.VoteReport) -> list[Vote | Proposal]:
        """Return what an answer shows that the log lacks, not yet verified, from the newest final height on."""
        self._verified = {signed for signed in self._verified if signed.height >= self.ledger.height}
        heights = report.height - 1, report.height
        found: list[Vote | Proposal] = []
        if len(set(report.votes)) < len(report.votes):
            raise _false_answer()
        for data in report.votes:
            signed = decode_message(data)
            if isinstance(signed, Certificate) or signed.height not in heights or _signer(signed) != self.index:
                raise _false_answer()
            if isinstance(signed, Proposal) and signed.justification:
                raise _false_answer()
            if signed.height >= self.ledger.height and signed not in self._verified and not self._is_logged(signed):
                found.append(signed)
        return found

    async def _verify(self, news: Sequence[Vote | Proposal]) -> None:
        config = self.ledger.config()

        def are_signed() -> bool:
            return all(
                verify_vote(signed, config.committee, config.chain_id)
                if isinstance(signed, Vote)
                else is_proposal_signed(signed, config.committee, config.chain_id)
                for signed in news
            )

        is_long = len(news) >= THREAD_FROM_SIGNATURES
        if not (await trio.to_thread.run_sync(are_signed) if is_long else are_signed()):
            raise _false_answer()
        self._verified.update(news)

    async def look_at(self, message: Message, certificates: Sequence[Certificate]) -> None:
        """Notice own signatures among verified messages."""
        if not isinstance(message, Certificate) and _signer(message) == self.index:
            await self._compare(message)
        for item in certificates:
            if self.index in item.voters:
                await self._compare(item)

    def _is_logged(self, signed: Message) -> bool:
        kind = CellKind.PROPOSE if isinstance(signed, Proposal) else CellKind(signed.kind)
        return self.vote_log.has(kind, signed.height, signed.view, signed.block_hash)

    async def _compare(self, signed: Message) -> None:
        if signed.height >= self.ledger.height and not self._is_logged(signed):
            was_signing = self.guard.may_sign()
            await trio.to_thread.run_sync(self.guard.suspect, signed.height)
            if was_signing:
                self.on_change()


def report_of(
    height: int, voter: int, states: Sequence[State], misbehaviour: Iterable[ReportMisbehaviour]
) -> wire.VoteReport:
    """Return the answer of a node that works on `height` to the member that asks what it was seen to sign.

    It tells of this height and the one before, contradictions first, then the newest. `states` are the machine's.
    """
    contradictions = (signed for item in misbehaviour for signed in (item.first, item.second))
    bare = (replace(item, justification=()) if isinstance(item, Proposal) else item for item in contradictions)
    found = [item for item in bare if _signer(item) == voter]
    for state in sorted(states, key=lambda state: state.config.height, reverse=True):
        found += _votes_in(state, voter)
    near = (item for item in dict.fromkeys(found) if item.height in (height - 1, height))
    return wire.VoteReport(height, tuple(encode_message(item) for item in islice(near, wire.VOTES_SEEN_MAX)))


def _votes_in(state: State, voter: int) -> list[Vote]:
    """Return a member's votes at the height of `state`, newest views first."""
    found = [column[voter] for column in state.votes.values() if voter in column]
    for item in state.certificates.values():
        if voter in item.voters:
            signature = item.signatures[item.voters.index(voter)]
            found.append(Vote(item.kind, item.epoch, item.height, item.view, item.block_hash, voter, signature))
    return sorted(found, key=lambda vote: vote.view, reverse=True)


def _signer(signed: Vote | Proposal) -> int:
    return signed.voter if isinstance(signed, Vote) else signed.proposer


def _false_answer() -> MalformedBytes:
    what = "an answer contains signatures that this node did not make, or made at other heights"
    return MalformedBytes(
        "votes_seen", what, "send votes as they were signed, of the height that is worked on and the one before"
    )
