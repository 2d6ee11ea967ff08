"""Blocks checked: what this node is willing to notarize. Checking takes CPU and disk: call it in a thread."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from governance.events import Event
from ledger.blocks import BlockWithBodies, Contents, Header, contents_of, decode_header
from ledger.chain import Chain, NextBlock
from ledger.codec import encode
from ledger.errors import MalformedBytes
from ledger.records import Body, Record, SignedRecord, check_record_shape, is_body_of
from node.execution.apply import Applied, apply_block, encode_events
from node.execution.header_rules import INVALID, check_header
from node.execution.verifier import Verifier

BLOCK_BYTES_MAX = 2 * 1024 * 1024
"""Records with their bodies in one block: a final block with its certificate then fits easily in one frame."""


SIGNED_HEADER_SIZE = 1
"""Bytes that bind a record and its body to a `SignedRecord`."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A checked block and its effect: it is applied once, and committed as it is when it becomes final."""

    block: BlockWithBodies
    header: Header
    block_hash: bytes
    delta: Mapping[bytes, bytes | None]
    events: tuple[Event, ...]
    next: NextBlock
    """All of it staged for `Chain.keep`."""


def candidate_of(chain: Chain, block: BlockWithBodies, applied: Applied, contents: Contents) -> Candidate:
    """Return an applied block as a candidate, staged."""
    prepared = chain.prepare(block, applied.delta, encode_events(applied.events), contents)
    tip = prepared.tip
    return Candidate(block, tip.header, tip.block_hash, applied.delta, applied.events, prepared)


def weight_of(signed: SignedRecord) -> int:
    """Return the bytes that a record with its body takes of a block's size."""
    return len(encode(signed))


def check_candidate(
    chain: Chain,
    committee: tuple[bytes, ...],
    block: BlockWithBodies,
    is_verified: Callable[[Record], bool],
    verifier: Verifier | None = None,
) -> Candidate:
    """Check a peer's block over the tip, apply it and return it with its effect; MutuaError says why it is not valid.

    `is_verified(record)` spares signatures of a record that arrived before, equal in every byte. Every body must be
    present. A bad signature is named before anything that the rules say of the block.
    """
    header, records = decode_header(block.block.header), block.block.records
    contents = contents_of(records)
    unverified = [item for item in zip(records, contents.signed, strict=True) if not is_verified(item[0])]
    with (verifier or Verifier(0)).checking(unverified) as are_signed:
        check_header(chain, committee, header, contents)
        _check_bodies(block, contents)
        for record in records:
            check_record_shape(record, chain.chain_id)
        try:
            outcome = _effect_of(chain, committee[header.proposer], block, header, contents)
        except Exception as error:  # whatever it is, a bad signature is named before it
            outcome = error
        if not are_signed():
            raise MalformedBytes("record_signature", "a record of the block has a bad signature", INVALID)
    if isinstance(outcome, Exception):
        raise outcome
    return outcome


def _effect_of(chain: Chain, leader: bytes, block: BlockWithBodies, header: Header, contents: Contents) -> Candidate:
    """Return a block whose parts fit together with its effect."""
    records, randomness = block.block.records, chain.tip.header.randomness
    bodies = {record.body_hash: body for record, body in zip(records, block.bodies, strict=True) if body is not None}
    applied = apply_block(chain.state, header, randomness, leader, records, bodies, contents.ids)
    if chain.tree.root_after(applied.delta) != header.state_root:
        raise MalformedBytes("block_state_root", "applying the block does not give its state root", INVALID)
    return candidate_of(chain, block, applied, contents)


def check_whole(block: BlockWithBodies) -> None:
    """Raise MalformedBytes unless all records and bodies are there: that is the sender's fault, not the signers'."""
    header = decode_header(block.block.header)
    contents = contents_of(block.block.records)
    if header.record_count != len(contents.ids) or header.records_root != contents.root:
        what = "the block came with other records than its header names"
        raise MalformedBytes("block_records", what, "fetch the block again")
    _check_bodies(block, contents)


def _check_bodies(block: BlockWithBodies, contents: Contents) -> None:
    records = block.block.records
    if len(block.bodies) != len(records):
        what = "the block has another number of bodies than records"
        raise MalformedBytes("block_bodies", what, "send one body a record")
    for record, body in zip(records, block.bodies, strict=True):
        if body is None or not is_body_of(record, body):
            raise MalformedBytes("record_body", "a record of the block has no body that fits", "fetch the block again")
    check_size(contents, (body for body in block.bodies if body is not None))


def check_size(contents: Contents, bodies: Iterable[Body]) -> None:
    """Raise MalformedBytes when the records with their bodies are more than a block may hold."""
    size = sum(SIGNED_HEADER_SIZE + len(data) for data in contents.encoded) + sum(len(encode(body)) for body in bodies)
    if size > BLOCK_BYTES_MAX:
        what = f"the block has {size} bytes of records, more than {BLOCK_BYTES_MAX}"
        raise MalformedBytes("block_size", what, INVALID)
