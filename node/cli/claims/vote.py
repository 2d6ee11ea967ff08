"""`mutua vote list | cast | verify`: one clear question, a review before casting, a receipt to check later."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

from cyclopts import App, Parameter

from ledger.errors import LedgerCorrupt, MutuaError
from node.api.client import Client
from node.api.errors import NodeNotRunning
from node.api.text import Units, percent, short
from node.api.views.base import to_json
from node.api.views.chain import Receipt
from node.api.views.claims import NEEDS_ME, CaseBase, CaseToVote
from node.cli.common import (
    DEFAULT,
    ID_DIGITS,
    SEND,
    ClaimId,
    Common,
    Flag,
    Sending,
    Session,
    check_receipt,
    full_id,
    read_amount,
    say,
)
from node.cli.members.delegation import delegate, delegations, undelegate

app = App(
    name="vote",
    help="List the cases that need your ballot, cast it, delegate your vote, keep auto-accept rules, verify a receipt.",
)
app.command(delegate)
app.command(undelegate)
app.command(delegations)
app.command(
    "node.cli.claims.auto_accept:app",
    name="auto",
    help="Auto-accept rules, by which your node accepts cases automatically.",
)


@Parameter(name="*")
@dataclass(frozen=True, slots=True)
class Choice:
    """The three choices."""

    accept: Annotated[bool, Parameter(negative="", help="Vote to pay the case.")] = False
    deny: Annotated[bool, Parameter(negative="", help="Vote against paying the case.")] = False
    abstain: Annotated[bool, Parameter(negative="", help="Count as having voted, without a yes or no.")] = False

    def word(self) -> str:
        """Return the one that is given. MutuaError `usage` for none or several."""
        given = [name for name in ("accept", "deny", "abstain") if getattr(self, name)]
        if len(given) != 1:
            raise MutuaError(
                "usage", f"{len(given) or 'no'} choices are given", "give one of --accept, --deny, --abstain"
            )
        return given[0]


NO_CHOICE = Choice()


@app.command(name="list")
def list_command(*, common: Common = DEFAULT) -> int:
    """List the cases on which you may still vote, those without your ballot first."""
    session = common.session()
    cases = session.view(NEEDS_ME, member=session.member)
    return say(common, cases, lambda: _list_lines(cases, session))


def _list_lines(cases: Sequence[CaseToVote], session: Session) -> Iterator[str]:
    from node.cli.claims.explaining import case_table

    if not cases:
        yield "no case needs your ballot"
        return
    lines = case_table(cases, session.units, height=session.status.height)
    marks = [case.my_choice or ("none: your duty" if case.on_duty else "none") for case in cases]
    width = max(map(len, lines))
    for line, mark in zip(lines, ["your ballot", *marks], strict=True):
        yield f"{line.ljust(width)}  {mark}"
    yield (
        "read one: mutua claim explain CLAIM; open its evidence: mutua evidence open CLAIM; vote: mutua vote cast CLAIM"
        " CODE --accept"
    )


@app.command
def cast(
    claim: ClaimId,
    code: str | None = None,
    *,
    choice: Choice = NO_CHOICE,
    award: str | None = None,
    reason: str = "",
    opened: str = "",
    open: Flag = False,  # noqa: A002
    send: Sending = SEND,
    common: Common = DEFAULT,
) -> int:
    """Cast a ballot on a case, or change your own.

    :param code: The case: a code of the claim; not needed where only one is open.
    :param award: With --accept: the amount to allow; the charges by default.
    :param reason: A few words for your choice. Members' nodes see them: write no diagnosis.
    :param opened: Hash of the document you opened, where the receipt is not sent yet.
    :param open: Open the document on this node first, and sign the receipt.
    """
    word = choice.word()
    session = common.session()
    if award is not None and word != "accept":
        raise MutuaError("usage", "an award goes with --accept only", "leave --award out")
    member = session.member
    claim = session.claim_id(claim)
    case, version = _find_case(session, member, claim, code)
    body: dict[str, Any] = {
        "claim": claim,
        "code": case.code,
        "choice": word,
        "award_cents": None if award is None else read_amount(session.units, award, "award"),
        "reason": reason,
        "evidence_version": version,
        "opened": opened,
    }
    award_words = "" if award is None else f", award {session.units.money(body['award_cents'])}"
    review, question = _review(case, session.units, session.status.height), f"cast {word}{award_words}?"
    if not send.is_confirmed(common, "case.ballot", review, question):
        return say(common, {}, "nothing was cast")
    if open:
        body["opened"] = session.client.open_document(claim).hash
    answer = session.client.submit("case.ballot", body)
    return send.report(common, session, answer, f"ballot cast: {word} on {case.code} of claim {short(claim)}")


def _find_case(session: Session, member: str, claim: str, code: str | None) -> tuple[CaseBase, int]:
    """Return the case and the version of its evidence, also where the member may not vote: the daemon says why."""
    cases = [
        case for case in session.view(NEEDS_ME, member=member) if case.claim == claim and code in (None, case.code)
    ]
    if len(cases) == 1:
        return cases[0], cases[0].evidence_version
    if len(cases) > 1:
        names = ", ".join(case.code for case in cases)
        raise MutuaError("case_unclear", f"claim {short(claim)} has {len(cases)} open cases", f"name one: {names}")
    view = session.claim(claim)
    found = [case for case in view.cases if code in (None, case.code)]
    if len(found) != 1:
        names = ", ".join(case.code for case in view.cases) or "none; its lines are standard"
        what = f"claim {short(claim)} has no single case {code or ''}".rstrip()
        raise MutuaError("case_unclear", what, f"its cases: {names}")
    return found[0], view.evidence_version


def _review(case: CaseBase, units: Units, height: int) -> Iterator[str]:
    yield f"claim {case.claim}"
    yield f"case {case.code}, charges {units.money(case.charges_cents)}"
    left = max(0, case.closes_at - height)
    yield f"{case.yes} yes, {case.no} no; approval threshold {percent(case.bar_bp)}; closes in {left} blocks"
    if isinstance(case, CaseToVote) and case.my_choice:
        yield f"your ballot so far: {case.my_choice}; a ballot may be changed once for each version of the evidence"
    yield "all members' nodes see your key, your choice, your award and your reason"


# ---- Receipts -----------------------------------------------------------------------


@app.command
def verify(receipt: str, *, common: Common = DEFAULT) -> int:
    """Check a receipt: is the record in the chain, and does its proof hold? Works with the node running and stopped.

    Exit code 0: final and proven, or still pending. 5: refused by a rule. 6: the proof does not hold.

    :param receipt: The record's id, as it was shown when it was submitted. With the node running its first digits are
        enough for a ballot or claim that waits or is final.
    """
    client = common.client()
    try:
        height = client.status().height
    except NodeNotRunning:
        return _verify_offline(common, receipt)
    answer = client.record(full_id(receipt, lambda: _recent_records(client, height), "record"))
    check_receipt(answer)
    shown = to_json(answer)
    if answer.state == "final":
        if not is_receipt_proven(answer):
            hint = "run mutua audit verify on this node"
            raise LedgerCorrupt("receipt_proof", f"the proof of record {short(answer.record_id)} does not hold", hint)
        shown["is_proven"] = True
    return say(common, shown, _receipt_words(answer))


def _receipt_words(answer: Receipt) -> str:
    if answer.state == "final":
        depth, place = len(answer.proof or ()), f"block {answer.height}, place {answer.index}"
        return f"{answer.kind} {answer.record_id}\nfinal in {place}; its proof of {depth} hashes holds"
    return f"{answer.record_id}\npending: stored on this node, not yet included in a block (block {answer.height})"


def is_receipt_proven(answer: Receipt) -> bool:
    """True iff the path leads from the record's leaf hash to the records root of its block (RFC 6962)."""
    from ledger.merkle import is_path

    try:
        leaf, root = bytes.fromhex(answer.leaf), bytes.fromhex(answer.records_root)
        path = [bytes.fromhex(item) for item in answer.proof or ()]
    except ValueError:
        return False
    return answer.index is not None and bool(leaf) and is_path(leaf, answer.index, answer.tree_size, path, root)


