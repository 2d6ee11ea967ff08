"""What all views share."""

from __future__ import annotations

import msgspec

from governance.day import Day
from governance.tables import Draft
from ledger.state import StateReader

ROWS_MAX = 10_000
"""No list is longer; pages come with the API."""


class View(msgspec.Struct, frozen=True, kw_only=True):
    """Base of what views return. In JSON a field called `row` is replaced by its own fields."""


def day_at(state: StateReader, height: int) -> Day:
    """Return a day to read the state of a height with."""
    return Day(Draft(state), height, b"")
