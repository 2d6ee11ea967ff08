"""The record that each action of a scenario puts into its block. Names are keys; what the file leaves out is empty."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from governance.benefits import contracts, dependants, providers
from governance.enrolment import admission
from governance.filing import claims
from governance.membership import delegation, guardians, identity
from governance.money import premiums, rates
from governance.simulation.scenario import Action
from governance.state.applications import ApplyBody
from governance.state.cases import CASES
from governance.state.claims import CLAIMS
from governance.state.plans import PlanFigures
from governance.state.proposals import ProposeBody, propose_body
from governance.tables import Draft
from governance.voting import appeals, ballots, holds, proposals
from ledger.codec import Shape
from ledger.errors import RuleBroken

OPENED = b"opened"
"""Stands for the hash of the document that a voter opened."""


@dataclass(frozen=True, slots=True)
class Filing:
    """A record before it is signed. `attested_by`: the parties that sign in every role the kind knows."""

    kind: str
    author: bytes
    body: Shape
    record_id: bytes = b""
    attested_by: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Said:
    """An action's fields, read as bytes where a record wants keys."""

    draft: Draft
    fields: dict[str, Any]

    def key(self, name: str) -> bytes:
        """Return a name as a key; empty if the file gives none."""
        return (self.fields.get(name) or "").encode()

    @property
    def by(self) -> bytes:
        """The acting member."""
        return self.key("by")

    @property
    def code(self) -> str:
        """The code of a case, which a claim with exactly one case need not name; RuleBroken otherwise."""
        if self.fields["code"] is not None:
            return self.fields["code"]
        found = [case.code for case in CASES.scan(self.draft, self.key("claim"))]
        if len(found) == 1:
            return found[0]
        if not found:
            raise RuleBroken("case_unknown", "there is no such case", "name a claim with non-standard lines")
        raise RuleBroken("code_needed", f"the claim has {len(found)} cases", "name the code")


def filing_of(draft: Draft, action: Action) -> Filing:
    """Return what an action files; RuleBroken if the state lacks what it is about."""
    said, fields = Said(draft, action.fields), action.fields
    build = _BODIES.get(action.do)
    if build is None:
        raise RuleBroken("action_unknown", f"there is no action {action.do}", "see the scenario page")
    kind, body = build(said)
    author = said.by
    if action.do == "claim" and fields["submitter"] == "provider":
        author = said.key("provider")
    elif action.do == "apply":
        author = said.key("name")
    elif action.do == "finding":
        author = b""
    signers = fields["guardians"] if action.do == "move_identity" else fields.get("attested_by", ())
    return Filing(kind, author, body, said.key("id"), tuple(signers))


def _apply(said: Said) -> ApplyBody:
    fields = said.fields
    nullifier = sha256(said.key("person")).digest() if fields["person"] else b""
    terms, deposit_cents = fields["contract_terms"], fields["deposit_cents"]
    return ApplyBody(said.key("name"), fields["plan"], terms, said.key("household"), nullifier, deposit_cents, b"", b"")


def _ballot(said: Said) -> ballots.BallotBody:
    fields, claim = said.fields, CLAIMS.find(said.draft, said.key("claim"))
    version, opened = 1 if claim is None else claim.evidence_version, OPENED if fields["opened"] else b""
    vote = fields["choice"], fields["award_cents"], fields["reason"] or ""
    return ballots.BallotBody(said.key("claim"), said.code, *vote, version, opened)


def _claim(said: Said) -> claims.ClaimBody:
    fields = said.fields
    return claims.ClaimBody(
        cover_id=said.by,
        submitter_role=fields["submitter"],
        provider_id=said.key("provider"),
        event_id=said.key("event"),
        supersedes=said.key("supersedes"),
        source_hash=b"",
        evidence=(),
        payout_commitment=b"",
        lines=tuple(map(_line, fields["lines"])),
        **{name: fields[name] for name in ("scheme", "payee", "use", "other_payer_cents")},
    )


def _line(line: dict[str, Any]) -> claims.ClaimLine:
    days = line["day"], line["day"]
    return claims.ClaimLine(line["system"], line["code"], (), line["units"], line["charge_cents"], *days)


