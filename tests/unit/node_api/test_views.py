"""The structs of the views against what governance says: nothing of it is lost, and nothing else is promised."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec
import pytest

from governance.events import render
from governance.simulation.rehearse import Player
from governance.simulation.scenario import parse
from governance.state.claims import CLAIMS
from governance.state.members import MEMBERS
from governance.state.proposals import PROPOSALS
from governance.tables import Draft
from ledger.errors import MutuaError
from node.api import reads
from node.api.schema import VIEWS

ROOT = Path(__file__).resolve().parents[3]
VECTORS = ROOT / "tests/vectors/rules"


@pytest.fixture(scope="module")
def states() -> list[tuple[Player, int]]:
    """The last states of the first and the last story of each topic of the vectors."""
    found: list[tuple[Player, int]] = []
    for path in sorted(VECTORS.glob("*.jsonl")):
        lines = [line for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
        for line in {lines[0], lines[-1]}:
            actions = parse([json.dumps(item) for item in json.loads(line)["scenario"]])
            player = Player(actions[0])
            for action in actions[1:]:
                list(player.act(action))
            found.append((player, player.closed))
    return found


def json_of(value: object) -> object:
    return msgspec.json.decode(msgspec.json.encode(value))


def arguments_of(name: str, player: Player) -> list[dict[str, str]]:
    draft = Draft(player.state)
    members = [row.key.hex() for row in MEMBERS.scan(draft)]
    if name in ("claim", "audit"):
        return [{"id": row.claim.hex()} for row in CLAIMS.scan(draft)]
    if name == "proposal":
        return [{"id": row.proposal.hex(), "member": members[0]} for row in PROPOSALS.scan(draft)]
    if name == "member":
        return [{"id": key} for key in members]
    return [{"member": key} for key in members] if "member" in VIEWS[name].arguments else [{}]


@pytest.mark.parametrize("name", sorted(VIEWS))
def test_a_view_says_all_that_governance_says_and_nothing_else(name, states) -> None:
    question, seen = VIEWS[name], 0
    for player, height in states:
        for given in arguments_of(name, player):
            source = reads._SOURCES[name](reads._Asked(player.state, height, given))
            if source is None:
                continue
            typed = reads.read_view(player.state, height, question, given)
            assert json_of(typed) == json_of(render(source))
            seen += 1
    assert seen > 0 or name in ("treasury", "audit", "proposal")


def test_an_unknown_subject_is_not_found_and_an_argument_that_is_no_id_is_named(states) -> None:
    player, height = states[0]
    with pytest.raises(MutuaError, match="no such claim at height") as unknown:
        reads.read_view(player.state, height, VIEWS["claim"], {"id": "ab" * 32})
    with pytest.raises(MutuaError, match="id must be a hexadecimal id") as shapeless:
        reads.read_view(player.state, height, VIEWS["claim"], {"id": "zz"})
    assert (unknown.value.code, shapeless.value.code) == ("not_found", "usage")
