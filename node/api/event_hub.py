"""Events on their way to whoever follows this node: one queue for each subscriber."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import trio

from ledger.errors import MutuaError
from node.api.views.chain import Event

SUBSCRIBERS_MAX = 64
EVENTS_QUEUED_MAX = 1_000


class EventHub:
    """Gives each event to all subscribers."""

    def __init__(self) -> None:
        self._subscribers: set[trio.MemorySendChannel[Event]] = set()

    def publish(self, event: Event) -> None:
        """Give an event to all subscribers; one that does not read is closed and sees a gap in heights."""
        for channel in list(self._subscribers):
            try:
                channel.send_nowait(event)
            except (trio.WouldBlock, trio.BrokenResourceError, trio.ClosedResourceError):
                self._subscribers.discard(channel)
                channel.close()

    @asynccontextmanager
    async def events(self) -> AsyncGenerator[trio.MemoryReceiveChannel[Event], None]:
        """Subscribe to events until the block is left. A subscriber that falls 1,000 behind is closed."""
        if len(self._subscribers) >= SUBSCRIBERS_MAX:
            what = f"{SUBSCRIBERS_MAX} programs follow this node's events"
            raise MutuaError("too_many_subscribers", what, "close one of them")
        send, receive = trio.open_memory_channel[Event](EVENTS_QUEUED_MAX)
        self._subscribers.add(send)
        try:
            yield receive
        finally:
            self._subscribers.discard(send)
            send.close()
