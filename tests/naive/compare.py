"""Play one scenario through the naive model and the real rules, and say where they first part."""

import json

from .model import play as naive_play

IGNORED = {"mend", "state_root"}  # texts of a refusal are each program's own


def real_play(lines):
    """The real player; it reads a file's lines."""
    from governance.simulation.rehearse import play_lines

    return list(play_lines(json.dumps(line) for line in lines))


def difference(ours, theirs):
    """Why two events are not the same, or None. Fields may be added by the real player, never missing."""
    if ours["event"] != theirs["event"]:
        return f"event {ours['event']} against {theirs['event']}"
    for field, value in ours.items():
        if field in IGNORED or (ours["event"] == "refused" and field in ("code", "what")):
            continue
        if field not in theirs:
            return f"{ours['event']}: the real player has no field {field}"
        if theirs[field] != value:
            return f"{ours['event']}.{field}: naive {value}, real {theirs[field]}"
    return None


def differences(lines):
    """(the naive model's events, None or what differs first: index, sentence, naive event, real event)."""
    ours = naive_play(lines)
    theirs = real_play(lines)
    for index in range(max(len(ours), len(theirs))):
        if index >= len(ours) or index >= len(theirs):
            longer = ours if len(ours) > len(theirs) else theirs
            return ours, (index, "one of them ends early", None, longer[index])
        why = difference(ours[index], theirs[index])
        if why is not None:
            return ours, (index, why, ours[index], theirs[index])
    return ours, None


def first_disagreement(lines):
    return differences(lines)[1]
