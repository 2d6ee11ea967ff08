"""What `show` prints: the state as of the last closed block; it changes nothing."""

from . import votes
from .contracts import owed
from .world import annual_premium, code_on, figures_on, full_rate, is_boundary, is_suspended, may_vote, running


def show(w, act):
    if w["open"] or act["at"] > w["tip"]:
        tell(w, act, None)
    else:
        w["in_term_end"] = is_boundary(w["tip"])  # after a boundary contracts and votes are those of the next term
        fields = VIEWS[act["what"]](w, act.get("name"))
        w["in_term_end"] = False
        tell(w, act, fields)


def tell(w, act, fields):
    """None: there is no such thing, or its block is not closed."""
    if fields is None:
        event = {"event": "refused", "height": act["at"], "do": "show", "by": None, "what": "nothing to show"}
    else:
        event = {"event": "shown", "height": act["at"], "what": act["what"], "name": act.get("name"), **fields}
    w["events"].append(event)


def show_member(w, name):
    m = w["members"].get(name)
    if m is None:
        return None
    bar, seniority, denied, voted = votes.bar_of(w, m, w["tip"])
    fields = {
        "denied": denied,
        "voted": voted,
        "bar_bp": bar,
        "seniority_bp": seniority,
        "standing": standing(w, m),
        "owed_cents": owed(m),
        "may_vote": may_vote(w, m),
        "missed_duties": votes.missed_duties(w, name),
        "has_credit": name not in w["without_credit"],
    }
    contract = running(m)
    if contract is not None:
        fields |= {"plan": contract["plan"], "rate_cents": full_rate(w, m)}
    return fields


def standing(w, m):
    if m["left"] is not None or running(m) is None:
        return "ended"
    if is_suspended(m):
        return "suspended"
    if m["refused_until"] is not None:
        return "not_renewed"
    if m["leaving_at"] is not None:
        return "leaving"
    if w["tip"] <= m["waiting_until"] or w["phases"][-1][1] == "recruit":
        return "waiting"
    return "covered"


def show_claim(w, name):
    claim = w["claims"].get(name)
    if claim is None:
        return None
    cases = sorted((case for case in w["cases"] if case["claim"] is claim), key=lambda case: case["code"].encode())
    return {
        "by": claim["by"],
        "filed": claim["height"],
        "status": status_of(claim, cases),
        "benefit_cents": sum(x["benefit"] for x in w["settled"] if x["claim"] == name),
        "cases": [show_case(w, case) for case in cases],
        "audit_panel": claim["panel"],
    }


def status_of(claim, cases):
    """Open while a case is, else the best outcome of a part."""
    found = {case["status"] for case in cases}
    if any(line["result"] is not None for line in claim["lines"]):
        found.add("accepted")
    for status in ("open", "accepted", "denied", "lapsed"):
        if status in found:
            return status
    return "withdrawn"


def show_case(w, case):
    shown = {
        "code": case["code"],
        "status": case["status"],
        "eligible": len(case["E"]),
        "quorum": votes.quorum_of(case),
        "bar_bp": case["bar"],
        "seniority_bp": case["seniority"],
        "benefit_cents": case["benefit"],
        "closes_at": case["s"] + case["params"]["vote_blocks"],
    }
    if case["status"] == "open":
        shown["yes"], shown["no"], shown["opened"] = votes.tally(w, case)
        shown["streak"] = case["streak"]
    return shown


def show_code(w, name):
    """A name in several systems: the first system in order of its bytes."""
    systems = sorted((system for system, code in w["codes"] if code == name), key=str.encode)
    status = code_on(w, (systems[0] if systems else "", name), w["tip"])
    return {"standard": status["standard"], "allowed_cents": status["allowed"], "frequency": status["frequency"]}


def show_plan(w, name):
    plan = w["plans"].get(name)
    if plan is None:
        return None
    figures = figures_on(plan, w["tip"])
    return {
        "premium_cents": plan["rate"],
        "prior_cents": plan["prior"],
        "deductible_cents": figures["deductible"],
        "copay_cents": figures["copay"],
        "coinsurance_bp": figures["coinsurance_bp"],
        "oop_max_cents": figures["oop_max"],
        "claim_ceiling_cents": figures["claim_ceiling"],
        "year_ceiling_cents": figures["year_ceiling"],
        "waiting_terms": figures["waiting_terms"],
        "codes": figures["codes"],
    }


def show_accounts(w, _):
    return {
        "claims_cents": w["claims_account"],
        "reserve_cents": w["reserve"],
        "annual_premium_cents": annual_premium(w),
        "owed_cents": sum(payout["owed"] for payout in w["payouts"] if payout["class"] != 3),
        "rate": w["rate"],
        "deposits_cents": w["deposits"],
    }


def show_params(w, _):
    return w["params"]


def show_coop(w, _):
    return {
        "attesters": sorted(w["attesters"]),
        "verifiers": sorted(w["verifiers"]),
        "signers": sorted(w["signers"]),
        "providers": sorted(w["providers"]),
        "signers_needed": w["signers_needed"] if w["signers"] else 0,
        "protocol_version": w["protocol"],
        "members": sum(1 for m in w["members"].values() if running(m) is not None),
    }


VIEWS = {
    "member": show_member,
    "claim": show_claim,
    "code": show_code,
    "plan": show_plan,
    "accounts": show_accounts,
    "params": show_params,
    "coop": show_coop,
}
