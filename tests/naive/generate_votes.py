"""Themes of votes: courts of many cases, renewals, promotion and demotion, lapses, delegates."""

from .generate_story import PROVIDERS, Story

ALL = 60


def court(seed):
    """Many cases, members with habits, refilings, appeals, ballots at every block where a rule changes."""
    s = Story("court", seed, members=10, lines_max=700)
    r = s.r
    s.names = s.names[: r.choice([4, 6, 8, 10])]
    s.genesis["members"] = s.genesis["members"][: len(s.names)]
    s.genesis["plans"][0] |= s.plan_figures(deductible_cents=[0, 999], copay_cents=[0, 1500], coinsurance_bp=[0, 3333])
    s.each_member(
        household=[None] * 6 + ["h1"],
        terms_ago=[0, 0, 12, 130],
        record=[None, None, [13, 20], [19, 20], [20, 20], [33, 40]],
    )
    s.some_params(
        0.35,
        small_claim_cents=[10000, 60000],
        lapse_pay_cents=[100, 50000],
        quorum_min=[1, 3],
        quorum_div=[2],
        min_voters=[2, 7],
        appeal_panel=[3],
        panel_size=[2],
        bar_floor_bp=[4950],
        evidence_versions=[2],
        deny_sample_min=[4],
        streak_blocks=[1, 10],
        vote_blocks=[20, 45],
        freeze_blocks=[0, 60],
        panel_block=[5],
    )
    turnout = r.choice([0.25, 0.5, 0.9, 0.98])
    habits = {name: r.choice([0.0, 0.1, 0.5, 0.9, 1.0]) for name in s.names}
    end = r.choice([100, 160, 300])
    codes = r.choice([["N1"], ["N1", "N2"], ["N1", "N2", "S1"]])
    at = 1
    while at < end:
        by = r.choice(s.names)
        lines = [
            (code, r.choice([1, 2, 3]), r.choice([100, 9999, 45000, 120000]), at - r.choice([0, 1, 9]))
            for code in r.sample(codes, r.randint(1, len(codes)))
        ]
        name = s.claim(at, by, *lines)
        hear(s, at, name, {line[0] for line in lines}, turnout, habits)
        if s.maybe(0.35):
            again = at + r.choice([ALL, ALL + 1, ALL + 30])
            second = s.file_again(again, name)
            hear(s, again, second, {line[0] for line in lines}, r.choice([0.0, 0.3, turnout]), habits)
        at += r.randint(1, r.choice([11, 20]))
    sprinkle_delegates(s, end, r.choice([0, 3, 12]))
    return s.lines(end + 80)


def hear(s, at, claim_id, codes, turnout, habits):
    """Ballots, changes, evidence, a withdrawal or an appeal on one claim."""
    r = s.r
    by = next(claim["by"] for claim in s.claims if claim["id"] == claim_id)
    voters = [name for name in s.names if s.maybe(turnout if s.maybe(0.8) else 0.2)]
    for code in sorted(codes):
        if code.startswith("S") and s.maybe(0.9):
            continue
        for name in voters:
            when = at + r.choice([1, 1, 2, 14, 15, 44, 45, 46, 59, ALL, ALL + 1])
            choice = "deny" if s.maybe(habits[name]) else r.choice(["accept"] * 9 + ["abstain"])
            award = r.choice([0, 50, 9999, 45001]) if s.maybe(0.1) else None
            s.act(
                when,
                "ballot",
                by=name,
                claim=claim_id,
                code=code,
                choice=choice,
                opened=s.maybe(0.8),
                award_cents=award,
            )
            if s.maybe(0.1):
                s.act(
                    when + r.choice([0, 1, 20]),
                    "ballot",
                    by=name,
                    claim=claim_id,
                    code=code,
                    choice=r.choice(["accept", "deny"]),
                )
    if s.maybe(0.12):
        s.act(at + r.choice([3, 45, 46]), "evidence", by=by, claim=claim_id)
    if s.maybe(0.04):
        s.act(at + r.randint(0, 61), "withdraw", by=by, claim=claim_id)
    if s.maybe(0.35):
        appeal(s, at + r.choice([ALL + 1, ALL + 5, ALL + 10, ALL + 11]), claim_id, min(codes))


def appeal(s, at, claim_id, code):
    by = next(claim["by"] for claim in s.claims if claim["id"] == claim_id)
    s.act(at, "appeal", by=by, claim=claim_id, code=code, ground=s.r.choice(["rule", "evidence"]))
    mind = s.r.choice([0.1, 0.6])
    for name in s.names:
        choice = "deny" if s.maybe(mind) else s.r.choice(["accept", "accept", "abstain"])
        s.act(
            at + s.r.choice([1, 7, 15, 16]),
            "ballot",
            by=name,
            claim=claim_id,
            code=code,
            choice=choice,
            opened=s.maybe(),
        )


