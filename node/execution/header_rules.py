"""What a header must say, given the block before it: one text for proposer, validator and auditor."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from consensus.catchup import earliest_proposal_ms
from consensus.committee import committee_hash, draw_committee, leader_of
from consensus.messages import Certificate, VoteKind
from consensus.signing import verify_certificate
from ledger.blocks import HEADER_VERSION, Contents, Header, block_hash_of, link_problems
from ledger.calendar import is_boundary
from ledger.chain import Chain
from ledger.errors import MalformedBytes
from ledger.genesis import Charter
from ledger.hashing import ZERO_HASH

INVALID = "count the proposal as invalid"
RULED = {
    "epoch": "changes the epoch",
    "scheduled_time_ms": "is not scheduled as the charter says",
    "committee_hash": "names a committee that is not the members'",
    "next_committee_hash": "names another next committee than the rules give",
    "reserved": "uses reserved bytes",
}
"""Fields that charter and parent fix, and what a block does that has another value there."""


def committee_of(charter: Charter) -> tuple[bytes, ...]:
    """Return the consensus keys of the committee: all founders up to the charter's cap, in the order of the draw."""
    return draw_committee((founder.consensus_key for founder in charter.founders), charter.seed, charter.committee_max)


def scheduled_ms(charter: Charter, height: int) -> int:
    """Return the nominal time of a height (rules §1)."""
    return charter.genesis_time_ms + height * charter.block_interval_ms


def earliest_after(charter: Charter, parent: Header) -> int:
    """Return when the block after `parent` may be proposed: at its nominal time, and half an interval after it."""
    nominal_ms = scheduled_ms(charter, parent.height + 1)
    return earliest_proposal_ms(nominal_ms, parent.proposed_time_ms, charter.block_interval_ms)


def earliest_ms(chain: Chain) -> int:
    """Return when the next block may be proposed."""
    return earliest_after(chain.charter, chain.tip.header)


def next_committee_hash(own_hash: bytes, height: int) -> bytes:
    """Return what the block at `height` says of the next committee: it is named in the last block of a term."""
    return own_hash if is_boundary(height) else ZERO_HASH


def ruled_header(charter: Charter, committee: tuple[bytes, ...], parent: Header) -> Header:
    """Return the header after `parent` as far as charter and parent fix it: the fields `RULED` and the earliest time.

    Its links and contents are those of `ledger.blocks.link_problems`; proposer, reveal, randomness and state root are
    judged when the block is applied. So every field of a header is judged, by proposer, validator and auditor alike.
    """
    own_hash = committee_hash(committee)
    height = parent.height + 1
    return Header(
        version=HEADER_VERSION,
        chain_id=parent.chain_id,
        epoch=parent.epoch,
        height=height,
        scheduled_time_ms=scheduled_ms(charter, height),
        proposed_time_ms=earliest_after(charter, parent),
        record_count=0,
        proposer=0,
        parent=ZERO_HASH,
        records_root=ZERO_HASH,
        committee_hash=own_hash,
        next_committee_hash=next_committee_hash(own_hash, height),
    )


def header_after(chain: Chain, committee: tuple[bytes, ...], contents: Contents, proposed_ms: int) -> Header:
    """Return the header that follows from the tip; the proposer's fields and the state root are still empty."""
    tip = chain.tip
    return replace(
        ruled_header(chain.charter, committee, tip.header),
        proposed_time_ms=proposed_ms,
        record_count=len(contents.ids),
        parent=tip.block_hash,
        records_root=contents.root,
        history_root=chain.history_root(),
    )


def check_header(chain: Chain, committee: tuple[bytes, ...], header: Header, contents: Contents) -> None:
    """Raise MalformedBytes unless a header follows from the tip, but for reveal, randomness and state root."""
    links = link_problems(header, chain.chain_id, chain.tip.header, chain.history_root(), contents)
    for name, what in (*links, *header_problems(chain.charter, committee, chain.tip.header, header)):
        if name == "proposer":
            raise MalformedBytes("block_proposer", what, INVALID)
        if name == "proposed_time_ms":
            raise MalformedBytes("block_early", what, INVALID)
        raise MalformedBytes("block_header", what, INVALID)


def header_problems(
    charter: Charter, committee: tuple[bytes, ...], parent: Header, header: Header
) -> Iterator[tuple[str, str]]:
    """Yield (field, what) for each field of a header that is not what the rules give after `parent`."""
    expected, height = ruled_header(charter, committee, parent), header.height
    for name, words in RULED.items():
        if getattr(header, name) != getattr(expected, name):
            yield name, f"block {height} {words}"
    if header.proposed_time_ms < expected.proposed_time_ms:
        yield "proposed_time_ms", f"block {height} was proposed before its time"
    if header.proposer >= len(committee):
        yield "proposer", f"block {height} names proposer {header.proposer} of a committee of {len(committee)}"


def certificate_problem(
    committee: tuple[bytes, ...], chain_id: bytes, header: Header, certificate: Certificate
) -> str | None:
    """Return why a certificate does not commit this header's block on this chain, or None."""
    if certificate.kind != VoteKind.FINALIZE:
        return "it is not a commit certificate"
    named = (certificate.epoch, certificate.height, certificate.block_hash)
    if named != (header.epoch, header.height, block_hash_of(header)):
        return "it certifies another block"
    if not verify_certificate(certificate, committee, chain_id):
        return "there is no quorum of valid signatures by its committee"
    return None


def proposer_problem(parent: Header, header: Header, committee_size: int, view: int) -> str | None:
    """Return why nobody honest proposed this block up to the view in which it was certified, or None.

    A block proposed again in a later view keeps its header: its proposer led one of the views up to that one.
    """
    first_view = (header.proposer - leader_of(parent.randomness, 0, committee_size)) % committee_size
    if first_view > view:
        return (
            f"block {header.height} is by a member who leads no view before {first_view}, and was certified in {view}"
        )
    return None
