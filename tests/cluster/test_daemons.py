"""Real daemons in real processes.

They agree, survive a kill, a lost vote log and hostile peers, and their folders pass an audit.
"""

from __future__ import annotations

import shutil
import struct
import tempfile
import time
from pathlib import Path

import pytest
import trio

pytest.importorskip("pbk", reason="the regtest engine needs the extra demo: pip install 'mutua[demo]'")

from consensus import votelog
from consensus.messages import CellKind, Vote, VoteKind, encode_message
from ledger.blocks import HEADER_SIZE, Block, BlockWithBodies
from ledger.chain import Chain
from ledger.leveldb import opened_aside
from ledger.records import Body, sign_record
from node.audit.verify import audit_folder
from node.p2p.network import Channel
from node.sandbox.devnet import Devnet, Spec
from node.spread import wire

PATIENCE_S = 45
INTERVAL_MS = 800
STRANGERS_SEED = b"\x66" * 32

AS_GUEST = (
    "undecodable_pubsub_frame",
    "bad_key",
    "bad_from_id",
    "tiny_pubsub_messages",
    "undecodable_payloads",
    "tiny_frames",
    "hello_garbage",
    "frame_garbage",
    "yamux_garbage",
    "stream_flood",
    "window_overrun",
    "ping_flood",
    "silent_member",
    "deaf_member",
)
AS_STRANGER = ("undecodable_pubsub_frame", "broken_noise", "foreign_key_type", "many_connects", "raw_garbage")


def wait_for(is_so, what: str) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not is_so():
        assert time.monotonic() < deadline, f"not in time: {what}"
        time.sleep(0.1)


def status_of(node):
    return node.client(5.0).get_json("/v1/status")


def heights(nodes) -> list[int]:
    return [status_of(node)["height"] for node in nodes]


@pytest.fixture(scope="module")
def short_folder():
    """A folder whose path leaves room for a socket's name."""
    folder = Path(tempfile.mkdtemp(prefix="mutua-"))
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


# ---- Seven nodes ---------------------------------------------------------------


def kill_mid_vote(node) -> tuple[int, int]:
    """SIGKILL a daemon right after it has notarized a block; return that height and its ledger's tip."""
    path = node.folder / "votes.log"

    def newest() -> int:
        data = path.read_bytes()
        return max(
            (cell.height for cell in votelog.scan(data, data[14:46]).cells if cell.kind == CellKind.NOTARIZE), default=0
        )

    start = max(newest(), status_of(node)["height"])
    deadline = time.monotonic() + PATIENCE_S
    while newest() <= start:
        assert time.monotonic() < deadline, "it does not vote"
        time.sleep(0.002)
    node.process.kill()
    node.process.wait()
    with opened_aside(node.folder / "ledger") as store:
        return newest(), Chain.open(store).height


@pytest.fixture(scope="module")
def story(short_folder):
    """Seven daemons run, one is killed and one loses its vote log, a follower comes late; then all are stopped."""
    devnet = Devnet(short_folder / "seven", Spec(seed=3, founders=7, interval_ms=INTERVAL_MS, start_in_s=7))
    seen = {}
    try:
        devnet.make()
        late = devnet.add_follower("late")
        for node in devnet.nodes:
            devnet.start_node(node)
        devnet.wait_ready(devnet.nodes)
        wait_for(lambda: min(heights(devnet.nodes)) >= 3, "three blocks")
        killed, careless = devnet.nodes[2], devnet.nodes[5]
        seen["killed"] = kill_mid_vote(killed)
        careless.process.terminate()
        careless.process.wait(10)
        data = bytearray((careless.folder / "votes.log").read_bytes())
        data[20] ^= 1
        (careless.folder / "votes.log").write_bytes(data)
        for node in (killed, careless):
            devnet.start_node(node)
        devnet.wait_ready([killed, careless])
        seen["quarantine"] = status_of(careless)["consensus"]["quarantine"]
        devnet.give_charter(late)
        devnet.start_node(late)
        devnet.wait_ready([late])
        aim = max(heights(devnet.nodes)) + 6
        wait_for(lambda: min(heights([*devnet.nodes, late])) >= aim, "all eight in sync")
        seen["statuses"] = [status_of(node) for node in devnet.nodes]
        seen["late"] = status_of(late)
        started = time.monotonic()
        devnet.stop()
        seen["stop_s"] = time.monotonic() - started
        seen["exit_codes"] = [node.process.returncode for node in [*devnet.nodes, late]]
    finally:
        devnet.stop()
    seen["devnet"], seen["nodes"] = devnet, [*devnet.nodes, late]
    return seen


