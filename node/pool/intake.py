"""Records that enter the ledger through this node: its own member's, and those that others signed and handed in.

One batch after the other: each record is signed and checked on its own, against the newest state and behind what waits
here already; those that may go are kept durably in one write, and only then spread. A refusal comes back in the words
of the rule. Checking alone (`check`) keeps nothing.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Generator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import KW_ONLY, dataclass, field
from typing import Protocol, TypeVar

import trio

from governance.acts import act_of
from governance.filing.claims import ClaimBody
from governance.filing.standing import find_standing
from governance.kinds import decode_body
from governance.transition import BlockContext, OpenBlock
from ledger.chain import Chain
from ledger.codec import Shape
from ledger.errors import MalformedBytes, MutuaError, RuleBroken
from ledger.records import (
    Attestation,
    SignedRecord,
    are_attestations_signed,
    check_record_shape,
    is_body_of,
    is_record_signed,
    record_id_of,
)
from node.faults import disk_error, is_fatal
from node.pool.admission import Admission
from node.pool.mempool import Mempool, pool_full
from node.pool.record_signing import RecordSigner

KEPT_AT_ONCE = 50
"""Records in one write: they hold up everything else for 3 ms to be signed, and blocks for 15 ms to be checked."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class RecordDraft:
    """What is to become a record of this node's member, with the sealed addresses that it commits to."""

    kind: str
    body: Shape
    attestations: tuple[Attestation, ...] = ()
    blobs: tuple[bytes, ...] = ()


@dataclass(frozen=True, slots=True)
class Refused:
    """Why a record may not go into the next block, and the claim that holds already what a refused claim bills."""

    error: MutuaError
    claim: bytes = b""
    height: int = 0
    """Of the block that includes that claim; 0 while it waits here."""


Outcome = bytes | Refused
"""A record's id, once it is on disk, or why it is not."""
Complete = Callable[[Sequence[RecordDraft]], Sequence[RecordDraft]]
Take = Callable[[Sequence[SignedRecord], Sequence[bytes]], list[Refused | None]]


class Look(Protocol):
    """Runs work in a thread, while no block is being committed."""

    async def __call__(self, work: Callable[..., T], *arguments: object) -> T:
        """Return what `work` returns."""
        ...


