"""At start: does libsodium still answer as our rule says? Edge cases computed here, with our own curve arithmetic.

The rule ("libsodium strict"): S < L; A and R canonical and not of small order; the equation S·B = R + k·A without the
cofactor. Every case below satisfies the equation of a careless verifier, so only the named check can refuse it. A node
whose libsodium answers otherwise would split from the network at the first crafted signature; it must not start.

Sources: RFC 8032 section 5.1 (arithmetic); Chalkias, Garillot, Nikolaenko, "Taming the many EdDSAs", 2020 (edge cases).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha512

from ledger import signatures
from ledger.errors import LedgerCorrupt

P = 2**255 - 19
L = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, P - 2, P) % P
_SQRT_M1 = pow(2, (P - 1) // 4, P)
_SIGN_BIT = 1 << 255

Point = tuple[int, int]
"""Affine (x, y) on -x² + y² = 1 + D·x²·y²."""

IDENTITY: Point = (0, 1)


@dataclass(frozen=True, slots=True)
class EdgeCase:
    """A signature and the answer our rule gives."""

    name: str
    key: bytes
    signature: bytes
    message: bytes
    is_accepted: bool


@dataclass(frozen=True, slots=True)
class KeyCase:
    """A key and whether a member may register it."""

    name: str
    key: bytes
    is_accepted: bool


def check_signatures() -> None:
    """Raise LedgerCorrupt `signature_selftest` unless libsodium answers every case as expected (about 0.1 s)."""
    is_signed = signatures.is_signed_raw
    wrong = [
        item.name for item in edge_cases() if is_signed(item.key, item.signature, item.message) != item.is_accepted
    ]
    wrong += [case.name for case in key_cases() if signatures.is_valid_key(case.key) != case.is_accepted]
    if wrong:
        what = f"libsodium on this machine treats edge cases of signatures differently ({', '.join(wrong)})"
        hint = "install the PyNaCl version that mutua pins; do not take part in the network before"
        raise LedgerCorrupt("signature_selftest", what, hint)


# ---- The cases ---------------------------------------------------------------


def edge_cases() -> tuple[EdgeCase, ...]:
    """Return every signature case, in a fixed order."""
    secret, nonce = _scalar(b"secret"), _scalar(b"nonce")
    key_point, nonce_point = multiply(secret, BASE), multiply(nonce, BASE)
    key, nonce_bytes = encode_point(key_point), encode_point(nonce_point)
    message = b"mutua self-test"
    s = (nonce + _challenge(nonce_bytes, key, message) * secret) % L
    good = nonce_bytes + _bytes_of(s)
    cases = [
        EdgeCase("an honest signature", key, good, message, is_accepted=True),
        EdgeCase("another message", key, good, message + b".", is_accepted=False),
        EdgeCase("S + L", key, nonce_bytes + _bytes_of(s + L), message, is_accepted=False),
        EdgeCase("S + 14 L", key, nonce_bytes + _bytes_of(s + 14 * L), message, is_accepted=False),
    ]
    for name, bad in [*small_order_encodings(), *_non_canonical_small()]:
        # k divisible by 8 makes k·A vanish, so S·B = R holds for R = nonce·B: a forgery for a careless verifier.
        forged = _message_where(nonce_bytes, bad, lambda k: k % 8 == 0)
        cases.append(EdgeCase(f"A is {name}", bad, nonce_bytes + _bytes_of(nonce), forged, is_accepted=False))
        # R of small order vanishes under the cofactor; where it is the identity it vanishes anyway.
        zero = _bytes_of(_challenge(bad, key, message) * secret % L)
        cases.append(EdgeCase(f"R is {name}", key, bad + zero, message, is_accepted=False))
    cases += _mixed_order_cases(secret, nonce)
    return tuple(cases)


def key_cases() -> tuple[KeyCase, ...]:
    """Return every registration case, in a fixed order."""
    honest = multiply(_scalar(b"secret"), BASE)
    cases = [KeyCase("honest key", encode_point(honest), is_accepted=True)]
    small = [*small_order_encodings(), *_non_canonical_small()]
    cases += [KeyCase(f"key is {name}", bad, is_accepted=False) for name, bad in small]
    cases.append(KeyCase("key of mixed order", encode_point(add(honest, torsion_point())), is_accepted=False))
    cases += [KeyCase(f"key is y = p + {y}", _bytes_of(P + y), is_accepted=False) for y in range(2, 19)]
    off_curve = next(y for y in range(2, 100) if _recover_x(y, 0) is None)
    cases.append(KeyCase("key off the curve", _bytes_of(off_curve), is_accepted=False))
    return tuple(cases)


def small_order_encodings() -> list[tuple[str, bytes]]:
    """Return the eight points whose order divides 8, in canonical bytes."""
    point = torsion_point()
    return [(f"the small-order point {n}·T", encode_point(multiply(n, point))) for n in range(8)]


def _non_canonical_small() -> list[tuple[str, bytes]]:
    """Return small-order points in bytes that decode to them but are not the ones encoding gives: y + p, or -0 as x."""
    return [
        ("y = p", _bytes_of(P)),
        ("y = p with the sign bit", _bytes_of(P | _SIGN_BIT)),
        ("y = p + 1", _bytes_of(P + 1)),
        ("y = p + 1 with the sign bit", _bytes_of(P + 1 | _SIGN_BIT)),
        ("y = 1 with the sign bit", _bytes_of(1 | _SIGN_BIT)),
        ("y = -1 with the sign bit", _bytes_of(P - 1 | _SIGN_BIT)),
    ]


def _mixed_order_cases(secret: int, nonce: int) -> list[EdgeCase]:
    """A has a part T of order 8. Without the cofactor the answer depends on whether that part vanishes."""
    torsion = torsion_point()
    key = encode_point(add(multiply(secret, BASE), torsion))
    plain = encode_point(multiply(nonce, BASE))
    mixed = encode_point(add(multiply(nonce, BASE), torsion))

    def case(name: str, nonce_bytes: bytes, rest: int, *, is_accepted: bool) -> EdgeCase:
        message = _message_where(nonce_bytes, key, lambda k: k % 8 == rest)
        s = (nonce + _challenge(nonce_bytes, key, message) * secret) % L
        return EdgeCase(name, key, nonce_bytes + _bytes_of(s), message, is_accepted=is_accepted)

    return [
        case("A of mixed order, k·T = 0", plain, 0, is_accepted=True),
        case("A of mixed order, k·T ≠ 0", plain, 3, is_accepted=False),
        case("A and R of mixed order, R's part cancels k·T", mixed, 7, is_accepted=True),
        case("A and R of mixed order, nothing cancels", mixed, 0, is_accepted=False),
    ]


def _message_where(nonce_bytes: bytes, key: bytes, is_wanted: Callable[[int], bool]) -> bytes:
    """Return the first of at most 4,096 messages whose challenge is wanted (one in eight is)."""
    messages = (b"mutua self-test %d" % number for number in range(4_096))
    return next(message for message in messages if is_wanted(_challenge(nonce_bytes, key, message)))


# ---- The curve: slow and plain, for a handful of points -----------------------


def add(one: Point, two: Point) -> Point:
    """Return the sum of two points (RFC 8032 section 5.1.4, affine)."""
    (x1, y1), (x2, y2) = one, two
    product = D * x1 * x2 * y1 * y2 % P
    x = (x1 * y2 + x2 * y1) * pow(1 + product, P - 2, P) % P
    y = (y1 * y2 + x1 * x2) * pow(1 - product, P - 2, P) % P
    return x, y


def multiply(scalar: int, point: Point) -> Point:
    """Return `scalar` times `point`, in projective coordinates (RFC 8032 section 5.1.4)."""
    total, base = (0, 1, 1, 0), (point[0], point[1], 1, point[0] * point[1] % P)
    while scalar:
        if scalar & 1:
            total = _add_extended(total, base)
        base = _add_extended(base, base)
        scalar >>= 1
    inverse = pow(total[2], P - 2, P)
    return total[0] * inverse % P, total[1] * inverse % P


def _add_extended(one: tuple[int, int, int, int], two: tuple[int, int, int, int]) -> tuple[int, int, int, int]:
    a = (one[1] - one[0]) * (two[1] - two[0]) % P
    b = (one[1] + one[0]) * (two[1] + two[0]) % P
    c = 2 * one[3] * two[3] * D % P
    d = 2 * one[2] * two[2] % P
    e, f, g, h = b - a, d - c, d + c, b + a
    return e * f % P, g * h % P, f * g % P, e * h % P


def _recover_x(y: int, sign: int) -> int | None:
    """Return the x of `y` whose lowest bit is `sign`, or None off the curve (RFC 8032 section 5.1.3)."""
    square = (y * y - 1) * pow(D * y * y + 1, P - 2, P) % P
    x = pow(square, (P + 3) // 8, P)
    if (x * x - square) % P:
        x = x * _SQRT_M1 % P
    if (x * x - square) % P:
        return None
    return P - x if x & 1 != sign else x


def _base_point() -> Point:
    y = 4 * pow(5, P - 2, P) % P
    x = _recover_x(y, 0)
    assert x is not None
    return x, y


BASE = _base_point()


def torsion_point() -> Point:
    """Return a point of order 8: L times a point of the whole group, for the first y that gives one."""
    for y in range(2, 1_000):
        x = _recover_x(y, 0)
        if x is not None:
            point = multiply(L, (x, y))
            if multiply(4, point) != IDENTITY:
                return point
    raise AssertionError("a quarter of all points leads to order 8")


def encode_point(point: Point) -> bytes:
    """Return the canonical 32 bytes of a point."""
    return _bytes_of(point[1] | (point[0] & 1) << 255)


def _bytes_of(number: int) -> bytes:
    return number.to_bytes(32, "little")


def _scalar(label: bytes) -> int:
    return int.from_bytes(sha512(b"mutua self-test " + label).digest(), "little") % L


def _challenge(nonce_bytes: bytes, key: bytes, message: bytes) -> int:
    """Return k = SHA-512(R ‖ A ‖ M) modulo L, as verifiers reduce it: whether k·T vanishes depends on this k."""
    return int.from_bytes(sha512(nonce_bytes + key + message).digest(), "little") % L
