"""Cases and their votes (§6), the voter's own bar (§7)."""

from .claims import accept_case
from .world import (
    TERM,
    YEAR,
    active_member,
    ceil_div,
    code_key,
    complete_terms,
    draw,
    emit,
    lower_median,
    may_vote,
    member,
    refuse_if,
    same_household,
    term_of,
    voters,
)

# ---- Records: ballots, auto-accept, delegation ----


def find_case(w, claim_id, code, statuses=("open",)):
    refuse_if(claim_id not in w["claims"], "no such claim")
    cases = [c for c in w["cases"] if c["claim"]["id"] == claim_id and (code is None or c["code"] == code)]
    refuse_if(code is None and len(cases) > 1, "the claim has several cases: name the code")
    cases = [c for c in cases if c["status"] in statuses]
    refuse_if(not cases, "no such case")
    return cases[-1]


def ballot(w, act):
    from .appeals import appeal_ballot, open_appeal

    voter = active_member(w, act["by"])
    refuse_if(not may_vote(w, voter), "suspended, or without a vote after a fraud")
    appeal = open_appeal(w, act["claim"], act.get("code"))
    if appeal is not None:
        appeal_ballot(w, appeal, act)
        return
    case = find_case(w, act["claim"], act.get("code"))
    refuse_if(case["E"] is None or w["height"] <= case["s"], "votes start in the next block")
    p = case["params"]
    refuse_if(act["by"] not in case["E"], "not eligible")
    check_choice(act)
    award = award_named(act, case)
    live = case["ballots"].get(act["by"])
    version = case["claim"]["version"]
    if live is not None:
        frozen = w["height"] > case["s"] + p["vote_blocks"] - p["freeze_blocks"]
        refuse_if(frozen and live["version"] >= version, "the last blocks allow no change under the same evidence")
        if not live["auto"]:
            refuse_if((act["by"], version) in case["changes"], "one change a version")
            case["changes"].append((act["by"], version))
    case["ballots"][act["by"]] = {"choice": act["choice"], "award": award, "version": version, "auto": False}
    keep_receipt(act, case["claim"])


def check_choice(act):
    refuse_if(act["choice"] not in ("accept", "deny", "abstain"), "accept, deny or abstain")


def award_named(act, case):
    award = act.get("award_cents")
    refuse_if(award is not None and (award < 0 or award > case["charges"]), "an award is at most the charges")
    return award if act["choice"] == "accept" else None


def keep_receipt(act, claim):
    if act.get("opened", False) and act["by"] not in claim["opened"]:
        claim["opened"].append(act["by"])


def auto_accept(w, act):
    active_member(w, act["by"])
    rules = w["auto"].setdefault(act["by"], {})
    if act.get("off", False):
        refuse_if(act["id"] not in rules, "no such rule")
        del rules[act["id"]]
        return
    rules[act["id"]] = {
        "codes": act.get("codes"),
        "ceiling": act.get("ceiling_cents"),
        "providers": act.get("providers"),
    }


def cast_auto_ballots(w):
    for case in w["cases"]:
        if case["status"] != "open" or case["s"] != w["height"] - 1:
            continue
        for name in case["E"]:
            for rule in w["auto"].get(name, {}).values():
                if rule["codes"] is not None and case["code"] not in rule["codes"]:
                    continue
                if rule["ceiling"] is not None and case["charges"] > rule["ceiling"]:
                    continue
                if rule["providers"] is not None and case["claim"]["provider"] not in rule["providers"]:
                    continue
                case["ballots"][name] = {
                    "choice": "accept",
                    "award": None,
                    "version": case["claim"]["version"],
                    "auto": True,
                }


def delegate(w, act):
    active_member(w, act["by"])
    active_member(w, act["to"])
    refuse_if(act["by"] == act["to"], "nobody delegates to oneself")
    after = [
        d
        for (d, topic), to in w["delegations"].items()
        if to == act["to"] and (d, topic) != (act["by"], act.get("topic", "*"))
    ]
    after = set(after) | {act["by"]}
    p = w["params"]
    many = len(after) > p["delegators_min"] and 10000 * len(after) > p["delegators_bp"] * len(voters(w))
    refuse_if(many, "the delegate has all the delegators allowed")
    w["delegations"][(act["by"], act.get("topic", "*"))] = act["to"]


