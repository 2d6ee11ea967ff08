"""Cases: one claim, one code, sixty blocks; accepted after fifteen passing ones, else denied or lapsed (rules §6).

A case fixes as of its block s who is eligible, the claimant's bar and seniority, and the parameters. The tally is
cumulative; a tie at 50 % pays. A lapsed case may be filed once more; then it is decided or paid.
"""

from __future__ import annotations

from collections.abc import Iterator

from msgspec.structs import replace

from governance.benefits import preauthorisation, promotion, settlement
from governance.day import Day, ceil_div, lower_median
from governance.membership import members
from governance.money import payouts
from governance.shaping import filled
from governance.state.ballots import BALLOTS, NO_BALLOTS, TALLIES, TallyRow
from governance.state.cases import (
    CASES,
    CASES_DUE,
    CLOSED_VOTES,
    OPEN_CASES,
    PANELS_DUE,
    SMALL_PAID,
    CaseKey,
    CaseRow,
    CaseStatus,
    ClosedVote,
    ClosedVotesRow,
    How,
)
from governance.state.claims import CLAIMS, LINE_USES, ClaimRow, LineRow, LineUse
from governance.state.members import MEMBERS
from governance.state.params import Params, current_version, params_at
from governance.state.payouts import PAYOUT_HISTORY, PayoutRow
from governance.tables import Draft, Mark
from governance.voting import approval_threshold, ballots, duties

# ---- Rules --------------------------------------------------------------
SECOND_LAPSE_BALLOTS = 3
"""The number of yes/no ballots that decide a second filing that would lapse."""


def open_case(day: Day, claim: ClaimRow, code: str, indexes: tuple[int, ...], is_second: bool) -> None:
    """Carry a case; `freeze` fixes the rest at the end of the block."""
    charges = sum(claim.lines[index].charge_cents for index in indexes)
    row = CaseRow(
        claim=claim.claim,
        code=code,
        system=claim.lines[indexes[0]].system,
        carried_height=day.height,
        is_second=is_second,
        lines=indexes,
        charges_cents=charges,
        params_version=current_version(day.draft),
    )
    CASES.put(day.draft, row, claim.claim, code)
    OPEN_CASES.put(day.draft, CaseKey(claim.claim, code), day.height, claim.claim, code)
    day.count(open_cases=1)


def freeze(day: Day) -> None:
    """Fix E, bar and seniority of every case carried by this block, last of all (rules §1)."""
    for key in list(OPEN_CASES.scan(day.draft, day.height)):
        case = CASES.get(day.draft, key.claim, key.code)
        claim = CLAIMS.get(day.draft, case.claim)
        member = MEMBERS.get(day.draft, claim.member)
        excluded = members.excluded_of(day.draft, member, claim.provider)
        voters_out = 0
        for other in excluded:
            row = MEMBERS.find(day.draft, other)
            voters_out += row is not None and members.is_voter(row)
        record = approval_threshold.threshold_of(day, member)
        frozen = replace(
            case,
            excluded=excluded,
            eligible=day.counts.voters - voters_out,
            bar_bp=record.threshold_bp,
            seniority_bp=record.seniority_bp,
            params_version=current_version(day.draft),
        )
        if passes(frozen, NO_BALLOTS, day.params):  # nobody is eligible, so nobody is missing
            frozen = replace(frozen, passing_since=day.height + 1)
        CASES.put(day.draft, frozen, case.claim, case.code)
        _note_due(day, frozen)
        PANELS_DUE.put(day.draft, key, day.height + day.params.panel_block, day.height, case.claim, case.code)


def quorum_of(case: CaseRow, case_params: Params) -> int:
    """Return Q: a twentieth of the eligible, within bounds, never more than there are."""
    wanted = ceil_div(case.eligible, case_params.quorum_div)
    return min(case.eligible, max(case_params.quorum_min, min(case_params.quorum_max, wanted)))


