"""The silent majority: nobody looks at anybody's case.

All but one member in twenty pay, claim, and never vote, not even when drawn for a panel. They gain by not working, and
because only standard codes are paid. Refiling, and the second lapse that decides or pays, should stop them (§6).
"""

from __future__ import annotations

from collections.abc import Sequence

from governance.simulation.laboratory.attackers.base import Attack
from governance.simulation.laboratory.book import CaseNote
from governance.simulation.laboratory.measures import money, percent, settled_cases, share, share_of, spread
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


def _is_settled(case: CaseNote) -> bool:
    """True iff a right claim was decided by vote, or paid something, in the end."""
    last = case.outcome
    return last.status == "denied" or (last.status == "accepted" and last.award_cents > 0)


def _wait(case: CaseNote) -> int:
    return (case.outcome.closed or 0) - case.s


def judge(books: Books, setting: Setting) -> Evidence:
    """Look at the outcome of every right claim and of every wrong one."""
    right = settled_cases(books["silent"], lambda case: case.is_right)
    wrong, wrong_voted = (settled_cases(books[key], lambda case: not case.is_right) for key in ("silent", "awake"))
    paid = settled_cases(books["awake"], lambda case: case.is_right and case.is_paid)
    settled = [_is_settled(case) for case in right]
    last = [case.outcome for case in right]
    by_lapse = [case for case in last if case.how == "lapse"]
    days = spread(map(_wait, right), "blocks")
    charged, awarded = sum(case.charges_cents for case in by_lapse), sum(case.award_cents for case in by_lapse)
    wrong_paid = [case.outcome.is_paid for case in wrong]
    what, asked = "right claims while 95 % never vote", "each is decided or paid after two lapses"
    lapsed = share(len(by_lapse), len(right))
    measured = f"{share_of(settled)} decided or paid; {lapsed} by the second lapse, after {days}"
    checks = (Check(3, what, asked, measured, bool(right) and all(settled)),)
    findings = (
        (
            f"Paid is not paid in full: a second lapse awards at most `lapse_pay_cents`. Here {money(awarded)} of"
            f" {money(charged)} charged ({percent(awarded, charged):.0f} %); of a large claim it is a small part, and"
            f" it comes after {days} against {spread(map(_wait, paid), 'blocks')} with voters."
        ),
        (
            f"Silence pays wrong claims too: {share_of(wrong_paid)} of the wrong ones were settled, against"
            f" {share_of(case.is_paid for case in wrong_voted)} with voters. Without a quorum the rule gives up to"
            " `lapse_pay_cents` a case to anyone who files."
        ),
    )
    figures: dict[str, object] = {"settled": [sum(settled), len(right)], "wrong_paid": [sum(wrong_paid), len(wrong)]}
    figures["awarded_percent"] = percent(awarded, charged)
    return Evidence(checks, findings, figures, _picture(last, paid, setting))


def _picture(last: Sequence[CaseNote], paid: Sequence[CaseNote], setting: Setting) -> Picture:
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


JOBS = Job("silent", Silence), Job("awake", Silence, is_idle=True)
STUDY = Study("silence", "The silent majority", __doc__ or "", JOBS, judge)
