"""Canonical bytes: msgspec msgpack of array-like frozen structs, accepted only if re-encoding gives the same bytes.

One value has one encoding and one encoding has one value, so a hash of bytes is a hash of meaning. Integers are
bounded to 0 .. 2**63-1; text must be NFC. Anything else is `MalformedBytes`.
"""

from __future__ import annotations

import unicodedata
from typing import TypeVar, cast, dataclass_transform

import msgspec

from ledger.errors import MalformedBytes

INT_MAX = 2**63 - 1
"""Largest integer in any record: fits a signed 64-bit integer of other languages."""

T = TypeVar("T")
_encoder = msgspec.msgpack.Encoder()
_decoders: dict[object, msgspec.msgpack.Decoder[object]] = {}


@dataclass_transform(frozen_default=True)
class Shape(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True, gc=False):
    """Base of everything with canonical bytes: a frozen struct, written as an array of its fields in order.

    Fields carry no defaults on the wire: a short array is refused by the comparison of `decode`. The garbage collector
    passes shapes by: they never change, so no cycle can run through one.
    """


def encode(value: Shape) -> bytes:
    """Return the canonical bytes of `value`."""
    return _encoder.encode(value)


def decode(shape: type[T], data: bytes) -> T:
    """Return the value of type `shape` whose canonical bytes are `data`; MalformedBytes otherwise."""
    decoder = _decoders.get(shape)
    if decoder is None:
        decoder = _decoders[shape] = msgspec.msgpack.Decoder(shape)
    try:
        value = decoder.decode(data)
        again = _encoder.encode(value)
    except (msgspec.MsgspecError, UnicodeError, OverflowError, RecursionError) as error:
        what = f"bytes are not a {shape.__name__}: {error}"
        raise MalformedBytes("malformed", what, "send them as encoded by ledger.codec") from None
    if again != data:
        what = f"bytes of a {shape.__name__} are not canonical"
        raise MalformedBytes("not_canonical", what, "re-encode them with ledger.codec")
    _check_leaves(value, shape.__name__)
    return value  # type: ignore[return-value]


def _check_leaves(value: object, name: str) -> None:
    """Refuse integers out of bounds and text that is not NFC, at any depth. Most leaves pass at the first look."""
    if isinstance(value, msgspec.Struct):
        items: tuple[object, ...] = _fields_of(value)
    elif isinstance(value, tuple):
        items = cast("tuple[object, ...]", value)
    else:
        items = (value,)
    for item in items:
        kind = type(item)
        if kind is bytes:
            continue
        if kind is str:
            if not item.isascii() and unicodedata.normalize("NFC", item) != item:  # type: ignore[attr-defined]
                what = f"{name} holds text that is not in Unicode form NFC"
                raise MalformedBytes("text_not_nfc", what, "normalise the text")
        elif kind is int:
            if not 0 <= item <= INT_MAX:  # type: ignore[operator]
                what = f"{name} holds the integer {item}, outside 0..2^63-1"
                raise MalformedBytes("integer_range", what, "keep integers in range")
        elif item is None or kind is bool:
            continue
        elif isinstance(item, (tuple, msgspec.Struct)):
            if item:
                _check_leaves(cast("object", item), name)
        else:
            what = f"{name} holds a {kind.__name__}"
            raise MalformedBytes("value_type", what, "use integers, text, bytes, tuples and shapes only")


_fields_of = msgspec.structs.astuple
