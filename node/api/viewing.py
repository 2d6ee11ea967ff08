"""Governance views by name, as the local API and the CLI ask for them: arguments are text, keys and ids are hex."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from governance.events import render
from governance.views import audits, claims, coop, governing, members, money
from ledger.errors import MutuaError
from ledger.state import StateReader

Arguments = Mapping[str, str]


def read_view(state: StateReader, height: int, name: str, arguments: Arguments) -> Any:
    """Return a view, JSON-ready. MutuaError `not_found` for an unknown view, member or claim."""
    read = _VIEWS.get(name)
    if read is None:
        raise MutuaError("not_found", f"there is no view {name!r}", f"views: {', '.join(sorted(_VIEWS))}")
    answer = read(state, height, arguments)
    if answer is None:
        raise MutuaError(
            "not_found",
            f"the ledger knows no such {name} at height {height}",
            "check the id, or wait until the node is in step",
        )
    return render(answer)


def _key(arguments: Arguments, name: str) -> bytes:
    value = arguments.get(name, "")
    try:
        key = bytes.fromhex(value)
    except ValueError:
        key = b""
    if not key:
        raise MutuaError("usage", f"{name} must be a hexadecimal id", "give the whole id as it was shown")
    return key


_VIEWS: dict[str, Callable[[StateReader, int, Arguments], Any]] = {
    "coop": lambda state, height, _: coop.status_view(state, height),
    "providers": lambda state, _, __: coop.providers_view(state),
    "parties": lambda state, height, _: coop.parties_view(state, height),
    "params": lambda state, _, __: coop.params_view(state),
    "accounts": lambda state, _, __: coop.accounts_view(state),
    "plans": lambda state, _, __: coop.plans_view(state),
    "codes": lambda state, _, __: coop.codes_view(state),
    "members": lambda state, height, _: members.members_view(state, height),
    "member": lambda state, height, given: members.member_view(
        state, height, _key(given, "key" if "key" in given else "id")
    ),
    "keys": lambda state, _, given: members.keys_view(state, _key(given, "member")),
    "dependants": lambda state, height, given: members.dependants_view(state, height, _key(given, "member")),
    "claims": lambda state, _, given: claims.claims_view(state, _key(given, "member") if given.get("member") else None),
    "claim": lambda state, height, given: claims.claim_view(
        state, height, _key(given, "claim" if "claim" in given else "id")
    ),
    "needs_me": lambda state, height, given: claims.needs_me_view(state, height, _key(given, "member")),
    "audit": lambda state, height, given: audits.audit_view(
        state, height, _key(given, "claim" if "claim" in given else "id")
    ),
    "applications": lambda state, height, _: governing.applications_view(state, height),
    "proposals": lambda state, height, _: governing.proposals_view(state, height),
    "proposal": lambda state, height, given: governing.proposal_view(
        state, height, _key(given, "id"), _key(given, "member") if given.get("member") else None
    ),
    "payouts": lambda state, _, __: money.payouts_view(state),
    "owed": lambda state, _, __: money.owed_view(state),
    "unsent": lambda state, _, __: money.unsent_view(state),
    "batches": lambda state, _, __: money.batches_view(state),
    "treasury": lambda state, _, __: money.treasury_view(state),
    "delegations": lambda state, height, given: members.delegations_view(state, height, _key(given, "member")),
    "owing": lambda state, _, __: members.owing_view(state),
    "audits": lambda state, _, __: audits.audits_view(state),
}
