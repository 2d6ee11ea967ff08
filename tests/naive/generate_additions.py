"""Themes of what the project added to the scenario page.

Deposits and attesters, lists of parties and versions, keys, questions before a service.
"""

from .generate_story import Story
from .generate_votes import appeal


def joining(seed):
    """Deposits that go back in every way, attesters who sign or do not, applications that run out of time."""
    s = Story("joining", seed, members=7)
    r = s.r
    s.genesis |= {
        "all_events": True,
        "auto_pay": s.maybe(),
        "attesters": ["reg", "clerk", "notary"][: r.choice([0, 1, 2, 3])],
        "signers": ["s1", "s2", "s3"][: r.choice([0, 1, 3])],
    }
    s.genesis["signers_needed"] = len(s.genesis["signers"]) // 2 + 1
    s.genesis["accounts"] = {"claims": r.choice([0, 30000, 5000000]), "reserve": r.choice([0, 1000, 900000])}
    s.some_params(
        0.4,
        enrolment_attesters=[1, 2, 3],
        application_terms=[1, 2],
        vouchers=[0, 1, 4],
        objections=[1],
        growth_div=[1, 9],
        voting_after_terms=[0],
        unpaid_terms=[1],
        run_off_terms=[1],
        filing_terms=[1],
        stop_bp=[0],
        reserve_bp=[800, 3000],
    )
    names = [f"a{i}" for i in range(r.choice([3, 6]))]
    for name in names * r.choice([1, 2]):
        at = r.choice([1, 3, 29, 30, 31, 60, r.randint(1, 200)])
        signed = r.choice(
            [
                None,
                None,
                ["reg", "clerk", "s1", "s2"],
                ["reg", "s1"],
                ["s1", "s2"],
                ["notary", "clerk", "s1", "s3"],
                ["x"],
            ]
        )
        s.act(
            at,
            "apply",
            name=name,
            plan="basic",
            person=r.choice([f"person {name}"] * 6 + ["person a0", None]),
            attested_by=signed,
            deposit_cents=r.choice([None, 16200, 18000, 19999, 20000, 20000, 70000]),
            contract_terms=r.choice([None, 1, 3]),
        )
        for by in r.sample(s.names, r.choice([1, 3, 4])):
            s.act(at + r.choice([0, 1, 40]), "vouch", by=by, name=name)
        for by in r.sample(s.names, r.choice([0, 0, 0, 3])):
            s.act(at + r.choice([0, 5, 30]), "object", by=by, name=name)
        if s.maybe(0.25):
            s.act(at + r.choice([0, 1, 25, 29, 60]), "withdraw_application", by=r.choice([name, name, "a0"]))
        if s.maybe(0.4):
            s.act(r.randint(60, 240), "leave", by=name)
        for _ in range(r.choice([0, 2, 4])):
            s.act(r.randint(60, 260), "pay_premium", by=name)
        if s.maybe(0.4):
            day = r.randint(61, 200)
            claim = s.claim(day, name, ("S3", 1, r.choice([3000, 20000, 90000]), day))
            if s.maybe(0.5):
                s.act(day + r.choice([1, 2, 20]), "finding", claim=claim, outcome="fraud")
                for by in s.names:
                    s.act(day + 25, "cast", by=by, proposal=f"expel/{claim}", choice="yes")
    for _ in range(r.choice([0, 0, 6])):
        at = r.randint(1, 60)
        s.claim(at, r.choice(s.names), ("S3", 1, r.choice([30000, 900000]), at))
    for by in s.names:
        for start in range(1, 250, 30):
            if s.maybe(0.8):
                s.act(start, "pay_premium", by=by)
    for at in (30, 60, 61, 90, 120, 121):
        if s.maybe(0.5):
            s.act(at, "advance", to=at)
            s.act(at, "show", what="accounts")
    return s.lines(r.choice([200, 280]))


