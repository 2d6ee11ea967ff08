"""Random scenarios, seeded, with small parameters so that rare events happen; most actions are sensible, some are not."""

import random

CHOICES = ["accept", "accept", "accept", "deny", "deny", "abstain"]
CODES = ["S1", "S2", "S3", "N1", "N2"]


def genesis(r):
    names = [f"m{i:02}" for i in range(r.choice([4, 6, 8, 10, 14]))]
    plans = []
    for name in ("basic", "plus", "top")[: r.randint(1, 3)]:
        plans.append({
            "name": name, "premium_cents": r.choice([0, 3001, 20000, 50000]),
            "deductible_cents": r.choice([0, 999, 10000]), "copay_cents": r.choice([0, 1500, 30000]),
            "coinsurance_bp": r.choice([0, 1, 2000, 3333, 10000]), "waiting_terms": r.choice([0, 0, 1, 2]),
        })  # fmt: skip
        for field, values in (("oop_max_cents", [20000, 60001]), ("claim_ceiling_cents", [45000, 200000]),
                              ("year_ceiling_cents", [90000, 400000]), ("prior_cents", [10, 30000])):  # fmt: skip
            if r.random() < 0.4:
                plans[-1][field] = r.choice(values)
    members = []
    for name in names:
        member = {"name": name, "plan": r.choice(plans)["name"], "contract_terms": r.choice([1, 1, 3, 6, 12])}
        if r.random() < 0.2:
            member["household"] = r.choice(["h1", "h2"])
        if r.random() < 0.3:
            member["terms_ago"] = r.choice([0, 5, 12, 24, 130])
        if r.random() < 0.4:
            voted = r.choice([10, 20, 21, 40])
            member["record"] = [r.randint(voted // 2, voted), voted]
        members.append(member)
    params = {"audit_random_bp": r.choice([0, 300, 3000])}
    for name, values in (
        ("small_claim_cents", [20000, 60000]), ("lapse_pay_cents", [100, 50000]), ("quorum_min", [1, 3]),
        ("quorum_div", [2]), ("renewal_min", [2, 5]), ("renewal_terms", [1, 2]), ("renewal_pct", [60]),
        ("warning_pct", [40]), ("promote_cases", [2]), ("promote_claimants", [1]), ("promote_providers", [1]),
        ("promote_terms", [1]), ("sponsor_min", [1, 2]), ("audit_reports", [2]), ("credibility_k", [0, 3]),
        ("min_voters", [2]), ("audit_claims", [2]), ("appeal_panel", [3]), ("panel_size", [2]), ("run_off_terms", [1]),
        ("expense_bp", [700]), ("filing_terms", [1]), ("voting_after_terms", [0]), ("bar_floor_bp", [4950]),
        ("evidence_versions", [2]), ("objections", [1]), ("deny_sample_min", [4]), ("claim_reserve_bp", [50]),
    ):  # fmt: skip
        if r.random() < 0.35:
            params[name] = r.choice(values)
    codes = [
        {"code": "S1", "standard": True, "allowed_cents": r.choice([3000, 30000]), "frequency": r.choice([2, 6])},
        {"code": "S2", "standard": True, "allowed_cents": 7777},
        {"code": "S3", "standard": True},
        {"code": "N1", "standard": False},
    ]
    line = {"do": "genesis", "phase": r.choice(["live"] * 18 + ["pilot", "pilot", "recruit"]), "currency": "USD", "exponent": 2,
            "params": params, "seed": r.randrange(1000), "auto_pay": r.random() < 0.8,
            "accounts": {"claims": r.choice([0, 30000, 5000000]), "reserve": r.choice([0, 20000, 900000])},
            "plans": plans, "members": members, "providers": ["d1", "d2", "d3"], "codes": codes}  # fmt: skip
    if r.random() < 0.95:
        line["rate"] = 10000000
    return line, names, [p["name"] for p in plans]


def scenario(seed):
    """One scenario file, as a list of dicts."""
    r = random.Random(seed)
    first, names, plans = genesis(r)
    lines = [first]
    claims = []  # (id, by, at, codes, provider)
    proposals = []
    applicants = []
    at = 1
    moods = [["accept"] * 5 + ["deny"], CHOICES, ["deny"] * 5 + ["accept"], ["deny"], ["accept"]]
    mood = r.choice(moods)
    opens = r.choice([0.3, 0.95, 1])
    busy = r.random() < 0.5
    end = r.choice([100, 200, 430, 600] if not busy else [430, 500, 620])
    step = end / r.choice([20, 60, 90] if not busy else [60, 120, 200])
    count = 0
    while at < end and len(lines) < (420 if not busy else 900):
        at += int(r.expovariate(1 / step)) if r.random() < 0.7 else 0
        if r.random() < 0.02:
            at = max(at, (at + 29) // 30 * 30)
        kind = r.choices(
            ["claim", "votes", "one", "evidence", "withdraw", "auto", "delegate", "undelegate", "pay", "plan", "leave",
             "apply", "vouch", "object", "propose", "sponsor", "cast", "report", "finding", "appeal", "quote", "show",
             "refile", "appealvotes"],
            [16, 30 if busy else 12, 6, 2, 1, 2, 3, 1, 4, 3, 0.7, 2, 5, 1, 3, 4, 6, 4, 0.6, 3, 2, 2, 5, 4],
        )[0]  # fmt: skip
        who = r.choice(names) if r.random() < 0.85 or not applicants else r.choice(applicants)
        recent = [c for c in claims if at - c[2] <= 61]
        if kind == "claim":
            count += 1
            used = []
            given = []
            for _ in range(r.choice([1, 1, 2, 3])):
                day = max(1, at - r.choice([0, 0, 1, 5, 29, 31, 200])) + (r.random() < 0.01)
                code = r.choice(CODES)
                if (code, day) in used and r.random() < 0.9:
                    continue
                used.append((code, day))
                given.append({"code": code, "units": r.choice([1, 1, 2, 5]), "day": day,
                              "charge_cents": r.choice([1, 4999, 30000, 80000, 333333])})  # fmt: skip
            claim = {"at": at, "do": "claim", "id": f"c{count}", "by": who, "provider": r.choice(["d1", "d2", "d3"]),
                     "lines": given}  # fmt: skip
            if r.random() < 0.2:
                claim["payee"] = "provider"
            if r.random() < 0.2:
                claim["other_payer_cents"] = r.choice([1, 5000, 100000])
            mine = [c for c in recent if c[1] == who]
            if mine and r.random() < 0.1:
                claim["supersedes"] = r.choice(mine)[0]
            lines.append(claim)
            claims.append((f"c{count}", who, at, sorted({x["code"] for x in given}), claim["provider"], given))
        elif kind == "refile" and claims:
            old = r.choice(claims)
            if at - old[2] < 59 and r.random() < 0.8:
                continue
            count += 1
            lines.append({"at": at, "do": "claim", "id": f"c{count}", "by": old[1], "provider": old[4], "lines": [
                x for x in old[5] if not x["code"].startswith("S")] or old[5]})  # fmt: skip
            claims.append((f"c{count}", old[1], at, old[3], old[4], old[5]))
        elif kind in ("votes", "one", "appealvotes") and claims:
            many = [*names, *applicants] if kind != "one" else [who]
            if r.random() < 0.3:
                mood = r.choice(moods)
            claim = r.choice(recent or claims) if kind != "appealvotes" else r.choice(claims)
            if kind != "one" and at == claim[2]:
                at += 1
            for name in many:
                if kind != "one" and r.random() < 0.2:
                    continue
                line = {"at": at, "do": "ballot", "by": name, "claim": claim[0], "code": r.choice(claim[3]),
                        "choice": r.choice(mood), "opened": r.random() < opens}  # fmt: skip
                if r.random() < 0.15 and line["choice"] == "accept":
                    line["award_cents"] = r.choice([0, 1, 20000, 400000])
                if len(claim[3]) == 1 and r.random() < 0.3:
                    del line["code"]
                lines.append(line)
        elif kind in ("evidence", "withdraw") and recent:
            claim = r.choice(recent)
            by = claim[1] if r.random() < 0.95 else who
            lines.append({"at": at, "do": kind, "by": by, "claim": claim[0]})
        elif kind == "auto":
            line = {"at": at, "do": "auto_accept", "by": who, "id": r.choice(["r1", "r2"])}
            if r.random() < 0.15:
                line["off"] = True
            elif r.random() < 0.6:
                line |= {
                    "codes": [r.choice(CODES)],
                    "ceiling_cents": r.choice([30000, 100000]),
                    "providers": ["d1", "d2"],
                }
            lines.append(line)
        elif kind == "delegate":
            lines.append(
                {"at": at, "do": "delegate", "by": who, "to": r.choice(names), "topic": r.choice(["*", "N1", "N2"])}
            )
        elif kind == "undelegate":
            lines.append({"at": at, "do": "undelegate", "by": who, "topic": r.choice(["*", "N1", "N2"])})
        elif kind == "pay":
            lines.append({"at": at, "do": "pay_premium", "by": who})
        elif kind == "plan":
            lines.append({"at": at, "do": "change_plan", "by": who, "plan": r.choice([*plans, "lux"] if r.random() < 0.1 else plans),
                          "contract_terms": r.choice([1, 1, 3, 6, 12, 2])})  # fmt: skip
        elif kind == "leave":
            lines.append({"at": at, "do": "leave", "by": who})
        elif kind == "apply":
            name = f"a{len(applicants)}" if r.random() < 0.7 else who
            applicants.append(name)
            lines.append({"at": at, "do": "apply", "name": name, "plan": r.choice(plans), "contract_terms": 1})
            for by in r.sample(names, 3):
                if r.random() < 0.8:
                    lines.append({"at": at, "do": "vouch", "by": by, "name": name})
        elif kind == "vouch" and applicants:
            lines.append({"at": at, "do": "vouch", "by": who, "name": r.choice(applicants)})
        elif kind == "object" and applicants:
            lines.append({"at": at, "do": "object", "by": who, "name": r.choice(applicants), "reason": "no"})
        elif kind == "propose":
            name = f"p{len(proposals)}"
            line = {"at": at, "do": "propose", "by": who, "id": name} | r.choice([
                {"what": "demote", "code": r.choice(CODES)},
                {"what": "param", "name": "vote_blocks", "value": r.choice([45, 60])},
                {"what": "param", "name": r.choice(["small_claim_cents", "nothing"]), "value": 30000},
                {"what": "list", "code": r.choice(CODES), "standard": r.random() < 0.7, "allowed_cents": 12345, "frequency": 3},
                {"what": "expel", "member": r.choice(names)},
                {"what": "phase", "to": r.choice(["pilot", "live"])},
                {"what": "plan", "name": r.choice(["lux", *plans]), "premium_cents": 70000, "deductible_cents": 500,
                 "coinsurance_bp": 1000, "waiting_terms": 1, "oop_max_cents": 9999},
                {"what": "param", "name": "reserve_bp", "value": r.choice([700, 800, 2500])},
            ])  # fmt: skip
            proposals.append(name)
            lines.append(line)
            for by in r.sample(names, 3):
                lines.append({"at": at, "do": "sponsor", "by": by, "proposal": name})
            if r.random() < 0.6:
                at += 1
                for by in names:
                    if r.random() < 0.7:
                        lines.append({"at": at, "do": "cast", "by": by, "proposal": name,
                                      "choice": r.choice(["yes", "yes", "no", "abstain"])})  # fmt: skip
        elif kind in ("sponsor", "cast") and proposals:
            line = {"at": at, "do": kind, "by": who, "proposal": r.choice(proposals[-3:])}
            if kind == "cast":
                line["choice"] = r.choice(["yes", "yes", "no", "abstain"])
            lines.append(line)
        elif kind == "report":
            target = r.choice(names) if r.random() < 0.8 else r.choice(["d1", "d2", "nobody"])
            own = [c for c in claims if c[1] == target]
            for by in r.sample(names, 3):
                line = {"at": at, "do": "report", "by": by, "member": target}
                if own:
                    line["claim"] = own[-1][0]
                lines.append(line)
        elif kind == "finding" and claims:
            lines.append(
                {"at": at, "do": "finding", "claim": r.choice(claims)[0], "outcome": r.choice(["fraud", "clear"])}
            )
        elif kind == "appeal" and claims:
            old = [c for c in claims if 58 <= at - c[2] <= 72] or claims
            claim = r.choice(old)
            lines.append({"at": at, "do": "appeal", "by": claim[1], "claim": claim[0], "code": r.choice(claim[3]),
                          "ground": r.choice(["evidence", "rule"])})  # fmt: skip
        elif kind == "quote":
            lines.append({"at": at, "do": "quote", "by": who, "rate": r.choice([9, 9500001, 10499999, 12000000])})
        elif kind == "show":
            lines.append({"at": at, "do": "advance", "to": at})
            lines.append({"at": at, "do": "show", "what": "accounts"})
            lines.append({"at": at, "do": "show", "what": "member", "name": who})
            at += 1
    lines.append({"at": max(at, end), "do": "advance", "to": max(at, end) + r.choice([5, 70, 130])})
    last = lines[-1]["to"]
    for name in names:
        lines.append({"at": last, "do": "show", "what": "member", "name": name})
    lines.append({"at": last, "do": "show", "what": "accounts"})
    return lines
