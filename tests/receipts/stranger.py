"""Computes a receipt's decisions again, from its JSON and the text of the rules. Imports nothing of the program.

`problems(receipt)` yields a sentence for every figure that does not follow from the others. It trusts what only the
ledger can show (the ballots, the accounts of a block, the counters before the claim's first line) and nothing else.
"""

from hashlib import sha256

ROWS = [(95, 10000), (85, 9500), (80, 9000), (75, 8500), (70, 8000), (65, 7500), (0, 5000)]
ALL_SAT = 21_000_000 * 10**8


def ceil(a, b):
    return -(-a // b)


def of_hex(text):
    return bytes.fromhex(text)


def of_text(text):
    return text.encode()


def problems(receipt, key_bytes=of_hex):
    """Sentences about everything that does not hold.

    `key_bytes`: how a key or id becomes bytes (hex on a ledger, text in a rehearsal).
    """
    yield from lines(receipt)
    yield from partition(receipt)
    yield from settlements(receipt)
    for case in receipt["cases"]:
        yield from (f"case {case['code']}: {text}" for text in one_case(receipt, case, key_bytes))
    yield from payouts(receipt)
    yield from audit(receipt, key_bytes)


# ---- §5: the tests of the carrying block, the cases, the settlement ------------
def plan_on(cover, day):
    if cover is None or (cover["run_off_height"] is not None and day > cover["run_off_height"]):
        return None
    if cover["suspended_from"] is not None and day >= cover["suspended_from"]:
        return None
    if any(first <= day <= last for first, last in cover["gaps"]):
        return None
    for span in reversed(cover["spans"]):
        if span["first_day"] <= day and (span["last_day"] is None or day <= span["last_day"]):
            return span["plan"]
    return None


def figures(receipt, name, from_day):
    return next(plan for plan in receipt["plans"] if (plan["name"], plan["from_day"]) == (name, from_day))


def lines(receipt):
    cover = receipt["cover_facts"]
    for line in receipt["lines"]:
        day = line["first_day"]
        if line["last_filing_height"] != day + 30 * receipt["filing_terms"]:
            yield f"line {line['line']}: last filing height"
        plan = plan_on(cover, day)
        reason = None
        if receipt["filed_height"] > line["last_filing_height"]:
            reason = 8
        elif plan is None or (
            receipt["use"] == "preauth" and cover["known_end"] is not None and day > cover["known_end"]
        ):
            reason = 1
        elif cover["waiting_first_day"] <= day <= cover["waiting_last_day"]:
            reason = 2
        else:
            codes = figures(receipt, plan, line["plan_from_day"])["codes"]
            if codes and line["code"] not in codes:
                reason = 4
        if reason != line["refusal"]:
            yield f"line {line['line']}: refused for {line['refusal']}, by its figures {reason}"


def partition(receipt):
    """Standard lines settle at once, the others are cases by code."""
    fine = [line for line in receipt["lines"] if line["refusal"] is None]
    wanted = {}
    for line in fine:
        if not line["is_standard"] and not line["authorised_by"]:
            wanted.setdefault(line["code"], []).append(line["line"])
    if {case["code"]: case["lines"] for case in receipt["cases"]} != wanted:
        yield "the cases are not the codes of the lines that are not standard"
    at_once = [line["line"] for line in fine if line["is_standard"] or line["authorised_by"]]
    has_standard = any(line["is_standard"] or line["authorised_by"] for line in receipt["lines"]) or not fine
    is_question = receipt["use"] == "preauth"
    if (has_standard and not is_question) != (receipt["standard"] is not None):
        yield "a decision on the standard part is missing, or one too many"
    settled = [
        item["line"]
        for item in (receipt["estimates"] if is_question else receipt["settlements"])
        if item["case"] is None
    ]
    if settled != at_once or (receipt["settlements"] if is_question else receipt["estimates"]):
        yield "the lines that need no vote are not those that settled at once, or were estimated"
    if [line["line"] for line in receipt["lines"]] != list(range(len(receipt["lines"]))):
        yield "the lines are not numbered from 0 on"
    if [item["version"] for item in receipt["evidence"]] != list(range(1, len(receipt["evidence"]) + 1)):
        yield "the versions of the evidence are not numbered from 1 on"
    if any(
        item["case"] is None and (item["how"], item["height"]) != ("standard", receipt["filed_height"])
        for item in receipt["settlements"]
    ):
        yield "a standard line did not settle in the carrying block"
    if receipt["standard"] is not None:
        total = sum(item["benefit_cents"] for item in receipt["settlements"] if item["case"] is None)
        if receipt["standard"]["benefit_cents"] != total:
            yield "the benefit of the standard part is not the sum of its lines"
    for case in receipt["cases"]:
        charges = sum(receipt["lines"][index]["charge_cents"] for index in case["lines"])
        if case["charges_cents"] != charges:
            yield f"case {case['code']}: charges are not those of its lines"


def settlements(receipt):
    yield from chain(receipt, receipt["settlements"])
    yield from chain(receipt, receipt["estimates"])


def chain(receipt, items):
    """Each line follows from what it read, and reads what the one before left."""
    other = receipt["other_payer_cents"]
    copay_taken = False
    benefit = 0
    awards = {}
    for item in items:
        name = f"line {item['line']} settled in block {item['height']}"
        line = receipt["lines"][item["line"]]
        plan = figures(receipt, item["plan"], item["plan_from_day"])
        same = [
            ("charge_cents", line["charge_cents"]),
            ("units", line["units"]),
            ("frequency", line["frequency"]),
            ("allowed_amount_cents", line["allowed_amount_cents"]),
            ("plan", line["plan"]),
            ("other_payer_before_cents", other),
            ("deductible_plan_cents", plan["deductible_cents"]),
            ("copay_plan_cents", plan["copay_cents"]),
            ("coinsurance_bp", plan["coinsurance_bp"]),
            ("oop_max_cents", plan["oop_max_cents"]),
            ("is_copay_taken", copay_taken),
            ("benefit_year", (line["first_day"] - receipt["cover_facts"]["benefit_start"]) // 360),
        ]
        yield from (
            f"{name}: {field} is {item[field]}, elsewhere {value}" for field, value in same if item[field] != value
        )
        if item["case"] is not None:
            left = awards.get(item["case"])
            if left is None:
                done = next(case for case in receipt["cases"] if case["code"] == item["case"])["decisions"]
                left = done[-1]["award_cents"] if done else None
            if item["award_before_cents"] != left:
                yield f"{name}: {item['award_before_cents']} of the award, {left} are left"
        elif (item["award_before_cents"] is None) != (line["authorised_by"] == ""):
            yield f"{name}: an award without an authorisation, or the other way round"
        gives = steps(item)
        yield from (
            f"{name}: {field} is {item[field]}, computed {value}"
            for field, value in gives.items()
            if item[field] != value
        )
        names = {ceiling["name"] for ceiling in item["ceilings"]}
        if item["refusal"] is None and plan["claim_ceiling_cents"] is not None and not {"claim", "visit"} <= names:
            yield f"{name}: a ceiling of the plan is missing"
        for ceiling in item["ceilings"]:
            limit = {
                "claim": "claim_ceiling_cents",
                "event": "claim_ceiling_cents",
                "visit": "claim_ceiling_cents",
                "year": "year_ceiling_cents",
            }
            if ceiling["name"] in limit and ceiling["limit_cents"] != plan[limit[ceiling["name"]]]:
                yield f"{name}: the ceiling {ceiling['name']} is not the plan's"
            if ceiling["name"] in ("claim", "pilot") and ceiling["used_cents"] != benefit:
                yield (
                    f"{name}: {ceiling['used_cents']} used of the ceiling {ceiling['name']}, the lines before have"
                    f" {benefit}"
                )
            if ceiling["left_cents"] != max(0, ceiling["limit_cents"] - ceiling["used_cents"] - item["benefit_cents"]):
                yield f"{name}: what is left of the ceiling {ceiling['name']}"
        other = item["other_payer_left_cents"]
        rest = item["allowed_cents"] - item["deductible_cents"]
        copay_taken = copay_taken or (item["refusal"] is None and rest > 0)
        benefit += item["benefit_cents"]
        if item["case"] is not None:
            awards[item["case"]] = item["award_left_cents"]


def steps(item):
    """The seven steps of §5 for one line, from what it read."""
    other = min(item["charge_cents"], item["other_payer_before_cents"])
    nothing = dict.fromkeys(
        (
            "units_paid",
            "allowed_cents",
            "deductible_cents",
            "copay_cents",
            "coinsurance_cents",
            "relief_cents",
            "cut_cents",
            "benefit_cents",
        ),
        0,
    )
    out = {"other_payer_cents": other, "other_payer_left_cents": item["other_payer_before_cents"] - other}
    left = None if item["frequency"] is None else item["frequency"] - item["units_before"]
    if other and other == item["charge_cents"]:
        return {**out, **nothing, "refusal": 7, "award_left_cents": item["award_before_cents"]}
    units = item["units"] if left is None else min(item["units"], left)
    if units <= 0:
        return {**out, **nothing, "refusal": 3, "award_left_cents": item["award_before_cents"]}
    allowed = item["charge_cents"] - other
    if item["allowed_amount_cents"] is not None:
        allowed = min(allowed, item["allowed_amount_cents"] * units)
    award_left = None
    if item["award_before_cents"] is not None:
        allowed = min(allowed, item["award_before_cents"])
        award_left = item["award_before_cents"] - allowed
    deductible = min(allowed, max(0, item["deductible_plan_cents"] - item["deductible_before_cents"]))
    rest = allowed - deductible
    copay = min(item["copay_plan_cents"], rest) if rest and not item["is_copay_taken"] else 0
    rest -= copay
    coinsurance = rest - rest * (10_000 - item["coinsurance_bp"]) // 10_000
    borne = deductible + copay + coinsurance
    relief = 0
    if item["oop_max_cents"] is not None:
        relief = min(borne, max(0, item["borne_before_cents"] + borne - item["oop_max_cents"]))
    uncut = allowed - borne + relief
    room = min([uncut] + [ceiling["limit_cents"] - ceiling["used_cents"] for ceiling in item["ceilings"]])
    benefit = max(0, room)
    return {
        **out,
        "refusal": None,
        "units_paid": units,
        "allowed_cents": allowed,
        "award_left_cents": award_left,
        "deductible_cents": deductible,
        "copay_cents": copay,
        "coinsurance_cents": coinsurance,
        "relief_cents": relief,
        "benefit_cents": benefit,
        "cut_cents": uncut - benefit,
        "units_left": None if left is None else left - units,
        "deductible_left_cents": max(0, item["deductible_plan_cents"] - item["deductible_before_cents"] - deductible),
        "oop_left_cents": (
            None
            if item["oop_max_cents"] is None
            else max(0, item["oop_max_cents"] - item["borne_before_cents"] - borne + relief)
        ),
    }


# ---- §6, §7: who may vote, the bar, the tallies, the decision --------------------
def one_case(receipt, case, key_bytes):
    if case["bar"] is None:
        if case["status"] == "open" and receipt["height"] > case["s"]:
            yield "nothing was fixed at s"
        return
    yield from electorate(case)
    yield from bar(case)
    yield from tallies(case)
    yield from decisions(receipt, case)
    if case["panel"] is not None:
        row = next((row for row in case["tallies"] if row["height"] == case["panel"]["height"]), None)
        lacking = case["quorum"] - row["yes"] - row["no"]
        size = min(case["eligible"], max(case["params"]["panel_size"], 2 * lacking))
        if (case["lacking"], case["panel"]["size"]) != (lacking, size) or case["panel"]["height"] != case["s"] + case[
            "params"
        ]["panel_block"]:
            yield (
                f"a duty panel of {case['panel']['size']} for {case['lacking']} lacking ballots, computed {size} for"
                f" {lacking}"
            )
        yield from drawn(receipt, case, case["panel"], key_bytes)
    if case["appeal"] is not None:
        yield from drawn(receipt, case, case["appeal"]["panel"], key_bytes)
        yield from appeal(case)


def electorate(case):
    if case["eligible"] != case["voters"] - sum(item["voters"] for item in case["excluded"]):
        yield "E is not the voters without the excluded ones"
    p = case["params"]
    quorum = min(case["eligible"], max(p["quorum_min"], min(p["quorum_max"], ceil(case["eligible"], p["quorum_div"]))))
    if (case["quorum"], case["opened_needed"]) != (quorum, ceil(quorum, 2)):
        yield f"quorum {case['quorum']} with {case['opened_needed']} opened, computed {quorum} with {ceil(quorum, 2)}"


def bar(case):
    found, p = case["bar"], case["params"]
    term = (case["s"] - 1) // 30
    if (found["first_term"], found["last_term"]) != (term - 12, term):
        yield "the record covers other terms than the twelve before s and its own"
    rows = [row for row in found["terms"] if row["voted"] + row["auto"] > 0 and term - 12 <= row["term"] <= term]
    denied = sum(row["denied"] for row in rows)
    by_hand, auto = sum(row["voted"] for row in rows), sum(row["auto"] for row in rows)
    voted = by_hand + min(auto, by_hand)
    sample = max(voted, p["deny_sample_min"])
    percent, bar_bp = next(row for row in ROWS if 100 * denied >= row[0] * sample)
    years = found["terms_complete"] // 12
    seniority = 0
    if bar_bp < 10_000:
        seniority = max(0, min(years * p["seniority_step_bp"], p["seniority_max_bp"], bar_bp - p["bar_floor_bp"]))
    computed = {
        "denied": denied,
        "voted": voted,
        "sample": sample,
        "row_percent": percent,
        "bar_bp": bar_bp,
        "years": years,
        "seniority_bp": seniority,
        "need_bp": bar_bp - seniority,
    }
    yield from (
        f"bar: {name} is {found[name]}, computed {value}" for name, value in computed.items() if found[name] != value
    )


def counting(case, height):
    return [item for item in case["ballots"] if item["from_height"] <= height <= item["to_height"]]


def tallies(case):
    p, need = case["params"], case["bar"]["need_bp"]
    streak = 0
    for number, row in enumerate(case["tallies"], 1):
        if row["height"] != case["s"] + number:
            yield f"the tally of block {case['s'] + number} is missing"
            return
        now = counting(case, row["height"])
        voters = [item["delegator"] or item["voter"] for item in now]
        if len(set(voters)) != len(voters):
            yield f"block {row['height']}: somebody is counted twice"
        yes = sum(item["choice"] == "accept" for item in now)
        no = sum(item["choice"] == "deny" for item in now)
        opened = sum(
            item["is_opened"] and item["choice"] != "abstain" and not item["is_auto"] and item["delegator"] is None
            for item in now
        )
        quorum = yes + no >= case["quorum"] and opened >= case["opened_needed"]
        majority = 10_000 * yes >= need * (yes + no)
        streak = streak + 1 if quorum and majority else 0
        computed = {
            "yes": yes,
            "no": no,
            "abstain": len(now) - yes - no,
            "opened": opened,
            "has_quorum": quorum,
            "has_majority": majority,
            "passes": quorum and majority,
            "streak": streak,
        }
        for name, value in computed.items():
            if row[name] != value:
                yield f"block {row['height']}: {name} is {row[name]}, the ballots give {value}"
    if len(case["tallies"]) > p["vote_blocks"]:
        yield "there are tallies after the last block of the vote"


def judged(case, use):
    """(height, outcome, how, award) by the tallies, or None while the vote goes on."""
    p = case["params"]
    for row in case["tallies"]:
        if row["streak"] >= p["streak_blocks"] and case["eligible"] >= p["min_voters"]:
            return row["height"], "accepted", "vote", award_of(case, row["height"])
        if row["height"] >= case["s"] + p["vote_blocks"]:
            return (row["height"], *at_the_end(case, row, use))
    return None


def at_the_end(case, row, use):
    p = case["params"]
    if row["has_quorum"] and not row["passes"] and case["eligible"] >= p["min_voters"]:
        return "denied", None, None
    if case["is_second"]:
        if row["yes"] + row["no"] < 3:
            return "accepted", "lapse", min(case["charges_cents"], p["lapse_pay_cents"])
        if row["has_majority"]:
            return "accepted", "vote", award_of(case, row["height"])
        return "denied", None, None
    if use == "claim" and case["charges_cents"] <= p["small_claim_cents"] and case["is_small_used"] is False:
        return "accepted", "small", case["charges_cents"]
    return "lapsed", None, None


def awards_of(case, height):
    return sorted(
        case["charges_cents"] if item["award_cents"] is None else item["award_cents"]
        for item in counting(case, height)
        if item["choice"] == "accept"
    )


def award_of(case, height):
    """The lower median of the accepting ballots' awards."""
    awards = awards_of(case, height)
    return awards[(len(awards) - 1) // 2]


def decisions(receipt, case):
    found = case["decisions"]
    first = judged(case, receipt["use"])
    if case["status"] != (found[-1]["outcome"] if found else "open"):
        yield f"its status is {case['status']}"
    stopped = bool(found) and found[0]["outcome"] in ("withdrawn", "cancelled")
    if first is None:
        if found and not stopped:
            yield f"decided as {found[0]['outcome']} while the vote went on"
        if not found and case["status"] != "open":
            yield "it is closed without a decision"
        if not stopped and case["tallies"] and case["tallies"][-1]["height"] != receipt["height"]:
            yield "the newest tally is missing"
        return
    if not found:
        yield "its decision is missing"
        return
    told = found[0]
    named = (told["height"], told["outcome"], told["how"], told["award_cents"])
    if told["how"] == "vote" and told["awards"] != awards_of(case, told["height"]):
        yield "the awards are not those of the accepting ballots"
    if named != first:
        yield f"decided as {named}, its tallies give {first}"
    if case["tallies"][-1]["height"] != first[0]:
        yield "there are tallies after the decision"
    yield from benefit(receipt, case, found[-1])
    for later in found[1:]:
        if case["appeal"] is None or told["outcome"] != "denied" or len(found) > 2:
            yield f"decided once more as {later['outcome']}"


def benefit(receipt, case, last):
    total = sum(item["benefit_cents"] for item in receipt["settlements"] if item["case"] == case["code"])
    if last["benefit_cents"] != total:
        yield f"its benefit is {last['benefit_cents']}, its lines have {total}"
    mine = [item for item in receipt["settlements"] if item["case"] == case["code"]]
    if any((item["height"], item["how"]) != (last["height"], last["how"]) for item in mine):
        yield "a line settled in another block, or in another way, than its case was decided"
    settled = [item["line"] for item in mine]
    is_paid = last["outcome"] == "accepted" and receipt["use"] == "claim"
    if settled != (case["lines"] if is_paid else []):
        yield "its lines are not those that settled"
    wanted = None
    if last["outcome"] == "accepted" and receipt["use"] == "preauth":
        units = sum(receipt["lines"][index]["units"] for index in case["lines"])
        wanted = {
            "units": units,
            "award_cents": last["award_cents"],
            "first_day": receipt["filed_height"],
            "last_day": last["height"] + 30 * case["params"]["preauth_terms"],
        }
    if case["authorisation"] != wanted:
        yield f"it authorised {case['authorisation']}, by its decision {wanted}"


# ---- §9, §1: appeals and draws ----------------------------------------------------
def appeal(case):
    found = case["appeal"]
    closed = case["decisions"][0]
    if (
        closed["outcome"] != "denied"
        or not closed["height"] < found["height"] <= closed["height"] + case["params"]["appeal_within"]
    ):
        yield "the appeal did not come in time after a denial"
    if len(found["panel"]["members"]) != min(
        case["params"]["appeal_panel"], found["fresh"] if found["fresh"] >= 5 else found["eligible"]
    ):
        yield "the panel has another size"
    panel = set(found["panel"]["members"])
    if any(item["voter"] not in panel for item in found["ballots"]) or len(
        {item["voter"] for item in found["ballots"]}
    ) != len(found["ballots"]):
        yield "a ballot of the appeal is not by a member of the panel, or stands twice"
    yes = sum(item["choice"] == "accept" for item in found["ballots"])
    no = sum(item["choice"] == "deny" for item in found["ballots"])
    quorum = min(15, ceil(len(panel), 3))
    passes = yes > 0 and yes + no >= quorum and 10_000 * yes >= case["bar"]["need_bp"] * (yes + no)
    if (found["yes"], found["no"], found["quorum"]) != (yes, no, quorum):
        yield "the tally of the appeal is not that of its ballots"
    if found["judged_height"] is None:
        return
    if found["judged_height"] != found["height"] + case["params"]["appeal_blocks"] or found["passes"] != passes:
        yield f"the appeal was judged {found['passes']} in block {found['judged_height']}, its ballots give {passes}"
    last = case["decisions"][-1]
    award = None
    if passes:
        given = sorted(
            case["charges_cents"] if item["award_cents"] is None else item["award_cents"]
            for item in found["ballots"]
            if item["choice"] == "accept"
        )
        award = given[(len(given) - 1) // 2]
    if (last["height"], last["outcome"], last["award_cents"]) != (
        found["judged_height"],
        "accepted" if passes else "denied",
        award,
    ):
        yield (
            f"the appeal ended as {last['outcome']} with {last['award_cents']}, its ballots give {passes} with {award}"
        )


def drawn(receipt, case, panel, key_bytes):
    label = panel["kind"].encode() + b"/" + key_bytes(receipt["claim"]) + b"/" + case["code"].encode()
    prefix = bytes.fromhex(panel["randomness"]) + label + b"\x00"
    order = [sha256(prefix + key_bytes(key)).digest() for key in panel["members"]]
    if order != sorted(order) or len(set(panel["members"])) != len(order) or len(order) > panel["size"]:
        yield f"the {panel['kind']} panel does not stand in the order of its draw"


# ---- §11: payouts; §9: the draw for audit -------------------------------------------
def payouts(receipt):
    if receipt["use"] == "preauth":
        if receipt["payouts"]:
            yield "a pre-authorisation was paid"
        return
    decided = {
        case["code"]: case["decisions"][-1]
        for case in receipt["cases"]
        if case["decisions"] and case["decisions"][-1]["outcome"] == "accepted"
    }
    if receipt["standard"] is not None:
        decided[None] = receipt["standard"]
    if {item["case"] for item in receipt["payouts"]} != set(decided):
        yield "the payouts are not those of the decisions"
        return
    is_fraud = any(item["event"] == "fraud_found" for item in receipt["happenings"])
    for item in receipt["payouts"]:
        done = decided[item["case"]]
        name = f"payout of {item['case'] or 'the standard part'}"
        rank = 0 if item["case"] is None else 2 if done["how"] == "appeal" else 1
        if (item["benefit_cents"], item["accepted_height"], item["rank"]) != (
            done["benefit_cents"],
            done["height"],
            rank,
        ):
            yield f"{name}: it is not what was decided"
        owed, last = item["benefit_cents"], item["accepted_height"]
        for pay in item["payments"]:
            if pay["owed_cents"] != owed or pay["height"] < last + (0 if pay["cap_cents"] is None else 1):
                yield f"{name}: block {pay['height']} pays of {pay['owed_cents']}, owed was {owed}"
            yield from (f"{name}: block {pay['height']}: {text}" for text in payment(pay))
            owed, last = pay["left_cents"], pay["height"]
        if item["owed_cents"] + item["cancelled_cents"] != owed:
            yield f"{name}: {item['owed_cents']} is owed, computed {owed}"
        if item["cancelled_cents"] and not (is_fraud or receipt["is_disbanded"]):
            yield f"{name}: {item['cancelled_cents']} is cancelled without a reason"


def payment(pay):
    most = ALL_SAT * pay["rate"] // 10**8
    start, reserve = pay["start_claims_cents"], pay["start_reserve_cents"]
    cap = None if pay["cap_cents"] is None else reserve * pay["claim_reserve_bp"] // 10_000
    available = start + (reserve if cap is None else min(reserve, cap * pay["payouts"]))
    if (pay["cap_cents"], pay["available_cents"]) != (cap, available):
        yield f"cap {pay['cap_cents']} and available {pay['available_cents']}, computed {cap} and {available}"
    if pay["claims_cents"] > start or pay["reserve_cents"] > reserve:
        yield "an account grew while payouts were made"
    is_short = pay["available_cents"] < pay["total_owed_cents"]
    wanted = pay["owed_cents"]
    if pay["is_at_ratio"]:
        wanted = pay["owed_cents"] * pay["available_cents"] // pay["total_owed_cents"]
        if not is_short or (pay["cap_cents"] is not None and pay["height"] % 30):
            yield "it is paid at a ratio without need"
    elif is_short and (pay["cap_cents"] is None or pay["height"] % 30 == 0):
        yield "it is not paid at the ratio"
    limit = pay["claims_cents"] + (
        pay["reserve_cents"] if pay["cap_cents"] is None else min(pay["cap_cents"], pay["reserve_cents"])
    )
    paid = min(wanted, limit, most)
    sat = paid * 10**8 // pay["rate"]
    left = 0 if pay["cap_cents"] is None else pay["owed_cents"] - paid
    if (pay["paid_cents"], pay["amount_sat"], pay["left_cents"]) != (paid, sat, left):
        yield (
            f"paid {pay['paid_cents']} = {pay['amount_sat']} sat with {pay['left_cents']} left, computed {paid} = {sat}"
            f" sat with {left}"
        )


def audit(receipt, key_bytes):
    found = receipt["audit"]
    if found is None or receipt["use"] == "preauth":
        if receipt["use"] == "claim" or found is not None:
            yield "the draw for audit is missing, or one too many"
        return
    digest = sha256(bytes.fromhex(found["randomness"]) + b"audit" + key_bytes(receipt["claim"])).digest()
    number = int.from_bytes(digest, "big") % 10_000
    odds = min(10_000, found["random_bp"] * (10 if found["trigger"] not in (None, "random") else 1))
    if (
        number != found["number"]
        or (number < odds) != found["is_drawn"]
        or (found["trigger"] is None) == found["is_drawn"]
    ):
        yield f"the draw for audit gives {number} against odds of {odds}"
