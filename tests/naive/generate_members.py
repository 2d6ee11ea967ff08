"""Themes of members: admission and return, phases, reports and findings, crowds with many cover-provider pairs."""

from .generate_story import PROVIDERS, Story


def admission(seed):
    """Applications with vouchers and objections on the last possible day, growth limits, leaving and coming back."""
    s = Story("admission", seed, members=9)
    r = s.r
    s.some_params(
        0.35, vouchers=[0, 1, 4], objections=[1, 2], growth_div=[1, 3, 9], voting_after_terms=[0, 1], stop_bp=[9000]
    )
    s.genesis["accounts"]["reserve"] = r.choice([0, 900000, 900000, 900000])
    s.genesis["plans"].append({"name": "plus", "premium_cents": 20001, "waiting_terms": r.choice([0, 1])})
    s.each_member(terms_ago=[0, 0, 3], household=[None, None, None, "h1"])
    applicants = [f"a{i}" for i in range(r.choice([3, 8]))]
    for name in applicants:
        at = r.choice([1, 29, 30, 31, 60, 61, r.randint(1, 150)])
        s.act(
            at,
            "apply",
            name=name,
            plan=r.choice(["basic", "plus"]),
            contract_terms=r.choice([None, 1, 3]),
            household=r.choice([None, "h1", "h9"]),
        )
        for by in r.sample(s.names, r.choice([2, 3, 4])):
            s.act(at + r.choice([0, 0, 1, 29, 30, 60]), "vouch", by=by, name=name)
        for by in r.sample(s.names, r.choice([0, 0, 1, 3])):
            s.act(at + r.choice([1, 29, 30, 31]), "object", by=by, name=name, reason=r.choice([None, "known"]))
    for name in r.sample(s.names, r.choice([0, 2, 4])):
        left = r.randint(1, 120)
        s.act(left, "leave", by=name)
        back = left + r.choice([40, 60, 90, 130, 160])
        s.act(back, "apply", name=name, plan="basic")
        for by in r.sample(s.names, 4):
            s.act(back + r.choice([0, 29]), "vouch", by=by, name=name)
    everyone = s.names + applicants
    for _ in range(r.choice([4, 12])):
        at = r.randint(40, 330)
        by = r.choice(everyone)
        name = s.claim(at, by, (r.choice(["S1", "N1", "N1"]), 1, 20000, at - r.choice([0, 0, 31])))
        s.vote(at + 1, name, yes=[voter for voter in everyone if voter != by and s.maybe(0.8)])
    for name in applicants:
        s.act(
            r.choice([210, 211, 240, 241, 270, 271]),
            r.choice(["vouch", "vouch", "object"]),
            by=name,
            name=f"a{r.randrange(8)}",
        )
        s.act(r.randint(100, 300), r.choice(["pay_premium", "leave"]), by=name)
    return s.lines(r.choice([250, 360]))


def phases(seed):
    """From recruiting to the pilot to live.

    Held contracts, the pilot's limit, the gate that is shut, applications in every phase.
    """
    s = Story("phases", seed, members=6)
    r = s.r
    s.genesis["phase"] = r.choice(["recruit", "recruit", "pilot", "live"])
    s.genesis["accounts"] = {"claims": r.choice([0, 60000, 119999, 120000, 5000000]), "reserve": r.choice([0, 900000])}
    s.genesis["plans"][0] |= s.plan_figures(waiting_terms=[0, 1], claim_ceiling_cents=[None, 40000])
    s.some_params(0.4, pilot_claim_cents=[0, 9000, 30000], sponsor_min=[1, 2], turnout_div=[1, 2])
    s.each_member(contract_terms=[1, 3, 12])
    at = r.choice([1, 3, 20])
    for to in r.choice(
        [["pilot", "live"], ["live"], ["pilot", "recruit", "live"], ["pilot", "pilot"], ["live", "pilot"]]
    ):
        yes = s.names[: r.choice([3, 4, 5, 6])]
        s.propose(
            at,
            "phase",
            to=to,
            yes=yes,
            no=[name for name in s.names if name not in yes and s.maybe()],
            cast_at=at + r.choice([1, 30, 31]),
        )
        at += r.choice([30, 61, 95])
    for _ in range(r.choice([6, 14])):
        day = r.randint(1, 220)
        by = r.choice(s.names)
        name = s.claim(
            day + r.choice([0, 0, 5]),
            by,
            *[(code, 1, r.choice([8000, 9001, 50000]), day) for code in r.sample(["S1", "S3", "N1"], r.choice([1, 2]))],
            event=r.choice([None, "flu"]),
        )
        s.vote(day + 6, name, yes=s.others(by), code="N1")
    for index in range(r.choice([1, 3])):
        begin = r.randint(1, 100)
        s.act(begin, "apply", name=f"a{index}", plan="basic", contract_terms=r.choice([1, 3]))
        for by in r.sample(s.names, 3):
            s.act(begin + r.randint(0, 30), "vouch", by=by, name=f"a{index}")
        s.act(begin + r.randint(60, 120), "leave", by=f"a{index}")
    s.act(r.randint(1, 60), "leave", by=s.names[0])
    s.act(r.randint(1, 60), "change_plan", by=s.names[1], plan="basic", contract_terms=3)
    return s.lines(r.choice([150, 260]))


