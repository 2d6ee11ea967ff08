"""Block 0: from the charter, or a rehearsal's first line, to the rows of the first state."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from governance import params, protocol
from governance.benefits import codes, contracts, plans
from governance.day import Day
from governance.membership import members
from governance.money import accounts, rates
from governance.shaping import filled
from governance.state.attesters import ATTESTERS, VERIFIERS, PartyRow
from governance.state.codes import CodeVersion
from governance.state.coop import COOP, COUNTS, PHASES, CoopRow, CountsRow
from governance.state.members import MEMBERS, MemberRow
from governance.state.plans import PLANS, PlanFigures
from governance.state.providers import PROVIDERS
from governance.state.rates import EXCHANGE_RATE
from governance.state.treasury import TREASURY, TreasuryRow
from governance.tables import Draft, Name, Number
from governance.voting import approval_threshold
from ledger.codec import Shape
from ledger.errors import RuleBroken
from ledger.genesis import Charter
from ledger.store import MemoryStore


class PlanSpec(Shape):
    """A plan of the founding. None: no ceiling, no maximum, prior by rules §11."""

    name: str
    premium_cents: int
    deductible_cents: int = 0
    copay_cents: int = 0
    coinsurance_bp: int = 0
    oop_max_cents: int | None = None
    claim_ceiling_cents: int | None = None
    year_ceiling_cents: int | None = None
    waiting_terms: int = 0
    prior_cents: int | None = None
    codes: tuple[str, ...] = ()


class MemberSpec(Shape):
    """A founder. `terms_ago`: membership began so many terms before genesis; `record`: denied and voted before it."""

    key: bytes
    cover: bytes
    plan: str
    household: bytes = b""
    contract_terms: int = 1
    prepaid_terms: int = 0
    devices: tuple[bytes, ...] = ()
    terms_ago: int = 0
    record: tuple[int, int] = (0, 0)


class CodeSpec(Shape):
    """A code of the founding list."""

    code: str
    is_standard: bool
    allowed_cents: int | None = None
    frequency: int | None = None
    system: str = ""


class TreasurySpec(Shape):
    """The m-of-n treasury: the signers' keys on this ledger and the first outpoint."""

    network: str
    threshold: int
    signers: tuple[bytes, ...]
    txid: bytes
    vout: int
    amount_sat: int
    fee_sat_per_vb: int


class GenesisSpec(Shape):
    """Everything governance takes from block 0."""

    phase: str = "live"
    currency: str = "USD"
    exponent: int = 2
    claim_way: str = "standard_or_vote"
    claims_cents: int = 0
    reserve_cents: int = 0
    rate: int | None = None
    is_rehearsal: bool = False
    is_auto_pay: bool = False
    params: Mapping[str, int] = msgspec.field(default_factory=dict[str, int])
    plans: tuple[PlanSpec, ...] = ()
    members: tuple[MemberSpec, ...] = ()
    providers: tuple[tuple[bytes, str], ...] = ()
    codes: tuple[CodeSpec, ...] = ()
    attesters: tuple[tuple[bytes, str], ...] = ()
    """Enrolment attesters (key, name); none: the treasury's signers attest enrolments."""
    verifiers: tuple[tuple[bytes, str], ...] = ()
    community: tuple[str, ...] = ()
    """Schemes in which a provider files for a patient and is paid."""
    treasury: TreasurySpec | None = None
    quoters: tuple[bytes, ...] = ()
    """Members who may quote the exchange rate; none named: every member."""
    tells_all: bool = True
    """False: events that the scenario page does not name are not told (rehearsals, unless the file asks for them)."""


def spec_of_charter(charter: Charter) -> GenesisSpec:
    """Return what governance takes from a charter."""
    signers = tuple(founder.device_key for founder in charter.founders if founder.bitcoin_key)
    return filled(
        GenesisSpec,
        charter,
        rate=charter.rate or None,
        params=dict(charter.params),
        plans=tuple(filled(PlanSpec, plan) for plan in charter.plans),
        members=tuple(
            filled(
                MemberSpec,
                founder,
                key=founder.identity_key,
                cover=founder.cover_key,
                household=founder.household.encode(),
                devices=(founder.device_key,),
            )
            for founder in charter.founders
        ),
        providers=tuple((provider.key, provider.identifier) for provider in charter.providers),
        codes=tuple(filled(CodeSpec, item) for item in charter.codes),
        attesters=tuple((party.key, party.name) for party in charter.attesters),
        verifiers=tuple((party.key, party.name) for party in charter.verifiers),
        treasury=filled(TreasurySpec, charter.treasury, signers=signers),
        quoters=tuple(founder.identity_key for founder in charter.founders),
    )


FIGURE_MAX = 10**12
"""Bounds on the figures of a founding keep every product and sum inside 64 bits."""
ACCOUNT_MAX = 10**16
TERMS_AGO_MAX = 10_000
EXPONENT_MAX = 18
WAITING_MAX = 120


