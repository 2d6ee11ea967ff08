"""`mutua charter ruin`: how many members the first year needs, before the co-op goes live (rules §11)."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import cyclopts

from ledger.charter_file import charter_from_file
from ledger.errors import MutuaError
from node.api.text import read_whole
from node.cli.common import Real, Whole, read_file, table

if TYPE_CHECKING:
    from governance.simulation.ruin import Chance, Finances, Illness
    from ledger.genesis import Charter, CharterPlan

RUNS_MAX = 1_000_000
RUNS_NEEDED = 299
"""With fewer runs even none ruined cannot show one in a hundred at 95 % confidence."""
SIZES = "25,50,100,200,400,800,1600"
SIZE_MAX = 1_000_000


def ruin(
    charter: Path,
    *,
    claims_a_year: Real,
    benefit: Real,
    deviation: Real,
    plan: str = "",
    members: str = SIZES,
    runs: Whole = 1_000,
    seed: Whole = 1,
    json_output: Annotated[bool, cyclopts.Parameter(name="--json", negative="", help="Print JSON.")] = False,
) -> int:
    """Compute the smallest membership with which the chance of ruin in the first year is at most 1 %.

    Years are drawn from a seed: claims come independently, benefits are lognormal and cut at the plan's ceiling,
    premiums are paid and re-rated as the rules say. Put the answer into the parameter live_members_min. Epidemics and
    unpaid premiums are not in it: round up.

    :param charter: The charter file, draft or sealed: plan, accounts and parameters are taken from it.
    :param claims_a_year: Claims you expect for a member and year, such as 2.4.
    :param benefit: What the co-op pays for a claim on average, after what members bear, such as 350.00.
    :param deviation: Standard deviation of that, such as 900.00. Health bills spread widely: often twice the average or
        more.
    :param plan: The plan all are in; by default the charter's first.
    :param members: Memberships to try, ascending; the first that is enough ends the list.
    :param runs: Years drawn for each.
    :param seed: The same seed gives the same answer.
    """
    from governance.simulation.ruin import CHANCE_MAX, smallest_membership

    text = charter_from_file(read_file(charter))
    sizes = _sizes(members)
    if not RUNS_NEEDED <= runs <= RUNS_MAX:
        raise MutuaError("usage", f"{runs} runs are outside {RUNS_NEEDED}..{RUNS_MAX}", "1000 are a good start")
    illness, finances, chosen = _inputs(text, plan, claims_a_year, benefit, deviation)
    found: list[Chance] = []
    for item in smallest_membership(sizes, finances, illness, runs=runs, seed=seed):
        found.append(item)
        if sys.stderr.isatty():
            print(f"{item.members} members: {item.ruined} of {item.runs} years", file=sys.stderr)
    answer = found[-1].members if found[-1].is_enough else None
    if json_output:
        print(json.dumps(_json(chosen.name, found, answer, seed), indent=2))
    else:
        for line in _lines(chosen.name, found, answer, CHANCE_MAX, seed):
            print(line)
    return 0


def _sizes(text: str) -> list[int]:
    sizes = [read_whole(part.strip()) or 0 for part in text.split(",")]
    if not all(0 < size <= SIZE_MAX for size in sizes):
        raise MutuaError("usage", f"members {text!r} is not a list of membership sizes", f"such as {SIZES}")
    return sizes


def _inputs(
    charter: Charter, plan: str, claims: float, benefit: float, deviation: float
) -> tuple[Illness, Finances, CharterPlan]:
    """Return the model's inputs in minor units. MutuaError `plan_unknown` or `usage`."""
    from governance.benefits.plans import prior_of
    from governance.params import params_of
    from governance.simulation.ruin import Finances, Illness

    if not charter.plans:
        raise MutuaError("plan_unknown", "the charter has no plan", "write one into it first")
    chosen = next((item for item in charter.plans if item.name == plan), None if plan else charter.plans[0])
    if chosen is None:
        hint = "it has: " + ", ".join(item.name for item in charter.plans)
        raise MutuaError("plan_unknown", f"the charter has no plan {plan!r}", hint)
    if not (0 < claims <= 1_000 and 0 < benefit <= 1e9 and 0 <= deviation <= 1e9):
        hint = "claims and benefit are above 0, deviation is not below it"
        raise MutuaError("usage", "claims, benefit or deviation is out of range", hint)
    unit = 10**charter.exponent
    figures = params_of(dict(charter.params))
    prior = (
        prior_of(chosen.premium_cents, figures.reserve_bp, figures.expense_bp)
        if chosen.prior_cents is None
        else chosen.prior_cents
    )
    finances = Finances(
        chosen.premium_cents,
        prior,
        charter.claims_cents,
        charter.reserve_cents,
        figures.reserve_bp,
        figures.expense_bp,
        figures.credibility_k,
        figures.claim_reserve_bp,
    )
    return Illness(claims, benefit * unit, deviation * unit, chosen.claim_ceiling_cents), finances, chosen


def _json(plan: str, found: list[Chance], answer: int | None, seed: int) -> dict[str, Any]:
    rows = [
        {
            "members": item.members,
            "runs": item.runs,
            "ruined": item.ruined,
            "chance": item.chance,
            "upper_95": item.upper,
        }
        for item in found
    ]
    return {"plan": plan, "seed": seed, "rows": rows, "members_needed": answer}


def _lines(plan: str, found: list[Chance], answer: int | None, limit: float, seed: int) -> Iterator[str]:
    yield f"plan {plan}, seed {seed}: chance that the first year ends in ruin"
    rows = [(item.members, item.ruined, item.runs, f"{item.chance:.2%}", f"{item.upper:.2%}") for item in found]
    yield from table(("members", "ruined", "of years", "chance", "at most (95 %)"), rows)
    if answer is None:
        yield (
            f"none of these is enough for {limit:.0%}: raise the premium, put money by, or try larger memberships"
            " (--members)"
        )
    else:
        yield (
            f"with {answer} members ruin is at most {limit:.0%}: that is the least for `live` (parameter"
            " live_members_min)"
        )
