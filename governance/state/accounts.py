"""Accounts by fund and purpose, and everything that crossed their border."""

from __future__ import annotations

from governance.tables import Table
from ledger.codec import Shape


class AccountRow(Shape):
    """An account's balance, where its money comes from, what it may be used for."""

    fund: str
    purpose: str
    balance_cents: int
    source: str
    restriction: str


class TotalsRow(Shape):
    """Everything that ever crossed the border of the co-op's accounts."""

    genesis_cents: int
    premiums_cents: int = 0
    paid_cents: int = 0
    deposits_cents: int = 0


class PaidRow(Shape):
    """Premiums a member paid in one term."""

    member: bytes
    amount_cents: int


ACCOUNTS = Table("money/account", AccountRow)
ACCOUNT_TOTALS = Table("money/totals", TotalsRow)
PREMIUMS_PAID = Table("money/premiums_paid", PaidRow)
"""By (term, member), for the case that the co-op disbands."""
