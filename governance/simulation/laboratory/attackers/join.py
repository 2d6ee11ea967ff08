"""Join sick, leave after: members who join for one treatment.

Strangers who know that they need an expensive treatment join, wait until the waiting period is over, have it, file the
claim, and leave by notice at the end of the same term. A second kind gives no notice: the treatment is in the days of
grace of a premium that is never paid. They gain a treatment for two premiums. Waiting and notice should make the
expected gain over six terms zero or negative (§3).
"""

from __future__ import annotations

from collections.abc import Sequence
from statistics import mean
from typing import Any

from governance.simulation.laboratory.attackers.base import Attack, WorldView
from governance.simulation.laboratory.book import Book, ClaimNote, Line, MemberNote
from governance.simulation.laboratory.measures import claims_of, money, spread
from governance.simulation.laboratory.setting import Setting, founding, stream
from governance.simulation.laboratory.study import Books, Check, Evidence, Job, Layer, Picture, Study
from ledger import calendar

COST_MEDIAN_CENTS, COST_SPREAD = 300_000, 0.8
"""Log-normal cost of the treatment."""
JOINERS_A_TERM = 1
WAITINGS = (3, 6, 12)
TERMS_OF_THE_RULE = 6


class Joiners(Attack):
    """One joiner a term. `style`: notice, grace (never pay the last premium), or stay."""

    name = "join"

    def __init__(self, setting: Setting, *, is_idle: bool = False, **options: Any) -> None:
        super().__init__(setting, is_idle=is_idle, **options)
        self.style = str(options.get("style", "notice"))
        self.first_terms: dict[str, int] = {}

    def is_ill(self, name: str) -> bool:
        """Joiners have only the illness they join with."""
        return name not in self.first_terms

    def at_block(self, world: WorldView) -> None:
        """Apply at a boundary, vouched for by honest founders who know nothing."""
        if not calendar.is_boundary(world.height):
            return
        for index in range(JOINERS_A_TERM):
            name = f"j{world.term:02}-{index}"
            world.apply(name, stream(self.setting.seed, "join", name).sample(self.setting.founders, 3))

    def pays(self, name: str) -> bool:
        """Joiners pay by their own plan."""
        return name not in self.first_terms

    def on_event(self, world: WorldView, event: dict[str, Any]) -> None:
        """Plan payments, claim and notice of a joiner who is admitted."""
        if event["event"] != "member_joined" or not event["member"].startswith("j"):
            return
        name, first = event["member"], world.term + 1
        self.recruits |= {name}
        self.first_terms[name] = first
        treated = first + self.setting.waiting_terms
        for term in range(first, self.setting.terms):
            if not (self.style == "grace" and term >= treated):
                world.at(calendar.first_height_of(term), world.if_member, name, world.act, "pay_premium", by=name)
        day = calendar.first_height_of(treated) + 5
        world.at(day + 1, self._file, world, name, day)
        if self.style == "notice":
            world.at(calendar.first_height_of(treated) - 10, world.act, "leave", by=name)

    def _file(self, world: WorldView, name: str, day: int) -> None:
        cost = int(COST_MEDIAN_CENTS * stream(self.setting.seed, "cost", name).lognormvariate(0, COST_SPREAD))
        world.claim(f"{name}.join", name, self.setting.doctors[0], (Line(f"J{name}", cost, day),))


def gains(books: Sequence[Book]) -> list[int]:
    """Return benefit less premiums of each joiner with time for six terms and for the vote on the claim."""
    found: list[int] = []
    for book in books:
        last = book.setting.blocks - (max(TERMS_OF_THE_RULE, book.setting.waiting_terms + 1) + 3) * calendar.TERM_BLOCKS
        stayed_cents = TERMS_OF_THE_RULE * book.snapshots[-1].premium_cents
        for claim, note in _joiners([book]):
            if 0 < note.joined <= last:
                found.append(claim.benefit_cents - (stayed_cents if note.left is None else note.premiums_cents))
    return found


def _joiners(books: Sequence[Book]) -> list[tuple[ClaimNote, MemberNote]]:
    """Return the joiners who claimed."""
    return [(claim, book.members[claim.by]) for book in books for claim in claims_of([book], ".join")]


