"""The part that opens sockets: one listener, one dialling loop, and a task for each connection, all in one nursery.

A fault of one connection ends in its own task. What still gets out ends `serve`, which the supervisor in
`node.p2p.network` starts again.
"""

from __future__ import annotations

import errno
import random
from collections import defaultdict, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import structlog
import trio

from ledger.addresses import parse_address
from ledger.errors import MutuaError
from node.p2p.hardening import GatedNoise, NotAdmitted, SocketConnection, quiet_loggers, secure
from node.p2p.link import Link, LinkOwner, LinkRefused
from node.p2p.peers import Connection, Handlers, Peer

log: Any = structlog.get_logger("mutua.p2p")

DIAL_LOOK_S = 0.1  # how often the dialling loop looks for somebody to dial
PENDING_PER_IP_MAX = 32  # connections of one address that have not proved a key yet
PENDING_MAX = 256
PENDING_GRACE_S = 1.0  # an honest handshake takes a quarter of this
ACCEPT_BURST = 200  # connections of one address at once, and
ACCEPT_PER_SECOND = 20  # what it may open for ever
CLOSE_S = 1.0
ADDRESSES_REMEMBERED_MAX = 4096


class HostOwner(LinkOwner, Protocol):
    """What the host needs of the network."""

    key: bytes
    seed: bytes
    handlers: Handlers

    def peer(self, key: bytes) -> Peer:
        """Return the record of a peer."""
        ...

    def refresh_address_book(self) -> None:
        """Take up new peers and new addresses."""
        ...

    def dial_candidates(self) -> Sequence[Peer]:
        """Return admitted peers with an address and no connection."""
        ...

    def link_down(self, link: Connection) -> None:
        """Forget a link that has ended."""
        ...

    def note_refusal(self, key: bytes | None, reason: str) -> None:
        """Log a refused peer."""
        ...


async def serve(network: HostOwner, listen: str, note_bound: Callable[[str], None]) -> None:
    """Listen, dial and serve until cancelled. Raises MutuaError when `listen` is not usable."""
    quiet_loggers()
    host = _Host(network)
    listeners = await _open_listeners(listen)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(_serve_listeners, host, listeners, nursery)
        note_bound(_address_of(listeners[0]))
        await host.dial_for_ever(nursery)


async def _serve_listeners(host: _Host, listeners: list[trio.SocketListener], nursery: trio.Nursery) -> None:
    await trio.serve_listeners(host.accept, listeners, handler_nursery=nursery)


@dataclass(eq=False, slots=True)
class _Pending:
    """A connection that has not proved a key yet."""

    scope: trio.CancelScope = field(default_factory=trio.CancelScope)
    since: float = field(default_factory=trio.current_time)


class ConnectionLimiter:
    """Counts what each address opens: an attacker's own connections give way first."""

    def __init__(self) -> None:
        self._pending: dict[str, deque[_Pending]] = defaultdict(deque)
        self._pending_count = 0
        self._tokens: dict[str, tuple[float, float]] = {}

    def admit(self, ip: str) -> _Pending | None:
        """Return a place for a new connection, freeing the oldest of its address if need be; None beyond its share."""
        now = trio.current_time()
        if not self._take_token(ip, now):
            return None
        waiting = self._pending[ip]
        if len(waiting) >= PENDING_PER_IP_MAX or self._pending_count >= PENDING_MAX:
            if not waiting or now - waiting[0].since < PENDING_GRACE_S:
                self._drop_empty(ip)
                return None
            oldest = waiting[0]
            self.prove(ip, oldest)
            oldest.scope.cancel()
        place = _Pending()
        self._pending[ip].append(place)
        self._pending_count += 1
        return place

    def prove(self, ip: str, place: _Pending) -> None:
        """The connection has proved its key, or is gone: it no longer counts, and goes on."""
        waiting = self._pending.get(ip)
        if waiting is not None and place in waiting:
            waiting.remove(place)
            self._pending_count -= 1
            self._drop_empty(ip)

    def _drop_empty(self, ip: str) -> None:
        if not self._pending[ip]:
            del self._pending[ip]

    def _take_token(self, ip: str, now: float) -> bool:
        tokens, since = self._tokens.get(ip, (float(ACCEPT_BURST), now))
        tokens = min(float(ACCEPT_BURST), tokens + (now - since) * ACCEPT_PER_SECOND)
        if len(self._tokens) > ADDRESSES_REMEMBERED_MAX:
            self._tokens.clear()
        self._tokens[ip] = (tokens - 1 if tokens >= 1 else tokens, now)
        return tokens >= 1


