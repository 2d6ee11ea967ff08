"""Claims (rules §5): what may be filed, and how a line is settled."""

from . import questions
from .audits import draw_audit
from .world import TERM, YEAR, code_key, code_on, emit, figures_on, member, patient_of, refuse_if, term_of

NOTHING = {
    "units_paid": 0,
    "allowed_cents": 0,
    "deductible_cents": 0,
    "copay_cents": 0,
    "coinsurance_cents": 0,
    "relief_cents": 0,
    "cut_cents": 0,
    "benefit_cents": 0,
}


def contract_on(m, day):
    for contract in m["contracts"]:
        begins = contract["first_term"] * TERM + 1
        if begins <= day and (contract["last"] is None or day <= contract["last"]):
            found = contract
            break
    else:
        return None
    return found


def is_covered(w, m, day, cover=None):
    """`cover`: of a dependant, whose days are fewer."""
    if contract_on(m, day) is None:
        return False
    if cover is not None and (day < cover["first_day"] or (cover["last"] is not None and day > cover["last"])):
        return False
    for first, end in m["suspended"]:
        if first <= day and (end is None or day < end):
            return False
    if m["left"] is not None and day > m["left"]:
        return False
    phase = None
    for height, name in w["phases"]:
        if height < day or height == 0:
            phase = name
    if phase == "recruit":
        return False
    return not (w["run_off"] is not None and day > w["run_off"])


def plan_on(w, m, day):
    contract = contract_on(m, day)
    if contract["old_plan"] is not None and day <= contract["old_plan_until"]:
        return figures_on(w["plans"][contract["old_plan"]], day)
    return figures_on(w["plans"][contract["plan"]], day)


def year_on(w, m, by, day):
    """The benefit year of the member, or of the dependant, who counts from the own first day."""
    first = term_of(w["covers"][by]["first_day"]) if by in w["covers"] else m["years_from"]
    return (term_of(day) - first) // YEAR


def carry_refusal(w, m, line, by):
    """The reasons found in the carrying block for every line: 8, 1, 2, 4."""
    if w["height"] > line["day"] + TERM * w["params"]["filing_terms"]:
        return 8
    cover = w["covers"].get(by)
    if not is_covered(w, m, line["day"], cover):
        return 1
    if line["day"] <= (m if cover is None else cover)["waiting_until"]:
        return 2
    covered = plan_on(w, m, line["day"])["codes"]
    if covered and line["code"] not in covered:
        return 4
    return None


def file_claim(w, act):
    m = member(w, patient_of(w, act["by"]))
    refuse_if(act["id"] in w["claims"], "this claim exists")
    refuse_if(act["provider"] not in w["providers"], "the provider is not enrolled")
    refuse_if(act["provider"] == act["by"], "nobody attests an own claim")
    by_provider = act.get("submitter", "member") == "provider"
    if by_provider:
        refuse_if(act.get("scheme", "") not in w["community"], "no community scheme")
        refuse_if(
            act.get("payee", "member") != "provider" or act.get("use", "claim") != "claim",
            "a claim, and paid to the provider",
        )
        refuse_if(w["height"] <= w["barred"].get(act["provider"], 0), "barred after fraud")
    refuse_if(not act["lines"], "a claim has lines")
    refuse_if(act.get("payee", "member") not in ("member", "provider"), "payee is member or provider")
    refuse_if(act.get("other_payer_cents", 0) < 0, "below zero")
    asks = act.get("use", "claim") == "preauth"
    for line in act["lines"]:
        refuse_if(line.get("units", 1) < 1 or line["charge_cents"] < 1, "units and charges are above zero")
        if asks:
            refuse_if(line["day"] < w["height"], "a question is asked before the service")
            refuse_if(line["day"] > w["height"] + TERM * w["params"]["preauth_terms"], "too far ahead")
        else:
            refuse_if(line["day"] > w["height"], "a day after the carrying block")
        others = [x for x in act["lines"] if x["code"] == line["code"]]
        refuse_if(any(code_key(x) != code_key(line) for x in others), "one code under two systems")
    superseded = []
    if act.get("supersedes") is not None:
        old = w["claims"].get(act["supersedes"])
        refuse_if(old is None or old["by"] != act["by"], "supersedes names no own claim")
        refuse_if(
            by_provider and (not old["by_provider"] or old["provider"] != act["provider"]), "not filed by this provider"
        )
        superseded = [case for case in w["cases"] if case["claim"] is old and case["status"] == "open"]
    repeats = []
    seen = []
    for line in act["lines"]:
        key = (act["by"], line["code"], line["day"], act["provider"])
        refuse_if(key in seen, "the line stands twice in the claim")
        seen.append(key)
        if asks:
            refuse_if(questions.is_asked(w, key, superseded), "this code is asked for already")
            repeats.append(False)
        else:
            repeats.append(lapses_repeated(w, key, superseded))
    for case in superseded:
        withdraw_case(w, case)
    claim = {
        "id": act["id"],
        "by": act["by"],
        "member": m["name"],
        "provider": act["provider"],
        "payee": act.get("payee", "member"),
        "other_left": act.get("other_payer_cents", 0),
        "copay_done": False,
        "height": w["height"],
        "version": 1,
        "opened": [],
        "fraud": False,
        "audit": None,
        "lines": [],
        "event": act.get("event") or act["id"],
        "asks": asks,
        "by_provider": by_provider,
        "panel_at": None,
        "panel_until": None,
        "panel": [],
    }
    w["claims"][act["id"]] = claim
    if by_provider:
        emit(w, "provider_claimed", claim=act["id"], member=act["by"], provider=act["provider"], scheme=act["scheme"])
    for index, given in enumerate(act["lines"]):
        line = {
            "index": index,
            "code": given["code"],
            "system": given.get("system", ""),
            "units": given.get("units", 1),
            "charge": given["charge_cents"],
            "day": given["day"],
            "case": None,
            "repeats": repeats[index],
            "result": None,
            "preauth": None,
        }
        line["standard"] = code_on(w, code_key(given), given["day"])["standard"]
        claim["lines"].append(line)
    if asks:
        questions.answer_question(w, m, claim)
        return
    settle_at_once(w, m, claim)
    draw_audit(w, m, claim)


