"""What the daemon offers the treasury job: payouts, batches and the baton as the newest final state has them, and a way to the other signers."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import structlog

from governance.kinds import decode_body
from governance.money.treasury import BATCHES, PAYMENTS, TREASURY, UNSENT
from governance.tables import Draft
from ledger.chain import Chain
from ledger.codec import Shape
from ledger.records import Attestation
from node.gossip import Blobs
from node.jobs.treasury import Signer
from node.jobs.treasury_plan import DuePayout, OpenBatch, Policy
from node.p2p.network import Channel, Network
from wallet.transactions import Outpoint

log = structlog.get_logger("mutua.treasury")


class DaemonTreasuryHost:
    """`node.jobs.treasury.TreasuryHost` over this node's ledger and network."""

    def __init__(
        self, chain: Chain, network: Network, blobs: Blobs, own_device_key: bytes,
        submit: Callable[[str, Shape, tuple[Attestation, ...]], Awaitable[bytes]],
    ) -> None:  # fmt: skip
        founders = [founder for founder in chain.charter.founders if founder.bitcoin_key]
        self._chain = chain
        self._network = network
        self._blobs = blobs
        self._submit = submit
        self._transport = [founder.transport_key for founder in founders]
        self._signers = tuple(Signer(founder.device_key, founder.bitcoin_key) for founder in founders)
        self._index = next(i for i, signer in enumerate(self._signers) if signer.device_key == own_device_key)

    @property
    def signer_index(self) -> int:
        """This node's place in `signers`."""
        return self._index

    @property
    def signers(self) -> Sequence[Signer]:
        """The signers in the order of the charter."""
        return self._signers

    @property
    def threshold(self) -> int:
        """How many signers it takes."""
        return self._chain.charter.treasury.threshold

    @property
    def policy(self) -> Policy:
        """The figures in force: of the charter and of its parameters."""
        params = dict(self._chain.charter.params)
        return Policy(
            fee_sat_per_vb=self._chain.charter.treasury.fee_sat_per_vb,
            crowd_payees=params.get("crowd_payees", 8), crowd_wait=params.get("crowd_wait", 7), outputs_min=params.get("outputs_min", 4),
            confirmations=1 if self.network == "regtest" else 6,
        )  # fmt: skip

    @property
    def network(self) -> str:
        """The bitcoin network."""
        return self._chain.charter.treasury.network

    def height(self) -> int:
        """The ledger's newest final height."""
        return self._chain.height

    def baton(self) -> Outpoint | None:
        """The coin that the next batch spends."""
        row = TREASURY.find(Draft(self._chain.state))
        return None if row is None else Outpoint(row.baton_txid, row.baton_vout, row.baton_sat)

    async def payouts_due(self) -> Sequence[DuePayout]:
        """Payments with something left to send, oldest first."""
        draft = Draft(self._chain.state)
        rows = [PAYMENTS.get(draft, item.value) for item in UNSENT.scan(draft)]
        return [DuePayout(row.payment_id, row.commitment, row.left_sat, row.height, first_output=row.outputs) for row in rows if row.commitment]

    async def open_batches(self) -> Sequence[OpenBatch]:
        """Batches on the ledger without a confirmation, oldest first, each payout as it stood before the batch."""
        draft = Draft(self._chain.state)
        found: list[tuple[int, OpenBatch]] = []
        for batch in BATCHES.scan(draft):
            if batch.confirmations:
                continue
            payouts: list[DuePayout] = []
            for item in batch.body.payouts:
                row = PAYMENTS.get(draft, item.payout_id)
                owed = item.paid_sat + item.queued_sat + item.credit_sat
                payouts.append(DuePayout(row.payment_id, row.commitment, owed, row.height, first_output=row.outputs - item.outputs))
            found.append((batch.height, OpenBatch(batch.body, tuple(payouts))))
        return [opened for _, opened in sorted(found, key=lambda item: item[0])]

    def blob(self, commitment: bytes) -> bytes | None:
        """A sealed address list, if it has arrived."""
        return self._blobs.get(commitment)

    async def send(self, signer_index: int, data: bytes) -> None:
        """Send bytes to one signer; lost silently when it is away."""
        self._network.send(self._transport[signer_index], Channel.SIGNERS, data)

    async def broadcast(self, data: bytes) -> None:
        """Send bytes to all other signers."""
        for index, key in enumerate(self._transport):
            if index != self._index:
                self._network.send(key, Channel.SIGNERS, data)

    async def submit(self, kind: str, body: bytes, attestations: tuple[Attestation, ...]) -> None:
        """Put a record of this node into its mempool."""
        await self._submit(kind, decode_body(kind, body), attestations)

    def event(self, name: str, **fields: Any) -> None:
        """Log an event."""
        log.info(name, **fields)

    def index_of(self, transport_key: bytes) -> int | None:
        """Return the signer behind a peer."""
        return self._transport.index(transport_key) if transport_key in self._transport else None
