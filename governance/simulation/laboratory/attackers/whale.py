"""The whale: claims so large that they would empty the co-op.

Three members have a catastrophic illness in one term, and again a year later. Their claims are right and are accepted,
in one world under the default plan with its ceiling, in another under a plan without one. They gain nothing; the
question is what is left for the others. Accounts that never go below zero, one twentieth of the reserve for a payout in
a block, and ceilings should protect them (§3, §11).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from governance.simulation.laboratory.attackers.base import Attack, WorldView
from governance.simulation.laboratory.book import Book, CaseNote, Line
from governance.simulation.laboratory.measures import money, settled_cases, share, share_of, spread
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
            claim, doctor = f"{name}.{world.term}.whale", self.setting.doctors[index]
            world.at(world.height + 3, world.claim, claim, name, doctor, (line,))


def _of_others(books: Sequence[Book]) -> list[CaseNote]:
    """Return the others' accepted cases."""
    return settled_cases(books, lambda case: case.is_paid and not case.claim.endswith(".whale"))


def _waits(books: Sequence[Book]) -> str:
    """Return blocks from the decision to the last payment, of the others' accepted cases that were paid in full."""
    found: list[int] = []
    for book in books:
        for case in _of_others([book]):
            paid = book.claims[case.claim].paid_height
            if paid is not None and case.closed is not None and case.paid_cents == case.benefit_cents:
                found.append(paid - case.closed)
    return spread(found, "blocks")


def judge(books: Books, setting: Setting) -> Evidence:
    """Look at every draw on the reserve, at the accounts, and at what the others received."""
    every = [book for group in books.values() for book in group]
    ends = {height for book in every for height in book.heights_of("disbanded")}
    draws = [draw for book in every for draw in book.draws if draw.height not in ends]
    last = sum(len(book.draws) for book in every) - len(draws)
    over = [draw for draw in draws if draw.taken_cents > draw.reserve_cents * SHARE_BP // 10_000]
    most = max((100 * draw.taken_cents / draw.reserve_cents for draw in draws), default=0.0)
    low = min(item.reserve_cents for book in every for item in book.snapshots)
    negative = [line for book in every for line in book.broken if "holds -" in line]
    lowest = f"lowest at a boundary {money(low)}; {len(negative)} negative balances"
    taken = (
        f"{len(over)} of {len(draws)} draws above it; most {most:.2f} %; {last} last payments of co-ops that disband"
        " are outside (§11: without the cap)"
    )
    one = "what one payout takes from the reserve in a block"
    checks = (
        Check(8, "reserve", "never negative", lowest, low >= 0 and not negative),
        Check(8, one, "at most 5 % of it", taken, bool(draws) and not over),
    )
    later = [case for case in _of_others(books["no ceiling"]) if case.s > FIRST_TERM * calendar.TERM_BLOCKS]
    findings = [
        f"The others wait: from decision to payment {_waits(books['ceiling'])} with whales under a ceiling,"
        f" {_waits(books['without'])} without whales. Without a ceiling"
        f" {share_of(case.paid_cents < case.benefit_cents for case in later)} of the others' accepted cases are never"
        " paid in full: a debt keeps its place in the queue, and takes what is in `claims` before those behind it."
    ]
    run_off = {
        key: [height for book in books[key] for height in book.heights_of("run_off")]
        for key in ("ceiling", "no ceiling")
    }
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


JOBS = (Job("ceiling", Whales), Job("no ceiling", Whales, {"no_ceiling": True}), Job("without", Whales, is_idle=True))
STUDY = Study("whale", "The whale", __doc__ or "", JOBS, judge)
