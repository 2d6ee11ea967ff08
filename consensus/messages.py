"""What committee members sign and send, in fixed layouts that need no msgpack. Big endian throughout.

A vote covers `domain | chain id | epoch, kind, height, view, block hash`; a SKIP carries 32 zero bytes for the hash. A
certificate is a quorum of votes of one kind in one view: a bitmap of voters and their signatures in committee order.
Source: H-Simplex, notes on consensus, section 1.3.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from enum import IntEnum
from operator import attrgetter

from ledger.blocks import HEADER_SIZE
from ledger.codec import INT_MAX
from ledger.errors import MalformedBytes
from ledger.hashing import ZERO_HASH

COMMITTEE_MAX = 1_000
"""A multiple of 8: the bits of the longest bitmap. A certificate of 667 voters fits the vote log's 16-bit length."""
VIEW_MAX = 1_000_000
JUSTIFICATION_MAX = 64
"""Certificates in a proposal: the leader sends those of the newest views; older ones travel by themselves."""
SIGNATURE_SIZE = 64


class VoteKind(IntEnum):
    """The three votes of Simplex."""

    NOTARIZE = 1
    SKIP = 2
    FINALIZE = 3


class CellKind(IntEnum):
    """The write-once cells of one (height, view) in the vote log."""

    NOTARIZE = 1
    SKIP = 2
    FINALIZE = 3
    PROPOSE = 4


@dataclass(frozen=True, slots=True)
class Cell:
    """One thing this node has bound itself to: it never signs another value in this cell.

    `support` is what the bond rests on, kept so that a committee that lost power as a whole can go on: the header of a
    notarized or proposed block, the encoded NOTARIZE certificate of a FINALIZE; empty for a SKIP.
    """

    kind: CellKind
    height: int
    view: int
    block_hash: bytes
    support: bytes = b""


@dataclass(frozen=True, slots=True)
class Vote:
    """A committee member's vote."""

    kind: VoteKind
    epoch: int
    height: int
    view: int
    block_hash: bytes
    voter: int
    """Index in the committee."""
    signature: bytes = b""


@dataclass(frozen=True, slots=True)
class Certificate:
    """A quorum of equal votes. A FINALIZE certificate is the commit certificate of its block."""

    kind: VoteKind
    epoch: int
    height: int
    view: int
    block_hash: bytes
    voters: tuple[int, ...]
    """Ascending committee indexes."""
    signatures: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class Proposal:
    """A leader's proposal of a block in a view; the body travels apart, by hash."""

    epoch: int
    height: int
    view: int
    block_hash: bytes
    header: bytes
    proposer: int
    """Index of the leader of (height, view)."""
    signature: bytes = b""
    justification: tuple[Certificate, ...] = ()
    """Certificates that allow this block in this view; not covered by the signature, each proves itself."""


Message = Vote | Certificate | Proposal

_VOTE = struct.Struct(">BIQI32sH64s")
_CERTIFICATE = struct.Struct(">BIQI32sH")
_PROPOSAL = struct.Struct(f">IQI32s{HEADER_SIZE}sH64sH")
_SIGNED = struct.Struct(">IBQI32s")
_vote_fields = attrgetter("kind", "epoch", "height", "view", "block_hash", "voter", "signature")
_certificate_fields = attrgetter("kind", "epoch", "height", "view", "block_hash")
_proposal_fields = attrgetter("epoch", "height", "view", "block_hash", "header", "proposer", "signature")
_TAG_VOTE, _TAG_CERTIFICATE, _TAG_PROPOSAL = 1, 2, 3
_HEIGHT_AT, _HEIGHT_SIZE = {b"\x01": 6, b"\x02": 6, b"\x03": 5}, 8
"""Where a message has its height, by its tag: after the kind of a vote, and the epoch."""


def vote_message(kind: int, epoch: int, height: int, view: int, block_hash: bytes) -> bytes:
    """Return what a vote's signature covers after the domain "vote" and the chain id."""
    return _SIGNED.pack(epoch, kind, height, view, block_hash)


def proposal_message(epoch: int, height: int, view: int, block_hash: bytes) -> bytes:
    """Return what a proposal's signature covers after the domain "proposal" and the chain id."""
    return _SIGNED.pack(epoch, CellKind.PROPOSE, height, view, block_hash)


def encode_message(message: Message) -> bytes:
    """Return the bytes of a message, first byte its tag."""
    if isinstance(message, Vote):
        return bytes([_TAG_VOTE]) + _VOTE.pack(*_vote_fields(message))
    if isinstance(message, Certificate):
        return bytes([_TAG_CERTIFICATE]) + encode_certificate(message)
    head = _PROPOSAL.pack(*_proposal_fields(message), len(message.justification))
    parts = [encode_certificate(certificate) for certificate in message.justification]
    return bytes([_TAG_PROPOSAL]) + head + b"".join(len(part).to_bytes(4, "big") + part for part in parts)


