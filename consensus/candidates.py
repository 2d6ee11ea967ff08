"""The blocks proposed at one height, in memory: which are awaited, which are held, and which of them may go.

A block is awaited only because the machine asked for it: it accepted a proposal, or a certificate names the block. What
a peer merely sends never pushes out anything but that peer's own last block. So a member that signs a thousand
proposals costs its own place and nobody else's. A block that is held stays until it is judged; one that is kept on the
disk may leave the memory, because it can be read again. There is no I/O here: node and simulator share this class.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Generic, TypeVar

from consensus.messages import Certificate, VoteKind

AWAITED_MAX = 4
"""Blocks of one proposer that are awaited at a time: one that names blocks and does not send them costs no more."""
BYTES_MAX = 64 * 1024 * 1024
"""Blocks in memory that are also on the disk; the oldest go first."""

T = TypeVar("T")


class Candidates(Generic[T]):
    """The blocks of one height, `T` being a block with its contents. A new height takes a new object."""

    def __init__(self, bytes_max: int = BYTES_MAX) -> None:
        """Start with nothing; what is on the disk is told by `note_kept`."""
        self._bytes_max = bytes_max
        self._awaited: dict[bytes, int | None] = {}
        self._held: dict[bytes, tuple[T, int]] = {}
        self._early: dict[bytes, tuple[bytes, T, int]] = {}
        self._kept: set[bytes] = set()
        self._set_aside: set[bytes] = set()

    def awaited(self) -> tuple[bytes, ...]:
        """Return the blocks that are wanted and not here, oldest first."""
        return tuple(self._awaited)

    def has(self, block_hash: bytes) -> bool:
        """True when a block is here, in memory or on the disk."""
        return block_hash in self._held or block_hash in self._kept

    def held(self, block_hash: bytes) -> T | None:
        """Return a block that is in memory."""
        held = self._held.get(block_hash)
        return None if held is None else held[0]

    def is_kept(self, block_hash: bytes) -> bool:
        """True when a block is on the disk."""
        return block_hash in self._kept

    def expect(self, block_hash: bytes, proposer: int | None) -> bytes | None:
        """Await a block of a proposer's, or one that a certificate names (None). Return the block given up for it."""
        self._set_aside.discard(block_hash)
        if self.has(block_hash):
            return None
        for peer, (early_hash, block, size) in list(self._early.items()):
            if early_hash == block_hash:
                del self._early[peer]
                self.hold(block_hash, block, size)
                return None
        self._awaited[block_hash] = None if proposer is None else self._awaited.get(block_hash, proposer)
        of_proposer = [each for each, whose in self._awaited.items() if proposer is not None and whose == proposer]
        if len(of_proposer) <= AWAITED_MAX:
            return None
        self.set_aside(of_proposer[0])
        return of_proposer[0]

    def offer(self, peer: bytes, block_hash: bytes, block: T, size: int) -> None:
        """Take a block from a peer: one that is awaited, or else the one that this peer may place unasked."""
        if block_hash in self._awaited:
            self.hold(block_hash, block, size)
        elif not self.has(block_hash):
            self._early[peer] = (block_hash, block, size)

    def hold(self, block_hash: bytes, block: T, size: int) -> None:
        """Hold a block that is awaited, read from the disk, or built here."""
        self._awaited.pop(block_hash, None)
        self._held.setdefault(block_hash, (block, size))
        self._trim(block_hash)

    def note_kept(self, block_hash: bytes) -> None:
        """Note that a block is on the disk."""
        self._kept.add(block_hash)
        self._trim(block_hash)

    def note_lost(self, block_hash: bytes) -> None:
        """Note that the disk gave back another block than it was given: it is awaited again."""
        self._kept.discard(block_hash)
        self._awaited[block_hash] = None

    def forget(self, block_hash: bytes) -> None:
        """Forget a block that is not valid; never one that is kept."""
        if block_hash not in self._kept:
            self._awaited.pop(block_hash, None)
            self._held.pop(block_hash, None)

    def set_aside(self, block_hash: bytes) -> None:
        """Forget a block that is not wanted now: its time is wrong, or its proposer did not send it."""
        self.forget(block_hash)
        self._set_aside.add(block_hash)

    def due_again(self, certificates: Iterable[Certificate]) -> list[bytes]:
        """Return blocks set aside that the others have notarized since: they may be proposed again, so look again."""
        if not self._set_aside:
            return []
        notarized = {item.block_hash for item in certificates if item.kind == VoteKind.NOTARIZE}
        found = sorted(self._set_aside & notarized)
        self._set_aside.difference_update(found)
        return found

    def _trim(self, newest: bytes) -> None:
        """Drop from memory the oldest blocks that are on the disk, until the others fit."""
        size = sum(size for _, size in self._held.values())
        for block_hash in [each for each in self._held if each in self._kept and each != newest]:
            if size <= self._bytes_max:
                return
            size -= self._held.pop(block_hash)[1]
