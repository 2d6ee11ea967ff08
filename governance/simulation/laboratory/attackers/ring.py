"""The accept ring: nearly a third of the members always accept each other's claims.

The ring is 30 % of the members. Each files claims that nobody should pay; the others accept at once and say that they
looked. They gain benefits without illness. Panels drawn at random (rules §13), honest turnout (§6) and audits (§9)
should stop them.
"""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256
from typing import ClassVar

from governance.simulation.laboratory.attackers.base import Attack, WorldView
from governance.simulation.laboratory.book import Book, CaseNote, Line
from governance.simulation.laboratory.measures import (
    claims_of,
    hypergeometric_tail,
    money,
    percent,
    settled_cases,
    share,
)
from governance.simulation.laboratory.setting import Setting, stream
from governance.simulation.laboratory.study import Books, Check, Evidence, Job, Layer, Picture, Study
from governance.voting import panels
from ledger import calendar

SHARE = 0.30
PANEL = 21
MAJORITY = PANEL // 2 + 1
BOUND = 0.03
DRAWS = 20_000
CHARGE_CENTS = 80_000
CLAIM_EVERY_TERMS = 3


class Ring(Attack):
    """File false claims, each member under a different code, and accept each other's; the idle ring votes honestly."""

    name = "ring"
    share_controlled = SHARE
    delay: ClassVar[int] = 1
    """Blocks after s in which the ring votes."""

    def at_block(self, world: WorldView) -> None:
        """In each term a third of the ring files a false claim."""
        if not calendar.is_term_start(world.height) or world.term < self.setting.waiting_terms:
            return
        for index, name in enumerate(self.crew):
            if (world.term + index) % CLAIM_EVERY_TERMS == 0:
                wait = stream(self.setting.seed, "ring", name, world.term).randrange(calendar.TERM_BLOCKS)
                world.at(world.height + wait, self._file, world, f"{name}.{world.term}.ring", name)

    def _file(self, world: WorldView, claim: str, name: str) -> None:
        if world.is_member(name):
            doctor = stream(self.setting.seed, "doctor", claim).choice(self.setting.doctors)
            world.claim(claim, name, doctor, (Line(f"F{name}", CHARGE_CENTS, world.height, is_right=False),))

    def on_case(self, world: WorldView, case: CaseNote) -> None:
        """Accept the ring's own."""
        if not self.is_idle and case.by in self.controlled:
            for name in self.crew:
                if name != case.by:
                    world.at(case.s + self.delay, world.ballot, name, case, "accept")


def hold_share(members: int, share_of_ring: float, draws: int, seed: int) -> float:
    """Return how often the ring holds a majority in real draws of a 21-panel."""
    keys = [f"m{index:04}".encode() for index in range(members)]
    ring = set(keys[members - round(share_of_ring * members) :])
    held = 0
    for index in range(draws):
        randomness = sha256(f"lab panel {seed} {index}".encode()).digest()
        held += sum(key in ring for key in panels.draw(randomness, b"duty/claim/code", keys, PANEL)) >= MAJORITY
    return held / draws


def _paid(books: Sequence[Book]) -> tuple[int, int, int]:
    """Return (paid, filed, cents paid) of the false claims."""
    found = settled_cases(books, lambda case: case.claim.endswith(".ring"))
    paid = sum(case.is_paid_at_last for case in found)
    return paid, len(found), sum(claim.benefit_cents for claim in claims_of(books, ".ring"))


def judge(books: Books, setting: Setting) -> Evidence:
    """Compute and draw the panels, and compare the benefits of false claims."""
    sizes = 60, 100, 1_000, 100_000
    exact = {size: hypergeometric_tail(size, round(SHARE * size), PANEL, MAJORITY) for size in sizes}
    draws = DRAWS if setting.terms > 20 else DRAWS // 4
    tries = {size: draws // (size // 60) for size in (60, 180)}
    seen = {size: hold_share(size, SHARE, count, setting.seed) for size, count in tries.items()}
    drawn = [case for book in books["ring"] for case in book.cases.values() if len(case.panel) == PANEL]
    ring = set(Ring(setting).crew)
    held = sum(sum(name in ring for name in case.panel) >= MAJORITY for case in drawn)
    what, asked = "30 % of the members hold a 21-panel, exactly", "in less than 3 % of draws"
    by_size = "; ".join(f"{100 * value:.2f} % of {size:,} members" for size, value in exact.items())
    by_draw = "; ".join(
        f"{100 * seen[size]:.2f} % of {count:,} draws ({size} members)" for size, count in tries.items()
    )
    checks = (
        Check(2, what, asked, by_size, max(exact.values()) < BOUND),
        Check(2, "the same, by the ledger's own draw", asked, by_draw, max(seen.values()) < BOUND),
    )
    with_ring, without = _paid(books["ring"]), _paid(books["without"])
    findings = (
        (
            f"The panel is safe; the open vote is the ring's way in. With honest turnout of {100 * setting.turnout:.0f}"
            f" % the ring had {share(*with_ring[:2])} of its false claims paid ({money(with_ring[2])} in"
            f" {len(books['ring'])} worlds), against {share(*without[:2])} ({money(without[2])}) when the same people"
            " vote honestly. A duty panel changes nothing in the tally and is drawn only if a quorum is missing;"
            " against a bloc only turnout, audits and findings help. Duty panels of 21 drawn in these worlds:"
            f" {len(drawn)}, held by the ring {held}."
        ),
    )
    figures = {"exact": exact, "drawn": seen, "false_paid_percent": [percent(*with_ring[:2]), percent(*without[:2])]}
    return Evidence(checks, findings, figures, _picture(setting, draws))


def _picture(setting: Setting, draws: int) -> Picture:
    """Plot the probability against the ring's share, computed and drawn."""
    shares = [index / 100 for index in range(10, 61)]
    exact = tuple(100 * hypergeometric_tail(1_000, round(value * 1_000), PANEL, MAJORITY) for value in shares)
    tried = (0.2, 0.3, 0.4, 0.5)
    dots = tuple(100 * hold_share(120, value, max(200, draws // 10), setting.seed) for value in tried)
    layers = (
        Layer("line", "attacker", "exact, 1,000 members", tuple(100 * value for value in shares), exact),
        Layer("points", "other", "the ledger's own draw, 120 members", tuple(100 * value for value in tried), dots),
        Layer("hline", "bound", "rules §13: 3 %", y=(3,)),
        Layer("vline", "bound", "a ring of 30 %", (30,)),
    )
    title = "A ring of 30 % holds a panel of 21 in fewer than three draws of a hundred"
    return Picture(title, "share of the ring, % of members", "draws in which it holds 11 of 21, %", layers)


JOBS = Job("ring", Ring), Job("without", Ring, is_idle=True)
STUDY = Study("ring", "The accept ring", __doc__ or "", JOBS, judge)
