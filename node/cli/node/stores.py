"""What `mutua doctor` finds in a stopped node's stores. They are looked at from aside: not a byte of them changes.

At once: the files of the databases, and the whole of the vote log and of the promises. With `--deep` every byte of the
tables is read with its checksum, and every block with what belongs to it is compared with its header. Signatures and
rules are for `mutua audit verify`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import TYPE_CHECKING

from node.api.text import counted

if TYPE_CHECKING:
    from pathlib import Path

    from node.paths import DataFolder

Found = tuple[str, str, str]
"""State (ok, note or fault), what, hint."""


def store_checks(
    folder: DataFolder, documents: Path, *, is_running: bool, is_deep: bool
) -> Iterator[tuple[str, Callable[[], Found]]]:
    """Yield a check for each store by its name. MutuaError passes through: its words are the fault."""
    checks = {
        "ledger": partial(_check_ledger, folder, is_deep=is_deep),
        "mempool": partial(_check_mempool, folder, is_deep=is_deep),
        "vote log": partial(_check_votes, folder),
        "promises": partial(_check_promises, folder),
    }
    for name, check in checks.items():
        yield name, _in_use if is_running else check
    if is_deep:
        yield "documents", partial(_check_documents, documents)


def _in_use() -> Found:
    return "note", "the running node has it open; it read the newest part when it started", "stop it to check the rest"


def _check_ledger(folder: DataFolder, *, is_deep: bool) -> Found:
    from ledger.chain import Chain
    from ledger.leveldb import check_files, opened_aside

    check_files(folder.ledger, is_deep=is_deep)
    if not folder.ledger.exists():
        return "note", "there is no ledger yet", "it begins with mutua run"
    if not is_deep:
        size = sum(file.stat().st_size for file in folder.ledger.iterdir() if file.is_file())
        return "ok", f"{size // 1024} KiB, no file is missing; read it all: mutua doctor --deep", ""
    with opened_aside(folder.ledger) as store:
        rows = sum(1 for _ in store.scan(b""))
        chain = Chain.open(store)
        blocks = sum(1 for _ in chain.read_back(0))
    return "ok", f"{counted(rows, 'row')} and {counted(blocks, 'block')} were read and are whole", ""


def _check_mempool(folder: DataFolder, *, is_deep: bool) -> Found:
    from ledger.leveldb import check_files, opened_aside
    from node.pool.mempool import MEMPOOL

    check_files(folder.mempool, MEMPOOL, is_deep=is_deep)
    if not folder.mempool.exists():
        return "note", "nothing has waited here yet", ""
    if not is_deep:
        return "ok", "no file is missing", ""
    with opened_aside(folder.mempool, MEMPOOL) as store:
        rows = sum(1 for _ in store.scan(b""))
    return "ok", f"{counted(rows, 'row')} were read and are whole", ""


def _check_votes(folder: DataFolder) -> Found:
    from node.agreement.vote_log import problem_of

    problem = problem_of(folder.votes)
    if problem is not None:
        hint = "leave it to the node: it signs nothing until the network has passed the heights it may have voted in"
        return "fault", problem, hint
    return ("ok", "whole", "") if folder.votes.exists() else ("note", "this node has not voted yet", "")


def _check_promises(folder: DataFolder) -> Found:
    from node.treasury.journal import read_promises

    count = len(read_promises(folder.treasury_journal).by_outpoint)
    return "ok", counted(count, "promise") + " to sign one payment a coin" if count else "none were made", ""


def _check_documents(folder: Path) -> Found:
    """Compare each document with the hash that is its name."""
    from node.api.actions import document_hash

    files = [path for path in sorted(folder.glob("*")) if len(path.name) == 64 and path.is_file()]
    damaged = [path.name for path in files if document_hash(path.read_bytes()).hex() != path.name]
    if damaged:
        hint = "put your own copy or a backup in their place: nobody else has them"
        return "fault", f"{counted(len(damaged), 'document')} changed in {folder}: {', '.join(damaged[:3])}", hint
    return "ok", f"{counted(len(files), 'document')} of evidence, each as its name says", ""
