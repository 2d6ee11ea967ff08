"""The members' pages in docs/reference/rules: one for each rule module, and every worked example in them is played.

A block marked `scenario` holds the lines of a scenario. Without a `genesis` line of its own it is played by the small
co-op of the index page. The block marked `events` that follows lists what must be said, in this order: each line is an
event with some of its fields.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGES = ROOT / "docs" / "reference" / "rules"
FENCE = re.compile(r"^```(scenario|events)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
MODULE_FOLDERS = ("membership", "benefits", "money", "voting", "enrolment", "filing")


def blocks(page: Path) -> list[tuple[str, list[str]]]:
    return [(kind, text.strip().split("\n")) for kind, text in FENCE.findall(page.read_text(encoding="utf-8"))]


def founding() -> str:
    """The genesis line of the small co-op on the index page; it is written over several lines there for reading."""
    kind, lines = blocks(PAGES / "README.md")[0]
    assert kind == "scenario"
    return json.dumps(json.loads(" ".join(lines)))


def examples() -> Iterator[tuple[str, list[str], list[dict[str, Any]]]]:
    """Every example: its name, the lines to play, the events that must come."""
    for page in sorted(PAGES.glob("*.md")):
        found = blocks(page)[1:] if page.name == "README.md" else blocks(page)
        assert len(found) % 2 == 0, f"{page.name}: a scenario without events, or events without a scenario"
        for number, ((first, lines), (second, wanted)) in enumerate(zip(found[::2], found[1::2], strict=True), start=1):
            assert (first, second) == (
                "scenario",
                "events",
            ), f"{page.name}, example {number}: a scenario, then its events"
            own = '"genesis"' in lines[0]
            yield f"{page.stem}-{number}", lines if own else [founding(), *lines], [json.loads(line) for line in wanted]


EXAMPLES = list(examples())


def play(lines: list[str]) -> list[dict[str, Any]]:
    from governance.simulation.rehearse import play
    from governance.simulation.scenario import parse

    return list(play(parse(lines)))


def missing(events: list[dict[str, Any]], wanted: list[dict[str, Any]]) -> dict[str, Any] | None:
    """The first wanted event that does not come, in order; None when all do."""
    left = iter(events)
    for item in wanted:
        if not any(all(name in event and event[name] == value for name, value in item.items()) for event in left):
            return item
    return None


@pytest.mark.parametrize(("lines", "wanted"), [item[1:] for item in EXAMPLES], ids=[item[0] for item in EXAMPLES])
def test_the_example_plays_as_the_page_says(lines: list[str], wanted: list[dict[str, Any]]) -> None:
    events = play(lines)
    absent = missing(events, wanted)
    assert absent is None, f"this does not come (in this order): {absent}"
    if all(item["event"] != "refused" for item in wanted):
        assert [event for event in events if event["event"] == "refused"] == []


def test_a_wrong_figure_in_a_page_is_noticed() -> None:
    _, lines, wanted = EXAMPLES[0]
    events = play(lines)
    assert missing(events, wanted) is None
    spoiled = [
        {**item, "height": item["height"] + 1} if "height" in item else {**item, "event": "never"} for item in wanted
    ]
    assert missing(events, spoiled) is not None


def test_every_rule_module_has_a_page_with_a_worked_example_and_the_index_names_it() -> None:
    index = (PAGES / "README.md").read_text(encoding="utf-8")
    modules = {
        path.stem
        for folder in MODULE_FOLDERS
        for path in (ROOT / "governance" / folder).rglob("*.py")
        if not path.stem.startswith("_") and "# ---- Rules" in path.read_text(encoding="utf-8")
    }
    covered = set(re.findall(r"`(\w+)`", index))
    assert sorted(modules - covered) == [], "write a page in docs/reference/rules and name the module in its index"
    pages = {path.name for path in PAGES.glob("*.md")} - {"README.md"}
    assert sorted(name for name in pages if f"]({name})" not in index) == []
    with_example = {name.rsplit("-", 1)[0] for name, _, _ in EXAMPLES}
    assert sorted(name for name in pages if name.removesuffix(".md") not in with_example) == []
