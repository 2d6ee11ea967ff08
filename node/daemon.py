"""The daemon: one process, one nursery, and the wiring between ledger, consensus, network, treasury and local API.

Every task is started by `Daemon.run` and ends with it. "Accepted" is said after the record is on disk, "final" after
the block's batch is synced. A disk that fails, or a ledger that contradicts itself, ends the daemon wherever it is
noticed.
"""

from __future__ import annotations

import signal
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

import structlog
import trio

from governance.events import event_json
from governance.state.members import MemberRow
from governance.tables import Draft
from ledger.codec import Shape
from ledger.leveldb import LevelDB
from ledger.records import Attestation
from ledger.selftest import check_signatures
from node.agreement.candidates import ProposedBlocks
from node.agreement.driver import Driver, Seat
from node.agreement.signing_guard import DoubleSignGuard
from node.agreement.vote_log import VoteLog, vote_log_path
from node.api.actions import Actions
from node.api.event_hub import EventHub
from node.api.reads import Reads
from node.api.server import Api, serve
from node.clock import choose, draw, now_ms
from node.execution.ledger import LedgerService
from node.execution.propose import Proposer
from node.execution.validate import Candidate
from node.faults import cause_of
from node.own.auto_accept import AutoAccept, Rulebook
from node.own.dependants import seeds_of
from node.own.hooks import run_hooks, words_of
from node.p2p.network import Channel, Network
from node.paths import DataFolder, open_to_others
from node.pool.blobs import AddressListStore
from node.pool.intake import Intake, RecordDraft, accepted
from node.pool.mempool import MEMPOOL, Mempool
from node.pool.record_signing import RecordSigner, member_of_keys
from node.spread.block_sync import BlockSync
from node.spread.gossip import Gossip
from node.spread.router import Router
from node.startup import check_chain, check_port, load_charter, lock_folder, open_chain
from node.treasury.supervisor import TreasurySupervisor
from wallet.keys import KeyRing

log = structlog.get_logger("mutua.daemon")

GOSSIP_TICK_DAY_S = 2.0
DIGEST_EVERY_S = 5.0


@dataclass(frozen=True, slots=True)
class Options:
    """Settings that can be chosen for one run; None means the default."""

    listen: str | None = None
    bitcoin_socket: Path | None = None
    guests: tuple[bytes, ...] = ()
    api_socket: Path | None = None
    documents: Path | None = None
    on_event: str | None = None


