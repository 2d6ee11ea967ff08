"""Payouts by their place in the queue, their history, debts after fraud, and holds."""

from __future__ import annotations

from governance.tables import Number, Numbers, Table
from ledger.codec import Shape


class PayoutRow(Shape):
    """A payout by its place in the queue: class, acceptance height, claim, case."""

    rank: int
    height: int
    claim: bytes
    case: str | None
    cover: bytes
    provider: bytes
    payee: bytes
    benefit_cents: int
    owed_cents: int
    commitment: bytes


PAYOUTS = Table("money/payout", PayoutRow)
"""Payouts with something owed, in the order in which they are paid."""
PAYOUT_HISTORY = Table("money/payout_history", PayoutRow)
"""Every payout by (claim, case): one final decision, one payout."""
RECEIVABLES = Table("money/receivable", Number)
"""(member, or provider that filed for a patient, claim) -> what fraud made a debt; a receivable, never a premium."""
PAYOUT_HOLDS = Numbers("money/hold", keeps_zero=False)
"""Covers and providers whose payouts wait: key -> number of holds on it."""
