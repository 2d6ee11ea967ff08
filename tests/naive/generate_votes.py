"""Random scenarios that are mostly votes: many cases, members with habits, refilings, appeals, delegates, auto-accept.

They reach what a mixed scenario rarely reaches: renewals refused, cleared and warned, promotion and demotion, second lapses, appeals won.
"""

import random

from .generate import genesis

ALL = 60


def court(seed):
    """One scenario of votes, as a list of dicts."""
    r = random.Random(f"court {seed}")
    first, names, plans = genesis(r)
    first["phase"] = "live"
    first["auto_pay"] = r.random() < 0.9
    first["accounts"] = {"claims": r.choice([300000, 5000000]), "reserve": 900000}
    for name in (
        "promote_cases",
        "promote_claimants",
        "promote_providers",
        "promote_terms",
        "renewal_min",
        "renewal_terms",
    ):
        if r.random() < 0.5:
            first["params"][name] = r.choice([1, 2])
    lines = [first]
    habits = {}
    for name in names:
        habits[name] = r.choice([0.0, 0.1, 0.5, 0.9, 1.0])
    turnout = r.choice([0.25, 0.5, 0.9, 0.98])
    opens = r.choice([0.5, 0.8, 1.0])
    end = r.choice([200, 420, 500, 700])
    gap = r.choice([3, 6, 11])
    codes = r.choice([["N1"], ["N1", "N2"], ["N1", "N2", "S1"]])
    todo = []  # (height, tie-break, action)
    count = 0

    def plan_case(at, old=None):
        nonlocal count
        count += 1
        if old is None:
            by = r.choice(names)
            given = [{"code": c, "units": r.choice([1, 2, 3]), "charge_cents": r.choice([100, 9999, 45000, 120000]),
                      "day": max(1, at - r.choice([0, 1, 9]))} for c in r.sample(codes, r.randint(1, len(codes)))]  # fmt: skip
            case = {"at": at, "do": "claim", "id": f"c{count:03}", "by": by, "provider": r.choice(["d1", "d2", "d3"]),
                    "lines": given}  # fmt: skip
        else:
            case = {**old, "at": at, "id": f"c{count:03}"}
        todo.append(case)
        votes = turnout if r.random() < 0.8 else r.choice([0.0, 0.3])
        voters = [n for n in names if r.random() < votes]
        for code in {x["code"] for x in case["lines"]}:
            if code.startswith("S") and r.random() < 0.9:
                continue
            for name in voters:
                when = at + r.choice([1, 1, 2, 14, 15, 44, 45, 46, 59, ALL, ALL + 1])
                line = {"at": when, "do": "ballot", "by": name, "claim": case["id"], "code": code,
                        "choice": "deny" if r.random() < habits[name] else r.choice(["accept"] * 9 + ["abstain"]),
                        "opened": r.random() < opens}  # fmt: skip
                if r.random() < 0.1:
                    line["award_cents"] = r.choice([0, 50, 9999])
                todo.append(line)
                if r.random() < 0.1:
                    again = {**line, "at": when + r.choice([0, 1, 20]), "choice": r.choice(["accept", "deny"])}
                    todo.append(again)
        if r.random() < 0.1:
            todo.append({"at": at + r.choice([3, 45, 46]), "do": "evidence", "by": case["by"], "claim": case["id"]})
        if r.random() < 0.04:
            todo.append({"at": at + r.randint(0, 61), "do": "withdraw", "by": case["by"], "claim": case["id"]})
        if r.random() < 0.35:
            plan_appeal(at + r.choice([ALL + 1, ALL + 5, ALL + 10, ALL + 11]), case)
        if r.random() < 0.5 and old is None or r.random() < 0.1:
            plan_case(at + r.choice([ALL, ALL + 1, ALL + 30]), case)

    def plan_appeal(at, case):
        code = case["lines"][0]["code"]
        todo.append({"at": at, "do": "appeal", "by": case["by"], "claim": case["id"], "code": code, "ground": "rule"})
        mind = r.choice([0.1, 0.6])
        for name in names:
            todo.append({"at": at + r.choice([1, 7, 15]), "do": "ballot", "by": name, "claim": case["id"], "code": code,
                         "choice": "deny" if r.random() < mind else "accept"})  # fmt: skip

    at = 1
    while at < end:
        plan_case(at)
        at += r.randint(1, gap)
    for _ in range(r.choice([0, 3, 12])):
        todo.append({"at": r.randint(1, end), "do": "delegate", "by": r.choice(names), "to": r.choice(names),
                     "topic": r.choice(["*", "N1"])})  # fmt: skip
    for _ in range(r.choice([0, 2, 6])):
        rule = {"at": r.randint(1, end), "do": "auto_accept", "by": r.choice(names), "id": "r"}
        if r.random() < 0.5:
            rule |= {"codes": ["N1"], "ceiling_cents": 45000}
        todo.append(rule)
    for index in range(r.choice([0, 1, 3])):
        when = r.randint(1, end)
        what = r.choice([{"what": "demote", "code": r.choice(["N1", "N2", "S1"])},
                         {"what": "list", "code": "N1", "standard": True, "allowed_cents": 5000, "frequency": 2},
                         {"what": "param", "name": "streak_blocks", "value": 10}])  # fmt: skip
        todo.append({"at": when, "do": "propose", "by": names[0], "id": f"p{index}", **what})
        todo += [{"at": when, "do": "sponsor", "by": n, "proposal": f"p{index}"} for n in names[1:]]
        todo += [
            {"at": when + r.randint(1, 31), "do": "cast", "by": n, "proposal": f"p{index}", "choice": "yes"}
            for n in names
        ]
    for name in r.sample(names, 2):
        todo.append(
            {"at": r.randint(300, 480), "do": "change_plan", "by": name, "plan": r.choice(plans), "contract_terms": 3}
        )
    todo.sort(key=lambda line: line["at"])
    lines += [line for line in todo if line["at"] <= end + 80][:2500]
    last = max(end + 80, lines[-1]["at"])
    lines.append({"at": last, "do": "advance", "to": last})
    for name in names:
        lines.append({"at": last, "do": "show", "what": "member", "name": name})
    lines.append({"at": last, "do": "show", "what": "accounts"})
    return lines