def _paid_terms(books: Sequence[Book]) -> float:
    """Return the mean number of premiums that joiners paid before they left."""
    found = [note.premiums for _, note in _joiners(books) if note.left is not None]
    return mean(found) if found else 0.0


def _break_even_cost(premiums_cents: float, books: Sequence[Book]) -> float:
    """Return the cost whose benefit equals the premiums: what the plan's deductible, copay and coinsurance leave."""
    plan = founding(books[0].setting)["plans"][0]
    return plan["deductible_cents"] + plan["copay_cents"] + premiums_cents * 10_000 / (10_000 - plan["coinsurance_bp"])


def judge(books: Books, setting: Setting) -> Evidence:
    """Compute the mean gain of joining for one treatment, and the waiting that would end it."""
    by_style = {key: gains(books[key]) for key in books}
    average = {key: mean(values) if values else 0.0 for key, values in by_style.items()}
    asked = "expected gain of at most 0 over six terms"

    def check(what: str, style: str) -> Check:
        gained = [cents / 100 for cents in by_style[style]]
        measured = f"mean {money(average[style])}, {spread(gained)}"
        return Check(9, what, asked, measured, bool(gained) and average[style] <= 0)

    checks = (
        check("join sick, give notice, leave after", "notice"),
        check("join sick, never pay the last premium", "grace"),
    )
    premium, terms = mean(book.snapshots[-1].premium_cents for book in books["notice"]), _paid_terms(books["notice"])
    benefit = mean(by_style["notice"] or [0]) + terms * premium
    break_even = benefit / premium - 1 if premium else 0.0
    small = _break_even_cost(terms * premium, books["notice"])
    waiting = [f"{key}: {money(average[key])} (n = {len(by_style[key])})" for key in books if "waiting" in key]
    findings = [
        (
            f"One term of waiting and a term of notice cost {terms:.1f} premiums ({money(premium)} each); treatment of"
            f" a median cost of {money(COST_MEDIAN_CENTS)} brings a mean benefit of {money(benefit)}. Expected gain by"
            f" waiting: {'; '.join(waiting)}. It is at most 0 from about {break_even:.0f}"
            " terms of waiting on (benefit / premium - 1). With one term of waiting any treatment that can be planned"
            f" and costs more than about {money(small)} is worth joining for. No waiting of a term or two can change"
            " the sign: an open door and a known illness are enough (§3)."
        ),
        (
            f"A joiner who skips the last premium pays {_paid_terms(books['grace']):.1f} and is covered for ten days of"
            " grace: services on these days remain paid although the premium never comes (§3), and the debtor has left"
            " the co-op."
        ),
        (
            f"Joiners who stay six terms gain {money(average['stay'])} on average: most of it is the treatment itself,"
            " not the leaving."
        ),
    ]
    figures = {
        "mean_gain_cents": average,
        "n": {key: len(values) for key, values in by_style.items()},
        "break_even_waiting_terms": break_even,
    }
    shown = {key: average[key] for key, values in by_style.items() if values}
    return Evidence(checks, tuple(findings), figures, _picture(shown))


def _picture(average: dict[str, float]) -> Picture:
    """Plot the styles that have a joiner with enough time."""
    words = {"notice": "waiting 1, notice", "grace": "waiting 1, unpaid grace"} | {
        f"waiting {waiting}": f"waiting {waiting}, notice" for waiting in WAITINGS
    }
    names = [name for name in words if name in average]
    gained, labels = tuple(average[name] / 100 for name in names), tuple(words[name] for name in names)
    layers = (
        Layer("bars", "attacker", "benefit less premiums", y=gained, labels=labels),
        Layer("hline", "bound", "rules §13: at most 0", y=(0,)),
    )
    title = "Joining for one treatment pays with one term of waiting"
    return Picture(title, "how they join and leave", "mean gain of a joiner", layers)


JOBS = (
    *(Job(style, Joiners, {"style": style}) for style in ("notice", "grace", "stay")),
    *(Job(f"waiting {waiting}", Joiners, changes={"waiting_terms": waiting}) for waiting in WAITINGS),
)
STUDY = Study("join", "Join sick, leave after", __doc__ or "", JOBS, judge)
