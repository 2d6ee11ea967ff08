"""The bytes on a frame stream: u32 length, u8 channel, payload; and the hello that opens each direction.

Pure: bytes in, frames out. Channel 0 belongs to the transport itself (hello, ping, pong); the others are for the layers
above. The peer's identity comes from the Noise handshake, so the hello only says which chain and which version the
sender speaks, and a nonce that is fresh for every start of the sender's network, by which a restarted peer is told from
a second dial.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from enum import IntEnum

from ledger.errors import MalformedBytes

FRAME_SIZE_MAX = 4 * 1024 * 1024
PROTOCOL_VERSION = 1
NONCE_SIZE = 16
CHAIN_ID_SIZE_MAX = 64
CONTROL_SIZE_MAX = 256  # no control frame is longer, so none can be used to fill memory

_HEADER = struct.Struct(">IB")
_MAGIC = b"mutua"

CONTROL = 0


class Channel(IntEnum):
    """What a frame is about; the number is the byte on the wire, and the order in which waiting frames leave."""

    CONSENSUS = 1
    RECORDS = 2
    SYNC = 3
    SIGNERS = 4


CHANNELS: tuple[Channel | None, ...] = (None, Channel.CONSENSUS, Channel.RECORDS, Channel.SYNC, Channel.SIGNERS)
PING = b"p"
PONG = b"q"


@dataclass(frozen=True, slots=True)
class Hello:
    """The first frame of each direction."""

    version: int
    chain_id: bytes
    nonce: bytes


def encode_frame(channel: int, payload: bytes) -> bytes:
    """One frame as bytes.

    >>> encode_frame(1, b"abc").hex()
    '0000000301616263'
    """
    return _HEADER.pack(len(payload), channel) + payload


def encode_hello(hello: Hello) -> bytes:
    """The payload of the hello frame: magic, version, length of the chain id, chain id, nonce."""
    return b"".join((_MAGIC, struct.pack(">HB", hello.version, len(hello.chain_id)), hello.chain_id, hello.nonce))


def decode_hello(payload: bytes) -> Hello:
    """Read a hello; raises MalformedBytes for anything that is not exactly one."""
    fixed = len(_MAGIC) + 3
    if len(payload) < fixed or payload[: len(_MAGIC)] != _MAGIC:
        raise MalformedBytes("hello_malformed", "the first frame is not a hello")
    version, chain_size = struct.unpack_from(">HB", payload, len(_MAGIC))
    if len(payload) != fixed + chain_size + NONCE_SIZE:
        what = f"a hello of {len(payload)} bytes does not contain a chain id of {chain_size}"
        raise MalformedBytes("hello_malformed", what)
    return Hello(version, payload[fixed : fixed + chain_size], payload[fixed + chain_size :])


class FrameReader:
    """Cuts a byte stream into frames; holds at most one unfinished frame.

    >>> reader = FrameReader()
    >>> reader.feed(encode_frame(1, b"abc")[:4]), reader.feed(encode_frame(1, b"abc")[4:])
    ([], [(1, b'abc')])
    """

    __slots__ = ("_buffer",)

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, data: bytes) -> list[tuple[int, bytes]]:
        """Return the frames that are complete now. MalformedBytes on an unknown channel or a length above the limit."""
        buffer = self._buffer
        buffer += data
        frames: list[tuple[int, bytes]] = []
        start, size = 0, len(buffer)
        while size - start >= _HEADER.size:
            length, channel = _HEADER.unpack_from(buffer, start)
            if channel >= len(CHANNELS):
                raise MalformedBytes("frame_channel_unknown", f"a frame on channel {channel}")
            if length > (FRAME_SIZE_MAX if channel else CONTROL_SIZE_MAX):
                raise MalformedBytes("frame_too_large", f"a frame of {length} bytes on channel {channel}")
            end = start + _HEADER.size + length
            if end > size:
                break
            frames.append((channel, bytes(buffer[start + _HEADER.size : end])))
            start = end
        if start:
            del buffer[:start]
        return frames
