"""Proposals of the members (§12), with what each does when it takes effect."""

from . import parties
from .contracts import end_contract, start_held_contracts
from .votes import decided_cases
from .world import (
    CRITICAL,
    TERM,
    active_member,
    add_plan,
    annual_premium,
    ceil_div,
    code_key,
    code_on,
    emit,
    in_range,
    may_vote,
    phase,
    refuse_if,
    running,
    voters,
)

PHASES = ("recruit", "pilot", "live")
KINDS = ("demote", "param", "list", "plan", "phase", "expel", "attester", "verifier", "provider", "signer", "protocol")
CRITICAL_KINDS = ("phase", "attester", "signer", "protocol")


def propose(w, act):
    m = active_member(w, act["by"])
    refuse_if(not may_vote(w, m), "no vote, no proposal")
    refuse_if(act["id"] in w["proposals"], "this proposal exists")
    check_content(w, act)
    add_proposal(w, act["id"], act, [act["by"]])


def check_content(w, act):
    what = act["what"]
    refuse_if(what not in KINDS, "nothing can be proposed so")
    if what in parties.ROLES:
        parties.check_change(w, act)
    if what == "protocol":
        parties.check_version(w, act, first_effect(w, w["height"] + w["params"]["proposal_blocks"], critical=True))
    if what == "param":
        refuse_if(act["name"] not in w["params"], "no such parameter")
        refuse_if(not in_range(act["name"], act["value"]), "out of its range")
    if what == "demote":
        refuse_if(not code_on(w, code_key(act), w["height"])["standard"], "not a standard code")
    if what == "phase":
        refuse_if(act["to"] not in PHASES, "no such phase")
        refuse_if(PHASES.index(act["to"]) <= PHASES.index(phase(w)), "recruit, then pilot, then live")
    if what == "expel":
        active_member(w, act["member"])


def add_proposal(w, name, act, sponsors):
    critical = act["what"] in CRITICAL_KINDS or (act["what"] == "param" and act["name"] in CRITICAL)
    w["proposals"][name] = {
        "id": name,
        "act": act,
        "sponsors": sponsors,
        "status": "waiting",
        "critical": critical,
        "opened": None,
        "voters": None,
        "votes": {},
        "effect": None,
    }
    open_if_sponsored(w, w["proposals"][name])


def open_if_sponsored(w, proposal):
    p = w["params"]
    if len(proposal["sponsors"]) >= max(p["sponsor_min"], ceil_div(len(voters(w)), p["sponsor_div"])):
        open_it(w, proposal)


def open_it(w, proposal):
    proposal["status"] = "open"
    proposal["opened"] = w["height"]
    proposal["params"] = dict(w["params"])
    emit(w, "proposal_opened", proposal=proposal["id"], yes=0, no=0, abstain=0, eligible=len(voters(w)))


def open_expulsion(w, claim):
    name = f"expel/{claim['id']}"
    if name in w["proposals"]:
        return
    act = {"what": "expel", "member": claim["member"], "id": name}
    critical = False
    w["proposals"][name] = {
        "id": name,
        "act": act,
        "sponsors": [],
        "status": "waiting",
        "critical": critical,
        "opened": None,
        "voters": None,
        "votes": {},
        "effect": None,
    }
    open_it(w, w["proposals"][name])


def sponsor(w, act):
    m = active_member(w, act["by"])
    proposal = w["proposals"].get(act["proposal"])
    refuse_if(proposal is None or proposal["status"] != "waiting", "no proposal waits for sponsors")
    refuse_if(not may_vote(w, m), "no vote, no sponsor")
    refuse_if(act["by"] in proposal["sponsors"], "sponsors already")
    proposal["sponsors"].append(act["by"])
    open_if_sponsored(w, proposal)


def cast(w, act):
    m = active_member(w, act["by"])
    proposal = w["proposals"].get(act["proposal"])
    refuse_if(proposal is None or proposal["status"] != "open", "the proposal is not open")
    refuse_if(not may_vote(w, m), "no vote now")
    refuse_if(w["height"] <= proposal["opened"], "votes start in the next block")
    refuse_if(act["by"] not in proposal["voters"], "not eligible")
    refuse_if(act["choice"] not in ("yes", "no", "abstain"), "yes, no or abstain")
    proposal["votes"][act["by"]] = act["choice"]


