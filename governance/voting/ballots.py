"""Ballots on cases: accept, deny or abstain, an award, a receipt of evidence opened; how they change, how they count.

The tally reads live ballots alone, so the order of ballots inside a block does not matter. A delegate's ballot counts
for delegators without an own one, one level deep. Ballots by auto-accept or delegation never count as opened. An open
case keeps its yes, no and opened in a row that each ballot moves, so that a day without ballots costs nothing;
`tally_of` is what it must equal.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from governance.acts import Act
from governance.day import Day
from governance.membership import delegation, members
from governance.state.ballots import BALLOTS, NO_BALLOTS, OPENINGS, TALLIES, BallotRow, Choice, OpeningRow, TallyRow
from governance.state.cases import CASES, CaseRow
from governance.state.claims import CLAIMS
from governance.state.members import MEMBERS, MemberRow
from governance.state.params import params_at
from governance.tables import Draft
from ledger.codec import Shape
from ledger.errors import RuleBroken

# ---- Records ------------------------------------------------------------
CHOICES = ("accept", "deny", "abstain")
REASON_SIZE_MAX = 280


class BallotBody(Shape):
    """A vote on a case. `opened`: hash of the document opened, empty if none; `award_cents` None: the charges."""

    claim: bytes
    code: str
    choice: str
    award_cents: int | None
    reason: str
    evidence_version: int
    opened: bytes


class AutoBallotBody(Shape):
    """A yes vote that the author's node casts in s+1 under an auto-accept rule, which it names by hash."""

    claim: bytes
    code: str
    rule_hash: bytes


class OpenedBody(Shape):
    """A receipt: the author's node opened a document of a claim's evidence."""

    claim: bytes
    evidence_hash: bytes


# ---- Rules --------------------------------------------------------------
@dataclass(slots=True)
class Tally:
    """Yes and no ballots with delegations, how many opened the evidence, the awards, and the voters counted."""

    yes: int = 0
    no: int = 0
    abstain: int = 0
    opened: int = 0
    awards: list[int | None] = field(default_factory=list[int | None])
    voters: list[tuple[bytes, bool, bool]] = field(default_factory=list[tuple[bytes, bool, bool]])
    """(voter, said no, by auto-accept)"""


def is_eligible(draft: Draft, case: CaseRow, key: bytes) -> bool:
    """True iff a member is in E: may vote as of s, and is not claimant, household, provider or voucher."""
    row = MEMBERS.find(draft, key)
    return row is not None and is_eligible_row(case, row)


def is_eligible_row(case: CaseRow, row: MemberRow) -> bool:
    """True iff the member of a row is in E."""
    return members.was_voter(row, case.carried_height) and row.key not in case.excluded


def check_open_case(day: Day, author: bytes, case: CaseRow | None) -> CaseRow:
    """Return a case the author may vote on in this block; RuleBroken otherwise, or where there is none."""
    if case is None:
        raise RuleBroken("case_unknown", "there is no such case", "name a claim and one of its non-standard codes")
    vote_blocks = params_at(day.draft, case.params_version).vote_blocks
    if case.status != "open":
        what = f"the case was {case.status} in block {case.closed_height}"
        raise RuleBroken("vote_closed", what, "see why: mutua claim explain")
    first, last = case.carried_height + 1, case.carried_height + vote_blocks
    if not first <= day.height <= last:
        what = f"ballots count in blocks {first} to {last}, this is {day.height}"
        raise RuleBroken("vote_not_open", what, "cast it in one of them")
    member = MEMBERS.find(day.draft, author)
    if member is None or not is_eligible_row(case, member):
        why = "claimant, household, provider and vouchers never do"
        raise RuleBroken(
            "not_eligible",
            f"the author is not among the {case.eligible} who may vote on this case as of block {case.carried_height}",
            why,
        )
    members.check_may_vote(day, member)
    return case


