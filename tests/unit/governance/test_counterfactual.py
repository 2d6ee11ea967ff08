"""A history under other parameters: what flips, what moves, what is refused, and that nothing else does."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from governance.events import event_json, render_text
from governance.invariants import all_broken_invariants
from governance.params import PARAMETERS
from governance.simulation import rehearse
from governance.simulation.counterfactual import Comparison, Counterfactual, Decision, PastBlock, change_of
from governance.simulation.rehearse import Player, spec_of
from governance.simulation.scenario import parse
from governance.transition import OpenBlock
from ledger.errors import LedgerCorrupt, RuleBroken

GENESIS = {
    "do": "genesis",
    "params": {"audit_random_bp": 0},
    "seed": 7,
    "accounts": {"claims": 5_000_000, "reserve": 900_000},
    "rate": 10_000_000,
    "auto_pay": True,
    "plans": [{"name": "free", "premium_cents": 50_000}],
    "providers": ["doc"],
    "members": [{"name": f"m{i}", "plan": "free", "contract_terms": 12} for i in range(8)],
    "codes": [{"code": "S", "standard": True, "allowed_cents": 30_000}, {"code": "X"}],
}


def compare(spec, blocks, changes) -> Comparison:
    both = Counterfactual(spec, changes)
    for block in blocks:
        both.step(block)
    return both.result()


def claim(at, name, by="m0", code="X", charge=20_000, **fields):
    line = {"code": code, "units": 1, "charge_cents": charge, "day": at}
    return {"at": at, "do": "claim", "id": name, "by": by, "provider": "doc", "lines": [line], **fields}


def ballots(at, name, *, yes=0, no=0, first=1):
    return [
        {
            "at": at,
            "do": "ballot",
            "by": f"m{first + index}",
            "claim": name,
            "choice": "accept" if index < yes else "deny",
            "opened": True,
        }
        for index in range(yes + no)
    ]


LIFE = [
    claim(2, "paid", code="S"),
    claim(2, "won"),
    *ballots(3, "won", yes=6),
    claim(4, "thin", by="m1", charge=9_000),
    *ballots(5, "thin", yes=3, first=2),
    claim(6, "lost", by="m2"),
    *ballots(7, "lost", no=5, first=3),
    claim(70, "late", by="m7"),
    *ballots(71, "late", yes=5, no=1),
]

VECTORS = [
    json.loads(line)
    for path in sorted((Path(__file__).parents[2] / "vectors" / "rules").glob("*.jsonl"))
    for line in path.read_text(encoding="utf-8").splitlines()
    if line.strip()
]


class Told:
    """A scenario as it happened: its founding, its blocks, its events."""

    def __init__(self, monkeypatch, actions, until=140, genesis=GENESIS, **params):
        blocks = self.blocks = []

        class Recorder(OpenBlock):
            def __init__(self, state, context):
                super().__init__(state, context)
                self.context, self.acts = context, []

            def take(self, act):
                super().take(act)
                self.acts.append(act)

            def close(self):
                blocks.append(PastBlock(self.context.height, self.context.randomness, tuple(self.acts)))
                return super().close()

        monkeypatch.setattr(rehearse, "OpenBlock", Recorder)
        lines = [
            {**genesis, "params": {**genesis.get("params", {}), **params}},
            *actions,
            {"at": actions[-1]["at"] + 1, "do": "advance", "to": until},
        ]
        parsed = parse([json.dumps(line) for line in lines])
        self.spec = spec_of(parsed[0])
        player = Player(parsed[0])
        self.events = [event_json(event, render_text) for action in parsed[1:] for event in player.act(action)]


@pytest.fixture(scope="module")
def short_life():
    """The blocks up to the first re-rating after the decisions, told once."""
    with pytest.MonkeyPatch.context() as patch:
        return Told(patch, LIFE, until=95)


@pytest.fixture
def told(monkeypatch):
    return lambda actions=LIFE, **fields: Told(monkeypatch, actions, **fields)


def flips(found):
    return {
        (item.claim.decode(), item.case): (item.change, item.old and item.old.event, item.new and item.new.event)
        for item in found.differences
    }


def test_nothing_changes_when_nothing_is_changed(told):
    story = told()
    found = compare(story.spec, story.blocks, {})
    assert (found.differences, found.refusals, found.standings, found.premiums, found.event_counts) == (
        (),
        (),
        (),
        (),
        (),
    )
    assert found.old == found.new
    assert found.height == 140


def test_a_value_as_it_was_flips_nothing(told):
    story = told()
    found = compare(story.spec, story.blocks, {"vote_blocks": 60})
    assert [(item.name, item.old, item.new) for item in found.changes] == [("vote_blocks", 60, 60)]
    assert found.differences == ()


def test_a_lower_quorum_pays_the_case_in_which_three_voted(told):
    story = told()
    found = compare(story.spec, story.blocks, {"quorum_min": 3})
    assert flips(found)["thin", "X"] == ("outcome", "claim_lapsed", "claim_accepted")
    difference = next(item for item in found.differences if item.claim == b"thin")
    assert (difference.old.height, difference.old.benefit_cents) == (64, 0)
    assert (difference.new.height, difference.new.benefit_cents) == (19, 9_000)
    assert found.new.paid_cents == found.old.paid_cents + 9_000
    assert found.new.lapsed == found.old.lapsed - 1


def test_a_shorter_streak_moves_decisions_and_flips_none(told):
    story = told()
    found = compare(story.spec, story.blocks, {"streak_blocks": 10})
    assert flips(found)["won", "X"] == ("height", "claim_accepted", "claim_accepted")
    assert {change for change, *_ in flips(found).values()} == {"height"}
    difference = next(item for item in found.differences if item.claim == b"won")
    assert (difference.old.height, difference.new.height) == (17, 12)
    assert found.old == found.new


def test_shorter_votes_refuse_the_ballots_that_come_too_late(told):
    story = told([claim(2, "slow"), *ballots(20, "slow", yes=6)])
    found = compare(story.spec, story.blocks, {"vote_blocks": 15})
    assert flips(found) == {("slow", "X"): ("outcome", "claim_accepted", "claim_lapsed")}
    assert [(item.height, item.kind, item.code) for item in found.refusals] == [(20, "case.ballot", "vote_closed")] * 6


def test_a_claim_that_the_other_rules_refuse_takes_its_case_and_ballots_with_it(told):
    again = claim(70, "again", supersedes="thin") | {"by": "m1", "lines": claim(4, "thin", charge=9_000)["lines"]}
    story = told([*(item for item in LIFE if item["at"] < 70), again, *ballots(71, "again", yes=6, first=2)])
    assert [event for event in story.events if event["event"] == "refused"] == []
    found = compare(story.spec, story.blocks, {"small_claim_cents": 10_000})
    assert flips(found)["thin", "X"] == ("outcome", "claim_lapsed", "claim_accepted")
    assert flips(found)["again", "X"] == ("outcome", "claim_accepted", "refused")
    kinds = [(item.kind, item.code) for item in found.refusals]
    assert kinds[0][0] == "claim.file"
    assert kinds[1:] == [("case.ballot", "case_unknown")] * 6


def test_bars_follow_a_smaller_sample_of_denials(told):
    story = told()
    found = compare(story.spec, story.blocks, {"deny_sample_min": 1})
    moved = {key.decode(): (old.bar_bp, new.bar_bp) for key, old, new in found.standings}
    # m7 denied the one case it voted on, m6 two of three; seniority and all other bars are as they were
    assert moved == {"m6": (5_000, 7_500), "m7": (5_000, 10_000)}
    assert flips(found) == {("late", "X"): ("outcome", "claim_accepted", "claim_denied")}


def test_premiums_and_accounts_follow_a_larger_reserve(told):
    story = told()
    found = compare(story.spec, story.blocks, {"reserve_bp": 3_000})
    assert [name for name, _, _ in found.premiums] == ["free"]
    assert found.differences == ()


def test_a_proposal_of_the_history_overrules_the_value_tried(told):
    actions = [
        {"at": 2, "do": "propose", "by": "m0", "id": "p", "what": "param", "name": "hold_blocks", "value": 20},
        *({"at": 3, "do": "sponsor", "by": f"m{i}", "proposal": "p"} for i in range(1, 5)),
        *({"at": 4, "do": "cast", "by": f"m{i}", "proposal": "p", "choice": "yes"} for i in range(8)),
    ]
    story = told(actions)
    found = compare(story.spec, story.blocks, {"hold_blocks": 30})
    assert [(name, value) for _, name, value in found.overruled] == [("hold_blocks", 20)]
    assert compare(story.spec, story.blocks, {"vote_blocks": 30}).overruled == ()


@pytest.mark.parametrize(
    "changes",
    [
        {"vote_blocks": 20},
        {"streak_blocks": 3},
        {"quorum_min": 3},
        {"deny_sample_min": 1},
        {"small_claim_cents": 50_000},
        {"min_voters": 8},
        {"reserve_bp": 800},
    ],
    ids=str,
)
def test_the_other_world_is_the_scenario_played_with_other_parameters(told, changes):
    story = told()
    both = Counterfactual(story.spec, changes)
    for block in story.blocks:
        both.step(block)
        assert all_broken_invariants(both.new.state) == []
    anew = told(**changes)
    happened = [event["event"] for event in anew.events if event["event"] != "refused"]
    assert sorted(happened) == sorted(both.new.counts.elements())
    assert len(anew.events) - len(happened) == len(both.new.refusals)
    decided = {
        (event["claim"].encode(), event["case"]): (event["event"], event["height"], event.get("benefit_cents", 0))
        for event in anew.events
        if event["event"] in ("claim_accepted", "claim_denied", "claim_lapsed")
    }
    assert {part: (item.event, item.height, item.benefit_cents) for part, item in both.new.decided.items()} == decided
    assert both.new.paid_cents == sum(event["amount_cents"] for event in anew.events if event["event"] == "payout_due")


@pytest.mark.parametrize("name", sorted(PARAMETERS))
@pytest.mark.parametrize("end", ["value_min", "value_max"])
def test_every_parameter_can_be_tried_at_both_ends_of_its_range(short_life, name, end):
    both = Counterfactual(short_life.spec, {name: getattr(PARAMETERS[name], end)})
    for block in short_life.blocks:
        both.step(block)
    assert all_broken_invariants(both.new.state) == []
    assert both.result().old.accepted >= 2


def test_a_case_that_is_open_at_the_end_is_compared_by_its_status(told):
    story = told(
        [
            claim(2, "young"),
            *ballots(3, "young", yes=2),
            claim(3, "gone"),
            {"at": 9, "do": "withdraw", "by": "m0", "claim": "gone"},
        ],
        until=40,
    )
    assert compare(story.spec, story.blocks, {"evidence_versions": 2}).differences == ()
    assert flips(compare(story.spec, story.blocks, {"vote_blocks": 30})) == {
        ("young", "X"): ("outcome", "open", "claim_lapsed")
    }
    taken_too_late = flips(compare(story.spec, story.blocks, {"vote_blocks": 4}))
    assert taken_too_late["gone", "X"] == ("outcome", "withdrawn", "claim_lapsed")


@pytest.mark.parametrize("lines", [pytest.param(item["scenario"], id=item["name"]) for item in VECTORS])
def test_no_vector_of_the_rules_differs_from_itself(monkeypatch, lines):
    story = Told(monkeypatch, sorted(lines[1:], key=lambda line: line["at"]), until=1, genesis=lines[0])
    both = Counterfactual(story.spec, {})
    for block in story.blocks:
        both.step(block)
    found = both.result()
    assert (found.differences, found.refusals, found.old) == ((), (), found.new)
    spoken = [event["event"] for event in story.events if event["event"] not in ("refused", "shown")]
    assert sorted(both.old.counts.elements()) == sorted(spoken)


def test_what_is_tried_is_checked_before_anything_is_replayed(told):
    story = told()
    for changes, code in (({"no_such": 1}, "param_unknown"), ({"vote_blocks": 0}, "param_range")):
        with pytest.raises(RuleBroken) as caught:
            compare(story.spec, story.blocks, changes)
        assert caught.value.code == code


def test_a_history_that_the_unchanged_rules_refuse_is_no_history(told):
    story = told()
    twice = [PastBlock(block.height, block.randomness, block.acts * 2) for block in story.blocks]
    with pytest.raises(LedgerCorrupt) as caught:
        compare(story.spec, twice, {"vote_blocks": 30})
    assert caught.value.code == "history_differs"


def test_the_weightiest_difference_counts():
    old = Decision("claim_accepted", 20, 100, bar_bp=5_000, seniority_bp=0)
    assert change_of(old, old) is None
    assert change_of(old, Decision("claim_accepted", 20, 100, bar_bp=7_500, seniority_bp=0)) == "bar"
    assert change_of(old, Decision("claim_accepted", 21, 100, bar_bp=7_500, seniority_bp=0)) == "height"
    assert change_of(old, Decision("claim_accepted", 21, 99)) == "benefit"
    assert (
        change_of(old, Decision("claim_denied", 20, 100)) == change_of(old, None) == change_of(None, old) == "outcome"
    )
