"""What a block reads does not grow with the members or with the age of the ledger.

Rows read are counted, not seconds.
"""

from __future__ import annotations

from collections import Counter
from functools import cache
from hashlib import sha256

import pytest

from benchmarks.places import FEW, KINDS, MANY, YOUNG_PAST, CountingState, founded, place
from benchmarks.population import name_of
from governance.day import Day
from governance.membership import members
from governance.state.ballots import BALLOTS
from governance.state.cases import CASES, OPEN_CASES
from governance.state.members import MEMBERS
from governance.tables import Draft
from governance.voting import appeals, holds, panels

SLACK = 2
"""Rows that a block may read more, such as a claim of the past among those of one pair or a row of voters begun."""


@cache
def reads_of(name: str, kind: str) -> Counter[str]:
    """Rows read by a block of twenty rounds of one kind of record."""
    here = place(name)
    return here.next(here.records(40, (kind,) if kind else ()))


def check_same(one: Counter[str], other: Counter[str]) -> None:
    """Fail unless both blocks read about the same."""
    more = {table: other[table] - one[table] for table in one | other if other[table] - one[table] > SLACK}
    assert not more, f"rows read more: {more}"
    assert sum(other.values()) <= sum(one.values()) + SLACK


@pytest.mark.parametrize("kind", [*KINDS, ""], ids=[*KINDS, "no records"])
def test_a_block_reads_the_same_with_ten_times_the_members(kind) -> None:
    check_same(reads_of("few", kind), reads_of("many", kind))


@pytest.mark.parametrize("kind", [*KINDS, ""], ids=[*KINDS, "no records"])
def test_a_block_reads_the_same_with_five_times_the_past(kind) -> None:
    check_same(reads_of("old", kind), reads_of("older", kind))


def test_a_scan_over_members_or_over_the_past_is_noticed(monkeypatch) -> None:
    def scan_members(day: Day) -> None:
        assert all(row.key for row in MEMBERS.scan(day.draft))

    def scan_ballots(day: Day) -> None:
        assert all(row.voter for row in BALLOTS.scan(day.draft))

    for guilty, one, other in ((scan_members, "few", "many"), (scan_ballots, "old", "older")):
        monkeypatch.setattr(holds, "end_day", guilty)
        with pytest.raises(AssertionError, match="rows read more"):
            check_same(place(one).next(), place(other).next())


def test_an_open_case_costs_the_same_however_many_voted_on_it() -> None:
    here = place("many")
    before = here.next()
    for _ in range(2):
        here.next([here.people.ballot(case) for case in here.people.open_cases[:2] for _ in range(25)])
    assert sum(here.next().values()) <= sum(before.values())


def test_a_ballot_costs_the_same_however_many_voted_before() -> None:
    here = place("many")
    first = here.next([here.people.ballot(here.people.open_cases[0])])
    here.next([here.people.ballot(here.people.open_cases[0]) for _ in range(60)])
    check_same(first, here.next([here.people.ballot(here.people.open_cases[0])]))


def test_a_day_on_which_delegations_change_looks_at_each_case_for_each_delegate_at_most() -> None:
    here = place("many")
    quiet = here.next()
    cases_open = len(here.people.open_cases)
    busy = here.next([here.people.delegate() for _ in range(3)])
    recounts = {table: busy[table] - quiet[table] for table in ("voting/ballot", "voting/opening")}
    assert recounts["voting/ballot"] <= cases_open * (3 + max(here.people.cast.values()))
    assert recounts["voting/opening"] <= sum(here.people.cast.values())


def test_a_draw_reads_one_row_for_many_voters_and_decodes_no_member() -> None:
    here = place("many")
    state = CountingState(here.store)
    day = Day(Draft(state), here.height, name_of("randomness", here.height))
    key = next(OPEN_CASES.scan(day.draft))
    case = CASES.get(day.draft, key.claim, key.code)
    state.reads.clear()
    assert len(panels.eligible_of(day, case)) == case.eligible == MANY - 1
    assert len(appeals.pool_of(day, case)[0]) == MANY - 1
    assert state.reads["membership/member"] == 0
    assert state.reads["membership/voters"] <= 2 * (MANY // members.VOTERS_A_ROW + 2)


@pytest.mark.parametrize(("count", "keys"), [(21, 2_000), (21, 100), (43, 43), (5, 3), (0, 10)])
def test_a_draw_takes_the_lowest_hashes_in_order(count, keys) -> None:
    everybody = [name_of("voter", i) for i in range(keys)]
    expected = sorted(everybody, key=lambda key: sha256(b"R" + b"duty/x" + b"\x00" + key).digest())[:count]
    assert panels.draw(b"R", b"duty/x", everybody, count) == expected


def test_a_draw_that_finds_too_few_low_hashes_looks_at_all_of_them(monkeypatch) -> None:
    everybody = [name_of("voter", i) for i in range(2_000)]
    expected = panels.draw(b"R", b"duty/x", everybody, 21)
    monkeypatch.setattr(panels, "MARGIN", 1)
    draws = [panels.draw(bytes([i]), b"duty/x", everybody, 21) for i in range(20)]
    monkeypatch.setattr(panels, "MARGIN", 8)
    assert draws == [panels.draw(bytes([i]), b"duty/x", everybody, 21) for i in range(20)]
    assert panels.draw(b"R", b"duty/x", everybody, 21) == expected


def test_a_term_costs_a_bounded_number_of_rows_a_member() -> None:
    """The first and the last block of a term visit every contract: that is the rules' own cost, and all of it."""
    totals: dict[int, int] = {}
    for count in (FEW, MANY):
        here = founded(count, "old", YOUNG_PAST)
        totals[count] = sum((here.next() + here.next()).values())
    a_member = (totals[MANY] - totals[FEW]) / (MANY - FEW)
    assert a_member <= 12
    assert totals[MANY] <= 12 * MANY + 3_000


def test_who_may_vote_as_of_a_block_is_known_from_the_list_and_its_changes() -> None:
    here = place("few")
    day = Day(Draft(here.store), here.height + 1, b"")
    keys = [name_of("member", i) for i in range(5)]
    members.set_voting_right(day, keys[0], False)
    members.set_voting_right(day, keys[1], False)
    later = Day(day.draft, here.height + 3, b"")
    members.set_voting_right(later, keys[1], True)
    members.set_voting_right(later, keys[2], False)
    everybody = {row.key: row for row in MEMBERS.scan(day.draft)}
    for height in range(here.height, here.height + 4):
        expected = sorted(key for key, row in everybody.items() if members.was_voter(row, height))
        assert sorted(members.voters_as_of(Day(day.draft, here.height + 4, b""), height)) == expected
