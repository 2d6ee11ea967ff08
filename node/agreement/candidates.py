"""Blocks proposed at the height being agreed on: whole, bounded, and on the disk once this node vouches for them.

A body travels apart from its proposal and may come first, so each peer may place one block that nobody asked for; all
others must be named by a signed proposal or by a certificate. A block that this node notarizes is kept durably before
the vote: if the whole committee loses power, somebody still holds what was notarized.
"""

from __future__ import annotations

from collections import OrderedDict

import trio

from ledger.blocks import BlockWithBodies, block_hash_of, decode_header
from ledger.codec import decode, encode
from ledger.errors import MalformedBytes
from ledger.store import Store
from node.execution.validate import Candidate, check_whole

PREFIX = b"n/"
HASHES_MAX = 256
"""Proposals of one height whose blocks are awaited or held."""
BYTES_MAX = 64 * 1024 * 1024


class ProposedBlocks:
    """The blocks of one height. `start` moves it on."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._height = 0
        self._blocks: OrderedDict[bytes, tuple[BlockWithBodies, int]] = OrderedDict()
        self._early: dict[bytes, tuple[bytes, BlockWithBodies, int]] = {}
        self._expected: OrderedDict[bytes, trio.Event] = OrderedDict()
        self._kept: set[bytes] = set()
        self._size_bytes = 0
        self.checked: dict[bytes, Candidate] = {}

    async def start(self, height: int) -> None:
        """Forget other heights; take up what was kept for this one before a restart."""
        if height != self._height:
            self._height = height
            self._blocks.clear()
            self._early.clear()
            self._expected.clear()
            self._kept.clear()
            self.checked.clear()
            self._size_bytes = 0
        for block_hash, block, size in await trio.to_thread.run_sync(self._read_kept, height):
            self._kept.add(block_hash)
            self.expect(block_hash)
            self._hold(block_hash, block, size)

    def _read_kept(self, height: int) -> list[tuple[bytes, BlockWithBodies, int]]:
        found: list[tuple[bytes, BlockWithBodies, int]] = []
        stale: dict[bytes, bytes | None] = {}
        for key, value in list(self._store.scan(PREFIX)):
            if key.startswith(PREFIX + height.to_bytes(8, "big")):
                try:
                    found.append((key[len(PREFIX) + 8 :], decode(BlockWithBodies, value), len(value)))
                except MalformedBytes:
                    stale[key] = None
            else:
                stale[key] = None
        if stale:
            self._store.write(stale)
        return found

    def expect(self, block_hash: bytes) -> None:
        """A signed proposal or a certificate names this block: take it when it comes."""
        if block_hash in self._expected:
            return
        self._expected[block_hash] = trio.Event()
        while len(self._expected) > HASHES_MAX:
            gone, _ = self._expected.popitem(last=False)
            self._drop(gone)
        for peer, (early_hash, block, size) in list(self._early.items()):
            if early_hash == block_hash:
                del self._early[peer]
                self._hold(block_hash, block, size)

    def put(self, candidate: Candidate) -> None:
        """Take a block that this node has built."""
        self.expect(candidate.block_hash)
        self._hold(candidate.block_hash, candidate.block, len(encode(candidate.block)))
        self.checked[candidate.block_hash] = candidate

    async def offer(self, peer: bytes, block: BlockWithBodies, size: int, height: int) -> bool:
        """Take a block from a peer; False when it is of no use. MalformedBytes: parts are missing or wrong."""
        header = decode_header(block.block.header)
        block_hash = block_hash_of(header)
        if header.height != height or height != self._height or block_hash in self._blocks:
            return False
        await trio.to_thread.run_sync(check_whole, block)
        if height != self._height or block_hash in self._blocks:
            return False
        if block_hash in self._expected:
            self._hold(block_hash, block, size)
        else:
            self._early[peer] = (block_hash, block, size)
        return True

    def get(self, block_hash: bytes) -> BlockWithBodies | None:
        """Return a block that is held."""
        held = self._blocks.get(block_hash)
        return None if held is None else held[0]

    async def arrived(self, block_hash: bytes) -> None:
        """Wait until a block is held."""
        self.expect(block_hash)
        if block_hash not in self._blocks:
            await self._expected[block_hash].wait()

    def keep(self, block_hash: bytes) -> None:
        """Make a held block durable, before this node vouches for it. Blocks on the disk."""
        block = self.get(block_hash)
        if block is not None and block_hash not in self._kept:
            self._store.write({PREFIX + self._height.to_bytes(8, "big") + block_hash: encode(block)})
            self._kept.add(block_hash)

    def _hold(self, block_hash: bytes, block: BlockWithBodies, size: int) -> None:
        if block_hash in self._blocks:
            return
        self._blocks[block_hash] = (block, size)
        self._size_bytes += size
        for old in list(self._blocks):
            if self._size_bytes <= BYTES_MAX:
                break
            if old not in self._kept and old != block_hash:
                self._drop(old)
        self._expected[block_hash].set()

    def _drop(self, block_hash: bytes) -> None:
        held = self._blocks.pop(block_hash, None)
        if held is not None:
            self._size_bytes -= held[1]
            self.checked.pop(block_hash, None)
            if block_hash in self._expected:
                self._expected[block_hash] = trio.Event()
