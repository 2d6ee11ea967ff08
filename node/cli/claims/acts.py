"""`mutua claim evidence | withdraw | appeal`: what a claimant may do while a claim is voted on, and after a denial."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter

from ledger.errors import MutuaError
from node.api.client import Client
from node.api.errors import ApiError
from node.cli.common import DEFAULT, Common, Money, claim_id, is_confirmed, own_member, report_submission, say, short

GROUNDS = ("evidence", "rule")
Json = dict[str, Any]


def evidence(  # noqa: D417
    claim: str,
    *files: Path,
    yes: Annotated[bool, Parameter(name=("--yes", "-y"), negative="")] = False,
    wait: float = 0.0,
    common: Common = DEFAULT,
) -> int:
    """Add documents to an own claim that is being voted on: a new version of its evidence. They stay on this node.

    Every voter may then change the ballot once more.

    Parameters
    ----------
    claim
        The claim's id, or its first digits.
    files
        The documents.
    yes
        Do not ask before sending.
    wait
        Seconds to wait until it is final.

    """
    from node.cli.claims.evidence import forget, keep_document

    if not files:
        raise MutuaError("usage", "no document was named", "mutua claim evidence CLAIM FILE...")
    client = common.client()
    own_member(client.status())
    whole = claim_id(client, claim)
    view = client.view("claim", id=whole)
    documents = common.config().documents
    kept = [keep_document(documents, file) for file in files]
    review = [
        (
            f"claim {short(whole)} has version {view['evidence_version']} of its evidence, with {len(view['evidence'])}"
            " documents"
        ),
        (
            f"version {int(view['evidence_version']) + 1} adds {len(kept)}; the ledger gets their hashes and sizes, the"
            " documents stay here"
        ),
    ]
    if not is_confirmed(common, yes=yes, review=review, question="add them?"):
        forget(documents, kept)
        return say(common, {}, "nothing was sent")
    try:
        answer = client.submit("claim.evidence", {"claim": whole, "evidence": [reference for reference, _ in kept]})
    except ApiError as error:
        if error.family in ("rule", "malformed"):
            forget(documents, kept)
        raise
    return report_submission(common, client, answer, f"{len(kept)} documents added to claim {short(whole)}", wait)


def withdraw(  # noqa: D417
    claim: str,
    *,
    yes: Annotated[bool, Parameter(name=("--yes", "-y"), negative="")] = False,
    wait: float = 0.0,
    common: Common = DEFAULT,
) -> int:
    """Withdraw the open cases of an own claim, also of one that a provider filed for you.

    Their lines may be filed again.

    Parameters
    ----------
    claim
        The claim's id, or its first digits.
    yes
        Do not ask before sending.
    wait
        Seconds to wait until it is final.

    """
    client = common.client()
    status = client.status()
    own_member(status)
    whole = claim_id(client, claim)
    view = client.view("claim", id=whole)
    if not is_confirmed(common, yes=yes, review=_open_lines(view, Money.of(status)), question="withdraw them?"):
        return say(common, {}, "nothing was sent")
    answer = client.submit("claim.withdraw", {"claim": whole})
    return report_submission(common, client, answer, f"open cases of claim {short(whole)} withdrawn", wait)


def _open_lines(view: Mapping[str, Any], money: Money) -> Iterator[str]:
    """Yield the cases that a withdrawal ends."""
    for case in view["cases"]:
        if case["status"] == "open":
            yield (
                f"case {case['code']}, {money.show(case['charges_cents'])}: {case['yes']} yes, {case['no']} no, open"
                f" until block {case['closes_at']}"
            )
    yield "what was settled or decided stays"


def appeal(  # noqa: D417
    claim: str,
    code: str | None = None,
    *,
    ground: str,
    yes: Annotated[bool, Parameter(name=("--yes", "-y"), negative="")] = False,
    wait: float = 0.0,
    common: Common = DEFAULT,
) -> int:
    """Appeal the denial of an own case, once: a panel without the first voters decides for good.

    Parameters
    ----------
    claim
        The claim's id, or its first digits.
    code
        The case: a code of the claim; not needed where only one was denied.
    ground
        evidence: there is new evidence (mutua claim evidence takes it while a vote is open; name it to the panel);
        rule: a rule was not kept.
    yes
        Do not ask before sending.
    wait
        Seconds to wait until it is final.

    """
    if ground not in GROUNDS:
        raise MutuaError("usage", f"{ground!r} is no ground of an appeal", "give --ground evidence or --ground rule")
    client = common.client()
    status = client.status()
    own_member(status)
    whole = claim_id(client, claim)
    case = _denied_case(client, whole, code)
    if not is_confirmed(common, yes=yes, review=_appeal_lines(case, Money.of(status), ground), question="appeal?"):
        return say(common, {}, "nothing was sent")
    answer = client.submit("case.appeal", {"claim": whole, "code": case["code"], "ground": ground})
    return report_submission(common, client, answer, f"appeal on {case['code']} of claim {short(whole)}", wait)


def _denied_case(client: Client, claim: str, code: str | None) -> Json:
    """Return the case to appeal.

    One that is named goes to the daemon as it is: its refusal says why. MutuaError `code_needed`.
    """
    cases = [dict(case) for case in client.view("claim", id=claim)["cases"]]
    if code is not None:
        return next((case for case in cases if case["code"] == code), {"code": code})
    denied = [case for case in cases if case["status"] == "denied"]
    if len(denied) != 1:
        raise MutuaError(
            "code_needed",
            f"{len(denied)} cases of the claim were denied",
            "name the code of one that was: mutua claim show",
        )
    return denied[0]


def _appeal_lines(case: Mapping[str, Any], money: Money, ground: str) -> Iterator[str]:
    if "closed_height" in case:
        yield (
            f"case {case['code']}, {money.show(case['charges_cents'])}: {case['status']} in block"
            f" {case['closed_height']} with {case['yes']} yes and {case['no']} no"
        )
    yield f"ground {ground}; a case is appealed once, and the panel's judgement is final"
