"""What a header must say, given the block before it: one text for proposer, validator and auditor."""

from __future__ import annotations

from dataclasses import replace

from consensus.catchup import earliest_proposal_ms
from consensus.committee import committee_hash, draw_committee
from ledger.blocks import HEADER_VERSION, Contents, Header
from ledger.calendar import is_boundary
from ledger.chain import Chain
from ledger.errors import MalformedBytes
from ledger.genesis import Charter
from ledger.hashing import ZERO_HASH

INVALID = "count the proposal as invalid"


def committee_of(charter: Charter) -> tuple[bytes, ...]:
    """Return the consensus keys of the committee: all founders up to the charter's cap, in the order of the draw."""
    return draw_committee((founder.consensus_key for founder in charter.founders), charter.seed, charter.committee_max)


def scheduled_ms(charter: Charter, height: int) -> int:
    """Return the nominal time of a height (rules §1)."""
    return charter.genesis_time_ms + height * charter.block_interval_ms


def earliest_ms(chain: Chain) -> int:
    """Return when the next block may be proposed: at its nominal time, and half an interval after its parent."""
    charter, parent = chain.charter, chain.tip.header
    return earliest_proposal_ms(
        scheduled_ms(charter, parent.height + 1), parent.proposed_time_ms, charter.block_interval_ms
    )


def next_committee_hash(own_hash: bytes, height: int) -> bytes:
    """Return what the block at `height` says of the next committee: it is named in the last block of a term."""
    return own_hash if is_boundary(height) else ZERO_HASH


def header_after(chain: Chain, committee: tuple[bytes, ...], contents: Contents, proposed_ms: int) -> Header:
    """Return the header that follows from the tip; the proposer's fields and the state root are still empty."""
    tip, own_hash = chain.tip, committee_hash(committee)
    height = tip.height + 1
    return Header(
        version=HEADER_VERSION,
        chain_id=chain.chain_id,
        epoch=tip.header.epoch,
        height=height,
        scheduled_time_ms=scheduled_ms(chain.charter, height),
        proposed_time_ms=max(proposed_ms, tip.header.proposed_time_ms),
        record_count=len(contents.ids),
        proposer=0,
        parent=tip.block_hash,
        records_root=contents.root,
        state_root=ZERO_HASH,
        history_root=chain.history_root(),
        committee_hash=own_hash,
        next_committee_hash=next_committee_hash(own_hash, height),
        onion_reveal=ZERO_HASH,
        randomness=ZERO_HASH,
        reserved=ZERO_HASH,
    )


def check_header(chain: Chain, committee: tuple[bytes, ...], header: Header, contents: Contents) -> None:
    """Raise MalformedBytes unless a header follows from the tip, but for reveal, randomness and state root."""
    if not 0 <= header.proposer < len(committee):
        raise MalformedBytes("block_proposer", "the block names a proposer outside the committee", INVALID)
    expected = replace(
        header_after(chain, committee, contents, header.proposed_time_ms),
        proposer=header.proposer,
        onion_reveal=header.onion_reveal,
        randomness=header.randomness,
        state_root=header.state_root,
    )
    if expected != header:
        names = [name for name in Header.__dataclass_fields__ if getattr(expected, name) != getattr(header, name)]
        raise MalformedBytes("block_header", f"the block's {', '.join(names)} do not follow from the tip", INVALID)
    if header.proposed_time_ms < earliest_ms(chain):
        raise MalformedBytes("block_early", "the block was proposed before its time", INVALID)


def header_problems(charter: Charter, committee: tuple[bytes, ...] | None, parent: Header, header: Header) -> list[str]:
    """Return what is wrong with a stored header; `committee` is None where it does not name the members' own."""
    problems: list[str] = []
    height = header.height
    if committee is None:
        problems.append(f"block {height} names a committee that is not the members'")
    elif header.proposer >= len(committee):
        problems.append(f"block {height} names proposer {header.proposer} of {len(committee)}")
    if parent.committee_hash != header.committee_hash:
        problems.append(f"block {height} changes the committee inside a term")
    if header.next_committee_hash != next_committee_hash(header.committee_hash, height):
        problems.append(f"block {height} names another next committee than the rules give")
    if header.scheduled_time_ms != scheduled_ms(charter, height):
        problems.append(f"block {height} is not scheduled as the charter says")
    if header.reserved != ZERO_HASH:
        problems.append(f"block {height} uses reserved bytes")
    return problems
