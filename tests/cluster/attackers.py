"""Peers that misbehave: each attack is an async function of a target, to be run against a live network or daemon.

    python tests/cluster/attackers.py /ip4/127.0.0.1/tcp/4001 --seed HEX --chain HEX --attack all

Without `--seed` (a member's 32-byte transport seed) the attacks that need an admitted key end at the handshake, which
is the point of the gate. An attack returns when it has done its worst; that the target closed the connection is no
failure.
"""

from __future__ import annotations

import argparse
import hashlib
import itertools
import secrets
import socket
import struct
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

import trio
from libp2p.abc import ISecureConn
from libp2p.crypto import ed25519, secp256k1, x25519
from libp2p.crypto.keys import KeyPair
from libp2p.custom_types import TProtocol
from libp2p.io.trio import TrioTCPStream
from libp2p.network.connection.raw_connection import RawConnection
from libp2p.peer.id import ID
from libp2p.protocol_muxer.multiselect_client import MultiselectClient
from libp2p.protocol_muxer.multiselect_communicator import MultiselectCommunicator
from libp2p.pubsub.pb import rpc_pb2
from libp2p.security.noise.transport import Transport as Noise

SYN, ACK, FIN, RST = 1, 2, 4, 8
DATA, WINDOW, PING, GO_AWAY = range(4)
EXPECTED = (OSError, EOFError, trio.BrokenResourceError, trio.ClosedResourceError, trio.TooSlowError)


@dataclass(frozen=True)
class Target:
    """Whom to attack, and as whom."""

    address: str  # /ip4/HOST/tcp/PORT
    seed: bytes | None = None  # a member's transport seed; None attacks as a stranger
    chain_id: bytes = bytes(32)
    reached: set[str] = field(default_factory=set)  # how far the attacks got: tcp, noise, muxed, framed, done

    @property
    def place(self) -> tuple[str, int]:
        parts = self.address.split("/")
        return parts[2], int(parts[4])


Attack = Callable[[Target], Awaitable[None]]
ATTACKS: dict[str, Attack] = {}


def attack(function: Attack) -> Attack:
    """Enter an attack in the table; what the target does to the connection is not an error of the attacker."""

    async def run(target: Target) -> None:
        try:
            await function(target)
            target.reached.add("done")
        except* Exception as group:
            unexpected = [error for error in leaves(group) if not is_disconnect(error)]
            if unexpected:
                raise ExceptionGroup("the attacker itself failed", unexpected) from None

    run.__doc__ = function.__doc__
    ATTACKS[function.__name__] = run
    return run


def leaves(error: Exception) -> list[Exception]:
    return (
        [leaf for inner in error.exceptions for leaf in leaves(inner)] if isinstance(error, ExceptionGroup) else [error]
    )


def is_disconnect(error: Exception) -> bool:
    return isinstance(error, EXPECTED) or type(error).__module__.startswith("libp2p.")


# ---- Ways in -----------------------------------------------------------------------------------------------------


async def tcp(target: Target) -> trio.SocketStream:
    with trio.fail_after(10):
        stream = await trio.open_tcp_stream(*target.place)
    target.reached.add("tcp")
    return stream


async def noise(target: Target, keys: KeyPair | None = None) -> ISecureConn:
    """A finished Noise handshake; the target may have hung up already."""
    conn = RawConnection(TrioTCPStream(await tcp(target)), True)
    with trio.fail_after(10):
        await MultiselectClient().select_one_of([TProtocol("/noise")], MultiselectCommunicator(conn))
        keys = keys or ed25519.create_new_key_pair(target.seed or secrets.token_bytes(32))
        transport = Noise(keys, x25519.create_new_key_pair().private_key)
        secured = await transport.get_pattern().handshake_outbound(conn, None)
    target.reached.add("noise")
    return secured


