"""Blocks made and blocks checked: what this node proposes, and what it is willing to notarize.

A candidate is a block with what it would do to the state; applying is done once, and a candidate that becomes final is
committed as it stands. Everything here blocks on CPU or disk: the driver calls it in a thread.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace

import msgspec
import structlog

from consensus.catchup import earliest_proposal_ms
from consensus.committee import committee_hash
from governance.events import Event, event_json
from governance.transition import BlockContext, OpenBlock
from ledger.blocks import (
    HEADER_VERSION,
    Block,
    BlockWithBodies,
    Contents,
    Header,
    contents_of,
    decode_header,
    encode_header,
    next_randomness,
)
from ledger.calendar import is_boundary
from ledger.chain import Chain, NextBlock
from ledger.codec import encode
from ledger.errors import MalformedBytes, MutuaError, RuleBroken
from ledger.hashing import ZERO_HASH
from ledger.records import Body, Record, SignedRecord, check_record_shape, is_body_of
from node.execution.apply import ONION_PREFIX, act_of, apply_block, onion_of, reveal_row
from node.execution.verifier import Verifier
from node.faults import is_fatal

log = structlog.get_logger("mutua.ledger")

BLOCK_BYTES_MAX = 2 * 1024 * 1024
"""Records with their bodies in one block: a final block with its certificate then fits in one frame with room to spare.
"""


SIGNED_HEADER_SIZE = 1
"""Bytes that bind a record and its body to a `SignedRecord`."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A checked block and its effect, ready to be committed."""

    block: BlockWithBodies
    header: Header
    block_hash: bytes
    delta: Mapping[bytes, bytes | None]
    events: tuple[Event, ...]
    next: NextBlock
    """All of it in rows, ready for `Chain.keep`."""


@dataclass(frozen=True, slots=True)
class Proposer:
    """The part of a committee member that a block needs."""

    index: int
    consensus_key: bytes
    reveal: Callable[[int], bytes]
    """Layers already gone -> the next preimage."""


def weight_of(signed: SignedRecord) -> int:
    """Return the bytes that a record with its body takes of a block's size."""
    return len(encode(signed))


def schedule_ms(chain: Chain, height: int) -> int:
    """Return the nominal time of a height (rules §1)."""
    return chain.charter.genesis_time_ms + height * chain.charter.block_interval_ms


def earliest_ms(chain: Chain) -> int:
    """Return when a fresh block may be proposed.

    At its nominal time, and no sooner than half an interval after its parent.
    """
    return earliest_proposal_ms(
        schedule_ms(chain, chain.height + 1), chain.tip.header.proposed_time_ms, chain.charter.block_interval_ms
    )


def build_candidate(
    chain: Chain,
    committee: tuple[bytes, ...],
    proposer: Proposer,
    waiting: Iterable[tuple[bytes, SignedRecord]],
    now_ms: int,
    *,
    is_late: Callable[[], bool] = lambda: False,
) -> tuple[Candidate, dict[bytes, MutuaError]]:
    """Return a fresh block over the tip, and the waiting records that the rules refused with the reason of each.

    `is_late`: asked before each record; a block is closed with what it has rather than after its view is over.
    """
    height = chain.height + 1
    _, gone = onion_of(chain.state, proposer.consensus_key)
    reveal = proposer.reveal(gone)
    randomness = next_randomness(chain.tip.header.randomness, reveal)
    opened = OpenBlock(chain.state, BlockContext(height=height, randomness=randomness))
    taken: list[SignedRecord] = []
    refused: dict[bytes, MutuaError] = {}
    size = 0
    for record_id, signed in waiting:
        weight = weight_of(signed)
        if size + weight > BLOCK_BYTES_MAX or is_late():
            break
        try:
            opened.take(act_of(signed.record, signed.body, record_id))
        except MutuaError as error:
            if is_fatal(error):
                raise
            refused[record_id] = error
            continue
        except Exception as error:  # a record must never be able to stop every proposer
            log.exception("rules_fault", kind=signed.record.kind, record_id=record_id.hex())
            refused[record_id] = RuleBroken(
                "rules_fault",
                f"the rules met a fault at this record: {type(error).__name__}",
                "report it to the maintainers",
            )
            continue
        size += weight
        taken.append(signed)
    outcome = opened.close()
    delta = dict(outcome.delta)
    delta[ONION_PREFIX + proposer.consensus_key] = reveal_row(chain.state, proposer.consensus_key, reveal)
    records = tuple(signed.record for signed in taken)
    contents = contents_of(records)
    header = _header_for(
        chain,
        committee,
        height,
        max(now_ms, earliest_ms(chain)),
        records_root=contents.root,
        count=len(records),
    )
    header = replace(
        header,
        proposer=proposer.index,
        onion_reveal=reveal,
        randomness=randomness,
        state_root=chain.tree.root_after(delta),
    )
    block = BlockWithBodies(Block(encode_header(header), records), tuple(signed.body for signed in taken))
    prepared = chain.prepare(block, delta, encode_events(outcome.events), contents)
    return Candidate(block, header, prepared.tip.block_hash, delta, outcome.events, prepared), refused


