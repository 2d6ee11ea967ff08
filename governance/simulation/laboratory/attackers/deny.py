"""Deny everything, or deny nineteen times and stop.

One member in twenty looks at nothing and denies every case in its first block; the second kind stops at nineteen
denials, one below the sample that refuses a renewal. They gain because less is paid to others, so premiums fall. Their
own approval threshold, and renewal, should stop them (rules §7).
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from typing import Any

from governance.simulation.laboratory.attackers.base import Attack, WorldView
from governance.simulation.laboratory.book import Book, CaseNote, Look
from governance.simulation.laboratory.measures import settled_cases, share, share_of, spread
from governance.simulation.laboratory.setting import Setting
from governance.simulation.laboratory.study import Books, Check, Evidence, Job, Layer, Picture, Study, curve
from ledger import calendar

SHARE = 0.05


class DenyEverything(Attack):
    """Deny each case at once; `stop_after`: until this number of denials is on record."""

    name = "deny"
    share_controlled = SHARE

    def __init__(self, setting: Setting, *, is_idle: bool = False, **options: Any) -> None:
        super().__init__(setting, is_idle=is_idle, **options)
        self.watched = (*self.crew, setting.founders[0])
        self.live: dict[str, list[CaseNote]] = {name: [] for name in self.crew}

    def on_case(self, world: WorldView, case: CaseNote) -> None:
        """Deny it in s+1."""
        if not self.is_idle:
            for name in self.crew:
                if name != case.by:
                    world.at(case.s + 1, self._deny, world, name, case)

    def _deny(self, world: WorldView, name: str, case: CaseNote) -> None:
        limit = self.options.get("stop_after")
        if limit is not None:
            live = [item for item in self.live[name] if item.status == "open"]
            if sum(is_no for _, is_no, _ in world.book.records.get(name, ())) + len(live) >= limit:
                return
            self.live[name] = [*live, case]
        if world.is_member(name):
            world.ballot(name, case, "deny", opened=False)


def _thresholds(books: Sequence[Book], crew: Sequence[str], least: int) -> list[int]:
    """Return the attackers' thresholds, in own cases and at boundaries, from `least` denials by the lab's count on."""
    found: list[int] = []
    for book, name in product(books, crew):
        own = [(case.s, case.bar_bp) for case in book.cases.values() if case.by == name and case.closed is not None]
        own += [(height, figures["bar_bp"]) for height, figures in _looks(book, name)]
        found += [bar for height, bar in own if book.denied_at(name, height)[0] >= least]
    return found


def _looks(book: Book, name: str) -> list[Look]:
    """Return the boundaries at which a denier was still there."""
    left = book.members[name].left
    return [look for look in book.watched.get(name, ()) if left is None or look[0] < left]


def _own(books: Sequence[Book], crew: Sequence[str], least: int, most: int = 10**9) -> str:
    """Return how many of the deniers' own right cases, filed with such a number of denials on record, were paid."""
    return share_of(
        case.is_paid_at_last
        for book in books
        for case in settled_cases([book], lambda case: case.by in crew and case.is_right)
        if least <= book.denied_at(case.by, case.s)[0] <= most
    )


def judge(books: Books, setting: Setting) -> Evidence:
    """Read approval thresholds, ends of contracts and acceptance rates."""
    bots, stoppers, crew = books["bot"], books["nineteen"], DenyEverything(setting).crew
    notes, stopped = ([book.members[name] for book, name in product(group, crew)] for group in (bots, stoppers))
    gone = [note.left for note in notes if note.left is not None and note.until is not None and note.left <= note.until]
    stays = [note.left is None for note in stopped]
    left = f"{share(len(gone), len(notes))} gone, in block {spread(gone)}"
    left_after = f"{share_of(not stay for stay in stays)} gone after {setting.terms} terms"
    checks = (
        _threshold_check(13, "at least 75 %", 7_500, _thresholds([*bots, *stoppers], crew, 13)),
        _threshold_check(19, "100 %", 10_000, _thresholds([*bots, *stoppers], crew, 19)),
        Check(1, "deny-everything bot", "gone at contract end", left, len(gone) == len(notes)),
        Check(1, "19 denials and stop", "gone at contract end", left_after, not any(stays)),
    )
    with_bots, without = (
        share_of(
            case.is_paid_at_last
            for case in settled_cases(books[key], lambda case: case.is_right and case.by not in crew)
        )
        for key in ("bot", "without")
    )
    own = {"below 13": _own(bots, crew, 0, 12), "13 to 18": _own(bots, crew, 13, 18), "from 19": _own(bots, crew, 19)}
    own["nineteen and stopped"] = _own(stoppers, crew, 19)
    findings = [
        f"Own right claims of the bots are paid: {own['below 13']} with fewer than 13 denials, {own['13 to 18']} with"
        f" 13 to 18, {own['from 19']} from 19 on; of the honest {with_bots} with the bots about and {without} without"
        " them."
    ]
    if any(stays):
        findings.append(
            "Rules §7 against §13: a renewal is refused only with N ≥ renewal_min (20) and closings in renewal_terms"
            " (6). A member who denies nineteen times and then never votes has N = 19, in three or four terms, and is"
            " never refused; the threshold of 100 % lasts until the denials are older than thirteen terms, and then the"
            f" game can begin again. Own right claims filed meanwhile: {own['nineteen and stopped']} paid. A fix: lower"
            " both figures (renewal_min 19 alone changes nothing), or let §13 ask for the threshold alone below twenty"
            " ballots."
        )
    figures = {"own_paid": own, "gone": [note.left for note in notes]}
    return Evidence(checks, tuple(findings), figures, _picture(bots[0], stoppers[0], crew[0]))


def _threshold_check(denials: int, asked: str, least_bp: int, found: Sequence[int]) -> Check:
    lowest = f"lowest {min(found) / 100:g} %" if found else "lowest none"
    is_met = bool(found) and min(found) >= least_bp
    what = f"own claims from the {denials}th denial on"
    return Check(1, what, f"threshold of {asked}", f"{lowest} of {len(found)} looked at", is_met)


def _picture(bot: Book, stopper: Book, name: str) -> Picture:
    """Plot the first seed's thresholds at each boundary."""
    layers: list[Layer] = []
    for book, role, label in ((bot, "attacker", "denies everything"), (stopper, "other", "19 denials, then silent")):
        layers.append(_curve(role, label, _looks(book, name)))
        left = book.members[name].left
        if left:
            layers.append(Layer("vline", role, f"gone in block {left}", (left / calendar.TERM_BLOCKS,)))
    layers.append(_curve("honest", "an honest voter", bot.watched.get(bot.setting.founders[0], [])))
    layers.append(Layer("hline", "bound", "rules §13: 100 % from 19 denials on", y=(100,)))
    title = "A bot that denies everything loses its own claims, then its contract; nineteen denials cost a year"
    return Picture(title, "term", "threshold of the attacker's own claims, % yes needed", tuple(layers))


def _curve(role: str, label: str, looks: Sequence[Look]) -> Layer:
    points = ((height / calendar.TERM_BLOCKS, figures["bar_bp"] / 100) for height, figures in looks)
    return curve("step", role, label, points)


JOBS = (
    Job("bot", DenyEverything),
    Job("nineteen", DenyEverything, {"stop_after": 19}),
    Job("without", DenyEverything, is_idle=True),
)
STUDY = Study("deny", "Deny everything, or nineteen times and stop", __doc__ or "", JOBS, judge)
