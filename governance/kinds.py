"""Every kind of record: its body, who may sign it, its check and its effect.

The ledger treats bodies as bytes; this is their meaning.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from governance.acts import Act, Attested
from governance.benefits import contracts, dependants, providers
from governance.day import Day
from governance.enrolment import admission
from governance.filing import claims
from governance.membership import delegation, guardians, identity
from governance.money import premiums, rates, treasury
from governance.state.applications import ApplyBody
from governance.state.cases import CASES
from governance.state.proposals import ProposeBody
from governance.state.treasury import BatchBody
from governance.voting import appeals, ballots, cases, holds, proposals
from ledger.codec import Shape, decode, encode
from ledger.errors import RuleBroken


@dataclass(frozen=True, slots=True)
class Kind:
    """A record kind.

    `check` raises or is silent; `apply` never refuses. `is_by_member`: the signer must be the author's key or device.

    `attested`: what others must have signed, and over which subject. `key`: which of the author's keys signs: `device`
    (or the identity key, where no device is certified), `identity`, or `cover`, the pseudonym that a claim names.
    """

    name: str
    body: type[Shape]
    check: Callable[[Day, Act, Any], None]
    apply: Callable[[Day, Act, Any], None]
    is_by_member: bool = True
    attested: tuple[Attested, ...] = ()
    key: str = "device"


def _ignore(_value: object) -> None:
    """Drop a result that the caller has no use for."""


def _votes_of(day: Day, body: ballots.BallotBody) -> Any:
    """While an appeal is open its panel votes; else the members."""
    case = CASES.find(day.draft, body.claim, body.code)
    is_closed = case is not None and case.status != "open"
    return appeals if is_closed and appeals.is_open(day.draft, body.claim, body.code) else ballots


KINDS: dict[str, Kind] = {
    kind.name: kind
    for kind in (
        Kind(
            "claim.file",
            claims.ClaimBody,
            claims.check_claim,
            claims.apply_claim,
            is_by_member=False,
            attested=(claims.PROVIDER,),
            key="cover",
        ),
        Kind(
            "claim.withdraw",
            claims.WithdrawBody,
            lambda day, act, body: _ignore(claims.check_own_claim(day, act.author, body.claim)),
            lambda day, _act, body: _ignore(cases.withdraw_open(day, body.claim)),
        ),
        Kind(
            "claim.evidence",
            claims.EvidenceBody,
            lambda day, act, body: claims.check_evidence(day, act.author, body),
            lambda day, _act, body: claims.apply_evidence(day, body),
        ),
        Kind(
            "case.ballot",
            ballots.BallotBody,
            lambda day, act, body: _votes_of(day, body).check_ballot(day, act.author, body),
            lambda day, act, body: _votes_of(day, body).apply_ballot(day, act.author, body),
        ),
        Kind(
            "case.appeal",
            appeals.AppealBody,
            lambda day, act, body: appeals.check_appeal(day, act.author, body),
            lambda day, _act, body: appeals.apply_appeal(day, body),
        ),
        Kind(
            "audit.report",
            holds.ReportBody,
            lambda day, act, body: holds.check_report(day, act.author, body),
            lambda day, act, body: holds.apply_report(day, act.author, body),
        ),
        Kind(
            "audit.finding",
            holds.FindingBody,
            holds.check_finding,
            lambda day, _act, body: holds.apply_finding(day, body),
            attested=(holds.FINDING,),
        ),
        Kind(
            "proposal.open",
            ProposeBody,
            lambda day, act, body: proposals.check_propose(day, act.author, act.record_id, body),
            lambda day, act, body: proposals.apply_propose(day, act.author, act.record_id, body),
        ),
        Kind(
            "proposal.sponsor",
            proposals.SponsorBody,
            lambda day, act, body: proposals.check_sponsor(day, act.author, body),
            lambda day, act, body: proposals.apply_sponsor(day, act.author, body),
        ),
        Kind(
            "proposal.vote",
            proposals.CastBody,
            lambda day, act, body: proposals.check_cast(day, act.author, body),
            lambda day, act, body: proposals.apply_cast(day, act.author, body),
        ),
        Kind(
            "member.apply",
            ApplyBody,
            admission.check_apply,
            admission.apply_apply,
            is_by_member=False,
            attested=(admission.ENROLMENT, admission.DEPOSIT),
            key="identity",
        ),
        Kind(
            "member.withdraw",
            admission.WithdrawApplicationBody,
            lambda day, act, _body: admission.check_withdraw(day, act.author),
            lambda day, act, _body: admission.apply_withdraw(day, act.author),
            is_by_member=False,
            key="identity",
        ),
        Kind(
            "provider.list",
            providers.ProviderBody,
            providers.check_list,
            lambda day, _act, body: providers.add(day, body.key, body.identifier),
            attested=(providers.VERIFIED,),
        ),
        Kind(
            "member.vouch",
            admission.VouchBody,
            lambda day, act, body: admission.check_vouch(day, act.author, body),
            lambda day, act, body: admission.apply_vouch(day, act.author, body),
        ),
        Kind(
            "member.object",
            admission.ObjectBody,
            lambda day, act, body: admission.check_object(day, act.author, body),
            lambda day, act, body: admission.apply_object(day, act.author, body),
        ),
        Kind(
            "case.auto_ballot",
            ballots.AutoBallotBody,
            lambda day, act, body: ballots.check_auto_ballot(day, act.author, body),
            lambda day, act, body: ballots.apply_auto_ballot(day, act.author, body),
        ),
        Kind("case.opened", ballots.OpenedBody, ballots.check_opened, ballots.apply_opened),
        Kind(
            "vote.delegate",
            delegation.DelegateBody,
            lambda day, act, body: delegation.check_delegate(day, act.author, body),
            lambda day, act, body: delegation.apply_delegate(day, act.author, body),
        ),
        Kind(
            "vote.undelegate",
            delegation.UndelegateBody,
            lambda day, act, body: delegation.check_undelegate(day, act.author, body),
            lambda day, act, body: delegation.apply_undelegate(day, act.author, body),
        ),
        Kind(
            "premium.paid",
            premiums.PremiumBody,
            premiums.check_premium,
            lambda day, _act, body: premiums.apply_premium(day, body),
            attested=(premiums.DEPOSIT,),
        ),
        Kind(
            "rate.quote",
            rates.QuoteBody,
            lambda day, act, body: rates.check_quote(day, act.author, body),
            lambda day, act, body: rates.apply_quote(day, act.author, body),
        ),
        Kind(
            "plan.change",
            contracts.PlanChangeBody,
            lambda day, act, body: contracts.check_plan_change(day, act.author, body),
            lambda day, act, body: contracts.apply_plan_change(day, act.author, body),
        ),
        Kind(
            "member.leave",
            contracts.LeaveBody,
            lambda day, act, _body: contracts.check_leave(day, act.author),
            lambda day, act, _body: contracts.apply_leave(day, act.author),
        ),
        Kind(
            "cover.add",
            dependants.CoverAddBody,
            dependants.check_add,
            lambda day, act, body: dependants.apply_add(day, act.author, body),
            attested=(dependants.COVER,),
            key="identity",
        ),
        Kind(
            "cover.end",
            dependants.CoverEndBody,
            lambda day, act, body: dependants.check_end(day, act.author, body),
            lambda day, act, body: dependants.apply_end(day, act.author, body),
            key="identity",
        ),
        Kind(
            "device.certify",
            identity.DeviceBody,
            identity.check_certify,
            lambda day, act, body: identity.apply_certify(day, act.author, body),
            attested=(identity.DEVICE,),
            key="identity",
        ),
        Kind(
            "device.revoke",
            identity.RevokeBody,
            lambda day, act, body: identity.check_revoke(day, act.author, body),
            lambda day, act, body: identity.apply_revoke(day, act.author, body),
            key="identity",
        ),
        Kind(
            "guardians.set",
            guardians.GuardiansBody,
            lambda day, act, body: guardians.check_set(day, act.author, body),
            lambda day, act, body: guardians.apply_set(day, act.author, body),
            key="identity",
        ),
        Kind(
            "identity.move",
            identity.MoveBody,
            identity.check_move,
            lambda day, _act, body: identity.apply_move(day, body),
            attested=(identity.GUARDIAN, identity.NEW_KEY),
        ),
        Kind(
            "identity.object",
            identity.MoveObjectBody,
            lambda day, act, _body: identity.check_move_object(day, act.author),
            lambda day, act, _body: identity.apply_move_object(day, act.author),
            key="identity",
        ),
        Kind(
            "treasury.batch",
            BatchBody,
            treasury.check_batch,
            lambda day, _act, body: treasury.apply_batch(day, body),
            attested=(treasury.BATCH,),
        ),
        Kind(
            "treasury.confirm",
            treasury.ConfirmBody,
            treasury.check_confirm,
            lambda day, _act, body: treasury.apply_confirm(day, body),
            attested=(treasury.CONFIRM,),
        ),
    )
}


def encode_body(body: Shape) -> bytes:
    """Return the canonical bytes of a body."""
    return encode(body)


def decode_body(kind: str, data: bytes) -> Any:
    """Return the body of a kind; MalformedBytes when the bytes are not canonical, RuleBroken for an unknown kind."""
    if kind not in KINDS:
        raise RuleBroken(
            "kind_unknown", f"there is no record kind {kind!r}", "see the list of record kinds in the reference"
        )
    return decode(KINDS[kind].body, data)
