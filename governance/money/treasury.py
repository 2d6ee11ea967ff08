"""The treasury as the ledger sees it: an outpoint that is spent once, batches attested beforehand, confirmations.

Governance checks keys and counts only and never sees an address. Every batch spends the change of the one before: the
outpoint moves with each `treasury.batch`, so no two batches can both be valid and nothing is paid twice.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from msgspec.structs import replace

from governance.acts import Act, Attested, check_attested, hash_of
from governance.day import Day
from governance.state.treasury import (
    ADDRESSES_USED,
    BATCHES,
    DEPOSITS_SEEN,
    PAYMENTS,
    PAYMENTS_OF,
    TREASURY,
    UNSENT_PAYMENTS,
    BatchBody,
    BatchRow,
    PaymentRow,
    check_treasury,
)
from governance.tables import Draft, Mark, Name
from ledger.codec import Shape
from ledger.errors import RuleBroken
from ledger.hashing import tagged_hash

# ---- Records ------------------------------------------------------------
PAYOUTS_PER_BATCH_MAX = 500
OUTPUTS_PER_PAYOUT_MAX = 10_000
"""More than any transaction holds; keeps the sum over all batches inside 64 bits."""
CHANGE_VOUT = 0
"""Output 0 of every batch is the change, back to the treasury."""


class ConfirmBody(Shape):
    """What the signers see on the bitcoin chain."""

    unsigned_txid: bytes
    confirmations: int
    block_height: int


BATCH = Attested("batch", hash_of("payout-batch"), "m of n treasury signers built the same transaction", key="device")
CONFIRM = Attested("confirm", hash_of("payout-confirm"), "m of n treasury signers saw it confirmed", key="device")


# ---- Rules --------------------------------------------------------------
def payment_id_of(claim: bytes, case: str | None, height: int) -> bytes:
    """Return the id of what the ledger pays for a claim's part in a block."""
    part = b"" if case is None else b"\x01" + case.encode()
    return tagged_hash("payout", len(claim).to_bytes(4, "big"), claim, height.to_bytes(8, "big"), part)


def open_payment(
    day: Day, claim: bytes, case: str | None, *, payee: bytes, amount_cents: int, amount_sat: int, commitment: bytes
) -> None:
    """Open a payment of more than 0 satoshi for the signers; a second one for a part in one block adds to the first."""
    payment_id = payment_id_of(claim, case, day.height)
    before = PAYMENTS.find(day.draft, payment_id)
    if before is not None:  # the end of run-off pays once more in a block that has paid
        amount_cents, amount_sat = amount_cents + before.amount_cents, amount_sat + before.amount_sat
    row = PaymentRow(
        payment_id,
        claim,
        case,
        payee,
        "bitcoin",
        day.height,
        amount_cents,
        amount_sat,
        left_sat=amount_sat,
        commitment=commitment,
        status="due" if amount_sat else "confirmed",
    )
    PAYMENTS.put(day.draft, row, payment_id)
    PAYMENTS_OF.put(day.draft, Name(payment_id), claim, day.height, payment_id)
    if amount_sat:
        UNSENT_PAYMENTS.put(day.draft, Name(payment_id), day.height, payment_id)


def check_unseen(draft: Draft, commitment: bytes) -> None:
    """Raise RuleBroken where a deposit was counted before: its attestation could else be handed in again and again."""
    if DEPOSITS_SEEN.find(draft, commitment) is not None:
        what = f"the deposit under {commitment.hex()[:12]} was counted before"
        raise RuleBroken("deposit_counted", what, "make another deposit and have the signers attest it")


def note_seen(draft: Draft, commitment: bytes) -> None:
    """Count a deposit. An empty commitment (a rehearsal) names none."""
    if commitment:
        DEPOSITS_SEEN.put(draft, Mark(), commitment)


def check_batch(day: Day, act: Act, body: BatchBody) -> None:
    """Raise RuleBroken unless the batch spends the outpoint, pays what is due, adds up, and m signers attest it."""
    row = check_treasury(day.draft)
    if (body.baton_txid, body.baton_vout) != (row.outpoint_txid, row.outpoint_vout):
        what = "the batch does not spend the treasury outpoint, the change of the previous batch"
        raise RuleBroken("baton_spent", what, "build it on the current treasury outpoint")
    if (
        not 1 <= len(body.payouts) <= PAYOUTS_PER_BATCH_MAX
        or len(body.unsigned_txid) != 32
        or BATCHES.find(day.draft, body.unsigned_txid)
    ):
        what = f"a batch has 1..{PAYOUTS_PER_BATCH_MAX} payouts and a fresh transaction id of 32 bytes"
        raise RuleBroken("batch_shape", what, "build it again")
    if len({item.payout_id for item in body.payouts}) != len(body.payouts):
        raise RuleBroken("batch_repeats", "a payout is in the batch twice", "build it again")
    for item in body.payouts:
        payment = PAYMENTS.find(day.draft, item.payout_id)
        if payment is None or payment.left_sat == 0:
            what = f"payout {item.payout_id.hex()} has nothing left to send"
            raise RuleBroken("payout_not_due", what, "leave it out")
        if item.outputs > OUTPUTS_PER_PAYOUT_MAX:
            what = f"payout {item.payout_id.hex()} has {item.outputs} outputs, more than {OUTPUTS_PER_PAYOUT_MAX}"
            raise RuleBroken("batch_shape", what, "build it again")
        if item.paid_sat + item.queued_sat + item.credit_sat != payment.left_sat:
            raise RuleBroken(
                "payout_sum",
                f"payout {item.payout_id.hex()}: the amounts paid, queued and carried forward do not add up to"
                f" {payment.left_sat}",
                "build it again",
            )
    total = sum(item.paid_sat for item in body.payouts) + body.fee_sat + body.change_sat
    if total != row.outpoint_sat:
        what = f"payouts, fee and change are {total} sat, the treasury outpoint holds {row.outpoint_sat}"
        raise RuleBroken("batch_sum", what, "build it again")
    check_attested(act, BATCH, body, row.signers, row.threshold)


