"""The silent majority: nobody looks at anybody's case.

All but one member in twenty pay, claim, and never vote, not even when drawn for a panel. They gain by not working, and
because only standard codes are paid. Refiling, and the second lapse that decides or pays, should stop them (§6).
"""

from __future__ import annotations

from collections.abc import Sequence

from governance.simulation.laboratory.attackers.base import Attack
from governance.simulation.laboratory.book import Book, CaseNote
from governance.simulation.laboratory.measures import money, outcome_of, percent, settled_cases, share, spread
from governance.simulation.laboratory.setting import Setting
from governance.simulation.laboratory.study import Books, Check, Evidence, Job, Layer, Picture, Study, curve

AWAKE_SHARE = 0.05
LAPSE_PAY_CENTS = 100_000
"""Default of `lapse_pay_cents`, for the picture."""


class Silence(Attack):
    """Never vote."""

    name = "silence"

    @property
    def controlled(self) -> frozenset[str]:
        """All founders but a few."""
        awake = max(2, round(AWAKE_SHARE * self.setting.members))
        return frozenset(self.some(self.setting.members - awake))


def jobs(setting: Setting) -> Sequence[Job]:
    """Return the silent world and the same with everybody awake."""
    return (Job("silent", Silence, setting), Job("awake", Silence, setting, is_idle=True))


def _is_settled(book: Book, case: CaseNote) -> bool:
    """True iff a right claim was decided by vote, or paid something, in the end."""
    last = outcome_of(book, case)
    return last.status == "denied" or (last.status == "accepted" and last.award_cents > 0)


def judge(books: Books, setting: Setting) -> Evidence:
    """Look at the outcome of every right claim and of every wrong one."""
    silent = books["silent"]
    right = [(book, case) for book in silent for case in settled_cases(book, lambda case: case.is_right)]
    wrong = [(book, case) for book in silent for case in settled_cases(book, lambda case: not case.is_right)]
    settled = sum(_is_settled(book, case) for book, case in right)
    last = [outcome_of(book, case) for book, case in right]
    by_lapse = [case for case in last if case.how == "lapse"]
    days = [(outcome_of(book, case).closed or 0) - case.s for book, case in right]
    awake = [
        (case.closed or 0) - case.s
        for book in books["awake"]
        for case in settled_cases(book, lambda case: case.is_right and case.is_paid)
    ]
    charged, awarded = sum(case.charges_cents for case in by_lapse), sum(case.award_cents for case in by_lapse)
    wrong_paid = sum(outcome_of(book, case).is_paid for book, case in wrong)
    wrong_voted = [case for book in books["awake"] for case in settled_cases(book, lambda case: not case.is_right)]
    checks = (
        Check(
            3,
            "right claims while 95 % never vote",
            "each is decided or paid after two lapses",
            f"{share(settled, len(right))} decided or paid; {share(len(by_lapse), len(right))} by the second lapse,"
            f" after {spread(days, 'blocks')}",
            bool(right) and settled == len(right),
        ),
    )
    findings = (
        (
            f"Paid is not paid in full: a second lapse awards at most `lapse_pay_cents`. Here {money(awarded)} of"
            f" {money(charged)} charged ({percent(awarded, charged):.0f} %); of a large claim it is a small part, and"
            f" it comes after {spread(days, 'blocks')} against {spread(awake, 'blocks')} with voters."
        ),
        (
            f"Silence pays wrong claims too: {share(wrong_paid, len(wrong))} of the wrong ones were settled, against"
            f" {share(sum(case.is_paid for case in wrong_voted), len(wrong_voted))} with voters. Without a quorum the"
            " rule gives up to `lapse_pay_cents` a case to anyone who files."
        ),
    )
    figures: dict[str, object] = {"settled": [settled, len(right)], "wrong_paid": [wrong_paid, len(wrong)]}
    figures["awarded_percent"] = percent(awarded, charged)
    return Evidence(checks, findings, figures, _picture(last, books["awake"], setting))


def _picture(last: Sequence[CaseNote], awake: Sequence[Book], setting: Setting) -> Picture:
    paid = [case for book in awake for case in settled_cases(book, lambda case: case.is_right and case.is_paid)]
    bound = dict(setting.params).get("lapse_pay_cents", LAPSE_PAY_CENTS) / 100

    def points(role: str, label: str, found: Sequence[CaseNote]) -> Layer:
        return curve("points", role, label, ((case.charges_cents / 100, case.award_cents / 100) for case in found))

    layers = (
        points("honest", "members vote", paid),
        points("attacker", "95 % silent", last),
        Layer("hline", "bound", "lapse_pay_cents", y=(bound,)),
    )
    title = "When nobody votes every right claim is paid in the end, but only up to the cap of a second lapse"
    return Picture(title, "charges of the case", "award", layers, x_log=True, y_log=True)


STUDY = Study("silence", "The silent majority", __doc__ or "", jobs, judge)
