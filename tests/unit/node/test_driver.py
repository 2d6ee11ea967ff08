"""The driver over real ledgers in memory.

Four of them agree, and none of them is moved by what is forged, early, late or too much.
"""

from __future__ import annotations

from collections import defaultdict
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest
import trio

from consensus.messages import CellKind, Proposal, Vote, VoteKind, encode_message
from consensus.signing import sign_proposal, sign_vote
from ledger.errors import MalformedBytes
from node.agreement import driver as driver_module
from node.agreement import own_votes as own_votes_module
from node.agreement import receive
from node.agreement.candidates import ProposedBlocks
from node.agreement.driver import Driver, Seat
from node.agreement.receive import LATER_FRAMES_MAX
from node.agreement.signing_guard import DoubleSignGuard
from node.agreement.vote_log import VoteLog, vote_log_path
from node.clock import choose, draw, now_ms
from node.p2p.network import Channel
from node.spread import wire

HOUR_MS = 3_600_000


class Member:
    """A driver with everything under it but sockets."""

    def __init__(self, node, network, folder, *, is_looking: bool = False, draw=draw) -> None:
        folder.mkdir(exist_ok=True)
        self.node = node
        self.network = network
        self.is_running = False
        side = node.ledger
        self.votes = VoteLog(vote_log_path(folder), b"k" * 32, is_first_start=True)
        self.guard = DoubleSignGuard(self.votes, 4, lambda: side.height, trio.current_time, draw)
        self.guard._has_looked = not is_looking  # noqa: SLF001 - the look back has its own test
        seat = Seat(side.own_index, node.ring.consensus_seed, node.proposer)
        self.candidates = ProposedBlocks(node.store)
        self.driver = Driver(
            side, network, self.votes, self.candidates, seat=seat, guard=self.guard, choose_peer=choose
        )

    async def follow(self, other: Member) -> None:
        """What block sync does: take the final blocks of another."""
        while True:
            await trio.sleep(0.05)
            while (height := self.node.chain.height + 1) <= other.node.chain.height:
                await self.node.ledger.accept_final(other.node.ledger.final_block(height))
                self.driver.note_final(height)
                self.driver.height_moved(height)

    async def take(self, peer: bytes, channel: Channel, data: bytes) -> None:
        """What the daemon does with a frame."""
        try:
            if channel == Channel.CONSENSUS:
                await self.driver.hear(peer, data)
                return
            match wire.decode_message(data):
                case wire.Candidate(block):
                    await self.driver.hear_candidate(peer, block, len(data))
                case wire.GetCandidate(block_hash):
                    if (held := await self.driver.candidate(block_hash)) is not None:
                        self.network.send(peer, Channel.SYNC, wire.encode_message(wire.Candidate(held)))
                case wire.VoteQuery(voter):
                    self.network.send(peer, Channel.SYNC, wire.encode_message(self.driver.votes_of(voter)))
                case wire.VoteReport() as answer:
                    await self.driver.hear_vote_report(peer, answer)
        except MalformedBytes as error:
            self.network.strike(peer, error.code)


@pytest.fixture
def fast(monkeypatch):
    """Resends and questions are quick, so that tests are."""
    monkeypatch.setattr(driver_module, "RESEND_S", 0.1)
    monkeypatch.setattr(driver_module, "ASK_AFTER_S", 0.05)


@pytest.fixture
def make_member(coop, make_network, tmp_path):
    def make(number: int, folder: str = "", **options) -> Member:
        names = [ring.transport_key for ring in coop.rings]
        network = make_network(names[number], tuple(name for name in names if name != names[number]))
        return Member(coop.node(number), network, tmp_path / (folder or str(number)), **options)

    return make


@asynccontextmanager
async def running(*members: Member, wire_them: bool = True):
    """Run the drivers; frames between them are handed over by tasks."""
    by_name = defaultdict(list)
    for member in members:
        by_name[member.network.key].append(member)
    async with trio.open_nursery() as nursery:
        if wire_them:
            for member in members:
                member.network.deliver = lambda source, peer, channel, data: [
                    nursery.start_soon(each.take, source, channel, data) for each in by_name[peer]
                ]
        for member in members:
            if not member.is_running:
                member.is_running = True
                nursery.start_soon(member.driver.run)
        yield nursery
        nursery.cancel_scope.cancel()


async def until(is_so, seconds: float = 20) -> None:
    with trio.fail_after(seconds):
        while not is_so():
            await trio.sleep(0.01)


