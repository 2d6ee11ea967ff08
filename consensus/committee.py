"""Who decides: the committee of a term, its quorum, its leaders. Pure functions of the state's roll and a seed.

All members with a consensus key up to the cap; above it, sortition by SHA-256(seed ‖ label ‖ 0x00 ‖ key), ascending
(rules §1, draws; notes on consensus 1.6).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from hashlib import sha256

from ledger.hashing import tagged_hash


def quorum_of(size: int) -> int:
    """Return floor(2N/3)+1.

    >>> [quorum_of(n) for n in (1, 4, 5, 7, 100)]
    [1, 3, 4, 5, 67]
    """
    return 2 * size // 3 + 1


def faults_of(size: int) -> int:
    """Return how many Byzantine members a committee of `size` tolerates: floor((N-1)/3)."""
    return (size - 1) // 3


def draw_committee(roll: Iterable[bytes], seed: bytes, size_max: int) -> tuple[bytes, ...]:
    """Return the committee, in its order: all keys up to `size_max`, above that the first of the draw."""
    ordered = sorted(set(roll), key=lambda key: (sha256(seed + b"committee\x00" + key).digest(), key))
    return tuple(ordered[:size_max])


def committee_hash(committee: Sequence[bytes]) -> bytes:
    """Return the hash that headers carry: over the keys in committee order."""
    return tagged_hash("committee", len(committee).to_bytes(4, "big"), *committee)


def leader_of(seed: bytes, view: int, size: int) -> int:
    """Return the committee index of the leader of a view: (seed + view) mod N, seed read as an integer."""
    return (int.from_bytes(seed, "big") + view) % size
