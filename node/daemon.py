"""The daemon: one process, one owned nursery, and the wiring between ledger, consensus, network, treasury and local API.

Every task is started by `Daemon.run` and ends with it. "Accepted" is said after the record is on disk, "final" after the block's batch
is synced. The ledger of another chain, a broken vote log, a second daemon on the folder: each stops the start with one clear error.
"""

from __future__ import annotations

import fcntl
import os
import signal
from collections.abc import Mapping, Sequence
from hashlib import sha256
from pathlib import Path
from typing import IO, Any

import structlog
import trio

from consensus.committee import committee_hash
from governance.events import event_json
from ledger.chain import CHARTER_KEY, Chain
from ledger.codec import Shape, decode
from ledger.errors import MalformedBytes, MutuaError
from ledger.genesis import Charter, chain_id_of
from ledger.leveldb import LevelDB
from ledger.records import Attestation, SignedRecord
from ledger.selftest import check_signatures
from node import wire
from node.clock import choose, now_ms
from node.driver import Driver, Ledger, Seat, vote_log_path
from node.facade import Facade
from node.gossip import Blobs, Gossip
from node.ledgerside import LedgerSide, committee_of
from node.mempool import Mempool
from node.p2p.network import Channel, Network
from node.producer import Candidate, Proposer
from node.rules import genesis_rows
from node.signing import Pen
from node.sync import BlockSync
from node.viewing import read_view
from node.votes import VoteLog
from wallet.keys import KeyRing

log = structlog.get_logger("mutua.daemon")

GOSSIP_TICK_DAY_S = 2.0
DIGEST_EVERY_S = 5.0
MEMPOOL_FOLDER = "mempool"
LEDGER_FOLDER = "ledger"


def lock_folder(folder: Path) -> IO[bytes]:
    """Take the folder for this process until it ends. MutuaError `folder_in_use` when another daemon has it."""
    handle = (folder / "lock").open("ab")
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        handle.close()
        raise MutuaError("folder_in_use", f"another daemon runs on {folder}", "stop it with mutua stop, or use its own folder") from None
    handle.truncate(0)
    handle.write(str(os.getpid()).encode())
    handle.flush()
    return handle


def load_charter(folder: Path) -> Charter:
    """Return the sealed charter of a data folder. MutuaError `charter_missing` or MalformedBytes."""
    path = folder / "charter.bin"
    if not path.exists():
        raise MutuaError("charter_missing", f"{folder} holds no charter", "run mutua init --charter FILE with the sealed charter of your co-op")
    return decode(Charter, path.read_bytes())


def open_chain(folder: Path, charter: Charter) -> Chain:
    """Open the ledger of a data folder, or make it with block 0."""
    store = LevelDB(folder / LEDGER_FOLDER, create=True)
    if store.get(CHARTER_KEY) is not None:
        return Chain.open(store, chain_id_of(charter))
    # An empty store is a first start, or a crash before block 0 was written: that batch is all or nothing.
    return Chain.create(store, charter, genesis_rows(charter), committee_hash=committee_hash(committee_of(charter)))


