"""Play a scenario file through the real rules, without network, clock or keys.

`play` yields every event as it happens, then `end`. An action at height a closes every block below a and becomes a
record of block a; what the rules refuse is an event. Two runs of one file give the same bytes.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from hashlib import sha256
from itertools import chain
from typing import Any

from governance.day import Day
from governance.events import Event, event_json, render_text
from governance.genesis import CodeSpec, GenesisSpec, MemberSpec, PlanSpec, TreasurySpec, genesis_rows
from governance.kinds import KINDS, encode_body
from governance.membership import members
from governance.refusals import rule_of
from governance.simulation.actions import CODE_FIELDS
from governance.simulation.records import Filing, filing_of
from governance.simulation.scenario import Action, refusal
from governance.state.cases import CASES, OPEN_CASES
from governance.state.claims import CLAIMS
from governance.tables import Draft
from governance.transition import Act, BlockContext, OpenBlock
from governance.views import rehearsal
from governance.voting import ballots
from ledger.errors import MutuaError, RuleBroken
from ledger.records import Attestation
from ledger.state import StateTree
from ledger.store import MemoryStore

SEED_DOMAIN = b"mutua-rehearse-v1"
VALID_UNTIL = 2**62


@dataclass(frozen=True, slots=True)
class AutoRule:
    """An auto-accept rule of a member's own node. None: every code, any charge, every provider."""

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
        plans=tuple(map(_plan_spec, fields["plans"])),
        members=tuple(map(_member_spec, fields["members"])),
        providers=_named(fields["providers"]),
        codes=tuple(CodeSpec(*(item[name] for name in CODE_FIELDS)) for item in fields["codes"]),
        attesters=_named(fields["attesters"]),
        verifiers=_named(fields["verifiers"]),
        community=fields["community"],
        treasury=_treasury_spec(fields),
        tells_all=fields["all_events"],
    )


def _plan_spec(plan: dict[str, Any]) -> PlanSpec:
    """Return a plan of the first line; no list of codes covers every code."""
    return PlanSpec(**dict(plan, codes=tuple(plan["codes"] or ())))


def _member_spec(item: dict[str, Any]) -> MemberSpec:
    key, same = item["name"].encode(), ("plan", "contract_terms", "terms_ago", "record")
    return MemberSpec(key, key, household=(item["household"] or "").encode(), **{name: item[name] for name in same})


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
        raise refusal(actions[0].line, "field genesis", error.what) from None
    count = 0
    for event in chain(chain.from_iterable(map(player.act, actions[1:])), player.close_open()):
        count += 1
        yield event_json(event, render_text)
    yield {"event": "end", "height": player.closed, "state_root": player.state_root().hex(), "events": count}


def line_of(event: dict[str, Any]) -> str:
    """Return an event as one line of output, without the line's end."""
    return json.dumps(event, ensure_ascii=False, separators=(",", ":"))


class Player:
    """A rehearsal: the state after the closed blocks, at most one open block, the members' auto-accept rules."""

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
            hint = f"act at {self.closed + 1} or later"
            yield self._refused(action, RuleBroken("block_closed", f"block {action.at} is closed", hint))
            return
        yield from self._close_to(action.at - 1)
        block = self._open(action.at)
        self.signed_by = action.fields.get("signed_by")
        try:
            if action.do == "auto_accept":
                self._auto_accept(block, action.fields["by"].encode(), action.fields)
            else:
                self._record(block, filing_of(block.day.draft, action))
        except MutuaError as error:
            block.day.events.append(self._refused(action, error))
        self.signed_by = None  # what happened is yielded when the block closes: one order, that of the block

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

    def _record(self, block: OpenBlock, filing: Filing) -> None:
        """Put a record into the block, signed with the key that the action names, else with the author's own."""
        kind, author, body = filing.kind, filing.author, filing.body
        attestations = tuple(
            Attestation(wanted.role, name.encode(), wanted.subject(author, body), b"")
            for wanted in KINDS[kind].attested
            for name in filing.attested_by
        )
        own = author if KINDS[kind].key == "cover" else members.identity_key_of(block.day.draft, author)
        signer = own if self.signed_by is None else self.signed_by.encode()
        number = self.numbers.get(signer, 0) + 1
        block.take(Act(kind, author, signer, filing.record_id, number, VALID_UNTIL, encode_body(body), attestations))
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
                        self._record(block, Filing("case.auto_ballot", by, body))
                    except RuleBroken:
                        continue  # not eligible, or another rule of this member cast it: the program stays silent

    def _auto_accept(self, block: OpenBlock, by: bytes, fields: dict[str, Any]) -> None:
        """Keep, replace or revoke a rule of a member's own node."""
        members.check_member(block.day.draft, by)
        key = by, fields["id"]
        if fields["off"]:
            if self.rules.pop(key, None) is None:
                raise RuleBroken("rule_unknown", f"there is no rule {fields['id']}", "name one that this member made")
            return
        self.rules[key] = AutoRule(by, fields["id"], fields["codes"], fields["ceiling_cents"], fields["providers"])
