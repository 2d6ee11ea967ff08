"""What py-libp2p 0.8.1 needs before it may face a peer that we do not fully trust, and what of it is used at all.

Used: peer ids and keys, multistream-select, the Noise handshake and session. Not used: Swarm, BasicHost, Pubsub,
identify and the TCP listener. Measured on the stock parts: one undecodable pubsub frame, one bad key or one exception
in a stream handler ends the whole host; 250 inbound connections in a life time lock it for ever; the listener shares
its port with any second process (SO_REUSEPORT) and runs in a system task, where a fault ends the program; each task
costs a scan over all tasks. A connection here is one task with a nursery of its own (`node.p2p.link`), so none of this
has a place to happen, and what is left of the library is guarded by the functions below. The version is pinned exactly;
each guard has its test.
"""

from __future__ import annotations

import logging
from collections.abc import Callable

import trio
from libp2p.abc import IRawConnection, ISecureConn
from libp2p.connection_types import ConnectionType
from libp2p.crypto.ed25519 import create_new_key_pair
from libp2p.crypto.x25519 import create_new_key_pair as create_new_noise_key_pair
from libp2p.custom_types import TProtocol
from libp2p.io.exceptions import ConnectionClosedError
from libp2p.peer.id import ID
from libp2p.protocol_muxer.multiselect import Multiselect
from libp2p.protocol_muxer.multiselect_client import MultiselectClient
from libp2p.protocol_muxer.multiselect_communicator import MultiselectCommunicator
from libp2p.security.exceptions import HandshakeFailure
from libp2p.security.noise.transport import PROTOCOL_ID as NOISE_ID
from libp2p.security.noise.transport import Transport as Noise
from multiaddr import Multiaddr

from node.p2p.yamux import PROTOCOL_ID as YAMUX_ID

READ_SIZE = 64 * 1024
_KEY_PREFIX = bytes.fromhex("002408011220")  # multihash identity, 36 bytes: protobuf of an Ed25519 key


def peer_id_of_key(key: bytes) -> ID:
    """The libp2p peer id of a 32-byte transport key; it holds the key itself."""
    return ID(_KEY_PREFIX + key)


def key_of_peer_id(peer_id: ID) -> bytes | None:
    """The 32-byte transport key inside a peer id; None for other kinds of keys."""
    raw = peer_id.to_bytes()
    return raw[len(_KEY_PREFIX) :] if len(raw) == len(_KEY_PREFIX) + 32 and raw.startswith(_KEY_PREFIX) else None


class GatedNoise(Noise):
    """Noise that ends the handshake with everyone who is not allowed, in both directions.

    Reason: libp2p's own gates know addresses only, and every parser behind the handshake is attack surface.
    """

    def __init__(self, seed: bytes, is_allowed: Callable[[bytes], bool]) -> None:
        super().__init__(create_new_key_pair(seed), create_new_noise_key_pair().private_key)
        self._is_allowed = is_allowed

    async def secure_inbound(self, conn: IRawConnection) -> ISecureConn:
        """Handshake as the listener, then the gate."""
        return self._check(await super().secure_inbound(conn))

    async def secure_outbound(self, conn: IRawConnection, peer_id: ID) -> ISecureConn:
        """Handshake as the dialler, then the gate."""
        return self._check(await super().secure_outbound(conn, peer_id))

    def _check(self, secured: ISecureConn) -> ISecureConn:
        key = key_of_peer_id(secured.get_remote_peer())
        if key is None or not self._is_allowed(key):
            raise NotAdmitted(key)
        return secured


class NotAdmitted(HandshakeFailure):
    """The handshake proved a key that is not a member's, or that is banned."""

    def __init__(self, key: bytes | None) -> None:
        super().__init__("not a member" if key is None else f"{key.hex()[:16]} is not admitted")
        self.key = key


class SocketConnection(IRawConnection):
    """A TCP stream as libp2p wants it, with a read buffer.

    Reason: the library reads a 2-byte length and then a body, two system calls per message, gives up on a message that
    arrives in more than a hundred pieces, and reads a hundred times from a connection that has ended before it says so.
    """

    def __init__(self, stream: trio.SocketStream, *, is_initiator: bool) -> None:
        self.is_initiator = is_initiator
        self._stream = stream
        self._buffer = bytearray()
        self._position = 0

    async def read(self, n: int | None = None) -> bytes:
        """Exactly `n` bytes. Raises ConnectionClosedError when the connection ends before."""
        assert n is not None, "the library always says how much it wants"
        while len(self._buffer) - self._position < n:
            if self._position:
                del self._buffer[: self._position]
                self._position = 0
            try:
                data = await self._stream.receive_some(READ_SIZE)
            except (trio.BrokenResourceError, trio.ClosedResourceError) as error:
                raise ConnectionClosedError("the connection broke") from error
            if not data:
                raise ConnectionClosedError("the peer closed the connection")
            self._buffer += data
        start = self._position
        self._position += n
        return bytes(self._buffer[start : self._position])

    async def write(self, data: bytes) -> None:
        """Send all of `data`."""
        try:
            await self._stream.send_all(data)
        except (trio.BrokenResourceError, trio.ClosedResourceError) as error:
            raise ConnectionClosedError("the connection broke") from error

    async def close(self) -> None:
        """Close the socket."""
        await trio.aclose_forcefully(self._stream)

    def get_remote_address(self) -> tuple[str, int] | None:
        """IP and port of the other end, None once it is gone."""
        try:
            name = self._stream.socket.getpeername()
        except OSError:
            return None
        return str(name[0]), int(name[1])

    def get_transport_addresses(self) -> list[Multiaddr]:
        """Nobody asks; the address book is ours."""
        return []

    def get_connection_type(self) -> ConnectionType:
        """Always direct: there are no relays here."""
        return ConnectionType.DIRECT


async def secure(noise: GatedNoise, conn: SocketConnection, peer_key: bytes | None) -> tuple[ISecureConn, bytes]:
    """Agree on Noise and yamux with the peer dialled, None for an inbound one; return the connection and its key."""
    if peer_key is None:
        await answer_protocol(conn, str(NOISE_ID))
        secured = await noise.secure_inbound(conn)
    else:
        await ask_protocol(conn, str(NOISE_ID))
        secured = await noise.secure_outbound(conn, peer_id_of_key(peer_key))
    key = key_of_peer_id(secured.get_remote_peer())
    assert key is not None, "the gate lets only Ed25519 keys through"
    await (answer_protocol if peer_key is None else ask_protocol)(secured, YAMUX_ID)
    return secured, key


async def ask_protocol(conn: object, protocol: str) -> None:
    """Multistream-select as the side that proposes. Raises the library's errors when the peer refuses."""
    communicator = MultiselectCommunicator(conn)  # type: ignore[arg-type]
    await MultiselectClient().select_one_of([TProtocol(protocol)], communicator)


async def answer_protocol(conn: object, protocol: str) -> None:
    """Multistream-select as the side that answers: `protocol` and nothing else."""
    communicator = MultiselectCommunicator(conn)  # type: ignore[arg-type]
    await Multiselect({TProtocol(protocol): None}).negotiate(communicator)


def quiet_loggers() -> None:
    """libp2p says nothing below an error, and a peer's garbage is not our error.

    Reason: the library logs what hostile bytes make it think, at ERROR and with tracebacks. Faults that matter are
    logged by us.
    """
    logging.getLogger("libp2p").setLevel(logging.WARNING)
    for noisy in ("security", "protocol_muxer", "io", "transport"):
        logging.getLogger(f"libp2p.{noisy}").setLevel(logging.CRITICAL)
