"""The ledger's store on disk: LevelDB, through the only file that imports plyvel.

LevelDB alone is not enough to trust a disk: with its defaults one flipped bit in its log silently loses rows. So
`paranoid_checks` is always on, every read verifies checksums, every batch is synced, and `Chain.open` compares tip, row
count and state root with the last header. Nor is a folder opened of which a file, or the end of one, is lost: LevelDB
would begin anew there and delete the tables (`ledger.leveldb_files`). Source: notes on storage, damage tests.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from threading import Lock

import plyvel

from ledger.end_mark import move_mark
from ledger.errors import REBUILD, LedgerCorrupt, MutuaError
from ledger.leveldb_files import TABLE_SUFFIXES, log_path, newest_log, problem_of, tables_of
from ledger.leveldb_tables import table_problem
from ledger.store import Batch, end_of

BLOOM_FILTER_BITS = 10
"""Bits a key: an absent key then costs 10 µs instead of 27 µs."""
CACHE_SIZE_BYTES = 16 * 1024 * 1024
WRITE_BUFFER_SIZE_BYTES = 8 * 1024 * 1024
BLOCK_SIZE_BYTES = 2 * 1024
"""What a read verifies and searches. Small and not compressed: most bytes are hashes and signatures, and a row that is
not in the cache is read in half the time (4.2 µs, not 8.5, in 700,000 rows) for two thirds more disk."""
OPEN_FILES_MAX = 1_000
"""Tables of 2 MB that stay open: enough for a state of a million members, so that no read opens one."""


@dataclass(frozen=True, slots=True)
class StoreKind:
    """What a database is called, and what to do when it is damaged: nothing that endangers a key or a promise."""

    name: str
    remedy: str


LEDGER = StoreKind("the ledger", REBUILD)


class LevelDB:
    """A `Store` in a folder. One process at a time; safe for several threads."""

    def __init__(
        self, folder: Path, *, create: bool = False, kind: StoreKind = LEDGER, copy_of: Path | None = None
    ) -> None:
        """Open the database in `folder`, or with `create` make it; LedgerCorrupt where a part of it is lost.

        `copy_of`: the folder that errors name; a copy has no end mark.
        """
        self._place = _Place(copy_of or folder, kind)
        self._folder = folder
        self._failure: MutuaError | None = None
        self._writing = Lock()
        _check_whole(folder, self._place)
        if not create and not (folder / "CURRENT").exists():
            what = f"there is no ledger in {folder}"
            raise MutuaError("store_missing", what, "name the data folder of a node, or run mutua init")
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._db = plyvel.DB(
                str(folder),
                create_if_missing=create,
                paranoid_checks=True,
                bloom_filter_bits=BLOOM_FILTER_BITS,
                compression=None,
                block_size=BLOCK_SIZE_BYTES,
                lru_cache_size=CACHE_SIZE_BYTES,
                write_buffer_size=WRITE_BUFFER_SIZE_BYTES,
                max_open_files=OPEN_FILES_MAX,
            )
            self._is_copy = copy_of is not None
            self._log, self._log_size = newest_log(folder), 0
            self._move_mark()
        except (plyvel.Error, OSError) as error:
            raise _explained(self._place, error) from error

    def get(self, key: bytes) -> bytes | None:
        """Return the value at `key`, or None. Its checksum is verified."""
        try:
            return self._db.get(key, verify_checksums=True)
        except (plyvel.Error, OSError) as error:
            raise _explained(self._place, error) from error

    def scan(self, prefix: bytes, start: bytes = b"") -> Iterator[tuple[bytes, bytes]]:
        """Yield rows whose key begins with `prefix`, from `prefix + start` on, ascending, as of the first step."""
        stop = end_of(prefix)
        try:
            # plyvel's other iterator takes a damaged part for the end where it meets it in its first or last step.
            with self._db.raw_iterator(verify_checksums=True) as rows:
                is_valid, item, advance = rows.valid, rows.item, rows.next
                rows.seek(prefix + start)
                while is_valid():
                    row = item()
                    if stop is not None and row[0] >= stop:
                        return
                    yield row
                    advance()
        except (plyvel.Error, OSError) as error:
            raise _explained(self._place, error) from error

    def write(self, batch: Batch) -> None:
        """Put (or delete, where None) all rows at once; on disk when this returns.

        After a failed write nothing more is written. LevelDB would go on behind the torn end of its log, say "done",
        and drop all of it at the next start, paranoid or not (measured). A restart drops the torn end and goes on.
        """
        self.stage(batch)({})

    def stage(self, batch: Batch) -> Callable[[Batch], None]:
        """Return what writes a batch later, with the rows it is given then; LevelDB's own form is made now."""
        staged = self._db.write_batch(sync=True)

        def put(rows: Batch) -> None:
            for key in sorted(rows):  # LevelDB takes neighbours in a third of the time
                value = rows[key]
                if value is None:
                    staged.delete(key)
                else:
                    staged.put(key, value)

        def write(more: Batch) -> None:
            put(more)
            with self._writing:
                if self._failure is not None:
                    what = f"{self._place} stopped at a failed write ({self._failure.what})"
                    raise MutuaError("store_stopped", what, "repair the disk and start the node again")
                try:
                    staged.write()
                    self._move_mark()
                except (plyvel.Error, OSError) as error:
                    self._failure = _explained(self._place, error)
                    raise self._failure from error

        put(batch)
        return write

    def merge(self) -> None:
        """Merge the tables that are still as they were written into the old ones: every read looks into each of them.

        With five of them over 60 MB an absent row took 1.7 µs and a row 3.5; merged, 0.35 and 1.9. LevelDB begins at
        the fourth, or after some thousand reads in vain, in the middle of a block. It takes about a second per 100 MB;
        other threads may read and write meanwhile.
        """
        young = self._db.get_property(b"leveldb.num-files-at-level0")
        if young is not None and int(young) > 0:
            # Without bounds LevelDB leaves the young tables where they are (1.22, measured).
            self._db.compact_range(start=b"\x00", stop=b"\xff")
            self.write({})  # where the merge met a damaged row it kept the tables, and only a write tells it

    def close(self) -> None:
        """Release the files; later calls fail."""
        self._db.close()

    def _move_mark(self) -> None:
        """Note how far the log reaches. One that did not grow is full, or gone: the write went to a new one."""
        if self._is_copy:
            return
        size = _size_of(log_path(self._folder, self._log))
        if size <= self._log_size:
            self._log = newest_log(self._folder)
            size = _size_of(log_path(self._folder, self._log))
        self._log_size = size
        move_mark(self._folder, self._log, size)


