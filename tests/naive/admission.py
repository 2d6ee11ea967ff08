"""Joining later (§2): application, vouchers, objections, admission at a boundary."""

from .contracts import check_guarantee
from .world import (
    TERM,
    active_member,
    add_member,
    ceil_div,
    emit,
    is_suspended,
    phase,
    refuse_if,
    running,
    term_of,
    voters,
)  # fmt: skip


def good_standing(w, m):
    if m["left"] is not None or is_suspended(m) or running(m) is None:
        return False
    return m["fraud_height"] is None or w["height"] >= m["fraud_height"] + 12 * TERM


def apply(w, act):
    refuse_if(act["name"] in w["applications"], "applied already")
    refuse_if(act["name"] in w["members"] and running(w["members"][act["name"]]) is not None, "a member already")
    refuse_if(act["name"] in w["members"] and w["members"][act["name"]]["owed"], "what is owed is paid first")
    refuse_if(act["plan"] not in w["plans"], "no such plan")
    refuse_if(act.get("contract_terms", 1) not in (1, 3, 6, 12), "1, 3, 6 or 12 terms")
    check_guarantee(w, act.get("contract_terms", 1))
    refuse_if(w["run_off"] is not None, "run-off")
    w["applications"][act["name"]] = {
        "name": act["name"], "plan": act["plan"], "terms": act.get("contract_terms", 1),
        "household": act.get("household"), "height": w["height"], "vouchers": [], "objectors": [],
    }  # fmt: skip


def vouch(w, act):
    m = active_member(w, act["by"])
    a = w["applications"].get(act["name"])
    refuse_if(a is None, "no such application")
    refuse_if(not good_standing(w, m), "not in good standing")
    refuse_if(not m["founder"] and (w["height"] - 1) // TERM - m["joined_term"] < 6, "a member for too short a time")
    refuse_if(act["by"] in a["vouchers"], "vouched already")
    this_term = [x for x in w["vouched"] if x == (act["by"], term_of(w["height"]))]
    refuse_if(len(this_term) >= 2, "twice a term at most")
    a["vouchers"].append(act["by"])
    w["vouched"].append((act["by"], term_of(w["height"])))


def object_to(w, act):
    m = active_member(w, act["by"])
    a = w["applications"].get(act["name"])
    refuse_if(a is None, "no such application")
    refuse_if(not good_standing(w, m), "not in good standing")
    refuse_if(act["by"] in a["objectors"], "objected already")
    refuse_if(w["height"] > a["height"] + 30, "too late")
    a["objectors"].append(act["by"])
    if len(a["objectors"]) >= w["params"]["objections"]:
        del w["applications"][act["name"]]


def admit(w):
    if w["admission_stopped"] or w["run_off"] is not None:
        return
    room = None
    if phase(w) == "live":
        w["in_term_end"] = False  # the voters of the day: who votes for the first time tomorrow does not count yet
        room = ceil_div(len(voters(w)), w["params"]["growth_div"])
        w["in_term_end"] = True
    term = term_of(w["height"]) + 1
    for a in sorted(w["applications"].values(), key=lambda a: (a["height"], a["name"].encode())):
        if room == 0:
            break
        if w["height"] < a["height"] + 30 or len(a["vouchers"]) < w["params"]["vouchers"]:
            continue
        add_member(w, a["name"], a["plan"], a["terms"], term, a["household"])
        m = w["members"][a["name"]]
        m["vouchers"] = list(a["vouchers"])
        del w["applications"][a["name"]]
        room = None if room is None else room - 1
        emit(w, "member_joined", member=a["name"])
