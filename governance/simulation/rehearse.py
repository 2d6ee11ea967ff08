"""Play a scenario file through the real rules, without network, clock or keys.

Names are keys, attestations are implied.

`play` yields every event as it happens, then `end`. An action at height a closes every block below a and becomes a
record of block a; what the rules refuse is an event. Two runs of one file give the same bytes.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from governance.benefits import contracts, dependants, providers
from governance.day import Day
from governance.enrolment import admission
from governance.events import Event, event_json, render_text
from governance.filing import claims
from governance.genesis import CodeSpec, GenesisSpec, MemberSpec, PlanSpec, TreasurySpec, genesis_rows
from governance.kinds import KINDS, encode_body
from governance.membership import delegation, guardians, identity, members
from governance.money import premiums, rates
from governance.refusals import rule_of
from governance.simulation.scenario import Action, ScenarioError
from governance.state.applications import ApplyBody
from governance.state.cases import CASES, OPEN_CASES
from governance.state.claims import CLAIMS
from governance.state.plans import PlanFigures
from governance.state.proposals import ProposeBody, propose_body
from governance.tables import Draft
from governance.transition import Act, BlockContext, OpenBlock
from governance.views import rehearsal
from governance.voting import appeals, ballots, holds, proposals
from ledger.codec import Shape
from ledger.errors import MutuaError, RuleBroken
from ledger.records import Attestation
from ledger.state import StateTree
from ledger.store import MemoryStore

SEED_DOMAIN = b"mutua-rehearse-v1"
VALID_UNTIL = 2**62
RECEIPT = b"opened"


@dataclass(frozen=True, slots=True)
class AutoRule:
    """A standing yes on a member's own node. None: every code, any charge, every provider."""

    by: bytes
    rule_id: str
    codes: tuple[str, ...] | None
    ceiling_cents: int | None
    providers: tuple[str, ...] | None


def randomness_of(seed: int, height: int) -> bytes:
    """Return R_h of a rehearsal."""
    return sha256(SEED_DOMAIN + seed.to_bytes(8, "big") + height.to_bytes(8, "big")).digest()


def spec_of(action: Action) -> GenesisSpec:
    """Return the genesis of a scenario's first line."""
    fields = action.fields
    return GenesisSpec(
        phase=fields["phase"],
        currency=fields["currency"],
        exponent=fields["exponent"],
        is_rehearsal=True,
        is_auto_pay=fields["auto_pay"],
        claims_cents=fields["accounts"].get("claims", 0),
        reserve_cents=fields["accounts"].get("reserve", 0),
        rate=fields["rate"] or None,
        params=fields["params"],
        plans=tuple(_plan_spec(plan) for plan in fields["plans"]),
        members=tuple(
            MemberSpec(
                key=item["name"].encode(),
                cover=item["name"].encode(),
                plan=item["plan"],
                household=(item["household"] or "").encode(),
                contract_terms=item["contract_terms"],
                terms_ago=item["terms_ago"],
                record=item["record"],
            )
            for item in fields["members"]
        ),
        providers=tuple((name.encode(), name) for name in fields["providers"]),
        codes=tuple(
            CodeSpec(item["code"], item["standard"], item["allowed_cents"], item["frequency"], item["system"])
            for item in fields["codes"]
        ),
        attesters=_named(fields["attesters"]),
        verifiers=_named(fields["verifiers"]),
        community=fields["community"],
        treasury=_treasury_spec(fields),
        tells_all=fields["all_events"],
    )


def _plan_spec(plan: dict[str, Any]) -> PlanSpec:
    """Return a plan of the first line; no list of codes covers every code."""
    figures: dict[str, Any] = {name: value for name, value in plan.items() if name != "codes"}
    return PlanSpec(**figures, codes=tuple(plan["codes"] or ()))


def _named(names: Iterable[str]) -> tuple[tuple[bytes, str], ...]:
    """Return parties whose keys are their names."""
    return tuple((name.encode(), name) for name in names)


def _treasury_spec(fields: dict[str, Any]) -> TreasurySpec | None:
    """Return the treasury of a file that names signers; there is no bitcoin in a rehearsal."""
    signers = tuple(name.encode() for name in fields["signers"])
    return TreasurySpec("regtest", fields["signers_needed"], signers, b"", 0, 0, 1) if signers else None


def play(actions: list[Action]) -> Iterator[dict[str, Any]]:
    """Yield every event of a scenario, ready for JSON; ScenarioError when its genesis breaks the rules."""
    try:
        player = Player(actions[0])
    except MutuaError as error:
        raise ScenarioError(
            "scenario", f"line {actions[0].line}, field genesis: {error.what}", "correct the line; nothing was played"
        ) from None
    count = 0
    for action in actions[1:]:
        for event in player.act(action):
            count += 1
            yield event_json(event, render_text)
    for event in player.close_open():
        count += 1
        yield event_json(event, render_text)
    yield {"event": "end", "height": player.closed, "state_root": player.state_root().hex(), "events": count}


