"""Own votes that peers have seen: what this node's key has signed and its vote log lacks.

Such a vote means an old disk image, or a second node with the same key; the double-sign guard then begins a quarantine.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import trio

from consensus.messages import CellKind, Certificate, Message, Proposal, Vote, decode_message, encode_message
from consensus.signing import verify_vote
from consensus.state import State
from ledger.errors import MalformedBytes
from node.agreement.signing_guard import DoubleSignGuard
from node.agreement.vote_log import VoteLog
from node.execution.ledger import LedgerService
from node.p2p.network import Channel, Network
from node.spread import wire

LOOK_EVERY_S = 0.5


class OwnVotes:
    """Compares what peers show of this node's signatures with its vote log. `on_quarantine`: it fell silent."""

    def __init__(
        self,
        index: int,
        ledger: LedgerService,
        network: Network,
        vote_log: VoteLog,
        *,
        guard: DoubleSignGuard,
        on_quarantine: Callable[[], None],
    ) -> None:
        self._index = index
        self._ledger = ledger
        self._network = network
        self._log = vote_log
        self._guard = guard
        self._on_quarantine = on_quarantine

    async def look_back(self) -> None:
        """Ask every committee member's node for this node's own votes until enough have answered."""
        query = wire.encode_message(wire.VoteQuery(self._index))
        while not self._is_enough():
            self._network.broadcast(Channel.SYNC, query)
            with trio.move_on_after(LOOK_EVERY_S):
                while not self._is_enough():  # noqa: ASYNC110 - it depends on a clock, a height and links
                    await trio.sleep(0.02)

    def _is_enough(self) -> bool:
        return self._guard.look(len(self._network.connected()))

    async def hear_report(self, member: bytes, report: wire.VoteReport) -> None:
        """Take the answer of a committee member's node to a query."""
        config = self._ledger.config()
        for data in report.votes:
            vote = decode_message(data)
            is_own = isinstance(vote, Vote) and vote.voter == self._index
            if not isinstance(vote, Vote) or not is_own or not verify_vote(vote, config.committee, config.chain_id):
                what = "an answer contains signatures that this node did not make"
                raise MalformedBytes("votes_seen", what, "send votes as they were signed")
            await self._compare(vote)
        self._guard.hear_answer(member, report.height)

    async def look_at(self, message: Message, certificates: Sequence[Certificate]) -> None:
        """Notice own signatures among verified messages."""
        if isinstance(message, Vote) and message.voter == self._index:
            await self._compare(message)
        if isinstance(message, Proposal) and message.proposer == self._index:
            cell = (CellKind.PROPOSE, message.height, message.view, message.block_hash)
            if not self._log.has(*cell):
                await self._suspect("a proposal of this node's key is not in its vote log", message.height)
        for item in certificates:
            if self._index in item.voters:
                await self._compare(item)

    async def _compare(self, signed: Vote | Certificate) -> None:
        cell = (CellKind(signed.kind), signed.height, signed.view, signed.block_hash)
        if signed.height > self._ledger.height and not self._log.has(*cell):
            await self._suspect("a vote of this node's key is not in its vote log", signed.height)

    async def _suspect(self, reason: str, height: int) -> None:
        was_signing = self._guard.may_sign()
        await trio.to_thread.run_sync(self._guard.suspect, reason, height)
        if was_signing:
            self._on_quarantine()


def votes_seen(state: State, voter: int) -> list[bytes]:
    """Return what a member has signed at the height of `state`, newest views first, as messages."""
    found = [column[voter] for column in state.votes.values() if voter in column]
    for item in state.certificates.values():
        if voter in item.voters:
            signature = item.signatures[item.voters.index(voter)]
            found.append(Vote(item.kind, item.epoch, item.height, item.view, item.block_hash, voter, signature))
    found.sort(key=lambda vote: vote.view, reverse=True)
    return list(dict.fromkeys(encode_message(vote) for vote in found))
