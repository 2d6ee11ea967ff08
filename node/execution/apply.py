"""One block, one meaning: how a header and its records change the state. Pure; the daemon and the auditor both call it.

Two tables meet here. Governance owns the co-op's rows; the onion rows (`consensus/onion/<key>`) belong to consensus:
each proposer reveals the next preimage of the chain of hashes it committed to in the charter, so there is nothing to
grind (notes on randomness: H-Simplex, hash onion). The header's fields are checked against the state before the block.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256

import msgspec

from governance.acts import Act, act_of
from governance.events import Event, event_json
from governance.genesis import genesis_rows as governance_rows
from governance.genesis import spec_of_charter
from governance.transition import BlockContext, Outcome
from governance.transition import apply_block as apply_acts
from ledger.blocks import Header, next_randomness
from ledger.errors import MalformedBytes, RuleBroken
from ledger.genesis import Charter
from ledger.records import Body, Record
from ledger.state import StateReader

ONION_PREFIX = b"consensus/onion/"
_COUNT_SIZE = 4


@dataclass(frozen=True, slots=True)
class Applied:
    """What one block did: rows changed (None = gone) and the events, in the order of rules §1."""

    delta: dict[bytes, bytes | None]
    events: tuple[Event, ...]


def genesis_rows(charter: Charter) -> dict[bytes, bytes]:
    """Return every row of block 0."""
    rows = dict(governance_rows(spec_of_charter(charter)))
    for founder in charter.founders:
        rows[ONION_PREFIX + founder.consensus_key] = founder.onion_tip + bytes(_COUNT_SIZE)
    return rows


def onion_of(state: StateReader, consensus_key: bytes) -> tuple[bytes, int]:
    """Return the newest revealed value of a proposer's onion and how many layers are gone."""
    row = state.get(ONION_PREFIX + consensus_key)
    if row is None:
        what = "the proposer has committed to no onion"
        raise MalformedBytes("onion_unknown", what, "elect members with a registered onion only")
    return row[:-_COUNT_SIZE], int.from_bytes(row[-_COUNT_SIZE:], "big")


def reveal_row(state: StateReader, consensus_key: bytes, reveal: bytes) -> bytes:
    """Return the onion row after `reveal`; MalformedBytes unless it is the preimage of the newest value."""
    value, count = onion_of(state, consensus_key)
    if sha256(reveal).digest() != value:
        what = "the proposer's reveal does not open its onion"
        raise MalformedBytes("onion_reveal", what, "count the proposal as invalid")
    return reveal + (count + 1).to_bytes(_COUNT_SIZE, "big")


def apply_block(  # noqa: PLR0917 - a block has this many facts
    state: StateReader,
    header: Header,
    previous_randomness: bytes,
    proposer_key: bytes,
    records: Sequence[Record],
    bodies: Mapping[bytes, Body],
    ids: Sequence[bytes],
) -> Applied:
    """Apply a whole block to the state before it; RuleBroken or MalformedBytes when a part of it is not valid."""
    if next_randomness(previous_randomness, header.onion_reveal) != header.randomness:
        what = "the header's randomness does not follow from its reveal"
        raise MalformedBytes("randomness", what, "count the block as invalid")
    context = BlockContext(height=header.height, randomness=header.randomness)
    return effect_of(apply_acts(state, context, _acts(records, bodies, ids)), state, proposer_key, header.onion_reveal)


def effect_of(outcome: Outcome, state: StateReader, proposer_key: bytes, reveal: bytes) -> Applied:
    """Return what the rules made of a block's records, together with its proposer's reveal."""
    onion = {ONION_PREFIX + proposer_key: reveal_row(state, proposer_key, reveal)}
    return Applied({**outcome.delta, **onion}, outcome.events)


def encode_events(events: Iterable[Event]) -> bytes:
    """Return the events of a block as JSON lines, as `ledger.chain` keeps them."""
    return b"\n".join(msgspec.json.encode(event_json(event)) for event in events)


def _acts(records: Sequence[Record], bodies: Mapping[bytes, Body], ids: Sequence[bytes]) -> Iterator[Act]:
    for record, record_id in zip(records, ids, strict=True):
        body = bodies.get(record.body_hash)
        if body is None:
            what = f"the body of a {record.kind} record is not here"
            raise RuleBroken("body_missing", what, "fetch it from an archive copy")
        yield act_of(record, body, record_id)
