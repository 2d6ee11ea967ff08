"""Every forgery is found by the auditor, or stands on the auditor's page as something that no audit can see.

A share of the kinds from one seed in each run of the tests. `make soak` plays every kind `MUTUA_FORGERIES` times and
prints a table; `MUTUA_SOAK` set to a number moves the seed.
"""

from __future__ import annotations

import io
import json
import os
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import redirect_stdout
from pathlib import Path
from random import Random

import pytest
from cyclopts import CycloptsError

from audit import forgeries
from audit.ledgers import make_charter, world, write_folder
from ledger.chain import Chain
from ledger.codec import encode
from ledger.errors import MutuaError
from ledger.store import MemoryStore
from node.cli.audit.audit import app

PAGE = Path(__file__).resolve().parents[2] / "docs" / "how-to" / "audit-a-folder.md"
SEED = 8
EACH = int(os.environ.get("MUTUA_FORGERIES", "8"))
SHARE = 60


def run(*words: object) -> int:
    """Return the exit code of `mutua audit`; 1 for an error, 0 for an option that this version does not have."""
    try:
        with redirect_stdout(io.StringIO()):
            arguments = [str(word) for word in words]
            return app(arguments, exit_on_error=False, print_error=False, result_action="return_value")
    except MutuaError:
        return 1
    except CycloptsError:
        return 0


def is_row_forgery_found(rows: dict[bytes, bytes], folder: Path, *options: str, votes: bytes | None = None) -> bool:
    """Audit a folder with these rows; tell whether anything was found."""
    write_folder(folder, rows, encode(make_charter()) if "--charter" not in options else None)
    if votes is not None:
        (folder / "votes.log").write_bytes(votes)
    (folder / "sealed.bin").write_bytes(encode(make_charter()))
    words = [str(folder / "sealed.bin") if word == "CHARTER" else word for word in options]
    return run("verify", folder, *words) != 0


def _rows(forge: Callable[[Random], dict[bytes, bytes]]) -> Callable[[Random, Path], bool]:
    def is_found(random: Random, folder: Path) -> bool:
        rows = forge(random)
        return rows == world().rows or is_row_forgery_found(rows, folder)

    return is_found


def _options(forge) -> Callable[[Random, Path], bool]:
    def is_found(random: Random, folder: Path) -> bool:
        rows, options, votes = forge(random)
        return is_row_forgery_found(rows, folder, *options, votes=votes)

    return is_found


def _proof(forge) -> Callable[[Random, Path], bool]:
    """Check a forged proof with the charter and without. Without, a whole proof of another chain must hold."""

    def is_found(random: Random, folder: Path) -> bool:
        table = json.loads(forgeries.proof_text(random))
        forged = forge(random, table)
        if forged == table:
            return True
        folder.mkdir()
        (folder / "proof.json").write_text(forged if isinstance(forged, str) else json.dumps(forged))
        (folder / "charter.bin").write_bytes(encode(make_charter()))
        words: list[list[object]] = [["--charter", folder / "charter.bin"]]
        if not isinstance(forged, dict) or forged.get("chain_id") == table["chain_id"]:
            words.append([])
        return all(run("check", folder / "proof.json", *options) != 0 for options in words)

    return is_found


def _explained(forge) -> Callable[[Random, Path], bool]:
    def is_found(random: Random, folder: Path) -> bool:
        write_folder(folder, forge(random))
        return run("explain", world().claim_id.hex(), "--data-dir", folder) != 0

    return is_found


KINDS: dict[str, Callable[[Random, Path], bool]] = {
    **{kind: _rows(forge) for kind, forge in (forgeries.ROWS | forgeries.SIGNED).items()},
    **{kind: _options(forge) for kind, forge in forgeries.OPTIONS.items()},
    **{kind: _proof(forge) for kind, forge in forgeries.PROOFS.items()},
    **{kind: _explained(forge) for kind, forge in forgeries.EXPLAINED.items()},
}


def play(cases: Iterator[tuple[str, int]], folder: Path) -> tuple[Counter[str], dict[str, list[int]]]:
    """Return how many of each kind were tried, and the seeds of those that were missed."""
    tried, missed = Counter[str](), dict[str, list[int]]()
    for number, (kind, seed) in enumerate(cases):
        tried[kind] += 1
        if not KINDS[kind](Random(f"{kind}/{seed}"), folder / str(number)):
            missed.setdefault(kind, []).append(seed)
    return tried, missed


def test_a_share_of_forgeries_is_found(tmp_path: Path) -> None:
    kinds = Random(SEED).sample(sorted(KINDS), SHARE)
    _, missed = play(((kind, SEED) for kind in kinds), tmp_path)
    assert missed == {}


def test_the_sound_ledger_is_clean_and_explained(tmp_path: Path) -> None:
    assert not is_row_forgery_found(world().rows, tmp_path / "data")
    assert run("explain", world().claim_id.hex(), "--data-dir", tmp_path / "data") == 0
    text = forgeries.proof_text(Random(1))
    (tmp_path / "proof.json").write_text(text)
    assert run("check", tmp_path / "proof.json") == 0
    assert run("check", tmp_path / "proof.json", "--charter", tmp_path / "data" / "charter.bin") == 0


@pytest.mark.parametrize("kind", forgeries.ARGUED)
def test_what_no_audit_can_see_is_argued_on_the_page(kind: str, tmp_path: Path) -> None:
    words, forge = forgeries.ARGUED[kind]
    rows = forge(Random(SEED))
    assert rows != world().rows
    write_folder(tmp_path / "data", rows)
    assert run("verify", tmp_path / "data") == 0
    Chain.open(MemoryStore(rows))
    section = PAGE.read_text(encoding="utf-8").split("## What no audit can see", 1)[1]
    assert words in section


@pytest.mark.soak
def test_every_kind_of_forgery_is_found(tmp_path: Path) -> None:
    told = os.environ.get("MUTUA_SOAK", "")
    first = int(told) if told.isdigit() else 1
    cases = ((kind, seed) for kind in KINDS for seed in range(first, first + EACH))
    tried, missed = play(cases, tmp_path)
    print(f"\nforgeries, seeds {first} to {first + EACH - 1}\n{'kind':<48}{'tried':>6}{'found':>6}")
    for kind, count in tried.items():
        lost = missed.get(kind, [])
        print(f"{kind:<48}{count:>6}{count - len(lost):>6}" + (f"  missed: {lost}" if lost else ""))
    print(f"{'all':<48}{tried.total():>6}{tried.total() - sum(map(len, missed.values())):>6}")
    assert missed == {}
