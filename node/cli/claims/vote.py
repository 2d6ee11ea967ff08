"""`mutua vote list | cast | verify`: one clear question, a review before casting, a receipt to check later."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

from cyclopts import App, Parameter

from ledger.errors import LedgerCorrupt, MutuaError
from node.api.client import Client
from node.api.errors import NodeNotRunning
from node.cli.common import (
    DEFAULT,
    ID_DIGITS,
    Common,
    Money,
    check_receipt,
    claim_id,
    full_id,
    own_member,
    percent,
    report_submission,
    say,
    short,
)
from node.cli.members.delegation import delegate, delegations, undelegate

app = App(
    name="vote", help="List the cases that need you, cast a ballot, delegate, keep standing rules, verify a receipt."
)
app.command(delegate)
app.command(undelegate)
app.command(delegations)
app.command(
    "node.cli.claims.auto_accept:app", name="auto", help="Standing rules by which your node accepts cases by itself."
)

Json = dict[str, Any]


@Parameter(name="*")
@dataclass(frozen=True, slots=True)
class Choice:
    """The three choices."""

    accept: Annotated[bool, Parameter(negative="", help="The case is to be paid.")] = False
    deny: Annotated[bool, Parameter(negative="", help="The case is not to be paid.")] = False
    abstain: Annotated[bool, Parameter(negative="", help="Take part without a yes or no.")] = False

    def word(self) -> str:
        """Return the one that is given. MutuaError `usage` for none or several."""
        given = [name for name in ("accept", "deny", "abstain") if getattr(self, name)]
        if len(given) != 1:
            raise MutuaError("usage", f"{len(given)} choices are given", "give one of --accept, --deny, --abstain")
        return given[0]


NO_CHOICE = Choice()


@app.command(name="list")
def list_command(*, common: Common = DEFAULT) -> int:
    """List the cases on which you may still vote, those without your ballot first."""
    from node.cli.claims.explaining import case_table

    client = common.client()
    status = client.status()
    cases = client.view("needs_me", member=own_member(status))
    return say(
        common, cases, lambda: _list_lines(cases, case_table(cases, Money.of(status), height=int(status["height"])))
    )


def _list_lines(cases: Sequence[Json], lines: Sequence[str]) -> Iterator[str]:
    if not cases:
        yield "nothing needs you"
        return
    marks = [
        "your ballot",
        *(str(case["my_choice"] or ("none: your duty" if case.get("on_duty") else "none")) for case in cases),
    ]
    width = max(map(len, lines))
    for line, mark in zip(lines, marks, strict=True):
        yield f"{line.ljust(width)}  {mark}"
    yield (
        "read one: mutua claim explain CLAIM; open its evidence: mutua evidence open CLAIM; vote: mutua vote cast CLAIM"
        " CODE --accept"
    )


@app.command
def cast(  # noqa: D417
    claim: str,
    code: str | None = None,
    *,
    choice: Choice = NO_CHOICE,
    award: str | None = None,
    reason: str = "",
    opened: str = "",
    open: Annotated[bool, Parameter(negative="")] = False,  # noqa: A002
    yes: Annotated[bool, Parameter(name=("--yes", "-y"), negative="")] = False,
    wait: float = 0.0,
    common: Common = DEFAULT,
) -> int:
    """Cast a ballot on a case, or change your own.

    Parameters
    ----------
    claim
        The claim's id, or its first digits.
    code
        The case: a code of the claim; not needed where only one is open.
    award
        With --accept: the amount that you find right; the charges by default.
    reason
        A few words for your choice. Members' nodes see them: write no diagnosis.
    opened
        Hash of the document you opened, where the receipt is not sent yet.
    open
        Open the document on this node first, and sign the receipt.
    yes
        Do not ask before casting.
    wait
        Seconds to wait until the ballot is final.

    """
    word = choice.word()
    client = common.client()
    from node.cli.common import is_live

    status = client.status()
    money = Money.of(status)
    if award is not None and word != "accept":
        raise MutuaError("usage", "an award goes with --accept only", "leave --award out")
    member = own_member(status)
    claim = claim_id(client, claim)
    case = _find_case(client, member, claim, code)
    body: Json = {
        "claim": claim,
        "code": case["code"],
        "choice": word,
        "award_cents": None if award is None else money.read(award, "award"),
        "reason": reason,
        "evidence_version": case["evidence_version"],
        "opened": opened,
    }
    if not yes and not common.json and is_live() and not _confirmed(case, body, money, int(status["height"])):
        return say(common, {}, "nothing was cast")
    if open:
        body["opened"] = str(client.open_document(claim)["hash"])
    answer = client.submit("case.ballot", body)
    return report_submission(
        common, client, answer, f"ballot cast: {word} on {case['code']} of claim {short(claim)}", wait
    )


def _find_case(client: Client, member: str, claim: str, code: str | None) -> Json:
    """Return the case to vote on.

    Where the member may not vote on it, the daemon's refusal says why, so that it is asked all the same.
    """
    cases = [
        case
        for case in client.view("needs_me", member=member)
        if case["claim"] == claim and code in (None, case["code"])
    ]
    if len(cases) == 1:
        return dict(cases[0])
    if len(cases) > 1:
        raise MutuaError(
            "case_unclear",
            f"claim {short(claim)} has {len(cases)} open cases",
            f"name one: {', '.join(str(case['code']) for case in cases)}",
        )
    view = client.view("claim", id=claim)
    found = [case for case in view["cases"] if code in (None, case["code"])]
    if len(found) != 1:
        names = ", ".join(str(case["code"]) for case in view["cases"]) or "none; its lines are standard"
        raise MutuaError(
            "case_unclear", f"claim {short(claim)} has no single case {code or ''}".rstrip(), f"its cases: {names}"
        )
    return {**found[0], "evidence_version": view["evidence_version"], "my_choice": None}


def _confirmed(case: Json, body: Json, money: Money, height: int) -> bool:
    print(f"claim {case['claim']}\ncase {case['code']}, charges {money.show(case['charges_cents'])}")
    print(
        f"{case['yes']} yes, {case['no']} no; bar {percent(case['bar_bp'])}; closes in"
        f" {max(0, int(case['closes_at']) - height)} blocks"
    )
    if case.get("my_choice"):
        print(f"your ballot so far: {case['my_choice']}; a ballot may be changed once for each version of the evidence")
    award = "" if body["award_cents"] is None else f", award {money.show(body['award_cents'])}"
    print("all members' nodes see your key, your choice, your award and your reason")
    return input(f"cast {body['choice']}{award}? [y/N] ").strip().lower() in ("y", "yes")


# ---- Receipts -----------------------------------------------------------------------


@app.command
def verify(receipt: str, *, common: Common = DEFAULT) -> int:  # noqa: D417
    """Check a receipt: is the record in the chain, and does its proof hold? Works with the node running and stopped.

    Exit code 0: final and proven, or still pending. 5: refused by a rule. 6: the proof does not hold.

    Parameters
    ----------
    receipt
        The record's id, as it was shown when it was submitted. With the node running its first digits are enough for a
        ballot or claim that waits or is final.

    """
    client = common.client()
    try:
        status = client.status()
    except NodeNotRunning:
        return _verify_offline(common, receipt)
    answer = dict(client.record(full_id(receipt, lambda: _recent_records(client, int(status["height"])), "record")))
    check_receipt(answer)
    if answer["state"] == "final":
        if not is_receipt_proven(answer):
            raise LedgerCorrupt(
                "receipt_proof",
                f"the proof of record {short(answer['record_id'])} does not hold",
                "run mutua audit verify on this node",
            )
        answer["is_proven"] = True
    return say(common, answer, lambda: [_receipt_words(answer)])


def _receipt_words(answer: Mapping[str, Any]) -> str:
    if answer["state"] == "final":
        depth = len(answer["proof"])
        return (
            f"{answer['kind']} {answer['record_id']}\nfinal in block {answer['height']}, place {answer['index']}; its"
            f" proof of {depth} hashes holds"
        )
    return (
        f"{answer['record_id']}\npending: this node has it on disk; no block carries it yet (block {answer['height']})"
    )


def is_receipt_proven(answer: Mapping[str, Any]) -> bool:
    """True iff the path leads from the record's leaf hash to the records root of its block (RFC 6962)."""
    from ledger.merkle import node_hash

    try:
        value, root = bytes.fromhex(answer["leaf"]), bytes.fromhex(answer["records_root"])
        path = [bytes.fromhex(item) for item in answer["proof"]]
        index, last = int(answer["index"]), int(answer["tree_size"]) - 1
    except (KeyError, ValueError, TypeError):
        return False
    if not 0 <= index <= last:
        return False
    steps = iter(path)
    while last > 0:
        if index % 2 or index < last:
            sibling = next(steps, None)
            if sibling is None:
                return False
            value = node_hash(sibling, value) if index % 2 else node_hash(value, sibling)
        index, last = index // 2, last // 2
    return next(steps, None) is None and value == root


