"""The parameters in force: every set that ever was, by version, so that a case keeps those of its block."""

from __future__ import annotations

from governance.tables import Draft, Number, Table
from ledger.codec import Shape


class Params(Shape):
    """One set of all parameters, by name."""

    vote_blocks: int
    streak_blocks: int
    freeze_blocks: int
    evidence_until: int
    evidence_versions: int
    panel_block: int
    panel_size: int
    min_voters: int
    quorum_min: int
    quorum_max: int
    quorum_div: int
    duty_missed_max: int
    small_claim_cents: int
    lapse_pay_cents: int
    delegators_min: int
    delegators_bp: int
    deny_sample_min: int
    seniority_step_bp: int
    seniority_max_bp: int
    bar_floor_bp: int
    renewal_pct: int
    warning_pct: int
    renewal_terms: int
    renewal_min: int
    promote_pct: int
    promote_cases: int
    promote_claimants: int
    promote_providers: int
    promote_terms: int
    proposal_blocks: int
    sponsor_min: int
    sponsor_div: int
    turnout_max: int
    turnout_div: int
    grace_blocks: int
    unpaid_terms: int
    voting_after_terms: int
    vouchers: int
    objections: int
    enrolment_attesters: int
    application_terms: int
    growth_div: int
    audit_random_bp: int
    audit_pair_bp: int
    audit_claims: int
    audit_reports: int
    hold_blocks: int
    audit_panel: int
    appeal_blocks: int
    appeal_within: int
    appeal_panel: int
    reserve_bp: int
    expense_bp: int
    credibility_k: int
    claim_reserve_bp: int
    stop_bp: int
    run_off_terms: int
    rate_move_bp: int
    guaranteed_max_bp: int
    crowd_payees: int
    crowd_wait: int
    relax_wait: int
    p_max: int
    outputs_min: int
    pilot_claim_cents: int
    pilot_terms: int
    live_members_min: int
    filing_terms: int
    dependant_bp: int
    dependants_max: int
    guardian_blocks: int
    guardian_pause_blocks: int
    preauth_terms: int
    waiting_terms: int


PARAM_SETS = Table("params/set", Params)
PARAM_VERSION = Table("params/version", Number)


def current_version(draft: Draft) -> int:
    """Return the number of the set in force."""
    return PARAM_VERSION.get(draft).value


def params_at(draft: Draft, version: int) -> Params:
    """Return the set of a version."""
    return PARAM_SETS.get(draft, version)
