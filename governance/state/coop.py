"""The co-op itself: its phase, its currency, how it stands; and the counters that would else be counted over all members."""

from __future__ import annotations

from governance.tables import Table
from ledger.codec import Shape


class CoopRow(Shape):
    """What the co-op is, and in which state."""

    currency: str
    exponent: int
    phase: str
    claim_way: str
    is_rehearsal: bool
    """In a rehearsal attestations are implied: there are no keys to attest with."""
    is_auto_pay: bool
    is_admission_stopped: bool
    short_boundaries: int
    """Boundaries in a row at which claims + reserve were below what is owed."""
    run_off_height: int | None
    is_disbanded: bool
    phase_height: int
    """Boundary at which the phase last changed; 0 since genesis."""
    tells_all: bool
    """False in a rehearsal that did not ask for them: events of `QUIET` are not told."""
    community: tuple[str, ...]
    """Schemes in which a provider files for a patient."""


class CountsRow(Shape):
    """Sums that would else be counted over all members."""

    voters: int
    members: int
    rates_cents: int
    """Rates of the contracts in force."""
    long_rates_cents: int
    """Of these, contracts of more than one term."""
    delegations: int
    open_cases: int


COOP = Table("coop/coop", CoopRow)
COUNTS = Table("coop/counts", CountsRow)
PHASES = ("recruit", "pilot", "live")
