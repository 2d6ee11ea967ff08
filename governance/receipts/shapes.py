"""What a claim's receipt says, field by field.

Amounts are minor units, times are heights; None: there is no such limit or no such thing. It never contains the
claimant's member key: a claim names a cover (rules §2). Voters are named as on the ledger.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from governance.events import render
from ledger.codec import Shape

RECEIPT_VERSION = 1


# ---- Filing and the tests of the carrying block (rules §5) -------------------
class CoverSpan(Shape):
    """Days of cover under one plan; the span has no end while `last_day` is None."""

    first_day: int
    last_day: int | None
    plan: str


class Cover(Shape):
    """The cover as of the carrying block. Days in `gaps` and days from `suspended_from` on are not covered."""

    spans: tuple[CoverSpan, ...]
    gaps: tuple[tuple[int, int], ...]
    suspended_from: int | None
    waiting_first_day: int
    waiting_last_day: int
    """The waiting period of a first contract; the last day is 0 if there is none."""
    benefit_start: int
    """Benefit years of 360 days are counted from this day."""
    run_off_height: int | None
    """Days after it are not covered."""
    known_end: int | None
    """Last day of cover after notice or a refused renewal; a pre-authorisation for later days is refused."""


class PlanFacts(Shape):
    """A plan's figures on the days of the claim. An empty code list means every code."""

    name: str
    from_day: int
    deductible_cents: int
    copay_cents: int
    coinsurance_bp: int
    oop_max_cents: int | None
    claim_ceiling_cents: int | None
    year_ceiling_cents: int | None
    codes: tuple[str, ...]


class FiledLine(Shape):
    """A line as filed, its code on its day, and the result of the carrying block's tests in their order: 8, 1, 2, 4."""

    line: int
    system: str
    code: str
    units: int
    charge_cents: int
    first_day: int
    last_day: int
    is_standard: bool
    allowed_amount_cents: int | None
    """Of one unit, while the code was standard."""
    frequency: int | None
    last_filing_height: int
    plan: str | None
    """The plan in force on the day; None: no cover."""
    plan_from_day: int
    refusal: int | None
    authorised_by: bytes
    """The pre-authorisation that let the line settle without a vote; empty: none."""


class EvidenceVersion(Shape):
    """A version of the evidence: the block it came in, and how many documents there were then."""

    version: int
    height: int
    documents: int


# ---- Settlement, line by line (rules §5, steps 1 to 7) -----------------------
class Ceiling(Shape):
    """A ceiling of step 7: `claim`, `event`, `visit` (cover, provider and day), `year`, `pilot` or `pilot_event`."""

    name: str
    limit_cents: int
    used_cents: int
    """Before this line."""
    left_cents: int
    """After it; never below 0."""


class Settlement(Shape):
    """A settled or refused line: the inputs and result of each step, and what is left after it."""

    line: int
    height: int
    case: str | None
    how: str
    """standard | vote | appeal | small | lapse"""
    benefit_year: int
    plan: str
    plan_from_day: int
    charge_cents: int
    other_payer_before_cents: int
    other_payer_cents: int
    """Taken from this charge."""
    units: int
    frequency: int | None
    units_before: int
    """Units of the code settled earlier for this cover and benefit year."""
    units_paid: int
    allowed_amount_cents: int | None
    award_before_cents: int | None
    """Award left, of the case or of the pre-authorisation that the line uses."""
    allowed_cents: int
    deductible_plan_cents: int
    deductible_before_cents: int
    """Paid toward the deductible earlier in the benefit year."""
    deductible_cents: int
    copay_plan_cents: int
    is_copay_taken: bool
    """True if an earlier line of the claim took the copay."""
    copay_cents: int
    coinsurance_bp: int
    coinsurance_cents: int
    oop_max_cents: int | None
    borne_before_cents: int
    relief_cents: int
    ceilings: tuple[Ceiling, ...]
    cut_cents: int
    benefit_cents: int
    refusal: int | None
    units_left: int | None
    other_payer_left_cents: int
    award_left_cents: int | None
    deductible_left_cents: int
    oop_left_cents: int | None


