"""How records spread: bundles to every peer, and a comparison of what waits where, so that no loss matters.

A record leaves in a bundle with others (one bundle per tick at most). The author's node sends it to all its peers;
peers do not pass it on at once: a digest of waiting ids goes to one random peer every few seconds and both sides fill
their gaps (set reconciliation), which also serves nodes that are not connected to the author. Blobs (sealed payout
addresses) travel with the record that commits to them, and are asked for by hash when they are missing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, field
from functools import partial

import structlog
import trio

from ledger.codec import encode
from ledger.errors import MalformedBytes, MutuaError
from ledger.records import SignedRecord, check_record_shape, is_body_of, is_record_signed, record_id_of
from node.faults import is_fatal
from node.p2p.network import Channel, Network
from node.pool.admission import Admission
from node.pool.blobs import AddressListStore, blob_hash_of
from node.pool.mempool import Mempool
from node.spread import wire

log = structlog.get_logger("mutua.gossip")

THREAD_FROM_RECORDS = 4
"""Verifying this many records or more goes to a thread: a thread hop costs about two verifications."""
OUTGOING_MAX = 20_000
ASKED_BLOBS_MAX = 4_096
LEFT_MAX = 40_000
"""Records left by admission that are remembered until the next block, so that digests do not bring them again."""
COMPARE_EVERY_S = 1.0
WANT_PAUSE_S = 0.02


@dataclass(eq=False, slots=True)
class Gossip:
    """The records and blobs of this node, and their way to and from the peers."""

    network: Network
    mempool: Mempool
    blobs: AddressListStore
    admission: Admission
    _: KW_ONLY
    tick_s: float
    digest_every_s: float
    choose_peer: Callable[[Sequence[bytes]], bytes]
    _outgoing: list[SignedRecord] = field(default_factory=list[SignedRecord], init=False)
    _asked_blobs: frozenset[bytes] = field(default=frozenset(), init=False)
    _left: dict[bytes, int] = field(default_factory=dict[bytes, int], init=False)
    """Short id of a record that may not wait here -> the height at which it was left."""
    _compared_at: dict[bytes, float] = field(default_factory=dict[bytes, float], init=False)

    async def run(self) -> None:
        """Flush bundles and compare digests until cancelled."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._flush_loop)
            nursery.start_soon(self._digest_loop)

    async def accept_own(self, records: Sequence[SignedRecord], blobs: Sequence[bytes]) -> None:
        """Keep this node's own checked records durably, then queue them for the peers. Cancelling loses nothing."""
        fresh = await trio.to_thread.run_sync(partial(self._keep, records, blobs, is_own=True))
        room = max(0, OUTGOING_MAX - len(self._outgoing))  # the digests spread what does not fit here
        self._outgoing += [signed for name in fresh[:room] if (signed := self.mempool.get(name)) is not None]

    async def accept_bundle(self, peer: bytes, bundle: wire.Bundle) -> None:
        """Verify a peer's bundle and keep what is new. MalformedBytes: the peer is to be struck."""
        if len(bundle.records) >= THREAD_FROM_RECORDS:
            fresh = await trio.to_thread.run_sync(self._verified, bundle.records)
        else:
            fresh = self._verified(bundle.records)
        wanted = self._commitments(fresh)
        blobs: list[bytes] = []
        for blob in bundle.blobs:
            commitment = blob_hash_of(blob)
            if commitment in wanted or (commitment in self._asked_blobs and self.blobs.get(commitment) is None):
                blobs.append(blob)
        if fresh or blobs:
            try:
                await trio.to_thread.run_sync(self._keep, fresh, blobs)
            except MutuaError as error:
                if is_fatal(error):
                    raise
                log.warning("bundle_not_kept", peer=peer.hex()[:16], code=error.code, records=len(fresh))
                return
        self._asked_blobs -= {blob_hash_of(blob) for blob in blobs}
        kept = [signed for signed in fresh if record_id_of(signed.record) in self.mempool]
        missing = sorted(commitment for commitment in self._commitments(kept) if self.blobs.get(commitment) is None)
        if missing := missing[: wire.WANT_BLOBS_MAX]:
            self._asked_blobs |= frozenset(missing) if len(self._asked_blobs) < ASKED_BLOBS_MAX else frozenset()
            self.network.send(peer, Channel.RECORDS, wire.encode_message(wire.RecordRequest((), tuple(missing))))

    def _verified(self, records: Sequence[SignedRecord]) -> list[SignedRecord]:
        """Return the records that are new and may wait here, every signature verified."""
        fresh: list[SignedRecord] = []
        for signed in records:
            record = signed.record
            check_record_shape(record, self.admission.chain_id)
            if not is_body_of(record, signed.body):
                what = "a record came with another body"
                raise MalformedBytes("record_body", what, "send the body the author signed")
            record_id = record_id_of(record)
            is_late = self.admission.is_expired(record)
            is_known = record_id in self.mempool or self.admission.is_final(record_id)
            if is_known or self.mempool.is_dropped(record_id):
                continue
            if is_late or not self.admission.may_wait(signed):
                self._leave(record_id)
                continue
            if not is_record_signed(record):
                what = "a record's signature does not verify"
                raise MalformedBytes("record_signature", what, "send it as its author signed it")
            fresh.append(signed)
        return fresh

    def _leave(self, record_id: bytes) -> None:
        """Remember that a record may not wait here as things stand."""
        if len(self._left) >= LEFT_MAX:
            self._left.clear()
        self._left[record_id[: wire.DIGEST_ID_SIZE]] = self.admission.height

    def _is_unwanted(self, short: bytes) -> bool:
        """True for a record that the rules refused for good, or that admission left at this height."""
        return self.mempool.is_dropped(short) or self._left.get(short) == self.admission.height

    async def answer_digest(self, peer: bytes, digest: wire.Digest) -> None:
        """Send what the peer lacks and ask for what is missing here. A peer that compares too often gets no answer."""
        now = trio.current_time()
        if now - self._compared_at.get(peer, -COMPARE_EVERY_S) < COMPARE_EVERY_S:
            return
        self._compared_at[peer] = now
        ours = {record_id[: wire.DIGEST_ID_SIZE]: record_id for record_id in self.mempool.ids()}
        theirs = set(digest.ids)
        unknown = tuple(sorted(short for short in theirs - ours.keys() if not self._is_unwanted(short)))
        if unknown:
            self.network.send(peer, Channel.RECORDS, wire.encode_message(wire.RecordRequest(unknown, ())))
        await self._send_records(peer, [record_id for short, record_id in ours.items() if short not in theirs])

    async def answer_request(self, peer: bytes, request: wire.RecordRequest) -> None:
        """Send the waiting records and blobs that a peer asks for; only it waits when it asks without pause."""
        await trio.sleep(WANT_PAUSE_S)
        asked = set(request.ids)
        if asked:
            found = [record_id for record_id in self.mempool.ids() if record_id[: wire.DIGEST_ID_SIZE] in asked]
            await self._send_records(peer, found)
        if request.blobs:
            for payload in await trio.to_thread.run_sync(self._blob_bundles, request.blobs):
                self.network.send(peer, Channel.RECORDS, payload)

    def _blob_bundles(self, commitments: Sequence[bytes]) -> list[bytes]:
        payloads: list[bytes] = []
        part: list[bytes] = []
        for blob in [found for commitment in commitments if (found := self.blobs.get(commitment)) is not None]:
            if part and sum(map(len, part)) + len(blob) > wire.BUNDLE_BYTES_MAX:
                payloads.append(wire.encode_message(wire.Bundle((), tuple(part))))
                part = []
            part.append(blob)
        return [*payloads, wire.encode_message(wire.Bundle((), tuple(part)))] if part else payloads

    def ask_blobs(self, commitments: Sequence[bytes]) -> None:
        """Ask every peer for blobs that are missing here and due for payment."""
        asked = tuple(commitments[: wire.WANT_BLOBS_MAX])
        if asked:
            self._asked_blobs = frozenset(asked)
            self.network.broadcast(Channel.RECORDS, wire.encode_message(wire.RecordRequest((), asked)))

    def _keep(self, records: Sequence[SignedRecord], blobs: Sequence[bytes], *, is_own: bool = False) -> list[bytes]:
        """Keep records in one write with their blobs, and blobs that were asked for; return the ids that are new."""

        def write(fresh: Sequence[SignedRecord], rows: Mapping[bytes, bytes]) -> None:
            wanted = self._commitments(fresh) | self._asked_blobs
            self.blobs.add((blob for blob in blobs if blob_hash_of(blob) in wanted), rows, is_own=is_own)

        return self.mempool.add(records, write)

    def _commitments(self, records: Sequence[SignedRecord]) -> set[bytes]:
        return {commitment for signed in records for commitment in self.admission.commitments_of(signed)}

    async def _flush_loop(self) -> None:
        while True:
            await trio.sleep(self.tick_s)
            if self._outgoing:
                outgoing, self._outgoing = self._outgoing, []
                for payload in await trio.to_thread.run_sync(self._bundles_of, outgoing):
                    self.network.broadcast(Channel.RECORDS, payload)

    async def _digest_loop(self) -> None:
        while True:
            await trio.sleep(self.digest_every_s)
            peers = self.network.connected()
            if peers:
                waiting = self.mempool.ids()[: wire.DIGEST_IDS_MAX]
                digest = wire.Digest(tuple(sorted(record_id[: wire.DIGEST_ID_SIZE] for record_id in waiting)))
                self.network.send(self.choose_peer(peers), Channel.RECORDS, wire.encode_message(digest))

    async def _send_records(self, peer: bytes, record_ids: Sequence[bytes]) -> None:
        records = [signed for record_id in record_ids if (signed := self.mempool.get(record_id)) is not None]
        if records:
            for payload in await trio.to_thread.run_sync(self._bundles_of, records):
                self.network.send(peer, Channel.RECORDS, payload)

    def _bundles_of(self, records: Sequence[SignedRecord]) -> list[bytes]:
        """Cut records into bundles within the bounds, each with the blobs its records commit to."""
        payloads: list[bytes] = []
        part: list[SignedRecord] = []
        blobs: list[bytes] = []
        size = 0
        for signed in records:
            own = [blob for c in self.admission.commitments_of(signed) if (blob := self.blobs.get(c)) is not None]
            weight = len(encode(signed)) + sum(len(blob) + 5 for blob in own)
            if part and (size + weight > wire.BUNDLE_BYTES_MAX or len(part) >= wire.BUNDLE_RECORDS_MAX):
                payloads.append(wire.encode_message(wire.Bundle(tuple(part), tuple(blobs))))
                part, blobs, size = [], [], 0
            part.append(signed)
            blobs.extend(own)
            size += weight
        if part:
            payloads.append(wire.encode_message(wire.Bundle(tuple(part), tuple(blobs))))
        return payloads
