"""The authenticated state: rows of bytes under one root, whose cost follows the rows a block changes, not all rows.

The tree is a binary Patricia tree over SHA-256 of the keys: it depends on the rows alone, never on how they came to be.

- the path of a row is SHA-256(key); its leaf is SHA-256(0x00 ‖ path ‖ SHA-256(value));
- of two or more rows whose paths agree in the first `depth` bits and not in the next: SHA-256(0x01 ‖ depth as one byte
  ‖ tree of the rows with a 0 there ‖ tree of those with a 1); of one row: its leaf; of none: 32 zero bytes;
- `state_root` = H("state", row count as 8 bytes ‖ tree of all rows).

The leaf at which a row's path ends and the siblings on the way prove that the row is there, or is not. A tree over a
sorted list of leaves is easier to describe, but one new row moves all that follow, so each block would rehash all rows.
"""

from __future__ import annotations

import struct
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from hashlib import sha256
from itertools import groupby
from typing import Any, Protocol

from ledger.codec import Shape
from ledger.hashing import HASH_SIZE, ZERO_HASH, tagged_hash

EMPTY_TREE = ZERO_HASH
ENTRY_SIZE = 2 * HASH_SIZE
DEPTH_MAX = 8 * HASH_SIZE
BUCKET_ROWS = 4
"""Rows a bucket on average, at most, when the tree is laid out.
Fewer would cost as many hashes above the buckets as they save inside them, and more memory."""
BUCKET_ROWS_MAX = 24
"""Rows a bucket on average from which the tree is laid out anew: about once in six times as many rows."""
GROUP_COUNT = 256
"""Many rows are laid out by the first byte of their path: all at once would take twice the tree's memory."""


class StateReader(Protocol):
    """What governance needs to see of the state before a block."""

    def get(self, key: bytes) -> bytes | None:
        """Return the row at `key`, or None."""
        ...

    def scan(self, prefix: bytes, start: bytes = b"") -> Iterator[tuple[bytes, bytes]]:
        """Yield rows under `prefix` in key order, from `prefix + start` on."""
        ...


class StateProof(Shape):
    """Shows a row, or that there is none: the leaf where the key's path ends, and the siblings from the root down."""

    size: int
    """Rows in the state."""
    path: bytes
    """Of the leaf: the key's own, or another where the key has no row. Empty with an empty state."""
    value_hash: bytes
    steps: tuple[tuple[int, bytes], ...]
    """(depth of the fork, hash of the side not taken)."""


def path_of(key: bytes) -> bytes:
    """Return the 32-byte path of a key."""
    return sha256(key).digest()


def leaf_of(path: bytes, value_hash: bytes) -> bytes:
    """Return the hash of one leaf."""
    return sha256(b"\x00" + path + value_hash).digest()


def fork_of(depth: int, left: bytes, right: bytes) -> bytes:
    """Return the hash of a fork after `depth` common bits."""
    return sha256(_FORKS[depth] + left + right).digest()


_FORKS = [b"\x01" + bytes([depth]) for depth in range(DEPTH_MAX)]


def root_of(size: int, tree: bytes) -> bytes:
    """Return the state root for a tree of `size` rows."""
    return tagged_hash("state", size.to_bytes(8, "big"), tree)


def is_proved(key: bytes, value: bytes | None, proof: StateProof, state_root: bytes) -> bool:
    """True when the proof shows under `state_root` that the row at `key` is `value` (None: that there is no row)."""
    if proof.size == 0:
        return value is None and root_of(0, EMPTY_TREE) == state_root
    path = path_of(key)
    if not len(proof.path) == len(proof.value_hash) == HASH_SIZE or (proof.path == path) != (value is not None):
        return False
    if value is not None and sha256(value).digest() != proof.value_hash:
        return False
    asked, found = int.from_bytes(path, "big"), int.from_bytes(proof.path, "big")
    digest, below = leaf_of(proof.path, proof.value_hash), DEPTH_MAX
    for depth, sibling in reversed(proof.steps):
        bit = 1 << (DEPTH_MAX - 1 - depth)
        # At every fork the key must go the way that the leaf goes; the forks deepen on the way down.
        if not 0 <= depth < below or len(sibling) != HASH_SIZE or (asked & bit) != (found & bit):
            return False
        digest = fork_of(depth, sibling, digest) if found & bit else fork_of(depth, digest, sibling)
        below = depth
    return root_of(proof.size, digest) == state_root