class Daemon:
    """One node. Build it with an unlocked key ring; `run` works until `stop`."""

    def __init__(self, folder: Path, keys: KeyRing, options: Options) -> None:
        check_signatures()
        if options.on_event is not None:
            words_of(options.on_event)
        self.folder = DataFolder(folder)
        self.api_socket = options.api_socket or self.folder.api_socket
        self.documents = options.documents or self.folder.documents
        self.keys = keys
        self.charter = load_charter(folder)
        self.founder = next((item for item in self.charter.founders if item.identity_key == keys.identity_key), None)
        listen = options.listen or (self.founder.address if self.founder else "/ip4/127.0.0.1/tcp/0")
        check_port(listen)
        check_chain(folder, self.charter)
        self._options = options
        self._stop = trio.Event()
        self._failure: BaseException | None = None
        self.chain = open_chain(folder, self.charter)
        self.mempool_store = LevelDB(self.folder.mempool, create=True, kind=MEMPOOL)
        self.mempool = Mempool(self.mempool_store)
        self.blobs = AddressListStore(self.mempool_store)
        self.ledger = LedgerService(self.chain, self.mempool, self.blobs, keys.consensus_key, self._on_final)
        self.ledger.forget_final()
        self.network = self._new_network(listen)
        self.gossip = self._new_gossip()
        self.sync = BlockSync(self.network, self.ledger, choose_peer=choose, clock=trio.current_time)
        fingerprint = sha256(keys.consensus_key).digest()
        self.votes = VoteLog(vote_log_path(folder), fingerprint, is_first_start=self.chain.height == 0)
        self.driver = self._new_driver()
        self.record_signer = RecordSigner(keys, self.chain, self.mempool)
        self.intake = self._new_intake()
        self.treasury = self._new_treasury()
        self._router = self._new_router()
        self.auto = self._new_auto_accept()
        self.hub = EventHub()
        reads = Reads(self)
        self.api = Api(reads, Actions(self, reads), self.hub)

    # ---- The parts ------------------------------------------------------------

    def _new_network(self, listen: str) -> Network:
        book = {item.transport_key: item.address for item in self.charter.founders}
        admitted = book.keys() | set(self._options.guests)
        return Network(
            transport_seed=self.keys.transport_seed,
            listen=listen,
            chain_id=self.chain.chain_id,
            members=admitted.__contains__,
            peers=lambda: book,
            on_frame=self._on_frame,
            on_peer_up=self._on_peer_up,
            clock_ms=now_ms,
        )

    def _new_gossip(self) -> Gossip:
        parts = (self.network, self.mempool, self.blobs, self.ledger.admission)
        tick_s = min(GOSSIP_TICK_DAY_S, self.charter.block_interval_ms / 1000 / 20)
        return Gossip(*parts, tick_s=tick_s, digest_every_s=DIGEST_EVERY_S, choose_peer=choose)

    def _new_driver(self) -> Driver:
        seat, guard, index, keys = None, None, self.ledger.own_index, self.keys
        if index is not None:
            seat = Seat(index, keys.consensus_seed, Proposer(index, keys.consensus_key, keys.onion.reveal))
            size = len(self.ledger.committee)
            guard = DoubleSignGuard(self.votes, size, lambda: self.chain.height, trio.current_time, draw)
        blocks = ProposedBlocks(self.mempool_store)
        return Driver(self.ledger, self.network, self.votes, blocks, seat=seat, guard=guard, choose_peer=choose)

    def _new_intake(self) -> Intake:
        return Intake(
            self.chain,
            self.mempool,
            self.record_signer,
            admission=self.ledger.admission,
            look=self.ledger.look,
            keep=self.gossip.accept_own,
            authors=self._own_authors,
            fail=self.fail,
        )

    def _new_treasury(self) -> TreasurySupervisor | None:
        """Return the signer's part in the treasury; None for a node that signs no payouts."""
        socket = self._options.bitcoin_socket
        if self.founder is None or not self.founder.bitcoin_key or socket is None:
            return None
        parts = (self.chain, self.network, self.blobs, self.keys, self.submit, self.ledger.look)
        return TreasurySupervisor(*parts, journal=self.folder.treasury_journal, bitcoin_socket=socket)

    def _new_router(self) -> Router:
        parts = (self.network, self.sync, self.gossip, self.driver)
        return Router(*parts, committee=frozenset(self.ledger.seats), hear_signer=self._hear_signer, fail=self.fail)

    def _new_auto_accept(self) -> AutoAccept:
        own_keys = frozenset({self.keys.identity_key, self.keys.device_key})
        return AutoAccept(
            Rulebook(self.folder.auto_accept, self.chain.chain_id, own_keys),
            self.chain.state,
            height=lambda: self.chain.height,
            member=self._member_key,
            is_syncing=lambda: self.sync.is_syncing,
            look=self.ledger.look,
            submit=self.intake.submit,
        )

    # ---- Running --------------------------------------------------------------

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Work until stopped. The API answers before the first peer is met."""
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._signals)
                await nursery.start(serve, self.api, self.api_socket)
                address = await nursery.start(self.network.run)
                log.info("node_started", height=self.chain.height, listen=address, member=self.member() is not None)
                for task in (self.gossip.run, self.sync.run, self.driver.run, self.auto.run):
                    nursery.start_soon(task)
                if self._options.on_event:
                    nursery.start_soon(self._hooks_for_ever, self._options.on_event)
                if self.treasury is not None:
                    nursery.start_soon(self.treasury.run)
                task_status.started()
                await self._stop.wait()
                nursery.cancel_scope.cancel()
            if self._failure is not None:
                raise self._failure
        finally:
            self.votes.close()
            self.ledger.close()
            self.chain.store.close()
            self.mempool_store.close()
            log.info("node_stopped", height=self.chain.height)

    def stop(self) -> None:
        """Ask the daemon to end."""
        self._stop.set()

    def fail(self, error: BaseException) -> None:
        """End the daemon with this error: nothing more is acknowledged."""
        if self._failure is None:
            self._failure = error
            log.error("node_fails", error=type(error).__name__, what=str(error))
        self._stop.set()

    async def _signals(self) -> None:
        ends = [signal.SIGTERM, signal.SIGINT]
        if signal.getsignal(signal.SIGHUP) != signal.SIG_IGN:  # nohup ignores it
            ends.append(signal.SIGHUP)
        with trio.open_signal_receiver(*ends) as received:
            async for _ in received:
                self.stop()

    async def _hooks_for_ever(self, command: str) -> None:
        """Run the member's command for each event; a subscription that fell too far behind is begun again."""
        while True:
            await run_hooks(self.hub.events, command)
            log.warning("hook_too_slow", hint="make the command of on_event faster")

    # ---- Records of this node ---------------------------------------------------

    def member(self) -> MemberRow | None:
        """Return the member, present or past, whose keys these are, in the newest state."""
        return member_of_keys(Draft(self.chain.state), self.keys)

    def _member_key(self) -> bytes | None:
        row = self.member()
        return None if row is None else row.key

    def _own_authors(self) -> frozenset[bytes]:
        """Return the authors whose waiting records are this node's own."""
        row = self.member()
        own = () if row is None else (row.key, *seeds_of(Draft(self.chain.state), self.keys))
        return frozenset({self.keys.identity_key, self.keys.cover_key, *own})

    async def submit(self, kind: str, body: Shape, attestations: tuple[Attestation, ...] = ()) -> bytes:
        """Sign, check, durably store and spread a record. Returns its id; RuleBroken says why not."""
        return accepted(await self.intake.submit([RecordDraft(kind, body, attestations)]))

    # ---- What happens around it -----------------------------------------------------

    async def _on_peer_up(self, peer: bytes) -> None:
        self.sync.tell(peer)
        self.hub.publish({"event": "peer_up", "height": self.chain.height, "peer": peer.hex()})

    async def _on_frame(self, peer: bytes, channel: Channel, data: bytes) -> None:
        await self._router.hear(peer, channel, data)

    def _hear_signer(self, peer: bytes, data: bytes) -> None:
        if self.treasury is not None:
            self.treasury.receive(peer, data)

    async def _on_final(self, candidate: Candidate) -> None:
        header = candidate.header
        log.info("block_final", height=header.height, records=header.record_count, events=len(candidate.events))
        await trio.to_thread.run_sync(self.driver.note_final, header.height)
        self.sync.tell()
        self.driver.height_moved(header.height)
        self.auto.wake()
        if not self.sync.is_syncing:
            await self.ledger.weed()
        for event in candidate.events:
            self.hub.publish(event_json(event))
        block = {"height": header.height, "hash": candidate.block_hash.hex(), "records": header.record_count}
        self.hub.publish({"event": "block_final", **block})
        if self.treasury is not None:
            self.gossip.ask_blobs(await self.treasury.note_final())


def main(folder: Path, keys: KeyRing, options: Options) -> None:
    """Run a daemon on `folder` until it is stopped; raise the one of its errors that explains the others."""
    lock = lock_folder(folder)
    for path, fit in ((folder, "700"), (DataFolder(folder).keys, "600")):
        if path.exists() and (mode := open_to_others(path)):
            log.warning("open_to_others", path=str(path), mode=mode, hint=f"chmod {fit} {path}")
    try:
        trio.run(_run, folder, keys, options)
    except BaseExceptionGroup as group:
        raise cause_of(group) from group
    finally:
        lock.close()


async def _run(folder: Path, keys: KeyRing, options: Options) -> None:
    await Daemon(folder, keys, options).run()
