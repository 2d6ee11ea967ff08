"""The address of a node: a multiaddr of a host and a TCP port, read in full before anybody binds or dials it."""

from __future__ import annotations

import ipaddress
import re

from ledger.errors import MutuaError

PORT_MAX = 65_535
DNS_NAME_MAX = 253
SHAPE = re.compile(r"/(ip4|ip6|dns|dns4|dns6)/([^/\s]+)/tcp/(0|[1-9]\d{0,4})", re.ASCII)
DNS_NAME = re.compile(r"(?!-)[a-z0-9_-]{1,63}(?<!-)(\.(?!-)[a-z0-9_-]{1,63}(?<!-))*\.?", re.ASCII | re.IGNORECASE)


def parse_address(address: str) -> tuple[str, int]:
    """Return host and port of a multiaddr on which a node could listen. MutuaError `address_malformed`.

    >>> parse_address("/ip4/127.0.0.1/tcp/4001")
    ('127.0.0.1', 4001)
    """
    found = SHAPE.fullmatch(address)
    if found is None:
        raise _malformed(address, "is not an address")
    kind, host, port = found[1], found[2], int(found[3])
    if port > PORT_MAX:
        raise _malformed(address, f"is not an address: a port is at most {PORT_MAX}")
    if kind.startswith("ip"):
        ip = _ip(kind, host)
        if ip is None:
            raise _malformed(address, f"is not an address: {host!r} is not an {kind[:2].upper()}v{kind[2]} address")
        if ip.is_multicast or ip == ipaddress.IPv4Address("255.255.255.255"):
            raise _malformed(address, "is not an address: it names a group of machines")
    elif len(host) > DNS_NAME_MAX or not DNS_NAME.fullmatch(host) or host.rstrip(".").rpartition(".")[2].isdigit():
        raise _malformed(address, f"is not an address: {host!r} is not a host name")
    return host, port


def check_reachable(address: str) -> None:
    """Raise MutuaError `address_malformed` unless others could dial this address: it names one host and a port."""
    host, port = parse_address(address)
    if port == 0:
        raise _malformed(address, "cannot be dialled: a port is at least 1")
    ip = _ip("ip6" if ":" in host else "ip4", host)
    if ip is not None and (getattr(ip, "ipv4_mapped", None) or ip).is_unspecified:
        raise _malformed(address, f"cannot be dialled: {host} means every address of this machine")


def _ip(kind: str, host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.IPv4Address(host) if kind == "ip4" else ipaddress.IPv6Address(host)
    except ValueError:
        return None


def _malformed(address: str, what: str) -> MutuaError:
    hint = "write it as /ip4/192.0.2.1/tcp/4001 or /dns/host/tcp/4001"
    return MutuaError("address_malformed", f"{address!r} {what}", hint)