def check_change(day: Day, case: CaseRow, author: bytes, version: int) -> None:
    """Raise RuleBroken unless the author has no ballot yet or may change it (rules §6)."""
    live = BALLOTS.find(day.draft, case.claim, case.code, author)
    if live is None:
        return
    case_params = params_at(day.draft, case.params_version)
    if (
        day.height > case.carried_height + case_params.vote_blocks - case_params.freeze_blocks
        and live.version >= version
    ):
        first = case.carried_height + case_params.vote_blocks - case_params.freeze_blocks + 1
        what = f"from block {first} on a ballot changes only under newer evidence than version {live.version}"
        raise RuleBroken("ballot_frozen", what, "the ballot stands")
    if not live.rule_hash and live.changed_version == version:
        what = f"the ballot was changed once under evidence version {version}"
        raise RuleBroken("ballot_changed", what, "it cannot be changed again until there is newer evidence")


def check_figures(case: CaseRow, body: BallotBody) -> None:
    """Raise RuleBroken for an unknown choice, too long a reason or an award above the charges."""
    if body.choice not in CHOICES:
        raise RuleBroken("choice_unknown", f"{body.choice!r} is not a valid choice", "accept, deny or abstain")
    if len(body.reason) > REASON_SIZE_MAX:
        what = f"the reason has {len(body.reason)} characters, at most {REASON_SIZE_MAX}"
        raise RuleBroken("reason_long", what, "shorten it")
    if body.award_cents is not None and body.award_cents > case.charges_cents:
        what = f"an award of {body.award_cents} is above the charges of {case.charges_cents}"
        raise RuleBroken("award_high", what, "award at most the charges")


def is_opened(day: Day, claim: bytes, voter: bytes) -> bool:
    """True iff the voter gave a receipt for the claim with or before a ballot."""
    opening = OPENINGS.find(day.draft, claim, voter)
    return opening is not None and opening.is_effective


def check_ballot(day: Day, act: Act, body: BallotBody, case: CaseRow | None) -> None:
    """Raise RuleBroken unless this ballot may be cast now."""
    case = check_open_case(day, act.author, case)
    claim = CLAIMS.get(day.draft, body.claim)
    check_figures(case, body)
    if body.evidence_version != claim.evidence_version:
        what = f"the evidence is at version {claim.evidence_version}, the ballot names {body.evidence_version}"
        raise RuleBroken("evidence_version", what, "look at the newest evidence and cast your ballot again")
    if body.opened:
        check_receipt(day, body.claim, body.opened)
    check_change(day, case, act.author, body.evidence_version)


def apply_ballot(day: Day, act: Act, body: BallotBody, case: CaseRow) -> None:
    """Cast or change a ballot; a receipt given with it, or before, counts from now on."""
    live = BALLOTS.find(day.draft, body.claim, body.code, act.author)
    changed = 0 if live is None or live.rule_hash else body.evidence_version
    award = body.award_cents if body.choice == "accept" else None
    choice: Choice = body.choice  # type: ignore[assignment]  # it was checked
    row = BallotRow(act.author, choice, award, body.reason, body.evidence_version, day.height, changed, b"")
    was_opened, is_opened_now = note_opening(day, act.author, body)
    opened = counts_as_opened(row, is_opened_now) - (live is not None and counts_as_opened(live, was_opened))
    move_tally(day, case, live, row, opened)


def note_opening(day: Day, author: bytes, body: BallotBody) -> tuple[bool, bool]:
    """Let a receipt given with or before a ballot count in all cases of the claim; return (counted before, now)."""
    opening = OPENINGS.find(day.draft, body.claim, author)
    if opening is not None and opening.is_effective:
        return True, True
    if opening is None and not body.opened:
        return False, False
    row = (
        OpeningRow(day.height, True, body.opened)
        if opening is None
        else OpeningRow(opening.height, True, opening.evidence_hash)
    )
    OPENINGS.put(day.draft, row, body.claim, author)
    for code in {line.code for line in CLAIMS.get(day.draft, body.claim).lines} - {body.code}:
        case = CASES.find(day.draft, body.claim, code)
        live = None if case is None or case.status != "open" else BALLOTS.find(day.draft, body.claim, code, author)
        if case is not None and live is not None and counts_as_opened(live, True):
            _add_to_tally(day, case.claim, case.code, opened=1)
    return False, True


