"""What a place to keep the ledger must offer. `MemoryStore` here, LevelDB in `ledger.leveldb`.

Rows are bytes to bytes, ordered by key. One `write` is one atomic, durable batch: a block, its certificate, its
bodies, the state delta and the tip go in together or not at all.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Iterator, Mapping
from typing import Protocol


class Store(Protocol):
    """An ordered map with atomic durable batches."""

    def get(self, key: bytes) -> bytes | None:
        """Return the value at `key`, or None."""
        ...

    def scan(self, prefix: bytes, start: bytes = b"") -> Iterator[tuple[bytes, bytes]]:
        """Yield rows whose key begins with `prefix`, from `prefix + start` on, ascending by key."""
        ...

    def write(self, batch: Mapping[bytes, bytes | None]) -> None:
        """Put (or delete, where None) all rows at once, durably, before returning."""
        ...

    def close(self) -> None:
        """Release the files."""
        ...


class MemoryStore:
    """A `Store` in memory, for tests, rehearsals and auditors' replays."""

    def __init__(self, rows: Mapping[bytes, bytes] | None = None) -> None:
        self._rows: dict[bytes, bytes] = dict(rows or {})
        self._keys: list[bytes] = sorted(self._rows)

    def get(self, key: bytes) -> bytes | None:
        """Return the value at `key`, or None."""
        return self._rows.get(key)

    def scan(self, prefix: bytes, start: bytes = b"") -> Iterator[tuple[bytes, bytes]]:
        """Yield rows whose key begins with `prefix`, from `prefix + start` on, ascending by key."""
        first = bisect_left(self._keys, prefix + start)
        end = end_of(prefix)
        last = len(self._keys) if end is None else bisect_left(self._keys, end, first)
        # A snapshot, as LevelDB gives: rows written while somebody iterates are not seen.
        rows = [(key, self._rows[key]) for key in self._keys[first:last]]
        yield from rows

    def write(self, batch: Mapping[bytes, bytes | None]) -> None:
        """Put (or delete, where None) all rows at once."""
        for key in sorted(batch):
            value = batch[key]
            if value is None:
                if self._rows.pop(key, None) is not None:
                    del self._keys[bisect_left(self._keys, key)]
            else:
                if key not in self._rows:
                    insort(self._keys, key)
                self._rows[key] = value

    def close(self) -> None:
        """Nothing to release."""


def end_of(prefix: bytes) -> bytes | None:
    r"""Return the smallest key above every key that begins with `prefix`; None when there is none.

    >>> end_of(b"s/"), end_of(b"a\xff"), end_of(b"")
    (b's0', b'b', None)
    """
    stripped = prefix.rstrip(b"\xff")
    return stripped[:-1] + bytes([stripped[-1] + 1]) if stripped else None