def sprinkle_delegates(s, end, count):
    r = s.r
    for _ in range(count):
        s.act(
            r.randint(1, end),
            "delegate",
            by=r.choice(s.names),
            to=r.choice(s.names[:4]),
            topic=r.choice(["*", "N1", None]),
        )
        if s.maybe(0.3):
            s.act(r.randint(1, end), "undelegate", by=r.choice(s.names), topic=r.choice(["*", "N1", None]))
        if s.maybe(0.4):
            s.act(
                r.randint(1, end),
                "auto_accept",
                by=r.choice(s.names),
                id=r.choice(["r1", "r2"]),
                off=r.choice([None, None, True]),
                codes=r.choice([None, ["N1"]]),
                ceiling_cents=r.choice([None, 45000]),
                providers=r.choice([None, ["d1"]]),
            )


def renewal(seed):
    """Members who deny (nearly) everything over a year and more: warned, refused, cleared, ended."""
    s = Story("renewal", seed, members=9)
    r = s.r
    s.params(renewal_min=r.choice([3, 6, 12, 20]), renewal_terms=r.choice([1, 3, 6]))
    s.some_params(0.3, warning_pct=[50, 95], renewal_pct=[60, 100], deny_sample_min=[4])
    s.each_member(contract_terms=[1, 3, 6, 12, 12], record=[None, None, None, [18, 20], [20, 20]])
    deniers = s.names[: r.randint(1, 3)]
    kindness = {name: r.choice([0, 0, 0.04, 0.08, 0.15]) for name in deniers}
    at = r.choice([150, 220])
    turn = r.choice([900, 350, 361, 375, 410])  # from here on the deniers accept
    end = r.choice([400, 430, 510, 570])
    while at < end:
        by = r.choice(s.others(*deniers))
        name = s.claim(at, by, ("N1", 1, r.choice([3000, 60000]), at))
        for voter in s.others(by):
            kind = voter not in deniers or at >= turn or s.maybe(kindness[voter])
            s.act(
                at + r.choice([1, 2]), "ballot", by=voter, claim=name, choice="accept" if kind else "deny", opened=True
            )
        at += r.randint(5, 16)
    for name in deniers:
        if s.maybe(0.2):
            s.act(r.randint(300, 520), "change_plan", by=name, plan="basic", contract_terms=r.choice([1, 3]))
        if s.maybe(0.1):
            s.act(r.randint(300, 520), "leave", by=name)
    return s.lines(end + r.choice([0, 30]))


def promotion(seed):
    """About twenty decided cases of a code around every boundary of a promotion, and demotions after it."""
    s = Story("promotion", seed, members=10)
    r = s.r
    if s.maybe(0.7):
        s.params(
            promote_cases=r.choice([4, 8, 12]),
            promote_claimants=r.choice([1, 3, 4]),
            promote_providers=r.choice([1, 2]),
            promote_terms=r.choice([1, 3, 6]),
        )
    s.some_params(0.3, promote_pct=[50, 74], streak_blocks=[5])
    needed = s.genesis["params"].get("promote_cases", 20)
    count = needed + r.choice([-1, 0, 0, 1, 3])
    share = r.choice([75, 76, 80, 100])
    claimants = s.names[: r.choice([4, 5, 6])]
    providers = PROVIDERS[: r.choice([2, 3, 3])]
    first = r.choice([20, 60, 120])
    for index in range(count):
        at = first + index * (290 - first) // count + r.randint(0, 3)
        by = r.choice(claimants) if index >= len(claimants) else claimants[index]
        paid = index * 100 < share * count
        name = s.claim(
            at,
            by,
            ("N1", r.choice([1, 1, 2, 5]), r.choice([4000, 10001, 90000]), at),
            provider=providers[index % len(providers)],
        )
        voters = s.shuffled(s.others(by))
        s.vote(
            at + 1,
            name,
            yes=voters if paid else voters[:2],
            no=() if paid else voters[2:],
            award=r.choice([None, None, 3333]),
        )
        if not paid and s.maybe(0.4):
            appeal(s, at + ALL + 2, name, "N1")
        if s.maybe(0.05):
            s.act(at + 70, "finding", claim=name, outcome="fraud")
    for at in r.sample([280, 330, 365, 390, 420, 500], r.choice([0, 1, 2])):
        s.propose(
            at,
            r.choice(["demote", "demote", "list"]),
            yes=s.names[: r.choice([1, 4, 8])],
            no=s.names[8 : r.choice([8, 9])],
            code="N1",
        )
    for index in range(r.choice([0, 6, 14])):
        at = r.randint(361, 520)
        by = r.choice(s.names)
        name = s.claim(
            at,
            by,
            ("N1", r.choice([1, 3]), r.choice([4000, 60000]), at - r.choice([0, 0, 5, 30])),
            provider=r.choice(providers),
        )
        s.vote(at + 1, name, yes=s.others(by))
    return s.lines(r.choice([390, 430, 540]))


