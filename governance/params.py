"""Every number of the rules that members may change, each declared once (rules.md, table of parameters).

A case keeps the parameters of the block that included it: the state holds each set under a version number, and rows
name the version. Constants (a term of 30 blocks, a year of 12 terms, premium changes within 9/10 to 11/10, the rows of
the approval threshold) are not parameters.
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
    """One number of the rules: its meaning, unit, bounds and source."""

    name: str
    default: int
    unit: str
    value_min: int
    value_max: int
    is_critical: bool
    source: str
    meaning: str


# A table of data, so it keeps one row each: name, default, unit, least, most, critical?, section of the rules, meaning.
# fmt: off
_ROWS: tuple[tuple[str, int, str, int, int, bool, str, str], ...] = (
    ("vote_blocks", 60, "blocks", 1, 240, True, "§6", "number of blocks for which a case is open"),
    ("streak_blocks", 15, "blocks", 1, 240, True, "§6", "passing blocks in a row that accept a case"),
    ("freeze_blocks", 15, "blocks", 0, 240, False, "§6",
     "final blocks, in which a ballot changes only after new evidence"),
    ("evidence_until", 45, "blocks", 0, 240, False, "§6", "blocks after the filing in which evidence may be added"),
    ("evidence_versions", 3, "versions", 1, 20, False, "§6", "versions of the evidence, including the first"),
    ("panel_block", 30, "blocks", 1, 240, False, "§6", "blocks from the filing to the draw of a duty panel"),
    ("panel_size", 21, "members", 1, 1_000_000, False, "§6", "smallest duty panel"),
    ("min_voters", 5, "members", 1, 1_000_000, False, "§6", "with a smaller electorate a case can only lapse"),
    ("quorum_min", 5, "ballots", 1, 1_000_000, True, "§6", "smallest quorum"),
    ("quorum_max", 101, "ballots", 1, 1_000_000, True, "§6", "largest quorum"),
    ("quorum_div", 20, "members", 1, 1_000_000, True, "§6", "members of the electorate per ballot of the quorum"),
    ("duty_missed_max", 3, "duties", 1, 100, False, "§6",
     "missed duties in twelve terms that cost a reviewer's credit"),
    ("small_claim_cents", 0, "cents", 0, 1_000_000_000_000, False, "§6",
     "charges up to this amount are settled when the case first lapses"),
    ("lapse_pay_cents", 100_000, "cents", 0, 1_000_000_000_000, False, "§6", "highest award of a second lapse"),
    ("delegators_min", 3, "members", 0, 1_000_000, False, "§6", "delegators that any member may have"),
    ("delegators_bp", 200, "bp", 0, 10_000, False, "§6", "share of the voters that may delegate to one member"),
    ("deny_sample_min", 20, "ballots", 1, 1_000_000, False, "§7", "smallest sample for the denial rate"),
    ("seniority_step_bp", 100, "bp", 0, 5_000, False, "§7",
     "reduction of the threshold per full year of membership"),
    ("seniority_max_bp", 1_000, "bp", 0, 5_000, True, "§7", "largest reduction for seniority"),
    ("bar_floor_bp", 4_000, "bp", 1, 10_000, True, "§7", "lowest approval threshold"),
    ("renewal_pct", 95, "percent", 0, 100, True, "§7", "denial rate from which a renewal is refused"),
    ("warning_pct", 85, "percent", 0, 100, False, "§7", "denial rate from which the member is warned"),
    ("renewal_terms", 6, "terms", 1, 12, False, "§7", "number of different terms in which the cases must have closed"),
    ("renewal_min", 20, "ballots", 1, 1_000_000, False, "§7", "fewest closed cases for refusing a renewal"),
    ("promote_pct", 75, "percent", 0, 100, True, "§8", "share of accepted cases that promotion must exceed"),
    ("promote_cases", 20, "cases", 1, 10_000, False, "§8", "decided cases needed"),
    ("promote_claimants", 5, "members", 1, 1_000, False, "§8", "number of different claimants needed"),
    ("promote_providers", 3, "providers", 1, 1_000, False, "§8", "number of different providers needed"),
    ("promote_terms", 6, "terms", 1, 12, False, "§8", "number of different terms in which the cases must have closed"),
    ("proposal_blocks", 30, "blocks", 1, 240, False, "§12", "number of blocks for which votes on a proposal count"),
    ("sponsor_min", 5, "members", 1, 1_000_000, False, "§12", "smallest number of sponsors"),
    ("sponsor_div", 100, "members", 1, 1_000_000, False, "§12", "voters per required sponsor"),
    ("turnout_max", 101, "votes", 1, 1_000_000, False, "§12", "largest turnout required"),
    ("turnout_div", 5, "members", 1, 1_000_000, False, "§12", "voters per vote required as turnout"),
    ("grace_blocks", 10, "blocks", 0, 29, False, "§3", "blocks after the due block before suspension"),
    ("unpaid_terms", 2, "terms", 1, 120, False, "§3", "premiums owed at the end of a term that end a contract"),
    ("voting_after_terms", 3, "terms", 0, 1_000, False, "§2", "complete terms before a new member may vote"),
    ("vouchers", 3, "members", 0, 1_000, False, "§2", "members who vouch for an applicant"),
    ("objections", 3, "members", 1, 100, False, "§2", "objections that end an application"),
    ("enrolment_attesters", 2, "attesters", 1, 8, False, "§2",
     "attesters who must sign that an applicant is not already a member"),
    ("application_terms", 0, "terms", 0, 120, False, "§2",
     "terms after which an application without enough vouchers ends; 0: never; charters set 12"),
    ("growth_div", 10, "members", 1, 1_000_000, False, "§2", "voters per admission allowed in a term"),
    ("audit_random_bp", 300, "bp", 0, 10_000, False, "§9", "probability of a random audit"),
    ("audit_pair_bp", 9_900, "bp", 0, 10_000, False, "§9", "percentile from which a provider-cover pair is suspicious"),
    ("audit_claims", 4, "claims", 1, 1_000_000, False, "§9",
     "claims of a cover in a term that raise the probability of an audit"),
    ("audit_reports", 5, "members", 1, 1_000, False, "§9", "co-signed reports that place a hold"),
    ("hold_blocks", 15, "blocks", 1, 360, False, "§9", "longest hold"),
    ("audit_panel", 21, "members", 1, 1_000, False, "§9", "size of an audit panel"),
    ("appeal_blocks", 15, "blocks", 1, 120, False, "§9", "number of blocks for which ballots on an appeal count"),
    ("appeal_within", 10, "blocks", 1, 120, False, "§9", "blocks after a denial in which an appeal is possible"),
    ("appeal_panel", 43, "members", 1, 1_000, False, "§9", "size of an appeal panel"),
    ("reserve_bp", 1_500, "bp", 800, 3_000, True, "§11", "share of the annual premium held in reserve"),
    ("expense_bp", 0, "bp", 0, 5_000, False, "§11", "share of the premium for expenses"),
    ("credibility_k", 1_200, "contract terms", 0, 1_000_000_000, False, "§11", "weight of the prior cost"),
    ("claim_reserve_bp", 500, "bp", 0, 10_000, False, "§11",
     "share of the reserve available to one payout in one block"),
    ("stop_bp", 300, "bp", 0, 10_000, False, "§11", "share of annual premiums; below it, admissions stop"),
    ("run_off_terms", 3, "terms", 1, 1_000, False, "§11", "insolvent terms before run-off"),
    ("rate_move_bp", 1_000, "bp", 0, 9_999, False, "§11", "largest change of the exchange rate in one block"),
    ("guaranteed_max_bp", 4_000, "bp", 0, 10_000, False, "§3",
     "share of the rates that may be guaranteed over one term"),
    ("crowd_payees", 8, "payees", 1, 1_000, False, "§11", "payees that make a large enough anonymity set"),
    ("crowd_wait", 7, "blocks", 0, 60, False, "§11", "longest wait for a large enough anonymity set"),
    ("relax_wait", 14, "blocks", 0, 120, False, "§11", "blocks after which p_max is doubled"),
    ("p_max", 2_500, "bp", 100, 10_000, False, "§11",
     "largest share of the outputs of one denomination that go to one payee"),
    ("outputs_min", 4, "outputs", 1, 64, False, "§11", "smallest number of fresh addresses for one payee"),
    ("pilot_claim_cents", 500_000, "cents", 0, 1_000_000_000_000, False, "§2",
     "highest benefit of one claim in the pilot"),
    ("pilot_terms", 0, "terms", 0, 120, True, "§2",
     "complete terms of pilot before the phase may become live; charters set 12"),
    ("live_members_min", 0, "members", 0, 1_000_000_000, True, "§11",
     "members needed to go live, so that ruin in the first year has at most 1 % chance"),
    ("filing_terms", 6, "terms", 1, 120, False, "§5", "terms after the day of service in which a claim may be filed"),
    ("dependant_bp", 10_000, "bp", 0, 10_000, False, "§2",
     "share of the plan's rate that each dependant adds to a contract"),
    ("dependants_max", 12, "covers", 0, 64, False, "§2",
     "dependants on one contract, including those ended within 12 terms"),
    ("guardian_blocks", 7, "blocks", 1, 120, False, "§2",
     "blocks in which the old key may object to a move of the identity"),
    ("guardian_pause_blocks", 30, "blocks", 0, 360, False, "§2",
     "blocks after an objection in which guardians open no move"),
    ("preauth_terms", 6, "terms", 1, 120, False, "§5",
     "terms that a pre-authorisation may plan ahead and that an authorisation lasts"),
    ("waiting_terms", 1, "terms", 0, 120, False, "§3", "waiting terms of a plan that does not set its own"),
)
# fmt: on
PARAMETERS = {row[0]: Parameter(*row) for row in _ROWS}


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
        raise RuleBroken("param_range", f"{name} = {value} is outside {bounds}", "choose a value within these bounds")


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
