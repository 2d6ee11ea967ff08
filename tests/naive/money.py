"""The exchange rate, payouts and solvency (§11)."""

from .contracts import by_name, end_contract
from .world import (
    TERM,
    YEAR,
    active_member,
    annual_premium,
    emit,
    is_boundary,
    lower_median,
    refuse_if,
    running,
    term_of,
)

BITCOIN_MAX = 21_000_000  # no payment asks for more than there will ever be


def quote(w, act):
    active_member(w, act["by"])
    refuse_if(act["rate"] < 1, "a rate is above zero")
    w["quotes"][act["by"]] = act["rate"]


def set_rate(w):
    if not w["quotes"]:
        return
    old = w["rate"]
    new = lower_median(w["quotes"].values())
    if old is not None:
        move = w["params"]["rate_move_bp"]
        new = max(-(-old * (10000 - move) // 10000), min(old * (10000 + move) // 10000, new))
    w["rate"] = new
    w["quotes"] = {}
    emit(w, "rate_set", **{"from": old, "to": new})


def is_held(w, payout):
    for hold in w["holds"]:
        if hold["lifted"] is None and hold["member"] in (payout["by"], payout["member"], payout["provider"]):
            return True
    return False


def pay_out(w):
    if w["rate"] is None:
        return
    due = [x for x in w["payouts"] if x["owed"] > 0 and x["due"] <= w["height"] and not is_held(w, x)]
    refunds = [x for x in due if x["class"] == 3]
    due = [x for x in due if x["class"] != 3]
    due.sort(key=lambda x: (x["class"], x["accepted"], x["claim"].encode(), (x["case"] or "").encode()))
    cap = w["reserve"] * w["params"]["claim_reserve_bp"] // 10000
    available = w["claims_account"] + min(w["reserve"], cap * len(due))
    total = sum(x["owed"] for x in due)
    scarce = is_boundary(w["height"]) and available < total
    for x in due:
        wanted = x["owed"] * available // total if scarce else x["owed"]
        pay = min(wanted, w["claims_account"] + min(cap, w["reserve"]), BITCOIN_MAX * w["rate"])
        from_claims = min(pay, w["claims_account"])
        w["claims_account"] -= from_claims
        w["reserve"] -= pay - from_claims
        x["owed"] -= pay
        x["paid"] += pay
        if pay > 0:
            tell_payout(w, x, pay)
        if x["owed"] > 0:
            emit(w, "payout_short", claim=x["claim"], case=x["case"], paid_cents=pay, owed_cents=x["owed"])
    refund(w, refunds)


def refund(w, refunds):
    """Deposits go back from the deposits, after everything else, in full."""
    for x in sorted(refunds, key=lambda x: (x["accepted"], x["claim"].encode())):
        pay = min(x["owed"], BITCOIN_MAX * w["rate"])
        w["deposits"] -= pay
        x["owed"] -= pay
        x["paid"] += pay
        tell_payout(w, x, pay)
        if x["owed"] > 0:
            emit(w, "payout_short", claim=x["claim"], case=None, paid_cents=pay, owed_cents=x["owed"])


def tell_payout(w, x, cents):
    emit(
        w,
        "payout_due",
        claim=x["claim"],
        case=x["case"],
        payee=x["payee"],
        amount_cents=cents,
        amount_sat=cents * 10**8 // w["rate"],
    )


def judge_solvency(w):
    """Boundary: admissions stop below 3 % of A, run-off after three short boundaries, then the end."""
    p = w["params"]
    owed = sum(x["owed"] for x in w["payouts"] if x["class"] != 3)
    if w["run_off"] is not None:
        end_run_off(w, owed)
        return
    if w["height"] >= 90:
        short = 10000 * w["reserve"] < p["stop_bp"] * annual_premium(w)
        if short != w["admission_stopped"]:
            emit(w, "admission_stopped", **{"from": w["admission_stopped"], "to": short})
            w["admission_stopped"] = short
    short = w["claims_account"] + w["reserve"] < owed
    w["short_boundaries"] = w["short_boundaries"] + 1 if short else 0
    if w["short_boundaries"] >= p["run_off_terms"]:
        w["run_off"] = w["height"]
        emit(w, "run_off", **{"from": False, "to": True})


def end_run_off(w, owed):
    if w["height"] < w["run_off"] + TERM * w["params"]["filing_terms"]:
        return
    if any(case["status"] == "open" for case in w["cases"]) or w["disbanded"] or w["rate"] is None:
        return
    money = w["claims_account"] + w["reserve"]
    due = [x for x in w["payouts"] if x["owed"] > 0 and x["class"] != 3]
    due.sort(key=lambda x: (x["class"], x["accepted"], x["claim"].encode(), (x["case"] or "").encode()))
    ratio = min(money, owed)
    for x in due:
        pay = min(x["owed"] * ratio // owed, BITCOIN_MAX * w["rate"])
        from_claims = min(pay, w["claims_account"])
        w["claims_account"] -= from_claims
        w["reserve"] -= pay - from_claims
        x["owed"] = 0
        x["paid"] += pay
        if pay > 0:
            tell_payout(w, x, pay)
    w["disbanded"] = True
    emit(w, "disbanded", **{"from": False, "to": True})
    for m in by_name(w):
        if running(m) is not None:
            end_contract(w, m)
            m["left"] = w["height"]
    share_rest(w)


def share_rest(w):
    """What is left goes back by the premiums of the last twelve terms, each share rounded down."""
    term = term_of(w["height"])
    recent = [(name, amount) for name, t, amount in w["premiums_paid"] if term - YEAR < t <= term]
    total = sum(amount for _, amount in recent)
    left = w["claims_account"] + w["reserve"]
    for name in sorted({name for name, _ in recent}, key=str.encode):
        share = left * sum(amount for payer, amount in recent if payer == name) // total if total else 0
        from_claims = min(share, w["claims_account"])
        w["claims_account"] -= from_claims
        w["reserve"] -= share - from_claims
        if share > 0:
            tell_payout(w, {"claim": None, "case": None, "payee": name}, share)