def check_candidate(
    chain: Chain,
    committee: tuple[bytes, ...],
    block: BlockWithBodies,
    is_verified: Callable[[Record], bool],
    verifier: Verifier | None = None,
) -> Candidate:
    """Check a peer's block over the tip, apply it, and return it with its effect; MutuaError says why it does not hold.

    `is_verified(record)` spares signatures of a record that arrived before, equal in every byte. Every body must be
    present. A bad signature is named before anything that the rules say of the block.
    """
    header = decode_header(block.block.header)
    records = block.block.records
    contents = contents_of(records)
    expected = _header_for(
        chain,
        committee,
        chain.height + 1,
        header.proposed_time_ms,
        records_root=contents.root,
        count=len(records),
    )
    if not 0 <= header.proposer < len(committee):
        raise MalformedBytes(
            "block_proposer", "the block names a proposer outside the committee", "count the proposal as invalid"
        )
    expected = replace(
        expected,
        proposer=header.proposer,
        onion_reveal=header.onion_reveal,
        randomness=header.randomness,
        state_root=header.state_root,
    )
    if expected != header:
        names = [name for name in Header.__dataclass_fields__ if getattr(expected, name) != getattr(header, name)]
        raise MalformedBytes(
            "block_header",
            f"the block's {', '.join(names)} do not follow from the tip",
            "count the proposal as invalid",
        )
    if header.proposed_time_ms < earliest_ms(chain):
        raise MalformedBytes("block_early", "the block was proposed before its time", "count the proposal as invalid")
    bodies = _checked_bodies(chain, block, contents)

    def effect() -> tuple[tuple[Event, ...], NextBlock]:
        applied = apply_block(
            chain.state,
            header,
            chain.tip.header.randomness,
            committee[header.proposer],
            records,
            bodies,
            contents.ids,
        )
        if chain.tree.root_after(applied.delta) != header.state_root:
            raise MalformedBytes(
                "block_state_root", "applying the block does not give its state root", "count the proposal as invalid"
            )
        return applied.events, chain.prepare(block, applied.delta, encode_events(applied.events), contents)

    is_signed, outcome = (verifier or Verifier(0)).check_while(
        [item for item in zip(records, contents.signed, strict=True) if not is_verified(item[0])], effect
    )
    if not is_signed:
        raise MalformedBytes(
            "record_signature", "a record of the block has a bad signature", "count the proposal as invalid"
        )
    if isinstance(outcome, Exception):
        raise outcome
    events, prepared = outcome
    return Candidate(block, header, prepared.tip.block_hash, prepared.delta, events, prepared)


def check_whole(block: BlockWithBodies) -> None:
    """Raise MalformedBytes unless the records are those of the header and every body is there, its record's own, within the size of a block.

    What fails here is the fault of whoever sent the bytes; what a whole block does is the fault of whoever signed it.
    """
    header = decode_header(block.block.header)
    contents = contents_of(block.block.records)
    if header.record_count != len(contents.ids) or header.records_root != contents.root:
        raise MalformedBytes(
            "block_records", "the block came with other records than its header names", "fetch the block again"
        )
    _check_bodies(block, contents)


def _check_bodies(block: BlockWithBodies, contents: Contents) -> None:
    records = block.block.records
    if len(block.bodies) != len(records):
        raise MalformedBytes(
            "block_bodies", "the block has another number of bodies than records", "send one body a record"
        )
    size = 0
    for record, body, encoded in zip(records, block.bodies, contents.encoded, strict=True):
        if body is None or not is_body_of(record, body):
            raise MalformedBytes("record_body", "a record of the block has no body that fits", "fetch the block again")
        size += SIGNED_HEADER_SIZE + len(encoded) + len(encode(body))
    if size > BLOCK_BYTES_MAX:
        raise MalformedBytes(
            "block_size",
            f"the block has {size} bytes of records, more than {BLOCK_BYTES_MAX}",
            "count the proposal as invalid",
        )


def encode_events(events: Iterable[Event]) -> bytes:
    """Return the events of a block as JSON lines, as `ledger.chain` keeps them."""
    return b"\n".join(msgspec.json.encode(event_json(event)) for event in events)


def _checked_bodies(chain: Chain, block: BlockWithBodies, contents: Contents) -> dict[bytes, Body]:
    _check_bodies(block, contents)
    bodies: dict[bytes, Body] = {}
    for record, body in zip(block.block.records, block.bodies, strict=True):
        check_record_shape(record, chain.chain_id)
        assert body is not None
        bodies[record.body_hash] = body
    return bodies


def _header_for(
    chain: Chain, committee: tuple[bytes, ...], height: int, now_ms: int, *, records_root: bytes, count: int
) -> Header:
    """Return the header that follows from the tip; the proposer's fields and the state root are still empty."""
    own_hash = committee_hash(committee)
    return Header(
        version=HEADER_VERSION,
        chain_id=chain.chain_id,
        epoch=chain.tip.header.epoch,
        height=height,
        scheduled_time_ms=schedule_ms(chain, height),
        proposed_time_ms=max(now_ms, chain.tip.header.proposed_time_ms),
        record_count=count,
        proposer=0,
        parent=chain.tip.block_hash,
        records_root=records_root,
        state_root=ZERO_HASH,
        history_root=chain.history_root(),
        committee_hash=own_hash,
        next_committee_hash=own_hash if is_boundary(height) else ZERO_HASH,
        onion_reveal=ZERO_HASH,
        randomness=ZERO_HASH,
        reserved=ZERO_HASH,
    )


__all__ = [
    "BLOCK_BYTES_MAX",
    "Candidate",
    "Proposer",
    "build_candidate",
    "check_candidate",
    "check_whole",
    "earliest_ms",
    "encode_events",
    "schedule_ms",
]
