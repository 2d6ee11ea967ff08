"""Who decides: quorum, draw, leaders, and when a block is due."""

from __future__ import annotations

from collections import Counter
from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consensus.catchup import earliest_proposal_ms, find_wanted
from consensus.committee import committee_hash, draw_committee, faults_of, leader_of, quorum_of

ROLL = [sha256(bytes([index])).digest() for index in range(30)]


@given(st.integers(1, 1_000))
def test_two_quorums_share_an_honest_member_and_the_honest_are_a_quorum(size):
    quorum, faults = quorum_of(size), faults_of(size)
    assert 2 * quorum - size > faults
    assert size - faults >= quorum


def test_quorums_of_the_notes():
    assert {size: quorum_of(size) for size in (4, 5, 7, 100, 199)} == {4: 3, 5: 4, 7: 5, 100: 67, 199: 133}


def test_everybody_is_in_up_to_the_cap_and_only_so_many_above_it():
    assert set(draw_committee(ROLL, bytes(32), 30)) == set(ROLL)
    assert len(draw_committee(ROLL, bytes(32), 7)) == 7


def test_the_draw_is_by_sha256_of_seed_label_zero_and_key():
    seed = sha256(b"seed").digest()
    expected = sorted(ROLL, key=lambda key: sha256(seed + b"committee" + b"\x00" + key).hexdigest())
    assert list(draw_committee(ROLL, seed, 9)) == expected[:9]


def test_the_draw_does_not_depend_on_the_order_or_repetition_of_the_roll():
    assert draw_committee([*reversed(ROLL), ROLL[3]], bytes(32), 9) == draw_committee(ROLL, bytes(32), 9)


def test_the_draw_is_even_over_many_seeds():
    seats = Counter(
        key
        for seed in range(900)
        for key in draw_committee(ROLL, sha256(bytes([seed % 256, seed // 256])).digest(), 10)
    )
    assert set(seats) == set(ROLL)
    assert 240 < min(seats.values()) <= max(seats.values()) < 360


def test_a_committees_hash_tells_its_order_and_its_members():
    hashes = {committee_hash(ROLL[:3]), committee_hash(ROLL[2::-1]), committee_hash(ROLL[:2]), committee_hash(())}
    assert len(hashes) == 4


def test_leaders_go_round():
    first = leader_of(bytes([5]) * 32, 0, 7)
    assert [leader_of(bytes([5]) * 32, view, 7) for view in range(8)] == [(first + view) % 7 for view in range(8)]


@pytest.mark.parametrize(
    ("nominal_ms", "parent_ms", "expected_ms"),
    [(10_000, 8_000, 10_000), (10_000, 9_500, 10_500), (10_000, 60_000, 61_000)],
)
def test_a_block_is_due_at_its_time_and_half_an_interval_after_its_parent(nominal_ms, parent_ms, expected_ms):
    assert earliest_proposal_ms(nominal_ms, parent_ms, 2_000) == expected_ms


def test_what_to_ask_for_when_behind():
    assert list(find_wanted(4, [9, 6], 3)) == [5, 6, 7]
    assert list(find_wanted(4, [], 3)) == []
