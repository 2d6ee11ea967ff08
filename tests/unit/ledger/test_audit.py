"""`mutua audit` on a data folder made by the node's own code: four founders, a few certified blocks, no daemon."""

from __future__ import annotations

import fcntl
import json
import shutil
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from consensus.committee import committee_hash, leader_of
from consensus.messages import Cell, CellKind, Certificate, Vote, VoteKind, decode_certificate, encode_certificate
from consensus.signing import sign_vote
from consensus.votelog import append, begin
from ledger.chain import BODY_PREFIX, CERTIFICATE_PREFIX, EVENTS_PREFIX, STATE_PREFIX, Chain, height_bytes
from ledger.charter import add_founder, new_charter, seal, sign_founder
from ledger.codec import encode
from ledger.errors import MutuaError
from ledger.genesis import Charter, CharterPlan, Founder
from ledger.leveldb import LevelDB
from ledger.records import Body, SignedRecord, record_id_of, sign_record
from ledger.store import MemoryStore
from node.cli.audit.audit import app
from node.execution.apply import encode_events, genesis_rows
from node.execution.header_rules import committee_of
from node.execution.propose import Proposer, build_candidate
from wallet.keys import KeyRing

RINGS = [KeyRing.from_seed(bytes([number]) * 32) for number in range(1, 5)]
BLOCKS = 5


def make_charter() -> Charter:
    plan = CharterPlan("basic", 30_000, 0, 0, 0, None, None, None, 0, None, ())
    charter = new_charter(
        "Riverside",
        seed=b"\x05" * 32,
        genesis_time_ms=1_700_000_000_000,
        day_one="2026-01-31",
        block_interval_ms=2_000,
        claims_cents=1_000_000,
        reserve_cents=300_000,
        rate=6_000_000,
        plans=(plan,),
    )
    for number, ring in enumerate(RINGS):
        bare = Founder(
            ring.identity_key,
            ring.device_key,
            ring.cover_key,
            ring.consensus_key,
            ring.transport_key,
            b"",
            ring.onion.tip,
            f"/ip4/127.0.0.1/tcp/{4001 + number}",
            "",
            "basic",
            12,
            12,
            b"",
        )
        charter = add_founder(charter, sign_founder(ring.identity_seed, bare, charter.name))
    return seal(charter)


def quote(chain: Chain, ring: KeyRing, number: int) -> SignedRecord:
    from governance.kinds import encode_body
    from governance.money.rates import QuoteBody

    body = Body(bytes([number]) * 16, encode_body(QuoteBody(6_000_000 + number)))
    return sign_record(
        ring.device_seed,
        chain_id=chain.chain_id,
        kind="rate.quote",
        author=ring.identity_key,
        number=number,
        valid_until_height=60,
        body=body,
    )


def grow(chain: Chain, records: list[SignedRecord]) -> None:
    committee = committee_of(chain.charter)
    rings = {ring.consensus_key: ring for ring in RINGS}
    index = leader_of(chain.tip.header.randomness, 0, len(committee))
    key = committee[index]
    waiting = [(record_id_of(signed.record), signed) for signed in records]
    candidate, refused = build_candidate(
        chain,
        committee,
        Proposer(index, key, rings[key].onion.reveal),
        waiting,
        chain.charter.genesis_time_ms + 2_000 * (chain.height + 1),
    )
    assert refused == {}
    height = candidate.header.height
    votes = [
        sign_vote(
            Vote(VoteKind.FINALIZE, 0, height, 0, candidate.block_hash, voter),
            rings[each].consensus_seed,
            chain.chain_id,
        )
        for voter, each in enumerate(committee)
    ][:3]
    certificate = Certificate(
        VoteKind.FINALIZE, 0, height, 0, candidate.block_hash, (0, 1, 2), tuple(vote.signature for vote in votes)
    )
    chain.commit(candidate.block, encode_certificate(certificate), candidate.delta, encode_events(candidate.events))


