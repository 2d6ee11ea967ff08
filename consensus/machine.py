"""H-Simplex as one pure step function, for one height at a time (Simplex of Chan and Pass; notes on consensus, section 1.3).

Three votes. A node NOTARIZEs at most one block a view; on a notarization certificate it FINALIZEs, unless it has voted to SKIP the view; when the
view's time is over it SKIPs, unless it has finalized. There are no locks: what must survive a crash are write-once cells (height, view) in the vote
log, journalled before the vote leaves. A block is justified in view v when, walking down from v-1, a notarization certificate of it comes before any view
that lacks a certificate; a fresh block needs SKIP certificates of all lower views. A quorum of FINALIZE makes it final at once.

Invariants asserted here: I2 (cells are written once, never S and F together), I3 (FINALIZE only with the certificate), I4 (only justified blocks are
notarized), I5 (a vote's cell is journalled by the effect before it).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from consensus import events as ev
from consensus.committee import leader_of, quorum_of
from consensus.effects import (
    BuildBlock,
    CastVote,
    CheckBlock,
    Effect,
    Finalize,
    Journal,
    ReportMisbehaviour,
    Resend,
    SendProposal,
    SetTimer,
)
from consensus.messages import JUSTIFICATION_MAX, VIEW_MAX, Cell, CellKind, Certificate, Message, Proposal, Vote, VoteKind
from consensus.misbehaviour import is_contradiction
from ledger.hashing import ZERO_HASH

VIEWS_AHEAD_MAX = 256
"""Votes for views further ahead are dropped: a liar cannot fill the memory, and an honest quorum ahead shows itself by certificates."""


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

    def timeout_ms(self, view: int) -> int:
        """Return T(v) = T0·(1+v), capped."""
        return min(self.timeout0_ms * (1 + view), self.timeout_cap_ms)


@dataclass(frozen=True, slots=True)
class State:
    """All that a node knows at one height. Mappings are never changed in place."""

    config: Config
    view: int = 0
    is_open: bool = False
    is_final: bool = False
    cells: Mapping[tuple[CellKind, int], bytes] = field(default_factory=dict[tuple[CellKind, int], bytes])
    votes: Mapping[tuple[VoteKind, int], Mapping[int, Vote]] = field(default_factory=dict[tuple[VoteKind, int], Mapping[int, Vote]])
    certificates: Mapping[tuple[VoteKind, int], Certificate] = field(default_factory=dict[tuple[VoteKind, int], Certificate])
    proposals: Mapping[int, Proposal] = field(default_factory=dict[int, Proposal])
    checked: Mapping[bytes, bool | None] = field(default_factory=dict[bytes, bool | None])
    """None: asked, not yet answered."""
    building: frozenset[int] = frozenset()


def start_height(config: Config, cells: Iterable[Cell]) -> tuple[State, tuple[Effect, ...]]:
    """Return the state at the start of a height, with what the vote log says this node has signed at it.

    Signing is deterministic, so votes cast again from their cells are the same bytes: nothing is decided anew.
    """
    own = [cell for cell in cells if cell.height == config.height]
    held = {(cell.kind, cell.view): cell.block_hash for cell in own}
    view = max((cell.view + (cell.kind == CellKind.FINALIZE) for cell in own), default=0)
    effects: list[Effect] = []
    if config.own_index is not None:
        for cell in own:
            if cell.kind != CellKind.PROPOSE:
                effects.append(CastVote(_vote(config, VoteKind(cell.kind), cell.view, cell.block_hash)))
    return State(config, view=view, cells=held), tuple(effects)


def step(state: State, event: ev.Event) -> tuple[State, tuple[Effect, ...]]:
    """Return the next state and the effects the driver must carry out, in order. A final height ignores everything."""
    if state.is_final:
        return state, ()
    turn = Turn(state)
    match event:
        case ev.VoteReceived(vote):
            turn.on_vote(vote)
        case ev.ProposalReceived(proposal):
            turn.on_proposal(proposal)
        case ev.CertificateReceived(certificate):
            turn.on_certificate(certificate)
        case ev.BlockChecked(block_hash, is_valid):
            turn.on_checked(block_hash, is_valid)
        case ev.BlockBuilt(view, header, block_hash):
            turn.on_built(view, header, block_hash)
        case ev.TimerFired(view):
            turn.on_timer(view)
        case ev.SlotOpened():
            turn.on_slot()
        case ev.ResendTick():
            turn.on_resend()
    return turn.state, tuple(turn.effects)


class Turn:
    """One step under way: the state so far, and the effects so far. Tests subclass it to plant faults."""

    def __init__(self, state: State) -> None:
        self.state = state
        self.effects: list[Effect] = []

    # ---- Events ---------------------------------------------------------------

    def on_slot(self) -> None:
        """The slot opens: the clock of the current view starts, its leader may propose."""
        if self.state.is_open:
            return
        self.state = replace(self.state, is_open=True)
        self.start_view()

    def on_proposal(self, proposal: Proposal) -> None:
        """Keep the first proposal of a view; a second one with another block is misbehaviour."""
        if not self.is_here(proposal.epoch, proposal.height, proposal.view):
            return
        first = self.state.proposals.get(proposal.view)
        if first is not None:
            if is_contradiction(first, proposal):
                self.effects.append(ReportMisbehaviour(first, proposal))
            return
        self.state = replace(self.state, proposals={**self.state.proposals, proposal.view: proposal})
        self.try_notarize()

    def on_vote(self, vote: Vote) -> None:
        """Count a vote; the one that completes a quorum makes a certificate."""
        if not self.is_here(vote.epoch, vote.height, vote.view):
            return
        for kind in VoteKind:
            earlier = self.state.votes.get((kind, vote.view), {}).get(vote.voter)
            if earlier is not None and is_contradiction(earlier, vote):
                self.effects.append(ReportMisbehaviour(earlier, vote))
        key = (vote.kind, vote.view)
        column = self.state.votes.get(key, {})
        if vote.voter in column:
            return
        column = {**column, vote.voter: vote}
        self.state = replace(self.state, votes={**self.state.votes, key: column})
        if key in self.state.certificates:
            return
        equal = sorted((item.voter, item.signature) for item in column.values() if item.block_hash == vote.block_hash)
        if len(equal) >= self.quorum():
            config = self.state.config
            voters, signatures = zip(*equal[: self.quorum()], strict=True)
            self.take_certificate(Certificate(vote.kind, config.epoch, config.height, vote.view, vote.block_hash, voters, signatures))

    def on_certificate(self, certificate: Certificate) -> None:
        """Take a verified certificate of this height."""
        config = self.state.config
        if certificate.epoch == config.epoch and certificate.height == config.height and certificate.view <= VIEW_MAX:
            self.take_certificate(certificate)

    def on_checked(self, block_hash: bytes, is_valid: bool) -> None:
        """Note whether a block holds."""
        self.state = replace(self.state, checked={**self.state.checked, block_hash: is_valid})
        self.try_notarize()

    def on_built(self, view: int, header: bytes, block_hash: bytes) -> None:
        """Propose the fresh block, if its view is still the current one and nothing was proposed in it."""
        self.state = replace(self.state, checked={**self.state.checked, block_hash: True})
        if view == self.state.view and (CellKind.PROPOSE, view) not in self.state.cells and self.target() == (True, None):
            self.propose(block_hash, header)

    def on_timer(self, view: int) -> None:
        """The view's time is over: vote to skip it, unless finalized in it."""
        if view == self.state.view and self.may_skip(view):
            self.cast(VoteKind.SKIP, view, ZERO_HASH)

    def on_resend(self) -> None:
        """Say again what this node has said in the newest views, and the certificates that carry the current view."""
        state = self.state
        own = state.config.own_index
        messages: list[Message] = []
        if own is not None:
            for (_, view), column in sorted(state.votes.items()):
                if view >= state.view - 1 and own in column:
                    messages.append(column[own])
            proposal = state.proposals.get(state.view)
            if proposal is not None and proposal.proposer == own:
                messages.append(proposal)
        messages.extend(self.justification()[:8])
        if messages:
            self.effects.append(Resend(tuple(messages)))
        self.try_propose(is_late=True)

    # ---- Rules ----------------------------------------------------------------

    def take_certificate(self, certificate: Certificate) -> None:
        """Rules 4, 6 and 7: finalize on a notarization, move on over a skip, end on a commit certificate."""
        key = (certificate.kind, certificate.view)
        if key in self.state.certificates:
            return
        self.state = replace(self.state, certificates={**self.state.certificates, key: certificate})
        if certificate.kind == VoteKind.FINALIZE:
            self.state = replace(self.state, is_final=True)
            self.effects.append(Finalize(certificate))
            return
        if certificate.kind == VoteKind.NOTARIZE and self.may_finalize(certificate.view):
            self.cast(VoteKind.FINALIZE, certificate.view, certificate.block_hash)
        if certificate.view >= self.state.view:
            self.state = replace(self.state, view=certificate.view + 1)
            self.start_view()

    def start_view(self) -> None:
        """Enter the current view: its timer runs, its leader proposes, a proposal that waited is judged."""
        view = self.state.view
        if self.state.is_open:
            self.effects.append(SetTimer(view, self.state.config.timeout_ms(view)))
        self.try_propose(is_late=False)
        self.try_notarize()

    def try_propose(self, *, is_late: bool) -> None:
        """Rule 2. A re-proposal waits for the next resend tick: by then the commit certificate has usually come."""
        state = self.state
        view = state.view
        if state.config.own_index != state.config.leader(view) or not state.is_open or (CellKind.PROPOSE, view) in state.cells:
            return
        is_possible, again = self.target()
        if not is_possible:
            return
        if again is None:
            if view not in state.building:
                self.state = replace(state, building=state.building | {view})
                self.effects.append(BuildBlock(view))
        elif is_late:
            header = next((item.header for item in state.proposals.values() if item.block_hash == again), None)
            if header is not None:
                self.propose(again, header)

    def propose(self, block_hash: bytes, header: bytes) -> None:
        """Journal and send the proposal of the current view."""
        config, view = self.state.config, self.state.view
        assert config.own_index is not None
        self.write(CellKind.PROPOSE, view, block_hash)
        justification = tuple(self.justification()[:JUSTIFICATION_MAX])
        self.effects.append(
            SendProposal(Proposal(config.epoch, config.height, view, block_hash, header, config.own_index, justification=justification))
        )

    def try_notarize(self) -> None:
        """Rule 3: at most one block a view, by its leader, justified, valid, its body held."""
        state = self.state
        view = state.view
        proposal = state.proposals.get(view)
        if state.config.own_index is None or proposal is None or not self.may_notarize(view):
            return
        if not self.is_justified(view, proposal.block_hash):
            return
        if proposal.block_hash not in state.checked:
            self.state = replace(state, checked={**state.checked, proposal.block_hash: None})
            self.effects.append(CheckBlock(proposal.block_hash))
        elif state.checked[proposal.block_hash]:
            self.cast(VoteKind.NOTARIZE, view, proposal.block_hash)

    def is_justified(self, view: int, block_hash: bytes) -> bool:
        """Rule 1, for a given block: the certificates below `view` allow it."""
        is_possible, again = self.target(view)
        if not is_possible:
            return False
        return self.state.is_open if again is None else again == block_hash

    def target(self, view: int | None = None) -> tuple[bool, bytes | None]:
        """Return (may anything be proposed in `view`?, the block that must be proposed again or None for a fresh one)."""
        for below in range((self.state.view if view is None else view) - 1, -1, -1):
            notarized = self.state.certificates.get((VoteKind.NOTARIZE, below))
            if notarized is not None:
                return True, notarized.block_hash
            if (VoteKind.SKIP, below) not in self.state.certificates:
                return False, None
        return True, None

    def justification(self) -> list[Certificate]:
        """Return the certificates that carry the current view, newest first."""
        found: list[Certificate] = []
        for below in range(self.state.view - 1, -1, -1):
            notarized = self.state.certificates.get((VoteKind.NOTARIZE, below))
            if notarized is not None:
                found.append(notarized)
                break
            skipped = self.state.certificates.get((VoteKind.SKIP, below))
            if skipped is None:
                break
            found.append(skipped)
        return found

    # ---- What may be signed -------------------------------------------------------

    def quorum(self) -> int:
        """Return the votes that make a certificate."""
        return self.state.config.quorum

    def may_notarize(self, view: int) -> bool:
        """True while neither NOTARIZE nor SKIP of the view is signed."""
        return (CellKind.NOTARIZE, view) not in self.state.cells and (CellKind.SKIP, view) not in self.state.cells

    def may_finalize(self, view: int) -> bool:
        """True while neither SKIP nor FINALIZE of the view is signed."""
        is_free = (CellKind.SKIP, view) not in self.state.cells and (CellKind.FINALIZE, view) not in self.state.cells
        return self.state.config.own_index is not None and is_free

    def may_skip(self, view: int) -> bool:
        """True while neither FINALIZE nor SKIP of the view is signed."""
        is_free = (CellKind.FINALIZE, view) not in self.state.cells and (CellKind.SKIP, view) not in self.state.cells
        return self.state.config.own_index is not None and is_free

    def write(self, kind: CellKind, view: int, block_hash: bytes) -> None:
        """Fill a write-once cell and journal it (I2, I5)."""
        cells = self.state.cells
        assert (kind, view) not in cells, f"I2: cell {kind.name} of view {view} is written already"
        if kind in (CellKind.SKIP, CellKind.FINALIZE):
            other = CellKind.FINALIZE if kind == CellKind.SKIP else CellKind.SKIP
            assert (other, view) not in cells, f"I2: SKIP and FINALIZE of view {view}"
        self.state = replace(self.state, cells={**cells, (kind, view): block_hash})
        self.effects.append(Journal(Cell(kind, self.state.config.height, view, block_hash)))

    def cast(self, kind: VoteKind, view: int, block_hash: bytes) -> None:
        """Journal and cast a vote; the driver feeds it back signed."""
        if kind == VoteKind.FINALIZE:
            held = self.state.certificates.get((VoteKind.NOTARIZE, view))
            assert held is not None and held.block_hash == block_hash, "I3: FINALIZE without its certificate"  # noqa: PT018
        if kind == VoteKind.NOTARIZE:
            assert self.is_justified(view, block_hash), "I4: NOTARIZE of a block that is not justified"
        self.write(CellKind(kind), view, block_hash)
        self.effects.append(CastVote(_vote(self.state.config, kind, view, block_hash)))

    def is_here(self, epoch: int, height: int, view: int) -> bool:
        """True for messages of this epoch and height, of views within reach."""
        config = self.state.config
        return epoch == config.epoch and height == config.height and view <= self.state.view + VIEWS_AHEAD_MAX


def _vote(config: Config, kind: VoteKind, view: int, block_hash: bytes) -> Vote:
    assert config.own_index is not None
    return Vote(kind, config.epoch, config.height, view, block_hash, config.own_index)
