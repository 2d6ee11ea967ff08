"""Cases: the 60/15 rule, quorum and receipts, changes, lapse and refiling, bars (rules §6, §7)."""

from __future__ import annotations

import itertools

import pytest

from governance.voting.approval_threshold import compute_threshold_bp


def test_a_case_that_passes_from_the_first_block_on_is_accepted_fifteen_blocks_after_s(story):
    run = story().claim(3, "m0", "c", ("X", 1, 80_000)).ballots(4, "c", yes=5).advance(17)
    assert not run.events("claim_accepted")
    run.advance(19)
    (accepted,) = run.events("claim_accepted")
    assert (accepted["height"], accepted["how"], accepted["yes"], accepted["no"], accepted["benefit_cents"]) == (
        18,
        "vote",
        5,
        0,
        80_000,
    )
    assert [event["height"] for event in run.events("payout_due")] == [19]


@pytest.mark.parametrize(("last", "outcome"), [(46, "claim_accepted"), (47, "claim_denied")])
def test_the_fifteen_blocks_must_end_by_s_plus_60(story, last, outcome):
    run = story().claim(1, "m0", "c", ("X", 1, 80_000)).ballots(2, "c", no=3)
    run.ballots(last + 1, "c", yes=3, first=4).advance(70)
    # three against three is a tie at 50 %, which pays, if it holds for fifteen blocks
    decided = run.events("claim_accepted", "claim_denied", "claim_lapsed")
    if outcome == "claim_accepted":
        assert [(event["event"], event["height"]) for event in decided] == [("claim_accepted", 61)]
    else:
        assert [(event["event"], event["height"]) for event in decided] == [("claim_lapsed", 61)]


def test_a_case_below_its_bar_with_quorum_is_denied_at_s_plus_60(story):
    run = story().claim(1, "m0", "c", ("X", 1, 80_000)).ballots(2, "c", yes=2, no=3).advance(61)
    (denied,) = run.events("claim_denied")
    expected = {
        "yes": 2,
        "no": 3,
        "opened": 5,
        "eligible": 7,
        "quorum": 5,
        "bar_bp": 5_000,
        "seniority_bp": 0,
        "height": 61,
    }
    assert {name: denied[name] for name in expected} == expected


def test_half_of_the_quorum_must_have_opened_the_evidence(story):
    run = story().claim(1, "m0", "c", ("X", 1, 80_000))
    for index in range(1, 7):
        run.do(2, "ballot", by=f"m{index}", claim="c", choice="accept", opened=index <= 2)
    run.advance(61)
    assert [(e["opened"], e["yes"]) for e in run.events("claim_lapsed")] == [(2, 6)]
    run = story().claim(1, "m0", "c", ("X", 1, 80_000))
    for index in range(1, 7):
        run.do(2, "ballot", by=f"m{index}", claim="c", choice="accept", opened=index <= 3)
    assert [event["height"] for event in run.advance(61).events("claim_accepted")] == [16]


def test_the_award_is_the_lower_median_of_the_accepting_ballots(story):
    run = story().claim(1, "m0", "c", ("X", 1, 80_000))
    for index, award in ((1, 10_000), (2, 20_000), (3, None), (4, 60_000)):
        fields = {} if award is None else {"award_cents": award}
        run.do(2, "ballot", by=f"m{index}", claim="c", choice="accept", opened=True, **fields)
    run.ballots(2, "c", no=2, first=5).advance(20)
    assert [event["award_cents"] for event in run.events("claim_accepted")] == [20_000]


def test_one_change_a_version_and_none_in_the_last_fifteen_blocks_without_newer_evidence(story):
    run = (
        story()
        .claim(1, "m0", "c", ("X", 1, 80_000))
        .ballots(2, "c", yes=1)
        .ballots(3, "c", no=1)
        .ballots(4, "c", yes=1)
    )
    assert [event["code"] for event in run.advance(4).events("refused")] == ["ballot_changed"]
    run.do(46, "evidence", by="m0", claim="c").ballots(47, "c", yes=1).ballots(48, "c", no=1)
    run.do(48, "evidence", by="m0", claim="c").ballots(48, "c", no=1, first=2).ballots(49, "c", yes=1, first=2).advance(
        49
    )
    codes = [event["code"] for event in run.events("refused")]
    assert codes == ["ballot_changed", "ballot_frozen", "evidence_late", "ballot_frozen"]


