"""Themes of proposals: every kind, at the edge of sponsors, turnout and majority; and parameters at odd values."""

from .generate_story import Story

SMALL = {
    "vote_blocks": [1, 12, 20],
    "streak_blocks": [1, 3],
    "freeze_blocks": [0, 5, 240],
    "evidence_until": [0, 5, 240],
    "evidence_versions": [1, 20],
    "panel_block": [1, 5, 240],
    "panel_size": [1, 1000000],
    "min_voters": [1, 6, 1000000],
    "quorum_min": [1, 4, 1000000],
    "quorum_max": [1, 2],
    "quorum_div": [1, 3, 1000000],
    "small_claim_cents": [0, 20000],
    "lapse_pay_cents": [0, 1],
    "delegators_min": [0, 1],
    "delegators_bp": [0, 10000],
    "deny_sample_min": [1, 7],
    "seniority_step_bp": [0, 5000],
    "seniority_max_bp": [0, 5000],
    "bar_floor_bp": [1, 5000, 9500, 10000],
    "renewal_pct": [0, 30, 100],
    "warning_pct": [0, 30, 100],
    "renewal_terms": [1, 2],
    "renewal_min": [1, 2],
    "promote_pct": [0, 99, 100],
    "promote_cases": [1, 2],
    "promote_claimants": [1],
    "promote_providers": [1],
    "promote_terms": [1],
    "proposal_blocks": [1, 29, 31, 59],
    "sponsor_min": [1, 9],
    "sponsor_div": [1, 3],
    "turnout_max": [1, 2],
    "turnout_div": [1, 2],
    "grace_blocks": [0, 29],
    "unpaid_terms": [1],
    "voting_after_terms": [0, 1],
    "vouchers": [0, 1],
    "objections": [1],
    "growth_div": [1, 1000000],
    "audit_random_bp": [0, 10000],
    "audit_pair_bp": [0, 10000],
    "audit_claims": [1],
    "audit_reports": [1],
    "hold_blocks": [1, 360],
    "audit_panel": [1],
    "appeal_blocks": [1, 120],
    "appeal_within": [1, 120],
    "appeal_panel": [1, 5, 1000],
    "reserve_bp": [800, 3000],
    "expense_bp": [0, 5000],
    "credibility_k": [0, 1000000000],
    "claim_reserve_bp": [0, 10000],
    "stop_bp": [0, 10000],
    "run_off_terms": [1, 1000],
    "rate_move_bp": [0, 9999],
    "guaranteed_max_bp": [0, 10000],
    "pilot_claim_cents": [0, 9999],
    "filing_terms": [1, 120],
    "waiting_terms": [0, 3],
}


def any_content(s):
    """What a proposal may say, sensible or not."""
    r = s.r
    odd = r.choice(sorted(SMALL))
    return r.choice(
        [
            ("demote", {"code": r.choice(["S1", "S2", "S3", "N1"]), "system": r.choice([None, "hcpcs"])}),
            ("param", {"name": odd, "value": r.choice(SMALL[odd])}),
            (
                "param",
                {"name": r.choice(["vote_blocks", "nothing", "reserve_bp"]), "value": r.choice([0, 45, 799, 3000])},
            ),
            (
                "list",
                {
                    "code": r.choice(["S1", "N1", "N2"]),
                    "standard": r.choice([None, True, False]),
                    "allowed_cents": r.choice([None, 0, 5000]),
                    "frequency": r.choice([None, 0, 2]),
                },
            ),
            (
                "plan",
                {
                    "name": r.choice(["basic", "lux"]),
                    "premium_cents": r.choice([None, 70000]),
                    "deductible_cents": r.choice([None, 500]),
                    "coinsurance_bp": r.choice([None, 1000, 10000]),
                    "waiting_terms": r.choice([None, 1]),
                    "oop_max_cents": r.choice([None, 9999]),
                    "year_ceiling_cents": r.choice([None, 30000]),
                    "codes": r.choice([None, ["S1"]]),
                    "prior_cents": r.choice([None, 1]),
                },
            ),
            ("phase", {"to": r.choice(["recruit", "pilot", "live"])}),
            ("expel", {"member": r.choice([*s.names, "nobody"])}),
        ]
    )


