"""Which payouts go into a batch, and the transaction that follows from them. Pure: every signer gets the same bytes.

The anonymity set (rules §11): a batch goes out for `crowd_payees` payees, or when the oldest has waited `crowd_wait`
blocks, or when a member asked for "now". Payouts too small for four outputs ride along as credit and do not count.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from ledger.codec import encode
from ledger.errors import MutuaError
from node.treasury.messages import PAYEES_MAX, BatchBody, BatchPayout, batch_subject
from wallet.splits import DMIN_SAT, OUTPUTS_MAX, OUTPUTS_MIN, Owed, Split, split_amount
from wallet.transactions import Batch, Outpoint, Payment, Treasury, build_batch

Programs = Mapping[bytes, tuple[bytes, ...]]
"""Output programs of each sealed address list, by its name."""


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
    """Addresses of the list that earlier batches used, for whatever payout of the claim."""
    is_urgent: bool = False
    """The member asked for "now", knowing that a larger anonymity set hides better."""


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

    def spends(self, outpoint: Outpoint) -> bool:
        """Return whether the transaction spends this outpoint."""
        return (self.body.baton_txid, self.body.baton_vout) == (outpoint.txid, outpoint.vout)

    @property
    def subject(self) -> bytes:
        """Return what signers attest."""
        return batch_subject(self.body)

    @property
    def record_body(self) -> bytes:
        """Return the bytes of the record's body."""
        return encode(self.body)


def is_too_small(payout: DuePayout, policy: Policy) -> bool:
    """True iff a payout is too small for outputs: it becomes credit in whatever batch comes next."""
    return payout.amount_sat < policy.outputs_min * policy.dmin_sat


@dataclass(frozen=True, slots=True)
class OutputPlan:
    """How one payout is paid in a batch: its split, and an address for each piece."""

    split: Split
    programs: tuple[bytes, ...]


def plan_outputs(payouts: Sequence[DuePayout], programs: Programs, policy: Policy) -> dict[bytes, OutputPlan]:
    """Return each payout's split and addresses, by payout id. Payouts of one claim share one list, in turn."""
    taken: dict[bytes, int] = {}
    found: dict[bytes, OutputPlan] = {}
    for payout in sorted(payouts, key=lambda item: item.payout_id):
        addresses = programs.get(payout.commitment, ())
        start = _next_address(payout.first_output + taken.get(payout.commitment, 0), len(addresses), policy.outputs_min)
        left = min(OUTPUTS_MAX, len(addresses) - start)
        if is_too_small(payout, policy):
            split = Split(payout.payout_id, (), 0, payout.amount_sat)
        elif left < policy.outputs_min:
            split = Split(payout.payout_id, (), payout.amount_sat, 0)
        else:
            split = split_amount(Owed(payout.payout_id, payout.amount_sat), policy.dmin_sat, policy.outputs_min, left)
        count = len(split.pieces_sat)
        found[payout.payout_id] = OutputPlan(split, addresses[start : start + count])
        taken[payout.commitment] = taken.get(payout.commitment, 0) + count
    return found


def _next_address(used: int, count: int, need: int) -> int:
    """Return where a list goes on after `used` addresses; one that is used up starts again, so that money is paid."""
    if count - used >= need or count == 0:
        return used
    return used % count if count - used % count >= need else 0


def payable_of(due: Sequence[DuePayout], programs: Programs, policy: Policy) -> list[DuePayout]:
    """Return the payouts that can have outputs in one batch, oldest first: list open, no address paid twice."""
    found: list[DuePayout] = []
    taken: dict[bytes, bytes] = {}
    """Output program -> the list that pays to it."""
    of_list: dict[bytes, tuple[list[DuePayout], list[bytes]]] = {}
    for payout in sorted(due, key=lambda item: (item.due_height, item.payout_id)):
        name = payout.commitment
        if name not in programs or is_too_small(payout, policy):
            continue
        before, held = of_list.get(name, ([], []))
        allotted = plan_outputs([*before, payout], programs, policy)
        fresh = [program for item in allotted.values() for program in item.programs]
        is_paid_once = len(set(fresh)) == len(fresh) and all(taken.get(program, name) == name for program in fresh)
        if is_paid_once and all(item.programs for item in allotted.values()):
            for program in held:
                del taken[program]
            taken.update(dict.fromkeys(fresh, name))
            of_list[name] = ([*before, payout], fresh)
            found.append(payout)
    return found


