"""Blocks made: what this node proposes. Building one takes CPU and disk: call it in a thread."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

import structlog

from governance.acts import act_of
from governance.transition import BlockContext, OpenBlock
from ledger import calendar
from ledger.blocks import Block, BlockWithBodies, contents_of, encode_header, next_randomness
from ledger.chain import Chain
from ledger.errors import MutuaError, RuleBroken
from ledger.records import SignedRecord
from node.execution import validate
from node.execution.apply import effect_of, onion_of
from node.execution.header_rules import earliest_ms, header_after
from node.execution.validate import Candidate, candidate_of, weight_of
from node.faults import is_fatal

log = structlog.get_logger("mutua.ledger")

Waiting = Iterable[tuple[bytes, SignedRecord]]


@dataclass(frozen=True, slots=True)
class Proposer:
    """The part of a committee member that a block needs."""

    index: int
    consensus_key: bytes
    reveal: Callable[[int], bytes]
    """Layers already gone -> the next preimage."""


def build_candidate(
    chain: Chain,
    committee: tuple[bytes, ...],
    proposer: Proposer,
    waiting: Waiting,
    now_ms: int,
    *,
    is_late: Callable[[], bool] = lambda: False,
) -> tuple[Candidate, dict[bytes, MutuaError]]:
    """Return a fresh block over the tip, and why the rules refused others. Closed as it is once `is_late`."""
    _, gone = onion_of(chain.state, proposer.consensus_key)
    reveal = proposer.reveal(gone)
    randomness = next_randomness(chain.tip.header.randomness, reveal)
    opened = OpenBlock(chain.state, BlockContext(height=chain.height + 1, randomness=randomness))
    taken, refused = _fill(opened, waiting, is_late)
    applied = effect_of(opened.close(), chain.state, proposer.consensus_key, reveal)
    records = tuple(signed.record for signed in taken)
    contents = contents_of(records)
    header = replace(
        header_after(chain, committee, contents, max(now_ms, earliest_ms(chain))),
        proposer=proposer.index,
        onion_reveal=reveal,
        randomness=randomness,
        state_root=chain.tree.root_after(applied.delta),
    )
    block = BlockWithBodies(Block(encode_header(header), records), tuple(signed.body for signed in taken))
    return candidate_of(chain, block, applied, contents), refused


def refused_of(chain: Chain, waiting: Waiting) -> dict[bytes, MutuaError]:
    """Return why the rules refuse some of these records in the next block. Nothing is kept."""
    if calendar.is_term_start(chain.height + 1):  # such a block begins with the premiums of all members
        return {}
    opened = OpenBlock(chain.state, BlockContext(chain.height + 1, chain.tip.header.randomness))
    found = ((record_id, _refusal_of(opened, record_id, signed)) for record_id, signed in waiting)
    return {record_id: error for record_id, error in found if error is not None}


def _fill(
    opened: OpenBlock, waiting: Waiting, is_late: Callable[[], bool]
) -> tuple[list[SignedRecord], dict[bytes, MutuaError]]:
    """Take waiting records into a block until it is full or late; return what it took and what the rules refused."""
    taken: list[SignedRecord] = []
    refused: dict[bytes, MutuaError] = {}
    size = 0
    for record_id, signed in waiting:
        weight = weight_of(signed)
        if size + weight > validate.BLOCK_BYTES_MAX or is_late():
            break
        if (error := _refusal_of(opened, record_id, signed)) is not None:
            refused[record_id] = error
            continue
        size += weight
        taken.append(signed)
    return taken, refused


def _refusal_of(opened: OpenBlock, record_id: bytes, signed: SignedRecord) -> MutuaError | None:
    """Take one record into the block, or return why the rules refuse it."""
    try:
        opened.take(act_of(signed.record, signed.body, record_id))
    except MutuaError as error:
        if is_fatal(error):
            raise
        return error
    except Exception as error:  # a record must never be able to stop every proposer
        author = signed.record.author.hex()[:16]
        log.exception("rules_fault", peer=author, kind=signed.record.kind, record_id=record_id.hex())
        what = f"the rules met a fault at this record: {type(error).__name__}"
        return RuleBroken("rules_fault", what, "report it to the maintainers")
    return None
