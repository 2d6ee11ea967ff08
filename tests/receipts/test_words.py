"""What a receipt says in sentences: every figure of it, the rule, and what the member can do now."""

from governance.events import render_text
from governance.receipts.collect import Collector
from governance.receipts.words import explain


def told(lines, claim="c1"):
    from receipts.history import history_of

    spec, past, _, _ = history_of(lines)
    collector = Collector(spec, {claim.encode()})
    for block in past:
        collector.step(block)
    return list(explain(collector.receipt(claim.encode()), render_text))


GENESIS = {
    "do": "genesis",
    "auto_pay": True,
    "params": {"audit_random_bp": 0, "min_voters": 3, "quorum_min": 3},
    "accounts": {"claims": 20_000, "reserve": 900_000},
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
            "codes": ["S", "J"],
        }
    ],
    "members": [
        {"name": "ann", "plan": "basic", "record": [14, 20], "terms_ago": 30},
        *({"name": name, "plan": "basic"} for name in ("bob", "cy", "dee", "eve", "fay")),
    ],
    "providers": ["dr"],
    "codes": [{"code": "S", "standard": True, "allowed_cents": 7_000, "frequency": 3}],
    "rate": 10_000_000,
}


def claim(*lines, at=3, **more):
    return {"at": at, "do": "claim", "id": "c1", "by": "ann", "provider": "dr", "lines": list(lines), **more}


def ballots(at, **choices):
    return [
        {"at": at, "do": "ballot", "by": name, "claim": "c1", "choice": choice, "opened": True}
        for name, choice in choices.items()
    ]


S5 = {"code": "S", "units": 5, "charge_cents": 40_000, "day": 2}
J = {"code": "J", "charge_cents": 80_000, "day": 3}


def test_each_step_of_a_settlement_says_what_was_there_before_and_what_is_left():
    said = told([GENESIS, claim(S5, other_payer_cents=500), {"at": 4, "do": "advance", "to": 4}])
    assert said[:11] == [
        (
            "Claim c1 was filed in block 3 for 400.00 USD. Everything in it is decided; the benefit so far is 148.00"
            " USD, paid to the member."
        ),
        "Another payer's 5.00 USD is taken from the charges first, in the order of settlement (§5).",
        (
            "Line 1, 5 × S of day 2, 400.00 USD: settled in block 3 (standard, plan basic). Of the charge 210.00 USD is"
            " allowed for 3 of 5 units; 10.00 USD goes to your deductible, 15.00 USD is your copay, 37.00 USD is your"
            " coinsurance. The co-op pays 148.00 USD. (allowed = deductible + copay + coinsurance − relief + benefit +"
            " cut: 210.00 = 10.00 + 15.00 + 37.00 − 0.00 + 148.00 + 0.00)"
        ),
        "  §5.1 units: the limit is 3 in benefit year 1, 0 were settled before: 3 of 5 here, 0 left.",
        (
            "  §5.2 allowed: the least of the charge less the other payer's share, 400.00 − 5.00; the allowed amount, 3"
            " × 70.00: 210.00."
        ),
        "  §5.3 deductible: 10.00 a year, 0.00 borne before: 10.00 here, 0.00 left.",
        "  §5.4 copay: 15.00 a claim: 15.00 here.",
        "  §5.5 coinsurance: 20 % of 185.00, rounded up: 37.00.",
        "  §5.6 maximum: you bear at most 90.00 a year, 0.00 borne before: relief of 0.00, 28.00 left to bear.",
        "  §5.7 ceiling for a claim: 600.00, 0.00 used before, 452.00 left.",
        "  §5.7 ceiling for one provider and day: 600.00, 0.00 used before, 452.00 left.",
    ]
    assert (
        said[-1]
        == "  block 4: 148.00 USD of 148.00 owed = 148000 satoshi at 100,000.00 a bitcoin; the signers pay it with"
        " their next batch."
    )


def test_a_refused_line_says_the_reason_and_the_figures_of_its_test():
    late = told([{**GENESIS, "params": {"filing_terms": 1}}, claim(S5, at=40), {"at": 41, "do": "advance", "to": 41}])
    assert (
        late[1]
        == "Line 1, 5 × S of day 2, 400.00 USD: refused in the carrying block, reason 8: it was filed too late. It was"
        " filed in block 40; the last block for day 2 was 32. (§5)"
    )
    plan = told([GENESIS, claim({"code": "X", "charge_cents": 5, "day": 3}), {"at": 4, "do": "advance", "to": 4}])
    assert plan[1].endswith("reason 4: the plan does not cover this code. The plan on that day was basic. (§5)")
    twice = told([GENESIS, claim(S5, {**S5, "day": 3}), {"at": 4, "do": "advance", "to": 4}])
    assert (
        twice[-3]
        == "Line 2, 5 × S of day 3, 400.00 USD: refused in settlement, reason 3: the units of this code for the benefit"
        " year are used up. The limit is 3 for the benefit year, 3 were settled before. (§5)"
    )
    owed = told(
        [{**GENESIS, "auto_pay": False}, claim(S5, {**S5, "day": 20}, at=20), {"at": 21, "do": "advance", "to": 21}]
    )
    assert (
        "reason 1: there was no cover on that day. Cover held on days 1 to now, without the days of suspension 12 on."
        in "\n".join(owed)
    )


