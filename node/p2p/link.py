"""One connection to one peer, from the secured socket to its end: a task with a nursery of its own.

Each side opens its own outgoing stream `/mutua/frames/1` and says hello on it; the link is up when both hellos are
there. Then one task writes, one reads, two hand frames up and one watches for silence. Whatever goes wrong in any of
them ends this link and nothing else.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

import structlog
import trio
from libp2p.abc import ISecureConn

from ledger.errors import MalformedBytes
from node.faults import describe, leaves
from node.p2p import frames as wire
from node.p2p.frames import Channel
from node.p2p.hardening import answer_protocol, ask_protocol
from node.p2p.peers import Connection, Handlers, Peer, Timing
from node.p2p.yamux import ProtocolGarbage, YamuxSession, YamuxStream

log: Any = structlog.get_logger("mutua.p2p")

FRAMES_PROTOCOL = "/mutua/frames/1"
READ_SIZE_MAX = 64 * 1024
INBOX_FRAMES_MAX = 2048  # frames that wait for the layer above; then we stop reading, and the peer has to wait
INBOX_BYTES_MAX = 16 * 1024 * 1024
FRAMES_PER_SECOND_MAX = 4000  # what one peer may keep this node busy with, in the long run
FRAMES_BURST_MAX = 8000
FRAMES_PER_TURN = 32  # after this many frames of one peer the others get their turn
PINGS_PER_SECOND_MAX = 50  # an honest peer sends less than one
FAREWELL_S = 0.2  # time for our own hello to leave, so that both sides can log the true reason
WATCH_S = 0.5


class LinkRefused(Exception):
    """The peer cannot be talked to: another chain, another version."""


class LinkOwner(Protocol):
    """What a link needs of the network."""

    hello: wire.Hello
    timing: Timing

    def link_up(self, link: Connection) -> bool:
        """Enter the link; False when another link to the peer is the one to keep."""
        ...

    def is_admitted(self, key: bytes) -> bool:
        """Whether the peer is a member and not banned."""
        ...

    def strike(self, peer: bytes, reason: str) -> None:
        """Count a fault of the peer."""
        ...

    def ban(self, peer: bytes, reason: str) -> None:
        """Refuse the peer for a while."""
        ...


@dataclass(eq=False, slots=True)
class Inbox:
    """Frames that have arrived and wait for the layer above."""

    frames: deque[tuple[Channel, bytes]] = field(default_factory=deque[tuple[Channel, bytes]])
    size_bytes: int = 0
    arrived: trio.lowlevel.ParkingLot = field(default_factory=trio.lowlevel.ParkingLot)

    @property
    def is_full(self) -> bool:
        """Whether the reader has to wait."""
        return len(self.frames) >= INBOX_FRAMES_MAX or self.size_bytes >= INBOX_BYTES_MAX


class Link:
    """The state of one connection."""

    def __init__(
        self, owner: LinkOwner, handlers: Handlers, peer: Peer, secured: ISecureConn, *, is_dialler: bool
    ) -> None:
        self.peer = peer
        self.is_dialler = is_dialler
        self.peer_nonce = bytes(wire.NONCE_SIZE)
        self.end_reason = ""
        self._owner = owner
        self._handlers = handlers
        self._session = YamuxSession(secured, is_initiator=is_dialler, accept=self._accept)
        self._scope = trio.CancelScope()
        self._nursery: trio.Nursery | None = None
        self._hello_arrived = trio.Event()
        self._has_inbound = False
        self._votes, self._others = Inbox(), Inbox()
        self._room = trio.lowlevel.ParkingLot()
        self._heard_at = trio.current_time()
        self._pings_at: deque[float] = deque(maxlen=PINGS_PER_SECOND_MAX)
        self._control_due: dict[bytes, bytes] = {}  # at most one ping and one pong wait
        self._tokens = float(FRAMES_BURST_MAX)
        self._tokens_at = self._heard_at

    def end(self, reason: str) -> None:
        """End the link soon; callable from anywhere."""
        self.end_reason = self.end_reason or reason
        self._scope.cancel()

    async def run(self) -> None:
        """Serve the connection until it ends; `end_reason` says why. Raises LinkRefused and nothing else."""
        refused: LinkRefused | None = None
        try:
            with self._scope:
                async with trio.open_nursery() as nursery:
                    self._nursery = nursery
                    nursery.start_soon(self._until_the_end, self._session.run)
                    nursery.start_soon(self._until_the_end, self._open)
        except* Exception as group:
            for error in leaves(group):
                self.end_reason = self.end_reason or f"{type(error).__name__}: {error}"
                if isinstance(error, LinkRefused):
                    refused = error
                elif isinstance(error, ProtocolGarbage | MalformedBytes):
                    self._owner.ban(self.peer.key, str(error))
        if refused is not None:
            raise refused

    async def _until_the_end(self, task: Callable[[], Awaitable[None]]) -> None:
        """Run a task whose end is the end of the link."""
        await task()
        self.end("the peer closed the connection")

    # ---- Opening -------------------------------------------------------------------------------------------------

    async def _open(self) -> None:
        with trio.fail_after(self._owner.timing.handshake_s):
            stream = self._session.open_stream()
            await ask_protocol(stream, FRAMES_PROTOCOL)
            await stream.write(wire.encode_frame(wire.CONTROL, wire.encode_hello(self._owner.hello)))
            await self._hello_arrived.wait()
        if not self._owner.link_up(self):
            self.end("another connection to this peer is kept")
            return
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._until_the_end, lambda: self._write(stream))
            nursery.start_soon(self._report)
            nursery.start_soon(self._watch)

    def _accept(self, stream: YamuxStream) -> None:
        """A stream that the peer has opened."""
        assert self._nursery is not None, "the session runs inside the nursery"
        self._nursery.start_soon(self._serve_inbound, stream)

    async def _serve_inbound(self, stream: YamuxStream) -> None:
        """Answer for our one protocol; the first stream that asks for it is the peer's outgoing one."""
        try:
            with trio.fail_after(self._owner.timing.handshake_s):
                await answer_protocol(stream, FRAMES_PROTOCOL)
        except trio.TooSlowError:
            raise
        except Exception:
            await stream.reset()  # a stock peer that asked for identify and went away; its other streams are untouched
            return
        if self._has_inbound:
            raise ProtocolGarbage("a second frame stream")
        self._has_inbound = True
        await self._until_the_end(lambda: self._read(stream))

    # ---- Reading -------------------------------------------------------------------------------------------------

    async def _read(self, stream: YamuxStream) -> None:
        reader = wire.FrameReader()
        votes, others = self._votes, self._others
        while True:
            frames = reader.feed(await stream.read(READ_SIZE_MAX))
            self._heard_at = trio.current_time()
            for number, payload in frames:
                channel = wire.CHANNELS[number]
                if channel is None:
                    await self._take_control(payload)
                    continue
                if not self._hello_arrived.is_set():
                    raise ProtocolGarbage("frames before the hello")
                inbox = votes if channel is Channel.CONSENSUS else others
                inbox.frames.append((channel, payload))
                inbox.size_bytes += len(payload)
            if votes.frames:
                votes.arrived.unpark()
            if others.frames:
                others.arrived.unpark()
            while votes.is_full or others.is_full:
                await self._room.park()

    async def _take_control(self, payload: bytes) -> None:
        if payload == wire.PONG:
            return
        if payload == wire.PING:
            now = trio.current_time()
            if len(self._pings_at) == PINGS_PER_SECOND_MAX and now - self._pings_at[0] < 1:
                raise ProtocolGarbage("a flood of pings")
            self._pings_at.append(now)
            self._control_due[wire.PONG] = wire.encode_frame(wire.CONTROL, wire.PONG)
            self.peer.wake.unpark_all()
            return
        if self._hello_arrived.is_set():
            raise ProtocolGarbage("a second hello, or a control frame of an unknown kind")
        hello = wire.decode_hello(payload)
        ours = self._owner.hello
        if hello.chain_id != ours.chain_id or hello.version != wire.PROTOCOL_VERSION:
            await trio.sleep(FAREWELL_S)
            if hello.chain_id != ours.chain_id:
                theirs, own = hello.chain_id.hex()[:16], ours.chain_id.hex()[:16]
                raise LinkRefused(f"another chain: the peer is on {theirs}, this node on {own}")
            raise LinkRefused(f"another version: the peer speaks {hello.version}, this node {wire.PROTOCOL_VERSION}")
        self.peer_nonce = hello.nonce
        self._hello_arrived.set()

    # ---- Handing up ----------------------------------------------------------------------------------------------

    async def _report(self) -> None:
        """Report the peer, then its frames: votes on a way of their own, so that a block being stored delays none."""
        await self._contained(self._handlers.on_peer_up, self.peer.key)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._hand_up, self._votes)
            nursery.start_soon(self._hand_up, self._others)

    async def _hand_up(self, inbox: Inbox) -> None:
        frames, key = inbox.frames, self.peer.key
        while True:
            while not frames:
                await inbox.arrived.park()
            count = 0
            while frames and count < FRAMES_PER_TURN:
                channel, payload = frames.popleft()
                inbox.size_bytes -= len(payload)
                count += 1
                await self._contained(self._handlers.on_frame, key, channel, payload)
            self.peer.received_frames += count
            self._room.unpark_all()
            if frames:
                await self._pace(count)

    async def _pace(self, count: int) -> None:
        """A token bucket: a peer that sends faster than the limit for long is served at the limit."""
        now = trio.current_time()
        self._tokens = min(FRAMES_BURST_MAX, self._tokens + (now - self._tokens_at) * FRAMES_PER_SECOND_MAX) - count
        self._tokens_at = now
        await trio.sleep(max(0.0, -self._tokens / FRAMES_PER_SECOND_MAX))

    async def _contained(self, handler: Callable[..., Awaitable[None]], *args: object) -> None:
        """Call the layer above. Its faults stay here: malformed bytes are the peer's, all else is ours and logged."""
        try:
            await handler(*args)
        except MalformedBytes as error:
            self._owner.strike(self.peer.key, str(error))
        except Exception as error:
            log.error("frame_handler_failed", peer=self.peer.key.hex()[:16], error=describe(error))  # noqa: TRY400

    # ---- Writing and watching ------------------------------------------------------------------------------------

    async def _write(self, stream: YamuxStream) -> None:
        peer, due, write_s = self.peer, self._control_due, self._owner.timing.write_s
        while True:
            batch = peer.next_batch()
            if due:
                batch = b"".join((*due.values(), batch))
                due.clear()
            if not batch:
                await peer.wake.park()
                continue
            with trio.fail_after(write_s):
                await stream.write(batch)

    async def _watch(self) -> None:
        """Ask when the peer is silent, end the link when it stays so or is no longer admitted."""
        timing = self._owner.timing
        checked_at = trio.current_time()
        while True:
            await trio.sleep(min(WATCH_S, timing.ping_after_s / 2))
            now = trio.current_time()
            if now - checked_at > timing.silence_max_s / 2 or self._votes.is_full or self._others.is_full:
                self._heard_at = now  # it was we who did not listen
            checked_at = now
            silence_s = now - self._heard_at
            if silence_s > timing.silence_max_s:
                self.end(f"silent for {silence_s:.1f} s")
            elif silence_s > timing.ping_after_s and wire.PING not in self._control_due:
                self._control_due[wire.PING] = wire.encode_frame(wire.CONTROL, wire.PING)
                self.peer.wake.unpark_all()
            if not self._owner.is_admitted(self.peer.key):
                self.end("no longer admitted")