def has_quorum(case: CaseRow, tally: ballots.Tally | TallyRow, case_params: Params) -> bool:
    """True iff enough voted yes or no and half of the quorum opened the evidence."""
    quorum = quorum_of(case, case_params)
    return tally.yes + tally.no >= quorum and tally.opened >= ceil_div(quorum, 2)


def has_majority(case: CaseRow, tally: ballots.Tally | TallyRow) -> bool:
    """True iff the yes share reaches the claimant's bar less seniority. A tie at 50 % pays."""
    return 10_000 * tally.yes >= (case.bar_bp - case.seniority_bp) * (tally.yes + tally.no)


def passes(case: CaseRow, tally: ballots.Tally | TallyRow, case_params: Params) -> bool:
    """True iff a block with this tally is a passing one."""
    return has_quorum(case, tally, case_params) and has_majority(case, tally)


def closes_at(case: CaseRow, case_params: Params) -> int:
    """Return the last block of a case."""
    return case.carried_height + case_params.vote_blocks


def accepted_at(case: CaseRow, case_params: Params) -> int | None:
    """Return the block at whose end a case is accepted if it goes on passing; None where it does not pass, or may not.

    The electorate of a case is fixed: one that is too small never grows.
    """
    is_possible = case.passing_since and case.eligible >= case_params.min_voters
    return case.passing_since + case_params.streak_blocks - 1 if is_possible else None


def due_at(draft: Draft, case: CaseRow) -> int:
    """Return the block at whose end an open case is decided if its tally does not move before."""
    case_params = params_at(draft, case.params_version)
    last, accepted = closes_at(case, case_params), accepted_at(case, case_params)
    return last if accepted is None else min(last, accepted)


def _note_due(day: Day, case: CaseRow) -> None:
    key = CaseKey(case.claim, case.code)
    CASES_DUE.put(day.draft, key, due_at(day.draft, case), case.carried_height, case.claim, case.code)


def _forget_due(day: Day, case: CaseRow) -> None:
    CASES_DUE.delete(day.draft, due_at(day.draft, case), case.carried_height, case.claim, case.code)


def _looked_at(day: Day) -> list[CaseRow]:
    """Return the open cases that may change today, in filing order: those that are due and those whose tally moved.

    A change of delegations moves the tallies on which a delegate voted. That day alone asks every open case, with one
    row each and one more for each delegate concerned.
    """
    keys = day.tallies_moved | {(key.claim, key.code) for key in CASES_DUE.scan(day.draft, day.height)}
    if day.delegates_changed:
        keys |= {
            (key.claim, key.code)
            for key in OPEN_CASES.scan(day.draft)
            if ballots.is_recounted(day, key.claim, key.code)
        }
    found = [row for key in keys if (row := CASES.find(day.draft, *key)) is not None]
    looked_at = [row for row in found if row.status == "open" and row.carried_height < day.height]
    return sorted(looked_at, key=lambda row: (row.carried_height, row.claim, row.code))


def end_day(day: Day) -> None:
    """Evaluate the open cases that may change, in filing order; a case's ballots are read only when it closes.

    Eligible, bar, seniority and parameters of a case are fixed, so it passes or not as its tally stands: a case whose
    tally did not move goes on as before until it is due.
    """
    for case in _looked_at(day):
        case_params = params_at(day.draft, case.params_version)
        tally = ballots.tally_now(day, case)
        is_passing = passes(case, tally, case_params)
        since = (case.passing_since or day.height) if is_passing else 0
        if (case.passing_since, case.yes, case.no, case.opened) != (since, tally.yes, tally.no, tally.opened):
            _forget_due(day, case)
            case = replace(case, passing_since=since, yes=tally.yes, no=tally.no, opened=tally.opened)
            CASES.put(day.draft, case, case.claim, case.code)
            _note_due(day, case)
        accepted = accepted_at(case, case_params)
        if accepted is not None and day.height >= accepted:
            accept_by_vote(day, case, ballots.tally_of(day, case))
        elif day.height >= closes_at(case, case_params):
            is_denied = has_quorum(case, tally, case_params) and not is_passing
            is_denied = is_denied and case.eligible >= case_params.min_voters
            _close(day, case, ballots.tally_of(day, case), is_denied=is_denied)


