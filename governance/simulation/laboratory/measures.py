"""Figures from books in words: every share with its denominator, every spread with its range."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from math import comb
from statistics import median

from governance.simulation.laboratory.book import Book, CaseNote, ClaimNote
from ledger import calendar


def share(part: int, whole: int) -> str:
    """Return a share with its denominator.

    >>> share(3, 12), share(0, 0)
    ('3 of 12 (25.0 %)', '0 of 0')
    """
    return f"{part} of {whole} ({100 * part / whole:.1f} %)" if whole else "0 of 0"


def share_of(flags: Iterable[object]) -> str:
    """Return the share of those that are true.

    >>> share_of([True, False])
    '1 of 2 (50.0 %)'
    """
    found = [bool(flag) for flag in flags]
    return share(sum(found), len(found))


def spread(values: Iterable[float], unit: str = "") -> str:
    """Return the median with the range and the number of values.

    >>> spread([1, 2, 9], "blocks")
    'median 2 blocks (1 to 9, n = 3)'
    """
    found = sorted(values)
    if not found:
        return "no value"
    words = f" {unit}" if unit else ""
    return f"median {_short(median(found))}{words} ({_short(found[0])} to {_short(found[-1])}, n = {len(found)})"


def _short(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 100 or value == int(value) else f"{value:.2f}"


def money(cents: float) -> str:
    """Return cents as units of the co-op's currency, whole.

    >>> money(-123_456)
    '-1,235'
    """
    return f"{cents / 100:,.0f}"


def percent(part: float, whole: float) -> float:
    """Return a share in percent; 0 of nothing.

    >>> percent(1, 4), percent(0, 0)
    (25.0, 0.0)
    """
    return 100 * part / whole if whole else 0.0


def hypergeometric_tail(population: int, marked: int, drawn: int, at_least: int) -> float:
    """Return the chance that `drawn` of `population` hold `at_least` of the `marked` ones, exactly.

    >>> round(hypergeometric_tail(60, 18, 21, 11), 4)
    0.0084
    """
    drawn = min(drawn, population)
    ways = sum(
        comb(marked, hit) * comb(population - marked, drawn - hit) for hit in range(at_least, min(marked, drawn) + 1)
    )
    return ways / comb(population, drawn)


def settled_cases(
    books: Iterable[Book], is_wanted: Callable[[CaseNote], bool], *, tail_terms: int = 5
) -> list[CaseNote]:
    """Return first filings of a kind that had time for two votes before their world ended."""
    return [
        case
        for book in books
        for case in book.cases.values()
        if not case.is_second and case.s <= book.setting.blocks - tail_terms * calendar.TERM_BLOCKS and is_wanted(case)
    ]


def claims_of(books: Iterable[Book], mark: str = "") -> list[ClaimNote]:
    """Return the claims whose id contains a mark."""
    return [claim for book in books for claim in book.claims.values() if mark in claim.claim]
