"""Every message survives the wire, and none is larger than its kind allows."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.blocks import HEADER_SIZE, Block, BlockWithBodies
from ledger.codec import encode
from ledger.errors import MalformedBytes
from node.spread import wire

EMPTY = BlockWithBodies(Block(bytes(HEADER_SIZE), ()), ())
MESSAGES = (
    wire.Tip(7, b"\x01" * 32),
    wire.Bundle((), (b"blob",)),
    wire.Digest((bytes(8),)),
    wire.RecordRequest((bytes(8),), (bytes(32),)),
    wire.GetBlocks(1, 2),
    wire.Blocks((wire.FinalBlock(EMPTY, b"certificate"),)),
    wire.GetCandidate(bytes(32)),
    wire.Candidate(EMPTY),
    wire.VoteQuery(3),
    wire.VoteReport(9, (b"vote",)),
)
TOO_MUCH = (
    wire.Tip(7, b"short"),
    wire.GetCandidate(b""),
    wire.Bundle((), (bytes(wire.BLOB_SIZE_MAX + 1),)),
    wire.Bundle((), (b"",) * (wire.BUNDLE_BLOBS_MAX + 1)),
    wire.Digest((bytes(8),) * (wire.DIGEST_IDS_MAX + 1)),
    wire.Digest((bytes(7),)),
    wire.RecordRequest((), (bytes(31),)),
    wire.RecordRequest((), (bytes(32),) * (wire.WANT_BLOBS_MAX + 1)),
    wire.VoteReport(1, (b"",) * (wire.VOTES_SEEN_MAX + 1)),
    wire.Blocks((wire.FinalBlock(EMPTY, b""),) * (wire.BLOCKS_PER_ANSWER_MAX + 1)),
)


@pytest.mark.parametrize("message", MESSAGES, ids=lambda item: type(item).__name__)
def test_a_message_survives_the_wire(message):
    assert wire.decode_message(wire.encode_message(message)) == message


def test_every_kind_has_its_own_tag():
    assert len({message.TAG for message in MESSAGES}) == len(MESSAGES)


@pytest.mark.parametrize("message", TOO_MUCH, ids=lambda item: type(item).__name__)
def test_what_is_beyond_a_bound_is_malformed(message):
    with pytest.raises(MalformedBytes):
        wire.decode_message(wire.encode_message(message))


def test_a_large_frame_of_a_small_kind_is_refused_before_it_is_decoded():
    data = bytes([wire.Digest.TAG]) + encode(wire.Digest((b"",) * 1_000_000))
    with pytest.raises(MalformedBytes) as refused:
        wire.decode_message(data)
    assert refused.value.code == "wire_bound"


@given(st.binary(max_size=400), st.integers(0, 12))
def test_no_bytes_make_the_decoder_fail_otherwise_than_as_malformed(data, tag):
    try:
        wire.decode_message(bytes([tag]) + data)
    except MalformedBytes:
        pass