def check_figures(spec: GenesisSpec) -> None:
    """Raise RuleBroken when a figure of the founding is out of bounds."""
    figures: list[tuple[str, int | None, int]] = [
        ("accounts", max(spec.claims_cents, spec.reserve_cents), ACCOUNT_MAX),
        ("rate", spec.rate, rates.RATE_MAX),
        ("exponent", spec.exponent, EXPONENT_MAX),
    ]
    for plan in spec.plans:
        cents = [
            *(plan.premium_cents, plan.deductible_cents, plan.copay_cents, plan.oop_max_cents),
            *(plan.claim_ceiling_cents, plan.year_ceiling_cents, plan.prior_cents),
        ]
        figures += [(f"plan {plan.name}", value, FIGURE_MAX) for value in cents]
        figures += [
            (f"coinsurance of plan {plan.name}", plan.coinsurance_bp, 10_000),
            (f"waiting of plan {plan.name}", plan.waiting_terms, WAITING_MAX),
        ]
    for code in spec.codes:
        figures += [(f"code {code.code}", value, FIGURE_MAX) for value in (code.allowed_cents, code.frequency)]
    for member in spec.members:
        figures += [("terms_ago", member.terms_ago, TERMS_AGO_MAX), ("record", member.record[1], FIGURE_MAX)]
        figures.append(("prepaid terms", member.prepaid_terms, TERMS_AGO_MAX))
    for name, value, limit in figures:
        if value is not None and not 0 <= value <= limit:
            raise RuleBroken("genesis_figure", f"{name}: {value} is outside 0..{limit}", "correct the genesis figures")


def genesis_rows(spec: GenesisSpec) -> dict[bytes, bytes]:
    """Return every row of the first state; RuleBroken when the spec contradicts itself or the rules."""
    if spec.phase not in PHASES:
        raise RuleBroken("phase_unknown", f"there is no phase {spec.phase}", "choose recruit, pilot or live")
    check_figures(spec)
    draft = Draft(MemoryStore())
    day = Day(draft, 0, b"")
    params.put_params(draft, params.params_of(spec.params), 0)
    COOP.put(draft, filled(CoopRow, spec))
    protocol.schedule(draft, protocol.FIRST_VERSION, 0)
    COUNTS.put(draft, CountsRow())
    accounts.open_accounts(draft, spec.claims_cents, spec.reserve_cents)
    rates.put_quoters(draft, spec.quoters)
    if spec.rate is not None:
        EXCHANGE_RATE.put(draft, Number(spec.rate))
    for plan in spec.plans:
        _put_plan(day, plan)
    for item in spec.codes:
        codes.set_code(draft, item.system, item.code, filled(CodeVersion, item, from_day=0))
    for key, identifier in spec.providers:
        PROVIDERS.put(draft, Name(identifier.encode()), key)
    for parties, given in ((ATTESTERS, spec.attesters), (VERIFIERS, spec.verifiers)):
        for key, name in given:
            parties.put(draft, PartyRow(key, name, 0), key)
    for member in spec.members:
        _put_member(day, member, spec.phase)
    if spec.treasury is not None:
        box = spec.treasury
        outpoint = {"outpoint_txid": box.txid, "outpoint_vout": box.vout, "outpoint_sat": box.amount_sat}
        TREASURY.put(draft, filled(TreasuryRow, box, **outpoint))
    return {key: value for key, value in draft.delta().items() if value is not None}


def _put_plan(day: Day, spec: PlanSpec) -> None:
    """Write a plan of the founding."""
    if PLANS.find(day.draft, spec.name) is not None:
        raise RuleBroken("plan_twice", f"the plan {spec.name} is listed twice", "name each plan once")
    set_now = day.params
    prior = spec.prior_cents
    if prior is None:
        prior = plans.prior_of(spec.premium_cents, set_now.reserve_bp, set_now.expense_bp)
    plans.put_figures(day.draft, spec.name, spec.premium_cents, prior, filled(PlanFigures, spec, from_day=0))


def _put_member(day: Day, spec: MemberSpec, phase: str) -> None:
    """Write a founder with the contract that begins at height 1 (in `recruit` it begins with the pilot)."""
    if MEMBERS.find(day.draft, spec.key) is not None or members.member_of_cover(day.draft, spec.cover) is not None:
        raise RuleBroken("member_twice", "a founder or a cover is listed twice", "name each founder once")
    plans.check_plan(day.draft, spec.plan)
    contracts.check_length(spec.contract_terms)
    row = filled(MemberRow, spec, is_founder=True, is_member=True, since_term=-spec.terms_ago)
    members.add_member(day, row)
    members.set_voting_right(day, spec.key, True)
    for device in spec.devices:
        members.add_device(day.draft, spec.key, device)
    contracts.start_contract(
        day, spec.key, spec.plan, length_terms=spec.contract_terms, first_term=0, prepaid_terms=spec.prepaid_terms
    )
    if phase == "recruit":
        contracts.defer_contract(day, spec.key)
    denied, voted = spec.record
    if voted:
        approval_threshold.add_closing(day.draft, spec.key, -1, approval_threshold.RecordRow(denied, voted, 0))
