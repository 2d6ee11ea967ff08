"""Each hand-computed vector holds for the naive model and for the real rules.

A vector names the events that must appear, in this order; every field it names must be equal, other events may stand
between.
"""

import json
import re
from pathlib import Path

import pytest

FOLDER = Path(__file__).resolve().parents[1] / "vectors" / "rules"


def load_vectors():
    for path in sorted(FOLDER.glob("*.jsonl")):
        for text in path.read_text(encoding="utf-8").splitlines():
            vector = json.loads(text)
            yield pytest.param(vector, id=f"{path.stem}: {vector['name']}")


def within_the_model():
    """Vectors that the naive model plays."""
    return [item for item in load_vectors() if not item.values[0].get("beyond")]


@pytest.mark.parametrize("vector", within_the_model())
def test_the_naive_model_gives_what_was_computed_by_hand(vector):
    from naive.expectation import first_missing, without_texts
    from naive.model import play

    assert first_missing(without_texts(vector["expect"]), play(vector["scenario"])) is None


@pytest.mark.parametrize("vector", load_vectors())
def test_the_real_rules_give_what_was_computed_by_hand(vector):
    from naive.compare import real_play
    from naive.expectation import first_missing

    assert first_missing(vector["expect"], real_play(vector["scenario"])) is None


def test_every_topic_has_vectors_and_no_name_twice():
    counts = {}
    names = []
    for path in FOLDER.glob("*.jsonl"):
        rows = [json.loads(text) for text in path.read_text(encoding="utf-8").splitlines()]
        counts[path.stem] = len(rows)
        names += [(path.stem, row["name"]) for row in rows]
    assert len(names) == len(set(names))
    assert counts["settlement"] >= 30
    assert {"bars", "votes", "lapses", "money", "premiums", "proposals"} <= set(counts)


def test_every_sentence_of_section_5_names_vectors_that_are_there():
    page = (FOLDER / "section-5.md").read_text(encoding="utf-8")
    known = {
        f"{path.stem}: {json.loads(text)['name']}"
        for path in FOLDER.glob("*.jsonl")
        for text in path.read_text(encoding="utf-8").splitlines()
    }
    named = {found for found in re.findall(r"`([^`]+)`", page) if ": " in found and not found.startswith("topic: ")}
    assert len(named) > 50
    assert sorted(named - known) == []
