"""Determinism: the same blocks give the same roots whatever seed Python hashes with, and whoever applies them."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from ledger.leveldb import LevelDB
from node.audit.verify import audit_folder

SCRIPT = """
import json, sys
from pathlib import Path
from node.audit.verify import audit_folder
report = audit_folder(Path(sys.argv[1]))
counts, findings = report.counts, [str(item) for item in report.findings]
print(json.dumps([counts.height, counts.records, counts.state_root.hex(), findings, hash("mutua")]))
"""


@pytest.fixture
async def folder(tmp_path: Path, coop, make_quote) -> Path:
    """A stopped folder with a few blocks, records in each."""
    node = coop.node(0)
    for height in range(1, 8):
        records = [
            make_quote(node.chain.chain_id, ring, height, rate=6_000_000 + 100 * index)
            for index, ring in enumerate(coop.rings)
        ]
        candidate = coop.candidate(node.chain, records)
        certificate = coop.certificate(candidate.block_hash, height, view=3)  # every member has led by then
        await node.ledger.commit(candidate, certificate)
    store = LevelDB(tmp_path / "data" / "ledger", create=True)
    store.write(dict(node.chain.store.scan(b"")))
    store.close()
    return tmp_path / "data"


def replayed(folder: Path, hash_seed: str) -> list[object]:
    environment = {"PYTHONHASHSEED": hash_seed, "PYTHONPATH": str(Path(__file__).parents[3]), "PATH": ""}
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(folder)],
        capture_output=True,
        text=True,
        env=environment,
        timeout=60,
        check=True,
    )
    return json.loads(done.stdout)


async def test_replay_gives_the_same_root_under_two_hash_seeds(folder):
    first, second = replayed(folder, "1"), replayed(folder, "2")
    assert first[-1] != second[-1], "the seeds must differ for the test to mean anything"
    assert first[:-1] == second[:-1]
    assert first[:2] == [7, 28]
    assert first[3] == []


async def test_replay_gives_the_root_of_the_ledger_that_applied_the_blocks_live(folder, coop):
    report = audit_folder(folder)
    assert report.findings == ()
    assert report.counts.height == 7
