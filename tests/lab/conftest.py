"""Small worlds: fewer members and terms than `make lab`, the same attackers, the same transition."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import pytest

from governance.simulation.laboratory.attackers import STUDIES
from governance.simulation.laboratory.runner import Result, run
from governance.simulation.laboratory.setting import Setting

SMALL = Setting(seed=1, members=24, claims_per_term=0.5, turnout=0.35)
TERMS = {
    "deny": 13,
    "ring": 8,
    "silence": 8,
    "swing": 9,
    "breakers": 8,
    "sybils": 6,
    "split": 6,
    "friends": 13,
    "whale": 7,
    "join": 12,
    "washers": 13,
}
"""As few terms as an attack needs to show itself."""


def play_study(name: str, **changes: object) -> Result:
    params = changes.pop("params", {})
    setting = replace(SMALL, **{"terms": TERMS[name], "params": tuple(sorted(params.items())), **changes})
    return run([STUDIES[name]], setting, [SMALL.seed], processes=1)[0]


@cache
def _as_it_is(name: str) -> Result:
    return play_study(name)


@pytest.fixture
def study():
    """Return what a study found in small worlds under the rules as they are, played once for all tests."""
    return _as_it_is


@pytest.fixture
def verdicts():
    """Play a study anew, under other parameters or patched rules: whether each check is met, by what it looks at."""

    def judged(name: str, **changes: object) -> dict[str, bool | None]:
        return {check.what: check.is_met for check in play_study(name, **changes).evidence.checks}

    return judged
