"""Promotion by friends, and wash promotion: the people who bill a code make it standard.

The accept ring files one made-up code again and again and accepts it: four friends, or six with two doctors, or six
with three. Once the code is standard, everybody in the ring bills it up to its limit, without a vote, for ever. Twenty
cases, five claimants, three providers and six terms should stop them (§8), and demotion afterwards.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from governance.simulation.laboratory.attackers.base import WorldView
from governance.simulation.laboratory.attackers.ring import Ring
from governance.simulation.laboratory.book import Book, Line
from governance.simulation.laboratory.measures import claims_of, share, share_of, spread
from governance.simulation.laboratory.setting import Setting, stream
from governance.simulation.laboratory.study import Books, Check, Evidence, Job, Layer, Picture, Study, curve
from ledger import calendar

CODE = "WASH"
CHARGE_CENTS = 30_000
PERCENT, CASES, CLAIMANTS, PROVIDERS, TERMS = 75, 20, 5, 3, 6
"""What rules §13 and §8 ask of a promotion; constants, because a run may try other parameters."""
DEMOTERS = 5
ANGER = 0.9
"""Probability that an honest vote on the demotion is yes."""


class Friends(Ring):
    """`claimants` of the ring, and all of it once the code is standard, bill it twice a term at `doctors` providers."""

    name = "friends"

    @property
    def claimants(self) -> tuple[str, ...]:
        """The members who bill before the promotion."""
        return self.crew[: int(self.options.get("claimants", 4))]

    def honest_yes(self, proposal: str) -> float:
        """Honest members want the made-up code demoted."""
        return ANGER

    def at_block(self, world: WorldView) -> None:
        """Plan the term's bills; from two terms after a promotion on, honest members propose demotions."""
        if not calendar.is_term_start(world.height) or world.term < self.setting.waiting_terms:
            return
        is_standard = world.is_standard(CODE)
        for name in self.crew if is_standard else self.claimants:
            for index in range(2):
                rng = stream(self.setting.seed, "friends", name, world.term, index)
                doctor = self.setting.doctors[rng.randrange(int(self.options.get("doctors", 3)))]
                claim, height = f"{name}.{world.term}.{index}.ring", world.height + 1 + rng.randrange(28)
                world.at(height, self._bill, world, claim, name, doctor)
        promoted = world.book.heights_of("code_promoted", CODE)
        if is_standard and promoted and (world.height - promoted[-1]) // calendar.TERM_BLOCKS % 3 == 2:
            self._ask_for_demotion(world)

    def _bill(self, world: WorldView, claim: str, name: str, doctor: str) -> None:
        if world.is_member(name):
            world.claim(claim, name, doctor, (Line(CODE, CHARGE_CENTS, world.height, is_right=False),))

    def _ask_for_demotion(self, world: WorldView) -> None:
        sponsors = [name for name in self.setting.founders if name not in self.controlled and world.is_member(name)]
        proposal = f"demote-{world.term}"
        if world.act("propose", by=sponsors[0], id=proposal, what="demote", code=CODE):
            for sponsor in sponsors[1:DEMOTERS]:
                world.act("sponsor", by=sponsor, proposal=proposal)

    def on_event(self, world: WorldView, event: dict[str, Any]) -> None:
        """The ring votes against the demotion."""
        if event["event"] == "proposal_opened":
            for name in self.crew:
                world.at(world.height + 1, world.act, "cast", by=name, proposal=event["proposal"], choice="no")


Conditions = tuple[int, int, int, int, int]


def conditions_at(book: Book, code: str, boundary: int) -> Conditions:
    """Return (accepted, decided, claimants, providers, terms) of a code in the twelve terms up to a block."""
    found = [
        case
        for case in book.cases.values()
        if case.code == code and case.voted is not None and boundary - calendar.YEAR_BLOCKS < case.voted <= boundary
    ]
    people, doctors = {case.by for case in found}, {case.provider for case in found}
    terms = {calendar.term_of(case.voted or 0) for case in found}
    return sum(case.vote_accepted for case in found), len(found), len(people), len(doctors), len(terms)


def meets(conditions: Conditions) -> bool:
    """True iff all conditions of rules §8 hold."""
    accepted, decided, claimants, providers, terms = conditions
    is_wide = claimants >= CLAIMANTS and providers >= PROVIDERS and terms >= TERMS
    return is_wide and decided >= CASES and 100 * accepted > PERCENT * decided


