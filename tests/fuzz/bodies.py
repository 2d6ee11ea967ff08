"""Bodies of every record kind from nothing but their type hints: edges, lengths, and names that may exist."""

from __future__ import annotations

import types
import typing
import unicodedata

import msgspec

from ledger.codec import INT_MAX

INTS = (
    0,
    1,
    2,
    3,
    5,
    7,
    29,
    30,
    31,
    60,
    100,
    280,
    281,
    10_000,
    10_001,
    10**6,
    10**12,
    10**12 + 1,
    10**15,
    2**32,
    2**62,
    INT_MAX,
)
TEXTS = (
    "",
    "*",
    "accept",
    "deny",
    "abstain",
    "yes",
    "no",
    "fraud",
    "clear",
    "evidence",
    "rule",
    "member",
    "provider",
    "claim",
    "preauth",
    "param",
    "list",
    "plan",
    "demote",
    "phase",
    "expel",
    "attester",
    "verifier",
    "signer",
    "add",
    "remove",
    "threshold",
    "pilot",
    "live",
    "recruit",
    "\x00",
    "\x00\xff",
    "a\x00b",
    "\u00e9",
    "\ufffd",
    "\U0001f600",
    "\u202e",
    " ",
    "/",
    "x" * 64,
    "x" * 65,
    "x" * 128,
    "x" * 129,
    "x" * 281,
    "x" * 5_000,
)
BLOBS = (
    b"",
    b"\x00",
    b"\x00\x01",
    b"\xff",
    b"/",
    b"\x00" * 32,
    b"\xff" * 32,
    b"x" * 64,
    b"x" * 128,
    b"x" * 129,
    b"x" * 4_000,
)
REPEATS = (0, 0, 1, 1, 1, 2, 2, 3, 5)


class Names:
    """What the records so far have made: a body that names something real goes deeper than one that does not."""

    def __init__(self) -> None:
        self.blobs: dict[str, list[bytes]] = {}
        self.texts: dict[str, list[str]] = {}

    def note(self, name: str, value: bytes) -> None:
        self.blobs.setdefault(name, []).append(value)

    def any_blob(self, r, name: str) -> bytes:
        known = self.blobs.get(name) if r.random() < 0.9 else None
        if not known:
            known = r.choice([found for found in self.blobs.values() if found] or [list(BLOBS)])
        return r.choice(known[-6:] if r.random() < 0.6 else known)

    def any_text(self, r, name: str) -> str:
        known = self.texts.get(name) or r.choice(list(self.texts.values()))
        return r.choice(known)


def value_of(r, hint, name: str, names: Names, height: int):
    """Return a value of a type: often one that fits, sometimes an edge, sometimes anything."""
    origin = typing.get_origin(hint)
    if origin in (types.UnionType, typing.Union):
        inner = [item for item in typing.get_args(hint) if item is not types.NoneType]
        return None if r.random() < 0.4 else value_of(r, inner[0], name, names, height)
    if origin is tuple:
        item = typing.get_args(hint)[0]
        return tuple(
            value_of(r, item, name, names, height) for _ in range(r.choice(REPEATS) if r.random() < 0.99 else 130)
        )
    if hint is bool:
        return r.random() < 0.5
    if hint is int:
        return int_of(r, name, height)
    if hint is str:
        text = names.any_text(r, name) if r.random() < 0.8 else r.choice(TEXTS)
        return unicodedata.normalize("NFC", text)
    if hint is bytes:
        return (
            names.any_blob(r, name)
            if r.random() < 0.8
            else r.choice(BLOBS)
            if r.random() < 0.7
            else r.randbytes(r.randrange(1, 40))
        )
    if isinstance(hint, type) and issubclass(hint, msgspec.Struct):
        return body_of(r, hint, names, height)
    raise AssertionError(f"no values are known for a field of type {hint}: teach tests/fuzz/bodies.py")


def int_of(r, name: str, height: int) -> int:
    if "day" in name and r.random() < 0.85:
        return max(0, height - r.choice([0, 0, 1, 2, 29, 31, 200]))
    if name in ("evidence_version", "units", "contract_terms") and r.random() < 0.85:
        return r.choice([1, 1, 1, 2, 3])
    return r.choice((0, 1, 3, 100, 5_000, 30_000)) if r.random() < 0.5 else r.choice(INTS)


def body_of(r, shape: type, names: Names, height: int):
    """Return an arbitrary body of a shape."""
    hints = typing.get_type_hints(shape)
    return shape(**{name: value_of(r, hints[name], name, names, height) for name in shape.__struct_fields__})


def mangled(r, data: bytes) -> bytes:
    """Return bytes near to those of a body: cut, flipped, repeated, or anything."""
    how = r.randrange(6)
    if how == 0:
        return data[: r.randrange(len(data) + 1)]
    if how == 1:
        return data + r.randbytes(r.randrange(1, 4))
    if how == 2:
        return r.randbytes(r.randrange(64))
    if how == 3:
        return b"\x91" * r.choice([1, 40, 600, 3_000]) + data
    changed = bytearray(data or b"\x90")
    for _ in range(r.randrange(1, 4)):
        changed[r.randrange(len(changed))] = r.choice(
            [0x00, 0x7F, 0x80, 0x90, 0xC0, 0xC1, 0xC4, 0xCB, 0xCF, 0xD3, 0xDF, 0xFF, r.randrange(256)]
        )
    return bytes(changed)
