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
from collections.abc import Iterable, Iterator, Mapping
from hashlib import sha256
from typing import Protocol

from ledger.codec import Shape
from ledger.hashing import HASH_SIZE, ZERO_HASH, tagged_hash

EMPTY_TREE = ZERO_HASH
ENTRY_SIZE = 2 * HASH_SIZE
BUCKET_SIZE_MAX = 16 * ENTRY_SIZE
"""Leaves lie in buckets of sixteen at most: hashing one anew costs about as much as the way from it to the root."""
DEPTH_MAX = 8 * HASH_SIZE
GROUP_BITS = 8
"""Many rows are laid out by the first byte of their path."""
GROUPED_MIN = 1 << 14
"""Rows up to which they are laid out all at once."""


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
    """The tree in memory: buckets of leaves, and each node above by a 1 and its bits (below n lie 2n and 2n+1)."""

    def __init__(self, rows: Iterable[tuple[bytes, bytes]] = ()) -> None:
        self._buckets: dict[int, bytes] = {}
        """Node -> entries path ‖ leaf, sorted."""
        self._hashes: dict[int, bytes] = {}
        self._judged: tuple[dict[bytes, bytes | None], _Change] | None = None
        """The last delta asked about: a block is judged when it is proposed and once more when it is kept."""
        groups = [bytearray() for _ in range(1 << GROUP_BITS)]
        for key, value in rows:
            entry = _entry(key, value)
            groups[entry[0]] += entry
        self._size = sum(map(len, groups)) // ENTRY_SIZE
        if self._size <= GROUPED_MIN:
            _fill(_entries_of(b"".join(groups)), 1, self._buckets, self._hashes)
            return
        for number in range(len(groups)):  # group by group: all entries at once would take twice the tree's memory
            _fill(_entries_of(bytes(groups[number])), len(groups) + number, self._buckets, self._hashes)
            groups[number] = bytearray()
        _hash_upwards({number >> 1 for number in range(len(groups), 2 * len(groups))}, self._hashes, self._hashes)

    @property
    def size(self) -> int:
        """Number of rows."""
        return self._size

    def root(self) -> bytes:
        """Return the state root of the rows held."""
        return root_of(self._size, self._hashes[1])

    def root_after(self, delta: Mapping[bytes, bytes | None]) -> bytes:
        """Return the root that `apply(delta)` would give, without changing this tree."""
        change = self._judge(delta)
        return root_of(self._size + change.more, change.hashes.get(1, self._hashes[1]))

    def size_after(self, delta: Mapping[bytes, bytes | None]) -> int:
        """Return the number of rows that `apply(delta)` would leave."""
        return self._size + self._judge(delta).more

    def apply(self, delta: Mapping[bytes, bytes | None]) -> None:
        """Take the delta of a final block into the tree."""
        change = self._judge(delta)
        self._judged = None
        self._size += change.more
        for node in change.split:
            del self._buckets[node]
        self._buckets.update(change.buckets)
        self._hashes.update(change.hashes)

    def proof_of(self, key: bytes, state: StateReader) -> StateProof:
        """Return the proof of the row at `key`, or of its absence, which scans `state` for the leaf found instead."""
        if not self._size:
            return StateProof(0, b"", b"", ())
        path, steps, node = path_of(key), list[tuple[int, bytes]](), 1
        while node not in self._buckets:
            depth = node.bit_length() - 1
            node = 2 * node + (path[depth >> 3] >> (7 - (depth & 7)) & 1)
            sibling = self._hashes[node ^ 1]
            if self._hashes[node] == EMPTY_TREE:
                node ^= 1  # only one side holds rows: no fork here, and the key's path leaves the tree's
            elif sibling != EMPTY_TREE:
                steps.append((depth, sibling))
        found = _steps_in_bucket(self._buckets[node], path, steps)
        there = key if found == path else next(other for other, _ in state.scan(b"") if path_of(other) == found)
        value = state.get(there)
        assert value is not None, "the tree and the state hold the same rows"
        return StateProof(self._size, found, sha256(value).digest(), tuple(steps))

    def _judge(self, delta: Mapping[bytes, bytes | None]) -> _Change:
        judged = self._judged
        if judged is None or judged[0] != delta:
            judged = self._judged = (dict(delta), _Change(self._buckets, self._hashes, delta))
        return judged[1]


class _Change:
    """What a delta makes of a tree: new buckets and hashes, buckets that were split, rows more than before."""

    def __init__(
        self, buckets: dict[int, bytes], hashes: dict[int, bytes], delta: Mapping[bytes, bytes | None]
    ) -> None:
        self.buckets: dict[int, bytes] = {}
        self.hashes: dict[int, bytes] = {}
        self.split: list[int] = []
        self.more = 0
        by_bucket: dict[int, dict[bytes, bytes]] = {}
        depth = max(0, len(buckets).bit_length() - 1)
        for key, value in delta.items():
            path = sha256(key).digest()
            entry = b"" if value is None else path + leaf_of(path, sha256(value).digest())
            node = _bucket_on(buckets, hashes, path, depth)
            new = by_bucket.get(node)
            if new is None:
                by_bucket[node] = {path: entry}
            else:
                new[path] = entry
        for node, new in by_bucket.items():
            before = buckets[node]
            bucket = _merged(before, new)
            self.more += (len(bucket) - len(before)) // ENTRY_SIZE
            if len(bucket) > BUCKET_SIZE_MAX:
                self.split.append(node)
                _fill(_entries_of(bucket), node, self.buckets, self.hashes)
            else:
                self.buckets[node] = bucket
                self.hashes[node] = _bucket_hash(bucket)
        _hash_upwards({node >> 1 for node in by_bucket if node > 1}, hashes, self.hashes)


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


