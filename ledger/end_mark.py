"""A mark beside a store that grows at its end: how far it was known to reach, so that a lost end is noticed.

A log that lost its last records looks like one whose last record a crash tore, and every reader drops that in silence.
So after each durable write its place, a file number and a size, goes into a small file beside the store. The mark is
written after the data is on the disk and need not be synced itself: an older mark only proves less. What it names must
be there.
"""

from __future__ import annotations

import os
from hashlib import sha256
from pathlib import Path

SUFFIX = ".end"
_SIZE = 64


def move_mark(path: Path, number: int, size: int, *, sync: bool = False) -> None:
    """Note that the file `number` of the store at `path` is durable up to `size` bytes.

    `sync`: before the store shrinks. OSError passes through.
    """
    handle = os.open(mark_path(path), os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        os.pwrite(handle, _encode(number, size), 0)
        if sync:
            os.fsync(handle)
    finally:
        os.close(handle)


def mark_path(path: Path) -> Path:
    """Return where the mark of a store lies: that of `ledger` is `ledger.end`."""
    return path.with_name(path.name + SUFFIX)


def read_mark(path: Path) -> tuple[int, int] | None:
    """Return (file number, size) of the store at `path`; None where no whole mark is. OSError passes through."""
    try:
        data = mark_path(path).read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        return None
    try:
        number, size = (int(word) for word in data.split()[:2])
    except ValueError:
        return None
    return (number, size) if data == _encode(number, size) else None


def _encode(number: int, size: int) -> bytes:
    """Return the mark with its checksum, padded to one length: it is overwritten in place.

    >>> len(_encode(12, 3456)), _encode(12, 3456)[:8]
    (64, b'12 3456 ')
    """
    body = f"{number} {size} "
    return (body + sha256(body.encode()).hexdigest()[:16]).ljust(_SIZE - 1).encode() + b"\n"
