"""Whole committees from seeds: safety through faults and liveness after them (notes on consensus, I1 to I6 and I12).

300 seeds in each run of the tests, in two halves so that two workers share them. `make soak` plays 5,000, from
`MUTUA_SOAK` on when it is set to a number, so that each soak can look at seeds nobody has seen.
"""

from __future__ import annotations

import os
from collections.abc import Iterable

import pytest

from consensus.simulator import Report, options_of, simulate


def play(seeds: Iterable[int]) -> list[Report]:
    """Run seeds; the first that fails is named with its options."""
    reports = []
    for seed in seeds:
        try:
            reports.append(simulate(options_of(seed)))
        except AssertionError as error:
            pytest.fail(
                f"seed {seed}: {error}; {options_of(seed)}; python -m consensus.simulator --seed {seed} --runs 1"
            )
    return reports


def test_committees_agree_and_recover_from_seeds_1_to_150():
    reports = play(range(1, 151))
    assert sum(report.crash_count for report in reports) > 100
    assert max(report.view_max for report in reports) >= 4


def test_committees_agree_and_recover_from_seeds_151_to_300():
    reports = play(range(151, 301))
    assert sum(report.crash_count for report in reports) > 100
    assert max(report.view_max for report in reports) >= 4


def test_a_seed_gives_the_same_run_each_time():
    for seed in (7, 11):
        assert simulate(options_of(seed)) == simulate(options_of(seed))


@pytest.mark.soak
@pytest.mark.parametrize("part", range(10))
def test_committees_agree_and_recover_from_5000_seeds(part):
    told = os.environ.get("MUTUA_SOAK", "")
    start = int(told) if told.isdigit() else 1
    play(range(start + 500 * part, start + 500 * (part + 1)))
