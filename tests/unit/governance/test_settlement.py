"""Hand-computed settlements: every figure of every step (rules §5)."""

from __future__ import annotations

import pytest

FIGURES = (
    "units_paid",
    "allowed_cents",
    "deductible_cents",
    "copay_cents",
    "coinsurance_cents",
    "relief_cents",
    "cut_cents",
    "benefit_cents",
    "refusal",
)
PLAN = {
    "name": "p",
    "premium_cents": 50_000,
    "deductible_cents": 10_000,
    "copay_cents": 1_500,
    "coinsurance_bp": 2_000,
    "oop_max_cents": 60_000,
    "claim_ceiling_cents": 250_000,
}

CASES = [
    # plan, lines (code, units, charge), other payer, expected figures a line
    ({}, [("S", 1, 20_000)], 0, [(1, 20_000, 0, 0, 0, 0, 0, 20_000, None)]),
    ({}, [("S", 1, 30_001)], 0, [(1, 30_000, 0, 0, 0, 0, 0, 30_000, None)]),
    ({}, [("S", 2, 60_001)], 0, [(2, 60_000, 0, 0, 0, 0, 0, 60_000, None)]),
    ({}, [("S", 7, 999_999)], 0, [(6, 180_000, 0, 0, 0, 0, 0, 180_000, None)]),
    ({"deductible_cents": 10_000}, [("S", 1, 9_999)], 0, [(1, 9_999, 9_999, 0, 0, 0, 0, 0, None)]),
    ({"deductible_cents": 10_000}, [("S", 1, 10_000)], 0, [(1, 10_000, 10_000, 0, 0, 0, 0, 0, None)]),
    ({"deductible_cents": 10_000}, [("S", 1, 10_001)], 0, [(1, 10_001, 10_000, 0, 0, 0, 0, 1, None)]),
    ({"copay_cents": 1_500}, [("S", 1, 1_499)], 0, [(1, 1_499, 0, 1_499, 0, 0, 0, 0, None)]),
    ({"copay_cents": 1_500}, [("S", 1, 1_501)], 0, [(1, 1_501, 0, 1_500, 0, 0, 0, 1, None)]),
    (
        {"copay_cents": 1_500},
        [("S", 1, 2_000), ("T", 1, 2_000)],
        0,
        [(1, 2_000, 0, 1_500, 0, 0, 0, 500, None), (1, 2_000, 0, 0, 0, 0, 0, 2_000, None)],
    ),
    ({"coinsurance_bp": 2_000}, [("S", 1, 1_001)], 0, [(1, 1_001, 0, 0, 201, 0, 0, 800, None)]),
    ({"coinsurance_bp": 3_333}, [("S", 1, 10)], 0, [(1, 10, 0, 0, 4, 0, 0, 6, None)]),
    ({"coinsurance_bp": 10_000}, [("S", 1, 5_000)], 0, [(1, 5_000, 0, 0, 5_000, 0, 0, 0, None)]),
    (
        {"coinsurance_bp": 10_000, "oop_max_cents": 4_000},
        [("S", 1, 5_000)],
        0,
        [(1, 5_000, 0, 0, 5_000, 1_000, 0, 1_000, None)],
    ),
    (
        {"deductible_cents": 9_000, "oop_max_cents": 4_000},
        [("S", 1, 5_000)],
        0,
        [(1, 5_000, 5_000, 0, 0, 1_000, 0, 1_000, None)],
    ),
    ({"claim_ceiling_cents": 4_000}, [("S", 1, 5_000)], 0, [(1, 5_000, 0, 0, 0, 0, 1_000, 4_000, None)]),
    (
        {"claim_ceiling_cents": 4_000},
        [("S", 1, 3_000), ("T", 1, 3_000)],
        0,
        [(1, 3_000, 0, 0, 0, 0, 0, 3_000, None), (1, 3_000, 0, 0, 0, 0, 2_000, 1_000, None)],
    ),
    ({"year_ceiling_cents": 100}, [("S", 1, 3_000)], 0, [(1, 3_000, 0, 0, 0, 0, 2_900, 100, None)]),
    ({}, [("S", 1, 5_000)], 2_000, [(1, 3_000, 0, 0, 0, 0, 0, 3_000, None)]),
    ({}, [("S", 1, 5_000)], 5_000, [(0, 0, 0, 0, 0, 0, 0, 0, 7)]),
    (
        {},
        [("S", 1, 5_000), ("T", 1, 5_000)],
        7_000,
        [(0, 0, 0, 0, 0, 0, 0, 0, 7), (1, 3_000, 0, 0, 0, 0, 0, 3_000, None)],
    ),
    ({}, [("S", 1, 40_000)], 5_000, [(1, 30_000, 0, 0, 0, 0, 0, 30_000, None)]),
    (PLAN, [("S", 2, 70_000)], 0, [(2, 60_000, 10_000, 1_500, 9_700, 0, 0, 38_800, None)]),
    (PLAN, [("T", 1, 300_000)], 0, [(1, 300_000, 10_000, 1_500, 57_700, 9_200, 0, 240_000, None)]),
    (PLAN, [("T", 1, 320_000)], 0, [(1, 320_000, 10_000, 1_500, 61_700, 13_200, 10_000, 250_000, None)]),
    (PLAN, [("T", 1, 11_500)], 0, [(1, 11_500, 10_000, 1_500, 0, 0, 0, 0, None)]),
    (PLAN, [("T", 1, 11_501)], 0, [(1, 11_501, 10_000, 1_500, 1, 0, 0, 0, None)]),
    (
        PLAN,
        [("S", 1, 8_000), ("T", 1, 8_000)],
        0,
        [(1, 8_000, 8_000, 0, 0, 0, 0, 0, None), (1, 8_000, 2_000, 1_500, 900, 0, 0, 3_600, None)],
    ),
    ({"waiting_terms": 1}, [("S", 1, 5_000)], 0, [(0, 0, 0, 0, 0, 0, 0, 0, 2)]),
    (
        {"codes": ["T"]},
        [("S", 1, 5_000), ("T", 1, 1)],
        0,
        [(0, 0, 0, 0, 0, 0, 0, 0, 4), (1, 1, 0, 0, 0, 0, 0, 1, None)],
    ),
    ({"codes": ["T"]}, [("S", 1, 5_000)], 5_000, [(0, 0, 0, 0, 0, 0, 0, 0, 4)]),
    ({}, [("T", 3, 0)], 0, [(3, 0, 0, 0, 0, 0, 0, 0, None)]),
]


