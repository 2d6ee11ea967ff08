"""A stranger computes every decision again from its receipt alone, and finds a receipt that was tampered with.

Default: every rule vector and some random scenarios. MUTUA_RECEIPT_SEED moves the first seed; the soak plays
MUTUA_RECEIPT_COUNT of each kind.
"""

import copy
import json
import os
from pathlib import Path

import pytest

SEED = int(os.environ.get("MUTUA_RECEIPT_SEED", "0"))
COUNT = int(os.environ.get("MUTUA_RECEIPT_COUNT", "400"))
FOLDER = Path(__file__).resolve().parents[1] / "vectors" / "rules"
DECISIONS = {
    "claim_accepted": "accepted",
    "preauthorised": "accepted",
    "claim_denied": "denied",
    "claim_lapsed": "lapsed",
}


def check(lines):
    """All receipts of a scenario hold, and say what the events of the play said. Returns them."""
    from receipts.history import receipts_of
    from receipts.stranger import of_text, problems

    receipts, events = receipts_of(lines)
    assert {claim: list(problems(receipt, of_text)) for claim, receipt in receipts.items()} == {
        claim: [] for claim in receipts
    }
    told = []
    for receipt in receipts.values():
        parts = [(None, receipt["standard"])] if receipt["standard"] else []
        parts += [
            (case["code"], item)
            for case in receipt["cases"]
            for item in case["decisions"]
            if item["outcome"] not in ("withdrawn", "cancelled")
        ]
        told += [
            (item["height"], receipt["claim"], code, item["outcome"], item["award_cents"], item["benefit_cents"])
            for code, item in parts
        ]
    said = [
        (
            event.height,
            event.fields["claim"].decode(),
            event.fields["case"],
            DECISIONS[event.name],
            event.fields.get("award_cents"),
            event.fields.get("benefit_cents", 0),
        )
        for event in events
        if event.name in DECISIONS
    ]
    assert sorted(told, key=str) == sorted(said, key=str)
    paid = sum(
        pay["paid_cents"] for receipt in receipts.values() for item in receipt["payouts"] for pay in item["payments"]
    )
    assert paid == sum(
        event.fields["amount_cents"]
        for event in events
        if event.name == "payout_due" and (event.fields["claim"] or b"").decode() in receipts
    )
    return receipts


@pytest.mark.parametrize("topic", sorted(path.stem for path in FOLDER.glob("*.jsonl")))
def test_every_decision_of_the_rule_vectors_follows_from_its_receipt(topic):
    for text in (FOLDER / f"{topic}.jsonl").read_text(encoding="utf-8").splitlines():
        check(json.loads(text)["scenario"])


@pytest.mark.parametrize("seed", range(SEED, SEED + 12))
def test_every_decision_of_a_mixed_scenario_follows_from_its_receipt(seed):
    from naive.generate import scenario

    check(scenario(seed))


@pytest.mark.parametrize("seed", range(SEED, SEED + 2))
def test_every_decision_of_a_court_follows_from_its_receipt(seed):
    from naive.generate_votes import court

    check(court(seed))


@pytest.mark.soak
def test_every_decision_of_many_scenarios_follows_from_its_receipt():
    from naive.generate import scenario
    from naive.generate_votes import court

    for seed in range(SEED, SEED + COUNT):
        check(scenario(seed))
        if seed % 8 == 0:
            check(court(seed))


