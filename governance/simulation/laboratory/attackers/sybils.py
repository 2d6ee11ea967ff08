"""Sybils: a few founders bring in as many straw members as the rules allow.

A tenth of the founders work with enrolment attesters who look away, so that only vouchers, objections and the limit on
growth are in the way. Each vouches twice a term; straw members vouch as soon as they may. The ring also objects to
every honest applicant. It gains the majority. Growth of a tenth a term, three terms without a vote, and objections
should stop it (§2).
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

from governance.simulation.laboratory.attackers.base import Attack, WorldView
from governance.simulation.laboratory.book import Book
from governance.simulation.laboratory.measures import share, spread
from governance.simulation.laboratory.setting import Setting, stream
from governance.simulation.laboratory.study import Books, Check, Evidence, Job, Layer, Picture, Study, curve
from ledger import calendar

SHARE = 0.10
VOUCHERS, VOUCHES_A_TERM, STANDING_TERMS = 3, 2, 6
NOTICED = 0.1
"""Probability that an honest founder notices a straw applicant and objects."""


class Sybils(Attack):
    """Apply and vouch at each boundary; with `objected`, honest members object to straw applicants they notice."""

    name = "sybils"

    def __init__(self, setting: Setting, *, is_idle: bool = False, **options: Any) -> None:
        super().__init__(setting, is_idle=is_idle, **options)
        self.joined_term: dict[str, int] = {}
        self.count = 0

    @property
    def controlled(self) -> frozenset[str]:
        """The founders behind it."""
        return frozenset(self.ring)

    @property
    def ring(self) -> tuple[str, ...]:
        """At least as many founders as vouchers are needed."""
        return self.some(max(VOUCHERS, round(SHARE * self.setting.members)))

    def is_ill(self, name: str) -> bool:
        """Straw members do not exist, so they are never ill."""
        return name not in self.recruits

    def at_block(self, world: WorldView) -> None:
        """Apply at a boundary, so that the applications are thirty blocks old at the next."""
        if self.is_idle or not calendar.is_boundary(world.height):
            return
        straws = (name for name, term in self.joined_term.items() if world.term - term >= STANDING_TERMS)
        able = [*self.ring, *filter(world.is_member, straws)]
        for number in range(len(able) * VOUCHES_A_TERM // VOUCHERS):
            name = f"s{self.count:04}"
            self.count += 1
            # three different vouchers, each used twice over a round of applications
            friends = [able[(number * VOUCHERS + place) % len(able)] for place in range(VOUCHERS)]
            if world.apply(name, friends) and self.options.get("objected"):
                self._object(world, name)

    def _object(self, world: WorldView, name: str) -> None:
        for other in self.setting.founders:
            if other not in self.controlled and stream(self.setting.seed, "notice", name, other).random() < NOTICED:
                world.act("object", by=other, name=name, reason="nobody knows this person")

    def on_event(self, world: WorldView, event: dict[str, Any]) -> None:
        """Note a straw member who is admitted."""
        if event["event"] == "member_joined" and event["member"].startswith("s"):
            self.recruits |= {event["member"]}
            self.joined_term[event["member"]] = world.term + 1

    def on_applicant(self, world: WorldView, name: str) -> None:
        """Three of the ring are enough to keep an honest applicant out."""
        if not self.is_idle:
            for friend in self.ring[:VOUCHERS]:
                world.act("object", by=friend, name=name, reason="")


def _majority_term(book: Book) -> int | None:
    """Return the term at whose end the ring holds half of the votes."""
    held = (item.height for item in book.snapshots if 2 * item.attackers > item.voters)
    return next((height // calendar.TERM_BLOCKS for height in held), None)


def _honest_joined(books: Sequence[Book]) -> str:
    joined = sum(note.joined > 0 and name[0] == "a" for book in books for name, note in book.members.items())
    return f"{joined} of {sum(book.setting.terms for book in books)}"


def judge(books: Books, setting: Setting) -> Evidence:
    """Compare admissions and new voters with a tenth at each boundary."""
    flood = [*books["flood"], *books["objected"]]
    pairs = [(before.voters, now) for book in flood for before, now in pairwise(book.snapshots)]
    over = [now for _, now in pairs if now.joined > now.room]
    grown = [now for before, now in pairs if now.voters - before > -(-before // 10)]
    worst = max((100 * (now.voters - before) / before for before, now in pairs), default=0.0)
    full = sum(now.joined == now.room for _, now in pairs)
    terms = [term for term in map(_majority_term, books["flood"]) if term is not None]
    admissions = f"{len(over)} of {len(pairs)} boundaries above it, {full} at it"
    growth = f"{len(grown)} of {len(pairs)} boundaries above it; most {worst:.1f} %"
    checks = (
        Check(5, "admissions a term in live", "at most a tenth of the voters, rounded up", admissions, not over),
        Check(5, "growth of the voters a term in live", "at most 10 % (rounded up)", growth, not grown),
    )
    stopped, free = (
        [100 * book.snapshots[-1].attackers / book.snapshots[-1].voters for book in books[key]]
        for key in ("objected", "flood")
    )
    findings = (
        (
            f"The bound slows a flood and does not stop it: with attesters who look away, {100 * SHARE:.0f} % of the"
            f" founders hold the majority of votes in {share(len(terms), len(books['flood']))} of the worlds, at the"
            f" end of term {spread(terms)}."
        ),
        (
            "Objections can stop it: if each honest founder notices a straw applicant with a probability of"
            f" {100 * NOTICED:.0f} %, the ring ends with {spread(stopped, '% of the votes')}; if nobody objects,"
            f" with {spread(free, '%')}."
        ),
        (
            "The same three objections keep honest people out: with three of the ring objecting to everybody,"
            f" {_honest_joined(flood)} honest applicants joined, against {_honest_joined(books['without'])} without. An"
            " objection costs nothing, and the applicant cannot answer it (§2)."
        ),
    )
    return Evidence(checks, findings, {"majority_term": terms, "worst_growth_percent": worst}, _picture(books))


def _picture(books: Books) -> Picture:
    def votes(role: str, label: str, book: Book) -> Layer:
        points = ((item.height / 30, 100 * item.attackers / item.voters) for item in book.snapshots)
        return curve("line", role, label, points)

    layers = (
        votes("attacker", "nobody objects", books["flood"][0]),
        votes("honest", "one in ten notices and objects", books["objected"][0]),
        Layer("hline", "bound", "majority", y=(50,)),
    )
    title = "A tenth a term slows a flood of straw members; objections can stop it"
    return Picture(title, "term", "votes held by the ring, %", layers)


STRANGERS = {"applicants_per_term": 1}
JOBS = (
    Job("flood", Sybils, changes=STRANGERS),
    Job("objected", Sybils, {"objected": True}, changes=STRANGERS),
    Job("without", Sybils, is_idle=True, changes=STRANGERS),
)
STUDY = Study("sybils", "Sybils", __doc__ or "", JOBS, judge)
