"""The laboratory's notes about a world: plain values that processes exchange, none of the ledger's own state."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from governance.simulation.laboratory.setting import Setting


@dataclass(frozen=True, slots=True)
class Line:
    """A service as claimed, and whether it should be paid, which voters know and the ledger does not."""

    code: str
    charge_cents: int
    day: int
    is_right: bool = True
    units: int = 1


@dataclass(slots=True)
class ClaimNote:
    """A claim on the ledger, and the result of its standard lines."""

    claim: str
    by: str
    provider: str
    height: int
    lines: tuple[Line, ...]
    benefit_cents: int = 0
    """Benefit of all parts so far."""
    paid_cents: int = 0
    paid_height: int | None = None
    """Block of the last payment."""
    allowed: list[tuple[str, bool, int, int]] = field(default_factory=list[tuple[str, bool, int, int]])
    """(code, is standard, units paid, allowed in cents) of each settled line."""
    audit: str | None = None


@dataclass(slots=True)
class Cast:
    """A voter's live ballot, as the rules accepted it."""

    choice: str
    height: int
    is_auto: bool = False
    casts: int = 1


@dataclass(slots=True)
class CaseNote:
    """A case from its block s to its end."""

    claim: str
    code: str
    by: str
    provider: str
    s: int
    charges_cents: int
    is_right: bool
    is_second: bool
    status: str = "open"
    how: str | None = None
    closed: int | None = None
    yes: int = 0
    no: int = 0
    bar_bp: int = 0
    seniority_bp: int = 0
    award_cents: int = 0
    benefit_cents: int = 0
    paid_cents: int = 0
    second: CaseNote | None = None
    """Its repetition, where a lapsed case was filed again."""
    voted: int | None = None
    """Block in which the members' vote closed it; an appeal changes the rest, not this."""
    vote_accepted: bool = False
    appealed: bool = False
    panel: tuple[str, ...] = ()
    ballots: dict[str, Cast] = field(default_factory=dict[str, Cast])

    @property
    def is_paid(self) -> bool:
        """True iff the case was settled, by vote or otherwise."""
        return self.status == "accepted"

    @property
    def outcome(self) -> CaseNote:
        """The filing that counts in the end: the second one where there is one."""
        return self.second or self

    @property
    def is_paid_at_last(self) -> bool:
        """True iff the filing or its repetition was settled."""
        return self.is_paid or self.outcome.is_paid


@dataclass(slots=True)
class MemberNote:
    """How a member joined and left, and the premiums paid."""

    joined: int = 0
    left: int | None = None
    refused: int | None = None
    until: int | None = None
    premiums: int = 0
    """How many were paid."""
    premiums_cents: int = 0


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The co-op at a boundary. `attackers`: the voters who belong to the attack."""

    height: int
    voters: int
    claims_cents: int
    reserve_cents: int
    premium_cents: int
    joined: int
    room: int
    """A tenth of the voters of the boundary before, rounded up: the limit of rules §13."""
    attackers: int


@dataclass(frozen=True, slots=True)
class Draw:
    """What one payout took from the reserve, and what the reserve held at the start of the day's payouts, in cents."""

    height: int
    taken_cents: int
    reserve_cents: int


Look = tuple[int, dict[str, int]]
"""A boundary, and a member's figures there."""


@dataclass(slots=True)
class Book:
    """All notes about one world."""

    setting: Setting
    claims: dict[str, ClaimNote] = field(default_factory=dict[str, ClaimNote])
    cases: dict[tuple[str, str], CaseNote] = field(default_factory=dict[tuple[str, str], CaseNote])
    members: dict[str, MemberNote] = field(default_factory=dict[str, MemberNote])
    snapshots: list[Snapshot] = field(default_factory=list[Snapshot])
    records: dict[str, list[tuple[int, bool, bool]]] = field(default_factory=dict[str, list[tuple[int, bool, bool]]])
    """The lab's own count of closings by voter: (height, said no, by auto-accept)."""
    watched: dict[str, list[Look]] = field(default_factory=dict[str, list[Look]])
    """Denied, voted, bar and seniority of the watched members at each boundary, as the ledger says."""
    draws: list[Draw] = field(default_factory=list[Draw])
    refused: Counter[tuple[str, str]] = field(default_factory=Counter[tuple[str, str]])
    """(action, error code) -> how often."""
    events: Counter[str] = field(default_factory=Counter[str])
    milestones: list[tuple[int, str, str]] = field(default_factory=list[tuple[int, str, str]])
    """(height, event, subject): promotions and demotions with their code, run-off, the end."""
    broken: list[str] = field(default_factory=list[str])
    state_root: str = ""
    seconds: float = 0.0

    def heights_of(self, event: str, subject: str | None = None) -> list[int]:
        """Return the blocks of a milestone, of one subject or of all."""
        return [height for height, name, found in self.milestones if name == event and subject in (None, found)]

    def denied_at(self, name: str, height: int, sample_terms: int = 13) -> tuple[int, int]:
        """Return a voter's (denied, counted) ballots in the last terms by the lab's count; auto-accept at most half."""
        first = max(0, ((height - 1) // 30 - (sample_terms - 1)) * 30 + 1)
        found = [item for item in self.records.get(name, ()) if first <= item[0] <= height]
        auto = sum(is_auto for _, _, is_auto in found)
        by_hand = len(found) - auto
        return sum(is_no for _, is_no, _ in found), by_hand + min(auto, by_hand)
