"""What the daemon offers the treasury job: the newest final state, and a way to the other signers."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import structlog

from governance.kinds import decode_body
from ledger.chain import Chain
from ledger.codec import Shape
from ledger.records import Attestation
from node.p2p.network import Channel, Network
from node.pool.blobs import AddressListStore
from node.treasury.plan import DuePayout, OpenBatch, Policy
from node.treasury.protocols import Signer
from node.treasury.view import LedgerTreasury, index_of, signers_of
from wallet.transactions import Outpoint

log: Any = structlog.get_logger("mutua.treasury")

Submit = Callable[[str, Shape, tuple[Attestation, ...]], Awaitable[bytes]]


class DaemonTreasuryHost:
    """`node.treasury.protocols.TreasuryHost` over this node's ledger and network."""

    def __init__(
        self, chain: Chain, network: Network, blobs: AddressListStore, own_device_key: bytes, submit: Submit
    ) -> None:
        self._chain = chain
        self._network = network
        self._blobs = blobs
        self._submit = submit
        self._ledger = LedgerTreasury(chain.state)
        self._signers = signers_of(chain.charter)
        self._transport = [founder.transport_key for founder in chain.charter.founders if founder.bitcoin_key]
        index = index_of(self._signers, own_device_key)
        assert index is not None, "the job runs at signers only"
        self._index = index

    @property
    def signer_index(self) -> int:
        """Return this node's place in `signers`."""
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
        """The figures in force."""
        return self._ledger.policy()

    @property
    def network(self) -> str:
        """The bitcoin network."""
        return self._chain.charter.treasury.network

    def height(self) -> int:
        """The ledger's newest final height."""
        return self._chain.height

    def outpoint(self) -> Outpoint | None:
        """The treasury outpoint, which the next batch spends."""
        return self._ledger.outpoint()

    async def payouts_due(self) -> Sequence[DuePayout]:
        """Payments with something left to send, oldest first."""
        return self._ledger.payouts_due()

    async def open_batches(self) -> Sequence[OpenBatch]:
        """Batches on the ledger without a confirmation, oldest first."""
        return self._ledger.open_batches()

    def blob(self, commitment: bytes) -> bytes | None:
        """A sealed address list, if it has arrived."""
        return self._blobs.get(commitment)

    async def send(self, signer_index: int, data: bytes) -> None:
        """Send bytes to one signer; lost silently when it is away."""
        self._network.send(self._transport[signer_index], Channel.SIGNERS, data)

    async def broadcast(self, data: bytes) -> None:
        """Send bytes to all other signers."""
        for index in range(len(self._transport)):
            if index != self._index:
                await self.send(index, data)

    async def submit(self, kind: str, body: bytes, attestations: tuple[Attestation, ...]) -> None:
        """Put a record of this node into its mempool."""
        await self._submit(kind, decode_body(kind, body), attestations)

    def event(self, name: str, **fields: Any) -> None:
        """Log an event."""
        log.info(name, **fields)

    def index_of(self, transport_key: bytes) -> int | None:
        """Return the signer behind a peer."""
        return self._transport.index(transport_key) if transport_key in self._transport else None
