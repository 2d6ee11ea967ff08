"""Members: contract and voting record, keys, dependants, delegations, applications."""

from __future__ import annotations

from node.api.views.base import Question, View
from node.api.views.money import Premium


class Contract(View, frozen=True, kw_only=True):
    """A member's cover for some terms, and what is named to follow it."""

    plan: str
    first_term: int
    length_terms: int
    rate_cents: int
    last_block: int
    next_plan: str | None = None
    next_length: int
    is_in_force: bool
    owed: tuple[Premium, ...]
    owed_cents: int
    suspended_from: int | None = None
    waiting_last_day: int


class Member(View, frozen=True, kw_only=True):
    """A member with contract, voting record, and the approval threshold of a claim carried now."""

    member: str
    household: str
    is_member: bool
    is_founder: bool
    may_vote: bool
    since_term: int
    denied: int
    voted: int
    bar_bp: int
    seniority_bp: int
    standing: str
    missed_duties: int
    has_credit: bool
    contract: Contract | None = None


class Guardians(View, frozen=True, kw_only=True):
    """The guardians who may move an identity to a new key."""

    threshold: int
    keys: tuple[str, ...]
    serial: int
    paused_until: int | None = None


class Move(View, frozen=True, kw_only=True):
    """A move of an identity to a new key, on its way."""

    member: str
    new_key: str
    opened_height: int
    until: int


class Keys(View, frozen=True, kw_only=True):
    """Who signs for a member, present or past."""

    member: str
    identity_key: str
    devices: tuple[str, ...]
    devices_max: int
    guardians: Guardians
    move: Move | None = None


class Dependant(View, frozen=True, kw_only=True):
    """The cover of a dependant."""

    cover_id: str
    first_day: int
    last_day: int | None = None
    waiting_last_day: int
    rate_cents: int
    standing: str


class DelegationGiven(View, frozen=True, kw_only=True):
    """A topic (a code, or *) on which `to` votes for the member."""

    topic: str
    to: str


class DelegationReceived(View, frozen=True, kw_only=True):
    """A topic (a code, or *) on which the member votes for `by`."""

    topic: str
    by: str


class Delegations(View, frozen=True, kw_only=True):
    """Whom a member lets vote, and for whom the member votes."""

    member: str
    given: tuple[DelegationGiven, ...]
    received: tuple[DelegationReceived, ...]
    delegators: int
    delegators_max: int


class Application(View, frozen=True, kw_only=True):
    """An application on its way, with what it still lacks."""

    applicant: str
    cover_id: str
    plan: str
    contract_terms: int
    household: str
    height: int
    deposit_cents: int
    vouchers: tuple[str, ...]
    vouchers_needed: int
    objectors: tuple[str, ...]
    objections_end: int
    objections_until: int
    earliest_boundary: int


MEMBERS = Question("members", tuple[Member, ...])
MEMBER = Question("member", Member, ("id",))
KEYS = Question("keys", Keys, ("member",))
DEPENDANTS = Question("dependants", tuple[Dependant, ...], ("member",))
DELEGATIONS = Question("delegations", Delegations, ("member",))
APPLICATIONS = Question("applications", tuple[Application, ...])
