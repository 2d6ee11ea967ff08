"""The gate's figure: the model plays the same year as the real rules, and the chance of ruin falls with membership."""

from __future__ import annotations

import json
from random import Random

from governance.money import accounts, payouts
from governance.simulation import ruin
from governance.simulation.rehearse import Player
from governance.simulation.scenario import parse
from governance.state.contracts import CONTRACTS
from governance.tables import Draft

ILLNESS = ruin.Illness(claims_per_year=2.0, benefit_mean_cents=30_000, benefit_sd_cents=60_000, ceiling_cents=1_000_000)


def real_year(members: int, finances: ruin.Finances, benefits: list[list[int]]) -> list[tuple[int, int]]:
    """(surplus, rate of a contract in the block) at the end of each block, by the real transition."""
    lines = [
        {
            "do": "genesis",
            "phase": "live",
            "currency": "USD",
            "exponent": 2,
            "rate": 10_000_000,
            "auto_pay": True,
            "params": {"audit_random_bp": 0},
            "accounts": {"claims": finances.claims_cents, "reserve": finances.reserve_cents},
            "plans": [{"name": "basic", "premium_cents": finances.premium_cents, "prior_cents": finances.prior_cents}],
            "members": [{"name": f"m{index}", "plan": "basic"} for index in range(members)],
            "providers": ["dr"],
            "codes": [{"code": "A", "standard": True}],
        }
    ]
    for height, amounts in enumerate(benefits, start=1):
        for index, amount in enumerate(amounts):
            bill = {"code": "A", "units": 1, "charge_cents": amount, "day": height}
            lines.append(
                {
                    "at": height,
                    "do": "claim",
                    "id": f"c{height}-{index}",
                    "by": f"m{index}",
                    "provider": "dr",
                    "lines": [bill],
                }
            )
    actions = parse(json.dumps(line) for line in lines)
    player = Player(actions[0])
    found: list[tuple[int, int]] = []
    waiting = list(actions[1:])
    for height in range(1, len(benefits) + 1):
        while waiting and waiting[0].at == height:
            list(player.act(waiting.pop(0)))
        rate = CONTRACTS.get(Draft(player.state), b"m0").rate_cents
        list(player._close_to(height))
        draft = Draft(player.state)
        surplus = (
            accounts.balance_of(draft, "claims") + accounts.balance_of(draft, "reserve") - payouts.owed_total(draft)
        )
        found.append((surplus, rate))
    return found


def test_a_played_year_is_the_year_of_the_real_rules() -> None:
    """Block by block, to the cent, until the real co-op goes into run-off for three ruined boundaries in a row."""
    for seed in range(4):
        random = Random(seed)
        benefits = [
            [random.choice((1, 700, 20_000, 50_000)) for _ in range(random.choice((0, 0, 1, 2)))] for _ in range(150)
        ]
        finances = ruin.Finances(
            premium_cents=80_000, prior_cents=30_000 + 9_000 * seed, claims_cents=10_000, reserve_cents=200_000 * seed
        )
        played = [(day.surplus_cents, day.rate_cents) for day in ruin.play_year(5, finances, benefits)]
        assert played == real_year(5, finances, benefits)
        assert len({rate for _, rate in played}) > 2, "the year was re-rated"


def test_the_chance_of_ruin_falls_with_the_membership_and_with_money_put_by() -> None:
    finances = ruin.Finances(premium_cents=8_000, prior_cents=6_800)
    few, many = (ruin.chance_of_ruin(size, finances, ILLNESS, runs=60, seed=3) for size in (10, 160))
    assert few.chance > many.chance
    rich = ruin.chance_of_ruin(10, ruin.Finances(8_000, 6_800, reserve_cents=10_000_000), ILLNESS, runs=60, seed=3)
    assert rich.ruined == 0 < few.ruined


def test_a_figure_is_the_same_for_the_same_seed_and_no_other() -> None:
    finances = ruin.Finances(premium_cents=8_000, prior_cents=6_800)
    first, again, other = (ruin.chance_of_ruin(20, finances, ILLNESS, runs=40, seed=seed) for seed in (5, 5, 6))
    assert first == again
    assert first != other


def test_the_upper_bound_is_exact_and_the_search_stops_at_the_first_that_is_enough() -> None:
    assert round(ruin.upper_bound(0, 299), 4) == round(1 - 0.05 ** (1 / 299), 4)
    assert ruin.upper_bound(7, 7) == 1.0
    finances = ruin.Finances(premium_cents=50_000, prior_cents=42_500, reserve_cents=10**9)
    found = list(ruin.smallest_membership((40, 20, 80), finances, ILLNESS, runs=299, seed=1))
    assert [item.members for item in found] == [20]
    assert found[0].is_enough
