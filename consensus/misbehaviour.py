"""Two signatures of one member that contradict each other: proof that anybody can redo (notes on consensus).

Contradictions, within one (epoch, height, view): NOTARIZE of two blocks, FINALIZE of two blocks, SKIP with FINALIZE,
PROPOSE of two blocks. NOTARIZE of one block with FINALIZE of another is not one: an honest member may finalize what the
others notarized.
"""

from __future__ import annotations

from collections.abc import Sequence

from consensus.messages import Proposal, Vote, VoteKind
from consensus.signing import is_proposal_signed, verify_vote


def is_contradiction(first: Vote | Proposal, second: Vote | Proposal) -> bool:
    """True iff the two verified messages are by one member and no honest member signs both."""
    if (first.epoch, first.height, first.view) != (second.epoch, second.height, second.view):
        return False
    if isinstance(first, Proposal) or isinstance(second, Proposal):
        if not (isinstance(first, Proposal) and isinstance(second, Proposal)):
            return False
        return first.proposer == second.proposer and first.block_hash != second.block_hash
    if first.voter != second.voter:
        return False
    if first.kind == second.kind:
        return first.kind != VoteKind.SKIP and first.block_hash != second.block_hash
    return {first.kind, second.kind} == {VoteKind.SKIP, VoteKind.FINALIZE}


def is_proven(first: Vote | Proposal, second: Vote | Proposal, committee: Sequence[bytes], chain_id: bytes) -> bool:
    """True when the two contradict each other and the member signed both, whoever led the view. Anybody can check."""
    if not is_contradiction(first, second):
        return False
    return all(_is_signed(message, committee, chain_id) for message in (first, second))


def _is_signed(message: Vote | Proposal, committee: Sequence[bytes], chain_id: bytes) -> bool:
    if isinstance(message, Vote):
        return verify_vote(message, committee, chain_id)
    return is_proposal_signed(message, committee, chain_id)
