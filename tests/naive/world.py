"""What the naive model remembers: plain dicts, looked through with loops; nothing is cached.

Heights are whole numbers; a term is 30 blocks, counted from 0; "years" are 12 terms.
"""

import hashlib

TERM = 30
YEAR = 12

# name: (default, least, largest), as the members' table of parameters says.
PARAMS = {
    "vote_blocks": (60, 1, 240),
    "streak_blocks": (15, 1, 240),
    "freeze_blocks": (15, 0, 240),
    "evidence_until": (45, 0, 240),
    "evidence_versions": (3, 1, 20),
    "panel_block": (30, 1, 240),
    "panel_size": (21, 1, 1_000_000),
    "min_voters": (5, 1, 1_000_000),
    "quorum_min": (5, 1, 1_000_000),
    "quorum_max": (101, 1, 1_000_000),
    "quorum_div": (20, 1, 1_000_000),
    "small_claim_cents": (0, 0, 1_000_000_000_000),
    "lapse_pay_cents": (100_000, 0, 1_000_000_000_000),
    "delegators_min": (3, 0, 1_000_000),
    "delegators_bp": (200, 0, 10000),
    "deny_sample_min": (20, 1, 1_000_000),
    "seniority_step_bp": (100, 0, 5000),
    "seniority_max_bp": (1000, 0, 5000),
    "bar_floor_bp": (4000, 1, 10000),
    "renewal_pct": (95, 0, 100),
    "warning_pct": (85, 0, 100),
    "renewal_terms": (6, 1, 12),
    "renewal_min": (20, 1, 1_000_000),
    "promote_pct": (75, 0, 100),
    "promote_cases": (20, 1, 10000),
    "promote_claimants": (5, 1, 1000),
    "promote_providers": (3, 1, 1000),
    "promote_terms": (6, 1, 12),
    "proposal_blocks": (30, 1, 240),
    "sponsor_min": (5, 1, 1_000_000),
    "sponsor_div": (100, 1, 1_000_000),
    "turnout_max": (101, 1, 1_000_000),
    "turnout_div": (5, 1, 1_000_000),
    "grace_blocks": (10, 0, 29),
    "unpaid_terms": (2, 1, 120),
    "voting_after_terms": (3, 0, 1000),
    "vouchers": (3, 0, 1000),
    "objections": (3, 1, 100),
    "enrolment_attesters": (2, 1, 8),
    "growth_div": (10, 1, 1_000_000),
    "guardian_blocks": (7, 1, 120),
    "guardian_pause_blocks": (30, 0, 360),
    "application_terms": (0, 0, 120),
    "duty_missed_max": (3, 1, 100),
    "dependant_bp": (10000, 0, 10000),
    "dependants_max": (12, 0, 64),
    "audit_random_bp": (300, 0, 10000),
    "audit_pair_bp": (9900, 0, 10000),
    "audit_claims": (4, 1, 1_000_000),
    "audit_reports": (5, 1, 1000),
    "hold_blocks": (15, 1, 360),
    "audit_panel": (21, 1, 1000),
    "appeal_blocks": (15, 1, 120),
    "appeal_within": (10, 1, 120),
    "appeal_panel": (43, 1, 1000),
    "reserve_bp": (1500, 800, 3000),
    "expense_bp": (0, 0, 5000),
    "credibility_k": (1200, 0, 1_000_000_000),
    "claim_reserve_bp": (500, 0, 10000),
    "stop_bp": (300, 0, 10000),
    "run_off_terms": (3, 1, 1000),
    "rate_move_bp": (1000, 0, 9999),
    "guaranteed_max_bp": (4000, 0, 10000),
    "crowd_payees": (8, 1, 1000),
    "crowd_wait": (7, 0, 60),
    "relax_wait": (14, 0, 120),
    "p_max": (2500, 100, 10000),
    "outputs_min": (4, 1, 64),
    "pilot_claim_cents": (500_000, 0, 1_000_000_000_000),
    "pilot_terms": (0, 0, 120),
    "live_members_min": (0, 0, 1_000_000_000),
    "filing_terms": (6, 1, 120),
    "preauth_terms": (6, 1, 120),
    "waiting_terms": (1, 0, 120),
}

CRITICAL = {
    "vote_blocks",
    "streak_blocks",
    "quorum_min",
    "quorum_max",
    "quorum_div",
    "reserve_bp",
    "bar_floor_bp",
    "seniority_max_bp",
    "renewal_pct",
    "promote_pct",
    "pilot_terms",
    "live_members_min",
}


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


def in_range(name, value):
    _, least, largest = PARAMS[name]
    return least <= value <= largest


