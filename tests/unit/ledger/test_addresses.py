"""Addresses are parsed, not trusted: what a socket would take for another one is refused where it is written."""

from __future__ import annotations

import socket

import pytest

from ledger.addresses import check_reachable, parse_address
from ledger.errors import MutuaError

NO_ADDRESSES = (
    "/ip4/127.0.0.1/tcp/99999",  # a socket would take 34463
    "/ip4/127.0.0.1/tcp/65536",
    "/ip4/127.0.0.1/tcp/04001",
    "/ip4/127.0.0.1/tcp/٤٠٠١",
    "/ip4/127.0.0.1/tcp/",
    "/ip4/127.0.0.1/tcp/-1",
    "/ip4/999.1.1.1/tcp/4001",
    "/ip4/127.1/tcp/4001",  # a resolver would take 127.0.0.1
    "/ip4/0127.0.0.1/tcp/4001",
    "/ip4/localhost/tcp/4001",
    "/ip4/::1/tcp/4001",
    "/ip6/127.0.0.1/tcp/4001",
    "/ip4/224.0.0.1/tcp/4001",
    "/ip4/255.255.255.255/tcp/4001",
    "/ip6/ff02::1/tcp/4001",
    "/dns/999.1.1.1/tcp/4001",
    "/dns/-host/tcp/4001",
    "/dns/a..b/tcp/4001",
    f"/dns/{'a' * 64}/tcp/4001",
    "/dns/a b/tcp/4001",
    "/ip4/127.0.0.1/tcp/4001/ws",
    "/ip4/127.0.0.1/tcp/4001\n",
    "/ip4/127.0.0.1/udp/1/quic-v1",
    "/ip4/127.0.0.1",
    "127.0.0.1:4001",
    "",
)


@pytest.mark.parametrize("address", NO_ADDRESSES)
def test_what_is_no_address_is_named(address):
    for check in (parse_address, check_reachable):
        with pytest.raises(MutuaError, match="is not an address"):
            check(address)


@pytest.mark.parametrize(
    ("address", "host", "port"),
    [
        ("/ip4/192.0.2.7/tcp/1", "192.0.2.7", 1),
        ("/ip6/2001:db8::1/tcp/65535", "2001:db8::1", 65_535),
        ("/dns/node.example.org/tcp/4001", "node.example.org", 4001),
        ("/dns4/a-b_c.example./tcp/4001", "a-b_c.example.", 4001),
    ],
)
def test_an_address_of_one_host_can_be_listened_on_and_dialled(address, host, port):
    check_reachable(address)
    assert parse_address(address) == (host, port)


@pytest.mark.parametrize(
    "address",
    ["/ip4/0.0.0.0/tcp/4001", "/ip6/::/tcp/4001", "/ip6/::ffff:0.0.0.0/tcp/4001", "/ip4/127.0.0.1/tcp/0"],
)
def test_an_address_to_listen_on_need_not_be_one_to_dial(address):
    host, port = parse_address(address)
    assert socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST)
    with pytest.raises(MutuaError, match="cannot be dialled"):
        check_reachable(address)
