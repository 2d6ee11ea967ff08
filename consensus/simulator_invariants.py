"""What must never happen in a simulated cluster, judged by what was sent, what was durable, what became final.

The checker does not look into the machines it judges. I1: one final block a height. I2: no two signatures of an honest
member fill one cell differently, crashes or not, and what is sent again is the same bytes. I3: no honest FINALIZE
before a quorum of NOTARIZE exists. I4: no honest NOTARIZE that the votes sent so far do not justify. I5: nothing leaves
before its cell is durable. I6: final blocks chain. Blame: proof of misbehaviour is never about an honest member. Kept:
an honest NOTARIZE leaves only from a disk that holds the block. Maker: a fresh block that an honest member notarizes
was made by the leader of the view, so that no leader chooses between two values of the randomness.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Mapping

from consensus.committee import leader_of, quorum_of
from consensus.messages import Cell, CellKind, Certificate, Proposal, Vote, VoteKind
from consensus.misbehaviour import is_contradiction
from consensus.simulator_byzantine import leader_seed
from ledger.blocks import decode_header
from ledger.hashing import ZERO_HASH

ALL_RULES = frozenset({"I1", "I2", "I3", "I4", "I5", "I6", "blame", "kept", "liveness", "maker"})

_Place = tuple[int, int]
"""(height, view)."""


class Violation(AssertionError):
    """Something that must never happen has happened."""

    def __init__(self, rule: str, text: str) -> None:
        super().__init__(f"{rule}: {text}")
        self.rule = rule


class InvariantChecker:
    """Remembers everything that honest members sent and committed in one run, and all votes of Byzantine members."""

    def __init__(
        self, size: int, byzantine: Collection[int], genesis: bytes, rules: frozenset[str] = ALL_RULES
    ) -> None:
        self._size = size
        self._quorum = quorum_of(size)
        self._byzantine = frozenset(byzantine)
        self._rules = rules
        self.final: dict[int, bytes] = {0: genesis}
        self._voters: defaultdict[tuple[_Place, VoteKind, bytes], set[int]] = defaultdict(set)
        self._signed: dict[tuple[int, _Place, CellKind], tuple[bytes, bytes]] = {}

    def vote_sent(
        self, member: int, vote: Vote, durable: Callable[[], Collection[Cell]], kept: Mapping[bytes, bytes]
    ) -> None:
        """Judge a vote that leaves a member; `durable` and `kept` are cells and blocks on its disk at this moment."""
        place = (vote.height, vote.view)
        if member not in self._byzantine:
            self._judge_cell(member, place, CellKind(vote.kind), vote.block_hash, vote.signature)
            self._judge_durable(member, place, CellKind(vote.kind), vote.block_hash, durable)
            if vote.kind == VoteKind.FINALIZE and not self._is_certified(place, VoteKind.NOTARIZE, vote.block_hash):
                self._fail("I3", f"member {member} finalizes {_name(place, vote.block_hash)} without a certificate")
            if vote.kind == VoteKind.NOTARIZE:
                self._judge_block(member, place, vote.block_hash, kept)
        self._voters[place, vote.kind, vote.block_hash].add(member)

    def proposal_sent(self, member: int, proposal: Proposal, durable: Callable[[], Collection[Cell]]) -> None:
        """Judge a proposal that leaves an honest member."""
        place = (proposal.height, proposal.view)
        self._judge_cell(member, place, CellKind.PROPOSE, proposal.block_hash, proposal.signature)
        self._judge_durable(member, place, CellKind.PROPOSE, proposal.block_hash, durable)

    def committed(self, member: int, header: bytes, certificate: Certificate) -> None:
        """Judge a commit of an honest member."""
        height, block_hash = certificate.height, certificate.block_hash
        first = self.final.setdefault(height, block_hash)
        if first != block_hash:
            self._fail("I1", f"member {member} commits {block_hash.hex()[:8]} at {height}, another {first.hex()[:8]}")
        if decode_header(header).parent != self.final[height - 1]:
            self._fail("I6", f"block {height} of member {member} does not follow block {height - 1}")
        if not self._is_certified((height, certificate.view), VoteKind.FINALIZE, block_hash):
            self._fail("I1", f"member {member} commits at {height} without a quorum of FINALIZE")

    def reported(self, member: int, first: Vote | Proposal, second: Vote | Proposal) -> None:
        """Judge a report of misbehaviour."""
        culprit = first.voter if isinstance(first, Vote) else first.proposer
        if not is_contradiction(first, second) or culprit not in self._byzantine:
            self._fail("blame", f"member {member} blames honest member {culprit}")

    def starved(self, text: str) -> None:
        """Judge a cluster that makes no progress though its network is whole."""
        self._fail("liveness", text)

    def _judge_cell(self, member: int, place: _Place, kind: CellKind, block_hash: bytes, signature: bytes) -> None:
        earlier = self._signed.setdefault((member, place, kind), (block_hash, signature))
        if earlier != (block_hash, signature):
            self._fail("I2", f"member {member} signs two {kind.name} at {place}")
        if kind in (CellKind.SKIP, CellKind.FINALIZE):
            other = CellKind.FINALIZE if kind == CellKind.SKIP else CellKind.SKIP
            if (member, place, other) in self._signed:
                self._fail("I2", f"member {member} signs SKIP and FINALIZE at {place}")

    def _judge_block(self, member: int, place: _Place, block_hash: bytes, kept: Mapping[bytes, bytes]) -> None:
        height, view = place
        if block_hash not in kept:
            self._fail("kept", f"member {member} notarizes {_name(place, block_hash)}, which is not on its disk")
        is_justified, is_fresh = self._judge_path(place, block_hash)
        if not is_justified:
            self._fail("I4", f"member {member} notarizes {_name(place, block_hash)}, not justified")
        elif is_fresh and block_hash in kept:
            leader = leader_of(leader_seed(self.final[height - 1]), view, self._size)
            if decode_header(kept[block_hash]).proposer != leader:
                self._fail("maker", f"member {member} notarizes {_name(place, block_hash)} of another than the leader")

    def _judge_durable(
        self, member: int, place: _Place, kind: CellKind, block_hash: bytes, durable: Callable[[], Collection[Cell]]
    ) -> None:
        if "I5" not in self._rules:
            return
        held = ((cell.kind, (cell.height, cell.view), cell.block_hash) for cell in durable())
        if (kind, place, block_hash) not in held:
            self._fail("I5", f"member {member} sends {kind.name} at {place} before it is durable")

    def _is_certified(self, place: _Place, kind: VoteKind, block_hash: bytes) -> bool:
        return len(self._voters[place, kind, block_hash]) >= self._quorum

    def _judge_path(self, place: _Place, block_hash: bytes) -> tuple[bool, bool]:
        """Return (is the block justified?, is it a fresh one?)."""
        height, view = place
        for below in range(view - 1, -1, -1):
            if self._is_certified((height, below), VoteKind.NOTARIZE, block_hash):
                return True, False
            if not self._is_certified((height, below), VoteKind.SKIP, ZERO_HASH):
                return False, False
        return True, True

    def _fail(self, rule: str, text: str) -> None:
        if rule in self._rules:
            raise Violation(rule, text)


def _name(place: _Place, block_hash: bytes) -> str:
    return f"{block_hash.hex()[:8]} at {place}"
