"""The co-op itself: phase, currency, state; and counters that would otherwise be counted over all members."""

from __future__ import annotations

from typing import Literal

from governance.tables import Table
from ledger.codec import Shape

Phase = Literal["recruit", "pilot", "live"]
PHASES: tuple[Phase, ...] = ("recruit", "pilot", "live")


class CoopRow(Shape):
    """What the co-op is, and in which state."""

    currency: str
    exponent: int
    phase: Phase
    claim_way: str
    is_rehearsal: bool
    """In a rehearsal attestations are implied: there are no keys to attest with."""
    is_auto_pay: bool
    is_admission_stopped: bool = False
    short_boundaries: int = 0
    """Boundaries in a row at which claims + reserve were below what is owed."""
    run_off_height: int | None = None
    is_disbanded: bool = False
    phase_height: int = 0
    """Boundary at which the phase last changed; 0 since genesis."""
    tells_all: bool = True
    """False in a rehearsal that did not ask for them: events of `QUIET` are not told."""
    community: tuple[str, ...] = ()
    """Schemes in which a provider files for a patient."""


class CountsRow(Shape):
    """Sums that would else be counted over all members."""

    voters: int = 0
    members: int = 0
    rates_cents: int = 0
    """Rates of the contracts in force."""
    long_rates_cents: int = 0
    """Of these, contracts of more than one term."""
    delegations: int = 0
    open_cases: int = 0


COOP = Table("coop/coop", CoopRow)
COUNTS = Table("coop/counts", CountsRow)
