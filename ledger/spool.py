"""Digests in any number, given back in order in little memory: sorted runs wait in a temporary file."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from heapq import merge
from itertools import groupby

from ledger.hashing import HASH_SIZE

RUN_SIZE = 32_768 * HASH_SIZE
"""Bytes of digests in memory; more become a run of the file."""
READ_SIZE = 512 * HASH_SIZE


class Spool:
    """Takes 32-byte digests one by one; iterating gives each once, ascending."""

    def __init__(self) -> None:
        self._fresh = bytearray()
        self._file = tempfile.TemporaryFile(buffering=0)  # noqa: SIM115 - closed by `close`
        self._ends = [0]

    def add(self, digest: bytes) -> None:
        """Take one digest."""
        self._fresh += digest
        if len(self._fresh) >= RUN_SIZE:
            data = memoryview(b"".join(_sorted(self._fresh)))
            self._ends.append(self._ends[-1] + len(data))
            while data:
                data = data[self._file.write(data) :]
            self._fresh.clear()

    def __iter__(self) -> Iterator[bytes]:
        """Yield what was taken, each digest once, ascending."""
        runs = [self._read(start, end) for start, end in zip(self._ends, self._ends[1:], strict=False)]
        return (digest for digest, _ in groupby(merge(*runs, _sorted(self._fresh))))

    def close(self) -> None:
        """Give the file back."""
        self._file.close()

    def _read(self, start: int, end: int) -> Iterator[bytes]:
        for at in range(start, end, READ_SIZE):
            yield from _split(os.pread(self._file.fileno(), min(READ_SIZE, end - at), at))


def _split(data: bytes) -> list[bytes]:
    return [data[at : at + HASH_SIZE] for at in range(0, len(data), HASH_SIZE)]


def _sorted(data: bytearray) -> list[bytes]:
    return sorted(_split(bytes(data)))
