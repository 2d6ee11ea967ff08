"""What people may ask of the state: read-only, JSON-ready, keys and ids as hex. One function a question.

Views never decide anything; they show what the rules wrote. `of_bytes` renders keys and ids: hex on a real chain, text
in a rehearsal.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

import msgspec

from governance import params, protocol
from governance.benefits import codes, contracts, covers, plans, preauthorisation
from governance.day import Day
from governance.events import render, render_hex, render_text
from governance.membership import members
from governance.money import accounts, payouts, rates
from governance.receipts.words import REFUSALS
from governance.state.accounts import ACCOUNTS
from governance.state.attesters import ATTESTERS, VERIFIERS
from governance.state.ballots import BALLOTS
from governance.state.cases import CASES, OPEN_CASES, CaseRow
from governance.state.claims import CLAIMS, ClaimRow, LineRow
from governance.state.codes import CODES
from governance.state.contracts import CONTRACTS, ContractRow
from governance.state.members import MEMBERS
from governance.state.params import Params, current_version, params_at
from governance.state.payouts import PAYOUTS
from governance.state.plans import PLANS
from governance.state.preauthorisation import ESTIMATES
from governance.state.providers import PROVIDERS
from governance.state.treasury import BATCHES, PAYMENTS, TREASURY, UNSENT_PAYMENTS
from governance.tables import Draft
from governance.voting import approval_threshold, ballots, cases, duties, holds
from ledger import calendar
from ledger.codec import Shape
from ledger.errors import RuleBroken
from ledger.state import StateReader

Render = Callable[[bytes], str]
ROWS_MAX = 10_000
"""No list is longer; pages come with the API."""


def _day(state: StateReader, height: int) -> Day:
    return Day(Draft(state), height, b"")


def fields_of(row: Shape, of_bytes: Render = render_hex) -> dict[str, Any]:
    """Return a row's fields ready for JSON."""
    found: dict[str, Any] = {}
    for name in row.__struct_fields__:
        value = getattr(row, name)
        if isinstance(value, msgspec.Struct):
            found[name] = fields_of(value, of_bytes)  # type: ignore[arg-type]
        elif isinstance(value, tuple):
            items = cast("tuple[Any, ...]", value)
            found[name] = [fields_of(i, of_bytes) if isinstance(i, Shape) else render(i, of_bytes) for i in items]
        else:
            found[name] = render(value, of_bytes)
    return found


# ---- The co-op -------------------------------------------------------------
def status_view(state: StateReader, height: int) -> dict[str, Any]:
    """Return the co-op at a glance."""
    day = _day(state, height)
    coop, counts = day.coop, day.counts
    later = protocol.next_change(day.draft, height)
    return {
        "height": height,
        "term": max(day.term, 0),
        "phase": coop.phase,
        "currency": coop.currency,
        "exponent": coop.exponent,
        "members": counts.members,
        "voters": counts.voters,
        "open_cases": counts.open_cases,
        "claims_cents": accounts.balance_of(day.draft, "claims"),
        "reserve_cents": accounts.balance_of(day.draft, "reserve"),
        "annual_premium_cents": accounts.annual_premium_of(day),
        "owed_cents": payouts.owed_total(day.draft),
        "rate": rates.rate_now(day),
        "admission_stopped": coop.is_admission_stopped,
        "run_off_height": coop.run_off_height,
        "protocol_version": protocol.row_at(day.draft, height).version,
        "protocol_next": None if later is None else fields_of(later),
    }


def parties_view(state: StateReader, height: int, of_bytes: Render = render_hex) -> dict[str, Any]:
    """Return the enrolment attesters, provider verifiers and treasury signers, and how many of each are needed."""
    day = _day(state, height)
    box = TREASURY.find(day.draft)
    listed = [fields_of(row, of_bytes) for row in ATTESTERS.scan(day.draft)]
    needed = day.params.enrolment_attesters
    return {
        "attesters": listed,
        "attesters_needed": needed,
        "signers_attest": len(listed) < needed,
        "verifiers": [fields_of(row, of_bytes) for row in VERIFIERS.scan(day.draft)],
        "signers": [] if box is None else [of_bytes(key) for key in box.signers],
        "signers_needed": 0 if box is None else box.threshold,
    }


