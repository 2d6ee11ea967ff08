"""Heights and terms: a block a day, 30 a term, 12 terms a year; deadlines count heights, never clocks (rules §1)."""

from __future__ import annotations

TERM_BLOCKS = 30
YEAR_TERMS = 12
YEAR_BLOCKS = TERM_BLOCKS * YEAR_TERMS


def term_of(height: int) -> int:
    """Return the term of a height: heights 30t+1 .. 30t+30 are term t; genesis (0) counts as -1.

    >>> [term_of(h) for h in (0, 1, 30, 31, 60, 61)]
    [-1, 0, 0, 1, 1, 2]
    """
    return (height - 1) // TERM_BLOCKS


def is_boundary(height: int) -> bool:
    """True in the last block of a term.

    >>> [h for h in range(62) if is_boundary(h)]
    [30, 60]
    """
    return height > 0 and height % TERM_BLOCKS == 0


def is_term_start(height: int) -> bool:
    """True in the first block of a term, when premiums fall due."""
    return height % TERM_BLOCKS == 1


def first_height_of(term: int) -> int:
    """Return the first height of a term."""
    return term * TERM_BLOCKS + 1


def last_height_of(term: int) -> int:
    """Return the boundary of a term."""
    return term * TERM_BLOCKS + TERM_BLOCKS
