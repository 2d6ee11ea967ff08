"""Yamux, strictly: the streams inside one secured connection, with a bound on everything a peer can make us keep.

The wire is yamux 1.0 as every libp2p speaks it. The session of py-libp2p 0.8.1 is not used, because it keeps whatever a
peer sends beyond the receive window, accepts any number of streams, answers from its reading loop (two full sockets
then wait for each other for ever), sends one window update per read and formats a dozen log lines per frame. Here

* a peer that sends more than its credit, opens streams of the wrong parity or floods control frames has broken the
  protocol: the session ends with `ProtocolGarbage` and the caller bans it;
* nothing is written from the reading loop: answers go to a bounded buffer with a writer task of its own;
* credit is given back in halves of the window.

Spec: https://github.com/hashicorp/yamux/blob/master/spec.md
"""

from __future__ import annotations

import struct
from collections.abc import Callable

import trio
from libp2p.abc import ISecureConn
from libp2p.io.abc import ReadWriteCloser
from libp2p.io.exceptions import ConnectionClosedError

PROTOCOL_ID = "/yamux/1.0.0"

WINDOW_SIZE = 256 * 1024  # the credit that yamux gives every new stream, each way
DATA_SIZE_MAX = 65_535 - 16 - 12  # one yamux frame in one Noise message: 65,535 less its tag and the yamux header
INBOUND_STREAMS_MAX = 16  # we need one; a stock libp2p peer opens a few more for identify and ping
CONTROL_BYTES_MAX = 64 * 1024  # answers that wait because the peer does not read: about 5,000
MESSAGES_PER_TURN = 64  # after this many messages from one peer the others get their turn

_HEADER = struct.Struct(">BBHII")  # version, type, flags, stream id, length
_DATA, _WINDOW_UPDATE, _PING, _GO_AWAY = range(4)
_SYN, _ACK, _FIN, _RST = 1, 2, 4, 8


class ProtocolGarbage(Exception):
    """The peer broke the protocol in a way that no honest implementation does."""


class YamuxStream(ReadWriteCloser):
    """One stream: bytes both ways. Reads return what is there, up to `n`; the caller sets the deadlines."""

    def __init__(self, session: YamuxSession, stream_id: int) -> None:
        self.id = stream_id
        self.credit = WINDOW_SIZE  # bytes that we may still send
        self.receivable = WINDOW_SIZE  # bytes that the peer may still send
        self.is_read_closed = False
        self.is_write_closed = False
        self._session = session
        self._buffer = bytearray()
        self._consumed = 0
        self._lot = trio.lowlevel.ParkingLot()

    async def read(self, n: int | None = None) -> bytes:
        """What has arrived, at most `n` bytes; waits for at least one. Raises ConnectionClosedError at the end."""
        while not self._buffer:
            if self.is_read_closed:
                raise ConnectionClosedError("the stream has ended")
            await self._lot.park()
        if n is None or n >= len(self._buffer):
            data = bytes(self._buffer)
            self._buffer.clear()
        else:
            data = bytes(self._buffer[:n])
            del self._buffer[:n]
        self._consumed += len(data)
        if self._consumed >= WINDOW_SIZE // 2 and not self.is_read_closed:
            self._session.answer(_WINDOW_UPDATE, 0, self.id, self._consumed)
            self.receivable += self._consumed
            self._consumed = 0
        return data

    async def write(self, data: bytes) -> None:
        """Send all of `data`, waiting for credit as needed. Raises ConnectionClosedError when the peer is gone."""
        offset, size = 0, len(data)
        while offset < size:
            while not self.credit and not self.is_write_closed:
                await self._lot.park()
            if self.is_write_closed:
                raise ConnectionClosedError("the stream is closed")
            part = min(self.credit, DATA_SIZE_MAX, size - offset)
            self.credit -= part
            await self._session.write(_HEADER.pack(0, _DATA, 0, self.id, part) + data[offset : offset + part])
            offset += part

    async def close(self) -> None:
        """Say that we shall send no more; reading goes on."""
        if not self.is_write_closed:
            self.is_write_closed = True
            self._session.answer(_WINDOW_UPDATE, _FIN, self.id, 0)
            self._session.forget_if_done(self)
        await trio.lowlevel.checkpoint()

    async def reset(self) -> None:
        """End the stream both ways at once."""
        if not (self.is_read_closed and self.is_write_closed):
            self._session.answer(_WINDOW_UPDATE, _RST, self.id, 0)
        self.end(is_reset=True)
        self._session.forget_if_done(self)
        await trio.lowlevel.checkpoint()

    def get_remote_address(self) -> tuple[str, int] | None:
        """The address of the peer."""
        return self._session.get_remote_address()

    # ---- For the session -----------------------------------------------------------------------------------------

    def take(self, data: bytes | memoryview) -> None:
        """Keep bytes that arrived; the peer's credit is checked first."""
        if len(data) > self.receivable:
            raise ProtocolGarbage(f"{len(data)} bytes on a stream with a credit of {self.receivable}")
        self.receivable -= len(data)
        if not self.is_read_closed:
            self._buffer += data
            self._lot.unpark_all()

    def give_credit(self, increment: int) -> None:
        """The peer may be sent `increment` more bytes."""
        self.credit += increment
        self._lot.unpark_all()

    def end(self, *, is_reset: bool) -> None:
        """The peer has sent its last byte; after a reset it also takes none any more."""
        self.is_read_closed = True
        if is_reset:
            self.is_write_closed = True
            self._buffer.clear()
        self._lot.unpark_all()


