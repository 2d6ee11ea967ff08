"""Every attack against a live network, while two honest peers go on exchanging frames.

Afterwards a new peer can connect.
"""

from __future__ import annotations

import pytest
import trio

from node.p2p.network import Channel

AS_MEMBER = {  # how far each has to get, so that no test passes because the attacker stumbled
    "undecodable_pubsub_frame": "done",
    "bad_key": "done",
    "bad_from_id": "done",
    "tiny_pubsub_messages": "done",
    "tiny_frames": "done",
    "undecodable_payloads": "done",
    "many_connects": "done",
    "broken_noise": "muxed",
    "silent_member": "muxed",
    "hello_garbage": "framed",
    "frame_garbage": "framed",
    "yamux_garbage": "muxed",
    "stream_flood": "muxed",
    "window_overrun": "muxed",
    "ping_flood": "muxed",
    "deaf_member": "done",
}
AS_STRANGER = {
    "undecodable_pubsub_frame": "noise",
    "tiny_frames": "noise",
    "many_connects": "noise",
    "yamux_garbage": "noise",
    "raw_garbage": "done",
    "half_open": "done",
    "plaintext_only": "tcp",
    "foreign_key_type": "noise",
}
BANNED_AFTER = {"hello_garbage", "frame_garbage", "yamux_garbage", "ping_flood"}


async def talk(left, right, gaps: list[float]) -> None:
    """Frames both ways, 50 a second; `gaps` gets how long each took to arrive."""
    for index in range(10**9):
        payload = b"beat %d" % index
        sent_at = trio.current_time()
        assert left.network.send(right.key, Channel.CONSENSUS, payload), "an honest peer was lost"
        assert right.network.send(left.key, Channel.CONSENSUS, payload), "an honest peer was lost"
        while (left.key, Channel.CONSENSUS, payload) not in right.frames[-5:] or (
            right.key,
            Channel.CONSENSUS,
            payload,
        ) not in left.frames[-5:]:
            await trio.sleep(0.005)
            assert trio.current_time() - sent_at < 3, "an honest frame did not arrive"
        gaps.append(trio.current_time() - sent_at)
        await trio.sleep(0.02)


async def attack_and_check(cluster, until, attackers, name: str, seed: bytes | None, depth: str) -> None:
    left, right = await cluster.start_many(2)
    if seed is not None:
        cluster.members.add(attackers.key_of(seed))
        left.fault = right.fault = fail_on_stranger(cluster)
    target = attackers.Target(left.address, seed)
    gaps: list[float] = []
    async with trio.open_nursery() as nursery:
        nursery.start_soon(talk, left, right, gaps)
        with trio.fail_after(60):
            await attackers.ATTACKS[name](target)
        await trio.sleep(0.3)
        nursery.cancel_scope.cancel()
    assert depth in target.reached
    assert len(gaps) > 3
    assert seed is not None or "muxed" not in target.reached, "a stranger got past the gate"
    left.fault = right.fault = None
    late = await cluster.start("late")
    await until(lambda: len(late.network.connected()) >= 2, 15)
    assert late.network.send(left.key, Channel.RECORDS, b"hello after all")
    await until(lambda: (late.key, Channel.RECORDS, b"hello after all") in left.frames)
    if seed is not None:
        assert left.network.is_admitted(attackers.key_of(seed)) == (name not in BANNED_AFTER)


def fail_on_stranger(cluster):
    def fault(payload: bytes) -> None:
        if not payload.startswith((b"beat", b"hello")):
            raise RuntimeError("a handler that cannot cope")

    return fault


@pytest.mark.parametrize("name", AS_MEMBER)
async def test_an_attack_by_a_member_leaves_honest_peers_talking(cluster, p2p_helpers, attackers, name):
    await attack_and_check(cluster, p2p_helpers.until, attackers, name, b"\x07" * 32, AS_MEMBER[name])


@pytest.mark.parametrize("name", AS_STRANGER)
async def test_an_attack_by_a_stranger_leaves_honest_peers_talking(cluster, p2p_helpers, attackers, name):
    await attack_and_check(cluster, p2p_helpers.until, attackers, name, None, AS_STRANGER[name])


async def test_two_hundred_and_seventy_connections_leave_no_task_and_no_slot_behind(cluster, p2p_helpers, attackers):
    node = await cluster.start("alone")
    seed = b"\x07" * 32
    cluster.members.add(attackers.key_of(seed))
    target = attackers.Target(node.address, seed)
    await trio.sleep(0.1)
    before = trio.lowlevel.current_statistics().tasks_living
    accepted = 0
    while accepted < 270:
        try:
            await attackers.muxed_and_closed(target)
            accepted += 1
        except Exception as error:
            assert attackers.is_disconnect(error)
            await trio.sleep(0.2)  # the limit for one address
    await p2p_helpers.until(lambda: trio.lowlevel.current_statistics().tasks_living <= before, 10)
    assert node.network.connected() == ()
