"""What a crash must not take away for good: each of these faults leaves committees that stand still for ever.

They are no danger to agreement, so only the second phase of the simulator sees them: the network is whole, every honest
member is up, the liar may be gone, and yet some certificate or header can never be made again.
"""

from __future__ import annotations

import pytest

from consensus import machine
from consensus.messages import CellKind
from consensus.simulator import options_of, simulate
from consensus.simulator_invariants import Violation

SEEDS = range(1, 101)


class ForgetsCertificates(machine.Turn):
    """A FINALIZE cell without the certificate it rests on: its signer can never skip the view, nor show why."""

    def write(self, kind: CellKind, view: int, block_hash: bytes, support: bytes) -> None:
        super().write(kind, view, block_hash, b"" if kind == CellKind.FINALIZE else support)


class ForgetsHeaders(machine.Turn):
    """Cells without headers: after a power cut nobody can propose the notarized block again."""

    def write(self, kind: CellKind, view: int, block_hash: bytes, support: bytes) -> None:
        super().write(kind, view, block_hash, support if kind == CellKind.FINALIZE else b"")


class NeverSkipsLate(machine.Turn):
    """A view that was jumped over is never skipped: the votes of those who did may not be enough after a crash."""

    def skip_late(self) -> None:
        return


@pytest.mark.parametrize("turn", [ForgetsCertificates, ForgetsHeaders, NeverSkipsLate], ids=lambda turn: turn.__name__)
def test_a_committee_that_forgets_too_much_in_a_power_cut_stands_still_for_ever(turn):
    kills: set[str] = set()
    for seed in SEEDS:
        try:
            simulate(options_of(seed), lambda state, event: machine.take_turn(turn(state), event))
        except Violation as violation:
            kills.add(violation.rule)
            break
    assert kills == {"liveness"}
