"""Listed codes with all their versions, and the closed cases that may promote one."""

from __future__ import annotations

from governance.tables import Table
from ledger.codec import Shape


class CodeVersion(Shape):
    """A code from `from_day` on. None: no allowed amount, no limit."""

    from_day: int
    is_standard: bool
    allowed_cents: int | None
    frequency: int | None


class CodeRow(Shape):
    """A listed code with all its versions, and until when it may not be promoted again."""

    system: str
    code: str
    versions: tuple[CodeVersion, ...]
    no_promotion_until: int


CODES = Table("benefits/code", CodeRow)


class ClosingRow(Shape):
    """A case closed by vote: who claimed, who treated, what was paid for how many units."""

    system: str
    code: str
    term: int
    is_accepted: bool
    claimant: bytes
    provider: bytes
    allowed_cents: int
    units: int


CLOSINGS = Table("benefits/closing", ClosingRow)
"""By (term, code, system, claim)."""
