"""Themes of money: settlement at every limit, premiums and arrears, insolvency and the end, the exchange rate."""

from .generate_story import Story


def settlement(seed):
    """Standard lines that nearly use up deductible, limits, ceilings, other payer, plan, days and benefit years."""
    s = Story("settlement", seed, members=6)
    r = s.r
    s.genesis["plans"] = [
        {
            "name": name,
            "premium_cents": premium,
            **s.plan_figures(
                deductible_cents=[0, 999, 1500, 10000],
                copay_cents=[0, 1, 1500, 30000],
                coinsurance_bp=[0, 1, 2000, 3333, 9999, 10000],
                oop_max_cents=[None, 0, 2500, 20000],
                claim_ceiling_cents=[None, 0, 9000, 45000],
                year_ceiling_cents=[None, 10000, 90000],
                waiting_terms=[0, 0, 1, 2],
                codes=[None, None, ["S1", "S2", "N1"], ["S1", "S3"], []],
            ),
        }
        for name, premium in (("basic", 20000), ("plus", r.choice([20001, 40000, 19999])))
    ]
    s.genesis["codes"] = [
        {"code": "S1", "standard": True, "allowed_cents": r.choice([1, 3000, 30000]), "frequency": r.choice([1, 2, 6])},
        {"code": "S2", "standard": True, "allowed_cents": 7777, "frequency": r.choice([0, 3])},
        {"code": "S3", "standard": True},
        {"code": "N1"},
        {"code": "S1", "standard": True, "allowed_cents": 999, "system": "hcpcs"},
    ]
    s.each_member(plan=["basic", "plus"], contract_terms=[1, 3, 12])
    s.some_params(0.4, filing_terms=[1, 2], small_claim_cents=[20000])
    end = r.choice([60, 200, 400])
    repeated = None
    for _ in range(r.choice([25, 60])):
        at = r.randint(1, end)
        by = r.choice(s.names[:3]) if s.maybe(0.8) else r.choice(s.names)
        line_days = [0, 0, 1, 29, 30, 31, 60, 61, 180, 181]
        lines = [
            (
                r.choice(["S1", "S1", "S2", "S3", "S3", "N1"]),
                r.choice([1, 1, 2, 3, 7]),
                r.choice([1, 999, 1500, 3000, 7777, 45000, 90001]),
                at - r.choice(line_days),
            )
            for _ in range(r.choice([1, 1, 2, 4]))
        ]
        if s.maybe(0.9):
            lines = list({(line[0], max(1, line[3])): line for line in lines}.values())
        name = s.claim(
            at,
            by,
            *lines,
            provider=r.choice(["d1", "d1", "d2"]),
            payee=r.choice([None, "provider", "member"]),
            event=r.choice([None, None, "", "fall", "fall", "flu"]),
            other_payer_cents=r.choice([None, None, 1, 998, 3000, 46500, 200000]),
        )
        if s.maybe(0.08):
            for line in s.todo[-1]["lines"]:
                line["system"] = "hcpcs"
        if s.maybe(0.05):
            repeated = name
        if repeated is not None and s.maybe(0.1):
            s.file_again(max(at, 2), repeated)
        if s.maybe(0.3):
            s.vote(at + 1, name, yes=s.others(by), code="N1", award=r.choice([None, 0, 1, 1000, 44999]))
    for _ in range(r.choice([0, 2, 5])):
        s.act(
            r.randint(1, end),
            "change_plan",
            by=r.choice(s.names[:3]),
            plan=r.choice(["basic", "plus"]),
            contract_terms=r.choice([1, 1, 3, 12]),
        )
    if s.maybe(0.3):
        s.propose(
            r.randint(1, 60),
            "plan",
            yes=s.names,
            name=r.choice(["basic", "plus"]),
            **s.plan_figures(
                premium_cents=[70000],
                deductible_cents=[0, 500],
                coinsurance_bp=[0, 1000],
                oop_max_cents=[None, 9999],
                waiting_terms=[0, 1],
                codes=[None, ["S1"], ["S3", "N1"]],
            ),
        )
    return s.lines(end + 70)


