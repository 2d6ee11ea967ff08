"""Terms and money: premiums, contracts, rates, payouts, promotion, renewal, proposals, appeals, admission, run-off."""

from __future__ import annotations


def members(count, **fields):
    return [{"name": f"m{i:02}", "plan": "free", "contract_terms": 12, **fields} for i in range(count)]


def pick(events, *names):
    return [tuple(event[name] for name in names) for event in events]


# ---- Premiums and contracts ------------------------------------------------
def test_an_unpaid_premium_suspends_after_ten_blocks_and_a_payment_restores_from_its_day(story):
    run = story(auto_pay=False).advance(10)
    assert not run.events("cover_suspended")
    run.advance(12)
    assert len(run.events("cover_suspended", height=11)) == 8
    line = {"units": 1, "charge_cents": 100, "code": "S"}
    run.do(15, "pay_premium", by="m0")
    run.do(
        16, "claim", id="a", by="m0", provider="doc", lines=[{**line, "day": day} for day in (11, 12, 14, 15)]
    ).advance(16)
    assert [event["refusal"] for event in run.events("claim_line")] == [None, 1, 1, None]
    assert pick(run.events("cover_resumed"), "member", "height", "amount_cents") == [("m0", 15, 0)]


def test_two_premiums_owed_at_a_boundary_end_the_contract(story):
    run = story(auto_pay=False).advance(30)
    assert not run.events("contract_ended")
    run.do(40, "pay_premium", by="m1").advance(60)
    ended = run.events("contract_ended")
    assert len(ended) == 7
    assert {(event["height"], event["amount_cents"]) for event in ended} == {(60, 100_000)}
    assert pick(run.events("premium_paid"), "member", "amount_cents", "height") == [
        ("m1", 50_000, 40),
        ("m1", 50_000, 40),
    ]
    assert run.show("member", "m0")["standing"] == "ended"


def test_a_suspended_member_does_not_vote_and_is_not_eligible(story):
    run = story(auto_pay=False)
    for index in range(1, 7):
        run.do(2, "pay_premium", by=f"m{index}")
    run.do(2, "pay_premium", by="m0").claim(11, "m0", "c", ("X", 1, 80_000)).do(
        12, "ballot", by="m7", claim="c", choice="accept"
    )
    run.advance(71)
    assert pick(run.events("refused"), "code") == [("not_eligible",)]
    assert pick(run.events("claim_lapsed"), "eligible") == [(6,)]


def test_a_contract_keeps_its_rate_and_then_follows_the_current_one(story):
    people = [{"name": "long", "plan": "free", "contract_terms": 3}, {"name": "short", "plan": "free"}]
    run = story(members=people, plans=[{"name": "free", "premium_cents": 50_000, "prior_cents": 90_000}]).advance(121)
    due = {(event["member"], event["height"]): event["amount_cents"] for event in run.events("premium_due")}
    assert [due["long", height] for height in (1, 31, 61)] == [50_000] * 3
    assert pick(run.events("premium_set"), "old_cents", "new_cents") == [
        (50_000, 55_000),
        (55_000, 60_500),
        (60_500, 66_550),
        (66_550, 73_205),
    ]
    assert [due["short", height] for height in (1, 31, 61, 91)] == [50_000, 50_000, 55_000, 60_500]
    assert due["long", 91] == 60_500


def test_a_dearer_plan_waits_with_the_figures_of_the_old_one(story):
    plans = [
        {"name": "free", "premium_cents": 50_000, "copay_cents": 10},
        {"name": "rich", "premium_cents": 90_000, "waiting_terms": 2},
    ]
    run = story(plans=plans, members=[{"name": "m0", "plan": "free"}], codes=[{"code": "S", "standard": True}])
    run.do(5, "change_plan", by="m0", plan="rich")
    for at in (30, 31, 90, 91):
        run.claim(at, "m0", f"c{at}", ("S", 1, 100))
    run.advance(91)
    assert [event["copay_cents"] for event in run.events("claim_line")] == [10, 10, 10, 0]
    assert pick(run.events("premium_due"), "plan", "amount_cents")[1][0] == "rich"


