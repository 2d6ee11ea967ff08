"""A facade that answers from a dictionary: tests only."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import pytest
import trio

from ledger.errors import MutuaError, RuleBroken

CLAIM = "ab" * 32


class FakeFacade:
    """What a daemon would say."""

    def __init__(self) -> None:
        self.submitted: list[tuple[str, dict[str, Any]]] = []
        self.level = "info"
        self.stopped = trio.Event()
        self.channels: list[trio.MemorySendChannel[dict[str, Any]]] = []
        self.subscribed = trio.Event()
        self.left = trio.Event()

    def status(self) -> dict[str, Any]:
        return {
            "name": "Test Co-op",
            "height": 41,
            "is_syncing": False,
            "currency": "USD",
            "exponent": 2,
            "peers": {"connected": 5, "known": 6},
        }

    def view(self, name: str, **arguments: str) -> object:
        if name == "claim" and arguments.get("id") != CLAIM:
            raise MutuaError("not_found", "there is no such claim", "see mutua claim list")
        if name == "broken":
            raise ZeroDivisionError
        return {"view": name, **arguments}

    def blocks(self, start: int, count: int) -> list[dict[str, Any]]:
        return [{"height": height} for height in range(start, min(start + count, 42))]

    def block(self, height: int) -> dict[str, Any]:
        return {"height": height, "records": [], "events": []}

    def peers(self) -> list[dict[str, Any]]:
        return [{"key": "aa", "address": "/ip4/127.0.0.1/tcp/1"}]

    async def submit(self, kind: str, body: dict[str, Any]) -> dict[str, Any]:
        if kind == "case.ballot" and body.get("claim") != CLAIM:
            raise RuleBroken("vote_closed", "claim 7f3a closed on day 212", "ask for an audit")
        self.submitted.append((kind, body))
        return {"record_id": "cd" * 32, "kind": kind, "state": "pending"}

    async def receipt(self, claim: bytes) -> dict[str, Any]:
        if claim.hex() != CLAIM:
            raise MutuaError("receipt_long", "after 45 s the replay stood at block 9 of 41", "explain it offline")
        return {"receipt": {"claim": claim.hex()}, "explanation": ["Claim abababababab was filed."]}

    def record(self, record_id: bytes) -> dict[str, Any]:
        return {"record_id": record_id.hex(), "state": "pending"}

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

    async def open_document(self, claim: bytes) -> dict[str, Any]:
        return {"record_id": "ee" * 32, "path": "/documents/x", "claim": claim.hex()}


@pytest.fixture
def facade() -> FakeFacade:
    return FakeFacade()


@pytest.fixture
async def served(facade, tmp_path, nursery):
    """The path of a socket where the facade is served."""
    from node.api.server import serve

    path = tmp_path / "api.sock"
    await nursery.start(serve, facade, path)
    return path
