"""The guardians of members."""

from __future__ import annotations

from governance.tables import Table
from ledger.codec import Shape


class GuardiansRow(Shape):
    """A member's guardians; `serial` grows with each change and move, so an old attestation is worth nothing."""

    member: bytes
    threshold: int
    keys: tuple[bytes, ...]
    serial: int
    paused_until: int
    """After an objection no move is opened up to this height."""


GUARDIANS = Table("membership/guardians", GuardiansRow)