async def test_four_drivers_make_one_chain(make_member, fast):
    members = [make_member(number) for number in range(4)]
    async with running(*members):
        await until(lambda: all(len(member.node.finals) >= 2 for member in members))
    assert len({member.node.finals[1].block_hash for member in members}) == 1
    assert all(not member.network.struck for member in members)


async def test_three_of_four_are_enough_and_records_get_into_a_block(make_member, make_quote, fast):
    members = [make_member(number) for number in range(3)]
    for member in members:
        member.node.mempool.add([make_quote(member.node.chain.chain_id, members[0].node.ring, 1)])
    async with running(*members):
        await until(lambda: all(member.node.chain.height >= 1 for member in members), 40)
        await until(
            lambda: all(any(final.header.record_count for final in member.node.finals) for member in members), 40
        )
    assert all(len(member.node.mempool) == 0 for member in members)


def signed_vote(
    member: Member, coop, *, kind=VoteKind.NOTARIZE, height=1, view=0, block_hash=b"\x07" * 32, voter=None
) -> Vote:
    index = member.node.ledger.own_index if voter is None else voter
    key = member.node.ledger.committee[index]
    seed = next(ring.consensus_seed for ring in coop.rings if ring.consensus_key == key)
    return sign_vote(Vote(kind, 0, height, view, block_hash, index), seed, member.node.chain.chain_id)


async def test_a_vote_with_a_forged_signature_is_the_fault_of_its_sender(make_member, coop):
    member = make_member(0)
    vote = replace(signed_vote(member, coop, voter=1), signature=bytes(64))
    with pytest.raises(MalformedBytes):
        await member.driver.hear(b"\x01", encode_message(vote))


async def test_a_certificate_with_one_false_signature_is_refused(make_member, coop):
    member = make_member(0)
    sound = coop.certificate(b"\x07" * 32, 1)
    false = replace(sound, signatures=(*sound.signatures[:2], bytes(64)))
    with pytest.raises(MalformedBytes):
        await member.driver.hear(b"\x01", encode_message(false))
    await member.driver.hear(b"\x01", encode_message(sound))


async def test_messages_ahead_of_time_are_bounded_for_each_peer(make_member, coop):
    member = make_member(0)
    frames = [
        encode_message(
            signed_vote(member, coop, kind=VoteKind.SKIP, height=2, view=view, block_hash=bytes(32), voter=1)
        )
        for view in range(300)
    ]
    for data in frames:
        await member.driver.hear(b"\x01", data)
    await member.driver.hear(b"\x02", frames[0])
    kept = member.driver.receiver._later  # noqa: SLF001 - the bound is the point
    assert (len(kept[b"\x01"]), len(kept[b"\x02"])) == (LATER_FRAMES_MAX, 1)


async def test_a_flood_of_signatures_is_dropped_and_other_peers_are_still_heard(make_member, coop):
    member = make_member(0)
    vote = encode_message(signed_vote(member, coop, voter=1))
    for _ in range(2_000):
        await member.driver.hear(b"\x01", vote)
    dropped = member.driver.receiver.messages_dropped
    assert dropped > 500
    await member.driver.hear(b"\x02", vote)
    assert member.driver.receiver.messages_dropped == dropped


async def test_a_block_that_nobody_proposed_is_kept_once_for_each_peer_and_not_more(make_member, coop):
    member = make_member(0)
    await member.candidates.start(1)
    for number in range(5):
        other = coop.candidate(member.node.chain, now_ms=number * HOUR_MS)
        await member.candidates.offer(b"\x01", other.block, 1_000, 1)
    assert await member.candidates.get(other.block_hash) is None
    member.candidates.expect(other.block_hash, 0)
    assert await member.candidates.get(other.block_hash) == other.block


async def test_a_block_with_anothers_records_under_a_proposed_header_is_refused(make_member, coop, make_quote):
    member = make_member(0)
    await member.candidates.start(1)
    sound = coop.candidate(member.node.chain, [make_quote(member.node.chain.chain_id, coop.rings[0], 1)])
    hollow = type(sound.block)(type(sound.block.block)(sound.block.block.header, ()), ())
    member.candidates.expect(sound.block_hash, 0)
    with pytest.raises(MalformedBytes):
        await member.candidates.offer(b"\x01", hollow, 100, 1)
    assert await member.candidates.offer(b"\x02", sound.block, 100, 1)


async def test_a_notarized_block_is_on_the_disk_and_comes_back_after_a_restart(make_member, coop):
    member = make_member(0)
    await member.candidates.start(1)
    built = coop.candidate(member.node.chain)
    member.candidates.put(built)
    await member.candidates.keep(built.block_hash)
    again = ProposedBlocks(member.node.store)
    await again.start(1)
    assert await again.get(built.block_hash) == built.block
    await again.start(2)
    later = ProposedBlocks(member.node.store)
    await later.start(1)
    assert await later.get(built.block_hash) is None


