"""What a node knows at one height: the height's fixed facts, and everything heard and signed so far."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from consensus.committee import leader_of, quorum_of
from consensus.messages import CellKind, Certificate, Message, Proposal, Vote, VoteKind


@dataclass(frozen=True, slots=True)
class Config:
    """One height's fixed facts."""

    chain_id: bytes
    epoch: int
    height: int
    committee: tuple[bytes, ...]
    seed: bytes
    """The parent block's randomness: who leads."""
    own_index: int | None
    """None: an observer, which follows and never votes."""
    timeout0_ms: int
    timeout_cap_ms: int

    @property
    def quorum(self) -> int:
        """Votes in a certificate."""
        return quorum_of(len(self.committee))

    def leader(self, view: int) -> int:
        """Return the committee index of a view's leader."""
        return leader_of(self.seed, view, len(self.committee))

    def own_vote(self, kind: VoteKind, view: int, block_hash: bytes) -> Vote:
        """Return a vote of this node, not yet signed."""
        assert self.own_index is not None
        return Vote(kind, self.epoch, self.height, view, block_hash, self.own_index)

    def own_proposal(
        self, view: int, block_hash: bytes, header: bytes, justification: tuple[Certificate, ...] = ()
    ) -> Proposal:
        """Return a proposal of this node, not yet signed."""
        own = self.own_index
        assert own is not None
        return Proposal(self.epoch, self.height, view, block_hash, header, own, justification=justification)

    def timeout_ms(self, view: int) -> int:
        """Return T(v) = T0·(1+v), capped."""
        return min(self.timeout0_ms * (1 + view), self.timeout_cap_ms)


Cells = dict[tuple[CellKind, int], bytes]
Column = Mapping[int, Vote]
Votes = dict[tuple[VoteKind, int], Column]
Certificates = dict[tuple[VoteKind, int], Certificate]


@dataclass(frozen=True, slots=True)
class State:
    """All that a node knows at one height. Mappings are never changed in place."""

    config: Config
    view: int = 0
    is_open: bool = False
    final: Certificate | None = None
    """The commit certificate: this height is over, all but handing it to the driver."""
    cells: Mapping[tuple[CellKind, int], bytes] = field(default_factory=Cells)
    votes: Mapping[tuple[VoteKind, int], Column] = field(default_factory=Votes)
    certificates: Mapping[tuple[VoteKind, int], Certificate] = field(default_factory=Certificates)
    proposals: Mapping[int, Proposal] = field(default_factory=dict[int, Proposal])
    """The first proposal of each view, or the one that was notarized."""
    headers: Mapping[bytes, bytes] = field(default_factory=dict[bytes, bytes])
    """Headers by block hash, of those proposals and of own cells."""
    checked: Mapping[bytes, bool | None] = field(default_factory=dict[bytes, bool | None])
    """None: asked, not yet answered."""
    building: frozenset[int] = frozenset()
    reported: frozenset[tuple[int, int]] = frozenset()
    """(member, view) of misbehaviour already reported."""
    ticks: int = 0
    """Resend ticks so far."""
    entered: int = 0
    """Ticks when the current view was entered."""

    @property
    def is_final(self) -> bool:
        """True once a commit certificate is known."""
        return self.final is not None


def is_known(state: State, message: Message) -> bool:
    """True when a message equals one that was verified, so that its signatures need not be verified again."""
    if isinstance(message, Vote):
        return state.votes.get((message.kind, message.view), {}).get(message.voter) == message
    if isinstance(message, Certificate):
        return (message.kind, message.view) in state.certificates
    are_known = (is_known(state, certificate) for certificate in message.justification)
    return state.proposals.get(message.view) == message and all(are_known)