class StateTree:
    """The tree in memory: the leaves in buckets by the first bits of their paths, and every node above them by level.

    A level is one array of hashes: a node's halves stand side by side in the level below, without an object for each.
    """

    def __init__(self, rows: Iterable[tuple[bytes, bytes]] = ()) -> None:
        self._judged: tuple[dict[bytes, bytes | None], _Change] | None = None
        """The last delta asked about: a block is judged when it is proposed and once more when it is kept."""
        groups = [bytearray() for _ in range(GROUP_COUNT)]
        for key, value in rows:
            path = sha256(key).digest()
            groups[path[0]] += path + leaf_of(path, sha256(value).digest())
        self._size = sum(map(len, groups)) // ENTRY_SIZE
        self._bits = _bits_for(self._size)
        self._buckets, self._levels = _laid_out(self._bits, _emptied(groups))

    @property
    def size(self) -> int:
        """Number of rows."""
        return self._size

    def root(self) -> bytes:
        """Return the state root of the rows held."""
        return root_of(self._size, bytes(self._levels[0]))

    def root_after(self, delta: Mapping[bytes, bytes | None]) -> bytes:
        """Return the root that `apply(delta)` would give, without changing this tree."""
        change = self._judge(delta)
        return root_of(self._size + change.more, change.levels[0].get(0) or bytes(self._levels[0]))

    def size_after(self, delta: Mapping[bytes, bytes | None]) -> int:
        """Return the number of rows that `apply(delta)` would leave."""
        return self._size + self._judge(delta).more

    def apply(self, delta: Mapping[bytes, bytes | None]) -> None:
        """Take the delta of a final block into the tree."""
        change = self._judge(delta)
        self._judged = None
        self._size += change.more
        for place, bucket in change.buckets.items():
            self._buckets[place] = bucket
        for level, changed in zip(self._levels, change.levels, strict=True):
            for place, digest in changed.items():
                level[HASH_SIZE * place : HASH_SIZE * (place + 1)] = digest
        if self._size > BUCKET_ROWS_MAX << self._bits:
            self._bits, buckets = _bits_for(self._size), self._buckets
            pieces = (b"".join(buckets[start : start + 1024]) for start in range(0, len(buckets), 1024))
            self._buckets, self._levels = _laid_out(self._bits, pieces)

    def proof_of(self, key: bytes, state: StateReader) -> StateProof:
        """Return the proof of the row at `key`, or of its absence, which scans `state` for the leaf found instead."""
        if not self._size:
            return StateProof(0, b"", b"", ())
        path, steps, place = path_of(key), list[tuple[int, bytes]](), 0
        for depth in range(self._bits):
            place = 2 * place + (path[depth >> 3] >> (7 - (depth & 7)) & 1)
            sibling = _hash_at(self._levels[depth + 1], place ^ 1)
            if _hash_at(self._levels[depth + 1], place) == EMPTY_TREE:
                place ^= 1  # only one side holds rows: no fork here, and the key's path leaves the tree's
            elif sibling != EMPTY_TREE:
                steps.append((depth, sibling))
        found = _steps_in_bucket(self._buckets[place], path, steps)
        there = key if found == path else next(other for other, _ in state.scan(b"") if path_of(other) == found)
        value = state.get(there)
        assert value is not None, "the tree and the state hold the same rows"
        return StateProof(self._size, found, sha256(value).digest(), tuple(steps))

    def _judge(self, delta: Mapping[bytes, bytes | None]) -> _Change:
        judged = self._judged
        if judged is None or judged[0] != delta:
            judged = self._judged = (dict(delta), _Change(self._bits, self._buckets, self._levels, delta))
        return judged[1]


