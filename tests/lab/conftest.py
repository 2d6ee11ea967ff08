"""Small worlds: fewer members and terms than `make lab`, the same attackers, the same transition."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import pytest

from governance.simulation.lab.attackers import STUDIES
from governance.simulation.lab.attackers.base import Check
from governance.simulation.lab.runner import Result, run
from governance.simulation.lab.setting import Setting

SMALL = Setting(seed=1, terms=14, members=24, claims_per_term=0.6, turnout=0.35)


@cache
def _result(name: str, changes: tuple[tuple[str, object], ...]) -> Result:
    return run([STUDIES[name]], replace(SMALL, **dict(changes)), [SMALL.seed], processes=1)[0]


@pytest.fixture
def study():
    """Return what a study found in one small world, with the setting or the parameters changed where a test says so."""

    def played(name: str, **changes: object) -> Result:
        params = changes.pop("params", {})
        return _result(name, tuple(sorted({**changes, "params": tuple(sorted(params.items()))}.items())))

    return played


@pytest.fixture
def verdicts(study):
    """Return whether each check of a study is met, by what it looks at."""

    def judged(name: str, **changes: object) -> dict[str, bool]:
        found: tuple[Check, ...] = study(name, **changes).evidence.checks
        return {check.what: check.is_met for check in found}

    return judged
