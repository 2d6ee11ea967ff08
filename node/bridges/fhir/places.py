"""Where things are in a file: names to resource numbers, 12 bytes an entry, so that a file of a gigabyte fits.

A name is kept as its hash. What is found under it is a candidate, and the caller compares.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections.abc import Hashable, Iterator

_BUCKETS = 256
"""Small sorted parts: sorting one at a time needs little memory beside them."""


class Places:
    """A map from names to the numbers of the resources that bear them, filled first and then asked."""

    def __init__(self) -> None:
        self._hashes = [array("q") for _ in range(_BUCKETS)]
        self._numbers = [array("I") for _ in range(_BUCKETS)]
        self._is_sorted = False

    def add(self, name: Hashable, number: int) -> None:
        """Note that resource `number` bears this name."""
        key = hash(name)
        self._hashes[key % _BUCKETS].append(key)
        self._numbers[key % _BUCKETS].append(number)
        self._is_sorted = False

    def find(self, name: Hashable) -> Iterator[int]:
        """Yield the numbers of all resources that may bear this name, in ascending order."""
        self._sort()
        key = hash(name)
        hashes, numbers = self._hashes[key % _BUCKETS], self._numbers[key % _BUCKETS]
        at = bisect_left(hashes, key)
        while at < len(hashes) and hashes[at] == key:
            yield numbers[at]
            at += 1

    def repeated(self) -> list[int]:
        """Return, in ascending order, the numbers of all resources that may bear a name that was noted twice."""
        self._sort()
        found: set[int] = set()
        for hashes, numbers in zip(self._hashes, self._numbers, strict=True):
            for at in range(1, len(hashes)):
                if hashes[at] == hashes[at - 1]:
                    found.update(numbers[at - 1 : at + 1])
        return sorted(found)

    def _sort(self) -> None:
        if self._is_sorted:
            return
        for bucket, hashes in enumerate(self._hashes):
            order = sorted(range(len(hashes)), key=hashes.__getitem__)
            numbers = self._numbers[bucket]
            self._hashes[bucket] = array("q", [hashes[at] for at in order])
            self._numbers[bucket] = array("I", [numbers[at] for at in order])
        self._is_sorted = True
