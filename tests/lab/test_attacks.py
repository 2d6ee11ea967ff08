"""Every attack in a small world: what rules §13 asks is met, and would be seen to fail under other rules."""

from __future__ import annotations

BOT, NINETEEN = "deny-everything bot", "19 denials and stop"
FROM_13, FROM_19 = "own claims from the 13th denial on", "own claims from the 19th denial on"


def test_the_bot_meets_its_own_bar_and_is_gone_but_nineteen_denials_are_not_enough(verdicts) -> None:
    assert verdicts("deny") == {FROM_13: True, FROM_19: True, BOT: True, NINETEEN: False}


def test_the_row_fails_when_no_denial_rate_refuses_a_renewal(verdicts) -> None:
    """A bot that agrees once in a hundred is below 100 %; the bot here never does, so the least sample is set out of reach."""
    assert verdicts("deny", params={"renewal_min": 1_000_000})[BOT] is False


def test_the_row_fails_when_denials_are_weighed_against_a_huge_sample(verdicts) -> None:
    found = verdicts("deny", params={"deny_sample_min": 1_000_000})
    assert (found[FROM_13], found[FROM_19]) == (False, False)


def test_a_ring_of_thirty_percent_holds_a_panel_in_less_than_three_percent_of_draws(verdicts) -> None:
    assert all(verdicts("ring").values())


def test_the_ring_profits_all_the_same_and_the_report_says_so(study) -> None:
    with_ring, without = study("ring").evidence.figures["false_paid_percent"]
    assert with_ring > without
