"""The numbers that each signing key has used."""

from __future__ import annotations

from governance.tables import Table
from ledger.codec import Shape


class WindowRow(Shape):
    """The highest number used, and bit i set where `highest - i` was used."""

    highest: int
    used: int


WINDOWS = Table("windows/window", WindowRow)
