"""Record washers: deny everything and keep a clean record.

One member in twenty denies every expensive claim. The first kind leaves before the renewal is judged and rejoins as the
same person. The second lets its own node accept every small claim, which costs nothing and counts as voting. They gain
what deniers gain, without a higher approval threshold. The rules keep the record and count auto-accept for at most
half (§2, §7).
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from typing import Any

from governance.simulation.laboratory.attackers.base import Attack, WorldView
from governance.simulation.laboratory.book import Book, CaseNote
from governance.simulation.laboratory.measures import percent, settled_cases, share_of
from governance.simulation.laboratory.setting import Setting, stream
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
                world.at(1, world.act, "auto_accept", by=name, id="trifles", ceiling_cents=TRIFLE_CENTS)
            else:
                world.at(calendar.first_height_of(NOTICE_TERM), world.act, "leave", by=name)

    def on_case(self, world: WorldView, case: CaseNote) -> None:
        """In s+1 note what the node did, and deny expensive claims (all claims, for those who rejoin)."""
        if self.is_idle:
            return
        for name in self.crew:
            if name != case.by:
                world.at(case.s + 1, self._vote, world, name, case)

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
            world.at(world.height + 1, self._return, world, event["member"])

    def _return(self, world: WorldView, name: str) -> None:
        honest = [other for other in self.setting.founders if other not in self.controlled]
        world.apply(name, stream(self.setting.seed, "return", name).sample(honest, 3))


def _after_return(books: Sequence[Book], crew: Sequence[str]) -> list[tuple[int, int]]:
    """Return (denials by the ledger, by the lab's count) at the first boundary after each return."""
    found: list[tuple[int, int]] = []
    for book, name in product(books, crew):
        joined = book.members[name].joined
        looks = [look for look in book.watched.get(name, ()) if joined and look[0] >= joined]
        found += [(figures["denied"], book.denied_at(name, height)[0]) for height, figures in looks[:1]]
    return found


def _looks(books: Sequence[Book], crew: Sequence[str]) -> list[tuple[dict[str, int], int, int]]:
    """Return (ledger's figures, by hand, by auto) of the washers at every boundary."""
    found: list[tuple[dict[str, int], int, int]] = []
    for book, name in product(books, crew):
        for height, figures in book.watched.get(name, ()):
            first = ((height - 1) // calendar.TERM_BLOCKS - calendar.YEAR_TERMS) * calendar.TERM_BLOCKS + 1
            records = [item for item in book.records.get(name, ()) if first <= item[0] <= height]
            auto = sum(is_auto for _, _, is_auto in records)
            found.append((figures, len(records) - auto, auto))
    return found


def judge(books: Books, setting: Setting) -> Evidence:
    """Compare the ledger's record with the laboratory's, and measure what washing brings."""
    crew = Washers(setting).crew
    back, looks = _after_return(books["rejoin"], crew), _looks(books["auto"], crew)
    is_kept = bool(back) and all(ledger == own and ledger > 0 for ledger, own in back)
    over = [item for item in looks if item[0]["voted"] > 2 * item[1]]
    cut = sum(auto > by_hand for _, by_hand, auto in looks)
    kept = (
        f"{share_of(ledger == own for ledger, own in back)} with every denial of the window on record; on record"
        f" {', '.join(str(ledger) for ledger, _ in back[:6])}"
    )
    above = f"{len(over)} of {len(looks)} boundaries above half; at {cut} there was more to cut off"
    checks = (
        Check(10, "record after leaving and rejoining", "survives", kept, is_kept),
        Check(10, "auto-accept in the record", "at most half of N", above, bool(looks) and not over),
    )
    free = [figures["bar_bp"] == FREE_BAR_BP for figures, _, _ in looks if figures["denied"] >= 13]
    refused, later = (
        [book.members[name].refused is not None for book, name in product(books[key], crew)]
        for key in ("auto", "rejoin")
    )
    own = share_of(
        case.is_paid_at_last
        for book in books["auto"]
        for case in settled_cases([book], lambda case: case.by in crew and case.is_right)
        if book.denied_at(case.by, case.s)[0] >= 13
    )
    findings = (
        (
            "Half is enough to wash with: a member who denies every expensive claim by hand and lets the node accept as"
            " many small ones has a denial rate of at most 50 %, below the 65 % from which the threshold rises. With 13"
            f" or more denials on record the washers kept the threshold of 50 % at {share_of(free)} boundaries;"
            f" {share_of(refused)} were refused a renewal; {own} of their own right claims were paid (the plain bot:"
            " none from 19 denials on). A fix: leave auto-accept ballots out of N altogether, or weigh denials by"
            " charges."
        ),
        (
            "Rejoining dodges one judgement: at block 360 the leavers have no contract to refuse;"
            f" {share_of(later)} are refused at a later boundary, on the old denials."
        ),
    )
    figures = {"free_bar_percent": percent(sum(free), len(free)), "refused": sum(refused), "back": back}
    return Evidence(checks, findings, figures, _picture(books, crew[0]))


def _picture(books: Books, name: str) -> Picture:
    layers: list[Layer] = []
    for role, label, book in (
        ("attacker", "auto-accepts small claims, denies the rest", books["auto"][0]),
        ("other", "leaves, rejoins, denies all", books["rejoin"][0]),
    ):
        looks = book.watched.get(name, [])
        rates = [(height / 30, 100 * found["denied"] / max(20, found["voted"])) for height, found in looks]
        layers.append(curve("step", role, label, rates))
    layers.append(Layer("hline", "bound", "65 %: the threshold begins to rise", y=(65,)))
    title = "Leaving washes nothing off; accepting small claims automatically washes everything"
    return Picture(title, "term", "denials of the votes on record, %", tuple(layers))


JOBS = tuple(Job(style, Washers, {"style": style}) for style in ("rejoin", "auto"))
STUDY = Study("washers", "Record washers", __doc__ or "", JOBS, judge)
