"""The receipts of a proposal, a member's renewals and a plan's premium; amounts in minor units, times in heights."""

from __future__ import annotations

from governance.receipts.shapes import Bar
from governance.state.proposals import ProposeBody
from ledger.codec import Shape


class Sponsor(Shape):
    """A member who signed a proposal, the proposer first. No sponsors: a finding of fraud opened it."""

    member: bytes
    height: int


class ProposalVote(Shape):
    """A member's last vote."""

    member: bytes
    height: int
    choice: str


class ProposalReceipt(Shape):
    """A proposal from its sponsors to its effect (rules §12)."""

    proposal: bytes
    height: int
    body: ProposeBody
    is_critical: bool
    """It needs two thirds yes and takes effect one term later."""
    sponsors: tuple[Sponsor, ...]
    voters: int
    """Number of voters at the newest signature."""
    sponsor_min: int
    sponsor_div: int
    sponsors_needed: int
    """max(sponsor_min, voters / sponsor_div rounded up)"""
    opened_height: int | None
    proposal_blocks: int
    eligible: int
    """Voters at the end of the block in which it opened."""
    turnout_max: int
    turnout_div: int
    turnout_needed: int
    """min(turnout_max, eligible / turnout_div rounded up), abstentions count"""
    votes: tuple[ProposalVote, ...]
    yes: int
    no: int
    abstain: int
    judged_height: int | None
    passes: bool
    effective_height: int | None
    status: str
    """gathering | open | passed | failed | in_force | void"""
    void_reason: str
    reason: str
    """The inequality that decided, with its figures; empty until then."""


class RenewalTerm(Shape):
    """The member's ballots in cases closed in one term."""

    term: int
    denied: int
    voted: int
    auto: int


class Renewal(Shape):
    """A boundary at which the member's renewal was decided (rules §7)."""

    height: int
    terms: tuple[RenewalTerm, ...]
    denied: int
    voted: int
    terms_with_closings: int
    renewal_pct: int
    warning_pct: int
    renewal_min: int
    renewal_terms: int
    is_refusable: bool
    is_warnable: bool
    was_warned: bool
    until_before: int | None
    last_block: int
    """Of the contract's guaranteed terms."""
    until: int | None
    """Last block of cover; None: cover continues."""
    outcome: str
    """none | warned | refused | cleared | ended"""
    reason: str


class MemberReceipt(Shape):
    """A member's approval threshold as of the last block, and every boundary that decided on the renewal."""

    member: bytes
    height: int
    bar: Bar
    deny_sample_min: int
    seniority_step_bp: int
    seniority_max_bp: int
    bar_floor_bp: int
    renewals: tuple[Renewal, ...]


class PlanTerm(Shape):
    """A term of a plan: contracts in force at its end (10 000 each, and dependants' shares), benefits accepted."""

    term: int
    weight_bp: int
    benefits_cents: int


class Rerating(Shape):
    """A plan's premium at one boundary (rules §11, §3)."""

    height: int
    old_cents: int
    terms: tuple[PlanTerm, ...]
    cost_cents: int
    weight_bp: int
    credibility_k: int
    prior_cents: int
    estimate_cents: int | None
    """None: no data and no prior weight, so the target is the old premium."""
    reserve_cents: int
    annual_premium_cents: int
    reserve_bp: int
    load_bp: int
    """reserve_bp while the reserve is below its share of the annual premium, else 0."""
    expense_bp: int
    target_cents: int
    low_cents: int
    high_cents: int
    new_cents: int
    reason: str


class PremiumReceipt(Shape):
    """Every re-rating of a plan."""

    plan: str
    height: int
    currency: str
    exponent: int
    reratings: tuple[Rerating, ...]
