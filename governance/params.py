"""Every number of the rules that members may change, each declared once (rules.md, table of parameters).

A case keeps the parameters of the block that carried it: the state holds each set under a version number, and rows
name the version. An unknown name is an error. Constants (a term of 30 blocks, a year of 12 terms, the clamp of 9/10 to
11/10, the rows of the bars) are no parameters.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import msgspec

from governance.state.params import PARAM_SETS, PARAM_VERSION, Params, current_version, params_at
from governance.tables import Draft, Number
from ledger.errors import RuleBroken


@dataclass(frozen=True, slots=True)
class Parameter:
    """One number of the rules: what it is, in which unit, how far it may go, and where it comes from."""

    name: str
    default: int
    unit: str
    value_min: int
    value_max: int
    is_critical: bool
    source: str
    meaning: str


PARAMETERS: dict[str, Parameter] = {
    parameter.name: parameter
    for parameter in (
        Parameter("vote_blocks", 60, "blocks", 1, 240, True, "§6", "a case is open for so many blocks"),
        Parameter("streak_blocks", 15, "blocks", 1, 240, True, "§6", "passing blocks in a row that accept a case"),
        Parameter(
            "freeze_blocks",
            15,
            "blocks",
            0,
            240,
            False,
            "§6",
            "last blocks in which ballots change only under newer evidence",
        ),
        Parameter("evidence_until", 45, "blocks", 0, 240, False, "§6", "last block after s for new evidence"),
        Parameter(
            "evidence_versions", 3, "versions", 1, 20, False, "§6", "versions of the evidence, the first included"
        ),
        Parameter("panel_block", 30, "blocks", 1, 240, False, "§6", "block after s in which a duty panel is drawn"),
        Parameter("panel_size", 21, "members", 1, 1_000_000, False, "§6", "least size of a duty panel"),
        Parameter(
            "min_voters", 5, "members", 1, 1_000_000, False, "§6", "fewer eligible voters can only let a case lapse"
        ),
        Parameter("quorum_min", 5, "ballots", 1, 1_000_000, True, "§6", "least quorum"),
        Parameter("quorum_max", 101, "ballots", 1, 1_000_000, True, "§6", "largest quorum"),
        Parameter("quorum_div", 20, "members", 1, 1_000_000, True, "§6", "one ballot of quorum for so many eligible"),
        Parameter(
            "duty_missed_max",
            3,
            "duties",
            1,
            100,
            False,
            "§6",
            "missed duties in twelve terms that cost a reviewer's credit",
        ),
        Parameter(
            "small_claim_cents",
            0,
            "cents",
            0,
            1_000_000_000_000,
            False,
            "§6",
            "charges up to this are settled at the first lapse",
        ),
        Parameter(
            "lapse_pay_cents", 100_000, "cents", 0, 1_000_000_000_000, False, "§6", "award of a second lapse at most"
        ),
        Parameter("delegators_min", 3, "members", 0, 1_000_000, False, "§6", "delegators anyone may have"),
        Parameter("delegators_bp", 200, "bp", 0, 10_000, False, "§6", "share of voters that may delegate to one"),
        Parameter(
            "deny_sample_min",
            20,
            "ballots",
            1,
            1_000_000,
            False,
            "§7",
            "least sample against which denials are weighed",
        ),
        Parameter("seniority_step_bp", 100, "bp", 0, 5_000, False, "§7", "off the bar for a full year"),
        Parameter("seniority_max_bp", 1_000, "bp", 0, 5_000, True, "§7", "seniority at most"),
        Parameter("bar_floor_bp", 4_000, "bp", 1, 10_000, True, "§7", "no bar falls below"),
        Parameter("renewal_pct", 95, "percent", 0, 100, True, "§7", "denial rate that refuses a renewal"),
        Parameter("warning_pct", 85, "percent", 0, 100, False, "§7", "denial rate that warns"),
        Parameter("renewal_terms", 6, "terms", 1, 12, False, "§7", "closings must lie in so many terms"),
        Parameter("renewal_min", 20, "ballots", 1, 1_000_000, False, "§7", "least closings for a refusal"),
        Parameter("promote_pct", 75, "percent", 0, 100, True, "§8", "share of accepted cases that must be exceeded"),
        Parameter("promote_cases", 20, "cases", 1, 10_000, False, "§8", "decided cases needed"),
        Parameter("promote_claimants", 5, "members", 1, 1_000, False, "§8", "claimants needed among them"),
        Parameter("promote_providers", 3, "providers", 1, 1_000, False, "§8", "providers needed among them"),
        Parameter("promote_terms", 6, "terms", 1, 12, False, "§8", "terms in which they must have closed"),
        Parameter("proposal_blocks", 30, "blocks", 1, 240, False, "§12", "votes on a proposal"),
        Parameter("sponsor_min", 5, "members", 1, 1_000_000, False, "§12", "least sponsors"),
        Parameter("sponsor_div", 100, "members", 1, 1_000_000, False, "§12", "one sponsor for so many voters"),
        Parameter("turnout_max", 101, "votes", 1, 1_000_000, False, "§12", "turnout that is always enough"),
        Parameter("turnout_div", 5, "members", 1, 1_000_000, False, "§12", "one vote of turnout for so many voters"),
        Parameter("grace_blocks", 10, "blocks", 0, 29, False, "§3", "blocks after the due block before suspension"),
        Parameter("unpaid_terms", 2, "terms", 1, 120, False, "§3", "premiums owed at a boundary that end a contract"),
        Parameter("voting_after_terms", 3, "terms", 0, 1_000, False, "§2", "complete terms before a new member votes"),
        Parameter("vouchers", 3, "members", 0, 1_000, False, "§2", "members who vouch for an applicant"),
        Parameter("objections", 3, "members", 1, 100, False, "§2", "objections that end an application"),
        Parameter(
            "enrolment_attesters",
            2,
            "attesters",
            1,
            8,
            False,
            "§2",
            "attesters who sign that an applicant is nobody else here",
        ),
        Parameter(
            "application_terms",
            0,
            "terms",
            0,
            120,
            False,
            "§2",
            "terms after which an application without enough vouchers ends; 0: never; a charter sets 12",
        ),
        Parameter("growth_div", 10, "members", 1, 1_000_000, False, "§2", "one admission a term for so many voters"),
        Parameter("audit_random_bp", 300, "bp", 0, 10_000, False, "§9", "odds of a random audit"),
        Parameter("audit_pair_bp", 9_900, "bp", 0, 10_000, False, "§9", "rank of suspicious provider-cover pairs"),
        Parameter(
            "audit_claims", 4, "claims", 1, 1_000_000, False, "§9", "claims of a cover in a term that raise the odds"
        ),
        Parameter("audit_reports", 5, "members", 1, 1_000, False, "§9", "co-signed reports that place a hold"),
        Parameter("hold_blocks", 15, "blocks", 1, 360, False, "§9", "longest hold"),
        Parameter("audit_panel", 21, "members", 1, 1_000, False, "§9", "size of an audit panel"),
        Parameter("appeal_blocks", 15, "blocks", 1, 120, False, "§9", "ballots on an appeal"),
        Parameter("appeal_within", 10, "blocks", 1, 120, False, "§9", "blocks after a denial for an appeal"),
        Parameter("appeal_panel", 43, "members", 1, 1_000, False, "§9", "size of an appeal panel"),
        Parameter("reserve_bp", 1_500, "bp", 800, 3_000, True, "§11", "of the annual premium held in reserve"),
        Parameter("expense_bp", 0, "bp", 0, 5_000, False, "§11", "of the premium for expenses"),
        Parameter("credibility_k", 1_200, "contract terms", 0, 1_000_000_000, False, "§11", "weight of the prior cost"),
        Parameter("claim_reserve_bp", 500, "bp", 0, 10_000, False, "§11", "of the reserve for one payout and block"),
        Parameter("stop_bp", 300, "bp", 0, 10_000, False, "§11", "reserve below this share of A stops admissions"),
        Parameter("run_off_terms", 3, "terms", 1, 1_000, False, "§11", "insolvent boundaries before run-off"),
        Parameter(
            "rate_move_bp", 1_000, "bp", 0, 9_999, False, "§11", "the exchange rate moves at most so much a block"
        ),
        Parameter(
            "guaranteed_max_bp",
            4_000,
            "bp",
            0,
            10_000,
            False,
            "§3",
            "share of the rates that may be guaranteed over one term",
        ),
        Parameter("crowd_payees", 8, "payees", 1, 1_000, False, "§11", "payees that make a crowd"),
        Parameter("crowd_wait", 7, "blocks", 0, 60, False, "§11", "blocks a payee waits for a crowd"),
        Parameter("relax_wait", 14, "blocks", 0, 120, False, "§11", "blocks after which p_max is doubled"),
        Parameter(
            "p_max", 2_500, "bp", 100, 10_000, False, "§11", "share of the outputs of a denomination for one payee"
        ),
        Parameter("outputs_min", 4, "outputs", 1, 64, False, "§11", "fresh addresses for one payee"),
        Parameter(
            "pilot_claim_cents",
            500_000,
            "cents",
            0,
            1_000_000_000_000,
            False,
            "§2",
            "benefit of a claim in the pilot at most",
        ),
        Parameter(
            "pilot_terms",
            0,
            "terms",
            0,
            120,
            True,
            "§2",
            "complete terms of pilot before the phase may become live; a charter sets 12",
        ),
        Parameter(
            "live_members_min",
            0,
            "members",
            0,
            1_000_000_000,
            True,
            "§11",
            "members needed to go live: the chance of ruin in the first year is at most 1 % with so many",
        ),
        Parameter("filing_terms", 6, "terms", 1, 120, False, "§5", "terms after the day in which a claim may be filed"),
        Parameter(
            "dependant_bp",
            10_000,
            "bp",
            0,
            10_000,
            False,
            "§2",
            "share of the plan's rate that each dependant's cover adds to a contract",
        ),
        Parameter(
            "dependants_max",
            12,
            "covers",
            0,
            64,
            False,
            "§2",
            "covers of dependants on one contract, those ended within 12 terms included",
        ),
        Parameter(
            "guardian_blocks",
            7,
            "blocks",
            1,
            120,
            False,
            "§2",
            "blocks in which the old key may object to a move of the identity",
        ),
        Parameter(
            "guardian_pause_blocks",
            30,
            "blocks",
            0,
            360,
            False,
            "§2",
            "blocks after an objection in which guardians open no move",
        ),
        Parameter(
            "preauth_terms",
            6,
            "terms",
            1,
            120,
            False,
            "§5",
            "terms that a pre-authorisation plans ahead, and that an authorisation holds",
        ),
        Parameter("waiting_terms", 1, "terms", 0, 120, False, "§3", "waiting of a plan that names none"),
    )
}


# ---- Rules --------------------------------------------------------------
def check_parameter(name: str, value: int) -> None:
    """Raise RuleBroken for an unknown name or a value out of range."""
    parameter = PARAMETERS.get(name)
    if parameter is None:
        raise RuleBroken(
            "param_unknown", f"there is no parameter {name}", "see the table of parameters in the reference"
        )
    if not parameter.value_min <= value <= parameter.value_max:
        bounds = f"{parameter.value_min}..{parameter.value_max} {parameter.unit}"
        raise RuleBroken("param_range", f"{name} = {value} is outside {bounds}", "choose a value inside")


def params_of(overrides: Mapping[str, int]) -> Params:
    """Return the defaults with `overrides`; RuleBroken for an unknown name or a value out of range."""
    for name, value in sorted(overrides.items()):
        check_parameter(name, value)
    return Params(**{name: overrides.get(name, parameter.default) for name, parameter in PARAMETERS.items()})


def put_params(draft: Draft, params: Params, version: int) -> None:
    """Make `params` the set in force under `version`."""
    PARAM_SETS.put(draft, params, version)
    PARAM_VERSION.put(draft, Number(version))


def apply_change(draft: Draft, name: str, value: int) -> int:
    """Put one checked change in force under a new version; return the value before."""
    version = current_version(draft)
    params = params_at(draft, version)
    before = int(getattr(params, name))
    put_params(draft, msgspec.structs.replace(params, **{name: value}), version + 1)
    return before


def param_values(params: Params) -> dict[str, int]:
    """Return the set by name."""
    return {name: int(getattr(params, name)) for name in PARAMETERS}


# ---- Invariants ---------------------------------------------------------
def broken_invariants(draft: Draft) -> list[str]:
    """Return a sentence for every parameter out of its range."""
    values = param_values(params_at(draft, current_version(draft)))
    return [
        f"parameter {name} = {values[name]} is out of range"
        for name, item in PARAMETERS.items()
        if not item.value_min <= values[name] <= item.value_max
    ]
