"""Every kind of record: its body, who may sign it, its check and its effect. The ledger treats bodies as bytes; this is their meaning."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from governance.acts import Act
from governance.benefits import claims, contracts
from governance.day import Day
from governance.membership import delegation
from governance.money import premiums, rates, treasury
from governance.voting import ballots, cases
from ledger.codec import Shape, decode, encode
from ledger.errors import RuleBroken


@dataclass(frozen=True, slots=True)
class Kind:
    """A record kind. `check` raises or is silent; `apply` never refuses. `is_by_member`: the signer must be the author's key or device."""

    name: str
    body: type[Shape]
    check: Callable[[Day, Act, Any], None]
    apply: Callable[[Day, Act, Any], None]
    is_by_member: bool = True


def _ignore(_value: object) -> None:
    """Drop a result that the caller has no use for."""


KINDS: dict[str, Kind] = {
    kind.name: kind
    for kind in (
        Kind(
            "claim.file", claims.ClaimBody, claims.check_claim, claims.apply_claim,
            is_by_member=False,
        ),
        Kind(
            "claim.withdraw", claims.WithdrawBody,
            lambda day, act, body: _ignore(claims.check_own_claim(day, act.author, body.claim)),
            lambda day, act, body: _ignore(cases.withdraw_open(day, body.claim)),
        ),
        Kind(
            "claim.evidence", claims.EvidenceBody,
            lambda day, act, body: claims.check_evidence(day, act.author, body),
            lambda day, act, body: claims.apply_evidence(day, body),
        ),
        Kind(
            "case.ballot", ballots.BallotBody,
            lambda day, act, body: ballots.check_ballot(day, act.author, body),
            lambda day, act, body: ballots.apply_ballot(day, act.author, body),
        ),
        Kind(
            "case.auto_ballot", ballots.AutoBallotBody,
            lambda day, act, body: ballots.check_auto_ballot(day, act.author, body),
            lambda day, act, body: ballots.apply_auto_ballot(day, act.author, body),
        ),
        Kind("case.opened", ballots.OpenedBody, ballots.check_opened, ballots.apply_opened),
        Kind(
            "vote.delegate", delegation.DelegateBody,
            lambda day, act, body: delegation.check_delegate(day, act.author, body),
            lambda day, act, body: delegation.apply_delegate(day, act.author, body),
        ),
        Kind(
            "vote.undelegate", delegation.UndelegateBody,
            lambda day, act, body: delegation.check_undelegate(day, act.author, body),
            lambda day, act, body: delegation.apply_undelegate(day, act.author, body),
        ),
        Kind(
            "premium.paid", premiums.PremiumBody, premiums.check_premium,
            lambda day, act, body: premiums.apply_payment(day, body.member),
        ),
        Kind(
            "rate.quote", rates.QuoteBody,
            lambda day, act, body: rates.check_quote(day, act.author, body),
            lambda day, act, body: rates.apply_quote(day, act.author, body),
        ),
        Kind(
            "plan.change", contracts.PlanChangeBody,
            lambda day, act, body: contracts.check_plan_change(day, act.author, body),
            lambda day, act, body: contracts.apply_plan_change(day, act.author, body),
        ),
        Kind(
            "member.leave", contracts.LeaveBody,
            lambda day, act, body: contracts.check_leave(day, act.author),
            lambda day, act, body: contracts.apply_leave(day, act.author),
        ),
        Kind(
            "treasury.batch", treasury.BatchBody, treasury.check_batch,
            lambda day, act, body: treasury.apply_batch(day, body),
        ),
        Kind(
            "treasury.confirm", treasury.ConfirmBody, treasury.check_confirm,
            lambda day, act, body: treasury.apply_confirm(day, body),
        ),
    )
}  # fmt: skip


def encode_body(body: Shape) -> bytes:
    """Return the canonical bytes of a body."""
    return encode(body)


def decode_body(kind: str, data: bytes) -> Any:
    """Return the body of a kind; MalformedBytes when the bytes are not canonical, RuleBroken for an unknown kind."""
    if kind not in KINDS:
        raise RuleBroken("kind_unknown", f"there is no record kind {kind!r}", "see the list of record kinds in the reference")
    return decode(KINDS[kind].body, data)