def test_claimant_household_and_provider_never_vote(story):
    members = [{"name": f"m{i}", "plan": "free", **({"household": "h"} if i < 2 else {})} for i in range(8)]
    run = story(members=members, providers=["m2"]).claim(1, "m0", "c", ("X", 1, 80_000), provider="m2")
    for name in ("m0", "m1", "m2"):
        run.do(2, "ballot", by=name, claim="c", choice="accept")
    run.ballots(2, "c", yes=2, no=3, first=3).advance(61)
    assert [event["code"] for event in run.events("refused")] == ["not_eligible"] * 3
    assert [event["eligible"] for event in run.events("claim_denied")] == [5]


def test_a_lapsed_case_is_filed_again_once_and_then_decided_or_paid(story):
    run = story(params={"lapse_pay_cents": 5_000})
    line = [{"code": "X", "units": 1, "charge_cents": 80_000, "day": 1}]
    for at, name in ((1, "a"), (62, "b"), (130, "c")):
        run.do(at, "claim", id=name, by="m0", provider="doc", lines=line)
    run.advance(130)
    assert [(e["claim"], e["height"]) for e in run.events("claim_lapsed")] == [("a", 61)]
    assert [(e["claim"], e["how"], e["award_cents"]) for e in run.events("claim_accepted")] == [("b", "lapse", 5_000)]
    assert [e["code"] for e in run.events("refused")] == ["duplicate_line"]


@pytest.mark.parametrize(("yes", "no", "outcome"), [(2, 1, "claim_accepted"), (1, 2, "claim_denied")])
def test_three_ballots_decide_a_second_filing_without_quorum(story, yes, no, outcome):
    line = [{"code": "X", "units": 1, "charge_cents": 80_000, "day": 1}]
    run = (
        story()
        .do(1, "claim", id="a", by="m0", provider="doc", lines=line)
        .do(62, "claim", id="b", by="m0", provider="doc", lines=line)
    )
    run.ballots(63, "b", yes=yes, no=no).advance(122)
    assert [(e["event"], e["height"], e.get("how", "vote")) for e in run.events("claim_accepted", "claim_denied")] == [
        (outcome, 122, "vote")
    ]
    assert run.show("member", "m1")["voted"] == 1


def test_a_small_claim_is_paid_at_its_first_lapse_once_a_term(story):
    run = (
        story(params={"small_claim_cents": 10_000})
        .claim(1, "m0", "a", ("X", 1, 10_000))
        .claim(2, "m0", "b", ("X", 1, 10_000))
        .advance(62)
    )
    assert [(e["claim"], e["how"], e["benefit_cents"]) for e in run.events("claim_accepted")] == [
        ("a", "small", 10_000)
    ]
    assert [e["claim"] for e in run.events("claim_lapsed")] == ["b"]


def test_withdrawn_lines_may_be_filed_again_and_supersedes_withdraws_first(story):
    line = [{"code": "X", "units": 1, "charge_cents": 80_000, "day": 1}]
    run = story().do(1, "claim", id="a", by="m0", provider="doc", lines=line).do(2, "withdraw", by="m0", claim="a")
    run.do(3, "claim", id="b", by="m0", provider="doc", lines=line).do(
        4, "claim", id="c", by="m0", provider="doc", lines=line, supersedes="b"
    ).advance(70)
    assert [e["claim"] for e in run.events("claim_lapsed")] == ["c"]
    assert not run.events("refused")


EDGES = [
    (0, 5000),
    (64, 5000),
    (65, 7500),
    (69, 7500),
    (70, 8000),
    (74, 8000),
    (75, 8500),
    (79, 8500),
    (80, 9000),
    (84, 9000),
    (85, 9500),
    (94, 9500),
    (95, 10_000),
    (100, 10_000),
]


