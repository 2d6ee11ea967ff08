"""Duties that members missed, and who lost credit for it."""

from __future__ import annotations

from governance.tables import Name, Table
from ledger.codec import Shape


class DutyRow(Shape):
    """The terms in which a member missed a duty, ascending, and whether the member has credit."""

    member: bytes
    missed: tuple[int, ...]
    has_credit: bool


DUTIES = Table("voting/duty", DutyRow)
WITHOUT_CREDIT = Table("voting/without_credit", Name)
"""Members without credit: a boundary visits these alone."""
