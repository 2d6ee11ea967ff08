"""Pre-authorisation: ask before a service whether it will be paid (rules §5, `use`).

A pre-authorisation is a claim for planned days. It pays nothing and uses up nothing. Its standard lines need no leave:
they are answered at once with what a claim of them would settle as of now. Each other code is a case with the vote of
§6; accepted, the cover holds an authorisation: so many units of the code by this provider, up to an award, for days up
to a height. A claim line that fits in it is settled at once. Cover, plan, frequency, deductible and ceilings are those
of the day and of the settlement, as for any line.
"""

from __future__ import annotations

from collections.abc import Iterator

from msgspec.structs import replace

from governance.benefits import settlement
from governance.day import Day
from governance.state.claims import CLAIMS, ClaimRow, LineRow
from governance.state.members import MEMBERS
from governance.state.preauthorisation import (
    AUTHORISATIONS,
    ESTIMATES,
    PREAUTH_REQUESTS,
    AuthorisationRow,
    EstimateRow,
    PreauthRequestRow,
)
from governance.tables import Draft
from ledger import calendar
from ledger.errors import RuleBroken

# ---- Records: `claim.file` with this use ----------------------------------
USE = "preauth"


# ---- Rules: asking --------------------------------------------------------
def last_day_of(day: Day) -> int:
    """Return the last day that a question of this block may plan for."""
    return day.height + calendar.TERM_BLOCKS * day.params.preauth_terms


def check_requests(day: Day, cover: bytes, provider: bytes, codes: set[str], superseded: bytes) -> None:
    """Raise RuleBroken while a case asks for one of these codes already: one question at a time."""
    for code in sorted(codes):
        ask = PREAUTH_REQUESTS.find(day.draft, cover, provider, code)
        if ask is not None and ask.standing and ask.standing != superseded:
            what = f"a pre-authorisation of code {code} by this provider is being voted on"
            raise RuleBroken("preauth_open", what, "wait until that vote ends, or name it as superseded")


def answer(day: Day, claim: ClaimRow) -> tuple[ClaimRow, dict[str, list[int]]]:
    """Refuse lines without cover, estimate standard ones, and return the claim with the lines to vote on by code."""
    waiting: dict[str, list[int]] = {}
    standard: list[int] = []
    for index, line in enumerate(claim.lines):
        refusal = find_refusal(day, claim, line)
        if refusal is not None:
            claim = _with_line(claim, index, status="refused", refusal=refusal)
            _emit_line(day, claim, index, claim.lines[index])
        elif line.is_standard:
            standard.append(index)
        else:
            waiting.setdefault(line.code, []).append(index)
    for index, settled in _estimate(day, claim, standard):
        row = EstimateRow(index, settled.units_paid, settled.allowed_cents, settled.benefit_cents, settled.refusal)
        ESTIMATES.put(day.draft, row, claim.claim, index)
        _emit_line(day, claim, index, settled)
        claim = _with_line(claim, index, status="estimated")
    CLAIMS.put(day.draft, claim, claim.claim)
    return claim, waiting


def find_refusal(day: Day, claim: ClaimRow, line: LineRow) -> int | None:
    """Return the reason to refuse a planned line: those of a claim, and days after an end of cover that is known."""
    member = MEMBERS.get(day.draft, claim.member)
    ends = [member.until, None if member.leave_term is None else calendar.last_height_of(member.leave_term)]
    if any(end is not None and line.first_day > end for end in ends):
        return settlement.NO_COVER
    return settlement.find_refusal(day, claim, line)


def _estimate(day: Day, claim: ClaimRow, indexes: list[int]) -> list[tuple[int, LineRow]]:
    """Return the lines as they would settle now, together and in order; state and events are as before."""
    mark, count = day.draft.savepoint(), len(day.events)
    for index in indexes:
        claim, _ = settlement.settle_line(day, claim, index, None)
    day.draft.rollback(mark)
    del day.events[count:]
    return [(index, claim.lines[index]) for index in indexes]


def _with_line(claim: ClaimRow, index: int, **fields: object) -> ClaimRow:
    """Return the claim with fields of a line changed."""
    line = replace(claim.lines[index], **fields)
    return replace(claim, lines=(*claim.lines[:index], line, *claim.lines[index + 1 :]))


def _emit_line(day: Day, claim: ClaimRow, index: int, line: LineRow) -> None:
    day.emit("preauth_line", claim=claim.claim, line=index, **settlement.figures_of(line))


def open_request(day: Day, claim: ClaimRow, code: str, charges_cents: int) -> bool:
    """Let a case ask for a code; True when it asks again, for no more, after a lapse."""
    key = claim.cover, claim.provider, code
    lapsed = (PREAUTH_REQUESTS.find(day.draft, *key) or PreauthRequestRow(b"", None)).lapsed_cents
    PREAUTH_REQUESTS.put(day.draft, PreauthRequestRow(claim.claim, lapsed), *key)
    return lapsed is not None and charges_cents <= lapsed