@pytest.mark.parametrize(("plan", "lines", "other", "expected"), CASES)
def test_a_claim_settles_to_the_figures_computed_by_hand(story, plan, lines, other, expected):
    codes = [{"code": "S", "standard": True, "allowed_cents": 30_000, "frequency": 6}, {"code": "T", "standard": True}]
    run = story(
        plans=[{"name": "free", "premium_cents": 50_000, **{k: v for k, v in plan.items() if k != "name"}}], codes=codes
    )
    run.claim(3, "m0", "c", *lines, other_payer_cents=other).advance(4)
    assert [tuple(event[name] for name in FIGURES) for event in run.events("claim_line")] == expected
    total = sum(row[7] for row in expected)
    assert run.events("claim_accepted")[0]["benefit_cents"] == total
    assert [event["amount_cents"] for event in run.events("payout_due")] == ([total] if total else [])


def test_deductible_maximum_and_year_ceiling_are_used_up_over_the_claims_of_a_benefit_year(story):
    plan = {
        "name": "free",
        "deductible_cents": 10_000,
        "coinsurance_bp": 5_000,
        "oop_max_cents": 15_000,
        "year_ceiling_cents": 30_000,
    }
    run = story(plans=[plan], codes=[{"code": "T", "standard": True}], params={"filing_terms": 24})
    for at, name in ((3, "a"), (4, "b"), (5, "c"), (361, "d")):
        run.claim(at, "m0", name, ("T", 1, 18_000))
    run.advance(361)
    figures = [
        (e["deductible_cents"], e["coinsurance_cents"], e["relief_cents"], e["cut_cents"], e["benefit_cents"])
        for e in run.events("claim_line")
    ]
    assert figures == [
        (10_000, 4_000, 0, 0, 4_000),
        (0, 9_000, 8_000, 0, 17_000),
        (0, 9_000, 9_000, 9_000, 9_000),
        (10_000, 4_000, 0, 0, 4_000),
    ]


