"""Appeals: once, soon after a denial, on new evidence or a named rule error; a panel decides for good (rules §9)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import cast

from msgspec.structs import replace

from governance.acts import Act
from governance.benefits import community
from governance.day import Day, ceil_div, lower_median
from governance.membership import members
from governance.state.appeals import APPEAL_BALLOTS, APPEALS, OPEN_APPEALS, AppealRow, Ground
from governance.state.ballots import BALLOTS, BallotRow, Choice
from governance.state.cases import CASES, CLOSED_VOTES, CaseKey, CaseRow
from governance.state.claims import CLAIMS
from governance.state.params import params_at
from governance.state.payouts import RECEIVABLES
from governance.tables import Draft
from governance.voting import ballots, cases, duties, panels
from ledger.codec import Shape
from ledger.errors import RuleBroken

# ---- Records ------------------------------------------------------------
GROUNDS = ("evidence", "rule")
PANEL_MIN = 5
"""Fewer fresh members than this: the first voters may sit too."""
QUORUM_MAX = 15


class AppealBody(Shape):
    """Appeal the denial of one of the author's own cases."""

    claim: bytes
    code: str
    ground: str


# ---- Rules --------------------------------------------------------------
def check_appeal(day: Day, act: Act, body: AppealBody) -> None:
    """Raise RuleBroken unless the author's case was denied in the last blocks and not appealed."""
    claim = CLAIMS.find(day.draft, body.claim)
    case = CASES.find(day.draft, body.claim, body.code)
    if claim is None or case is None or act.author not in (claim.member, claim.cover):
        raise RuleBroken("claim_not_own", "the author has no case of this claim and code", "name one of your own cases")
    if body.ground not in GROUNDS:
        what = f"{body.ground!r} is not a valid ground of appeal"
        raise RuleBroken("ground_unknown", what, "new evidence, or a named rule error")
    if RECEIVABLES.find(day.draft, community.debtor_of(claim), claim.claim) is not None:
        raise RuleBroken("fraud_known", "the claim was found fraudulent", "no part of it will be paid")
    earlier = APPEALS.find(day.draft, body.claim, body.code)
    if earlier is not None:
        what = f"the case was appealed in block {earlier.height}"
        raise RuleBroken("appealed", what, "a case can be appealed only once; the panel's decision is final")
    within = params_at(day.draft, case.params_version).appeal_within
    if case.status != "denied" or not case.closed_height < day.height <= case.closed_height + within:
        raise _not_now(day, case, within)


def _not_now(day: Day, case: CaseRow, within: int) -> RuleBroken:
    """Return the refusal of an appeal that comes too early, too late, or against no denial."""
    if case.status == "denied":
        first, last = case.closed_height + 1, case.closed_height + within
        what = f"an appeal is possible in blocks {first} to {last}; this is block {day.height}"
        return RuleBroken("appeal_late", what, "after them the denial is final")
    if case.status == "open":
        last = case.carried_height + params_at(day.draft, case.params_version).vote_blocks
        return RuleBroken(
            "appeal_late", f"the case is open until block {last}", f"appeal within {within} blocks after a denial"
        )
    what = f"the case was {case.status} in block {case.closed_height}"
    return RuleBroken("appeal_late", what, "only a denial is appealed; a lapsed case may be filed again")


def pool_of(day: Day, case: CaseRow) -> tuple[list[bytes], list[bytes]]:
    """Return who may vote and is not excluded, and those of them who did not vote before. Linear in members."""
    excluded = frozenset(case.excluded)
    eligible = [key for key in members.voters_now(day.draft) if key not in excluded]
    first = {row.voter for row in BALLOTS.scan(day.draft, case.claim, case.code)}
    closed = CLOSED_VOTES.find(day.draft, case.claim, case.code)
    if closed is not None:
        first |= {item.voter for item in closed.votes}
    return eligible, [key for key in eligible if key not in first]


def quorum_of(panel_size: int) -> int:
    """Return how many yes or no ballots of a panel decide: a third, rounded up, at most 15."""
    return min(QUORUM_MAX, ceil_div(panel_size, 3))


def apply_appeal(day: Day, _act: Act, body: AppealBody) -> None:
    """Draw a panel from those who may vote now, without the first voters where enough remain."""
    case = CASES.get(day.draft, body.claim, body.code)
    case_params = params_at(day.draft, case.params_version)
    eligible, fresh = pool_of(day, case)
    label = b"appeal/" + body.claim + b"/" + body.code.encode()
    panel = panels.draw(day.randomness, label, fresh if len(fresh) >= PANEL_MIN else eligible, case_params.appeal_panel)
    row = AppealRow(body.claim, body.code, day.height, cast("Ground", body.ground), tuple(panel), "open")
    APPEALS.put(day.draft, row, body.claim, body.code)
    OPEN_APPEALS.put(day.draft, CaseKey(body.claim, body.code), *_due_key(day.draft, row))
    day.emit("appeal_opened", claim=body.claim, case=body.code, panel=row.panel)


def judged_at(draft: Draft, row: AppealRow) -> int:
    """Return the block at whose end an appeal is judged."""
    case = CASES.get(draft, row.claim, row.code)
    return row.height + params_at(draft, case.params_version).appeal_blocks


def _due_key(draft: Draft, row: AppealRow) -> tuple[int, int, bytes, str]:
    return judged_at(draft, row), row.height, row.claim, row.code


