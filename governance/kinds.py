"""Every kind of record: what its body, bytes to the ledger, means, who may sign it, its check and its effect."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from governance.acts import Act, Attested
from governance.benefits import contracts, dependants, providers
from governance.day import Day
from governance.enrolment import admission
from governance.filing import claims
from governance.membership import delegation, guardians, identity
from governance.money import premiums, rates, treasury
from governance.state.applications import ApplyBody
from governance.state.proposals import ProposeBody
from governance.state.treasury import BatchBody
from governance.voting import appeals, ballots, holds, proposals
from ledger.codec import Shape, decode, encode
from ledger.errors import RuleBroken

Signer = Literal["device", "identity", "cover"]
"""Which of the author's keys signs: a device (or the identity key), the identity key alone, or the cover of a claim."""
Handler = Callable[[Day, Act, Any], None]


@dataclass(frozen=True, slots=True)
class Kind:
    """A record kind. `check` raises or is silent; `apply` never refuses; `attested`: what others must have signed."""

    name: str
    body: type[Shape]
    check: Handler
    apply: Handler
    attested: tuple[Attested, ...] = ()
    key: Signer = "device"
    is_by_member: bool = True
    """The signer must be a key of the author, who is or was a member."""


# A table of data, so a row stays in one piece: name, body, check, effect; attested by whom, signed with which key.
# fmt: off
_ALL = (
    Kind("claim.file", claims.ClaimBody, claims.check_claim,
         claims.apply_claim, (claims.PROVIDER,), "cover", is_by_member=False),
    Kind("claim.withdraw", claims.WithdrawBody, claims.check_withdraw, claims.apply_withdraw),
    Kind("claim.evidence", claims.EvidenceBody, claims.check_evidence, claims.apply_evidence),
    Kind("case.ballot", ballots.BallotBody, appeals.check_ballot, appeals.apply_ballot),
    Kind("case.appeal", appeals.AppealBody, appeals.check_appeal, appeals.apply_appeal),
    Kind("audit.report", holds.ReportBody, holds.check_report, holds.apply_report),
    Kind("audit.finding", holds.FindingBody, holds.check_finding, holds.apply_finding, (holds.FINDING,)),
    Kind("proposal.open", ProposeBody, proposals.check_propose, proposals.apply_propose),
    Kind("proposal.sponsor", proposals.SponsorBody, proposals.check_sponsor, proposals.apply_sponsor),
    Kind("proposal.vote", proposals.CastBody, proposals.check_cast, proposals.apply_cast),
    Kind("member.apply", ApplyBody, admission.check_apply,
         admission.apply_apply, (admission.ENROLMENT, admission.DEPOSIT), "identity", is_by_member=False),
    Kind("member.withdraw", admission.WithdrawApplicationBody, admission.check_withdraw,
         admission.apply_withdraw, key="identity", is_by_member=False),
    Kind("provider.list", providers.ProviderBody, providers.check_list, providers.apply_list, (providers.VERIFIED,)),
    Kind("member.vouch", admission.VouchBody, admission.check_vouch, admission.apply_vouch),
    Kind("member.object", admission.ObjectBody, admission.check_object, admission.apply_object),
    Kind("case.auto_ballot", ballots.AutoBallotBody, ballots.check_auto_ballot, ballots.apply_auto_ballot),
    Kind("case.opened", ballots.OpenedBody, ballots.check_opened, ballots.apply_opened),
    Kind("vote.delegate", delegation.DelegateBody, delegation.check_delegate, delegation.apply_delegate),
    Kind("vote.undelegate", delegation.UndelegateBody, delegation.check_undelegate, delegation.apply_undelegate),
    Kind("premium.paid", premiums.PremiumBody, premiums.check_premium, premiums.apply_premium, (premiums.DEPOSIT,)),
    Kind("rate.quote", rates.QuoteBody, rates.check_quote, rates.apply_quote),
    Kind("plan.change", contracts.PlanChangeBody, contracts.check_plan_change, contracts.apply_plan_change),
    Kind("member.leave", contracts.LeaveBody, contracts.check_leave, contracts.apply_leave),
    Kind("cover.add", dependants.CoverAddBody, dependants.check_add,
         dependants.apply_add, (dependants.COVER,), "identity"),
    Kind("cover.end", dependants.CoverEndBody, dependants.check_end, dependants.apply_end, key="identity"),
    Kind("device.certify", identity.DeviceBody, identity.check_certify,
         identity.apply_certify, (identity.DEVICE,), "identity"),
    Kind("device.revoke", identity.RevokeBody, identity.check_revoke, identity.apply_revoke, key="identity"),
    Kind("guardians.set", guardians.GuardiansBody, guardians.check_set, guardians.apply_set, key="identity"),
    Kind("identity.move", identity.MoveBody, identity.check_move,
         identity.apply_move, (identity.GUARDIAN, identity.NEW_KEY)),
    Kind("identity.object", identity.MoveObjectBody, identity.check_move_object,
         identity.apply_move_object, key="identity"),
    Kind("treasury.batch", BatchBody, treasury.check_batch, treasury.apply_batch, (treasury.BATCH,)),
    Kind("treasury.confirm", treasury.ConfirmBody, treasury.check_confirm, treasury.apply_confirm, (treasury.CONFIRM,)),
)
# fmt: on
KINDS = {kind.name: kind for kind in _ALL}


def encode_body(body: Shape) -> bytes:
    """Return the canonical bytes of a body."""
    return encode(body)


def decode_body(kind: str, data: bytes) -> Any:
    """Return the body of a kind; MalformedBytes when the bytes are not canonical, RuleBroken for an unknown kind."""
    if kind not in KINDS:
        what = f"there is no record kind {kind!r}"
        raise RuleBroken("kind_unknown", what, "see the list of record kinds in the reference")
    return decode(KINDS[kind].body, data)
