"""Plans with all versions of their figures, and what each saw in a term."""

from __future__ import annotations

from governance.tables import Table
from ledger.codec import Shape


class PlanFigures(Shape):
    """A plan's figures from `from_day` on. None: no ceiling or maximum. An empty code list means every code."""

    from_day: int
    deductible_cents: int
    copay_cents: int
    coinsurance_bp: int
    oop_max_cents: int | None
    claim_ceiling_cents: int | None
    year_ceiling_cents: int | None
    waiting_terms: int
    codes: tuple[str, ...]


class PlanRow(Shape):
    """A plan with its rate now, its prior cost per contract and term, and all versions of its figures."""

    name: str
    premium_cents: int
    prior_cents: int
    versions: tuple[PlanFigures, ...]


class PlanTermRow(Shape):
    """Contracts in force at a term's boundary (10 000 each, more with dependants), and the benefits accepted in it."""

    weight_bp: int
    benefits_cents: int


PLANS = Table("benefits/plan", PlanRow)
PLAN_TERMS = Table("benefits/plan_term", PlanTermRow)
