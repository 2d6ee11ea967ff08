"""The daemon: one process, one owned nursery, and the wiring between ledger, consensus, network, treasury and local API.

Every task is started by `Daemon.run` and ends with it. "Accepted" is said after the record is on disk, "final" after the block's batch
is synced. The ledger of another chain, a port in use, a second daemon on the folder: each stops the start with one clear error, before
anything in the folder is changed. A disk that fails, or a ledger that contradicts itself, ends the daemon wherever it is noticed.
"""

from __future__ import annotations

import errno
import fcntl
import importlib
import os
import signal
import socket
from collections.abc import Mapping, Sequence
from hashlib import sha256
from pathlib import Path
from typing import IO, Any

import structlog
import trio

from consensus.committee import committee_hash
from governance.events import event_json
from governance.state.members import MemberRow
from governance.tables import Draft
from ledger.chain import CHARTER_KEY, Chain
from ledger.codec import Shape, decode, encode
from ledger.errors import MalformedBytes, MutuaError
from ledger.genesis import Charter, chain_id_of
from ledger.leveldb import LevelDB, opened_aside
from ledger.records import Attestation, SignedRecord
from ledger.selftest import check_signatures
from node.agreement.candidates import Candidates
from node.agreement.driver import Driver, Ledger, Seat
from node.agreement.signing_guard import Standing
from node.agreement.vote_log import VoteLog, vote_log_path
from node.api.actions import Actions
from node.api.event_hub import EventHub
from node.api.reads import Reads
from node.api.server import Api, serve
from node.clock import choose, now_ms
from node.execution.apply import genesis_rows
from node.execution.ledger import LedgerSide, committee_of
from node.execution.propose import Candidate, Proposer
from node.faults import cause_of, disk_error, is_fatal
from node.own.auto_accept import AutoAccept, Rulebook
from node.own.dependants import seeds_of
from node.own.hooks import run_hooks, words_of
from node.p2p.network import Channel, Network
from node.pool.blobs import Blobs
from node.pool.intake import Intake
from node.pool.mempool import Mempool
from node.pool.record_signing import Pen, member_of_keys
from node.spread import wire
from node.spread.block_sync import BlockSync
from node.spread.gossip import Gossip
from wallet.keys import KeyRing

log = structlog.get_logger("mutua.daemon")

GOSSIP_TICK_DAY_S = 2.0
DIGEST_EVERY_S = 5.0
MEMPOOL_FOLDER = "mempool"
LEDGER_FOLDER = "ledger"
AUTO_ACCEPT_FILE = "auto-accept.json"
THREAD_FROM_BYTES = 32 * 1024
"""Larger frames are decoded in a thread: nothing that a peer sends may hold up the others."""
ANSWER_PAUSE_S = 0.05
TREASURY_RESTART_S = 5.0


def lock_folder(folder: Path) -> IO[bytes]:
    """Take the folder for this process until it ends. MutuaError `folder_in_use` when another daemon has it, `disk`."""
    try:
        handle = (folder / "lock").open("ab")
    except OSError as error:
        raise disk_error(f"{folder / 'lock'}", error) from error
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        handle.close()
        raise MutuaError(
            "folder_in_use", f"another daemon runs on {folder}", "stop it with mutua stop, or use its own folder"
        ) from None
    try:
        handle.truncate(0)
        handle.write(str(os.getpid()).encode())
        handle.flush()
    except OSError as error:
        handle.close()
        raise disk_error(f"{folder / 'lock'}", error) from error
    return handle


def load_charter(folder: Path) -> Charter:
    """Return the sealed charter of a data folder. MutuaError `charter_missing` or `charter_malformed`."""
    path = folder / "charter.bin"
    try:
        return decode(Charter, path.read_bytes())
    except FileNotFoundError:
        raise MutuaError(
            "charter_missing",
            f"{folder} holds no charter",
            "run mutua init --charter FILE with the sealed charter of your co-op",
        ) from None
    except OSError as error:
        raise disk_error(f"{path}", error) from error
    except MalformedBytes as error:
        hint = "put the sealed charter of your co-op there again and compare its chain id: mutua charter show"
        raise MutuaError("charter_malformed", f"{path} is not a sealed charter ({error.what})", hint) from None


def check_port(listen: str) -> None:
    """Raise MutuaError `port_in_use`, `address_unusable` or `address_malformed` before anything is opened or written."""
    from node.p2p.host import parse_address

    host, port = parse_address(listen)
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        for family, kind, protocol, _, address in found:
            with socket.socket(family, kind, protocol) as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                probe.bind(address)
    except OSError as error:
        is_in_use = error.errno == errno.EADDRINUSE
        what = f"port {port} on {host} is in use" if is_in_use else f"cannot listen on {listen} ({error.strerror})"
        hint = "stop the other program, or change `listen` in config.toml"
        raise MutuaError("port_in_use" if is_in_use else "address_unusable", what, hint) from None


