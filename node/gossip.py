"""How records spread: bundles to every peer, and a comparison of what waits where, so that no loss matters.

A record leaves in a bundle with others (one bundle per tick at most). The author's node sends it to all its peers; peers do not
pass it on at once: a digest of waiting ids goes to one random peer every few seconds and both sides fill their gaps (set
reconciliation), which also serves nodes that are not connected to the author. Blobs (sealed payout addresses) travel with the record that
commits to them, and are asked for by hash when they are missing.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Protocol

import structlog
import trio

from ledger.errors import MalformedBytes, MutuaError
from ledger.hashing import tagged_hash
from ledger.records import SignedRecord, check_record_shape, is_body_of, is_record_signed, record_id_of
from ledger.store import Store
from node.mempool import Mempool
from node.p2p.network import Channel, Network
from node.wire import (
    BUNDLE_BYTES_MAX,
    BUNDLE_RECORDS_MAX,
    DIGEST_ID_SIZE,
    DIGEST_IDS_MAX,
    Bundle,
    Digest,
    Want,
    encode_message,
)

log = structlog.get_logger("mutua.gossip")

BLOB_PREFIX = b"o/"
THREAD_FROM_RECORDS = 4
"""From so many records on, verification goes to a thread (a thread hop costs about two verifications)."""


def blob_hash_of(blob: bytes) -> bytes:
    """Return the commitment that a claim names for its sealed payout addresses."""
    return tagged_hash("sealed-addresses", blob)


class Blobs:
    """Content-addressed sealed blobs in the store, under `o/`."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def get(self, commitment: bytes) -> bytes | None:
        """Return the blob with this hash."""
        return self._store.get(BLOB_PREFIX + commitment)

    def add(self, blobs: Iterable[bytes]) -> None:
        """Keep blobs durably; what is there already is not written again."""
        batch = {key: blob for blob in blobs if self._store.get(key := BLOB_PREFIX + blob_hash_of(blob)) is None}
        if batch:
            self._store.write(batch)


class LedgerView(Protocol):
    """What gossip needs to know of the ledger."""

    chain_id: bytes

    def is_final(self, record_id: bytes) -> bool:
        """True when a block holds the record."""
        ...

    def commitments_of(self, signed: SignedRecord) -> Sequence[bytes]:
        """Return the hashes of the blobs that a record commits to."""
        ...

    @property
    def height(self) -> int:
        """The newest final height."""
        ...


