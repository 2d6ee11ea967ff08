"""Records that enter the ledger through this node: its own member's, and those that others signed and handed in.

One after the other, each is checked against the newest state and behind what waits here already, kept durably, and only
then spread. A refusal comes back in the words of the rule. Checking alone (`check`) keeps nothing.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import KW_ONLY, dataclass, field
from typing import Protocol, TypeVar

import trio

from governance.acts import act_of
from governance.transition import BlockContext, OpenBlock
from ledger.chain import Chain
from ledger.codec import Shape
from ledger.errors import MalformedBytes, MutuaError, RuleBroken
from ledger.records import Attestation, SignedRecord, is_record_signed, record_id_of
from node.faults import is_fatal
from node.pool.admission import Admission
from node.pool.mempool import Mempool
from node.pool.record_signing import RecordSigner

PENDING_LOOKED_AT_MAX = 500
"""Waiting records of one author that a new one is checked behind."""
CHECKED_MAX = 1_000
"""Records of one `check`: it holds up the committing of blocks while it works, about a second at most."""

Refusal = MutuaError | None
T = TypeVar("T")


class Look(Protocol):
    """Runs work in a thread, while no block is being committed."""

    async def __call__(self, work: Callable[..., T], *arguments: object) -> T:
        """Return what `work` returns."""
        ...


@dataclass(eq=False, slots=True)
class Intake:
    """Takes records in.

    `look` runs a check while no block is committed; `keep` makes a record durable and spreads it; `authors` are the
    keys whose waiting records count as this node's own; `fail` ends the daemon.
    """

    chain: Chain
    mempool: Mempool
    signer: RecordSigner
    _: KW_ONLY
    admission: Admission
    look: Look
    keep: Callable[[SignedRecord, Sequence[bytes]], Awaitable[None]]
    authors: Callable[[], frozenset[bytes]]
    fail: Callable[[BaseException], None]
    _accepting: trio.Lock = field(default_factory=trio.Lock, init=False)
    _own_block: OpenBlock | None = field(default=None, init=False)

    async def submit(
        self, kind: str, body: Shape, attestations: tuple[Attestation, ...] = (), blobs: Sequence[bytes] = ()
    ) -> bytes:
        """Sign a record of this node's member and accept it. Returns its id; RuleBroken says why not."""
        return await self.accept(self.signer.sign(kind, body, attestations), blobs)

    async def accept(self, signed: SignedRecord, blobs: Sequence[bytes] = ()) -> bytes:
        """Accept a record that this node signed: check, keep durably, spread."""
        return await self._accept(signed, blobs, self._check_own)

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
        return await self._accept(signed, (), self._check_other)

    async def check(self, records: Sequence[tuple[str, Shape, tuple[Attestation, ...]]]) -> list[Refusal]:
        """Return for each record why the rules would refuse it in the next block, or None. Nothing is kept."""
        with self.signer.sketching():
            signed = [self.signer.sign(kind, body, attestations) for kind, body, attestations in records[:CHECKED_MAX]]
        return await self.look(self._check_all, signed)

    async def _accept(
        self, signed: SignedRecord, blobs: Sequence[bytes], check: Callable[[SignedRecord], None]
    ) -> bytes:
        try:
            async with self._accepting:  # one after the other: a second copy sees the first
                await self.look(check, signed)
                try:
                    await self.keep(signed, blobs)
                except BaseException:
                    self._own_block = None
                    raise
        except (MutuaError, OSError) as error:
            if is_fatal(error):
                self.fail(error)
            raise
        return record_id_of(signed.record)

    # ---- Checking, in a thread, while no block is committed ------------------------

    def _check_own(self, signed: SignedRecord) -> None:
        """Raise RuleBroken or MalformedBytes unless the next block could include the record after this node's own."""
        self._own().take(act_of(signed.record, signed.body))

    def _check_other(self, signed: SignedRecord) -> None:
        """The same for somebody else's record, behind what waits of its author and of this node."""
        self._behind(self.authors() | {signed.record.author}).take(act_of(signed.record, signed.body))

    def _check_all(self, records: Sequence[SignedRecord]) -> list[Refusal]:
        block = self._own()
        mark, count = block.day.draft.savepoint(), len(block.day.events)
        found: list[Refusal] = []
        try:
            for signed in records:
                try:
                    block.take(act_of(signed.record, signed.body))
                except (MalformedBytes, RuleBroken) as error:
                    found.append(error)
                else:
                    found.append(None)
        finally:
            block.day.draft.rollback(mark)
            del block.day.events[count:]
        return found

    def _own(self) -> OpenBlock:
        """Return the next block with all that waits of this node; built once a height."""
        if self._own_block is None or self._own_block.day.height != self.chain.height + 1:
            self._own_block = self._behind(self.authors())
        return self._own_block

    def _behind(self, authors: frozenset[bytes]) -> OpenBlock:
        """Return the next block with what waits here of these authors."""
        context = BlockContext(height=self.chain.height + 1, randomness=self.chain.tip.header.randomness)
        block = OpenBlock(self.chain.state, context)
        for waiting in self.mempool.of_authors(authors)[-PENDING_LOOKED_AT_MAX:]:
            with suppress(MalformedBytes, RuleBroken):  # it may wait for a record of somebody else
                block.take(act_of(waiting.record, waiting.body))
        return block
