"""Who wants to come in and what is voted on: applications and proposals."""

from __future__ import annotations

from governance.day import Day, ceil_div
from governance.enrolment import admission
from governance.events import render_text
from governance.shaping import filled
from governance.state.applications import APPLICATION_QUEUE, APPLICATIONS
from governance.state.params import params_at
from governance.state.proposals import PROPOSAL_VOTES, PROPOSALS, ProposalRow, ProposalStatus, VoteChoice
from governance.views.base import ROWS_MAX, View, day_at
from governance.voting import proposal_kinds, proposals
from ledger import calendar
from ledger.state import StateReader

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


class ApplicationView(View, frozen=True, kw_only=True):
    """An application, with what it still lacks."""

    applicant: bytes
    cover_id: bytes
    plan: str
    contract_terms: int
    household: str
    height: int
    deposit_cents: int
    vouchers: tuple[bytes, ...]
    vouchers_needed: int
    objectors: tuple[bytes, ...]
    objections_end: int
    objections_until: int
    earliest_boundary: int


class ProposalView(View, frozen=True, kw_only=True):
    """What a proposal says, what it needs and how it stands."""

    proposal: bytes
    what: str
    says: dict[str, object]
    """The fields of its body that its kind knows."""
    status: ProposalStatus
    is_critical: bool
    sponsors: int
    sponsors_needed: int
    opened_height: int | None
    closes_at: int | None
    yes: int
    no: int
    abstain: int
    eligible: int
    turnout_needed: int | None
    effective_height: int | None
    why: str | None


class ProposalDetailView(View, frozen=True, kw_only=True):
    """A proposal with its sponsors, and a member's live vote on it."""

    row: ProposalView
    sponsored_by: list[bytes]
    my_vote: VoteChoice | None


def applications_view(state: StateReader, height: int) -> list[ApplicationView]:
    """Return the applications that are not decided, first come first."""
    day = day_at(state, height)
    set_now = day.params
    found: list[ApplicationView] = []
    for name in APPLICATION_QUEUE.scan(day.draft):
        row = APPLICATIONS.get(day.draft, name.value)
        objections_until = row.height + admission.OBJECTION_BLOCKS
        found.append(
            filled(
                ApplicationView,
                row,
                row.body,
                household=render_text(row.body.household),
                vouchers_needed=set_now.vouchers,
                objections_end=set_now.objections,
                objections_until=objections_until,
                earliest_boundary=_boundary(max(objections_until, height + 1)),
            )
        )
    return found[:ROWS_MAX]


def _boundary(height: int) -> int:
    return ceil_div(height, calendar.TERM_BLOCKS) * calendar.TERM_BLOCKS


def proposals_view(state: StateReader, height: int) -> list[ProposalView]:
    """Return the proposals: those that are open or gather sponsors first, then the newest."""
    day = day_at(state, height)
    found = [_proposal(day, row) for row in PROPOSALS.scan(day.draft)]
    found.sort(
        key=lambda item: (item.status not in ("open", "gathering"), -(item.opened_height or height + 1), item.proposal)
    )
    return found[:ROWS_MAX]


def proposal_view(state: StateReader, height: int, proposal: bytes, member: bytes | None) -> ProposalDetailView | None:
    """Return a proposal with `member`'s live vote on it; None if unknown."""
    day = day_at(state, height)
    row = PROPOSALS.find(day.draft, proposal)
    if row is None:
        return None
    live = None if member is None else PROPOSAL_VOTES.find(day.draft, proposal, member)
    return ProposalDetailView(
        row=_proposal(day, row),
        sponsored_by=proposals.sponsors_of(day.draft, proposal),
        my_vote=None if live is None else live.choice,
    )


def _proposal(day: Day, row: ProposalRow) -> ProposalView:
    vote_params = params_at(day.draft, row.params_version)
    is_open = row.opened_height > 0
    return filled(
        ProposalView,
        row,
        what=row.body.what,
        says={name: getattr(row.body, name) for name in PROPOSAL_FIELDS[row.body.what]},
        is_critical=proposal_kinds.is_critical(row.body),
        sponsors_needed=proposals.sponsors_needed(day),
        opened_height=row.opened_height or None,
        closes_at=row.opened_height + vote_params.proposal_blocks if is_open else None,
        turnout_needed=proposals.turnout_needed(row, vote_params) if is_open else None,
        effective_height=row.effective_height or None,
        why=row.why or None,
    )
