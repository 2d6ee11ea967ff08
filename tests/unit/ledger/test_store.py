"""The same suite over the memory store and LevelDB."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from ledger.errors import LedgerCorrupt, MutuaError
from ledger.leveldb import LevelDB, opened_aside
from ledger.store import MemoryStore


def test_rows_come_back_in_key_order_under_their_prefix(store) -> None:
    store.write({b"b/2": b"x", b"a/1": b"y", b"b/1": b"z", b"c": b""})
    assert list(store.scan(b"b/")) == [(b"b/1", b"z"), (b"b/2", b"x")]
    assert list(store.scan(b"b/", b"2")) == [(b"b/2", b"x")]
    assert store.get(b"c") == b""
    assert store.get(b"missing") is None


def test_none_deletes_and_an_absent_row_may_be_deleted(store) -> None:
    store.write({b"a": b"1", b"b": b"2"})
    store.write({b"a": None, b"never": None})
    assert list(store.scan(b"")) == [(b"b", b"2")]


def test_a_staged_batch_is_written_later_and_with_more(store) -> None:
    store.write({b"a": b"1", b"b": b"1"})
    write = store.stage({b"a": b"2", b"b": None, b"c": b"2"})
    assert dict(store.scan(b"")) == {b"a": b"1", b"b": b"1"}
    write({b"d": b"3"})
    assert dict(store.scan(b"")) == {b"a": b"2", b"c": b"2", b"d": b"3"}


def test_merging_leaves_no_young_tables_and_every_row(tmp_path: Path) -> None:
    store, young = LevelDB(tmp_path, create=True), b"leveldb.num-files-at-level0"
    for number in range(5):  # each as large as what LevelDB keeps in memory
        store.write({bytes([place, number]): bytes([number]) * (1 << 20) for place in range(9)})
    rows = dict(store.scan(b""))
    assert int(store._db.get_property(young)) > 0
    store.merge()
    assert int(store._db.get_property(young)) == 0
    assert dict(store.scan(b"")) == rows
    store.close()


def test_a_prefix_that_ends_in_0xff_is_scanned_like_any_other(store) -> None:
    prefix = b"k\xff\xff"
    store.write({prefix: b"0", prefix + b"\xff" * 70: b"1", b"k\xfe": b"2", b"l": b"3"})
    assert [key for key, _ in store.scan(prefix)] == [prefix, prefix + b"\xff" * 70]
    store.write({b"\xff" * 70: b"4"})
    assert [value for _, value in store.scan(b"\xff")] == [b"4"]


def test_a_scan_sees_the_rows_of_its_first_step_only(store) -> None:
    store.write({b"a/1": b"1", b"a/2": b"2"})
    rows = store.scan(b"a/")
    assert next(rows) == (b"a/1", b"1")
    store.write({b"a/2": None, b"a/3": b"3"})
    assert list(rows) == [(b"a/2", b"2")]


def test_rows_are_there_after_reopening(open_store) -> None:
    open_store().write({b"a": b"1"})
    assert open_store().get(b"a") == b"1"


def test_a_second_process_is_told_that_the_ledger_is_in_use(tmp_path: Path) -> None:
    store = LevelDB(tmp_path, create=True)
    code = (
        "import sys; from pathlib import Path; from ledger.leveldb import LevelDB, opened_aside\n"
        "from ledger.errors import MutuaError\n"
        "for attempt in (lambda: LevelDB(Path(sys.argv[1])), lambda: opened_aside(Path(sys.argv[1])).__enter__()):\n"
        "    try: attempt()\n"
        "    except MutuaError as error: print(error.code)\n"
    )
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["store_locked", "store_locked"]
    store.close()


def test_a_second_open_in_one_process_is_refused_too(tmp_path: Path) -> None:
    store = LevelDB(tmp_path, create=True)
    with pytest.raises(MutuaError) as caught:
        LevelDB(tmp_path)
    assert caught.value.code == "store_locked"
    store.close()


def test_a_folder_without_a_ledger_is_named_and_not_created(tmp_path: Path) -> None:
    with pytest.raises(MutuaError) as caught:
        LevelDB(tmp_path / "none")
    assert caught.value.code == "store_missing"
    assert not (tmp_path / "none").exists()


def test_a_flipped_bit_in_the_log_is_refused_not_skipped(tmp_path: Path) -> None:
    store = LevelDB(tmp_path, create=True)
    for number in range(200):
        store.write({b"%d" % number: b"v" * 300})
    store.close()
    log = max(tmp_path.glob("*.log"), key=lambda path: path.stat().st_size)
    data = bytearray(log.read_bytes())
    data[len(data) // 2] ^= 1
    log.write_bytes(bytes(data))
    with pytest.raises(LedgerCorrupt) as caught:
        LevelDB(tmp_path)
    assert caught.value.code == "store_corrupt"


def test_a_flipped_bit_in_a_table_is_an_error_on_reading(tmp_path: Path) -> None:
    store = LevelDB(tmp_path, create=True)
    store.write({b"%05d" % number: bytes([number % 251]) * 300 for number in range(2_000)})
    store.close()
    LevelDB(tmp_path).close()  # the log becomes a table
    table = max(tmp_path.glob("*.ldb"), key=lambda path: path.stat().st_size)
    data = bytearray(table.read_bytes())
    data[len(data) // 3] ^= 1
    table.write_bytes(bytes(data))
    with pytest.raises(LedgerCorrupt):
        list(LevelDB(tmp_path).scan(b""))


def test_looking_aside_changes_no_byte_of_the_folder(tmp_path: Path) -> None:
    folder = tmp_path / "ledger"
    store = LevelDB(folder, create=True)
    store.write({b"a": b"1"})
    store.close()
    LevelDB(folder).close()
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    with opened_aside(folder) as aside:
        assert aside.get(b"a") == b"1"
        aside.write({b"b": b"2"})
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


FULL_DISK = """
import resource, signal, sys
from pathlib import Path
from ledger.errors import MutuaError
from ledger.leveldb import LevelDB
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
store = LevelDB(Path(sys.argv[1]))
resource.setrlimit(resource.RLIMIT_FSIZE, (400_000, 400_000))
for key, size in ((b"small", 100), (b"big", 1_000_000), (b"after", 100)):
    try:
        store.write({key: bytes(size), b"tip": key})
        print("kept")
    except MutuaError as error:
        print(error.code)
