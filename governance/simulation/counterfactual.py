"""What would have been decided under other parameters: a history replayed with its votes held fixed (rules §12).

Two worlds replay the same blocks with the same randomness: one as it was, one whose genesis had other parameters. Every
record stays in its block; records that the other rules refuse are noted and skipped. Nobody votes again, so the answer
is what the rules alone would have changed, not a forecast of what people would have done.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TypeVar

from msgspec.structs import replace

from governance import params
from governance.day import Day
from governance.events import Event
from governance.genesis import GenesisSpec, genesis_rows
from governance.history import PastBlock
from governance.money import accounts, payouts
from governance.state.cases import CASES
from governance.state.members import MEMBERS
from governance.state.plans import PLANS
from governance.tables import Draft
from governance.transition import BlockContext, OpenBlock
from governance.voting import approval_threshold
from ledger.errors import LedgerCorrupt, MutuaError
from ledger.store import MemoryStore

DECISIONS = ("claim_accepted", "claim_denied", "claim_lapsed", "preauthorised")
FLIPPED, AMOUNT, MOVED, BAR = "outcome", "benefit", "height", "bar"
"""How two decisions differ, most important first: another outcome, benefit, block only, or threshold only."""
REFUSED = "refused"
"""In place of an event: the rules refuse the claim's own record."""

K = TypeVar("K", bytes, str)
V = TypeVar("V")
Part = tuple[bytes, str | None]
"""A claim and the code of its case; None: its standard lines."""


@dataclass(frozen=True, slots=True)
class Decision:
    """A part of a claim at the end. `event`: the last decision, the status of a case without one, or `refused`."""

    event: str
    height: int | None
    benefit_cents: int
    how: str | None = None
    yes: int | None = None
    no: int | None = None
    bar_bp: int | None = None
    seniority_bp: int | None = None


@dataclass(frozen=True, slots=True)
class Difference:
    """A part of a claim that ends differently; None: that world does not have it, or settled none of it."""

    claim: bytes
    case: str | None
    change: str
    old: Decision | None
    new: Decision | None


@dataclass(frozen=True, slots=True)
class Refusal:
    """A record of the history that the other rules refuse, with the rule and its words."""

    height: int
    kind: str
    record_id: bytes
    code: str
    what: str


@dataclass(frozen=True, slots=True)
class Standing:
    """A member's bar and seniority at the end."""

    bar_bp: int
    seniority_bp: int


@dataclass(frozen=True, slots=True)
class Totals:
    """Sums over one world at the end. `paid_cents`: what the ledger paid out; `owed_cents`: accepted and unpaid."""

    accepted: int
    denied: int
    lapsed: int
    benefit_cents: int
    paid_cents: int
    owed_cents: int
    claims_cents: int
    reserve_cents: int


@dataclass(frozen=True, slots=True)
class Changed:
    """A parameter's value at genesis, as it was and as it is tried."""

    name: str
    old: int
    new: int


@dataclass(frozen=True, slots=True)
class Comparison:
    """Both worlds side by side; only what differs is listed, ordered by claim or key, records by block."""

    height: int
    changes: tuple[Changed, ...]
    overruled: tuple[tuple[int, str, int], ...]
    """(height, name, value) of the history's own changes of a changed parameter, which apply from there on."""
    differences: tuple[Difference, ...]
    refusals: tuple[Refusal, ...]
    standings: tuple[tuple[bytes, Standing | None, Standing | None], ...]
    premiums: tuple[tuple[str, int | None, int | None], ...]
    """(plan, premium a term then, now)."""
    event_counts: tuple[tuple[str, int, int], ...]
    old: Totals
    new: Totals


