"""Who is listed: enrolment attesters, verifiers and providers, signers of the treasury.

And versions of the protocol.
"""

from .world import emit, refuse_if

ROLES = ("attester", "verifier", "provider", "signer")
SIGNERS_MAX = 15


def listed(w, role):
    return w[role + "s"]


def check_change(w, act):
    role, change = act["what"], act["change"]
    refuse_if(change == "threshold" and role != "signer", "only signers have a threshold")
    refuse_if(change == "add" and act["key"] in listed(w, role), "listed already")
    refuse_if(change == "remove" and act["key"] not in listed(w, role), "not listed")
    refuse_if(role == "signer" and threshold_after(w, act) is None, "no majority of 1 to 15 signers")


def threshold_after(w, act):
    """How many of the signers must sign after the change; None if that were no majority.

    Without a figure it stays, or is the least majority.
    """
    count = len(w["signers"]) + {"add": 1, "remove": -1, "threshold": 0}[act["change"]]
    needed = act.get("threshold", 0) or min(max(w["signers_needed"], count // 2 + 1), count)
    return needed if 1 <= count <= SIGNERS_MAX and count // 2 < needed <= count else None


def change(w, act):
    """At the boundary: put the party on the list or take it off; False if the list allows it no more."""
    role = act["what"]
    names = listed(w, role)
    if act["change"] != "threshold" and (act["key"] in names) == (act["change"] == "add"):
        return False
    needed = threshold_after(w, act) if role == "signer" else None
    if role == "signer" and needed is None:
        return False
    if act["change"] == "add":
        names.append(act["key"])
        emit(w, "party_listed", role=role, party=act["key"], name=act.get("name") or act["key"])
    elif act["change"] == "remove":
        names.remove(act["key"])
        emit(w, "party_unlisted", role=role, party=act["key"])
        if role == "provider":
            w["voted_off"].append(act["key"])
    if role == "signer" and needed != w["signers_needed"]:
        emit(w, "signers_needed_changed", **{"from": w["signers_needed"], "to": needed})
        w["signers_needed"] = needed
    return True


def list_provider(w, act):
    """Whoever hands in a verifier's signature; a file that names nobody means that one has signed."""
    refuse_if(act["name"] in w["providers"], "listed already")
    refuse_if(act["name"] in w["voted_off"], "only a vote lists it again")
    names = act.get("attested_by") or []
    refuse_if(names and not set(names) & set(w["verifiers"]), "no verifier signed")
    w["providers"].append(act["name"])
    emit(w, "party_listed", role="provider", party=act["name"])


# ---- Versions of the protocol ----


def last_version(w):
    return max([w["protocol"], *(version for version, _ in w["protocols"])])


def last_start(w):
    """Versions begin one after the other."""
    return max([0, *(starts for _, starts in w["protocols"])])


def check_version(w, act, effect):
    refuse_if(act["version"] <= last_version(w), "decided on already")
    refuse_if(
        act["height"] <= max(effect, last_start(w)),
        "over before the vote takes effect, or not after the version before",
    )


def schedule(w, act):
    if act["version"] <= last_version(w) or act["height"] <= max(w["height"], last_start(w)):
        return False
    w["protocols"].append((act["version"], act["height"]))
    emit(w, "protocol_scheduled", version=act["version"], starts=act["height"])
    return True


def begin_version(w):
    """At the start of a block."""
    for version, starts in w["protocols"]:
        if starts == w["height"]:
            emit(w, "protocol_changed", **{"from": w["protocol"], "to": version})
            w["protocol"] = version
