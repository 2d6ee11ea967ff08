"""Every attack in a small world: what rules §13 asks holds, or the finding is named.

And each check is seen to fail under other rules.
"""

from __future__ import annotations

import pytest

from governance.benefits import codes, settlement
from governance.membership import members
from governance.simulation.laboratory.attackers import STUDIES, join, ring, split, sybils
from governance.simulation.laboratory.attackers.friends import conditions_at, meets
from governance.simulation.laboratory.runner import play
from governance.simulation.laboratory.setting import Setting
from governance.simulation.laboratory.study import Job
from governance.state.codes import CodeVersion
from governance.state.voting_records import VOTING_RECORDS
from governance.voting import approval_threshold

BOT, NINETEEN = "deny-everything bot", "19 denials and stop"
FROM_13, FROM_19 = "own claims from the 13th denial on", "own claims from the 19th denial on"
SECOND_FILING = "ballots at s+59 alone, second filing"
JOINERS = {"join sick, give notice, leave after", "join sick, never pay the last premium"}
KNOWN = {NINETEEN, SECOND_FILING, *JOINERS}
"""Checks that cannot be met under the rules as written: findings, described in docs/explanation/laboratory.md."""


@pytest.mark.parametrize("name", STUDIES)
def test_what_the_rules_promise_holds_and_what_they_cannot_keep_is_found(study, name) -> None:
    result = study(name)
    assert result.broken == ()
    assert {check.what for check in result.evidence.checks if not check.is_met} == {
        check.what for check in result.evidence.checks
    } & KNOWN
    assert result.evidence.findings
    assert result.evidence.picture is not None


def test_the_bot_is_safe_when_no_record_is_long_enough_for_a_refusal(verdicts) -> None:
    assert verdicts("deny", params={"renewal_min": 1_000_000})[BOT] is False


def test_denials_weighed_against_a_huge_sample_cost_nothing(verdicts) -> None:
    found = verdicts("deny", terms=7, params={"deny_sample_min": 1_000_000})
    assert (found[FROM_13], found[FROM_19]) == (False, False)


def test_nineteen_denials_are_refused_a_renewal_when_nineteen_are_enough(verdicts) -> None:
    """Their denials must lie in six terms as well, so both figures have to give."""
    assert verdicts("deny", params={"renewal_min": 19})[NINETEEN] is False
    assert verdicts("deny", params={"renewal_min": 19, "renewal_terms": 1})[NINETEEN] is True


def test_a_larger_ring_holds_panels(verdicts, monkeypatch) -> None:
    monkeypatch.setattr(ring, "SHARE", 0.45)
    assert set(verdicts("ring", terms=2).values()) == {False}


def test_the_ring_profits_from_the_open_vote_and_the_report_says_so(study) -> None:
    with_ring, without = study("ring").evidence.figures["false_paid_percent"]
    assert with_ring > without


@pytest.mark.parametrize("params", [{"lapse_pay_cents": 0}, {"filing_terms": 1}])
def test_silence_denies_when_a_second_lapse_pays_nothing_or_comes_too_late(verdicts, params) -> None:
    assert set(verdicts("silence", params=params).values()) == {False}


def test_a_late_swing_pays_when_one_passing_block_is_enough(verdicts) -> None:
    assert verdicts("swing", params={"streak_blocks": 1})["ballots at s+59 alone, first filing"] is False


def test_runs_are_broken_for_nothing_when_ballots_change_to_the_end(verdicts) -> None:
    assert (
        verdicts("breakers", params={"freeze_blocks": 0, "vote_blocks": 40})["payments prevented by breaking runs"]
        is False
    )


def test_sybils_pour_in_without_the_bound_on_growth(verdicts, monkeypatch) -> None:
    monkeypatch.setattr(sybils, "SHARE", 0.4)
    assert set(verdicts("sybils", params={"growth_div": 1}).values()) == {False}


def test_parts_of_an_event_pay_more_without_ceilings(verdicts, monkeypatch) -> None:
    monkeypatch.setattr(settlement, "_room_cents", lambda *_: None)
    assert verdicts("split")["parts of one event"] is False


def test_upcoding_pays_without_allowed_amounts(verdicts, monkeypatch) -> None:
    real = codes.code_on
    monkeypatch.setattr(codes, "code_on", lambda *args: CodeVersion(0, real(*args).is_standard, None, None))
    assert verdicts("split")["standard payouts"] is False


def test_a_line_paid_without_a_case_of_its_code_is_seen() -> None:
    book = play(Job("split", split.Splitters), Setting(members=24, terms=4))
    assert not any(split._without_case([book]))
    paid = next(key for key, case in book.cases.items() if case.is_paid)
    del book.cases[paid]
    assert sum(split._without_case([book])) == 1


def test_four_friends_make_a_code_standard_when_four_claimants_are_enough(verdicts) -> None:
    found = verdicts("friends", params={"promote_claimants": 4})
    assert set(found.values()) == {False}


def test_the_lab_counts_the_conditions_of_a_promotion_itself(study) -> None:
    assert study("friends").evidence.figures["washed_in_block"] == [360]
    assert meets((76, 100, 5, 3, 6))
    assert not any(
        meets(item)
        for item in [(75, 100, 5, 3, 6), (19, 19, 5, 3, 6), (20, 20, 4, 3, 6), (20, 20, 5, 2, 6), (20, 20, 5, 3, 5)]
    )
    assert conditions_at.__doc__


def test_a_whale_takes_more_of_the_reserve_without_the_cap(verdicts) -> None:
    assert (
        verdicts("whale", params={"claim_reserve_bp": 10_000})["what one payout takes from the reserve in a block"]
        is False
    )


def test_joining_for_small_things_does_not_pay(verdicts, monkeypatch) -> None:
    monkeypatch.setattr(join, "COST_MEDIAN_CENTS", 20_000)
    found = verdicts("join")
    assert {name: found[name] for name in JOINERS} == dict.fromkeys(JOINERS, True)


def test_leaving_washes_a_record_that_dies_with_the_membership(verdicts, monkeypatch) -> None:
    real = members.end_membership

    def forgetful(day, key):
        real(day, key)
        VOTING_RECORDS.delete(day.draft, key)

    monkeypatch.setattr(members, "end_membership", forgetful)
    assert verdicts("washers")["record after leaving and rejoining"] is False


def test_trifles_accepted_automatically_are_seen_when_they_count_in_full(verdicts, monkeypatch) -> None:
    def in_full(draft, member, terms):
        rows = [row for row in approval_threshold.records_of(draft, member) if row.term in terms]
        return sum(row.denied for row in rows), sum(row.voted + row.auto for row in rows), len(rows)

    monkeypatch.setattr(approval_threshold, "record_over_terms", in_full)
    assert verdicts("washers")["auto-accept in the record"] is False


def test_washing_by_trifles_leaves_the_bar_where_it_was(study) -> None:
    figures = study("washers").evidence.figures
    assert (figures["free_bar_percent"], figures["refused"]) == (100.0, 0)
