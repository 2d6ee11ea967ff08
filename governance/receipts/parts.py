"""Parts of a receipt, as they begin and as they are now, read from the state of the day."""

from __future__ import annotations

from msgspec.structs import replace

from governance.day import Day, ceil_div
from governance.money import payouts, treasury
from governance.receipts import facts, shapes
from governance.shaping import filled
from governance.state.appeals import APPEAL_BALLOTS
from governance.state.cases import CaseRow
from governance.state.claims import ClaimRow
from governance.state.params import params_at
from governance.state.payouts import PAYOUT_HISTORY, PAYOUTS
from governance.state.treasury import PAYMENTS
from governance.voting import appeals, ballots, cases


def begun(day: Day, row: ClaimRow) -> shapes.Receipt:
    """Return the receipt of a claim as it is filed."""
    lines = tuple(facts.filed_line(day, row, index) for index in range(len(row.lines)))
    wanted = sorted({(line.plan, line.plan_from_day, line.first_day) for line in lines if line.plan is not None})
    plans = {(name, start): facts.plan_facts(day, name, on_day) for name, start, on_day in wanted}
    return filled(
        shapes.Receipt,
        row,
        day.coop,
        **dict.fromkeys(("settlements", "estimates", "cases", "payouts", "happenings"), ()),
        version=shapes.RECEIPT_VERSION,
        filed_height=day.height,
        filing_terms=day.params.filing_terms,
        evidence=(shapes.EvidenceVersion(1, day.height, len(row.evidence)),),
        cover_facts=facts.cover_of(day, row),
        plans=tuple(plans.values()),
        lines=lines,
        standard=None,
        audit=None,
        is_disbanded=False,
    )


def carried(day: Day, row: CaseRow) -> shapes.Case:
    """Return a case right after its claim's record; the end of the block fixes the rest."""
    return filled(
        shapes.Case,
        row,
        **dict.fromkeys(("excluded", "ballots", "tallies", "decisions"), ()),
        **dict.fromkeys(("voters", "eligible", "quorum", "opened_needed", "lacking"), 0),
        **dict.fromkeys(("bar", "panel", "is_small_used", "appeal", "authorisation")),
        s=row.carried_height,
        params=facts.case_params(params_at(day.draft, row.params_version)),
    )


def frozen(day: Day, claim: ClaimRow, row: CaseRow, case: shapes.Case) -> shapes.Case:
    """Return a case with everything that the end of its block s fixed."""
    case_params = params_at(day.draft, row.params_version)
    quorum = cases.quorum_of(row, case_params)
    return replace(
        case,
        params=facts.case_params(case_params),
        voters=day.counts.voters,
        excluded=facts.excluded_of(day, claim, row),
        eligible=row.eligible,
        quorum=quorum,
        opened_needed=ceil_div(quorum, 2),
        bar=facts.bar_of(day, claim, row, case_params),
        status=row.status,
    )


def counted(key: tuple[bytes, bytes | None], since: tuple[int, facts.Counting], last: int) -> shapes.CountedBallot:
    """Return a ballot that counted up to block `last`."""
    (voter, delegator), (first, (choice, award, is_auto, is_opened)) = key, since
    return shapes.CountedBallot(voter, delegator, first, last, choice, award, is_auto, is_opened)


def appeal_now(day: Day, claim: bytes, code: str, appeal: shapes.Appeal) -> shapes.Appeal:
    """Return an appeal with the panel's live ballots and their tally."""
    live = [
        shapes.AppealBallot(row.voter, row.choice, row.award_cents, ballots.is_opened(day, claim, row.voter))
        for row in APPEAL_BALLOTS.scan(day.draft, claim, code)
    ]
    return replace(
        appeal,
        ballots=tuple(live),
        yes=sum(row.choice == "accept" for row in live),
        no=sum(row.choice == "deny" for row in live),
        opened=sum(row.is_opened and row.choice != "abstain" for row in live),
        quorum=appeals.quorum_of(len(appeal.panel.members)),
    )


def payout_of(day: Day, receipt: shapes.Receipt, case: str | None) -> shapes.Payout:
    """Return what a decision of this block owes."""
    row = PAYOUT_HISTORY.get(day.draft, receipt.claim, case or "")
    return shapes.Payout(
        case, row.rank, row.height, receipt.payee, row.benefit_cents, (), row.owed_cents, 0, is_on_hold=False
    )


def queue_of(day: Day, *, is_final: bool) -> tuple[int, int]:
    """Return sum owed and number of the payouts that this block pays, before it pays the first of them."""
    rows = [
        row
        for row in PAYOUTS.scan(day.draft)
        if row.rank != payouts.REFUND and (is_final or (row.height < day.height and not payouts.is_held(day, row)))
    ]
    return sum(row.owed_cents for row in rows), len(rows)


def standing(day: Day, claim: bytes, payout: shapes.Payout) -> shapes.Payout:
    """Return a payout with what is owed at the end, whether it is on hold, and the status of its bitcoin."""
    payments = tuple(
        replace(item, transfer=_transfer_of(day, claim, payout.case, item.height)) for item in payout.payments
    )
    payout = replace(payout, payments=payments)
    row = PAYOUTS.find(day.draft, payout.rank, payout.accepted_height, claim, payout.case or "")
    if row is None:
        return replace(payout, owed_cents=0, cancelled_cents=payout.owed_cents)
    return replace(payout, owed_cents=row.owed_cents, is_on_hold=payouts.is_held(day, row))


def _transfer_of(day: Day, claim: bytes, case: str | None, height: int) -> shapes.Transfer | None:
    row = PAYMENTS.find(day.draft, treasury.payment_id_of(claim, case, height))
    return None if row is None else shapes.Transfer(row.status, row.sent_sat, row.left_sat, row.credit_sat, row.outputs)