def lapses(seed):
    """Cases that lapse: small claims, second filings with 0, 2 or 3 ballots, withdrawals, supersedes, new evidence."""
    s = Story("lapses", seed, members=8)
    r = s.r
    s.genesis["all_events"] = s.maybe()
    s.some_params(
        0.5,
        small_claim_cents=[9999, 10000],
        lapse_pay_cents=[100, 10000],
        vote_blocks=[18, 30],
        streak_blocks=[3],
        min_voters=[2, 8],
        evidence_until=[0, 20],
        evidence_versions=[1, 2],
        panel_size=[1, 3],
        panel_block=[10],
    )
    length = s.genesis["params"].get("vote_blocks", ALL)
    for start in range(1, 200, r.choice([9, 17])):
        by = r.choice(s.names)
        charge = r.choice([1, 9999, 10000, 10001, 70000])
        day = start - r.choice([0, 0, 3])
        lines = (
            [("N1", 1, charge, day)] + [("N2", 2, 5000, day)] * s.maybe(0.3) + [("N1", 1, 800, day - 1)] * s.maybe(0.2)
        )
        name = s.claim(start, by, *lines, other_payer_cents=r.choice([None, None, 1, 9999]))
        voters = s.shuffled(s.others(by))
        s.vote(
            start + r.choice([1, length]),
            name,
            code="N1",
            yes=voters[: r.choice([0, 1, 2, 3])],
            no=voters[3 : r.choice([3, 4, 5])],
        )
        second = start + length + r.choice([-1, 0, 1, 4])
        again = s.file_again(second, name, supersedes=r.choice([None, None, None, name]))
        s.vote(
            second + r.choice([1, length - 1]),
            again,
            code="N1",
            yes=voters[: r.choice([0, 1, 2, 3])],
            no=voters[3 : r.choice([3, 4, 5])],
            opened=s.maybe(),
            award=r.choice([None, 50]),
        )
        if s.maybe(0.3):
            s.act(second + r.choice([1, 5]), r.choice(["withdraw", "evidence"]), by=by, claim=again)
        if s.maybe(0.5):
            s.file_again(second + length + r.choice([0, 1, 2]), again)
    if s.genesis["all_events"] and s.maybe(0.3):
        return s.lines(600)  # after a year without duties credit comes back
    return s.lines(r.choice([240, 330]))


def delegates(seed):
    """Delegates by topic, their limits, revocations while a vote is open, auto-accept by delegates."""
    s = Story("delegates", seed, members=12)
    r = s.r
    s.some_params(
        0.5,
        delegators_min=[0, 1, 5],
        delegators_bp=[0, 2500, 3400],
        quorum_min=[1, 3],
        streak_blocks=[2, 5],
        vote_blocks=[20],
    )
    s.each_member(household=[None] * 5 + ["h1"], record=[None, None, [13, 20]])
    for _ in range(r.choice([10, 25, 40])):
        at = r.randint(1, 150)
        s.act(
            at,
            "delegate",
            by=r.choice(s.names),
            to=r.choice(s.names[:3] if s.maybe(0.8) else s.names),
            topic=r.choice(["*", "N1", "N2", None]),
        )
        if s.maybe(0.4):
            s.act(r.randint(at, 170), "undelegate", by=r.choice(s.names), topic=r.choice(["*", "N1", "N2", None]))
    sprinkle_delegates(s, 100, 6)
    for at in range(3, 130, r.choice([5, 11])):
        by = r.choice(s.names)
        name = s.claim(
            at,
            by,
            *[(code, 1, r.choice([9000, 45000, 45001]), at) for code in r.sample(["N1", "N2"], r.choice([1, 1, 2]))],
        )
        chosen = [voter for voter in s.names[:3] if s.maybe(0.8)] + r.sample(s.names[3:], r.choice([0, 0, 2]))
        for voter in chosen:
            s.act(
                at + r.choice([1, 2, 9]),
                "ballot",
                by=voter,
                claim=name,
                code=r.choice(["N1", "N1", "N2"]),
                choice=r.choice(["accept", "accept", "deny", "abstain"]),
                opened=True,
                award_cents=r.choice([None, None, 4000]),
            )
    for name in s.names[:3]:
        if s.maybe(0.3):
            s.act(r.randint(20, 60), "leave", by=name)
    return s.lines(220)
