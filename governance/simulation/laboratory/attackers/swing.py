"""The late swing: a bloc waits until the others can no longer answer.

The accept ring again: its false claims look lost for 58 blocks, and in s+59 the whole ring accepts at once. It gains a
majority at the end that nobody had time to see. Fifteen passing blocks in a row should stop it (§6).
"""

from __future__ import annotations

from collections.abc import Sequence

from governance.simulation.laboratory.attackers.ring import Ring
from governance.simulation.laboratory.book import CaseNote
from governance.simulation.laboratory.measures import share, share_of
from governance.simulation.laboratory.setting import Setting
from governance.simulation.laboratory.study import Books, Check, Evidence, Job, Layer, Picture, Study

LATE = 59
"""Blocks after s in which the bloc votes."""
QUORUM = 5


class LateSwing(Ring):
    """The ring, with all its ballots in s+59."""

    name = "swing"
    delay = LATE


def _is_carried_late(case: CaseNote) -> bool:
    """True iff a case was settled by vote though the ballots before s+59 would not have paid it."""
    early = [cast.choice for cast in case.ballots.values() if cast.height < case.s + LATE and cast.choice != "abstain"]
    is_over_bar = 10_000 * early.count("accept") >= (case.bar_bp - case.seniority_bp) * len(early)
    return case.is_paid and case.how == "vote" and not (len(early) >= QUORUM and is_over_bar)


def judge(books: Books, setting: Setting) -> Evidence:
    """Count the cases that ballots in s+59 alone carried, at the first and at the second filing."""
    late, early = (
        [case for book in books[key] for case in book.cases.values() if ".ring" in case.claim and case.status != "open"]
        for key in ("late", "early")
    )
    first, second = ([case for case in late if case.is_second == is_second] for is_second in (False, True))
    late_first, late_second = sum(map(_is_carried_late, first)), sum(map(_is_carried_late, second))
    lapsed = sum(case.status == "lapsed" for case in first)
    of_first, of_second = share(late_first, len(first)), share(late_second, len(second))
    what, is_first_safe = "ballots at s+59 alone", bool(first) and late_first == 0
    checks = (
        Check(4, f"{what}, first filing", "never pay", f"{of_first} paid by them", is_first_safe),
        Check(4, f"{what}, second filing", "never pay", f"{of_second} paid by them", late_second == 0),
    )
    findings: list[str] = []
    if late_second:
        findings.append(
            "Rules §6 against §13: at the first filing a swing in s+59 turns a denial into a lapse"
            f" ({share(lapsed, len(first))}; pass(s+60) holds, fifteen blocks do not), and a lapse may be filed again."
            " The second time three ballots decide by the threshold of s+60 alone, so the same swing in s+59 pays:"
            f" {of_second}. A fix: at the end of a second filing count the ballots cast up to s+45, or deny what did"
            " not pass in s+46 … s+60."
        )
    findings.append(
        f"The same ring voting in s+1 had {share_of(case.is_paid for case in early)} of its cases paid: waiting does"
        " not make it strong, it hides it."
    )
    figures = {"first": [late_first, len(first)], "second": [late_second, len(second)], "lapsed_first": lapsed}
    return Evidence(checks, tuple(findings), figures, _picture(first, second))


def _picture(first: Sequence[CaseNote], second: Sequence[CaseNote]) -> Picture:
    def bars(role: str, label: str, status: str) -> Layer:
        counts = tuple(float(sum(case.status == status for case in group)) for group in (first, second))
        return Layer("bars", role, label, y=counts, labels=("first filing", "second filing"))

    layers = bars("attacker", "paid", "accepted"), bars("other", "lapsed", "lapsed"), bars("honest", "denied", "denied")
    title = "A swing in s+59 never pays at the first filing, but it pays at the second"
    return Picture(title, "false claims of a ring that votes in s+59 only", "cases", layers)


JOBS = Job("late", LateSwing), Job("early", Ring)
STUDY = Study("swing", "The late swing", __doc__ or "", JOBS, judge)
