"""What people may ask about members' standing arrangements: delegations, keys, dependants, premiums due.

Read-only, JSON-ready.
"""

from __future__ import annotations

from typing import Any

from governance.benefits import covers
from governance.day import Day
from governance.events import render_hex
from governance.membership import delegation, guardians, identity, members
from governance.state.contracts import CONTRACTS, OWING
from governance.state.covers import DEPENDANTS
from governance.state.delegation import DELEGATE_LOADS, DELEGATES, DELEGATORS
from governance.state.keys import IDENTITY_MOVES
from governance.state.members import MEMBERS
from governance.tables import Draft, Number
from governance.views import ROWS_MAX, Render, fields_of
from ledger.state import StateReader


def delegations_view(state: StateReader, height: int, member: bytes, of_bytes: Render = render_hex) -> dict[str, Any]:
    """Return whom the member lets vote and on what, who lets the member vote, and the bound on the latter."""
    day = Day(Draft(state), height, b"")
    delegators = sorted({name.value for name in DELEGATORS.scan(day.draft, member)})
    received = [
        {"topic": row.topic, "by": of_bytes(delegator)}
        for delegator in delegators
        for row in DELEGATES.scan(day.draft, delegator)
        if row.to == member
    ]
    load = DELEGATE_LOADS.find(day.draft, member) or Number(0)
    return {
        "member": of_bytes(member),
        "given": [{"topic": row.topic, "to": of_bytes(row.to)} for row in DELEGATES.scan(day.draft, member)],
        "received": received[:ROWS_MAX],
        "delegators": load.value,
        "delegators_max": delegation.delegators_max_of(day),
    }


def owing_view(state: StateReader, of_bytes: Render = render_hex) -> list[dict[str, Any]]:
    """Return who owes premiums: what, since when, and whether cover is suspended for it."""
    draft = Draft(state)
    rows = [CONTRACTS.get(draft, name.value) for name in OWING.scan(draft)]
    return [
        {
            "member": of_bytes(row.member),
            "owed_cents": row.owed_cents,
            "owed": [fields_of(item, of_bytes) for item in row.owed],
            "suspended_from": row.suspended_from,
        }
        for row in rows[:ROWS_MAX]
    ]


def keys_view(state: StateReader, member: bytes) -> dict[str, Any] | None:
    """Return who signs for a member: identity key, devices, guardians and a pending move; None if unknown."""
    draft = Draft(state)
    if MEMBERS.find(draft, member) is None:
        return None
    row, move = guardians.guardians_of(draft, member), IDENTITY_MOVES.find(draft, member)
    return {
        "member": member.hex(),
        "identity_key": members.identity_key_of(draft, member).hex(),
        "devices": [key.hex() for key in members.devices_of(draft, member)],
        "devices_max": identity.DEVICES_MAX,
        "guardians": {
            "threshold": row.threshold,
            "keys": [key.hex() for key in row.keys],
            "serial": row.serial,
            "paused_until": None if row.paused_until < 0 else row.paused_until,
        },
        "move": None if move is None else fields_of(move),
    }


def dependants_view(state: StateReader, height: int, member: bytes) -> list[dict[str, Any]] | None:
    """Return a member's dependants' covers, those that ended within twelve terms included; None if unknown."""
    draft = Draft(state)
    if MEMBERS.find(draft, member) is None:
        return None
    contract = CONTRACTS.find(draft, member)
    found: list[dict[str, Any]] = []
    for share in () if contract is None else contract.dependants:
        row = DEPENDANTS.get(draft, share.cover)
        found.append(
            {
                "cover_id": row.cover.hex(),
                "first_day": row.first_day,
                "last_day": row.last_day,
                "waiting_last_day": row.waiting_last_day,
                "rate_cents": share.rate_cents,
                "standing": covers.status_of(row, height),
            }
        )
    return found
