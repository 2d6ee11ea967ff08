"""Streak breakers: a bloc that breaks the run of passing blocks again and again.

The bloc is 30 % of the members, in a co-op where few others vote. They see the tally. When a case is about to complete
its fifteenth passing block, just enough of them deny to break the run, and change to an abstention in the next block,
so that the denial enters no record. Claims are then paid late or never. One change for each voter, and none in the last
fifteen blocks, should stop them (§6).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from governance import params
from governance.simulation.laboratory.attackers.base import Attack, WorldView
from governance.simulation.laboratory.book import Book, CaseNote
from governance.simulation.laboratory.measures import settled_cases, share, share_of, spread
from governance.simulation.laboratory.setting import Setting
from governance.simulation.laboratory.study import Books, Check, Evidence, Job, Layer, Picture, Study, curve
from governance.state.cases import streak_of

SHARE = 0.30
TURNOUT = 0.2


class Breakers(Attack):
    """Break each run of honest claims with fresh denials, change them to abstentions while that is allowed."""

    share_controlled = SHARE

    def __init__(self, setting: Setting, *, is_idle: bool = False, **options: Any) -> None:
        super().__init__(setting, is_idle=is_idle, **options)
        self.cases: list[CaseNote] = []
        self.set_now = params.params_of(dict(setting.params))

    def on_case(self, world: WorldView, case: CaseNote) -> None:
        """Keep an eye on it."""
        if not self.options.get("passive") and case.by not in self.controlled:
            self.cases.append(case)

    def at_block(self, world: WorldView) -> None:
        """Break what would complete its run with this block."""
        self.cases = [case for case in self.cases if case.status == "open"]
        for case in self.cases:
            row = world.ledger_case(case) if case.s < world.height else None
            if row is None or streak_of(row, world.height - 1) < self.set_now.streak_blocks - 1:
                continue
            yes = sum(cast.choice == "accept" for cast in case.ballots.values())
            no = sum(cast.choice == "deny" for cast in case.ballots.values())
            need, more = row.bar_bp - row.seniority_bp, 0
            while 10_000 * yes >= need * (yes + no + more):
                more += 1
            fresh = [name for name in self.crew if name not in case.ballots]
            if len(fresh) >= more:
                self._break(world, case, fresh[:more])
            else:  # one who changed already tries again: the rules refuse a third ballot
                for name in [name for name in self.crew if name in case.ballots][:1]:
                    world.ballot(name, case, "deny")

    def _break(self, world: WorldView, case: CaseNote, names: Sequence[str]) -> None:
        for name in names:
            world.ballot(name, case, "deny")
            if world.height + 1 <= case.s + self.set_now.vote_blocks - self.set_now.freeze_blocks:
                world.at(world.height + 1, world.ballot, name, case, "abstain")


def judge(books: Books, setting: Setting) -> Evidence:
    """Compare each case with the same case in the world where the bloc keeps silent."""
    breakers = set(Breakers(setting).crew)
    delays: list[int] = []
    prevented: list[CaseNote] = []
    third = tried = broken = recorded = 0
    for book, other in zip(books["breakers"], books["without"], strict=True):
        for case in _right([book], breakers):
            casts = [cast for name, cast in case.ballots.items() if name in breakers]
            broken += bool(casts)
            third += sum(cast.casts > 2 for cast in casts)
            twin = other.cases.get((case.claim, case.code))
            if twin is None or not twin.is_paid or twin.closed is None or case.closed is None:
                continue
            if case.vote_accepted and case.voted is not None:
                delays.append(case.voted - twin.closed)
            elif casts:
                prevented.append(case)
        tried += book.refused["ballot", "ballot_changed"] + book.refused["ballot", "ballot_frozen"]
        recorded += sum(is_no for name in breakers for _, is_no, _ in book.records.get(name, ()))
    kept = [sum(cast.choice == "deny" for name, cast in case.ballots.items() if name in breakers) for case in prevented]
    again, asked = "cannot break the run a second time", "each cost a real ballot kept to the end"
    taken = f"{third} third ballots taken, {tried} refused"
    cost = f"{share_of(kept)} with denials kept, {spread(kept, 'ballots')}"
    checks = (
        Check(4, "a breaker who took the denial back", again, taken, third == 0 and broken > 0),
        Check(4, "payments prevented by breaking runs", asked, cost, all(kept)),
    )
    late = [value for value in delays if value > 0]
    restored = sum(case.appealed and case.is_paid for case in prevented)
    findings = (
        (
            f"Delay is cheap: {share(len(late), len(delays))} of the right claims accepted by vote were late, by"
            f" {spread(late, 'blocks')}. A denial that is changed to an abstention by s+45 breaks a run and enters no"
            f" record. {broken} right claims were attacked; to stop {len(prevented)} of them the bloc kept denials to"
            f" the end, and {restored} of these were paid on appeal. In all the breakers' records have {recorded}"
            " denials."
        ),
    )
    figures = {"delays": late, "prevented": len(prevented), "kept": kept}
    return Evidence(checks, findings, figures, _picture(books["breakers"], books["without"], breakers))


def _right(books: Sequence[Book], breakers: set[str]) -> list[CaseNote]:
    """Return the others' right claims."""
    return settled_cases(books, lambda case: case.is_right and case.by not in breakers)


def _picture(attacked: Sequence[Book], without: Sequence[Book], breakers: set[str]) -> Picture:
    def accepted(role: str, label: str, books: Sequence[Book]) -> Layer:
        """Return the share of claims accepted by vote by the number of blocks since s."""
        found = _right(books, breakers)
        waits = [(case.voted or 0) - case.s for case in found if case.vote_accepted]
        shares = ((day, 100 * sum(wait <= day for wait in waits) / max(1, len(found))) for day in range(61))
        return curve("step", role, label, shares)

    layers = (
        accepted("honest", "the bloc keeps silent", without),
        accepted("attacker", "the bloc (30 %) breaks runs", attacked),
        Layer("vline", "bound", "earliest payment: s+15", (15,)),
        Layer("vline", "bound", "no changes after s+45", (45,)),
    )
    title = "Breaking runs delays right claims by weeks, and stops some"
    return Picture(title, "blocks since the claim was included", "right claims accepted by vote, %", layers)


FEW = {"turnout": TURNOUT}
JOBS = Job("breakers", Breakers, changes=FEW), Job("without", Breakers, {"passive": True}, changes=FEW)
"""The breakers among few voters, and the same bloc keeping silent: all that differs is the breaking."""
STUDY = Study("breakers", "Streak breakers", __doc__ or "", JOBS, judge)
