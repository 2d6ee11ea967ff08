"""H-Simplex as one pure step function, for one height at a time (Simplex of Chan and Pass; notes on consensus, 1.3).

Three votes. A node NOTARIZEs at most one block a view; on a notarization certificate it FINALIZEs, unless it has voted
to SKIP the view; when the view's time is over it SKIPs, unless it has finalized. There are no locks: what must survive
a crash are write-once cells (height, view) in the vote log, journalled before the vote leaves. A block is justified in
view v when, walking down from v-1, a notarization certificate of it comes before any view that lacks a SKIP
certificate; a fresh block needs SKIP certificates of all lower views and is its leader's own. A quorum of FINALIZE
makes it final at once.

What a crash may take away and what it may not: certificates live in memory, but a FINALIZE cell keeps the one it rests
on, and a NOTARIZE cell its block's header (the driver keeps the body). A view that nobody has finalized may be skipped
late. So a committee that lost power as a whole, with f members never coming back, still rebuilds every certificate.

Invariants asserted here: I2 (cells are written once, never S and F together), I3 (FINALIZE only with the certificate),
I4 (only justified blocks are notarized), I5 (a vote's cell is journalled by the effect before it).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from consensus import effects as fx
from consensus import events as ev
from consensus.messages import (
    JUSTIFICATION_MAX,
    VIEW_MAX,
    Cell,
    CellKind,
    Certificate,
    Message,
    Proposal,
    Vote,
    VoteKind,
    decode_certificate,
    encode_certificate,
)
from consensus.misbehaviour import is_contradiction
from consensus.state import Config, State
from ledger.blocks import decode_header
from ledger.hashing import ZERO_HASH

VIEWS_AHEAD_MAX = 256
"""Votes for views further ahead are dropped, so that none fill the memory; certificates show a quorum ahead."""
RESEND_NEWEST = 8
RESEND_OLDER = 8
"""Messages for old views in one resend: the newest always, the older in turn, so that a tick stays small."""
LATE_SKIP_TICKS = 2
"""A view below the current one may lack its certificate only because it is under way: it gets this many ticks."""


def start_height(config: Config, cells: Iterable[Cell]) -> tuple[State, tuple[fx.Effect, ...]]:
    """Return the state at the start of a height; what the vote log says was signed is signed again, byte by byte."""
    own = [cell for cell in cells if cell.height == config.height]
    with_header = [cell for cell in own if cell.kind in (CellKind.NOTARIZE, CellKind.PROPOSE) and cell.support]
    finalized = [cell for cell in own if cell.kind == CellKind.FINALIZE and cell.support]
    state = State(
        config,
        view=max((cell.view + (cell.kind == CellKind.FINALIZE) for cell in own), default=0),
        cells={(cell.kind, cell.view): cell.block_hash for cell in own},
        headers={cell.block_hash: cell.support for cell in with_header},
        certificates={(VoteKind.NOTARIZE, cell.view): decode_certificate(cell.support) for cell in finalized},
    )
    if config.own_index is None:
        return state, ()
    effects: list[fx.Effect] = []
    for cell in own:
        if cell.kind != CellKind.PROPOSE:
            effects.append(fx.CastVote(config.own_vote(VoteKind(cell.kind), cell.view, cell.block_hash)))
        elif cell.view == state.view and cell.support:
            effects.append(fx.SendProposal(config.own_proposal(cell.view, cell.block_hash, cell.support, ())))
    return state, tuple(effects)


def step(state: State, event: ev.Event) -> tuple[State, tuple[fx.Effect, ...]]:
    """Return the next state and the effects the driver must carry out, in order.

    A final height only repeats `Finalize`, until the driver has the block, and shows others the certificate.
    """
    return take_turn(Turn(state), event)


def take_turn(turn: Turn, event: ev.Event) -> tuple[State, tuple[fx.Effect, ...]]:
    """Let one event happen to a turn. Tests call this with a turn that has a fault planted."""
    match event:
        case ev.ResendTick():
            turn.on_resend()
        case ev.BlockChecked(block_hash, is_valid):
            turn.on_checked(block_hash, is_valid=is_valid)
        case _ if turn.state.is_final:
            pass
        case ev.VoteReceived(vote):
            turn.on_vote(vote)
        case ev.ProposalReceived(proposal):
            turn.on_proposal(proposal)
        case ev.CertificateReceived(certificate):
            turn.on_certificate(certificate)
        case ev.BlockBuilt(view, header, block_hash):
            turn.on_built(view, header, block_hash)
        case ev.TimerFired(view):
            turn.on_timer(view)
        case ev.SlotOpened():
            turn.on_slot()
    return turn.state, tuple(turn.effects)


class Turn:
    """One step under way: the state so far, and the effects so far. Tests subclass it to plant faults."""

    def __init__(self, state: State) -> None:
        self.state = state
        self.effects: list[fx.Effect] = []

    # ---- Events ---------------------------------------------------------------

    def on_slot(self) -> None:
        """The slot opens: the clock of the current view starts, its leader may propose."""
        if not self.state.is_open:
            self.state = replace(self.state, is_open=True)
            self.start_view()

    def on_proposal(self, proposal: Proposal) -> None:
        """Keep the first proposal of a view, or the notarized one; two blocks in one view are misbehaviour."""
        state = self.state
        view = proposal.view
        if not self.is_here(proposal.epoch, proposal.height, view) or proposal.proposer != state.config.leader(view):
            return
        first = state.proposals.get(view)
        if first is not None:
            self.report_if_contradictory(first, proposal, proposal.proposer)
            notarized = state.certificates.get((VoteKind.NOTARIZE, view))
            is_better = notarized is not None and first.block_hash != notarized.block_hash == proposal.block_hash
            if not is_better:
                return
        headers = {**state.headers, proposal.block_hash: proposal.header}
        self.state = replace(self.state, proposals={**state.proposals, view: proposal}, headers=headers)
        self.try_notarize()

    def on_vote(self, vote: Vote) -> None:
        """Count a vote; the one that completes a quorum makes a certificate."""
        if not self.is_here(vote.epoch, vote.height, vote.view):
            return
        for kind in VoteKind:
            earlier = self.state.votes.get((kind, vote.view), {}).get(vote.voter)
            if earlier is not None:
                self.report_if_contradictory(earlier, vote, vote.voter)
        key = (vote.kind, vote.view)
        column = self.state.votes.get(key, {})
        if vote.voter in column:
            return
        column = {**column, vote.voter: vote}
        self.state = replace(self.state, votes={**self.state.votes, key: column})
        if key in self.state.certificates:
            return
        equal = sorted((item.voter, item.signature) for item in column.values() if item.block_hash == vote.block_hash)
        if len(equal) < self.quorum():
            return
        config = self.state.config
        voters, signatures = zip(*equal[: self.quorum()], strict=True)
        where = (config.epoch, config.height, vote.view)
        certificate = Certificate(vote.kind, *where, vote.block_hash, voters, signatures)
        if certificate.kind == VoteKind.SKIP:  # off the usual path: spare the others the wait for each vote
            self.effects.append(fx.SendCertificate(certificate))
        self.take_certificate(certificate)

    def on_certificate(self, certificate: Certificate) -> None:
        """Take a verified certificate of this height."""
        config = self.state.config
        is_here = certificate.epoch == config.epoch and certificate.height == config.height
        if is_here and certificate.view <= VIEW_MAX:
            self.take_certificate(certificate)

    def on_checked(self, block_hash: bytes, *, is_valid: bool) -> None:
        """Note whether a block holds."""
        self.state = replace(self.state, checked={**self.state.checked, block_hash: is_valid})
        if self.state.final is None:
            self.try_notarize()
        elif is_valid and self.state.final.block_hash == block_hash:
            self.effects.append(fx.Finalize(self.state.final))

    def on_built(self, view: int, header: bytes, block_hash: bytes) -> None:
        """Propose the fresh block, if its view is still the current one and nothing was proposed in it."""
        checked, headers = {**self.state.checked, block_hash: True}, {**self.state.headers, block_hash: header}
        self.state = replace(self.state, checked=checked, headers=headers)
        is_proposed = (CellKind.PROPOSE, view) in self.state.cells
        if view == self.state.view and not is_proposed and self.target() == (True, None):
            self.propose(block_hash, header)

    def on_timer(self, view: int) -> None:
        """Rule 5, the view's time is over: vote to skip it, unless finalized in it."""
        if view == self.state.view and self.may_skip(view):
            self.cast(VoteKind.SKIP, view, ZERO_HASH)

    def on_resend(self) -> None:
        """Say again what this node has said in the newest views, and what carries the current view.

        New are only a re-proposal that has waited, and a SKIP for an old view whose certificate a crash may have lost.
        """
        self.state = replace(self.state, ticks=self.state.ticks + 1)
        if self.state.final is not None:
            final = self.state.final
            self.effects += (fx.Resend((final, *self.own_votes(final.view))), fx.Finalize(final))
            return
        messages: list[Message] = []
        for view in (self.state.view, self.state.view - 1):
            messages += self.own_votes(view)
        proposal = self.state.proposals.get(self.state.view)
        if proposal is not None and proposal.proposer == self.state.config.own_index:
            messages.append(proposal)
        older = self.supports()
        messages += older[:RESEND_NEWEST]
        if rest := older[RESEND_NEWEST:]:
            start = self.state.ticks * RESEND_OLDER % len(rest)
            messages += (rest + rest)[start : start + min(RESEND_OLDER, len(rest))]
        if messages:
            self.effects.append(fx.Resend(tuple(messages)))
        self.cast_unheard()
        self.skip_late()
        self.try_propose(is_late=True)

    # ---- Rules ----------------------------------------------------------------

    def take_certificate(self, certificate: Certificate) -> None:
        """Rules 4, 6 and 7: finalize on a notarization, move on over a skip, end on a commit certificate."""
        key = (certificate.kind, certificate.view)
        if key in self.state.certificates:
            return
        self.state = replace(self.state, certificates={**self.state.certificates, key: certificate})
        if certificate.kind == VoteKind.FINALIZE:
            self.state = replace(self.state, final=certificate)
            self.effects.append(fx.Finalize(certificate))
            return
        if certificate.kind == VoteKind.NOTARIZE and self.may_finalize(certificate.view):
            self.cast(VoteKind.FINALIZE, certificate.view, certificate.block_hash)
        if certificate.view >= self.state.view:
            self.state = replace(self.state, view=certificate.view + 1, entered=self.state.ticks)
            self.start_view()
        else:  # it may be the one that a proposal waited for
            self.try_propose(is_late=False)
            self.try_notarize()

    def start_view(self) -> None:
        """Enter the current view: its timer runs, its leader proposes, a proposal that waited is judged."""
        view = self.state.view
        if self.state.is_open:
            self.effects.append(fx.SetTimer(view, self.state.config.timeout_ms(view)))
        self.try_propose(is_late=False)
        self.try_notarize()

    def try_propose(self, *, is_late: bool) -> None:
        """Rule 2. A re-proposal waits for the next resend tick: by then the commit certificate has usually come."""
        state, view = self.state, self.state.view
        is_leader = state.config.own_index == state.config.leader(view)
        if not is_leader or not state.is_open or (CellKind.PROPOSE, view) in state.cells:
            return
        is_possible, again = self.target()
        if not is_possible:
            return
        if again is None:
            if view not in state.building:
                self.state = replace(state, building=state.building | {view})
                self.effects.append(fx.BuildBlock(view))
        elif is_late and again in state.headers:
            self.propose(again, state.headers[again])

    def propose(self, block_hash: bytes, header: bytes) -> None:
        """Journal and send the proposal of the current view."""
        config, view = self.state.config, self.state.view
        self.write(CellKind.PROPOSE, view, block_hash, header)
        justification = tuple(self.justification()[:JUSTIFICATION_MAX])
        self.effects.append(fx.SendProposal(config.own_proposal(view, block_hash, header, justification)))

    def try_notarize(self) -> None:
        """Rule 3: at most one block a view, by its leader, justified, valid, its body held."""
        state, view = self.state, self.state.view
        proposal = state.proposals.get(view)
        if state.config.own_index is None or proposal is None or not self.may_notarize(view):
            return
        if not self.is_justified(view, proposal.block_hash):
            return
        if proposal.block_hash not in state.checked:
            self.state = replace(state, checked={**state.checked, proposal.block_hash: None})
            self.effects.append(fx.CheckBlock(proposal.block_hash, proposal.proposer))
        elif state.checked[proposal.block_hash]:
            self.cast(VoteKind.NOTARIZE, view, proposal.block_hash, proposal.header)

    def skip_late(self) -> None:
        """Skip old views without a certificate: rule 5, for views that were jumped over, or left by a crash."""
        state = self.state
        if not state.is_open or state.ticks - state.entered < LATE_SKIP_TICKS:
            return
        for view in [gap for gap in self.gaps() if self.may_skip(gap)][:RESEND_OLDER]:
            self.cast(VoteKind.SKIP, view, ZERO_HASH)

    def cast_unheard(self) -> None:
        """Cast again what is in a cell but was never fed back: a driver with a full queue may have dropped it."""
        own = self.state.config.own_index
        if own is None:
            return
        for (kind, view), block_hash in self.state.cells.items():
            if kind != CellKind.PROPOSE and own not in self.state.votes.get((VoteKind(kind), view), {}):
                self.effects.append(fx.CastVote(self.state.config.own_vote(VoteKind(kind), view, block_hash)))

    def is_justified(self, view: int, block_hash: bytes) -> bool:
        """Rule 1: no view below lacks the certificate that lets this block pass; a fresh one needs the open slot.

        A fresh block is the view's leader's own. Otherwise a leader could take a block that an earlier one proposed and
        nobody notarized, and so choose between two values of the next block's randomness.
        """
        certificates = self.state.certificates
        for below in range(view - 1, -1, -1):
            notarized = certificates.get((VoteKind.NOTARIZE, below))
            if notarized is not None and notarized.block_hash == block_hash:
                return True
            if (VoteKind.SKIP, below) not in certificates:
                return False
        return self.state.is_open and self.is_by_leader(view, block_hash)

    def is_by_leader(self, view: int, block_hash: bytes) -> bool:
        """True when the header says that the leader of this view made the block."""
        return decode_header(self.state.headers[block_hash]).proposer == self.state.config.leader(view)

    def target(self) -> tuple[bool, bytes | None]:
        """Return (may anything be proposed now?, the block that must be proposed again or None for a fresh one)."""
        for below in range(self.state.view - 1, -1, -1):
            notarized = self.state.certificates.get((VoteKind.NOTARIZE, below))
            if notarized is not None:
                return True, notarized.block_hash
            if (VoteKind.SKIP, below) not in self.state.certificates:
                return False, None
        return True, None

    def justification(self) -> list[Certificate]:
        """Return the certificates that carry the current view, newest first, down to a notarization or a gap."""
        found: list[Certificate] = []
        for below in range(self.state.view - 1, -1, -1):
            held = self.carrier(below)
            if held is not None:
                found.append(held)
            if held is None or held.kind == VoteKind.NOTARIZE:
                break
        return found

    def carrier(self, view: int) -> Certificate | None:
        """Return what lets later views pass over this one: its notarization, or else its skip."""
        certificates = self.state.certificates
        return certificates.get((VoteKind.NOTARIZE, view)) or certificates.get((VoteKind.SKIP, view))

    def supports(self) -> list[Message]:
        """Return what others may need to follow to the current view, newest first.

        Certificates down to a notarization; where one is missing, own votes that help to rebuild it. With the
        notarization come its proposal, for leaders who must propose the block again, and this node's FINALIZE.
        """
        found: list[Message] = []
        for below in range(self.state.view - 1, -1, -1):
            held = self.carrier(below)
            if held is None:
                found += self.own_votes(below)
                continue
            found.append(held)
            if held.kind == VoteKind.NOTARIZE:
                found += self.own_votes(below)
                proposal = self.state.proposals.get(below)
                if proposal is not None and proposal.block_hash == held.block_hash:
                    found.append(proposal)
                break
        return found

    def gaps(self) -> list[int]:
        """Return the views below the current one that lack the certificate to pass over them, newest first."""
        found: list[int] = []
        for below in range(self.state.view - 1, -1, -1):
            held = self.carrier(below)
            if held is None:
                found.append(below)
            elif held.kind == VoteKind.NOTARIZE:
                break
        return found

    def own_votes(self, view: int) -> list[Message]:
        """Return this node's signed votes of a view."""
        own = self.state.config.own_index
        columns = (self.state.votes.get((kind, view), {}) for kind in VoteKind)
        return [column[own] for column in columns if own is not None and own in column]

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
        return self.may_finalize(view)

    def write(self, kind: CellKind, view: int, block_hash: bytes, support: bytes) -> None:
        """Fill a write-once cell and journal it (I2, I5)."""
        cells = self.state.cells
        assert (kind, view) not in cells, f"I2: cell {kind.name} of view {view} is written already"
        if kind in (CellKind.SKIP, CellKind.FINALIZE):
            other = CellKind.FINALIZE if kind == CellKind.SKIP else CellKind.SKIP
            assert (other, view) not in cells, f"I2: SKIP and FINALIZE of view {view}"
        self.state = replace(self.state, cells={**cells, (kind, view): block_hash})
        self.effects.append(fx.Journal(Cell(kind, self.state.config.height, view, block_hash, support)))

    def cast(self, kind: VoteKind, view: int, block_hash: bytes, support: bytes = b"") -> None:
        """Journal and cast a vote; the driver feeds it back signed."""
        if kind == VoteKind.FINALIZE:
            held = self.state.certificates.get((VoteKind.NOTARIZE, view))
            assert held is not None, "I3: FINALIZE without its certificate"
            assert held.block_hash == block_hash, "I3: FINALIZE with another block's certificate"
            support = encode_certificate(held)
        if kind == VoteKind.NOTARIZE:
            assert self.is_justified(view, block_hash), "I4: NOTARIZE of a block that is not justified"
        self.write(CellKind(kind), view, block_hash, support)
        self.effects.append(fx.CastVote(self.state.config.own_vote(kind, view, block_hash)))

    def report_if_contradictory(self, first: Vote | Proposal, second: Vote | Proposal, member: int) -> None:
        """Report two contradictory signatures, once a member and view, so that proofs cannot fill the memory."""
        if (member, first.view) not in self.state.reported and is_contradiction(first, second):
            self.state = replace(self.state, reported=self.state.reported | {(member, first.view)})
            self.effects.append(fx.ReportMisbehaviour(first, second))

    def is_here(self, epoch: int, height: int, view: int) -> bool:
        """True for messages of this epoch and height, of views within reach."""
        config = self.state.config
        return epoch == config.epoch and height == config.height and view <= self.state.view + VIEWS_AHEAD_MAX