def fraud(seed):
    """Reports up to the hold, holds side by side, findings before and after payment, expulsions, lost votes."""
    s = Story("fraud", seed, members=9)
    r = s.r
    s.genesis["all_events"] = s.maybe()
    s.params(audit_random_bp=r.choice([300, 3000, 10000]), audit_claims=r.choice([2, 4]))
    s.some_params(
        0.5, audit_reports=[1, 2, 4], hold_blocks=[1, 5, 40], vote_blocks=[20], streak_blocks=[3], proposal_blocks=[10]
    )
    s.genesis["auto_pay"] = s.maybe(0.7)
    for start in range(1, 120, r.choice([4, 9])):
        by = r.choice(s.names)
        code = r.choice(["S1", "S3", "N1"])
        name = s.claim(start, by, (code, 1, r.choice([5000, 30000]), start), payee=r.choice([None, "provider"]))
        if code == "N1":
            s.vote(start + 1, name, yes=s.others(by)[:6], no=s.others(by)[6:])
    for _ in range(r.choice([2, 5])):
        at = r.randint(2, 130)
        claim = r.choice(s.claims)
        target = claim["by"] if s.maybe(0.7) else r.choice([claim["provider"], "nobody"])
        for by in r.sample(s.names, r.choice([3, 5, 6])):
            s.act(at + r.choice([0, 0, 1]), "report", by=by, member=target, claim=claim["id"] if s.maybe(0.8) else None)
        if s.maybe(0.6):
            s.act(
                at + r.choice([1, 2, 14, 15, 20]),
                "finding",
                claim=claim["id"],
                outcome=r.choice(["fraud", "fraud", "clear"]),
                by=r.choice([None, s.names[0]]),
                attested_by=r.sample(s.names, r.choice([3, 6, 9])) if s.maybe(0.4) else None,
            )
            cast_at = at + r.choice([3, 21, 30])
            for by in s.names:
                s.act(
                    cast_at,
                    "cast",
                    by=by,
                    proposal=f"expel/{claim['id']}",
                    choice=r.choice(["yes", "yes", "no", "abstain"]),
                )
        for by in r.sample(s.names, 3):
            s.act(at + 25, "report", by=by, member=target)
    for _ in range(3):
        s.act(r.randint(1, 200), "pay_premium", by=r.choice(s.names))
    return s.shown("claim", [claim["id"] for claim in s.claims[:12]], s.lines(r.choice([160, 240, 530])))


def crowd(seed):
    """More than a hundred cover-provider pairs, so that the busiest are suspicious.

    Delegates with their share of many voters.
    """
    s = Story("crowd", seed, members=0)
    r = s.r
    s.names = [f"m{i:03}" for i in range(r.choice([36, 45]))]
    s.params(audit_random_bp=r.choice([300, 900]), audit_claims=r.choice([4, 50]), audit_pair_bp=r.choice([9000, 9900]))
    s.genesis["members"] = [{"name": name, "plan": "basic"} for name in s.names]
    pairs = [(name, provider) for name in s.names for provider in PROVIDERS][: r.choice([99, 100, 101, 108])]
    for index, (by, provider) in enumerate(pairs):
        s.claim(1 + index // 8, by, ("S2", 1, 9000 + index, 1), provider=provider)
    for index in range(60):
        at = r.choice([15, 20, 31, 60, 360, 366]) + r.randint(0, 5)
        by, provider = r.choice(pairs[:6]) if s.maybe(0.8) else r.choice(pairs)
        s.claim(at, by, ("S3", 1, 100 + index, at), provider=provider)
    for _ in range(20):
        s.act(r.randint(1, 60), "delegate", by=r.choice(s.names), to=r.choice(s.names[:4]), topic=r.choice(["*", "N1"]))
    for index in range(3):
        at = r.randint(5, 60)
        name = s.claim(at, r.choice(s.names), ("N1", 1, 9000 + index, at))
        s.vote(at + r.randint(1, 9), name, yes=r.sample(s.names, r.choice([3, 8])), no=r.sample(s.names, 2))
    return s.lines(r.choice([70, 110, 372]) if s.maybe(0.3) else 70)
