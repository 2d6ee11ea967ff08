"""Dependants: covers of their own on a member's contract (docs/reference/rules/dependants.md)."""

from .keys import is_taken
from .world import TERM, YEAR, active_member, covers_of, emit, phase, refuse_if, running, term_of


def dependant(w, act):
    m = active_member(w, act["by"])
    name = act["name"]
    if act.get("off", False):
        cover = w["covers"].get(name)
        refuse_if(cover is None or cover["member"] != m["name"] or cover["last"] is not None, "no such dependant")
        refuse_if(cover["leaving_at"] is not None, "notice is given")
        cover["leaving_at"] = (term_of(w["height"]) + 2) * TERM
        return
    refuse_if(m["leaving_at"] is not None, "notice is given")
    refuse_if(m["refused_until"] is not None, "the renewal is refused")
    refuse_if(phase(w) == "recruit" or w["run_off"] is not None, "nobody is added while recruiting or in run-off")
    refuse_if(is_taken(w, name), "this key is taken")
    counting = [c for c in covers_of(w, m) if c["last"] is None or term_of(w["height"]) - term_of(c["last"]) <= YEAR]
    refuse_if(len(counting) >= w["params"]["dependants_max"], "no more dependants")
    first = (term_of(w["height"]) + 1) * TERM + 1
    w["covers"][name] = {
        "name": name,
        "member": m["name"],
        "first_day": first,
        "begun": False,
        "last": None,
        "leaving_at": None,
        "share": 0,
        "waiting_until": 0,
    }
    emit(w, "cover_added", cover=name, first_day=first)


def in_force(w, m):
    return [cover for cover in covers_of(w, m) if cover["begun"] and cover["last"] is None]


def share_of(w, m):
    return w["plans"][running(m)["plan"]]["rate"] * w["params"]["dependant_bp"] // 10000


def set_shares(w, m):
    """The contract rolls over: the shares are set anew with it."""
    for cover in in_force(w, m):
        cover["share"] = share_of(w, m)


def turn(w, m):
    """At a boundary: notice that has run out, and covers that begin with the next block."""
    for cover in covers_of(w, m):
        if cover["last"] is None and cover["leaving_at"] == w["height"]:
            end(w, cover)
        elif cover["last"] is None and not cover["begun"] and cover["first_day"] == w["height"] + 1:
            plan = w["plans"][running(m)["plan"]]
            waiting = plan["waiting_terms"] * TERM
            cover |= {"begun": True, "share": share_of(w, m), "waiting_until": w["height"] + waiting if waiting else 0}
            emit(
                w,
                "cover_begun",
                cover=cover["name"],
                first_day=cover["first_day"],
                waiting_last_day=cover["waiting_until"],
            )


def end_all(w, m):
    for cover in covers_of(w, m):
        if cover["last"] is None:
            end(w, cover)


def end(w, cover):
    """Of one that has not begun nothing is told."""
    cover["last"] = w["height"]
    if cover["begun"]:
        emit(w, "cover_ended", cover=cover["name"])
