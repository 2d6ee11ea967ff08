"""The vote log on disk: what this node has signed, durable before anything is sent (notes on consensus, "what must be durable").

One append-only file of hash-chained records (`consensus.votelog` knows the bytes). A torn last record, from a crash in the middle of
a write, is dropped; a chain broken elsewhere, or a log of another key, means that the node's memory of its own votes cannot be
trusted: it then signs nothing until the network has moved past every height it may have voted in (quarantine).
"""

from __future__ import annotations

import os
from pathlib import Path

from consensus import votelog
from consensus.messages import Cell
from ledger.errors import MutuaError

PRUNE_FROM_BYTES = 4 * 1024 * 1024


class VoteLog:
    """The open vote log of one consensus key."""

    def __init__(self, path: Path, fingerprint: bytes) -> None:
        """Open or make the log. MutuaError `vote_log_broken` when it cannot be trusted; `disk` errors pass as OSError."""
        self._path = path
        self._fingerprint = fingerprint
        data = path.read_bytes() if path.exists() else b""
        if data:
            scan = votelog.scan(data, fingerprint)
            self._cells = list(scan.cells)
            self._head = scan.head
            self._file = path.open("r+b")
            self._file.truncate(scan.size)
            self._file.seek(scan.size)
        else:
            self._cells = []
            header, self._head = votelog.begin(fingerprint)
            self._file = path.open("w+b")
            self._write(header)
            _sync_folder(path.parent)

    def cells(self, height: int) -> tuple[Cell, ...]:
        """Return what was signed at a height."""
        return tuple(cell for cell in self._cells if cell.height == height)

    def append(self, cell: Cell) -> None:
        """Make a cell durable. Returns only after fdatasync."""
        record, self._head = votelog.append(self._head, cell)
        self._write(record)
        self._cells.append(cell)

    def prune(self, final_height: int) -> None:
        """Forget cells of final heights; rewrite the file once it has grown."""
        self._cells = [cell for cell in self._cells if cell.height > final_height]
        if self._file.tell() < PRUNE_FROM_BYTES:
            return
        data, self._head = votelog.begin(self._fingerprint)
        for cell in self._cells:
            record, self._head = votelog.append(self._head, cell)
            data += record
        fresh = self._path.with_suffix(".new")
        with fresh.open("wb") as file:
            file.write(data)
            file.flush()
            os.fdatasync(file.fileno())
        self._file.close()
        fresh.replace(self._path)
        _sync_folder(self._path.parent)
        self._file = self._path.open("r+b")
        self._file.seek(len(data))

    def close(self) -> None:
        """Release the file."""
        self._file.close()

    def _write(self, data: bytes) -> None:
        try:
            self._file.write(data)
            self._file.flush()
            os.fdatasync(self._file.fileno())
        except OSError as error:
            raise MutuaError("disk", f"the vote log could not be written: {error.strerror}", "free space on the disk and start again") from error


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
