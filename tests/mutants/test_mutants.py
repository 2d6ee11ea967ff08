"""Every mutant of the rules is noticed by its vector, and the vector holds where nothing is mutated."""

import ast
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent))

import anchors
import page

MUTANTS = anchors.load_mutants()
WORKER = Path(__file__).resolve().parent / "worker.py"
LEGITIMATE_CRASH = "raised AssertionError"
"""An invariant that stays on in production may notice a mutant; any other exception is a mutant that does not run."""
TIMEOUT_S = 1_200


def change_of(mutant):
    return {"function": mutant.function, "expression": mutant.expression, "replacement": mutant.replacement}


def job_of(mutant):
    return {"mutant": change_of(mutant), "vectors": [mutant.killed_by]}


def run_jobs(jobs):
    done = subprocess.run(
        [sys.executable, str(WORKER)],
        input=json.dumps(jobs),
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def complaints():
    """What each mutant's vector missed, by mutant: one worker plays them all."""
    played = run_jobs([job_of(mutant) for mutant in MUTANTS])
    return {mutant.name: result[mutant.killed_by] for mutant, result in zip(MUTANTS, played, strict=True)}


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_a_mutant_is_noticed_by_its_vector(mutant, complaints):
    complaint = complaints[mutant.name]
    assert complaint is not None, f"{mutant.killed_by!r} holds although {mutant.name}"
    assert not complaint.startswith("raised") or complaint.startswith(LEGITIMATE_CRASH), complaint


def test_the_vectors_hold_in_the_worker_where_nothing_is_mutated():
    nothing = {"mutant": None, "vectors": sorted({mutant.killed_by for mutant in MUTANTS})}
    lost = {"mutant": change_of(MUTANTS[0]) | {"function": "no_such_function"}, "vectors": [MUTANTS[0].killed_by]}
    before, _, told, after = run_jobs([nothing, job_of(MUTANTS[0]), lost, nothing])
    assert before == dict.fromkeys(nothing["vectors"])
    assert after == before, "a mutant left something behind"
    assert told[MUTANTS[0].killed_by].startswith("raised AnchorError: governance has no 'no_such_function'")


def test_there_are_at_least_forty_mutants_and_no_name_or_change_twice():
    assert len(MUTANTS) >= 40
    assert len({mutant.name for mutant in MUTANTS}) == len(MUTANTS)
    assert len({tuple(change_of(mutant).values()) for mutant in MUTANTS}) == len(MUTANTS)


def test_the_page_of_mutants_is_current():
    assert page.PAGE.read_text(encoding="utf-8") == page.page_text(), "run `python tests/mutants/page.py`"


# ---- Anchors --------------------------------------------------------------------

CASES = """
LIMITS, ROUNDS = (3, 15), 2

class Row:
    streak: int = 0

def end_day(day, rows):
    late = [row for row in rows if row.height + LIMITS[1] < day.height]
    for row in late:
        close(day, row); note(day, row)
    def due(row):
        return row.closes_day <= day.height
    return len(late) > 1 and len(late) > 2
"""
PAYOUTS = """
def end_day(day):
    return sorted(day.payouts)
"""


@pytest.fixture
def rules(tmp_path):
    (tmp_path / "governance" / "money").mkdir(parents=True)
    (tmp_path / "governance" / "cases.py").write_text(CASES, encoding="utf-8")
    (tmp_path / "governance" / "money" / "payouts.py").write_text(PAYOUTS, encoding="utf-8")
    return anchors.Rules(tmp_path)


@pytest.mark.parametrize(
    ("function", "expression", "replacement"),
    [
        ("cases.end_day", "row.height + LIMITS[1] < day.height", "True"),
        ("cases.end_day", "note(day, row)", ""),
        ("cases.end_day", "note(day, row)", "return 1"),
        ("cases.end_day", "close(day, row); note(day, row)", "note(day, row); close(day, row)"),
        ("due", "row.closes_day <= day.height", "False"),
        ("ROUNDS", "(3, 15), 2", "(3, 15), 1"),
        ("Row.streak", "0", "1"),
        ("payouts.end_day", "sorted(day.payouts)", "day.payouts"),
    ],
)
def test_a_mutant_is_its_module_with_one_place_changed(rules, function, expression, replacement):
    with rules.mutated(function, expression, replacement) as module:
        mutated = ast.dump(module.tree)
    text = module.path.read_text(encoding="utf-8")
    assert text.count(expression) == 1
    assert mutated == ast.dump(ast.parse(text.replace(expression, replacement)))
    assert ast.dump(module.tree) == ast.dump(ast.parse(text)), "the next mutant has another tree"
    assert module.name == ("governance.money.payouts" if "payouts" in function else "governance.cases")


def test_the_layout_of_an_expression_does_not_matter(rules):
    with rules.mutated("cases.end_day", "(row.height+LIMITS [1])<\\\nday . height", "True") as module:
        mutated = ast.dump(module.tree)
    assert mutated == ast.dump(ast.parse(CASES.replace("row.height + LIMITS[1] < day.height", "True")))


@pytest.mark.parametrize(
    ("function", "expression", "advice"),
    [
        ("closing.due", "row.closes_day <= day.height", "governance has no 'closing.due'; if the rule moved, name its"),
        ("cases.end_day", "sorted(day.payouts)", "the expression stands in governance.money.payouts.end_day"),
        ("cases.end_day", "len(row)", "'cases.end_day' does not have 'len(row)'; no function has the expression once"),
        ("cases.end_day", "len(late)", "has 'len(late)' 2 times, not once; take a wider expression"),
        ("end_day", "day", "may be governance.cases.end_day, governance.money.payouts.end_day; write as much"),
    ],
)
def test_an_anchor_that_is_gone_or_ambiguous_says_what_to_do(rules, function, expression, advice):
    with pytest.raises(anchors.AnchorError, match=re.escape(advice)), rules.mutated(function, expression, "None"):
        pass
