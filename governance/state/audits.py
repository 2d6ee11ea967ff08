"""Audits: counts of claims, draws, reports, holds and panels."""

from __future__ import annotations

from typing import Literal

from governance.tables import Numbers, Table
from ledger.codec import Shape

TERM_CLAIMS = Numbers("voting/term_claims")
"""(cover, term) -> claims."""


Trigger = Literal["claims", "arrears", "pair", "random", "reports", "contest"]


class PairRow(Shape):
    """Claims of a provider-cover pair in one term."""

    provider: bytes
    cover: bytes
    claims: int


PAIR_TERMS = Table("voting/pair_claims", PairRow)
"""By (term, provider, cover)."""
PAIR_SUMS = Numbers("voting/pair_sum", keeps_zero=False)
"""(provider, cover) -> claims in the last 12 terms."""
PAIRS_FROM = Numbers("voting/pairs_from", keeps_zero=False)
"""number of claims -> pairs that have at least so many in the last 12 terms: a claim moves one row, and one is read."""


class DrawnAuditRow(Shape):
    """Why a claim was drawn for audit, and what fixes its panel: the block's randomness, who is out, how many sit.

    The panel itself is not drawn here: a draw visits every voter, and claims would cost more the more members there
    are. It is worked out when somebody asks for it, or brings its finding; everybody works out the same one.
    """

    claim: bytes
    trigger: Trigger
    height: int
    randomness: bytes
    excluded: tuple[bytes, ...]
    panel_size: int


DRAWN_AUDITS = Table("voting/audit", DrawnAuditRow)


class ReportRow(Shape):
    """A member's report of another."""

    reporter: bytes
    height: int
    claim: bytes


class HoldRow(Shape):
    """A hold on the payouts of a cover, to the end of block `until` at most."""

    cover: bytes
    """The cover held, or the provider."""
    claim: bytes | None
    trigger: Trigger
    until: int
    serial: int
    """Tells holds on one cover apart that end in one block."""


class AuditPanelRow(Shape):
    """Who opens the documents of a claim under audit."""

    claim: bytes
    panel: tuple[bytes, ...]


REPORTS = Table("voting/report", ReportRow)
"""By (reported member, reporter)."""
AUDIT_HOLDS = Table("voting/hold", HoldRow)
"""By (until, cover, serial): the end of day visits those that expire."""
CLAIM_HOLDS = Table("voting/claim_hold", HoldRow)
"""Those that name a claim, by (claim, until, cover, serial): a finding visits these alone."""
AUDIT_PANELS = Table("voting/audit_panel", AuditPanelRow)
