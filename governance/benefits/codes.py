"""Codes: which procedures the co-op knows, which of them are standard on which day, with amount and frequency.

Unlisted codes are non-standard. The first list is in genesis; votes promote codes, and proposals list and demote them.
"""

from __future__ import annotations

from collections.abc import Iterator

from governance.state.codes import CODES, CodeRow, CodeVersion
from governance.tables import Draft

# ---- Rules --------------------------------------------------------------
UNLISTED = CodeVersion(0, False, None, None)


def code_on(draft: Draft, system: str, code: str, day_number: int) -> CodeVersion:
    """Return what a code is on a day."""
    row = CODES.find(draft, code, system)
    if row is not None:
        for version in reversed(row.versions):
            if version.from_day <= day_number:
                return version
    return UNLISTED


def set_code(draft: Draft, system: str, code: str, version: CodeVersion, no_promotion_until: int | None = None) -> None:
    """Give a code a new version from `version.from_day` on."""
    row = CODES.find(draft, code, system) or CodeRow(system, code, (), 0)
    versions = tuple(item for item in row.versions if item.from_day != version.from_day)
    until = row.no_promotion_until if no_promotion_until is None else no_promotion_until
    CODES.put(draft, CodeRow(system, code, (*versions, version), until), code, system)


# ---- Invariants ---------------------------------------------------------
def broken_invariants(draft: Draft) -> Iterator[str]:
    """Yield a sentence for each code whose versions are out of order or negative."""
    for row in CODES.scan(draft):
        days = [version.from_day for version in row.versions]
        if days != sorted(set(days)) or any(
            (item.allowed_cents or 0) < 0 or (item.frequency or 0) < 0 for item in row.versions
        ):
            yield f"code {row.code} has versions out of order or negative figures"
