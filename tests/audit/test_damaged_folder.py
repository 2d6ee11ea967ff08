"""A stopped node's folder with one damaged place: `doctor --deep` names the store that is hurt.

Each file of the databases, the vote log and the promises is cut, has a bit flipped, a stretch zeroed, or is gone, at
seeded places. A few in each run of the tests; `make soak` takes `MUTUA_DAMAGES` places a file and prints a table.
"""

from __future__ import annotations

import os
import shutil
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest

from audit.ledgers import make_charter, world, write_folder
from consensus.messages import Cell, CellKind
from ledger import leveldb
from ledger.chain import (
    BLOCK_PREFIX,
    BODY_PREFIX,
    CERTIFICATE_PREFIX,
    EVENTS_PREFIX,
    RECORD_PREFIX,
    Chain,
    height_bytes,
)
from ledger.errors import LedgerCorrupt, MutuaError
from ledger.leveldb import LevelDB, opened_aside
from ledger.records import Record, record_id_of
from ledger.store import MemoryStore
from node.agreement.vote_log import VoteLog
from node.api.actions import store_document
from node.cli.claims.evidence import keep_document
from node.cli.node.stores import store_checks
from node.paths import DataFolder
from node.pool.blobs import AddressListStore
from node.pool.mempool import MEMPOOL, Mempool
from node.startup import open_chain
from node.treasury.journal import Journal, read_promises

EACH = int(os.environ.get("MUTUA_DAMAGES", "50"))
SHARE = 2
FINGERPRINT = b"\x05" * 32
WORDS_OF_LEVELDB = {"LOCK", "LOG", "LOG.old"}
STORES = {
    "ledger": "ledger",
    "mempool": "mempool",
    "votes.log": "vote log",
    "treasury.journal": "promises",
    "documents": "documents",
}
NEVER_IN_A_HINT = ("delete", "remove", "fresh folder", "mutua init")


@pytest.fixture(scope="module")
def sound(tmp_path_factory) -> Path:
    """The folder of a stopped signer: both databases with tables and a log, votes, promises."""
    folder, source = tmp_path_factory.mktemp("sound") / "data", Random(8)
    folder.mkdir()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(leveldb, "WRITE_BUFFER_SIZE_BYTES", 64 * 1024)
        LevelDB(folder / "ledger", create=True).close()
        for rows in ([*world().rows.items()][::2], [*world().rows.items()][1::2], []):
            store = LevelDB(folder / "ledger")
            for start in range(0, len(rows), 20):
                store.write(dict(rows[start : start + 20]))
            store.write({b"m/tip": world().rows[b"m/tip"]})
            store.close()
        for _ in range(2):
            store = LevelDB(folder / "mempool", create=True, kind=MEMPOOL)
            for _ in range(40):
                AddressListStore(store).add([source.randbytes(700)], is_own=True)
            store.close()
    votes = VoteLog(folder / "votes.log", FINGERPRINT, is_first_start=True)
    for height in range(20, 34):
        votes.append(Cell(CellKind.NOTARIZE, height, 0, source.randbytes(32), source.randbytes(90)))
    votes.close()
    for number in range(5):
        Journal(folder / "treasury.journal").promise(bytes([number]) * 32, number, source.randbytes(32))
    store_document(folder / "documents", source.randbytes(2000))
    return folder


def held(folder: Path) -> tuple[object, ...]:
    """Return all that the folder holds."""
    with opened_aside(folder / "ledger") as ledger, opened_aside(folder / "mempool", MEMPOOL) as mempool:
        rows = dict(ledger.scan(b"")), dict(mempool.scan(b""))
    votes = VoteLog(folder / "votes.log", FINGERPRINT, is_first_start=False)
    cells = [cell for height in range(20, 34) for cell in votes.cells(height)]
    votes.close()
    return *rows, cells, read_promises(folder / "treasury.journal").by_outpoint


def faults(folder: Path) -> dict[str, str]:
    """Return the hint for what the doctor finds, by store."""
    found: dict[str, str] = {}
    for name, check in store_checks(DataFolder(folder), folder / "documents", is_running=False, is_deep=True):
        try:
            state, _, hint = check()
        except MutuaError as error:
            state, hint = "fault", error.hint
        if state != "ok":
            found[name] = hint
    return found


def start(folder: Path) -> set[str]:
    """Open the stores as a node does; return which of them it finds damaged."""
    told: set[str] = set()

    def mempool() -> None:
        store = LevelDB(folder / "mempool", create=True, kind=MEMPOOL)
        try:
            Mempool(store), AddressListStore(store)
        finally:
            store.close()

    opened = {
        "ledger": lambda: open_chain(folder, make_charter()).store.close(),
        "mempool": mempool,
        "promises": lambda: Journal(folder / "treasury.journal"),
    }
    for name, attempt in opened.items():
        try:
            attempt()
        except LedgerCorrupt:
            told.add(name)
    votes = VoteLog(folder / "votes.log", FINGERPRINT, is_first_start=False)
    votes.close()
    return told | ({"vote log"} if votes.quarantine else set())