def test_while_a_vote_is_open_its_bar_is_told_without_seniority():
    """§7: the stock client does not show it to voters."""
    said = told([GENESIS, claim(J), *ballots(4, bob="accept", cy="deny"), {"at": 9, "do": "advance", "to": 9}])
    assert said[0].startswith("Claim c1 was filed in block 3 for 800.00 USD. The vote on J is under way")
    assert said[1] == "Line 1, 1 × J of day 3, 800.00 USD: is being voted on."
    assert (
        said[2]
        == "Case J, 800.00 USD: open until block 63, 54 blocks left. So far 1 yes and 1 no of 5 members who may vote, 2"
        " of them with the evidence opened (50 % yes); 0 of 15 passing blocks in a row."
    )
    assert said[4].endswith("100·14 = 1400 ≥ 70·20 = 1400: 80 % yes is needed.")
    assert "seniority" not in " ".join(said)


def test_a_denial_says_the_inequality_and_until_when_an_appeal_may_come():
    said = told(
        [GENESIS, claim(J), *ballots(4, bob="accept", cy="deny", dee="deny"), {"at": 64, "do": "advance", "to": 64}]
    )
    assert "you may appeal until block 73." in said[2]
    assert said[4].endswith("80 % yes is needed, less seniority of 2 % for 2 full years: 78 %.")
    assert (
        said[-1]
        == "  §6 denied in block 63: at the end of block 63 the quorum is met (1+2 = 3 ≥ 3 ballots, 3 ≥ 2 of them"
        " opened) and 10000·1 = 10000 < 7800·(1+2) = 23400."
    )


def test_a_lapse_says_what_was_missing_and_that_it_may_be_filed_again():
    said = told(
        [GENESIS, claim(J), *ballots(4, bob="accept"), *ballots(40, cy="accept"), {"at": 64, "do": "advance", "to": 64}]
    )
    assert said[2].endswith("it may be filed again once, free.")
    told_blocks = [int(line.split()[1].rstrip(":")) for line in said if line.startswith("  block ")]
    assert told_blocks == sorted(told_blocks)
    assert "  block 33: 2 of 3 ballots lacked, a duty panel of 5 was drawn and reminded." in said
    assert (
        said[-1]
        == "  §6 lapsed in block 63: at the end of block 63 no quorum: 2+0 = 2 < 3 ballots, 2 ≥ 2 of them opened."
    )


def test_an_appeal_says_who_sat_and_that_it_is_final():
    said = told(
        [
            GENESIS,
            claim(J),
            *ballots(4, bob="accept", cy="deny", dee="deny"),
            {"at": 70, "do": "appeal", "by": "ann", "claim": "c1", "ground": "rule"},
            *ballots(71, bob="accept", eve="accept", fay="accept"),
            {"at": 90, "do": "advance", "to": 90},
        ]
    )
    text = "\n".join(said)
    assert "accepted on appeal in block 85 with 3 yes and 0 no of a panel of 5" in text
    assert (
        "appeal of block 70 (rule): a panel of 5 was drawn from all, because fewer than 5 had not voted (2 of 5); 3 yes"
        " and 0 no. It is final." in text
    )


def test_a_short_payment_says_what_the_accounts_held_and_what_is_left():
    poor = {**GENESIS, "accounts": {"claims": 3_000, "reserve": 20_000}, "auto_pay": False}
    said = told([poor, claim(S5), {"at": 4, "do": "advance", "to": 4}])
    assert (
        said[-2]
        == "  block 4: 40.00 USD of 148.00 owed = 40000 satoshi at 100,000.00 a bitcoin; claims held 30.00, the reserve"
        " 200.00, of it at most 10.00 for one payout; 108.00 left; the signers pay it with their next batch."
    )
    assert (
        said[-1]
        == "  108.00 USD is still owed: it remains owed, keeps its place in the queue, and is paid when there is"
        " money and an exchange rate."
    )


def test_fraud_says_what_is_owed_back_and_a_hold_that_payment_waits():
    said = told(
        [
            GENESIS,
            claim(S5),
            *(
                {"at": 5, "do": "report", "by": name, "member": "ann", "claim": "c1"}
                for name in ("bob", "cy", "dee", "eve", "fay")
            ),
            {"at": 9, "do": "finding", "claim": "c1", "outcome": "fraud"},
            {"at": 10, "do": "advance", "to": 10},
        ]
    )
    assert said[-3:] == [
        "Block 5: a hold was placed: payment waits (reports) (§9).",
        "Block 9: fraud was found (reports); 148.00 USD that was paid is owed back (§9).",
        "Block 9: the hold was lifted (reports) (§9).",
    ]


def test_a_pre_authorisation_says_what_it_allows_and_what_a_standard_line_would_settle():
    said = told(
        [
            GENESIS,
            claim({**S5, "day": 30}, {**J, "day": 40}, use="preauth"),
            *ballots(4, bob="accept", cy="accept", dee="accept"),
            {"at": 20, "do": "advance", "to": 20},
        ]
    )
    text = "\n".join(said)
    assert "It is a pre-authorisation: nothing is paid for it and nothing is used up" in text
    assert (
        "Line 1, 5 × S of day 30, 400.00 USD: needs no pre-authorisation; a claim of it would be settled in block 3"
        " (standard, plan basic)." in text
    )
    assert "Line 2, 1 × J of day 40, 800.00 USD: is authorised." in text
    assert (
        said[-1]
        == "  §5 authorised: 1 × J by this provider, up to 800.00 USD, for days 3 to 198: a claim line that fits in it"
        " needs no vote."
    )
