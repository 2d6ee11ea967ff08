"""Members: contract, voting record, delegations, keys, dependants, premiums due. Only dependants name their covers."""

from __future__ import annotations

from governance.benefits import contracts, covers
from governance.events import render_text
from governance.membership import delegation, guardians, identity, members
from governance.shaping import filled
from governance.state.contracts import CONTRACTS, OWING, ContractRow, UnpaidPremium
from governance.state.covers import DEPENDANTS
from governance.state.delegation import DELEGATE_LOADS, DELEGATES, DELEGATORS, DelegateRow
from governance.state.keys import IDENTITY_MOVES, MoveRow
from governance.state.members import MEMBERS
from governance.tables import Draft
from governance.views.base import ROWS_MAX, View, day_at
from governance.voting import approval_threshold, duties
from ledger import calendar
from ledger.state import StateReader


class ContractView(View, frozen=True, kw_only=True):
    """A member's contract now, or the last one."""

    plan: str
    first_term: int
    length_terms: int
    rate_cents: int
    last_block: int
    next_plan: str | None
    next_length: int
    is_in_force: bool
    owed: tuple[UnpaidPremium, ...]
    owed_cents: int
    suspended_from: int | None
    waiting_last_day: int


class MemberView(View, frozen=True, kw_only=True):
    """A member with contract, voting record, and the approval threshold of a claim carried now."""

    member: bytes
    household: str
    is_member: bool
    is_founder: bool
    may_vote: bool
    since_term: int
    denied: int
    voted: int
    bar_bp: int
    seniority_bp: int
    standing: contracts.MemberStatus
    missed_duties: int
    has_credit: bool
    contract: ContractView | None


class DelegatorView(View, frozen=True, kw_only=True):
    """A topic on which somebody lets the member vote."""

    topic: str
    by: bytes


class DelegationsView(View, frozen=True, kw_only=True):
    """Whom the member lets vote and on what, who lets the member vote, and the bound on the latter."""

    member: bytes
    given: list[DelegateRow]
    received: list[DelegatorView]
    delegators: int
    delegators_max: int


class OwingView(View, frozen=True, kw_only=True):
    """Premiums that a member owes, and whether cover is suspended for them."""

    member: bytes
    owed_cents: int
    owed: tuple[UnpaidPremium, ...]
    suspended_from: int | None


class GuardiansView(View, frozen=True, kw_only=True):
    """A member's guardians; `paused_until`: after an objection no move is opened up to this height."""

    threshold: int
    keys: tuple[bytes, ...]
    serial: int
    paused_until: int | None


class KeysView(View, frozen=True, kw_only=True):
    """Who signs for a member, and a move of the identity on its way."""

    member: bytes
    identity_key: bytes
    devices: list[bytes]
    devices_max: int
    guardians: GuardiansView
    move: MoveRow | None


class DependantView(View, frozen=True, kw_only=True):
    """A dependant's cover, those that ended within twelve terms included."""

    cover_id: bytes
    first_day: int
    last_day: int | None
    waiting_last_day: int
    rate_cents: int
    standing: covers.CoverStatus


def member_view(state: StateReader, height: int, key: bytes) -> MemberView | None:
    """Return a member; None if unknown."""
    day = day_at(state, height)
    row = MEMBERS.find(day.draft, key)
    if row is None:
        return None
    contract = CONTRACTS.find(day.draft, key)
    record = approval_threshold.threshold_of(day, row)
    return filled(
        MemberView,
        record,
        row,
        member=key,
        household=render_text(row.household),
        may_vote=members.is_voter(row),
        bar_bp=record.threshold_bp,
        standing=contracts.status_of(day, row),
        missed_duties=duties.missed_of(day, key),
        has_credit=duties.has_credit(day.draft, key),
        contract=None if contract is None else _contract(contract),
    )


def _contract(row: ContractRow) -> ContractView:
    return filled(ContractView, row, last_block=calendar.last_height_of(row.last_term))


def members_view(state: StateReader, height: int) -> list[MemberView]:
    """Return every member, past ones included."""
    found = (member_view(state, height, row.key) for row in MEMBERS.scan(Draft(state)))
    return [item for item in found if item is not None][:ROWS_MAX]


def delegations_view(state: StateReader, height: int, member: bytes) -> DelegationsView:
    """Return a member's delegations, given and received."""
    day = day_at(state, height)
    received = [
        DelegatorView(topic=row.topic, by=delegator)
        for delegator in sorted({name.value for name in DELEGATORS.scan(day.draft, member)})
        for row in DELEGATES.scan(day.draft, delegator)
        if row.to == member
    ]
    return DelegationsView(
        member=member,
        given=list(DELEGATES.scan(day.draft, member)),
        received=received[:ROWS_MAX],
        delegators=DELEGATE_LOADS.value(day.draft, member),
        delegators_max=delegation.delegators_max_of(day),
    )


def owing_view(state: StateReader) -> list[OwingView]:
    """Return who owes premiums."""
    draft = Draft(state)
    return [filled(OwingView, CONTRACTS.get(draft, name.value)) for name in OWING.scan(draft)][:ROWS_MAX]


def keys_view(state: StateReader, member: bytes) -> KeysView | None:
    """Return who signs for a member, present or past; None if unknown."""
    draft = Draft(state)
    if MEMBERS.find(draft, member) is None:
        return None
    row = guardians.guardians_of(draft, member)
    paused_until = None if row.paused_until < 0 else row.paused_until
    return KeysView(
        member=member,
        identity_key=members.identity_key_of(draft, member),
        devices=members.devices_of(draft, member),
        devices_max=identity.DEVICES_MAX,
        guardians=filled(GuardiansView, row, paused_until=paused_until),
        move=IDENTITY_MOVES.find(draft, member),
    )


def dependants_view(state: StateReader, height: int, member: bytes) -> list[DependantView] | None:
    """Return a member's dependants' covers; None if the member is unknown."""
    draft = Draft(state)
    if MEMBERS.find(draft, member) is None:
        return None
    contract = CONTRACTS.find(draft, member)
    found: list[DependantView] = []
    for share in () if contract is None else contract.dependants:
        row = DEPENDANTS.get(draft, share.cover)
        found.append(filled(DependantView, row, share, cover_id=row.cover, standing=covers.status_of(row, height)))
    return found
