"""The keys of members: devices, identity keys, and moves of an identity to a new key."""

from __future__ import annotations

from typing import Literal

from governance.tables import Name, Table
from ledger.codec import Shape

KeyRole = Literal["device", "identity", "offered"]
"""offered: the new key of a move that may still be objected to."""


class OwnerRow(Shape):
    """A key that a member took beside the first one. `role`: device | identity. It never becomes anybody else's."""

    member: bytes
    role: KeyRole


DEVICES = Table("membership/device", Name)
"""device -> the member for whom it may sign now."""
DEVICES_OF = Table("membership/device_of", Name)
"""(member, device) -> device, those in use."""
IDENTITIES = Table("membership/identity", Name)
"""member -> the identity key now; no row: the member's first key, which is the id."""
KEY_OWNERS = Table("membership/key", OwnerRow)
"""Devices in use and revoked, identity keys after a move: whose key it is, for ever."""


class MoveRow(Shape):
    """A move on its way: it takes effect at the end of block `until`."""

    member: bytes
    new_key: bytes
    opened_height: int
    until: int


IDENTITY_MOVES = Table("membership/identity_move", MoveRow)
IDENTITY_MOVES_DUE = Table("membership/identity_move_due", Name)
"""(until, member) -> member: the end of day visits those whose time has come."""