def accept_by_vote(day: Day, case: CaseRow, tally: ballots.Tally) -> None:
    """Close a case by vote and settle it with the lower median of the accepting ballots' awards."""
    award = lower_median([case.charges_cents if item is None else item for item in tally.awards])
    _count_records(day, case, tally)
    case = settle_case(day, case, "vote", award)
    _note_closing(day, case, is_accepted=True)


def _note_closing(day: Day, case: CaseRow, *, is_accepted: bool) -> None:
    """Count a case closed by vote toward promotion; of a pre-authorisation nothing was paid, so it does not count."""
    claim = CLAIMS.get(day.draft, case.claim)
    if claim.use != preauthorisation.USE:
        promotion.note_closing(day, claim, case.system, case.code, case.lines, is_accepted=is_accepted)


def _count_records(day: Day, case: CaseRow, tally: ballots.Tally) -> None:
    """Enter each yes or no into its voter's record: a delegated one into the delegator's."""
    for voter, is_no, is_auto in tally.voters:
        approval_threshold.add_closing(
            day.draft, voter, day.term, approval_threshold.RecordRow(int(is_no), int(not is_auto), int(is_auto))
        )
    votes = tuple(ClosedVote(*item) for item in tally.voters)
    CLOSED_VOTES.put(day.draft, ClosedVotesRow(day.term, votes), case.claim, case.code)


def forget_records(day: Day, claim_id: bytes) -> None:
    """Take the ballots on a fraudulent claim out of every record (rules §7)."""
    for case in CASES.scan(day.draft, claim_id):
        row = CLOSED_VOTES.find(day.draft, claim_id, case.code)
        if row is not None:
            for item in row.votes:
                less = approval_threshold.RecordRow(-int(item.is_no), -int(not item.is_auto), -int(item.is_auto))
                approval_threshold.add_closing(day.draft, item.voter, row.term, less)
            CLOSED_VOTES.delete(day.draft, claim_id, case.code)


def cancel_open(day: Day, claim_id: bytes) -> None:
    """Close the open cases of a fraudulent claim; their lines stand."""
    for case in list(CASES.scan(day.draft, claim_id)):
        if case.status == "open":
            _end(day, case, "cancelled")
            claim = CLAIMS.get(day.draft, claim_id)
            if claim.use == preauthorisation.USE:
                preauthorisation.close_request(day, claim, case.code)


def _close(day: Day, case: CaseRow, tally: ballots.Tally, *, is_denied: bool) -> None:
    """Close a case at the end of its last block without fifteen passing blocks."""
    if is_denied:
        _deny(day, case, tally)
        return
    case_params = params_at(day.draft, case.params_version)
    if case.is_second:
        if tally.yes + tally.no < SECOND_LAPSE_BALLOTS:
            settle_case(day, case, "lapse", min(case.charges_cents, case_params.lapse_pay_cents))
        elif has_majority(case, tally):
            accept_by_vote(day, case, tally) if tally.awards else settle_case(day, case, "vote", case.charges_cents)
        else:
            _deny(day, case, tally)
        return
    claim = CLAIMS.get(day.draft, case.claim)
    is_small = case.charges_cents <= case_params.small_claim_cents and claim.use != preauthorisation.USE
    if is_small and SMALL_PAID.find(day.draft, claim.member, day.term) is None:
        SMALL_PAID.put(day.draft, Mark(), claim.member, day.term)
        settle_case(day, case, "small", case.charges_cents)
        return
    _end(day, case, "lapsed")
    if claim.use == preauthorisation.USE:
        preauthorisation.close_request(day, claim, case.code, lapsed_cents=case.charges_cents)
    else:
        _free_lines(day, claim, case, lapses=1)
    _emit_closed(day, "claim_lapsed", case, case_params)


