"""Accounts: rows (fund, purpose) with a source and restrictions. The co-op's own are `claims` and `reserve`, disjoint.

What came in since genesis and what went out are kept beside the balances, so that conservation can be checked after
every block: genesis + premiums + deposits - payouts = sum of balances. Deposits are the members' own: an account of
another fund.
"""

from __future__ import annotations

from collections.abc import Iterator

from msgspec.structs import replace

from governance.day import Day
from governance.state.accounts import ACCOUNT_TOTALS, ACCOUNTS, PREMIUMS_PAID, AccountRow, PaidRow, TotalsRow
from governance.tables import Draft

# ---- Rules --------------------------------------------------------------
FUND = "coop"
MEMBERS_FUND = "members"
YEAR_TERMS = 12


def balance_of(draft: Draft, purpose: str) -> int:
    """Return the balance of one of the co-op's own accounts, in minor units."""
    return ACCOUNTS.get(draft, FUND, purpose).balance_cents


def deposits_balance(draft: Draft) -> int:
    """Return what the members' deposits hold together, in minor units."""
    return ACCOUNTS.get(draft, MEMBERS_FUND, "deposits").balance_cents


def add_to(draft: Draft, purpose: str, amount_cents: int, fund: str = FUND) -> None:
    """Change a balance; it never falls below zero."""
    row = ACCOUNTS.get(draft, fund, purpose)
    balance = row.balance_cents + amount_cents
    assert balance >= 0, f"account {purpose} would hold {balance}"
    ACCOUNTS.put(draft, AccountRow(row.fund, row.purpose, balance, row.source, row.restriction), fund, purpose)


def annual_premium_of(day: Day) -> int:
    """Return A: 12 times the rates of the contracts in force now (rules §11)."""
    return YEAR_TERMS * day.counts.rates_cents


def is_reserve_short(day: Day) -> bool:
    """True while the reserve is below its share of the annual premium."""
    return balance_of(day.draft, "reserve") < annual_premium_of(day) * day.params.reserve_bp // 10_000


def take_premium(day: Day, amount_cents: int) -> None:
    """Take a premium in."""
    _split(day, amount_cents)
    totals = ACCOUNT_TOTALS.get(day.draft)
    ACCOUNT_TOTALS.put(day.draft, replace(totals, premiums_cents=totals.premiums_cents + amount_cents))


def _split(day: Day, amount_cents: int) -> None:
    """Split a premium: to the reserve what it lacks, at most its share; the rest to claims (rules §11)."""
    reserve_bp = day.params.reserve_bp
    lacking = max(0, annual_premium_of(day) * reserve_bp // 10_000 - balance_of(day.draft, "reserve"))
    to_reserve = min(amount_cents * reserve_bp // 10_000, lacking)
    add_to(day.draft, "reserve", to_reserve)
    add_to(day.draft, "claims", amount_cents - to_reserve)


def take_deposit(day: Day, amount_cents: int) -> None:
    """Take a deposit in."""
    add_to(day.draft, "deposits", amount_cents, MEMBERS_FUND)
    totals = ACCOUNT_TOTALS.get(day.draft)
    ACCOUNT_TOTALS.put(day.draft, replace(totals, deposits_cents=totals.deposits_cents + amount_cents))


def keep_deposit(day: Day, premiums_cents: int, debts_cents: int) -> None:
    """Move what is owed from the deposits to the co-op: premiums are split like any, other debts make claims whole."""
    add_to(day.draft, "deposits", -premiums_cents - debts_cents, MEMBERS_FUND)
    _split(day, premiums_cents)
    add_to(day.draft, "claims", debts_cents)


def pay_deposit(day: Day, amount_cents: int) -> None:
    """Pay out of the deposits."""
    add_to(day.draft, "deposits", -amount_cents, MEMBERS_FUND)
    _note_payout(day, amount_cents)


def note_paid(day: Day, member: bytes, amount_cents: int) -> None:
    """Remember a premium for the case that the co-op disbands."""
    row = PREMIUMS_PAID.find(day.draft, day.term, member) or PaidRow(member, 0)
    PREMIUMS_PAID.put(day.draft, PaidRow(member, row.amount_cents + amount_cents), day.term, member)


def pay_out(day: Day, amount_cents: int) -> None:
    """Take a payout from claims first, then from the reserve."""
    from_claims = min(amount_cents, balance_of(day.draft, "claims"))
    add_to(day.draft, "claims", -from_claims)
    add_to(day.draft, "reserve", from_claims - amount_cents)
    _note_payout(day, amount_cents)


def _note_payout(day: Day, amount_cents: int) -> None:
    totals = ACCOUNT_TOTALS.get(day.draft)
    ACCOUNT_TOTALS.put(day.draft, replace(totals, paid_cents=totals.paid_cents + amount_cents))


def open_accounts(draft: Draft, claims_cents: int, reserve_cents: int) -> None:
    """Write the accounts of genesis."""
    ACCOUNTS.put(draft, AccountRow(FUND, "claims", claims_cents, "premiums", "benefits of members"), FUND, "claims")
    ACCOUNTS.put(
        draft, AccountRow(FUND, "reserve", reserve_cents, "premiums", "benefits when claims is empty"), FUND, "reserve"
    )
    deposits = AccountRow(
        MEMBERS_FUND, "deposits", 0, "applicants", "goes back when membership ends, less what is owed"
    )
    ACCOUNTS.put(draft, deposits, MEMBERS_FUND, "deposits")
    ACCOUNT_TOTALS.put(draft, TotalsRow(claims_cents + reserve_cents))


# ---- Invariants ---------------------------------------------------------
def broken_invariants(draft: Draft) -> Iterator[str]:
    """Yield a sentence when money is not conserved or a balance is negative."""
    totals = ACCOUNT_TOTALS.get(draft)
    held = 0
    for row in ACCOUNTS.scan(draft):
        held += row.balance_cents
        if row.balance_cents < 0:
            yield f"account {row.fund}/{row.purpose} holds {row.balance_cents}"
    expected = totals.genesis_cents + totals.premiums_cents + totals.deposits_cents - totals.paid_cents
    if held != expected:
        yield f"accounts hold {held}, but {expected} came in and stayed"
