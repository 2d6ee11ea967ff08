"""The words on the screens, without any screen."""

import doctest

import pytest

from node.api import text
from node.api.errors import ApiError
from node.api.text import Units, clean
from node.api.views.base import read
from node.api.views.claims import Case, Claim, Line
from tui.memory import KeptReceipt, load_memory
from tui.model import (
    BallotDraft,
    figures,
    find_draft_fault,
    quorum_words,
    tally_words,
    threshold_words,
    time_left,
    timeline,
)

UNITS = Units("USD", 2, 2000)


@pytest.fixture
def case(make_case):
    return lambda **fields: read(Case, make_case("11" * 32, "A9999", 42000, **fields))


def test_the_examples_in_the_docstrings_hold():
    assert doctest.testmod(text).failed == 0


def test_text_of_others_cannot_steer_the_terminal_or_turn_the_reading_direction():
    assert clean("a\x1b[31mb\u202ec\x00\u2028") == "a·[31mb·c··"
    assert len(clean("x" * 9_999)) == text.TEXT_SHOWN_MAX


def test_the_time_left_counts_the_blocks_in_which_a_ballot_still_counts(case):
    assert time_left(case(), 112, UNITS) == "48 blocks left, about 1 min 36 s"
    assert time_left(case(), 159, UNITS) == "last block, about 2 s"
    assert time_left(case(), 160, UNITS) == "voting is over"


def test_the_tally_is_told_in_words_with_what_is_missing(case):
    told = case(yes=2, no=1, opened=1)
    assert tally_words(told) == "2 accept, 1 deny"
    assert threshold_words(told) == "needs 75 % accept; 66.66 % so far"
    assert quorum_words(told) == "3 of 5 ballots needed, 1 of 3 with document opened"
    assert quorum_words(case(yes=5, opened=3)) == "enough ballots: 5 of 5"
    assert threshold_words(case()) == "needs 75 % accept"


def test_a_misshapen_answer_is_one_error_that_names_the_field(make_claim):
    with pytest.raises(ApiError, match=r"Expected `array`, got `str` - at `\$.lines`") as caught:
        read(Claim, make_claim("44" * 32, []) | {"lines": "no list"})
    assert caught.value.code == "answer_shape"


def test_unknown_fields_are_passed_over(make_claim):
    assert read(Claim, make_claim("44" * 32, []) | {"newer": 1}).claim == "44" * 32


def test_every_settlement_figure_of_a_line_is_shown_as_the_sum_that_it_is(make_line):
    settled = {
        "status": "settled",
        "allowed_cents": 14000,
        "deductible_cents": 10000,
        "copay_cents": 1500,
        "coinsurance_cents": 500,
        "relief_cents": 300,
        "cut_cents": 100,
        "benefit_cents": 2200,
    }
    shown = figures(read(Line, make_line("T1015", 18000, **settled)), UNITS)
    amounts = [amount for _, _, amount in shown]
    assert amounts == ["180.00", "140.00", "100.00", "15.00", "5.00", "3.00", "1.00", "22.00"]
    sign = {"−": -1, "+": 1}
    total = sum(sign.get(mark, 0) * int(amount.replace(".", "")) for mark, _, amount in shown)
    assert 14000 + total == 2200


def test_a_timeline_tells_the_past_in_order_and_the_future_last(make_case, make_claim):
    voted = make_case("44" * 32, "K0001", 64000, s=95, opens_at=96, closes_at=155)
    entries = timeline(read(Claim, make_claim("44" * 32, [], [voted], height=95)), {}, 112, UNITS)
    assert [(item.height, item.is_done) for item in entries] == [(95, True), (96, True), (155, False)]


def test_a_ballot_goes_to_the_node_exactly_as_reviewed_and_only_accept_carries_an_award():
    draft = BallotDraft("11" * 32, "A9999", 1, "e5" * 32, "accept", 40000, "fair")
    assert draft.body() == {
        "claim": "11" * 32,
        "code": "A9999",
        "choice": "accept",
        "award_cents": 40000,
        "reason": "fair",
        "evidence_version": 1,
        "opened": "e5" * 32,
    }
    assert BallotDraft("11" * 32, "A9999", 1, "", "deny", 40000).body()["award_cents"] is None


def test_a_ballot_that_the_rules_would_refuse_is_not_reviewed():
    assert find_draft_fault("", "", "", 42000, UNITS) == "nothing is chosen; choose accept, deny or abstain"
    assert "is not an amount" in find_draft_fault("accept", "4x", "", 42000, UNITS)
    assert "award at most 420.00 USD" in find_draft_fault("accept", "420.01", "", 42000, UNITS)
    assert "shorten it to 280" in find_draft_fault("deny", "", "x" * 281, 42000, UNITS)
    assert find_draft_fault("accept", "420", "", 42000, UNITS) is None
    assert find_draft_fault("deny", "nonsense of an award not asked for", "", 42000, UNITS) is None


def test_receipts_survive_a_restart_and_a_broken_file_counts_as_none(tmp_path):
    memory = load_memory(tmp_path)
    memory.keep(KeptReceipt("9a" * 32, "11" * 32, "A9999", "accept", 112))
    memory.note("9a" * 32, "final", 113)
    again = load_memory(tmp_path)
    assert again.receipts == [KeptReceipt("9a" * 32, "11" * 32, "A9999", "accept", 112, "final", 113)]
    for broken in ("{", "[]", '{"receipts": [{"record_id": 1}], "opened": [], "keys": 3}'):
        (tmp_path / "tui.json").write_text(broken)
        assert load_memory(tmp_path).receipts == []


def test_a_disk_that_refuses_the_memory_never_stops_a_vote(tmp_path):
    memory = load_memory(tmp_path / "no-such-folder")
    memory.keep(KeptReceipt("9a" * 32, "11" * 32, "A9999", "accept", 112))
    assert memory.save() is False
    assert len(memory.receipts) == 1
