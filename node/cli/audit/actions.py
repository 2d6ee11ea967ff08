"""`mutua audit report | finding | drawn`: what members and audit panels do about suspected fraud (rules §9)."""

from __future__ import annotations

from collections.abc import Iterator

from ledger.errors import MutuaError
from node.api.text import short
from node.api.views.coop import AUDITS, PROVIDERS, Audits, Drawn, Panel
from node.cli.common import DEFAULT, SEND, ClaimId, Common, NewBundle, Sending, say, table

OUTCOMES = ("fraud", "clear")


def report(suspect: str, *, claim: str = "", send: Sending = SEND, common: Common = DEFAULT) -> int:
    """Report a member, or a provider, for suspected fraud.

    Enough reports within twelve terms place a hold on payments until a panel has examined the case.

    :param suspect: A member's key or its first digits, or a provider's identifier or key.
    :param claim: The suspected claim, if there is a particular one.
    """
    session = common.session()
    _, providers = session.member, session.view(PROVIDERS)
    is_provider = any(suspect in (item.identifier, item.key) for item in providers)
    key = session.provider_key(suspect) if is_provider else session.member_id(suspect)
    wanted = session.claim_id(claim) if claim else ""
    review = [
        f"you report {short(key)}{f' for claim {short(wanted)}' if wanted else ''}",
        "all members' nodes can see your report; you can report the same party again only after twelve terms",
    ]
    body, done = {"member": key, "claim": wanted}, f"{short(key)} reported"
    return send.send(common, session, "audit.report", body, review=review, question="report?", done=done)


def finding(claim: ClaimId, out: NewBundle, *, outcome: str, reason: str, common: Common = DEFAULT) -> int:
    """Draft what an audit panel found, for its members to attest: mutua bundle attest, then mutua bundle submit.

    :param outcome: fraud or clear.
    :param reason: Why, in a few words. Members' nodes see them: write no diagnosis.
    """
    from node.cli.members.bundle import draft

    if outcome not in OUTCOMES:
        raise MutuaError("usage", f"{outcome!r} is not an outcome", "give --outcome fraud or --outcome clear")
    session = common.session()
    body = {"claim": session.claim_id(claim), "outcome": outcome, "reason": reason}
    return draft(common, session, out, "audit.finding", body)


def drawn(*, common: Common = DEFAULT) -> int:
    """List the claims drawn for audit, the holds on payment, and the panels with the majority they need."""
    session = common.session()
    answer = session.view(AUDITS)
    return say(common, answer, lambda: _lines(answer, session.status.member))


def _lines(answer: Audits, own: str | None) -> Iterator[str]:
    if not (answer.drawn or answer.holds or answer.panels):
        yield "no claim was drawn for audit, and nothing is held"
    if answer.drawn:
        yield from table(
            ("drawn claim", "block", "why", "provider", "found"),
            [
                (short(item.claim), item.height, item.trigger, short(item.provider_id), _found(item))
                for item in answer.drawn
            ],
        )
    if answer.holds:
        yield from table(
            ("held", "claim", "why", "until block"),
            [(short(item.held), short(item.claim), item.trigger, item.until) for item in answer.holds],
        )
    if answer.panels:
        yield from table(
            ("panel for claim", "members", "needed", "you", "found"),
            [
                (short(item.claim), len(item.panel), item.needed, "on it" if own in item.panel else "–", _found(item))
                for item in answer.panels
            ],
        )


def _found(item: Drawn | Panel) -> str:
    return "fraud" if item.is_fraud else "–"
