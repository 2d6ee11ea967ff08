"""Typed tables over the authenticated state: frozen rows in, frozen rows out, and an overlay that can be rolled back.

A row's key is the table's name, a slash, and the parts of its key. Text and bytes are escaped and closed (0x00 becomes
0x00 0xff, the end is 0x00 0x01) so that rows sort as their parts do; integers are eight bytes, shifted by 2^63 so that
terms before genesis sort first, and closed by `/`. Values are msgpack arrays of the row's fields.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator
from itertools import chain
from typing import Any, Generic, TypeVar

import msgspec

from ledger.codec import Shape
from ledger.state import StateReader

T = TypeVar("T", bound=Shape)
KeyPart = bytes | str | int
KEYS_CACHED = 1 << 10
"""Keys a table remembers: a record comes back to the same few rows. More would make a small co-op look cheaper than a
large one."""
_SHIFT = 1 << 63
_encoder = msgspec.msgpack.Encoder()


def encode_key(parts: tuple[KeyPart, ...]) -> bytes:
    """Return key bytes that sort as the parts do."""
    return _row_key(b"", parts)


def _row_key(prefix: bytes, parts: tuple[KeyPart, ...]) -> bytes:
    """Return the whole key of a row."""
    key = prefix
    for part in parts:
        key += _parts.get(part) or _encoded(part)
    return key


_parts: dict[KeyPart, bytes] = {}
"""The last parts, encoded: the keys of one record share most of theirs."""


def _encoded(part: KeyPart) -> bytes:
    if isinstance(part, bytes):
        encoded = part.replace(b"\x00", b"\x00\xff") + b"\x00\x01"
    elif isinstance(part, str):
        encoded = part.encode().replace(b"\x00", b"\x00\xff") + b"\x00\x01"
    else:
        return (part + _SHIFT).to_bytes(8, "big") + b"/"
    if len(_parts) >= KEYS_CACHED:
        _parts.clear()
    _parts[part] = encoded
    return encoded


_NOT_HERE: Any = object()


class Draft:
    """The state before the block with the changes of the block on top; nothing below it is touched."""

    def __init__(self, base: StateReader) -> None:
        self.base = base
        self.now: dict[bytes, Shape | None] = {}
        """Rows read or written in this block, as they are now; None: there is none."""
        self.seen: dict[bytes, bytes] = {}
        """Rows that were read from below and are there, as bytes."""
        self._unread: set[bytes] = set()
        """Keys that were written before anybody read them."""
        self._sorted: dict[bytes, list[bytes]] = {}
        """Keys written, by table. One that was rolled back stays, and one written after a walk is there twice."""
        self._unsorted: dict[bytes, list[bytes]] = {}
        """Keys of every write since the last walk of their table; a walk sorts them in."""
        self._undo: list[tuple[bytes, Any]] = []
        """(key, row before)"""

    def savepoint(self) -> int:
        """Return a mark to roll back to."""
        return len(self._undo)

    def rollback(self, mark: int) -> None:
        """Undo every change since `mark`."""
        while len(self._undo) > mark:
            key, before = self._undo.pop()
            if before is _NOT_HERE:
                del self.now[key]
            else:
                self.now[key] = before

    def forget_undo(self) -> None:
        """Let what was written so far stand: a rollback goes no further back than this."""
        self._undo.clear()

    def delta(self) -> dict[bytes, bytes | None]:
        """Return what differs from the state below, by key; None for rows that are gone."""
        changes: dict[bytes, bytes | None] = {}
        encode, now, unread, seen, base = _encoder.encode, self.now, self._unread, self.seen, self.base
        for key in dict.fromkeys(chain(*self._sorted.values(), *self._unsorted.values())):
            row = now.get(key, _NOT_HERE)
            if row is _NOT_HERE:  # rolled back
                continue
            data = None if row is None else encode(row)
            if data != (base.get(key) if key in unread else seen.get(key)):
                changes[key] = data
        return changes

    def write(self, table: bytes, key: bytes, row: Shape | None) -> None:
        """Put a row, or take it away with None."""
        before: Any = self.now.get(key, _NOT_HERE)
        if before is _NOT_HERE:
            self._unread.add(key)
        self._undo.append((key, before))
        self.now[key] = row
        keys = self._unsorted.get(table)
        if keys is None:
            self._unsorted[table] = [key]
        else:
            keys.append(key)

    def _written(self, table: bytes) -> list[bytes]:
        """Return the sorted keys ever written in a table."""
        keys = self._sorted.setdefault(table, [])
        new = self._unsorted.pop(table, None)
        if new:
            keys += dict.fromkeys(new)
            keys.sort()
        return keys

    def walk(self, table: bytes, prefix: bytes, decoder: msgspec.msgpack.Decoder[T]) -> Iterator[tuple[bytes, T]]:
        """Yield rows under `prefix` in key order; rows changed meanwhile are seen changed, new ones are not visited."""
        written = self._written(table)
        position = bisect_left(written, prefix)
        fresh: list[bytes] = []
        while position < len(written) and written[position].startswith(prefix):
            if not (fresh and fresh[-1] == written[position]):
                fresh.append(written[position])
            position += 1
        position = 0
        for key, data in self.base.scan(prefix):
            while position < len(fresh) and fresh[position] < key:
                row = self.now.get(fresh[position])
                if row is not None:
                    yield fresh[position], row  # type: ignore[misc]
                position += 1
            if position < len(fresh) and fresh[position] == key:
                position += 1
            row: Any = self.now.get(key, _NOT_HERE)
            if row is _NOT_HERE:
                yield key, decoder.decode(data)
            elif row is not None:
                yield key, row
        for key in fresh[position:]:
            row = self.now.get(key)
            if row is not None:
                yield key, row  # type: ignore[misc]


class Table(Generic[T]):
    """Rows of one shape under one name, such as `membership/member`."""

    def __init__(self, name: str, shape: type[T]) -> None:
        self.name = name
        self.shape = shape
        self.prefix = name.encode() + b"/"
        self.decoder: msgspec.msgpack.Decoder[T] = msgspec.msgpack.Decoder(shape)
        self._keys: dict[tuple[KeyPart, ...], bytes] = {}

    def find(self, draft: Draft, *parts: KeyPart) -> T | None:
        """Return the row, or None. The busiest function of all: nothing is called that need not be."""
        key = self._keys.get(parts) or self._key_of(parts)
        row: Any = draft.now.get(key, _NOT_HERE)
        if row is _NOT_HERE:
            data = draft.base.get(key)
            if data is None:
                row = draft.now[key] = None
            else:
                draft.seen[key] = data
                row = draft.now[key] = self.decoder.decode(data)
        return row

    def get(self, draft: Draft, *parts: KeyPart) -> T:
        """Return a row that must be there."""
        row: Any = draft.now.get(self._keys.get(parts, b""))
        if row is None:
            row = self.find(draft, *parts)
        assert row is not None, f"{self.name} has no row {parts!r}"
        return row

    def _key_of(self, parts: tuple[KeyPart, ...]) -> bytes:
        if len(self._keys) >= KEYS_CACHED:
            self._keys.clear()
        key = self._keys[parts] = _row_key(self.prefix, parts)
        return key

    def put(self, draft: Draft, row: T, *parts: KeyPart) -> None:
        """Write a row."""
        draft.write(self.prefix, self._keys.get(parts) or self._key_of(parts), row)

    def delete(self, draft: Draft, *parts: KeyPart) -> None:
        """Take a row away; nothing happens when there is none."""
        draft.write(self.prefix, self._keys.get(parts) or self._key_of(parts), None)

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


class Numbers(Table[Number]):
    """A table of integers that grow and shrink; no row: 0."""

    def __init__(self, name: str, *, keeps_zero: bool = True) -> None:
        super().__init__(name, Number)
        self._keeps_zero = keeps_zero

    def value(self, draft: Draft, *parts: KeyPart) -> int:
        """Return the number of a key."""
        row = self.find(draft, *parts)
        return 0 if row is None else row.value

    def add(self, draft: Draft, amount: int, *parts: KeyPart) -> int:
        """Add to the number of a key, whose row goes at 0 where the table keeps none; return what it is now."""
        now = self.value(draft, *parts) + amount
        if now or self._keeps_zero:
            self.put(draft, Number(now), *parts)
        else:
            self.delete(draft, *parts)
        return now