def test_seven_daemons_agree_on_every_block_and_its_state(story):
    blocks: dict[int, set[bytes]] = {}
    for node in story["nodes"]:
        with opened_aside(node.folder / "ledger") as store:
            chain = Chain.open(store)
            for height in range(chain.height + 1):
                blocks.setdefault(height, set()).add(chain.block(height).header)
    assert max(blocks) >= 9
    assert all(len(headers) == 1 for headers in blocks.values())


def test_a_daemon_killed_between_its_vote_and_the_block_is_back_in_step(story):
    voted, tip = story["killed"]
    assert tip == voted - 1
    assert story["statuses"][2]["consensus"]["is_signing"]


def test_nobody_ever_saw_a_member_contradict_itself(story):
    assert [status["consensus"]["misbehaviour"] for status in story["statuses"]] == [0] * 7


def test_a_daemon_with_a_broken_vote_log_signs_nothing_until_the_network_has_moved_on(story):
    assert "another consensus key" in story["quarantine"]
    status = story["statuses"][5]["consensus"]
    assert (status["quarantine"], status["is_signing"]) == (None, True)
    folder = story["nodes"][5].folder
    assert (folder / "votes.log.broken-1").exists()
    assert not (folder / "votes.quarantine").exists()


def test_a_follower_that_comes_late_syncs_from_genesis_and_never_votes(story):
    assert not story["late"]["consensus"]["is_member"]
    assert story["late"]["height"] >= 9


def test_every_daemon_stops_cleanly_within_two_seconds_and_takes_its_socket_with_it(story):
    assert story["exit_codes"] == [0] * 8
    assert story["stop_s"] < 8 * 2
    assert not any(node.socket.exists() for node in story["nodes"])


def test_an_audit_of_every_stopped_folder_has_no_findings(story):
    for node in (story["nodes"][0], story["nodes"][2], story["nodes"][5], story["nodes"][7]):
        report = audit_folder(node.folder)
        assert report.findings == ()
        assert report.counts.height >= 9
        assert report.counts.certificates >= 9


# ---- Hostile peers -------------------------------------------------------------


def guest_seed(name: str) -> bytes:
    return name.encode().ljust(32, b".")[:32]


@pytest.fixture(scope="module")
def besieged(short_folder, attackers):
    """Four daemons; the first admits one guest for each attack."""
    devnet = Devnet(short_folder / "four", Spec(seed=4, founders=4, interval_ms=INTERVAL_MS, start_in_s=6))
    try:
        devnet.make()
        for name in (*AS_GUEST, "hostile_messages", "stranger_records"):
            devnet.nodes[0].extra += ["--guest", attackers.key_of(guest_seed(name)).hex()]
        for node in devnet.nodes:
            devnet.start_node(node)
        devnet.wait_ready(devnet.nodes)
        wait_for(lambda: min(heights(devnet.nodes)) >= 2, "two blocks")
        yield devnet
    finally:
        devnet.stop()


def target_of(devnet, attackers, seed: bytes | None):
    return attackers.Target(
        devnet.charter.founders[0].address, seed, bytes.fromhex(status_of(devnet.nodes[0])["chain_id"])
    )


def assert_goes_on(devnet) -> None:
    """The attacked daemon still answers, is connected to all others, and makes blocks with them."""
    aim = max(heights(devnet.nodes)) + 2
    wait_for(lambda: min(heights(devnet.nodes)) >= aim, "blocks after the attack")
    assert status_of(devnet.nodes[0])["peers"]["connected"] >= 3
    assert devnet.nodes[0].process.poll() is None


async def attack(attackers, name: str, target) -> None:
    with trio.fail_after(40):
        await attackers.ATTACKS[name](target)


