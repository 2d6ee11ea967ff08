"""Delegations, by delegator and by delegate."""

from __future__ import annotations

from governance.tables import Name, Numbers, Table
from ledger.codec import Shape


class DelegateRow(Shape):
    """Who votes for a member on a topic."""

    topic: str
    to: bytes


DELEGATES = Table("membership/delegate", DelegateRow)
"""By (delegator, topic)."""
DELEGATORS = Table("membership/delegators", Name)
"""(delegate, topic, delegator) -> delegator."""
DELEGATION_PAIRS = Numbers("membership/delegation_pair", keeps_zero=False)
"""(delegate, delegator) -> topics between them."""
DELEGATE_LOADS = Numbers("membership/delegate_load")
"""delegate -> delegators over all topics."""