class Daemon:
    """One node. Build it with an unlocked key ring; `run` works until `stop`."""

    def __init__(self, folder: Path, keys: KeyRing, *, listen: str | None, bitcoin_socket: Path | None, guests: Sequence[bytes] = ()) -> None:
        check_signatures()
        self.folder = folder
        self.keys = keys
        self.charter = load_charter(folder)
        self.chain = open_chain(folder, self.charter)
        self.mempool_store = LevelDB(folder / MEMPOOL_FOLDER, create=True)
        self.mempool = Mempool(self.mempool_store)
        self.blobs = Blobs(self.mempool_store)
        self.ledger = LedgerSide(self.chain, self.mempool, keys.consensus_key, self._on_final)
        self.founder = next((item for item in self.charter.founders if item.identity_key == keys.identity_key), None)
        self._guests = frozenset(guests)
        self._book = {item.transport_key: item.address for item in self.charter.founders}
        address = listen or (self.founder.address if self.founder else "/ip4/127.0.0.1/tcp/0")
        self.network = Network(
            transport_seed=keys.transport_seed, listen=address, chain_id=self.chain.chain_id, members=self._is_admitted,
            peers=lambda: self._book, on_frame=self._on_frame, on_peer_up=self._on_peer_up, clock_ms=now_ms,
        )  # fmt: skip
        interval_s = self.charter.block_interval_ms / 1000
        self.gossip = Gossip(
            self.network, self.mempool, self.blobs, self.ledger, tick_s=min(GOSSIP_TICK_DAY_S, interval_s / 20),
            digest_every_s=DIGEST_EVERY_S, choose_peer=choose, on_fresh=self._on_fresh,
        )  # fmt: skip
        self.sync = BlockSync(self.network, self.ledger, choose_peer=choose, clock=trio.current_time)
        self.votes = VoteLog(vote_log_path(folder), sha256(keys.consensus_key).digest())
        self.driver = Driver(self._driver_ledger(), self.network, self.votes, self._seat())
        self.pen = Pen(keys, self.chain, self.mempool)
        self.treasury: Any = None
        self.treasury_host: Any = None
        self._bitcoin_socket = bitcoin_socket
        self._stop = trio.Event()
        self.facade = Facade(self)

    # ---- Running --------------------------------------------------------------

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Work until stopped. The API answers before the first peer is met."""
        from node.api.server import serve

        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._signals)
                await nursery.start(serve, self.facade, self.folder / "api.sock")
                address = await nursery.start(self.network.run)
                log.info("node_started", height=self.chain.height, listen=address, member=self.founder is not None)
                nursery.start_soon(self.gossip.run)
                nursery.start_soon(self.sync.run)
                nursery.start_soon(self.driver.run)
                if self.founder is not None and self.founder.bitcoin_key and self._bitcoin_socket is not None:
                    nursery.start_soon(self._run_treasury)
                task_status.started()
                await self._stop.wait()
                nursery.cancel_scope.cancel()
        finally:
            self.votes.close()
            self.chain.store.close()
            self.mempool_store.close()
            log.info("node_stopped", height=self.chain.height)

    def stop(self) -> None:
        """Ask the daemon to end."""
        self._stop.set()

    async def _signals(self) -> None:
        with trio.open_signal_receiver(signal.SIGTERM, signal.SIGINT) as received:
            async for _ in received:
                self.stop()

    async def _run_treasury(self) -> None:
        """The signer's job; its libraries are loaded in a thread, after the node is up."""
        await trio.to_thread.run_sync(_import_treasury)
        from node.jobs.treasury import SignerSecrets, TreasuryJob
        from node.regtest.client import RegtestClient
        from node.treasury_host import DaemonTreasuryHost

        assert self._bitcoin_socket is not None
        host = DaemonTreasuryHost(self.chain, self.network, self.blobs, self.keys.device_key, self.submit)
        secrets = SignerSecrets(self.keys.device_seed, self.keys.bitcoin_secret, self.chain.chain_id)
        self.treasury_host = host
        self.treasury = TreasuryJob(host, RegtestClient(self._bitcoin_socket), secrets, self.folder / "treasury.journal")
        await self.treasury.run()

    # ---- Records of this node ---------------------------------------------------

    async def submit(self, kind: str, body: Shape, attestations: tuple[Attestation, ...] = (), blobs: Sequence[bytes] = ()) -> bytes:
        """Sign, check against the newest state, keep durably, spread. Returns the record id; RuleBroken says why not."""
        signed = self.pen.sign(kind, body, attestations)
        return await self.accept(signed, blobs)

    async def accept(self, signed: SignedRecord, blobs: Sequence[bytes] = ()) -> bytes:
        """Check and keep a signed record of this node."""
        from governance.transition import BlockContext, check_act
        from ledger.records import record_id_of
        from node.rules import act_of

        context = BlockContext(height=self.chain.height + 1, randomness=self.chain.tip.header.randomness)
        check_act(self.chain.state, context, act_of(signed.record, signed.body))
        await self.gossip.accept_own(signed, blobs)
        return record_id_of(signed.record)

    # ---- Peers --------------------------------------------------------------------

    def _is_admitted(self, key: bytes) -> bool:
        return key in self._book or key in self._guests

    async def _on_peer_up(self, peer: bytes) -> None:
        self.sync.tell(peer)
        self.facade.publish({"event": "peer_up", "height": self.chain.height, "peer": peer.hex()})

    async def _on_frame(self, peer: bytes, channel: Channel, data: bytes) -> None:
        try:
            if channel == Channel.CONSENSUS:
                await self.driver.hear(peer, data)
            elif channel == Channel.SIGNERS:
                index = self.treasury_host.index_of(peer) if self.treasury_host is not None else None
                if index is not None:
                    self.treasury.receive(index, data)
            else:
                await self._on_message(peer, wire.decode_message(data))
        except MalformedBytes as error:
            self.network.strike(peer, error.code)
        except MutuaError as error:
            log.warning("frame_refused", peer=peer.hex()[:12], code=error.code, what=error.what)

    async def _on_message(self, peer: bytes, message: wire.Message) -> None:
        match message:
            case wire.Tip():
                self.sync.hear_tip(peer, message)
            case wire.Bundle():
                await self.gossip.accept_bundle(peer, message)
            case wire.Digest():
                self.gossip.answer_digest(peer, message)
            case wire.Want():
                self.gossip.answer_want(peer, message)
            case wire.GetBlocks():
                self.sync.answer(peer, message)
            case wire.Blocks():
                await self.sync.hear_blocks(peer, message)
            case wire.GetCandidate():
                block = self.driver.candidate(message.block_hash)
                if block is not None:
                    self.network.send(peer, Channel.SYNC, wire.encode_message(wire.Candidate(block)))
            case wire.Candidate():
                await self.driver.hear_candidate(message.block)

    # ---- Finality -----------------------------------------------------------------

    async def _on_final(self, candidate: Candidate) -> None:
        header = candidate.header
        log.info("block_final", height=header.height, records=header.record_count, events=len(candidate.events))
        await trio.to_thread.run_sync(self.votes.prune, header.height)
        self.sync.tell()
        self.driver.height_moved(header.height)
        for event in candidate.events:
            self.facade.publish(event_json(event))
        self.facade.publish({"event": "block_final", "height": header.height, "hash": candidate.block_hash.hex(), "records": header.record_count})
        if self.treasury is not None:
            self.treasury.wake()
            missing = await self._missing_blobs()
            self.gossip.ask_blobs(missing)

    async def _missing_blobs(self) -> list[bytes]:
        due = await self.treasury_host.payouts_due()
        return sorted({item.commitment for item in due if self.blobs.get(item.commitment) is None})

    async def _on_fresh(self) -> None:
        """New records wait: nothing to do before the slot; a hook for the facade's counters."""

    def _driver_ledger(self) -> Ledger:
        seat = self._seat()

        async def build() -> Candidate:
            assert seat is not None
            return await self.ledger.build(seat.proposer)

        return Ledger(
            chain_id=self.chain.chain_id, height=lambda: self.chain.height, config=self.ledger.config, earliest_ms=self.ledger.earliest_ms,
            build=build, check=self.ledger.check, commit=self.ledger.commit, now_ms=now_ms,
        )  # fmt: skip

    def _seat(self) -> Seat | None:
        index = self.ledger.own_index
        if index is None:
            return None
        onion = self.keys.onion
        return Seat(index, self.keys.consensus_seed, Proposer(index, self.keys.consensus_key, onion.reveal))

    def view(self, name: str, **arguments: str) -> Any:
        """Return a governance view by name, JSON-ready."""
        return read_view(self.chain.state, self.chain.height, name, arguments)


def _import_treasury() -> None:
    import wallet.transactions  # noqa: F401


def main(folder: Path, keys: KeyRing, options: Mapping[str, Any]) -> None:
    """Run a daemon on `folder` until it is stopped."""
    lock = lock_folder(folder)
    try:
        trio.run(_run, folder, keys, options)
    finally:
        lock.close()


async def _run(folder: Path, keys: KeyRing, options: Mapping[str, Any]) -> None:
    daemon = Daemon(
        folder, keys, listen=options.get("listen"), bitcoin_socket=options.get("bitcoin_socket"), guests=options.get("guests", ())
    )
    await daemon.run()


__all__ = ["Daemon", "load_charter", "lock_folder", "main", "open_chain"]