@dataclass(eq=False, slots=True)
class Intake:
    """Takes records in.

    `look` runs a check while no block is committed; `keep` makes records durable and spreads them; `authors` are the
    keys whose waiting records count as this node's own; `fail` ends the daemon.
    """

    chain: Chain
    mempool: Mempool
    signer: RecordSigner
    _: KW_ONLY
    admission: Admission
    look: Look
    keep: Callable[[Sequence[SignedRecord], Sequence[bytes]], Awaitable[None]]
    authors: Callable[[], frozenset[bytes]]
    fail: Callable[[BaseException], None]
    _accepting: trio.Lock = field(default_factory=trio.Lock, init=False)
    _own_block: OpenBlock | None = field(default=None, init=False)

    async def submit(self, drafts: Sequence[RecordDraft], complete: Complete | None = None) -> list[Outcome]:
        """Sign records of this node's member and accept them, many in one write; return for each its id, or why not.

        `complete` adds what is missing to drafts, in a thread, while those before are checked. After an error of this
        node (a full disk) nothing more is tried. It is raised where no record was judged, else it is why the rest is
        not kept.
        """
        parts = [drafts[start : start + KEPT_AT_ONCE] for start in range(0, len(drafts), KEPT_AT_ONCE)]
        ready_in, ready = trio.open_memory_channel[Sequence[RecordDraft]](len(parts))
        outcomes: list[Outcome] = []
        failures: list[MutuaError | OSError] = []  # raised outside of the nursery, which would wrap them

        async def make_ready() -> None:
            with ready_in:
                try:
                    for part in parts:
                        made = await trio.to_thread.run_sync(complete, part) if complete else part
                        ready_in.send_nowait(made)
                except (MutuaError, OSError) as error:
                    failures.append(error)

        async with trio.open_nursery() as nursery:
            nursery.start_soon(make_ready)
            try:
                async for part in ready:
                    signed = [self.signer.sign(item.kind, item.body, item.attestations) for item in part]
                    blobs = [blob for item in part for blob in item.blobs]
                    outcomes += await self._accept(signed, blobs, self._take_all)
            except (MutuaError, OSError) as error:
                failures.append(error)
                nursery.cancel_scope.cancel()
        for error in failures[:1]:
            if not outcomes:
                raise error
            refused = Refused(disk_error("the records", error) if isinstance(error, OSError) else error)
            outcomes += [refused] * (len(drafts) - len(outcomes))
        return outcomes

    async def accept_signed(self, signed: SignedRecord) -> bytes:
        """Accept a record that somebody else signed: verify, check, keep durably, spread. Idempotent."""
        record_id = record_id_of(signed.record)
        if record_id in self.mempool or self.admission.is_final(record_id):
            return record_id
        if not await trio.to_thread.run_sync(is_record_signed, signed.record):
            what = "the record's signature does not verify"
            raise MalformedBytes("record_signature", what, "send it as its author signed it")
        if self.admission.is_expired(signed.record):
            what = f"it was valid until block {signed.record.valid_until_height}, the newest is {self.chain.height}"
            raise RuleBroken("record_expired", what, "have its author sign it again")
        is_own = signed.record.author in self.authors()
        return accepted(await self._accept([signed], (), self._take_all if is_own else self._take_other))

    async def check(self, drafts: Sequence[RecordDraft]) -> list[Refused | None]:
        """Return for each record why the rules would refuse it in the next block, or None. Nothing is kept."""
        with self.signer.sketching():
            sketched = [self.signer.sketch(item.kind, item.body, item.attestations) for item in drafts]
        return await self.look(self._check_all, sketched)

    async def _accept(self, signed: Sequence[SignedRecord], blobs: Sequence[bytes], take: Take) -> list[Outcome]:
        ids = [record_id_of(item.record) for item in signed]
        try:
            async with self._accepting:  # one after the other: a second copy sees the first
                try:
                    refusals = await self.look(take, signed, ids)
                    fit = [item for item, refusal in zip(signed, refusals, strict=True) if refusal is None]
                    if fit:
                        await self._keep(fit, blobs)
                except BaseException:
                    self._own_block = None
                    raise
                kept = {record_id: self._kept(record_id) for record_id in ids}
                if any(not refusal and kept[name] != name for name, refusal in zip(ids, refusals, strict=True)):
                    self._own_block = None  # it took records that found no room
                return [refusal or kept[name] for name, refusal in zip(ids, refusals, strict=True)]
        except (MutuaError, OSError) as error:
            if is_fatal(error):
                self.fail(error)
            raise

    async def _keep(self, fit: Sequence[SignedRecord], blobs: Sequence[bytes]) -> None:
        try:
            await self.keep(fit, blobs)
        except MutuaError as error:
            if error.code != pool_full().code:
                raise

    def _kept(self, record_id: bytes) -> Outcome:
        is_kept = record_id in self.mempool or self.admission.is_final(record_id)
        return record_id if is_kept else Refused(pool_full())

    # ---- Checking, in a thread, while no block is committed ------------------------

    def _take_all(self, records: Sequence[SignedRecord], ids: Sequence[bytes]) -> list[Refused | None]:
        """Put records of this node into its next block, each behind those before; return for each why not, or None."""
        block, chain_id = self._own(), self.chain.chain_id
        pairs = zip(records, ids, strict=True)
        return [_whole(signed, chain_id) or self._take(block, signed, name) for signed, name in pairs]

    def _take_other(self, records: Sequence[SignedRecord], ids: Sequence[bytes]) -> list[Refused | None]:
        """The same for records of one other author, behind what waits of that author too; the block stays as it is."""
        with _undone(self._own()) as block:
            _take_waiting(block, self.mempool.of_authors(frozenset({records[0].record.author})))
            return self._take_all(records, ids)

    def _check_all(self, records: Sequence[SignedRecord]) -> list[Refused | None]:
        with _undone(self._own()) as block:
            return [self._take(block, signed, record_id_of(signed.record)) for signed in records]

    def _take(self, block: OpenBlock, signed: SignedRecord, record_id: bytes) -> Refused | None:
        try:
            block.take(act_of(signed.record, signed.body, record_id))
        except (MalformedBytes, RuleBroken) as error:
            return self._refused(block, signed, error)
        return None

    def _refused(self, block: OpenBlock, signed: SignedRecord, error: MutuaError) -> Refused:
        if signed.record.kind != "claim.file":
            return Refused(error)
        with suppress(MalformedBytes):
            body: ClaimBody = decode_body(signed.record.kind, signed.body.data)
            if (standing := find_standing(block.day.draft, body)) is not None:
                is_final = standing.height <= self.chain.height
                return Refused(error, standing.claim, standing.height if is_final else 0)
        return Refused(error)

    def _own(self) -> OpenBlock:
        """Return the next block with all that waits of this node, or a claim could be filed twice; once a height."""
        height = self.chain.height + 1
        if self._own_block is None or self._own_block.day.height != height:
            context = BlockContext(height=height, randomness=self.chain.tip.header.randomness)
            self._own_block = OpenBlock(self.chain.state, context)
            _take_waiting(self._own_block, self.mempool.of_authors(self.authors()))
        return self._own_block


def _take_waiting(block: OpenBlock, waiting: Sequence[SignedRecord]) -> None:
    for signed in waiting:
        with suppress(MalformedBytes, RuleBroken):  # it may wait for a record of somebody else
            block.take(act_of(signed.record, signed.body))


@contextmanager
def _undone(block: OpenBlock) -> Generator[OpenBlock]:
    """Give a block to try records on; afterwards it is as it was."""
    mark, count = block.day.draft.savepoint(), len(block.day.events)
    try:
        yield block
    finally:
        block.day.draft.rollback(mark)
        del block.day.events[count:]


def accepted(outcomes: Sequence[Outcome]) -> bytes:
    """Return the id of the one record that was to be accepted, or raise why it was not."""
    (outcome,) = outcomes
    if isinstance(outcome, Refused):
        raise outcome.error
    return outcome


def _whole(signed: SignedRecord, chain_id: bytes) -> Refused | None:
    """Return why every other node would refuse the record's bytes and strike this one for them, or None."""
    try:
        check_record_shape(signed.record, chain_id)
    except MalformedBytes as error:
        return Refused(error)
    if not is_body_of(signed.record, signed.body):
        what, hint = "the record's body is too large, or is not the one that was signed", "make it shorter"
        return Refused(MalformedBytes("record_body", what, hint))
    if not are_attestations_signed(signed.record):
        what, hint = "a signature that came with the record does not verify", "have it signed again"
        return Refused(MalformedBytes("record_signature", what, hint))
    return None
