"""The authenticated state: rows of bytes, and a root over the sorted rows.

`state_root` = H("state", row count as 8 bytes ‖ RFC 6962 root over the leaves in key order); a leaf is the key's length
as 4 bytes ‖ key ‖ value. The tree depends on the rows alone, never on how they came to be. Non-inclusion is shown by two
neighbours. Source: notes on Merkle structures; a rebuild of 1,000,000 rows takes about 1.5 s.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Iterable, Iterator, Mapping
from typing import Protocol

from ledger import merkle
from ledger.hashing import tagged_hash


class StateReader(Protocol):
    """What governance needs to see of the state before a block."""

    def get(self, key: bytes) -> bytes | None:
        """Return the row at `key`, or None."""
        ...

    def scan(self, prefix: bytes, start: bytes = b"") -> Iterator[tuple[bytes, bytes]]:
        """Yield rows under `prefix` in key order, from `prefix + start` on."""
        ...


def leaf_of(key: bytes, value: bytes) -> bytes:
    """Return the bytes of one state leaf."""
    return len(key).to_bytes(4, "big") + key + value


def root_of(size: int, tree_root: bytes) -> bytes:
    """Return the state root for a tree of `size` leaves."""
    return tagged_hash("state", size.to_bytes(8, "big"), tree_root)


class StateTree:
    """Leaf hashes in key order, so that a root after a delta re-hashes only the changed leaves and the inner nodes."""

    def __init__(self, rows: Iterable[tuple[bytes, bytes]] = ()) -> None:
        self._hashes: dict[bytes, bytes] = {key: merkle.leaf_hash(leaf_of(key, value)) for key, value in rows}
        self._keys: list[bytes] = sorted(self._hashes)
        self._judged: tuple[dict[bytes, bytes | None], bytes] | None = None
        """The last delta asked about, with its root: a block is judged when it is proposed and once more when it is kept."""

    @property
    def size(self) -> int:
        """Number of rows."""
        return len(self._keys)

    def root(self) -> bytes:
        """Return the state root of the rows held."""
        return root_of(len(self._keys), merkle.root_of_hashes([self._hashes[key] for key in self._keys]))

    def root_after(self, delta: Mapping[bytes, bytes | None]) -> bytes:
        """Return the root that `apply(delta)` would give, without changing this tree."""
        judged = self._judged
        if judged is None or judged[0] != delta:
            judged = self._judged = (dict(delta), self._compute_root_after(delta))
        return judged[1]

    def _compute_root_after(self, delta: Mapping[bytes, bytes | None]) -> bytes:
        changed = {key: merkle.leaf_hash(leaf_of(key, value)) for key, value in delta.items() if value is not None}
        gone = {key for key, value in delta.items() if value is None}
        fresh = sorted(key for key in changed if key not in self._hashes)
        keys = self._keys if not fresh and not (gone & self._hashes.keys()) else sorted({*self._keys, *fresh} - gone)
        hashes = self._hashes
        return root_of(len(keys), merkle.root_of_hashes([changed.get(key) or hashes[key] for key in keys]))

    def size_after(self, delta: Mapping[bytes, bytes | None]) -> int:
        """Return the number of rows that `apply(delta)` would leave."""
        return len(self._keys) + sum((value is not None) - (key in self._hashes) for key, value in delta.items())

    def apply(self, delta: Mapping[bytes, bytes | None]) -> None:
        """Take the delta of a final block into the tree."""
        self._judged = None
        for key, value in delta.items():
            if value is None:
                if self._hashes.pop(key, None) is not None:
                    del self._keys[bisect_left(self._keys, key)]
            else:
                if key not in self._hashes:
                    insort(self._keys, key)
                self._hashes[key] = merkle.leaf_hash(leaf_of(key, value))

    def leaf_hashes(self) -> list[bytes]:
        """Return the leaf hashes in key order, for proofs."""
        return [self._hashes[key] for key in self._keys]

    def position_of(self, key: bytes) -> int:
        """Return where `key` stands, or would stand, among the sorted keys."""
        return bisect_left(self._keys, key)

    def key_at(self, index: int) -> bytes:
        """Return the key at a leaf index."""
        return self._keys[index]
