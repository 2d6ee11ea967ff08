"""A database that lost a file, or the end of one, is refused with every file still there; LevelDB would begin anew."""

from __future__ import annotations

import random
import shutil
from pathlib import Path

import pytest

from ledger import leveldb
from ledger.end_mark import mark_path, move_mark, read_mark
from ledger.errors import LedgerCorrupt, MutuaError
from ledger.leveldb import LevelDB, StoreKind, opened_aside
from ledger.leveldb_files import HEAD_SIZE, log_path
from ledger.leveldb_tables import FOOTER_SIZE, blocks_of, table_problem

PLACES = 15
"""Of each file; `make soak` takes 50 of each file of a node."""
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
    """Return what opening and reading give: whole, or by whom it was refused. It is a fault when rows are lost."""
    before = files_of(folder)
    try:
        store = LevelDB(folder, create=True)
    except LedgerCorrupt as error:
        assert error.code == "store_corrupt" and "the ledger in" in error.what and error.hint
        after = files_of(folder)
        assert {name: after.get(name) for name in before} == before, "an error must leave every file as it was"
        return "refused"
    try:
        # By parts as well: a scan that ends before the last row must tell what it could not read on its way.
        found = dict(store.scan(b"")), {key: value for n in range(10) for key, value in store.scan(b"%d" % n)}
        assert found == (rows, {key: value for key, value in rows.items() if key != b"tip"}), "rows lost in silence"
    except LedgerCorrupt as error:
        assert error.code == "store_corrupt" and "the ledger in" in error.what and error.hint
        assert files_of(folder).items() >= {n: d for n, d in before.items() if n.endswith(".ldb")}.items()
        return "unreadable"
    finally:
        store.close()
    return "whole"


def test_each_file_cut_at_many_places_is_noticed_or_loses_nothing(grown, tmp_path) -> None:
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


def test_each_file_changed_at_many_places_is_noticed_or_loses_nothing(grown, tmp_path) -> None:
    folder, rows = grown
    source = random.Random(6)
    outcomes: dict[str, list[str]] = {}
    for name, data in files_of(folder).items():
        for place in source.sample(range(len(data)), min(PLACES, len(data))):
            damaged = copy_of(folder, tmp_path / "copy" / f"{name}.{place}")
            changed = bytearray(data)
            changed[place] ^= 1 << source.randrange(8)
            (damaged / name).write_bytes(changed)
            is_told = name.endswith(".ldb") and table_problem(damaged / name) is not None
            outcome = outcome_of(damaged, rows)
            outcomes.setdefault(name, []).append("told" if outcome == "whole" and is_told else outcome)
            shutil.rmtree(damaged.parent)
    assert all("whole" not in found for found in outcomes.values())


def test_damage_where_a_scan_begins_or_ends_loses_no_row_in_silence(tmp_path) -> None:
    """plyvel's plain iterator gives 0 of 500 rows for a damaged index, and 494 for a damaged last block, no error."""
    for _ in range(2):  # opened again, LevelDB makes a table of its log
        store = LevelDB(tmp_path / "sound", create=True)
        if store.get(b"000") is None:
            store.write({b"%03d" % number: bytes(100) for number in range(500)})
        store.close()
    table = next((tmp_path / "sound").glob("*.ldb"))
    data = table.read_bytes()
    *row_blocks, _, _, index = blocks_of(data)
    for place, _ in (row_blocks[0], row_blocks[-1], index):
        damaged = copy_of(tmp_path / "sound", tmp_path / f"at {place}")
        (damaged / table.name).write_bytes(data[: place + 4] + bytes([data[place + 4] ^ 1]) + data[place + 5 :])
        with pytest.raises(LedgerCorrupt, match=r"the ledger in .* is damaged"):
            print(place, len(list(LevelDB(damaged).scan(b""))))


def test_a_merge_that_meets_a_damaged_row_says_so_and_keeps_the_tables(grown, tmp_path) -> None:
    folder, _ = grown
    damaged = copy_of(folder, tmp_path / "copy")
    table = max(damaged.glob("*.ldb"))
    data = table.read_bytes()
    table.write_bytes(data[:90] + bytes([data[90] ^ 1]) + data[91:])
    tables = {path: path.read_bytes() for path in damaged.glob("*.ldb")}
    store = LevelDB(damaged)
    with pytest.raises(LedgerCorrupt, match="the ledger in .* is damaged"):
        store.merge()
    store.close()
    assert tables.items() <= {path: path.read_bytes() for path in damaged.glob("*.ldb")}.items()


def test_a_table_is_checked_to_the_last_byte_beside_its_rows(grown, tmp_path) -> None:
    source = random.Random(5)
    for path in grown[0].glob("*.ldb"):
        assert table_problem(path) is None
        data = path.read_bytes()
        rows_end = blocks_of(data)[-3][0]
        assert len(data) - FOOTER_SIZE > rows_end
        for place in (*range(len(data) - 2 * FOOTER_SIZE, len(data)), *source.sample(range(rows_end, len(data)), 60)):
            (tmp_path / "table").write_bytes(data[:place] + bytes([data[place] ^ 1 << place % 8]) + data[place + 1 :])
            assert table_problem(tmp_path / "table") is not None, place


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


def test_the_end_of_a_log_before_the_newest_is_missed_too(tmp_path) -> None:
    """LevelDB stopped while it began a new log: the rows of both are in no table yet."""
    store = LevelDB(tmp_path / "db", create=True)
    for number in range(20):
        store.write({b"%d" % number: bytes(400)})
    rows = dict(store.scan(b""))
    store.close()
    old = max((tmp_path / "db").glob("*.log"))
    data, place = old.read_bytes(), 0
    for _ in range(12):
        place += HEAD_SIZE + int.from_bytes(data[place + 4 : place + 6], "little")
    new = log_path(tmp_path / "db", int(old.stem) + 1)
    new.write_bytes(data[place:])
    move_mark(tmp_path / "db", int(new.stem), len(data) - place)
    for cut, outcome in ((0, "whole"), (place // 12, "refused"), (1, "refused")):
        old.write_bytes(data[: place - cut])
        assert outcome_of(copy_of(tmp_path / "db", tmp_path / f"cut {cut}"), rows) == outcome


def test_a_crash_loses_nothing_and_is_no_damage(grown, tmp_path) -> None:
    """A record half written after the last one that was acknowledged, and a mark older than the log."""
    folder, rows = grown
    damaged = copy_of(folder, tmp_path / "copy")
    log = max(damaged.glob("*.log"))
    log.write_bytes(log.read_bytes() + b"\1\2\3\4\x60\0\1half")
    number, size = read_mark(damaged) or (0, 0)
    assert size > 0
    move_mark(damaged, number, 0)
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
        if number % 50 == 0:
            store.merge()  # which begins a new log and deletes the old one
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
