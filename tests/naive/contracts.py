"""Contracts, premiums, suspension, re-rating (§3, §11), leaving (§2)."""

from . import dependants
from .world import (
    TERM,
    YEAR,
    active_member,
    annual_premium,
    contract_of,
    emit,
    full_rate,
    is_suspended,
    member,
    phase,
    refuse_if,
    running,
    term_of,
)


def by_name(w):
    return [w["members"][name] for name in sorted(w["members"], key=str.encode)]


def owed(m):
    return sum(amount for _, amount, _ in m["owed"])


# ---- Start of a term ----


def ask_premiums(w):
    if phase(w) == "recruit" or w["run_off"] is not None:
        return
    term = term_of(w["height"])
    for m in by_name(w):
        contract = running(m)
        if contract is None or contract["first_term"] > term:
            continue
        amount = full_rate(w, m)
        m["owed"].append((w["height"], amount, contract["plan"]))
        emit(w, "premium_due", member=m["name"], plan=contract["plan"], amount_cents=amount)
        if w["auto_pay"]:
            pay_all(w, m)


def split_premium(w, amount):
    """A part of each premium goes to the reserve while that is below its aim."""
    aim = annual_premium(w) * w["params"]["reserve_bp"] // 10000
    part = min(amount * w["params"]["reserve_bp"] // 10000, max(0, aim - w["reserve"]))
    w["reserve"] += part
    w["claims_account"] += amount - part


def pay_all(w, m):
    for _, amount, plan in m["owed"]:
        split_premium(w, amount)
        w["premiums_paid"].append((m["name"], term_of(w["height"]), amount))
        emit(w, "premium_paid", member=m["name"], plan=plan, amount_cents=amount)
    m["owed"] = []
    if is_suspended(m):
        m["suspended"][-1][1] = w["height"]
        if running(m) is not None:
            emit(w, "cover_resumed", member=m["name"], plan=m["contracts"][-1]["plan"], amount_cents=0)


# ---- Records ----


def pay_premium(w, act):
    m = member(w, act["by"])
    refuse_if(not m["owed"], "nothing is owed")
    pay_all(w, m)


def change_plan(w, act):
    m = active_member(w, act["by"])
    terms = act.get("contract_terms", 1)
    refuse_if(act["plan"] not in w["plans"], "no such plan")
    refuse_if(terms not in (1, 3, 6, 12), "1, 3, 6 or 12 terms")
    refuse_if(m["leaving_at"] is not None, "leaving")
    refuse_if(running(m) is None, "no contract in force")
    check_guarantee(w, terms)
    m["next"] = (act["plan"], terms)


def check_guarantee(w, terms):
    if terms == 1:
        return
    total = 0
    longer = 0
    for m in by_name(w):
        contract = running(m)
        if contract is not None:
            total += full_rate(w, m)
            longer += full_rate(w, m) if contract["terms"] > 1 else 0
    refuse_if(10000 * longer > w["params"]["guaranteed_max_bp"] * total, "too many guaranteed rates")


def leave(w, act):
    m = active_member(w, act["by"])
    refuse_if(m["leaving_at"] is not None, "notice is given")
    m["leaving_at"] = (term_of(w["height"]) + 2) * TERM


# ---- End of day: grace ----


def suspend(w):
    for m in by_name(w):
        contract = running(m)
        if contract is None or not m["owed"] or is_suspended(m):
            continue
        grace = w["plans"][contract["plan"]]["grace"]
        grace = w["params"]["grace_blocks"] if grace is None else grace
        if w["height"] >= m["owed"][0][0] + grace:
            m["suspended"].append([w["height"] + 1, None])
            emit(w, "cover_suspended", member=m["name"], plan=contract["plan"], amount_cents=owed(m))


# ---- Deposits ----


def return_deposits(w):
    """Last in a boundary: what was deposited goes back to whose membership has ended, less what is owed."""
    for m in by_name(w):
        if m["deposit"] and running(m) is None:
            deposit, m["deposit"] = m["deposit"], 0
            give_back(w, m["name"], deposit)


def give_back(w, name, deposit):
    """Premiums owed are kept, the oldest first, then what fraud made a debt.

    The rest is a payout of the class of refunds.
    """
    left = deposit
    m = w["members"].get(name)
    if m is not None:
        left = keep_premiums(w, m, left)
        debt = min(left, m["receivable"])
        m["receivable"] -= debt
        w["claims_account"] += debt
        left -= debt
    w["deposits"] -= deposit - left
    emit(w, "deposit_returned", member=name, deposit_cents=deposit, kept_cents=deposit - left, returned_cents=left)
    if left:
        w["payouts"].append(
            {
                "claim": f"deposit/{name}/{w['height']}",
                "case": None,
                "class": 3,
                "accepted": w["height"],
                "due": w["height"] + 1,
                "owed": left,
                "paid": 0,
                "payee": name,
                "by": name,
                "member": name,
                "provider": None,
            }
        )


def keep_premiums(w, m, left):
    """Part of a premium may be kept; what is kept is split like one premium."""
    still, total = [], 0
    for due, amount, plan in m["owed"]:
        kept = min(left, amount)
        left -= kept
        total += kept
        if kept < amount:
            still.append((due, amount - kept, plan))
    m["owed"] = still
    if total:
        split_premium(w, total)
        w["premiums_paid"].append((m["name"], term_of(w["height"]), total))
    return left


# ---- Boundary ----


def end_contract(w, m):
    contract = running(m)
    contract["last"] = w["height"]
    m["refused_until"] = None
    if m["leaving_at"] != w["height"]:
        m["leaving_at"] = None  # membership ends with cover; the notice has nothing left to end
    if phase(w) != "recruit":
        emit(w, "contract_ended", member=m["name"], plan=contract["plan"], amount_cents=owed(m))
    dependants.end_all(w, m)


def roll_contract(w, m):
    """The next contract: a new one if a change was asked for, else one term at the current rate."""
    contract = running(m)
    term = term_of(w["height"]) + 1
    contract["last"] = w["height"]
    if m["next"] is None:
        following = contract_of(contract["plan"], term, 1, w["plans"][contract["plan"]]["rate"])
        following["old_plan"] = contract["old_plan"]
        following["old_plan_until"] = contract["old_plan_until"]
    else:
        plan, terms = m["next"]
        following = contract_of(plan, term, terms, w["plans"][plan]["rate"])
        held = contract["plan"]
        if contract["old_plan"] is not None and w["height"] < contract["old_plan_until"]:
            held = contract["old_plan"]
        if w["plans"][plan]["rate"] > w["plans"][held]["rate"] and w["plans"][plan]["waiting_terms"]:
            following["old_plan"] = held
            following["old_plan_until"] = w["height"] + TERM * w["plans"][plan]["waiting_terms"]
        m["next"] = None
    m["contracts"].append(following)
    dependants.set_shares(w, m)


def turn_contracts(w):
    for m in by_name(w):
        turn_contract(w, m)
        dependants.turn(w, m)
        if m["leaving_at"] == w["height"] and m["left"] is None and not w["disbanded"]:
            m["left"] = w["height"]
            emit(w, "member_left", member=m["name"])


def start_held_contracts(w):
    """The recruits' contracts begin with the term after the phase `recruit`."""
    for m in by_name(w):
        contract = running(m)
        if contract is not None:
            term = term_of(w["height"]) + 1
            plan = w["plans"][contract["plan"]]
            if m["next"] is not None:  # a change asked for while recruiting: the contract begins as the one named
                contract["plan"], contract["terms"] = m["next"]
                m["next"] = None
                plan = w["plans"][contract["plan"]]
            contract["first_term"] = m["first_term"] = m["years_from"] = term
            contract["rate"] = plan["rate"]
            m["waiting_until"] = (term + plan["waiting_terms"]) * TERM


def turn_contract(w, m):
    contract = running(m)
    if phase(w) == "recruit" and m["leaving_at"] != w["height"]:
        return
    if contract is None or contract["first_term"] > term_of(w["height"]):
        return
    if len(m["owed"]) >= w["params"]["unpaid_terms"]:
        end_contract(w, m)
    elif m["leaving_at"] == w["height"]:
        end_contract(w, m)
    elif (contract["first_term"] + contract["terms"]) * TERM == w["height"] and m["refused_until"] is None:
        roll_contract(w, m)


def count_contracts(w):
    """Before a boundary changes anything: one (contract, term) pair for each contract in force."""
    for m in by_name(w):
        contract = running(m)
        if contract is not None and contract["first_term"] <= term_of(w["height"]) and phase(w) != "recruit":
            weight = 10000 + w["params"]["dependant_bp"] * len(dependants.in_force(w, m))
            w["pairs"].append((contract["plan"], term_of(w["height"]), weight))


def is_reserve_short(w):
    return w["reserve"] < annual_premium(w) * w["params"]["reserve_bp"] // 10000


def rerate(w):
    p = w["params"]
    term = term_of(w["height"])
    for name in sorted(w["plans"], key=str.encode):
        plan = w["plans"][name]
        m = sum(weight for plan_name, t, weight in w["pairs"] if plan_name == name and term - YEAR < t <= term)
        cost = sum(x["benefit"] for x in w["settled"] if x["plan"] == name and term - YEAR < x["term"] <= term)
        old = plan["rate"]
        target = old
        k = 10000 * p["credibility_k"]  # pairs are counted in ten thousandths: a dependant counts its share
        if m + k > 0:
            estimate = (10000 * cost + k * plan["prior"]) // (m + k)
            load = p["reserve_bp"] if is_reserve_short(w) else 0
            target = estimate * 10000 // (10000 - load - p["expense_bp"])
        new = max(-(-9 * old // 10), min(11 * old // 10, target))
        plan["rate"] = new
        emit(w, "premium_set", plan=name, old_cents=old, target_cents=target, new_cents=new)