def line_of(event: dict[str, Any]) -> str:
    """Return an event as one line of output, without the line's end."""
    return json.dumps(event, ensure_ascii=False, separators=(",", ":"))


class Player:
    """The state of a rehearsal: closed blocks, at most one open block, the members' auto-accept rules."""

    def __init__(self, genesis: Action) -> None:
        self.seed: int = genesis.fields["seed"]
        self.state = MemoryStore(genesis_rows(spec_of(genesis)))
        self.closed = 0
        self.block: OpenBlock | None = None
        self.numbers: dict[bytes, int] = {}
        self.rules: dict[tuple[bytes, str], AutoRule] = {}
        self.signed_by: str | None = None

    def state_root(self) -> bytes:
        """Return the root over all rows after the last closed block."""
        return StateTree(self.state.scan(b"")).root()

    def act(self, action: Action) -> Iterator[Event]:
        """Do one action and yield what happens, the blocks it closes first."""
        if action.do == "show":
            yield self._show(action)
            return
        if action.do == "advance":
            yield from self._close_to(max(action.at - 1, action.fields["to"]))
            return
        if action.at <= self.closed:
            yield self._refused(
                action, RuleBroken("block_closed", f"block {action.at} is closed", f"act at {self.closed + 1} or later")
            )
            return
        yield from self._close_to(action.at - 1)
        block = self._open(action.at)
        before = len(block.day.events)
        self.signed_by = action.fields.get("signed_by")
        try:
            self._take(block, action)
        except MutuaError as error:
            block.day.events.append(self._refused(action, error))
        self.signed_by = None
        # what happened is yielded when the block closes: one order, that of the block
        assert len(block.day.events) >= before

    def close_open(self) -> Iterator[Event]:
        """Close the open block, if there is one."""
        if self.block is not None:
            yield from self._close_to(self.closed + 1)

    def draft_at(self, height: int) -> Draft:
        """Return the open block's draft: the state as its records left it, before the day ends."""
        return self._open(height).day.draft

    def _open(self, height: int) -> OpenBlock:
        """Return the open block at `height`, started with the ballots of auto-accept."""
        if self.block is None:
            self.block = OpenBlock(self.state, BlockContext(height, randomness_of(self.seed, height)))
            self._cast_auto(self.block)
        return self.block

    def _close_to(self, height: int) -> Iterator[Event]:
        """Close every block up to and including `height`."""
        while self.closed < height:
            outcome = self._open(self.closed + 1).close()
            self.block = None
            self.state.write(outcome.delta)
            self.closed += 1
            yield from outcome.events

    def _refused(self, action: Action, error: MutuaError) -> Event:
        fields = {
            "do": action.do,
            "by": action.fields.get("by"),
            "code": error.code,
            "what": error.what,
            "mend": error.hint,  # the name that the scenario format fixes
            "hint": error.hint,
            "rule": rule_of(error.code),
        }
        return Event("refused", action.at, fields)

    def _show(self, action: Action) -> Event:
        """Return the state of what was asked, as of the last closed block."""
        if action.at > self.closed:
            return self._refused(action, RuleBroken("block_open", f"block {action.at} is not closed", "advance first"))
        day = Day(Draft(self.state), self.closed, b"")
        try:
            shown = rehearsal.shown(day, action.fields["what"], action.fields["name"])
        except MutuaError as error:
            return self._refused(action, error)
        return Event("shown", action.at, {"what": action.fields["what"], "name": action.fields["name"], **shown})

    def _record(
        self,
        block: OpenBlock,
        kind: str,
        author: bytes,
        body: Shape,
        record_id: bytes = b"",
        *,
        attested_by: Iterable[str] = (),
    ) -> None:
        """Add a record signed by the key the action names, else the author's; `attested_by`: who signs every role."""
        attestations = tuple(
            Attestation(wanted.role, name.encode(), wanted.subject(author, body), b"")
            for wanted in KINDS[kind].attested
            for name in attested_by
        )
        own = author if KINDS[kind].key == "cover" else members.identity_key_of(block.day.draft, author)
        signer = own if self.signed_by is None else self.signed_by.encode()
        number = self.numbers.get(signer, 0) + 1
        block.take(Act(kind, author, signer, record_id, number, VALID_UNTIL, encode_body(body), attestations))
        self.numbers[signer] = number

    def _cast_auto(self, block: OpenBlock) -> None:
        """Cast the ballots of auto-accept rules on the cases of the block before."""
        if not self.rules:
            return
        draft = block.day.draft
        for key in list(OPEN_CASES.scan(draft, block.day.height - 1)):
            case = CASES.get(draft, key.claim, key.code)
            provider = CLAIMS.get(draft, key.claim).provider.decode()
            for by, rule_id in sorted(self.rules):
                rule = self.rules[by, rule_id]
                fits = (
                    (rule.codes is None or case.code in rule.codes)
                    and (rule.ceiling_cents is None or case.charges_cents <= rule.ceiling_cents)
                    and (rule.providers is None or provider in rule.providers)
                )
                if fits:
                    try:
                        body = ballots.AutoBallotBody(key.claim, key.code, sha256(rule_id.encode()).digest())
                        self._record(block, "case.auto_ballot", by, body)
                    except RuleBroken:
                        continue  # not eligible, or another rule of this member cast it: the program stays silent

    # ---- One method an action -------------------------------------------
    def _take(self, block: OpenBlock, action: Action) -> None:
        fields = action.fields
        by = (fields.get("by") or "").encode()
        match action.do:
            case "claim":
                author = fields["provider"].encode() if fields["submitter"] == "provider" else by
                self._record(block, "claim.file", author, _claim_body(by, fields), fields["id"].encode())
            case "ballot":
                self._record(block, "case.ballot", by, self._ballot_body(block, fields))
            case "withdraw":
                self._record(block, "claim.withdraw", by, claims.WithdrawBody(fields["claim"].encode()))
            case "evidence":
                self._record(block, "claim.evidence", by, claims.EvidenceBody(fields["claim"].encode(), ()))
            case "auto_accept":
                self._auto_accept(block, by, fields)
            case "delegate":
                self._record(
                    block, "vote.delegate", by, delegation.DelegateBody(fields["to"].encode(), fields["topic"])
                )
            case "undelegate":
                self._record(block, "vote.undelegate", by, delegation.UndelegateBody(fields["topic"]))
            case "pay_premium":
                self._record(block, "premium.paid", by, premiums.PremiumBody(by, 0, b""))
            case "change_plan":
                self._record(
                    block, "plan.change", by, contracts.PlanChangeBody(fields["plan"], fields["contract_terms"])
                )
            case "leave":
                self._record(block, "member.leave", by, contracts.LeaveBody())
            case "quote":
                self._record(block, "rate.quote", by, rates.QuoteBody(fields["rate"]))
            case _:
                self._take_rare(block, action, by)

    def _take_rare(self, block: OpenBlock, action: Action, by: bytes) -> None:
        """The actions of admission, proposals, audits and appeals."""
        fields = action.fields
        match action.do:
            case "apply":
                name = fields["name"].encode()
                household = (fields["household"] or "").encode()
                nullifier = sha256(fields["person"].encode()).digest() if fields["person"] else b""
                body = ApplyBody(
                    name,
                    fields["plan"],
                    fields["contract_terms"],
                    household,
                    nullifier,
                    fields["deposit_cents"],
                    b"",
                    b"",
                )
                self._record(block, "member.apply", name, body, attested_by=fields["attested_by"])
            case "withdraw_application":
                self._record(block, "member.withdraw", by, admission.WithdrawApplicationBody())
            case "list_provider":
                name = fields["name"]
                self._record(
                    block,
                    "provider.list",
                    by,
                    providers.ProviderBody(name.encode(), name),
                    attested_by=fields["attested_by"],
                )
            case "vouch":
                self._record(block, "member.vouch", by, admission.VouchBody(fields["name"].encode()))
            case "object":
                self._record(
                    block, "member.object", by, admission.ObjectBody(fields["name"].encode(), fields["reason"] or "")
                )
            case "propose":
                self._record(block, "proposal.open", by, _propose_body(fields), fields["id"].encode())
            case "sponsor":
                self._record(block, "proposal.sponsor", by, proposals.SponsorBody(fields["proposal"].encode()))
            case "cast":
                self._record(
                    block, "proposal.vote", by, proposals.CastBody(fields["proposal"].encode(), fields["choice"])
                )
            case "report":
                body = holds.ReportBody(fields["member"].encode(), (fields["claim"] or "").encode())
                self._record(block, "audit.report", by, body)
            case "finding":
                finding = holds.FindingBody(fields["claim"].encode(), fields["outcome"], "")
                self._record(block, "audit.finding", b"", finding, attested_by=fields["attested_by"])
            case "appeal":
                claim_id = fields["claim"].encode()
                body = appeals.AppealBody(
                    claim_id, _code_of(block.day.draft, claim_id, fields["code"]), fields["ground"]
                )
                self._record(block, "case.appeal", by, body)
            case _:
                self._take_keys(block, action, by)

    def _take_keys(self, block: OpenBlock, action: Action, by: bytes) -> None:
        """The actions about dependants and keys."""
        fields = action.fields
        match action.do:
            case "dependant":
                kind, body = (
                    ("cover.end", dependants.CoverEndBody) if fields["off"] else ("cover.add", dependants.CoverAddBody)
                )
                self._record(block, kind, by, body(fields["name"].encode()))
            case "device":
                kind, body = (
                    ("device.revoke", identity.RevokeBody) if fields["off"] else ("device.certify", identity.DeviceBody)
                )
                self._record(block, kind, by, body(fields["device"].encode()))
            case "guardians":
                keys = tuple(name.encode() for name in fields["guardians"])
                self._record(block, "guardians.set", by, guardians.GuardiansBody(fields["threshold"], keys))
            case "move_identity":
                member = fields["member"].encode()
                serial = (
                    guardians.guardians_of(block.day.draft, member).serial
                    if fields["serial"] is None
                    else fields["serial"]
                )
                body = identity.MoveBody(member, fields["to"].encode(), serial)
                self._record(block, "identity.move", by, body, attested_by=fields["guardians"])
            case "object_move":
                self._record(block, "identity.object", by, identity.MoveObjectBody())
            case _:
                raise RuleBroken("action_unknown", f"{action.do} is no action", "see the scenario page")

    def _auto_accept(self, block: OpenBlock, by: bytes, fields: dict[str, Any]) -> None:
        """Keep, replace or revoke a rule of a member's own node."""
        members.check_member(block.day.draft, by)
        key = by, fields["id"]
        if fields["off"]:
            if self.rules.pop(key, None) is None:
                raise RuleBroken("rule_unknown", f"there is no rule {fields['id']}", "name one that this member made")
            return
        self.rules[key] = AutoRule(by, fields["id"], fields["codes"], fields["ceiling_cents"], fields["providers"])

    def _ballot_body(self, block: OpenBlock, fields: dict[str, Any]) -> ballots.BallotBody:
        """Return the ballot; a claim with one case needs no code."""
        claim_id = fields["claim"].encode()
        claim = CLAIMS.find(block.day.draft, claim_id)
        return ballots.BallotBody(
            claim_id,
            _code_of(block.day.draft, claim_id, fields["code"]),
            fields["choice"],
            fields["award_cents"],
            fields["reason"] or "",
            1 if claim is None else claim.evidence_version,
            RECEIPT if fields["opened"] else b"",
        )


