"""What must be true of the events of any scenario, whatever the rules decided.

Seen from outside, from the events alone.
"""


def broken_laws(genesis, events):
    """A sentence for every law the events break."""
    return [
        *decision_laws(events),
        *line_laws(events),
        *payout_laws(genesis, events),
        *premium_laws(events),
        *proposal_laws(events),
    ]


def decision_laws(events):
    """One decision a case; after an appeal exactly one more, which is final."""
    decided, appealed = {}, {}
    for e in events:
        if e["event"] in ("claim_accepted", "claim_denied", "claim_lapsed"):
            case = (e["claim"], e["case"])
            decided[case] = decided.get(case, 0) + 1
            if decided[case] > 1 + appealed.get(case, 0):
                yield f"{case} is decided {decided[case]} times"
        elif e["event"] == "appeal_opened":
            case = (e["claim"], e["case"])
            appealed[case] = appealed.get(case, 0) + 1
            if appealed[case] > 1 or not decided.get(case):
                yield f"{case} is appealed {appealed[case]} times, or before its decision"


def line_laws(events):
    """A line is settled or refused once; its figures add up; a decision's benefit is that of its lines."""
    seen, waiting = set(), {}
    for e in events:
        if e["event"] == "claim_line":
            name = (e["claim"], e["line"])
            if name in seen:
                yield f"line {name} is settled twice"
            seen.add(name)
            parts = sum(
                e[field]
                for field in ("deductible_cents", "copay_cents", "coinsurance_cents", "benefit_cents", "cut_cents")
            )
            if e["allowed_cents"] != parts - e["relief_cents"]:
                yield f"line {name}: the figures do not add up to {e['allowed_cents']}"
            if min(value for field, value in e.items() if field.endswith("_cents")) < 0:
                yield f"line {name}: a figure below zero"
            waiting[e["claim"]] = waiting.get(e["claim"], 0) + e["benefit_cents"]
        elif e["event"] == "claim_accepted" and waiting.pop(e["claim"], 0) != e["benefit_cents"]:
            yield f"{e['claim']} {e['case']}: the benefit is not that of its lines"


def payout_laws(genesis, events):
    """Money is conserved; a payout follows the decision it pays and never exceeds it."""
    money = sum(genesis.get("accounts", {}).values())
    rate = genesis.get("rate")
    benefits, refunds = {}, {}
    for e in events:
        if e["event"] == "premium_paid":
            money += e["amount_cents"]
        elif e["event"] == "rate_set":
            rate = e["to"]
        elif e["event"] == "claim_accepted":
            benefits[e["claim"], e["case"]] = e["benefit_cents"]
        elif e["event"] == "deposit_returned":
            money += e["kept_cents"]
            refunds[e["member"]] = refunds.get(e["member"], 0) + e["returned_cents"]
        elif e["event"] == "payout_due" and (e["claim"] or "").startswith("deposit/"):
            refunds[e["payee"]] = refunds.get(e["payee"], 0) - e["amount_cents"]
            if refunds[e["payee"]] < 0:
                yield f"{e['payee']} gets {-refunds[e['payee']]} more than the deposit"
        elif e["event"] == "payout_due":
            money -= e["amount_cents"]
            if e["claim"] is not None:
                case = (e["claim"], e["case"])
                benefits[case] = benefits.get(case, 0) - e["amount_cents"]
                if benefits[case] < 0:
                    yield f"{case} is paid {-benefits[case]} more than was accepted"
            if e["amount_sat"] != e["amount_cents"] * 10**8 // rate:
                yield f"a payout of {e['amount_cents']} sends {e['amount_sat']} satoshi at {rate}"
        elif e["event"] == "shown" and e["what"] == "accounts":
            if e["claims_cents"] + e["reserve_cents"] != money:
                yield (
                    f"{e['claims_cents']} + {e['reserve_cents']} in the accounts, {money} came in and was not paid out"
                )
            if min(e["claims_cents"], e["reserve_cents"]) < 0:
                yield "an account is below zero"


def premium_laws(events):
    """No premium is paid that was not due, and no rate leaves its clamp."""
    due = {}
    for e in events:
        if e["event"] == "premium_due":
            due.setdefault(e["member"], []).append(e["amount_cents"])
        elif e["event"] == "deposit_returned":
            due[e["member"]] = without_oldest(due.get(e["member"], []), e["kept_cents"])
        elif e["event"] == "premium_paid":
            if not due.get(e["member"]) or due[e["member"]].pop(0) != e["amount_cents"]:
                yield f"{e['member']} pays a premium that was not the oldest due"
        elif e["event"] == "premium_set":
            old, new = e["old_cents"], e["new_cents"]
            if not 9 * old <= 10 * new or not 10 * new <= 11 * old:
                yield f"{e['plan']} moves from {old} to {new}"


def without_oldest(amounts, kept):
    """What is still due after so much was kept from a deposit, the oldest first."""
    still = []
    for amount in amounts:
        taken = min(kept, amount)
        kept -= taken
        if taken < amount:
            still.append(amount - taken)
    return still


def proposal_laws(events):
    """A proposal opens once and is judged once."""
    stages = {}
    for e in events:
        if e["event"].startswith("proposal_"):
            before = stages.get(e["proposal"])
            stages[e["proposal"]] = e["event"]
            wanted = {"proposal_opened": None, "proposal_void": "proposal_passed"}.get(e["event"], "proposal_opened")
            if before != wanted:
                yield f"{e['proposal']} is {e['event']} after {before}"
