"""Ballots on cases, receipts of opened documents, and tallies."""

from __future__ import annotations

from typing import Literal

from governance.tables import Table
from ledger.codec import Shape

Choice = Literal["accept", "deny", "abstain"]


class BallotRow(Shape):
    """A voter's live ballot. `changed_version`: evidence version in which it was last changed (0: never)."""

    voter: bytes
    choice: Choice
    award_cents: int | None
    reason: str
    version: int
    height: int
    changed_version: int
    rule_hash: bytes
    """Hash of the auto-accept rule that cast it; empty: cast by hand."""


class OpeningRow(Shape):
    """A receipt of a voter for a claim; it counts once a ballot came with or after it."""

    height: int
    is_effective: bool
    evidence_hash: bytes


class TallyRow(Shape):
    """Yes, no and receipts of an open case, delegators included; `ballots`: live ones, abstentions included."""

    yes: int = 0
    no: int = 0
    opened: int = 0
    ballots: int = 0


BALLOTS = Table("voting/ballot", BallotRow)
OPENINGS = Table("voting/opening", OpeningRow)
TALLIES = Table("voting/tally", TallyRow)
"""By open case; no row: no ballot yet."""
NO_BALLOTS = TallyRow()
