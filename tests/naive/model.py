"""The naive model: plays a scenario file (a list of dicts) and returns its events, without `state_root`.

It follows the order of rules §1 and is written to be read beside the rules; speed does not matter here.
"""

from . import admission, appeals, audits, claims, contracts, dependants, keys, money, parties, proposals, show, votes
from .world import Refused, emit, is_boundary, new_world

RECORDS = {
    "claim": claims.file_claim,
    "withdraw": claims.withdraw,
    "evidence": claims.evidence,
    "ballot": votes.ballot,
    "auto_accept": votes.auto_accept,
    "delegate": votes.delegate,
    "undelegate": votes.undelegate,
    "pay_premium": contracts.pay_premium,
    "change_plan": contracts.change_plan,
    "leave": contracts.leave,
    "apply": admission.apply,
    "vouch": admission.vouch,
    "object": admission.object_to,
    "propose": proposals.propose,
    "sponsor": proposals.sponsor,
    "cast": proposals.cast,
    "report": audits.report,
    "finding": audits.finding,
    "appeal": appeals.appeal,
    "quote": money.quote,
    "withdraw_application": admission.withdraw_application,
    "list_provider": parties.list_provider,
    "device": keys.device,
    "guardians": keys.guardians,
    "move_identity": keys.move_identity,
    "object_move": keys.object_move,
    "dependant": dependants.dependant,
}


def play(lines):
    """The events of a scenario, in order; raises ValueError for a file that cannot be played."""
    if not lines or lines[0].get("do") != "genesis":
        raise ValueError("the first line is genesis")
    if any(later["at"] < line["at"] for line, later in zip(lines[1:], lines[2:], strict=False)):
        raise ValueError("lines are sorted by at")
    w = new_world(lines[0])
    for line in lines[1:]:
        take(w, line)
    finish(w)
    return w["events"]


def take(w, line):
    if line["do"] == "show":
        show.show(w, line)
    elif line["do"] == "advance":
        close_up_to(w, max(line["at"] - 1, line["to"]))
    elif line["do"] in RECORDS:
        record(w, line)
    else:
        raise ValueError(f"unknown action {line['do']}")


def finish(w):
    if w["open"]:
        close_block(w)
    emit(w, "end", events=len(w["events"]))


def record(w, act):
    if act["at"] <= w["tip"]:
        refused(w, act, "this block is closed", act["at"])
        return
    close_up_to(w, act["at"] - 1)
    if not w["open"]:
        open_block(w)
    try:
        if w["disbanded"] and act["do"] != "auto_accept":
            raise Refused("the co-op has disbanded")
        keys.check_signer(w, act)
        RECORDS[act["do"]](w, act)
    except Refused as why:
        refused(w, act, str(why), w["height"])


def refused(w, act, why, height):
    w["events"].append({"event": "refused", "height": height, "do": act["do"], "by": act.get("by"), "what": why})


def close_up_to(w, height):
    while w["tip"] < height:
        if not w["open"]:
            open_block(w)
        close_block(w)


def open_block(w):
    w["height"] = w["tip"] + 1
    w["open"] = True
    parties.begin_version(w)
    if w["height"] % 30 == 1:
        contracts.ask_premiums(w)
    votes.cast_auto_ballots(w)


def close_block(w):
    keys.end_moves(w)
    contracts.suspend(w)
    audits.expire_holds(w)
    money.set_rate(w)
    votes.draw_panels(w)
    votes.decide_cases(w)
    appeals.judge_appeals(w)
    proposals.judge_proposals(w)
    money.pay_out(w)
    w["in_term_end"] = True
    if is_boundary(w["height"]):
        contracts.count_contracts(w)
        contracts.turn_contracts(w)
        votes.judge_renewals(w)
        votes.promote(w)
        proposals.enact(w)
        contracts.rerate(w)
        money.judge_solvency(w)
        admission.admit(w)
        contracts.return_deposits(w)
        votes.give_credit_back(w)
    votes.freeze(w)
    audits.draw_audit_panels(w)
    proposals.freeze_proposals(w)
    w["in_term_end"] = False
    w["open"] = False
    w["tip"] = w["height"]
