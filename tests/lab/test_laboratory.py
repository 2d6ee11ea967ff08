"""The laboratory: it plays ordinary scenarios, the same for the same seed, and reports what ran and what did not."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from governance.simulation.laboratory import driver, pictures
from governance.simulation.laboratory.attackers.base import Attack
from governance.simulation.laboratory.attackers.ring import Ring
from governance.simulation.laboratory.driver import World
from governance.simulation.laboratory.report import Report, markdown, section_of, table
from governance.simulation.laboratory.rows import ROWS, judge_rows
from governance.simulation.laboratory.setting import Setting
from governance.simulation.laboratory.study import Check
from node.cli.coop.lab import lab
from node.sandbox import laboratory as lab_checks

ROOT = Path(__file__).resolve().parents[2]
TINY = Setting(seed=3, terms=3, members=20)
ROOT_OF_A_WORLD = """
from governance.simulation.laboratory.attackers.ring import Ring
from governance.simulation.laboratory.driver import World
from governance.simulation.laboratory.setting import Setting
setting = Setting(seed=3, terms=3, members=20)
print(World(setting, Ring(setting)).run().state_root)
"""


def test_a_world_is_a_scenario_that_anybody_can_play_again() -> None:
    from governance.simulation.rehearse import play
    from governance.simulation.scenario import parse

    world = World(TINY, Ring(TINY))
    world.script = []
    book = world.run()
    lines = [
        json.dumps(world.genesis),
        *map(json.dumps, world.script),
        json.dumps({"at": TINY.blocks, "do": "advance", "to": TINY.blocks}),
    ]
    *events, end = play(parse(lines))
    assert end["state_root"] == book.state_root
    assert sum(event["event"] == "claim_accepted" for event in events) == book.events["claim_accepted"]


def test_a_seed_gives_the_same_world_under_any_hash_seed() -> None:
    roots = {
        subprocess.run(
            [sys.executable, "-c", ROOT_OF_A_WORLD],
            cwd=ROOT,
            env={"PYTHONHASHSEED": seed, "PATH": ""},
            capture_output=True,
            text=True,
            timeout=120,
            check=True,
        ).stdout
        for seed in ("0", "1")
    }
    assert roots == {World(TINY, Ring(TINY)).run().state_root + "\n"}


def test_an_idle_attack_is_a_world_without_it() -> None:
    setting = replace(TINY, terms=4)
    idle = World(setting, Ring(setting, is_idle=True)).run()
    nobody = World(setting, Attack(setting)).run()
    own = {key: case for key, case in idle.cases.items() if ".ring" not in key[0]}
    assert {key: (case.s, case.charges_cents) for key, case in own.items()} == {
        key: (case.s, case.charges_cents) for key, case in nobody.cases.items()
    }


def test_the_lab_counts_denials_as_the_ledger_does() -> None:
    from governance.simulation.laboratory.attackers.deny import DenyEverything

    setting = Setting(terms=8, members=24)
    attack = DenyEverything(setting)
    book = World(setting, attack).run()
    looks = [(name, height, figures) for name, found in book.watched.items() for height, figures in found]
    assert [(figures["denied"], figures["voted"]) for _, _, figures in looks] == [
        book.denied_at(name, height) for name, height, _ in looks
    ]
    assert max(figures["denied"] for _, _, figures in looks) >= 13


def test_a_broken_invariant_is_no_finding_but_the_end(monkeypatch, tmp_path, capsys) -> None:
    monkeypatch.setattr(driver, "all_broken_invariants", lambda _state: ["account coop/reserve holds -1"])
    assert lab(seeds=1, terms=3, members=20, only=["split"], folder=tmp_path, processes=1) == 1
    assert "BROKEN INVARIANT" in capsys.readouterr().out


def test_the_command_writes_its_report_and_names_the_rows_that_nobody_looked_at(monkeypatch, tmp_path, capsys) -> None:
    monkeypatch.setattr(pictures, "can_draw", lambda: False)
    assert (
        lab(seeds=1, terms=3, members=20, only=["split", "leaking"], folder=tmp_path, processes=1, json_output=True)
        == 0
    )
    found = json.loads(capsys.readouterr().out)
    assert [row["row"] for row in found["rows"]] == list(range(1, 14))
    assert found["rows"][0]["verdict"] == "not measured"
    assert found == json.loads((tmp_path / "table.json").read_text(encoding="utf-8"))
    text = (tmp_path / "report.md").read_text(encoding="utf-8")
    assert "matplotlib is not installed" in text
    assert "<img" not in (tmp_path / "report.html").read_text(encoding="utf-8")


def test_a_picture_is_drawn_where_matplotlib_is_there(study) -> None:
    if not pictures.can_draw():
        pytest.skip("matplotlib is not installed")
    picture = study("ring").evidence.picture
    png = pictures.draw(picture)
    assert png.startswith(b"\x89PNG")
    result = study("ring")
    section = section_of(result.study, result.evidence, worlds=2, seconds=1.0, png=png)
    report = Report("mutua lab", TINY, (1,), (section,), (), 1.0, has_pictures=True)
    assert f"![{picture.title}](ring.png)" in markdown(report)
    assert table(report)["rows"][1]["verdict"] == "pass"


def test_a_row_fails_with_one_check_and_stays_open_with_one_unmeasured() -> None:
    def verdict(*met: bool | None) -> str:
        return judge_rows(Check(1, "what", "asked", "measured", value) for value in met)[0].verdict

    assert (verdict(True, True), verdict(True, False, None), verdict(True, None), verdict()) == (
        "pass",
        "fail",
        "not measured",
        "not measured",
    )
    assert [row.number for row in ROWS] == list(range(1, 14))


def test_an_unknown_attack_is_refused_with_the_names_there_are(tmp_path) -> None:
    with pytest.raises(Exception, match="there is no attack 'bribery'"):
        lab(only=["bribery"], folder=tmp_path)


def test_a_liar_in_the_committee_is_measured_and_a_second_block_would_be_seen(monkeypatch) -> None:
    from consensus import simulator

    assert lab_checks.lying(1, runs=3).checks[0].is_met

    def broken(_options):
        raise AssertionError("two blocks of one height are final")

    monkeypatch.setattr(simulator, "simulate", broken)
    assert lab_checks.lying(1, runs=3).checks[0].is_met is False


def test_plaintext_in_a_record_would_be_seen(monkeypatch) -> None:
    from node.cli.claims import evidence

    assert lab_checks.leaking(1).checks[0].is_met
    monkeypatch.setattr(
        evidence,
        "keep_document",
        lambda *_: ({"hash": "00" * 32, "size_bytes": 1, "media": lab_checks.SECRET_WORDS[0]}, True),
    )
    assert lab_checks.leaking(1).checks[0].is_met is False


def test_links_above_the_cap_are_seen(monkeypatch) -> None:
    assert lab_checks.tracing(1, batches=20).figures["outputs"] > 0
    monkeypatch.setattr(lab_checks, "P_MAX", 0.0)
    assert lab_checks.tracing(1, batches=20).checks[0].is_met is False