def judge(books: Books, setting: Setting) -> Evidence:
    """Recount every promotion, and measure what washing costs and brings."""
    few = [*books["four friends"], *books["two doctors"]]
    promoted_few = [height for book in few for height in book.heights_of("code_promoted", CODE)]
    sound = [
        meets(conditions_at(book, code, height))
        for group in books.values()
        for book in group
        for height, event, code in book.milestones
        if event == "code_promoted"
    ]
    tried = [conditions_at(book, CODE, book.setting.blocks) for book in few]
    is_stopped = not promoted_few and any(item[1] >= CASES for item in tried)
    promoted = (
        f"{share(len(promoted_few), len(few))} worlds promoted it, with"
        f" {spread([item[1] for item in tried], 'decided cases')} a year,"
        f" {share(sum(item[0] for item in tried), sum(item[1] for item in tried))} accepted"
    )
    asked, counted = "20 cases, 5 claimants, 3 providers, 6 terms", f"{share_of(sound)} by the lab's own count"
    checks = (
        Check(7, "promotion by four friends (or by two doctors)", f"none: {asked}", promoted, is_stopped),
        Check(7, "every promotion in these worlds", f"{asked}, over 75 %", counted, all(sound)),
    )
    washed = [(book, height) for book in books["wash"] for height in book.heights_of("code_promoted", CODE)]
    findings = (_wash_words(books["wash"], washed),) if washed else ()
    figures = {"washed_in_block": [height for _, height in washed], "tried": tried}
    return Evidence(checks, findings, figures, _picture(books))


def _by_term(book: Book) -> list[int]:
    """Return the benefits of the made-up code by term, in cents."""
    sums = [0] * book.setting.terms
    for claim in claims_of([book], ".ring"):
        sums[calendar.term_of(claim.height)] += claim.benefit_cents
    return sums


def _wash_words(books: Sequence[Book], washed: Sequence[tuple[Book, int]]) -> str:
    """Return what washing cost and brought."""
    before = [sum(_by_term(book)[: height // 30]) / (height // 30) for book, height in washed]
    after = [max(_by_term(book)[height // 30 : height // 30 + 3], default=0) for book, height in washed]
    ends = [
        [end - height for end in book.heights_of("code_demoted", CODE) if end > height][:1] for book, height in washed
    ]
    ended = [blocks for found in ends for blocks in found]
    return (
        "Washing needs five claimants, three providers and a bloc that wins votes: with six claimants the code was"
        f" standard in {share(len({id(book) for book, _ in washed}), len(books))} of the worlds, in block"
        f" {spread([height for _, height in washed])}. It costs the bloc nothing: the cases that wash pay it"
        f" {spread([cents / 100 for cents in before])} a term; standard, {spread([cents / 100 for cents in after])} a"
        " term without a vote. Demotion, proposed two terms later and every third term, against the bloc's no, passed"
        f" in {share(len(ended), len(washed))} of the promotions, after {spread(ended, 'blocks')} (§8; no new promotion"
        " for 360 blocks)."
    )


def _picture(books: Books) -> Picture:
    layers = [
        curve("step", role, label, ((term, cents / 100) for term, cents in enumerate(_by_term(book))))
        for role, label, book in (
            ("honest", "four friends: never standard", books["four friends"][0]),
            ("attacker", "six friends, three doctors", books["wash"][0]),
        )
    ]
    washed = books["wash"][0]
    layers += [
        Layer("vline", "attacker", f"standard from block {height + 1}", (height / 30,))
        for height in washed.heights_of("code_promoted", CODE)
    ]
    demoted = [Layer("vline", "bound", "demoted", (height / 30,)) for height in washed.heights_of("code_demoted", CODE)]
    ending = ", until the members demote it" if demoted else ""
    title = f"Four friends never make a code standard; six with three doctors do{ending}"
    return Picture(title, "term", "benefits of the made-up code a term", (*layers, *demoted))


TRIED = {"four friends": (4, 3), "two doctors": (6, 2), "wash": (6, 3)}
"""Claimants and doctors."""
JOBS = tuple(Job(key, Friends, {"claimants": people, "doctors": count}) for key, (people, count) in TRIED.items())
STUDY = Study("friends", "Promotion by friends, and wash promotion", __doc__ or "", JOBS, judge)
