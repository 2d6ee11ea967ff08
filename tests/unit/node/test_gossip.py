"""Records on their way: only those that may wait are kept, blobs only with a record, and both return after a loss."""

from __future__ import annotations

from dataclasses import dataclass

import msgspec
import pytest
import trio

from ledger.errors import MalformedBytes, MutuaError, RuleBroken
from ledger.records import Body, record_id_of, sign_record
from ledger.store import MemoryStore
from node.clock import choose
from node.pool import blobs as blobs_module
from node.pool.blobs import AddressListStore, blob_hash_of
from node.pool.mempool import REFUSED_HEIGHTS_MAX
from node.spread.gossip import COMPARE_EVERY_S, Gossip
from node.spread.wire import Bundle, Digest, RecordRequest, decode_message

PEER = b"peer"
BLOB = b"sealed addresses"


@dataclass
class Committing:
    """A ledger view in which every record commits to the same blobs: a fake, for blobs alone."""

    inner: object
    commitments: tuple[bytes, ...]

    def __getattr__(self, name: str):
        return getattr(self.inner, name)

    def commitments_of(self, _signed):
        return self.commitments


@pytest.fixture
def node(coop):
    return coop.node(0)


@pytest.fixture
def network(make_network):
    return make_network(b"me", (PEER,))


def gossip_of(node, network, commitments: tuple[bytes, ...] = ()) -> Gossip:
    return Gossip(
        network,
        node.mempool,
        node.blobs,
        Committing(node.ledger.admission, commitments),
        tick_s=0.01,
        digest_every_s=0.05,
        choose_peer=choose,
    )


@pytest.fixture
def record(node, coop, make_quote):
    return make_quote(node.chain.chain_id, coop.rings[1], 1)


async def test_a_members_record_is_kept_and_a_copy_is_not_kept_twice(node, network, record):
    gossip = gossip_of(node, network)
    for _ in range(2):
        await gossip.accept_bundle(PEER, Bundle((record, record), ()))
    assert node.mempool.ids() == [record_id_of(record.record)]


async def test_a_record_of_somebody_outside_is_left_without_a_word(node, network):
    seed = b"\x77" * 32
    from ledger.signatures import public_key_of

    stranger = sign_record(
        seed,
        chain_id=node.chain.chain_id,
        kind="rate.quote",
        author=public_key_of(seed),
        number=1,
        valid_until_height=9,
        body=Body(bytes(16), b"x"),
    )
    await gossip_of(node, network).accept_bundle(PEER, Bundle((stranger,), ()))
    assert (len(node.mempool), network.struck) == (0, [])


async def test_a_record_whose_number_was_used_is_left(node, network, coop, record, make_quote):
    candidate = coop.candidate(node.chain, [record])
    await node.ledger.commit(candidate, coop.certificate(candidate.block_hash, 1))
    again = make_quote(node.chain.chain_id, coop.rings[1], 1, rate=7_000_000)
    await gossip_of(node, network).accept_bundle(PEER, Bundle((record, again), ()))
    assert len(node.mempool) == 0


async def test_a_false_signature_is_the_fault_of_the_peer_and_nothing_of_its_bundle_is_kept(
    node, network, coop, make_quote, record
):
    false = msgspec.structs.replace(record, record=msgspec.structs.replace(record.record, signature=bytes(64)))
    others = tuple(make_quote(node.chain.chain_id, coop.rings[1], number) for number in (2, 3, 4))
    for bundle in (Bundle((false,), ()), Bundle((*others, false), ())):
        with pytest.raises(MalformedBytes):
            await gossip_of(node, network).accept_bundle(PEER, bundle)
    assert len(node.mempool) == 0


async def test_a_blob_without_a_record_that_names_it_is_not_kept(node, network, record):
    gossip = gossip_of(node, network)
    await gossip.accept_bundle(PEER, Bundle((record,), (BLOB, b"another")))
    assert node.blobs.get(blob_hash_of(BLOB)) is None


async def test_a_blob_comes_with_its_record_or_is_asked_for(node, network, record):
    commitment = blob_hash_of(BLOB)
    gossip = gossip_of(node, network, (commitment,))
    await gossip.accept_bundle(PEER, Bundle((record,), ()))
    assert RecordRequest((), (commitment,)) in [decode_message(data) for _, _, data in network.sent]
    await gossip.accept_bundle(PEER, Bundle((), (BLOB, b"another")))
    assert node.blobs.get(commitment) == BLOB
    assert node.blobs.get(blob_hash_of(b"another")) is None


def test_blobs_that_wait_are_bounded_and_those_of_dropped_records_go(monkeypatch):
    monkeypatch.setattr(blobs_module, "WAITING_BYTES_MAX", 100)
    store = MemoryStore()
    blobs = AddressListStore(store)
    many = [bytes([number]) * 40 for number in range(4)]
    blobs.add(many)
    assert blobs.waiting_bytes == 80
    first, second = blob_hash_of(many[0]), blob_hash_of(many[1])
    blobs.settle(final={first}, dropped={second, first}, waiting=set())
    assert (blobs.get(first), blobs.get(second), blobs.waiting_bytes) == (many[0], None, 0)
    assert AddressListStore(store).waiting_bytes == 0