async def muxed(target: Target) -> ISecureConn:
    """A connection with yamux agreed; from here on the attacker writes raw yamux frames."""
    secured = await noise(target)
    with trio.fail_after(10):
        await MultiselectClient().select_one_of([TProtocol("/yamux/1.0.0")], MultiselectCommunicator(secured))
    target.reached.add("muxed")
    return secured


async def muxed_and_closed(target: Target) -> None:
    """One honest-looking connection that goes away."""
    secured = await muxed(target)
    await secured.close()


def header(kind: int, flags: int, stream: int, length: int, version: int = 0) -> bytes:
    return struct.pack(">BBHII", version, kind, flags, stream, length)


def data(stream: int, body: bytes, flags: int = 0) -> bytes:
    return header(DATA, flags, stream, len(body)) + body


def negotiation(protocol: str) -> bytes:
    """Multistream-select without waiting for the answers."""
    return b"".join(bytes([len(line) + 1]) + line + b"\n" for line in (b"/multistream/1.0.0", protocol.encode()))


def frame(channel: int, payload: bytes) -> bytes:
    return struct.pack(">IB", len(payload), channel) + payload


def hello(target: Target) -> bytes:
    return frame(0, b"mutua" + struct.pack(">HB", 1, len(target.chain_id)) + target.chain_id + secrets.token_bytes(16))


async def drain(secured: ISecureConn, seconds: float = 1.0) -> None:
    """Read until the target hangs up or the time is over."""
    with trio.move_on_after(seconds):
        while True:
            await secured.read(None)


async def framed(target: Target, *, says_hello: bool = True) -> ISecureConn:
    """An outgoing frame stream (number 1), and the target's own stream accepted just enough to bring the link up."""
    secured = await muxed(target)
    opening = negotiation("/mutua/frames/1") + (hello(target) if says_hello else b"")
    await secured.write(data(1, opening, SYN))
    await secured.write(data(2, negotiation("/mutua/frames/1")))  # the target's stream has number 2
    target.reached.add("framed")
    return secured


async def pubsub(target: Target, body: bytes) -> None:
    """Bytes on a stream that asks for gossip, sent whatever the target answers; with the varint length pubsub wants."""
    secured = await muxed(target)
    prefix, rest = b"", len(body)
    while rest > 127:
        prefix, rest = prefix + bytes([rest & 127 | 128]), rest >> 7
    prefix += bytes([rest])
    body = negotiation("/meshsub/1.1.0") + prefix + body
    await secured.write(header(WINDOW, SYN, 1, 0))
    for start in range(0, min(len(body), 200_000), 60_000):
        await secured.write(data(1, body[start : start + 60_000]))
    await drain(secured)


# ---- What kills a stock node -------------------------------------------------------------------------------------


@attack
async def undecodable_pubsub_frame(target: Target) -> None:
    """A pubsub frame that is not protobuf."""
    await pubsub(target, b"\xff" * 40)


@attack
async def bad_key(target: Target) -> None:
    """A gossip message whose key does not decode and whose from_id holds none."""
    message = rpc_pb2.Message(
        from_id=b"\x12\x20" + bytes(32),
        data=b"x",
        seqno=bytes(8),
        topicIDs=["coop"],
        key=b"\xff\xff",
        signature=bytes(64),
    )
    await pubsub(target, rpc_pb2.RPC(publish=[message]).SerializeToString())


@attack
async def bad_from_id(target: Target) -> None:
    """Gossip messages with an empty from_id and with a key of type 9."""
    for from_id, key in ((b"", b""), (b"\x00\x24\x08\x09\x12\x20" + bytes(32), b"\x08\x09\x12\x00")):
        message = rpc_pb2.Message(
            from_id=from_id, data=b"x", seqno=bytes(8), topicIDs=["coop"], key=key, signature=bytes(64)
        )
        await pubsub(target, rpc_pb2.RPC(publish=[message]).SerializeToString())


