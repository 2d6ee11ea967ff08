"""The lists of parties that members trust: enrolment attesters and verifiers of providers."""

from __future__ import annotations

from governance.tables import Table
from ledger.codec import Shape


class PartyRow(Shape):
    """A party on a list: its key, the name members know it by, and the block from whose end it is on the list."""

    key: bytes
    name: str
    since: int


ATTESTERS = Table("membership/attester", PartyRow)
VERIFIERS = Table("membership/verifier", PartyRow)