def test_parts_of_one_visit_share_the_ceiling_of_a_claim(story):
    run = story(
        plans=[{"name": "free", "claim_ceiling_cents": 5_000}],
        codes=[{"code": "T", "standard": True}, {"code": "U", "standard": True}],
    )
    day = {"units": 1, "charge_cents": 4_000, "day": 3}
    run.do(3, "claim", id="a", by="m0", provider="doc", lines=[{"code": "T", **day}])
    run.do(4, "claim", id="b", by="m0", provider="doc", lines=[{"code": "U", **day}])
    run.do(4, "claim", id="c", by="m0", provider="doc2", lines=[{"code": "U", **day}]).advance(4)
    assert [event["benefit_cents"] for event in run.events("claim_line")] == [4_000, 1_000, 4_000]


def test_frequency_counts_units_of_a_cover_and_benefit_year(story):
    run = story()
    for at in (3, 4, 5):
        run.claim(at, "m0", f"c{at}", ("S", 4, 100))
    run.claim(5, "m1", "other", ("S", 4, 100)).advance(5)
    assert [(event["units_paid"], event["refusal"]) for event in run.events("claim_line")] == [
        (4, None),
        (2, None),
        (0, 3),
        (4, None),
    ]


def test_a_line_filed_too_late_is_refused_and_one_of_a_later_day_refuses_the_claim(story):
    run = story()
    line = {"code": "S", "units": 1, "charge_cents": 100}
    run.do(181, "claim", id="a", by="m0", provider="doc", lines=[{**line, "day": 1}, {**line, "day": 0}])
    run.do(182, "claim", id="b", by="m0", provider="doc2", lines=[{**line, "day": 1}])
    run.do(182, "claim", id="c", by="m0", provider="doc", lines=[{**line, "day": 183}]).advance(183)
    assert [event["refusal"] for event in run.events("claim_line")] == [None, 8, 8]
    assert [event["code"] for event in run.events("refused")] == ["claim_shape"]


def test_a_repeated_line_refuses_the_whole_claim(story):
    run = story().claim(3, "m0", "a", ("S", 1, 100))
    run.claim(3, "m0", "b", ("S", 1, 100), ("T", 1, 100)).claim(3, "m0", "c", ("T", 1, 100), ("T", 2, 100)).advance(4)
    assert [event["code"] for event in run.events("refused")] == ["duplicate_line", "duplicate_line"]
    assert len(run.events("claim_line")) == 1


def test_a_claim_attested_by_the_claimant_or_an_unlisted_provider_is_refused(story):
    run = (
        story(providers=["doc", "m0"])
        .claim(3, "m0", "a", ("S", 1, 100), provider="m0")
        .claim(3, "m0", "b", ("S", 1, 100), provider="x")
        .advance(3)
    )
    assert [event["code"] for event in run.events("refused")] == ["provider_own", "provider_unknown"]


def test_a_mixed_claim_shares_one_copay_between_its_parts(story):
    run = story(plans=[{"name": "free", "copay_cents": 1_500}])
    run.claim(3, "m0", "a", ("X", 1, 5_000), ("S", 1, 5_000)).ballots(4, "a", yes=5).advance(20)
    assert [(e["line"], e["copay_cents"], e["benefit_cents"]) for e in run.events("claim_line")] == [
        (1, 1_500, 3_500),
        (0, 0, 5_000),
    ]
    assert [(e["case"], e["height"]) for e in run.events("payout_due")] == [(None, 4), ("X", 19)]