async def test_a_block_that_is_not_here_cannot_be_kept(make_member, coop):
    member = make_member(0)
    await member.candidates.start(1)
    with pytest.raises(AssertionError):
        await member.candidates.keep(b"\x07" * 32)


async def test_a_kept_block_that_the_disk_lost_is_awaited_again(make_member, coop):
    member = make_member(0)
    await member.candidates.start(1)
    built = coop.candidate(member.node.chain)
    member.candidates.put(built)
    await member.candidates.keep(built.block_hash)
    again = ProposedBlocks(member.node.store)
    await again.start(1)
    member.node.store.write({key: b"damaged" for key, _ in member.node.store.scan(b"n/")})
    assert await again.get(built.block_hash) is None
    assert await again.offer(b"\x01", built.block, 1_000, 1)
    await again.keep(built.block_hash)
    assert await again.get(built.block_hash) == built.block


async def test_a_leaders_thousand_proposals_do_not_push_out_the_block_that_the_others_notarized(
    make_member, coop, fast, monkeypatch
):
    monkeypatch.setattr(receive, "SEEN_MAX", 50)
    config = make_member(0).node.ledger.config()
    number = next(index for index in range(4) if coop.node(index).ledger.own_index not in map(config.leader, (0, 1)))
    member = make_member(number)
    sound, built = proposal_at(member, coop, now_ms())
    async with running(member, wire_them=False):
        await until(lambda: member.driver._working_on == 1)  # noqa: SLF001
        await member.driver.hear(b"\x01", encode_message(sound))
        await member.driver.hear_candidate(b"\x01", built.block, 1_000)
        await until(lambda: member.votes.has(CellKind.NOTARIZE, 1, 0, built.block_hash))
        seen_ms = member.driver.receiver.seen_ms(built.block_hash)
        for shift in range(300):
            flood, _ = proposal_at(member, coop, now_ms() + shift, view=1)
            await member.driver.hear(b"\x02", encode_message(flood))
        assert await member.driver.candidate(built.block_hash) == built.block
        assert member.driver.receiver.seen_ms(built.block_hash) == seen_ms, "when it came decides whether it is timely"
        await member.driver.hear(b"\x01", encode_message(coop.certificate(built.block_hash, 1)))
        await until(lambda: member.node.chain.height == 1)


def proposal_at(member: Member, coop, proposed_ms: int, view: int = 0):
    """The proposal of a view with a block of this time, and the block."""
    from node.execution.propose import Proposer, build_candidate

    config = member.node.ledger.config()
    leader = config.leader(view)
    ring = next(ring for ring in coop.rings if ring.consensus_key == config.committee[leader])
    built, _ = build_candidate(
        member.node.chain, config.committee, Proposer(leader, ring.consensus_key, ring.onion.reveal), [], proposed_ms
    )
    bare = Proposal(0, 1, view, built.block_hash, built.block.block.header, leader)
    return sign_proposal(bare, ring.consensus_seed, config.chain_id), built


@pytest.mark.parametrize(("shift_ms", "is_signed"), [(0, True), (HOUR_MS, False), (-HOUR_MS, False)])
async def test_a_fresh_block_is_notarized_only_when_its_time_is_about_now(make_member, coop, fast, shift_ms, is_signed):
    leader = make_member(0).node.ledger.config().leader(0)
    number = next(index for index in range(4) if coop.node(index).ledger.own_index != leader)
    member = make_member(number)
    proposal, built = proposal_at(member, coop, now_ms() + shift_ms)
    async with running(member, wire_them=False):
        await until(lambda: member.driver._working_on == 1)  # noqa: SLF001
        await member.driver.hear(b"\x01", encode_message(proposal))
        await member.driver.hear_candidate(b"\x01", built.block, 1_000)
        with trio.move_on_after(0.8):
            await until(lambda: member.votes.has(CellKind.NOTARIZE, 1, 0, built.block_hash))
        assert member.votes.has(CellKind.NOTARIZE, 1, 0, built.block_hash) == is_signed


async def test_an_own_vote_that_the_log_does_not_hold_silences_the_node(make_member, coop):
    member = make_member(0)
    async with running(member, wire_them=False):
        await until(lambda: member.driver._working_on == 1)  # noqa: SLF001
        await member.driver.hear(b"\x01", encode_message(signed_vote(member, coop)))
        assert member.votes.quarantine is not None
        assert not member.driver.is_signing
        await trio.sleep(0.2)
        assert not member.votes.cells(1)


