"""How much work a peer may give this node: a token bucket that an honest peer never empties.

A token is a signature to verify, or a few kilobytes to decode: known and old messages cost something too.
"""

from __future__ import annotations

from dataclasses import dataclass, field

RATE_BASE, RATE_PER_MEMBER = 100, 10
"""Tokens a second: an honest peer sends a few votes a view, and certificates only off the usual path."""
BURST_S = 4
BURST_PER_MEMBER = 64
"""A proposal after 64 skipped views brings as many certificates."""
BYTES_PER_TOKEN = 4096
THREAD_FROM_SIGNATURES = 3
"""From so many on, signatures are verified in a thread."""


class RateLimit:
    """The tokens of one peer."""

    __slots__ = ("_at", "_burst", "_rate", "_tokens")

    def __init__(self, committee_size: int, now: float) -> None:
        self._rate = RATE_BASE + RATE_PER_MEMBER * committee_size
        self._burst = float(self._rate * BURST_S + BURST_PER_MEMBER * committee_size)
        self._tokens = self._burst
        self._at = now

    def spend(self, cost: int, now: float) -> bool:
        """Take `cost` tokens, or none when fewer are left."""
        self._tokens = min(self._burst, self._tokens + (now - self._at) * self._rate)
        self._at = now
        if cost > self._tokens:
            return False
        self._tokens -= cost
        return True


@dataclass(eq=False, slots=True)
class RateLimits:
    """The tokens of each peer, for whatever it sends about agreement."""

    committee_size: int
    _of: dict[bytes, RateLimit] = field(default_factory=dict[bytes, RateLimit])

    def spend(self, peer: bytes, cost: int, now: float) -> bool:
        """Take `cost` tokens of a peer, or none when it has fewer left."""
        return self._of.setdefault(peer, RateLimit(self.committee_size, now)).spend(cost, now)


def cost_of_reading(size_bytes: int) -> int:
    """Return what it costs to decode a frame and to find what is known of it."""
    return 1 + size_bytes // BYTES_PER_TOKEN
