"""What the naive model remembers: plain dicts, looked through with loops; nothing is cached.

Heights are whole numbers; a term is 30 blocks, counted from 0; "years" are 12 terms.
"""

import hashlib

TERM = 30
YEAR = 12

PARAMS = {
    "vote_blocks": 60, "streak_blocks": 15, "freeze_blocks": 15, "evidence_until": 45, "evidence_versions": 3,
    "panel_block": 30, "panel_size": 21, "min_voters": 5, "quorum_min": 5, "quorum_max": 101, "quorum_div": 20,
    "small_claim_cents": 0, "lapse_pay_cents": 100000, "delegators_min": 3, "delegators_bp": 200,
    "deny_sample_min": 20, "seniority_step_bp": 100, "seniority_max_bp": 1000, "bar_floor_bp": 4000,
    "renewal_pct": 95, "warning_pct": 85, "renewal_terms": 6, "renewal_min": 20,
    "promote_pct": 75, "promote_cases": 20, "promote_claimants": 5, "promote_providers": 3, "promote_terms": 6,
    "proposal_blocks": 30, "sponsor_min": 5, "sponsor_div": 100, "turnout_max": 101, "turnout_div": 5,
    "grace_blocks": 10, "unpaid_terms": 2, "voting_after_terms": 3, "vouchers": 3, "growth_div": 10,
    "audit_random_bp": 300, "audit_pair_bp": 9900, "audit_claims": 4, "audit_reports": 5, "hold_blocks": 15,
    "audit_panel": 21, "appeal_blocks": 15, "appeal_within": 10, "appeal_panel": 43,
    "reserve_bp": 1500, "expense_bp": 0, "credibility_k": 1200, "claim_reserve_bp": 500, "stop_bp": 300,
    "run_off_terms": 3, "rate_move_bp": 1000, "guaranteed_max_bp": 4000, "crowd_payees": 8, "crowd_wait": 7,
    "relax_wait": 14, "p_max": 2500, "outputs_min": 4, "pilot_claim_cents": 500000, "filing_terms": 6, "waiting_terms": 1,
    "objections": 3,
}  # fmt: skip

CRITICAL = {
    "vote_blocks", "streak_blocks", "quorum_min", "quorum_max", "quorum_div", "reserve_bp", "bar_floor_bp",
    "seniority_max_bp", "renewal_pct", "promote_pct",
}  # fmt: skip


class Refused(Exception):
    """The rules refuse a record; the text says why, for people only."""


def refuse_if(wrong, why):
    if wrong:
        raise Refused(why)


