"""Deny everything, or deny nineteen times and stop.

One member in twenty looks at nothing and denies every case in its first block; the second kind stops at nineteen
denials, one below the sample that refuses a renewal. They gain because less is paid to others, so premiums fall. Their
own approval threshold, and renewal, should stop them (rules §7).
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

from governance.simulation.laboratory.attackers.base import Attack, WorldView
from governance.simulation.laboratory.book import Book, CaseNote
from governance.simulation.laboratory.measures import is_paid_at_last, paid_share, settled_cases, share, spread
from governance.simulation.laboratory.setting import Setting
from governance.simulation.laboratory.study import Books, Check, Evidence, Job, Layer, Picture, Study, curve
from ledger import calendar

SHARE = 0.05
BAR_FROM_13, BAR_FROM_19 = 7_500, 10_000
STOP_AFTER = 19


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
                    world.at(case.s + 1, partial(self._deny, world, name, case))

    def _deny(self, world: WorldView, name: str, case: CaseNote) -> None:
        limit = self.options.get("stop_after")
        if limit is not None:
            live = [item for item in self.live[name] if item.status == "open"]
            if sum(is_no for _, is_no, _ in world.book.records.get(name, ())) + len(live) >= limit:
                return
            self.live[name] = [*live, case]
        if world.is_member(name):
            world.ballot(name, case, "deny", opened=False)


def jobs(setting: Setting) -> Sequence[Job]:
    """Return the bot, the member who stops at nineteen, and no attack."""
    return (
        Job("bot", DenyEverything, setting),
        Job("nineteen", DenyEverything, setting, options={"stop_after": STOP_AFTER}),
        Job("without", DenyEverything, setting, is_idle=True),
    )


def _thresholds(books: Sequence[Book], least: int) -> list[int]:
    """Return the attackers' thresholds, in own cases and at boundaries, from `least` denials by the lab's count on."""
    found: list[int] = []
    for book in books:
        for name in attackers_of(book):
            own = [(case.s, case.bar_bp) for case in book.cases.values() if case.by == name and case.closed is not None]
            own += [
                (height, figures["bar_bp"])
                for height, figures in book.watched.get(name, ())
                if _is_here(book, name, height)
            ]
            found += [bar for height, bar in own if book.denied_at(name, height)[0] >= least]
    return found


def attackers_of(book: Book) -> tuple[str, ...]:
    """Return the deniers of a book."""
    return DenyEverything(book.setting).crew


def _is_here(book: Book, name: str, height: int) -> bool:
    left = book.members[name].left
    return left is None or height < left


def _own(book: Book, least: int, most: int) -> tuple[int, int]:
    """Return (paid, filed) of the deniers' own right cases filed with `least` to `most` denials on record."""
    found = [
        case
        for name in attackers_of(book)
        for case in settled_cases(book, lambda case, name=name: case.by == name and case.is_right)
        if least <= book.denied_at(name, case.s)[0] <= most
    ]
    return sum(is_paid_at_last(book, case) for case in found), len(found)


def _sum(pairs: Sequence[tuple[int, int]]) -> str:
    return share(sum(part for part, _ in pairs), sum(whole for _, whole in pairs))