def decode_message(data: bytes) -> Message:
    """Return the message of bytes; MalformedBytes on any length, kind or bound that does not fit."""
    tag, rest = data[:1], data[1:]
    if tag == bytes([_TAG_VOTE]):
        return _decode_vote(rest)
    if tag == bytes([_TAG_CERTIFICATE]):
        return decode_certificate(rest)
    if tag == bytes([_TAG_PROPOSAL]):
        return _decode_proposal(rest)
    raise _malformed("unknown tag")


def height_of(data: bytes) -> int:
    """Return the height of a message without decoding the rest of it; MalformedBytes for what is none."""
    start = _HEIGHT_AT.get(data[:1])
    if start is None or len(data) < start + _HEIGHT_SIZE:
        raise _malformed("unknown tag")
    return int.from_bytes(data[start : start + _HEIGHT_SIZE], "big")


def encode_certificate(certificate: Certificate) -> bytes:
    """Return the fixed head, the bitmap of voters, and the signatures in committee order."""
    size = certificate.voters[-1] + 1 if certificate.voters else 0
    bitmap = bytearray((size + 7) // 8)
    assert all(len(each) == SIGNATURE_SIZE for each in certificate.signatures), "a signature has 64 bytes"
    for voter in certificate.voters:
        bitmap[voter // 8] |= 1 << (voter % 8)
    head = _CERTIFICATE.pack(*_certificate_fields(certificate), len(bitmap))
    return head + bytes(bitmap) + b"".join(certificate.signatures)


def decode_certificate(data: bytes) -> Certificate:
    """Return the certificate; MalformedBytes unless the bitmap ends in a set byte and has one signature a voter."""
    if len(data) < _CERTIFICATE.size:
        raise _malformed("certificate too short")
    kind, epoch, height, view, block_hash, bitmap_size = _CERTIFICATE.unpack_from(data)
    if bitmap_size > COMMITTEE_MAX // 8:
        raise _malformed("bitmap of more members than a committee may have")
    bitmap = data[_CERTIFICATE.size : _CERTIFICATE.size + bitmap_size]
    signatures = data[_CERTIFICATE.size + bitmap_size :]
    voters = tuple(index for index in range(8 * len(bitmap)) if bitmap[index // 8] >> (index % 8) & 1)
    fits = len(bitmap) == bitmap_size and voters and bitmap[-1] and voters[-1] < COMMITTEE_MAX
    if not fits or len(signatures) != SIGNATURE_SIZE * len(voters):
        raise _malformed("bitmap and signatures do not agree")
    parts = tuple(signatures[i : i + SIGNATURE_SIZE] for i in range(0, len(signatures), SIGNATURE_SIZE))
    return Certificate(_kind(kind, block_hash), epoch, _height(height), _view(view), block_hash, voters, parts)


def _decode_vote(data: bytes) -> Vote:
    if len(data) != _VOTE.size:
        raise _malformed("wrong length of a vote")
    kind, epoch, height, view, block_hash, voter, signature = _VOTE.unpack(data)
    if voter >= COMMITTEE_MAX:
        raise _malformed("voter out of range")
    return Vote(_kind(kind, block_hash), epoch, _height(height), _view(view), block_hash, voter, signature)


def _decode_proposal(data: bytes) -> Proposal:
    if len(data) < _PROPOSAL.size:
        raise _malformed("proposal too short")
    epoch, height, view, block_hash, header, proposer, signature, count = _PROPOSAL.unpack_from(data)
    if count > JUSTIFICATION_MAX:
        raise _malformed("too many certificates")
    if proposer >= COMMITTEE_MAX:
        raise _malformed("proposer out of range")
    position = _PROPOSAL.size
    certificates: list[Certificate] = []
    for _ in range(count):
        size = int.from_bytes(data[position : position + 4], "big")
        part = data[position + 4 : position + 4 + size]
        if len(part) != size:
            raise _malformed("certificate cut off")
        certificates.append(decode_certificate(part))
        position += 4 + size
    if position != len(data):
        raise _malformed("bytes after the proposal")
    return Proposal(epoch, _height(height), _view(view), block_hash, header, proposer, signature, tuple(certificates))


def _kind(kind: int, block_hash: bytes) -> VoteKind:
    if kind not in (1, 2, 3) or (kind == VoteKind.SKIP) != (block_hash == ZERO_HASH):
        raise _malformed("vote kind and block hash do not agree")
    return VoteKind(kind)


def _height(height: int) -> int:
    if height > INT_MAX:
        raise _malformed("height out of range")
    return height


def _view(view: int) -> int:
    if view > VIEW_MAX:
        raise _malformed("view out of range")
    return view


def _malformed(reason: str) -> MalformedBytes:
    what = f"a consensus message is malformed: {reason}"
    return MalformedBytes("consensus_message", what, "drop it and count it against the peer")
