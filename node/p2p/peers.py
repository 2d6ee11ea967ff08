"""What the network remembers of a peer between connections: waiting frames, counters, strikes, the next dial."""

from __future__ import annotations

from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Protocol

import trio

from node.p2p.frames import Channel, encode_frame

QUEUE_FRAMES_MAX = 4096
QUEUE_BYTES_MAX = 32 * 1024 * 1024
BATCH_BYTES = 60_000  # small frames travel together, one yamux frame and one Noise message for all of them


@dataclass(frozen=True, slots=True)
class PeerStatus:
    """One line of `mutua status`: who, where, since when (ms), how much, and how well behaved."""

    key: bytes
    address: str
    is_connected: bool
    since_ms: int
    sent_frames: int
    received_frames: int
    dropped_frames: int
    strikes: int


@dataclass(frozen=True, slots=True)
class Timing:
    """The deadlines of the transport, in seconds; the defaults suit round trips of a few to a few hundred ms."""

    handshake_s: float = 6.0  # from the TCP connection to both hellos
    write_s: float = 10.0  # one batch of frames
    ping_after_s: float = 1.5  # silence after which we ask
    silence_max_s: float = 5.0  # silence after which the peer is dropped
    dial_min_s: float = 0.3
    dial_max_s: float = 8.0
    yield_s: float = 0.7  # the peer with the larger key leaves the first dial to the other one
    ban_s: float = 120.0
    strikes_window_s: float = 600.0  # older strikes are forgotten
    restart_min_s: float = 0.5
    restart_max_s: float = 8.0


@dataclass(frozen=True, slots=True)
class Handlers:
    """Whom frames and connections are reported to."""

    on_frame: Callable[[bytes, Channel, bytes], Awaitable[None]]
    on_peer_up: Callable[[bytes], Awaitable[None]]


class Connection(Protocol):
    """A peer's link, as its record and the network see it: `node.p2p.link.Link`."""

    peer: Peer
    peer_nonce: bytes
    is_dialler: bool
    end_reason: str

    def end(self, reason: str) -> None:
        """End the link soon; callable from anywhere."""
        ...


@dataclass(eq=False, slots=True)
class Peer:
    """The mutable record of one peer."""

    key: bytes
    address: str
    since_ms: int
    link: Connection | None = None
    queues: tuple[deque[bytes], ...] = field(default_factory=lambda: tuple(deque[bytes]() for _ in Channel))
    queue_frames: int = 0
    queue_bytes: int = 0
    wake: trio.lowlevel.ParkingLot = field(default_factory=trio.lowlevel.ParkingLot)
    sent_frames: int = 0
    received_frames: int = 0
    dropped_frames: int = 0
    strike_times: deque[float] = field(default_factory=lambda: deque[float](maxlen=64))
    banned_until: float = 0.0
    is_dialling: bool = False
    dial_at: float = 0.0
    dial_delay_s: float = 0.0
    refusal: str = ""

    def status(self) -> PeerStatus:
        """A frozen picture of the record."""
        counts = (self.sent_frames, self.received_frames, self.dropped_frames, len(self.strike_times))
        return PeerStatus(self.key, self.address, self.link is not None, self.since_ms, *counts)

    # ---- The queue of frames that wait to be sent ----------------------------------------------------------------

    def enqueue(self, channel: Channel, payload: bytes) -> bool:
        """Add a frame unless a bound is reached; wakes the writer."""
        if self.queue_frames >= QUEUE_FRAMES_MAX or self.queue_bytes + len(payload) > QUEUE_BYTES_MAX:
            self.dropped_frames += 1
            return False
        self.queues[channel - 1].append(payload)
        self.queue_frames += 1
        self.queue_bytes += len(payload)
        self.wake.unpark_all()
        return True

    def next_batch(self) -> bytes:
        """The frames that leave with the next write, in the order of the channels; b"" when none waits."""
        parts: list[bytes] = []
        size = 0
        for index, queue in enumerate(self.queues):
            while queue and (not parts or size + len(queue[0]) < BATCH_BYTES):
                payload = queue.popleft()
                size += len(payload) + 5
                self.queue_frames -= 1
                self.queue_bytes -= len(payload)
                self.sent_frames += 1
                parts.append(encode_frame(index + 1, payload))
            if queue:
                break  # a later channel never overtakes
        return b"".join(parts)

    def clear_queue(self) -> None:
        """Forget the waiting frames of a connection that is gone; the layers above send again what still matters."""
        self.dropped_frames += self.queue_frames
        for queue in self.queues:
            queue.clear()
        self.queue_frames = self.queue_bytes = 0
