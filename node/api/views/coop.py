"""The co-op: at a glance, what its members have listed, what they propose, what is audited."""

from __future__ import annotations

from msgspec import UNSET, UnsetType

from node.api.views.base import Question, View


class ProtocolRow(View, frozen=True, kw_only=True):
    """A protocol version, and the block it begins with."""

    height: int
    version: int


class Coop(View, frozen=True, kw_only=True):
    """The co-op at a glance; `rate` is minor units a bitcoin."""

    height: int
    term: int
    phase: str
    currency: str
    exponent: int
    members: int
    voters: int
    open_cases: int
    claims_cents: int
    reserve_cents: int
    annual_premium_cents: int
    owed_cents: int
    rate: int | None = None
    admission_stopped: bool
    run_off_height: int | None = None
    protocol_version: int
    protocol_next: ProtocolRow | None = None


class Party(View, frozen=True, kw_only=True):
    """An attester of enrolments, or a verifier of providers."""

    key: str
    name: str
    since: int


class Parties(View, frozen=True, kw_only=True):
    """Who attests enrolments, verifies providers and signs for the treasury, and how many of them are needed."""

    attesters: tuple[Party, ...]
    attesters_needed: int
    signers_attest: bool
    verifiers: tuple[Party, ...]
    signers: tuple[str, ...]
    signers_needed: int


class Parameter(View, frozen=True, kw_only=True):
    """A parameter in force."""

    value: int
    default: int
    unit: str
    min: int
    max: int
    critical: bool
    source: str
    meaning: str


class PlanFigures(View, frozen=True, kw_only=True):
    """What a plan pays and what its members pay themselves."""

    from_day: int
    deductible_cents: int
    copay_cents: int
    coinsurance_bp: int
    oop_max_cents: int | None = None
    claim_ceiling_cents: int | None = None
    year_ceiling_cents: int | None = None
    waiting_terms: int
    codes: tuple[str, ...]


class Plan(PlanFigures, frozen=True, kw_only=True):
    """A plan with the figures of its newest version."""

    name: str
    premium_cents: int
    prior_cents: int | None = None


class Code(View, frozen=True, kw_only=True):
    """A listed code with its newest version."""

    system: str
    code: str
    from_day: int
    is_standard: bool
    allowed_cents: int | None = None
    frequency: int | None = None


class Provider(View, frozen=True, kw_only=True):
    """A listed provider: the key that attests claims, and the name people know it by."""

    key: str
    identifier: str


class ProposalSays(View, frozen=True, kw_only=True):
    """What a proposal says; each kind has some of these fields."""

    name: str | UnsetType = UNSET
    system: str | UnsetType = UNSET
    value: int | UnsetType | None = UNSET
    standard: bool | UnsetType = UNSET
    allowed_cents: int | UnsetType | None = UNSET
    frequency: int | UnsetType | None = UNSET
    premium_cents: int | UnsetType = UNSET
    prior_cents: int | UnsetType | None = UNSET
    figures: PlanFigures | UnsetType | None = UNSET
    member: str | UnsetType = UNSET
    change: str | UnsetType = UNSET
    key: str | UnsetType = UNSET
    height: int | UnsetType = UNSET


class Proposal(View, frozen=True, kw_only=True):
    """What is proposed, what it needs and its current state."""

    proposal: str
    what: str
    says: ProposalSays
    status: str
    is_critical: bool
    sponsors: int
    sponsors_needed: int
    opened_height: int | None = None
    closes_at: int | None = None
    yes: int
    no: int
    abstain: int
    eligible: int
    turnout_needed: int | None = None
    effective_height: int | None = None
    why: str | None = None


class ProposalWhole(Proposal, frozen=True, kw_only=True):
    """A proposal with its sponsors, and a member's vote on it."""

    sponsored_by: tuple[str, ...]
    my_vote: str | None = None


class Drawn(View, frozen=True, kw_only=True):
    """A claim drawn for audit."""

    claim: str
    cover_id: str
    provider_id: str
    height: int
    trigger: str
    is_fraud: bool


class Hold(View, frozen=True, kw_only=True):
    """A hold on payment."""

    held: str
    claim: str | None = None
    trigger: str
    until: int


class Panel(View, frozen=True, kw_only=True):
    """An audit panel in draw order, and the majority it needs."""

    claim: str
    panel: tuple[str, ...]
    needed: int
    is_fraud: bool


class Audit(Panel, frozen=True, kw_only=True):
    """A claim's audit: why it was drawn, and its panel."""

    trigger: str | None = None


class Audits(View, frozen=True, kw_only=True):
    """Claims drawn for audit, holds on payment, and panels."""

    drawn: tuple[Drawn, ...]
    holds: tuple[Hold, ...]
    panels: tuple[Panel, ...]


COOP = Question("coop", Coop)
PARTIES = Question("parties", Parties)
PARAMS = Question("params", dict[str, Parameter])
PLANS = Question("plans", tuple[Plan, ...])
CODES = Question("codes", tuple[Code, ...])
PROVIDERS = Question("providers", tuple[Provider, ...])
PROPOSALS = Question("proposals", tuple[Proposal, ...])
PROPOSAL = Question("proposal", ProposalWhole, ("id", "member?"))
AUDITS = Question("audits", Audits)
AUDIT = Question("audit", Audit, ("id",))
