"""The node's place among its peers: who is connected, what waits for whom, who is dialled next, who is refused.

The layers above see frames and 32-byte transport keys. Admission is by the members of the newest final state
(`members`), where to dial by the address book (`peers`). The part that touches libp2p and sockets (`node.p2p.host`)
runs under a supervisor here: a fault in it costs a restart after a short wait, never the daemon. Importing this module
does not import libp2p (about 1 s).
"""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import structlog
import trio
from nacl.signing import SigningKey

from ledger.errors import MutuaError
from node.faults import describe
from node.p2p.frames import CHAIN_ID_SIZE_MAX, FRAME_SIZE_MAX, NONCE_SIZE, PROTOCOL_VERSION, Channel, Hello
from node.p2p.peers import Connection, Handlers, Peer, PeerStatus, Timing

__all__ = ["FRAME_SIZE_MAX", "Channel", "Network", "PeerStatus", "Timing"]

log: Any = structlog.get_logger("mutua.p2p")

STRIKES_MAX = 5  # within Timing.strikes_window_s


class Network:
    """Framed messages with every peer that the members and the address book name."""

    def __init__(
        self,
        *,
        transport_seed: bytes,
        listen: str,
        chain_id: bytes,
        members: Callable[[bytes], bool],
        peers: Callable[[], Mapping[bytes, str]],
        on_frame: Callable[[bytes, Channel, bytes], Awaitable[None]],
        on_peer_up: Callable[[bytes], Awaitable[None]],
        clock_ms: Callable[[], int],
        timing: Timing | None = None,
    ) -> None:
        """`transport_seed` is 32 bytes, `listen` a multiaddr such as /ip4/127.0.0.1/tcp/4001; `timing` is for tests."""
        assert len(chain_id) <= CHAIN_ID_SIZE_MAX, "a chain id is a hash"
        self.key = bytes(SigningKey(transport_seed).verify_key)
        self.timing = timing or Timing()
        self.hello = Hello(PROTOCOL_VERSION, chain_id, secrets.token_bytes(NONCE_SIZE))
        self.handlers = Handlers(on_frame, on_peer_up)
        self.seed = transport_seed
        self._listen = listen
        self._members = members
        self._address_book = peers
        self._clock_ms = clock_ms
        self._peers: dict[bytes, Peer] = {}

    async def run(self, *, task_status: trio.TaskStatus[str] = trio.TASK_STATUS_IGNORED) -> None:
        """Keep the host running; report the address once it listens. MutuaError when it cannot listen at the start."""
        from node.p2p.host import serve

        delay_s = self.timing.restart_min_s
        bound: str | None = None

        def note_bound(address: str) -> None:
            nonlocal bound
            if bound is None:
                bound = address
                task_status.started(address)

        while True:
            started_at = trio.current_time()
            try:
                await serve(self, bound or self._listen, note_bound)
                log.error("p2p_host_ended", hint="restarts by itself")
            except Exception as error:
                if bound is None and isinstance(error, MutuaError):
                    raise
                log.error("p2p_host_failed", error=describe(error), hint="restarts by itself")  # noqa: TRY400
            if trio.current_time() - started_at > 60:
                delay_s = self.timing.restart_min_s
            await trio.sleep(delay_s)
            delay_s = min(delay_s * 2, self.timing.restart_max_s)

    # ---- For the layers above ------------------------------------------------------------------------------------

    def send(self, peer: bytes, channel: Channel, payload: bytes) -> bool:
        """Queue a frame for a connected peer; never blocks. False when it is not connected or its queue is full."""
        if len(payload) > FRAME_SIZE_MAX:
            raise ValueError(f"a frame of {len(payload)} bytes; the limit is {FRAME_SIZE_MAX}")
        record = self._peers.get(peer)
        return record is not None and record.link is not None and record.enqueue(channel, payload)

    def broadcast(self, channel: Channel, payload: bytes) -> int:
        """Queue a frame for every connected peer; the number of peers that took it."""
        return sum(self.send(key, channel, payload) for key in self.connected())

    def connected(self) -> tuple[bytes, ...]:
        """The keys of the connected peers, sorted."""
        return tuple(sorted(key for key, record in self._peers.items() if record.link is not None))

    def strike(self, peer: bytes, reason: str) -> None:
        """Count a fault of a peer; after a few within ten minutes it is disconnected and refused for a while."""
        record = self._peers.get(peer)
        if record is None:
            return
        now = trio.current_time()
        times = record.strike_times
        while times and now - times[0] > self.timing.strikes_window_s:
            times.popleft()
        times.append(now)
        log.warning("peer_struck", peer=peer.hex()[:16], reason=reason, strikes=len(times))
        if len(times) >= STRIKES_MAX:
            self.ban(peer, reason)

    def ban(self, peer: bytes, reason: str) -> None:
        """Disconnect a peer and refuse it for `Timing.ban_s`, at once."""
        record = self._peers.get(peer)
        if record is None:
            return
        now = trio.current_time()
        if record.banned_until <= now:
            log.warning("peer_banned", peer=peer.hex()[:16], reason=reason, seconds=self.timing.ban_s)
        record.banned_until = now + self.timing.ban_s
        if not record.strike_times:
            record.strike_times.append(now)
        if record.link is not None:
            record.link.end(f"banned: {reason}")

    def status(self) -> tuple[PeerStatus, ...]:
        """One entry for each peer of the address book or seen since the start, sorted by key."""
        self.refresh_address_book()
        return tuple(self._peers[key].status() for key in sorted(self._peers))

    # ---- For the host and its links ------------------------------------------------------------------------------

    def is_admitted(self, key: bytes) -> bool:
        """Whether a proven key may talk to us now."""
        if key == self.key or not self._members(key):
            return False
        record = self._peers.get(key)
        return record is None or record.banned_until <= trio.current_time()

    def refresh_address_book(self) -> None:
        """Take up new peers and new addresses."""
        for key, address in self._address_book().items():
            if key != self.key:
                self.peer(key).address = address

    def peer(self, key: bytes) -> Peer:
        """The record of a peer; made when it is first needed. Only admitted keys and the address book come here."""
        record = self._peers.get(key)
        if record is None:
            record = self._peers[key] = Peer(key, "", self._clock_ms())
        return record

    def dial_candidates(self) -> tuple[Peer, ...]:
        """Admitted peers with an address and no connection."""
        free = (item for item in self._peers.values() if item.link is None and not item.is_dialling and item.address)
        return tuple(record for record in free if self.is_admitted(record.key))

    def link_up(self, link: Connection) -> bool:
        """Enter a link whose hellos are exchanged; False when the link that exists is the one to keep.

        Two links arise when both sides dial at once; both sides keep the one dialled by the smaller key. A link from a
        peer that has restarted (its nonce is new), or a second one from the same side, replaces what must be a dead
        one.
        """
        record, old = link.peer, link.peer.link
        if not self.is_admitted(record.key):
            return False  # banned, or no longer a member, since its handshake
        if old is not None:
            is_second_dial = old.peer_nonce == link.peer_nonce and old.is_dialler != link.is_dialler
            if is_second_dial and old.is_dialler == (self.key < record.key):
                return False
            old.end("replaced by a newer connection")
        else:
            record.since_ms = self._clock_ms()
            log.info("peer_connected", peer=record.key.hex()[:16], dialled=link.is_dialler)
        record.link = link
        record.dial_delay_s = 0.0
        return True

    def link_down(self, link: Connection) -> None:
        """Forget a link that has ended."""
        record = link.peer
        if record.link is link:
            record.link = None
            record.clear_queue()
            record.since_ms = self._clock_ms()
            log.info("peer_disconnected", peer=record.key.hex()[:16], reason=link.end_reason or "closed by us")

    def note_refusal(self, key: bytes | None, reason: str) -> None:
        """Log a refused peer. Strangers make themselves keys as they like: in the log they are one peer."""
        name = key.hex()[:16] if key else "unknown"
        log.warning("peer_refused", peer=name if key in self._peers else "stranger", key=name, reason=reason)
