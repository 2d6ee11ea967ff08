"""Appeals (§9): once, within ten blocks of a denial, before a panel of those who have not voted."""

from .claims import accept_case, own_claim
from .votes import award_named, check_choice, eligible, keep_receipt, note_missed, reaches_bar, tell_end
from .world import ceil_div, draw, emit, lower_median, refuse_if


def appeal(w, act):
    claim = own_claim(w, act)
    cases = [c for c in w["cases"] if c["claim"] is claim and c["code"] == act.get("code", c["code"])]
    refuse_if(len(cases) != 1, "name one case")
    case = cases[0]
    p = case["params"]
    refuse_if(case["status"] != "denied" or case["appealed"], "only a denied case is appealed, and once")
    refuse_if(claim["fraud"], "nothing of a fraudulent claim is paid")
    refuse_if(act["ground"] not in ("evidence", "rule"), "evidence or rule")
    refuse_if(w["height"] > case["closed"] + p["appeal_within"], "too late")
    able = eligible(w, claim, w["members"][claim["member"]])
    fresh = [name for name in able if name not in case["votes"] and name not in case["ballots"]]
    if len(fresh) < 5:
        fresh = able
    panel = draw(w, f"appeal/{claim['id']}/{case['code']}", fresh, p["appeal_panel"])
    case["appealed"] = True
    w["appeals"].append({"case": case, "height": w["height"], "panel": panel, "ballots": {}, "open": True})
    emit(w, "appeal_opened", claim=claim["id"], case=case["code"], panel=panel)


def open_appeal(w, claim_id, code):
    found = [
        a
        for a in w["appeals"]
        if a["open"] and a["case"]["claim"]["id"] == claim_id and (code is None or a["case"]["code"] == code)
    ]
    return found[0] if len(found) == 1 else None


def appeal_ballot(w, a, act):
    refuse_if(act["by"] not in a["panel"], "not on the panel")
    refuse_if(w["height"] <= a["height"], "ballots start in the next block")
    check_choice(act)
    award = award_named(act, a["case"])
    live = a["ballots"].get(act["by"])
    refuse_if(live is not None and live["changed"], "one change")
    a["ballots"][act["by"]] = {"choice": act["choice"], "award": award, "changed": live is not None}
    keep_receipt(act, a["case"]["claim"])


def judge_appeals(w):
    for a in sorted(w["appeals"], key=lambda a: (a["height"], a["case"]["claim"]["id"].encode(), a["case"]["code"])):
        case = a["case"]
        if not a["open"] or w["height"] < a["height"] + case["params"]["appeal_blocks"]:
            continue
        a["open"] = False
        note_missed(w, a["panel"], a["ballots"])
        yes = [b for b in a["ballots"].values() if b["choice"] == "accept"]
        no = [b for b in a["ballots"].values() if b["choice"] == "deny"]
        q = min(15, ceil_div(len(a["panel"]), 3))
        if yes and len(yes) + len(no) >= q and reaches_bar(case, len(yes), len(no)):
            award = lower_median([case["charges"] if b["award"] is None else b["award"] for b in yes])
            accept_case(w, case, "appeal", len(yes), len(no), award)
        else:
            receipts = case["claim"]["opened"]
            opened = sum(1 for name, b in a["ballots"].items() if b["choice"] != "abstain" and name in receipts)
            tell_end(w, "claim_denied", case, len(yes), len(no), opened, q, len(a["panel"]))
