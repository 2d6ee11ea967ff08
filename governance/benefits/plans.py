"""Plans: what a contract pays for and what the member bears.

Figures have versions, so that a claim is settled by the figures of its line's day; the premium of a plan is one figure,
re-rated at each boundary, guaranteed by contracts.
"""

from __future__ import annotations

from collections.abc import Iterator

from msgspec.structs import replace

from governance.state.plans import PLAN_TERMS, PLANS, PlanFigures, PlanRow, PlanTermRow
from governance.tables import Draft
from ledger.errors import RuleBroken

# ---- Rules --------------------------------------------------------------
NAMED_MAX = 8
"""Plans that a refusal lists."""


def check_plan(draft: Draft, name: str) -> PlanRow:
    """Return a plan; RuleBroken when there is none of that name."""
    plan = PLANS.find(draft, name)
    if plan is None:
        known = [row.name for row in PLANS.scan(draft)]
        what = f"none of the {len(known)} plans in force is called {name!r}"
        raise RuleBroken("plan_unknown", what, "choose " + " or ".join(known[:NAMED_MAX]))
    return plan


def figures_on(plan: PlanRow, day_number: int) -> PlanFigures:
    """Return the figures of a plan on a day; before its first version the first one."""
    for figures in reversed(plan.versions):
        if figures.from_day <= day_number:
            return figures
    return plan.versions[0]


def prior_of(premium_cents: int, reserve_bp: int, expense_bp: int) -> int:
    """Return the prior cost of a plan that names none (rules §11)."""
    return premium_cents * (10_000 - reserve_bp - expense_bp) // 10_000


def put_figures(draft: Draft, name: str, premium_cents: int, prior_cents: int, figures: PlanFigures) -> None:
    """Open a plan, or give it a new version of figures (and premium) from `figures.from_day` on."""
    plan = PLANS.find(draft, name)
    versions = () if plan is None else tuple(item for item in plan.versions if item.from_day != figures.from_day)
    PLANS.put(draft, PlanRow(name, premium_cents, prior_cents, (*versions, figures)), name)


def add_benefit(draft: Draft, name: str, term: int, benefit_cents: int) -> None:
    """Count an accepted benefit toward the cost of a plan in a term."""
    row = PLAN_TERMS.find(draft, name, term) or PlanTermRow(0, 0)
    PLAN_TERMS.put(draft, replace(row, benefits_cents=row.benefits_cents + benefit_cents), name, term)


def put_contract_weight(draft: Draft, name: str, term: int, weight_bp: int) -> None:
    """Note the weight of the contracts of a plan that were in force at the boundary of a term."""
    row = PLAN_TERMS.find(draft, name, term) or PlanTermRow(0, 0)
    PLAN_TERMS.put(draft, replace(row, weight_bp=weight_bp), name, term)


# ---- Invariants ---------------------------------------------------------
def broken_invariants(draft: Draft) -> Iterator[str]:
    """Yield a sentence for each plan with a negative figure or no figures."""
    for plan in PLANS.scan(draft):
        if plan.premium_cents < 0 or plan.prior_cents < 0 or not plan.versions:
            yield f"plan {plan.name} has a negative figure or none"
