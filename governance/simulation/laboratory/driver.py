"""Plays a world: members' acts go through the player of rehearsals, which is the real transition, block by block.

The driver decides nothing. It puts the agents' acts into the block, notes the answers of the rules, and checks the
invariants at every boundary. Refusals are data, not errors.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Iterable
from copy import deepcopy
from functools import partial
from time import perf_counter
from typing import Any

from governance.benefits import codes
from governance.day import Day
from governance.events import event_json, render_text
from governance.invariants import all_broken_invariants
from governance.membership import members
from governance.money import accounts
from governance.simulation.actions import ABSENT, ACTIONS, LINE_FIELDS, PROPOSALS
from governance.simulation.laboratory.attackers.base import Attack
from governance.simulation.laboratory.book import Book, CaseNote, Cast, ClaimNote, Draw, Line, MemberNote, Snapshot
from governance.simulation.laboratory.population import Population
from governance.simulation.laboratory.setting import PLAN, Setting, founding
from governance.simulation.rehearse import Player
from governance.simulation.scenario import Action, parse
from governance.state.ballots import BALLOTS
from governance.state.cases import CASES, CaseRow
from governance.state.members import MEMBERS
from governance.state.plans import PLANS
from governance.tables import Draft
from governance.voting import approval_threshold
from ledger import calendar

MILESTONES = ("code_promoted", "code_demoted", "run_off", "disbanded")
"""Events that are kept with their subject."""
GROWTH_DIV = 10
"""Rules §13: voters grow by a tenth a term; a constant, because a run may try another parameter."""


class World:
    """One co-op, one attack (or none), one seed."""

    def __init__(self, setting: Setting, attack: Attack) -> None:
        self.setting = setting
        self.attack = attack
        self.height = 0
        self.genesis = founding(setting)
        attack.found(self.genesis)
        self.player = Player(parse([json.dumps(self.genesis)])[0])
        self.book = Book(setting)
        self.script: list[dict[str, Any]] | None = None
        """Every action as a line of a scenario file, if one is wanted."""
        self.attackers: frozenset[str] = frozenset[str]() if attack.is_idle else attack.controlled
        self.population = Population(self)
        self._agenda: defaultdict[int, list[Callable[[], object]]] = defaultdict(list)
        self.book.members |= {name: MemberNote() for name in setting.founders}

    # ---- Time ---------------------------------------------------------------
    @property
    def term(self) -> int:
        """The term of the open block."""
        return calendar.term_of(self.height)

    def at(self, height: int, do: Callable[..., object], *args: Any, **fields: Any) -> None:
        """Do something in a later block, at the earliest in the next."""
        self._agenda[max(height, self.height + 1)].append(partial(do, *args, **fields))

    def run(self) -> Book:
        """Play all blocks and return the notes."""
        began = perf_counter()
        self.attack.start(self)
        for height in range(1, self.setting.blocks + 1):
            self.height = height
            self._keep("advance", {"to": height - 1})
            if calendar.is_term_start(height):
                self.population.start_term(self.term)
            for do in self._agenda.pop(height, ()):
                do()
            self.attack.at_block(self)
            self._close()
            if calendar.is_boundary(height):
                self._look()
        self.book.state_root = self.player.state_root().hex()
        self.book.seconds = perf_counter() - began
        return self.book

    # ---- Acts -----------------------------------------------------------------
    def act(self, do: str, **fields: Any) -> bool:
        """Put an action into the open block; False when the rules refuse it."""
        self._keep(do, fields)
        shapes = {**ACTIONS[do], **(PROPOSALS[fields["what"]] if do == "propose" else {})}
        filled = {name: deepcopy(item.default) for name, item in shapes.items() if item.default is not ABSENT}
        for _ in self.player.act(Action(0, self.height, do, {**filled, **fields})):
            pass
        assert self.player.block is not None, "an action opens its block"
        last = self.player.block.day.events[-1:] or None
        if last is not None and last[0].name == "refused" and last[0].fields["do"] == do:
            event = self.player.block.day.events.pop()
            self.book.refused[do, event.fields["code"]] += 1
            return False
        return True

    def _keep(self, do: str, fields: dict[str, Any]) -> None:
        if self.script is not None:
            self.script.append({"at": max(self.height - (do == "advance"), 0), "do": do, **fields})

    def claim(self, claim: str, by: str, provider: str, lines: tuple[Line, ...], **fields: Any) -> bool:
        """File a claim and note the cases it opens; the ledger does not see which lines are right."""
        figures = {name: item.default for name, item in LINE_FIELDS.items() if item.default is not ABSENT}
        filed = [
            {**figures, "code": line.code, "units": line.units, "charge_cents": line.charge_cents, "day": line.day}
            for line in lines
        ]
        if not self.act("claim", id=claim, by=by, provider=provider, lines=filed, **fields):
            return False
        self.book.claims[claim] = ClaimNote(claim, by, provider, self.height, lines)
        assert self.player.block is not None, "the claim is in it"
        for row in CASES.scan(self.player.block.day.draft, claim.encode()):
            is_right = all(line.is_right for line in lines if line.code == row.code)
            note = CaseNote(claim, row.code, by, provider, self.height, row.charges_cents, is_right, row.is_second)
            self.book.cases[claim, row.code] = note
            if first := self.book.cases.get((claim.removesuffix("~"), row.code)) if claim.endswith("~") else None:
                first.second = note
            self.population.on_case(note)
            self.attack.on_case(self, note)
        return True

    def ballot(
        self, by: str, case: CaseNote, choice: str, *, opened: bool = True, award_cents: int | None = None
    ) -> bool:
        """Cast or change a ballot on an open case or appeal; do nothing if it is closed."""
        if case.status not in ("open", "appeal"):
            return False
        vote = {"choice": choice, "opened": opened, "award_cents": award_cents}
        if not self.act("ballot", by=by, claim=case.claim, code=case.code, **vote):
            return False
        if case.status == "open":
            before = case.ballots.get(by)
            case.ballots[by] = Cast(choice, self.height, casts=1 if before is None else before.casts + 1)
        return True

    def note_auto(self, by: str, case: CaseNote) -> None:
        """Note the ballot that an auto-accept rule cast at the start of this block, if it did."""
        row = BALLOTS.find(self.player.draft_at(self.height), case.claim.encode(), case.code, by.encode())
        if row is not None and row.rule_hash:
            case.ballots[by] = Cast("accept", self.height, is_auto=True)

    def ledger_case(self, case: CaseNote) -> CaseRow:
        """Return a case's row after the last closed block, with the tally that every member sees."""
        return CASES.get(Draft(self.player.state), case.claim.encode(), case.code)

    def apply(self, name: str, vouchers: Iterable[str]) -> bool:
        """Let a stranger apply, and others vouch; False when the rules refuse the application."""
        is_taken = self.act("apply", name=name, plan=PLAN)
        for voucher in vouchers if is_taken else ():
            self.act("vouch", by=voucher, name=name)
        return is_taken

    def if_member(self, name: str, do: Callable[..., object], *args: Any, **fields: Any) -> None:
        """Do something unless this member has left."""
        if self.is_member(name):
            do(*args, **fields)

    def is_member(self, name: str) -> bool:
        """True while a membership lasts."""
        note = self.book.members.get(name)
        return note is not None and note.left is None and note.joined <= self.height

    # ---- What happened ----------------------------------------------------------
    def _close(self) -> None:
        """Close the block, note its events, and pass them to the agents."""
        draft = self.player.draft_at(self.height)
        claims_cents, reserve_cents = accounts.balance_of(draft, "claims"), accounts.balance_of(draft, "reserve")
        found = [event_json(event, render_text) for event in self.player.close_open()]
        start = reserve_cents
        for event in found:
            if event["event"] == "payout_due":
                from_claims = min(claims_cents, event["amount_cents"])
                claims_cents -= from_claims
                taken = event["amount_cents"] - from_claims
                if taken:
                    self.book.draws.append(Draw(self.height, taken, start))
        for event in found:
            self._note(event)
        for event in found:
            self.population.on_event(event)
            self.attack.on_event(self, event)

    def _note(self, event: dict[str, Any]) -> None:
        name, book = event["event"], self.book
        book.events[name] += 1
        if name in MILESTONES:
            book.milestones.append((self.height, name, event.get("code", "")))
        code: str = event.get("case") or ""
        if name in ("claim_accepted", "claim_denied", "claim_lapsed") and code:
            self._note_decision(book.cases[event["claim"], code], event)
        elif name == "claim_line" and event["refusal"] is None:
            line = (event["code"], event["standard"], event["units_paid"], event["allowed_cents"])
            book.claims[event["claim"]].allowed.append(line)
            book.claims[event["claim"]].benefit_cents += event["benefit_cents"]
        elif name == "audit_drawn":
            book.claims[event["claim"]].audit = event["trigger"]
        elif name == "panel_drawn":
            book.cases[event["claim"], code].panel = tuple(event["members"])
        elif name == "appeal_opened":
            case = book.cases[event["claim"], code]
            case.status, case.appealed = "appeal", True
        elif name == "payout_due" and event["claim"] is not None:
            self._note_payment(event)
        else:
            self._note_member(event)

    def _note_decision(self, case: CaseNote, event: dict[str, Any]) -> None:
        """Note a decision, and each ballot in the lab's own records if the case closed by vote."""
        was_open = case.status == "open"
        case.status = event["event"].removeprefix("claim_")
        case.how = event.get("how")
        case.closed, case.yes, case.no = self.height, event["yes"], event["no"]
        case.bar_bp, case.seniority_bp = event["bar_bp"], event["seniority_bp"]
        case.award_cents, case.benefit_cents = event.get("award_cents") or 0, event.get("benefit_cents", 0)
        if was_open and (case.status == "denied" or case.how == "vote"):
            case.voted, case.vote_accepted = self.height, case.status == "accepted"
            for voter, cast in case.ballots.items():
                if cast.choice != "abstain":
                    record = self.book.records.setdefault(voter, [])
                    record.append((self.height, cast.choice == "deny", cast.is_auto))

    def _note_payment(self, event: dict[str, Any]) -> None:
        claim = self.book.claims[event["claim"]]
        claim.paid_cents += event["amount_cents"]
        claim.paid_height = self.height
        if event["case"] is not None:
            self.book.cases[event["claim"], event["case"]].paid_cents += event["amount_cents"]

    def _note_member(self, event: dict[str, Any]) -> None:
        name = event["event"]
        if name == "member_joined":
            note = self.book.members.setdefault(event["member"], MemberNote())
            note.joined, note.left = self.height + 1, None
            return
        note = self.book.members.get(event.get("member", ""))
        if note is None:
            return
        if name == "contract_ended":
            note.left = self.height
        elif name == "premium_paid":
            note.premiums += 1
            note.premiums_cents += event["amount_cents"]
        elif name == "renewal_refused":
            note.refused, note.until = self.height, event["until"]
        elif name == "renewal_cleared":
            note.refused = note.until = None

    def _look(self) -> None:
        """At a boundary: the invariants, the accounts, the watched members' records."""
        state = self.player.state
        self.book.broken += [f"block {self.height}: {sentence}" for sentence in all_broken_invariants(state)]
        day = Day(Draft(state), self.height, b"")
        counts = day.counts
        joined = sum(note.joined == self.height + 1 for note in self.book.members.values())
        voting = {row.key.decode() for row in MEMBERS.scan(day.draft) if members.is_voter(row)}
        before = self.book.snapshots[-1].voters if self.book.snapshots else counts.voters
        self.book.snapshots.append(
            Snapshot(
                height=self.height,
                voters=counts.voters,
                claims_cents=accounts.balance_of(day.draft, "claims"),
                reserve_cents=accounts.balance_of(day.draft, "reserve"),
                premium_cents=PLANS.get(day.draft, PLAN).premium_cents,
                joined=joined,
                room=-(-before // GROWTH_DIV),
                attackers=len(voting & self.attackers_now()),
            )
        )
        for name in self.attack.watched:
            row = MEMBERS.find(day.draft, name.encode())
            if row is not None:
                found = approval_threshold.threshold_of(day, row)
                figures = {"denied": found.denied, "voted": found.voted}
                figures |= {"bar_bp": found.threshold_bp, "seniority_bp": found.seniority_bp}
                self.book.watched.setdefault(name, []).append((self.height, figures))

    def attackers_now(self) -> frozenset[str]:
        """Return the attackers, including those who joined later."""
        return self.attackers | self.attack.recruits

    def is_standard(self, code: str) -> bool:
        """True iff a service of today under this code would be settled without a vote."""
        return codes.code_on(Draft(self.player.state), "", code, self.height).is_standard
