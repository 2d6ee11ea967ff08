"""Which key signs for a member (§2): identity, devices, guardians who move an identity. A key is its name here."""

from .world import Refused, active_member, emit, member, refuse_if

GUARDIANS_MAX = 15
OWN_KEY = ("device", "guardians", "object_move", "dependant")
"""Actions that take the identity key itself."""


def identity_of(w, name):
    return w["identities"].get(name, name)


def check_signer(w, act):
    """The key that signs is the identity of who acts, or a device in use."""
    key, by = act.get("signed_by"), act.get("by")
    if key is None or by not in w["members"] or key == identity_of(w, by):
        return
    refuse_if(act["do"] in OWN_KEY or w["devices"].get(key) != by, "this key does not sign for the author")


def is_taken(w, key):
    """A key is taken once: by a member, an applicant, a provider, a device or an identity ever, a pending move."""
    known = [*w["members"], *w["applications"], *w["providers"], *w["covers"], *w["taken"]]
    return key in known or key in [move["key"] for move in w["moves"].values()]


def device(w, act):
    active_member(w, act["by"])
    key = act["device"]
    if act.get("off", False):
        refuse_if(w["devices"].get(key) != act["by"], "no device in use")
        del w["devices"][key]
        emit(w, "device_revoked", member=act["by"], device=key)
        return
    refuse_if(
        is_taken(w, key) or key in w["guardians"].get(act["by"], (0, [], 0))[1], "this key is taken, or a guardian's"
    )
    w["devices"][key] = w["devices_ever"][key] = act["by"]
    w["taken"].append(key)
    emit(w, "device_certified", member=act["by"], device=key)


def guardians(w, act):
    active_member(w, act["by"])
    keys, needed = list(act["guardians"]), act["threshold"]
    refuse_if(len(set(keys)) != len(keys) or len(keys) > GUARDIANS_MAX, "different keys, fifteen at most")
    refuse_if(not 1 <= needed <= len(keys) and not (needed == 0 and not keys), "k of n")
    own = [act["by"], identity_of(w, act["by"]), *(key for key, name in w["devices_ever"].items() if name == act["by"])]
    refuse_if(any(key in own for key in keys), "nobody is an own guardian")
    serial = w["guardians"].get(act["by"], (0, [], 0))[2]
    w["guardians"][act["by"]] = (needed, keys, serial + 1)
    emit(w, "guardians_set", member=act["by"], threshold=needed, guardians=sorted(keys))


def move_identity(w, act):
    active_member(w, act["by"])
    member(w, act["member"])
    needed, keys, serial = w["guardians"].get(act["member"], (0, [], 0))
    refuse_if(needed == 0, "no guardians")
    refuse_if(act["member"] in w["moves"], "a move is pending")
    paused = w["paused"].get(act["member"])
    refuse_if(
        paused is not None and w["height"] <= paused + w["params"]["guardian_pause_blocks"],
        "guardians wait after an objection",
    )
    refuse_if(act.get("serial", serial) != serial, "signed for another move")
    refuse_if(is_taken(w, act["to"]) or act["to"] in keys, "this key is taken, or a guardian's")
    speaking = [identity_of(w, key) for key in keys if key not in w["devices_ever"] or key in w["devices"]]
    refuse_if(len(set(act["guardians"]) & set(speaking)) < needed, "too few guardians signed")
    until = w["height"] + w["params"]["guardian_blocks"]
    w["guardians"][act["member"]] = (needed, keys, serial + 1)
    w["moves"][act["member"]] = {"key": act["to"], "until": until}
    emit(w, "identity_move_opened", member=act["member"], key=act["to"], until=until)


def object_move(w, act):
    member(w, act["by"])
    move = w["moves"].get(act["by"])
    if move is None:
        raise Refused("no move is pending")
    del w["moves"][act["by"]]
    w["paused"][act["by"]] = w["height"]
    emit(w, "identity_move_objected", member=act["by"], key=move["key"])


def end_moves(w):
    """First thing in the end of day."""
    due = [name for name, move in w["moves"].items() if move["until"] == w["height"]]
    for name in sorted(due, key=str.encode):
        key = w["moves"].pop(name)["key"]
        w["identities"][name] = key
        w["taken"].append(key)
        w["devices"] = {device: owner for device, owner in w["devices"].items() if owner != name}
        emit(w, "identity_moved", member=name, key=key)