def check_auto_ballot(day: Day, act: Act, body: AutoBallotBody) -> None:
    """Raise RuleBroken unless the author's node may cast this yes now."""
    check_auto_accept(day, act.author, body)


def check_auto_accept(day: Day, author: bytes, body: AutoBallotBody) -> None:
    """Raise RuleBroken unless this is the first block of voting and the author has no ballot yet."""
    case = check_open_case(day, author, CASES.find(day.draft, body.claim, body.code))
    if day.height != case.carried_height + 1:
        what = f"auto-accept casts in block {case.carried_height + 1} only, this is {day.height}"
        raise RuleBroken("auto_late", what, "cast a ballot by hand")
    if not 1 <= len(body.rule_hash) <= 64:
        what = f"an auto-accept ballot names the hash of its rule in 1 to 64 bytes, not {len(body.rule_hash)}"
        raise RuleBroken("rule_hash", what, "name it")
    if BALLOTS.find(day.draft, body.claim, body.code, author) is not None:
        what = "the author has a ballot on this case"
        raise RuleBroken("ballot_there", what, "auto-accept does not replace a ballot; change it by hand")


def apply_auto_ballot(day: Day, act: Act, body: AutoBallotBody) -> None:
    """Cast a standing yes."""
    version = CLAIMS.get(day.draft, body.claim).evidence_version
    row = BallotRow(act.author, "accept", None, "", version, day.height, 0, body.rule_hash)
    move_tally(day, CASES.get(day.draft, body.claim, body.code), None, row, 0)


def check_receipt(day: Day, claim_id: bytes, evidence_hash: bytes) -> None:
    """Raise RuleBroken unless the hash names a document of the claim (any hash, where the claim has none)."""
    claim = CLAIMS.find(day.draft, claim_id)
    if claim is None:
        raise RuleBroken("claim_unknown", "there is no such claim", "name a claim of this ledger")
    if claim.evidence and all(item.hash != evidence_hash for item in claim.evidence):
        what = "the receipt names no document of this claim"
        raise RuleBroken("document_unknown", what, "open a document of its evidence")


def check_opened(day: Day, act: Act, body: OpenedBody) -> None:
    """Raise RuleBroken unless a member gives a first receipt for a known claim."""
    members.check_member(day.draft, act.author)
    check_receipt(day, body.claim, body.evidence_hash)
    earlier = OPENINGS.find(day.draft, body.claim, act.author)
    if earlier is not None:
        what = f"the author gave a receipt for this claim in block {earlier.height}"
        raise RuleBroken("receipt_there", what, "it counts for all its cases; cast a ballot")


def apply_opened(day: Day, act: Act, body: OpenedBody) -> None:
    """Keep a receipt; it counts with the author's next ballot."""
    OPENINGS.put(day.draft, OpeningRow(day.height, False, body.evidence_hash), body.claim, act.author)


def counts_as_opened(row: BallotRow, is_opened_now: bool) -> bool:
    """True iff a live ballot counts with the receipts: a yes or no by hand, with the evidence opened."""
    return is_opened_now and row.choice != "abstain" and not row.rule_hash


def delegators_counted(draft: Draft, case: CaseRow, voter: bytes) -> list[bytes]:
    """Return the delegators for whom a voter's ballot counts: those in E without an own one."""
    return [
        delegator
        for delegator in delegation.delegators_of(draft, voter, case.code)
        if BALLOTS.find(draft, case.claim, case.code, delegator) is None and is_eligible(draft, case, delegator)
    ]


