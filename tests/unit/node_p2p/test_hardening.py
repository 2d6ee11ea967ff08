"""One test for each guard around the library, and that the wire is still libp2p's."""

from __future__ import annotations

import logging
import subprocess
import sys
from pathlib import Path

import pytest
import trio
import trio.testing
from libp2p import new_host
from libp2p.crypto import ed25519, x25519
from libp2p.custom_types import TProtocol
from libp2p.io.exceptions import ConnectionClosedError
from libp2p.peer.id import ID
from libp2p.peer.peerinfo import info_from_p2p_addr
from libp2p.security.noise.transport import Transport as Noise
from libp2p.stream_muxer.yamux.yamux import Yamux
from multiaddr import Multiaddr

from ledger.errors import MalformedBytes
from node.p2p import frames, hardening, yamux
from node.p2p.host import ACCEPT_BURST, PENDING_PER_IP_MAX, ConnectionLimiter
from node.p2p.network import Channel

ROOT = Path(__file__).parents[3]


def test_the_network_module_does_not_import_libp2p():
    code = "import sys, node.p2p.network; sys.exit('libp2p' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == 0


def test_a_transport_key_and_its_peer_id_are_the_same_thing():
    pair = ed25519.create_new_key_pair(bytes(32))
    peer_id = ID.from_pubkey(pair.public_key)
    assert hardening.key_of_peer_id(peer_id) == pair.public_key.to_bytes()
    assert hardening.peer_id_of_key(pair.public_key.to_bytes()) == peer_id
    assert hardening.key_of_peer_id(ID(b"\x12\x20" + bytes(32))) is None


def test_the_library_logs_nothing_about_garbage():
    hardening.quiet_loggers()
    assert not logging.getLogger("libp2p.security.noise").isEnabledFor(logging.ERROR)
    assert not logging.getLogger("libp2p.network").isEnabledFor(logging.INFO)


# ---- SocketConnection --------------------------------------------------------------------------------------------


async def test_a_read_gives_exactly_what_was_asked_for_and_the_end_of_a_connection_is_an_error():
    ours, theirs = trio.testing.memory_stream_pair()
    connection = hardening.SocketConnection(ours, is_initiator=True)  # type: ignore[arg-type]
    async with trio.open_nursery() as nursery:

        async def trickle() -> None:
            for byte in bytes(300):
                await theirs.send_all(bytes([byte]))
            await theirs.send_all(b"abcdef")

        nursery.start_soon(trickle)
        assert await connection.read(300) == bytes(300)
        assert (await connection.read(2), await connection.read(4)) == (b"ab", b"cdef")
    await theirs.aclose()
    with pytest.raises(ConnectionClosedError):
        await connection.read(1)


# ---- Yamux -------------------------------------------------------------------------------------------------------


class Pipe:
    """One end of a secured connection made of memory: whole messages."""

    def __init__(self, send: trio.MemorySendChannel[bytes], receive: trio.MemoryReceiveChannel[bytes]) -> None:
        self._send, self._receive = send, receive
        self.written = 0

    async def write(self, data: bytes) -> None:
        assert data
        self.written += 1
        await self._send.send(data)

    async def read(self, n: int | None = None) -> bytes:
        try:
            return await self._receive.receive()
        except trio.EndOfChannel as error:
            raise ConnectionClosedError("end") from error


def pipes(size: int = 100) -> tuple[Pipe, Pipe]:
    a, b = trio.open_memory_channel[bytes](size), trio.open_memory_channel[bytes](size)
    return Pipe(a[0], b[1]), Pipe(b[0], a[1])


async def test_a_megabyte_crosses_and_credit_comes_back_in_halves_of_the_window(nursery):
    ours, theirs = pipes()
    accepted: list[yamux.YamuxStream] = []
    left = yamux.YamuxSession(ours, is_initiator=True, accept=accepted.append)  # type: ignore[arg-type]
    right = yamux.YamuxSession(theirs, is_initiator=False, accept=accepted.append)  # type: ignore[arg-type]
    nursery.start_soon(left.run)
    nursery.start_soon(right.run)
    stream = left.open_stream()
    payload = bytes(range(256)) * 4096
    nursery.start_soon(stream.write, payload)
    received = b""
    while len(received) < len(payload):
        if not accepted:
            await trio.sleep(0.01)
            continue
        received += await accepted[0].read(1000)
    assert received == payload
    assert theirs.written <= 10, "the answers of a receiver: one acknowledgement and a credit for each 128 KiB"
    await stream.close()
    with pytest.raises(ConnectionClosedError):
        await accepted[0].read()
    await accepted[0].close()
    await trio.sleep(0.05)
    assert not left._streams
    assert not right._streams
    nursery.cancel_scope.cancel()


def header(kind: int, flags: int, stream: int, length: int, version: int = 0) -> bytes:
    return yamux._HEADER.pack(version, kind, flags, stream, length)


@pytest.mark.parametrize(
    "garbage",
    [
        header(0, 0, 1, 0, version=1),
        header(9, 0, 1, 0),
        header(0, 0, 1, 2**31),
        header(1, 1, 2, 0),
        header(1, 1, 0, 0),
        header(1, 1, 1, 0) * 2,
        header(1, 1, 1, 0) + (header(0, 0, 1, 60_000) + bytes(60_000)) * 5,
        header(2, 1, 0, 5) * 20_000,
    ],
    ids=[
        "version",
        "type",
        "length",
        "parity",
        "stream zero",
        "opened twice",
        "beyond the window",
        "pings whose answers are not read",
    ],
)
async def test_a_peer_that_breaks_yamux_ends_the_session_as_garbage(garbage):
    ours, theirs = pipes(0)
    session = yamux.YamuxSession(ours, is_initiator=False, accept=lambda _: None)  # type: ignore[arg-type]

    async def attack() -> None:
        for start in range(0, len(garbage), 60_000):
            await theirs.write(garbage[start : start + 60_000])

    with (
        pytest.RaisesGroup(yamux.ProtocolGarbage, flatten_subgroups=True)
        if hasattr(pytest, "RaisesGroup")
        else pytest.raises(BaseExceptionGroup)
    ):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(attack)
            nursery.start_soon(session.run)