def check_chain(folder: Path, charter: Charter) -> None:
    """Raise MutuaError `other_chain` when the folder's ledger began with another charter. Not a byte is changed."""
    if not (folder / LEDGER_FOLDER / "CURRENT").exists():
        return
    with opened_aside(folder / LEDGER_FOLDER) as store:
        stored = store.get(CHARTER_KEY)
    if stored is not None and stored != encode(charter):
        raise MutuaError(
            "other_chain",
            f"the ledger in {folder} is of another chain than its charter.bin",
            "put that chain's charter back, or use another data folder",
        )


def open_chain(folder: Path, charter: Charter) -> Chain:
    """Open the ledger of a data folder, or make it with block 0."""
    store = LevelDB(folder / LEDGER_FOLDER, create=True)
    if store.get(CHARTER_KEY) is not None:
        return Chain.open(store, chain_id_of(charter))
    # An empty store is a first start, or a crash before block 0 was written: that batch is all or nothing.
    return Chain.create(store, charter, genesis_rows(charter), committee_hash=committee_hash(committee_of(charter)))


class Daemon:
    """One node. Build it with an unlocked key ring; `run` works until `stop`."""

    def __init__(
        self,
        folder: Path,
        keys: KeyRing,
        *,
        listen: str | None,
        bitcoin_socket: Path | None,
        guests: Sequence[bytes] = (),
        api_socket: Path | None = None,
        documents: Path | None = None,
        on_event: str | None = None,
    ) -> None:
        check_signatures()
        if on_event is not None:
            words_of(on_event)
        self.folder = folder
        self.api_socket = api_socket or folder / "api.sock"
        self.documents = documents or folder / "documents"
        self.keys = keys
        self.charter = load_charter(folder)
        self.founder = next((item for item in self.charter.founders if item.identity_key == keys.identity_key), None)
        address = listen or (self.founder.address if self.founder else "/ip4/127.0.0.1/tcp/0")
        check_port(address)
        check_chain(folder, self.charter)
        self.chain = open_chain(folder, self.charter)
        self.mempool_store = LevelDB(folder / MEMPOOL_FOLDER, create=True)
        self.mempool = Mempool(self.mempool_store)
        self.blobs = Blobs(self.mempool_store)
        self.ledger = LedgerSide(self.chain, self.mempool, self.blobs, keys.consensus_key, self._on_final)
        self.ledger.forget_final()
        self._guests = frozenset(guests)
        self._book = {item.transport_key: item.address for item in self.charter.founders}
        self._committee_peers = frozenset(
            item.transport_key for item in self.charter.founders if item.consensus_key in self.ledger.committee
        )
        self.network = Network(
            transport_seed=keys.transport_seed,
            listen=address,
            chain_id=self.chain.chain_id,
            members=self._is_admitted,
            peers=lambda: self._book,
            on_frame=self._on_frame,
            on_peer_up=self._on_peer_up,
            clock_ms=now_ms,
        )
        interval_s = self.charter.block_interval_ms / 1000
        self.gossip = Gossip(
            self.network,
            self.mempool,
            self.blobs,
            self.ledger,
            tick_s=min(GOSSIP_TICK_DAY_S, interval_s / 20),
            digest_every_s=DIGEST_EVERY_S,
            choose_peer=choose,
        )
        self.sync = BlockSync(self.network, self.ledger, choose_peer=choose, clock=trio.current_time)
        seat = self._seat()
        self.votes = VoteLog(
            vote_log_path(folder), sha256(keys.consensus_key).digest(), is_first_start=self.chain.height == 0
        )
        self.standing = (
            None
            if seat is None
            else Standing(self.votes, len(self.ledger.committee), lambda: self.chain.height, trio.current_time)
        )
        self.driver = Driver(
            self._driver_ledger(),
            self.network,
            self.votes,
            seat=seat,
            standing=self.standing,
            candidates=Candidates(self.mempool_store),
            choose_peer=choose,
        )
        self.pen = Pen(keys, self.chain, self.mempool)
        self.treasury: Any = None
        self.treasury_host: Any = None
        self.treasury_error: str | None = None
        self.bitcoin_socket = bitcoin_socket
        self._on_event = on_event
        self._stop = trio.Event()
        self._failure: BaseException | None = None
        self.intake = Intake(
            self.chain, self.mempool, self.ledger, self.gossip, pen=self.pen, authors=self._own_authors, fail=self.fail
        )
        rulebook = Rulebook(
            folder / AUTO_ACCEPT_FILE, self.chain.chain_id, frozenset({keys.identity_key, keys.device_key})
        )
        self.auto = AutoAccept(
            rulebook,
            self.chain.state,
            height=lambda: self.chain.height,
            member=self._member_key,
            is_syncing=lambda: self.sync.is_syncing,
            look=self.ledger.look,
            submit=self.submit,
        )
        reads = Reads(self)
        self.hub = EventHub()
        self.api = Api(reads, Actions(self, reads), self.hub)

    # ---- Running --------------------------------------------------------------

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Work until stopped. The API answers before the first peer is met."""
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._signals)
                await nursery.start(serve, self.api, self.api_socket)
                address = await nursery.start(self.network.run)
                log.info("node_started", height=self.chain.height, listen=address, member=self.member() is not None)
                nursery.start_soon(self.gossip.run)
                nursery.start_soon(self.sync.run)
                nursery.start_soon(self.driver.run)
                nursery.start_soon(self.auto.run)
                if self._on_event:
                    nursery.start_soon(self._hooks_for_ever, self._on_event)
                if self.founder is not None and self.founder.bitcoin_key and self.bitcoin_socket is not None:
                    nursery.start_soon(self._treasury_for_ever, self.bitcoin_socket)
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
        with trio.open_signal_receiver(signal.SIGTERM, signal.SIGINT) as received:
            async for _ in received:
                self.stop()

    async def _hooks_for_ever(self, command: str) -> None:
        """Run the member's command for each event; a subscription that fell too far behind is begun anew."""
        while True:
            await run_hooks(self.hub.events, command)
            log.warning("hook_too_slow", hint="make the command of on_event faster")

    async def _treasury_for_ever(self, bitcoin_socket: Path) -> None:
        """The signer's job under a supervisor.

        A fault in it, or a bitcoin engine that is away, never costs the node its place.
        """
        while True:
            try:
                await self._run_treasury(bitcoin_socket)
            except Exception as group:
                error = cause_of(group)
                if is_fatal(error):
                    raise
                self.treasury_error = str(error)
                log.exception("treasury_failed", error=str(error), hint="starts again by itself")
            self.treasury = None
            await trio.sleep(TREASURY_RESTART_S)

    async def _run_treasury(self, bitcoin_socket: Path) -> None:
        """Its libraries are loaded in a thread, after the node is up."""
        await trio.to_thread.run_sync(_import_treasury)
        from node.sandbox.regtest.client import RegtestClient
        from node.treasury.host import DaemonTreasuryHost
        from node.treasury.job import SignerSecrets, TreasuryJob

        host = DaemonTreasuryHost(self.chain, self.network, self.blobs, self.keys.device_key, self.submit)
        secrets = SignerSecrets(self.keys.device_seed, self.keys.bitcoin_secret, self.chain.chain_id)
        self.treasury_host = host
        self.treasury = TreasuryJob(host, RegtestClient(bitcoin_socket), secrets, self.folder / "treasury.journal")
        await self.treasury.run()

    # ---- Records of this node ---------------------------------------------------

    def member(self) -> MemberRow | None:
        """Return the member, present or past, whose keys these are, in the newest state."""
        return member_of_keys(Draft(self.chain.state), self.keys)

    def _member_key(self) -> bytes | None:
        row = self.member()
        return None if row is None else row.key

    def _own_authors(self) -> frozenset[bytes]:
        """Return whose waiting records are this node's own."""
        row = self.member()
        own = () if row is None else (row.key, *seeds_of(Draft(self.chain.state), self.keys))
        return frozenset({self.keys.identity_key, self.keys.cover_key, *own})

    async def submit(
        self, kind: str, body: Shape, attestations: tuple[Attestation, ...] = (), blobs: Sequence[bytes] = ()
    ) -> bytes:
        """Sign, check against the newest state, keep durably, spread.

        Returns the record id; RuleBroken says why not.
        """
        return await self.intake.submit(kind, body, attestations, blobs)

    async def accept(self, signed: SignedRecord, blobs: Sequence[bytes] = ()) -> bytes:
        """Accept a record that this node signed: check it behind what waits of its own, keep it durably, spread it."""
        return await self.intake.accept(signed, blobs)

    # ---- Peers --------------------------------------------------------------------

    def _is_admitted(self, key: bytes) -> bool:
        return key in self._book or key in self._guests

    async def _on_peer_up(self, peer: bytes) -> None:
        self.sync.tell(peer)
        self.hub.publish({"event": "peer_up", "height": self.chain.height, "peer": peer.hex()})

    async def _on_frame(self, peer: bytes, channel: Channel, data: bytes) -> None:
        try:
            if channel == Channel.CONSENSUS:
                await self.driver.hear(peer, data)
            elif channel == Channel.SIGNERS:
                index = self.treasury_host.index_of(peer) if self.treasury_host is not None else None
                if index is not None and self.treasury is not None:
                    self.treasury.receive(index, data)
            elif len(data) >= THREAD_FROM_BYTES:
                await self._on_message(peer, await trio.to_thread.run_sync(wire.decode_message, data), len(data))
            else:
                await self._on_message(peer, wire.decode_message(data), len(data))
        except MalformedBytes as error:
            self.network.strike(peer, error.code)
        except (MutuaError, OSError) as error:
            if is_fatal(error):
                self.fail(error)
                return
            log.warning("frame_refused", peer=peer.hex()[:12], error=str(error))

    async def _on_message(self, peer: bytes, message: wire.Message, size: int) -> None:
        match message:
            case wire.Tip():
                self.sync.hear_tip(peer, message)
                if self.standing is not None and peer in self._committee_peers:
                    self.standing.hear_tip(peer, message.height)
            case wire.Bundle():
                await self.gossip.accept_bundle(peer, message)
            case wire.Digest():
                await self.gossip.answer_digest(peer, message)
            case wire.Want():
                await self.gossip.answer_want(peer, message)
            case wire.GetBlocks():
                await self.sync.answer(peer, message)
            case wire.Blocks():
                self.sync.hear_blocks(peer, message)
            case wire.GetCandidate():
                await self._answer_candidate(peer, message.block_hash)
            case wire.Candidate():
                await self.driver.hear_candidate(peer, message.block, size)
            case wire.AskVotes():
                await trio.sleep(ANSWER_PAUSE_S)
                self.network.send(peer, Channel.SYNC, wire.encode_message(self.driver.votes_of(message.voter)))
            case wire.VotesSeen():
                if peer in self._committee_peers:
                    await self.driver.hear_votes_seen(peer, message)

    async def _answer_candidate(self, peer: bytes, block_hash: bytes) -> None:
        """Send a proposed block; a peer that asks without pause waits for itself only."""
        block = self.driver.candidate(block_hash)
        if block is not None:
            self.network.send(peer, Channel.SYNC, wire.encode_message(wire.Candidate(block)))
        await trio.sleep(ANSWER_PAUSE_S)

    # ---- Finality -----------------------------------------------------------------

    async def _on_final(self, candidate: Candidate) -> None:
        header = candidate.header
        log.info("block_final", height=header.height, records=header.record_count, events=len(candidate.events))
        if self.standing is not None:
            await trio.to_thread.run_sync(self.standing.note_final, header.height)
        await trio.to_thread.run_sync(self.votes.prune, header.height)
        self.sync.tell()
        self.driver.height_moved(header.height)
        self.auto.wake()
        for event in candidate.events:
            self.hub.publish(event_json(event))
        self.hub.publish(
            {
                "event": "block_final",
                "height": header.height,
                "hash": candidate.block_hash.hex(),
                "records": header.record_count,
            }
        )
        treasury = self.treasury
        if treasury is not None:
            treasury.wake()
            self.gossip.ask_blobs(await self._missing_blobs())

    async def _missing_blobs(self) -> list[bytes]:
        due = await self.treasury_host.payouts_due()
        return sorted({item.commitment for item in due if self.blobs.get(item.commitment) is None})

    def _driver_ledger(self) -> Ledger:
        seat = self._seat()

        async def build() -> Candidate:
            assert seat is not None
            return await self.ledger.build(seat.proposer)

        return Ledger(
            chain_id=self.chain.chain_id,
            height=lambda: self.chain.height,
            config=self.ledger.config,
            earliest_ms=self.ledger.earliest_ms,
            build=build,
            check=self.ledger.check,
            commit=self.ledger.commit,
            is_timely=self.ledger.is_timely,
            now_ms=now_ms,
        )

    def _seat(self) -> Seat | None:
        index = self.ledger.own_index
        if index is None:
            return None
        onion = self.keys.onion
        return Seat(index, self.keys.consensus_seed, Proposer(index, self.keys.consensus_key, onion.reveal))


def _import_treasury() -> None:
    importlib.import_module("wallet.transactions")


def main(folder: Path, keys: KeyRing, options: Mapping[str, Any]) -> None:
    """Run a daemon on `folder` until it is stopped.

    Of all errors of its tasks the one that explains the others is raised.
    """
    lock = lock_folder(folder)
    try:
        trio.run(_run, folder, keys, options)
    except BaseExceptionGroup as group:
        raise cause_of(group) from group
    finally:
        lock.close()


async def _run(folder: Path, keys: KeyRing, options: Mapping[str, Any]) -> None:
    daemon = Daemon(
        folder,
        keys,
        listen=options.get("listen"),
        bitcoin_socket=options.get("bitcoin_socket"),
        guests=options.get("guests", ()),
        api_socket=options.get("api_socket"),
        documents=options.get("documents"),
        on_event=options.get("on_event"),
    )
    await daemon.run()


__all__ = ["Daemon", "load_charter", "lock_folder", "main", "open_chain"]
