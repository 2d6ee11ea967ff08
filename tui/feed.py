"""The connection to the node: it reads the status at once when an event arrives, and slowly otherwise.

A server-sent event only says that something has changed; what is shown is always read from the node, so a lost event
costs seconds, never accuracy. When the stream breaks, polling becomes faster, and the stream is tried again with
growing pauses.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from pathlib import Path

from node.api.client import AsyncClient
from node.api.errors import ApiError
from node.api.views.node import Status

POLL_LIVE_S = 5.0
POLL_ALONE_S = 1.5
"""Without the event stream, and while the node is off."""
REST_S = 0.15
"""Shortest pause between two looks: a node that syncs makes hundreds of blocks a second."""
TRUSTED_S = 3.0
"""A stream that stands so long counts as live even if nothing happens: real blocks are a day apart."""
RETRY_MIN_S, RETRY_MAX_S = 1.0, 15.0


Connect = Callable[[Path], AsyncClient]


def fault_of(error: Exception) -> ApiError:
    """Return any failure as one with what happened and how to fix it."""
    if isinstance(error, ApiError):
        return error
    return ApiError(
        "answer_shape",
        f"the node's answer cannot be shown on this screen ({type(error).__name__})",
        "update mutua and restart the node",
    )


class Feed:
    """Follows the node until cancelled; `on_status(status, is_new_block)`, `on_fault` are called in the app's loop."""

    def __init__(
        self,
        socket_path: Path,
        connect: Connect,
        on_status: Callable[[Status, bool], None],
        on_fault: Callable[[ApiError], None],
    ) -> None:
        self.is_live = False
        self._path = socket_path
        self._connect = connect
        self._on_status = on_status
        self._on_fault = on_fault
        self._bell = asyncio.Event()
        self._is_ready = asyncio.Event()
        self._client: AsyncClient | None = None

    async def client(self) -> AsyncClient:
        """Return the client, as soon as there is one."""
        await self._is_ready.wait()
        assert self._client is not None
        return self._client

    def ring(self) -> None:
        """Look at the node now."""
        self._bell.set()

    async def run(self) -> None:
        """Follow the node."""
        # it imports httpx, after the first screen is on the terminal
        self._client = await asyncio.to_thread(self._connect, self._path)
        self._is_ready.set()
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._look(self._client))
                tasks.create_task(self._listen(self._client))
        finally:
            with contextlib.suppress(Exception):
                await self._client.close()

    async def _look(self, client: AsyncClient) -> None:
        height: int | None = None
        while True:
            self._bell.clear()
            try:
                status = await client.status()
            except Exception as error:
                height = None
                self._on_fault(fault_of(error))
            else:
                is_new, height = status.height != height, status.height
                self._on_status(status, is_new)
            await asyncio.sleep(REST_S)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._bell.wait(), POLL_LIVE_S if self.is_live else POLL_ALONE_S)

    def _trust(self) -> None:
        if not self.is_live:
            self.is_live = True
            self.ring()

    async def _listen(self, client: AsyncClient) -> None:
        pause_s = RETRY_MIN_S
        while True:
            trusted = asyncio.get_running_loop().call_later(TRUSTED_S, self._trust)  # a quiet stream is a good one
            with contextlib.suppress(Exception):
                async for _ in client.events():
                    pause_s = RETRY_MIN_S
                    self._trust()
                    self.ring()
            trusted.cancel()
            if self.is_live:
                self.is_live = False
                self.ring()
            await asyncio.sleep(pause_s)
            pause_s = min(2 * pause_s, RETRY_MAX_S)
