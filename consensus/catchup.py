"""When a block is due, and when it may come early to make up for an outage (rules §1)."""

from __future__ import annotations


def earliest_proposal_ms(nominal_ms: int, parent_ms: int, interval_ms: int) -> int:
    """Return when a fresh block may be proposed: at its nominal time, or after an outage half an interval after its parent.

    >>> earliest_proposal_ms(10_000, 8_500, 2_000), earliest_proposal_ms(10_000, 20_000, 2_000)
    (10000, 21000)
    """
    return max(nominal_ms, parent_ms + interval_ms // 2)