def freeze_proposals(w):
    for proposal in w["proposals"].values():
        if proposal["status"] == "open" and proposal["voters"] is None:
            proposal["voters"] = voters(w)


def judge_proposals(w):
    open_ones = [x for x in w["proposals"].values() if x["status"] == "open"]
    for x in sorted(open_ones, key=lambda x: (x["opened"], x["id"].encode())):
        p = x["params"]
        if w["height"] < x["opened"] + p["proposal_blocks"]:
            continue
        choices = list(x["votes"].values())
        yes, no, abstain = choices.count("yes"), choices.count("no"), choices.count("abstain")
        turnout = min(p["turnout_max"], ceil_div(len(x["voters"]), p["turnout_div"]))
        passed = yes > no and yes + no + abstain >= turnout and (not x["critical"] or 3 * yes >= 2 * (yes + no))
        x["status"] = "passed" if passed else "failed"
        emit(
            w,
            "proposal_passed" if passed else "proposal_failed",
            proposal=x["id"],
            yes=yes,
            no=no,
            abstain=abstain,
            eligible=len(x["voters"]),
        )
        x["effect"] = first_effect(w, w["height"], x["critical"])


def first_effect(w, judged, critical):
    """The boundary at which a proposal judged in this block takes effect."""
    return ceil_div(judged, TERM) * TERM + TERM * critical


def enact(w):
    due = [x for x in w["proposals"].values() if x["status"] == "passed" and x["effect"] == w["height"]]
    for x in sorted(due, key=lambda x: x["id"].encode()):
        x["status"] = "done"
        held = take_effect(w, x["act"])
        if not held and w["all_events"]:
            emit(w, "proposal_void", proposal=x["id"])


def take_effect(w, act):
    """Do what was proposed; False when the state of this boundary does not allow it any more."""
    what = act["what"]
    if what == "param":
        old = w["params"][act["name"]]
        w["params"][act["name"]] = act["value"]
        emit(w, "param_changed", name=act["name"], **{"from": old, "to": act["value"]})
        return True
    if what == "list":
        status = {
            "standard": act.get("standard", False),
            "allowed": act.get("allowed_cents"),
            "frequency": act.get("frequency"),
        }
        w["codes"].setdefault(code_key(act), []).append((w["height"] + 1, status))
        return True
    if what == "plan":
        add_plan(w, act)
        return True
    if what == "phase":
        return change_phase(w, act["to"])
    if what == "demote":
        return demote(w, code_key(act))
    if what == "expel":
        return expel(w, act["member"])
    if what == "protocol":
        return parties.schedule(w, act)
    return parties.change(w, act)


def change_phase(w, to):
    old = phase(w)
    if not may_change_phase(w, to):
        return False
    emit(w, "phase_changed", **{"from": old, "to": to})
    if old == "recruit":
        start_held_contracts(w)
    w["phases"].append((w["height"], to))
    return True


def may_change_phase(w, to):
    """Forward only; to `live` through the gate.

    One term's premiums in the claims account, members enough, terms of pilot enough.
    """
    if PHASES.index(to) <= PHASES.index(phase(w)):
        return False
    if to != "live":
        return True
    p = w["params"]
    began, name = w["phases"][-1]
    pilot = (w["height"] - began) // TERM if name == "pilot" else 0
    members = sum(1 for m in w["members"].values() if running(m) is not None)
    return (
        12 * w["claims_account"] >= annual_premium(w) and members >= p["live_members_min"] and pilot >= p["pilot_terms"]
    )


def demote(w, key):
    if not code_on(w, key, w["height"] + 1)["standard"]:
        return False
    w["codes"][key].append((w["height"] + 1, {"standard": False, "allowed": None, "frequency": None}))
    w["no_promotion_until"][key] = w["height"] + 360
    decided, paid = decided_cases(w, key)
    emit(w, "code_demoted", code=key[1], paid=len(paid), decided=len(decided), allowed_cents=None, frequency=None)
    return True


def expel(w, name):
    m = w["members"][name]
    if running(m) is None:
        return False
    end_contract(w, m)
    m["left"] = w["height"]
    emit(w, "member_expelled", member=name)
    return True
