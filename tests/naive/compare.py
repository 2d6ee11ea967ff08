"""Play one scenario through the naive model and the real rules, and say where they first part."""

import json
from typing import NamedTuple

from . import model
from .laws import broken_laws

IGNORED = {"mend", "hint", "state_root"}  # texts of a refusal are each program's own


class Compared(NamedTuple):
    """Both programs' events, and the first fault: (index, sentence, naive event, real event), or None."""

    ours: list
    theirs: list
    fault: tuple | None


class RealSide:
    """The real player, line by line; with `check_blocks` every invariant is checked after every block."""

    def __init__(self, genesis, check_blocks=False):
        from governance.simulation.rehearse import Player

        self.first = json.dumps(genesis)
        self.player = (checked_player() if check_blocks else Player)(self.parsed(genesis))
        self.count = 0

    def parsed(self, line):
        from governance.simulation.scenario import parse

        texts = [self.first] if line.get("do") == "genesis" else [self.first, json.dumps(line)]
        return parse(texts)[-1]

    def take(self, line):
        return self.told(self.player.act(self.parsed(line)))

    def finish(self):
        found = self.told(self.player.close_open())
        return [*found, {"event": "end", "height": self.player.closed, "events": self.count}]

    def told(self, events):
        from governance.events import event_json, render_text

        found = [event_json(event, render_text) for event in events]
        self.count += len(found)
        return found


def checked_player():
    from governance.invariants import all_broken_invariants
    from governance.simulation.rehearse import Player

    class CheckedPlayer(Player):
        def _close_to(self, height):
            while self.closed < height:
                yield from super()._close_to(self.closed + 1)
                broken = all_broken_invariants(self.state)
                assert broken == [], f"after block {self.closed}: {broken}"

    return CheckedPlayer


def real_play(lines):
    """The events of the real player; it reads a file's lines."""
    from governance.simulation.rehearse import play
    from governance.simulation.scenario import parse

    return list(play(parse(json.dumps(line) for line in lines)))


def checked_play(lines):
    """The same events, with every invariant checked after every block: an AssertionError when one is broken."""
    side = RealSide(lines[0], check_blocks=True)
    found = []
    for line in lines[1:]:
        found += side.take(line)
    return found + side.finish()


def agrees(ours, theirs):
    """Equal; an object of the real player may have more fields than the same of the naive model."""
    if isinstance(ours, dict) and isinstance(theirs, dict):
        return all(field in theirs and agrees(value, theirs[field]) for field, value in ours.items())
    if isinstance(ours, (list, tuple)) and isinstance(theirs, (list, tuple)):
        return len(ours) == len(theirs) and all(map(agrees, ours, theirs))
    return ours == theirs


def difference(ours, theirs):
    """Why two events are not the same, or None. Fields may be added by the real player, never missing."""
    if ours["event"] != theirs["event"]:
        return f"event {ours['event']} against {theirs['event']}"
    for field, value in ours.items():
        if field in IGNORED or (ours["event"] == "refused" and field in ("code", "what")):
            continue
        if field not in theirs:
            return f"{ours['event']}: the real player has no field {field}"
        if not agrees(value, theirs[field]):
            return f"{ours['event']}.{field}: naive {value}, real {theirs[field]}"
    return None


def first_difference(ours, theirs):
    """(index, sentence, naive event, real event) where two lists of events part, or None."""
    for index in range(max(len(ours), len(theirs))):
        if index >= len(ours) or index >= len(theirs):
            ends = "the naive model" if index >= len(ours) else "the real player"
            mine, yours = (None, theirs[index]) if index >= len(ours) else (ours[index], None)
            return index, f"{ends} ends early", mine, yours
        why = difference(ours[index], theirs[index])
        if why is not None:
            return index, why, ours[index], theirs[index]
    return None


def compared(lines, check_blocks=False):
    """Both programs play the lines; the fault may also be a law that the events break, or an exception of either."""
    ours, theirs = [], []
    try:
        ours = model.play(lines)
        theirs = checked_play(lines) if check_blocks else real_play(lines)
    except Exception as error:  # whatever it is, it is a fault of that program, and the scenario is to be kept
        return Compared(ours, theirs, (len(ours), f"{type(error).__name__}: {error}", None, None))
    fault = first_difference(ours, theirs)
    if fault is None:
        for sentence in broken_laws(lines[0], theirs):
            return Compared(ours, theirs, (0, sentence, None, None))
    return Compared(ours, theirs, fault)
