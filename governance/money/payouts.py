"""Payouts: what is accepted in block h is due in h+1 and paid in its place, from claims first, then from the reserve.

One payout and block takes at most a share of the reserve. In a boundary block, when money is short, all are paid at one
ratio. What is not paid stays owed in its place. The payee is a cover or a provider, never a member's key.
"""

from __future__ import annotations

from collections.abc import Iterator

from msgspec.structs import replace

from governance.day import Day
from governance.membership import members
from governance.money import accounts, rates, treasury
from governance.state.accounts import ACCOUNT_TOTALS
from governance.state.payouts import PAYOUT_HISTORY, PAYOUT_HOLDS, PAYOUTS, RECEIVABLES, PayoutRow
from governance.state.treasury import PAYMENTS
from governance.tables import Draft, Number, encode_key
from ledger import calendar

# ---- Rules --------------------------------------------------------------
STANDARD, VOTED, APPEAL, REFUND = 0, 1, 2, 3
"""Refunds give deposits back: they are paid from the members' own account, whatever claims and reserve hold."""
SAT_PER_BITCOIN = 10**8
SAT_MAX = 21_000_000 * SAT_PER_BITCOIN
"""All the bitcoin there can be: no payment asks for more, however low the rate; the rest stays owed."""


def open_payout(day: Day, row: PayoutRow) -> None:
    """Note what a final decision owes; it is due in the next block."""
    assert PAYOUT_HISTORY.find(day.draft, row.claim, row.case or "") is None, "a part of a claim is decided once"
    PAYOUT_HISTORY.put(day.draft, row, row.claim, row.case or "")
    if row.owed_cents:
        PAYOUTS.put(day.draft, row, row.rank, row.height, row.claim, row.case or "")


def owed_total(draft: Draft) -> int:
    """Return everything accepted and unpaid; refunds of deposits have their own money."""
    return sum(row.owed_cents for row in PAYOUTS.scan(draft) if row.rank != REFUND)


def end_day(day: Day) -> None:
    """Pay what is due, in order (rules §11). Without any rate payouts wait."""
    rate = rates.rate_now(day)
    if rate is None:
        return
    due = [row for row in PAYOUTS.scan(day.draft) if row.height < day.height and not is_held(day, row)]
    if not due:
        return
    queue = [row for row in due if row.rank != REFUND]
    reserve = accounts.balance_of(day.draft, "reserve")
    cap = reserve * day.params.claim_reserve_bp // 10_000
    total = sum(row.owed_cents for row in queue)
    available = accounts.balance_of(day.draft, "claims") + min(reserve, cap * len(queue))
    at_ratio = calendar.is_boundary(day.height) and available < total
    for row in queue:
        limit = accounts.balance_of(day.draft, "claims") + min(cap, accounts.balance_of(day.draft, "reserve"))
        limit = min(limit, payable_cents(rate))
        wanted = row.owed_cents * available // total if at_ratio else row.owed_cents
        pay(day, row, min(wanted, limit), rate)
    for row in due[len(queue) :]:  # the last class
        pay(day, row, min(row.owed_cents, payable_cents(rate)), rate)


def payable_cents(rate: int) -> int:
    """Return the largest payment at a rate, in minor units: what all existing bitcoin would buy, rounded down."""
    return SAT_MAX * rate // SAT_PER_BITCOIN


def is_held(day: Day, row: PayoutRow) -> bool:
    """True while a hold applies to a payout: to its provider, or to the member's cover, which includes dependants."""
    member = members.member_of_cover(day.draft, row.cover)
    cover = row.cover if member is None else member.cover
    return PAYOUT_HOLDS.find(day.draft, cover) is not None or PAYOUT_HOLDS.find(day.draft, row.provider) is not None


def send(
    day: Day,
    claim: bytes,
    case: str | None,
    *,
    payee: bytes,
    cents: int,
    rate: int,
    commitment: bytes,
    of: bytes | None,
) -> None:
    """Open a payment at a rate, its satoshi rounded down, and say so; `of`: the claim that the event names."""
    paid = {"amount_cents": cents, "amount_sat": cents * SAT_PER_BITCOIN // rate}
    treasury.open_payment(day, claim, case, payee=payee, commitment=commitment, **paid)
    day.emit("payout_due", claim=of, case=case, payee=payee, **paid)


def pay(day: Day, row: PayoutRow, amount_cents: int, rate: int, *, is_final: bool = False) -> None:
    """Pay part or all of a payout; the rest stays owed in its place, or is cancelled when the payment is final."""
    left = row.owed_cents - amount_cents
    if amount_cents:
        (accounts.pay_deposit if row.rank == REFUND else accounts.pay_out)(day, amount_cents)
        to = {"payee": row.payee, "commitment": row.commitment, "of": row.claim}
        send(day, row.claim, row.case, cents=amount_cents, rate=rate, **to)
    key = (row.rank, row.height, row.claim, row.case or "")
    if left and not is_final:
        PAYOUTS.put(day.draft, replace(row, owed_cents=left), *key)
        day.emit("payout_short", claim=row.claim, case=row.case, paid_cents=amount_cents, owed_cents=left)
    else:
        PAYOUTS.delete(day.draft, *key)


def pay_receivables(day: Day, member: bytes, amount_cents: int) -> int:
    """Pay what fraud made a debt, as far as `amount_cents` goes; return what that took."""
    left = amount_cents
    prefix = RECEIVABLES.prefix + encode_key((member,))
    for key, row in list(day.draft.walk(RECEIVABLES.prefix, prefix, RECEIVABLES.decoder)):
        paid = min(left, row.value)
        left -= paid
        if paid:
            day.draft.write(RECEIVABLES.prefix, key, Number(row.value - paid))
    return amount_cents - left


# ---- Invariants ---------------------------------------------------------
def broken_invariants(draft: Draft) -> Iterator[str]:
    """Yield a sentence for each payout that owes nothing or more than was decided, and if a payment is missing."""
    paid, noted = ACCOUNT_TOTALS.get(draft).paid_cents, sum(row.amount_cents for row in PAYMENTS.scan(draft))
    if paid != noted:
        yield f"the accounts paid {paid}, the payments are {noted} together"
    for row in PAYOUTS.scan(draft):
        if not 0 < row.owed_cents <= row.benefit_cents:
            yield f"payout for claim {row.claim.hex()} owes {row.owed_cents} of {row.benefit_cents}"
        if PAYOUT_HISTORY.find(draft, row.claim, row.case or "") is None:
            yield f"payout for claim {row.claim.hex()} follows no decision"