class _Change:
    """What a delta makes of a tree: new buckets by place, new hashes by level and place, rows more than before."""

    def __init__(
        self, bits: int, buckets: list[bytes], levels: list[bytearray], delta: Mapping[bytes, bytes | None]
    ) -> None:
        by_bucket: dict[int, dict[bytes, bytes]] = {}
        shift = DEPTH_MAX - bits
        for key, value in delta.items():
            path = sha256(key).digest()
            entry = b"" if value is None else path + sha256(b"\x00" + path + sha256(value).digest()).digest()
            place = int.from_bytes(path, "big") >> shift
            new = by_bucket.get(place)
            if new is None:
                by_bucket[place] = {path: entry}
            else:
                new[path] = entry
        self.buckets = {place: _merged(buckets[place], by_bucket[place]) for place in sorted(by_bucket)}
        self.more = sum(len(bucket) - len(buckets[place]) for place, bucket in self.buckets.items()) // ENTRY_SIZE
        below = {place: _bucket_hash(bucket) for place, bucket in self.buckets.items()}
        self.levels = [below]
        for depth in range(bits - 1, -1, -1):
            below = _hashed_above(depth, below, levels[depth + 1])
            self.levels.append(below)
        self.levels.reverse()


def _hashed_above(depth: int, below: dict[int, bytes], level: bytearray) -> dict[int, bytes]:
    """Return the new hashes at `depth` over those `below` it, by ascending place; `level` has what did not change."""
    above: dict[int, bytes] = {}
    prefix = _FORKS[depth]
    for place, digest in below.items():
        start = HASH_SIZE * place
        if not place & 1:
            left, right = digest, below.get(place + 1) or level[start + HASH_SIZE : start + ENTRY_SIZE]
        elif place - 1 in below:
            continue  # both halves changed, and the left one came first
        else:
            left, right = level[start - HASH_SIZE : start], digest
        if EMPTY_TREE in (left, right):
            above[place >> 1] = _joined(depth, bytes(left), bytes(right))
        else:
            above[place >> 1] = sha256(prefix + left + right).digest()
    return above


