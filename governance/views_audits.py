"""What people may ask about audits: claims drawn, holds on payment, and panels (rules §9). Read-only, JSON-ready."""

from __future__ import annotations

from typing import Any

from governance.day import Day
from governance.events import render_hex
from governance.state.audits import AUDIT_HOLDS, AUDIT_PANELS, DRAWN_AUDITS
from governance.state.claims import CLAIMS
from governance.state.payouts import RECEIVABLES
from governance.tables import Draft
from governance.views import ROWS_MAX, Render
from governance.voting import holds
from ledger.state import StateReader


def audits_view(state: StateReader, of_bytes: Render = render_hex) -> dict[str, Any]:
    """Return claims drawn for audit (newest first), holds (first to end first) and panels with their majority."""
    draft = Draft(state)
    drawn = [(CLAIMS.get(draft, row.claim), row.trigger) for row in DRAWN_AUDITS.scan(draft)]
    drawn.sort(key=lambda item: (-item[0].height, item[0].claim))
    return {
        "drawn": [
            {
                "claim": of_bytes(claim.claim),
                "cover_id": of_bytes(claim.cover),
                "provider_id": of_bytes(claim.provider),
                "height": claim.height,
                "trigger": trigger,
                "is_fraud": _is_fraud(draft, claim.member, claim.claim),
            }
            for claim, trigger in drawn[:ROWS_MAX]
        ],
        "holds": [
            {
                "held": of_bytes(row.cover),
                "claim": None if row.claim is None else of_bytes(row.claim),
                "trigger": row.trigger,
                "until": row.until,
            }
            for row in AUDIT_HOLDS.scan(draft)
        ][:ROWS_MAX],
        "panels": [
            {
                "claim": of_bytes(row.claim),
                "panel": [of_bytes(key) for key in row.panel],
                "needed": len(row.panel) // 2 + 1,
                "is_fraud": _is_fraud(draft, CLAIMS.get(draft, row.claim).member, row.claim),
            }
            for row in AUDIT_PANELS.scan(draft)
        ][:ROWS_MAX],
    }


def audit_view(
    state: StateReader, height: int, claim_id: bytes, of_bytes: Render = render_hex
) -> dict[str, Any] | None:
    """Return a claim's audit with its panel in draw order; None where it is under none. Linear in the voters."""
    day = Day(Draft(state), height, b"")
    panel = holds.panel_of(day, claim_id)
    if panel is None:
        return None
    drawn = DRAWN_AUDITS.find(day.draft, claim_id)
    return {
        "claim": of_bytes(claim_id),
        "trigger": None if drawn is None else drawn.trigger,
        "panel": [of_bytes(key) for key in panel],
        "needed": len(panel) // 2 + 1,
        "is_fraud": _is_fraud(day.draft, CLAIMS.get(day.draft, claim_id).member, claim_id),
    }


def _is_fraud(draft: Draft, member: bytes, claim: bytes) -> bool:
    return RECEIVABLES.find(draft, member, claim) is not None
