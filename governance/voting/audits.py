"""Audits: random draws, suspicious patterns, reports; holds on payment; findings (rules §9)."""

from __future__ import annotations

from hashlib import sha256

from governance.day import Day, ceil_div
from governance.membership import members
from governance.state.audits import (
    DRAWN_AUDITS,
    PAIR_COUNTS,
    PAIR_SUMS,
    PAIR_TERMS,
    TERM_CLAIMS,
    DrawnAuditRow,
    PairRow,
    Trigger,
)
from governance.state.claims import ClaimRow
from governance.state.contracts import CONTRACTS
from governance.state.members import MEMBERS

# ---- Rules --------------------------------------------------------------
WINDOW_TERMS = 12
PAIRS_MIN = 100
ODDS_FACTOR = 10
ODDS_BASE = 10_000


ANY = 0


def after_claim(day: Day, claim: ClaimRow) -> None:
    """Count the claim, then draw it for audit or not: the draw stands right after the claim's record."""
    in_term = TERM_CLAIMS.add(day.draft, 1, claim.cover, day.term)
    set_now = day.params
    trigger: Trigger | None = None
    if in_term >= set_now.audit_claims:
        trigger = "claims"
    else:
        contract = CONTRACTS.find(day.draft, claim.member)
        if contract is not None and contract.owed:
            trigger = "arrears"
    is_pair = _count_pair(day, claim)
    if trigger is None and is_pair:
        trigger = "pair"
    odds = min(ODDS_BASE, set_now.audit_random_bp * (ODDS_FACTOR if trigger else 1))
    number = int.from_bytes(sha256(day.randomness + b"audit" + claim.claim).digest(), "big") % ODDS_BASE
    if number < odds:
        row = DrawnAuditRow(
            claim.claim, trigger or "random", day.height, day.randomness, excluded_of(day, claim), set_now.audit_panel
        )
        DRAWN_AUDITS.put(day.draft, row, claim.claim)
        day.emit("audit_drawn", member=claim.cover, claim=claim.claim, trigger=trigger or "random")


def excluded_of(day: Day, claim: ClaimRow) -> tuple[bytes, ...]:
    """Return who never judges a claim: claimant, household, treating provider, the claimant's vouchers."""
    return members.excluded_of(day.draft, MEMBERS.get(day.draft, claim.member), claim.provider)


def _count_pair(day: Day, claim: ClaimRow) -> bool:
    """Count the claim of a provider-cover pair; True when the pair's number is above the 99th percentile."""
    total = PAIR_SUMS.add(day.draft, 1, claim.provider, claim.cover)
    _move_pair(day, total - 1, total)
    in_term = PAIR_TERMS.find(day.draft, day.term, claim.provider, claim.cover)
    claims = 1 if in_term is None else in_term.claims + 1
    PAIR_TERMS.put(day.draft, PairRow(claim.provider, claim.cover, claims), day.term, claim.provider, claim.cover)
    return _is_over_percentile(day, total)


def end_term(day: Day) -> None:
    """Let the claims of the term that leaves the window leave the pairs' numbers: in term t they count t-11 .. t."""
    leaving = day.term - WINDOW_TERMS + 1
    for row in list(PAIR_TERMS.scan(day.draft, leaving)):
        left = PAIR_SUMS.add(day.draft, -row.claims, row.provider, row.cover)
        _move_pair(day, left + row.claims, left)
        PAIR_TERMS.delete(day.draft, leaving, row.provider, row.cover)


def _move_pair(day: Day, before: int, after: int) -> None:
    """Keep the histogram of pairs by number of claims."""
    changes = {before: -1, after: 1, ANY: (after > 0) - (before > 0)}
    for value, change in changes.items():
        if change:
            PAIR_COUNTS.add(day.draft, change, value)


def pairs_with(day: Day, claims: int) -> int:
    """Return how many pairs have so many claims in the last 12 terms."""
    return PAIR_COUNTS.value(day.draft, claims)


def _is_over_percentile(day: Day, total: int) -> bool:
    """True iff, of at least 100 pairs, ceil(n·audit_pair_bp / 10 000) have fewer claims than `total`."""
    pairs = pairs_with(day, ANY)
    if pairs < PAIRS_MIN:
        return False
    rank = ceil_div(pairs * day.params.audit_pair_bp, ODDS_BASE)
    return sum(pairs_with(day, value) for value in range(1, total)) >= rank
