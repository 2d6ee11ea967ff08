"""The block that is being applied: the draft of the state, its height and randomness, and the events so far.

Every rule takes a `Day`. It is made by `governance.transition` for one block and thrown away with it; the co-op's own
row and the counters that keep costs independent of the number of members live here because every module needs them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from msgspec.structs import replace

from governance.events import QUIET, Event
from governance.state.coop import COOP, COUNTS, CoopRow, CountsRow
from governance.state.params import Params, current_version, params_at
from governance.tables import Draft
from ledger import calendar


@dataclass(slots=True)
class Day:
    """One block while its records are applied."""

    draft: Draft
    height: int
    randomness: bytes
    events: list[Event] = field(default_factory=list[Event])
    delegates_changed: dict[str, set[bytes]] = field(default_factory=dict[str, set[bytes]])
    """By topic: delegates whose delegators changed in this block. Cases on which they voted are counted anew at its
    end."""
    tallies_moved: set[tuple[bytes, str]] = field(default_factory=set[tuple[bytes, str]])
    """(claim, code) of the cases whose tally moved in this block: the end of the day looks at these and those due."""
    proposals_opened: set[bytes] = field(default_factory=set[bytes])
    """Proposals that this block opened. A record that is rolled back may leave its own here: who reads looks again."""
    watch: Callable[[Event], None] | None = None
    """Told of each event as it is said, with the draft as it is then: receipts read there what the rules read."""

    @property
    def params(self) -> Params:
        """The parameters in force."""
        return params_at(self.draft, current_version(self.draft))

    @property
    def coop(self) -> CoopRow:
        """The co-op's own row."""
        return COOP.get(self.draft)

    @property
    def counts(self) -> CountsRow:
        """The counters."""
        return COUNTS.get(self.draft)

    @property
    def term(self) -> int:
        """The term this block lies in."""
        return calendar.term_of(self.height)

    @property
    def terms_complete(self) -> int:
        """Terms that are over at the end of this block: a boundary completes its own."""
        return self.height // calendar.TERM_BLOCKS

    @property
    def terms_over(self) -> int:
        """Terms that are over before this block: what its records go by."""
        return max(0, self.height - 1) // calendar.TERM_BLOCKS

    def emit(self, name: str, /, **fields: Any) -> None:
        """Say that something happened; what the scenario page does not name is told only where it is asked for."""
        if name in QUIET and not self.coop.tells_all:
            return
        event = Event(name, self.height, fields)
        self.events.append(event)
        if self.watch is not None:
            self.watch(event)

    def count(self, **changes: int) -> None:
        """Add to counters by name."""
        row = self.counts
        COUNTS.put(self.draft, replace(row, **{name: getattr(row, name) + change for name, change in changes.items()}))

    def set_coop(self, **changes: Any) -> None:
        """Change fields of the co-op's row."""
        COOP.put(self.draft, replace(self.coop, **changes))


def ceil_div(amount: int, divisor: int) -> int:
    """Return amount / divisor, rounded up.

    >>> ceil_div(10, 3)
    4
    """
    return -(-amount // divisor)


def lower_median(values: list[int]) -> int:
    """Return the lower median of a non-empty list.

    >>> lower_median([4, 1, 3, 2])
    2
    """
    return sorted(values)[(len(values) - 1) // 2]
