"""A chain keeps what it is given, says what it holds, and refuses a store that contradicts itself."""

from __future__ import annotations

from dataclasses import replace

import msgspec
import pytest

from ledger import merkle
from ledger.blocks import (
    Block,
    BlockWithBodies,
    block_hash_of,
    contents_of,
    decode_header,
    encode_block,
    encode_header,
)
from ledger.chain import (
    BLOCK_PREFIX,
    BODY_PREFIX,
    HEADER_PREFIX,
    RECORD_PREFIX,
    STATE_PREFIX,
    TIP_KEY,
    Chain,
    height_bytes,
)
from ledger.codec import encode
from ledger.errors import LedgerCorrupt, MutuaError
from ledger.genesis import chain_id_of
from ledger.records import record_id_of
from ledger.store import MemoryStore

ROWS = {b"members/a": b"1", b"members/b\xff": b"2", b"plans/x": b"3"}


def test_genesis_is_a_block_like_any_other(store, charter) -> None:
    chain = Chain.create(store, charter, ROWS)
    assert chain.height == 0
    assert chain.tip.header.randomness == charter.seed
    assert chain.tip.header.state_root == chain.tree.root()
    assert chain.events(0) == b""
    assert chain.certificate(0) is None
    assert list(chain.state.scan(b"members/")) == [(b"members/a", b"1"), (b"members/b\xff", b"2")]
    assert chain.state.get(b"plans/x") == b"3"


def test_a_committed_block_is_found_by_height_hash_and_record(store, charter, builder_of) -> None:
    chain = Chain.create(store, charter, ROWS)
    block = builder_of(chain).grow({b"members/a": None, b"members/c": b"9"}, records=3)
    assert chain.height == 1
    assert chain.block(1) == block.block
    assert chain.block_with_bodies(1) == block
    assert chain.certificate(1) == b"certificate"
    assert chain.block(2) is None
    record = block.block.records[2]
    assert chain.find_record(record_id_of(record)) == (1, 2)
    assert chain.find_record(b"\x00" * 32) is None
    assert chain.body(record.body_hash) == block.bodies[2]
    assert chain.state.get(b"members/a") is None
    assert chain.state.get(b"members/c") == b"9"


def test_what_is_stored_is_compared_with_its_hash_before_anybody_sees_it(charter, builder_of) -> None:
    store = MemoryStore()
    chain = Chain.create(store, charter, ROWS)
    whole = builder_of(chain).grow({}, records=3)
    records, bodies = whole.block.records, whole.bodies
    place, body = RECORD_PREFIX + record_id_of(records[0]), BODY_PREFIX + records[0].body_hash
    own = {key: store.get(key) for key in (place, body, BLOCK_PREFIX + height_bytes(1))}

    def read() -> None:
        assert chain.placed_record(record_id_of(records[0])) == (whole.block, 0)
        assert chain.block_with_bodies(1) == whole

    read()
    for key, value, code in (
        (body, encode(msgspec.structs.replace(bodies[0], data=b"other")), "body_changed"),
        (body, b"x", "body_changed"),
        (BLOCK_PREFIX + height_bytes(1), encode(Block(whole.block.header, records[::-1])), "block_changed"),
        (BLOCK_PREFIX + height_bytes(1), encode(Block(encode_header(chain.header(0)), records)), "block_changed"),
        (place, height_bytes(1) + (1).to_bytes(4, "big"), "record_index"),
        (place, height_bytes(1) + (9).to_bytes(4, "big"), "record_index"),
        (place, height_bytes(7) + (0).to_bytes(4, "big"), "record_index"),
    ):
        store.write({key: value})
        with pytest.raises(LedgerCorrupt) as caught:
            read()
        assert caught.value.code == code
        store.write(own)
    read()


def test_the_history_root_covers_the_headers_so_far(store, charter, builder_of) -> None:
    chain = Chain.create(store, charter, ROWS)
    builder = builder_of(chain)
    for height in range(1, 6):
        builder.grow({b"n": b"%d" % height})
        headers = [encode_header(chain.header(h)) for h in range(height + 1)]
        assert chain.history_root() == merkle.merkle_root(headers)
    assert merkle.root_of_hashes(chain.header_hashes()) == chain.history_root()


def test_a_reopened_chain_goes_on_where_it_stood(open_store, charter, builder_of) -> None:
    chain = Chain.create(open_store(), charter, ROWS)
    builder_of(chain).grow({b"n": b"1"})
    again = Chain.open(open_store(), chain_id_of(charter))
    assert again.tip == chain.tip
    assert again.history_root() == chain.history_root()
    assert again.tree.root() == chain.tree.root()
    assert again.charter == charter
    builder = builder_of(again)
    builder.number = 50
    builder.grow({b"n": None})
    assert Chain.open(open_store()).height == 2


def test_a_chain_is_created_once(store, charter) -> None:
    Chain.create(store, charter, ROWS)
    with pytest.raises(MutuaError) as caught:
        Chain.create(store, charter, ROWS)
    assert caught.value.code == "ledger_exists"


def test_an_empty_store_and_another_chain_are_told_apart(store, charter) -> None:
    with pytest.raises(MutuaError) as caught:
        Chain.open(store)
    assert caught.value.code == "ledger_empty"
    Chain.create(store, charter, ROWS)
    with pytest.raises(MutuaError) as caught:
        Chain.open(store, b"\x01" * 32)
    assert caught.value.code == "other_chain"


