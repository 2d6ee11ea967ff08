"""What a block does: start, records, end of day, end of term, freezing, in the order of rules §1.

`OpenBlock` is the same code for the proposer, who drops what the rules refuse, and for everybody else, to whom a block
with a refused record is invalid.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import lru_cache

from governance import protocol, windows
from governance.acts import Act
from governance.benefits import contracts, promotion
from governance.day import Day
from governance.enrolment import admission, renewal
from governance.events import Event
from governance.kinds import KINDS
from governance.membership import identity, members
from governance.money import deposits, payouts, premiums, rates, solvency
from governance.tables import Draft
from governance.voting import appeals, audits, cases, duties, holds, panels, proposals
from ledger import calendar
from ledger.codec import Shape, decode
from ledger.errors import RuleBroken
from ledger.state import StateReader

__all__ = ["Act", "BlockContext", "OpenBlock", "Outcome", "apply_block", "check_act"]


BODIES_KEPT = 256
"""Bodies kept decoded: most ballots on a case are the same bytes, and a body has 32 KB at most."""
AFTER_THE_END = ("treasury.batch", "treasury.confirm")
"""Records a disbanded co-op still takes: the last payments."""


@dataclass(frozen=True, slots=True)
class BlockContext:
    """What a block brings beside its records. `randomness` is R_h of this block."""

    height: int
    randomness: bytes


@dataclass(frozen=True, slots=True)
class Outcome:
    """Rows changed (None: gone) and what happened, in order."""

    delta: dict[bytes, bytes | None]
    events: tuple[Event, ...]


class OpenBlock:
    """A block under construction: started when made, open for records until closed."""

    def __init__(self, state: StateReader, context: BlockContext) -> None:
        self.day = Day(Draft(state), context.height, context.randomness)
        start_block(self.day)
        self.day.draft.forget_undo()

    def take(self, act: Act) -> None:
        """Apply one record, or raise RuleBroken or MalformedBytes and leave no trace."""
        mark, count = self.day.draft.savepoint(), len(self.day.events)
        try:
            take_record(self.day, act)
        except BaseException:
            self.day.draft.rollback(mark)
            del self.day.events[count:]
            raise

    def close(self) -> Outcome:
        """End the day (and the term), freeze the cases carried, and return the changes."""
        close_block(self.day)
        return Outcome(self.day.draft.delta(), tuple(self.day.events))


def apply_block(state: StateReader, context: BlockContext, acts: Iterable[Act]) -> Outcome:
    """Apply a whole block; RuleBroken or MalformedBytes when one of its records is refused."""
    block = OpenBlock(state, context)
    day = block.day
    for act in acts:
        take_record(day, act)
        day.draft.forget_undo()  # a record that is refused ends the block: nothing is ever rolled back to here
    return block.close()


def check_act(state: StateReader, context: BlockContext, act: Act) -> None:
    """Raise RuleBroken or MalformedBytes if the record could not go into a block now. Nothing is kept."""
    take_record(Day(Draft(state), context.height, context.randomness), act)


# ---- The order of things (rules §1) ---------------------------------------
def start_block(day: Day) -> None:
    """Start: this program knows the rules of the block; premiums fall due in the first block of a term."""
    protocol.start_block(day)
    if calendar.is_term_start(day.height):
        premiums.start_term(day)


def take_record(day: Day, act: Act) -> None:
    """One record: its kind, its number, its body, its rules; then it takes effect at once."""
    kind = KINDS.get(act.kind)
    if kind is None:
        what = f"there is no record kind {act.kind!r}"
        raise RuleBroken("kind_unknown", what, "see the list of record kinds in the reference")
    body = _body_of(kind.body, act.body)
    if day.coop.is_disbanded and act.kind not in AFTER_THE_END:
        raise RuleBroken("disbanded", "the co-op has disbanded", "only payouts already under way are still recorded")
    windows.take_number(day.draft, act.signer, act.number, act.valid_until_height, day.height)
    if kind.is_by_member:
        members.check_signer(day.draft, act.author, act.signer)
    if kind.key == "identity":
        members.check_identity(day.draft, act.author, act.signer)
    kind.check(day, act, body)
    kind.apply(day, act, body)


@lru_cache(maxsize=BODIES_KEPT)
def _body_of(shape: type[Shape], data: bytes) -> Shape:
    """Return a decoded body; MalformedBytes as `decode` says, every time."""
    return decode(shape, data)


def close_block(day: Day) -> None:
    """End of day, end of term at a boundary, and last the freezing of the cases carried."""
    for phase in closing_of(day.height):
        phase(day)


def closing_of(height: int) -> tuple[Callable[[Day], None], ...]:
    """Return what closes a block, in order; who explains a decision looks in between."""
    return (end_day, end_term, freeze) if calendar.is_boundary(height) else (end_day, freeze)


def end_day(day: Day) -> None:
    """End of day, in the order of rules §1. Identities move before the named steps: none of these looks at a signer."""
    identity.end_day(day)
    members.end_day(day)
    premiums.end_day(day)
    holds.end_day(day)
    rates.end_day(day)
    panels.end_day(day)
    cases.end_day(day)
    appeals.end_day(day)
    proposals.end_day(day)
    payouts.end_day(day)


def end_term(day: Day) -> None:
    """End of term, in the order of rules §1. The committee is drawn by the node, from the state after this."""
    contracts.end_term(day)
    renewal.end_term(day)
    promotion.end_term(day)
    proposals.end_term(day)
    premiums.end_term(day)
    solvency.end_term(day)
    admission.end_term(day)
    deposits.end_term(day)
    members.end_term(day)
    audits.end_term(day)
    duties.end_term(day)


def freeze(day: Day) -> None:
    """Fix E, bar and seniority of every case carried by this block, and who is eligible on proposals opened in it."""
    cases.freeze(day)
    proposals.freeze(day)
