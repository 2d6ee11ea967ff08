"""The ledger as the node uses it: reads for everybody, one writer at a time, and what a final block sets in motion.

Committing is serialised by one lock: a block agreed on here and the same block arriving by sync cannot both be applied.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

import structlog
import trio

from consensus.catchup import earliest_proposal_ms
from consensus.committee import draw_committee
from consensus.machine import Config
from consensus.messages import Certificate, VoteKind, decode_certificate, encode_certificate
from consensus.signing import verify_certificate
from governance.kinds import decode_body
from ledger.blocks import BlockWithBodies, block_hash_of, decode_header
from ledger.chain import Chain
from ledger.errors import MalformedBytes, MutuaError
from ledger.genesis import Charter
from ledger.records import Record, SignedRecord, record_id_of
from node.clock import now_ms
from node.mempool import Mempool
from node.producer import Candidate, Proposer, build_candidate, check_candidate, encode_events, schedule_ms
from node.wire import FinalBlock

log = structlog.get_logger("mutua.ledger")

TIMEOUT0_MIN_MS = 1_200
TIMEOUT0_MAX_MS = 600_000


def committee_of(charter: Charter) -> tuple[bytes, ...]:
    """Return the consensus keys of the committee: all founders up to the charter's cap, in the order of the draw."""
    return draw_committee((founder.consensus_key for founder in charter.founders), charter.seed, charter.committee_max)


class LedgerSide:
    """Chain, mempool and rules behind the few calls that driver, sync, gossip and API make."""

    def __init__(self, chain: Chain, mempool: Mempool, own_consensus_key: bytes | None, on_final: Callable[[Candidate], Awaitable[None]]) -> None:
        self.chain = chain
        self.mempool = mempool
        self.chain_id = chain.chain_id
        self.committee = committee_of(chain.charter)
        self.own_index = self.committee.index(own_consensus_key) if own_consensus_key in self.committee else None
        self._on_final = on_final
        self._lock = trio.Lock()

    @property
    def height(self) -> int:
        """The newest final height."""
        return self.chain.height

    @property
    def block_hash(self) -> bytes:
        """The newest final block's hash."""
        return self.chain.tip.block_hash

    # ---- For consensus ------------------------------------------------------

    def config(self) -> Config:
        """Return the facts of the height being agreed on."""
        interval = self.chain.charter.block_interval_ms
        timeout0 = min(max(interval, TIMEOUT0_MIN_MS), TIMEOUT0_MAX_MS)
        return Config(
            chain_id=self.chain_id, epoch=self.chain.tip.header.epoch, height=self.chain.height + 1, committee=self.committee,
            seed=self.chain.tip.header.randomness, own_index=self.own_index, timeout0_ms=timeout0,
            timeout_cap_ms=max(timeout0, interval // 4, 8_000),
        )  # fmt: skip

    def earliest_ms(self) -> int:
        """Return when a fresh block may be proposed: at its nominal time, and no sooner than half an interval after its parent."""
        return earliest_proposal_ms(
            schedule_ms(self.chain, self.chain.height + 1), self.chain.tip.header.proposed_time_ms, self.chain.charter.block_interval_ms
        )

    async def build(self, proposer: Proposer) -> Candidate:
        """Return a fresh block of what waits; note what the rules refuse."""
        waiting = list(self.mempool)
        async with self._lock:
            candidate, refused = await trio.to_thread.run_sync(build_candidate, self.chain, self.committee, proposer, waiting, now_ms())
        for record_id, error in refused.items():
            self.mempool.refuse(record_id, error, candidate.header.height)
        return candidate

    async def check(self, block: BlockWithBodies) -> Candidate:
        """Check a proposed block; MutuaError when it does not hold."""
        async with self._lock:
            return await trio.to_thread.run_sync(check_candidate, self.chain, self.committee, block, self._is_verified)

    async def commit(self, candidate: Candidate, certificate: Certificate) -> None:
        """Keep a final block durably (one synced batch), then set in motion what waits for it. A height already final is passed over."""
        async with self._lock:
            if candidate.header.height != self.chain.height + 1:
                return
            assert certificate.block_hash == candidate.block_hash
            await trio.to_thread.run_sync(
                self.chain.commit, candidate.block, encode_certificate(certificate), candidate.delta, encode_events(candidate.events)
            )
            included = [record_id_of(record) for record in candidate.block.block.records]
            await trio.to_thread.run_sync(self.mempool.settle, included, candidate.header.height)
        await self._on_final(candidate)

    # ---- For sync -------------------------------------------------------------

    def final_block(self, height: int) -> FinalBlock | None:
        """Return a final block with bodies and certificate."""
        block = self.chain.block_with_bodies(height)
        certificate = self.chain.certificate(height)
        return None if block is None or certificate is None else FinalBlock(block, certificate)

    async def accept_final(self, item: FinalBlock) -> None:
        """Verify, apply and keep the next block from a peer."""
        header = decode_header(item.block.block.header)
        if header.height <= self.chain.height:
            return
        if header.height != self.chain.height + 1:
            raise MalformedBytes("block_gap", f"block {header.height} does not follow height {self.chain.height}", "send blocks in order")
        certificate = decode_certificate(item.certificate)
        is_commit = certificate.kind == VoteKind.FINALIZE and certificate.height == header.height and certificate.epoch == header.epoch
        if not is_commit or certificate.block_hash != block_hash_of(header):
            raise MalformedBytes("certificate", "the certificate does not commit this block", "send the block's own certificate")
        if not await trio.to_thread.run_sync(verify_certificate, certificate, self.committee, self.chain_id):
            raise MalformedBytes("certificate", "the certificate's signatures do not hold", "send the block's own certificate")
        try:
            candidate = await self.check(item.block)
        except MutuaError:
            if header.height <= self.chain.height:
                return
            raise
        await self.commit(candidate, certificate)

    # ---- For gossip -----------------------------------------------------------

    def is_final(self, record_id: bytes) -> bool:
        """True when a block holds the record."""
        return self.chain.find_record(record_id) is not None

    def commitments_of(self, signed: SignedRecord) -> Sequence[bytes]:
        """Return the hash of the sealed addresses that a claim commits to."""
        if signed.record.kind != "claim.file":
            return ()
        try:
            commitment = decode_body(signed.record.kind, signed.body.data).payout_commitment
        except MutuaError:
            return ()
        return (commitment,) if commitment else ()

    def _is_verified(self, record: Record) -> bool:
        """True for a record that waits here just as it stands: its signatures were verified when it came in."""
        held = self.mempool.get(record_id_of(record))
        return held is not None and held.record == record
