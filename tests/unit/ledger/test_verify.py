"""Replay is silent on a sound chain, and each kind of damage is found by the check that is named for it."""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace
from hashlib import sha256

import msgspec
import pytest

from ledger.blocks import Block, block_hash_of, decode_header, encode_header
from ledger.chain import (
    BLOCK_PREFIX,
    BODY_PREFIX,
    CERTIFICATE_PREFIX,
    EVENTS_PREFIX,
    HASH_PREFIX,
    HEADER_PREFIX,
    RECORD_PREFIX,
    STATE_PREFIX,
    TIP_KEY,
    Chain,
    height_bytes,
)
from ledger.codec import decode, encode
from ledger.errors import LedgerCorrupt, RuleBroken
from ledger.hashing import ZERO_HASH
from ledger.records import Body, record_id_of
from ledger.store import MemoryStore
from ledger.verify import Applied, Counts, replay

ROWS = {b"n": b"0", b"plans/x": b"1"}


class ToyRules:
    """Every record adds its body to row `n`; a body `bad` is refused; the schedule must stay 0."""

    def genesis(self, charter):
        return ROWS, b"", ZERO_HASH

    def header_problems(self, charter, parent, header):
        return ["scheduled"] if header.scheduled_time_ms else []

    def certificate_problem(self, charter, parent, header, certificate):
        return None if certificate == b"good" else "it is not good"

    def apply(self, state, charter, parent, header, *, records, bodies, contents):
        value = state.get(b"n")
        for record in records:
            data = bodies[record.body_hash].data
            if data == b"bad":
                raise RuleBroken("bad", "a bad body")
            value += data
        return Applied({b"n": value, b"h/%d" % header.height: b""}, b"events %d" % header.height)


@pytest.fixture
def store(charter, builder_of) -> MemoryStore:
    store = MemoryStore()
    chain = Chain.create(store, charter, ROWS)
    builder = builder_of(chain)
    for height in range(1, 5):
        value = chain.state.get(b"n") + b"hello" * 2
        block, delta = builder.next_block({b"n": value, b"h/%d" % height: b""}, records=2)
        chain.commit(block, b"good", delta, b"events %d" % height)
    return store


def checks_of(store) -> list[str]:
    return [finding.check for finding in replay(store, ToyRules())]


def test_a_sound_chain_has_no_finding(store) -> None:
    counts = Counts()
    assert list(replay(store, ToyRules(), counts)) == []
    assert (counts.height, counts.tip, counts.records, counts.certificates, counts.states) == (4, 4, 8, 4, 4)
    assert counts.state_root == Chain.open(store).tip.header.state_root


def block_at(store, height: int) -> Block:
    return decode(Block, store.get(BLOCK_PREFIX + height_bytes(height)))


def test_a_changed_row_is_found_whatever_it_is(store) -> None:
    record = block_at(store, 2).records[1]
    tip = Chain.open(store).tip
    for key, value, check in (
        (b"g/charter", b"x", "charter"),
        (TIP_KEY, None, "tip"),
        (TIP_KEY, b"x", "tip"),
        (BLOCK_PREFIX + height_bytes(2), None, "block_missing"),
        (BLOCK_PREFIX + height_bytes(2), b"x", "block_bytes"),
        (HEADER_PREFIX + height_bytes(2), b"x", "header_link"),
        (HASH_PREFIX + tip.block_hash, None, "header_link"),
        (HASH_PREFIX + b"\x01" * 32, height_bytes(1), "header_link"),
        (CERTIFICATE_PREFIX + height_bytes(3), None, "certificate"),
        (CERTIFICATE_PREFIX + height_bytes(3), b"bad", "certificate"),
        (RECORD_PREFIX + record_id_of(record), None, "record_index"),
        (RECORD_PREFIX + record_id_of(record), b"x", "record_index"),
        (RECORD_PREFIX + b"\x01" * 32, b"x", "record_index"),
        (BODY_PREFIX + record.body_hash, None, "body_missing"),
        (BODY_PREFIX + record.body_hash, b"x", "body_hash"),
        (BODY_PREFIX + record.body_hash, encode(Body(bytes(16), b"other")), "body_hash"),
        (BODY_PREFIX + b"\x01" * 32, b"x", "body_stray"),
        (EVENTS_PREFIX + height_bytes(2), b"x", "events"),
        (STATE_PREFIX + b"n", b"x", "state_rows"),
        (STATE_PREFIX + b"plans/x", None, "state_rows"),
        (STATE_PREFIX + b"z", b"x", "state_rows"),
        (BLOCK_PREFIX + height_bytes(9), b"x", "beyond_tip"),
        (CERTIFICATE_PREFIX + height_bytes(5), b"x", "beyond_tip"),
    ):
        before = store.get(key)
        store.write({key: value})
        found = checks_of(store)
        assert check in found, (key, found)
        store.write({key: before})
    assert checks_of(store) == []