@pytest.fixture(scope="module")
def sound_rows() -> dict[bytes, bytes]:
    """Return the rows of a sound chain of five blocks, one record in each of the first two."""
    store = MemoryStore()
    charter = make_charter()
    chain = Chain.create(store, charter, genesis_rows(charter), committee_hash=committee_hash(committee_of(charter)))
    for height in range(1, BLOCKS + 1):
        grow(chain, [quote(chain, RINGS[height], height)] if height < 3 else [])
    return dict(store.scan(b""))


@pytest.fixture
def folder(sound_rows, tmp_path: Path) -> Path:
    """Return a stopped data folder with a sound chain."""
    store = LevelDB(tmp_path / "data" / "ledger", create=True)
    store.write(sound_rows)
    store.close()
    (tmp_path / "data" / "charter.bin").write_bytes(sound_rows[b"g/charter"])
    return tmp_path / "data"


def run(*words: object) -> int:
    return app([str(word) for word in words], exit_on_error=False, result_action="return_value")


def damage(folder: Path, key: bytes, value: bytes | None) -> None:
    store = LevelDB(folder / "ledger")
    store.write({key: value})
    store.close()


def test_a_sound_folder_gives_exit_0_and_says_which_ledger_it_is_and_how_far_it_goes(
    folder, sound_rows, capsys
) -> None:
    chain = Chain.open(MemoryStore(sound_rows))
    assert run("verify", folder) == 0
    out, err = capsys.readouterr()
    assert err == ""
    assert out.splitlines() == [
        f"ledger     Riverside, chain {chain.chain_id.hex()}",
        f"tip        block 5, 2023-11-14 22:13:30, {chain.tip.block_hash.hex()}",
        f"state      {chain.tip.header.state_root.hex()}",
        "checked    2 records, 5 certificates, 5 states",
        "findings   none",
    ]
    assert run("verify", folder, "--json") == 0
    shown = json.loads(capsys.readouterr().out)
    assert (shown["name"], shown["chain_id"]) == ("Riverside", chain.chain_id.hex())
    assert (shown["tip_hash"], shown["tip_time"]) == (chain.tip.block_hash.hex(), "2023-11-14 22:13:30")


def test_what_the_auditor_knows_and_the_ledger_does_not_show_is_a_finding(folder, tmp_path, capsys) -> None:
    (tmp_path / "other.bin").write_bytes(encode(msgspec.structs.replace(make_charter(), name="Hillside")))
    assert run("verify", folder, "--at-least", 5, "--charter", folder / "charter.bin") == 0
    capsys.readouterr()
    for words, check in (
        (("--at-least", 6), "height 5 height: the ledger does not reach block 6"),
        (("--charter", tmp_path / "other.bin"), "height 0 charter: this is not the ledger of the charter of Hillside"),
    ):
        assert run("verify", folder, *words) == 6
        assert capsys.readouterr().out.startswith(check)


@pytest.mark.parametrize("newest", [5, 6, 7, 90])
def test_a_vote_log_that_knows_of_later_blocks_is_a_finding(folder: Path, newest: int, capsys) -> None:
    data, head = begin(b"\x07" * 32)
    for height in (3, newest):
        record, head = append(head, Cell(CellKind.SKIP, height, 0, bytes(32)))
        data += record
    (folder / "votes.log").write_bytes(data + record[:20])  # a torn end is none
    assert run("verify", folder) == (6 if newest > 6 else 0)
    out = capsys.readouterr().out
    assert (f"voted on block {newest}, so its ledger held block {newest - 1}; now it ends at block 5" in out) == (
        newest > 6
    )
    (folder / "votes.log").write_bytes(b"x" + data)
    assert run("verify", folder) == 6
    assert " vote_log: " in capsys.readouterr().out


