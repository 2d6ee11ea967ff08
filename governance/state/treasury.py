"""The treasury as the ledger knows it: signers, outpoint, payments, batches and deposits seen."""

from __future__ import annotations

from typing import Literal

import msgspec

from governance.tables import Draft, Mark, Name, Numbers, Table
from ledger.codec import Shape
from ledger.errors import RuleBroken


class BatchPayout(Shape):
    """A payout's part in a batch: what is sent now, what is left for later, and the remainder carried forward."""

    payout_id: bytes
    paid_sat: int
    queued_sat: int
    credit_sat: int
    outputs: int


class BatchBody(Shape):
    """An unsigned transaction that m of n signers built identically."""

    baton_txid: bytes
    baton_vout: int
    unsigned_txid: bytes
    locktime: int
    fee_sat: int
    change_sat: int
    payouts: tuple[BatchPayout, ...]


class TreasuryRow(Shape):
    """m of n, the signers' keys on this ledger, and the coin that the next batch must spend."""

    network: str
    threshold: int
    signers: tuple[bytes, ...]
    fee_sat_per_vb: int
    outpoint_txid: bytes = msgspec.field(name="baton_txid")
    outpoint_vout: int = msgspec.field(name="baton_vout")
    outpoint_sat: int = msgspec.field(name="baton_sat")
    """Names of the API; a row is stored without them."""


PaymentStatus = Literal["due", "queued", "batched", "confirmed"]


class PaymentRow(Shape):
    """What the ledger paid in one block, on its way to the payee: amount_sat = sent + left + credit."""

    payment_id: bytes
    claim: bytes
    case: str | None
    payee: bytes
    rail: str
    height: int
    amount_cents: int
    amount_sat: int
    left_sat: int = 0
    sent_sat: int = 0
    credit_sat: int = 0
    outputs: int = 0
    batches: tuple[bytes, ...] = ()
    commitment: bytes = b""
    status: PaymentStatus = "due"


class BatchRow(Shape):
    """A batch and how deep it lies."""

    body: BatchBody
    height: int
    confirmations: int
    block_height: int


TREASURY = Table("money/treasury", TreasuryRow)
PAYMENTS = Table("money/payment", PaymentRow)
PAYMENTS_OF = Table("money/payment_of", Name)
"""Payments by (claim, height, id): who asks about one claim reads its payments alone."""
ADDRESSES_USED = Numbers("money/addresses_used", keeps_zero=False)
"""Commitment -> addresses of its list that the batches so far used; all payments of a claim share one list."""
UNSENT_PAYMENTS = Table("money/unsent", Name)
"""Payments with something left to send, by (height, id)."""
BATCHES = Table("money/batch", BatchRow)
DEPOSITS_SEEN = Table("money/deposit_seen", Mark)
"""By commitment: deposits that were counted, as a premium or with an application. An attestation is public; it counts
once."""


def check_treasury(draft: Draft) -> TreasuryRow:
    """Return the treasury; RuleBroken where genesis has none."""
    row = TREASURY.find(draft)
    if row is None:
        raise RuleBroken("no_treasury", "this co-op has no bitcoin treasury", "name signers in the charter")
    return row