def rewrite(store, at: int, **fields) -> None:
    """Change a header and everything that the liar can make fit: its row, its index, and the tip."""
    block = block_at(store, at)
    header = replace(decode_header(block.header), **fields)
    encoded = encode_header(header)
    old = block_hash_of(decode_header(block.header))
    batch = {
        BLOCK_PREFIX + height_bytes(at): encode(msgspec.structs.replace(block, header=encoded)),
        HEADER_PREFIX + height_bytes(at): encoded,
        HASH_PREFIX + old: None,
        HASH_PREFIX + block_hash_of(header): height_bytes(at),
    }
    if at == 4:
        batch[TIP_KEY] = height_bytes(4) + block_hash_of(header) + store.get(TIP_KEY)[-8:]
    store.write(batch)


@pytest.mark.parametrize(
    ("fields", "check"),
    [
        ({"records_root": b"\x01" * 32}, "records_root"),
        ({"record_count": 3}, "record_count"),
        ({"state_root": b"\x01" * 32}, "state_root"),
        ({"history_root": b"\x01" * 32}, "history_root"),
        ({"parent": b"\x01" * 32}, "header_link"),
        ({"chain_id": b"\x01" * 32}, "header_link"),
        ({"scheduled_time_ms": 7}, "header_rules"),
        ({"height": 7}, "header_link"),
    ],
)
def test_a_header_that_lies_is_found_by_its_field(store, fields, check) -> None:
    rewrite(store, 4, **fields)
    assert check in checks_of(store)


def test_a_changed_header_in_the_middle_breaks_the_link_after_it(store) -> None:
    rewrite(store, 2, proposer=1)
    findings = list(replay(store, ToyRules()))
    assert ("header_link", 3) in [(finding.check, finding.height) for finding in findings]
    assert "history_root" in [finding.check for finding in findings]


def put_records(store, height: int, records) -> None:
    block = block_at(store, height)
    store.write({BLOCK_PREFIX + height_bytes(height): encode(Block(block.header, tuple(records)))})


def test_a_forged_signature_is_found_with_its_record(store) -> None:
    records = list(block_at(store, 3).records)
    records[1] = msgspec.structs.replace(records[1], signature=records[0].signature)
    put_records(store, 3, records)
    findings = list(replay(store, ToyRules()))
    by_check = {finding.check: finding for finding in findings}
    assert by_check["record_signature"].record_id == record_id_of(records[1])
    assert by_check["record_signature"].height == 3
    assert "records_root" in by_check


def test_a_record_of_another_chain_or_size_is_found(store) -> None:
    records = list(block_at(store, 3).records)
    put_records(store, 3, [msgspec.structs.replace(records[0], author=b"short"), records[1]])
    assert "record_shape" in checks_of(store)


def test_a_record_applied_twice_is_found(store) -> None:
    put_records(store, 3, [block_at(store, 2).records[0], block_at(store, 3).records[1]])
    assert "record_repeated" in checks_of(store)


