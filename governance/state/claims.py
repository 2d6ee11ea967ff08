"""Claims with every figure of their settlement, and what covers have used up."""

from __future__ import annotations

from typing import Literal

from governance.tables import Mark, Name, Numbers, Table
from ledger.codec import Shape

LineStatus = Literal[
    "open", "settled", "refused", "denied", "lapsed", "withdrawn", "cancelled", "estimated", "authorised"
]


class LineRow(Shape):
    """A line of a claim with every figure of its settlement, in minor units."""

    system: str
    code: str
    modifiers: tuple[str, ...]
    units: int
    charge_cents: int
    first_day: int
    last_day: int
    is_standard: bool
    status: LineStatus = "open"
    """estimated and authorised: of a pre-authorisation alone."""
    plan: str = ""
    units_paid: int = 0
    allowed_cents: int = 0
    deductible_cents: int = 0
    copay_cents: int = 0
    coinsurance_cents: int = 0
    relief_cents: int = 0
    cut_cents: int = 0
    benefit_cents: int = 0
    refusal: int | None = None
    authorised_by: bytes = b""
    """The pre-authorisation that let the line settle without a vote; empty: none."""


class EvidenceRef(Shape):
    """A document of the evidence: salted hash, size, media type. The document itself is never stored here."""

    hash: bytes
    size_bytes: int
    media: str


class ClaimRow(Shape):
    """A claim: what was filed, and how far its money is spent."""

    claim: bytes
    cover: bytes
    member: bytes
    height: int
    scheme: str
    submitter_role: str
    payee: str
    provider: bytes
    event_id: bytes
    """Groups claims of a cover; a claim that names none is the first of an event of its own, and others may name it."""
    use: str
    """claim | preauth"""
    supersedes: bytes
    source_hash: bytes
    commitment: bytes
    evidence: tuple[EvidenceRef, ...]
    evidence_version: int
    other_payer_cents: int
    other_left_cents: int
    is_copay_taken: bool
    benefit_cents: int
    lines: tuple[LineRow, ...]


class BenefitYearRow(Shape):
    """What a cover used up in a benefit year."""

    deductible_cents: int = 0
    borne_cents: int = 0
    """Deductible + copay + coinsurance - relief: never above the maximum of the plan."""
    benefit_cents: int = 0


CLAIMS = Table("benefits/claim", ClaimRow)
BENEFIT_YEARS = Table("benefits/year", BenefitYearRow)
UNITS_USED = Numbers("benefits/units")
DAY_BENEFITS = Numbers("benefits/day_benefit")
"""Benefit of one cover, provider and day: parts of one visit share the ceiling of a claim."""
EVENT_BENEFITS = Numbers("benefits/event_benefit")
"""(cover, event) -> benefit of all claims of a cover that are of one event: both share one claim ceiling."""


class LineUse(Shape):
    """Who holds a (cover, provider, code, day): the claim in which it stands (empty: none), and how often it lapsed."""

    standing: bytes
    lapses: int


LINE_USES = Table("benefits/line_use", LineUse)
CLAIM_SOURCES = Table("benefits/source", Name)
"""(cover, source hash) -> claim: the same source is imported once."""
CONTESTED_CLAIMS = Table("benefits/contested", Mark)
"""Claims that their patient contested: once each."""
