"""Claims in short and in full, cases with the tally now, and what waits for a member's ballot."""

from __future__ import annotations

import msgspec
from msgspec.structs import replace

from governance.benefits import preauthorisation
from governance.day import Day
from governance.receipts.words import REFUSALS
from governance.shaping import filled
from governance.state.ballots import BALLOTS, BallotRow, Choice
from governance.state.cases import CASES, OPEN_CASES, CaseRow, CaseStatus, How, streak_of
from governance.state.claims import CLAIMS, ClaimRow, EvidenceRef, LineRow
from governance.state.params import Params, params_at
from governance.state.preauthorisation import ESTIMATES, AuthorisationRow, EstimateRow
from governance.tables import Draft
from governance.views.base import ROWS_MAX, View, day_at
from governance.views.money import PaymentView, payments_of
from governance.voting import ballots, cases
from ledger.errors import RuleBroken
from ledger.state import StateReader


class ClaimHeadView(View, frozen=True, kw_only=True):
    """A claim in short."""

    claim: bytes
    cover_id: bytes
    provider_id: bytes
    height: int
    use: str
    payee: str
    charge_cents: int
    benefit_cents: int
    status: CaseStatus
    codes: list[str]
    source_hash: bytes


class LineView(View, frozen=True, kw_only=True):
    """A line of a claim with every figure of its settlement."""

    line: int
    row: LineRow
    explanation: str


class CaseView(View, frozen=True, kw_only=True):
    """A case: what was fixed when its block carried it, the tally now, when it closes, and why it stands as it does."""

    claim: bytes
    use: str
    code: str
    system: str
    status: CaseStatus
    how: How
    carried_height: int = msgspec.field(name="s")
    opens_at: int
    closes_at: int
    is_second: bool
    charges_cents: int
    eligible: int
    bar_bp: int
    seniority_bp: int | msgspec.UnsetType
    """Unset where voters see it: the stock client does not show it to them (rules §7)."""
    quorum: int
    opened_needed: int
    yes: int
    no: int
    abstain: int
    opened: int
    streak: int
    streak_needed: int
    award_cents: int
    benefit_cents: int
    closed_height: int | None
    panel: tuple[bytes, ...]
    ballots: list[BallotRow]
    explanation: str


class ClaimView(View, frozen=True, kw_only=True):
    """A claim with every settlement figure, its cases, payouts, and the reasons in plain words."""

    row: ClaimHeadView
    evidence: tuple[EvidenceRef, ...]
    evidence_version: int
    other_payer_cents: int
    payout_commitment: bytes
    lines: list[LineView]
    cases: list[CaseView]
    estimates: list[EstimateRow]
    authorisations: list[AuthorisationRow]
    payouts: list[PaymentView]
    explanation: list[str]


class BallotNeededView(View, frozen=True, kw_only=True):
    """A case on which a member may still cast or change a ballot."""

    row: CaseView
    my_choice: Choice | None
    on_duty: bool
    evidence_version: int
    provider_id: bytes
    evidence: tuple[EvidenceRef, ...]


def claims_view(state: StateReader, member: bytes | None = None) -> list[ClaimHeadView]:
    """Return claims, newest first: all, or those of one member (by member or cover key)."""
    draft = Draft(state)
    rows = [row for row in CLAIMS.scan(draft) if member is None or member in (row.member, row.cover)]
    rows.sort(key=lambda row: (-row.height, row.claim))
    return [_head(draft, row) for row in rows[:ROWS_MAX]]


def claim_status(draft: Draft, claim: ClaimRow) -> CaseStatus:
    """Return open while any case is, else the best outcome of a part."""
    statuses = {case.status for case in CASES.scan(draft, claim.claim)}
    if any(line.status in ("settled", "refused", "estimated") for line in claim.lines):
        statuses.add("accepted")
    best: tuple[CaseStatus, ...] = ("open", "accepted", "denied", "lapsed")
    found: list[CaseStatus] = [status for status in best if status in statuses]
    return found[0] if found else "withdrawn"


def _head(draft: Draft, claim: ClaimRow) -> ClaimHeadView:
    return filled(
        ClaimHeadView,
        claim,
        cover_id=claim.cover,
        provider_id=claim.provider,
        charge_cents=sum(line.charge_cents for line in claim.lines),
        status=claim_status(draft, claim),
        codes=sorted({line.code for line in claim.lines}),
    )


def claim_view(state: StateReader, height: int, claim_id: bytes) -> ClaimView | None:
    """Return a claim in full; None if unknown."""
    day = day_at(state, height)
    claim = CLAIMS.find(day.draft, claim_id)
    if claim is None:
        return None
    found = [case_view(day, case) for case in CASES.scan(day.draft, claim_id)]
    lines = [LineView(line=index, row=line, explanation=explain_line(line)) for index, line in enumerate(claim.lines)]
    return filled(
        ClaimView,
        claim,
        row=_head(day.draft, claim),
        payout_commitment=claim.commitment,
        lines=lines,
        cases=found,
        estimates=list(ESTIMATES.scan(day.draft, claim_id)),
        authorisations=preauthorisation.authorisations_of(day.draft, claim),
        payouts=payments_of(day.draft, claim_id),
        explanation=[*(line.explanation for line in lines), *(case.explanation for case in found)],
    )


