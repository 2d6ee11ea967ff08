"""Computes proposals, renewals, bars and premiums again from their receipts' JSON. Imports nothing of the program."""

from .stranger import ROWS, ceil


def proposal_problems(receipt):
    signed = len(receipt["sponsors"])
    needed = max(receipt["sponsor_min"], ceil(receipt["voters"], receipt["sponsor_div"])) if signed else 0
    if signed and receipt["sponsors_needed"] != needed:
        yield f"{receipt['sponsors_needed']} sponsors were needed, computed {needed}"
    if len({item["member"] for item in receipt["sponsors"]}) != signed:
        yield "somebody sponsored twice"
    opened = receipt["opened_height"]
    if opened is None:
        if receipt["status"] != "gathering" or signed >= needed:
            yield "it should have opened"
        return
    if signed and (signed < needed or receipt["sponsors"][-1]["height"] != opened):
        yield "it opened without its sponsors, or in another block than the last needed signature"
    turnout = min(receipt["turnout_max"], ceil(receipt["eligible"], receipt["turnout_div"]))
    if receipt["turnout_needed"] != turnout:
        yield f"turnout of {receipt['turnout_needed']}, computed {turnout}"
    last = opened + receipt["proposal_blocks"]
    counts = {"yes": 0, "no": 0, "abstain": 0}
    for vote in receipt["votes"]:
        counts[vote["choice"]] += 1
        if not opened < vote["height"] <= last:
            yield f"a vote of block {vote['height']} counts"
    if {name: receipt[name] for name in counts} != counts:
        yield f"the votes give {counts}"
    critical = receipt["body"]["what"] in ("phase", "signer", "attester", "protocol") or receipt["is_critical"]
    passes = (
        counts["yes"] > counts["no"]
        and sum(counts.values()) >= turnout
        and (not critical or 3 * counts["yes"] >= 2 * (counts["yes"] + counts["no"]))
    )
    if receipt["judged_height"] is None:
        if receipt["height"] >= last:
            yield "it was not judged"
        return
    if receipt["judged_height"] != last or receipt["passes"] != passes or (receipt["status"] == "failed") == passes:
        yield (
            f"it was judged {receipt['passes']} in block {receipt['judged_height']}, its votes give {passes} in {last}"
        )
    effective = ceil(last, 30) * 30 + (30 if critical else 0) if passes else None
    if receipt["effective_height"] != effective:
        yield f"it takes effect in block {receipt['effective_height']}, computed {effective}"


def member_problems(receipt):
    bar = receipt["bar"]
    rows = [row for row in bar["terms"] if row["voted"] + row["auto"] > 0]
    denied, by_hand, auto = (sum(row[name] for row in rows) for name in ("denied", "voted", "auto"))
    voted = by_hand + min(auto, by_hand)
    sample = max(voted, receipt["deny_sample_min"])
    percent, bar_bp = next(row for row in ROWS if 100 * denied >= row[0] * sample)
    years = bar["terms_complete"] // 12
    seniority = (
        0
        if bar_bp == 10_000
        else max(
            0, min(years * receipt["seniority_step_bp"], receipt["seniority_max_bp"], bar_bp - receipt["bar_floor_bp"])
        )
    )
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
        f"bar: {name} is {bar[name]}, computed {value}" for name, value in computed.items() if bar[name] != value
    )
    for item in receipt["renewals"]:
        yield from (f"block {item['height']}: {text}" for text in renewal(item))


def renewal(item):
    rows = [row for row in item["terms"] if row["voted"] + row["auto"] > 0]
    denied, by_hand, auto = (sum(row[name] for row in rows) for name in ("denied", "voted", "auto"))
    voted, closings = by_hand + min(auto, by_hand), len(rows)
    if (item["denied"], item["voted"], item["terms_with_closings"]) != (denied, voted, closings):
        yield f"the record is {item['denied']} of {item['voted']}, its terms give {denied} of {voted}"
    counts = voted >= item["renewal_min"] and closings >= item["renewal_terms"]
    refusable = counts and 100 * denied >= item["renewal_pct"] * voted
    warnable = counts and 100 * denied >= item["warning_pct"] * voted
    if (item["is_refusable"], item["is_warnable"]) != (refusable, warnable):
        yield "the conditions are not those of the figures"
    notice = max(item["last_block"], item["height"] + 30)
    outcome, until = "none", None
    if item["until_before"] is not None:
        if not refusable:
            outcome = "cleared"
        elif item["height"] >= item["until_before"]:
            outcome = "ended"
        else:
            until = item["until_before"]
    elif refusable:
        outcome, until = "refused", notice
    if outcome in ("none", "cleared") and warnable and not refusable and not item["was_warned"]:
        outcome = "warned"
    if item["outcome"] != outcome or (item["until"] != until and outcome != "ended"):
        yield f"it said {item['outcome']} until {item['until']}, computed {outcome} until {until}"


def premium_problems(receipt):
    old = None
    for item in receipt["reratings"]:
        name = f"block {item['height']}"
        if old is not None and item["old_cents"] != old:
            yield f"{name}: the old premium is not the one before"
        cost = sum(row["benefits_cents"] for row in item["terms"])
        weight = sum(row["weight_bp"] for row in item["terms"]) + 10_000 * item["credibility_k"]
        short = item["reserve_cents"] < item["annual_premium_cents"] * item["reserve_bp"] // 10_000
        load = item["reserve_bp"] if short else 0
        estimate, target = None, item["old_cents"]
        if weight:
            estimate = (cost + item["credibility_k"] * item["prior_cents"]) * 10_000 // weight
            target = estimate * 10_000 // (10_000 - load - item["expense_bp"])
        low, high = ceil(9 * item["old_cents"], 10), 11 * item["old_cents"] // 10
        computed = {
            "cost_cents": cost,
            "weight_bp": weight,
            "load_bp": load,
            "estimate_cents": estimate,
            "target_cents": target,
            "low_cents": low,
            "high_cents": high,
            "new_cents": min(max(target, low), high),
        }
        yield from (
            f"{name}: {field} is {item[field]}, computed {value}"
            for field, value in computed.items()
            if item[field] != value
        )
        old = item["new_cents"]
