"""Short entries in any number, given back in order in little memory: sorted runs wait in a temporary file."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from heapq import merge

RUN_SIZE_MAX = 1 << 20
"""Bytes of entries in memory; more become a run of the file."""
READ_ENTRIES = 512


class Spool:
    """Takes entries of `size` bytes one by one; iterating gives them ascending."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._fresh = bytearray()
        self._file = tempfile.TemporaryFile(buffering=0)  # noqa: SIM115 - closed by `close`
        self._ends = [0]

    def add(self, entry: bytes) -> None:
        """Take one entry."""
        assert len(entry) == self._size
        self._fresh += entry
        if len(self._fresh) >= RUN_SIZE_MAX:
            data = memoryview(b"".join(self._sorted()))
            self._ends.append(self._ends[-1] + len(data))
            while data:
                data = data[self._file.write(data) :]
            self._fresh.clear()

    def __iter__(self) -> Iterator[bytes]:
        """Yield what was taken, ascending."""
        runs = [self._read(start, end) for start, end in zip(self._ends, self._ends[1:], strict=False)]
        return merge(*runs, self._sorted())

    def close(self) -> None:
        """Give the file back."""
        self._file.close()

    def _read(self, start: int, end: int) -> Iterator[bytes]:
        step = READ_ENTRIES * self._size
        for at in range(start, end, step):
            yield from self._split(os.pread(self._file.fileno(), min(step, end - at), at))

    def _split(self, data: bytes) -> list[bytes]:
        return [data[at : at + self._size] for at in range(0, len(data), self._size)]

    def _sorted(self) -> list[bytes]:
        return sorted(self._split(bytes(self._fresh)))
