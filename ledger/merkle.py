"""RFC 6962 Merkle trees: roots and inclusion proofs. Leaf prefix 0x00, node prefix 0x01.

Source: RFC 6962 section 2.1 (hash) and 2.1.1 (audit path).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from hashlib import sha256

EMPTY_ROOT = sha256(b"").digest()


def leaf_hash(leaf: bytes) -> bytes:
    """Return the hash of one leaf."""
    return sha256(b"\x00" + leaf).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Return the hash of an inner node."""
    return sha256(b"\x01" + left + right).digest()


def root_of_hashes(hashes: Sequence[bytes]) -> bytes:
    """Return the root over leaf hashes; an odd node is promoted, which equals RFC 6962's split."""
    if not hashes:
        return EMPTY_ROOT
    level = list(hashes)
    while len(level) > 1:
        above = [sha256(b"\x01" + level[i] + level[i + 1]).digest() for i in range(0, len(level) - 1, 2)]
        if len(level) % 2:
            above.append(level[-1])
        level = above
    return level[0]


def merkle_root(leaves: Sequence[bytes]) -> bytes:
    """Return the RFC 6962 root of the leaves, in order."""
    return root_of_hashes([sha256(b"\x00" + leaf).digest() for leaf in leaves])


class Frontier:
    """The roots of the full subtrees of a growing tree: the root after each append in O(log n), without the leaves.

    >>> frontier = Frontier()
    >>> for leaf in (b"a", b"b", b"c"):
    ...     frontier.append(leaf_hash(leaf))
    >>> frontier.root() == merkle_root([b"a", b"b", b"c"])
    True
    """

    def __init__(self, hashes: Iterable[bytes] = ()) -> None:
        self.size = 0
        self._peaks: list[bytes] = []
        for digest in hashes:
            self.append(digest)

    def append(self, digest: bytes) -> None:
        """Add one leaf hash at the end."""
        size = self.size
        while size & 1:
            digest = node_hash(self._peaks.pop(), digest)
            size >>= 1
        self._peaks.append(digest)
        self.size += 1

    def root(self) -> bytes:
        """Return the RFC 6962 root over the leaves appended so far."""
        if not self._peaks:
            return EMPTY_ROOT
        digest = self._peaks[-1]
        for peak in reversed(self._peaks[:-1]):
            digest = node_hash(peak, digest)
        return digest


def inclusion_proof(hashes: Sequence[bytes], index: int) -> tuple[bytes, ...]:
    """Return the audit path of leaf `index`, from the leaf upwards. IndexError outside the tree."""
    if not 0 <= index < len(hashes):
        raise IndexError(index)
    path: list[bytes] = []
    level = list(hashes)
    position = index
    while len(level) > 1:
        sibling = position ^ 1
        if sibling < len(level):
            path.append(level[sibling])
        above = [node_hash(level[i], level[i + 1]) for i in range(0, len(level) - 1, 2)]
        if len(level) % 2:
            above.append(level[-1])
        level = above
        position //= 2
    return tuple(path)


def is_included(leaf: bytes, index: int, size: int, path: Sequence[bytes], root: bytes) -> bool:
    """True when `path` proves that `leaf` is at `index` of the tree of `size` leaves with `root`."""
    return is_path(leaf_hash(leaf), index, size, path, root)


def is_path(digest: bytes, index: int, size: int, path: Sequence[bytes], root: bytes) -> bool:
    """True when `path` leads from a leaf's hash at `index` to `root`; see `is_included`."""
    if not 0 <= index < size:
        return False
    position, last = index, size - 1
    steps = iter(path)
    while last > 0:
        if position % 2 or position < last:
            sibling = next(steps, None)
            if sibling is None:
                return False
            digest = node_hash(sibling, digest) if position % 2 else node_hash(digest, sibling)
        position //= 2
        last //= 2
    return next(steps, None) is None and digest == root
