"""Listed providers, those that a vote removed, and those that may not file for patients."""

from __future__ import annotations

from governance.tables import Mark, Name, Number, Table

PROVIDERS = Table("benefits/provider", Name)
"""Key of a listed provider -> its identifier."""
REMOVED_PROVIDERS = Table("benefits/provider_removed", Mark)
"""Keys that a vote took off the list: the verifier's signature that listed one stands on the ledger, and counts no
more."""
FILING_SUSPENDED = Table("benefits/barred", Number)
"""Provider -> the last height at which it may not file for patients."""