def _deny(day: Day, case: CaseRow, tally: ballots.Tally) -> None:
    """Close a case by vote against it."""
    _count_records(day, case, tally)
    _end(day, case, "denied")
    _emit_closed(day, "claim_denied", case, params_at(day.draft, case.params_version))
    _note_closing(day, case, is_accepted=False)
    claim = CLAIMS.get(day.draft, case.claim)
    if claim.use == preauthorisation.USE:
        preauthorisation.close_request(day, claim, case.code)


def emit_closed(day: Day, name: str, case: CaseRow, *, opened: int, eligible: int, quorum: int) -> None:
    """Say that a vote or an appeal ended without acceptance, with its tally."""
    end = {"opened": opened, "eligible": eligible, "quorum": quorum}
    bar = {"bar_bp": case.bar_bp, "seniority_bp": case.seniority_bp}
    day.emit(name, claim=case.claim, case=case.code, yes=case.yes, no=case.no, **end, **bar)


def _emit_closed(day: Day, name: str, case: CaseRow, case_params: Params) -> None:
    quorum = quorum_of(case, case_params)
    emit_closed(day, name, case, opened=case.opened, eligible=case.eligible, quorum=quorum)


def _emit_accepted(day: Day, name: str, case: CaseRow, **more: int) -> None:
    tally = {"how": case.how, "yes": case.yes, "no": case.no}
    bar = {"bar_bp": case.bar_bp, "seniority_bp": case.seniority_bp}
    day.emit(name, claim=case.claim, case=case.code, **tally, **bar, **more)


def _end(day: Day, case: CaseRow, status: CaseStatus) -> CaseRow:
    """Take a case off the open ones."""
    _forget_due(day, case)
    case = replace(case, status=status, closed_height=day.height)
    CASES.put(day.draft, case, case.claim, case.code)
    OPEN_CASES.delete(day.draft, case.carried_height, case.claim, case.code)
    TALLIES.delete(day.draft, case.claim, case.code)
    day.count(open_cases=-1)
    if case.panel and status in ("accepted", "denied", "lapsed"):
        duties.record_missed(day, case.panel, (row.voter for row in BALLOTS.scan(day.draft, case.claim, case.code)))
    if status != "accepted":
        settlement.set_line_status(day.draft, case.claim, case.lines, status)
    return case


def settle_case(day: Day, case: CaseRow, how: How, award_cents: int) -> CaseRow:
    """Settle a case's lines in order with its award, say so, and owe the benefit."""
    if case.status == "open":
        case = _end(day, case, "accepted")
    claim = CLAIMS.get(day.draft, case.claim)
    if claim.use == preauthorisation.USE:
        return _authorise(day, case, claim, how, award_cents)
    left: int | None = award_cents
    for index in case.lines:
        claim, left = settlement.settle_line(day, claim, index, left)
    benefit = sum(claim.lines[index].benefit_cents for index in case.lines)
    case = replace(
        case, status="accepted", how=how, award_cents=award_cents, benefit_cents=benefit, closed_height=day.height
    )
    CASES.put(day.draft, case, case.claim, case.code)
    _emit_accepted(day, "claim_accepted", case, award_cents=award_cents, benefit_cents=benefit)
    rank = payouts.APPEAL if how == "appeal" else payouts.VOTED
    owe(day, claim, case.code, rank, benefit)
    return case


def _authorise(day: Day, case: CaseRow, claim: ClaimRow, how: How, award_cents: int) -> CaseRow:
    """Accept a pre-authorisation: nothing is paid; later lines that fit in it need no vote."""
    terms = params_at(day.draft, case.params_version).preauth_terms
    row = preauthorisation.authorise(day, claim, case.lines, award_cents=award_cents, terms=terms)
    preauthorisation.close_request(day, claim, case.code)
    case = replace(case, status="accepted", how=how, award_cents=award_cents, closed_height=day.height)
    CASES.put(day.draft, case, case.claim, case.code)
    days = {"first_day": row.first_day, "last_day": row.last_day}
    _emit_accepted(day, "preauthorised", case, units=row.units_left, award_cents=award_cents, **days)
    return case