def test_guarantees_are_refused_while_they_hold_more_than_forty_percent(story):
    people = [{"name": f"m{i}", "plan": "free", "contract_terms": 3 if i < 2 else 1} for i in range(5)]
    run = story(members=people).do(1, "change_plan", by="m4", plan="free", contract_terms=12)
    people[2]["contract_terms"] = 3
    full = story(members=people).do(1, "change_plan", by="m4", plan="free", contract_terms=12).advance(1)
    assert not run.advance(1).events("refused")
    assert pick(full.events("refused"), "code") == [("guarantee_full",)]


def test_leaving_ends_cover_with_the_next_full_term(story):
    run = story().do(5, "leave", by="m0").advance(60)
    assert pick(run.events("contract_ended", "member_left"), "event", "member", "height") == [
        ("contract_ended", "m0", 60),
        ("member_left", "m0", 60),
    ]


def test_premiums_fill_the_reserve_first_up_to_its_share(story):
    run = story(
        accounts={"claims": 0, "reserve": 0}, members=members(2), plans=[{"name": "free", "premium_cents": 10_001}]
    ).advance(1)
    shown = run.show("accounts")
    assert (shown["reserve_cents"], shown["claims_cents"]) == (3_000, 17_002)


# ---- Payouts ---------------------------------------------------------------
def test_a_short_payout_takes_five_percent_of_the_reserve_and_keeps_its_place(story):
    run = story(accounts={"claims": 1_000, "reserve": 100_000}, auto_pay=False, codes=[{"code": "S", "standard": True}])
    run.claim(1, "m0", "a", ("S", 1, 8_000)).advance(3)
    assert pick(run.events("payout_due"), "height", "amount_cents", "amount_sat") == [
        (2, 6_000, 60_000),
        (3, 2_000, 20_000),
    ]
    assert pick(run.events("payout_short"), "height", "paid_cents", "owed_cents") == [(2, 6_000, 2_000)]


def test_at_a_boundary_a_shortage_is_shared_at_one_ratio(story):
    run = story(
        accounts={"claims": 3_000, "reserve": 0}, auto_pay=False, codes=[{"code": "S", "standard": True}], rate=None
    )
    run.claim(1, "m0", "a", ("S", 1, 4_000)).claim(1, "m1", "b", ("S", 1, 2_001)).do(
        30, "quote", by="m2", rate=10_000_000
    ).advance(30)
    assert pick(run.events("payout_due"), "claim", "amount_cents") == [("a", 1_999), ("b", 1_000)]
    assert pick(run.events("payout_short"), "owed_cents") == [(2_001,), (1_001,)]