def undelegate(w, act):
    member(w, act["by"])
    delegation = (act["by"], act.get("topic", "*"))
    refuse_if(delegation not in w["delegations"], "no such delegation")
    del w["delegations"][delegation]


# ---- The bar ----


def record_of(w, m, first_term, last_term):
    """(denied, voted, terms with a closing) of the yes/no ballots closed in these terms, auto-accept at most half."""
    denied = 0
    own = 0
    auto = 0
    terms = set()
    if first_term <= -1 <= last_term:
        denied += m["genesis_record"][0]
        own += m["genesis_record"][1]
        if m["genesis_record"][1]:
            terms.add(-1)
    for case in w["cases"]:
        if not case["by_vote"] or case["claim"]["fraud"] or m["name"] not in case["votes"]:
            continue
        term = term_of(case["closed"])
        if not first_term <= term <= last_term:
            continue
        choice, was_auto = case["votes"][m["name"]]
        terms.add(term)
        denied += choice == "deny"
        own += not was_auto
        auto += was_auto
    return denied, own + min(auto, own), terms


def bar_of(w, m, height):
    """(bar, seniority, denied, voted) for a claim carried at `height`."""
    p = w["params"]
    term = term_of(max(1, height))
    denied, voted, _ = record_of(w, m, term - YEAR, term)
    n = max(voted, p["deny_sample_min"])
    bar = 10000
    for limit, row in ((95, 9500), (85, 9000), (80, 8500), (75, 8000), (70, 7500), (65, 5000)):
        if 100 * denied < limit * n:
            bar = row
    seniority = min(p["seniority_max_bp"], complete_terms(w, m) // YEAR * p["seniority_step_bp"])
    if bar == 10000:
        seniority = 0
    seniority = max(0, min(seniority, bar - p["bar_floor_bp"]))
    return bar, seniority, denied, voted


def freeze(w):
    """Last in the block that carries cases: E, bar, seniority and parameters are fixed."""
    for case in w["cases"]:
        if case["E"] is None and case["s"] == w["height"]:
            claimant = w["members"][case["claim"]["member"]]
            case["E"] = eligible(w, case["claim"], claimant)
            case["bar"], case["seniority"], _, _ = bar_of(w, claimant, w["height"])
            case["params"] = dict(w["params"])


def eligible(w, claim, claimant):
    found = []
    for name in voters(w):
        m = w["members"][name]
        if name == claim["member"] or same_household(m, claimant) or name == claim["provider"]:
            continue
        if name in claimant["vouchers"]:
            continue
        found.append(name)
    return found


# ---- End of day: panels, tallies, decisions ----


def in_order(cases):
    return sorted(cases, key=lambda c: (c["s"], c["claim"]["id"].encode(), c["code"].encode()))


def quorum_of(case):
    p = case["params"]
    e = len(case["E"])
    return min(e, max(p["quorum_min"], min(p["quorum_max"], ceil_div(e, p["quorum_div"]))))


def effective_ballots(w, case):
    """name -> (choice, award, counts as opened, was auto), delegations included."""
    found = {}
    for name in case["E"]:
        own = case["ballots"].get(name)
        if own is not None:
            opened = not own["auto"] and name in case["claim"]["opened"]
            found[name] = (own["choice"], own["award"], opened, own["auto"])
            continue
        to = w["delegations"].get((name, case["code"]), w["delegations"].get((name, "*")))
        if to is not None and to in case["E"] and to in case["ballots"]:
            theirs = case["ballots"][to]
            found[name] = (theirs["choice"], theirs["award"], False, theirs["auto"])
    return found


def tally(w, case):
    yes = no = opened = 0
    for choice, _, was_opened, _ in effective_ballots(w, case).values():
        yes += choice == "accept"
        no += choice == "deny"
        opened += was_opened and choice != "abstain"
    return yes, no, opened


def reaches_bar(case, yes, no):
    return 10000 * yes >= (case["bar"] - case["seniority"]) * (yes + no)


def award_of(w, case):
    awards = []
    for choice, award, _, _ in effective_ballots(w, case).values():
        if choice == "accept":
            awards.append(case["charges"] if award is None else award)
    return lower_median(awards)


def draw_panels(w):
    for case in in_order(w["cases"]):
        if case["status"] != "open" or case["E"] is None:
            continue
        p = case["params"]
        if w["height"] != case["s"] + p["panel_block"]:
            continue
        yes, no, _ = tally(w, case)
        q = quorum_of(case)
        if yes + no < q:
            size = min(len(case["E"]), max(p["panel_size"], 2 * (q - yes - no)))
            label = f"duty/{case['claim']['id']}/{case['code']}"
            drawn = draw(w, label, case["E"], size)
            case["panel"] = drawn
            emit(w, "panel_drawn", claim=case["claim"]["id"], case=case["code"], members=drawn)


def decide_cases(w):
    for case in in_order(w["cases"]):
        if case["status"] == "open" and case["E"] is not None:
            decide(w, case)


def note_missed(w, panel, ballots):
    """Who was drawn, may vote as the vote closes, and has no ballot of their own missed a duty."""
    for name in panel:
        if name in ballots or not may_vote(w, w["members"][name]):
            continue
        w["missed"].append((name, term_of(w["height"])))
        missed = missed_duties(w, name)
        if missed >= w["params"]["duty_missed_max"] and name not in w["without_credit"]:
            w["without_credit"].append(name)
            if w["all_events"]:
                emit(w, "credit_lost", member=name, missed=missed)


def missed_duties(w, name):
    term = term_of(max(1, w["height"]))
    return sum(1 for who, t in w["missed"] if who == name and term - YEAR < t <= term)


def give_credit_back(w):
    """At a boundary: fewer duties missed in the last twelve terms."""
    for name in sorted(w["without_credit"], key=str.encode):
        missed = missed_duties(w, name)
        if missed < w["params"]["duty_missed_max"]:
            w["without_credit"].remove(name)
            if w["all_events"]:
                emit(w, "credit_regained", member=name, missed=missed)


def decide(w, case):
    p = case["params"]
    yes, no, opened = tally(w, case)
    q = quorum_of(case)
    quorum = yes + no >= q and opened >= ceil_div(q, 2)
    passes = quorum and reaches_bar(case, yes, no)
    case["streak"] = case["streak"] + 1 if passes else 0
    may_decide = len(case["E"]) >= p["min_voters"]  # with fewer a case can only lapse
    by_streak = case["streak"] >= p["streak_blocks"] and may_decide
    if not by_streak and w["height"] < case["s"] + p["vote_blocks"]:
        return
    note_missed(w, case["panel"], case["ballots"])
    if by_streak:
        accept_by_vote(w, case, yes, no)
        return
    if quorum and may_decide and not passes:
        deny(w, case, yes, no, opened, q)
    elif case["second"] and yes + no >= 3:
        if reaches_bar(case, yes, no):
            accept_by_vote(w, case, yes, no)
        else:
            deny(w, case, yes, no, opened, q)
    elif case["second"]:
        accept_case(w, case, "lapse", yes, no, min(case["charges"], p["lapse_pay_cents"]))
    else:
        spell = (case["claim"]["member"], term_of(w["height"]))
        if not case["claim"]["asks"] and case["charges"] <= p["small_claim_cents"] and spell not in w["small"]:
            w["small"].append(spell)
            accept_case(w, case, "small", yes, no, case["charges"])
            return
        case["status"] = "lapsed"
        case["closed"] = w["height"]
        tell_end(w, "claim_lapsed", case, yes, no, opened, q)


def remember_votes(w, case):
    case["by_vote"] = True
    for name, (choice, _, _, auto) in effective_ballots(w, case).items():
        if choice != "abstain":
            case["votes"][name] = (choice, auto)


def accept_by_vote(w, case, yes, no):
    remember_votes(w, case)
    accept_case(w, case, "vote", yes, no, award_of(w, case))


def deny(w, case, yes, no, opened, q):
    remember_votes(w, case)
    case["status"] = "denied"
    case["closed"] = w["height"]
    tell_end(w, "claim_denied", case, yes, no, opened, q)


def tell_end(w, event, case, yes, no, opened, q, eligible_count=None):
    emit(
        w,
        event,
        claim=case["claim"]["id"],
        case=case["code"],
        yes=yes,
        no=no,
        opened=opened,
        eligible=len(case["E"]) if eligible_count is None else eligible_count,
        quorum=q,
        bar_bp=case["bar"],
        seniority_bp=case["seniority"],
    )


# ---- Boundary: renewals ----


def judge_renewals(w):
    from .contracts import end_contract, roll_contract
    from .world import running

    p = w["params"]
    term = term_of(w["height"])
    for name in sorted(w["members"], key=str.encode):
        m = w["members"][name]
        contract = running(m)
        if contract is None:
            continue
        denied, voted, terms = record_of(w, m, term - YEAR + 1, term)
        enough = w["height"] >= YEAR * TERM and voted >= p["renewal_min"] and len(terms) >= p["renewal_terms"]
        refused = enough and 100 * denied >= p["renewal_pct"] * voted
        if m["refused_until"] is None:
            if refused:
                last = (contract["first_term"] + contract["terms"]) * TERM
                m["refused_until"] = max(last, w["height"] + TERM)
                emit(w, "renewal_refused", member=name, denied=denied, voted=voted, until=m["refused_until"])
        elif not refused:
            at_end = w["height"] == m["refused_until"]
            emit(w, "renewal_cleared", member=name, denied=denied, voted=voted, until=m["refused_until"])
            m["refused_until"] = None
            if at_end:
                roll_contract(w, m)
        elif w["height"] == m["refused_until"]:
            end_contract(w, m)
        if 100 * denied < p["warning_pct"] * voted:
            m["warned"] = False
        elif enough and not refused and m["refused_until"] is None and not m["warned"]:
            m["warned"] = True
            emit(
                w,
                "renewal_warned",
                member=name,
                denied=denied,
                voted=voted,
                until=max((contract["first_term"] + contract["terms"]) * TERM, w["height"] + TERM),
            )


# ---- Boundary: promotion ----


def decided_cases(w, key):
    """(decided by vote, of these accepted) in the twelve terms that end with this one."""
    term = term_of(w["height"])
    decided = [
        c
        for c in w["cases"]
        if code_key(c) == key and c["by_vote"] and not c["claim"]["asks"] and term - YEAR < term_of(c["closed"]) <= term
    ]
    return decided, [c for c in decided if c["status"] == "accepted" and not c["appealed"]]


def promote(w):
    from .world import code_on

    p = w["params"]
    if w["height"] < YEAR * TERM:
        return
    keys = {code_key(case) for case in w["cases"]}
    for code in sorted(keys, key=lambda key: (key[1].encode(), key[0].encode())):
        if code_on(w, code, w["height"] + 1)["standard"] or w["no_promotion_until"].get(code, 0) > w["height"]:
            continue
        decided, paid = decided_cases(w, code)
        if not 100 * len(paid) > p["promote_pct"] * len(decided) or len(decided) < p["promote_cases"]:
            continue
        if len({c["claim"]["member"] for c in decided}) < p["promote_claimants"]:
            continue
        if len({c["claim"]["provider"] for c in decided}) < p["promote_providers"]:
            continue
        if len({term_of(c["closed"]) for c in decided}) < p["promote_terms"]:
            continue
        amounts = []
        per_claimant = {}
        for c in paid:
            units = sum(line["result"]["units_paid"] for line in c["lines"])
            if units:
                amounts.append(sum(line["result"]["allowed_cents"] for line in c["lines"]) // units)
            per_claimant[c["claim"]["member"]] = per_claimant.get(c["claim"]["member"], 0) + units
        if not amounts:
            continue
        counts = sorted(per_claimant.values())
        frequency = counts[ceil_div(90 * len(counts), 100) - 1]
        amount = lower_median(amounts)
        w["codes"].setdefault(code, []).append(
            (w["height"] + 1, {"standard": True, "allowed": amount, "frequency": frequency})
        )
        emit(
            w,
            "code_promoted",
            code=code[1],
            paid=len(paid),
            decided=len(decided),
            allowed_cents=amount,
            frequency=frequency,
        )
