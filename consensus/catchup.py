"""When a block is due, when it may come early to make up for an outage (rules §1), and what to ask for when behind."""

from __future__ import annotations

from collections.abc import Iterable


def earliest_proposal_ms(nominal_ms: int, parent_ms: int, interval_ms: int) -> int:
    """Return when a fresh block may be proposed: at its nominal time, or half an interval after a late parent.

    >>> earliest_proposal_ms(10_000, 8_500, 2_000), earliest_proposal_ms(10_000, 20_000, 2_000)
    (10000, 21000)
    """
    return max(nominal_ms, parent_ms + interval_ms // 2)


def nominal_ms(genesis_ms: int, height: int, interval_ms: int) -> int:
    """Return the scheduled time of a height.

    >>> nominal_ms(1_000, 3, 2_000)
    7000
    """
    return genesis_ms + height * interval_ms


def find_wanted(own_height: int, told_heights: Iterable[int], count_max: int) -> range:
    """Return the final heights to ask a peer for: those above this node's tip that any peer has told of, oldest first.

    >>> list(find_wanted(4, [3, 9, 4], 3)), list(find_wanted(9, [3, 9], 3))
    ([5, 6, 7], [])
    """
    newest = max(told_heights, default=own_height)
    return range(own_height + 1, min(newest, own_height + count_max) + 1)
