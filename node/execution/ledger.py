"""The ledger as the node uses it: reads for everybody, one writer at a time, and what a final block sets in motion.

Committing is serialised by one lock: a block agreed on here and the same block arriving by sync cannot both be applied.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from functools import partial
from typing import Any, TypeVar

import structlog
import trio

from consensus.messages import Certificate, decode_certificate, encode_certificate
from consensus.state import Config
from ledger.blocks import BlockWithBodies, FinalBlock, Header, decode_header
from ledger.chain import Chain
from ledger.errors import MalformedBytes, MutuaError, RuleBroken
from ledger.records import Record, SignedRecord, record_id_of
from node.clock import now_ms
from node.execution.header_rules import (
    INVALID,
    certificate_problem,
    committee_of,
    earliest_ms,
    proposer_problem,
)
from node.execution.propose import Proposer, build_candidate, refused_of
from node.execution.validate import Candidate, check_candidate, check_whole
from node.execution.verifier import Verifier
from node.faults import is_fatal, quorum_disagrees
from node.pool.admission import Admission
from node.pool.blobs import AddressListStore
from node.pool.mempool import Mempool

log = structlog.get_logger("mutua.ledger")
T = TypeVar("T")
OnFinal = Callable[[Candidate], Awaitable[None]]

LOOKED_AT_MAX = 500
"""Waiting records looked at again after a block: a tenth of a second of a thread at most."""
TIMEOUT0_MIN_MS = 1_200
TIMEOUT0_MAX_MS = 600_000
TIMELY_MS_MIN, TIMELY_MS_MAX = 2_000, 600_000
"""How far a fresh block's time may lie from a voter's clock: a quarter of the interval, within these."""


class LedgerService:
    """Chain, mempool and rules behind the few calls that driver, sync, gossip and API make."""

    def __init__(
        self, chain: Chain, mempool: Mempool, blobs: AddressListStore, own_key: bytes | None, on_final: OnFinal
    ) -> None:
        """`own_key`: this node's consensus key; `on_final` is awaited once a block is kept."""
        self.chain = chain
        self.mempool = mempool
        self.admission = Admission(chain)
        self.chain_id = chain.chain_id
        self.committee = committee_of(chain.charter)
        self.own_index = self.committee.index(own_key) if own_key in self.committee else None
        founders = [item for item in chain.charter.founders if item.consensus_key in self.committee]
        self.seats = {item.transport_key: self.committee.index(item.consensus_key) for item in founders}
        """The committee's members by their nodes' transport keys: nobody else counts where the committee is asked."""
        self._on_final = on_final
        self._blobs = blobs
        self._lock = trio.Lock()
        self._verifier = Verifier()

    def close(self) -> None:
        """End the processes that verify."""
        self._verifier.close()

    @property
    def height(self) -> int:
        """The newest final height."""
        return self.chain.height

    @property
    def block_hash(self) -> bytes:
        """The newest final block's hash."""
        return self.chain.tip.block_hash

    async def look(self, work: Callable[..., T], *arguments: Any) -> T:
        """Run `work` in a thread while no block is being committed: it sees one state throughout."""
        async with self._lock:
            return await trio.to_thread.run_sync(work, *arguments)

    # ---- For consensus ------------------------------------------------------

    def config(self) -> Config:
        """Return the facts of the height being agreed on."""
        interval = self.chain.charter.block_interval_ms
        timeout0 = min(max(interval, TIMEOUT0_MIN_MS), TIMEOUT0_MAX_MS)
        return Config(
            chain_id=self.chain_id,
            epoch=self.chain.tip.header.epoch,
            height=self.chain.height + 1,
            committee=self.committee,
            seed=self.chain.tip.header.randomness,
            own_index=self.own_index,
            timeout0_ms=timeout0,
            timeout_cap_ms=max(timeout0, interval // 4, 8_000),
        )

    def earliest_ms(self) -> int:
        """Return when a fresh block may be proposed."""
        return earliest_ms(self.chain)

    def is_timely(self, header: Header, seen_ms: int) -> bool:
        """True when a fresh proposal names about the time at which this node saw it (notes on consensus, 1.5)."""
        bound = min(max(self.chain.charter.block_interval_ms // 4, TIMELY_MS_MIN), TIMELY_MS_MAX)
        return abs(header.proposed_time_ms - seen_ms) <= bound

    async def build(self, proposer: Proposer) -> Candidate:
        """Return a fresh block of what waits, closed in time for its view; note what the rules refuse."""
        waiting = list(self.mempool)
        deadline = trio.current_time() + self.config().timeout0_ms / 1000 / 4
        clock = trio.lowlevel.current_clock().current_time
        async with self._lock:
            build = partial(build_candidate, self.chain, self.committee, proposer, waiting, now_ms())
            candidate, refused = await trio.to_thread.run_sync(partial(build, is_late=lambda: clock() > deadline))
        for record_id, error in refused.items():
            self.mempool.refuse(record_id, error, candidate.header.height)
        return candidate

    async def weed(self) -> None:
        """Look again at what blocks passed over: what the rules go on refusing is dropped, also where nobody builds."""
        async with self._lock:
            height, waiting = self.chain.height + 1, self.mempool.suspects(LOOKED_AT_MAX)
            refused = await trio.to_thread.run_sync(refused_of, self.chain, waiting) if waiting else {}
        for record_id, error in refused.items():
            self.mempool.refuse(record_id, error, height)

    async def check(self, block: BlockWithBodies) -> Candidate:
        """Check a proposed block; MutuaError when it is not valid, or when the rules meet a fault at it."""
        async with self._lock:
            try:
                parts = (self.chain, self.committee, block, self._is_verified, self._verifier)
                return await trio.to_thread.run_sync(check_candidate, *parts)
            except (MutuaError, OSError):
                raise
            except Exception as error:
                log.exception("rules_fault", peer="proposer", height=self.chain.height + 1)
                what = f"the rules met a fault at a block: {type(error).__name__}"
                raise RuleBroken("rules_fault", what, "report it to the maintainers") from error

    async def commit(self, candidate: Candidate, certificate: Certificate) -> None:
        """Keep a final block durably, then set in motion what waits for it. A height already final is passed over."""
        async with self._lock:
            header = candidate.header
            if header.height != self.chain.height + 1:
                return
            assert certificate.block_hash == candidate.block_hash
            problem = proposer_problem(self.chain.tip.header, header, len(self.committee), certificate.view)
            if problem is not None:
                raise quorum_disagrees(header.height, MalformedBytes("block_proposer", problem, INVALID))
            with trio.CancelScope(shield=True):  # what is final is also settled when the daemon is being stopped
                await trio.to_thread.run_sync(self._commit, candidate, certificate)
        await self._on_final(candidate)

    def _commit(self, candidate: Candidate, certificate: Certificate) -> None:
        block = candidate.block
        self.chain.keep(candidate.next, encode_certificate(certificate))
        pairs = zip(block.block.records, block.bodies, strict=True)
        records = [SignedRecord(record, body) for record, body in pairs if body is not None]
        dropped = self.mempool.settle([record_id_of(item.record) for item in records], candidate.header.height)
        waiting = (signed for _, signed in self.mempool) if dropped else ()
        self._blobs.settle(self._commitments(records), self._commitments(dropped), self._commitments(waiting))

    def _commitments(self, records: Iterable[SignedRecord]) -> set[bytes]:
        return {commitment for signed in records for commitment in self.admission.commitments_of(signed)}

    def forget_final(self) -> None:
        """At the start, drop waiting records that are final, left by a crash in between. Blocks on the disk."""
        final = [record_id for record_id in self.mempool.ids() if self.admission.is_final(record_id)]
        self.mempool.settle(final, self.chain.height)

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
            what = f"block {header.height} does not follow height {self.chain.height}"
            raise MalformedBytes("block_gap", what, "send blocks in order")
        certificate = decode_certificate(item.certificate)
        parts = (self.committee, self.chain_id, header, certificate)
        problem = await trio.to_thread.run_sync(certificate_problem, *parts)
        if problem is not None:
            what = f"the certificate is not valid: {problem}"
            raise MalformedBytes("certificate", what, "send the block's own certificate")
        await trio.to_thread.run_sync(check_whole, item.block)
        try:
            candidate = await self.check(item.block)
        except MutuaError as error:
            if header.height <= self.chain.height:
                return
            if is_fatal(error):
                raise
            # Whole, certified by the committee, and refused here: it is not the peer that is wrong.
            raise quorum_disagrees(header.height, error) from error
        await self.commit(candidate, certificate)

    def _is_verified(self, record: Record) -> bool:
        """True for a record that waits here, equal in every byte: its signatures were verified when it came in."""
        held = self.mempool.get(record_id_of(record))
        return held is not None and held.record == record
