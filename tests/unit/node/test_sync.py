"""Block sync: who is believed, what is applied, and how little a liar costs."""

from __future__ import annotations

from dataclasses import replace

import msgspec
import pytest
import trio

from consensus.messages import encode_certificate
from ledger.blocks import BlockWithBodies, FinalBlock, encode_header
from ledger.errors import LedgerCorrupt, MalformedBytes
from node.clock import choose
from node.p2p.network import Channel
from node.spread import block_sync as sync_module
from node.spread.block_sync import BlockSync
from node.spread.wire import Blocks, GetBlocks, Tip, decode_message

GOOD, BAD = b"good", b"bad!"


def final(coop, candidate) -> FinalBlock:
    return FinalBlock(
        candidate.block, encode_certificate(coop.certificate(candidate.block_hash, candidate.header.height))
    )


@pytest.fixture
async def ahead(coop, make_quote):
    """A node with three final blocks, a record in the first."""
    node = coop.node(1)
    for height in range(1, 4):
        records = [make_quote(node.chain.chain_id, coop.rings[0], 1)] if height == 1 else []
        candidate = coop.candidate(node.chain, records)
        await node.ledger.commit(candidate, coop.certificate(candidate.block_hash, height))
    return node


@pytest.fixture
def behind(coop, make_network, monkeypatch):
    monkeypatch.setattr(sync_module, "PATIENCE_S", 0.01)
    monkeypatch.setattr(sync_module, "REQUEST_TIMEOUT_S", 0.2)
    node = coop.node(0)
    network = make_network(b"me", (BAD, GOOD))
    return node, network, BlockSync(network, node.ledger, choose_peer=choose, clock=trio.current_time)


async def until(is_so) -> None:
    with trio.fail_after(10):
        while not is_so():
            await trio.sleep(0.01)


async def test_a_node_behind_catches_up_from_a_peer(ahead, behind, nursery):
    node, network, sync = behind

    def answer(_me, peer, _channel, data):
        match decode_message(data):
            case GetBlocks() as asked:
                sync.hear_blocks(peer, decode_message(answers._read(asked.start, asked.count)))  # noqa: SLF001

    answers = BlockSync(network, ahead.ledger, choose_peer=choose, clock=trio.current_time)
    network.deliver = answer
    nursery.start_soon(sync.run)
    sync.hear_tip(GOOD, Tip(3, ahead.chain.tip.block_hash))
    await until(lambda: node.chain.height == 3)
    assert node.chain.tip == ahead.chain.tip
    assert not sync.is_syncing


async def test_a_peer_that_tells_of_blocks_and_sends_none_is_not_believed_for_a_while(behind, nursery):
    _, _, sync = behind
    nursery.start_soon(sync.run)
    sync.hear_tip(BAD, Tip(2**62, bytes(32)))
    assert sync.is_syncing
    await until(lambda: not sync.is_syncing)
    sync.hear_tip(BAD, Tip(2**62, bytes(32)))
    assert not sync.is_syncing


async def test_a_forged_block_is_the_fault_of_its_sender(ahead, behind, nursery, coop):
    node, network, sync = behind
    sound = final(coop, coop.candidate(node.chain))
    forged = msgspec.structs.replace(sound, certificate=encode_certificate(replace(coop.certificate(b"\x01" * 32, 1))))
    nursery.start_soon(sync.run)
    sync.hear_tip(BAD, Tip(3, bytes(32)))
    await until(lambda: any(channel == Channel.SYNC and data[0] == GetBlocks.TAG for _, channel, data in network.sent))
    sync.hear_blocks(BAD, Blocks((forged,)))
    await until(lambda: network.struck)
    assert node.chain.height == 0
    assert network.struck[0][0] == BAD


async def test_answers_nobody_asked_for_are_not_looked_at(behind, coop, nursery):
    node, network, sync = behind
    nursery.start_soon(sync.run)
    sync.hear_blocks(BAD, Blocks((final(coop, coop.candidate(node.chain)),)))
    await trio.sleep(0.1)
    assert (node.chain.height, network.struck) == (0, [])


async def test_a_peer_on_another_final_chain_is_noticed_and_not_followed(behind):
    _, _, sync = behind
    sync.hear_tip(BAD, Tip(0, b"\x01" * 32))
    sync.hear_tip(BAD, Tip(5, b"\x01" * 32))
    assert sync.target == 0


async def test_a_certified_block_with_other_bodies_is_the_senders_fault(behind, coop, make_quote):
    node, _, _ = behind
    sound = final(coop, coop.candidate(node.chain, [make_quote(node.chain.chain_id, coop.rings[0], 1)]))
    bare = msgspec.structs.replace(sound, block=BlockWithBodies(sound.block.block, (None,)))
    with pytest.raises(MalformedBytes):
        await node.ledger.accept_final(bare)
    await node.ledger.accept_final(sound)
    await node.ledger.accept_final(sound)
    assert node.chain.height == 1


async def test_a_block_that_the_committee_made_final_and_the_rules_refuse_stops_the_node(behind, coop):
    node, _, _ = behind
    candidate = coop.candidate(node.chain)
    header = replace(candidate.header, state_root=b"\x01" * 32)
    from ledger.blocks import block_hash_of

    wrong = BlockWithBodies(type(candidate.block.block)(encode_header(header), ()), ())
    item = FinalBlock(wrong, encode_certificate(coop.certificate(block_hash_of(header), 1)))
    with pytest.raises(LedgerCorrupt) as stop:
        await node.ledger.accept_final(item)
    assert stop.value.code == "quorum_disagrees"


@pytest.mark.parametrize("view", [0, 1])
async def test_a_final_block_was_made_by_a_leader_of_a_view_up_to_the_one_that_made_it_final(behind, coop, view):
    node, _, _ = behind
    made = coop.candidate(node.chain, view=1)
    item = FinalBlock(made.block, encode_certificate(coop.certificate(made.block_hash, 1, view=view)))
    if view == 1:
        await node.ledger.accept_final(item)
    else:
        with pytest.raises(LedgerCorrupt) as stop:
            await node.ledger.accept_final(item)
        assert (stop.value.code, node.chain.height) == ("quorum_disagrees", 0)


async def test_answers_stop_at_the_tip_whatever_is_asked(ahead, behind):
    _, network, _ = behind
    sync = BlockSync(network, ahead.ledger, choose_peer=choose, clock=trio.current_time)
    await sync.answer(GOOD, GetBlocks(2**62, 2**62))
    await sync.answer(GOOD, GetBlocks(0, 2**62))
    sizes = [len(decode_message(data).items) for _, _, data in network.sent]
    assert sizes == [0, 3]