def move_tally(day: Day, case: CaseRow, before: BallotRow | None, row: BallotRow, opened: int) -> None:
    """Make `row` the live ballot and change the tally by the difference, delegations to and by the voter included."""
    BALLOTS.put(day.draft, row, case.claim, case.code, row.voter)
    yes, no = _weight(row)
    yes_before, no_before = (0, 0) if before is None else _weight(before)
    times = 1
    if day.counts.delegations > 0:
        if (yes, no) != (yes_before, no_before):
            times += len(delegators_counted(day.draft, case, row.voter))
        delegate = delegation.delegate_of(day.draft, row.voter, case.code) if before is None else None
        theirs = None if delegate is None else BALLOTS.find(day.draft, case.claim, case.code, delegate)
        if theirs is not None:  # it counted for this voter until now
            less_yes, less_no = _weight(theirs)
            _add_to_tally(day, case.claim, case.code, yes=-less_yes, no=-less_no)
    more_yes, more_no, more_ballots = times * (yes - yes_before), times * (no - no_before), int(before is None)
    _add_to_tally(day, case.claim, case.code, yes=more_yes, no=more_no, opened=opened, ballots=more_ballots)


def _weight(row: BallotRow) -> tuple[int, int]:
    """Return (yes, no) of one ballot."""
    return int(row.choice == "accept"), int(row.choice == "deny")


def _add_to_tally(
    day: Day, claim: bytes, code: str, *, yes: int = 0, no: int = 0, opened: int = 0, ballots: int = 0
) -> None:
    row = TALLIES.find(day.draft, claim, code) or NO_BALLOTS
    day.tallies_moved.add((claim, code))
    TALLIES.put(
        day.draft, TallyRow(row.yes + yes, row.no + no, row.opened + opened, row.ballots + ballots), claim, code
    )


def tally_now(day: Day, case: CaseRow) -> TallyRow:
    """Return an open case's tally, counted again where a voter gained or lost delegators today."""
    row = TALLIES.find(day.draft, case.claim, case.code) or NO_BALLOTS
    if is_recounted(day, case.claim, case.code):
        tally = tally_of(day, case)
        row = TallyRow(tally.yes, tally.no, tally.opened, row.ballots)
        TALLIES.put(day.draft, row, case.claim, case.code)
    return row


def is_recounted(day: Day, claim: bytes, code: str) -> bool:
    """True for an open case on which a delegate voted whose delegators changed today."""
    if not day.delegates_changed:
        return False
    changed = day.delegates_changed.get(code, set()) | day.delegates_changed.get(delegation.EVERY_TOPIC, set())
    row = TALLIES.find(day.draft, claim, code) if changed else None
    if row is None or not row.ballots:
        return False
    voted = (BALLOTS.find(day.draft, claim, code, key) is not None for key in sorted(changed))
    return len(changed) > row.ballots or any(voted)


def tally_of(day: Day, case: CaseRow) -> Tally:
    """Count a case's live ballots and, for delegates, their delegators without a ballot. Linear in the ballots."""
    has_delegations = day.counts.delegations > 0
    tally = Tally()
    for row in list(BALLOTS.scan(day.draft, case.claim, case.code)):
        is_auto = bool(row.rule_hash)
        _count(tally, row, row.voter, is_auto)
        tally.opened += counts_as_opened(row, is_opened(day, case.claim, row.voter))
        if has_delegations:
            for delegator in delegators_counted(day.draft, case, row.voter):
                _count(tally, row, delegator, is_auto)
    return tally


def _count(tally: Tally, row: BallotRow, voter: bytes, is_auto: bool) -> None:
    """Count one ballot for one voter."""
    if row.choice == "abstain":
        tally.abstain += 1
        return
    is_no = row.choice == "deny"
    tally.no += is_no
    tally.yes += not is_no
    if not is_no:
        tally.awards.append(row.award_cents)
    tally.voters.append((voter, is_no, is_auto))
