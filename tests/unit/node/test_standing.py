"""When a member may sign: after looking back, never in quarantine, and again once nothing can be contradicted."""

from __future__ import annotations

import pytest

from node.agreement.signing_guard import LOOK_S, DoubleSignGuard
from node.agreement.vote_log import VoteLog, vote_log_path

DRAWN = 3


class World:
    """A clock and a height that tests move."""

    def __init__(self, folder, size: int = 4) -> None:
        self.now, self.height = 0.0, 10
        self.votes = VoteLog(vote_log_path(folder), b"k" * 32, is_first_start=True)
        self.guard = DoubleSignGuard(self.votes, size, lambda: self.height, lambda: self.now, lambda _: DRAWN)


@pytest.fixture
def world(tmp_path):
    return World(tmp_path)


def test_nothing_is_signed_before_a_quorum_has_told_what_it_saw(world):
    guard = world.guard
    assert not guard.look(3)
    guard.hear_answer(b"a", 11)
    assert not guard.look(3)
    guard.hear_answer(b"b", 11)
    assert guard.look(3)
    assert guard.may_sign()


def test_nothing_is_signed_while_the_others_are_further(world):
    for peer in (b"a", b"b"):
        world.guard.hear_answer(peer, 15)
    assert not world.guard.look(3)
    world.height = 14
    assert world.guard.look(3)


def test_the_faulty_that_do_not_answer_are_waited_for_only_so_long_and_the_others_for_ever(world):
    assert not world.guard.look(2)
    world.now = LOOK_S
    assert not world.guard.look(2), "of two members that are connected, one at most may be faulty"
    world.guard.hear_answer(b"a", 12)
    assert not world.guard.look(2), "it is still behind"
    world.height = 11
    assert world.guard.look(2)


def test_a_node_alone_waits_for_ever_because_a_block_needs_the_others_anyway(world):
    world.guard.look(1)
    world.now = 1_000
    assert not world.guard.look(1)


def test_a_committee_of_one_never_waits(tmp_path):
    assert World(tmp_path, size=1).guard.may_sign()


def told(world, working_on: int, peers: bytes = b"abc") -> None:
    """Some members' nodes answer that they work on a height."""
    for number in range(len(peers)):
        world.guard.hear_answer(peers[number : number + 1], working_on)


def test_quarantine_ends_when_a_height_is_final_that_it_cannot_have_voted_above_and_the_others_saw_no_vote_there(world):
    guard = world.guard
    world.votes.begin_quarantine("broken")
    told(world, 21)
    world.height = 20
    assert guard.look(3)
    assert not guard.may_sign()
    assert guard.quarantined_until == 23
    told(world, 23)
    assert not guard.end_if_over(21)
    assert not guard.end_if_over(22)
    assert not guard.end_if_over(23), "nobody has told yet what was signed at block 23"
    told(world, 24, b"a")
    assert not guard.end_if_over(23)
    told(world, 24, b"b")
    assert guard.end_if_over(23)
    assert guard.may_sign()
    assert guard.quarantined_until is None


def test_a_liar_cannot_prolong_a_quarantine_of_seven_for_ever(tmp_path):
    world = World(tmp_path, size=7)
    world.votes.begin_quarantine("broken")
    world.guard.hear_tip(b"liar", 2**62)
    told(world, 31)
    told(world, 34, b"abcd")
    assert world.guard.end_if_over(33)


def test_an_unknown_own_vote_begins_a_quarantine_that_a_restart_remembers(world, tmp_path):
    world.guard.suspect(40)
    assert not world.guard.may_sign()
    told(world, 42)
    assert not world.guard.end_if_over(40)
    assert VoteLog(vote_log_path(tmp_path), b"k" * 32, is_first_start=False).quarantine is not None
    world.height = 50
    told(world, 51)
    assert world.guard.end_if_over(50)


def test_a_quarantine_lasts_while_the_key_signs_elsewhere_and_some_drawn_blocks_more(world):
    guard = world.guard
    told(world, 11)
    assert guard.look(3)
    for height in range(11, 40):
        world.height = height
        guard.suspect(height)
        told(world, height + 1)
        assert not guard.end_if_over(height)
        assert guard.signs_elsewhere == (height > 12), "up to block 12 it may have signed itself, before it started"
    ends = []
    for height in range(40, 60):
        told(world, height + 1)
        ends += [height] * guard.end_if_over(height)
    assert ends == [39 + 2 + DRAWN + 1]
    assert guard.may_sign()
    assert not guard.signs_elsewhere


def test_a_restart_remembers_that_the_key_signs_elsewhere(world, tmp_path):
    told(world, 11)
    assert world.guard.look(3)
    world.guard.suspect(30)
    assert world.guard.signs_elsewhere
    assert World(tmp_path).guard.signs_elsewhere