def test_the_rate_moves_a_tenth_a_block_at_most_and_payouts_wait_without_any(story):
    run = story(rate=None, codes=[{"code": "S", "standard": True}]).claim(1, "m0", "a", ("S", 1, 4_000)).advance(3)
    assert not run.events("payout_due")
    run.do(4, "quote", by="m1", rate=1_000_001).do(5, "quote", by="m1", rate=1).do(
        5, "quote", by="m1", rate=9_000_000
    ).do(5, "quote", by="m2", rate=5).advance(6)
    assert pick(run.events("rate_set"), "from", "to") == [(None, 1_000_001), (1_000_001, 900_001)]
    assert pick(run.events("payout_due"), "height", "amount_sat") == [(4, 4_000 * 10**8 // 1_000_001)]


# ---- Promotion, renewal ------------------------------------------------------
def test_a_code_accepted_often_enough_becomes_standard_at_a_boundary(story):
    run = story(members=members(12), accounts={"claims": 10**9, "reserve": 10**9})
    for term in range(6, 12):
        for case in range(4):
            name, by, at = f"c{term}-{case}", f"m{(term + case) % 8:02}", 30 * term + 1 + 2 * case
            run.claim(at, by, name, ("X", 2, 80_000 + case), provider=("doc", "doc2", "doc3")[case % 3])
            for voter in range(8, 12):
                run.do(at + 1, "ballot", by=f"m{voter:02}", claim=name, choice="accept", opened=True)
            run.do(at + 1, "ballot", by=f"m{(term + case + 1) % 8:02}", claim=name, choice="accept", opened=True)
    run.advance(360)
    assert pick(run.events("code_promoted"), "height", "paid", "decided", "allowed_cents", "frequency") == [
        (360, 24, 24, 40_000, 8)
    ]
    run.claim(361, "m00", "std", ("X", 9, 999_999)).advance(361)
    assert run.events("claim_line")[-1]["units_paid"] == 8


def test_whoever_denies_nearly_everything_is_not_renewed(story):
    run = story(members=members(9, contract_terms=1), accounts={"claims": 10**9, "reserve": 10**9})
    for term in range(6, 12):
        for case in range(4):
            name, at = f"c{term}-{case}", 30 * term + 1 + 2 * case
            run.claim(at, f"m0{case}", name, ("Y", 1, 1_000 + term))
            for voter in [index for index in range(8) if index != case][:6]:
                run.do(at + 1, "ballot", by=f"m0{voter}", claim=name, choice="accept", opened=True)
            run.do(at + 1, "ballot", by="m08", claim=name, choice="deny")
    run.advance(390)
    assert pick(run.events("renewal_refused"), "member", "height", "denied", "voted", "until") == [
        ("m08", 360, 24, 24, 390)
    ]
    assert pick(run.events("contract_ended"), "member", "height") == [("m08", 390)]


# ---- Proposals ---------------------------------------------------------------
def propose(run, at, proposal, *, yes=5, no=0, **fields):
    run.do(at, "propose", by="m0", id=proposal, **fields)
    for index in range(1, 5):
        run.do(at, "sponsor", by=f"m{index}", proposal=proposal)
    for index in range(yes + no):
        run.do(at + 1, "cast", by=f"m{index}", proposal=proposal, choice="yes" if index < yes else "no")
    return run


def test_a_parameter_changes_at_the_next_boundary_and_a_critical_one_a_term_later(story):
    run = propose(story(), 5, "a", what="param", name="lapse_pay_cents", value=7)
    propose(run, 7, "b", what="param", name="quorum_min", value=6).advance(90)
    assert pick(run.events("proposal_passed"), "proposal", "height", "yes", "eligible") == [
        ("a", 35, 5, 8),
        ("b", 37, 5, 8),
    ]
    assert pick(run.events("param_changed"), "name", "from", "to", "height") == [
        ("lapse_pay_cents", 100_000, 7, 60),
        ("quorum_min", 5, 6, 90),
    ]


def test_a_critical_proposal_needs_two_thirds(story):
    for no, outcome in ((2, "proposal_passed"), (3, "proposal_failed")):
        run = propose(story(), 5, "b", yes=4, no=no, what="param", name="quorum_min", value=6).advance(35)
        assert len(run.events(outcome)) == 1


def test_a_demoted_code_is_voted_on_by_day_of_service(story):
    run = propose(story(), 5, "d", what="demote", code="S").advance(60)
    assert pick(run.events("code_demoted"), "code", "allowed_cents", "frequency", "height") == [("S", None, None, 60)]
    line = {"code": "S", "units": 1, "charge_cents": 100}
    run.do(61, "claim", id="a", by="m0", provider="doc", lines=[{**line, "day": 60}, {**line, "day": 61}]).advance(61)
    assert pick(run.events("claim_line"), "line", "standard") == [(0, True)]


def test_an_expelled_member_is_covered_to_the_boundary(story):
    run = propose(story(), 5, "x", what="expel", member="m7").advance(60)
    assert pick(run.events("contract_ended", "member_expelled"), "event", "height") == [
        ("contract_ended", 60),
        ("member_expelled", 60),
    ]


# ---- Appeals, audits ---------------------------------------------------------
def test_a_fresh_panel_may_overturn_a_denial_fifteen_blocks_later(story):
    run = story(members=members(14), plans=[{"name": "free"}]).claim(1, "m00", "c", ("X", 1, 8_000))
    for index in range(1, 6):
        run.do(2, "ballot", by=f"m{index:02}", claim="c", choice="deny", opened=True)
    run.do(65, "appeal", by="m00", claim="c", code="X", ground="evidence")
    for index in range(6, 10):
        run.do(66, "ballot", by=f"m{index:02}", claim="c", choice="accept" if index < 8 else "deny")
    run.do(66, "ballot", by="m01", claim="c", choice="deny").advance(82)
    assert sorted(run.events("appeal_opened")[0]["panel"]) == [f"m{i:02}" for i in range(6, 14)]
    assert pick(run.events("refused"), "code") == [("not_on_panel",)]
    assert pick(run.events("claim_accepted"), "how", "yes", "no", "height", "benefit_cents") == [
        ("appeal", 2, 2, 80, 8_000)
    ]
    assert pick(run.events("payout_due"), "height") == [(81,)]


def test_five_reports_hold_payment_and_fraud_cancels_it(story):
    run = story(codes=[{"code": "S", "standard": True}])
    for index in range(1, 6):
        run.do(3, "report", by=f"m{index}", member="m0")
    run.claim(4, "m0", "a", ("S", 1, 4_000)).advance(17)
    assert not run.events("payout_due")
    run.advance(18)
    assert pick(run.events("hold_placed", "hold_lifted"), "event", "height", "trigger") == [
        ("hold_placed", 3, "reports"),
        ("hold_lifted", 18, "reports"),
    ]
    assert pick(run.events("payout_due"), "height") == [(18,)]
    run.claim(19, "m1", "b", ("S", 1, 4_000)).do(19, "finding", claim="b", outcome="fraud").advance(49)
    assert pick(run.events("fraud_found"), "member", "claim") == [("m1", "b")]
    assert pick(run.events("proposal_opened"), "proposal") == [("expel/b",)]
    assert not run.events("payout_due", claim="b")
    assert run.show("member", "m1")["may_vote"] is False


# ---- Admission, run-off ---------------------------------------------------------
def test_three_vouchers_and_thirty_blocks_make_a_member_of_the_next_term(story):
    run = story().do(5, "apply", name="new", plan="free")
    for index in range(3):
        run.do(6, "vouch", by=f"m{index}", name="new")
    run.advance(61)
    assert pick(run.events("member_joined"), "member", "height") == [("new", 60)]
    assert pick(run.events("premium_due", member="new"), "height") == [(61,)]
    run.claim(149, "m7", "a", ("X", 1, 100)).claim(150, "m6", "b", ("X", 1, 100)).advance(150)
    cases = [run.show("claim", name)["cases"][0]["eligible"] for name in ("a", "b")]
    assert cases == [7, 8]  # its three complete terms are over at the end of block 150


def test_a_voucher_does_not_vote_on_the_claims_of_whom_it_vouched_for(story):
    run = story().do(5, "apply", name="new", plan="free")
    for index in range(3):
        run.do(6, "vouch", by=f"m{index}", name="new")
    run.claim(61, "new", "c", ("X", 1, 100)).do(62, "ballot", by="m0", claim="c", choice="accept").advance(62)
    assert pick(run.events("refused"), "code") == [("not_eligible",)]


def test_three_objections_end_an_application(story):
    run = story().do(5, "apply", name="new", plan="free")
    for index in range(3):
        run.do(6, "vouch", by=f"m{index}", name="new").do(7, "object", by=f"m{index + 3}", name="new", reason="unknown")
    assert not run.advance(90).events("member_joined")


def test_insolvency_leads_to_run_off_and_disbanding(story):
    run = story(
        accounts={"claims": 0, "reserve": 0},
        plans=[{"name": "free", "premium_cents": 100}],
        codes=[{"code": "S", "standard": True}],
    )
    run.claim(1, "m0", "a", ("S", 1, 10_000_000)).advance(91)
    assert pick(run.events("run_off"), "height", "from", "to") == [(90, False, True)]
    assert not run.events("premium_due", height=91)
    run.claim(92, "m1", "b", ("S", 1, 100)).advance(270)
    assert run.events("claim_line", claim="b")[0]["refusal"] == 1
    assert pick(run.events("disbanded"), "height") == [(270,)]
    assert run.show("accounts")["owed_cents"] == 0