@attack
async def tiny_pubsub_messages(target: Target) -> None:
    """One RPC with 15,000 tiny messages."""
    messages = [
        rpc_pb2.Message(from_id=b"x", data=b"", seqno=index.to_bytes(8), topicIDs=["c"]) for index in range(15_000)
    ]
    await pubsub(target, rpc_pb2.RPC(publish=messages).SerializeToString())


@attack
async def tiny_frames(target: Target) -> None:
    """200,000 frames of no bytes on our own protocol, as fast as they go."""
    secured = await framed(target)
    body = frame(2, b"") * 12_000
    credit = 256 * 1024 - 1000
    with trio.move_on_after(5):
        for _ in range(17):
            while credit < len(body):
                message = await secured.read(None)
                for at in range(0, len(message) - 11, 12):
                    _, kind, _, stream, length = struct.unpack_from(">BBHII", message, at)
                    if (kind, stream) == (WINDOW, 1):
                        credit += length
            credit -= len(body)
            await secured.write(data(1, body))


@attack
async def undecodable_payloads(target: Target) -> None:
    """Frames of every channel whose payload means nothing: the handlers of the layer above must not mind."""
    secured = await framed(target)
    for size, channel in itertools.product((0, 1, 7, 300, 20_000), (1, 2, 3, 4)):
        await secured.write(data(1, frame(channel, secrets.token_bytes(size))))
    await drain(secured)


@attack
async def many_connects(target: Target) -> None:
    """250 connections one after the other, each closed after the handshake."""
    for _ in range(250):
        try:
            secured = await (muxed if target.seed else noise)(target)
            await secured.close()
        except Exception as error:
            if not is_disconnect(error):
                raise
            await trio.sleep(0.02)


# ---- Before the handshake ----------------------------------------------------------------------------------------


@attack
async def raw_garbage(target: Target) -> None:
    """Random bytes, resets, and length prefixes of a terabyte, 100 times each."""
    blobs = (
        secrets.token_bytes(500),
        b"\xff" * 9 + b"\x7f" + b"x" * 100,
        b"\x80\x80\x80\x80\x80\x20/multistream",
        b"\x13/multistream/1.0.0\n" + b"\xff" * 90,
    )
    for index in range(100):
        for blob in blobs:
            stream = await tcp(target)
            try:
                await stream.send_all(blob)
                if index % 2:
                    stream.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            except EXPECTED:
                pass
            finally:
                await trio.aclose_forcefully(stream)


@attack
async def half_open(target: Target) -> None:
    """300 connections that say nothing, or one byte at a time."""
    streams: list[trio.SocketStream] = []
    try:
        for _ in range(300):
            try:
                streams.append(await tcp(target))
            except EXPECTED:
                break
        for byte in b"\x13/mult":
            await trio.sleep(0.5)
            for stream in streams[::2]:
                try:
                    await stream.send_all(bytes([byte]))
                except EXPECTED:
                    pass
    finally:
        for stream in streams:
            await trio.aclose_forcefully(stream)


@attack
async def plaintext_only(target: Target) -> None:
    """A dialler that offers no encryption."""
    conn = RawConnection(TrioTCPStream(await tcp(target)), True)
    with trio.fail_after(8):
        await MultiselectClient().select_one_of(
            [TProtocol("/plaintext/2.0.0"), TProtocol("/tls/1.0.0")], MultiselectCommunicator(conn)
        )
    raise AssertionError("the target talks without Noise")


@attack
async def foreign_key_type(target: Target) -> None:
    """A handshake with a key of another kind than members have."""
    await drain(await noise(target, secp256k1.create_new_key_pair()))


