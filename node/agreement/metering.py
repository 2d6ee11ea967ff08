"""How many signatures a peer may have this node verify: a token bucket that an honest peer never empties."""

from __future__ import annotations

RATE_BASE, RATE_PER_MEMBER = 100, 10
"""Signatures a second: an honest peer sends a few votes a view, and certificates only off the usual path."""
BURST_S = 4
BURST_PER_MEMBER = 64
"""A proposal after 64 skipped views brings as many certificates."""


class SignatureRateLimit:
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