def test_a_dropped_record_cannot_take_away_the_blob_that_another_record_names():
    blobs = AddressListStore(MemoryStore())
    blobs.add([BLOB])
    commitment = blob_hash_of(BLOB)
    blobs.settle(final=set(), dropped={commitment}, waiting={commitment})
    assert blobs.get(commitment) == BLOB
    blobs.settle(final={commitment}, dropped=set(), waiting=set())
    blobs.settle(final=set(), dropped={commitment}, waiting=set())
    assert blobs.get(commitment) == BLOB


def test_a_blob_that_comes_after_its_claim_is_final_is_kept_for_good():
    blobs = AddressListStore(MemoryStore())
    blobs.settle(final={blob_hash_of(BLOB)}, dropped=set(), waiting=set())
    blobs.add([BLOB])
    assert (blobs.get(blob_hash_of(BLOB)), blobs.waiting_bytes) == (BLOB, 0)


async def test_two_pools_that_differ_are_equal_after_one_comparison(coop, make_network, make_quote):
    left, right = coop.node(0), coop.node(1)
    nets = {b"left": make_network(b"left", (b"right",)), b"right": make_network(b"right", (b"left",))}
    chain_id = left.chain.chain_id
    left.mempool.add([make_quote(chain_id, coop.rings[0], number) for number in range(1, 20)])
    right.mempool.add([make_quote(chain_id, coop.rings[1], number) for number in range(1, 20)])
    ends = {b"left": gossip_of(left, nets[b"left"]), b"right": gossip_of(right, nets[b"right"])}

    async def take(me: bytes, peer: bytes, data: bytes) -> None:
        match decode_message(data):
            case Bundle() as bundle:
                await ends[me].accept_bundle(peer, bundle)
            case Digest() as digest:
                await ends[me].answer_digest(peer, digest)
            case RecordRequest() as request:
                await ends[me].answer_request(peer, request)

    async with trio.open_nursery() as nursery:
        for name, net in nets.items():
            net.deliver = lambda source, peer, _channel, data: nursery.start_soon(take, peer, source, data)
            nursery.start_soon(ends[name].run)
        with trio.fail_after(10):
            while len(left.mempool) != 38 or len(right.mempool) != 38:
                await trio.sleep(0.01)
        nursery.cancel_scope.cancel()


async def test_a_disk_that_is_full_is_passed_on_so_that_the_daemon_stops(node, network, record):
    def full(_batch):
        raise MutuaError("disk_full", "the disk is full", "make room")

    node.store.write = full
    with pytest.raises(MutuaError):
        await gossip_of(node, network).accept_bundle(PEER, Bundle((record,), ()))
    with pytest.raises(MutuaError):
        await gossip_of(node, network).accept_own([record], ())


async def test_what_the_rules_refused_for_good_is_neither_taken_nor_asked_for_again(
    node, network, record, autojump_clock
):
    gossip = gossip_of(node, network)
    name, short = record_id_of(record.record), record_id_of(record.record)[:8]
    node.mempool.add([record])
    for height in range(1, 1 + REFUSED_HEIGHTS_MAX):
        node.mempool.refuse(name, RuleBroken("not_on_committee", "no", "ask"), height)
    node.mempool.settle([], REFUSED_HEIGHTS_MAX)
    for _ in range(3):
        await gossip.answer_digest(PEER, Digest((short,)))
        await gossip.accept_bundle(PEER, Bundle((record,), ()))
        await trio.sleep(COMPARE_EVERY_S * 1.1)
    assert (len(node.mempool), network.sent) == (0, [])
    assert node.mempool.refusals[name].code == "not_on_committee"
    await gossip.accept_own([record], ())  # its own node had it checked anew: it may wait once more
    assert name in node.mempool and not node.mempool.is_dropped(name)


async def test_a_record_that_may_not_wait_is_asked_for_once_a_block(
    node, network, coop, record, make_quote, autojump_clock
):
    gossip = gossip_of(node, network)
    await node.ledger.commit(
        candidate := coop.candidate(node.chain, [record]), coop.certificate(candidate.block_hash, 1)
    )
    again = make_quote(node.chain.chain_id, coop.rings[1], 1, rate=7_000_000)  # its number is used
    short = record_id_of(again.record)[:8]
    asked = []
    for height in (2, 3):
        for _ in range(3):
            await gossip.answer_digest(PEER, Digest((short,)))
            await gossip.accept_bundle(PEER, Bundle((again,), ()))
            await trio.sleep(COMPARE_EVERY_S * 1.1)
        asked.append(len(network.sent))
        candidate = coop.candidate(node.chain, [])
        await node.ledger.commit(candidate, coop.certificate(candidate.block_hash, height))
    assert asked == [1, 2]


async def test_a_node_that_never_proposes_drops_junk_after_a_few_blocks(node, network, coop, make_quote):
    junk = [make_quote(node.chain.chain_id, coop.rings[1], number, rate=10**16) for number in range(1, 20)]
    gossip = gossip_of(node, network)
    heights = 0
    await gossip.accept_bundle(PEER, Bundle(tuple(junk), ()))
    while len(node.mempool) and heights < 20:
        heights += 1
        candidate = coop.candidate(node.chain, [])
        await node.ledger.commit(candidate, coop.certificate(candidate.block_hash, heights))
        await node.ledger.weed()
        await gossip.accept_bundle(PEER, Bundle(tuple(junk), ()))  # another peer has it still
    assert {item.code for item in node.mempool.refusals.values()} == {"rate_range"}
    assert heights <= REFUSED_HEIGHTS_MAX + 3
