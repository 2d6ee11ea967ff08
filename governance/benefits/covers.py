"""Covers of dependants: people insured on a member's contract, each by a key of its own (rules §2 "Household").

A dependant's cover has its own first day, waiting, benefit year, deductible, maximum and units; it has the days, the
plan and the gaps of the contract it stands on. Each adds a share of the plan's rate to the contract, so that nobody
insures ten people for one premium, and counts with the same share among the contracts of the target premium.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Literal

from msgspec.structs import replace

from governance.day import Day
from governance.state.covers import DEPENDANTS, DependantRow, DependantShare
from governance.tables import Draft
from ledger import calendar

# ---- Rules --------------------------------------------------------------
FULL_BP = 10_000
CoverStatus = Literal["coming", "waiting", "covered", "leaving", "ended"]
KEPT_TERMS = 12
"""An ended cover counts toward the bound so long: fresh keys do not bring fresh counters at will."""


def is_on(share: DependantShare, term: int) -> bool:
    """True iff the cover is on the contract in a term."""
    return share.first_term <= term and (share.last_term is None or term <= share.last_term)


def status_of(row: DependantRow, height: int) -> CoverStatus:
    """Return how a dependant's cover stands as of a block."""
    if row.last_day is not None and row.last_day <= height:
        return "ended"
    if height < row.first_day:
        return "coming"
    if row.last_day is not None:
        return "leaving"
    return "waiting" if height <= row.waiting_last_day else "covered"


def living(draft: Draft, shares: Iterable[DependantShare], height: int) -> list[bytes]:
    """Return the covers that have not ended as of a block, those to come included."""
    return [share.cover for share in shares if status_of(DEPENDANTS.get(draft, share.cover), height) != "ended"]


def rate_of(shares: Iterable[DependantShare], term: int) -> int:
    """Return what the covers of dependants add to the contract's rate in a term, in minor units."""
    return sum(share.rate_cents for share in shares if is_on(share, term))


def weight_of(shares: Iterable[DependantShare], term: int) -> int:
    """Return in basis points what a contract counts in the target premium: one for the member, a share a dependant."""
    return FULL_BP + sum(share.weight_bp for share in shares if is_on(share, term))


def priced(day: Day, share: DependantShare, premium_cents: int) -> DependantShare:
    """Return the share at a plan's premium now, rounded down."""
    bp = day.params.dependant_bp
    return replace(share, rate_cents=premium_cents * bp // FULL_BP, weight_bp=bp)


def next_shares(day: Day, shares: tuple[DependantShare, ...], premium_cents: int) -> tuple[DependantShare, ...]:
    """Return the shares of the next term: those that begin are priced now, those that ended long ago dropped."""
    kept = (share for share in shares if share.last_term is None or share.last_term > day.term - KEPT_TERMS)
    return tuple(priced(day, share, premium_cents) if share.first_term == day.term + 1 else share for share in kept)


def begin(day: Day, share: DependantShare, waiting_terms: int) -> None:
    """Let a cover begin with the next term, with its own waiting."""
    row = DEPENDANTS.get(day.draft, share.cover)
    last = calendar.last_height_of(share.first_term + waiting_terms - 1) if waiting_terms else 0
    DEPENDANTS.put(day.draft, replace(row, waiting_last_day=last), share.cover)
    day.emit("cover_begun", cover=share.cover, first_day=row.first_day, waiting_last_day=last)


def close(draft: Draft, cover: bytes, last_day: int) -> None:
    """Let a cover end with a day, or before it where it ends earlier."""
    row = DEPENDANTS.get(draft, cover)
    if row.last_day is None or row.last_day > last_day:
        DEPENDANTS.put(draft, replace(row, last_day=last_day), cover)


def end_all(day: Day, shares: tuple[DependantShare, ...]) -> tuple[DependantShare, ...]:
    """End every cover with this block, because the contract ends; return the shares, all ended."""
    ended: list[DependantShare] = []
    for share in shares:
        if share.last_term is None or share.last_term >= day.term:
            close(day.draft, share.cover, day.height)
            if is_on(share, day.term):
                day.emit("cover_ended", cover=share.cover)
            share = replace(share, last_term=day.term)
        ended.append(share)
    return tuple(ended)


# ---- Invariants ---------------------------------------------------------
def broken_invariants(draft: Draft, member: bytes, shares: tuple[DependantShare, ...]) -> Iterator[str]:
    """Yield a sentence for each share whose cover is missing, is another member's, or ends on a different day."""
    for share in shares:
        row = DEPENDANTS.find(draft, share.cover)
        if row is None or row.member != member:
            yield f"a share of {member.hex()} has no cover {share.cover.hex()}"
        elif (row.last_day is None) != (share.last_term is None):
            yield f"cover {share.cover.hex()} ends on {row.last_day}, its share in term {share.last_term}"