def test_a_copy_and_a_bare_ledger_folder_are_judged_alike(folder: Path, tmp_path: Path) -> None:
    shutil.copytree(folder, tmp_path / "copy")
    assert run("verify", tmp_path / "copy") == 0
    assert run("verify", tmp_path / "copy" / "ledger") == 0


def test_json_says_how_much_was_checked(folder: Path, capsys) -> None:
    assert run("verify", folder, "--json") == 0
    shown = json.loads(capsys.readouterr().out)
    assert (shown["height"], shown["records"], shown["certificates"], shown["states"], shown["findings"]) == (
        5,
        2,
        5,
        5,
        [],
    )


def test_verifying_leaves_the_folder_as_it_was(folder: Path) -> None:
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    run("verify", folder)
    assert {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == before


def test_each_kind_of_damage_gives_exit_6_and_a_line(folder: Path, sound_rows, capsys) -> None:
    from dataclasses import replace

    good = decode_certificate(sound_rows[CERTIFICATE_PREFIX + height_bytes(2)])
    forged = encode_certificate(replace(good, signatures=(good.signatures[0],) * 3))
    too_few = encode_certificate(replace(good, voters=(0, 1), signatures=good.signatures[:2]))
    notarized = encode_certificate(replace(good, kind=VoteKind.NOTARIZE))
    state_key = next(key for key in sound_rows if key.startswith(STATE_PREFIX))
    body_key = next(key for key in sound_rows if key.startswith(BODY_PREFIX))
    for key, value, check in (
        (CERTIFICATE_PREFIX + height_bytes(2), forged, "certificate"),
        (CERTIFICATE_PREFIX + height_bytes(2), too_few, "certificate"),
        (CERTIFICATE_PREFIX + height_bytes(2), notarized, "certificate"),
        (CERTIFICATE_PREFIX + height_bytes(2), sound_rows[CERTIFICATE_PREFIX + height_bytes(3)], "certificate"),
        (CERTIFICATE_PREFIX + height_bytes(2), b"x", "certificate"),
        (state_key, b"x", "state_rows"),
        (body_key, None, "body_missing"),
        (EVENTS_PREFIX + height_bytes(3), b"invented", "events"),
    ):
        damage(folder, key, value)
        assert run("verify", folder) == 6
        assert f" {check}" in capsys.readouterr().out
        damage(folder, key, sound_rows[key])
    assert run("verify", folder) == 0


def test_a_flipped_bit_on_the_disk_is_a_finding_not_a_crash(folder: Path, capsys) -> None:
    LevelDB(folder / "ledger").close()
    table = max((folder / "ledger").glob("*.ldb"), key=lambda path: path.stat().st_size)
    data = bytearray(table.read_bytes())
    data[len(data) // 2] ^= 1
    table.write_bytes(bytes(data))
    assert run("verify", folder, "--json") == 6
    assert json.loads(capsys.readouterr().out)["findings"][0]["check"] == "store"


def test_the_charter_beside_the_ledger_must_be_its_own(folder: Path, capsys) -> None:
    (folder / "charter.bin").write_bytes(encode(msgspec.structs.replace(make_charter(), name="Other")))
    assert run("verify", folder) == 6
    assert "charter.bin" in capsys.readouterr().out


@pytest.mark.parametrize("held", ["ledger/LOCK", "lock"])
def test_a_folder_that_a_daemon_holds_is_refused(folder: Path, held: str) -> None:
    code = (
        "import fcntl, sys\nhandle = open(sys.argv[1], 'ab')\n(fcntl.lockf if 'LOCK' in sys.argv[1] else"
        " fcntl.flock)(handle, fcntl.LOCK_EX)\nprint('held', flush=True)\nsys.stdin.read()\n"
    )
    holder = subprocess.Popen(
        [sys.executable, "-c", code, str(folder / held)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    try:
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(MutuaError) as caught:
            run("verify", folder)
        assert caught.value.code == "store_locked"
        assert "copy" in caught.value.hint
    finally:
        holder.communicate("")
    assert fcntl is not None
    assert run("verify", folder) == 0


@pytest.mark.parametrize("lost", ["*.log", "MANIFEST-*", "CURRENT", "*", ""])
def test_a_lost_part_of_the_store_is_named_and_no_intact_charter_blamed(folder: Path, lost: str, capsys) -> None:
    for path in sorted((folder / "ledger").glob(lost or "*")):
        path.unlink()
    if not lost:
        (folder / "ledger").rmdir()
    assert run("verify", folder, "--charter", folder / "charter.bin") == 6
    lines = [line for line in capsys.readouterr().out.splitlines() if " store: " in line or " charter: " in line]
    part = {"*.log": "its log 0000", "MANIFEST-*": "no MANIFEST", "CURRENT": "its file CURRENT", "*": "is gone"}.get(
        lost, "is gone"
    )
    assert len(lines) == 1 and " store: the ledger in " in lines[0] and part in lines[0]


def test_a_ledger_whose_rows_are_all_gone_is_no_fault_of_the_charter(folder: Path, capsys) -> None:
    log = max((folder / "ledger").glob("*.log"))
    log.write_bytes(b"")
    (folder / "ledger.end").unlink()  # a copy without the mark: no file is missing
    assert run("verify", folder) == 6
    out = capsys.readouterr().out
    assert " store: the ledger does not hold its first block" in out and " charter: " not in out


def test_a_folder_without_a_ledger_is_named(tmp_path: Path) -> None:
    with pytest.raises(MutuaError) as caught:
        run("verify", tmp_path)
    assert caught.value.code == "store_missing"


def test_a_proof_is_made_and_checked_without_the_folder(folder: Path, tmp_path: Path, capsys) -> None:
    from ledger.chain import RECORD_PREFIX

    store = LevelDB(folder / "ledger")
    record_id = next(key[2:].hex() for key, _ in store.scan(RECORD_PREFIX))
    store.close()
    assert run("prove", record_id, "--data-dir", folder) == 0
    text = capsys.readouterr().out
    table, file = json.loads(text), tmp_path / "proof.json"
    file.write_text(text)
    assert run("check", file) == 0
    assert "compared   with nothing that you know" in capsys.readouterr().out
    known = ("--charter", folder / "charter.bin", "--anchor", table["anchor_hash"])
    assert run("check", file, *known) == 0
    out = capsys.readouterr().out.splitlines()
    assert out[0].startswith(f"record     {record_id}, rate.quote by ")
    assert f"anchor     block 5, 2023-11-14 22:13:30, {table['anchor_hash']}" in out
    assert out[-2:] == ["certified  by 3 of 4 members of its committee", "compared   with your charter and your anchor"]
    assert run("check", file, *known, "--json") == 0
    shown = json.loads(capsys.readouterr().out)
    assert {name: shown[name] for name in ("record_id", "anchor_hash")}.items() <= table.items()
    assert (shown["compared_with"], shown["findings"]) == (["charter", "anchor"], [])
    (tmp_path / "other.bin").write_bytes(encode(msgspec.structs.replace(make_charter(), name="Hillside")))
    for words in (("--charter", tmp_path / "other.bin"), ("--anchor", "00" * 32)):
        assert run("check", file, *words) == 6
    forged = (
        {"certificate": table["certificate"][:-2] + "ff"},
        {"committee": table["committee"][:3]},
        {"committee": [table["committee"][0] + "00", *table["committee"][1:]]},
        {"index": 1},
        {"height": 2},
    )
    for change in forged:
        file.write_text(json.dumps(table | change))
        assert run("check", file, "--json") == 6, change
    for words, code in (
        (("prove", "zz", "--data-dir", folder), "record_id"),
        (("prove", "00" * 32, "--data-dir", folder), "record_unknown"),
        (("check", file, "--anchor", "00"), "anchor_hash"),
    ):
        with pytest.raises(MutuaError) as caught:
            run(*words)
        assert caught.value.code == code