def lapses_repeated(w, key, superseded):
    """How many lapsed cases hold this line; refused when anything but one lapsed case holds it."""
    lapsed = 0
    for claim in w["claims"].values():
        if claim["asks"] or (claim["by_provider"] and claim["fraud"]):
            continue
        for line in claim["lines"]:
            if (claim["by"], line["code"], line["day"], claim["provider"]) != key:
                continue
            case = line["case"]
            if case is not None and (case["status"] == "withdrawn" or case in superseded):
                continue
            refuse_if(case is None or case["status"] != "lapsed", "the line stands in an earlier claim")
            lapsed += 1
    refuse_if(lapsed > 1, "a lapsed case is filed again once")
    return lapsed


def settle_at_once(w, m, claim):
    benefit = 0
    standard = 0
    waiting = []
    for line in claim["lines"]:
        refusal = carry_refusal(w, m, line, claim["by"])
        if refusal is not None:
            refuse_line(w, claim, line, refusal)
            standard += line["standard"]
        elif line["standard"]:
            benefit += settle_line(w, claim, line, None)
            standard += 1
        elif questions.authorised_for(w, m, claim, line) is not None:
            benefit += questions.settle_authorised(w, claim, line, questions.authorised_for(w, m, claim, line))
            standard += 1
        else:
            waiting.append(line)
    if standard or not waiting:
        emit(
            w,
            "claim_accepted",
            claim=claim["id"],
            case=None,
            how="standard",
            yes=None,
            no=None,
            bar_bp=None,
            seniority_bp=None,
            award_cents=None,
            benefit_cents=benefit,
        )
        owe_payout(w, claim, None, 0, benefit)
    open_cases(w, claim, waiting)


def open_cases(w, claim, waiting):
    codes = []
    for line in waiting:
        if line["code"] not in codes:
            codes.append(line["code"])
    for code in codes:
        lines = [line for line in waiting if line["code"] == code]
        case = {
            "claim": claim,
            "code": code,
            "system": lines[0]["system"],
            "s": w["height"],
            "lines": lines,
            "status": "open",
            "charges": sum(line["charge"] for line in lines),
            "second": all(line["repeats"] for line in lines),
            "ballots": {},
            "changes": [],
            "E": None,
            "bar": None,
            "seniority": None,
            "params": None,
            "streak": 0,
            "votes": {},
            "closed": None,
            "by_vote": False,
            "appealed": False,
            "benefit": 0,
            "panel": [],
        }
        if claim["asks"]:
            case["second"] = questions.asks_again(w, claim, case)
        w["cases"].append(case)
        for line in lines:
            line["case"] = case


def refuse_line(w, claim, line, reason):
    line["result"] = dict(NOTHING, refusal=reason)
    show_line(w, claim, line)


def show_line(w, claim, line):
    emit(
        w,
        "claim_line",
        claim=claim["id"],
        line=line["index"],
        code=line["code"],
        standard=line["standard"],
        charge_cents=line["charge"],
        **line["result"],
        preauth=line["preauth"],
    )