def test_a_block_that_the_rules_refuse_is_found(charter, builder_of) -> None:
    store = MemoryStore()
    chain = Chain.create(store, charter, ROWS)
    builder = builder_of(chain)
    block, _ = builder.next_block(records=0)
    chain.commit(block, b"good", {}, b"")
    assert checks_of(store)[0] == "state_root"

    class Refusing(ToyRules):
        def apply(self, *_args, **_named):
            raise RuleBroken("no", "no")

    assert [finding.check for finding in replay(store, Refusing())] == ["rules"]


def test_wrong_genesis_rows_are_found(store) -> None:
    class Other(ToyRules):
        def genesis(self, charter):
            return {b"n": b"5"}, b"e", ZERO_HASH

    found = [finding.check for finding in replay(store, Other())]
    assert found[:2] == ["header_link", "events"]


def test_one_lost_body_does_not_hide_later_damage(store) -> None:
    records = block_at(store, 1).records
    store.write(
        {
            BODY_PREFIX + records[0].body_hash: None,
            STATE_PREFIX + b"n": b"x",
            CERTIFICATE_PREFIX + height_bytes(3): b"bad",
        }
    )
    rewrite(store, 4, scheduled_time_ms=7)
    assert checks_of(store) == ["body_missing", "certificate", "header_rules", "state_root"]


@pytest.mark.parametrize(
    "key",
    [
        b"",
        b"a",
        b"b",
        b"g/charter2",
        b"h/",
        b"k/peer",
        b"m/",
        b"zz",
        b"\xff\xff",
        CERTIFICATE_PREFIX + height_bytes(0),
        HEADER_PREFIX + height_bytes(2) + b"\x00",
        EVENTS_PREFIX + b"\x00",
    ],
)
def test_a_row_that_the_ledger_has_no_use_for_is_found(store, key: bytes) -> None:
    store.write({key: b"x"})
    assert checks_of(store) == ["row_unknown"]


def test_rows_too_many_are_counted_not_listed(store) -> None:
    store.write({b"z%d" % number: b"x" for number in range(50)})
    assert [finding.what for finding in replay(store, ToyRules())][-1].startswith("30 more rows")


def test_an_empty_row_that_is_missing_is_found(store) -> None:
    store.write({EVENTS_PREFIX + height_bytes(0): None})
    assert checks_of(store) == ["events"]


@pytest.mark.parametrize("height", [5, 2**40, 2**64 - 1])
def test_a_tip_above_the_last_block_is_two_findings_however_high(store, height: int) -> None:
    store.write({TIP_KEY: height_bytes(height) + store.get(TIP_KEY)[8:]})
    assert checks_of(store)[0] == "block_missing"
    assert len(checks_of(store)) <= 4


def test_more_records_than_fit_in_memory_are_spooled() -> None:
    from ledger import spool

    digests = [sha256(number.to_bytes(4, "big")).digest() for number in range(3 * spool.RUN_SIZE_MAX // 32 + 5)]
    with closing(spool.Spool(32)) as held:
        for digest in digests + digests[:1000]:
            held.add(digest)
        assert list(held) == sorted(digests + digests[:1000])


def test_many_wrong_rows_are_counted_not_listed(store) -> None:
    store.write({STATE_PREFIX + b"z%d" % number: b"x" for number in range(50)})
    findings = [finding for finding in replay(store, ToyRules()) if finding.check == "state_rows"]
    assert len(findings) == 22
    assert findings[-1].what.startswith("30 more")


def test_rows_that_cannot_be_read_are_a_finding_not_a_crash(store) -> None:
    class Damaged(MemoryStore):
        def get(self, key):
            if key.startswith(CERTIFICATE_PREFIX):
                raise LedgerCorrupt("store_corrupt", "a checksum does not match")
            return super().get(key)

    damaged = Damaged(dict(store.scan(b"")))
    assert checks_of(damaged) == ["store"]