def premiums(seed):
    """No automatic payment: arrears of one to three premiums, grace, suspension, end of cover, changes, guarantees."""
    s = Story("premiums", seed, members=8)
    r = s.r
    s.genesis["auto_pay"] = False
    s.genesis["plans"] = [
        {"name": "basic", "premium_cents": r.choice([0, 3001, 20000]), "prior_cents": r.choice([10, 9999, 30000])},
        {"name": "plus", "premium_cents": 20007, "waiting_terms": r.choice([0, 1, 2])},
        {"name": "top", "premium_cents": 50000, "waiting_terms": 1},
    ]
    s.genesis["accounts"] = {"claims": 500000, "reserve": r.choice([0, 1, 20000, 900000])}
    s.some_params(
        0.35,
        grace_blocks=[0, 5, 29],
        unpaid_terms=[1, 3],
        credibility_k=[0, 1, 30],
        reserve_bp=[800, 3000],
        expense_bp=[700, 5000],
        guaranteed_max_bp=[0, 2500, 10000],
        audit_random_bp=[300],
        small_claim_cents=[20000],
    )
    s.each_member(plan=["basic", "plus", "top"], contract_terms=[1, 1, 3, 6, 12])
    end = r.choice([130, 250, 400])
    habits = {name: r.choice([0.3, 0.7, 0.9, 1]) for name in s.names}
    for start in range(1, end, 30):
        for name in s.names:
            if s.maybe(habits[name]):
                s.act(start + r.choice([0, 0, 5, 9, 10, 11, 28, 29]), "pay_premium", by=name)
    for _ in range(r.choice([3, 10])):
        s.act(
            r.randint(1, end),
            "change_plan",
            by=r.choice(s.names),
            plan=r.choice(["basic", "plus", "top"]),
            contract_terms=r.choice([1, 1, 3, 6, 12, 2]),
        )
    for _ in range(r.choice([6, 16])):
        at = r.randint(2, end)
        by = r.choice(s.names)
        name = s.claim(
            at, by, (r.choice(["S1", "S2", "S3", "N1"]), 1, r.choice([3000, 40000]), at - r.choice([0, 1, 11, 31]))
        )
        if s.maybe(0.3):
            s.vote(at + 1, name, yes=s.others(by))
    for name in s.names:
        if s.maybe(0.1):
            s.act(r.randint(1, end), "leave", by=name)
        if s.maybe(0.3):
            s.act(r.randint(60, end), "apply", name=name, plan=r.choice(["basic", "plus"]))
            for by in r.sample(s.others(name), 3):
                s.act(end - 60, "vouch", by=by, name=name)
    return s.lines(end + 30)


def insolvency(seed):
    """More is accepted than there is.

    Shortages at one ratio, the reserve's cap, admissions stopped, run-off, the end.
    """
    s = Story("insolvency", seed, members=7)
    r = s.r
    s.genesis["accounts"] = {"claims": r.choice([0, 1, 30000, 400000]), "reserve": r.choice([0, 3, 20000, 150000])}
    s.genesis["plans"][0] |= {
        "premium_cents": r.choice([0, 100, 3001, 20000]),
        **s.plan_figures(copay_cents=[None, 7], coinsurance_bp=[None, 3333]),
    }
    s.some_params(
        0.5,
        run_off_terms=[1, 2],
        filing_terms=[1, 2, 3],
        claim_reserve_bp=[0, 1, 50, 10000],
        stop_bp=[0, 5000, 10000],
        vote_blocks=[20],
        streak_blocks=[2],
        reserve_bp=[800, 3000],
    )
    s.each_member(contract_terms=[1, 3])
    if s.maybe(0.15):
        del s.genesis["rate"]
    begin = r.choice([1, 40, 100])
    for _ in range(r.choice([6, 12, 25])):
        at = begin + r.randint(0, 80)
        by = r.choice(s.names)
        lines = [
            (
                r.choice(["S3", "S3", "S1", "N1"]),
                1,
                r.choice([7, 999, 30000, 333333, 5000001]),
                at - r.choice([0, 0, 3]),
            )
        ]
        name = s.claim(at, by, *lines, payee=r.choice([None, "provider"]))
        if lines[0][0] == "N1":
            s.vote(at + 1, name, yes=s.others(by))
            if s.maybe(0.3):
                s.vote(at + 30, name, no=s.others(by))
    for _ in range(r.choice([0, 1, 3])):
        at = begin + r.randint(0, 90)
        target = r.choice([*s.names, "d1"])
        for by in r.sample(s.others(target), 5):
            s.act(at, "report", by=by, member=target, claim=r.choice(s.claims)["id"] if s.maybe() else None)
        if s.maybe(0.4):
            s.act(
                at + r.choice([1, 10, 15, 16]),
                "finding",
                claim=r.choice(s.claims)["id"],
                outcome=r.choice(["fraud", "clear"]),
            )
    for at in r.sample(range(20, 380), r.choice([0, 1, 4])):
        s.act(at, "quote", by=r.choice(s.names), rate=r.choice([1, 9500001, 12000000, 999999999]))
    s.act(begin + 60, "apply", name="new", plan="basic")
    for by in s.names[:4]:
        s.act(begin + 60 + r.randint(0, 60), "vouch", by=by, name="new")
    return s.lines(r.choice([200, 330, 480]))


def rates(seed):
    """Quotes of several members a block, odd and even counts, at the limit of a move.

    Payouts that wait for a first rate.
    """
    s = Story("rates", seed, members=6)
    r = s.r
    s.some_params(0.5, rate_move_bp=[0, 1, 9999])
    if s.maybe():
        del s.genesis["rate"]
    now = r.choice([1, 9, 11, 9999999])
    for at in r.sample(range(1, 60), 14):
        for by in r.sample(s.names, r.choice([1, 2, 3, 4])):
            s.act(
                at,
                "quote",
                by=by,
                rate=r.choice([0, now, now, max(1, now * 9 // 10), now * 11 // 10, now * 11 // 10 + 1, now * 3]),
            )
        now = max(1, now * r.choice([9, 10, 11]) // 10)
    s.genesis["accounts"]["claims"] = r.choice([5000000, 10**10])
    for _ in range(8):
        at = r.randint(1, 60)
        s.claim(
            at,
            r.choice(s.names),
            (r.choice(["S1", "S2", "S3"]), 1, r.choice([1, 777, 30000, 21000000, 21000001, 10**9]), at),
            payee=r.choice([None, "provider"]),
        )
    return s.lines(75)