def _recent_records(client: Client, height: int) -> Iterator[str]:
    """Yield the ids of the newest blocks' records, for first digits only."""
    for step in range(min(height + 1, 120)):
        for item in client.block(height - step).records:
            yield item.id


def _verify_offline(common: Common, receipt: str) -> int:
    from ledger.charter_file import charter_from_file
    from ledger.proofs import proof_to_json
    from node.audit.verify import proof_problems, prove

    folder = common.config().folder
    if not folder.ledger.exists():
        hint = "name the data folder, or start the node"
        raise MutuaError("ledger_missing", f"{folder.root} holds no ledger, and no node answers", hint)
    if len(receipt.strip()) < ID_DIGITS:
        what = f"{receipt!r} is the beginning of an id, and no node is running that could look it up"
        raise MutuaError("id", what, "give all its 64 hex digits")
    proof = prove(folder.root, bytes.fromhex(full_id(receipt, lambda: (), "record")))
    charter = charter_from_file(folder.charter.read_bytes()) if folder.charter.exists() else None
    problems = proof_problems(proof, charter)
    if problems:
        what = f"the proof does not hold: {problems[0]}"
        raise LedgerCorrupt("receipt_proof", what, "run mutua audit verify on this folder")
    shown = {**json.loads(proof_to_json(proof)), "state": "final", "is_proven": True}
    return say(common, shown, f"{receipt}\nfinal; its proof up to the newest block holds")
