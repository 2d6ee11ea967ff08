"""Two readings of the rules play the same random scenarios and say the same, event for event (state roots aside).

A failing seed is printed with the first events that differ; `tests/naive/README.md` says how to look at one.
MUTUA_SCENARIO_SEED moves the first seed (default 0), MUTUA_SCENARIO_COUNT the number of scenarios (default 300: three
of each hundredth of the themes). `make soak` plays 10,000, from MUTUA_SOAK on when it is set to a number above 1.
"""

import collections
import functools
import os
import re
from pathlib import Path

import pytest

FIRST_SEED = int(os.environ.get("MUTUA_SCENARIO_SEED", "0"))
COUNT = int(os.environ.get("MUTUA_SCENARIO_COUNT", "300"))
BATCH = 20
BATCHES = range(FIRST_SEED, FIRST_SEED + COUNT, BATCH)
SOAK_COUNT = 10_000
PARAMETERS_PAGE = Path(__file__).resolve().parents[2] / "docs" / "reference" / "parameters.md"


@functools.cache
def played(first):
    """One batch of seeds, played once however many tests ask."""
    from naive.soak import play_batch

    return play_batch(range(first, min(first + BATCH, FIRST_SEED + COUNT)))


@pytest.mark.parametrize("first", BATCHES)
def test_random_scenarios_end_in_the_same_events(first):
    _, _, faults = played(first)
    assert faults == []


def test_no_event_of_the_scenario_page_is_missing_from_the_random_scenarios():
    from naive.events import missing, table

    seen = collections.Counter()
    for first in BATCHES:
        seen += played(first)[0]
    print("\n" + table(seen))
    if COUNT >= 300:
        assert missing(seen) == []


def test_the_naive_model_has_the_members_table_of_parameters():
    """A new parameter gets its line in tests/naive/world.py, and its rule in the model."""
    from naive.world import CRITICAL, PARAMS

    text = PARAMETERS_PAGE.read_text(encoding="utf-8")
    rows = re.findall(r"^\| `(\w+)` \| (\d+) \| [^|]* \| (\d+) \| (\d+) \| (yes)? ?\|", text, re.MULTILINE)
    assert {row[0]: tuple(map(int, row[1:4])) for row in rows} == PARAMS
    assert {row[0] for row in rows if row[4]} == CRITICAL


@pytest.mark.soak
def test_ten_thousand_random_scenarios_end_in_the_same_events():
    from naive.events import missing
    from naive.soak import soak

    told = os.environ.get("MUTUA_SOAK", "")
    first = int(told) if told.isdigit() and int(told) > 1 else 0
    seen, _, faults = soak(first, SOAK_COUNT, Path("soak-failures"))
    assert faults == []
    assert missing(seen) == []