def _code_of(draft: Draft, claim_id: bytes, code: str | None) -> str:
    """Return the code of a case; RuleBroken when it is not given and the claim has not exactly one case."""
    if code is not None:
        return code
    found = [case.code for case in CASES.scan(draft, claim_id)]
    if len(found) == 1:
        return found[0]
    if not found:
        raise RuleBroken("case_unknown", "there is no such case", "name a claim with non-standard lines")
    raise RuleBroken("code_needed", f"the claim has {len(found)} cases", "name the code")


def _propose_body(fields: dict[str, Any]) -> ProposeBody:
    """Return the body of a proposal from its flat fields."""
    what = fields["what"]
    figures = None
    if what == "plan":
        figures = PlanFigures(
            0,
            fields["deductible_cents"],
            fields["copay_cents"],
            fields["coinsurance_bp"],
            fields["oop_max_cents"],
            fields["claim_ceiling_cents"],
            fields["year_ceiling_cents"],
            fields["waiting_terms"],
            tuple(fields["codes"] or ()),
        )
    key = fields.get("key", "")
    return propose_body(
        what,
        name=fields.get({"phase": "to", "demote": "code", "list": "code"}.get(what, "name")) or key,
        system=fields.get("system", ""),
        member=fields.get("member", "").encode(),
        value=fields.get("value", fields.get("threshold", fields.get("version", 0))),
        standard=fields.get("standard", False),
        allowed_cents=fields.get("allowed_cents"),
        frequency=fields.get("frequency"),
        premium_cents=fields.get("premium_cents", 0),
        prior_cents=fields.get("prior_cents"),
        figures=figures,
        change=fields.get("change", ""),
        key=key.encode(),
        height=fields.get("height", 0),
    )


def _claim_body(by: bytes, fields: dict[str, Any]) -> claims.ClaimBody:
    """Return the body of a claim; what a scenario does not say is empty."""
    lines = tuple(
        claims.ClaimLine(
            line["system"], line["code"], (), line["units"], line["charge_cents"], line["day"], line["day"]
        )
        for line in fields["lines"]
    )
    return claims.ClaimBody(
        fields["scheme"],
        by,
        fields["submitter"],
        fields["payee"],
        fields["provider"].encode(),
        (fields["event"] or "").encode(),
        fields["use"],
        (fields["supersedes"] or "").encode(),
        fields["other_payer_cents"],
        b"",
        (),
        b"",
        lines,
    )


def play_lines(lines: Iterable[str]) -> Iterator[dict[str, Any]]:
    """Parse and play a file's lines."""
    from governance.simulation.scenario import parse

    return play(parse(lines))
