"""What a scenario asks to see. Names are text: `rehearse` renders them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from governance import params, protocol
from governance.benefits import codes, contracts, covers, plans
from governance.day import Day
from governance.events import render, render_text
from governance.membership import members
from governance.money import accounts, payouts, rates
from governance.state.attesters import ATTESTERS, VERIFIERS
from governance.state.cases import CASES
from governance.state.claims import CLAIMS
from governance.state.codes import CODES
from governance.state.contracts import CONTRACTS
from governance.state.members import MEMBERS
from governance.state.plans import PLANS
from governance.state.providers import PROVIDERS
from governance.state.treasury import TREASURY
from governance.views.claims import case_view, claim_status
from governance.voting import approval_threshold, duties, holds
from ledger.errors import RuleBroken

CASE_FIELDS = (
    "code", "status", "how", "yes", "no", "opened", "eligible", "quorum", "bar_bp", "seniority_bp", "award_cents",
    "benefit_cents", "closes_at", "streak",
)  # fmt: skip


def shown(day: Day, what: str, name: str | None) -> dict[str, Any]:
    """Return what a scenario asks to see, names as text; RuleBroken when there is no such thing."""
    found = _SHOWN.get(what, _parameters)(day, name or "")
    if found is None:
        raise RuleBroken("unknown_name", f"there is no {what} {name!r}", "use a name from the file")
    return render(found, render_text)


def _member(day: Day, name: str) -> dict[str, Any] | None:
    row = MEMBERS.find(day.draft, name.encode())
    if row is None:
        return None
    record, contract = approval_threshold.threshold_of(day, row), CONTRACTS.find(day.draft, row.key)
    return {
        "denied": record.denied,
        "voted": record.voted,
        "bar_bp": record.threshold_bp,
        "seniority_bp": record.seniority_bp,
        "standing": contracts.status_of(day, row),
        "plan": None if contract is None else contract.plan,
        "rate_cents": None if contract is None else contract.rate_cents,
        "owed_cents": 0 if contract is None else contract.owed_cents,
        "may_vote": members.is_voter(row),
        "dependants": covers.living(day.draft, () if contract is None else contract.dependants, day.height),
        "missed_duties": duties.missed_of(day, row.key),
        "has_credit": duties.has_credit(day.draft, row.key),
    }


def _claim(day: Day, name: str) -> dict[str, Any] | None:
    claim = CLAIMS.find(day.draft, name.encode())
    if claim is None:
        return None
    found = [case_view(day, case) for case in CASES.scan(day.draft, claim.claim)]
    return {
        "by": claim.cover,
        "filed": claim.height,
        "status": claim_status(day.draft, claim),
        "benefit_cents": claim.benefit_cents,
        "cases": [{field: getattr(case, field) for field in CASE_FIELDS} for case in found],
        "audit_panel": holds.panel_of(day, claim.claim) or (),
    }


def _code(day: Day, name: str) -> dict[str, Any]:
    row = next(CODES.scan(day.draft, name), None)
    version = codes.code_on(day.draft, "" if row is None else row.system, name, day.height)
    return {"standard": version.is_standard, "allowed_cents": version.allowed_cents, "frequency": version.frequency}


def _plan(day: Day, name: str) -> dict[str, Any] | None:
    plan = PLANS.find(day.draft, name)
    if plan is None:
        return None
    figures = render(plans.figures_on(plan, day.height), render_text)
    figures.pop("from_day")
    return {"premium_cents": plan.premium_cents, **figures, "prior_cents": plan.prior_cents}


def _accounts(day: Day, _name: str) -> dict[str, Any]:
    return {
        "claims_cents": accounts.balance_of(day.draft, "claims"),
        "reserve_cents": accounts.balance_of(day.draft, "reserve"),
        "annual_premium_cents": accounts.annual_premium_of(day),
        "owed_cents": payouts.owed_total(day.draft),
        "rate": rates.rate_now(day),
        "deposits_cents": accounts.deposits_balance(day.draft),
    }


def _coop(day: Day, _name: str) -> dict[str, Any]:
    box = TREASURY.find(day.draft)
    return {
        "phase": day.coop.phase,
        "protocol_version": protocol.row_at(day.draft, day.height).version,
        "members": day.counts.members,
        "voters": day.counts.voters,
        "attesters": [row.key for row in ATTESTERS.scan(day.draft)],
        "verifiers": [row.key for row in VERIFIERS.scan(day.draft)],
        "signers": () if box is None else box.signers,
        "signers_needed": 0 if box is None else box.threshold,
        "providers": sorted(row.value.decode() for row in PROVIDERS.scan(day.draft)),
    }


def _parameters(day: Day, _name: str) -> dict[str, Any]:
    return params.param_values(day.params)


_SHOWN: dict[str, Callable[[Day, str], dict[str, Any] | None]] = {
    "member": _member,
    "claim": _claim,
    "code": _code,
    "plan": _plan,
    "accounts": _accounts,
    "coop": _coop,
}
