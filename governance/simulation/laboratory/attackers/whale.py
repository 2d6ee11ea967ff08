"""The whale: claims so large that they would empty the co-op.

Three members have a catastrophic illness in one term, and again a year later. Their claims are right and are accepted,
in one world under the default plan with its ceiling, in another under a plan without one. They gain nothing; the
question is what is left for the others. Accounts that never go below zero, one twentieth of the reserve for a payout in
a block, and ceilings should protect them (§3, §11).
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

from governance.simulation.laboratory.attackers.base import Attack, WorldView
from governance.simulation.laboratory.book import Book, Line
from governance.simulation.laboratory.measures import money, settled_cases, share, spread
from governance.simulation.laboratory.setting import Setting
from governance.simulation.laboratory.study import Books, Check, Evidence, Job, Layer, Picture, Study, curve
from ledger import calendar

CHARGE_CENTS = 10_000_000
FIRST_TERM = 3
SHARE_BP = 500
"""Rules §13: of the reserve, for one payout and block; not the parameter, which may be what is tried."""


class Whales(Attack):
    """Three right claims of a hundred thousand, a year apart."""

    name = "whale"

    @property
    def whales(self) -> tuple[str, ...]:
        """The three ill members."""
        return self.some(3)

    def found(self, genesis: dict[str, Any]) -> None:
        """Remove the ceilings if the option says so."""
        if self.options.get("no_ceiling"):
            genesis["plans"][0]["claim_ceiling_cents"] = genesis["plans"][0]["year_ceiling_cents"] = None

    def at_block(self, world: WorldView) -> None:
        """File in the third term of each year, in an unlisted code that honest voters accept."""
        if self.is_idle or world.term % calendar.YEAR_TERMS != FIRST_TERM or not calendar.is_term_start(world.height):
            return
        for index, name in enumerate(self.whales):
            line = Line(f"W{index}", CHARGE_CENTS, world.height)
            world.at(
                world.height + 3,
                partial(world.claim, f"{name}.{world.term}.whale", name, self.setting.doctors[index], (line,)),
            )


def jobs(setting: Setting) -> Sequence[Job]:
    """Return the whales under a ceiling, without one, and no whales."""
    return (
        Job("ceiling", Whales, setting),
        Job("no ceiling", Whales, setting, options={"no_ceiling": True}),
        Job("without", Whales, setting, is_idle=True),
    )


def _waits(books: Sequence[Book]) -> list[int]:
    """Return blocks from the decision to the last payment, of the others' accepted cases that were paid in full."""
    found: list[int] = []
    for book in books:
        for case in settled_cases(book, lambda case: case.is_paid and not case.claim.endswith(".whale")):
            paid = book.claims[case.claim].paid_height
            if paid is not None and case.closed is not None and case.paid_cents == case.benefit_cents:
                found.append(paid - case.closed)
    return found


def _unpaid(books: Sequence[Book]) -> tuple[int, int]:
    """Return (not paid in full at the end, accepted) of the others' cases carried after the whales'."""
    found = [
        case
        for book in books
        for case in settled_cases(book, lambda case: case.is_paid and not case.claim.endswith(".whale"))
        if case.s > FIRST_TERM * calendar.TERM_BLOCKS
    ]
    return sum(case.paid_cents < case.benefit_cents for case in found), len(found)


def _ends(books: Sequence[Book]) -> list[int]:
    return [height for book in books for height, event, _ in book.milestones if event == "run_off"]


def judge(books: Books, setting: Setting) -> Evidence:
    """Look at every draw on the reserve, at the accounts, and at what the others received."""
    every = [book for group in books.values() for book in group]
    ends = {height for book in every for height, event, _ in book.milestones if event == "disbanded"}
    draws = [draw for book in every for draw in book.draws if draw.height not in ends]
    last = sum(len(book.draws) for book in every) - len(draws)
    over = [draw for draw in draws if draw.taken_cents > draw.reserve_cents * SHARE_BP // 10_000]
    most = max((100 * draw.taken_cents / draw.reserve_cents for draw in draws), default=0.0)
    low = min(item.reserve_cents for book in every for item in book.snapshots)
    negative = [line for book in every for line in book.broken if "holds -" in line]
    checks = (
        Check(
            8,
            "reserve",
            "never negative",
            f"lowest at a boundary {money(low)}; {len(negative)} negative balances",
            low >= 0 and not negative,
        ),
        Check(
            8,
            "what one payout takes from the reserve in a block",
            "at most 5 % of it",
            f"{len(over)} of {len(draws)} draws above it; most {most:.2f} %; {last} last payments of co-ops that"
            " disband are outside (§11: without the cap)",
            bool(draws) and not over,
        ),
    )
    findings = [
        (
            f"The others wait: from decision to payment {spread(_waits(books['ceiling']), 'blocks')} with whales under"
            f" a ceiling, {spread(_waits(books['without']), 'blocks')} without whales. Without a ceiling"
            f" {share(*_unpaid(books['no ceiling']))} of the others' accepted cases are never paid in full: a debt"
            " keeps its place in the queue, and takes what is in `claims` before those behind it."
        ),
    ]
    run_off = {name: _ends(books[name]) for name in ("ceiling", "no ceiling")}
    if run_off["no ceiling"]:
        findings.append(
            "A plan without a ceiling lets three right claims end the co-op: run-off in"
            f" {share(len(run_off['no ceiling']), len(books['no ceiling']))} of the worlds, in block"
            f" {spread(run_off['no ceiling'])}; with a ceiling of {money(1_000_000)} in"
            f" {share(len(run_off['ceiling']), len(books['ceiling']))}. No rule asks a plan for a ceiling."
        )
    figures = {"draws": len(draws), "most_percent": most, "run_off": run_off}
    return Evidence(checks, tuple(findings), figures, _picture(books))


def _picture(books: Books) -> Picture:
    def assets(role: str, label: str, book: Book) -> Layer:
        points = ((item.height / 30, (item.claims_cents + item.reserve_cents) / 100) for item in book.snapshots)
        return curve("line", role, label, points)

    layers = (
        assets("honest", "no whales", books["without"][0]),
        assets("other", "whales under a ceiling", books["ceiling"][0]),
        assets("attacker", "whales without a ceiling", books["no ceiling"][0]),
        Layer("hline", "bound", "never negative", y=(0,)),
    )
    title = "The co-op bears whales under a ceiling; without one three of them empty it, but never below zero"
    return Picture(title, "term", "claims account and reserve", layers)


STUDY = Study("whale", "The whale", __doc__ or "", jobs, judge)
