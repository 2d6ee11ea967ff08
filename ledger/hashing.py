"""Tagged SHA-256: every hash in the ledger says what it is a hash of, so no two kinds can collide."""

from __future__ import annotations

from functools import lru_cache
from hashlib import sha256

HASH_SIZE = 32
ZERO_HASH = bytes(HASH_SIZE)


@lru_cache(maxsize=256)
def domain(tag: str) -> bytes:
    r"""Return the domain prefix of `tag`: `mutua/<tag>/v1` and a zero byte.

    >>> domain("record")
    b'mutua/record/v1\x00'
    """
    return b"mutua/" + tag.encode("ascii") + b"/v1\x00"


def tagged_hash(tag: str, *parts: bytes) -> bytes:
    """Return SHA-256 over the domain of `tag` and the parts, in order. Parts need fixed or self-delimiting lengths."""
    digest = sha256(domain(tag))
    for part in parts:
        digest.update(part)
    return digest.digest()