def settle_line(w, claim, line, award_left):
    """Settle one line; return its benefit. `award_left` is None for a standard line."""
    m = w["members"][claim["member"]]
    plan = plan_on(w, m, line["day"])
    code = code_on(w, code_key(line), line["day"])
    year = year_on(w, m, claim["by"], line["day"])
    before = [x for x in w["settled"] if x["by"] == claim["by"] and x["year"] == year]
    taken = min(claim["other_left"], line["charge"])
    claim["other_left"] -= taken
    charge = line["charge"] - taken
    if charge == 0:
        refuse_line(w, claim, line, 7)
        return 0
    units = line["units"]
    if code["frequency"] is not None:
        used = sum(x["units"] for x in before if x["code"] == code_key(line))
        units = min(units, max(0, code["frequency"] - used))
        if units == 0:
            refuse_line(w, claim, line, 3)
            return 0
    allowed = charge
    if code["allowed"] is not None:
        allowed = min(allowed, code["allowed"] * units)
    if award_left is not None:
        allowed = min(allowed, award_left)
    deductible = min(allowed, max(0, plan["deductible"] - sum(x["deductible"] for x in before)))
    rest = allowed - deductible
    copay = 0
    if rest > 0 and not claim["copay_done"]:
        copay = min(plan["copay"], rest)
        claim["copay_done"] = True
    rest -= copay
    coinsurance = rest - rest * (10000 - plan["coinsurance_bp"]) // 10000
    bears = deductible + copay + coinsurance
    relief = 0
    if plan["oop_max"] is not None:
        relief = max(0, bears - max(0, plan["oop_max"] - sum(x["bears"] for x in before)))
    full = allowed - bears + relief
    benefit = full
    of_claim = sum(x["benefit"] for x in w["settled"] if x["by"] == claim["by"] and x["event"] == claim["event"])
    if w["phases"][-1][1] == "pilot":
        benefit = min(benefit, max(0, w["params"]["pilot_claim_cents"] - of_claim))
    ceiling = plan["claim_ceiling"]
    if ceiling is not None:
        of_day = sum(
            x["benefit"]
            for x in w["settled"]
            if x["by"] == claim["by"] and x["provider"] == claim["provider"] and x["day"] == line["day"]
        )
        benefit = min(benefit, max(0, ceiling - of_claim), max(0, ceiling - of_day))
    if plan["year_ceiling"] is not None:
        benefit = min(benefit, max(0, plan["year_ceiling"] - sum(x["benefit"] for x in before)))
    line["result"] = {
        "units_paid": units,
        "allowed_cents": allowed,
        "deductible_cents": deductible,
        "copay_cents": copay,
        "coinsurance_cents": coinsurance,
        "relief_cents": relief,
        "cut_cents": full - benefit,
        "benefit_cents": benefit,
        "refusal": None,
    }
    w["settled"].append(
        {
            "by": claim["by"],
            "claim": claim["id"],
            "provider": claim["provider"],
            "day": line["day"],
            "code": code_key(line),
            "year": year,
            "units": units,
            "deductible": deductible,
            "bears": bears - relief,
            "benefit": benefit,
            "event": claim["event"],
            "plan": contract_on(m, line["day"])["plan"],
            "term": term_of(w["height"]),
        }
    )
    show_line(w, claim, line)
    return benefit


def accept_case(w, case, how, yes, no, award):
    """Settle an accepted case, tell it, and owe its benefit."""
    claim = case["claim"]
    if claim["asks"]:
        questions.authorise(w, case, how, yes, no, award)
        return
    left = award
    for line in case["lines"]:
        case["benefit"] += settle_line(w, claim, line, left)
        left -= line["result"]["allowed_cents"]
    case["status"] = "accepted"
    if how != "appeal":
        case["closed"] = w["height"]
    emit(
        w,
        "claim_accepted",
        claim=claim["id"],
        case=case["code"],
        how=how,
        yes=yes,
        no=no,
        bar_bp=case["bar"],
        seniority_bp=case["seniority"],
        award_cents=award,
        benefit_cents=case["benefit"],
    )
    owe_payout(w, claim, case["code"], 2 if how == "appeal" else 1, case["benefit"])


def owe_payout(w, claim, code, rank, benefit):
    if benefit > 0:
        payee = claim["by"] if claim["payee"] == "member" else claim["provider"]
        w["payouts"].append(
            {
                "claim": claim["id"],
                "case": code,
                "class": rank,
                "accepted": w["height"],
                "due": w["height"] + 1,
                "owed": benefit,
                "paid": 0,
                "payee": payee,
                "by": claim["by"],
                "member": claim["member"],
                "provider": claim["provider"],
            }
        )


def withdraw_case(w, case):
    case["status"] = "withdrawn"
    case["closed"] = w["height"]


def withdraw(w, act):
    claim = own_claim(w, act)
    cases = [case for case in w["cases"] if case["claim"] is claim and case["status"] == "open"]
    refuse_if(not cases, "no open case")
    for case in cases:
        withdraw_case(w, case)


def evidence(w, act):
    claim = own_claim(w, act)
    cases = [case for case in w["cases"] if case["claim"] is claim and case["status"] == "open"]
    refuse_if(not cases, "no open case")
    p = cases[0]["params"] or w["params"]
    refuse_if(w["height"] > claim["height"] + p["evidence_until"], "too late for new evidence")
    refuse_if(claim["version"] >= p["evidence_versions"], "no more versions")
    claim["version"] += 1


def own_claim(w, act):
    member(w, patient_of(w, act["by"]))
    claim = w["claims"].get(act["claim"])
    refuse_if(claim is None, "no such claim")
    refuse_if(act["by"] not in (claim["by"], claim["member"]), "not the own claim")
    return claim


__all__ = ["accept_case", "evidence", "file_claim", "withdraw"]
