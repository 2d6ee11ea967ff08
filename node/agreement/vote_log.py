"""The vote log on disk: what this node has signed, durable before anything is sent.

One append-only file of hash-chained records (`consensus.votelog` knows the bytes). A torn last record, from a crash in
the middle of a write, is dropped. If the log is missing, broken elsewhere, or of another key, the node cannot trust its
memory of its own votes: it is quarantined, which a file beside the log remembers across restarts. So it is when the log
ends before the place that the mark beside it names: that end was on the disk, so no crash tore it.
`node.agreement.signing_guard` knows when that ends.
"""

from __future__ import annotations

import os
from pathlib import Path
from threading import Lock

from consensus import votelog
from consensus.messages import Cell, CellKind
from ledger.end_mark import move_mark, read_mark
from ledger.errors import LedgerCorrupt, MutuaError
from node.faults import disk_error
from node.paths import DataFolder, sync_folder, write_whole

PRUNE_FROM_BYTES = 4 * 1024 * 1024
MARK = "votes.quarantine"

Key = tuple[CellKind, int, int, bytes]


class VoteLog:
    """The open vote log of one consensus key. Safe for several threads."""

    def __init__(self, path: Path, fingerprint: bytes, *, is_first_start: bool) -> None:
        """Open the log; on `is_first_start` a missing one is no loss. An untrustworthy log starts a quarantine."""
        self._path = path
        self._mark = path.with_name(MARK)
        self._fingerprint = fingerprint
        self._lock = Lock()
        self._failure: MutuaError | None = None
        self._cells: list[Cell] = []
        self._known: set[Key] = set()
        self.quarantine: str | None = None
        try:
            self._open(is_first_start=is_first_start)
        except OSError as error:
            raise disk_error(f"the vote log {path}", error) from error

    def cells(self, height: int) -> tuple[Cell, ...]:
        """Return what was signed at a height."""
        return tuple(cell for cell in self._cells if cell.height == height)

    def has(self, kind: CellKind, height: int, view: int, block_hash: bytes) -> bool:
        """True when just this was signed, at the newest final height or above it."""
        return (kind, height, view, block_hash) in self._known

    def append(self, cell: Cell) -> None:
        """Make a cell durable. Returns only after fdatasync; after a failed write nothing more is written."""
        with self._lock:
            if self._failure is not None:
                what = f"the vote log stopped at a failed write ({self._failure.what})"
                raise MutuaError("vote_log_stopped", what, self._failure.hint)
            record, head = votelog.append(self._head, cell)
            try:
                self._write(record)
            except OSError as error:
                self._failure = disk_error(f"the vote log {self._path}", error)
                raise self._failure from error
            self._head = head
            self._cells.append(cell)
            self._known.add(_key(cell))

    @property
    def folder(self) -> DataFolder:
        """The data folder that the log lies in."""
        return DataFolder(self._path.parent)

    def prune(self, below: int) -> None:
        """Forget cells below a height; rewrite the file once it has grown."""
        with self._lock:
            self._cells = [cell for cell in self._cells if cell.height >= below]
            self._known = {_key(cell) for cell in self._cells}
            if self._failure is not None or self._file.tell() < PRUNE_FROM_BYTES:
                return
            try:
                self._rewrite(below)
            except OSError as error:
                self._failure = disk_error(f"the vote log {self._path}", error)
                raise self._failure from error

    def begin_quarantine(self, reason: str) -> None:
        """Remember durably that this node's memory of its votes is not to be trusted."""
        try:
            write_whole(self._mark, reason.encode() + b"\n")
        except OSError as error:
            raise disk_error(f"{self._mark}", error) from error
        self.quarantine = reason

    def end_quarantine(self) -> None:
        """Forget the quarantine: the network has passed every height this node may have voted at."""
        try:
            self._mark.unlink(missing_ok=True)
            sync_folder(self._mark.parent)
        except OSError as error:
            raise disk_error(f"{self._mark}", error) from error
        self.quarantine = None

    def close(self) -> None:
        """Release the file."""
        self._file.close()

    # ---- The file -------------------------------------------------------------

    def _open(self, *, is_first_start: bool) -> None:
        if self._mark.exists():
            reason = self._mark.read_text(encoding="utf-8", errors="replace").strip()
            self.quarantine = reason or "a quarantine was begun earlier"
        data = self._path.read_bytes() if self._path.exists() else b""
        header, head = votelog.begin(self._fingerprint)
        is_known = (read_mark(self._path) or (0, 0))[1] > len(header)
        if len(data) < len(header) and header.startswith(data) and is_first_start and not is_known:
            data = b""  # missing, or torn while it was begun: nothing can have been signed
        elif not data:
            self.begin_quarantine("the vote log is missing, and this node has voted")
        if data:
            try:
                scan = votelog.scan(data, self._fingerprint)
            except LedgerCorrupt as error:
                self.begin_quarantine(error.what)
                self._path.replace(_free_name(self._path))
            else:
                lost = lost_end(self._path, scan.size)
                if lost is not None:
                    self.begin_quarantine(lost)
                self._cells = list(scan.cells)
                self._known = {_key(cell) for cell in self._cells}
                self._head = scan.head
                self._file = self._path.open("r+b")
                if scan.size < len(data):
                    self._file.truncate(scan.size)
                    os.fsync(self._file.fileno())
                self._file.seek(scan.size)
                move_mark(self._path, 0, scan.size)
                return
        self._head = head
        self._file = self._path.open("w+b")
        self._write(header)
        sync_folder(self._path.parent)

    def _rewrite(self, below: int) -> None:
        data, head = votelog.prune(self._fingerprint, self._cells, below - 1)
        move_mark(self._path, 0, min(len(data), self._file.tell()), sync=True)  # before the file shrinks
        write_whole(self._path, data)
        old, self._file = self._file, self._path.open("r+b")
        old.close()
        self._file.seek(len(data))
        self._head = head

    def _write(self, data: bytes) -> None:
        self._file.write(data)
        self._file.flush()
        os.fdatasync(self._file.fileno())
        move_mark(self._path, 0, self._file.tell())


def vote_log_path(folder: Path) -> Path:
    """Return where the vote log lies in a data folder."""
    return DataFolder(folder).votes


def lost_end(path: Path, size: int) -> str | None:
    """Return what a log of `size` good bytes has lost by its mark, or None. OSError passes through."""
    mark = read_mark(path)
    if mark is None or size >= mark[1]:
        return None
    return f"the vote log has lost its end: {size} good bytes where {mark[1]} were written"


def problem_of(path: Path) -> str | None:
    """Return what is wrong with a vote log of any key, without changing it; None when it holds, or none is there."""
    data = path.read_bytes() if path.exists() else b""
    if not data:
        return lost_end(path, 0) and "the vote log is missing, and this node has voted"
    try:
        return lost_end(path, votelog.scan(data, votelog.fingerprint_in(data)).size)
    except LedgerCorrupt as error:
        return error.what


def _key(cell: Cell) -> Key:
    return cell.kind, cell.height, cell.view, cell.block_hash


def _free_name(path: Path) -> Path:
    """Return a name for a log moved aside: evidence is never overwritten."""
    number = 1
    while (name := path.with_name(f"{path.name}.broken-{number}")).exists():
        number += 1
    return name
