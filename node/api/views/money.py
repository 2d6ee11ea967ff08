"""What the co-op has, owes and pays."""

from __future__ import annotations

from node.api.views.base import Question, View


class Account(View, frozen=True, kw_only=True):
    """A balance by fund and purpose."""

    fund: str
    purpose: str
    balance_cents: int
    source: str
    restriction: str


class Payment(View, frozen=True, kw_only=True):
    """What the ledger pays for a part of a claim (`case` None: its standard lines), on its way to the payee."""

    payment_id: str
    claim: str
    case: str | None = None
    payee: str
    rail: str
    height: int
    amount_cents: int
    amount_sat: int
    left_sat: int
    sent_sat: int
    credit_sat: int
    outputs: int
    batches: tuple[str, ...]
    commitment: str
    status: str


class Payout(Payment, frozen=True, kw_only=True):
    """A payment by the name under which it is listed."""

    payout_id: str


class OwedBenefit(View, frozen=True, kw_only=True):
    """What was accepted and is not paid yet."""

    rank: int
    height: int
    claim: str
    case: str | None = None
    cover: str
    provider: str
    payee: str
    benefit_cents: int
    owed_cents: int
    commitment: str


class Premium(View, frozen=True, kw_only=True):
    """A premium that is due."""

    due_height: int
    plan: str
    amount_cents: int


class Owing(View, frozen=True, kw_only=True):
    """The members who owe premiums, and whether their cover is suspended."""

    member: str
    owed_cents: int
    owed: tuple[Premium, ...]
    suspended_from: int | None = None


class BatchPayout(View, frozen=True, kw_only=True):
    """A payout's part in a batch."""

    payout_id: str
    paid_sat: int
    queued_sat: int
    credit_sat: int
    outputs: int


class Batch(View, frozen=True, kw_only=True):
    """A bitcoin transaction of the treasury; `block_height` is that of bitcoin."""

    baton_txid: str
    baton_vout: int
    unsigned_txid: str
    locktime: int
    fee_sat: int
    change_sat: int
    payouts: tuple[BatchPayout, ...]
    height: int
    confirmations: int
    block_height: int


class Treasury(View, frozen=True, kw_only=True):
    """The treasury, with the outpoint that the next batch must spend."""

    network: str
    threshold: int
    signers: tuple[str, ...]
    fee_sat_per_vb: int
    baton_txid: str
    baton_vout: int
    baton_sat: int


ACCOUNTS = Question("accounts", tuple[Account, ...])
PAYOUTS = Question("payouts", tuple[Payout, ...])
OWED = Question("owed", tuple[OwedBenefit, ...])
OWING = Question("owing", tuple[Owing, ...])
UNSENT = Question("unsent", tuple[Payment, ...])
BATCHES = Question("batches", tuple[Batch, ...])
TREASURY = Question("treasury", Treasury)
