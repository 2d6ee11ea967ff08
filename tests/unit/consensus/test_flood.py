"""A committee member floods the others with proposals that it signed itself: nobody loses a block that is needed."""

from __future__ import annotations

from dataclasses import replace

import pytest

from consensus import machine
from consensus.candidates import AWAITED_MAX, Candidates
from consensus.messages import Certificate, Message, Proposal, VoteKind
from consensus.simulator import Cluster, Options, options_of, simulate
from consensus.simulator_invariants import ALL_RULES, Violation
from consensus.simulator_member import Member

SEEDS = range(3, 8)
HASHES_MAX = 256


def flooded(seed: int) -> Options:
    """One liar that floods, on a network that is otherwise nearly whole."""
    return replace(options_of(seed), size=4, heights=2, byzantine=seed % 4, chaos_ms=2_000, loss=0.1, flood=300)


class OldBlocks(Candidates[bytes]):
    """The store as it was: every proposal is expected, and the oldest of 256 is dropped, held or not."""

    def __init__(self) -> None:
        super().__init__()
        self.order: dict[bytes, None] = {}

    def expect(self, block_hash: bytes, proposer: int | None) -> bytes | None:
        self.order.setdefault(block_hash)
        super().expect(block_hash, None)
        while len(self.order) > HASHES_MAX:
            gone = next(iter(self.order))
            del self.order[gone]
            self._kept.discard(gone)
            self.forget(gone)
        return None


class OldCluster(Cluster):
    """The receiver expected before the machine judged, and a block that was gone was kept in silence."""

    def new_blocks(self) -> Candidates[bytes]:
        return OldBlocks()

    def hear(self, member: Member, sender: int, message: Message) -> None:
        if isinstance(message, Proposal) and message.height == member.height + 1:
            member.blocks.expect(message.block_hash, message.proposer)
        super().hear(member, sender, message)

    def body_of(self, member: Member, block_hash: bytes) -> bytes | None:
        return member.blocks.held(block_hash)

    def keep(self, member: Member, block_hash: bytes) -> None:
        if member.blocks.held(block_hash) is not None:
            super().keep(member, block_hash)


def find_faults(cluster: type[Cluster], rules: frozenset[str]) -> list[str]:
    found = []
    for seed in SEEDS:
        try:
            cluster(flooded(seed), machine.step, rules).run()
        except Violation as violation:
            found.append(violation.rule)
    return found


def test_a_store_that_drops_the_oldest_notarizes_what_nobody_holds_and_the_height_stands_still():
    assert set(find_faults(OldCluster, ALL_RULES)) == {"kept", "liveness"}


def test_a_flooding_member_stops_nobody():
    assert find_faults(Cluster, ALL_RULES) == []


class TakesAnothersBlock(machine.Turn):
    """A leader may propose as its own what an earlier leader made."""

    def is_by_leader(self, view: int, block_hash: bytes) -> bool:
        return True


def test_a_leader_that_may_take_anothers_block_is_found_out():
    rules = set()
    for seed in range(14, 26):
        options = replace(options_of(seed), size=4, heights=3, byzantine=seed % 4, chaos_ms=9_000, loss=0.5, crash=0.0)
        try:
            simulate(options, lambda state, event: machine.take_turn(TakesAnothersBlock(state), event))
        except Violation as violation:
            rules.add(violation.rule)
    assert rules == {"maker"}


# ---- The store itself ------------------------------------------------------------------


def name(number: int) -> bytes:
    return number.to_bytes(32, "big")


def test_only_the_proposer_that_names_too_many_blocks_loses_one():
    blocks: Candidates[str] = Candidates()
    assert blocks.expect(name(1_000), 2) is None
    assert blocks.expect(name(2_000), None) is None
    given_up = [blocks.expect(name(number), 1) for number in range(300)]
    assert given_up == [None] * AWAITED_MAX + [name(number) for number in range(300 - AWAITED_MAX)]
    assert {name(1_000), name(2_000)} <= set(blocks.awaited())
    assert len(blocks.awaited()) == AWAITED_MAX + 2


def test_what_is_held_or_kept_is_never_dropped_for_a_proposal():
    blocks: Candidates[str] = Candidates()
    for number in range(20):
        blocks.expect(name(number), 1)
        blocks.offer(b"peer", name(number), "block", 10)
        if number % 2:
            blocks.note_kept(name(number))
    assert all(blocks.held(name(number)) == "block" for number in range(20))


def test_a_peer_may_place_one_block_unasked_and_it_is_there_when_it_is_wanted():
    blocks: Candidates[str] = Candidates()
    for number in range(5):
        blocks.offer(b"a", name(number), f"block {number}", 10)
    blocks.offer(b"b", name(9), "block 9", 10)
    assert not any(blocks.has(name(number)) for number in range(10))
    for number in (3, 4, 9):
        blocks.expect(name(number), 0)
    assert [blocks.has(name(number)) for number in (3, 4, 9)] == [False, True, True]


def test_only_what_the_disk_holds_leaves_the_memory_when_it_is_full():
    blocks: Candidates[str] = Candidates(bytes_max=100)
    for number in range(6):
        blocks.hold(name(number), "block", 40)
        if number in (1, 3):
            blocks.note_kept(name(number))
    assert [blocks.held(name(number)) is not None for number in range(6)] == [True, False, True, False, True, True]
    assert all(blocks.has(name(number)) for number in range(6))


@pytest.mark.parametrize("kind", VoteKind)
def test_a_block_set_aside_is_due_again_once_it_is_notarized(kind):
    blocks: Candidates[str] = Candidates()
    for number in range(AWAITED_MAX + 1):
        blocks.expect(name(number), 1)
    certificate = Certificate(kind, 0, 1, 0, name(0), (0, 1, 2), (bytes(64),) * 3)
    assert blocks.due_again([certificate]) == ([name(0)] if kind == VoteKind.NOTARIZE else [])
    assert blocks.due_again([certificate]) == []