class World:
    """The state and the decisions of one genesis, extended block by block."""

    def __init__(self, spec: GenesisSpec) -> None:
        self.state = MemoryStore(genesis_rows(spec))
        self.height = 0
        self.decided: dict[Part, Decision] = {}
        self.refusals: list[Refusal] = []
        self.counts: Counter[str] = Counter()
        self.paid_cents = 0

    def step(self, block: PastBlock) -> tuple[Event, ...]:
        """Apply the next block without the records that the rules refuse; return what happened."""
        opened = OpenBlock(self.state, BlockContext(block.height, block.randomness))
        for act in block.acts:
            try:
                opened.take(act)
            except MutuaError as error:
                self.refusals.append(Refusal(block.height, act.kind, act.record_id, error.code, error.what))
        outcome = opened.close()
        self.state.write(outcome.delta)
        self.height = block.height
        for event in outcome.events:
            self._note(event)
        return outcome.events

    def _note(self, event: Event) -> None:
        self.counts[event.name] += 1
        fields = event.fields
        if event.name == "payout_due":
            self.paid_cents += fields["amount_cents"]
        if event.name in DECISIONS:
            votes = (fields[name] for name in ("yes", "no", "bar_bp", "seniority_bp"))
            benefit_cents, how = fields.get("benefit_cents", 0), fields.get("how")
            part = fields["claim"], fields["case"]
            self.decided[part] = Decision(event.name, event.height, benefit_cents, how, *votes)

    def decisions(self) -> dict[Part, Decision]:
        """Return the decision on every part of every claim, or its case's status."""
        found = dict(self.decided)
        for case in CASES.scan(Draft(self.state)):
            votes = case.yes, case.no, case.bar_bp, case.seniority_bp
            undecided = Decision(case.status, case.closed_height or None, 0, None, *votes)
            found.setdefault((case.claim, case.code), undecided)
        return found

    def standings(self) -> dict[bytes, Standing]:
        """Return bar and seniority of all members, as if the last block included a claim."""
        day = Day(Draft(self.state), self.height, b"")
        rows = ((row.key, approval_threshold.threshold_of(day, row)) for row in MEMBERS.scan(day.draft))
        return {key: Standing(row.threshold_bp, row.seniority_bp) for key, row in rows}

    def premiums(self) -> dict[str, int]:
        """Return the premium a term of each plan, in cents."""
        return {row.name: row.premium_cents for row in PLANS.scan(Draft(self.state))}

    def totals(self) -> Totals:
        """Return the sums at the end."""
        draft = Draft(self.state)
        how = Counter(decision.event for decision in self.decided.values())
        return Totals(
            *(how[name] for name in DECISIONS[:3]),
            benefit_cents=sum(decision.benefit_cents for decision in self.decided.values()),
            paid_cents=self.paid_cents,
            owed_cents=payouts.owed_total(draft),
            claims_cents=accounts.balance_of(draft, "claims"),
            reserve_cents=accounts.balance_of(draft, "reserve"),
        )


class Counterfactual:
    """A history replayed in both worlds."""

    def __init__(self, spec: GenesisSpec, changes: Mapping[str, int]) -> None:
        """Create both worlds; RuleBroken for an unknown parameter or a value out of range."""
        before = params.param_values(params.params_of(spec.params))
        self.old = World(spec)
        self.new = World(replace(spec, params={**spec.params, **changes}))
        self.changes = tuple(Changed(name, before[name], value) for name, value in sorted(changes.items()))
        self.overruled: list[tuple[int, str, int]] = []

    def step(self, block: PastBlock) -> tuple[Event, ...]:
        """Replay a block in both worlds and return its events; LedgerCorrupt if the unchanged rules refuse a record."""
        events = self.old.step(block)
        if self.old.refusals:
            first = self.old.refusals[0]
            record = f"a {first.kind} record of block {first.height} ({first.code}: {first.what})"
            hint = "check the folder with mutua audit verify, or rehearse with the version of mutua that wrote it"
            raise LedgerCorrupt("history_differs", f"the unchanged rules refuse {record}", hint)
        names = {change.name for change in self.changes}
        for event in self.new.step(block):
            if event.name == "param_changed" and event.fields["name"] in names:
                self.overruled.append((event.height, event.fields["name"], event.fields["to"]))
        return events

    def result(self) -> Comparison:
        """Return both worlds side by side as of the last block."""
        old, new = self.old, self.new
        return Comparison(
            height=new.height,
            changes=self.changes,
            overruled=tuple(self.overruled),
            differences=tuple(self._differences()),
            refusals=tuple(new.refusals),
            standings=_changed(old.standings(), new.standings()),
            premiums=_changed(old.premiums(), new.premiums()),
            event_counts=tuple((name, was or 0, now or 0) for name, was, now in _changed(old.counts, new.counts)),
            old=old.totals(),
            new=new.totals(),
        )

    def _differences(self) -> Iterable[Difference]:
        then, now = self.old.decisions(), self.new.decisions()
        refused = {
            item.record_id: Decision(REFUSED, item.height, 0) for item in self.new.refusals if item.kind == "claim.file"
        }
        claims_then = {claim for claim, _ in then}
        parts = {*then, *now, *((claim, None) for claim in refused if claim not in claims_then)}
        for claim, case in sorted(parts, key=lambda part: (part[0], part[1] or "")):
            old, new = then.get((claim, case)), now.get((claim, case), refused.get(claim))
            change = change_of(old, new)
            if change is not None:
                yield Difference(claim, case, change, old, new)


def change_of(old: Decision | None, new: Decision | None) -> str | None:
    """Return the most important difference of two decisions, None when they are the same.

    >>> change_of(Decision("claim_denied", 40, 0), Decision("claim_accepted", 40, 900)), change_of(None, None)
    ('outcome', None)
    """
    if old is None or new is None:
        return None if old is new else FLIPPED
    if old.event != new.event:
        return FLIPPED
    if old.benefit_cents != new.benefit_cents:
        return AMOUNT
    if old.height != new.height:
        return MOVED
    return BAR if (old.bar_bp, old.seniority_bp) != (new.bar_bp, new.seniority_bp) else None


def _changed(old: Mapping[K, V], new: Mapping[K, V]) -> tuple[tuple[K, V | None, V | None], ...]:
    """Return (key, old, new) where the two differ, by key."""
    return tuple((key, old.get(key), new.get(key)) for key in sorted({*old, *new}) if old.get(key) != new.get(key))