def ceil_div(a, b):
    return -(-a // b)


def lower_median(values):
    ordered = sorted(values)
    return ordered[(len(ordered) - 1) // 2]


def term_of(height):
    return (height - 1) // TERM


def is_boundary(height):
    return height > 0 and height % TERM == 0


def new_world(genesis):
    params = dict(PARAMS)
    for name, value in genesis.get("params", {}).items():
        if name not in params:
            raise ValueError(f"unknown parameter {name}")
        params[name] = value
    w = {
        "height": 0, "tip": 0, "open": False, "in_term_end": False, "events": [],
        "params": params, "seed": genesis.get("seed", 0), "phases": [(0, genesis.get("phase", "live"))],
        "claims_account": genesis.get("accounts", {}).get("claims", 0),
        "reserve": genesis.get("accounts", {}).get("reserve", 0),
        "rate": genesis.get("rate"), "quotes": {}, "auto_pay": genesis.get("auto_pay", False),
        "plans": {}, "codes": {}, "members": {}, "providers": list(genesis.get("providers", [])),
        "claims": {}, "cases": [], "settled": [], "payouts": [], "pairs": [],
        "small": [], "auto": {}, "delegations": {}, "proposals": {}, "appeals": [], "holds": [], "reports": [],
        "applications": {}, "no_promotion_until": {}, "admission_stopped": False, "short_boundaries": 0,
        "run_off": None, "disbanded": False, "premiums_paid": [], "vouched": [],
    }  # fmt: skip
    for plan in genesis.get("plans", []):
        add_plan(w, plan)
    for code in genesis.get("codes", []):
        w["codes"][code["code"]] = [
            (0, {"standard": code.get("standard", False), "allowed": code.get("allowed_cents"),
                 "frequency": code.get("frequency")})
        ]  # fmt: skip
    for member in genesis.get("members", []):
        add_member(w, member["name"], member["plan"], member.get("contract_terms", 1), 0, member.get("household"))
        m = w["members"][member["name"]]
        m["founder"] = True
        m["joined_term"] = -member.get("terms_ago", 0)
        m["genesis_record"] = tuple(member.get("record", (0, 0)))
    return w


def add_plan(w, plan):
    """A new plan, or new figures of one in force from the next day on: its premium and prior stay."""
    p = w["params"]
    figures = {
        "deductible": plan.get("deductible_cents", 0), "copay": plan.get("copay_cents", 0),
        "coinsurance_bp": plan.get("coinsurance_bp", 0), "oop_max": plan.get("oop_max_cents"),
        "claim_ceiling": plan.get("claim_ceiling_cents"), "year_ceiling": plan.get("year_ceiling_cents"),
    }  # fmt: skip
    old = w["plans"].get(plan["name"])
    if old is None:
        premium = plan.get("premium_cents", 0)
        prior = plan.get("prior_cents")
        if prior is None:
            prior = premium * (10000 - p["reserve_bp"] - p["expense_bp"]) // 10000
        old = {"name": plan["name"], "rate": premium, "prior": prior, "figures": []}
        w["plans"][plan["name"]] = old
    old["waiting_terms"] = plan.get("waiting_terms", 0)
    old["grace"] = plan.get("grace_blocks")
    old["figures"].append((w["height"] + 1, figures))


def figures_on(plan, day):
    found = plan["figures"][0][1]
    for from_day, figures in plan["figures"]:
        if from_day <= day:
            found = figures
    return found


def add_member(w, name, plan, terms, first_term, household):
    old = w["members"].get(name)
    w["members"][name] = {
        "name": name, "household": household, "founder": False, "joined_term": first_term, "first_term": first_term,
        "contracts": [], "next": None, "owed": [], "suspended": [], "genesis_record": (0, 0), "left": None,
        "leaving_at": None, "refused_until": None, "warned": False, "no_vote_until": 0, "fraud_height": None,
        "receivable": 0, "vouchers": [],
    }  # fmt: skip
    if old is not None:
        w["members"][name] |= rejoined(old, first_term)
    rate = w["plans"][plan]["rate"]
    w["members"][name]["contracts"].append(contract_of(plan, first_term, terms, rate))
    w["members"][name]["waiting_until"] = (first_term + w["plans"][plan]["waiting_terms"]) * TERM


def rejoined(old, first_term):
    """What a returning member keeps; more than two terms without a contract start seniority anew."""
    kept = {field: old[field] for field in ("contracts", "owed", "suspended", "genesis_record", "no_vote_until", "fraud_height",
                                            "receivable", "warned")}  # fmt: skip
    if first_term - old["contracts"][-1]["last"] // TERM <= 2:
        kept["joined_term"] = old["joined_term"]
    return kept


def contract_of(plan, first_term, terms, rate):
    return {"plan": plan, "first_term": first_term, "terms": terms, "rate": rate, "last": None,
            "old_plan": None, "old_plan_until": 0}  # fmt: skip


def emit(w, event, **fields):
    w["events"].append({"event": event, "height": w["height"], **fields})


def phase(w):
    return w["phases"][-1][1]


def randomness(w):
    return hashlib.sha256(b"mutua-rehearse-v1" + w["seed"].to_bytes(8, "big") + w["height"].to_bytes(8, "big")).digest()


def draw(w, label, names, count):
    def rank(name):
        return hashlib.sha256(randomness(w) + label.encode() + b"\0" + name.encode()).digest()

    return sorted(names, key=rank)[:count]


def running(m):
    """The contract in force, or None."""
    if m["contracts"] and m["contracts"][-1]["last"] is None and m["left"] is None:
        return m["contracts"][-1]
    return None


def annual_premium(w):
    total = 0
    for m in w["members"].values():
        contract = running(m)
        if contract is not None and contract["first_term"] <= term_of(max(1, w["height"])) + w["in_term_end"]:
            total += contract["rate"]
    return 12 * total


def complete_terms(w, m):
    """Complete terms of the present membership, now; the boundary's own end of term counts its term."""
    height = w["height"] if w["in_term_end"] or not w["open"] else w["height"] - 1
    return height // TERM - m["joined_term"]


def is_suspended(m):
    return bool(m["suspended"]) and m["suspended"][-1][1] is None


def may_vote(w, m):
    if m["left"] is not None or running(m) is None or is_suspended(m):
        return False
    if m["no_vote_until"] >= w["height"] + w["in_term_end"]:
        return False
    return m["founder"] or complete_terms(w, m) >= w["params"]["voting_after_terms"]


def voters(w):
    return [name for name in sorted(w["members"], key=str.encode) if may_vote(w, w["members"][name])]


def same_household(a, b):
    return a["household"] is not None and a["household"] == b["household"]


def member(w, name):
    refuse_if(name not in w["members"], f"no member {name}")
    return w["members"][name]


def active_member(w, name):
    m = member(w, name)
    refuse_if(running(m) is None, f"{name} is no member any more")
    return m


def code_on(w, code, day):
    found = {"standard": False, "allowed": None, "frequency": None}
    for from_day, status in w["codes"].get(code, []):
        if from_day <= day:
            found = status
    return found