@contextmanager
def opened_aside(folder: Path, kind: StoreKind = LEDGER) -> Generator[LevelDB]:
    """Open the database of a stopped node without changing a byte of `folder`.

    LevelDB writes even when it only reads (it replays its log, writes a manifest). So it gets a temporary folder: links
    to the table files, which never change, and copies of the small rest. MutuaError `store_locked` while a daemon runs
    on it.
    """
    place = _Place(folder, kind)
    if is_locked(folder / "LOCK"):
        raise _locked(place)
    _check_whole(folder, place)
    if not (folder / "CURRENT").exists():
        raise MutuaError("store_missing", f"there is no ledger in {folder}", "name a data folder, or a copy of one")
    with tempfile.TemporaryDirectory(prefix="mutua-audit-") as name:
        aside = Path(name)
        try:
            for item in sorted(folder.iterdir()):
                if item.suffix in TABLE_SUFFIXES:
                    (aside / item.name).symlink_to(item.resolve())
                elif item.is_file() and item.name not in {"LOCK", "LOG", "LOG.old"}:
                    shutil.copyfile(item, aside / item.name)
        except OSError as error:
            raise _explained(place, error) from error
        store = LevelDB(aside, kind=kind, copy_of=folder)
        try:
            yield store
        finally:
            store.close()


def check_files(folder: Path, kind: StoreKind = LEDGER, *, is_deep: bool = False) -> None:
    """Raise LedgerCorrupt `store_corrupt` when a part of a stopped node's database is lost. Nothing is opened.

    `is_deep`: each table too, to its last byte, but for the rows, which are checked as they are read.
    """
    place = _Place(folder, kind)
    _check_whole(folder, place)
    for table in tables_of(folder) if is_deep else ():
        problem = table_problem(table)
        if problem is not None:
            raise LedgerCorrupt("store_corrupt", f"{place} has a table {table.name} that {problem}", kind.remedy)


def is_locked(path: Path) -> bool:
    """True while another process holds a lock on `path`. On a file that this process locked it would drop that lock."""
    try:
        handle = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    except OSError:
        return False  # a read-only copy: nobody can hold it for writing
    try:
        for lock in (fcntl.lockf, fcntl.flock):
            try:
                lock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                return True
        return False
    finally:
        with suppress(OSError):
            os.close(handle)


@dataclass(frozen=True, slots=True)
class _Place:
    """A database as errors name it."""

    folder: Path
    kind: StoreKind

    def __str__(self) -> str:
        return f"{self.kind.name} in {self.folder}"


def _check_whole(folder: Path, place: _Place) -> None:
    """Raise LedgerCorrupt `store_corrupt` when a part of the database is lost. Nothing was opened yet."""
    try:
        problem = problem_of(folder, place.folder)
    except OSError as error:
        raise _explained(place, error) from error
    if problem is not None:
        raise LedgerCorrupt("store_corrupt", f"{place} {problem}", place.kind.remedy)


def _size_of(path: Path) -> int:
    """Return the size of a log; 0 for one that LevelDB has deleted."""
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


def _locked(place: _Place) -> MutuaError:
    what = f"another process uses {place}"
    return MutuaError("store_locked", what, "stop that node first, or work on a copy made after it stopped")


def _explained(place: _Place, error: Exception) -> MutuaError:
    """Return what a LevelDB error means to a person."""
    text = " ".join(part.decode(errors="replace") if isinstance(part, bytes) else str(part) for part in error.args)
    lower = text.lower()
    is_damaged = any(words in lower for words in ("corruption", "checksum", "missing files"))
    if is_damaged or isinstance(error, plyvel.CorruptionError):
        return LedgerCorrupt("store_corrupt", f"{place} is damaged ({text})", place.kind.remedy)
    if any(words in lower for words in ("no space left", "file too large", "quota exceeded")):
        hint = "free some space and start the node again; nothing from this write was kept"
        return MutuaError("disk_full", f"the disk of {place.folder} is full", hint)
    if "lock" in lower and ("temporarily unavailable" in lower or "already held" in lower):
        return _locked(place)
    return MutuaError("store_unusable", f"{place} cannot be used ({text})", "check the folder's rights and the disk")
