"""What the treasury job reads of the ledger: governance's rows, in the job's own words. Pure over a state.

`LedgerTreasury` reads for `node.treasury.host`, which adds sending, blobs and submitting.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from governance.state.params import current_version, params_at
from governance.state.treasury import (
    ADDRESSES_USED,
    BATCHES,
    PAYMENTS,
    TREASURY,
    UNSENT_PAYMENTS,
    PaymentRow,
    TreasuryRow,
)
from governance.tables import Draft
from ledger.errors import MutuaError
from ledger.genesis import Charter
from ledger.state import StateReader
from node.treasury.plan import DuePayout, OpenBatch, Policy
from wallet.transactions import Outpoint

OPEN_BATCHES_MAX = 16
"""Batches walked back from the treasury outpoint: with one unconfirmed batch at a time there is one."""
CONFIRMATIONS = {"regtest": 1}
CONFIRMATIONS_ELSEWHERE = 6


@dataclass(frozen=True, slots=True)
class Signer:
    """A treasury signer as the charter names it: the device key attests, the bitcoin key signs."""

    device_key: bytes
    bitcoin_key: bytes


def signers_of(charter: Charter) -> tuple[Signer, ...]:
    """Return the treasury's signers: the founders with a bitcoin key, in the order of the charter."""
    return tuple(Signer(founder.device_key, founder.bitcoin_key) for founder in charter.founders if founder.bitcoin_key)


@dataclass(frozen=True, slots=True)
class LedgerTreasury:
    """A state read as the treasury job reads it."""

    state: StateReader

    def row(self) -> TreasuryRow | None:
        """Return the treasury's row, or None where genesis has none."""
        return TREASURY.find(Draft(self.state))

    def outpoint(self) -> Outpoint | None:
        """Return the treasury outpoint, which the next batch spends."""
        row = self.row()
        return None if row is None else Outpoint(row.outpoint_txid, row.outpoint_vout, row.outpoint_sat)

    def policy(self) -> Policy:
        """Return the figures in force. MutuaError `no_treasury` where genesis has none."""
        draft = Draft(self.state)
        row = TREASURY.find(draft)
        if row is None:
            raise MutuaError("no_treasury", "this co-op has no bitcoin treasury", "name signers in the charter")
        params = params_at(draft, current_version(draft))
        return Policy(
            fee_sat_per_vb=row.fee_sat_per_vb,
            crowd_payees=params.crowd_payees,
            crowd_wait=params.crowd_wait,
            outputs_min=params.outputs_min,
            confirmations=CONFIRMATIONS.get(row.network, CONFIRMATIONS_ELSEWHERE),
        )

    def payouts_due(self) -> list[DuePayout]:
        """Return the payments with something left to send, oldest first."""
        draft = Draft(self.state)
        unsent = [PAYMENTS.get(draft, item.value) for item in UNSENT_PAYMENTS.scan(draft)]
        return [
            _due_of(row, row.left_sat, ADDRESSES_USED.value(draft, row.commitment))
            for row in unsent
            if row.rail == "bitcoin"
        ]

    def open_batches(self) -> list[OpenBatch]:
        """Return the batches not confirmed on the ledger, oldest first, each payout as it was before its batch."""
        draft = Draft(self.state)
        box = TREASURY.find(draft)
        bodies: list[OpenBatch] = []
        later = Counter[bytes]()
        txid = b"" if box is None else box.outpoint_txid
        while len(bodies) < OPEN_BATCHES_MAX:
            batch = BATCHES.find(draft, txid)
            if batch is None or batch.confirmations:
                break
            rows = {item.payout_id: PAYMENTS.get(draft, item.payout_id) for item in batch.body.payouts}
            for item in batch.body.payouts:  # walking back: what this batch used was free before it
                later[rows[item.payout_id].commitment] += item.outputs
            owed = {item.payout_id: item.paid_sat + item.queued_sat + item.credit_sat for item in batch.body.payouts}
            payouts = tuple(
                _due_of(row, owed[name], ADDRESSES_USED.value(draft, row.commitment) - later[row.commitment])
                for name, row in rows.items()
            )
            bodies.append(OpenBatch(batch.body, payouts))
            txid = batch.body.baton_txid
        return bodies[::-1]


def index_of(signers: Sequence[Signer], device_key: bytes) -> int | None:
    """Return this node's place among the signers, or None when it is none."""
    return next((index for index, signer in enumerate(signers) if signer.device_key == device_key), None)


def _due_of(row: PaymentRow, owed_sat: int, first_output: int) -> DuePayout:
    return DuePayout(row.payment_id, row.commitment, owed_sat, row.height, first_output)