def is_anonymity_set_reached(payable: Sequence[DuePayout], height: int, policy: Policy) -> bool:
    """True when these payouts may go out at ledger height `height`: enough payees, an old payout, or an urgent one."""
    if not payable:
        return False
    is_old = min(payout.due_height for payout in payable) + policy.crowd_wait <= height
    return len(payable) >= policy.crowd_payees or is_old or any(payout.is_urgent for payout in payable)


def choose(due: Sequence[DuePayout], programs: Programs, height: int, policy: Policy) -> list[DuePayout]:
    """Return the payouts of the next batch, oldest first, filled up with small ones; none before the set is reached."""
    payable = payable_of(due, programs, policy)[:PAYEES_MAX]
    if not is_anonymity_set_reached(payable, height, policy):
        return []
    small = (item for item in due if is_too_small(item, policy))
    riders = sorted(small, key=lambda item: (item.due_height, item.payout_id))
    return payable + riders[: PAYEES_MAX - len(payable)]


def build_plan(
    treasury: Treasury,
    outpoint: Outpoint,
    payouts: Sequence[DuePayout],
    programs: Programs,
    policy: Policy,
    *,
    locktime: int,
) -> Plan:
    """Return the plan that pays exactly `payouts`. MutuaError `batch_unpayable`. Slow: call it in a thread."""
    allotted = plan_outputs(payouts, programs, policy)
    for payout in payouts:
        if not allotted[payout.payout_id].programs and not is_too_small(payout, policy):
            what = f"payout {payout.payout_id.hex()[:16]} has no usable addresses"
            raise MutuaError("batch_unpayable", what, "leave it out of this batch")
    outputs = (zip(item.programs, item.split.pieces_sat, strict=True) for item in allotted.values())
    payments = [Payment(*output) for pairs in outputs for output in pairs]
    batch = build_batch(treasury, outpoint, payments, policy.fee_sat_per_vb, locktime)
    head = (outpoint.txid, outpoint.vout, batch.txid, locktime, batch.fee_sat, batch.change_sat)
    return Plan(batch, BatchBody(*head, _rows_of(allotted)))


def rebuild_plan(treasury: Treasury, opened: OpenBatch, programs: Programs, policy: Policy) -> Plan:
    """Return the plan of a batch on the ledger. MutuaError `batch_differs` unless every figure and the txid agree."""
    body = opened.body
    amount_sat = body.fee_sat + body.change_sat + sum(row.paid_sat for row in body.payouts)
    outpoint = Outpoint(body.baton_txid, body.baton_vout, amount_sat)
    # The parameter may have changed since: the rows tell what it was.
    for outputs_min in (policy.outputs_min, *range(1, OUTPUTS_MAX + 1)):
        then = replace(policy, outputs_min=outputs_min)
        if _rows_of(plan_outputs(opened.payouts, programs, then)) == body.payouts:
            plan = build_plan(treasury, outpoint, opened.payouts, programs, then, locktime=body.locktime)
            if plan.body == body:
                return plan
    what = f"batch {body.unsigned_txid.hex()[:16]}… on the ledger is not what this signer builds"
    raise MutuaError("batch_differs", what, "do not sign it; ask for an audit")


def _rows_of(allotted: Mapping[bytes, OutputPlan]) -> tuple[BatchPayout, ...]:
    """Return what the record says of each payout, by payout id."""
    splits = (item.split for _, item in sorted(allotted.items()))
    return tuple(
        BatchPayout(split.payout_id, split.paid_sat, split.queued_sat, split.credit_sat, len(split.pieces_sat))
        for split in splits
    )
