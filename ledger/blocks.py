"""The daily block: a header of fixed layout, and the records in order. Bodies travel beside it.

The header does not hold the consensus view: a re-proposal in a later view keeps its hash. `state_root` is the root
after the block. Times are milliseconds since 1970 and decide nothing but when a fresh block may be proposed; every
rule counts heights.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from functools import cached_property

import msgspec

from ledger import merkle
from ledger.codec import Shape, encode
from ledger.errors import MalformedBytes
from ledger.hashing import HASH_SIZE, ZERO_HASH, tagged_hash
from ledger.records import Body, Record, record_id_of_signed, signed_bytes_of

HEADER_VERSION = 1
BLOCK_RECORDS_MAX = 100_000
_LAYOUT = struct.Struct(">H32sIQQQII" + "32s" * 9)
HEADER_SIZE = _LAYOUT.size


@dataclass(frozen=True, slots=True)
class Header:
    """A block's header, in the order of its bytes."""

    version: int
    chain_id: bytes
    epoch: int
    height: int
    scheduled_time_ms: int
    proposed_time_ms: int
    record_count: int
    proposer: int
    """Index of the fresh proposer in the height's committee, in committee order."""
    parent: bytes
    records_root: bytes
    state_root: bytes = ZERO_HASH
    history_root: bytes = ZERO_HASH
    """RFC 6962 root over the encoded headers of heights 0 .. height-1."""
    committee_hash: bytes = ZERO_HASH
    next_committee_hash: bytes = ZERO_HASH
    """Hash of the next committee in the last block of a term, 32 zero bytes elsewhere."""
    onion_reveal: bytes = ZERO_HASH
    randomness: bytes = ZERO_HASH
    """H("randomness", randomness of the parent ‖ onion_reveal)."""
    reserved: bytes = ZERO_HASH
    """32 zero bytes: room for one more root without another layout."""


_FIELD_NAMES = tuple(field.name for field in fields(Header))


def encode_header(header: Header) -> bytes:
    """Return the fixed layout, HEADER_SIZE bytes, big endian."""
    values = [getattr(header, name) for name in _FIELD_NAMES]
    hashes = [value for value in values if isinstance(value, bytes)]
    # struct would pad or cut a hash of another length without a word.
    assert all(len(value) == HASH_SIZE for value in hashes), "a hash in a header has 32 bytes"
    return _LAYOUT.pack(*values)


def decode_header(data: bytes) -> Header:
    """Return the header of HEADER_SIZE bytes; MalformedBytes on another length or version."""
    if len(data) != HEADER_SIZE:
        what = f"a header has {HEADER_SIZE} bytes, not {len(data)}"
        raise MalformedBytes("header_size", what, "fetch the block again")
    header = Header(*_LAYOUT.unpack(data))
    if header.version != HEADER_VERSION:
        what = f"header version {header.version} is not {HEADER_VERSION}"
        raise MalformedBytes("header_version", what, "upgrade mutua")
    return header


def block_hash_of(header: Header) -> bytes:
    """Return the 32-byte hash that consensus votes on."""
    return tagged_hash("block", encode_header(header))


class Block(Shape):
    """A block as stored and sent: the header's bytes and the records in order. Bodies are kept apart, by body_hash."""

    header: bytes
    records: tuple[Record, ...]


class BlockWithBodies(Shape):
    """A block as it travels: `bodies[i]` belongs to `block.records[i]`; None where it was dropped after retention."""

    block: Block
    bodies: tuple[Body | None, ...]


class FinalBlock(Shape):
    """A final block with its bodies and its commit certificate, in the bytes of `consensus.messages`."""

    block: BlockWithBodies
    certificate: bytes


@dataclass(frozen=True)
class Contents:
    """A block's records in their bytes, encoded once for all who hash, weigh, verify or keep them."""

    encoded: list[bytes]
    """Canonical bytes, signatures included."""
    signed: list[bytes]
    """What the author of each signed."""

    @cached_property
    def ids(self) -> list[bytes]:
        """The records' ids, in order."""
        return list(map(record_id_of_signed, self.signed))

    @cached_property
    def root(self) -> bytes:
        """RFC 6962 root over `encoded`."""
        return merkle.merkle_root(self.encoded)


def contents_of(records: Sequence[Record]) -> Contents:
    """Return the records in their bytes. They are hashed when somebody asks: other cores may verify meanwhile."""
    encoded = list(map(encode, records))
    return Contents(encoded, list(map(signed_bytes_of, records, encoded)))


def link_problems(
    header: Header, chain_id: bytes, parent: Header | None, history_root: bytes | None, contents: Contents | None
) -> Iterator[tuple[str, str]]:
    """Yield (field, what) for each field by which a header hangs on the chain and on its records but does not fit.

    One text for whoever keeps a block, opens a ledger or audits it. `parent`, `history_root`, `contents`: None where
    they are not known, which leaves their fields unjudged.
    """
    height = header.height
    if header.chain_id != chain_id:
        yield "chain_id", f"block {height} belongs to another chain"
    if parent is not None and height != parent.height + 1:
        yield "height", f"the block at height {parent.height + 1} says height {height}"
    if parent is not None and header.parent != block_hash_of(parent):
        yield "parent", f"block {height} does not name block {parent.height} as its parent"
    if history_root is not None and header.history_root != history_root:
        yield "history_root", f"the history_root of block {height} is not the root over the headers before it"
    if contents is not None and header.record_count != len(contents.ids):
        yield "record_count", f"block {height} says {header.record_count} records and holds {len(contents.ids)}"
    if contents is not None and header.records_root != contents.root:
        yield "records_root", f"the records_root of block {height} is not the root over its records"


def encode_block(header: bytes, contents: Contents) -> bytes:
    """Return the canonical bytes of `Block(header, records)` for records that are encoded already."""
    count = len(contents.encoded)
    array = msgspec.msgpack.encode([None] * count)[:-count] if count else b"\x90"
    return encode(Block(header, ()))[:-1] + array + b"".join(contents.encoded)


def next_randomness(previous: bytes, reveal: bytes) -> bytes:
    """Return the randomness of a block from its parent's and the proposer's onion reveal."""
    return tagged_hash("randomness", previous, reveal)