def params_view(state: StateReader) -> dict[str, Any]:
    """Return every parameter in force with its unit, bounds and source."""
    draft = Draft(state)
    values = params.param_values(params_at(draft, current_version(draft)))
    return {
        name: {
            "value": values[name],
            "default": item.default,
            "unit": item.unit,
            "min": item.value_min,
            "max": item.value_max,
            "critical": item.is_critical,
            "source": item.source,
            "meaning": item.meaning,
        }
        for name, item in params.PARAMETERS.items()
    }


def accounts_view(state: StateReader) -> list[dict[str, Any]]:
    """Return the accounts."""
    return [fields_of(row) for row in ACCOUNTS.scan(Draft(state))]


def plans_view(state: StateReader) -> list[dict[str, Any]]:
    """Return the plans with the figures of their newest version."""
    found: list[dict[str, Any]] = []
    for plan in PLANS.scan(Draft(state)):
        figures = fields_of(plan.versions[-1])
        found.append(
            {"name": plan.name, "premium_cents": plan.premium_cents, "prior_cents": plan.prior_cents, **figures}
        )
    return found


def codes_view(state: StateReader) -> list[dict[str, Any]]:
    """Return the listed codes with their newest version."""
    return [{"system": row.system, "code": row.code, **fields_of(row.versions[-1])} for row in CODES.scan(Draft(state))]


def providers_view(state: StateReader) -> list[dict[str, Any]]:
    """Return the listed providers: the key that attests claims, and the name people know it by."""
    draft = Draft(state)
    rows = draft.walk(PROVIDERS.prefix, PROVIDERS.prefix, PROVIDERS.decoder)
    start = len(PROVIDERS.prefix)
    return [
        {"key": key[start:-2].replace(b"\x00\xff", b"\x00").hex(), "identifier": row.value.decode()}
        for key, row in rows
    ]


# ---- Members ---------------------------------------------------------------
def member_view(state: StateReader, height: int, key: bytes, of_bytes: Render = render_hex) -> dict[str, Any] | None:
    """Return a member with contract, what is owed, voting record and current approval threshold; None if unknown."""
    day = _day(state, height)
    row = MEMBERS.find(day.draft, key)
    if row is None:
        return None
    contract = CONTRACTS.find(day.draft, key)
    standing = approval_threshold.threshold_of(day, row)
    return {
        "member": of_bytes(key),
        "household": render_text(row.household),
        "is_member": row.is_member,
        "is_founder": row.is_founder,
        "may_vote": members.is_voter(row),
        "since_term": row.since_term,
        "denied": standing.denied,
        "voted": standing.voted,
        "bar_bp": standing.bar_bp,
        "seniority_bp": standing.seniority_bp,
        "standing": contracts.status_of(day, row),
        "missed_duties": duties.missed_of(day, key),
        "has_credit": duties.has_credit(day.draft, key),
        "contract": None if contract is None else _contract_json(contract),
    }


def _contract_json(row: ContractRow) -> dict[str, Any]:
    return {
        "plan": row.plan,
        "first_term": row.first_term,
        "length_terms": row.length_terms,
        "rate_cents": row.rate_cents,
        "last_block": calendar.last_height_of(row.last_term),
        "next_plan": row.next_plan,
        "next_length": row.next_length,
        "is_in_force": row.is_in_force,
        "owed": [fields_of(item) for item in row.owed],
        "owed_cents": row.owed_cents,
        "suspended_from": row.suspended_from,
        "waiting_last_day": row.waiting_last_day,
    }


def members_view(state: StateReader, height: int) -> list[dict[str, Any]]:
    """Return every member, past ones included, without a word about covers."""
    draft = Draft(state)
    found = [member_view(state, height, row.key) for row in MEMBERS.scan(draft)]
    return [item for item in found if item is not None][:ROWS_MAX]


