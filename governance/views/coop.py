"""The co-op at a glance, its parameters, accounts, plans, codes, and whom it lists."""

from __future__ import annotations

from governance import params, protocol
from governance.money import accounts, payouts, rates
from governance.shaping import filled
from governance.state.accounts import ACCOUNTS, AccountRow
from governance.state.attesters import ATTESTERS, VERIFIERS, PartyRow
from governance.state.codes import CODES, CodeVersion
from governance.state.coop import Phase
from governance.state.params import current_version, params_at
from governance.state.plans import PLANS, PlanFigures
from governance.state.protocol import VersionRow
from governance.state.providers import PROVIDERS
from governance.state.treasury import TREASURY
from governance.tables import Draft
from governance.views.base import View, day_at
from ledger.state import StateReader


class CoopView(View, frozen=True, kw_only=True):
    """The co-op at a glance; `rate`: minor units a bitcoin."""

    height: int
    term: int
    phase: Phase
    currency: str
    exponent: int
    members: int
    voters: int
    open_cases: int
    claims_cents: int
    reserve_cents: int
    annual_premium_cents: int
    owed_cents: int
    rate: int | None
    admission_stopped: bool
    run_off_height: int | None
    protocol_version: int
    protocol_next: VersionRow | None


class PartiesView(View, frozen=True, kw_only=True):
    """Who attests enrolments, verifies providers and signs for the treasury, and how many of them are needed."""

    attesters: tuple[PartyRow, ...]
    attesters_needed: int
    signers_attest: bool
    verifiers: tuple[PartyRow, ...]
    signers: tuple[bytes, ...]
    signers_needed: int


class ParameterView(View, frozen=True, kw_only=True):
    """A parameter in force."""

    value: int
    default: int
    unit: str
    min: int
    max: int
    critical: bool
    source: str
    meaning: str


class PlanView(View, frozen=True, kw_only=True):
    """A plan with the figures of its newest version."""

    name: str
    premium_cents: int
    prior_cents: int
    row: PlanFigures


class CodeView(View, frozen=True, kw_only=True):
    """A listed code with its newest version."""

    system: str
    code: str
    row: CodeVersion


class ProviderView(View, frozen=True, kw_only=True):
    """A listed provider: the key that attests claims, and the name people know it by."""

    key: bytes
    identifier: str


def status_view(state: StateReader, height: int) -> CoopView:
    """Return the co-op at a glance."""
    day = day_at(state, height)
    return filled(
        CoopView,
        day.coop,
        day.counts,
        height=height,
        term=max(day.term, 0),
        claims_cents=accounts.balance_of(day.draft, "claims"),
        reserve_cents=accounts.balance_of(day.draft, "reserve"),
        annual_premium_cents=accounts.annual_premium_of(day),
        owed_cents=payouts.owed_total(day.draft),
        rate=rates.rate_now(day),
        admission_stopped=day.coop.is_admission_stopped,
        protocol_version=protocol.row_at(day.draft, height).version,
        protocol_next=protocol.next_change(day.draft, height),
    )


def parties_view(state: StateReader, height: int) -> PartiesView:
    """Return who attests enrolments, verifies providers and signs for the treasury."""
    day = day_at(state, height)
    box = TREASURY.find(day.draft)
    listed = tuple(ATTESTERS.scan(day.draft))
    needed = day.params.enrolment_attesters
    return PartiesView(
        attesters=listed,
        attesters_needed=needed,
        signers_attest=len(listed) < needed,
        verifiers=tuple(VERIFIERS.scan(day.draft)),
        signers=() if box is None else box.signers,
        signers_needed=0 if box is None else box.threshold,
    )


def params_view(state: StateReader) -> dict[str, ParameterView]:
    """Return every parameter in force, by name."""
    draft = Draft(state)
    values = params.param_values(params_at(draft, current_version(draft)))
    return {
        name: filled(
            ParameterView,
            item,
            value=values[name],
            min=item.value_min,
            max=item.value_max,
            critical=item.is_critical,
        )
        for name, item in params.PARAMETERS.items()
    }


def accounts_view(state: StateReader) -> list[AccountRow]:
    """Return the accounts."""
    return list(ACCOUNTS.scan(Draft(state)))


def plans_view(state: StateReader) -> list[PlanView]:
    """Return the plans."""
    return [filled(PlanView, row, row=row.versions[-1]) for row in PLANS.scan(Draft(state))]


def codes_view(state: StateReader) -> list[CodeView]:
    """Return the listed codes."""
    return [filled(CodeView, row, row=row.versions[-1]) for row in CODES.scan(Draft(state))]


def providers_view(state: StateReader) -> list[ProviderView]:
    """Return the listed providers."""
    rows = Draft(state).walk(PROVIDERS.prefix, PROVIDERS.prefix, PROVIDERS.decoder)
    start = len(PROVIDERS.prefix)
    return [
        ProviderView(key=key[start:-2].replace(b"\x00\xff", b"\x00"), identifier=row.value.decode())
        for key, row in rows
    ]
