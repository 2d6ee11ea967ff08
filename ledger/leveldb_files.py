"""What a LevelDB folder must hold, read from its files before LevelDB opens it and throws away what it does not know.

LevelDB takes each torn end for a crash. A MANIFEST without its last record opens as the older, perhaps empty, database
that it names, and the tables it does not name are deleted; a log that is gone is not missed; zeros at the end of a log
are skipped. None of that is an error, whatever the options. So the files are compared first: each log and table that
the MANIFEST names must be there, a table with its whole size, and the log must hold whole records as far as the mark
beside the store says (`ledger.end_mark`). Formats: LevelDB's log_format and version_edit, which its checksums cover.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from ledger.end_mark import mark_path, read_mark

BLOCK_SIZE = 32_768
HEAD_SIZE = 7
FULL, FIRST, MIDDLE, LAST = 1, 2, 3, 4
TABLE_SUFFIXES = frozenset({".ldb", ".sst"})


@dataclass(slots=True)
class Version:
    """What a MANIFEST names: the oldest log that still counts, and the tables with their sizes."""

    log: int = 0
    tables: dict[int, int] = field(default_factory=dict[int, int])


def problem_of(folder: Path, place: Path | None = None) -> str | None:
    """Return what the database in `folder` has lost, in words that follow its name; None when nothing is missing.

    `place`: where its mark is, for a copy. Reads names, sizes, MANIFEST and newest log. OSError passes through.
    """
    mark = read_mark(place or folder)
    if not folder.is_dir() or not any(folder.iterdir()):
        gone = f"is gone; {mark_path(place or folder).name} shows that there was one"
        return gone if mark is not None else None
    current = folder / "CURRENT"
    if not current.exists():
        # LevelDB would take it for an empty place and throw away the tables that it finds there.
        return "has lost its file CURRENT" if mark is not None or holds_data(folder) else None
    name = current.read_bytes().decode(errors="replace").strip()
    if not (name.startswith("MANIFEST-") and "/" not in name and (folder / name).is_file()):
        return f"has no MANIFEST of the name that its file CURRENT gives ({name[:40]!r})"
    try:
        version = read_manifest((folder / name).read_bytes())
    except ValueError as error:
        return f"has a damaged {name} ({error})"
    return _missing_table(folder, version) or _missing_log(folder, name, version, mark)


def tables_of(folder: Path) -> list[Path]:
    """Return the tables of a database that `problem_of` finds whole: a crash can leave others behind."""
    current = folder / "CURRENT"
    if not current.exists():
        return []
    version = read_manifest((folder / current.read_text().strip()).read_bytes())
    return [path for number in sorted(version.tables) if (path := _table_path(folder, number)) is not None]


def holds_data(folder: Path) -> bool:
    """True when `folder` holds tables or a log that is not empty; a database whose making crashed has neither."""
    files = [item for item in folder.iterdir() if item.stem.isdigit()]
    return any(item.suffix in TABLE_SUFFIXES or (item.suffix == ".log" and item.stat().st_size) for item in files)


def newest_log(folder: Path) -> int:
    """Return the number of the log that LevelDB appends to; 0 without one."""
    return max((int(item.stem) for item in folder.glob("*.log") if item.stem.isdigit()), default=0)


def log_path(folder: Path, number: int) -> Path:
    """Return the log with this number."""
    return folder / f"{number:06}.log"


def _missing_table(folder: Path, version: Version) -> str | None:
    for number, size in sorted(version.tables.items()):
        found = _table_path(folder, number)
        if found is None:
            return f"has lost its table {number:06}.ldb"
        if found.stat().st_size != size:
            return f"has a table {found.name} of {found.stat().st_size} bytes where {size} were written"
    return None


def _table_path(folder: Path, number: int) -> Path | None:
    return next((path for s in sorted(TABLE_SUFFIXES) if (path := folder / f"{number:06}{s}").exists()), None)


def _missing_log(folder: Path, manifest: str, version: Version, mark: tuple[int, int] | None) -> str | None:
    if version.log and not log_path(folder, version.log).exists():
        return f"has lost its log {version.log:06}.log with the newest rows, or the end of {manifest}"
    number, size = mark or (0, 0)
    if mark is not None and number >= version.log and not log_path(folder, number).exists():
        return f"has lost its log {log_path(folder, number).name} with the newest rows"
    following = None
    for path in sorted(folder.glob("*.log")):  # two after a stop in the moment in which LevelDB began a new one
        if not path.stem.isdigit() or int(path.stem) < version.log:
            continue
        data, ends = path.read_bytes(), {0}
        known = size if int(path.stem) == number else 0
        if len(data) < known:
            lost = f"the newest rows: {len(data)} bytes where {known} were written"
            return f"has lost the end of its log {path.name}, {lost}"
        for end, record in _records(data):
            # A batch begins with its place in the sequence of all rows and the count of its own.
            place, count = int.from_bytes(record[:8], "little"), int.from_bytes(record[8:12], "little")
            if following not in (None, place):
                return f"has lost rows before those of its log {path.name}"
            following = place + count
            ends.add(end)
        if known not in ends:
            return f"has a damaged log {path.name}: its newest rows cannot be read"
    return None


# ---- The formats -----------------------------------------------------------


def read_manifest(data: bytes) -> Version:
    """Return what a MANIFEST names. A torn last record is left out, as LevelDB does; ValueError on other damage."""
    version = Version()
    for _, record in _records(data):
        _apply_edit(version, Fields(record))
    return version


def _records(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield (end, bytes) of each whole record of a log, up to a torn end."""
    parts: list[bytes] = []
    position = 0
    while position + HEAD_SIZE <= len(data):
        room = BLOCK_SIZE - position % BLOCK_SIZE
        if room < HEAD_SIZE:  # too small for a head: filled with zeros
            position += room
            continue
        size, kind = int.from_bytes(data[position + 4 : position + 6], "little"), data[position + 6]
        end = position + HEAD_SIZE + size
        if kind not in (FULL, FIRST, MIDDLE, LAST) or size > room - HEAD_SIZE or end > len(data):
            return  # torn; what its checksum says of the rest is LevelDB's to tell
        if kind in (FULL, FIRST):
            parts = []
        parts.append(data[position + HEAD_SIZE : end])
        position = end
        if kind in (FULL, LAST):
            yield end, b"".join(parts)


