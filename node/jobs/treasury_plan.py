"""Which payouts go into a batch, and the transaction that follows from them. Pure: every signer gets the same bytes.

The crowd rule (rules §11): a batch goes out for `crowd_payees` payees, or when the oldest has waited `crowd_wait` blocks,
or when a member asked for "now". Payouts too small for four outputs ride along as credit and make no crowd.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ledger.codec import encode
from ledger.errors import MutuaError
from node.jobs.treasury_messages import PAYEES_MAX, BatchBody, BatchPayout, batch_subject
from wallet.splits import DMIN_SAT, OUTPUTS_MAX, OUTPUTS_MIN, Owed, Split, split_amount
from wallet.transactions import Batch, Outpoint, Payment, Treasury, build_batch


@dataclass(frozen=True, slots=True)
class DuePayout:
    """A payout that the ledger says is due, not in a batch (or queued by one)."""

    payout_id: bytes
    commitment: bytes
    """Name of the sealed address list."""
    amount_sat: int
    """What is still owed, queued parts included."""
    due_height: int
    first_output: int = 0
    """Addresses of the list that earlier batches used up."""
    is_urgent: bool = False
    """The member asked for "now", knowing that a crowd hides better."""


@dataclass(frozen=True, slots=True)
class OpenBatch:
    """A batch on the ledger that is not confirmed: its body, and each payout as it was due."""

    body: BatchBody
    payouts: tuple[DuePayout, ...]
    """The same payouts as in the body, as they stood before the batch (amount owed, addresses used)."""


@dataclass(frozen=True, slots=True)
class Policy:
    """Figures of the charter and of the parameters."""

    fee_sat_per_vb: int
    crowd_payees: int = 8
    crowd_wait: int = 7
    outputs_min: int = OUTPUTS_MIN
    dmin_sat: int = DMIN_SAT
    confirmations: int = 1
    """1 on regtest; 6 where blocks can be reorganised."""


@dataclass(frozen=True, slots=True)
class Plan:
    """A batch ready to be attested: the transaction, and the body of its record."""

    batch: Batch
    body: BatchBody

    @property
    def txid(self) -> bytes:
        """Return the txid all signers must agree on."""
        return self.body.unsigned_txid

    @property
    def subject(self) -> bytes:
        """Return what signers attest."""
        return batch_subject(self.body)

    @property
    def record_body(self) -> bytes:
        """Return the bytes of the record's body."""
        return encode(self.body)


def split_of(payout: DuePayout, policy: Policy, address_count: int = OUTPUTS_MAX) -> Split:
    """Return how a payout is paid, given how many addresses its list has."""
    left = min(OUTPUTS_MAX, address_count - payout.first_output)
    if left < policy.outputs_min:
        return Split(payout.payout_id, (), payout.amount_sat, 0)
    return split_amount(Owed(payout.payout_id, payout.amount_sat), policy.dmin_sat, policy.outputs_min, left)


def is_rider(payout: DuePayout, policy: Policy) -> bool:
    """True iff a payout is too small for outputs: it becomes credit in whatever batch comes next."""
    return payout.amount_sat < policy.outputs_min * policy.dmin_sat


def payable_of(due: Sequence[DuePayout], programs: Mapping[bytes, tuple[bytes, ...]], policy: Policy) -> list[DuePayout]:
    """Return the payouts that can have outputs now, oldest first: list open, addresses left, none used by one before."""
    used: set[bytes] = set()
    found: list[DuePayout] = []
    for payout in sorted(due, key=lambda item: (item.due_height, item.payout_id)):
        addresses = programs.get(payout.commitment)
        if addresses is None:
            continue
        count = len(split_of(payout, policy, len(addresses)).pieces_sat)
        mine = set(addresses[payout.first_output : payout.first_output + count])
        if count and not mine & used:
            used |= mine
            found.append(payout)
    return found


def is_crowd(payable: Sequence[DuePayout], height: int, policy: Policy) -> bool:
    """True iff the crowd rule lets these payouts go out at ledger height `height`."""
    if not payable:
        return False
    is_old = min(payout.due_height for payout in payable) + policy.crowd_wait <= height
    return len(payable) >= policy.crowd_payees or is_old or any(payout.is_urgent for payout in payable)


def choose(due: Sequence[DuePayout], programs: Mapping[bytes, tuple[bytes, ...]], height: int, policy: Policy) -> list[DuePayout]:
    """Return the payouts of the next batch: the crowd, oldest first, with riders filling up; empty when there is no crowd."""
    payable = payable_of(due, programs, policy)[:PAYEES_MAX]
    if not is_crowd(payable, height, policy):
        return []
    riders = sorted((item for item in due if is_rider(item, policy)), key=lambda item: (item.due_height, item.payout_id))
    return payable + riders[: PAYEES_MAX - len(payable)]


def build_plan(
    treasury: Treasury, baton: Outpoint, payouts: Sequence[DuePayout], programs: Mapping[bytes, tuple[bytes, ...]], policy: Policy, *, locktime: int
) -> Plan:
    """Return the plan that pays exactly `payouts`, whatever their order. bitcoinlib works here: call it in a thread.

    Errors: MutuaError `batch_unpayable` when a payout has no open list or no addresses left; those of `build_batch`.
    """
    payments: list[Payment] = []
    rows: list[BatchPayout] = []
    for payout in sorted(payouts, key=lambda item: item.payout_id):
        addresses = programs.get(payout.commitment, ())
        split = split_of(payout, policy, OUTPUTS_MAX + payout.first_output if is_rider(payout, policy) else len(addresses))
        if not split.pieces_sat and not is_rider(payout, policy):
            raise MutuaError("batch_unpayable", f"payout {payout.payout_id.hex()[:16]} has no usable addresses", "leave it out of this batch")
        fresh = addresses[payout.first_output : payout.first_output + len(split.pieces_sat)]
        payments += [Payment(program, piece) for program, piece in zip(fresh, split.pieces_sat, strict=True)]
        rows.append(BatchPayout(payout.payout_id, split.paid_sat, split.queued_sat, split.credit_sat, len(split.pieces_sat)))
    batch = build_batch(treasury, baton, payments, policy.fee_sat_per_vb, locktime)
    body = BatchBody(baton.txid, baton.vout, batch.txid, locktime, batch.fee_sat, batch.change_sat, tuple(rows))
    return Plan(batch, body)


def rebuild_plan(treasury: Treasury, opened: OpenBatch, programs: Mapping[bytes, tuple[bytes, ...]], policy: Policy) -> Plan:
    """Return the plan of a batch that is on the ledger; MutuaError `batch_differs` unless every figure and the txid agree."""
    body = opened.body
    amount_sat = body.fee_sat + body.change_sat + sum(row.paid_sat for row in body.payouts)
    plan = build_plan(treasury, Outpoint(body.baton_txid, body.baton_vout, amount_sat), opened.payouts, programs, policy, locktime=body.locktime)
    if plan.body != body:
        raise MutuaError("batch_differs", f"batch {body.unsigned_txid.hex()[:16]}… on the ledger is not what this signer builds", "do not sign it; ask for an audit")
    return plan