def damages(sound: Path, each: int, seed: int) -> Iterator[tuple[Path, str, bytes | None]]:
    """Yield a file of the folder, how it is damaged, and its new content (None: gone)."""
    source = Random(seed)
    names = [path for path in sorted(sound.rglob("*")) if path.is_file() and path.name not in WORDS_OF_LEVELDB]
    for path in names:
        data, name = path.read_bytes(), path.relative_to(sound)
        if path.suffix == ".end" or path.name == "charter.bin":
            continue
        if name.parts[0] != "documents":  # of which only the ledger knows which there should be
            yield name, "gone", None
        for number in range(each):
            place = source.randrange(len(data)) if data else 0
            how, stretch = ("cut", "bit", "zeros")[number % 3], data[place : place + 64]
            if how == "cut":
                yield name, how, data[:place]
            elif how == "bit":
                yield name, how, data[:place] + bytes([data[place] ^ 1 << source.randrange(8)]) + data[place + 1 :]
            elif any(stretch):
                yield name, how, data[:place] + bytes(len(stretch)) + data[place + 64 :]


def play(sound: Path, place: Path, each: int, seed: int) -> Counter[tuple[str, str]]:
    """Damage one place after the other; return how many were named, by store."""
    whole, counts = held(sound), Counter[tuple[str, str]]()
    for name, how, data in damages(sound, each, seed):
        shutil.rmtree(place, ignore_errors=True)
        shutil.copytree(sound, place)
        if data is None:
            (place / name).unlink()
        else:
            (place / name).write_bytes(data)
        store = STORES[name.parts[0]]
        before = {path: path.read_bytes() for path in place.rglob("*") if path.is_file()}
        found = faults(place)
        assert {path: path.read_bytes() for path in place.rglob("*") if path.is_file()} == before, (
            "the doctor looks only"
        )
        if not found and name.name.startswith("MANIFEST-"):  # its last edit may say nothing new
            assert held(place) == whole, f"{name}, {how}: something is lost, and nobody says so"
        else:
            assert set(found) == {store}, f"{name} {how}: {found}"
            assert found[store] and not any(word in found[store] for word in NEVER_IN_A_HINT)
        counts[store, "named" if found else "nothing lost"] += 1
        told = start(place)
        assert told <= {store}, f"{name} {how}: {told}"
        # A damaged vote log is set aside, and the node signs nothing; nothing else that was promised may change.
        for kept in ("treasury.journal",) if store == "vote log" else ("treasury.journal", "votes.log"):
            after = (place / kept).read_bytes() if (place / kept).exists() else None
            assert after == before.get(place / kept), f"{name} {how}: a start changed {kept}"
        if store in told:
            counts[store, "at a start"] += 1
        elif found:  # an old part or a document, which a start does not read: it must be there still
            assert store not in {"vote log", "promises"} and (faults(place).keys() == {store} or held(place) == whole)
    return counts


def newest_record() -> Record:
    """Return the newest record of the sound ledger."""
    chain = Chain.open(MemoryStore(dict(world().rows)))
    blocks = (chain.block(height) for height in range(chain.height, 0, -1))
    return next(block.records[0] for block in blocks if block is not None and block.records)


def test_the_sound_folder_has_no_fault(sound) -> None:
    assert faults(sound) == {}
    assert {len(list((sound / name).glob("*.ldb"))) > 0 for name in ("ledger", "mempool")} == {True}


def test_a_share_of_damaged_places_is_named_by_its_store(sound, tmp_path) -> None:
    counts = play(sound, tmp_path / "data", SHARE, seed=3)
    assert {store for store, outcome in counts if outcome == "named"} == set(STORES.values())


def test_a_damaged_document_is_repaired_by_its_original(sound, tmp_path) -> None:
    folder = tmp_path / "data"
    shutil.copytree(sound, folder)
    kept = next((folder / "documents").iterdir())
    original = tmp_path / "letter.pdf"
    original.write_bytes(kept.read_bytes())
    kept.write_bytes(kept.read_bytes()[:-1])
    assert set(faults(folder)) == {"documents"}
    told, is_new = keep_document(folder / "documents", original)
    assert (told["hash"], is_new, faults(folder)) == (kept.name, False, {})


@pytest.mark.soak
def test_every_damaged_place_is_named(sound, tmp_path) -> None:
    told = os.environ.get("MUTUA_SOAK", "")
    seed = int(told) if told.isdigit() else 1
    counts = play(sound, tmp_path / "data", EACH, seed)
    print(f"\ndamaged places, seed {seed}, seen by the doctor and by a start")
    for (store, outcome), count in sorted(counts.items()):
        print(f"{store:<12}{outcome:<16}{count:>6}")


@pytest.mark.parametrize(
    ("prefix", "code"),
    [
        (EVENTS_PREFIX, "block_missing"),
        (CERTIFICATE_PREFIX, "block_missing"),
        (BLOCK_PREFIX, "block_missing"),
        (RECORD_PREFIX, "record_index"),
        (BODY_PREFIX, "body_changed"),
    ],
)
def test_a_start_reads_the_newest_blocks_whole(tmp_path, prefix, code) -> None:
    rows = dict(world().rows)
    open_chain(write_folder(tmp_path / "sound", rows), make_charter()).store.close()
    height = len(world().plan) - 3
    record = newest_record()
    name = {RECORD_PREFIX: record_id_of(record), BODY_PREFIX: record.body_hash}.get(prefix, height_bytes(height))
    assert prefix + name in rows
    if code == "body_changed":
        rows[prefix + name] = rows[prefix + name][:-1] + b"!"
    else:
        del rows[prefix + name]
    with pytest.raises(LedgerCorrupt) as caught:
        open_chain(write_folder(tmp_path / "data", rows), make_charter())
    assert caught.value.code == code
