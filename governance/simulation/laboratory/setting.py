"""The world of an experiment: its members, how they live and vote, and the genesis line.

Probabilities and means are floats, because nothing here enters a ledger. Every random decision comes from a `stream`
named after it, so that a world with an attack and the same world without it draw the same numbers.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import exp
from random import Random
from typing import Any

from ledger import calendar

STANDARD_CODES = (("S1", 12_000, 24), ("S2", 40_000, 12), ("S3", 90_000, 6))
"""(code, allowed amount in cents, units a year)."""
OPEN_CODES = tuple(f"X{index:02}" for index in range(1, 41))
"""Non-standard codes; the first are common, the last rare (by 1/rank)."""
PREMIUM_CENTS = 20_000
CLAIM_CEILING_CENTS = 1_000_000
PLAN = "basic"


@dataclass(frozen=True, slots=True)
class Setting:
    """One world. Shares are of 1, amounts in cents, `claims_per_term` a mean for one member."""

    seed: int = 1
    terms: int = 36
    members: int = 60
    providers: int = 6
    turnout: float = 0.3
    """Probability that an honest member votes on a case without a duty to."""
    duty_turnout: float = 0.8
    """Probability that a member drawn for a panel votes."""
    accuracy: float = 0.95
    """Probability that an honest ballot is right."""
    opening: float = 0.7
    """Probability that an honest voter opens the evidence."""
    claims_per_term: float = 0.5
    open_share: float = 0.5
    """Share of claims whose code is non-standard."""
    wrong_share: float = 0.08
    """Share of honest members' non-standard claims that should not be paid."""
    charge_median_cents: int = 40_000
    waiting_terms: int = 1
    applicants_per_term: int = 0
    """Honest strangers who apply, each with three honest vouchers."""
    params: tuple[tuple[str, int], ...] = ()
    """Parameters other than the defaults."""

    @property
    def blocks(self) -> int:
        """The last height."""
        return self.terms * calendar.TERM_BLOCKS

    @property
    def founders(self) -> tuple[str, ...]:
        """The founders' names."""
        return tuple(f"m{index:03}" for index in range(self.members))

    @property
    def doctors(self) -> tuple[str, ...]:
        """The listed providers' names."""
        return tuple(f"doc{index}" for index in range(self.providers))


def stream(*words: object) -> Random:
    """Return a source of random numbers for one decision: the same on any machine, whatever else was drawn."""
    return Random("/".join(str(word) for word in words))  # noqa: S311  # repeatable on purpose


def poisson(rng: Random, mean: float) -> int:
    """Return a Poisson draw."""
    limit, count, product = exp(-mean), 0, rng.random()
    while product > limit:
        count += 1
        product *= rng.random()
    return count


def founding(setting: Setting) -> dict[str, Any]:
    """Return the genesis line: `live`, one plan, contracts of twelve terms, two terms of premiums, half the reserve."""
    income = setting.members * PREMIUM_CENTS
    plan = {"name": PLAN, "premium_cents": PREMIUM_CENTS, "deductible_cents": 10_000, "copay_cents": 1_500}
    plan |= {"coinsurance_bp": 1_000, "oop_max_cents": 300_000, "claim_ceiling_cents": CLAIM_CEILING_CENTS}
    plan |= {"year_ceiling_cents": 4 * CLAIM_CEILING_CENTS, "waiting_terms": setting.waiting_terms}
    return {
        "do": "genesis",
        "phase": "live",
        "seed": setting.seed,
        "rate": 6_000_000,
        "auto_pay": False,
        "params": dict(setting.params),
        "accounts": {"claims": 2 * income, "reserve": 12 * income * 15 // 200},
        "plans": [plan],
        "members": [{"name": name, "plan": PLAN, "contract_terms": 12} for name in setting.founders],
        "providers": list(setting.doctors),
        "codes": [
            {"code": code, "standard": True, "allowed_cents": allowed, "frequency": limit}
            for code, allowed, limit in STANDARD_CODES
        ],
    }