def cancel_open(day: Day, claim_id: bytes) -> None:
    """End the open appeals of a claim found fraudulent: no part of it will be paid."""
    for row in list(APPEALS.scan(day.draft, claim_id)):
        if row.status == "open":
            APPEALS.put(day.draft, replace(row, status="cancelled"), claim_id, row.code)
            OPEN_APPEALS.delete(day.draft, *_due_key(day.draft, row))


def is_open(draft: Draft, claim: bytes, code: str) -> bool:
    """True while a panel votes on the case."""
    row = APPEALS.find(draft, claim, code)
    return row is not None and row.status == "open"


def _is_panel_voting(draft: Draft, case: CaseRow | None) -> bool:
    """True while an appeal of the case is open: then its panel votes, else the members."""
    return case is not None and case.status != "open" and is_open(draft, case.claim, case.code)


def check_ballot(day: Day, act: Act, body: ballots.BallotBody) -> None:
    """Raise RuleBroken unless the author may cast this ballot, as a voter or on the panel of an appeal."""
    case = CASES.find(day.draft, body.claim, body.code)
    if _is_panel_voting(day.draft, case):
        check_panel_ballot(day, act.author, body)
    else:
        ballots.check_ballot(day, act, body, case)


def apply_ballot(day: Day, act: Act, body: ballots.BallotBody) -> None:
    """Cast or change a ballot, as a voter or on the panel of an appeal."""
    case = CASES.get(day.draft, body.claim, body.code)
    if _is_panel_voting(day.draft, case):
        apply_panel_ballot(day, act.author, body)
    else:
        ballots.apply_ballot(day, act, body, case)


def check_panel_ballot(day: Day, author: bytes, body: ballots.BallotBody) -> None:
    """Raise RuleBroken unless a panel member votes in a+1 .. a+15, with one change at most."""
    row = APPEALS.get(day.draft, body.claim, body.code)
    case = CASES.get(day.draft, body.claim, body.code)
    blocks = params_at(day.draft, case.params_version).appeal_blocks
    member = members.check_member(day.draft, author)
    if not row.height < day.height <= row.height + blocks:
        what = f"ballots count in blocks {row.height + 1} to {row.height + blocks}, this is {day.height}"
        raise RuleBroken("vote_not_open", what, "cast it in one of them")
    if author not in row.panel:
        what = f"the author is not among the {len(row.panel)} drawn for this appeal"
        raise RuleBroken("not_on_panel", what, "the panel decides")
    members.check_may_vote(day, member)
    ballots.check_figures(case, body)
    if body.opened:
        ballots.check_receipt(day, body.claim, body.opened)
    live = APPEAL_BALLOTS.find(day.draft, body.claim, body.code, author)
    if live is not None and live.changed_version:
        what = f"the ballot of block {live.height} is a change already"
        raise RuleBroken("ballot_changed", what, "a panel member may change a ballot only once; it stays as it is")


def apply_panel_ballot(day: Day, author: bytes, body: ballots.BallotBody) -> None:
    """Cast or change a panel member's ballot."""
    live = APPEAL_BALLOTS.find(day.draft, body.claim, body.code, author)
    award = body.award_cents if body.choice == "accept" else None
    row = BallotRow(author, cast("Choice", body.choice), award, body.reason, 1, day.height, int(live is not None), b"")
    APPEAL_BALLOTS.put(day.draft, row, body.claim, body.code, author)
    ballots.note_opening(day, author, body)


def end_day(day: Day) -> None:
    """Judge appeals whose ballots end with this block, by (height, id)."""
    for key in list(OPEN_APPEALS.scan(day.draft, day.height)):
        row = APPEALS.get(day.draft, key.claim, key.code)
        case = CASES.get(day.draft, key.claim, key.code)
        OPEN_APPEALS.delete(day.draft, *_due_key(day.draft, row))
        live = list(APPEAL_BALLOTS.scan(day.draft, key.claim, key.code))
        yes = sum(item.choice == "accept" for item in live)
        no = sum(item.choice == "deny" for item in live)
        quorum = quorum_of(len(row.panel))
        duties.record_missed(day, row.panel, (item.voter for item in live))
        passes = yes > 0 and yes + no >= quorum and 10_000 * yes >= (case.bar_bp - case.seniority_bp) * (yes + no)
        APPEALS.put(day.draft, replace(row, status="accepted" if passes else "denied"), key.claim, key.code)
        case = replace(case, yes=yes, no=no)
        if passes:
            accepting = (item.award_cents for item in live if item.choice == "accept")
            awards = [case.charges_cents if cents is None else cents for cents in accepting]
            cases.settle_case(day, case, "appeal", lower_median(awards))
        else:
            opened = sum(ballots.is_opened(day, key.claim, item.voter) for item in live if item.choice != "abstain")
            cases.emit_closed(day, "claim_denied", case, opened=opened, eligible=len(row.panel), quorum=quorum)


# ---- Invariants ---------------------------------------------------------
def broken_invariants(draft: Draft) -> Iterator[str]:
    """Yield a sentence for each open appeal that would never be judged."""
    opened = [row for row in APPEALS.scan(draft) if row.status == "open"]
    if any(OPEN_APPEALS.find(draft, *_due_key(draft, row)) is None for row in opened):
        yield "an open appeal would never be judged"
    if len(opened) != sum(1 for _ in OPEN_APPEALS.scan(draft)):
        yield "an appeal that is over is to be judged"
