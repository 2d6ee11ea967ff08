"""`mutua plan change`: name the next contract; it starts when the present one runs out (rules §3)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Any

from cyclopts import Parameter

from ledger.errors import MutuaError
from node.cli.common import DEFAULT, Common, Money, is_confirmed, own_member, report_submission, say

LENGTHS = (1, 3, 6, 12)
TERM_BLOCKS = 30


def change(  # noqa: D417
    plan: str,
    *,
    terms: int = 1,
    yes: Annotated[bool, Parameter(name=("--yes", "-y"), negative="")] = False,
    wait: float = 0.0,
    common: Common = DEFAULT,
) -> int:
    """Name the plan and length of your next contract.

    It starts when the present one runs out; a later change replaces this one.

    Parameters
    ----------
    plan
        The plan's name; your own to ask for a guaranteed rate over several terms.
    terms
        1, 3, 6 or 12 terms. The rate is guaranteed for each of them.
    yes
        Do not ask before sending.
    wait
        Seconds to wait until it is final.

    """
    if terms not in LENGTHS:
        raise MutuaError(
            "usage",
            f"a contract of {terms} terms is not offered",
            f"give --terms {', '.join(map(str, LENGTHS[:-1]))} or {LENGTHS[-1]}",
        )
    client = common.client()
    status = client.status()
    member = client.view("member", id=own_member(status))
    plans = {str(item["name"]): item for item in client.view("plans")}
    if plan not in plans:
        raise MutuaError("not_found", f"there is no plan {plan!r}", f"plans: {', '.join(sorted(plans))}")
    review = _review(member.get("contract"), plans[plan], terms, Money.of(status))
    if not is_confirmed(common, yes=yes, review=review, question="ask for this contract?"):
        return say(common, {}, "nothing was sent")
    answer = client.submit("plan.change", {"plan": plan, "contract_terms": terms})
    return report_submission(common, client, answer, f"next contract, {plan} for {_terms(terms)}", wait)


def _terms(count: int) -> str:
    return "1 term" if count == 1 else f"{count} terms"


def _review(contract: Mapping[str, Any] | None, plan: Mapping[str, Any], terms: int, money: Money) -> Iterator[str]:
    if contract:
        yield (
            f"now   {contract['plan']} at {money.show(contract['rate_cents'])} a term, until block"
            f" {contract['last_block']}"
        )
        if contract.get("next_plan"):
            yield f"asked {contract['next_plan']} for {_terms(contract['next_length'])}; that is replaced"
    yield (
        f"next  {plan['name']} for {_terms(terms)}, {money.show(plan['premium_cents'])} a term at the rates of today;"
        " those of its first day count"
    )
    yield f"the figures of the old plan hold for {plan['waiting_terms']} terms if the new one is dearer"