# ---- A case and its vote (rules §6, §7) ---------------------------------------
class CaseParams(Shape):
    """The parameters in force in block s, which the case keeps."""

    vote_blocks: int
    streak_blocks: int
    min_voters: int
    quorum_min: int
    quorum_max: int
    quorum_div: int
    small_claim_cents: int
    lapse_pay_cents: int
    deny_sample_min: int
    seniority_step_bp: int
    seniority_max_bp: int
    bar_floor_bp: int
    panel_block: int
    panel_size: int
    appeal_within: int
    appeal_blocks: int
    appeal_panel: int
    preauth_terms: int


class Excluded(Shape):
    """Members who may not vote on the case; `voters` counts those who otherwise could."""

    reason: str
    """claimant | household | provider | voucher | other; a member is counted under the first that applies."""
    members: int
    voters: int


class TermRecord(Shape):
    """The claimant's ballots in cases closed in one term: denials, by hand or delegate, and by auto-accept."""

    term: int
    denied: int
    voted: int
    auto: int


class Bar(Shape):
    """The claimant's approval threshold as of block s: D and N over the terms, the row, and seniority."""

    first_term: int
    last_term: int
    terms: tuple[TermRecord, ...]
    denied: int
    voted: int
    """N: ballots by hand or delegate, plus auto-accept ballots up to the same number."""
    sample: int
    """n = max(N, deny_sample_min)"""
    row_percent: int
    bar_bp: int
    terms_complete: int
    years: int
    seniority_bp: int
    need_bp: int
    """bar - seniority"""


class CountedBallot(Shape):
    """A ballot that counted in the tallies of blocks `from_height` to `to_height`."""

    voter: bytes
    delegator: bytes | None
    """The member for whom it counted, if not the voter."""
    from_height: int
    to_height: int
    choice: str
    award_cents: int | None
    is_auto: bool
    is_opened: bool


class TallyRow(Shape):
    """The tally at the end of one block, and whether it passes."""

    height: int
    yes: int
    no: int
    abstain: int
    opened: int
    has_quorum: bool
    has_majority: bool
    passes: bool
    streak: int


class Panel(Shape):
    """A draw: members in the order of SHA-256(randomness ‖ kind/claim/code ‖ 0 ‖ key), rules §1."""

    kind: str
    """duty | appeal"""
    height: int
    randomness: str
    """Of the block in which it was drawn, hexadecimal."""
    size: int
    """The size required; the panel is smaller if fewer were eligible."""
    members: tuple[bytes, ...]


class AppealBallot(Shape):
    """A panel member's final ballot."""

    voter: bytes
    choice: str
    award_cents: int | None
    is_opened: bool


class Appeal(Shape):
    """An appeal: its panel, its ballots, and its decision (None while it is open)."""

    height: int
    ground: str
    eligible: int
    fresh: int
    """Eligible members who had not voted; if fewer than 5, the panel is drawn from all."""
    panel: Panel
    ballots: tuple[AppealBallot, ...]
    judged_height: int | None
    yes: int
    no: int
    opened: int
    quorum: int
    passes: bool


class Decision(Shape):
    """How a part of a claim was decided, and by which rule."""

    height: int
    outcome: str
    """accepted | denied | lapsed | withdrawn | cancelled"""
    how: str | None
    """standard | vote | appeal | small | lapse, of what was accepted"""
    rule: str
    reason: str
    """The inequality that decided, with its figures."""
    awards: tuple[int, ...]
    """Awards of the accepting ballots, ascending; the lower median applies."""
    award_cents: int | None
    benefit_cents: int


class Authorisation(Shape):
    """What an accepted pre-authorisation allows: units up to the award, for days of service from first to last."""

    units: int
    award_cents: int
    first_day: int
    last_day: int