def changed(block: BlockWithBodies, **fields) -> BlockWithBodies:
    header = replace(decode_header(block.block.header), **fields)
    return BlockWithBodies(Block(encode_header(header), block.block.records), block.bodies)


@pytest.mark.parametrize(
    "fields",
    [
        {"height": 2},
        {"parent": b"\x05" * 32},
        {"chain_id": b"\x05" * 32},
        {"record_count": 7},
        {"records_root": b"\x05" * 32},
        {"state_root": b"\x05" * 32},
        {"history_root": b"\x05" * 32},
    ],
)
def test_a_block_that_does_not_hold_together_changes_nothing(charter, builder_of, fields) -> None:
    store = MemoryStore()
    chain = Chain.create(store, charter, ROWS)
    block, delta = builder_of(chain).next_block({b"n": b"1"})
    before = list(store.scan(b""))
    with pytest.raises(LedgerCorrupt):
        chain.commit(changed(block, **fields), b"", delta)
    assert list(store.scan(b"")) == before
    assert chain.height == 0
    chain.commit(block, b"", delta)
    assert chain.height == 1


@pytest.mark.parametrize("count", [0, 1, 15, 16, 300])
def test_a_block_put_together_from_encoded_records_has_its_canonical_bytes(charter, builder_of, count) -> None:
    block = builder_of(Chain.create(MemoryStore(), charter, ROWS)).next_block(records=count)[0].block
    assert encode_block(block.header, contents_of(block.records)) == encode(block)


def test_a_prepared_block_is_kept_over_its_own_parent_only(charter, builder_of) -> None:
    chain = Chain.create(MemoryStore(), charter, ROWS)
    block, delta = builder_of(chain).next_block({b"n": b"1"})
    prepared = chain.prepare(block, delta)
    assert chain.height == 0
    assert chain.keep(prepared, b"certificate").height == 1
    with pytest.raises(LedgerCorrupt):
        chain.keep(prepared, b"certificate")
    assert Chain.open(chain.store).tip == chain.tip


def test_a_failed_write_leaves_the_chain_where_it_was(charter, builder_of) -> None:
    class Full(MemoryStore):
        is_full = False

        def write(self, batch) -> None:
            if self.is_full:
                raise MutuaError("disk_full", "full")
            super().write(batch)

    store = Full()
    chain = Chain.create(store, charter, ROWS)
    block, delta = builder_of(chain).next_block({b"n": b"1"})
    store.is_full = True
    with pytest.raises(MutuaError):
        chain.commit(block, b"", delta)
    assert chain.height == 0
    store.is_full = False
    chain.commit(block, b"", delta)
    assert Chain.open(store).height == 1


def spoil(store: MemoryStore, key: bytes, value: bytes | None) -> None:
    store.write({key: value})


@pytest.mark.parametrize(
    ("key", "value", "code"),
    [
        (TIP_KEY, None, "tip_missing"),
        (TIP_KEY, b"short", "tip_missing"),
        (b"g/charter", b"\xc0", "charter_bytes"),
        (HEADER_PREFIX + height_bytes(1), None, "header_link"),
        (HEADER_PREFIX + height_bytes(2), None, "tip_header"),
        (HEADER_PREFIX + height_bytes(1), b"xx", "header_bytes"),
        (BLOCK_PREFIX + height_bytes(2), None, "tip_block"),
        (BLOCK_PREFIX + height_bytes(2), b"xx", "block_bytes"),
        (STATE_PREFIX + b"plans/x", None, "row_count"),
        (STATE_PREFIX + b"plans/x", b"4", "state_root"),
        (STATE_PREFIX + b"plans/y", b"4", "row_count"),
    ],
)
def test_a_store_that_contradicts_itself_is_refused_at_start(charter, builder_of, key, value, code) -> None:
    store = MemoryStore()
    builder = builder_of(Chain.create(store, charter, ROWS))
    builder.grow({b"n": b"1"})
    builder.grow({b"n": b"2"})
    spoil(store, key, value)
    with pytest.raises(LedgerCorrupt) as caught:
        Chain.open(store)
    assert caught.value.code == code


def test_a_tip_that_ran_ahead_or_behind_is_refused(charter, builder_of) -> None:
    store = MemoryStore()
    chain = Chain.create(store, charter, ROWS)
    old_tip = store.get(TIP_KEY)
    builder_of(chain).grow({b"n": b"1"})
    spoil(store, TIP_KEY, old_tip)
    with pytest.raises(LedgerCorrupt):
        Chain.open(store)


def test_the_block_hash_covers_every_field_of_the_header(charter) -> None:
    header = Chain.create(MemoryStore(), charter, ROWS).tip.header
    seen = {block_hash_of(header)}
    for field in header.__dataclass_fields__:
        if field == "version":
            continue
        value = getattr(header, field)
        seen.add(block_hash_of(replace(header, **{field: value + 1 if isinstance(value, int) else b"\x09" * 32})))
    assert len(seen) == len(header.__dataclass_fields__)


def test_a_dropped_body_leaves_its_block_as_it_was(charter, builder_of) -> None:
    chain = Chain.create(MemoryStore(), charter, ROWS)
    block, delta = builder_of(chain).next_block()
    chain.commit(msgspec.structs.replace(block, bodies=(None,)), b"", delta)
    assert chain.block(1) == block.block
    assert chain.block_with_bodies(1).bodies == (None,)