def _hash_upwards(nodes: set[int], hashes: dict[int, bytes], new: dict[int, bytes]) -> None:
    """Hash into `new` the inner nodes above what changed, the deepest first."""
    by_depth: dict[int, set[int]] = {}
    for node in nodes:
        by_depth.setdefault(node.bit_length() - 1, set()).add(node)
    for depth in range(max(by_depth, default=-1), -1, -1):
        here = by_depth.get(depth, set[int]())
        prefix = _FORKS[depth]
        for node in here:
            left, right = 2 * node, 2 * node + 1
            one, other = new.get(left) or hashes[left], new.get(right) or hashes[right]
            if EMPTY_TREE in (one, other):
                new[node] = _joined(depth, one, other)
            else:
                new[node] = sha256(prefix + one + other).digest()
        if depth:
            by_depth.setdefault(depth - 1, set()).update([node >> 1 for node in here])


def _entries_of(bucket: bytes) -> list[bytes]:
    """Return entries that stand one behind the other, sorted."""
    return sorted([bucket[start : start + ENTRY_SIZE] for start in range(0, len(bucket), ENTRY_SIZE)])


def _entry(key: bytes, value: bytes) -> bytes:
    path = sha256(key).digest()
    return path + sha256(b"\x00" + path + sha256(value).digest()).digest()


def _joined(depth: int, left: bytes, right: bytes) -> bytes:
    """Return the tree over two halves: a fork where both hold rows, else the half that does."""
    if left == EMPTY_TREE:
        return right
    return left if right == EMPTY_TREE else fork_of(depth, left, right)


def _bucket_on(buckets: dict[int, bytes], hashes: dict[int, bytes], path: bytes, depth: int) -> int:
    """Return the bucket in which a path ends, looked for from a depth at which it may well lie."""
    bits = int.from_bytes(path, "big") | 1 << DEPTH_MAX
    shift = DEPTH_MAX - depth
    while bits >> shift not in hashes:
        shift += 1
    while (node := bits >> shift) not in buckets:
        shift -= 1
    return node


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
    """Return the tree over a bucket's sorted entries. Neighbours fork after their common bits, the deepest first."""
    if not bucket:
        return EMPTY_TREE
    fields = _BUCKETS[len(bucket) // ENTRY_SIZE].unpack(bucket)
    waiting: list[tuple[int, bytes]] = []
    path, digest = fields[0], fields[1]
    for place in range(2, len(fields), 2):
        after = fields[place]
        depth = 64 - (path ^ after).bit_length()
        if depth == 64:  # paths of which so many bits agree are compared whole
            start = ENTRY_SIZE * (place // 2)
            depth = _common_bits(bucket[start - ENTRY_SIZE : start - HASH_SIZE], bucket[start : start + HASH_SIZE])
        while waiting and waiting[-1][0] > depth:
            fork, left = waiting.pop()
            digest = sha256(_FORKS[fork] + left + digest).digest()
        waiting.append((depth, digest))
        path, digest = after, fields[place + 1]
    for fork, left in reversed(waiting):
        digest = sha256(_FORKS[fork] + left + digest).digest()
    return digest


_BUCKETS = [struct.Struct(">" + "Q24x32s" * count) for count in range(BUCKET_SIZE_MAX // ENTRY_SIZE + 1)]
"""By number of entries: of each the first 64 bits of its path, and its leaf."""


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


def _fill(entries: list[bytes], node: int, buckets: dict[int, bytes], hashes: dict[int, bytes]) -> bytes:
    """Lay sorted entries out in buckets below `node`; return its hash."""
    if len(entries) * ENTRY_SIZE <= BUCKET_SIZE_MAX:
        bucket = buckets[node] = b"".join(entries)
        digest = hashes[node] = _bucket_hash(bucket)
        return digest
    depth = node.bit_length() - 1
    byte, mask = depth >> 3, 0x80 >> (depth & 7)
    low, high = 0, len(entries)
    while low < high:  # entries are sorted and agree in all bits before this one
        middle = (low + high) // 2
        low, high = (low, middle) if entries[middle][byte] & mask else (middle + 1, high)
    left = _fill(entries[:low], 2 * node, buckets, hashes)
    right = _fill(entries[low:], 2 * node + 1, buckets, hashes)
    digest = hashes[node] = _joined(depth, left, right)
    return digest