class Case(Shape):
    """A case: what was fixed at s, every tally, every decision on it (a second one after an appeal)."""

    code: str
    system: str
    s: int
    lines: tuple[int, ...]
    charges_cents: int
    is_second: bool
    params: CaseParams
    voters: int
    excluded: tuple[Excluded, ...]
    eligible: int
    quorum: int
    opened_needed: int
    bar: Bar | None
    """None until the end of block s."""
    ballots: tuple[CountedBallot, ...]
    tallies: tuple[TallyRow, ...]
    panel: Panel | None
    lacking: int
    """Ballots missing from the quorum when the panel was drawn."""
    is_small_used: bool | None
    """At a first lapse up to the small amount: whether this term's small claim was paid before."""
    status: str
    decisions: tuple[Decision, ...]
    appeal: Appeal | None
    authorisation: Authorisation | None
    """Of an accepted pre-authorisation; nothing is paid for it."""


# ---- Money, audits, the whole -------------------------------------------------
class Transfer(Shape):
    """Status of a payment's bitcoin: due | queued | batched | confirmed. amount = sent + left + credit."""

    status: str
    sent_sat: int
    left_sat: int
    credit_sat: int
    outputs: int


class Payment(Shape):
    """What the ledger paid in one block, with the accounts just before this payment and before the block's first."""

    height: int
    owed_cents: int
    claims_cents: int
    reserve_cents: int
    start_claims_cents: int
    start_reserve_cents: int
    claim_reserve_bp: int
    cap_cents: int | None
    """The most that one payout may take from the reserve; None at the end of run-off."""
    payouts: int
    """Number of payouts due and not on hold."""
    total_owed_cents: int
    available_cents: int
    is_at_ratio: bool
    rate: int
    paid_cents: int
    amount_sat: int
    left_cents: int
    transfer: Transfer | None
    """The transfer of everything the block paid for this part; None: nothing was paid."""


class Payout(Shape):
    """What a decision owes, and its payments until it is paid."""

    case: str | None
    rank: int
    """0 standard, 1 voted, 2 appeal: paid in this order, then by height and id."""
    accepted_height: int
    payee: str
    benefit_cents: int
    payments: tuple[Payment, ...]
    owed_cents: int
    cancelled_cents: int
    """By a finding of fraud, or at the end of run-off."""
    is_on_hold: bool


class AuditDraw(Shape):
    """The audit draw: the claim is drawn if number < odds. `trigger` names what raised the odds tenfold."""

    randomness: str
    """Of the carrying block, hexadecimal; number = SHA-256(randomness ‖ "audit" ‖ claim) mod 10 000."""
    number: int
    random_bp: int
    trigger: str | None
    is_drawn: bool


class Happening(Shape):
    """A hold, its end, or a finding that affected the claim, its cover or its provider."""

    height: int
    event: str
    trigger: str | None
    owed_back_cents: int | None


class Receipt(Shape):
    """Everything that decided one claim, as of block `height`."""

    version: int
    claim: bytes
    cover: bytes
    currency: str
    exponent: int
    height: int
    filed_height: int
    use: str
    """claim | preauth"""
    phase: str
    payee: str
    provider: bytes
    event_id: bytes
    supersedes: bytes
    other_payer_cents: int
    filing_terms: int
    evidence: tuple[EvidenceVersion, ...]
    cover_facts: Cover | None
    plans: tuple[PlanFacts, ...]
    lines: tuple[FiledLine, ...]
    settlements: tuple[Settlement, ...]
    """In settlement order."""
    estimates: tuple[Settlement, ...]
    """Of a pre-authorisation: what its standard lines would settle as of the carrying block; nothing is used up."""
    standard: Decision | None
    """The decision on the lines that needed no vote, standard or authorised; None: there are none."""
    cases: tuple[Case, ...]
    payouts: tuple[Payout, ...]
    audit: AuditDraw | None
    happenings: tuple[Happening, ...]
    is_disbanded: bool


def as_json(value: Any, of_bytes: Callable[[bytes], str]) -> Any:
    """Return a receipt, or a part of one, ready for JSON: shapes as objects, tuples as lists, keys by `of_bytes`."""
    if isinstance(value, Shape):
        return {name: as_json(getattr(value, name), of_bytes) for name in value.__struct_fields__}
    if isinstance(value, tuple):
        return [as_json(item, of_bytes) for item in value]  # type: ignore[reportUnknownVariableType]
    return render(value, of_bytes)