@attack
async def broken_noise(target: Target) -> None:
    """Noise agreed, then random handshake messages.

    And a full handshake followed by a message that does not decrypt.
    """
    for size in (0, 1, 32, 96, 65_535):
        conn = RawConnection(TrioTCPStream(await tcp(target)), True)
        await MultiselectClient().select_one_of([TProtocol("/noise")], MultiselectCommunicator(conn))
        await conn.write(struct.pack(">H", size) + secrets.token_bytes(size))
        await conn.write(struct.pack(">H", size) + secrets.token_bytes(size))
        await conn.close()
    secured = await muxed(target)
    await secured.conn.read_writer.write_msg(secrets.token_bytes(60))  # type: ignore[attr-defined]
    await drain(secured)


# ---- After the handshake -----------------------------------------------------------------------------------------


@attack
async def silent_member(target: Target) -> None:
    """A finished handshake, then nothing: no stream, no hello."""
    await drain(await muxed(target), 8)


@attack
async def hello_garbage(target: Target) -> None:
    """Frame streams that open with something else than a hello."""
    for body in (
        frame(0, b"mutua"),
        frame(0, b""),
        frame(1, b"vote"),
        frame(0, secrets.token_bytes(200)),
        b"\xff" * 200,
    ):
        secured = await framed(target, says_hello=False)
        await secured.write(data(1, body))
        await drain(secured, 0.5)


@attack
async def frame_garbage(target: Target) -> None:
    """After the hello: lengths of 4 GiB, unknown channels, second hellos."""
    for body in (
        struct.pack(">IB", 2**32 - 1, 1),
        struct.pack(">IB", 1, 99) + b"x",
        hello(target),
        frame(0, b"?"),
        struct.pack(">IB", 5000, 0),
    ):
        secured = await framed(target)
        await secured.write(data(1, body))
        await drain(secured, 0.5)


@attack
async def yamux_garbage(target: Target) -> None:
    """Headers that no yamux sends."""
    for body in (
        b"\xff" * 600,
        header(DATA, 0, 1, 2**32 - 1),
        header(WINDOW, SYN, 2, 0),
        header(9, 0, 1, 0),
        header(DATA, 0, 77, 10) + bytes(10),
    ):
        secured = await muxed(target)
        await secured.write(body)
        await drain(secured, 0.5)


@attack
async def stream_flood(target: Target) -> None:
    """3,000 new streams on one connection."""
    secured = await muxed(target)
    for start in range(0, 3000, 100):
        await secured.write(b"".join(header(WINDOW, SYN, 1 + 2 * index, 0) for index in range(start, start + 100)))
    await drain(secured)


@attack
async def window_overrun(target: Target) -> None:
    """64 MiB of sync frames, without waiting for credit."""
    secured = await framed(target)
    body = frame(3, bytes(4 * 1024 * 1024))
    for _ in range(16):
        for start in range(0, len(body), 65_000):
            await secured.write(data(1, body[start : start + 65_000]))


@attack
async def ping_flood(target: Target) -> None:
    """Yamux pings without end, whose answers are never read."""
    secured = await muxed(target)
    pings = header(PING, SYN, 0, 7) * 5000
    with trio.move_on_after(4):
        for _ in range(500):
            await secured.write(pings)


@attack
async def deaf_member(target: Target) -> None:
    """A link that is up and never reads again."""
    await framed(target)
    await trio.sleep(8)


def key_of(seed: bytes) -> bytes:
    """The transport key of a seed, as the member list names it."""
    return ID.from_pubkey(ed25519.create_new_key_pair(seed).public_key).to_bytes()[6:]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("address")
    parser.add_argument("--seed", type=bytes.fromhex)
    parser.add_argument("--chain", type=bytes.fromhex, default=hashlib.sha256(b"").digest())
    parser.add_argument("--attack", default="all", choices=["all", *ATTACKS])
    options = parser.parse_args()

    async def run() -> None:
        for name, function in ATTACKS.items():
            if options.attack in {"all", name}:
                print(f"{name}: {function.__doc__}", flush=True)
                await function(Target(options.address, options.seed, options.chain))

    trio.run(run)


if __name__ == "__main__":
    main()