# ---- Claims and cases --------------------------------------------------------
def claims_view(state: StateReader, member: bytes | None = None) -> list[dict[str, Any]]:
    """Return claims in short, newest first: all, or those of one member (by member or cover key)."""
    draft = Draft(state)
    rows = [row for row in CLAIMS.scan(draft) if member is None or member in (row.member, row.cover)]
    rows.sort(key=lambda row: (-row.height, row.claim))
    return [_claim_short(draft, row) for row in rows[:ROWS_MAX]]


def claim_status(draft: Draft, claim: ClaimRow) -> str:
    """Return open, accepted, denied, lapsed or withdrawn: open while any case is, else the best outcome of a part."""
    statuses = {case.status for case in CASES.scan(draft, claim.claim)}
    if any(line.status in ("settled", "refused", "estimated") for line in claim.lines):
        statuses.add("accepted")
    return next((status for status in ("open", "accepted", "denied", "lapsed") if status in statuses), "withdrawn")


def _claim_short(draft: Draft, claim: ClaimRow) -> dict[str, Any]:
    return {
        "claim": claim.claim.hex(),
        "cover_id": claim.cover.hex(),
        "provider_id": claim.provider.hex(),
        "height": claim.height,
        "use": claim.use,
        "payee": claim.payee,
        "charge_cents": sum(line.charge_cents for line in claim.lines),
        "benefit_cents": claim.benefit_cents,
        "status": claim_status(draft, claim),
        "codes": sorted({line.code for line in claim.lines}),
        "source_hash": claim.source_hash.hex(),
    }


def claim_view(
    state: StateReader, height: int, claim_id: bytes, of_bytes: Render = render_hex
) -> dict[str, Any] | None:
    """Return a claim with every settlement figure, its cases with the tally now, and the reasons in plain words."""
    day = _day(state, height)
    claim = CLAIMS.find(day.draft, claim_id)
    if claim is None:
        return None
    found = [case_json(day, case, of_bytes) for case in CASES.scan(day.draft, claim_id)]
    return {
        **_claim_short(day.draft, claim),
        "evidence": [fields_of(item, of_bytes) for item in claim.evidence],
        "evidence_version": claim.evidence_version,
        "other_payer_cents": claim.other_payer_cents,
        "payout_commitment": claim.commitment.hex(),
        "lines": [
            {"line": index, **fields_of(line, of_bytes), "explanation": explain_line(line)}
            for index, line in enumerate(claim.lines)
        ],
        "cases": found,
        "estimates": [fields_of(row) for row in ESTIMATES.scan(day.draft, claim_id)],
        "authorisations": [fields_of(row, of_bytes) for row in preauthorisation.authorisations_of(day.draft, claim)],
        "payouts": [item for item in payouts_view(state, of_bytes) if item["claim"] == of_bytes(claim_id)],
        "explanation": [*(explain_line(line) for line in claim.lines), *(case["explanation"] for case in found)],
    }