class Gossip:
    """The records and blobs of this node, and their way to and from the peers."""

    def __init__(
        self, network: Network, mempool: Mempool, blobs: Blobs, ledger: LedgerView, *, tick_s: float, digest_every_s: float,
        choose_peer: Callable[[Sequence[bytes]], bytes], on_fresh: Callable[[], Awaitable[None]],
    ) -> None:  # fmt: skip
        self._network = network
        self._mempool = mempool
        self._blobs = blobs
        self._ledger = ledger
        self._tick_s = tick_s
        self._digest_every_s = digest_every_s
        self._choose_peer = choose_peer
        self._on_fresh = on_fresh
        self._outgoing: list[SignedRecord] = []

    async def run(self) -> None:
        """Flush bundles and compare digests until cancelled."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._flush_loop)
            nursery.start_soon(self._digest_loop)

    async def accept_own(self, signed: SignedRecord, blobs: Sequence[bytes]) -> None:
        """Keep this node's own checked record durably, then queue it for the peers."""
        await trio.to_thread.run_sync(self._keep, [signed], list(blobs))
        self._outgoing.append(signed)
        await self._on_fresh()

    async def accept_bundle(self, peer: bytes, bundle: Bundle) -> None:
        """Verify a peer's bundle and keep what is new. MalformedBytes: the peer is to be struck."""
        fresh: list[SignedRecord] = []
        for signed in bundle.records:
            check_record_shape(signed.record, self._ledger.chain_id)
            if not is_body_of(signed.record, signed.body):
                raise MalformedBytes("record_body", "a record came with another body", "send the body the author signed")
            record_id = record_id_of(signed.record)
            late = signed.record.valid_until_height <= self._ledger.height
            if record_id in self._mempool or late or self._ledger.is_final(record_id):
                continue
            fresh.append(signed)
        if len(fresh) >= THREAD_FROM_RECORDS:
            is_good = await trio.to_thread.run_sync(_all_signed, fresh)
        else:
            is_good = _all_signed(fresh)
        if not is_good:
            raise MalformedBytes("record_signature", "a record's signature does not verify", "send it as its author signed it")
        wanted = {commitment for signed in fresh for commitment in self._ledger.commitments_of(signed)}
        blobs = [blob for blob in bundle.blobs if blob_hash_of(blob) in wanted or self._is_missing(blob_hash_of(blob))]
        if fresh or blobs:
            try:
                await trio.to_thread.run_sync(self._keep, fresh, blobs)
            except MutuaError as error:
                log.warning("bundle_not_kept", code=error.code, records=len(fresh))
                return
        missing = tuple(sorted(c for c in wanted if self._blobs.get(c) is None))
        if missing:
            self._network.send(peer, Channel.RECORDS, encode_message(Want((), missing[:256])))
        if fresh:
            await self._on_fresh()

    def answer_digest(self, peer: bytes, digest: Digest) -> None:
        """Send what the peer lacks and ask for what it has more than we."""
        theirs = set(digest.ids)
        ours = {record_id[:DIGEST_ID_SIZE]: record_id for record_id in self._mempool.ids()}
        self._send_records(peer, [record_id for short, record_id in ours.items() if short not in theirs])
        unknown = tuple(sorted(short for short in theirs - ours.keys()))
        if unknown:
            self._network.send(peer, Channel.RECORDS, encode_message(Want(unknown, ())))

    def answer_want(self, peer: bytes, want: Want) -> None:
        """Send the waiting records and blobs that a peer asks for."""
        asked = set(want.ids)
        self._send_records(peer, [record_id for record_id in self._mempool.ids() if record_id[:DIGEST_ID_SIZE] in asked])
        blobs = [blob for commitment in want.blobs[:256] if (blob := self._blobs.get(commitment)) is not None]
        if blobs:
            self._network.send(peer, Channel.RECORDS, encode_message(Bundle((), tuple(blobs))))

    def ask_blobs(self, commitments: Sequence[bytes]) -> None:
        """Ask every peer for blobs that are missing here."""
        if commitments:
            self._wanted_blobs = set(commitments)
            self._network.broadcast(Channel.RECORDS, encode_message(Want((), tuple(commitments[:256]))))

    _wanted_blobs: set[bytes] = set()  # noqa: RUF012 - replaced, never mutated

    def _is_missing(self, commitment: bytes) -> bool:
        return commitment in self._wanted_blobs and self._blobs.get(commitment) is None

    def _keep(self, records: list[SignedRecord], blobs: list[bytes]) -> None:
        self._blobs.add(blobs)
        if records:
            self._mempool.add(records)

    async def _flush_loop(self) -> None:
        while True:
            await trio.sleep(self._tick_s)
            if self._outgoing:
                outgoing, self._outgoing = self._outgoing, []
                for payload in self._bundles_of(outgoing):
                    self._network.broadcast(Channel.RECORDS, payload)

    async def _digest_loop(self) -> None:
        while True:
            await trio.sleep(self._digest_every_s)
            peers = self._network.connected()
            if peers:
                ids = tuple(sorted(record_id[:DIGEST_ID_SIZE] for record_id in self._mempool.ids()[:DIGEST_IDS_MAX]))
                self._network.send(self._choose_peer(peers), Channel.RECORDS, encode_message(Digest(ids)))

    def _send_records(self, peer: bytes, record_ids: Sequence[bytes]) -> None:
        records = [signed for record_id in record_ids if (signed := self._mempool.get(record_id)) is not None]
        for payload in self._bundles_of(records):
            self._network.send(peer, Channel.RECORDS, payload)

    def _bundles_of(self, records: Sequence[SignedRecord]) -> list[bytes]:
        """Cut records into bundles within the bounds, each with the blobs its records commit to."""
        payloads: list[bytes] = []
        part: list[SignedRecord] = []
        blobs: list[bytes] = []
        size = 0
        for signed in records:
            own = [blob for c in self._ledger.commitments_of(signed) if (blob := self._blobs.get(c)) is not None]
            weight = len(signed.body.data) + 600 + sum(len(blob) for blob in own)
            if part and (size + weight > BUNDLE_BYTES_MAX or len(part) >= BUNDLE_RECORDS_MAX):
                payloads.append(encode_message(Bundle(tuple(part), tuple(blobs))))
                part, blobs, size = [], [], 0
            part.append(signed)
            blobs.extend(own)
            size += weight
        if part:
            payloads.append(encode_message(Bundle(tuple(part), tuple(blobs))))
        return payloads


def _all_signed(records: Sequence[SignedRecord]) -> bool:
    return all(is_record_signed(signed.record) for signed in records)
