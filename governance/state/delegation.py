"""Delegations, by delegator and by delegate."""

from __future__ import annotations

from governance.tables import Name, Number, Table
from ledger.codec import Shape


class DelegateRow(Shape):
    """Who votes for a member on a topic."""

    topic: str
    to: bytes


DELEGATES = Table("membership/delegate", DelegateRow)
"""By (delegator, topic)."""
DELEGATORS = Table("membership/delegators", Name)
"""(delegate, topic, delegator) -> delegator."""
DELEGATION_PAIRS = Table("membership/delegation_pair", Number)
"""(delegate, delegator) -> topics between them."""
DELEGATE_LOADS = Table("membership/delegate_load", Number)
"""delegate -> delegators over all topics."""