def lists(seed):
    """Attesters, verifiers, providers, signers and protocol versions by vote, and all conditions of going `live`."""
    s = Story("lists", seed, members=7)
    r = s.r
    s.genesis |= {
        "all_events": s.maybe(0.7),
        "phase": r.choice(["live", "pilot", "pilot", "recruit"]),
        "attesters": r.choice([[], ["k1"], ["k1", "k2"]]),
        "verifiers": r.choice([[], ["k1"], ["k1", "k2"]]),
        "signers": r.choice([["k1"], ["k1", "k2"], ["k1", "k2", "k3", "k4"]]),
    }
    s.genesis["signers_needed"] = r.randint(len(s.genesis["signers"]) // 2 + 1, len(s.genesis["signers"]))
    s.some_params(
        0.5, sponsor_min=[1, 2], proposal_blocks=[1, 29, 30, 31], live_members_min=[6, 7, 8], pilot_terms=[1, 2, 4]
    )
    for _ in range(r.choice([8, 14])):
        at = r.choice([1, 1, 3, 3, 29, 30, 31, 60, r.randint(1, 120)])
        key = r.choice(["k1", "k2", "k3", "k9"])
        version = (
            "protocol",
            {"version": r.choice([1, 2, 2, 3]), "height": r.choice([60, 61, 90, 91, 95, 121, 121, 125, 150, 151])},
        )
        signer = ("signer", {"change": r.choice(["add", "remove"]), "key": key})
        what, fields = r.choice(
            [
                version,
                version,
                signer,
                signer,
                ("attester", {"change": r.choice(["add", "remove"]), "key": key, "name": "office"}),
                ("verifier", {"change": r.choice(["add", "remove", "remove"]), "key": key, "name": "board"}),
                ("provider", {"change": r.choice(["add", "remove"]), "key": r.choice(["d1", "d2", "d9"])}),
                ("provider", {"change": "remove", "key": "d2"}),
                ("signer", {"change": "threshold", "threshold": r.choice([0, 1, 2, 3, 4, 5]), "key": "-"}),
                ("phase", {"to": r.choice(["pilot", "live"])}),
                ("param", {"name": "live_members_min", "value": 5}),
                ("param", {"name": "pilot_terms", "value": 0}),
                ("expel", {"member": r.choice(s.names)}),
            ]
        )
        if fields.get("key") == "-":
            del fields["key"]
        s.propose(
            at,
            what,
            yes=s.names[: r.choice([2, 4, 5, 7])],
            no=s.names[5 : r.choice([5, 5, 6])],
            cast_at=at + r.choice([1, 1, 20]),
            **fields,
        )
    for _ in range(12):
        at = r.randint(1, 160)
        s.act(
            at,
            "list_provider",
            by=r.choice(s.names),
            name=r.choice(["d9", "d8", "d1"]),
            attested_by=r.choice([None, ["k1"], ["k9", "k2"]]),
        )
        s.claim(
            at,
            r.choice(s.names),
            (r.choice(["S3", "N1"]), 1, 5000, at - r.choice([0, 3])),
            provider=r.choice(["d1", "d9", "d8"]),
        )
        s.act(at, "report", by=r.choice(s.names), member=r.choice(["d1", "d9", "d8"]))
        if s.maybe(0.3):
            s.act(at, "advance", to=at)
            s.act(at, "show", what="coop")
    return s.lines(r.choice([130, 170]))


def identities(seed):
    """Devices, guardians, moves and objections on their last days; every daily record by several keys."""
    s = Story("identities", seed, members=7)
    r = s.r
    s.some_params(0.4, guardian_blocks=[1, 3, 3, 30], guardian_pause_blocks=[0, 5])
    keys = ["phone", "pad", "zoe", "x1", "x2", "x3", "m00", "m01", "d1"]
    for name in s.names[:3]:
        at = r.randint(1, 6)
        s.act(
            at,
            "guardians",
            by=name,
            threshold=r.choice([1, 1, 2, 2, 0, 4]),
            guardians=r.sample(["m03", "m04", "zoe", name, "phone", "m01"], r.choice([2, 3])),
        )
    for _ in range(r.choice([25, 50])):
        at = r.randint(2, 90)
        by, key = r.choice(s.names[:4]), r.choice(keys)
        signer = r.choice([None, None, by, "phone", "x1", "x2"])
        kind = r.choice(
            ["device", "device", "off", "guardians", "move", "move", "move", "object", "daily", "daily", "daily"]
        )
        if kind == "device":
            s.act(at, "device", by=by, device=key, signed_by=r.choice([None, None, None, signer]))
            if s.maybe(0.5):
                s.act(at + r.choice([1, 5, 20]), "device", by=by, device=key, off=True)
        elif kind == "off":
            s.act(at, "device", by=by, device=key, off=True)
        elif kind == "guardians":
            s.act(
                at,
                "guardians",
                by=by,
                threshold=r.choice([0, 1, 2]),
                guardians=r.sample(keys, r.choice([0, 1, 2])),
                signed_by=signer,
            )
        elif kind == "move":
            whole = r.sample(["m03", "m04", "zoe", "m01", "x1", "x2", "phone"], r.choice([2, 4, 6]))
            moved = r.choice(s.names[:3])
            s.act(
                at,
                "move_identity",
                by=r.choice(s.names),
                member=moved,
                to=r.choice(["x1", "x2", "x3", key]),
                guardians=whole,
                serial=r.choice([None, None, None, 1, 2]),
            )
            if s.maybe(0.4):
                s.act(
                    at + r.choice([1, 1, 3, 7, 8, 30]),
                    "object_move",
                    by=moved,
                    signed_by=r.choice([None, None, None, signer]),
                )
        elif kind == "object":
            s.act(at, "object_move", by=by, signed_by=signer)
        else:
            s.act(
                at,
                r.choice(["delegate", "undelegate", "leave"] if s.maybe(0.3) else ["delegate", "undelegate"]),
                by=by,
                to="m06",
                signed_by=signer,
            )
    for act in s.todo:
        if act["do"] in ("undelegate", "leave"):
            act.pop("to", None)
    name = s.claim(3, "m05", ("N1", 1, 9000, 3))
    for by in s.names[:5]:
        s.act(
            r.randint(4, 60),
            "ballot",
            by=by,
            claim=name,
            choice=r.choice(["accept", "deny"]),
            opened=True,
            signed_by=r.choice([None, None, "phone", "x1"]),
        )
    return s.lines(130)


def questions(seed):
    """Pre-authorisations: answered, voted on, asked again, used up by later claims, void after fraud."""
    s = Story("questions", seed, members=7)
    r = s.r
    s.genesis["plans"][0] |= s.plan_figures(
        deductible_cents=[None, 999],
        copay_cents=[None, 1500],
        coinsurance_bp=[None, 3333],
        waiting_terms=[0, 0, 1],
        claim_ceiling_cents=[None, 30000],
        codes=[None, None, ["N1", "S1"]],
    )
    s.some_params(
        0.4,
        preauth_terms=[1, 2],
        small_claim_cents=[20000],
        vote_blocks=[20],
        streak_blocks=[3],
        lapse_pay_cents=[5000],
        promote_cases=[1],
    )
    s.genesis["codes"][0]["frequency"] = r.choice([1, 2, 6])
    length = s.genesis["params"].get("vote_blocks", 60)
    asked = []
    for _ in range(r.choice([5, 12])):
        at = r.randint(1, 120)
        by, provider = r.choice(s.names[:2]), r.choice(["d1", "d1", "d2"])
        day = at + r.choice([-1, 0, 5, 30, 31, 60, 180, 181])
        lines = [
            (r.choice(["N1", "N1", "N2", "S1", "S2"]), r.choice([1, 2, 4]), r.choice([3000, 20000, 60000]), day + i)
            for i in range(r.choice([1, 1, 2]))
        ]
        name = s.claim(
            at,
            by,
            *lines,
            provider=provider,
            use="preauth",
            other_payer_cents=r.choice([None, None, 3000, 20000]),
            supersedes=r.choice(asked)[0] if asked and s.maybe(0.15) else None,
        )
        asked.append((name, by, provider, at))
        voters = s.shuffled(s.others(by))
        s.vote(
            at + r.choice([1, 2]),
            name,
            code=r.choice(["N1", lines[0][0]]),
            yes=voters[: r.choice([0, 1, 2, 6, 6])],
            no=voters[6 - r.choice([0, 0, 4, 6]) :],
            award=r.choice([None, None, 2500, 9000]),
        )
        if s.maybe(0.3):
            s.act(at + r.choice([1, 3, 61]), r.choice(["withdraw", "evidence"]), by=by, claim=name)
        if s.maybe(0.4):
            appeal(s, at + length + r.choice([1, 2, 10]), name, "N1")
        if s.maybe(0.4):
            again = s.file_again(at + r.choice([5, 21, 61]), name, use="preauth")
            asked.append((again, by, provider, at))
    for _ in range(r.choice([10, 25])):
        at = r.randint(5, 200)
        _, by, provider, _ = r.choice(asked)
        lines = [
            (
                r.choice(["N1", "N1", "N1", "N2", "S1"]),
                r.choice([1, 1, 2]),
                r.choice([900, 5000, 20001]),
                at - r.choice([0, 0, 1, 20]) - i,
            )
            for i in range(r.choice([1, 1, 2, 3]))
        ]
        name = s.claim(at, by, *lines, provider=provider, other_payer_cents=r.choice([None, None, 900, 4000]))
        if s.maybe(0.1):
            s.act(at + r.choice([1, 5]), "finding", claim=name, outcome="fraud")
        if s.maybe(0.3):
            s.vote(at + 1, name, code="N1", yes=s.others(by))
    for at in (40, 90):
        s.propose(at, r.choice(["list", "demote"]), yes=s.names, code=r.choice(["N1", "S1"]))
    s.act(r.randint(60, 120), "leave", by=s.names[0])
    return s.lines(r.choice([220, 300]))


def families(seed):
    """Dependants: added and ended, suspended and rolled over with the contract, with figures and years of their own.

    Votes on their cases.
    """
    s = Story("families", seed, members=7)
    r = s.r
    s.genesis |= {
        "auto_pay": s.maybe(0.6),
        "all_events": s.maybe(),
        "phase": r.choice(["live"] * 6 + ["recruit", "pilot"]),
    }
    s.genesis["plans"][0] |= s.plan_figures(
        deductible_cents=[None, 999],
        copay_cents=[None, 1500],
        oop_max_cents=[None, 2500],
        waiting_terms=[0, 0, 1],
        claim_ceiling_cents=[None, 30000],
        year_ceiling_cents=[None, 40000],
    )
    s.genesis["plans"].append(
        {"name": "plus", "premium_cents": r.choice([15001, 30001]), "waiting_terms": r.choice([0, 1])}
    )
    s.genesis["codes"][0]["frequency"] = r.choice([1, 2])
    s.some_params(
        0.4,
        dependant_bp=[0, 5001, 3333],
        dependants_max=[0, 1, 2],
        credibility_k=[0, 5],
        unpaid_terms=[1],
        small_claim_cents=[20000],
        audit_random_bp=[3000],
        audit_reports=[1],
        promote_cases=[1],
        duty_missed_max=[1, 2],
        vote_blocks=[20],
        streak_blocks=[3],
    )
    s.each_member(contract_terms=[1, 1, 3, 12], household=[None, None, "h1"], plan=["basic", "plus"])
    kids = ["kid", "rex", "ada", "m03", "d1", "new"]
    for _ in range(r.choice([6, 14])):
        s.act(
            r.choice([1, 29, 30, 31, r.randint(1, 200)]),
            "dependant",
            by=r.choice(s.names[:3]),
            name=r.choice(kids),
            off=r.choice([None, None, True]),
            signed_by=r.choice([None] * 8 + ["phone"]),
        )
    end = r.choice([150, 250, 430])
    for _ in range(r.choice([15, 30])):
        at = r.randint(2, end)
        by = r.choice([*kids[:3], *kids[:3], s.names[0], s.names[1]])
        lines = [
            (
                r.choice(["S1", "S1", "S2", "S3", "N1"]),
                r.choice([1, 2]),
                r.choice([900, 7777, 30000]),
                at - r.choice([0, 1, 30]) - i,
            )
            for i in range(r.choice([1, 2]))
        ]
        name = s.claim(
            at,
            by,
            *lines,
            provider=r.choice(["d1", "d1", "d2"]),
            payee=r.choice([None, "provider"]),
            event=r.choice([None, "fall"]),
        )
        if s.maybe(0.5):
            s.vote(at + 1, name, code="N1", yes=s.names[: r.choice([0, 3, 7])], no=s.names[5:7] if s.maybe() else ())
        if s.maybe(0.1):
            s.act(
                at + r.choice([1, 20, 61]),
                r.choice(["withdraw", "evidence"]),
                by=r.choice([by, *s.names[:3]]),
                claim=name,
            )
        if s.maybe(0.2):
            s.act(
                at + r.choice([21, 61, 65]),
                "appeal",
                by=r.choice([by, *s.names[:3]]),
                claim=name,
                code="N1",
                ground="rule",
            )
        if s.maybe(0.1):
            s.act(at + 2, "report", by=s.names[6], member=r.choice([*s.names[:3], "kid"]), claim=name)
        if s.maybe(0.05):
            s.act(at + 3, "finding", claim=name, outcome="fraud")
    for name in s.names[:3]:
        for start in range(1, end, 30):
            if s.maybe(0.7):
                s.act(start + r.choice([0, 10, 11, 20]), "pay_premium", by=name)
        if s.maybe(0.3):
            s.act(
                r.randint(1, end),
                "change_plan",
                by=name,
                plan=r.choice(["basic", "plus"]),
                contract_terms=r.choice([1, 3]),
            )
        if s.maybe(0.2):
            left = r.randint(1, 100)
            s.act(left, "leave", by=name)
            s.act(left + 65, "apply", name=name, plan="basic")
            for by in s.names[3:6]:
                s.act(left + 66, "vouch", by=by, name=name)
    if s.genesis["phase"] == "recruit":
        s.propose(2, "phase", yes=s.names, to="pilot")
    return s.lines(end + 40)


def villages(seed):
    """Community schemes: providers file for patients, who withdraw, supersede or contest; fraud is the provider's."""
    s = Story("villages", seed, members=8)
    r = s.r
    s.genesis |= {"community": r.choice([["village"], ["village", "town"], []]), "all_events": s.maybe()}
    s.genesis["plans"][0] |= s.plan_figures(
        deductible_cents=[None, 5000], oop_max_cents=[None, 9000], claim_ceiling_cents=[None, 20000]
    )
    s.genesis["codes"][0]["frequency"] = r.choice([1, 2])
    s.some_params(
        0.4,
        audit_random_bp=[3000],
        audit_reports=[2],
        hold_blocks=[3],
        vote_blocks=[20],
        streak_blocks=[3],
        audit_claims=[2],
        promote_cases=[1],
    )
    if s.maybe(0.3):
        s.act(2, "dependant", by="m00", name="kid")
    filed = []
    for _ in range(r.choice([12, 30])):
        at = r.randint(2, 150)
        by, provider = r.choice([*s.names[:3], "kid"]), r.choice(["d1", "d1", "d2"])
        lines = [
            (
                r.choice(["S1", "S2", "S3", "N1"]),
                r.choice([1, 2]),
                r.choice([900, 9000, 40000]),
                at - r.choice([0, 1, 5]) - i,
            )
            for i in range(r.choice([1, 1, 2]))
        ]
        own = s.maybe(0.4)
        old = r.choice(filed) if filed and s.maybe(0.15) else None
        name = s.claim(
            at,
            by,
            *lines,
            provider=provider,
            scheme=r.choice(["village", "village", "town", None]),
            submitter=None if own else "provider",
            payee=r.choice([None, "provider"]) if own or s.maybe(0.05) else "provider",
            supersedes=old,
            event=r.choice([None, "fall"]),
            use=r.choice([None] * 9 + ["preauth"]),
        )
        filed.append(name)
        if s.maybe(0.4):
            s.vote(at + 1, name, code="N1", yes=s.others(by)[: r.choice([2, 6])])
        if s.maybe(0.35):
            s.act(
                at + r.choice([0, 1, 4]),
                "report",
                by=r.choice([by, by, "m07"]),
                member=r.choice([provider, provider, by]),
                claim=name,
            )
        if s.maybe(0.15):
            for voter in r.sample(s.names, 4):
                s.act(at + 2, "report", by=voter, member=provider, claim=name)
        if s.maybe(0.3):
            s.act(
                at + r.choice([2, 5, 30]),
                "finding",
                claim=name,
                outcome=r.choice(["fraud", "fraud", "clear"]),
                attested_by=r.sample(s.names, 6) if s.maybe(0.3) else None,
            )
        if s.maybe(0.1):
            s.act(at + r.choice([1, 21, 61]), r.choice(["withdraw", "evidence"]), by=by, claim=name)
        if s.maybe(0.2):
            s.file_again(at + r.choice([3, 22, 40]), name)
    return s.shown("claim", filed[:15], s.lines(r.choice([200, 400])))
