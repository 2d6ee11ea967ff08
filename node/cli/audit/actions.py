"""`mutua audit report | finding | drawn`: what members and audit panels do about suspected fraud (rules §9)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter

from ledger.errors import MutuaError
from node.cli.common import (
    DEFAULT,
    Common,
    claim_id,
    is_confirmed,
    member_id,
    own_member,
    provider_key,
    report_submission,
    say,
    short,
    table,
)

Json = Mapping[str, Any]
OUTCOMES = ("fraud", "clear")


def report(  # noqa: D417
    suspect: str,
    *,
    claim: str = "",
    yes: Annotated[bool, Parameter(name=("--yes", "-y"), negative="")] = False,
    wait: float = 0.0,
    common: Common = DEFAULT,
) -> int:
    """Report a member, or a provider, for suspected fraud.

    Enough reports within twelve terms hold payment while a panel looks.

    Parameters
    ----------
    suspect
        A member's key or its first digits, or a provider's identifier or key.
    claim
        The claim that is suspected, where it is one.
    yes
        Do not ask before sending.
    wait
        Seconds to wait until it is final.

    """
    client = common.client()
    own_member(client.status())
    providers = {str(item["identifier"]) for item in client.view("providers")} | {
        str(item["key"]) for item in client.view("providers")
    }
    key = provider_key(client, suspect) if suspect in providers else member_id(client, suspect)
    wanted = claim_id(client, claim) if claim else ""
    review = [
        f"you report {short(key)}{f' for claim {short(wanted)}' if wanted else ''}",
        "all members' nodes see that you did; you can report them again after twelve terms only",
    ]
    if not is_confirmed(common, yes=yes, review=review, question="report?"):
        return say(common, {}, "nothing was sent")
    answer = client.submit("audit.report", {"member": key, "claim": wanted})
    return report_submission(common, client, answer, f"{short(key)} reported", wait)


def finding(claim: str, out: Path, *, outcome: str, reason: str, common: Common = DEFAULT) -> int:  # noqa: D417
    """Draft what an audit panel found, for its members to attest: mutua bundle attest, then mutua bundle submit.

    Parameters
    ----------
    claim
        The claim's id, or its first digits.
    out
        The bundle to write; an existing file is never overwritten.
    outcome
        fraud or clear.
    reason
        Why, in a few words. Members' nodes see them: write no diagnosis.

    """
    from node.cli.members.bundle import write_draft
    from node.own.bundles import new_bundle

    if outcome not in OUTCOMES:
        raise MutuaError("usage", f"{outcome!r} is no outcome", "give --outcome fraud or --outcome clear")
    client = common.client()
    status = client.status()
    body = {"claim": claim_id(client, claim), "outcome": outcome, "reason": reason}
    return write_draft(common, out, new_bundle(bytes.fromhex(str(status["chain_id"])), "audit.finding", body))


def drawn(*, common: Common = DEFAULT) -> int:
    """List the claims drawn for audit, the holds on payment, and the panels with the majority they need."""
    client = common.client()
    own = client.status().get("member")
    answer = client.view("audits")
    return say(common, answer, lambda: _lines(answer, own))


def _lines(answer: Json, own: str | None) -> Iterator[str]:
    if not any(answer.values()):
        yield "no claim was drawn for audit, and nothing is held"
    if answer["drawn"]:
        yield from table(
            ("drawn claim", "block", "why", "provider", "found"),
            [
                (short(item["claim"]), item["height"], item["trigger"], short(item["provider_id"]), _found(item))
                for item in answer["drawn"]
            ],
        )
    if answer["holds"]:
        yield from table(
            ("held", "claim", "why", "until block"),
            [(short(item["held"]), short(item["claim"]), item["trigger"], item["until"]) for item in answer["holds"]],
        )
    if answer["panels"]:
        yield from table(
            ("panel for claim", "members", "needed", "you", "found"),
            [
                (
                    short(item["claim"]),
                    len(item["panel"]),
                    item["needed"],
                    "on it" if own in item["panel"] else "–",
                    _found(item),
                )
                for item in answer["panels"]
            ],
        )


def _found(item: Json) -> str:
    return "fraud" if item["is_fraud"] else "–"