def judge(books: Books, setting: Setting) -> Evidence:
    """Read approval thresholds, ends of contracts and acceptance rates."""
    bots, stoppers, without = books["bot"], books["nineteen"], books["without"]
    from_13, from_19 = _thresholds([*bots, *stoppers], 13), _thresholds([*bots, *stoppers], 19)
    notes = [book.members[name] for book in bots for name in attackers_of(book)]
    gone = [note for note in notes if note.left is not None and note.until is not None and note.left <= note.until]
    stopped = [book.members[name] for book in stoppers for name in attackers_of(book)]
    stopped_gone = sum(note.left is not None for note in stopped)
    checks = (
        _threshold_check("own claims from the 13th denial on", "at least 75 %", BAR_FROM_13, from_13),
        _threshold_check("own claims from the 19th denial on", "100 %", BAR_FROM_19, from_19),
        Check(
            1,
            "deny-everything bot",
            "gone at contract end",
            f"{share(len(gone), len(notes))} gone, in block " + spread([note.left or 0 for note in gone]),
            len(gone) == len(notes),
        ),
        Check(
            1,
            "19 denials and stop",
            "gone at contract end",
            f"{share(stopped_gone, len(stopped))} gone after {setting.terms} terms",
            stopped_gone == len(stopped),
        ),
    )
    honest = [
        paid_share(group, lambda book, case: case.is_right and case.by not in attackers_of(book))
        for group in (bots, without)
    ]
    own = {
        words: _sum([_own(book, low, high) for book in bots])
        for words, low, high in (("below 13", 0, 12), ("13 to 18", 13, 18), ("from 19", 19, 10**9))
    }
    own["nineteen and stopped"] = _sum([_own(book, 19, 10**9) for book in stoppers])
    findings = [
        f"Own right claims of the bots are paid: {own['below 13']} with fewer than 13 denials, {own['13 to 18']} with"
        f" 13 to 18, {own['from 19']} from 19 on; of the honest {share(*honest[0])} with the bots about and"
        f" {share(*honest[1])} without them."
    ]
    if stopped_gone < len(stopped):
        findings.append(
            "Rules §7 against §13: a renewal is refused only with N ≥ renewal_min (20) and closings in renewal_terms"
            " (6). A member who denies nineteen times and then never votes has N = 19, in three or four terms, and is"
            " never refused; the threshold of 100 % lasts until the denials are older than thirteen terms, and then the"
            f" game can begin again. Own right claims filed meanwhile: {own['nineteen and stopped']} paid. A fix: lower"
            " both figures (renewal_min 19 alone changes nothing), or let §13 ask for the threshold alone below twenty"
            " ballots."
        )
    return Evidence(
        checks, tuple(findings), {"own_paid": own, "gone": [note.left for note in notes]}, _picture(bots, stoppers)
    )


def _threshold_check(what: str, asked: str, least_bp: int, found: Sequence[int]) -> Check:
    lowest = f"{min(found) / 100:g} %" if found else "none"
    is_met = bool(found) and min(found) >= least_bp
    return Check(1, what, f"threshold of {asked}", f"lowest {lowest} of {len(found)} looked at", is_met)


def _picture(bots: Sequence[Book], stoppers: Sequence[Book]) -> Picture:
    """Plot the first seed's thresholds at each boundary."""
    layers: list[Layer] = []
    for book, role, label in (
        (bots[0], "attacker", "denies everything"),
        (stoppers[0], "other", "19 denials, then silent"),
    ):
        name = attackers_of(book)[0]
        looks = [look for look in book.watched.get(name, ()) if _is_here(book, name, look[0])]
        layers.append(_curve(role, label, looks))
        left = book.members[name].left
        if left:
            layers.append(Layer("vline", role, f"gone in block {left}", (left / calendar.TERM_BLOCKS,)))
    layers.append(_curve("honest", "an honest voter", bots[0].watched.get(bots[0].setting.founders[0], [])))
    layers.append(Layer("hline", "bound", "rules §13: 100 % from 19 denials on", y=(100,)))
    title = "A bot that denies everything loses its own claims, then its contract; nineteen denials cost a year"
    return Picture(title, "term", "threshold of the attacker's own claims, % yes needed", tuple(layers))


def _curve(role: str, label: str, looks: Sequence[tuple[int, dict[str, int]]]) -> Layer:
    points = ((height / calendar.TERM_BLOCKS, figures["bar_bp"] / 100) for height, figures in looks)
    return curve("step", role, label, points)


STUDY = Study("deny", "Deny everything, or nineteen times and stop", __doc__ or "", jobs, judge)