def proposals(seed):
    """Proposals of every kind with just enough, or one too few, of everything."""
    s = Story("proposals", seed, members=9)
    r = s.r
    s.genesis["phase"] = r.choice(["live", "live", "pilot", "recruit"])
    s.some_params(
        0.4,
        sponsor_min=[1, 2, 9],
        sponsor_div=[1, 3],
        turnout_div=[1, 2],
        turnout_max=[3],
        proposal_blocks=[1, 15, 29, 60],
        audit_random_bp=[300],
    )
    s.each_member(terms_ago=[0, 0, 2])
    needed = max(s.genesis["params"].get("sponsor_min", 5), -(-9 // s.genesis["params"].get("sponsor_div", 100)))
    length = s.genesis["params"].get("proposal_blocks", 30)
    for _ in range(r.choice([4, 8, 12])):
        at = r.choice([1, 29, 30, 31, 59, 60, r.randint(1, 150)])
        what, fields = any_content(s)
        order = s.shuffled(s.names)
        yes, no, abstain = r.choice(
            [
                (2, 1, 0),
                (1, 1, 1),
                (4, 2, 0),
                (5, 3, 0),
                (9, 0, 0),
                (6, 3, 0),
                (1, 0, 0),
                (1, 0, 8),
                (0, 0, 2),
                (5, 4, 0),
            ]
        )
        sponsors = order[: max(1, min(9, needed + r.choice([-1, 0, 0, 1])))]
        name = s.propose(
            at,
            what,
            sponsors,
            yes=order[:yes],
            no=order[yes : yes + no],
            abstain=order[yes + no : yes + no + abstain],
            cast_at=at + r.choice([0, 1, 1, length, length, length + 1]),
            **fields,
        )
        if s.maybe(0.3):
            s.act(at + r.choice([1, 5, 30]), "sponsor", by=r.choice(s.names), proposal=name)
            s.act(
                at + r.choice([2, length]),
                "cast",
                by=r.choice(s.names),
                proposal=name,
                choice=r.choice(["yes", "no", "abstain"]),
            )
    live_as_usual(s, 200, r.choice([5, 12]))
    for name in s.names:
        if s.maybe(0.08):
            s.act(r.randint(1, 100), "leave", by=name)
    return finish(s, r.choice([150, 220]))


def live_as_usual(s, end, count):
    """Claims of every code, votes on them, some quotes."""
    r = s.r
    for _ in range(count):
        at = r.randint(1, end)
        by = r.choice(s.names)
        lines = [
            (code, r.choice([1, 2]), r.choice([900, 20000, 60000]), at - r.choice([0, 0, 2]))
            for code in r.sample(["S1", "S2", "S3", "N1", "N2"], r.choice([1, 2]))
        ]
        name = s.claim(at, by, *lines, payee=r.choice([None, "provider"]))
        for code in [line[0] for line in lines]:
            voters = s.shuffled(s.others(by))
            s.vote(
                at + r.choice([1, 2, 10]),
                name,
                code=code,
                yes=voters[: r.choice([2, 5, 8])],
                no=voters[6 : r.choice([6, 8])],
                award=r.choice([None, None, 700]),
            )
        if s.maybe(0.3):
            again = s.file_again(at + r.choice([2, 13, 21, 61]), name)
            s.vote(at + 62, again, code=lines[0][0], yes=s.others(by)[:4], no=s.others(by)[6:])
        if s.maybe(0.2):
            s.act(at + r.choice([2, 13, 21, 61]), "appeal", by=by, claim=name, code=lines[0][0], ground="evidence")
            for voter in s.others(by):
                s.act(
                    at + r.choice([14, 22, 62]),
                    "ballot",
                    by=voter,
                    claim=name,
                    code=lines[0][0],
                    choice=r.choice(["accept", "deny"]),
                )


def odd_params(seed):
    """Everything a little, under parameters at the ends of their ranges."""
    s = Story("odd_params", seed, members=8)
    r = s.r
    s.genesis["auto_pay"] = s.maybe(0.7)
    chance = r.choice([0.1, 0.3, 0.7])
    for name, values in SMALL.items():
        if s.maybe(chance):
            s.genesis["params"][name] = r.choice(values)
    s.each_member(
        terms_ago=[0, 13, 130],
        record=[None, [13, 20], [20, 20], [1, 1]],
        household=[None, None, None, "h1"],
        contract_terms=[1, 3],
    )
    live_as_usual(s, 150, r.choice([10, 25]))
    for _ in range(r.choice([0, 3])):
        what, fields = any_content(s)
        s.propose(r.randint(1, 100), what, yes=s.names[:6], no=s.names[6:], **fields)
    for _ in range(10):
        at = r.randint(1, 150)
        s.act(at, "pay_premium", by=r.choice(s.names))
        s.act(at, "delegate", by=r.choice(s.names), to=r.choice(s.names))
        s.act(at, "auto_accept", by=r.choice(s.names), id="r")
        s.act(at, "report", by=r.choice(s.names), member=r.choice([*s.names, "d1"]))
        s.act(at, "quote", by=r.choice(s.names), rate=r.choice([1, 9000000, 99999999]))
    s.act(5, "apply", name="new", plan="basic")
    for by in s.names[:4]:
        s.act(r.randint(5, 60), r.choice(["vouch", "vouch", "vouch", "object"]), by=by, name="new")
    return finish(s, r.choice([130, 220, 400]))


def finish(s, end):
    """The scenario's lines, with everything that can be shown, and some things that cannot."""
    lines = s.lines(end)
    for what, names in (
        ("params", [None]),
        ("code", ["S1", "N1", "X9"]),
        ("plan", ["basic", "lux", "none"]),
        ("claim", ["c000", "c001", "c999"]),
        ("member", ["new", "nobody"]),
    ):
        for name in names:
            lines.append({"at": end, "do": "show", "what": what} | ({} if name is None else {"name": name}))
    return lines
