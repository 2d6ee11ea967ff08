"""A database that lost a file, or the end of one, is refused with every file still there; LevelDB would begin anew."""

from __future__ import annotations

import random
import shutil
from pathlib import Path

import pytest

from ledger import leveldb
from ledger.end_mark import mark_path, read_mark
from ledger.errors import LedgerCorrupt, MutuaError
from ledger.leveldb import LevelDB, StoreKind, opened_aside

PLACES = 50
NOT_DATA = {"LOCK", "LOG", "LOG.old"}
"""Files of which LevelDB needs nothing: an empty lock, and its own log in words."""


@pytest.fixture(scope="session")
def grown(tmp_path_factory):
    """A database as a long run leaves it: tables of several levels, edits in its MANIFEST, rows in its log."""
    folder = tmp_path_factory.mktemp("grown") / "db"
    source = random.Random(8)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(leveldb, "WRITE_BUFFER_SIZE_BYTES", 64 * 1024)
        store = LevelDB(folder, create=True)
        for number in range(560):
            store.write({b"%04d" % source.randrange(10_000): source.randbytes(600), b"tip": b"%d" % number})
        store.close()
        store = LevelDB(folder)  # which deletes the tables that an earlier merge was still to delete
        for number in range(20):
            store.write({b"%04d" % source.randrange(10_000): source.randbytes(600), b"tip": b"%d" % number})
        rows = dict(store.scan(b""))
        store.close()
    return folder, rows


def files_of(folder: Path) -> dict[str, bytes]:
    return {item.name: item.read_bytes() for item in folder.iterdir() if item.name not in NOT_DATA}


def copy_of(folder: Path, place: Path, *, with_mark: bool = True) -> Path:
    shutil.rmtree(place, ignore_errors=True)
    shutil.copytree(folder, place / "db")
    if with_mark:
        shutil.copyfile(mark_path(folder), mark_path(place / "db"))
    return place / "db"


def outcome_of(folder: Path, rows: dict[bytes, bytes]) -> str:
    """Return what opening gives: whole, or the error's code. It is a fault when anything else is lost."""
    before = files_of(folder)
    try:
        store = LevelDB(folder, create=True)
    except LedgerCorrupt as error:
        assert error.code == "store_corrupt" and "the ledger in" in error.what and error.hint
        after = files_of(folder)
        assert {name: after.get(name) for name in before} == before, "an error must leave every file as it was"
        return "refused"
    try:
        assert dict(store.scan(b"")) == rows, "rows were lost in silence"
    finally:
        store.close()
    return "whole"


def test_each_file_cut_at_fifty_places_is_noticed_or_loses_nothing(grown, tmp_path) -> None:
    folder, rows = grown
    assert {path.suffix for path in folder.iterdir()} >= {".ldb", ".log"}
    source = random.Random(7)
    outcomes: dict[str, set[str]] = {}
    for name, data in files_of(folder).items():
        for size in source.sample(range(len(data)), min(PLACES, len(data))):
            damaged = copy_of(folder, tmp_path / "copy")
            (damaged / name).write_bytes(data[:size])
            outcomes.setdefault(name, set()).add(outcome_of(damaged, rows))
    # CURRENT and the MANIFEST may lose an end that says nothing new; a table and the log never.
    assert all(found == {"refused"} for name, found in outcomes.items() if name.endswith((".ldb", ".log")))
    assert all("refused" in found for found in outcomes.values())


def test_a_manifest_without_its_last_byte_deletes_no_table(grown, tmp_path) -> None:
    folder, rows = grown
    for with_mark in (True, False):
        damaged = copy_of(folder, tmp_path / "copy", with_mark=with_mark)
        manifest = next(damaged.glob("MANIFEST-*"))
        manifest.write_bytes(manifest.read_bytes()[:-1])
        assert outcome_of(damaged, rows) == "refused"
        with pytest.raises(LedgerCorrupt, match=r"has lost its (log|table) 0000\d\d|the end of MANIFEST|is damaged"):
            opened_aside(damaged).__enter__()


