"""The treasury job of a signer's daemon, under a supervisor.

A fault in it, or a bitcoin engine that is away, never costs the node its place: the job starts again by itself.
"""

from __future__ import annotations

import importlib
from dataclasses import KW_ONLY, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import structlog
import trio

from ledger.chain import Chain
from node.faults import cause_of, is_fatal
from node.p2p.network import Network
from node.pool.blobs import AddressListStore
from node.pool.intake import Look
from wallet.keys import KeyRing

if TYPE_CHECKING:
    from node.treasury.host import Submit, TreasuryHost
    from node.treasury.job import TreasuryJob

log: Any = structlog.get_logger("mutua.daemon")

RESTART_S = 5.0


@dataclass(eq=False, slots=True)
class TreasurySupervisor:
    """Runs the job for ever. Its libraries are loaded in a thread, after the node is up."""

    chain: Chain
    network: Network
    blobs: AddressListStore
    keys: KeyRing
    submit: Submit
    look: Look
    _: KW_ONLY
    journal: Path
    bitcoin_socket: Path
    host: TreasuryHost | None = field(default=None, init=False)
    job: TreasuryJob | None = field(default=None, init=False)
    _fault: str | None = field(default=None, init=False)

    @property
    def last_error(self) -> str | None:
        """Why the last step failed; None after a good one."""
        return self._fault if self.job is None else self.job.last_error

    @property
    def has_worked(self) -> bool:
        """True once the job made a pass to its end."""
        return self.job is not None and self.job.has_worked

    async def run(self) -> None:
        """Work until cancelled; only a fault of this node's own disk or ledger gets out."""
        while True:
            try:
                await self._run_job()
            except Exception as group:
                error = cause_of(group)
                if is_fatal(error):
                    raise
                self._fault = str(error)
                log.exception("treasury_failed", error=str(error), hint="starts again by itself")
            self.job = None
            await trio.sleep(RESTART_S)

    async def _run_job(self) -> None:
        await trio.to_thread.run_sync(importlib.import_module, "wallet.transactions")
        from node.sandbox.regtest.client import RegtestClient
        from node.treasury.host import TreasuryHost
        from node.treasury.job import SignerSecrets, TreasuryJob

        keys = self.keys
        self.host = TreasuryHost(self.chain, self.network, self.blobs, keys.device_key, self.submit, look=self.look)
        secrets = SignerSecrets(keys.device_seed, keys.bitcoin_secret, self.chain.chain_id)
        self.job = TreasuryJob(self.host, RegtestClient(self.bitcoin_socket), secrets, self.journal)
        await self.job.run()

    def receive(self, peer: bytes, data: bytes) -> None:
        """Hand a frame of another signer to the job; frames of others are dropped."""
        index = None if self.host is None else self.host.index_of(peer)
        if index is not None and self.job is not None:
            self.job.receive(index, data)

    async def note_final(self) -> list[bytes]:
        """Wake the job after a block; return the address lists that are due for payment and missing here."""
        if self.job is None or self.host is None:
            return []
        self.job.wake()
        return await self.host.missing_lists()
