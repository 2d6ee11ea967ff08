"""Audits, reports, holds, findings (§9)."""

import hashlib

from .world import TERM, YEAR, active_member, ceil_div, draw, emit, randomness, refuse_if, running, term_of


def draw_audit(w, m, claim):
    p = w["params"]
    number = int.from_bytes(hashlib.sha256(randomness(w) + b"audit" + claim["id"].encode()).digest(), "big")
    trigger = special_trigger(w, m, claim)
    odds = p["audit_random_bp"] * (10 if trigger else 1)
    if number % 10000 < odds:
        claim["audit"] = trigger or "random"
        claim["panel_at"] = w["height"]
        claim["panel_until"] = w["height"] + 2 * YEAR * TERM
        emit(w, "audit_drawn", member=claim["by"], claim=claim["id"], trigger=trigger or "random")


def special_trigger(w, m, claim):
    p = w["params"]
    term = term_of(w["height"])
    in_term = [
        c for c in w["claims"].values() if c["by"] == claim["by"] and term_of(c["height"]) == term and not c["asks"]
    ]
    if len(in_term) >= p["audit_claims"]:
        return "claims"
    if m["owed"]:
        return "arrears"
    pairs = {}
    for c in w["claims"].values():
        if term - YEAR < term_of(c["height"]) <= term and not c["asks"]:
            pairs[(c["by"], c["provider"])] = pairs.get((c["by"], c["provider"]), 0) + 1
    if len(pairs) >= 100:
        counts = sorted(pairs.values())
        limit = counts[ceil_div(len(counts) * p["audit_pair_bp"], 10000) - 1]
        if pairs[(claim["by"], claim["provider"])] > limit:
            return "pair"
    return None


def report(w, act):
    active_member(w, act["by"])
    refuse_if(act["member"] not in w["members"] and act["member"] not in w["providers"], "nobody of that name")
    refuse_if(act["by"] == act["member"], "nobody reports oneself")
    claim = act.get("claim")
    refuse_if(claim is not None and claim not in w["claims"], "no such claim")
    term = term_of(w["height"])
    live = [r for r in w["reports"] if r["member"] == act["member"] and term - YEAR < term_of(r["height"]) <= term]
    twice = act["by"] in [r["by"] for r in live if not r["used"]]
    told = w["claims"].get(claim)
    if (
        told is not None
        and told["by_provider"]
        and (told["member"], told["provider"]) == (act["by"], act["member"])
        and claim not in w["contested"]
    ):
        w["contested"].append(claim)
        w["holds"].append(
            {"member": told["by"], "claim": claim, "height": w["height"], "lifted": None, "trigger": "contest"}
        )
        draw_reported_panel(w, told)
        emit(w, "hold_placed", member=told["by"], claim=claim, trigger="contest")
        if twice:
            return
    refuse_if(twice, "reported already")
    w["reports"].append(
        {"by": act["by"], "member": act["member"], "claim": claim, "height": w["height"], "used": False}
    )
    fresh = [r for r in live + w["reports"][-1:] if not r["used"]]
    if len(fresh) >= w["params"]["audit_reports"]:
        for r in fresh:
            r["used"] = True
        w["holds"].append(
            {"member": act["member"], "claim": claim, "height": w["height"], "lifted": None, "trigger": "reports"}
        )
        if claim is not None:
            draw_reported_panel(w, w["claims"][claim])
        emit(w, "hold_placed", member=act["member"], claim=claim, trigger="reports")


def draw_audit_panels(w):
    """Last in the block: who judges the claims drawn in it; nothing is said."""
    for claim in w["claims"].values():
        if claim["panel_at"] == w["height"]:
            draw_audit_panel(w, claim)


def draw_reported_panel(w, claim):
    """A hold's panel takes the place of a drawn one; it is of who may vote at this moment, and has no end."""
    claim["panel_at"] = claim["panel_until"] = None
    draw_audit_panel(w, claim)


def draw_audit_panel(w, claim):
    from .votes import eligible

    able = eligible(w, claim, w["members"][claim["member"]])
    claim["panel"] = draw(w, f"audit-panel/{claim['id']}", able, w["params"]["audit_panel"])


def check_panel(w, claim, names):
    """A file that names nobody decides in place of the panel.

    Else a majority of it has signed, a drawn one within 720 blocks.
    """
    if not names:
        return
    refuse_if(claim["panel_until"] is not None and w["height"] > claim["panel_until"], "the panel's time is over")
    refuse_if(len(set(names) & set(claim["panel"])) <= len(claim["panel"]) // 2, "no panel, or no majority of it")


def expire_holds(w):
    for hold in sorted(w["holds"], key=lambda hold: hold["member"].encode()):
        if hold["lifted"] is None and w["height"] >= hold["height"] + w["params"]["hold_blocks"]:
            lift(w, hold)


def lift(w, hold):
    hold["lifted"] = w["height"]
    emit(w, "hold_lifted", member=hold["member"], claim=hold["claim"], trigger=hold["trigger"])


def finding(w, act):
    from .proposals import open_expulsion

    claim = w["claims"].get(act["claim"])
    refuse_if(claim is None, "no such claim")
    refuse_if(act["outcome"] not in ("fraud", "clear"), "fraud or clear")
    refuse_if(claim["fraud"], "found already")
    check_panel(w, claim, act.get("attested_by") or [])
    holds = [h for h in w["holds"] if h["lifted"] is None and h["claim"] == act["claim"]]
    holds.sort(key=lambda h: (h["height"], h["member"].encode()))
    if act["outcome"] == "clear":
        for hold in holds:
            lift(w, hold)
        return
    claim["fraud"] = True
    m = w["members"][claim["member"]]
    for payout in w["payouts"]:
        if payout["claim"] == claim["id"]:
            if not claim["by_provider"]:
                m["receivable"] += payout["paid"]
            payout["owed"] = 0
    for case in w["cases"]:
        if case["claim"] is claim and case["status"] == "open":
            case["status"] = "cancelled"
            case["closed"] = w["height"]
    for a in w["appeals"]:
        if a["case"]["claim"] is claim:
            a["open"] = False
    trigger = holds[0]["trigger"] if holds else claim["audit"]
    if claim["by_provider"]:
        w["barred"][claim["provider"]] = (term_of(w["height"]) + YEAR + 1) * TERM
        for x in w["settled"]:
            if x["claim"] == claim["id"]:
                x["by"] = None  # nothing of the patient's is used up; the cost of the plan stays
        emit(w, "fraud_found", member=claim["provider"], claim=claim["id"], trigger=trigger)
        for hold in holds:
            lift(w, hold)
        return
    m["fraud_height"] = w["height"]
    m["no_vote_until"] = (term_of(w["height"]) + YEAR + 1) * TERM
    emit(w, "fraud_found", member=claim["by"], claim=claim["id"], trigger=trigger)
    for hold in holds:
        lift(w, hold)
    if running(m) is not None:
        open_expulsion(w, claim)