class _Host:
    def __init__(self, network: HostOwner) -> None:
        self.network = network
        self.noise = GatedNoise(network.seed, network.is_admitted)
        self.limiter = ConnectionLimiter()

    # ---- Inbound -------------------------------------------------------------------------------------------------

    async def accept(self, stream: trio.SocketStream) -> None:
        """One inbound connection, from the first byte to the end."""
        connection = SocketConnection(stream, is_initiator=False)
        remote = connection.get_remote_address()
        ip = remote[0] if remote else "gone"
        place = self.limiter.admit(ip)
        if place is None:
            await connection.close()
            return
        try:
            with place.scope:
                await self._serve(connection, None, lambda: self.limiter.prove(ip, place))
        finally:
            self.limiter.prove(ip, place)

    # ---- Outbound ------------------------------------------------------------------------------------------------

    async def dial_for_ever(self, nursery: trio.Nursery) -> None:
        """Look again and again for members without a connection whose time has come."""
        network, timing = self.network, self.network.timing
        while True:
            network.refresh_address_book()
            now = trio.current_time()
            for record in network.dial_candidates():
                if record.dial_delay_s == 0.0:  # first time, or connected until now
                    record.dial_delay_s = timing.dial_min_s
                    jitter_s = random.uniform(0, timing.dial_min_s)  # noqa: S311
                    record.dial_at = now + jitter_s + (0.0 if network.key < record.key else timing.yield_s)
                elif record.dial_at <= now:
                    record.is_dialling = True
                    nursery.start_soon(self._dial, record)
            await trio.sleep(DIAL_LOOK_S)

    async def _dial(self, record: Peer) -> None:
        """Dial one peer once and serve the connection; the back-off doubles until a link has been up."""
        timing = self.network.timing
        try:
            host, port = parse_address(record.address)
            stream: trio.SocketStream | None = None
            try:
                with trio.move_on_after(timing.handshake_s):
                    stream = await trio.open_tcp_stream(host, port)
            except OSError as error:
                record.refusal = str(error)
            if stream is not None:
                await self._serve(SocketConnection(stream, is_initiator=True), record.key, lambda: None)
        except MutuaError as error:
            self.network.note_refusal(record.key, str(error))
        finally:
            record.is_dialling = False
            if record.dial_delay_s:
                record.dial_at = trio.current_time() + record.dial_delay_s * random.uniform(0.8, 1.2)  # noqa: S311
                record.dial_delay_s = min(record.dial_delay_s * 2, timing.dial_max_s)

    # ---- Both ----------------------------------------------------------------------------------------------------

    async def _serve(self, connection: SocketConnection, key: bytes | None, note_proved: Callable[[], None]) -> None:
        """Secure a connection and serve it until it ends. Nothing but cancellation gets out of here."""
        network = self.network
        link: Link | None = None
        try:
            with trio.fail_after(network.timing.handshake_s):
                secured, proved = await secure(self.noise, connection, key)
            note_proved()
            link = Link(network, network.handlers, network.peer(proved), secured, is_dialler=key is not None)
            await link.run()
        except NotAdmitted as error:
            network.note_refusal(error.key, "not a member, or banned")
        except LinkRefused as error:
            network.note_refusal(link.peer.key if link else key, str(error))
            if link is not None:
                link.peer.dial_delay_s = network.timing.dial_max_s
        except Exception as error:
            peer = key.hex()[:16] if key else "unknown"
            log.debug("connection_failed", peer=peer, error=f"{type(error).__name__}: {error}")
        finally:
            if link is not None:
                network.link_down(link)
            with trio.move_on_after(CLOSE_S, shield=True):
                await connection.close()


# ---- Addresses ---------------------------------------------------------------------------------------------------


async def _open_listeners(listen: str) -> list[trio.SocketListener]:
    host, port = parse_address(listen)
    try:
        return await trio.open_tcp_listeners(port, host=host)
    except OSError as error:
        in_use = error.errno == errno.EADDRINUSE or "in use" in str(error)
        code = "port_in_use" if in_use else "address_unusable"
        what = f"port {port} on {host} is in use" if in_use else f"cannot listen on {listen}: {error}"
        raise MutuaError(code, what, "stop the other program or change `listen` in config.toml") from error


def _address_of(listener: trio.SocketListener) -> str:
    name = listener.socket.getsockname()
    return f"/{'ip6' if ':' in name[0] else 'ip4'}/{name[0]}/tcp/{name[1]}"
