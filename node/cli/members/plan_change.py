"""`mutua plan change`: name the next contract; it starts when the present one runs out (rules §3)."""

from __future__ import annotations

from collections.abc import Iterator

from ledger.errors import MutuaError
from node.api.text import Units, counted
from node.api.views.coop import PLANS, Plan
from node.api.views.members import MEMBER, Contract
from node.cli.common import DEFAULT, SEND, Common, Sending, Whole, plan_named

LENGTHS = (1, 3, 6, 12)


def change(plan: str, *, terms: Whole = 1, send: Sending = SEND, common: Common = DEFAULT) -> int:
    """Name the plan and length of your next contract.

    It starts when the present one runs out; a later change replaces this one.

    :param plan: The plan's name; your own to ask for a guaranteed rate over several terms.
    :param terms: 1, 3, 6 or 12 terms. The rate is guaranteed for each of them.
    """
    if terms not in LENGTHS:
        hint = f"give --terms {', '.join(map(str, LENGTHS[:-1]))} or {LENGTHS[-1]}"
        raise MutuaError("usage", f"a contract of {terms} terms is not offered", hint)
    session = common.session()
    contract = session.view(MEMBER, id=session.member).contract
    wanted = plan_named(session.view(PLANS), plan)
    body, review = {"plan": plan, "contract_terms": terms}, _review(contract, wanted, terms, session.units)
    question, done = "ask for this contract?", f"next contract, {plan} for {counted(terms, 'term')}"
    return send.send(common, session, "plan.change", body, review=review, question=question, done=done)


def _review(contract: Contract | None, plan: Plan, terms: int, units: Units) -> Iterator[str]:
    if contract:
        yield f"now   {contract.plan} at {units.money(contract.rate_cents)} a term, until block {contract.last_block}"
        if contract.next_plan:
            yield f"asked {contract.next_plan} for {counted(contract.next_length, 'term')}; that is replaced"
    yield (
        f"next  {plan.name} for {counted(terms, 'term')}, {units.money(plan.premium_cents)} a term at the rates of"
        " today; those of its first day count"
    )
    yield (
        f"if the new plan is more expensive, the figures of the old one apply for {plan.waiting_terms} more"
        f" {'term' if plan.waiting_terms == 1 else 'terms'}"
    )
