"""Record washers: deny everything and keep a clean record.

One member in twenty denies every expensive claim. The first kind leaves before the renewal is judged and rejoins as the
same person. The second lets its own node accept every small claim, which costs nothing and counts as voting. They gain
what deniers gain, without a higher approval threshold. The rules keep the record and count auto-accept for at most
half (§2, §7).
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

from governance.simulation.laboratory.attackers.base import Attack, WorldView
from governance.simulation.laboratory.book import Book, CaseNote
from governance.simulation.laboratory.measures import is_paid_at_last, settled_cases, share
from governance.simulation.laboratory.setting import PLAN, Setting, stream
from governance.simulation.laboratory.study import Books, Check, Evidence, Job, Layer, Picture, Study, curve
from ledger import calendar

SHARE = 0.05
NOTICE_TERM = 8
TRIFLE_CENTS = 45_000
"""Charges up to which the second kind accepts automatically; it denies larger ones by hand."""
FREE_BAR_BP = 5_000


class Washers(Attack):
    """`style`: rejoin, or auto."""

    name = "washers"
    share_controlled = SHARE

    def __init__(self, setting: Setting, *, is_idle: bool = False, **options: Any) -> None:
        super().__init__(setting, is_idle=is_idle, **options)
        self.style = str(options.get("style", "auto"))
        self.watched = self.crew

    def start(self, world: WorldView) -> None:
        """Set up the auto-accept rule, or the date of the notice."""
        for name in self.crew:
            if self.style == "auto":
                world.at(1, partial(world.act, "auto_accept", by=name, id="trifles", ceiling_cents=TRIFLE_CENTS))
            else:
                world.at(calendar.first_height_of(NOTICE_TERM), partial(world.act, "leave", by=name))

    def on_case(self, world: WorldView, case: CaseNote) -> None:
        """In s+1 note what the node did, and deny expensive claims (all claims, for those who rejoin)."""
        if self.is_idle:
            return
        for name in self.crew:
            if name != case.by:
                world.at(case.s + 1, partial(self._vote, world, name, case))

    def _vote(self, world: WorldView, name: str, case: CaseNote) -> None:
        if self.style == "auto" and case.charges_cents <= TRIFLE_CENTS:
            world.note_auto(name, case)
        elif world.is_member(name):
            world.ballot(name, case, "deny", opened=False)

    def on_event(self, world: WorldView, event: dict[str, Any]) -> None:
        """A member who left applies again at once; honest members vouch."""
        if (
            self.style == "rejoin"
            and event["event"] == "contract_ended"
            and event["member"] in self.controlled
            and world.term <= NOTICE_TERM + 1
        ):
            world.at(world.height + 1, partial(self._return, world, event["member"]))

    def _return(self, world: WorldView, name: str) -> None:
        honest = [other for other in self.setting.founders if other not in self.controlled]
        if world.act("apply", name=name, plan=PLAN):
            for friend in stream(self.setting.seed, "return", name).sample(honest, 3):
                world.act("vouch", by=friend, name=name)


def jobs(setting: Setting) -> Sequence[Job]:
    """Return those who come back, and those who accept trifles."""
    return (
        Job("rejoin", Washers, setting, options={"style": "rejoin"}),
        Job("auto", Washers, setting, options={"style": "auto"}),
    )


def washers_of(book: Book) -> tuple[str, ...]:
    """Return the washers of a book."""
    return Washers(book.setting).crew


def _after_return(books: Sequence[Book]) -> list[tuple[int, int]]:
    """Return (denials by the ledger, by the lab's count) at the first boundary after each return."""
    found: list[tuple[int, int]] = []
    for book in books:
        for name in washers_of(book):
            joined = book.members[name].joined
            seen = next(
                ((height, figures) for height, figures in book.watched.get(name, ()) if joined and height >= joined),
                None,
            )
            if seen is not None:
                found.append((seen[1]["denied"], book.denied_at(name, seen[0])[0]))
    return found


def _looks(books: Sequence[Book]) -> list[tuple[int, dict[str, int], int, int]]:
    """Return (height, ledger's figures, by hand, by auto) of the washers at every boundary."""
    found: list[tuple[int, dict[str, int], int, int]] = []
    for book in books:
        for name in washers_of(book):
            for height, figures in book.watched.get(name, ()):
                first = ((height - 1) // calendar.TERM_BLOCKS - calendar.YEAR_TERMS) * calendar.TERM_BLOCKS + 1
                records = [item for item in book.records.get(name, ()) if first <= item[0] <= height]
                auto = sum(is_auto for _, _, is_auto in records)
                found.append((height, figures, len(records) - auto, auto))
    return found


def judge(books: Books, setting: Setting) -> Evidence:
    """Compare the ledger's record with the laboratory's, and measure what washing brings."""
    back, looks = _after_return(books["rejoin"]), _looks(books["auto"])
    kept = sum(ledger == own for ledger, own in back)
    over = [item for item in looks if item[1]["voted"] > 2 * item[2]]
    cut = sum(auto > by_hand for _, _, by_hand, auto in looks)
    checks = (
        Check(
            10,
            "record after leaving and rejoining",
            "survives",
            f"{share(kept, len(back))} with every denial of the window on record; on record"
            f" {', '.join(str(ledger) for ledger, _ in back[:6])}",
            bool(back) and kept == len(back) and all(ledger > 0 for ledger, _ in back),
        ),
        Check(
            10,
            "auto-accept in the record",
            "at most half of N",
            f"{len(over)} of {len(looks)} boundaries above half; at {cut} there was more to cut off",
            bool(looks) and not over,
        ),
    )
    full = [item for item in looks if item[1]["denied"] >= 13]
    free = sum(item[1]["bar_bp"] == FREE_BAR_BP for item in full)
    auto_notes = [book.members[name] for book in books["auto"] for name in washers_of(book)]
    own = [
        (book, case)
        for book in books["auto"]
        for name in washers_of(book)
        for case in settled_cases(book, lambda case, name=name: case.by == name and case.is_right)
        if book.denied_at(name, case.s)[0] >= 13
    ]
    gone = sum(note.refused is not None for note in auto_notes)
    rejoined = [book.members[name] for book in books["rejoin"] for name in washers_of(book)]
    findings = (
        (
            "Half is enough to wash with: a member who denies every expensive claim by hand and lets the node accept as"
            " many small ones has a denial rate of at most 50 %, below the 65 % from which the threshold rises. With 13"
            f" or more denials on record the washers kept the threshold of 50 % at {share(free, len(full))} boundaries;"
            f" {share(gone, len(auto_notes))} were refused a renewal;"
            f" {share(sum(is_paid_at_last(book, case) for book, case in own), len(own))} of their own right claims were"
            " paid (the plain bot: none from 19 denials on). A fix: leave auto-accept ballots out of N altogether, or"
            " weigh denials by charges."
        ),
        (
            "Rejoining dodges one judgement: at block 360 the leavers have no contract to refuse;"
            f" {share(sum(note.refused is not None for note in rejoined), len(rejoined))} are refused at a later"
            " boundary, on the old denials."
        ),
    )
    figures = {"free_bar_percent": 100 * free / len(full) if full else 0.0, "refused": gone, "back": back}
    return Evidence(checks, findings, figures, _picture(books))


def _picture(books: Books) -> Picture:
    layers: list[Layer] = []
    for role, label, book in (
        ("attacker", "auto-accepts small claims, denies the rest", books["auto"][0]),
        ("other", "leaves, rejoins, denies all", books["rejoin"][0]),
    ):
        points = book.watched.get(washers_of(book)[0], [])
        rates = [(height / 30, 100 * found["denied"] / max(20, found["voted"])) for height, found in points]
        layers.append(curve("step", role, label, rates))
    layers.append(Layer("hline", "bound", "65 %: the threshold begins to rise", y=(65,)))
    title = "Leaving washes nothing off; accepting small claims automatically washes everything"
    return Picture(title, "term", "denials of the votes on record, %", tuple(layers))


STUDY = Study("washers", "Record washers", __doc__ or "", jobs, judge)
