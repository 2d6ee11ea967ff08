"""The one place where the node asks for the time and for chance."""

from __future__ import annotations

import random
import secrets
import time
from collections.abc import Sequence

_chance = random.SystemRandom()


def now_ms() -> int:
    """Return milliseconds since 1970."""
    return time.time_ns() // 1_000_000


def choose(items: Sequence[bytes]) -> bytes:
    """Return one of the items, by chance."""
    return _chance.choice(items)


def draw(count: int) -> int:
    """Return a number below `count`, by chance."""
    return secrets.randbelow(count)


def salt(size: int) -> bytes:
    """Return fresh random bytes."""
    return secrets.token_bytes(size)
