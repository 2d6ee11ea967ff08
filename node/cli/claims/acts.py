"""`mutua claim evidence | withdraw | appeal`: what a claimant may do while a claim is voted on, and after a denial."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from ledger.errors import MutuaError
from node.api.errors import ApiError
from node.api.text import Units, counted, short
from node.api.views.claims import Case, Claim
from node.cli.common import DEFAULT, SEND, ClaimId, Common, Sending, say

GROUNDS = ("evidence", "rule")


def evidence(claim: ClaimId, *files: Path, send: Sending = SEND, common: Common = DEFAULT) -> int:
    """Add documents to one of your claims that is being voted on: a new version of its evidence.

    They stay on this node. Every voter may then change the ballot once more.

    :param files: The documents.
    """
    from node.cli.claims.evidence import forget, keep_document

    if not files:
        raise MutuaError("usage", "no document was named", "mutua claim evidence CLAIM FILE...")
    session = common.session()
    _, view = session.member, session.claim(claim)
    name, version = short(view.claim), view.evidence_version
    review = [
        f"claim {name} has version {version} of its evidence, with {counted(len(view.evidence), 'document')}",
        f"version {version + 1} adds {len(files)}; the ledger gets their hashes and sizes, the documents stay here",
    ]
    if not send.is_confirmed(common, "claim.evidence", review, "add them?"):
        return say(common, {}, "nothing was sent")
    documents = common.config().documents
    kept = [keep_document(documents, file) for file in files]
    body = {"claim": view.claim, "evidence": [reference for reference, _ in kept]}
    try:
        answer = session.client.submit("claim.evidence", body)
    except ApiError as error:
        if error.family in ("rule", "malformed"):
            forget(documents, kept)
        raise
    return send.report(common, session, answer, f"{counted(len(kept), 'document')} added to claim {name}")


def withdraw(claim: ClaimId, *, send: Sending = SEND, common: Common = DEFAULT) -> int:
    """Withdraw the open cases of one of your claims, or of one that a provider filed for you.

    Their lines may be filed again.
    """
    session = common.session()
    _, view = session.member, session.claim(claim)
    review, done = _open_lines(view, session.units), f"open cases of claim {short(view.claim)} withdrawn"
    body = {"claim": view.claim}
    return send.send(common, session, "claim.withdraw", body, review=review, question="withdraw them?", done=done)


def _open_lines(view: Claim, units: Units) -> Iterator[str]:
    """Yield the cases that a withdrawal ends."""
    for case in view.cases:
        if case.is_open:
            tally = f"{case.yes} yes, {case.no} no, open until block {case.closes_at}"
            yield f"case {case.code}, {units.money(case.charges_cents)}: {tally}"
    yield "what was settled or decided stays"


def appeal(
    claim: ClaimId, code: str | None = None, *, ground: str, send: Sending = SEND, common: Common = DEFAULT
) -> int:
    """Appeal the denial of one of your cases. A new panel, without the first voters, makes the final decision.

    :param code: The case: a code of the claim; not needed where only one was denied.
    :param ground: evidence: there is new evidence (mutua claim evidence takes it while a vote is open; name it to the
        panel); rule: a rule was applied incorrectly.
    """
    if ground not in GROUNDS:
        raise MutuaError("usage", f"{ground!r} is not a ground of appeal", "give --ground evidence or --ground rule")
    session = common.session()
    _, view = session.member, session.claim(claim)
    wanted, case = _denied_case(view, code)
    body = {"claim": view.claim, "code": wanted, "ground": ground}
    review, done = _appeal_lines(case, session.units, ground), f"appeal on {wanted} of claim {short(view.claim)}"
    return send.send(common, session, "case.appeal", body, review=review, question="appeal?", done=done)


def _denied_case(view: Claim, code: str | None) -> tuple[str, Case | None]:
    """Return the case to appeal. A named one goes to the daemon as it is. MutuaError `code_needed`."""
    if code is not None:
        return code, view.case_of(code)
    denied = [case for case in view.cases if case.status == "denied"]
    if len(denied) != 1:
        hint = "name the code of one that was: mutua claim show"
        raise MutuaError("code_needed", f"{len(denied)} cases of the claim were denied", hint)
    return denied[0].code, denied[0]


def _appeal_lines(case: Case | None, units: Units, ground: str) -> Iterator[str]:
    if case is not None:
        how = f"{case.status} in block {case.closed_height} with {case.yes} yes and {case.no} no"
        yield f"case {case.code}, {units.money(case.charges_cents)}: {how}"
    yield f"ground {ground}; a case is appealed once, and the panel's judgement is final"
