"""What the daemon offers the treasury job: the newest final state, and a way to the other signers."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import structlog
import trio

from governance.kinds import decode_body
from ledger.chain import Chain
from ledger.codec import Shape
from ledger.records import Attestation
from node.p2p.network import Channel, Network
from node.pool.blobs import AddressListStore
from node.pool.intake import Look
from node.treasury.plan import DuePayout, OpenBatch, Policy
from node.treasury.view import LedgerTreasury, index_of, signers_of
from wallet.transactions import Outpoint

log: Any = structlog.get_logger("mutua.treasury")

Submit = Callable[[str, Shape, tuple[Attestation, ...]], Awaitable[bytes]]


class TreasuryHost:
    """What the job sees and does through this node. Everything read is of the newest final block."""

    def __init__(
        self,
        chain: Chain,
        network: Network,
        blobs: AddressListStore,
        own_device_key: bytes,
        submit: Submit,
        *,
        look: Look,
    ) -> None:
        treasury, signers = chain.charter.treasury, signers_of(chain.charter)
        index = index_of(signers, own_device_key)
        assert index is not None, "the job runs at signers only"
        self.signer_index = index
        """This node's place in `signers`."""
        self.signers = signers
        self.threshold = treasury.threshold
        self.network = treasury.network
        """The bitcoin network, such as "regtest"."""
        self._chain = chain
        self._network = network
        self._blobs = blobs
        self._submit = submit
        self._look = look
        self._reading = trio.Lock()
        self._found: tuple[int, Sequence[DuePayout], Sequence[OpenBatch]] | None = None
        self._ledger = LedgerTreasury(chain.state)
        self._transport = [founder.transport_key for founder in chain.charter.founders if founder.bitcoin_key]

    @property
    def policy(self) -> Policy:
        """The figures in force."""
        return self._ledger.policy()

    def height(self) -> int:
        """The ledger's newest final height."""
        return self._chain.height

    def outpoint(self) -> Outpoint | None:
        """The treasury outpoint, which the next batch spends; None while there is no treasury."""
        return self._ledger.outpoint()

    async def payouts_due(self) -> Sequence[DuePayout]:
        """Payments with something left to send and in no open batch, oldest first."""
        return (await self._read())[0]

    async def open_batches(self) -> Sequence[OpenBatch]:
        """Batches on the ledger without a confirmation, oldest first."""
        return (await self._read())[1]

    async def _read(self) -> tuple[Sequence[DuePayout], Sequence[OpenBatch]]:
        """Read the newest final state, once a block and in a thread: twenty thousand payments may wait to be sent."""
        async with self._reading:
            if self._found is None or self._found[0] != self._chain.height:
                ledger = self._ledger
                self._found = await self._look(
                    lambda: (self._chain.height, ledger.payouts_due(), ledger.open_batches())
                )
            return self._found[1:]

    async def missing_lists(self) -> list[bytes]:
        """Return the address lists that payments wait for and that have not arrived, sorted."""
        names = sorted({item.commitment for item in await self.payouts_due()})
        return await trio.to_thread.run_sync(lambda: [name for name in names if self._blobs.get(name) is None])

    def blob(self, commitment: bytes) -> bytes | None:
        """A sealed address list, if it has arrived."""
        return self._blobs.get(commitment)

    async def send(self, signer_index: int, data: bytes) -> None:
        """Send bytes to one signer; lost silently when it is away."""
        self._network.send(self._transport[signer_index], Channel.SIGNERS, data)

    async def broadcast(self, data: bytes) -> None:
        """Send bytes to all other signers; lost silently for those who are away."""
        for index in range(len(self._transport)):
            if index != self.signer_index:
                await self.send(index, data)

    async def submit(self, kind: str, body: bytes, attestations: tuple[Attestation, ...]) -> None:
        """Put a record of this node into its mempool. A refusal is an error (MutuaError) and changes nothing."""
        await self._submit(kind, decode_body(kind, body), attestations)

    def event(self, name: str, **fields: Any) -> None:
        """Log an event. Never addresses, never secrets."""
        log.info(name, **fields)

    def index_of(self, transport_key: bytes) -> int | None:
        """Return the signer behind a peer."""
        return self._transport.index(transport_key) if transport_key in self._transport else None