def _apply_edit(version: Version, fields: Fields) -> None:
    while fields.is_more():
        match fields.number():
            case 1:
                fields.text()
            case 2:
                version.log = fields.number()
            case 3 | 4 | 9:
                fields.number()
            case 5:
                fields.number()
                fields.text()
            case 6:
                fields.number()
                version.tables.pop(fields.number(), None)
            case 7:
                fields.number()
                table = fields.number()
                version.tables[table] = fields.number()
                fields.text()
                fields.text()
            case tag:
                raise ValueError(f"an edit has the unknown tag {tag}")


class Fields:
    """The numbers and texts of an edit or a block, in order. ValueError past its end."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def is_more(self) -> bool:
        """True while something is left."""
        return self._at < len(self._data)

    def number(self) -> int:
        """Take the next number."""
        value = shift = 0
        while True:
            if self._at >= len(self._data) or shift > 63:
                raise ValueError("a number does not end")
            byte = self._data[self._at]
            self._at += 1
            value |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                return value

    def text(self) -> bytes:
        """Take the next text, which its size precedes."""
        return self.take(self.number())

    def take(self, size: int) -> bytes:
        """Take so many bytes."""
        if self._at + size > len(self._data):
            raise ValueError("a text does not end")
        self._at += size
        return self._data[self._at - size : self._at]

    def rest(self) -> bytes:
        """Return what is left."""
        return self._data[self._at :]
