"""Claims drawn for audit, holds on payment, and panels (rules §9)."""

from __future__ import annotations

from governance.shaping import filled
from governance.state.audits import AUDIT_HOLDS, AUDIT_PANELS, DRAWN_AUDITS, Trigger
from governance.state.claims import CLAIMS
from governance.state.payouts import RECEIVABLES
from governance.tables import Draft
from governance.views.base import ROWS_MAX, View, day_at
from governance.voting import holds
from ledger.state import StateReader


class DrawnView(View, frozen=True, kw_only=True):
    """A claim drawn for audit."""

    claim: bytes
    cover_id: bytes
    provider_id: bytes
    height: int
    trigger: Trigger
    is_fraud: bool


class HoldView(View, frozen=True, kw_only=True):
    """A hold on the payouts of a cover or provider, to the end of block `until` at most."""

    held: bytes
    claim: bytes | None
    trigger: Trigger
    until: int


class PanelView(View, frozen=True, kw_only=True):
    """The panel of a claim under audit, in draw order, and the majority it needs."""

    claim: bytes
    panel: tuple[bytes, ...]
    needed: int
    is_fraud: bool


class AuditView(View, frozen=True, kw_only=True):
    """A claim's audit; no trigger: reports placed it."""

    claim: bytes
    trigger: Trigger | None
    panel: tuple[bytes, ...]
    needed: int
    is_fraud: bool


class AuditsView(View, frozen=True, kw_only=True):
    """Claims drawn (newest first), holds (first to end first), and panels."""

    drawn: list[DrawnView]
    holds: list[HoldView]
    panels: list[PanelView]


def audits_view(state: StateReader) -> AuditsView:
    """Return everything under audit."""
    draft = Draft(state)
    drawn = [(CLAIMS.get(draft, row.claim), row) for row in DRAWN_AUDITS.scan(draft)]
    drawn.sort(key=lambda item: (-item[0].height, item[0].claim))
    return AuditsView(
        drawn=[
            filled(
                DrawnView,
                claim,
                row,
                cover_id=claim.cover,
                provider_id=claim.provider,
                is_fraud=_is_fraud(draft, claim.claim),
            )
            for claim, row in drawn[:ROWS_MAX]
        ],
        holds=[filled(HoldView, row, held=row.cover) for row in AUDIT_HOLDS.scan(draft)][:ROWS_MAX],
        panels=[
            filled(PanelView, row, needed=_majority(row.panel), is_fraud=_is_fraud(draft, row.claim))
            for row in AUDIT_PANELS.scan(draft)
        ][:ROWS_MAX],
    )


def audit_view(state: StateReader, height: int, claim_id: bytes) -> AuditView | None:
    """Return a claim's audit; None where it is under none. Linear in the voters."""
    day = day_at(state, height)
    panel = holds.panel_of(day, claim_id)
    if panel is None:
        return None
    drawn = DRAWN_AUDITS.find(day.draft, claim_id)
    return AuditView(
        claim=claim_id,
        trigger=None if drawn is None else drawn.trigger,
        panel=panel,
        needed=_majority(panel),
        is_fraud=_is_fraud(day.draft, claim_id),
    )


def _majority(panel: tuple[bytes, ...]) -> int:
    return len(panel) // 2 + 1


def _is_fraud(draft: Draft, claim: bytes) -> bool:
    return RECEIVABLES.find(draft, CLAIMS.get(draft, claim).member, claim) is not None
