"""Receipts of proposals, renewals, bars and premiums: a stranger computes them again; a tampered one is found."""

import copy
import json
from pathlib import Path

import pytest

from governance.events import render_text
from governance.receipts.other_shapes import PremiumReceipt
from governance.receipts.other_words import explain_member, explain_premium, explain_proposal
from governance.receipts.others import MemberCollector, PremiumCollector, ProposalCollector, live_through
from governance.receipts.shapes import as_json

FOLDER = Path(__file__).resolve().parents[1] / "vectors" / "rules"


def receipt_of(collector, lines, name):
    from receipts.history import history_of

    spec, past, events, _ = history_of(lines)
    found = collector(spec, name)
    live_through(found, past)
    return found.receipt(), events


def json_of(receipt):
    return json.loads(json.dumps(as_json(receipt, render_text)))


def renewal_vectors():
    """The scenarios of the rule vectors in which a renewal is judged."""
    for path in sorted(FOLDER.glob("*.jsonl")):
        for text in path.read_text(encoding="utf-8").splitlines():
            vector = json.loads(text)
            if '"renewal_' in text:
                yield pytest.param(vector["scenario"], id=f"{path.stem}: {vector['name']}")


def checked(lines):
    """All receipts of a scenario hold, and their outcomes are those of its events."""
    from receipts.history import history_of
    from receipts.stranger_others import member_problems, premium_problems, proposal_problems

    spec, past, events, _ = history_of(lines)
    proposals = [event.fields["proposal"] for event in events if event.name == "proposal_opened"]
    collectors = [
        *((ProposalCollector(spec, name), proposal_problems) for name in proposals),
        *((MemberCollector(spec, row.key), member_problems) for row in spec.members),
        *((PremiumCollector(spec, row.name), premium_problems) for row in spec.plans),
    ]
    found = []
    for collector, problems in collectors:
        live_through(collector, past)
        receipt = collector.receipt()
        assert list(problems(json_of(receipt))) == [], receipt
        found.append(receipt)
    return found, events


@pytest.mark.parametrize("lines", renewal_vectors())
def test_a_stranger_computes_renewals_and_premiums_again(lines):
    found, events = checked(lines)
    renewals = [
        (item.height, receipt.member, item.outcome)
        for receipt in found
        if hasattr(receipt, "renewals")
        for item in receipt.renewals
    ]
    said = [
        (event.height, event.fields["member"], event.name.removeprefix("renewal_"))
        for event in events
        if event.name.startswith("renewal_")
    ]
    # a boundary may clear and warn in one breath; the receipt names the later word
    assert {item for item in renewals if item[2] in ("warned", "refused")} == {
        item for item in said if item[2] != "cleared"
    }
    premiums = {
        (receipt.plan, item.height): item.new_cents
        for receipt in found
        if isinstance(receipt, PremiumReceipt)
        for item in receipt.reratings
    }
    assert premiums == {
        (event.fields["plan"], event.height): event.fields["new_cents"]
        for event in events
        if event.name == "premium_set"
    }


@pytest.mark.parametrize("seed", range(4))
def test_a_stranger_computes_the_proposals_of_mixed_scenarios_again(seed):
    from naive.generate import scenario

    checked(scenario(seed))


MEMBERS = [{"name": name, "plan": "basic", "terms_ago": 30} for name in ("ann", "bob", "cy", "dee", "eve", "fay")]
FOUNDING = {
    "do": "genesis",
    "auto_pay": True,
    "params": {"sponsor_min": 2},
    "accounts": {"claims": 9_000_000, "reserve": 10},
    "rate": 10_000_000,
    "plans": [{"name": "basic", "premium_cents": 50_000}],
    "members": MEMBERS,
}
PROPOSED = [
    FOUNDING,
    {"at": 2, "do": "propose", "by": "ann", "id": "p", "what": "param", "name": "reserve_bp", "value": 2000},
    {"at": 3, "do": "sponsor", "by": "bob", "proposal": "p"},
    *(
        {"at": 5, "do": "cast", "by": name, "proposal": "p", "choice": choice}
        for name, choice in (
            ("ann", "yes"),
            ("bob", "yes"),
            ("cy", "yes"),
            ("dee", "yes"),
            ("eve", "no"),
            ("fay", "abstain"),
        )
    ),
    {"at": 61, "do": "advance", "to": 95},
]


