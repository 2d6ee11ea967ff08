"""Dependants' covers on a member's contract."""

from __future__ import annotations

from governance.tables import Table
from ledger.codec import Shape


class DependantRow(Shape):
    """A dependant's cover: whose contract it stands on, and its days; open while `last_day` is None."""

    cover: bytes
    member: bytes
    first_day: int
    last_day: int | None
    waiting_last_day: int
    """Days first_day..waiting_last_day are the waiting; known when the cover begins, 0 where there is none."""


class DependantShare(Shape):
    """What a dependant's cover adds to the contract's rate, and to the contract's weight in the target premium."""

    cover: bytes
    first_term: int
    last_term: int | None
    """After notice: the last term."""
    rate_cents: int
    weight_bp: int


DEPENDANTS = Table("benefits/dependant", DependantRow)
