"""Deposits: an applicant pays one premium, and gets it back, less what is owed, at the end of membership (rules §2).

A failed application returns it too. The money is not the co-op's: it has its own account (members, deposits), pays no
benefit and counts towards no reserve. On a real chain m of n treasury signers attest that the bitcoin arrived; a
rehearsal has deposits only if its file gives one.
"""

from __future__ import annotations

from collections.abc import Iterator

from governance.benefits import contracts
from governance.day import Day
from governance.money import accounts, payouts
from governance.state.contracts import CONTRACTS, UnpaidPremium
from governance.state.deposits import DEPOSITS, DepositRow
from governance.state.members import ENDED_MEMBERSHIPS
from governance.state.payouts import PAYOUT_HISTORY, PAYOUTS, PayoutRow
from governance.tables import Draft
from ledger.errors import RuleBroken

# ---- Rules --------------------------------------------------------------
DEPOSIT_MAX = 10**12


def check_amount(amount_cents: int, premium_cents: int) -> None:
    """Raise RuleBroken unless a deposit covers one premium of the plan applied for, at today's rate."""
    if not premium_cents <= amount_cents <= DEPOSIT_MAX:
        what = f"the deposit is {amount_cents}, a premium of the plan is {premium_cents}"
        raise RuleBroken("deposit_amount", what, "deposit one premium")


def take(day: Day, member: bytes, cover: bytes, amount_cents: int, payout_commitment: bytes) -> None:
    """Keep a deposit that came with an application."""
    if amount_cents:
        DEPOSITS.put(day.draft, DepositRow(member, cover, amount_cents, payout_commitment), member)
        accounts.take_deposit(day, amount_cents)


def refund_deposit(day: Day, member: bytes) -> None:
    """Refund a deposit as a payout of the last class, less owed premiums (oldest first), then debts from fraud."""
    row = DEPOSITS.find(day.draft, member)
    if row is None:
        return
    DEPOSITS.delete(day.draft, member)
    premiums = _pay_premiums(day, member, row.amount_cents)
    debts = payouts.pay_receivables(day, member, row.amount_cents - premiums)
    accounts.keep_deposit(day, premiums, debts)
    left = row.amount_cents - premiums - debts
    kept = {"kept_cents": premiums + debts, "returned_cents": left}
    day.emit("deposit_returned", member=row.cover, deposit_cents=row.amount_cents, **kept)
    refund = PayoutRow(
        rank=payouts.REFUND,
        height=day.height,
        claim=_refund_id(day, row.cover),
        case=None,
        cover=row.cover,
        provider=b"",
        payee=row.cover,
        benefit_cents=left,
        owed_cents=left,
        commitment=row.payout_commitment,
    )
    payouts.open_payout(day, refund)


def _refund_id(day: Day, cover: bytes) -> bytes:
    """Return a fresh id for a refund to a cover; several applications may end in one block."""
    base = refund_id = b"deposit/" + cover + b"/" + str(day.height).encode()
    serial = 0
    while PAYOUT_HISTORY.find(day.draft, refund_id, "") is not None:
        serial += 1
        refund_id = base + b"/" + str(serial).encode()
    return refund_id


def _pay_premiums(day: Day, member: bytes, amount_cents: int) -> int:
    """Pay owed premiums from a deposit, oldest first, the last one in part; return what that took."""
    contract = CONTRACTS.find(day.draft, member)
    left, still_owed = amount_cents, list[UnpaidPremium]()
    for item in () if contract is None else contract.owed:
        paid = min(left, item.amount_cents)
        left -= paid
        if paid < item.amount_cents:
            still_owed.append(UnpaidPremium(item.due_height, item.plan, item.amount_cents - paid))
    if left < amount_cents:
        contracts.change(day, member, owed=tuple(still_owed))
        accounts.note_paid(day, member, amount_cents - left)
    return amount_cents - left


def end_term(day: Day) -> None:
    """Give back the deposits of memberships that ended with this boundary."""
    for name in list(ENDED_MEMBERSHIPS.scan(day.draft)):
        ENDED_MEMBERSHIPS.delete(day.draft, name.value)
        refund_deposit(day, name.value)


# ---- Invariants ---------------------------------------------------------
def broken_invariants(draft: Draft) -> Iterator[str]:
    """Yield a sentence when the account does not hold exactly what is deposited and what is on its way back."""
    held = accounts.deposits_balance(draft)
    deposited = sum(row.amount_cents for row in DEPOSITS.scan(draft))
    on_its_way = sum(row.owed_cents for row in PAYOUTS.scan(draft, payouts.REFUND))
    if held != deposited + on_its_way:
        yield f"the deposits account holds {held}, {deposited} is deposited and {on_its_way} is to go back"
