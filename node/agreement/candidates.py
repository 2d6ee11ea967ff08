"""Blocks proposed at the height being agreed on: whole, bounded, and on the disk once this node vouches for them.

Which block is awaited, held or may go is decided by `consensus.candidates`; here are its disk and those who wait. A
body travels apart from its proposal and may come first. A block that this node notarizes is kept durably before the
vote: if the whole committee loses power, somebody still holds what was notarized.
"""

from __future__ import annotations

import trio

from consensus.candidates import Candidates
from ledger.blocks import BlockWithBodies, block_hash_of, decode_header
from ledger.codec import decode, encode
from ledger.errors import MalformedBytes
from ledger.store import Store
from node.execution.validate import Candidate, check_whole

PREFIX = b"n/"


class ProposedBlocks:
    """The blocks of one height. `start` moves it on."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._height = 0
        self._blocks: Candidates[BlockWithBodies] = Candidates()
        self._arrivals: dict[bytes, trio.Event] = {}
        self.checked: dict[bytes, Candidate] = {}
        """What the check of a block in memory gave; another block is checked again when it becomes final."""

    @property
    def memory(self) -> Candidates[BlockWithBodies]:
        """What is awaited, held and set aside."""
        return self._blocks

    async def start(self, height: int) -> None:
        """Forget other heights; take up what was kept for this one before a restart."""
        if height != self._height:
            self._height = height
            self._blocks = Candidates()
            self._arrivals.clear()
            self.checked.clear()
        for block_hash in await trio.to_thread.run_sync(self._find_kept, height):
            self._blocks.note_kept(block_hash)

    def _find_kept(self, height: int) -> list[bytes]:
        found: list[bytes] = []
        stale: dict[bytes, bytes | None] = {}
        for key, value in list(self._store.scan(PREFIX)):
            if key.startswith(_key(height)) and _block_of(value) is not None:
                found.append(key[len(_key(height)) :])
            else:
                stale[key] = None
        if stale:
            self._store.write(stale)
        return found

    def expect(self, block_hash: bytes, proposer: int | None) -> bytes | None:
        """Await a block of a proposer's, or one that a certificate names (None). Return the block given up for it."""
        given_up = self._blocks.expect(block_hash, proposer)
        if given_up is not None:
            self._arrivals.pop(given_up, trio.Event()).set()
        return given_up

    def put(self, candidate: Candidate) -> None:
        """Take a block that this node has built."""
        self._hold(candidate.block_hash, candidate.block, len(encode(candidate.block)))
        self.checked[candidate.block_hash] = candidate

    async def offer(self, peer: bytes, block: BlockWithBodies, size: int, height: int) -> bool:
        """Take a block from a peer; False when it is of no use. MalformedBytes: parts are missing or wrong."""
        header = decode_header(block.block.header)
        block_hash = block_hash_of(header)
        if header.height != height or height != self._height or self._blocks.has(block_hash):
            return False
        await trio.to_thread.run_sync(check_whole, block)
        if height != self._height:
            return False
        self._blocks.offer(peer, block_hash, block, size)
        self._tell_arrived(block_hash)
        return True

    async def get(self, block_hash: bytes) -> BlockWithBodies | None:
        """Return a block that is here, in memory or on the disk."""
        held = self._blocks.held(block_hash)
        if held is not None or not self._blocks.is_kept(block_hash):
            return held
        height = self._height
        data = await trio.to_thread.run_sync(self._store.get, _key(height) + block_hash) or b""
        block = _block_of(data)
        if height == self._height:
            if block is None:
                self._blocks.note_lost(block_hash)
            else:
                self._hold(block_hash, block, len(data))
        return block

    async def arrived(self, block_hash: bytes) -> bool:
        """Wait until an expected block is here; False when it is given up or no longer wanted."""
        if block_hash in self._blocks.awaited():
            await self._arrivals.setdefault(block_hash, trio.Event()).wait()
        return self._blocks.has(block_hash)

    async def keep(self, block_hash: bytes) -> None:
        """Make a held block durable, before this node vouches for it. It raises when the block is not here."""
        if self._blocks.is_kept(block_hash):
            return
        block, key = self._blocks.held(block_hash), _key(self._height) + block_hash
        assert block is not None, "a node vouches only for a block that it holds"
        await trio.to_thread.run_sync(lambda: self._store.write({key: encode(block)}))
        self._blocks.note_kept(block_hash)
        self._trim()

    def forget(self, block_hash: bytes) -> None:
        """Forget a block that is not valid."""
        self._blocks.forget(block_hash)
        self._trim()

    def _hold(self, block_hash: bytes, block: BlockWithBodies, size: int) -> None:
        self._blocks.hold(block_hash, block, size)
        self._tell_arrived(block_hash)
        self._trim()

    def _tell_arrived(self, block_hash: bytes) -> None:
        if self._blocks.has(block_hash):
            self._arrivals.pop(block_hash, trio.Event()).set()

    def _trim(self) -> None:
        for block_hash in [each for each in self.checked if self._blocks.held(each) is None]:
            del self.checked[block_hash]


def _key(height: int) -> bytes:
    return PREFIX + height.to_bytes(8, "big")


def _block_of(data: bytes) -> BlockWithBodies | None:
    """Return a kept block; None where its bytes are damaged."""
    try:
        return decode(BlockWithBodies, data)
    except MalformedBytes:
        return None
