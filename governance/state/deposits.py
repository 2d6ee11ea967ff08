"""Deposits of members and applicants."""

from __future__ import annotations

from governance.tables import Table
from ledger.codec import Shape


class DepositRow(Shape):
    """What a member, or an applicant, deposited, and where it may go back to (a commitment to sealed addresses)."""

    member: bytes
    cover: bytes
    amount_cents: int
    payout_commitment: bytes


DEPOSITS = Table("money/deposit", DepositRow)