def owe(day: Day, claim: ClaimRow, case: str | None, rank: int, benefit_cents: int) -> None:
    """Owe the benefit of a settled part of a claim from the next block on."""
    row = filled(
        PayoutRow,
        claim,
        rank=rank,
        height=day.height,
        case=case,
        payee=settlement.payee_key_of(claim),
        benefit_cents=benefit_cents,
        owed_cents=benefit_cents,
    )
    payouts.open_payout(day, row)


def withdraw_open(day: Day, claim_id: bytes) -> int:
    """Withdraw the open cases of a claim; their lines may be filed again. Return how many there were."""
    count = 0
    for case in list(CASES.scan(day.draft, claim_id)):
        if case.status == "open":
            count += 1
            _end(day, case, "withdrawn")
            claim = CLAIMS.get(day.draft, claim_id)
            if claim.use == preauthorisation.USE:
                preauthorisation.close_request(day, claim, case.code, is_withdrawn=True)
            else:
                _free_lines(day, claim, case, lapses=0)
    return count


def _free_lines(day: Day, claim: ClaimRow, case: CaseRow, *, lapses: int) -> None:
    """Let the lines of a lapsed or withdrawn case be filed again."""
    for index in case.lines:
        key = line_key_of(claim, claim.lines[index])
        use = LINE_USES.get(day.draft, *key)
        LINE_USES.put(day.draft, LineUse(b"", use.lapses + lapses), *key)


def forget_lines(day: Day, claim: ClaimRow) -> None:
    """Let every line of a claim be filed again, as if it never had been: the patient did not file it."""
    for line in claim.lines:
        key = line_key_of(claim, line)
        use = LINE_USES.find(day.draft, *key)
        if use is not None and line.status == "lapsed":
            LINE_USES.put(day.draft, LineUse(use.standing, use.lapses - 1), *key)
        elif use is not None and use.standing == claim.claim:
            LINE_USES.put(day.draft, LineUse(b"", use.lapses), *key)


def line_key_of(claim: ClaimRow, line: LineRow) -> tuple[bytes, bytes, str, int]:
    """Return what makes two lines duplicates: cover, provider, code, day."""
    return claim.cover, claim.provider, line.code, line.first_day


# ---- Invariants ---------------------------------------------------------
def broken_invariants(draft: Draft, open_cases: int) -> Iterator[str]:
    """Yield a sentence for each case without one state, and for a counter that drifted."""
    indexed = sum(1 for _ in OPEN_CASES.scan(draft))
    due = sum(1 for _ in CASES_DUE.scan(draft))
    found = 0
    day = Day(draft, 0, b"")
    for case in CASES.scan(draft):
        found += case.status == "open"
        row = TALLIES.find(draft, case.claim, case.code)
        if case.status == "open":
            tally, kept = ballots.tally_of(day, case), row or NO_BALLOTS
            if (tally.yes, tally.no, tally.opened) != (kept.yes, kept.no, kept.opened):
                yield (
                    f"case {case.code} of claim {case.claim.hex()} has {tally.yes}:{tally.no}, {tally.opened} opened;"
                    f" its tally row says {kept}"
                )
            if bool(case.passing_since) != passes(case, tally, params_at(draft, case.params_version)):
                yield f"case {case.code} of claim {case.claim.hex()} is not passing since {case.passing_since}"
            if CASES_DUE.find(draft, due_at(draft, case), case.carried_height, case.claim, case.code) is None:
                yield f"case {case.code} of claim {case.claim.hex()} would never end"
        elif row is not None:
            yield f"case {case.code} of claim {case.claim.hex()} is {case.status} and still has a tally"
        if case.benefit_cents and case.status != "accepted":
            yield f"case {case.code} of claim {case.claim.hex()} has a benefit without being accepted"
        is_paid = case.status == "accepted" and CLAIMS.get(draft, case.claim).use != preauthorisation.USE
        if is_paid and PAYOUT_HISTORY.find(draft, case.claim, case.code) is None:
            yield f"case {case.code} of claim {case.claim.hex()} was accepted without a payout row"
    if not indexed == due == found == open_cases:
        yield f"{found} cases are open, {indexed} are indexed, {due} are due, the counter says {open_cases}"
