"""What people may ask about members' standing arrangements: delegations, and premiums that are due. Read-only, JSON-ready."""

from __future__ import annotations

from typing import Any

from governance.benefits import contracts
from governance.day import Day
from governance.events import render_hex
from governance.membership import delegation
from governance.tables import Draft, Number
from governance.views import ROWS_MAX, Render, fields_of
from ledger.state import StateReader


def delegations_view(state: StateReader, height: int, member: bytes, of_bytes: Render = render_hex) -> dict[str, Any]:
    """Return whom the member lets vote and on what, who lets the member vote, and the bound on the latter."""
    day = Day(Draft(state), height, b"")
    delegators = sorted({name.value for name in delegation.DELEGATORS.scan(day.draft, member)})
    received = [
        {"topic": row.topic, "by": of_bytes(delegator)}
        for delegator in delegators
        for row in delegation.DELEGATES.scan(day.draft, delegator)
        if row.to == member
    ]
    load = delegation.LOADS.find(day.draft, member) or Number(0)
    return {
        "member": of_bytes(member),
        "given": [{"topic": row.topic, "to": of_bytes(row.to)} for row in delegation.DELEGATES.scan(day.draft, member)],
        "received": received[:ROWS_MAX], "delegators": load.value, "delegators_max": delegation.delegators_max_of(day),
    }  # fmt: skip


def owing_view(state: StateReader, of_bytes: Render = render_hex) -> list[dict[str, Any]]:
    """Return who owes premiums: what, since when, and whether cover is suspended for it."""
    draft = Draft(state)
    rows = [contracts.CONTRACTS.get(draft, name.value) for name in contracts.OWING.scan(draft)]
    return [
        {
            "member": of_bytes(row.member), "owed_cents": row.owed_cents, "owed": [fields_of(item, of_bytes) for item in row.owed],
            "suspended_from": row.suspended_from,
        }
        for row in rows[:ROWS_MAX]
    ]  # fmt: skip
