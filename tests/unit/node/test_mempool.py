"""Waiting records: durable before they are told, bounded, fair between authors, and never counted twice."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from ledger.errors import MutuaError, RuleBroken
from ledger.records import record_id_of
from ledger.store import MemoryStore
from node.pool import mempool as pool_module
from node.pool.mempool import PREFIX, REFUSED_HEIGHTS_MAX, Mempool

CHAIN = bytes(32)


@pytest.fixture
def store():
    return MemoryStore()


@pytest.fixture
def quotes(coop, make_quote):
    return [make_quote(CHAIN, coop.rings[0], number) for number in range(1, 30)]


def ids(records):
    return [record_id_of(signed.record) for signed in records]


def test_what_was_accepted_is_there_after_a_restart(store, quotes):
    Mempool(store).add(quotes)
    assert Mempool(store).ids() == sorted(ids(quotes))


def test_a_whole_block_is_made_of_what_one_member_had_waiting_before_a_restart(store, coop, make_quote):
    """The store gives them back in any order, and a number more than 64 behind the highest is refused for ever."""
    chain = coop.node().chain
    Mempool(store).add([make_quote(chain.chain_id, coop.rings[0], number) for number in range(1, 200)])
    waiting = [signed for _, signed in Mempool(store)]
    assert [signed.record.number for signed in waiting] == list(range(1, 200))
    assert coop.candidate(chain, waiting).header.record_count == 199


def test_a_record_is_not_in_memory_when_its_write_failed(store, quotes):
    pool = Mempool(store)

    def full(_batch):
        raise MutuaError("disk_full", "the disk is full", "make room")

    store.write = full
    with pytest.raises(MutuaError):
        pool.add(quotes[:1])
    assert (len(pool), pool.size_bytes) == (0, 0)


def test_many_threads_with_the_same_records_count_each_once(store, quotes):
    pool = Mempool(store)
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(lambda _: pool.add(quotes), range(40)))
    assert len(pool) == len(quotes)
    assert pool.size_bytes == sum(len(value) for _, value in store.scan(PREFIX))


def test_one_author_cannot_take_the_room_of_the_others(store, coop, make_quote, monkeypatch):
    monkeypatch.setattr(pool_module, "RECORDS_MAX", 40)
    monkeypatch.setattr(pool_module, "PER_AUTHOR_MAX", 20)
    monkeypatch.setattr(pool_module, "PER_AUTHOR_CROWDED_MAX", 5)
    pool = Mempool(store)
    greedy = pool.add([make_quote(CHAIN, coop.rings[0], number) for number in range(1, 60)])
    assert len(greedy) == 20
    assert len(pool.add([make_quote(CHAIN, coop.rings[1], number) for number in range(1, 10)])) == 5
    with pytest.raises(MutuaError) as full:
        pool.add([make_quote(CHAIN, coop.rings[0], 99)])
    assert full.value.code == "mempool_full"


def test_a_block_takes_its_records_out_and_the_late_ones_with_a_reason(store, coop, make_quote):
    pool = Mempool(store)
    done, late, early = (
        make_quote(CHAIN, coop.rings[0], number, valid_until=until) for number, until in ((1, 60), (2, 7), (3, 60))
    )
    pool.add([done, late, early])
    assert pool.settle(ids([done]), 7) == [late]
    assert pool.ids() == ids([early])
    assert pool.refusals[ids([late])[0]].code == "record_expired"
    assert Mempool(store).ids() == ids([early])


def test_a_record_refused_again_and_again_goes_with_the_reason(store, quotes):
    pool = Mempool(store)
    pool.add(quotes[:1])
    record_id = ids(quotes)[0]
    for height in range(REFUSED_HEIGHTS_MAX):
        assert record_id in pool
        pool.refuse(record_id, RuleBroken("vote_closed", "closed"), height)
        pool.settle([], height)
    assert record_id not in pool
    assert pool.refusals[record_id].code == "vote_closed"