# ---- Tampered receipts ---------------------------------------------------------------
GENESIS = {
    "do": "genesis",
    "auto_pay": True,
    "params": {"audit_random_bp": 0, "min_voters": 3, "quorum_min": 3},
    "accounts": {"claims": 20_000, "reserve": 900_000},
    "rate": 10_000_000,
    "plans": [
        {
            "name": "basic",
            "premium_cents": 50_000,
            "deductible_cents": 1_000,
            "copay_cents": 1_500,
            "coinsurance_bp": 2_000,
            "oop_max_cents": 9_000,
            "claim_ceiling_cents": 60_000,
            "year_ceiling_cents": 90_000,
        }
    ],
    "members": [
        {"name": "ann", "plan": "basic", "record": [14, 20], "terms_ago": 30},
        *({"name": name, "plan": "basic"} for name in ("bob", "cy", "dee", "eve", "fay")),
    ],
    "providers": ["dr"],
    "codes": [{"code": "S", "standard": True, "allowed_cents": 7_000, "frequency": 3}],
}
WON = [
    GENESIS,
    {
        "at": 3,
        "do": "claim",
        "id": "c1",
        "by": "ann",
        "provider": "dr",
        "other_payer_cents": 500,
        "lines": [
            {"code": "S", "units": 5, "charge_cents": 40_000, "day": 2},
            {"code": "J", "charge_cents": 80_000, "day": 3},
        ],
    },
    *(
        {"at": 4, "do": "ballot", "by": name, "claim": "c1", "choice": "accept", "opened": True, "award_cents": award}
        for name, award in (("bob", 50_000), ("cy", 60_000), ("dee", 70_000))
    ),
    {"at": 5, "do": "ballot", "by": "eve", "claim": "c1", "choice": "accept", "opened": False},
    {"at": 6, "do": "ballot", "by": "fay", "claim": "c1", "choice": "deny", "opened": True},
    {"at": 40, "do": "advance", "to": 40},
]
LOST = [
    *WON[:2],
    *(
        {"at": 4, "do": "ballot", "by": name, "claim": "c1", "choice": choice, "opened": True}
        for name, choice in (("bob", "accept"), ("cy", "deny"), ("dee", "deny"), ("eve", "deny"))
    ),
    {"at": 70, "do": "appeal", "by": "ann", "claim": "c1", "ground": "evidence"},
    *(
        {"at": 71, "do": "ballot", "by": name, "claim": "c1", "choice": "accept", "opened": True}
        for name in ("bob", "cy", "dee", "eve", "fay")
    ),
    {"at": 100, "do": "advance", "to": 100},
]
TAMPERED = [
    (WON, "cases 0 decisions 0 award_cents", 60_001),
    (WON, "cases 0 decisions 0 benefit_cents", 1),
    (WON, "cases 0 decisions 0 outcome", "denied"),
    (WON, "cases 0 decisions 0 height", 21),
    (WON, "cases 0 decisions 0 awards", [50_000, 60_000, 70_000]),
    (WON, "cases 0 bar denied", 13),
    (WON, "cases 0 bar bar_bp", 7_500),
    (WON, "cases 0 bar seniority_bp", 300),
    (WON, "cases 0 bar need_bp", 7_999),
    (WON, "cases 0 bar sample", 21),
    (WON, "cases 0 eligible", 4),
    (WON, "cases 0 quorum", 4),
    (WON, "cases 0 opened_needed", 1),
    (WON, "cases 0 tallies 3 yes", 5),
    (WON, "cases 0 tallies 3 streak", 9),
    (WON, "cases 0 tallies 3 passes", False),
    (WON, "cases 0 tallies 3 opened", 4),
    (WON, "cases 0 ballots 0 choice", "deny"),
    (WON, "cases 0 status", "accepted"),
    (WON, "lines 0 refusal", 3),
    (WON, "lines 0 last_filing_height", 181),
    (WON, "lines 1 is_standard", True),
    (WON, "settlements 0 units_paid", 4),
    (WON, "settlements 0 allowed_cents", 21_001),
    (WON, "settlements 0 deductible_cents", 999),
    (WON, "settlements 0 copay_cents", 0),
    (WON, "settlements 0 coinsurance_cents", 3_699),
    (WON, "settlements 1 relief_cents", 0),
    (WON, "settlements 1 cut_cents", 0),
    (WON, "settlements 1 benefit_cents", 60_000),
    (WON, "settlements 0 other_payer_cents", 0),
    (WON, "settlements 1 other_payer_before_cents", 500),
    (WON, "settlements 1 is_copay_taken", False),
    (WON, "settlements 1 award_before_cents", 80_000),
    (WON, "settlements 0 ceilings 0 left_cents", 1),
    (WON, "settlements 1 ceilings 0 used_cents", 0),
    (WON, "settlements 0 units_left", 1),
    (WON, "settlements 0 deductible_left_cents", 1),
    (WON, "settlements 0 oop_left_cents", 9_000),
    (WON, "payouts 0 benefit_cents", 1),
    (WON, "payouts 0 payments 0 paid_cents", 1),
    (WON, "payouts 0 payments 0 amount_sat", 1),
    (WON, "payouts 0 payments 0 cap_cents", 900_000),
    (WON, "payouts 0 owed_cents", 1),
    (WON, "audit number", 1),
    (WON, "audit is_drawn", True),
    (LOST, "cases 0 decisions 0 outcome", "lapsed"),
    (LOST, "cases 0 decisions 1 outcome", "denied"),
    (LOST, "cases 0 appeal passes", False),
    (LOST, "cases 0 appeal quorum", 1),
    (LOST, "cases 0 appeal yes", 4),
    (LOST, "cases 0 appeal judged_height", 84),
    (LOST, "cases 0 appeal panel randomness", "00" * 32),
    (LOST, "cases 0 appeal height", 74),
]


def put(receipt, path, value):
    *way, last = [int(part) if part.isdigit() else part for part in path.split()]
    for part in way:
        receipt = receipt[part]
    before, receipt[last] = receipt[last], value
    return before


@pytest.fixture(scope="module")
def genuine():
    return {id(lines): check(lines)["c1"] for lines in (WON, LOST)}


@pytest.mark.parametrize(
    ("lines", "path", "value"), TAMPERED, ids=[f"{'won' if item[0] is WON else 'lost'} {item[1]}" for item in TAMPERED]
)
def test_a_tampered_figure_is_found(lines, path, value, genuine):
    from receipts.stranger import of_text, problems

    receipt = copy.deepcopy(genuine[id(lines)])
    before = put(receipt, path, value)
    if before == value:
        receipt = copy.deepcopy(genuine[id(lines)])
        put(receipt, path, "something else")
    assert list(problems(receipt, of_text)) != []


def test_a_ballot_or_a_tally_that_was_left_out_is_found(genuine):
    from receipts.stranger import of_text, problems

    for part in ("ballots", "tallies", "decisions"):
        receipt = copy.deepcopy(genuine[id(WON)])
        receipt["cases"][0][part].pop()
        assert list(problems(receipt, of_text)) != [], part
