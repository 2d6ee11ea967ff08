"""A claim in figures and in plain words, from the claim view of the ledger. No figure is computed anew: all stand in the receipt."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from node.cli.common import Money, percent, short, table

Json = Mapping[str, Any]

REFUSALS = {
    1: "there was no cover on that day",
    2: "the day lies in the waiting time of a first contract",
    3: "the units of this code for the benefit year are used up",
    4: "the plan does not cover this code",
    7: "another payer covers the whole charge",
    8: "it was filed too late",
}
"""The numbered reasons of rules §5."""


def claim_lines(claim: Json, money: Money) -> Iterator[str]:
    """Yield a claim as tables: its lines with every figure, its cases with the tally, its payouts."""
    yield f"claim    {claim['claim']}"
    yield f"status   {claim['status']}, filed in block {claim['height']}, payee {claim['payee']}"
    yield f"provider {claim['provider_id']}"
    yield f"charged  {money.show(claim['charge_cents'])}; benefit {money.show(claim['benefit_cents'])}"
    for item in claim.get("evidence", ()):
        yield f"evidence {item['hash']}  {item['size_bytes']} bytes  {item['media']}"
    yield ""
    yield from table(
        ("line", "code", "units", "day", "status", "charge", "allowed", "deductible", "copay", "coinsurance", "relief", "cut", "benefit"),
        [
            (
                line["line"], line["code"], line["units"], line["first_day"],
                line["status"] if line.get("refusal") is None else f"refused ({line['refusal']})",
                *(_bare(money, line[name]) for name in (
                    "charge_cents", "allowed_cents", "deductible_cents", "copay_cents", "coinsurance_cents", "relief_cents", "cut_cents", "benefit_cents",
                )),
            )
            for line in claim["lines"]
        ],
    )  # fmt: skip
    if claim["cases"]:
        yield ""
        yield from case_table(claim["cases"], money)
    payouts: Sequence[Json] = claim.get("payouts", ())
    if payouts:
        yield ""
        yield from payout_table(payouts, money)


def case_table(cases: Sequence[Json], money: Money, *, height: int | None = None) -> list[str]:
    """Return cases with their tally. `height`: how many blocks are left is told from there."""
    return table(
        ("claim", "code", "charges", "status", "yes", "no", "quorum", "bar", "streak", "closes"),
        [
            (
                short(case["claim"]), case["code"], money.show(case["charges_cents"]), case["status"], case["yes"], case["no"],
                f"{int(case['yes']) + int(case['no'])} of {case['quorum']}", percent(case["bar_bp"]), f"{case['streak']} of {case['streak_needed']}",
                f"block {case['closes_at']}" + ("" if height is None else f", {max(0, int(case['closes_at']) - height)} left"),
            )
            for case in cases
        ],
    )  # fmt: skip


def payout_table(payouts: Sequence[Json], money: Money) -> list[str]:
    """Return payouts: what was owed, what was sent, what waits and what is kept as credit."""
    return table(
        ("payout", "claim", "case", "block", "amount", "satoshi", "sent", "waiting", "credit", "outputs", "status"),
        [
            (
                short(item["payout_id"]), short(item["claim"]), item["case"] or "–", item["height"], money.show(item["amount_cents"]), item["amount_sat"],
                item["sent_sat"], item["left_sat"], item["credit_sat"], item["outputs"], item["status"],
            )
            for item in payouts
        ],
    )  # fmt: skip


def explain_claim(claim: Json, money: Money, height: int) -> Iterator[str]:
    """Yield what became of a claim, sentence by sentence, and how each figure of it came about."""
    if claim.get("use") == "preauth":
        yield from _explain_question(claim, money)
        return
    yield (
        f"Claim {short(claim['claim'])} was filed in block {claim['height']} for {money.show(claim['charge_cents'])}. "
        f"It is {claim['status']}; the benefit so far is {money.show(claim['benefit_cents'])}, paid to the {claim['payee']}."
    )
    if claim.get("other_payer_cents"):
        yield f"Another payer's {money.show(claim['other_payer_cents'])} was taken from the charges first."
    for line in claim["lines"]:
        yield explain_line(line, money)
    for case in claim["cases"]:
        yield explain_case(case, money, height)
    for item in claim.get("payouts", ()):
        yield explain_payout(item, money)


def _explain_question(claim: Json, money: Money) -> Iterator[str]:
    """Yield what was asked, what a claim of it would settle as of then, and what was authorised."""
    yield (
        f"Pre-authorisation {short(claim['claim'])} was asked for in block {claim['height']}, for {money.show(claim['charge_cents'])}. "
        f"It is {claim['status']}. Nothing is paid for it and nothing is used up."
    )
    estimates = {int(item["line"]): item for item in claim.get("estimates", ())}
    for line in claim["lines"]:
        text = explain_line(line, money)
        if int(line["line"]) in estimates:
            item = estimates[int(line["line"])]
            text += f" As of block {claim['height']} a claim would have paid {money.show(item['benefit_cents'])}" + (
                "." if item.get("refusal") is None else f": {REFUSALS.get(int(item['refusal']), 'see the rules')}."
            )
        yield text
    for item in claim.get("authorisations", ()):
        yield (
            f"Authorised and not used yet: {item['units_left']} × {item['case']}, up to {money.show(item['award_left_cents'])}, "
            f"for days {item['first_day']} to {item['last_day']}. Cover, plan, limits and ceilings are those of the day."
        )


def explain_line(line: Json, money: Money) -> str:
    """Return in words what became of a line, with the whole sum of its settlement."""
    name = f"Line {int(line['line']) + 1}, {line['units']} × {line['code']} of day {line['first_day']}, {money.show(line['charge_cents'])}"
    kind = "standard" if line["is_standard"] else "pre-authorised" if line.get("authorised_by") else "by vote"
    if line.get("refusal") is not None:
        return f"{name}: refused, reason {line['refusal']}: {REFUSALS.get(int(line['refusal']), 'see the rules')}."
    if line["status"] != "settled":
        words = {
            "open": "is being voted on", "denied": "was denied by vote", "lapsed": "lapsed without a decision; it may be filed again once",
            "withdrawn": "was withdrawn", "authorised": "is authorised; a claim of this code by this provider uses it without a vote",
            "estimated": "is standard; it needs no pre-authorisation",
        }  # fmt: skip
        return f"{name}: {words.get(str(line['status']), str(line['status']))}."
    borne = [
        f"{money.show(line[field])} {words}" for field, words in (
            ("deductible_cents", "goes to your deductible"), ("copay_cents", "is your copay"), ("coinsurance_cents", "is your coinsurance"),
        ) if line[field]
    ]  # fmt: skip
    text = (
        f"{name}: settled ({kind}, plan {line['plan']}). Of the charge {money.show(line['allowed_cents'])} is allowed"
    )
    if line["units_paid"] != line["units"]:
        text += f" for {line['units_paid']} of {line['units']} units"
    text += "; " + (", ".join(borne) if borne else "nothing of it is yours to bear")
    if line["relief_cents"]:
        text += f"; {money.show(line['relief_cents'])} is relieved, because you have reached your plan's yearly maximum"
    if line["cut_cents"]:
        text += f"; {money.show(line['cut_cents'])} is cut by a ceiling"
    total = " ".join(
        (_bare(money, line["allowed_cents"]), "=", _bare(money, line["deductible_cents"]), "+", _bare(money, line["copay_cents"]), "+",
         _bare(money, line["coinsurance_cents"]), "−", _bare(money, line["relief_cents"]), "+", _bare(money, line["benefit_cents"]), "+",
         _bare(money, line["cut_cents"]))
    )  # fmt: skip
    return f"{text}. The co-op pays {money.show(line['benefit_cents'])}. (allowed = deductible + copay + coinsurance − relief + benefit + cut: {total})"


def explain_case(case: Json, money: Money, height: int) -> str:
    """Return in words how a case stands or ended, and what it needs."""
    cast = int(case["yes"]) + int(case["no"])
    name = f"Case {case['code']}, {money.show(case['charges_cents'])}"
    tally = f"{case['yes']} yes and {case['no']} no of {case['eligible']} members who may vote, {case['opened']} of them with the evidence opened"
    needs = (
        f"it needs {case['quorum']} yes or no ballots, {case['opened_needed']} of them with the evidence opened, and {percent(case['bar_bp'])} yes, "
        f"for {case['streak_needed']} blocks in a row"
    )
    if case["status"] == "open":
        left = max(0, int(case["closes_at"]) - height)
        share = f" ({100 * int(case['yes']) // cast} % yes)" if cast else ""
        return (
            f"{name}: open until block {case['closes_at']}, {left} blocks left. So far {tally}{share}; the run stands at {case['streak']} of "
            f"{case['streak_needed']} blocks. To be accepted {needs}."
        )  # fmt: skip
    closed = f"in block {case['closed_height']}"
    if case["status"] == "accepted":
        ways = {
            "small": "its vote lapsed, and a small claim is then paid in full, once a term",
            "lapse": "its vote lapsed a second time with too few ballots, and the rules then pay up to a fixed amount",
        }
        how = ways.get(str(case["how"]), f"accepted with {tally}")
        award = f"; the award is {money.show(case['award_cents'])}" if case.get("award_cents") is not None else ""
        return f"{name}: {how}, {closed}{award}, the benefit {money.show(case['benefit_cents'])}."
    if case["status"] == "denied":
        return f"{name}: denied {closed} with {tally}; {needs}. You may appeal within 10 blocks of the denial."
    if case["status"] == "lapsed":
        again = "" if case["is_second"] else "; it may be filed again once, free"
        return f"{name}: lapsed {closed} with {tally}; {needs}{again}."
    return f"{name}: {case['status']} {closed}."


def explain_payout(item: Json, money: Money) -> str:
    """Return in words how far a payout is."""
    words = {
        "due": "due; the signers pay it with their next batch", "queued": "partly sent; the rest waits for the next batch",
        "batched": "in a batch that the signers send", "confirmed": "confirmed on the chain",
    }  # fmt: skip
    state = words.get(str(item["status"]), str(item["status"]))
    credit = f", {item['credit_sat']} satoshi too small to send are kept as your credit" if item["credit_sat"] else ""
    return (
        f"Payout of block {item['height']}: {money.show(item['amount_cents'])} = {item['amount_sat']} satoshi, {item['sent_sat']} of them sent in "
        f"{item['outputs']} outputs{credit}; {state}."
    )  # fmt: skip


def _bare(money: Money, amount: int | None) -> str:
    return money.show(amount).removesuffix(f" {money.currency}")
