"""Consensus messages as they arrive: those of the next height wait, those of this one are verified and queued."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import KW_ONLY, dataclass, field

import trio

from consensus import events as ev
from consensus.messages import Certificate, Message, Proposal, Vote, decode_message, height_of
from consensus.signing import verify_certificate, verify_proposal, verify_vote
from consensus.state import Config, State, is_known
from ledger.errors import MalformedBytes
from node.agreement.metering import THREAD_FROM_SIGNATURES, RateLimits, cost_of_reading
from node.agreement.own_votes import OwnVotes
from node.clock import now_ms
from node.execution.ledger import LedgerService
from node.p2p.network import Network

LATER_FRAMES_MAX = 100
LATER_BYTES_MAX = 512 * 1024
"""Messages of the next height kept for each peer; older and later ones are answered by sync."""
SEEN_MAX = 64
"""Proposals of one leader whose time of arrival is remembered."""


@dataclass(eq=False, slots=True)
class Receiver:
    """Takes frames of the consensus channel. `state`: the machine's, or None; `put`: queue an event of a height."""

    ledger: LedgerService
    network: Network
    own_votes: OwnVotes | None
    limits: RateLimits
    _: KW_ONLY
    state: Callable[[], State | None]
    put: Callable[[ev.Event, int], None]
    _later: dict[bytes, deque[tuple[bytes, int]]] = field(default_factory=dict[bytes, deque[tuple[bytes, int]]])
    _seen_at: dict[int, dict[bytes, int]] = field(default_factory=dict[int, dict[bytes, int]])
    messages_in: int = 0
    messages_dropped: int = 0
    """Messages without a place or beyond what their peer may cost; resending brings them again."""

    async def hear(self, peer: bytes, data: bytes) -> None:
        """Take a frame of the consensus channel. MalformedBytes: the peer is to be struck."""
        self.messages_in += 1
        await self._hear(peer, data, now_ms())

    async def hear_kept(self) -> None:
        """Take what peers sent ahead of time."""
        later, self._later = self._later, {}
        for peer, frames in later.items():
            for data, seen_ms in frames:
                try:
                    await self._hear(peer, data, seen_ms)
                except MalformedBytes as error:
                    self.network.strike(peer, error.code)

    def seen_ms(self, block_hash: bytes) -> int:
        """Return when a block's proposal first came; now, where it did not."""
        return min(
            (seen_at[block_hash] for seen_at in self._seen_at.values() if block_hash in seen_at), default=now_ms()
        )

    async def _hear(self, peer: bytes, data: bytes, seen_ms: int) -> None:
        """Take a message of this height; a token is paid before it is decoded. An older one costs nothing at all."""
        height, working_on = height_of(data), self.ledger.height + 1
        if height == working_on + 1:
            self._keep_for_later(peer, data, seen_ms)
        elif height == working_on:
            if self.limits.spend(peer, cost_of_reading(len(data)), trio.current_time()):
                await self._hear_now(peer, decode_message(data), seen_ms)
            else:
                self.messages_dropped += 1

    def _keep_for_later(self, peer: bytes, data: bytes, seen_ms: int) -> None:
        kept = self._later.setdefault(peer, deque())
        if len(kept) < LATER_FRAMES_MAX and sum(len(item) for item, _ in kept) + len(data) <= LATER_BYTES_MAX:
            kept.append((data, seen_ms))
        else:
            self.messages_dropped += 1

    async def _hear_now(self, peer: bytes, message: Message, seen_ms: int) -> None:
        """Verify what is new and queue it, unless its signatures cost more than the peer may spend."""
        config, state = self.ledger.config(), self.state()
        if state is not None and state.config.height != config.height:
            state = None
        if state is not None and is_known(state, message):
            return
        fresh = [item for item in _certificates_of(message) if state is None or not is_known(state, item)]
        cost = sum(len(item.voters) for item in fresh) + (not isinstance(message, Certificate))
        if not self.limits.spend(peer, cost, trio.current_time()):
            self.messages_dropped += 1
            return
        if cost < THREAD_FROM_SIGNATURES:
            _verify(message, fresh, config)
        else:
            await trio.to_thread.run_sync(_verify, message, fresh, config)
        if self.ledger.height + 1 != config.height:
            return
        if self.own_votes is not None:
            await self.own_votes.look_at(message, fresh)
        self._queue(message, fresh, config.height, seen_ms)

    def _queue(self, message: Message, fresh: Sequence[Certificate], height: int, seen_ms: int) -> None:
        for item in fresh:
            self.put(ev.CertificateReceived(item), height)
        if isinstance(message, Vote):
            self.put(ev.VoteReceived(message), height)
        elif isinstance(message, Proposal):
            seen_at = self._seen_at.setdefault(message.proposer, {})
            seen_at.setdefault(message.block_hash, seen_ms)
            if len(seen_at) > SEEN_MAX:
                del seen_at[next(iter(seen_at))]
            self.put(ev.ProposalReceived(message), height)


def _certificates_of(message: Message) -> Sequence[Certificate]:
    if isinstance(message, Certificate):
        return (message,)
    return message.justification if isinstance(message, Proposal) else ()


def _verify(message: Message, fresh: Sequence[Certificate], config: Config) -> None:
    """Raise MalformedBytes unless every signature of a message verifies."""
    if isinstance(message, Vote) and not verify_vote(message, config.committee, config.chain_id):
        raise MalformedBytes("vote_signature", "a vote's signature does not verify", "send it as its voter signed it")
    if isinstance(message, Proposal) and not verify_proposal(message, config.committee, config.seed, config.chain_id):
        what = "a proposal is not signed by the leader of its view"
        raise MalformedBytes("proposal_signature", what, "only leaders propose")
    for item in fresh:
        is_here = (item.height, item.epoch) == (config.height, config.epoch)
        if not is_here or not verify_certificate(item, config.committee, config.chain_id):
            hint = "send certificates of this height and committee"
            raise MalformedBytes("certificate", "a certificate is not valid", hint)
