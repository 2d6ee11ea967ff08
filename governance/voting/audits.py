"""Audits: random draws, suspicious patterns, reports; holds on payment; findings (rules §9)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from hashlib import sha256

from governance.day import Day, ceil_div
from governance.membership import members
from governance.state.audits import (
    DRAWN_AUDITS,
    PAIR_SUMS,
    PAIR_TERMS,
    PAIRS_FROM,
    TERM_CLAIMS,
    DrawnAuditRow,
    PairRow,
    Trigger,
)
from governance.state.claims import ClaimRow
from governance.state.contracts import CONTRACTS
from governance.state.members import MEMBERS
from governance.tables import Draft

# ---- Rules --------------------------------------------------------------
WINDOW_TERMS = 12
PAIRS_MIN = 100
ODDS_FACTOR = 10
ODDS_BASE = 10_000


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
    PAIRS_FROM.add(day.draft, 1, total)
    in_term = PAIR_TERMS.find(day.draft, day.term, claim.provider, claim.cover)
    claims = 1 if in_term is None else in_term.claims + 1
    PAIR_TERMS.put(day.draft, PairRow(claim.provider, claim.cover, claims), day.term, claim.provider, claim.cover)
    return _is_over_percentile(day, total)


def end_term(day: Day) -> None:
    """Let the claims of the term that leaves the window leave the pairs' numbers: in term t they count t-11 .. t."""
    leaving = day.term - WINDOW_TERMS + 1
    fewer = Counter[int]()
    for row in list(PAIR_TERMS.scan(day.draft, leaving)):
        left = PAIR_SUMS.add(day.draft, -row.claims, row.provider, row.cover)
        fewer.update(range(left + 1, left + row.claims + 1))
        PAIR_TERMS.delete(day.draft, leaving, row.provider, row.cover)
    for claims, pairs in sorted(fewer.items()):
        PAIRS_FROM.add(day.draft, -pairs, claims)


def pairs_from(day: Day, claims: int) -> int:
    """Return how many pairs have at least so many claims in the last 12 terms."""
    return PAIRS_FROM.value(day.draft, claims)


def _is_over_percentile(day: Day, total: int) -> bool:
    """True iff, of at least 100 pairs, ceil(n·audit_pair_bp / 10 000) have fewer claims than `total`."""
    pairs = pairs_from(day, 1)
    if pairs < PAIRS_MIN:
        return False
    rank = ceil_div(pairs * day.params.audit_pair_bp, ODDS_BASE)
    return pairs - pairs_from(day, total) >= rank


# ---- Invariants ---------------------------------------------------------
def broken_invariants(draft: Draft) -> Iterator[str]:
    """Yield a sentence when the numbers of the pairs, their terms, and the rows of pairs by number differ."""
    sums = Counter[tuple[bytes, bytes]]()
    for row in PAIR_TERMS.scan(draft):
        sums[row.provider, row.cover] += row.claims
    expected = Counter[int](claims for total in sums.values() for claims in range(1, total + 1))
    for claims, pairs in sorted(expected.items()):
        if PAIRS_FROM.value(draft, claims) != pairs:
            yield f"{pairs} pairs have {claims} claims or more, the row says {PAIRS_FROM.value(draft, claims)}"
    if any(PAIR_SUMS.value(draft, *pair) != total for pair, total in sums.items()):
        yield "the number of a pair is not the sum of its terms"
    if sum(1 for _ in PAIRS_FROM.scan(draft)) != len(expected) or sum(1 for _ in PAIR_SUMS.scan(draft)) != len(sums):
        yield "there are rows of pairs without claims"
