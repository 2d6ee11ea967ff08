"""Applications for membership that are not decided, and the nullifiers of everybody who applied."""

from __future__ import annotations

from governance.tables import Name, Numbers, Table
from ledger.codec import Shape


class ApplyBody(Shape):
    """Apply for membership with a cover, a plan and a household."""

    cover_id: bytes
    plan: str
    contract_terms: int
    household: bytes
    nullifier: bytes
    deposit_cents: int
    """One premium of the plan, at least."""
    deposit_commitment: bytes
    """Commitment to the bitcoin deposit that the signers saw."""
    payout_commitment: bytes
    """Hash of the sealed addresses to which the deposit is returned."""


class ApplicationRow(Shape):
    """An application on its way."""

    applicant: bytes
    body: ApplyBody
    height: int
    vouchers: tuple[bytes, ...] = ()
    objectors: tuple[bytes, ...] = ()


APPLICATIONS = Table("membership/application", ApplicationRow)
APPLICATION_QUEUE = Table("membership/application_queue", Name)
"""(height, applicant) -> applicant: first come, first served."""
NULLIFIERS = Table("membership/nullifier", Name)
VOUCHES = Numbers("membership/vouches")
"""(voucher, term) -> how often."""
