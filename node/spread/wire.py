"""What nodes say to each other above the transport: one tag byte, then the canonical bytes of a message.

Consensus messages have their own fixed layouts (`consensus.messages`) and travel on the consensus channel as they are;
everything here travels on the records and sync channels. Every list has a bound, so a hostile peer can waste one frame
at most.
"""

from __future__ import annotations

from typing import ClassVar

from ledger.blocks import BlockWithBodies, FinalBlock
from ledger.codec import Shape, decode, encode
from ledger.errors import MalformedBytes
from ledger.hashing import HASH_SIZE
from ledger.records import SignedRecord
from node.pool.mempool import SHORT_ID_SIZE

BUNDLE_RECORDS_MAX = 2_000
BUNDLE_BYTES_MAX = 1024 * 1024
BLOB_SIZE_MAX = 64 * 1024
DIGEST_IDS_MAX = 20_000
DIGEST_ID_SIZE = SHORT_ID_SIZE
WANT_BLOBS_MAX = 256
BUNDLE_BLOBS_MAX = 2_000
VOTES_SEEN_MAX = 64
BLOCKS_PER_ANSWER_MAX = 32
BLOCKS_ANSWER_BYTES_MAX = 3 * 1024 * 1024


class Tip(Shape):
    """The newest final height of the sender, and its hash. Sent on connecting, after each block, and as a heartbeat."""

    TAG: ClassVar[int] = 1
    height: int
    block_hash: bytes


class Bundle(Shape):
    """Records on their way, with the sealed blobs that some of them commit to."""

    TAG: ClassVar[int] = 2
    records: tuple[SignedRecord, ...]
    blobs: tuple[bytes, ...]


class Digest(Shape):
    """The ids (first 8 bytes) of the records that wait at the sender; the receiver fills the gaps on both sides."""

    TAG: ClassVar[int] = 3
    ids: tuple[bytes, ...]


class RecordRequest(Shape):
    """Please send these waiting records (first 8 bytes of the id) and these blobs (whole hash)."""

    TAG: ClassVar[int] = 4
    ids: tuple[bytes, ...]
    blobs: tuple[bytes, ...]


class GetBlocks(Shape):
    """Please send final blocks from `start` on."""

    TAG: ClassVar[int] = 5
    start: int
    count: int


class Blocks(Shape):
    """The answer to GetBlocks, ascending."""

    TAG: ClassVar[int] = 6
    items: tuple[FinalBlock, ...]


class GetCandidate(Shape):
    """Please send the proposed block with this hash."""

    TAG: ClassVar[int] = 7
    block_hash: bytes


class Candidate(Shape):
    """A proposed block with its bodies, not yet final."""

    TAG: ClassVar[int] = 8
    block: BlockWithBodies


class VoteQuery(Shape):
    """Which votes of the committee member with this index have you seen? Asked by its own node at the start."""

    TAG: ClassVar[int] = 9
    voter: int


class VoteReport(Shape):
    """The answer to VoteQuery: the height worked on, and votes (bytes of `consensus.messages`)."""

    TAG: ClassVar[int] = 10
    height: int
    votes: tuple[bytes, ...]


Message = Tip | Bundle | Digest | RecordRequest | GetBlocks | Blocks | GetCandidate | Candidate | VoteQuery | VoteReport
_SHAPES: dict[int, type[Message]] = {
    shape.TAG: shape
    for shape in (Tip, Bundle, Digest, RecordRequest, GetBlocks, Blocks, GetCandidate, Candidate, VoteQuery, VoteReport)
}
_SIZES_MAX: dict[int, int] = {
    Tip.TAG: 64,
    Bundle.TAG: 2 * BUNDLE_BYTES_MAX,
    Digest.TAG: 12 * DIGEST_IDS_MAX,
    RecordRequest.TAG: 12 * DIGEST_IDS_MAX,
    GetBlocks.TAG: 32,
    GetCandidate.TAG: 64,
    VoteQuery.TAG: 16,
    VoteReport.TAG: 64 * 1024,
}
"""Bytes of a frame by tag, looked at before anything is decoded; blocks may fill a whole frame."""


def encode_message(message: Message) -> bytes:
    """Return the frame payload of a message."""
    return bytes([message.TAG]) + encode(message)


def decode_message(data: bytes) -> Message:
    """Return the message of a frame payload, lists within their bounds; MalformedBytes otherwise."""
    shape = _SHAPES.get(data[0]) if data else None
    if shape is None:
        raise MalformedBytes("wire_tag", "the frame has no known tag", "speak this version of the protocol")
    if len(data) > _SIZES_MAX.get(data[0], len(data)):
        raise MalformedBytes("wire_bound", f"the frame has {len(data)} bytes, too many for its kind", "split it")
    message = decode(shape, data[1:])
    match message:
        case Bundle(records=records, blobs=blobs) if len(records) > BUNDLE_RECORDS_MAX or len(blobs) > BUNDLE_BLOBS_MAX:
            raise MalformedBytes("wire_bound", "the bundle is larger than a bundle may be", "split it")
        case Bundle(blobs=blobs) if any(len(blob) > BLOB_SIZE_MAX for blob in blobs):
            raise MalformedBytes("wire_bound", "the bundle is larger than a bundle may be", "split it")
        case Digest(ids=ids) | RecordRequest(ids=ids) if len(ids) > DIGEST_IDS_MAX or any(
            len(item) != DIGEST_ID_SIZE for item in ids
        ):
            raise MalformedBytes("wire_bound", "the list of ids is too long or misshapen", "split it")
        case RecordRequest(blobs=blobs) if len(blobs) > WANT_BLOBS_MAX or any(len(item) != HASH_SIZE for item in blobs):
            raise MalformedBytes("wire_bound", "the list of blobs is too long or misshapen", "split it")
        case Tip(block_hash=block_hash) | GetCandidate(block_hash=block_hash) if len(block_hash) != HASH_SIZE:
            raise MalformedBytes("wire_bound", "a hash has 32 bytes", "speak this version of the protocol")
        case VoteReport(votes=votes) if len(votes) > VOTES_SEEN_MAX:
            raise MalformedBytes("wire_bound", "the answer holds too many votes", "send fewer")
        case Blocks(items=items) if len(items) > BLOCKS_PER_ANSWER_MAX:
            raise MalformedBytes("wire_bound", "the answer holds too many blocks", "send fewer")
        case _:
            return message
