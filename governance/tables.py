"""Typed tables over the authenticated state: frozen rows in, frozen rows out, and an overlay that can be rolled back.

A row's key is the table's name, a slash, and the parts of its key. Text and bytes are escaped and closed (0x00 becomes
0x00 0xff, the end is 0x00 0x01) so that rows sort as their parts do; integers are eight bytes, shifted by 2^63 so that
terms before genesis sort first, and closed by `/`. Values are msgpack arrays of the row's fields.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Iterator
from functools import lru_cache
from typing import Generic, TypeVar

import msgspec

from ledger.codec import Shape
from ledger.state import StateReader

T = TypeVar("T", bound=Shape)
KeyPart = bytes | str | int
PARTS_CACHED = 1 << 14
"""The keys of a block's members, claims and codes come again and again; a pure function of a part may remember them."""
_SHIFT = 1 << 63
_encoder = msgspec.msgpack.Encoder()


def encode_key(parts: tuple[KeyPart, ...]) -> bytes:
    """Return key bytes that sort as the parts do."""
    return b"".join([_encode_part(part) for part in parts])


@lru_cache(maxsize=PARTS_CACHED)
def _row_key(prefix: bytes, parts: tuple[KeyPart, ...]) -> bytes:
    """Return the whole key of a row. Remembered: a record reads the same few rows several times."""
    return prefix + encode_key(parts)


@lru_cache(maxsize=PARTS_CACHED)
def _encode_part(part: KeyPart) -> bytes:
    if isinstance(part, int):
        return (part + _SHIFT).to_bytes(8, "big") + b"/"
    data = part.encode() if isinstance(part, str) else part
    return data.replace(b"\x00", b"\x00\xff") + b"\x00\x01"


class Draft:
    """The state before the block with the changes of the block on top. Nothing below is touched until `delta` is taken."""

    def __init__(self, base: StateReader) -> None:
        self._base = base
        self._rows: dict[bytes, Shape | None] = {}
        self._seen: dict[bytes, Shape | None] = {}
        self._sorted: dict[bytes, list[bytes]] = {}
        self._undo: list[tuple[bytes, bool, Shape | None]] = []

    def savepoint(self) -> int:
        """Return a mark to roll back to."""
        return len(self._undo)

    def rollback(self, mark: int) -> None:
        """Undo every change since `mark`."""
        while len(self._undo) > mark:
            key, was_written, value = self._undo.pop()
            if was_written:
                self._rows[key] = value
            else:
                self._rows.pop(key, None)

    def delta(self) -> dict[bytes, bytes | None]:
        """Return what differs from the state below, by key; None for rows that are gone."""
        changes: dict[bytes, bytes | None] = {}
        for key in sorted(self._rows):
            row = self._rows[key]
            data = None if row is None else _encoder.encode(row)
            if data != self._base.get(key):
                changes[key] = data
        return changes

    def read(self, key: bytes, decoder: msgspec.msgpack.Decoder[T]) -> T | None:
        """Return the decoded row at `key`."""
        if key in self._rows:
            return self._rows[key]  # type: ignore[return-value]
        if key in self._seen:
            return self._seen[key]  # type: ignore[return-value]
        data = self._base.get(key)
        row = None if data is None else decoder.decode(data)
        self._seen[key] = row
        return row

    def write(self, table: bytes, key: bytes, row: Shape | None) -> None:
        """Put a row, or take it away with None."""
        was_written = key in self._rows
        self._undo.append((key, was_written, self._rows.get(key)))
        self._rows[key] = row
        if not was_written:
            keys = self._sorted.setdefault(table, [])
            position = bisect_left(keys, key)
            if position == len(keys) or keys[position] != key:
                insort(keys, key)

    def walk(self, table: bytes, prefix: bytes, decoder: msgspec.msgpack.Decoder[T]) -> Iterator[tuple[bytes, T]]:
        """Yield rows under `prefix` in key order. Rows changed while walking are seen changed, new ones are not visited."""
        written = self._sorted.get(table, [])
        position = bisect_left(written, prefix)
        fresh: list[bytes] = []
        while position < len(written) and written[position].startswith(prefix):
            if written[position] in self._rows:
                fresh.append(written[position])
            position += 1
        position = 0
        for key, data in self._base.scan(prefix):
            while position < len(fresh) and fresh[position] < key:
                row = self._rows.get(fresh[position])
                if row is not None:
                    yield fresh[position], row  # type: ignore[misc]
                position += 1
            if position < len(fresh) and fresh[position] == key:
                position += 1
            if key in self._rows:
                row = self._rows[key]
                if row is not None:
                    yield key, row  # type: ignore[misc]
            else:
                yield key, decoder.decode(data)
        for key in fresh[position:]:
            row = self._rows.get(key)
            if row is not None:
                yield key, row  # type: ignore[misc]


class Table(Generic[T]):
    """Rows of one shape under one name, such as `membership/member`."""

    def __init__(self, name: str, shape: type[T]) -> None:
        self.name = name
        self.shape = shape
        self.prefix = name.encode() + b"/"
        self.decoder: msgspec.msgpack.Decoder[T] = msgspec.msgpack.Decoder(shape)

    def find(self, draft: Draft, *parts: KeyPart) -> T | None:
        """Return the row, or None."""
        return draft.read(_row_key(self.prefix, parts), self.decoder)

    def get(self, draft: Draft, *parts: KeyPart) -> T:
        """Return a row that must be there."""
        row = self.find(draft, *parts)
        assert row is not None, f"{self.name} has no row {parts!r}"
        return row

    def put(self, draft: Draft, row: T, *parts: KeyPart) -> None:
        """Write a row."""
        draft.write(self.prefix, _row_key(self.prefix, parts), row)

    def delete(self, draft: Draft, *parts: KeyPart) -> None:
        """Take a row away; nothing happens when there is none."""
        draft.write(self.prefix, _row_key(self.prefix, parts), None)

    def scan(self, draft: Draft, *parts: KeyPart) -> Iterator[T]:
        """Yield rows whose key begins with `parts`, in key order. Rows carry what their readers need of their key."""
        for _, row in draft.walk(self.prefix, self.prefix + encode_key(parts), self.decoder):
            yield row


class Mark(Shape):
    """A row whose presence is all it says."""


class Name(Shape):
    """A row that holds one key or id."""

    value: bytes


class Number(Shape):
    """A row that holds one integer."""

    value: int
