"""Members, present and past: their covers and households, and who may vote since when."""

from __future__ import annotations

from governance.tables import Name, Number, Numbers, Table
from ledger.codec import Shape


class MemberRow(Shape):
    """A member, present or past."""

    key: bytes
    household: bytes
    cover: bytes
    is_founder: bool
    is_member: bool
    since_term: int
    """Term in which the present membership began; negative before genesis."""
    leave_term: int | None = None
    """After notice: the last term of cover and membership."""
    voting: tuple[tuple[int, bool], ...] = ()
    """(height, may vote as of the end of that block), ascending."""
    vouchers: tuple[bytes, ...] = ()
    is_warned: bool = False
    until: int | None = None
    """Renewal was refused: the height at which cover ends."""
    fraud_height: int | None = None
    no_vote_until: int = -1
    """No vote up to this height after a finding of fraud."""
    left_height: int | None = None


class VotersRow(Shape):
    """Some of those who may vote now."""

    keys: tuple[bytes, ...]


MEMBERS = Table("membership/member", MemberRow)
COVERS = Table("membership/cover", Name)
HOUSEHOLDS = Table("membership/household", Name)
ENDED_MEMBERSHIPS = Table("membership/ended", Name)
"""Members whose membership ended in this block; gone at its end."""
VOTERS = Table("membership/voters", VotersRow)
"""Everybody who may vote now, by place."""
VOTER_PLACES = Table("membership/voter_place", Number)
"""member -> the row of VOTERS it is in while it may vote."""
VOTER_PLACES_GIVEN = Numbers("membership/voter_places")
VOTE_CHANGES = Table("membership/vote_change", Name)
"""(height, member): the right to vote changed in this block."""
MATURING_VOTES = Table("membership/maturing", Name)
"""(term, member): may vote from the end of the boundary at which so many terms are complete."""