@pytest.mark.parametrize(("percent", "bar"), EDGES)
def test_every_bar_holds_from_its_edge_on(story, percent, bar):
    assert compute_threshold_bp(percent, 100, 20) == bar
    members = [{"name": "m0", "plan": "free", "record": [percent, 100]}, {"name": "m1", "plan": "free"}]
    assert story(members=members).advance(1).show("member", "m0")["bar_bp"] == bar


@pytest.mark.parametrize(("denied", "bar"), [(12, 5000), (13, 7500), (18, 9500), (19, 10_000)])
def test_few_denials_are_weighed_against_twenty(denied, bar):
    assert compute_threshold_bp(denied, denied, 20) == bar


@pytest.mark.parametrize(
    ("terms_ago", "record", "seniority"),
    [(11, [0, 0], 0), (12, [0, 0], 100), (120, [0, 0], 1000), (240, [0, 0], 1000), (120, [20, 20], 0)],
)
def test_seniority_is_a_hundred_a_full_year_and_nothing_at_the_top_bar(story, terms_ago, record, seniority):
    run = story(members=[{"name": "m0", "plan": "free", "terms_ago": terms_ago, "record": record}]).advance(1)
    assert run.show("member", "m0")["seniority_bp"] == seniority


def test_the_record_forgets_after_twelve_terms(story):
    run = story(members=[{"name": "m0", "plan": "free", "record": [20, 20]}])
    assert run.advance(360).show("member", "m0")["denied"] == 20
    assert run.advance(361).show("member", "m0")["denied"] == 0


def test_the_order_of_ballots_inside_a_block_does_not_matter(story):
    roots = set()
    for order in itertools.islice(itertools.permutations(range(1, 6)), 0, 120, 17):
        run = story().claim(1, "m0", "c", ("X", 1, 80_000))
        for index in order:
            run.do(
                2,
                "ballot",
                by=f"m{index}",
                claim="c",
                choice="deny" if index == 2 else "accept",
                opened=index != 3,
                award_cents=index * 1000,
            )
        roots.add(run.advance(20).player.state_root())
    assert len(roots) == 1


def test_a_delegate_counts_for_delegators_without_a_ballot_and_enters_their_record(story):
    run = (
        story()
        .do(1, "delegate", by="m2", to="m1")
        .do(1, "delegate", by="m3", to="m1", topic="X")
        .claim(1, "m0", "c", ("X", 1, 80_000))
    )
    run.ballots(2, "c", no=1).do(2, "ballot", by="m3", claim="c", choice="accept", opened=True).ballots(
        2, "c", yes=2, first=4
    ).advance(61)
    (accepted,) = run.events("claim_accepted")
    assert (accepted["yes"], accepted["no"]) == (3, 2)
    assert (run.show("member", "m2")["denied"], run.show("member", "m3")["denied"]) == (1, 0)


def test_auto_accept_casts_in_the_first_block_and_a_change_of_it_is_free(story):
    run = story()
    for index in range(1, 7):
        run.do(1, "auto_accept", by=f"m{index}", id="r", codes=["X"], ceiling_cents=80_000)
    run.claim(2, "m0", "c", ("X", 1, 80_000)).claim(2, "m0", "d", ("X", 1, 80_001), provider="doc2")
    run.ballots(3, "c", no=4).ballots(4, "c", yes=4).advance(20)
    assert not run.events("refused")
    (accepted,) = run.events("claim_accepted")
    assert (accepted["claim"], accepted["height"], accepted["yes"]) == ("c", 18, 6)
    member = run.show("member", "m6")
    assert (member["denied"], member["voted"]) == (0, 0)  # its auto ballot counts at most for half of N


def test_a_duty_panel_is_drawn_where_the_quorum_is_lacking_halfway(story):
    run = (
        story()
        .claim(1, "m0", "c", ("X", 1, 80_000))
        .claim(1, "m0", "d", ("X", 1, 80_000), provider="doc2")
        .ballots(2, "d", yes=5, award_cents=1)
        .advance(31)
    )
    assert [(e["claim"], e["height"], sorted(e["members"])) for e in run.events("panel_drawn")] == [
        ("c", 31, [f"m{i}" for i in range(1, 8)])
    ]
