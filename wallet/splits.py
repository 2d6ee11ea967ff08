"""How a payout becomes coins: plain 1-2-5 denominations, at least four outputs a payee, whole numbers only.

Many payees with outputs of the same few denominations in one transaction: an observer who knows an amount sees several
ways to make it. The cap on one payee's share of a denomination comes on top, in the planner of the treasury. What is
below the smallest denomination stays with the member as credit. Sources: rules §11 "Multiple outputs", note on
splitting.
"""

from __future__ import annotations

from dataclasses import dataclass

from ledger.errors import MutuaError

DMIN_SAT = 10_000
"""Smallest denomination: spending such an output costs about 340 sat at 5 sat/vB."""
OUTPUTS_MIN = 4
OUTPUTS_MAX = 32
AMOUNT_MAX_SAT = 21_000_000 * 10**8


@dataclass(frozen=True, slots=True)
class Owed:
    """What one payout still needs, in satoshi (with anything queued before)."""

    payout_id: bytes
    amount_sat: int


@dataclass(frozen=True, slots=True)
class Split:
    """One payout in one batch: amount = sum(pieces) + queued + credit, exactly."""

    payout_id: bytes
    pieces_sat: tuple[int, ...]
    """Outputs, largest first; empty, or OUTPUTS_MIN to OUTPUTS_MAX of them."""
    queued_sat: int
    """Multiple of the smallest denomination that waits for the next batch."""
    credit_sat: int
    """Below what can be paid: kept for the member."""

    @property
    def paid_sat(self) -> int:
        """Return the sum of the outputs."""
        return sum(self.pieces_sat)


def denominations(amount_sat: int, dmin_sat: int = DMIN_SAT) -> list[int]:
    """Return the denominations up to `amount_sat`, largest first.

    >>> denominations(120_000)
    [100000, 50000, 20000, 10000]
    """
    found: list[int] = []
    decade = dmin_sat
    while decade <= amount_sat:
        found += [value for value in (decade, 2 * decade, 5 * decade) if value <= amount_sat]
        decade *= 10
    return found[::-1]


def split_amount(
    owed: Owed, dmin_sat: int = DMIN_SAT, outputs_min: int = OUTPUTS_MIN, outputs_max: int = OUTPUTS_MAX
) -> Split:
    """Split one payout: greedy 1-2-5, then the largest piece is broken up until there are `outputs_min`.

    An amount under `outputs_min` x `dmin_sat` is credit entirely. Pieces beyond `outputs_max` (smallest first) are
    queued.

    >>> split_amount(Owed(b"p", 123_456)).pieces_sat, split_amount(Owed(b"p", 123_456)).credit_sat
    ((50000, 20000, 20000, 20000, 10000), 3456)
    """
    if not 0 <= owed.amount_sat <= AMOUNT_MAX_SAT:
        raise MutuaError("amount_range", f"a payout of {owed.amount_sat} sat is out of range", "check the rate")
    if owed.amount_sat < outputs_min * dmin_sat:
        return Split(owed.payout_id, (), 0, owed.amount_sat)
    pieces: list[int] = []
    rest = owed.amount_sat
    for value in denominations(owed.amount_sat, dmin_sat):
        count, rest = divmod(rest, value)
        pieces += [value] * count
    while len(pieces) < outputs_min:
        pieces = sorted([*pieces[1:], *_broken(pieces[0], dmin_sat)], reverse=True)
    return Split(owed.payout_id, tuple(pieces[:outputs_max]), sum(pieces[outputs_max:]), rest)


def _broken(piece_sat: int, dmin_sat: int) -> tuple[int, ...]:
    """Return a denomination above the smallest in smaller ones: 10 = 5+5, 5 = 2+2+1, 2 = 1+1, times a power of ten."""
    decade = dmin_sat
    while piece_sat >= 10 * decade:
        decade *= 10
    if piece_sat == 5 * decade:
        return (2 * decade, 2 * decade, decade)
    if piece_sat == 2 * decade:
        return (decade, decade)
    return (decade // 2, decade // 2)
