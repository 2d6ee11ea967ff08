"""What peers show a node of its own signatures: what it costs, and whom it believes."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import trio

from consensus.messages import Cell, CellKind, Proposal, Vote, VoteKind, encode_message
from consensus.signing import sign_vote
from ledger.blocks import HEADER_SIZE
from ledger.errors import MalformedBytes
from node.agreement import own_votes as own_votes_module
from node.agreement import receive as receive_module
from node.agreement.metering import RateLimits
from node.agreement.own_votes import OwnVotes
from node.agreement.receive import Receiver
from node.agreement.signing_guard import DoubleSignGuard
from node.agreement.vote_log import VoteLog, vote_log_path
from node.api.reads import Reads
from node.api.views.node import PeerCounts
from node.clock import draw
from node.p2p.network import PeerStatus
from node.spread import wire

PEER = b"\x01"


class Scene:
    """One member's own votes, and a count of the signatures verified for them."""

    def __init__(self, coop, network, folder, monkeypatch) -> None:
        self.node = coop.node(0)
        side = self.node.ledger
        self.index = side.own_index
        self.votes = VoteLog(vote_log_path(folder), b"k" * 32, is_first_start=True)
        self.guard = DoubleSignGuard(self.votes, 4, lambda: side.height, trio.current_time, draw)
        self.silences = 0
        self.limits = RateLimits(4)
        self.network = network
        parts = (self.index, side, network, self.votes, self.limits)
        self.own = OwnVotes(*parts, guard=self.guard, on_change=self._fall_silent)
        self.verified = 0
        verify = own_votes_module.verify_vote

        def counting(*arguments) -> bool:
            self.verified += 1
            return verify(*arguments)

        monkeypatch.setattr(own_votes_module, "verify_vote", counting)

    def _fall_silent(self) -> None:
        self.silences += 1

    def skips(self, height: int, count: int = 1, voter: int | None = None) -> tuple[bytes, ...]:
        """Votes of this node's key that its log does not hold."""
        index = self.index if voter is None else voter
        seed, chain_id = self.node.ring.consensus_seed, self.node.chain.chain_id
        bare = (Vote(VoteKind.SKIP, 0, height, view, bytes(32), index) for view in range(count))
        return tuple(encode_message(sign_vote(vote, seed, chain_id)) for vote in bare)


@pytest.fixture
async def scene(coop, make_network, tmp_path, monkeypatch):
    return Scene(coop, make_network(b"me", (PEER,)), tmp_path, monkeypatch)


async def grow(scene, coop, count: int) -> None:
    for _ in range(count):
        made = coop.candidate(scene.node.chain)
        certificate = coop.certificate(made.block_hash, made.header.height)
        await scene.node.ledger.commit(made, certificate)


async def test_reports_of_old_votes_are_not_verified_and_cost_their_sender_its_place(scene, coop):
    await grow(scene, coop, 3)
    report = wire.VoteReport(2, scene.skips(2, 64))
    strikes = 0
    for _ in range(300):
        try:
            await scene.own.hear_report(PEER, report)
        except MalformedBytes:
            strikes += 1
    assert (scene.verified, scene.silences, scene.votes.quarantine) == (0, 0, None)
    assert strikes > 100


async def test_what_a_peer_shows_again_is_not_verified_again(scene):
    report = wire.VoteReport(1, scene.skips(1, 64))
    for _ in range(20):
        await scene.own.hear_report(PEER, report)
    assert scene.verified == 64
    assert scene.votes.quarantine is not None


async def test_a_peer_that_answers_whenever_it_is_asked_is_never_struck(scene, autojump_clock):
    for _ in range(600):
        await scene.own.hear_report(PEER, wire.VoteReport(1, scene.skips(1, 64)))
        await trio.sleep(own_votes_module.LOOK_EVERY_S)


async def test_a_vote_at_the_newest_final_height_tells_of_another_signer_too(scene, coop):
    await grow(scene, coop, 3)
    unknown, logged = scene.skips(3, 2)
    for height in (2, 3):
        scene.votes.append(Cell(CellKind.SKIP, height, 1, bytes(32), b""))
    scene.votes.prune(3)
    await scene.own.hear_report(PEER, wire.VoteReport(4, (logged,)))
    assert scene.votes.quarantine is None, "the log holds it, though the height is final"
    await scene.own.hear_report(PEER, wire.VoteReport(4, (unknown,)))
    assert scene.votes.quarantine is not None


@pytest.mark.parametrize("fault", ["twice", "another height", "another voter", "not signed"])
async def test_an_answer_that_no_honest_peer_gives_is_a_fault_and_nothing_is_learnt_from_it(scene, fault):
    votes = {
        "twice": scene.skips(1) * 2,
        "another height": scene.skips(2),
        "another voter": scene.skips(1, voter=1 - min(scene.index, 1)),
        "not signed": (scene.skips(1)[0][:-64] + bytes(64),),
    }
    with pytest.raises(MalformedBytes):
        await scene.own.hear_report(PEER, wire.VoteReport(1, votes[fault]))
    assert scene.votes.quarantine is None


async def test_messages_of_past_heights_are_not_even_decoded_and_known_ones_are_paid_for(scene, coop, monkeypatch):
    await grow(scene, coop, 2)
    decoded = []
    decode = receive_module.decode_message
    monkeypatch.setattr(receive_module, "decode_message", lambda data: decoded.append(data) or decode(data))
    receiver = Receiver(scene.node.ledger, scene.network, None, scene.limits, state=lambda: None, put=lambda *_: None)
    certificate = coop.certificate(b"\x07" * 32, 2)
    old = Proposal(0, 2, 64, b"\x07" * 32, bytes(HEADER_SIZE), 0, bytes(64), (certificate,) * 64)
    for _ in range(100):
        await receiver.hear(PEER, encode_message(old))
    assert decoded == []
    vote = coop.votes(b"\x07" * 32, 3)[1]
    for _ in range(1_000):
        await receiver.hear(PEER, encode_message(vote))
    assert len(decoded) < 1_000


# ---- Who is asked and counted -------------------------------------------------------------


def queries(network) -> set[bytes]:
    return {peer for peer, _, data in network.sent if isinstance(wire.decode_message(data), wire.VoteQuery)}


async def test_followers_are_neither_asked_nor_counted_when_a_node_looks_back(scene, coop, autojump_clock):
    scene.network.peers = [b"guest %d" % number for number in range(3)]
    with trio.move_on_after(60):
        await scene.own.look_back()
    assert not scene.guard.may_sign()
    assert queries(scene.network) == set()
    members = [ring.transport_key for ring in coop.rings[1:3]]
    scene.network.peers += members
    async with trio.open_nursery() as nursery:
        nursery.start_soon(scene.own.look_back)
        await trio.sleep(0.1)
        for member in members:
            await scene.own.hear_report(member, wire.VoteReport(1, ()))
    assert scene.guard.may_sign()
    assert queries(scene.network) == set(members)


def test_status_counts_the_members_nodes_that_are_connected_and_no_follower(coop):
    keys = [ring.transport_key for ring in coop.rings]

    def counted(*connected: bytes):
        peers = [PeerStatus(key, "", key in connected, 7, 0, 0, 0, 0) for key in (*keys[1:], b"guest")]
        network = SimpleNamespace(status=lambda: peers)
        node = SimpleNamespace(charter=coop.charter, founder=coop.charter.founders[0], network=network)
        return Reads(node)._peer_counts()  # noqa: SLF001

    assert counted(keys[1], b"guest") == PeerCounts(connected=1, known=3)
    assert counted(b"guest") == PeerCounts(connected=0, known=3, alone_since_ms=7)
