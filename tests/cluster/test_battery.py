"""The battery of hostile peers (`battery.py` beside this): part of `make soak`, from MUTUA_SOAK on as its seed."""

from __future__ import annotations

import os
from types import ModuleType

import pytest

from node.logs import PEER_LINES_MAX

pytest.importorskip("pbk", reason="the regtest engine needs the extra demo: pip install 'mutua[demo]'")

EVENTS_MAX = 8
"""Different events that one attacker causes, with those of six daemons that meet."""


@pytest.mark.soak
def test_six_daemons_outlive_every_attack_of_the_seventh(battery: ModuleType, capsys) -> None:
    with capsys.disabled():
        rows = battery.played(int(os.environ.get("MUTUA_SOAK", "1")), seconds=15.0)
    assert {row.attack for row in rows} == {*battery.AS_BYTES, *battery.AS_PEER}
    assert [(row.attack, row.ended) for row in rows if row.ended] == []
    assert [(row.attack, row.tracebacks) for row in rows if row.tracebacks] == []
    assert [(row.attack, row.lines) for row in rows if row.lines > EVENTS_MAX * PEER_LINES_MAX] == []
    assert [(row.attack, row.waiting) for row in rows if row.waiting] == []
    assert [row.attack for row in rows if row.blocks < 2] == []
