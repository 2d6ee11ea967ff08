"""One value has one encoding and one encoding has one value."""

from __future__ import annotations

import unicodedata

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.blocks import HEADER_SIZE, Header, decode_header, encode_header
from ledger.codec import INT_MAX, Shape, decode, encode
from ledger.errors import MalformedBytes
from ledger.records import Attestation, Body, Record, SignedRecord


class Inner(Shape):
    tag: str
    amount: int


class Outer(Shape):
    flag: bool
    number: int | None
    name: str
    data: bytes
    parts: tuple[Inner, ...]
    numbers: tuple[int, ...]


ints = st.one_of(
    st.integers(0, INT_MAX), st.sampled_from([0, 1, 127, 128, 255, 256, 65_535, 65_536, 2**32 - 1, 2**32, INT_MAX])
)
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=40).map(
    lambda text: unicodedata.normalize("NFC", text)
)
inners = st.builds(Inner, texts, ints)
outers = st.builds(
    Outer,
    st.booleans(),
    st.none() | ints,
    texts,
    st.binary(max_size=300),
    st.lists(inners, max_size=20).map(tuple),
    st.lists(ints, max_size=20).map(tuple),
)
keys = st.binary(min_size=32, max_size=32)
attestations = st.builds(Attestation, texts, keys, keys, st.binary(min_size=64, max_size=64))
records = st.builds(
    Record,
    ints,
    keys,
    texts,
    keys,
    keys,
    ints,
    ints,
    keys,
    st.lists(attestations, max_size=3).map(tuple),
    st.binary(min_size=64, max_size=64),
)


@given(outers)
def test_values_come_back(value: Outer) -> None:
    assert decode(Outer, encode(value)) == value


@given(st.builds(SignedRecord, records, st.builds(Body, st.binary(max_size=16), st.binary(max_size=500))))
def test_records_come_back(value: SignedRecord) -> None:
    assert decode(SignedRecord, encode(value)) == value


@given(st.binary(max_size=200))
def test_whatever_decodes_re_encodes_to_the_same_bytes(data: bytes) -> None:
    for shape in (Outer, Inner, Record, Body):
        try:
            value = decode(shape, data)
        except MalformedBytes:
            continue
        assert encode(value) == data


@given(outers, st.data())
def test_a_changed_byte_is_refused_or_means_something_else(value: Outer, data: st.DataObject) -> None:
    encoded = bytearray(encode(value))
    position = data.draw(st.integers(0, len(encoded) - 1))
    encoded[position] ^= data.draw(st.integers(1, 255))
    try:
        other = decode(Outer, bytes(encoded))
    except MalformedBytes:
        return
    assert other != value
    assert encode(other) == bytes(encoded)


def longer_forms(value: object) -> list[bytes]:
    """Encodings of `value` that other programs might write: wider integers, wider lengths."""
    if isinstance(value, bool) or value is None:
        return []
    if isinstance(value, int):
        forms = [b"\xcc" + bytes([value])] if value < 128 else []
        forms += [b"\xcd" + value.to_bytes(2, "big")] if value < 256 else []
        forms += [b"\xce" + value.to_bytes(4, "big")] if value < 65_536 else []
        forms += [b"\xcf" + value.to_bytes(8, "big")] if value < 2**32 else []
        return [*forms, b"\xd3" + value.to_bytes(8, "big")]
    if isinstance(value, str):
        raw = value.encode()
        return [b"\xda" + len(raw).to_bytes(2, "big") + raw, b"\xdb" + len(raw).to_bytes(4, "big") + raw]
    raw = bytes(value)
    return (
        [b"\xc5" + len(raw).to_bytes(2, "big") + raw, b"\xc6" + len(raw).to_bytes(4, "big") + raw]
        if len(raw) < 256
        else []
    )


class HoldsNumber(Shape):
    value: int


class HoldsText(Shape):
    value: str


class HoldsBytes(Shape):
    value: bytes


HOLDERS = {int: HoldsNumber, str: HoldsText, bytes: HoldsBytes}


@given(ints | texts | st.binary(max_size=255))
def test_longer_forms_of_the_same_value_are_refused(value) -> None:
    holder = HOLDERS[type(value)]
    canonical = encode(holder(value))
    for form in longer_forms(value):
        for data in (b"\x91" + form, b"\xdc\x00\x01" + form):
            if data != canonical:
                with pytest.raises(MalformedBytes):
                    decode(holder, data)


@given(inners)
def test_maps_floats_rests_and_short_arrays_are_refused(value: Inner) -> None:
    canonical = encode(value)
    for data in (
        msgspec.msgpack.encode({"tag": value.tag, "amount": value.amount}),
        msgspec.msgpack.encode([value.tag, float(value.amount)]),
        msgspec.msgpack.encode([value.tag]),
        msgspec.msgpack.encode([value.tag, value.amount, 0]),
        msgspec.msgpack.encode([value.tag.encode(), value.amount]),
        msgspec.msgpack.encode([value.tag, str(value.amount)]),
        canonical + b"\x00",
        canonical[:-1],
        b"",
    ):
        with pytest.raises(MalformedBytes):
            decode(Inner, data)


@given(st.integers(INT_MAX + 1, 2**64 - 1) | st.integers(-(2**63), -1))
def test_integers_outside_the_bounds_are_refused(number: int) -> None:
    with pytest.raises(MalformedBytes):
        decode(Inner, msgspec.msgpack.encode(["x", number]))


@given(
    st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20).map(
        lambda text: unicodedata.normalize("NFD", text)
    )
)
def test_text_that_is_not_nfc_is_refused(text: str) -> None:
    data = msgspec.msgpack.encode([text, 1])
    if unicodedata.normalize("NFC", text) == text:
        assert decode(Inner, data).tag == text
    else:
        with pytest.raises(MalformedBytes):
            decode(Inner, data)


u32, u64 = st.integers(0, 2**32 - 1), st.integers(0, 2**64 - 1)
headers = st.builds(Header, st.just(1), keys, u32, u64, u64, u64, u32, u32, *[keys] * 9)


@given(headers)
def test_headers_come_back_in_a_fixed_layout(header: Header) -> None:
    data = encode_header(header)
    assert len(data) == HEADER_SIZE
    assert decode_header(data) == header


@given(st.binary(max_size=HEADER_SIZE + 5))
def test_header_bytes_are_a_header_or_refused(data: bytes) -> None:
    try:
        header = decode_header(data)
    except MalformedBytes:
        return
    assert encode_header(header) == data