async def test_a_restored_old_disk_learns_from_its_peers_what_it_signed(make_member, coop, fast):
    old = make_member(0, is_looking=True)
    others = [make_member(number) for number in (1, 2)]
    seen = signed_vote(old, coop)
    async with running(*others, wire_them=False):
        for other in others:
            await until(lambda other=other: other.driver._working_on == 1)  # noqa: SLF001
            await other.driver.hear(b"\x00", encode_message(seen))
            await until(lambda other=other: other.driver.votes_of(seen.voter).votes)
        async with running(old, *others):
            await until(lambda: old.guard._has_looked)
            assert old.votes.quarantine is not None
            assert not old.driver.is_signing


async def test_of_two_nodes_with_one_key_one_falls_silent_for_good_and_says_so(
    make_member, make_quote, fast, monkeypatch
):
    monkeypatch.setattr(own_votes_module, "ASK_EVERY_S", 0.1)
    first, copy = make_member(0, draw=lambda _: 0), make_member(0, "copy", draw=lambda _: 3)
    others = [make_member(number) for number in (1, 2, 3)]
    everybody = (first, copy, *others)
    copy.node.mempool.add([make_quote(copy.node.chain.chain_id, copy.node.ring, 1)])  # they propose different blocks
    key, index = first.network.key, first.node.ledger.own_index
    since, signing = 0, (True, True)

    def is_settled() -> bool:
        """One of the two alone has signed for six blocks."""
        nonlocal since, signing
        height, now = others[0].node.chain.height, (first.driver.is_signing, copy.driver.is_signing)
        if now != signing:
            since, signing = height, now
        return signing[0] != signing[1] and height >= since + 6

    async with running(*everybody) as nursery:
        for member in (first, copy):
            nursery.start_soon(member.follow, others[0])
        await until(is_settled, 60)
        assert (copy if signing[0] else first).driver.signs_elsewhere
    proofs = [item.first for other in others for item in other.driver.misbehaviour]
    assert {proof.proposer if isinstance(proof, Proposal) else proof.voter for proof in proofs} <= {index}
    assert all(proof.height <= since + 1 for proof in proofs)
    assert {peer for other in others for peer, _ in other.network.banned} == ({key} if proofs else set())


async def test_a_member_that_contradicts_itself_is_shown_the_proof_and_banned(make_member, coop, fast):
    member = make_member(0)
    culprit, innocent = [index for index in range(4) if index != member.node.ledger.own_index][:2]
    pair = [signed_vote(member, coop, voter=culprit, block_hash=bytes([byte]) * 32) for byte in (7, 8)]
    async with running(member, wire_them=False):
        await until(lambda: member.driver._working_on == 1)  # noqa: SLF001
        for vote in (*pair, signed_vote(member, coop, voter=innocent)):
            await member.driver.hear(b"\x01", encode_message(vote))
        await until(lambda: member.network.banned)
        await trio.sleep(0.1)
    key = next(key for key, index in member.node.ledger.seats.items() if index == culprit)
    assert [peer for peer, _ in member.network.banned] == [key]
    told = [
        wire.decode_message(data)
        for peer, channel, data in member.network.sent
        if (peer, channel) == (key, Channel.SYNC)
    ]
    assert wire.VoteReport(1, tuple(encode_message(vote) for vote in pair)) in told


async def test_sync_ends_the_height_under_way(make_member, coop, fast):
    member = make_member(0)
    async with running(member, wire_them=False):
        await until(lambda: member.driver._working_on == 1)  # noqa: SLF001
        built = coop.candidate(member.node.chain)
        await member.node.ledger.commit(built, coop.certificate(built.block_hash, 1))
        member.driver.height_moved(1)
        await until(lambda: member.driver._working_on == 2)  # noqa: SLF001


async def test_a_final_block_whose_body_is_missing_is_asked_for_until_it_comes(make_member, coop, fast):
    member = make_member(0)
    built = coop.candidate(member.node.chain)
    async with running(member, wire_them=False):
        await until(lambda: member.driver._working_on == 1)  # noqa: SLF001
        await member.driver.hear(b"\x01", encode_message(coop.certificate(built.block_hash, 1)))
        asked = wire.encode_message(wire.GetCandidate(built.block_hash))
        await until(lambda: sum(data == asked for _, _, data in member.network.sent) >= 3)
        await member.driver.hear_candidate(b"\x01", built.block, 1_000)
        await until(lambda: member.node.chain.height == 1)
