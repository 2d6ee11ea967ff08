"""BIP32 children, many of one key and fast: the 32 payout addresses of a claim.

A child's public key is P + t·G, where t is a hash. libsecp256k1 takes 18 µs to multiply and add, or 12 µs to multiply
p + t where the secret p is known, but 7 µs to add up 33 points that are at hand. So t is read as 32 digits, and the
multiples of G that they stand for come from a table (0.5 MB, made once in 20 ms). Its entries are (digit + 1)·256^j·G,
so that no digit is a special case; the sum starts at P less the 256^j·G that this adds. The secret takes no part in
the sum.
"""

from __future__ import annotations

import hmac
import sys
from functools import cache
from hashlib import sha512
from importlib import import_module
from operator import getitem
from typing import Any, NamedTuple

from ledger.errors import MutuaError

HARDENED = 2**31
ORDER = 0xFFFFFFFF_FFFFFFFF_FFFFFFFF_FFFFFFFE_BAAEDCE6_AF48A03B_BFD25E8C_D0364141
"""Of the group of secp256k1."""
_DIGITS = 32
_SHIFT = sum(256**place for place in range(_DIGITS))
_ORDER_BYTES = ORDER.to_bytes(32, "big")
_secp: Any = import_module("coincurve._libsecp256k1")
_ffi, _lib = _secp.ffi, _secp.lib
_COMPRESSED = _lib.SECP256K1_EC_COMPRESSED
_context: Any = import_module("coincurve.context").GLOBAL_CONTEXT.ctx


class ExtendedKey(NamedTuple):
    """A secret key with its chain code."""

    secret: int
    chain: bytes

    def child(self, index: int) -> ExtendedKey:
        """Return a child, hardened from `HARDENED` on (BIP32, CKDpriv)."""
        head = b"\x00" + self.secret.to_bytes(32, "big") if index >= HARDENED else _serialized(_point(self.secret))
        digest = hmac.digest(self.chain, head + index.to_bytes(4, "big"), "sha512")
        _check(digest)
        return ExtendedKey((self.secret + int.from_bytes(digest[:32], "big")) % ORDER, digest[32:])

    def public_children(self, count: int) -> list[bytes]:
        """Return the compressed public keys (33 bytes) of the children 0, 1, … (BIP32, CKDpub)."""
        table = _table()
        total, start = _ffi.new("secp256k1_pubkey *"), _point(self.secret - _SHIFT)
        terms = _ffi.new("secp256k1_pubkey *[]", [start] * (_DIGITS + 1))
        places = _ffi.buffer(terms, _DIGITS * _ffi.sizeof("void *"))  # the last term stays the start
        inner, outer = _hmac_sha512(self.chain, _serialized(_point(self.secret)))
        combine, buffers = _lib.secp256k1_ec_pubkey_combine, _buffers()
        found: list[bytes] = []
        for index in range(count):
            hashed, whole = inner.copy(), outer.copy()
            hashed.update(index.to_bytes(4, "big"))
            whole.update(hashed.digest())
            digest = whole.digest()
            _check(digest)
            places[:] = b"".join(map(getitem, table, digest))
            if not combine(_context, total, terms, _DIGITS + 1):
                raise _no_key()
            found.append(_serialized(total, buffers))
        return found


def _hmac_sha512(key: bytes, message: bytes) -> tuple[Any, Any]:
    """Return the two hashes of an HMAC whose message is to go on: `hmac.digest` would hash the beginning each time."""
    block = key.ljust(128, b"\x00")
    inner, outer = (bytes(byte ^ pad for byte in block) for pad in (0x36, 0x5C))
    return sha512(inner + message), sha512(outer)


def _check(digest: bytes) -> None:
    """Raise MutuaError where the first 32 bytes are too large a number: BIP32 has no child there, once in 2^127."""
    if digest >= _ORDER_BYTES:
        raise _no_key()


def _no_key() -> MutuaError:
    return MutuaError("account", "BIP32 has no key of this number", "file the claim again with another source")


def _point(secret: int) -> Any:
    point = _ffi.new("secp256k1_pubkey *")
    if not _lib.secp256k1_ec_pubkey_create(_context, point, (secret % ORDER).to_bytes(32, "big")):
        raise _no_key()
    return point


def _buffers() -> tuple[Any, Any, Any]:
    """Return where libsecp256k1 may write a serialized key: its bytes, their number, and the bytes to read."""
    data = _ffi.new("unsigned char[33]")
    return data, _ffi.new("size_t *", 33), _ffi.buffer(data)


def _serialized(point: Any, buffers: tuple[Any, Any, Any] | None = None) -> bytes:
    data, size, view = buffers or _buffers()
    _lib.secp256k1_ec_pubkey_serialize(_context, data, size, point, _COMPRESSED)
    return view[:]


class _Table(list[list[bytes]]):
    """For each digit of a number, most significant first, and each value of it: the address of the point in memory."""

    def __init__(self) -> None:
        self._points = _ffi.new(f"secp256k1_pubkey[{_DIGITS * 256}]")  # kept, for the addresses point into it
        size, first = _ffi.sizeof("secp256k1_pubkey"), int(_ffi.cast("uintptr_t", self._points))
        width = _ffi.sizeof("void *")
        for row in range(_DIGITS):
            unit = _point(256 ** (_DIGITS - 1 - row))
            self._points[256 * row] = unit[0]
            for entry in range(256 * row + 1, 256 * (row + 1)):
                parts = [self._points + entry - 1, unit]
                _lib.secp256k1_ec_pubkey_combine(_context, self._points + entry, parts, 2)
            places = range(256 * row, 256 * (row + 1))
            self.append([(first + size * place).to_bytes(width, sys.byteorder) for place in places])


_table = cache(_Table)
