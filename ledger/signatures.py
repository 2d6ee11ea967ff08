"""Ed25519 as "libsodium strict": S < L, A and R canonical and not of small order, cofactorless equation.

Libraries disagree on edge cases; a block holding such a signature would split the network. So one rule, one library
(libsodium through PyNaCl), never batch verification, and a self-test at start: `self_test` in `ledger.selftest`.
Every signature covers a domain and the chain id, so it means one thing on one chain.
"""

from __future__ import annotations

from collections.abc import Iterable

import nacl.bindings as sodium
from nacl.exceptions import BadSignatureError, CryptoError

from ledger.hashing import domain

PUBLIC_KEY_SIZE = 32
SECRET_SEED_SIZE = 32
SIGNATURE_SIZE = 64


def sign_bytes(tag: str, chain_id: bytes, message: bytes) -> bytes:
    """Return the bytes a signature covers: the domain of `tag`, the chain id (32 bytes), the message."""
    return domain(tag) + chain_id + message


def public_key_of(seed: bytes) -> bytes:
    """Return the public key (32 bytes) of a 32-byte secret seed."""
    return sodium.crypto_sign_seed_keypair(seed)[0]


def sign(seed: bytes, tag: str, chain_id: bytes, message: bytes) -> bytes:
    """Sign `message` under `tag` on `chain_id` with a 32-byte secret seed; 64 bytes."""
    _, secret = sodium.crypto_sign_seed_keypair(seed)
    return sodium.crypto_sign(sign_bytes(tag, chain_id, message), secret)[:SIGNATURE_SIZE]


def is_signed(key: bytes, signature: bytes, tag: str, chain_id: bytes, message: bytes) -> bool:
    """True iff `signature` is a strict signature by `key`. Releases the GIL while libsodium works."""
    return is_signed_raw(key, signature, sign_bytes(tag, chain_id, message))


def is_signed_raw(key: bytes, signature: bytes, message: bytes) -> bool:
    """True iff `signature` over the bare `message` verifies under libsodium's strict rule."""
    return len(signature) == SIGNATURE_SIZE and is_sealed(key, signature + message)


def is_sealed(key: bytes, sealed: bytes) -> bool:
    """True iff `sealed`, a signature with its message behind it, verifies under libsodium's strict rule."""
    return are_sealed(((key, sealed),))


def are_sealed(seals: Iterable[tuple[bytes, bytes]]) -> bool:
    """True iff every (key, signature ‖ message) verifies under libsodium's strict rule."""
    try:
        for key, sealed in seals:
            if len(key) != PUBLIC_KEY_SIZE:
                return False
            sodium.crypto_sign_open(sealed, key)
    except (BadSignatureError, CryptoError, ValueError, TypeError):
        return False
    return True


def is_valid_key(key: bytes) -> bool:
    """True iff `key` is a canonical point of the prime-order subgroup: the condition at registration."""
    return len(key) == PUBLIC_KEY_SIZE and bool(sodium.crypto_core_ed25519_is_valid_point(key))