def test_a_proposal_says_sponsors_turnout_and_the_comparisons():
    receipt, _ = receipt_of(ProposalCollector, PROPOSED, b"p")
    assert list(explain_proposal(receipt, render_text)) == [
        "Proposal p, param reserve_bp = 2000: in_force. It needs two thirds yes and takes effect one term later.",
        "§12 sponsors: 2 of max(2, 6 voters / 100 rounded up) = 2.",
        (
            "It opened in block 3 with 6 voters; votes count in blocks 4 to 33, and min(101, 6 / 5 rounded up) = 2 are"
            " needed, abstentions included."
        ),
        "4 yes, 1 no, 1 abstained; the last vote of each member counts.",
        "§12 passed at the end of block 33: turnout 4+1+1 = 6 ≥ 2, yes 4 > 1 no, critical 3·4 = 12 ≥ 2·(4+1) = 10.",
        "At the end of block 90 it took effect.",
    ]


def test_a_premium_says_estimate_reserve_target_and_clamp():
    receipt, _ = receipt_of(PremiumCollector, PROPOSED, "basic")
    assert list(explain_premium(receipt, render_text))[1] == (
        "§11 block 30: 500.00 USD became 500.00 USD, from 6 contract terms with 0.00 USD of benefits. estimate = (0 +"
        " 1200·42500)·10000 // 12060000 = 42288; reserve 45010 < 3600000·1500 // 10000 = 540000; target = 42288·10000"
        " // (10000 − 1500 − 0) = 49750; within 45000..55000: 49750."
    ).replace("became 500.00", "became 497.50")


def test_a_member_says_the_bar_and_that_no_renewal_was_judged_yet():
    receipt, _ = receipt_of(MemberCollector, PROPOSED, b"ann")
    said = list(explain_member(receipt, render_text))
    assert said[0] == "Member ann as of block 95, as if a claim were included now."
    assert said[1].endswith("50 % yes is needed, less seniority of 2 % for 2 full years: 48 %.")
    assert said[2] == "No renewal has been judged: block 360 is the first that judges (§7)."


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("yes", 3),
        ("turnout_needed", 3),
        ("passes", False),
        ("effective_height", 60),
        ("judged_height", 32),
        ("sponsors_needed", 1),
        ("opened_height", 2),
        ("status", "failed"),
        ("eligible", 12),
        ("votes", []),
        ("sponsors", [{"member": "ann", "height": 3}]),
    ],
)
def test_a_tampered_proposal_is_found(path, value):
    from receipts.stranger_others import proposal_problems

    genuine = json_of(receipt_of(ProposalCollector, PROPOSED, b"p")[0])
    assert list(proposal_problems(genuine)) == []
    assert list(proposal_problems({**copy.deepcopy(genuine), path: value})) != []


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("new_cents", 49_751),
        ("target_cents", 50_000),
        ("estimate_cents", 42_289),
        ("load_bp", 0),
        ("weight_bp", 1),
        ("cost_cents", 1),
        ("low_cents", 1),
        ("high_cents", 1),
    ],
)
def test_a_tampered_premium_is_found(path, value):
    from receipts.stranger_others import premium_problems

    genuine = json_of(receipt_of(PremiumCollector, PROPOSED, "basic")[0])
    genuine["reratings"][0][path] = value
    assert list(premium_problems(genuine)) != []


def test_a_tampered_renewal_is_found():
    from receipts.stranger_others import member_problems

    found, _ = checked(next(iter(renewal_vectors())).values[0])
    judged = [json_of(receipt) for receipt in found if hasattr(receipt, "renewals") and receipt.renewals]
    assert judged
    for path, value in (("outcome", "cleared"), ("denied", 999), ("is_refusable", None), ("terms_with_closings", 99)):
        receipt = copy.deepcopy(judged[0])
        receipt["renewals"][0][path] = value
        assert list(member_problems(receipt)) != [], path
    receipt = copy.deepcopy(judged[0])
    receipt["bar"]["bar_bp"] += 500
    assert list(member_problems(receipt)) != []
