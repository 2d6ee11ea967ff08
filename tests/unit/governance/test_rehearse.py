"""Scenario files: parsing, order, streaming, the same bytes under any hash seed."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from governance.simulation.rehearse import line_of, play
from governance.simulation.scenario import ScenarioError, parse

GENESIS = json.dumps(
    {
        "do": "genesis",
        "params": {},
        "seed": 7,
        "accounts": {"claims": 5_000_000, "reserve": 900_000},
        "rate": 10_000_000,
        "auto_pay": True,
        "plans": [{"name": "basic", "premium_cents": 50_000, "deductible_cents": 10_000}],
        "members": [{"name": name, "plan": "basic"} for name in ("ann", "bob", "cy", "dee", "eve", "fay", "gil")],
        "providers": ["dr_lee"],
        "codes": [{"code": "A0428", "standard": True, "allowed_cents": 30_000, "frequency": 6}, {"code": "J3490"}],
    }
)
CLAIM = (
    '{"at":3,"do":"claim","id":"c1","by":"ann","provider":"dr_lee",'
    '"lines":[{"code":"J3490","units":1,"charge_cents":80000,"day":2}]}'
)


@pytest.mark.parametrize(
    ("line", "field"),
    [
        ("{", "the line"),
        ("[]", "the line"),
        ('{"at":1}', "do"),
        ('{"at":1,"do":"jump"}', "do"),
        ('{"at":1,"do":"leave"}', "by"),
        ('{"at":-1,"do":"leave","by":"a"}', "at"),
        ('{"at":1.5,"do":"leave","by":"a"}', "at"),
        ('{"at":true,"do":"leave","by":"a"}', "at"),
        ('{"at":1,"do":"ballot","by":"a","claim":"c","choice":"yes"}', "choice"),
        ('{"at":1,"do":"leave","by":"a","why":"x"}', "why"),
        ('{"at":1,"do":"claim","id":"c","by":"a","provider":"p","lines":[]}', "lines"),
        ('{"at":1,"do":"leave","by":"a","by":"b"}', "the line"),
        (
            (
                '{"at":1,"do":"claim","id":"c","by":"a","provider":"p",'
                '"lines":[{"code":"X","units":1,"charge_cents":"1","day":1}]}'
            ),
            "lines[0].charge_cents",
        ),
        ('{"at":1,"do":"propose","by":"a","id":"p","what":"param","name":"x"}', "value"),
        ('{"do":"genesis"}', "do"),
        ('{"at":1,"do":"leave","by":9223372036854775808}', "by"),
        ('{"at":1,"do":"advance","to":1000001}', "to"),
        ('{"at":9223372036854775808,"do":"leave","by":"a"}', "at"),
    ],
)
def test_a_line_that_is_not_as_the_page_says_names_line_and_field(line, field):
    with pytest.raises(ScenarioError) as caught:
        parse([GENESIS, line])
    assert caught.value.what.startswith("line 2")
    assert field in caught.value.what


@pytest.mark.parametrize(
    "genesis",
    ['{"at":1,"do":"leave","by":"a"}', '{"do":"genesis","params":{"nonsense":1}}', '{"do":"genesis","phase":"later"}'],
)
def test_a_file_begins_with_a_genesis_of_known_parameters_and_phase(genesis):
    with pytest.raises(ScenarioError):
        parse([genesis])


@pytest.mark.parametrize(
    "genesis",
    [
        {"params": {"reserve_bp": 1}},
        {"plans": [{"name": "p", "coinsurance_bp": 10_001}]},
        {"accounts": {"claims": 10**17}},
        {"members": [{"name": "a", "plan": "none"}]},
        {"plans": [{"name": "p"}, {"name": "p"}]},
        {"plans": [{"name": "p"}], "members": [{"name": "a", "plan": "p"}] * 2},
        {"plans": [{"name": "p"}], "members": [{"name": "a", "plan": "p", "contract_terms": 2}]},
    ],
)
def test_a_genesis_that_breaks_the_rules_plays_nothing(genesis):
    with pytest.raises(ScenarioError, match="line 1"):
        list(play(parse([json.dumps({"do": "genesis", **genesis})])))


def test_lines_are_sorted_and_a_record_at_a_closed_height_is_refused():
    with pytest.raises(ScenarioError, match="sorted"):
        parse([GENESIS, '{"at":5,"do":"leave","by":"ann"}', '{"at":4,"do":"leave","by":"ann"}'])
    events = list(
        play(
            parse(
                [
                    GENESIS,
                    '{"at":2,"do":"advance","to":9}',
                    CLAIM,
                    '{"at":9,"do":"show","what":"member","name":"bob"}',
                    '{"at":10,"do":"show","what":"params"}',
                ]
            )
        )
    )
    refused = [(event["do"], event["code"], event["height"]) for event in events if event["event"] == "refused"]
    assert refused == [("claim", "block_closed", 3), ("show", "block_open", 10)]
    shown = next(event for event in events if event["event"] == "shown")
    assert list(shown)[:8] == ["event", "height", "what", "name", "denied", "voted", "bar_bp", "seniority_bp"]


def test_the_end_closes_the_open_block_and_counts_the_events():
    events = list(play(parse([GENESIS, CLAIM])))
    assert (events[-1]["event"], events[-1]["height"], events[-1]["events"]) == ("end", 3, len(events) - 1)


def test_two_runs_under_two_hash_seeds_print_the_same_bytes(tmp_path):
    ballots = [
        json.dumps({"at": 4, "do": "ballot", "by": by, "claim": "c1", "choice": "accept", "opened": True})
        for by in ("bob", "cy", "dee", "eve", "fay")
    ]
    file = tmp_path / "a.jsonl"
    file.write_text("\n".join([GENESIS, CLAIM, *ballots, '{"at":9,"do":"advance","to":95}']), encoding="utf-8")
    program = (
        "from pathlib import Path; from node.cli.coop.rehearse import rehearse; raise"
        f" SystemExit(rehearse(Path({str(file)!r})))"
    )
    outputs = {
        subprocess.run(
            [sys.executable, "-c", program], env={**os.environ, "PYTHONHASHSEED": seed}, capture_output=True, check=True
        ).stdout
        for seed in ("1", "2")
    }
    assert len(outputs) == 1
    assert outputs.pop().decode() == "".join(
        line_of(event) + "\n" for event in play(parse(file.read_text().split("\n")))
    )


def test_names_in_any_language_are_kept_and_text_out_of_form_is_refused():
    genesis = GENESIS.replace('"ann"', '"Ünsal 山"')
    claim = CLAIM.replace('"ann"', '"Ünsal 山"')
    lines = [line_of(event) for event in play(parse([genesis, claim]))]
    assert any('"member":"Ünsal 山"' in line for line in lines)
    with pytest.raises(ScenarioError):
        parse([GENESIS, CLAIM.replace("ann", "U\u0308nsal")])