def _move(said: Said) -> identity.MoveBody:
    serial = said.fields["serial"]
    if serial is None:
        serial = guardians.guardians_of(said.draft, said.key("member")).serial
    return identity.MoveBody(said.key("member"), said.key("to"), serial)


def _propose(said: Said) -> ProposeBody:
    fields, what = said.fields, said.fields["what"]
    figures = None
    if what == "plan":
        named = {name: fields[name] for name in PlanFigures.__struct_fields__ if name not in ("from_day", "codes")}
        figures = PlanFigures(from_day=0, codes=tuple(fields["codes"] or ()), **named)
    same = ("system", "standard", "allowed_cents", "frequency", "premium_cents", "prior_cents", "change", "height")
    return propose_body(
        what,
        name=fields.get({"phase": "to", "demote": "code", "list": "code"}.get(what, "name")) or fields.get("key", ""),
        member=said.key("member"),
        key=said.key("key"),
        value=fields.get("value", fields.get("threshold", fields.get("version", 0))),
        figures=figures,
        **{name: fields[name] for name in same if name in fields},
    )


def _device(said: Said) -> tuple[str, Shape]:
    kind, body = (
        ("device.revoke", identity.RevokeBody) if said.fields["off"] else ("device.certify", identity.DeviceBody)
    )
    return kind, body(said.key("device"))


def _dependant(said: Said) -> tuple[str, Shape]:
    kind, body = (
        ("cover.end", dependants.CoverEndBody) if said.fields["off"] else ("cover.add", dependants.CoverAddBody)
    )
    return kind, body(said.key("name"))


def _guardians(said: Said) -> guardians.GuardiansBody:
    return guardians.GuardiansBody(said.fields["threshold"], tuple(name.encode() for name in said.fields["guardians"]))


_BODIES: dict[str, Callable[[Said], tuple[str, Shape]]] = {
    "claim": lambda said: ("claim.file", _claim(said)),
    "ballot": lambda said: ("case.ballot", _ballot(said)),
    "withdraw": lambda said: ("claim.withdraw", claims.WithdrawBody(said.key("claim"))),
    "evidence": lambda said: ("claim.evidence", claims.EvidenceBody(said.key("claim"), ())),
    "delegate": lambda said: ("vote.delegate", delegation.DelegateBody(said.key("to"), said.fields["topic"])),
    "undelegate": lambda said: ("vote.undelegate", delegation.UndelegateBody(said.fields["topic"])),
    "pay_premium": lambda said: ("premium.paid", premiums.PremiumBody(said.by, 0, b"")),
    "change_plan": lambda said: (
        "plan.change",
        contracts.PlanChangeBody(said.fields["plan"], said.fields["contract_terms"]),
    ),
    "leave": lambda _: ("member.leave", contracts.LeaveBody()),
    "quote": lambda said: ("rate.quote", rates.QuoteBody(said.fields["rate"])),
    "apply": lambda said: ("member.apply", _apply(said)),
    "withdraw_application": lambda _: ("member.withdraw", admission.WithdrawApplicationBody()),
    "list_provider": lambda said: ("provider.list", providers.ProviderBody(said.key("name"), said.fields["name"])),
    "vouch": lambda said: ("member.vouch", admission.VouchBody(said.key("name"))),
    "object": lambda said: ("member.object", admission.ObjectBody(said.key("name"), said.fields["reason"] or "")),
    "propose": lambda said: ("proposal.open", _propose(said)),
    "sponsor": lambda said: ("proposal.sponsor", proposals.SponsorBody(said.key("proposal"))),
    "cast": lambda said: ("proposal.vote", proposals.CastBody(said.key("proposal"), said.fields["choice"])),
    "report": lambda said: ("audit.report", holds.ReportBody(said.key("member"), said.key("claim"))),
    "finding": lambda said: ("audit.finding", holds.FindingBody(said.key("claim"), said.fields["outcome"], "")),
    "appeal": lambda said: ("case.appeal", appeals.AppealBody(said.key("claim"), said.code, said.fields["ground"])),
    "dependant": _dependant,
    "device": _device,
    "guardians": lambda said: ("guardians.set", _guardians(said)),
    "move_identity": lambda said: ("identity.move", _move(said)),
    "object_move": lambda _: ("identity.object", identity.MoveObjectBody()),
}
