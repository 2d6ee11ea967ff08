"""What the ledger paid and owes, and the treasury."""

from __future__ import annotations

from heapq import nlargest

from governance.shaping import filled
from governance.state.payouts import PAYOUTS, PayoutRow
from governance.state.treasury import (
    BATCHES,
    PAYMENTS,
    PAYMENTS_OF,
    TREASURY,
    UNSENT_PAYMENTS,
    BatchBody,
    PaymentRow,
    TreasuryRow,
)
from governance.tables import Draft
from governance.views.base import ROWS_MAX, View
from ledger.state import StateReader


class PaymentView(View, frozen=True, kw_only=True):
    """What the ledger paid in one block, with what was sent, what is left, and its batches."""

    payout_id: bytes
    row: PaymentRow


class BatchView(View, frozen=True, kw_only=True):
    """A batch and how deep it lies."""

    row: BatchBody
    height: int
    confirmations: int
    block_height: int


def payouts_view(state: StateReader) -> list[PaymentView]:
    """Return what the ledger paid, oldest first; of very many the newest."""
    rows = nlargest(ROWS_MAX, PAYMENTS.scan(Draft(state)), key=lambda row: (row.height, row.payment_id))
    return [PaymentView(payout_id=row.payment_id, row=row) for row in reversed(rows)]


def payments_of(draft: Draft, claim: bytes) -> list[PaymentView]:
    """Return what the ledger paid for a claim, oldest first."""
    rows = (PAYMENTS.get(draft, name.value) for name in PAYMENTS_OF.scan(draft, claim))
    return [PaymentView(payout_id=row.payment_id, row=row) for row in rows]


def owed_view(state: StateReader) -> list[PayoutRow]:
    """Return what was accepted and is not paid, in the order in which it will be."""
    return list(PAYOUTS.scan(Draft(state)))


def treasury_view(state: StateReader) -> TreasuryRow | None:
    """Return the treasury with the outpoint that the next batch must spend."""
    return TREASURY.find(Draft(state))


def unsent_view(state: StateReader) -> list[PaymentRow]:
    """Return payments with satoshi left to send, in the order every signer takes them."""
    draft = Draft(state)
    return [PAYMENTS.get(draft, name.value) for name in UNSENT_PAYMENTS.scan(draft)]


def batches_view(state: StateReader) -> list[BatchView]:
    """Return the batches, oldest first."""
    rows = sorted(BATCHES.scan(Draft(state)), key=lambda row: (row.height, row.body.unsigned_txid))
    return [filled(BatchView, row, row=row.body) for row in rows]
