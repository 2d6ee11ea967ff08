"""A scenario's accepted records as a history: what a ledger would hold of it."""

import json

from governance.events import render_text
from governance.history import PastBlock
from governance.receipts.collect import Collector
from governance.receipts.shapes import as_json
from governance.simulation.rehearse import Player, randomness_of, spec_of
from governance.simulation.scenario import parse
from governance.transition import BlockContext, OpenBlock


class Noting(OpenBlock):
    def __init__(self, state, context):
        super().__init__(state, context)
        self.acts = []

    def take(self, act):
        super().take(act)
        self.acts.append(act)


class NotingPlayer(Player):
    """A player that remembers the records its blocks took."""

    def __init__(self, genesis):
        super().__init__(genesis)
        self.blocks = []

    def _open(self, height):
        if self.block is None:
            self.block = Noting(self.state, BlockContext(height, randomness_of(self.seed, height)))
            self.blocks.append(self.block)
            self._cast_auto(self.block)
        return self.block


def history_of(lines):
    """(founding, past blocks, events) of a scenario given as dicts."""
    actions = parse(json.dumps(line) for line in lines)
    player = NotingPlayer(actions[0])
    events = [event for action in actions[1:] for event in player.act(action)]
    events += list(player.close_open())
    past = [PastBlock(block.day.height, block.day.randomness, tuple(block.acts)) for block in player.blocks]
    return spec_of(actions[0]), past, events, player


def receipts_of(lines):
    """(receipts as JSON by claim, events) of a scenario; the replay ends in the state of the play."""
    spec, past, events, player = history_of(lines)
    collector = Collector(spec, None)
    told = []
    for block in past:
        told += collector.step(block).events
    assert dict(collector.state.scan(b"")) == dict(player.state.scan(b"")), "the replay for receipts leads elsewhere"
    assert told == [event for event in events if event.name not in ("refused", "shown")]
    found = {
        receipt.claim.decode(): json.loads(json.dumps(as_json(receipt, render_text)))
        for receipt in collector.receipts()
    }
    return found, events