def close_request(
    day: Day, claim: ClaimRow, code: str, *, lapsed_cents: int | None = None, is_withdrawn: bool = False
) -> None:
    """End a question: decided (nothing remains), lapsed (one more try), or withdrawn (as if it was never asked)."""
    key = claim.cover, claim.provider, code
    if is_withdrawn:
        PREAUTH_REQUESTS.put(
            day.draft, PreauthRequestRow(b"", PREAUTH_REQUESTS.get(day.draft, *key).lapsed_cents), *key
        )
    elif lapsed_cents is not None:
        PREAUTH_REQUESTS.put(day.draft, PreauthRequestRow(b"", lapsed_cents), *key)
    elif (PREAUTH_REQUESTS.find(day.draft, *key) or PreauthRequestRow(b"", None)).standing == claim.claim:
        PREAUTH_REQUESTS.delete(day.draft, *key)


# ---- Rules: authorising and using -------------------------------------------
def authorise(day: Day, claim: ClaimRow, indexes: tuple[int, ...], *, award_cents: int, terms: int) -> AuthorisationRow:
    """Authorise the units asked for, up to the award, from the claim's block to `terms` terms after this decision."""
    lines = [claim.lines[index] for index in indexes]
    row = AuthorisationRow(
        claim.claim,
        lines[0].code,
        sum(line.units for line in lines),
        award_cents,
        claim.height,
        day.height + calendar.TERM_BLOCKS * terms,
    )
    settlement.set_line_status(day.draft, claim.claim, indexes, "authorised")
    if award_cents:
        AUTHORISATIONS.put(day.draft, row, *_key_of(claim, lines[0]), row.first_day, row.claim)
    return row


def _key_of(claim: ClaimRow, line: LineRow) -> tuple[bytes, bytes, str, str]:
    return claim.cover, claim.provider, line.system, line.code


def find_authorisation(day: Day, claim: ClaimRow, line: LineRow) -> AuthorisationRow | None:
    """Return the first authorisation that covers a line's day and all its units; a later finding of fraud voids it."""
    fraud_height = MEMBERS.get(day.draft, claim.member).fraud_height
    for row in list(AUTHORISATIONS.scan(day.draft, *_key_of(claim, line))):
        if day.height > row.last_day + calendar.TERM_BLOCKS * day.params.filing_terms:
            AUTHORISATIONS.delete(day.draft, *_key_of(claim, line), row.first_day, row.claim)
        elif (
            row.first_day <= line.first_day <= row.last_day
            and line.units <= row.units_left
            and (fraud_height is None or row.first_day > fraud_height)
        ):
            return row
    return None


def authorisations_of(draft: Draft, claim: ClaimRow) -> list[AuthorisationRow]:
    """Return what is left of the authorisations that a claim asked for, by code."""
    keys = sorted({_key_of(claim, line) for line in claim.lines})
    return [row for key in keys for row in AUTHORISATIONS.scan(draft, *key) if row.claim == claim.claim]


def settle_line(day: Day, claim: ClaimRow, index: int, row: AuthorisationRow) -> ClaimRow:
    """Settle an authorised line with what is left of the award, and spend it with the units paid."""
    claim = _with_line(claim, index, authorised_by=row.claim)
    claim, _ = settlement.settle_line(day, claim, index, row.award_left_cents)
    line = claim.lines[index]
    key = (*_key_of(claim, line), row.first_day, row.claim)
    left = replace(
        row, units_left=row.units_left - line.units_paid, award_left_cents=row.award_left_cents - line.allowed_cents
    )
    if left.units_left and left.award_left_cents:
        AUTHORISATIONS.put(day.draft, left, *key)
    else:
        AUTHORISATIONS.delete(day.draft, *key)
    return claim


# ---- Invariants ---------------------------------------------------------
def broken_invariants(draft: Draft) -> Iterator[str]:
    """Yield a sentence for each authorisation with nothing left or of no case, and each pre-authorisation that paid."""
    for row in AUTHORISATIONS.scan(draft):
        claim = CLAIMS.find(draft, row.claim)
        if row.units_left <= 0 or row.award_left_cents <= 0 or row.first_day > row.last_day:
            yield f"authorisation of claim {row.claim.hex()} has nothing left"
        if claim is None or claim.use != USE:
            yield f"authorisation of claim {row.claim.hex()} was asked for by no pre-authorisation"
    for claim in CLAIMS.scan(draft):
        if claim.use == USE and (claim.benefit_cents or any(line.status == "settled" for line in claim.lines)):
            yield f"pre-authorisation {claim.claim.hex()} was settled"
