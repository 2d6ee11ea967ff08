"""Estimates, authorisations and open questions of pre-authorisations."""

from __future__ import annotations

from governance.tables import Table
from ledger.codec import Shape


class EstimateRow(Shape):
    """What a claim of a standard line would settle as of the block that carried the question, in minor units."""

    line: int
    units_paid: int
    allowed_cents: int
    benefit_cents: int
    refusal: int | None


class AuthorisationRow(Shape):
    """What is left of an authorisation. Days from `first_day` to `last_day` may use it."""

    claim: bytes
    case: str
    units_left: int
    award_left_cents: int
    first_day: int
    last_day: int


class PreauthRequestRow(Shape):
    """The open case that asks for a code of a cover and provider (empty: none), and the charges of one that lapsed."""

    standing: bytes
    lapsed_cents: int | None


ESTIMATES = Table("benefits/estimate", EstimateRow)
"""By (claim, line)."""
AUTHORISATIONS = Table("benefits/authorisation", AuthorisationRow)
"""By (cover, provider, system, code, first day, claim): used in this order, gone when nothing is left."""
PREAUTH_REQUESTS = Table("benefits/ask", PreauthRequestRow)
"""By (cover, provider, code)."""