def crowd(seed):
    """Many members and standard claims: cover-provider pairs over the percentile, holds on providers, growth, delegators."""
    r = random.Random(f"crowd {seed}")
    first, _, plans = genesis(r)
    names = [f"m{i:03}" for i in range(r.choice([45, 70, 160]))]
    first |= {"phase": "live", "auto_pay": True, "accounts": {"claims": 5000000, "reserve": 900000}}
    first["params"] |= {
        "audit_random_bp": r.choice([300, 900]),
        "audit_claims": r.choice([4, 50]),
        "audit_pair_bp": r.choice([9000, 9900]),
    }
    first["members"] = [{"name": n, "plan": r.choice(plans), "contract_terms": r.choice([1, 12])} for n in names]
    lines = [first]
    todo = []
    for index in range(260):
        at = r.choice([1, 100, 200]) + r.randint(0, 200)
        by = r.choice(names) if r.random() < 0.8 else names[0]
        todo.append({"at": at, "do": "claim", "id": f"c{index:03}", "by": by, "provider": r.choice(["d1", "d2", "d3"]), "lines": [
            {"code": r.choice(["S2", "S3"]), "units": 1, "charge_cents": 9000 + index, "day": at}]})  # fmt: skip
    for index in range(30):
        name = f"a{index:02}"
        at = r.randint(1, 100)
        todo.append({"at": at, "do": "apply", "name": name, "plan": r.choice(plans)})
        todo += [{"at": at + r.randint(0, 60), "do": "vouch", "by": by, "name": name} for by in r.sample(names, 4)]
        todo.append({"at": r.randint(200, 330), "do": "vouch", "by": name, "name": f"a{(index + 1) % 30:02}"})
    for _ in range(60):
        todo.append(
            {
                "at": r.randint(1, 300),
                "do": "delegate",
                "by": r.choice(names),
                "to": r.choice(names[:4]),
                "topic": r.choice(["*", "N1"]),
            }
        )
    for target in ("d1", "d2", names[0]):
        todo += [{"at": r.randint(20, 60), "do": "report", "by": by, "member": target} for by in r.sample(names, 6)]
    for index in range(6):
        at = r.randint(5, 260)
        case = {"at": at, "do": "claim", "id": f"v{index}", "by": r.choice(names), "provider": "d1", "lines": [
            {"code": "N1", "units": 1, "charge_cents": 9000 + index, "day": at}]}  # fmt: skip
        todo.append(case)
        voters = r.sample([*names, *(f"a{i:02}" for i in range(30))], r.choice([3, 8, 30]))
        todo += [{"at": at + r.randint(1, 50), "do": "ballot", "by": n, "claim": case["id"], "choice": r.choice(["accept", "accept", "deny"]),
                  "opened": True} for n in voters]  # fmt: skip
    todo.sort(key=lambda line: line["at"])
    lines += todo
    last = max(todo[-1]["at"], 420)
    lines.append({"at": last, "do": "advance", "to": last})
    lines.append({"at": last, "do": "show", "what": "accounts"})
    return lines
