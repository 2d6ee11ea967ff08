"""The parameters in force: every set that ever was, by version, so that a case keeps those of its block."""

from __future__ import annotations

from typing import Annotated

from governance.tables import Draft, Number, Table
from ledger.codec import Shape


class Params(Shape):
    """One set of all parameters; each declares default, unit, least, most, critical?, section of the rules, meaning."""

    # fmt: off
    vote_blocks: Annotated[int, 60, "blocks", 1, 240, True, "§6", "number of blocks for which a case is open"]
    streak_blocks: Annotated[int, 15, "blocks", 1, 240, True, "§6", "passing blocks in a row that accept a case"]
    freeze_blocks: Annotated[int, 15, "blocks", 0, 240, False, "§6",
        "final blocks, in which a ballot changes only after new evidence"]
    evidence_until: Annotated[int, 45, "blocks", 0, 240, False, "§6",
        "blocks after the filing in which evidence may be added"]
    evidence_versions: Annotated[int, 3, "versions", 1, 20, False, "§6",
        "versions of the evidence, including the first"]
    panel_block: Annotated[int, 30, "blocks", 1, 240, False, "§6", "blocks from the filing to the draw of a duty panel"]
    panel_size: Annotated[int, 21, "members", 1, 1_000_000, False, "§6", "smallest duty panel"]
    min_voters: Annotated[int, 5, "members", 1, 1_000_000, False, "§6",
        "with a smaller electorate a case can only lapse"]
    quorum_min: Annotated[int, 5, "ballots", 1, 1_000_000, True, "§6", "smallest quorum"]
    quorum_max: Annotated[int, 101, "ballots", 1, 1_000_000, True, "§6", "largest quorum"]
    quorum_div: Annotated[int, 20, "members", 1, 1_000_000, True, "§6",
        "members of the electorate per ballot of the quorum"]
    duty_missed_max: Annotated[int, 3, "duties", 1, 100, False, "§6",
        "missed duties in twelve terms that cost a reviewer's credit"]
    small_claim_cents: Annotated[int, 0, "cents", 0, 1_000_000_000_000, False, "§6",
        "charges up to this amount are settled when the case first lapses"]
    lapse_pay_cents: Annotated[int, 100_000, "cents", 0, 1_000_000_000_000, False, "§6",
        "highest award of a second lapse"]
    delegators_min: Annotated[int, 3, "members", 0, 1_000_000, False, "§6", "delegators that any member may have"]
    delegators_bp: Annotated[int, 200, "bp", 0, 10_000, False, "§6",
        "share of the voters that may delegate to one member"]
    deny_sample_min: Annotated[int, 20, "ballots", 1, 1_000_000, False, "§7", "smallest sample for the denial rate"]
    seniority_step_bp: Annotated[int, 100, "bp", 0, 5_000, False, "§7",
        "reduction of the threshold per full year of membership"]
    seniority_max_bp: Annotated[int, 1_000, "bp", 0, 5_000, True, "§7", "largest reduction for seniority"]
    bar_floor_bp: Annotated[int, 4_000, "bp", 1, 10_000, True, "§7", "lowest approval threshold"]
    renewal_pct: Annotated[int, 95, "percent", 0, 100, True, "§7", "denial rate from which a renewal is refused"]
    warning_pct: Annotated[int, 85, "percent", 0, 100, False, "§7", "denial rate from which the member is warned"]
    renewal_terms: Annotated[int, 6, "terms", 1, 12, False, "§7",
        "number of different terms in which the cases must have closed"]
    renewal_min: Annotated[int, 20, "ballots", 1, 1_000_000, False, "§7", "fewest closed cases for refusing a renewal"]
    promote_pct: Annotated[int, 75, "percent", 0, 100, True, "§8", "share of accepted cases that promotion must exceed"]
    promote_cases: Annotated[int, 20, "cases", 1, 10_000, False, "§8", "decided cases needed"]
    promote_claimants: Annotated[int, 5, "members", 1, 1_000, False, "§8", "number of different claimants needed"]
    promote_providers: Annotated[int, 3, "providers", 1, 1_000, False, "§8", "number of different providers needed"]
    promote_terms: Annotated[int, 6, "terms", 1, 12, False, "§8",
        "number of different terms in which the cases must have closed"]
    proposal_blocks: Annotated[int, 30, "blocks", 1, 240, False, "§12",
        "number of blocks for which votes on a proposal count"]
    sponsor_min: Annotated[int, 5, "members", 1, 1_000_000, False, "§12", "smallest number of sponsors"]
    sponsor_div: Annotated[int, 100, "members", 1, 1_000_000, False, "§12", "voters per required sponsor"]
    turnout_max: Annotated[int, 101, "votes", 1, 1_000_000, False, "§12", "largest turnout required"]
    turnout_div: Annotated[int, 5, "members", 1, 1_000_000, False, "§12", "voters per vote required as turnout"]
    grace_blocks: Annotated[int, 10, "blocks", 0, 29, False, "§3", "blocks after the due block before suspension"]
    unpaid_terms: Annotated[int, 2, "terms", 1, 120, False, "§3",
        "premiums owed at the end of a term that end a contract"]
    voting_after_terms: Annotated[int, 3, "terms", 0, 1_000, False, "§2", "complete terms before a new member may vote"]
    vouchers: Annotated[int, 3, "members", 0, 1_000, False, "§2", "members who vouch for an applicant"]
    objections: Annotated[int, 3, "members", 1, 100, False, "§2", "objections that end an application"]
    enrolment_attesters: Annotated[int, 2, "attesters", 1, 8, False, "§2",
        "attesters who must sign that an applicant is not already a member"]
    application_terms: Annotated[int, 0, "terms", 0, 120, False, "§2",
        "terms after which an application without enough vouchers ends; 0: never; charters set 12"]
    growth_div: Annotated[int, 10, "members", 1, 1_000_000, False, "§2", "voters per admission allowed in a term"]
    audit_random_bp: Annotated[int, 300, "bp", 0, 10_000, False, "§9", "probability of a random audit"]
    audit_pair_bp: Annotated[int, 9_900, "bp", 0, 10_000, False, "§9",
        "percentile from which a provider-cover pair is suspicious"]
    audit_claims: Annotated[int, 4, "claims", 1, 1_000_000, False, "§9",
        "claims of a cover in a term that raise the probability of an audit"]
    audit_reports: Annotated[int, 5, "members", 1, 1_000, False, "§9", "co-signed reports that place a hold"]
    hold_blocks: Annotated[int, 15, "blocks", 1, 360, False, "§9", "longest hold"]
    audit_panel: Annotated[int, 21, "members", 1, 1_000, False, "§9", "size of an audit panel"]
    appeal_blocks: Annotated[int, 15, "blocks", 1, 120, False, "§9",
        "number of blocks for which ballots on an appeal count"]
    appeal_within: Annotated[int, 10, "blocks", 1, 120, False, "§9",
        "blocks after a denial in which an appeal is possible"]
    appeal_panel: Annotated[int, 43, "members", 1, 1_000, False, "§9", "size of an appeal panel"]
    reserve_bp: Annotated[int, 1_500, "bp", 800, 3_000, True, "§11", "share of the annual premium held in reserve"]
    expense_bp: Annotated[int, 0, "bp", 0, 5_000, False, "§11", "share of the premium for expenses"]
    credibility_k: Annotated[int, 1_200, "contract terms", 0, 1_000_000_000, False, "§11", "weight of the prior cost"]
    claim_reserve_bp: Annotated[int, 500, "bp", 0, 10_000, False, "§11",
        "share of the reserve available to one payout in one block"]
    stop_bp: Annotated[int, 300, "bp", 0, 10_000, False, "§11", "share of annual premiums; below it, admissions stop"]
    run_off_terms: Annotated[int, 3, "terms", 1, 1_000, False, "§11", "insolvent terms before run-off"]
    rate_move_bp: Annotated[int, 1_000, "bp", 0, 9_999, False, "§11",
        "largest change of the exchange rate in one block"]
    guaranteed_max_bp: Annotated[int, 4_000, "bp", 0, 10_000, False, "§3",
        "share of the rates that may be guaranteed over one term"]
    crowd_payees: Annotated[int, 8, "payees", 1, 1_000, False, "§11", "payees that make a large enough anonymity set"]
    crowd_wait: Annotated[int, 7, "blocks", 0, 60, False, "§11",
        "longest wait for a large enough anonymity set"]
    relax_wait: Annotated[int, 14, "blocks", 0, 120, False, "§11", "blocks after which p_max is doubled"]
    p_max: Annotated[int, 2_500, "bp", 100, 10_000, False, "§11",
        "largest share of the outputs of one denomination that go to one payee"]
    outputs_min: Annotated[int, 4, "outputs", 1, 64, False, "§11", "smallest number of fresh addresses for one payee"]
    pilot_claim_cents: Annotated[int, 500_000, "cents", 0, 1_000_000_000_000, False, "§2",
        "highest benefit of one claim in the pilot"]
    pilot_terms: Annotated[int, 0, "terms", 0, 120, True, "§2",
        "complete terms of pilot before the phase may become live; charters set 12"]
    live_members_min: Annotated[int, 0, "members", 0, 1_000_000_000, True, "§11",
        "members needed to go live, so that ruin in the first year has at most 1 % chance"]
    filing_terms: Annotated[int, 6, "terms", 1, 120, False, "§5",
        "terms after the day of service in which a claim may be filed"]
    dependant_bp: Annotated[int, 10_000, "bp", 0, 10_000, False, "§2",
        "share of the plan's rate that each dependant adds to a contract"]
    dependants_max: Annotated[int, 12, "covers", 0, 64, False, "§2",
        "dependants on one contract, including those ended within 12 terms"]
    guardian_blocks: Annotated[int, 7, "blocks", 1, 120, False, "§2",
        "blocks in which the old key may object to a move of the identity"]
    guardian_pause_blocks: Annotated[int, 30, "blocks", 0, 360, False, "§2",
        "blocks after an objection in which guardians open no move"]
    preauth_terms: Annotated[int, 6, "terms", 1, 120, False, "§5",
        "terms that a pre-authorisation may plan ahead and that an authorisation lasts"]
    waiting_terms: Annotated[int, 1, "terms", 0, 120, False, "§3", "waiting terms of a plan that does not set its own"]
    # fmt: on


PARAM_SETS = Table("params/set", Params)
PARAM_VERSION = Table("params/version", Number)


def current_version(draft: Draft) -> int:
    """Return the number of the set in force."""
    return PARAM_VERSION.get(draft).value


def params_at(draft: Draft, version: int) -> Params:
    """Return the set of a version."""
    return PARAM_SETS.get(draft, version)
