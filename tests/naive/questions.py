"""Questions before a service (claims with the use `preauth`).

Answered at once or voted on, then authorisations that later claims use up.
"""

from . import claims
from .world import TERM, code_key, emit


def is_asked(w, key, superseded):
    """True while another case asks for this code of this cover and provider."""
    by, code, _, provider = key
    for case in w["cases"]:
        claim = case["claim"]
        same = claim["asks"] and (claim["by"], case["code"], claim["provider"]) == (by, code, provider)
        if same and case["status"] == "open" and case not in superseded:
            return True
    return False


def asks_again(w, claim, case):
    """True if the last case that asked for this and was not withdrawn lapsed, and asked for no less."""
    earlier = [
        c
        for c in w["cases"]
        if c["claim"]["asks"]
        and (c["claim"]["by"], c["code"], c["claim"]["provider"]) == (claim["by"], case["code"], claim["provider"])
        and c["status"] != "withdrawn"
    ]
    earlier.sort(key=lambda c: c["closed"])
    return bool(earlier) and earlier[-1]["status"] == "lapsed" and case["charges"] <= earlier[-1]["charges"]


def answer_question(w, m, claim):
    waiting = []
    standard = []
    for line in claim["lines"]:
        refusal = claims.carry_refusal(w, m, line, claim["by"])
        if any(end is not None and line["day"] > end for end in (m["leaving_at"], m["refused_until"])):
            refusal = 1
        if refusal is not None:
            line["result"] = dict(claims.NOTHING, refusal=refusal)
            show_estimate(w, claim, line)
        elif line["standard"]:
            standard.append(line)
        else:
            waiting.append(line)
    events, settled, before = len(w["events"]), len(w["settled"]), (claim["other_left"], claim["copay_done"])
    for line in standard:
        claims.settle_line(w, claim, line, None)
    del w["events"][events:]
    del w["settled"][settled:]
    claim["other_left"], claim["copay_done"] = before
    for line in standard:
        show_estimate(w, claim, line)
    claims.open_cases(w, claim, waiting)


def show_estimate(w, claim, line):
    emit(
        w,
        "preauth_line",
        claim=claim["id"],
        line=line["index"],
        code=line["code"],
        standard=line["standard"],
        charge_cents=line["charge"],
        **line["result"],
    )


def authorise(w, case, how, yes, no, award):
    claim = case["claim"]
    case["status"] = "accepted"
    if how != "appeal":
        case["closed"] = w["height"]
    units = sum(line["units"] for line in case["lines"])
    last = w["height"] + TERM * case["params"]["preauth_terms"]
    w["authorised"].append(
        {
            "by": claim["by"],
            "provider": claim["provider"],
            "code": code_key(case),
            "id": claim["id"],
            "units": units,
            "award": award,
            "first": claim["height"],
            "last": last,
        }
    )
    emit(
        w,
        "preauthorised",
        claim=claim["id"],
        case=case["code"],
        how=how,
        yes=yes,
        no=no,
        bar_bp=case["bar"],
        seniority_bp=case["seniority"],
        units=units,
        award_cents=award,
        first_day=claim["height"],
        last_day=last,
    )


def authorised_for(w, m, claim, line):
    """The first authorisation, in the order of asking, that the line fits in whole."""
    for a in sorted(w["authorised"], key=lambda a: (a["first"], a["id"].encode())):
        if (a["by"], a["provider"], a["code"]) != (claim["by"], claim["provider"], code_key(line)):
            continue
        void = m["fraud_height"] is not None and a["first"] <= m["fraud_height"]
        if not void and a["first"] <= line["day"] <= a["last"] and line["units"] <= a["units"] and a["award"] > 0:
            return a
    return None


def settle_authorised(w, claim, line, a):
    line["preauth"] = a["id"]
    benefit = claims.settle_line(w, claim, line, a["award"])
    a["units"] -= line["result"]["units_paid"]
    a["award"] -= line["result"]["allowed_cents"]
    return benefit
