"""The protocol versions that members decided on, by the height from which each holds."""

from __future__ import annotations

from governance.tables import Table
from ledger.codec import Shape


class VersionRow(Shape):
    """A version and the first block that follows its rules."""

    height: int
    version: int


PROTOCOL_SCHEDULE = Table("protocol/schedule", VersionRow)
"""By height: what was in force, what is, and what members decided for later."""