class YamuxSession:
    """All streams of one connection. `run` reads until the connection ends; `accept` is called with each new stream."""

    def __init__(self, secured: ISecureConn, *, is_initiator: bool, accept: Callable[[YamuxStream], None]) -> None:
        self._secured = secured
        self._accept = accept
        self._streams: dict[int, YamuxStream] = {}
        self._next_id = 1 if is_initiator else 2
        self._inbound_parity = 0 if is_initiator else 1
        self._write_lock = trio.Lock()
        self._answers = bytearray()
        self._answers_lot = trio.lowlevel.ParkingLot()
        self._is_ended = False

    def get_remote_address(self) -> tuple[str, int] | None:
        """The address of the peer."""
        return self._secured.get_remote_address()

    def open_stream(self) -> YamuxStream:
        """A new stream to the peer; the peer hears of it with the next answers."""
        stream = YamuxStream(self, self._next_id)
        self._streams[stream.id] = stream
        self._next_id += 2
        self.answer(_WINDOW_UPDATE, _SYN, stream.id, 0)
        return stream

    async def run(self) -> None:
        """Serve the connection until it ends. Raises ProtocolGarbage, or what the connection raised."""
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._write_answers)
                await self._read_frames()
                nursery.cancel_scope.cancel()
        finally:
            self._is_ended = True
            for stream in self._streams.values():
                stream.end(is_reset=True)
            self._streams.clear()

    # ---- For the streams -----------------------------------------------------------------------------------------

    async def write(self, data: bytes) -> None:
        """Write whole yamux frames, one writer at a time."""
        try:
            self._write_lock.acquire_nowait()  # without the scheduling round trip of `acquire`
        except trio.WouldBlock:
            await self._write_lock.acquire()
        try:
            if self._answers:
                data = bytes(self._answers) + data
                self._answers.clear()
            if data:  # another writer may have taken the answers; an empty Noise message would end the session
                await self._secured.write(data)
        finally:
            self._write_lock.release()

    def answer(self, kind: int, flags: int, stream_id: int, length: int) -> None:
        """Queue a small frame; never blocks. A peer that makes us queue too many without reading them is dropped."""
        if self._is_ended:
            return
        if len(self._answers) >= CONTROL_BYTES_MAX:
            raise ProtocolGarbage("a flood of control frames whose answers are not read")
        self._answers += _HEADER.pack(0, kind, flags, stream_id, length)
        self._answers_lot.unpark_all()

    def forget_if_done(self, stream: YamuxStream) -> None:
        """Drop a stream that is closed both ways."""
        if stream.is_read_closed and stream.is_write_closed:
            self._streams.pop(stream.id, None)

    # ---- The two loops -------------------------------------------------------------------------------------------

    async def _write_answers(self) -> None:
        while True:
            while not self._answers:
                await self._answers_lot.park()
            await self.write(b"")

    async def _read_frames(self) -> None:
        rest = b""
        turn = 0
        while True:
            data = await self._secured.read(None)
            turn += 1
            if turn % MESSAGES_PER_TURN == 0:
                await trio.lowlevel.checkpoint()
            if rest:
                data = rest + data
            position, size = 0, len(data)
            while size - position >= _HEADER.size:
                version, kind, flags, stream_id, length = _HEADER.unpack_from(data, position)
                body_size = length if kind == _DATA else 0
                if version or kind > _GO_AWAY or body_size > WINDOW_SIZE:
                    raise ProtocolGarbage(f"a yamux header of version {version}, type {kind}, length {length}")
                start = position + _HEADER.size
                if start + body_size > size:
                    break
                position = start + body_size
                if kind == _GO_AWAY:
                    return
                if kind == _PING:
                    if flags & _SYN:
                        self.answer(_PING, _ACK, 0, length)
                else:
                    increment = length if kind == _WINDOW_UPDATE else 0
                    self._handle(flags, stream_id, data[start:position] if body_size else b"", increment)
            rest = data[position:]

    def _handle(self, flags: int, stream_id: int, body: bytes, increment: int) -> None:
        """One data or window frame."""
        stream = self._streams.get(stream_id)
        if flags & _SYN:
            if stream is not None or not stream_id or stream_id & 1 != self._inbound_parity:
                raise ProtocolGarbage(f"stream {stream_id} opened twice or with the peer's wrong parity")
            inbound_count = sum(1 for known in self._streams if known & 1 == self._inbound_parity)
            if inbound_count >= INBOUND_STREAMS_MAX:
                self.answer(_WINDOW_UPDATE, _RST, stream_id, 0)
                return
            stream = self._streams[stream_id] = YamuxStream(self, stream_id)
            self.answer(_WINDOW_UPDATE, _ACK, stream_id, 0)
            self._accept(stream)
        if stream is None:
            return  # late frames of a stream that we have reset
        if increment:
            stream.give_credit(increment)
        if body:
            stream.take(body)
        if flags & (_FIN | _RST):
            stream.end(is_reset=bool(flags & _RST))
            self.forget_if_done(stream)
