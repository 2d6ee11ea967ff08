"""Two and three networks on real sockets: frames, restarts, refusals."""

from __future__ import annotations

import socket

import pytest
import trio

from ledger.errors import MalformedBytes, MutuaError
from node.p2p.network import FRAME_SIZE_MAX, Channel, Network


async def test_three_networks_exchange_frames_both_ways_and_report_each_peer_once(cluster, until):
    nodes = await cluster.start_many(3)
    for node in nodes:
        assert node.network.broadcast(Channel.CONSENSUS, b"vote of " + node.key) == 2
    await until(lambda: all(len(node.frames) == 2 for node in nodes))
    for node in nodes:
        others = {other.key for other in nodes} - {node.key}
        assert {(peer, payload) for peer, _, payload in node.frames} == {(key, b"vote of " + key) for key in others}
        assert set(node.ups) == others
        assert set(node.network.connected()) == others


async def test_frames_of_one_channel_arrive_in_order_and_votes_overtake_a_block(cluster, until):
    left, right = await cluster.start_many(2)
    for index in range(500):
        assert left.network.send(right.key, Channel.SYNC, b"%d" % index)
    left.network.send(right.key, Channel.SYNC, bytes(FRAME_SIZE_MAX))
    left.network.send(right.key, Channel.CONSENSUS, b"vote")
    await until(lambda: len(right.frames) == 502)
    sync = [payload for _, channel, payload in right.frames if channel is Channel.SYNC]
    assert sync == [b"%d" % index for index in range(500)] + [bytes(FRAME_SIZE_MAX)]
    assert right.frames.index((left.key, Channel.CONSENSUS, b"vote")) < len(right.frames) - 1


async def test_sending_to_nobody_or_into_a_full_queue_says_so_and_never_blocks(cluster):
    left, right = await cluster.start_many(2)
    assert not left.network.send(bytes(32), Channel.SYNC, b"x")
    taken = [left.network.send(right.key, Channel.SYNC, b"x" * 4096) for _ in range(5000)]
    assert taken.count(True) == 4096
    assert left.network.status()[0].dropped_frames == 5000 - 4096
    with pytest.raises(ValueError, match="limit"):
        left.network.send(right.key, Channel.SYNC, bytes(FRAME_SIZE_MAX + 1))


@pytest.mark.parametrize("restarted", [0, 1])
async def test_a_restarted_peer_is_connected_again_within_seconds_whoever_dials(cluster, until, restarted):
    named = dict(zip(("node-0", "node-1"), await cluster.start_many(2), strict=True))
    name = {node.key: name for name, node in named.items()}
    nodes = sorted(named.values(), key=lambda node: node.key)
    stopped, other = nodes[restarted], nodes[1 - restarted]
    stopped.scope.cancel()
    await until(lambda: other.network.connected() == ())
    await trio.sleep(0.5)
    again = await cluster.start(name[stopped.key], listen=stopped.address)
    await until(lambda: again.network.connected() == (other.key,) and other.network.connected() == (again.key,), 5)
    assert other.network.send(again.key, Channel.RECORDS, b"welcome back")
    await until(lambda: again.frames == [(other.key, Channel.RECORDS, b"welcome back")])
    assert other.ups == [again.key, again.key]


async def test_a_key_that_is_not_a_members_is_refused_and_admitted_once_it_is(cluster, until):
    member = await cluster.start("member")
    stranger = await cluster.start("stranger", is_member=False)
    await trio.sleep(1.0)
    assert member.network.connected() == stranger.network.connected() == ()
    cluster.members.add(stranger.key)
    await until(lambda: member.network.connected() == (stranger.key,))
    cluster.members.discard(stranger.key)
    await until(lambda: member.network.connected() == ())


async def test_a_peer_of_another_chain_is_refused_with_a_clear_line_on_both_sides(cluster, until, capsys):
    left = await cluster.start("left")
    right = await cluster.start("right", chain_id=b"\x01" * 32)
    lines: list[str] = []

    def both_have_said_so() -> bool:
        lines.extend(line for line in capsys.readouterr().out.splitlines() if "another chain" in line)
        return len(lines) == 2

    await until(both_have_said_so)
    assert left.network.connected() == right.network.connected() == ()


async def test_a_banned_peer_loses_the_connections_it_was_still_opening(cluster, until):
    left, right = await cluster.start_many(2)
    link = left.network._peers[right.key].link
    assert link is not None
    left.network.ban(right.key, "garbage")
    assert not left.network.link_up(link)
    await until(lambda: left.network.connected() == ())


async def test_strikes_add_up_to_a_ban_and_the_banned_peer_stays_out(cluster, until):
    left, right = await cluster.start_many(2)
    for _ in range(4):
        left.network.strike(right.key, "a bad bundle")
    await trio.sleep(0.1)
    assert left.network.connected() == (right.key,)
    left.network.strike(right.key, "a bad bundle")
    await until(lambda: left.network.connected() == ())
    await trio.sleep(1.5)
    assert left.network.connected() == ()
    assert left.network.status()[0].strikes == 5


async def test_a_handler_that_fails_loses_its_frame_only_and_malformed_frames_count_as_strikes(cluster, until):
    left, right = await cluster.start_many(2)

    def fail(payload: bytes) -> None:
        if payload == b"ours":
            raise ZeroDivisionError
        if payload == b"theirs":
            raise MalformedBytes("x", "not decodable")

    right.fault = fail
    for payload in (b"ours", b"theirs", b"good"):
        left.network.send(right.key, Channel.RECORDS, payload)
    await until(lambda: right.frames == [(left.key, Channel.RECORDS, b"good")])
    assert right.network.status()[0].strikes == 1
    assert right.network.connected() == (left.key,)


async def test_a_port_in_use_is_named_at_the_start(nursery):
    async def nothing(*_: object) -> None: ...

    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        network = Network(
            transport_seed=bytes(32),
            listen=f"/ip4/127.0.0.1/tcp/{taken.getsockname()[1]}",
            chain_id=bytes(32),
            members=lambda _: True,
            peers=dict,
            on_frame=nothing,
            on_peer_up=nothing,
            clock_ms=lambda: 0,
        )
        with pytest.raises(MutuaError, match="in use") as caught:
            await network.run()
        assert caught.value.code == "port_in_use"