async def test_streams_beyond_the_limit_are_reset_and_the_session_goes_on(nursery):
    ours, theirs = pipes(10_000)
    accepted: list[yamux.YamuxStream] = []
    session = yamux.YamuxSession(ours, is_initiator=False, accept=accepted.append)  # type: ignore[arg-type]
    nursery.start_soon(session.run)
    for index in range(1000):
        await theirs.write(header(1, 1, 1 + 2 * index, 0))
    await trio.sleep(0.1)
    assert len(accepted) == yamux.INBOUND_STREAMS_MAX
    await theirs.write(header(0, 0, 1, 3) + b"abc")
    assert await accepted[0].read() == b"abc"
    nursery.cancel_scope.cancel()


# ---- Frames ------------------------------------------------------------------------------------------------------


def test_frames_are_cut_right_wherever_the_bytes_are_split():
    stream = b"".join(frames.encode_frame(1 + index % 4, bytes([index]) * index) for index in range(20))
    expected = [(1 + index % 4, bytes([index]) * index) for index in range(20)]
    for step in (1, 2, 3, 7, 1000):
        reader = frames.FrameReader()
        assert [
            frame for start in range(0, len(stream), step) for frame in reader.feed(stream[start : start + step])
        ] == expected


@pytest.mark.parametrize(
    "header_bytes", [b"\xff\xff\xff\xff\x01", b"\x00\x00\x00\x01\x63", b"\x00\x00\x10\x00\x00", b"\x00\x40\x00\x01\x02"]
)
def test_an_impossible_frame_is_refused_before_its_body_comes(header_bytes):
    with pytest.raises(MalformedBytes):
        frames.FrameReader().feed(header_bytes)


@pytest.mark.parametrize("payload", [b"", b"mutua", b"mutua\x00\x01\x20" + bytes(40), b"other\x00\x01\x00" + bytes(16)])
def test_a_malformed_hello_is_refused(payload):
    with pytest.raises(MalformedBytes):
        frames.decode_hello(payload)


def test_a_hello_reads_as_it_was_written():
    hello = frames.Hello(1, b"c" * 32, b"n" * 16)
    assert frames.decode_hello(frames.encode_hello(hello)) == hello


# ---- ConnectionLimiter ------------------------------------------------------------------------------------------


async def test_an_address_has_a_share_of_waiting_connections_and_its_oldest_gives_way(autojump_clock):
    door = ConnectionLimiter()
    places = [door.admit("192.0.2.1") for _ in range(PENDING_PER_IP_MAX)]
    assert all(places)
    assert door.admit("192.0.2.1") is None
    assert door.admit("192.0.2.2") is not None, "another address is not touched"
    await trio.sleep(1.1)
    assert door.admit("192.0.2.1") is not None
    assert places[0] is not None
    assert places[0].scope.cancel_called


async def test_an_address_that_connects_too_often_is_refused_for_a_while(autojump_clock):
    door = ConnectionLimiter()
    for _ in range(ACCEPT_BURST):
        place = door.admit("192.0.2.1")
        assert place is not None
        door.prove("192.0.2.1", place)
    assert door.admit("192.0.2.1") is None
    await trio.sleep(1)
    assert door.admit("192.0.2.1") is not None


# ---- The wire is libp2p's ----------------------------------------------------------------------------------------


async def test_a_stock_libp2p_host_with_a_members_key_can_speak_frames(cluster, until):
    node = await cluster.start("ours")
    pair = ed25519.create_new_key_pair(b"\x22" * 32)
    key = pair.public_key.to_bytes()
    cluster.members.add(key)
    stock = new_host(
        key_pair=pair,
        sec_opt={TProtocol("/noise"): Noise(pair, x25519.create_new_key_pair().private_key)},
        muxer_opt={TProtocol("/yamux/1.0.0"): Yamux},
    )
    received: list[bytes] = []
    hello = frames.encode_frame(0, frames.encode_hello(frames.Hello(1, bytes(32), b"n" * 16)))

    async def handler(stream) -> None:
        while True:
            received.append(await stream.read(1000))

    stock.set_stream_handler(TProtocol("/mutua/frames/1"), handler)
    async with stock.run(listen_addrs=[Multiaddr("/ip4/127.0.0.1/tcp/0")]):
        await stock.connect(info_from_p2p_addr(Multiaddr(f"{node.address}/p2p/{hardening.peer_id_of_key(node.key)}")))
        stream = await stock.new_stream(hardening.peer_id_of_key(node.key), [TProtocol("/mutua/frames/1")])
        await stream.write(hello)
        await until(lambda: node.network.connected() == (key,))
        big = bytes(3_000_000)
        await stream.write(frames.encode_frame(Channel.SYNC, big))
        await until(lambda: node.frames == [(key, Channel.SYNC, big)])
        node.network.send(key, Channel.CONSENSUS, b"to a stock host")
        await until(lambda: b"to a stock host" in b"".join(received))
        await stock.close()
