"""Joining later (§2): application, vouchers, objections, admission at a boundary."""

from .contracts import check_guarantee, give_back
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
)


def good_standing(w, m):
    if m["left"] is not None or is_suspended(m) or running(m) is None:
        return False
    if not m["founder"] and (w["height"] - 1) // TERM - m["joined_term"] < 6:
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
    person = act.get("person") or f"person of {act['name']}"
    refuse_if(w["persons"].get(person, act["name"]) != act["name"], "a member, or an applicant, under another name")
    deposit = act.get("deposit_cents", 0)
    check_attested(w, act.get("attested_by") or [], deposit)
    refuse_if(deposit and deposit < w["plans"][act["plan"]]["rate"], "a deposit is one premium")
    w["persons"][person] = act["name"]
    w["deposits"] += deposit
    w["applications"][act["name"]] = {
        "name": act["name"],
        "plan": act["plan"],
        "terms": act.get("contract_terms", 1),
        "household": act.get("household"),
        "height": w["height"],
        "vouchers": [],
        "objectors": [],
        "person": person,
        "deposit": deposit,
    }


def vouch(w, act):
    m = active_member(w, act["by"])
    a = w["applications"].get(act["name"])
    refuse_if(a is None, "no such application")
    refuse_if(not good_standing(w, m), "not in good standing")
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
        end_application(w, a, "objections")


def check_attested(w, names, deposit):
    """Who is named is checked; a file that names nobody means that whoever must has signed."""
    if not names:
        return
    needed = w["params"]["enrolment_attesters"]
    able = w["attesters"] if len(w["attesters"]) >= needed else w["signers"]
    refuse_if(len(set(names) & set(able)) < needed, "too few attesters signed")
    if deposit:
        refuse_if(len(set(names) & set(w["signers"])) < w["signers_needed"], "too few signers saw the deposit")


def withdraw_application(w, act):
    a = w["applications"].get(act["by"])
    refuse_if(a is None, "no such application")
    end_application(w, a, "withdrawn")


def end_application(w, a, why):
    """It ends without membership: the person is free to come under another name, the deposit goes back."""
    del w["applications"][a["name"]]
    if a["name"] not in w["members"]:
        del w["persons"][a["person"]]
    if a["deposit"]:
        give_back(w, a["name"], a["deposit"])
    if w["all_events"]:
        emit(w, "application_ended", member=a["name"], why=why)


def end_old_applications(w):
    """Without vouchers for long; in run-off nobody is admitted any more, so deposits go back."""
    terms = w["params"]["application_terms"]
    for a in in_order(w):
        if terms and w["height"] >= a["height"] + TERM * terms and len(a["vouchers"]) < w["params"]["vouchers"]:
            end_application(w, a, "expired")
        elif w["run_off"] is not None and a["deposit"]:
            end_application(w, a, "run_off")


def in_order(w):
    return sorted(w["applications"].values(), key=lambda a: (a["height"], a["name"].encode()))


def admit(w):
    end_old_applications(w)
    if w["admission_stopped"] or w["run_off"] is not None:
        return
    room = None
    if phase(w) == "live":
        w["in_term_end"] = False  # the voters of the day: who votes for the first time tomorrow does not count yet
        room = ceil_div(len(voters(w)), w["params"]["growth_div"])
        w["in_term_end"] = True
    term = term_of(w["height"]) + 1
    for a in in_order(w):
        if room == 0:
            break
        if w["height"] < a["height"] + 30 or len(a["vouchers"]) < w["params"]["vouchers"]:
            continue
        add_member(w, a["name"], a["plan"], a["terms"], term, a["household"])
        m = w["members"][a["name"]]
        m["vouchers"] = list(a["vouchers"])
        m["deposit"] = a["deposit"]
        del w["applications"][a["name"]]
        room = None if room is None else room - 1
        emit(w, "member_joined", member=a["name"])
