"""A daemon's reads, actions and events, answered from nothing: tests only."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import pytest
import trio

from ledger.errors import MutuaError, RuleBroken
from node.api.server import Api
from node.api.views.actions import Opened, Submitted
from node.api.views.chain import Block, BlockHead, ClaimReceipt, Receipt
from node.api.views.node import Consensus, Peer, PeerCounts, ProtocolState, Status

CLAIM = "ab" * 32


class FakeDaemon:
    """What a daemon would say."""

    day_one = "2026-01-01"

    def __init__(self) -> None:
        self.submitted: list[tuple[str, dict[str, Any]]] = []
        self.level = "info"
        self.stopped = trio.Event()
        self.channels: list[trio.MemorySendChannel[dict[str, Any]]] = []
        self.subscribed = trio.Event()
        self.left = trio.Event()

    def is_ready(self) -> bool:
        return True

    def status(self) -> Status:
        return Status(
            name="Test Co-op",
            chain_id="aa" * 32,
            height=41,
            block_hash="bb" * 32,
            state_root="cc" * 32,
            term=1,
            day_one="2026-01-01",
            block_interval_ms=1000,
            mempool=0,
            is_syncing=False,
            currency="USD",
            exponent=2,
            peers=PeerCounts(connected=5, known=6),
            consensus=Consensus(view=0, is_member=True, committee=7, misbehaviour=0, is_signing=True),
            needs_me=0,
            protocol=ProtocolState(version=1, knows_next=True),
            log_level="info",
        )

    def height(self) -> int:
        return 41

    async def ask(self, question, **arguments: str) -> object:
        if question.name == "claim" and arguments.get("id") != CLAIM:
            raise MutuaError("not_found", "there is no such claim", "see mutua claim list")
        if question.name == "accounts":
            raise ZeroDivisionError
        return {"view": question.name, **arguments}

    def blocks(self, start: int, count: int) -> tuple[BlockHead, ...]:
        head = {"hash": "ab" * 32, "time_ms": 0, "proposer": 0, "state_root": "cd" * 32, "term": 1, "records": 0}
        return tuple(BlockHead(height=height, **head) for height in range(start, min(start + count, 42)))

    def block(self, height: int) -> Block:
        head = {"hash": "ab" * 32, "time_ms": 0, "proposer": 0, "state_root": "cd" * 32, "term": 1}
        return Block(height=height, records=(), events=(), has_certificate=True, **head)

    def peers(self) -> tuple[Peer, ...]:
        counts = {"sent_frames": 1, "received_frames": 2, "dropped_frames": 0, "strikes": 0}
        return (Peer(key="aa", address="/ip4/127.0.0.1/tcp/1", is_connected=True, since_ms=0, **counts),)

    async def submit(self, kind: str, body: dict[str, Any]) -> Submitted:
        if kind == "case.ballot" and body.get("claim") != CLAIM:
            raise RuleBroken("vote_closed", "claim 7f3a closed on day 212", "ask for an audit")
        self.submitted.append((kind, body))
        return Submitted(record_id="cd" * 32, kind=kind, state="pending", height=41)

    async def receipt(self, claim: bytes) -> ClaimReceipt:
        if claim.hex() != CLAIM:
            raise MutuaError("receipt_long", "after 45 s the replay stood at block 9 of 41", "explain it offline")
        return ClaimReceipt(receipt={"claim": claim.hex()}, explanation=("Claim abababababab was filed.",))

    def record(self, record_id: bytes) -> Receipt:
        return Receipt(record_id=record_id.hex(), state="pending", height=41)

    @asynccontextmanager
    async def events(self) -> AsyncGenerator[trio.MemoryReceiveChannel[dict[str, Any]], None]:
        send, receive = trio.open_memory_channel[dict[str, Any]](100)
        self.channels.append(send)
        self.subscribed.set()
        try:
            yield receive
        finally:
            self.channels.remove(send)
            self.left.set()

    def set_log_level(self, level: str) -> None:
        self.level = level

    def stop(self) -> None:
        self.stopped.set()

    async def open_document(self, claim: bytes) -> Opened:
        return Opened(
            record_id="ee" * 32,
            kind="case.opened",
            state="pending",
            path="/documents/x",
            hash=claim.hex(),
            size_bytes=1,
        )


@pytest.fixture
def daemon() -> FakeDaemon:
    return FakeDaemon()


@pytest.fixture
def api(daemon) -> Api:
    return Api(daemon, daemon, daemon)


@pytest.fixture
async def served(api, tmp_path, nursery):
    """The path of a socket where the daemon is served."""
    from node.api.server import serve

    path = tmp_path / "api.sock"
    await nursery.start(serve, api, path)
    return path