def _bits_for(size: int) -> int:
    """Return how many bits of the paths choose among the buckets of so many rows."""
    return (max(0, size - 1) // BUCKET_ROWS).bit_length()


def _emptied(groups: list[bytearray]) -> Iterator[bytes]:
    """Yield groups, each of which then takes no memory any more."""
    while groups:
        yield bytes(groups.pop())


def _laid_out(bits: int, pieces: Iterable[bytes]) -> tuple[list[bytes], list[bytearray]]:
    """Return the buckets of entries, of which no bucket's lie in two pieces, and the levels from the root down."""
    if 1 << bits < GROUP_COUNT:
        pieces = [b"".join(pieces)]
    buckets, level = [b""] * (1 << bits), bytearray(HASH_SIZE << bits)
    shift = DEPTH_MAX - bits
    for piece in pieces:
        for place, entries in groupby(
            _entries_of(piece), lambda entry: int.from_bytes(entry[:HASH_SIZE], "big") >> shift
        ):
            bucket = buckets[place] = b"".join(entries)
            level[HASH_SIZE * place : HASH_SIZE * (place + 1)] = _bucket_hash(bucket)
    levels = [level]
    for depth in range(bits - 1, -1, -1):
        below, level = level, bytearray()
        for start in range(0, len(below), ENTRY_SIZE):
            middle, end = start + HASH_SIZE, start + ENTRY_SIZE
            level += _joined(depth, bytes(below[start:middle]), bytes(below[middle:end]))
        levels.append(level)
    levels.reverse()
    return buckets, levels


def _hash_at(level: bytearray, place: int) -> bytes:
    return bytes(level[HASH_SIZE * place : HASH_SIZE * (place + 1)])


def _merged(bucket: bytes, new: dict[bytes, bytes]) -> bytes:
    """Return a bucket's sorted entries with new ones put, replaced, or (empty) taken away."""
    if len(new) > 2:
        entries = {entry[:HASH_SIZE]: entry for entry in _entries_of(bucket)}
        entries.update(new)
        return b"".join(sorted(entries.values()))
    for path, entry in new.items():
        place = _find(bucket, path)
        after = place + ENTRY_SIZE if bucket.startswith(path, place) else place
        bucket = bucket[:place] + entry + bucket[after:]
    return bucket


def _entries_of(bucket: bytes) -> list[bytes]:
    """Return entries that stand one behind the other, sorted."""
    return sorted([bucket[start : start + ENTRY_SIZE] for start in range(0, len(bucket), ENTRY_SIZE)])


def _joined(depth: int, left: bytes, right: bytes) -> bytes:
    """Return the tree over two halves: a fork where both hold rows, else the half that does."""
    if left == EMPTY_TREE:
        return right
    return left if right == EMPTY_TREE else fork_of(depth, left, right)


def _find(bucket: bytes, path: bytes) -> int:
    """Return where the entry of `path` starts, or would."""
    low, high = 0, len(bucket) // ENTRY_SIZE
    while low < high:
        middle = (low + high) // 2
        if bucket[ENTRY_SIZE * middle : ENTRY_SIZE * middle + HASH_SIZE] < path:
            low = middle + 1
        else:
            high = middle
    return ENTRY_SIZE * low


def _bucket_hash(bucket: bytes) -> bytes:
    """Return the tree over a bucket's sorted entries."""
    count = len(bucket) // ENTRY_SIZE
    if count < 2:
        return bucket[HASH_SIZE:] or EMPTY_TREE
    return _tree_over(bucket, _layout(count).unpack(bucket), 0, 2 * count - 2)


@lru_cache(maxsize=256)
def _layout(count: int) -> struct.Struct:
    """Return the layout of so many entries: of each the first 64 bits of its path, and its leaf."""
    return struct.Struct(">" + "Q24x32s" * count)


def _tree_over(bucket: bytes, fields: tuple[Any, ...], first: int, last: int) -> bytes:
    """Return the tree over two entries or more, whose fields begin at `first` ... `last`.

    It forks at the first bit in which the two ends differ; whoever agrees with the first there lies to the left.
    """
    differing: int = (fields[first] ^ fields[last]).bit_length()
    if not differing:  # paths of which so many bits agree are compared whole
        return _deep_tree(_entries_of(bucket[HASH_SIZE * first : HASH_SIZE * (last + 2)]))
    middle = first + 2
    while (fields[first] ^ fields[middle]).bit_length() < differing:
        middle += 2
    left = fields[first + 1] if middle == first + 2 else _tree_over(bucket, fields, first, middle - 2)
    right = fields[last + 1] if middle == last else _tree_over(bucket, fields, middle, last)
    return sha256(_FORKS[64 - differing] + left + right).digest()


def _deep_tree(entries: list[bytes]) -> bytes:
    """Return the tree over sorted entries, however many bits of their paths agree."""
    if len(entries) == 1:
        return entries[0][HASH_SIZE:]
    depth = _common_bits(entries[0][:HASH_SIZE], entries[-1][:HASH_SIZE])
    middle = bisect_left(entries, _first_right_of(entries[0][:HASH_SIZE], depth))
    return fork_of(depth, _deep_tree(entries[:middle]), _deep_tree(entries[middle:]))


def _common_bits(one: bytes, other: bytes) -> int:
    """Return how many bits two different paths begin with that agree."""
    return DEPTH_MAX - (int.from_bytes(one, "big") ^ int.from_bytes(other, "big")).bit_length()


def _steps_in_bucket(bucket: bytes, path: bytes, steps: list[tuple[int, bytes]]) -> bytes:
    """Add the siblings on the way of `path` inside a bucket and return the path of the leaf at which the way ends."""
    while len(bucket) > ENTRY_SIZE:
        first, last = bucket[:HASH_SIZE], bucket[-ENTRY_SIZE:-HASH_SIZE]
        depth = _common_bits(first, last)
        middle = _find(bucket, _first_right_of(first, depth))
        left, right = bucket[:middle], bucket[middle:]
        is_right = bool(path[depth >> 3] >> (7 - (depth & 7)) & 1)
        bucket, other = (right, left) if is_right else (left, right)
        steps.append((depth, _bucket_hash(other)))
    return bucket[:HASH_SIZE]


def _first_right_of(path: bytes, depth: int) -> bytes:
    """Return the smallest path that agrees with `path` in its first `depth` bits and has a 1 after them."""
    shift = DEPTH_MAX - depth
    return ((int.from_bytes(path, "big") >> shift << shift) | 1 << (shift - 1)).to_bytes(HASH_SIZE, "big")
