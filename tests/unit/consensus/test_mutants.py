"""Six faults planted in the machine, one at a time: the simulator must find each from outside, within few seeds.

The planted machines also leave out the machine's own assertions, so that it is the oracle which kills them. The same
seeds with the machine as it stands find nothing.
"""

from __future__ import annotations

from dataclasses import replace

import pytest

from consensus import effects as fx
from consensus import machine
from consensus.messages import Cell, CellKind, VoteKind
from consensus.simulator import Options, Step, options_of, simulate
from consensus.simulator_invariants import ALL_RULES, Violation
from ledger.hashing import ZERO_HASH

SEEDS = range(1, 61)
"""Within these every mutant must die more than once; the control runs them all."""
KILLS_MIN = 3


def options_for(seed: int) -> Options:
    """Return the mix of a seed with one liar and real trouble in every run: kills are not rare."""
    return replace(options_of(seed), size=4, heights=3, byzantine=seed % 4, chaos_ms=5_000, loss=0.15, crash=0.02)


class Unasserted(machine.Turn):
    """Writes and casts whatever the rules in the subclass allow."""

    def write(self, kind: CellKind, view: int, block_hash: bytes, support: bytes) -> None:
        self.state = replace(self.state, cells={**self.state.cells, (kind, view): block_hash})
        self.effects.append(fx.Journal(Cell(kind, self.state.config.height, view, block_hash, support)))

    def cast(self, kind: VoteKind, view: int, block_hash: bytes, support: bytes = b"") -> None:
        config = self.state.config
        self.write(CellKind(kind), view, block_hash, support)
        vote = machine.Vote(kind, config.epoch, config.height, view, block_hash, config.own_index or 0)
        self.effects.append(fx.CastVote(vote))


class SendsWithoutJournal(Unasserted):
    """The vote leaves, and only the memory knows of it."""

    def write(self, kind: CellKind, view: int, block_hash: bytes, support: bytes) -> None:
        self.state = replace(self.state, cells={**self.state.cells, (kind, view): block_hash})


class SkipsAfterFinalize(Unasserted):
    """A view's timer makes a SKIP, finalized or not."""

    def on_timer(self, view: int) -> None:
        if (CellKind.SKIP, view) not in self.state.cells and self.state.config.own_index is not None:
            self.cast(VoteKind.SKIP, view, ZERO_HASH)


class NeedsNoJustification(Unasserted):
    """Notarizes any valid block of the leader."""

    def is_justified(self, view: int, block_hash: bytes) -> bool:
        return self.state.is_open


class TakesTwoThirdsForQuorum(Unasserted):
    """2N//3 votes make a certificate: one too few."""

    def quorum(self) -> int:
        return 2 * len(self.state.config.committee) // 3


class NotarizesTwice(Unasserted):
    """Notarizes each block that the leader of a view proposes."""

    def on_proposal(self, proposal: machine.Proposal) -> None:
        held = {view: each for view, each in self.state.proposals.items() if view != proposal.view}
        self.state = replace(self.state, proposals=held)
        super().on_proposal(proposal)

    def may_notarize(self, view: int) -> bool:
        proposal = self.state.proposals.get(view)
        held = self.state.cells.get((CellKind.NOTARIZE, view))
        return (CellKind.SKIP, view) not in self.state.cells and proposal is not None and proposal.block_hash != held


class NeverSkips(machine.Turn):
    """Waits for a leader for ever: safe, and useless."""

    def on_timer(self, view: int) -> None:
        pass


MUTANTS: dict[type[machine.Turn], frozenset[str]] = {
    SendsWithoutJournal: frozenset({"I5"}),
    SkipsAfterFinalize: frozenset({"I2"}),
    NeedsNoJustification: frozenset({"I4"}),
    TakesTwoThirdsForQuorum: frozenset({"I1", "I3", "I4", "maker"}),
    NotarizesTwice: frozenset({"I2"}),
    NeverSkips: frozenset({"liveness"}),
}
"""Each with the invariants that may find it first."""


def step_of(turn: type[machine.Turn]) -> Step:
    """Return the step function with a fault planted."""
    return lambda state, event: machine.take_turn(turn(state), event)


def find_kills(turn: type[machine.Turn], rules: frozenset[str], seeds: range) -> list[tuple[int, str]]:
    """Return (seed, broken invariant) of the runs that found the fault."""
    found = []
    for seed in seeds:
        try:
            simulate(options_for(seed), step_of(turn), rules)
        except Violation as violation:
            found.append((seed, violation.rule))
    return found


@pytest.mark.parametrize("turn", MUTANTS, ids=lambda turn: turn.__name__)
def test_the_simulator_kills_a_planted_fault_by_the_invariant_that_it_breaks(turn):
    kills = find_kills(turn, ALL_RULES, SEEDS)
    assert len(kills) >= KILLS_MIN, f"only {kills}"
    assert {rule for _, rule in kills} <= MUTANTS[turn], kills


def test_without_a_planted_fault_the_same_seeds_find_nothing():
    assert find_kills(machine.Turn, ALL_RULES, SEEDS) == []


def test_leaving_out_the_machines_assertions_is_no_fault_in_itself():
    assert find_kills(Unasserted, ALL_RULES, SEEDS) == []


def test_one_vote_too_few_forks_the_chain():
    # Agreement alone, watched from outside, is enough to see what the quorum is for.
    assert len(find_kills(TakesTwoThirdsForQuorum, frozenset({"I1"}), SEEDS)) > len(SEEDS) // 2
