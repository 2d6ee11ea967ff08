"""What people may ask about who comes in and what is voted on: applications and proposals. Read-only, JSON-ready."""

from __future__ import annotations

from typing import Any

from governance.day import Day, ceil_div
from governance.enrolment import admission
from governance.events import render_hex, render_text
from governance.state.applications import APPLICATION_QUEUE, APPLICATIONS
from governance.state.params import params_at
from governance.state.proposals import PROPOSAL_VOTES, PROPOSALS, ProposalRow, ProposeBody
from governance.tables import Draft
from governance.views import ROWS_MAX, Render, fields_of
from governance.voting import proposal_kinds, proposals
from ledger import calendar
from ledger.state import StateReader


def applications_view(state: StateReader, height: int, of_bytes: Render = render_hex) -> list[dict[str, Any]]:
    """Return the applications on their way, first come first, with what each still lacks."""
    day = Day(Draft(state), height, b"")
    set_now = day.params
    found: list[dict[str, Any]] = []
    for name in APPLICATION_QUEUE.scan(day.draft):
        row = APPLICATIONS.get(day.draft, name.value)
        objections_until = row.height + admission.OBJECTION_BLOCKS
        found.append(
            {
                "applicant": of_bytes(row.applicant),
                "cover_id": of_bytes(row.body.cover_id),
                "plan": row.body.plan,
                "contract_terms": row.body.contract_terms,
                "household": render_text(row.body.household),
                "height": row.height,
                "deposit_cents": row.body.deposit_cents,
                "vouchers": [of_bytes(key) for key in row.vouchers],
                "vouchers_needed": set_now.vouchers,
                "objectors": [of_bytes(key) for key in row.objectors],
                "objections_end": set_now.objections,
                "objections_until": objections_until,
                "earliest_boundary": _boundary(max(objections_until, height + 1)),
            }
        )
    return found[:ROWS_MAX]


def _boundary(height: int) -> int:
    return ceil_div(height, calendar.TERM_BLOCKS) * calendar.TERM_BLOCKS


PROPOSAL_FIELDS = {
    "demote": ("name", "system"),
    "param": ("name", "value"),
    "list": ("name", "system", "standard", "allowed_cents", "frequency"),
    "plan": ("name", "premium_cents", "prior_cents", "figures"),
    "phase": ("name",),
    "expel": ("member",),
    "attester": ("change", "key", "name"),
    "verifier": ("change", "key", "name"),
    "provider": ("change", "key", "name"),
    "signer": ("change", "key", "name", "value"),
    "protocol": ("value", "height"),
}
"""What each kind of proposal says; the other fields of its body are empty."""


def proposals_view(state: StateReader, height: int, of_bytes: Render = render_hex) -> list[dict[str, Any]]:
    """Return the proposals: those that are open or gather sponsors first, then the newest."""
    day = Day(Draft(state), height, b"")
    found = [proposal_json(day, row, of_bytes) for row in PROPOSALS.scan(day.draft)]
    found.sort(
        key=lambda item: (
            item["status"] not in ("open", "gathering"),
            -int(item["opened_height"] or height + 1),
            str(item["proposal"]),
        )
    )
    return found[:ROWS_MAX]


def proposal_view(
    state: StateReader, height: int, proposal: bytes, member: bytes | None, of_bytes: Render = render_hex
) -> dict[str, Any] | None:
    """Return a proposal with its sponsors, and `member`'s live vote on it; None if unknown."""
    day = Day(Draft(state), height, b"")
    row = PROPOSALS.find(day.draft, proposal)
    if row is None:
        return None
    live = None if member is None else PROPOSAL_VOTES.find(day.draft, proposal, member)
    return {
        **proposal_json(day, row, of_bytes),
        "sponsored_by": [of_bytes(key) for key in proposals.sponsors_of(day.draft, proposal)],
        "my_vote": None if live is None else live.choice,
    }


def proposal_json(day: Day, row: ProposalRow, of_bytes: Render) -> dict[str, Any]:
    """Return what a proposal says, what it needs and how it stands."""
    vote_params = params_at(day.draft, row.params_version)
    is_open = row.opened_height > 0
    return {
        "proposal": of_bytes(row.proposal),
        "what": row.body.what,
        "says": _says(row.body, of_bytes),
        "status": row.status,
        "is_critical": proposal_kinds.is_critical(row.body),
        "sponsors": row.sponsors,
        "sponsors_needed": proposals.sponsors_needed(day),
        "opened_height": row.opened_height or None,
        "closes_at": row.opened_height + vote_params.proposal_blocks if is_open else None,
        "yes": row.yes,
        "no": row.no,
        "abstain": row.abstain,
        "eligible": row.eligible,
        "turnout_needed": proposals.turnout_needed(row, vote_params) if is_open else None,
        "effective_height": row.effective_height or None,
        "why": row.why or None,
    }


def _says(body: ProposeBody, of_bytes: Render) -> dict[str, Any]:
    shown = fields_of(body, of_bytes)
    return {name: shown[name] for name in PROPOSAL_FIELDS[body.what]}