"""


def test_a_full_disk_keeps_what_was_kept_and_nothing_of_the_rest(tmp_path: Path) -> None:
    LevelDB(tmp_path, create=True).close()
    done = subprocess.run([sys.executable, "-c", FULL_DISK, str(tmp_path)], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["kept", "disk_full", "store_stopped"]
    store = LevelDB(tmp_path)
    assert store.get(b"tip") == b"small"
    assert [key for key, _ in store.scan(b"")] == [b"small", b"tip"]
    store.write({b"after": b"1"})
    store.close()


def test_memory_store_takes_rows_at_the_start() -> None:
    assert list(MemoryStore({b"b": b"2", b"a": b"1"}).scan(b"")) == [(b"a", b"1"), (b"b", b"2")]


def test_tables_without_their_current_file_are_never_taken_for_an_empty_place(tmp_path):
    folder = tmp_path / "db"
    store = LevelDB(folder, create=True)
    store.write({b"a": b"1"})
    store.close()
    (folder / "CURRENT").unlink()
    before = {item.name: item.read_bytes() for item in folder.iterdir()}
    with pytest.raises(LedgerCorrupt) as caught:
        LevelDB(folder, create=True)
    assert caught.value.code == "store_corrupt"
    assert str(folder) in caught.value.what
    assert {item.name: item.read_bytes() for item in folder.iterdir()} == before
