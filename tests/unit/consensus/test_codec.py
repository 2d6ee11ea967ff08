"""Consensus messages on the wire: what is sent arrives equal, and nothing else is taken for a message."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from consensus.messages import (
    COMMITTEE_MAX,
    JUSTIFICATION_MAX,
    VIEW_MAX,
    Certificate,
    Proposal,
    Vote,
    VoteKind,
    decode_certificate,
    decode_message,
    encode_certificate,
    encode_message,
    height_of,
)
from ledger.blocks import HEADER_SIZE
from ledger.codec import INT_MAX
from ledger.errors import MalformedBytes
from ledger.hashing import ZERO_HASH

HASHES = st.binary(min_size=32, max_size=32).filter(lambda data: data != ZERO_HASH)
SIGNATURES = st.binary(min_size=64, max_size=64)
EPOCHS = st.integers(0, 2**32 - 1)
HEIGHTS = st.integers(0, INT_MAX)
VIEWS = st.integers(0, VIEW_MAX)
MEMBERS = st.integers(0, COMMITTEE_MAX - 1)


@st.composite
def kinds_and_hashes(draw):
    kind = draw(st.sampled_from(VoteKind))
    return kind, ZERO_HASH if kind == VoteKind.SKIP else draw(HASHES)


@st.composite
def votes(draw):
    kind, block_hash = draw(kinds_and_hashes())
    return Vote(kind, draw(EPOCHS), draw(HEIGHTS), draw(VIEWS), block_hash, draw(MEMBERS), draw(SIGNATURES))


@st.composite
def certificates(draw):
    kind, block_hash = draw(kinds_and_hashes())
    voters = tuple(sorted(draw(st.sets(MEMBERS, min_size=1, max_size=6))))
    signatures = tuple(draw(SIGNATURES) for _ in voters)
    return Certificate(kind, draw(EPOCHS), draw(HEIGHTS), draw(VIEWS), block_hash, voters, signatures)


@st.composite
def proposals(draw):
    return Proposal(
        draw(EPOCHS),
        draw(HEIGHTS),
        draw(VIEWS),
        draw(HASHES),
        draw(st.binary(min_size=HEADER_SIZE, max_size=HEADER_SIZE)),
        draw(MEMBERS),
        draw(SIGNATURES),
        tuple(draw(st.lists(certificates(), max_size=3))),
    )


MESSAGES = st.one_of(votes(), certificates(), proposals())
VOTE = Vote(VoteKind.NOTARIZE, 0, 5, 1, bytes([7]) * 32, 2, bytes([9]) * 64)
CERTIFICATE = Certificate(
    VoteKind.SKIP, 0, 5, 1, ZERO_HASH, (0, 3, 9), (bytes([1]) * 64, bytes([2]) * 64, bytes([3]) * 64)
)
PROPOSAL = Proposal(0, 5, 1, bytes([7]) * 32, bytes(HEADER_SIZE), 2, bytes([9]) * 64, (CERTIFICATE, CERTIFICATE))


@given(MESSAGES)
def test_a_message_arrives_as_it_was_sent(message):
    assert decode_message(encode_message(message)) == message


@given(MESSAGES)
def test_the_height_of_a_message_is_read_without_the_rest(message):
    sent = encode_message(message)
    assert height_of(sent) == height_of(sent[:20]) == message.height
    for bad in (b"", sent[:8], b"\x09" + sent[1:]):
        with pytest.raises(MalformedBytes):
            height_of(bad)


@given(MESSAGES, st.data())
@settings(max_examples=200)
def test_a_changed_byte_makes_another_message_or_none_but_never_two_encodings_of_one(message, data):
    sent = bytearray(encode_message(message))
    place = data.draw(st.integers(0, len(sent) - 1))
    sent[place] ^= data.draw(st.integers(1, 255))
    with contextlib.suppress(MalformedBytes):
        got = decode_message(bytes(sent))
        assert got != message
        assert encode_message(got) == bytes(sent)


@given(st.binary(max_size=600))
def test_any_bytes_decode_canonically_or_are_refused(data):
    for tag in (b"", b"\x01", b"\x02", b"\x03"):
        with contextlib.suppress(MalformedBytes):
            assert encode_message(decode_message(tag + data)) == tag + data


@pytest.mark.parametrize("message", [VOTE, CERTIFICATE, PROPOSAL], ids=["vote", "certificate", "proposal"])
def test_a_message_cut_off_anywhere_or_with_a_byte_too_many_is_refused(message):
    sent = encode_message(message)
    for size in range(len(sent)):
        with pytest.raises(MalformedBytes):
            decode_message(sent[:size])
    with pytest.raises(MalformedBytes):
        decode_message(sent + b"\x00")


@pytest.mark.parametrize("tag", [0, 4, 255])
def test_an_unknown_tag_is_refused(tag):
    with pytest.raises(MalformedBytes, match="unknown tag"):
        decode_message(bytes([tag]) + encode_message(VOTE)[1:])


@pytest.mark.parametrize("kind", [0, 4, 255])
def test_an_unknown_kind_of_vote_is_refused(kind):
    sent = bytearray(encode_message(VOTE))
    sent[1] = kind
    with pytest.raises(MalformedBytes, match="kind"):
        decode_message(bytes(sent))


def test_a_skip_has_no_block_and_the_others_have_one():
    sent = bytearray(encode_message(VOTE))
    sent[1] = VoteKind.SKIP
    with pytest.raises(MalformedBytes, match="kind"):
        decode_message(bytes(sent))
    empty = Vote(VoteKind.FINALIZE, 0, 5, 1, ZERO_HASH, 2, bytes(64))
    with pytest.raises(MalformedBytes, match="kind"):
        decode_message(encode_message(empty))


@pytest.mark.parametrize(
    "message",
    [
        Vote(VoteKind.NOTARIZE, 0, 5, VIEW_MAX + 1, bytes([7]) * 32, 2, bytes(64)),
        Vote(VoteKind.NOTARIZE, 0, INT_MAX + 1, 1, bytes([7]) * 32, 2, bytes(64)),
        Vote(VoteKind.NOTARIZE, 0, 5, 1, bytes([7]) * 32, COMMITTEE_MAX, bytes(64)),
        Proposal(0, 5, 1, bytes([7]) * 32, bytes(HEADER_SIZE), COMMITTEE_MAX, bytes(64)),
        Proposal(0, 5, 1, bytes([7]) * 32, bytes(HEADER_SIZE), 2, bytes(64), (CERTIFICATE,) * (JUSTIFICATION_MAX + 1)),
        Certificate(VoteKind.SKIP, 0, 5, VIEW_MAX + 1, ZERO_HASH, (1,), (bytes(64),)),
        Certificate(VoteKind.SKIP, 0, 5, 1, ZERO_HASH, (COMMITTEE_MAX,), (bytes(64),)),
        Certificate(VoteKind.SKIP, 0, 5, 1, ZERO_HASH, (), ()),
    ],
)
def test_a_message_out_of_its_bounds_is_refused(message):
    with pytest.raises(MalformedBytes):
        decode_message(encode_message(message))


def test_a_bitmap_with_a_trailing_zero_byte_or_another_count_of_signatures_is_refused():
    sent = encode_certificate(CERTIFICATE)
    head, bitmap, signatures = sent[:-194], sent[-194:-192], sent[-192:]
    size_at = len(head) - 2
    assert int.from_bytes(head[size_at:], "big") == 2
    padded = head[:size_at] + (3).to_bytes(2, "big") + bitmap + b"\x00" + signatures
    for data in (padded, head + bitmap + signatures[:-64], head + b"\x0f\x02" + signatures):
        with pytest.raises(MalformedBytes, match="bitmap"):
            decode_certificate(data)


def test_a_bitmap_of_more_members_than_any_committee_is_refused_before_it_is_read():
    head = encode_certificate(CERTIFICATE)[:-194]
    with pytest.raises(MalformedBytes, match="bitmap"):
        decode_certificate(head[:-2] + (0xFFFF).to_bytes(2, "big") + b"\xff" * 0xFFFF)