def apply_batch(day: Day, _act: Act, body: BatchBody) -> None:
    """Move the outpoint to the batch's change and note what each payment got."""
    row = TREASURY.get(day.draft)
    TREASURY.put(
        day.draft,
        replace(row, outpoint_txid=body.unsigned_txid, outpoint_vout=CHANGE_VOUT, outpoint_sat=body.change_sat),
    )
    BATCHES.put(day.draft, BatchRow(body, day.height, 0, 0), body.unsigned_txid)
    for item in body.payouts:
        payment = PAYMENTS.get(day.draft, item.payout_id)
        fresh = replace(
            payment,
            left_sat=item.queued_sat,
            sent_sat=payment.sent_sat + item.paid_sat,
            credit_sat=payment.credit_sat + item.credit_sat,
            outputs=payment.outputs + item.outputs,
            batches=(*payment.batches, body.unsigned_txid),
            status="queued" if item.queued_sat else "batched",
        )
        PAYMENTS.put(day.draft, fresh, item.payout_id)
        ADDRESSES_USED.add(day.draft, item.outputs, payment.commitment)
        if not item.queued_sat:
            UNSENT_PAYMENTS.delete(day.draft, payment.height, item.payout_id)


def check_confirm(day: Day, act: Act, body: ConfirmBody) -> None:
    """Raise RuleBroken unless m signers saw a known batch deeper than the ledger knows."""
    row = check_treasury(day.draft)
    batch = BATCHES.find(day.draft, body.unsigned_txid)
    if batch is None:
        what = f"there is no batch {body.unsigned_txid.hex()}"
        raise RuleBroken("batch_unknown", what, "confirm batches of this ledger")
    if body.confirmations <= batch.confirmations:
        what = f"the ledger knows {batch.confirmations} confirmations, the record says {body.confirmations}"
        raise RuleBroken("confirmed_before", what, "send it when the batch has more confirmations")
    check_attested(act, CONFIRM, body, row.signers, row.threshold)


def apply_confirm(day: Day, _act: Act, body: ConfirmBody) -> None:
    """Note the depth; payments all of whose batches are mined are confirmed."""
    batch = BATCHES.get(day.draft, body.unsigned_txid)
    BATCHES.put(
        day.draft, BatchRow(batch.body, batch.height, body.confirmations, body.block_height), body.unsigned_txid
    )
    for item in batch.body.payouts:
        payment = PAYMENTS.get(day.draft, item.payout_id)
        mined = all(BATCHES.get(day.draft, txid).confirmations > 0 for txid in payment.batches)
        if payment.status == "batched" and mined:
            PAYMENTS.put(day.draft, replace(payment, status="confirmed"), item.payout_id)


# ---- Invariants ---------------------------------------------------------
def broken_invariants(draft: Draft) -> Iterator[str]:
    """Yield a sentence for each payment whose parts do not sum to its amount or that no index finds."""
    used = Counter[bytes]()
    listed = unsent = 0
    for row in PAYMENTS.scan(draft):
        if row.left_sat + row.sent_sat + row.credit_sat != row.amount_sat:
            yield f"payout {row.payment_id.hex()} does not sum to {row.amount_sat} sat"
        used[row.commitment] += row.outputs
        listed += PAYMENTS_OF.find(draft, row.claim, row.height, row.payment_id) is not None
        unsent += (UNSENT_PAYMENTS.find(draft, row.height, row.payment_id) is not None) == (row.left_sat > 0)
    payments = sum(1 for _ in PAYMENTS.scan(draft))
    if not listed == unsent == payments == sum(1 for _ in PAYMENTS_OF.scan(draft)):
        yield f"of {payments} payments {listed} are listed by claim, and {unsent} rightly among those to send or not"
    wrong = [name for name, outputs in sorted(used.items()) if ADDRESSES_USED.value(draft, name) != outputs]
    if wrong or sum(row.value for row in ADDRESSES_USED.scan(draft)) != used.total():
        yield "the numbers of addresses used are not those of the payments"