@pytest.mark.parametrize("with_mark", [True, False])
def test_each_file_gone_is_named(grown, tmp_path, with_mark) -> None:
    folder, rows = grown
    for name in files_of(folder):
        damaged = copy_of(folder, tmp_path / "copy", with_mark=with_mark)
        (damaged / name).unlink()
        assert outcome_of(damaged, rows) == "refused"
        with pytest.raises(LedgerCorrupt, match=name.replace(".ldb", r"\.ldb")):
            opened_aside(damaged).__enter__()


def test_zeros_at_the_end_of_a_file_lose_no_row_in_silence(grown, tmp_path) -> None:
    folder, rows = grown
    source = random.Random(9)
    for name in ("CURRENT", next(folder.glob("MANIFEST-*")).name, max(path.name for path in folder.glob("*.log"))):
        data = (folder / name).read_bytes()
        for size in source.sample(range(len(data)), min(20, len(data))):
            damaged = copy_of(folder, tmp_path / "copy")
            (damaged / name).write_bytes(data[:size].ljust(len(data), b"\0"))
            outcome_of(damaged, rows)


def test_a_folder_that_is_gone_is_not_begun_anew_while_its_mark_is_there(grown, tmp_path) -> None:
    folder, _ = grown
    damaged = copy_of(folder, tmp_path / "copy")
    for item in damaged.iterdir():
        item.unlink()
    for _ in range(2):
        with pytest.raises(LedgerCorrupt, match=r"is gone; db\.end shows that there was one") as caught:
            LevelDB(damaged, create=True)
        assert "db.end" in caught.value.hint.replace("ledger.end", "db.end")
        if damaged.exists():
            damaged.rmdir()
    mark_path(damaged).unlink()  # as the hint says
    LevelDB(damaged, create=True).close()


def test_a_crash_loses_nothing_and_is_no_damage(grown, tmp_path) -> None:
    """A record half written after the last one that was acknowledged, and a mark older than the log."""
    folder, rows = grown
    damaged = copy_of(folder, tmp_path / "copy")
    log = max(damaged.glob("*.log"))
    log.write_bytes(log.read_bytes() + b"\1\2\3\4\x60\0\1half")
    number, size = read_mark(damaged) or (0, 0)
    assert size > 0
    leveldb.EndMark(damaged).move(number, 0)
    assert outcome_of(damaged, rows) == "whole"
    assert (read_mark(damaged) or (0, 0))[0] > number


def test_a_mark_that_cannot_be_read_proves_nothing_and_is_written_anew(grown, tmp_path) -> None:
    folder, rows = grown
    whole = mark_path(folder).read_bytes()
    for data in (b"", whole[:20], whole.replace(whole[:1], b"9", 1)):
        damaged = copy_of(folder, tmp_path / "copy")
        mark_path(damaged).write_bytes(data)
        assert outcome_of(damaged, rows) == "whole"
        assert read_mark(damaged) is not None


def test_the_mark_follows_the_log_from_file_to_file(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(leveldb, "WRITE_BUFFER_SIZE_BYTES", 64 * 1024)
    store = LevelDB(tmp_path / "db", create=True)
    numbers = set()
    for number in range(300):
        store.write({b"%d" % number: bytes(600)})
        log, size = read_mark(tmp_path / "db") or (0, 0)
        assert (tmp_path / "db" / f"{log:06}.log").stat().st_size == size > 0
        numbers.add(log)
    store.close()
    assert len(numbers) > 1


def test_each_store_has_its_own_name_and_remedy(grown, tmp_path) -> None:
    damaged = copy_of(grown[0], tmp_path / "copy")
    (damaged / "CURRENT").unlink()
    kind = StoreKind("the drawer", "mend the drawer")
    for attempt in (lambda: LevelDB(damaged, create=True, kind=kind), lambda: opened_aside(damaged, kind).__enter__()):
        with pytest.raises(MutuaError) as caught:
            attempt()
        assert caught.value.what.startswith("the drawer in ") and caught.value.hint == "mend the drawer"