def case_json(day: Day, case: CaseRow, of_bytes: Render = render_hex) -> dict[str, Any]:
    """Return a case: what was fixed at s, the tally now, when it closes, and why it stands as it does."""
    case_params = params_at(day.draft, case.params_version)
    tally = ballots.tally_of(day, case)
    quorum = cases.quorum_of(case, case_params)
    is_open = case.status == "open"
    return {
        "claim": of_bytes(case.claim),
        "use": CLAIMS.get(day.draft, case.claim).use,
        "code": case.code,
        "system": case.system,
        "status": case.status,
        "how": case.how,
        "s": case.carried_height,
        "opens_at": case.carried_height + 1,
        "closes_at": case.carried_height + case_params.vote_blocks,
        "is_second": case.is_second,
        "charges_cents": case.charges_cents,
        "eligible": case.eligible,
        "bar_bp": case.bar_bp,
        "seniority_bp": case.seniority_bp,
        "quorum": quorum,
        "opened_needed": -(-quorum // 2),
        "yes": tally.yes if is_open else case.yes,
        "no": tally.no if is_open else case.no,
        "abstain": tally.abstain,
        "opened": tally.opened if is_open else case.opened,
        "streak": case.streak,
        "streak_needed": case_params.streak_blocks,
        "award_cents": case.award_cents,
        "benefit_cents": case.benefit_cents,
        "closed_height": case.closed_height or None,
        "panel": [of_bytes(key) for key in case.panel],
        "ballots": [fields_of(row, of_bytes) for row in BALLOTS.scan(day.draft, case.claim, case.code)],
        "explanation": explain_case(case, tally, quorum, case_params),
    }


def needs_me_view(state: StateReader, height: int, member: bytes) -> list[dict[str, Any]]:
    """Return open cases on which a member may cast or change a ballot in the next block; those without one first."""
    day = _day(state, height + 1)
    found: list[dict[str, Any]] = []
    for key in OPEN_CASES.scan(day.draft):
        case = CASES.get(day.draft, key.claim, key.code)
        try:
            ballots.check_open_case(day, member, key.claim, key.code)
            ballots.check_change(day, case, member, CLAIMS.get(day.draft, key.claim).evidence_version)
        except RuleBroken:
            continue
        live = BALLOTS.find(day.draft, key.claim, key.code, member)
        claim = CLAIMS.get(day.draft, key.claim)
        shown = case_json(day, case)
        del shown["seniority_bp"]  # the stock client does not show it to voters (rules §7)
        found.append(
            {
                **shown,
                "my_choice": None if live is None else live.choice,
                "on_duty": member in case.panel,
                "evidence_version": claim.evidence_version,
                "provider_id": claim.provider.hex(),
                "evidence": [fields_of(item) for item in claim.evidence],
            }
        )
    found.sort(key=lambda item: (item["my_choice"] is not None, item["closes_at"], item["claim"], item["code"]))
    return found[:ROWS_MAX]


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


def explain_case(case: CaseRow, tally: ballots.Tally, quorum: int, case_params: Params) -> str:
    """Return in a few sentences how a case stands and why. Seniority is told once the vote is over (rules §7)."""
    need = case.bar_bp if case.status == "open" else case.bar_bp - case.seniority_bp
    needs = (
        f"It needs {quorum} yes or no ballots, {-(-quorum // 2)} of them with the evidence opened, and {need} of"
        " 10000 yes"
    )
    stands = f"{tally.yes} yes, {tally.no} no, {tally.opened} opened"
    if case.status == "open":
        last = case.carried_height + case_params.vote_blocks
        return (
            f"{case.code}: open until block {last}. {needs}, {case_params.streak_blocks} blocks in a row (now"
            f" {case.streak}). So far {stands}."
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


# ---- Money -----------------------------------------------------------------
def payouts_view(state: StateReader, of_bytes: Render = render_hex) -> list[dict[str, Any]]:
    """Return what the ledger paid: each payment with what was sent, what is left, and its batches, oldest first."""
    rows = sorted(PAYMENTS.scan(Draft(state)), key=lambda row: (row.height, row.payment_id))
    return [{"payout_id": row.payment_id.hex(), **fields_of(row, of_bytes)} for row in rows[:ROWS_MAX]]


def owed_view(state: StateReader, of_bytes: Render = render_hex) -> list[dict[str, Any]]:
    """Return what was accepted and is not paid, in the order in which it will be."""
    return [fields_of(row, of_bytes) for row in PAYOUTS.scan(Draft(state))]


def treasury_view(state: StateReader) -> dict[str, Any] | None:
    """Return the treasury with the baton the next batch must spend."""
    row = TREASURY.find(Draft(state))
    return None if row is None else fields_of(row)


def unsent_view(state: StateReader) -> list[dict[str, Any]]:
    """Return payments with satoshi left to send, in the order every signer takes them."""
    draft = Draft(state)
    return [fields_of(PAYMENTS.get(draft, name.value)) for name in UNSENT_PAYMENTS.scan(draft)]


def batches_view(state: StateReader) -> list[dict[str, Any]]:
    """Return the batches, oldest first."""
    rows = sorted(BATCHES.scan(Draft(state)), key=lambda row: (row.height, row.body.unsigned_txid))
    return [
        {
            **fields_of(row.body),
            "height": row.height,
            "confirmations": row.confirmations,
            "block_height": row.block_height,
        }
        for row in rows
    ]


# ---- Rehearsals --------------------------------------------------------------
def shown(day: Day, what: str, name: str | None) -> dict[str, Any]:
    """Return what a scenario asks to see, names as text; RuleBroken when there is no such thing."""
    key = (name or "").encode()
    found: dict[str, Any] | None = None
    if what == "member":
        row = MEMBERS.find(day.draft, key)
        if row is not None:
            standing = approval_threshold.threshold_of(day, row)
            contract = CONTRACTS.find(day.draft, key)
            found = {
                "denied": standing.denied,
                "voted": standing.voted,
                "bar_bp": standing.bar_bp,
                "seniority_bp": standing.seniority_bp,
                "standing": contracts.status_of(day, row),
                "plan": None if contract is None else contract.plan,
                "rate_cents": None if contract is None else contract.rate_cents,
                "owed_cents": 0 if contract is None else contract.owed_cents,
                "may_vote": members.is_voter(row),
                "dependants": [
                    cover.decode()
                    for cover in covers.living(day.draft, () if contract is None else contract.dependants, day.height)
                ],
                "missed_duties": duties.missed_of(day, key),
                "has_credit": duties.has_credit(day.draft, key),
            }
    elif what == "claim":
        claim = CLAIMS.find(day.draft, key)
        if claim is not None:
            found = _shown_claim(day, claim)
    elif what == "code":
        row = next(CODES.scan(day.draft, name or ""), None)
        version = codes.code_on(day.draft, "" if row is None else row.system, name or "", day.height)
        found = {
            "standard": version.is_standard,
            "allowed_cents": version.allowed_cents,
            "frequency": version.frequency,
        }
    elif what == "plan":
        plan = PLANS.find(day.draft, name or "")
        if plan is not None:
            figures = fields_of(plans.figures_on(plan, day.height))
            figures.pop("from_day")
            found = {"premium_cents": plan.premium_cents, **figures, "prior_cents": plan.prior_cents}
    elif what == "accounts":
        found = {
            "claims_cents": accounts.balance_of(day.draft, "claims"),
            "reserve_cents": accounts.balance_of(day.draft, "reserve"),
            "annual_premium_cents": accounts.annual_premium_of(day),
            "owed_cents": payouts.owed_total(day.draft),
            "rate": rates.rate_now(day),
            "deposits_cents": accounts.deposits_balance(day.draft),
        }
    elif what == "coop":
        found = _shown_coop(day)
    else:
        found = dict(params.param_values(day.params))
    if found is None:
        raise RuleBroken("unknown_name", f"there is no {what} {name!r}", "use a name from the file")
    return found


def _shown_coop(day: Day) -> dict[str, Any]:
    box = TREASURY.find(day.draft)
    return {
        "phase": day.coop.phase,
        "protocol_version": protocol.row_at(day.draft, day.height).version,
        "members": day.counts.members,
        "voters": day.counts.voters,
        "attesters": [row.key.decode() for row in ATTESTERS.scan(day.draft)],
        "verifiers": [row.key.decode() for row in VERIFIERS.scan(day.draft)],
        "signers": [] if box is None else [key.decode() for key in box.signers],
        "signers_needed": 0 if box is None else box.threshold,
        "providers": sorted(row.value.decode() for row in PROVIDERS.scan(day.draft)),
    }


def _shown_claim(day: Day, claim: ClaimRow) -> dict[str, Any]:
    cases_now: list[dict[str, Any]] = []
    for case in CASES.scan(day.draft, claim.claim):
        item = case_json(day, case, render_text)
        cases_now.append(
            {
                name: item[name]
                for name in (
                    "code",
                    "status",
                    "how",
                    "yes",
                    "no",
                    "opened",
                    "eligible",
                    "quorum",
                    "bar_bp",
                    "seniority_bp",
                    "award_cents",
                    "benefit_cents",
                    "closes_at",
                    "streak",
                )
            }
        )
    return {
        "by": claim.cover.decode(),
        "filed": claim.height,
        "status": claim_status(day.draft, claim),
        "benefit_cents": claim.benefit_cents,
        "cases": cases_now,
        "audit_panel": [key.decode() for key in holds.panel_of(day, claim.claim) or ()],
    }