def case_view(day: Day, case: CaseRow) -> CaseView:
    """Return a case as it stands at the end of the day's block."""
    case_params = params_at(day.draft, case.params_version)
    tally = ballots.tally_of(day, case)
    quorum = cases.quorum_of(case, case_params)
    counted = tally if case.status == "open" else case
    streak = streak_of(case, day.height)
    return filled(
        CaseView,
        case,
        use=CLAIMS.get(day.draft, case.claim).use,
        opens_at=case.carried_height + 1,
        closes_at=cases.closes_at(case, case_params),
        quorum=quorum,
        opened_needed=-(-quorum // 2),
        yes=counted.yes,
        no=counted.no,
        abstain=tally.abstain,
        opened=counted.opened,
        streak=streak,
        streak_needed=case_params.streak_blocks,
        closed_height=case.closed_height or None,
        ballots=list(BALLOTS.scan(day.draft, case.claim, case.code)),
        explanation=explain_case(case, tally, quorum, case_params, streak),
    )


def cases_for(day: Day, member: bytes) -> list[CaseRow]:
    """Return open cases on which a member may cast or change a ballot in the day's block."""
    found: list[CaseRow] = []
    for key in OPEN_CASES.scan(day.draft):
        case, claim = CASES.get(day.draft, key.claim, key.code), CLAIMS.get(day.draft, key.claim)
        try:
            ballots.check_open_case(day, member, case)
            ballots.check_change(day, case, member, claim.evidence_version)
        except RuleBroken:
            continue
        found.append(case)
    return found


def needs_me_count(state: StateReader, height: int, member: bytes) -> int:
    """Return how many cases `needs_me_view` shows."""
    return min(ROWS_MAX, len(cases_for(day_at(state, height + 1), member)))


def needs_me_view(state: StateReader, height: int, member: bytes) -> list[BallotNeededView]:
    """Return open cases on which a member may cast or change a ballot in the next block, those without one first."""
    now, day = day_at(state, height), day_at(state, height + 1)
    ranked = [
        (live is not None, cases.closes_at(case, params_at(day.draft, case.params_version)), case.claim, case.code)
        for case in cases_for(day, member)
        for live in (BALLOTS.find(day.draft, case.claim, case.code, member),)
    ]
    found: list[BallotNeededView] = []
    for *_, claim_id, code in sorted(ranked)[:ROWS_MAX]:
        case, claim = CASES.get(day.draft, claim_id, code), CLAIMS.get(day.draft, claim_id)
        live = BALLOTS.find(day.draft, claim_id, code, member)
        found.append(
            filled(
                BallotNeededView,
                claim,
                row=replace(case_view(now, case), seniority_bp=msgspec.UNSET),
                my_choice=None if live is None else live.choice,
                on_duty=member in case.panel,
                provider_id=claim.provider,
            )
        )
    return found


def explain_line(line: LineRow) -> str:
    """Return in one sentence what became of a line."""
    if line.refusal is not None:
        return f"{line.code}: refused, reason {line.refusal}: {REFUSALS[line.refusal]}."
    if line.status == "settled":
        parts = (
            f"allowed {line.allowed_cents} of {line.charge_cents} charged; deductible {line.deductible_cents}, copay"
            f" {line.copay_cents}, coinsurance {line.coinsurance_cents}, relief {line.relief_cents}, cut by ceilings"
            f" {line.cut_cents}"
        )
        return f"{line.code}: {parts}; benefit {line.benefit_cents}."
    words = {
        "estimated": "standard, needs no pre-authorisation",
        "authorised": "pre-authorised, for a later claim to use",
    }
    return f"{line.code}: {words.get(line.status, line.status)}, nothing settled."


def explain_case(case: CaseRow, tally: ballots.Tally, quorum: int, case_params: Params, streak: int) -> str:
    """Return in a few sentences how a case stands and why. Seniority is told once the vote is over (rules §7)."""
    need = case.bar_bp if case.status == "open" else case.bar_bp - case.seniority_bp
    needs = (
        f"It needs {quorum} yes or no ballots, {-(-quorum // 2)} of them with the evidence opened, and {need} of"
        " 10000 yes"
    )
    stands = f"{tally.yes} yes, {tally.no} no, {tally.opened} opened"
    if case.status == "open":
        last = cases.closes_at(case, case_params)
        return (
            f"{case.code}: open until block {last}. {needs}, {case_params.streak_blocks} blocks in a row (now"
            f" {streak}). So far {stands}."
        )
    if case.status == "accepted" and case.how == "small":
        return f"{case.code}: no decision by vote; a small claim is settled in full at its first lapse, once a term."
    if case.status == "accepted" and case.how == "lapse":
        return (
            f"{case.code}: lapsed a second time with fewer than three ballots; settled with an award of"
            f" {case.award_cents}."
        )
    if case.status == "accepted":
        return (
            f"{case.code}: accepted by {case.how} in block {case.closed_height} with {case.yes} yes and {case.no} no;"
            f" award {case.award_cents}."
        )
    if case.status == "lapsed":
        return (
            f"{case.code}: lapsed in block {case.closed_height}. {needs}; there were {stands}. It may be filed again"
            " once, free."
        )
    return (
        f"{case.code}: {case.status} in block {case.closed_height}. {needs}; there were {case.yes} yes and"
        f" {case.no} no."
    )