def test_a_live_daemon_goes_on_finalising_while_every_attack_of_an_admitted_peer_runs(besieged, attackers):
    targets = {name: target_of(besieged, attackers, guest_seed(name)) for name in AS_GUEST}

    async def all_of_them() -> None:
        async with trio.open_nursery() as nursery:
            for name, target in targets.items():
                nursery.start_soon(attack, attackers, name, target)

    before = heights(besieged.nodes)[1]
    started = time.monotonic()
    trio.run(all_of_them)
    passed_s = time.monotonic() - started
    assert [name for name, target in targets.items() if "muxed" not in target.reached] == []
    assert heights(besieged.nodes)[1] >= before + int(passed_s * 1000 / INTERVAL_MS / 4)
    assert_goes_on(besieged)


async def speak(attackers, target, frames: list[tuple[Channel, bytes]]) -> None:
    """Say hello like an honest peer, then send frames. The daemon may cut a liar off in the middle of them."""
    secured = await attackers.framed(target)
    await trio.sleep(0.5)  # until the link is up
    body = b"".join(attackers.frame(channel, payload) for channel, payload in frames)
    try:
        for start in range(0, len(body), 60_000):
            await secured.write(attackers.data(1, body[start : start + 60_000]))
        await attackers.drain(secured, 2.0)
    except Exception as error:
        assert attackers.is_disconnect(error)
    assert "framed" in target.reached


def hostile_frames(chain_id: bytes, height: int) -> list[tuple[Channel, bytes]]:
    """Messages that are well formed and lie, fewer strikes than a ban takes apart."""
    vote = Vote(VoteKind.NOTARIZE, 0, height + 1, 0, b"\x01" * 32, 1, bytes(64))
    empty = BlockWithBodies(Block(bytes(HEADER_SIZE), ()), ())
    lies = [
        wire.Tip(2**62, bytes(32)),
        wire.Tip(height, b"\x09" * 32),
        wire.GetBlocks(2**62, 2**62),
        wire.GetBlocks(0, 10**9),
        wire.GetCandidate(b"\x05" * 32),
        wire.RecordRequest((bytes(8),) * 100, (bytes(32),) * 100),
        wire.Digest(()),
        wire.VoteQuery(2**62),
        wire.VoteReport(2**62, ()),
        wire.Bundle((), (b"blob" * 1000,) * 200),
        wire.Blocks(()),
        wire.Candidate(empty),
    ]
    frames = [(Channel.SYNC, wire.encode_message(item)) for item in lies]
    frames += [(Channel.CONSENSUS, encode_message(vote))]
    ahead = [Vote(VoteKind.SKIP, 0, height + 2, view, bytes(32), 1, bytes(64)) for view in range(3000)]
    return frames + [(Channel.CONSENSUS, encode_message(item)) for item in ahead]


def test_lies_in_well_formed_messages_cost_the_liar_its_place_and_the_daemon_nothing(besieged, attackers):
    target = target_of(besieged, attackers, guest_seed("hostile_messages"))
    frames = hostile_frames(target.chain_id, status_of(besieged.nodes[0])["height"])
    trio.run(speak, attackers, target, frames)
    assert_goes_on(besieged)
    status = status_of(besieged.nodes[0])
    assert (status["consensus"]["misbehaviour"], status["consensus"]["quarantine"]) == (0, None)
    assert status["sync_target"] <= status["height"] + 1


def test_records_of_people_outside_the_co_op_fill_no_pool(besieged, attackers):
    target = target_of(besieged, attackers, guest_seed("stranger_records"))
    height = status_of(besieged.nodes[0])["height"]
    records = tuple(
        sign_record(
            STRANGERS_SEED,
            chain_id=target.chain_id,
            kind="rate.quote",
            author=attackers.key_of(STRANGERS_SEED),
            number=number,
            valid_until_height=height + 500,
            body=Body(struct.pack(">QQ", number, 0), b"x" * 100),
        )
        for number in range(1, 1500)
    )
    trio.run(speak, attackers, target, [(Channel.RECORDS, wire.encode_message(wire.Bundle(records, ())))])
    assert_goes_on(besieged)
    assert status_of(besieged.nodes[0])["mempool"] == 0


def test_a_live_daemon_goes_on_finalising_while_every_attack_of_a_stranger_runs(besieged, attackers):
    async def one_after_the_other() -> None:
        for name in AS_STRANGER:
            target = target_of(besieged, attackers, None)
            await attack(attackers, name, target)
            assert "muxed" not in target.reached

    trio.run(one_after_the_other)
    assert_goes_on(besieged)