def new_world(genesis):
    params = {name: default for name, (default, _, _) in PARAMS.items()}
    for name, value in genesis.get("params", {}).items():
        if name not in params or not in_range(name, value):
            raise ValueError(f"no such parameter, or not in its range: {name}")
        params[name] = value
    w = {
        "height": 0,
        "tip": 0,
        "open": False,
        "in_term_end": False,
        "events": [],
        "params": params,
        "seed": genesis.get("seed", 0),
        "phases": [(0, genesis.get("phase", "live"))],
        "claims_account": genesis.get("accounts", {}).get("claims", 0),
        "reserve": genesis.get("accounts", {}).get("reserve", 0),
        "rate": genesis.get("rate"),
        "quotes": {},
        "auto_pay": genesis.get("auto_pay", False),
        "plans": {},
        "codes": {},
        "members": {},
        "providers": list(genesis.get("providers", [])),
        "claims": {},
        "cases": [],
        "settled": [],
        "payouts": [],
        "pairs": [],
        "small": [],
        "auto": {},
        "delegations": {},
        "proposals": {},
        "appeals": [],
        "holds": [],
        "reports": [],
        "applications": {},
        "no_promotion_until": {},
        "admission_stopped": False,
        "short_boundaries": 0,
        "run_off": None,
        "disbanded": False,
        "premiums_paid": [],
        "vouched": [],
        "authorised": [],
        "all_events": genesis.get("all_events", False),
        "deposits": 0,
        "persons": {},
        "protocol": 1,
        "protocols": [],
        "attesters": list(genesis.get("attesters", [])),
        "verifiers": list(genesis.get("verifiers", [])),
        "signers": list(genesis.get("signers", [])),
        "signers_needed": genesis.get("signers_needed", 1),
        "devices": {},
        "devices_ever": {},
        "identities": {},
        "taken": [],
        "guardians": {},
        "moves": {},
        "paused": {},
        "community": list(genesis.get("community", [])),
        "barred": {},
        "voted_off": [],
        "contested": [],
        "covers": {},
        "missed": [],
        "without_credit": [],
    }
    for plan in genesis.get("plans", []):
        add_plan(w, plan)
    for code in genesis.get("codes", []):
        w["codes"][code_key(code)] = [
            (
                0,
                {
                    "standard": code.get("standard", False),
                    "allowed": code.get("allowed_cents"),
                    "frequency": code.get("frequency"),
                },
            )
        ]
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
        "deductible": plan.get("deductible_cents", 0),
        "copay": plan.get("copay_cents", 0),
        "coinsurance_bp": plan.get("coinsurance_bp", 0),
        "oop_max": plan.get("oop_max_cents"),
        "claim_ceiling": plan.get("claim_ceiling_cents"),
        "year_ceiling": plan.get("year_ceiling_cents"),
        "codes": list(plan.get("codes") or []),
        "waiting_terms": plan.get("waiting_terms", 0),
    }
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
        "name": name,
        "household": household,
        "founder": False,
        "joined_term": first_term,
        "first_term": first_term,
        "years_from": first_term,
        "contracts": [],
        "next": None,
        "owed": [],
        "suspended": [],
        "genesis_record": (0, 0),
        "left": None,
        "leaving_at": None,
        "refused_until": None,
        "warned": False,
        "no_vote_until": 0,
        "fraud_height": None,
        "receivable": 0,
        "vouchers": [],
        "deposit": 0,
    }
    if old is not None:
        w["members"][name] |= rejoined(old, first_term)
    rate = w["plans"][plan]["rate"]
    w["members"][name]["contracts"].append(contract_of(plan, first_term, terms, rate))
    w["members"][name]["waiting_until"] = (first_term + w["plans"][plan]["waiting_terms"]) * TERM


def rejoined(old, first_term):
    """What a returning member keeps; more than two terms without a contract start seniority anew."""
    kept = {
        field: old[field]
        for field in (
            "contracts",
            "owed",
            "suspended",
            "years_from",
            "genesis_record",
            "no_vote_until",
            "fraud_height",
            "receivable",
            "warned",
        )
    }
    if first_term - old["contracts"][-1]["last"] // TERM <= 2:
        kept["joined_term"] = old["joined_term"]
    return kept


def contract_of(plan, first_term, terms, rate):
    return {
        "plan": plan,
        "first_term": first_term,
        "terms": terms,
        "rate": rate,
        "last": None,
        "old_plan": None,
        "old_plan_until": 0,
    }


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
            total += full_rate(w, m)
    return 12 * total


def full_rate(w, m):
    """What the contract costs a term: the guaranteed rate and the shares of the dependants whose cover has begun."""
    return running(m)["rate"] + sum(
        cover["share"] for cover in covers_of(w, m) if cover["begun"] and cover["last"] is None
    )


def covers_of(w, m):
    """In the order in which they were added."""
    return [cover for cover in w["covers"].values() if cover["member"] == m["name"]]


def patient_of(w, name):
    """The member whose contract covers the one who claims: the member, or the one of the dependant."""
    return w["covers"][name]["member"] if name in w["covers"] else name


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


def code_key(line):
    """A code is a name in a coding system; a file that names no system has one system, without a name."""
    return line.get("system", ""), line["code"]


def code_on(w, key, day):
    found = {"standard": False, "allowed": None, "frequency": None}
    for from_day, status in w["codes"].get(key, []):
        if from_day <= day:
            found = status
    return found
