"""Claims, their lines, the cases that members vote on, and preauthorisations."""

from __future__ import annotations

import msgspec

from node.api.views.base import Question, View
from node.api.views.money import Payout


class Document(View, frozen=True, kw_only=True):
    """A document of a claim's evidence: its hash names it on the ledger and in the documents folder."""

    hash: str
    size_bytes: int
    media: str


class Ballot(View, frozen=True, kw_only=True):
    """One member's live ballot."""

    voter: str
    choice: str
    award_cents: int | None = None
    reason: str
    version: int
    height: int
    changed_version: int
    rule_hash: str


class CaseBase(View, frozen=True, kw_only=True):
    """A case as everybody may see it: what was fixed when its block carried it, and the tally now."""

    claim: str
    use: str
    code: str
    system: str
    status: str
    how: str
    carried_height: int = msgspec.field(name="s")
    opens_at: int
    closes_at: int
    is_second: bool
    charges_cents: int
    eligible: int
    bar_bp: int
    quorum: int
    opened_needed: int
    yes: int
    no: int
    abstain: int
    opened: int
    streak: int
    streak_needed: int
    award_cents: int | None = None
    benefit_cents: int
    closed_height: int | None = None
    panel: tuple[str, ...]
    ballots: tuple[Ballot, ...]
    explanation: str

    @property
    def is_open(self) -> bool:
        """True while ballots may still count."""
        return self.status == "open"

    @property
    def cast(self) -> int:
        """Ballots that say yes or no."""
        return self.yes + self.no

    @property
    def yes_bp(self) -> int | None:
        """Share of yes among yes and no, rounded down; None without ballots."""
        return self.yes * 10_000 // self.cast if self.cast else None

    def ballot_of(self, member: str) -> Ballot | None:
        """Return a member's live ballot."""
        return next((item for item in self.ballots if item.voter == member), None)


class Case(CaseBase, frozen=True, kw_only=True):
    """A case of a claim. `seniority_bp` is for the claimant's eyes while the case is open (rules §7)."""

    seniority_bp: int


class CaseToVote(CaseBase, frozen=True, kw_only=True):
    """A case on which a member may vote: without seniority, with what the member needs to know to vote."""

    my_choice: str | None = None
    on_duty: bool
    evidence_version: int
    provider_id: str
    evidence: tuple[Document, ...]


class Line(View, frozen=True, kw_only=True):
    """A line of a claim with every figure of its settlement."""

    line: int
    system: str
    code: str
    modifiers: tuple[str, ...]
    units: int
    charge_cents: int
    first_day: int
    last_day: int
    is_standard: bool
    status: str
    plan: str
    units_paid: int
    allowed_cents: int
    deductible_cents: int
    copay_cents: int
    coinsurance_cents: int
    relief_cents: int
    cut_cents: int
    benefit_cents: int
    refusal: int | None = None
    authorised_by: str
    explanation: str


class Estimate(View, frozen=True, kw_only=True):
    """What a claim for a standard line of a preauthorisation would pay as of now."""

    line: int
    units_paid: int
    allowed_cents: int
    benefit_cents: int
    refusal: int | None = None


class Authorisation(View, frozen=True, kw_only=True):
    """What is left of an authorisation; days from `first_day` to `last_day` may use it."""

    claim: str
    case: str
    units_left: int
    award_left_cents: int
    first_day: int
    last_day: int


class ClaimHead(View, frozen=True, kw_only=True):
    """A claim in short."""

    claim: str
    cover_id: str
    provider_id: str
    height: int
    use: str
    payee: str
    charge_cents: int
    benefit_cents: int
    status: str
    codes: tuple[str, ...]
    source_hash: str


class Claim(ClaimHead, frozen=True, kw_only=True):
    """A claim with every settlement figure, its cases with the tally now, and the reasons in plain words."""

    evidence: tuple[Document, ...]
    evidence_version: int
    other_payer_cents: int
    payout_commitment: str
    lines: tuple[Line, ...]
    cases: tuple[Case, ...]
    estimates: tuple[Estimate, ...]
    authorisations: tuple[Authorisation, ...]
    payouts: tuple[Payout, ...]
    explanation: tuple[str, ...]

    def case_of(self, code: str) -> Case | None:
        """Return the case of a code."""
        return next((item for item in self.cases if item.code == code), None)


CLAIMS = Question("claims", tuple[ClaimHead, ...], ("member?",))
CLAIM = Question("claim", Claim, ("id",))
NEEDS_ME = Question("needs_me", tuple[CaseToVote, ...], ("member",))
