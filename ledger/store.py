"""What a place to keep the ledger must offer. `MemoryStore` here, LevelDB in `ledger.leveldb`.

Rows are bytes to bytes, ordered by key. One `write` is one atomic, durable batch: a block, its certificate, its
bodies, the state delta and the tip go in together or not at all.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Callable, Iterator, Mapping
from typing import Protocol

from ledger.state import StateReader

Batch = Mapping[bytes, bytes | None]
"""Rows to put, or (None) to delete."""


class Store(StateReader, Protocol):
    """An ordered map with atomic durable batches."""

    def write(self, batch: Batch) -> None:
        """Put (or delete, where None) all rows at once, durably, before returning."""
        ...

    def stage(self, batch: Batch) -> Callable[[Batch], None]:
        """Return what writes a batch later, with the rows it is given then; what can be done before is done now."""
        ...

    def merge(self) -> None:
        """Lay the rows out anew where a read has to look in several places; what is read does not change."""
        ...

    def close(self) -> None:
        """Release the files."""
        ...


class SortedKeys:
    """Keys in order, in pieces of a bounded length, so that one more among a million moves a thousand at most."""

    PIECE = 1024

    def __init__(self, keys: list[bytes]) -> None:
        """Take keys that are sorted already."""
        self._pieces = [keys[start : start + self.PIECE] for start in range(0, len(keys), self.PIECE)]
        self._lasts = [piece[-1] for piece in self._pieces]

    def add(self, key: bytes) -> None:
        """Put a key that is not there."""
        index = min(bisect_left(self._lasts, key), len(self._lasts) - 1)
        if index < 0:
            self._pieces, self._lasts = [[key]], [key]
            return
        piece = self._pieces[index]
        insort(piece, key)
        self._lasts[index] = piece[-1]
        if len(piece) > 2 * self.PIECE:
            self._pieces[index : index + 1] = halves = [piece[: self.PIECE], piece[self.PIECE :]]
            self._lasts[index : index + 1] = [half[-1] for half in halves]

    def remove(self, key: bytes) -> None:
        """Take a key away that is there."""
        index = bisect_left(self._lasts, key)
        piece = self._pieces[index]
        del piece[bisect_left(piece, key)]
        if piece:
            self._lasts[index] = piece[-1]
        else:
            del self._pieces[index], self._lasts[index]

    def between(self, first: bytes, end: bytes | None) -> list[bytes]:
        """Return the keys from `first` on and below `end` (None: to the last), ascending."""
        found: list[bytes] = []
        for index in range(bisect_left(self._lasts, first), len(self._pieces)):
            piece = self._pieces[index]
            low = 0 if found else bisect_left(piece, first)
            high = len(piece) if end is None else bisect_left(piece, end)
            found += piece[low:high]
            if high < len(piece):
                break
        return found


class MemoryStore:
    """A `Store` in memory, for tests, rehearsals and auditors' replays."""

    def __init__(self, rows: Mapping[bytes, bytes] | None = None) -> None:
        self._rows: dict[bytes, bytes] = dict(rows or {})
        self._keys = SortedKeys(sorted(self._rows))

    def get(self, key: bytes) -> bytes | None:
        """Return the value at `key`, or None."""
        return self._rows.get(key)

    def scan(self, prefix: bytes, start: bytes = b"") -> Iterator[tuple[bytes, bytes]]:
        """Yield rows whose key begins with `prefix`, from `prefix + start` on, ascending by key."""
        # A snapshot, as LevelDB gives: rows written while somebody iterates are not seen.
        rows = [(key, self._rows[key]) for key in self._keys.between(prefix + start, end_of(prefix))]
        yield from rows

    def stage(self, batch: Batch) -> Callable[[Batch], None]:
        """Return what writes a batch later, with the rows it is given then."""
        return lambda more: self.write({**batch, **more})

    def write(self, batch: Batch) -> None:
        """Put (or delete, where None) all rows at once."""
        for key in sorted(batch):
            value = batch[key]
            if value is None:
                if self._rows.pop(key, None) is not None:
                    self._keys.remove(key)
            else:
                if key not in self._rows:
                    self._keys.add(key)
                self._rows[key] = value

    def merge(self) -> None:
        """Nothing to merge: a row lies in one place."""

    def close(self) -> None:
        """Nothing to release."""


def end_of(prefix: bytes) -> bytes | None:
    r"""Return the smallest key above every key that begins with `prefix`; None when there is none.

    >>> end_of(b"s/"), end_of(b"a\xff"), end_of(b"")
    (b's0', b'b', None)
    """
    stripped = prefix.rstrip(b"\xff")
    return stripped[:-1] + bytes([stripped[-1] + 1]) if stripped else None