def _recent_records(client: Client, height: int) -> Iterator[str]:
    """Yield the ids of the newest blocks' records, for first digits only."""
    for step in range(min(height + 1, 120)):
        for item in client.block(height - step)["records"]:
            yield str(item["id"])


def _verify_offline(common: Common, receipt: str) -> int:
    from ledger.charter_file import charter_from_file
    from ledger.proofs import proof_to_json
    from node.audit.verify import proof_problems, prove

    folder = common.config().folder
    if not folder.ledger.exists():
        raise MutuaError(
            "ledger_missing",
            f"{folder.root} holds no ledger, and no node answers",
            "name the data folder, or start the node",
        )
    if len(receipt.strip()) < ID_DIGITS:
        raise MutuaError(
            "id",
            f"{receipt!r} is the beginning of an id, and no node is running that could look it up",
            "give all its 64 hex digits",
        )
    proof = prove(folder.root, bytes.fromhex(full_id(receipt, lambda: (), "record")))
    charter = charter_from_file(folder.charter.read_bytes()) if folder.charter.exists() else None
    problems = proof_problems(proof, charter)
    if problems:
        raise LedgerCorrupt(
            "receipt_proof", f"the proof does not hold: {problems[0]}", "run mutua audit verify on this folder"
        )
    shown: Json = json.loads(proof_to_json(proof))
    return say(
        common,
        {**shown, "state": "final", "is_proven": True},
        f"{receipt}\nfinal; its proof up to the newest block holds",
    )
