"""The probability of ruin in the first year, which sets the membership that a co-op needs to go live (rules §11).

A co-op is ruined when, at the end of any block of its first year, it has less money than it has accepted and not paid.
Members fall ill independently; a claim's benefit is drawn from a lognormal distribution cut at the plan's ceiling; all
premiums are paid on the day they fall due and re-rated at each boundary as in `governance.money.premiums`. Floats stay
here and never reach the ledger: members agree on the smallest membership, a parameter.

The model leaves out epidemics and unpaid premiums, which make ruin more likely, and new members during the year, which
make it less likely. The second digit means nothing.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from random import Random

from governance.money.premiums import clamp_premium, compute_target_cents
from ledger import calendar

CHANCE_MAX = 0.01
"""The gate asks for one in a hundred at most."""
CONFIDENCE = 0.95
FULL_BP = 10_000


@dataclass(frozen=True, slots=True)
class Illness:
    """Claims per member and year, mean and standard deviation of a benefit in cents."""

    claims_per_year: float
    benefit_mean_cents: float
    benefit_sd_cents: float
    ceiling_cents: int | None = None


@dataclass(frozen=True, slots=True)
class Finances:
    """What the co-op starts with and how it is re-rated. Amounts in cents; genesis amounts are for the whole co-op."""

    premium_cents: int
    prior_cents: int
    claims_cents: int = 0
    reserve_cents: int = 0
    reserve_bp: int = 1_500
    expense_bp: int = 0
    credibility_k: int = 1_200
    claim_reserve_bp: int = 500


@dataclass(frozen=True, slots=True)
class Day:
    """A block of a simulated year: the rate of a contract, the amount accepted, and the surplus over all debts."""

    height: int
    rate_cents: int
    accepted_cents: int
    surplus_cents: int


@dataclass(frozen=True, slots=True)
class Chance:
    """How often a membership was ruined in `runs` seeded years, with the one-sided upper confidence bound."""

    members: int
    runs: int
    ruined: int
    chance: float
    upper: float

    @property
    def is_enough(self) -> bool:
        """True iff even the upper bound is within the gate."""
        return self.upper <= CHANCE_MAX


def play_year(members: int, finances: Finances, benefits: Sequence[Sequence[int]]) -> Iterator[Day]:
    """Yield each block of the first year of `members` contracts; block h accepts `benefits[h-1]` cents."""
    books = _Books(finances, members)
    for height, accepted in enumerate(benefits, start=1):
        if calendar.is_term_start(height):
            books.take_premiums()
        books.pay()
        books.accept(accepted)
        yield Day(height, books.rate_cents, sum(accepted), books.surplus_cents)
        if calendar.is_boundary(height):
            books.re_rate()


class _Books:
    """The accounts of one year; a rate set at a boundary is paid after the next boundary's roll-over (rules §1)."""

    def __init__(self, finances: Finances, members: int) -> None:
        self.finances = finances
        self.members = members
        self.rate_cents = self.premium_cents = finances.premium_cents
        self.claims_cents, self.reserve_cents = finances.claims_cents, finances.reserve_cents
        self.queue: list[int] = []
        self.pairs = self.cost_cents = 0

    @property
    def surplus_cents(self) -> int:
        return self.claims_cents + self.reserve_cents - sum(self.queue)

    def _reserve_lacks(self) -> int:
        return max(0, 12 * self.members * self.rate_cents * self.finances.reserve_bp // FULL_BP - self.reserve_cents)

    def take_premiums(self) -> None:
        """Take one premium of each member, with a share for the reserve until that is full (rules §11)."""
        share = self.rate_cents * self.finances.reserve_bp // FULL_BP
        to_reserve = min(self.members * share, self._reserve_lacks())
        self.reserve_cents += to_reserve
        self.claims_cents += self.members * self.rate_cents - to_reserve

    def pay(self) -> None:
        """Pay earlier benefits in order: from claims, then from the reserve up to the cap of each payout."""
        cap = self.reserve_cents * self.finances.claim_reserve_bp // FULL_BP
        left: list[int] = []
        for owed in self.queue:
            paid = min(owed, self.claims_cents + min(cap, self.reserve_cents))
            from_claims = min(paid, self.claims_cents)
            self.claims_cents -= from_claims
            self.reserve_cents -= paid - from_claims
            if owed > paid:
                left.append(owed - paid)
        self.queue = left

    def accept(self, benefits: Sequence[int]) -> None:
        """Add the benefits that the block accepts to the queue; they are due in the next."""
        self.queue.extend(benefit for benefit in benefits if benefit)
        self.cost_cents += sum(benefits)

    def re_rate(self) -> None:
        """Roll contracts over at the present rate, then re-rate the plan."""
        figures = self.finances
        self.pairs += self.members
        self.rate_cents = self.premium_cents
        loads = {"load_bp": figures.reserve_bp if self._reserve_lacks() else 0, "expense_bp": figures.expense_bp}
        costs = self.cost_cents, FULL_BP * self.pairs, figures.prior_cents, self.premium_cents
        target = compute_target_cents(*costs, credibility_k=figures.credibility_k, **loads)
        self.premium_cents = clamp_premium(self.premium_cents, target)


def draw_year(random: Random, members: int, illness: Illness) -> list[list[int]]:
    """Return the benefits of each block of a year, in cents: Poisson claims, lognormal benefits up to the ceiling."""
    blocks: list[list[int]] = [[] for _ in range(calendar.YEAR_BLOCKS)]
    rate = members * illness.claims_per_year / calendar.YEAR_BLOCKS
    if rate <= 0:
        return blocks
    spread = math.log1p((illness.benefit_sd_cents / illness.benefit_mean_cents) ** 2)
    centre = math.log(illness.benefit_mean_cents) - spread / 2
    ceiling = math.inf if illness.ceiling_cents is None else illness.ceiling_cents
    moment = random.expovariate(rate)
    while moment < calendar.YEAR_BLOCKS:
        blocks[int(moment)].append(int(min(ceiling, random.lognormvariate(centre, math.sqrt(spread)))))
        moment += random.expovariate(rate)
    return blocks


def chance_of_ruin(members: int, finances: Finances, illness: Illness, *, runs: int, seed: int) -> Chance:
    """Return how often the first year ends in ruin. The same seed gives the same figure on any machine."""
    ruined = 0
    for run in range(runs):
        year = draw_year(Random(f"{seed}/{members}/{run}"), members, illness)  # noqa: S311 - a simulation
        ruined += any(day.surplus_cents < 0 for day in play_year(members, finances, year))
    return Chance(members, runs, ruined, ruined / runs, upper_bound(ruined, runs))


def upper_bound(hits: int, runs: int, confidence: float = CONFIDENCE) -> float:
    """Return the exact (Clopper-Pearson) one-sided upper bound of a probability.

    >>> round(upper_bound(0, 300), 4)
    0.0099
    """
    if hits >= runs:
        return 1.0
    low, high = hits / runs, 1.0
    for _ in range(60):
        middle = (low + high) / 2
        if _at_most(hits, runs, middle) > 1 - confidence:
            low = middle
        else:
            high = middle
    return high


def _at_most(hits: int, runs: int, chance: float) -> float:
    """Return P(X <= hits) of a binomial distribution."""
    log_hit, log_miss = math.log(chance), math.log1p(-chance) if chance < 1 else -math.inf
    whole = math.lgamma(runs + 1)
    ways = (whole - math.lgamma(count + 1) - math.lgamma(runs - count + 1) for count in range(hits + 1))
    return sum(math.exp(log + count * log_hit + (runs - count) * log_miss) for count, log in enumerate(ways))


def smallest_membership(
    sizes: Sequence[int], finances: Finances, illness: Illness, *, runs: int, seed: int
) -> Iterator[Chance]:
    """Yield the probability for each size, ascending, up to the first that is enough."""
    for members in sorted(sizes):
        found = chance_of_ruin(members, finances, illness, runs=runs, seed=seed)
        yield found
        if found.is_enough:
            return
