"""Members: pseudonymous keys, their households, the covers that claims name, and who may vote since when.

One person has one vote and stake never counts. Whether a member may vote is kept as a short history of changes with their
heights, so that "may vote as of block s" can be asked for any recent s without visiting anybody else.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import msgspec

from governance.day import Day
from governance.tables import Draft, Name, Table
from ledger.codec import Shape
from ledger.errors import RuleBroken

# ---- State --------------------------------------------------------------
HISTORY_BLOCKS = 720
"""Changes of the right to vote older than this decide nothing any more: the longest vote and appeal together are shorter."""
YEARS_TERMS = 12


class MemberRow(Shape):
    """A member, present or past."""

    key: bytes
    household: bytes
    cover: bytes
    is_founder: bool
    is_member: bool
    since_term: int
    """Term in which the present membership began; negative before genesis."""
    leave_term: int | None
    """After notice: the last term of cover and membership."""
    voting: tuple[tuple[int, bool], ...]
    """(height, may vote as of the end of that block), ascending."""
    vouchers: tuple[bytes, ...]
    is_warned: bool
    until: int | None
    """Renewal was refused: the height at which cover ends."""
    fraud_height: int | None
    no_vote_until: int
    """No vote up to this height after a finding of fraud."""
    left_height: int | None


MEMBERS = Table("membership/member", MemberRow)
COVERS = Table("membership/cover", Name)
DEVICES = Table("membership/device", Name)
HOUSEHOLDS = Table("membership/household", Name)
MATURING = Table("membership/maturing", Name)
"""(term, member): may vote from the end of the boundary at which so many terms are complete."""


# ---- Rules --------------------------------------------------------------
def find_member(draft: Draft, key: bytes) -> MemberRow | None:
    """Return a member's row, past members included."""
    return MEMBERS.find(draft, key)


def check_member(draft: Draft, key: bytes) -> MemberRow:
    """Return the row of a present member; RuleBroken for anybody else."""
    row = MEMBERS.find(draft, key)
    if row is None or not row.is_member:
        raise RuleBroken("not_a_member", "the author is not a member", "apply for membership first")
    return row


def check_signer(draft: Draft, author: bytes, signer: bytes) -> None:
    """Raise RuleBroken unless `signer` is the author's own key or a device key the author certified."""
    if signer == author:
        return
    device = DEVICES.find(draft, signer)
    if device is None or device.value != author:
        raise RuleBroken("signer_unknown", "the signing key is no device of the author", "certify the device with the identity key")


def member_of_cover(draft: Draft, cover: bytes) -> MemberRow | None:
    """Return the member whose contract a cover belongs to. This link stands nowhere else."""
    link = COVERS.find(draft, cover)
    return None if link is None else MEMBERS.find(draft, link.value)


def household_of(draft: Draft, row: MemberRow) -> list[bytes]:
    """Return the keys of everyone in the member's household, the member included."""
    return [name.value for name in HOUSEHOLDS.scan(draft, row.household)] if row.household else [row.key]


def is_voter(row: MemberRow) -> bool:
    """True iff the member may vote now."""
    return bool(row.voting) and row.voting[-1][1]


def was_voter(row: MemberRow, height: int) -> bool:
    """True iff the member may vote as of the end of block `height`."""
    for since, may_vote in reversed(row.voting):
        if since <= height:
            return may_vote
    return False


def voters_as_of(draft: Draft, height: int) -> Iterator[bytes]:
    """Yield every member who may vote as of a block. Linear in members: only draws ask for it."""
    return (row.key for row in MEMBERS.scan(draft) if was_voter(row, height))


def set_voting(day: Day, key: bytes, may_vote: bool) -> None:
    """Give or take the vote from the end of this block on."""
    row = MEMBERS.get(day.draft, key)
    if is_voter(row) == may_vote:
        return
    kept = [item for index, item in enumerate(row.voting) if index == len(row.voting) - 1 or row.voting[index + 1][0] > day.height - HISTORY_BLOCKS]
    history = (*(item for item in kept if item[0] != day.height), (day.height, may_vote))
    MEMBERS.put(day.draft, msgspec.structs.replace(row, voting=history), key)
    day.count(voters=1 if may_vote else -1)


def terms_complete_of(day: Day, row: MemberRow) -> int:
    """Return complete terms since the present membership began."""
    return max(0, day.terms_complete - row.since_term)


def is_good_standing(day: Day, row: MemberRow, is_suspended: bool) -> bool:
    """True iff a member may vouch: not suspended, no fraud in 12 terms, member for 6 terms (founders always)."""
    recent_fraud = row.fraud_height is not None and row.fraud_height > day.height - 360
    long_enough = row.is_founder or terms_complete_of(day, row) >= 6
    return row.is_member and not is_suspended and not recent_fraud and long_enough


def restore_vote(day: Day, key: bytes) -> None:
    """Give the vote back after suspension, where nothing else stands against it."""
    row = MEMBERS.get(day.draft, key)
    matured = row.is_founder or terms_complete_of(day, row) >= day.params.voting_after_terms
    if row.is_member and matured and row.no_vote_until <= day.height:
        set_voting(day, key, True)


def put_maturing(day: Day, key: bytes, terms_complete: int) -> None:
    """Let the member vote from the end of the boundary at which so many terms are complete."""
    MATURING.put(day.draft, Name(key), terms_complete, key)


def add_member(day: Day, row: MemberRow) -> None:
    """Write a new (or returning) member with the cover and household it belongs to."""
    MEMBERS.put(day.draft, row, row.key)
    COVERS.put(day.draft, Name(row.key), row.cover)
    if row.household:
        HOUSEHOLDS.put(day.draft, Name(row.key), row.household, row.key)
    day.count(members=1)


def end_membership(day: Day, key: bytes) -> None:
    """End a membership: no vote, no place in the household; the record stays."""
    set_voting(day, key, False)
    row = MEMBERS.get(day.draft, key)
    MEMBERS.put(day.draft, msgspec.structs.replace(row, is_member=False, leave_term=None, until=None, left_height=day.height), key)
    if row.household:
        HOUSEHOLDS.delete(day.draft, row.household, key)
    day.count(members=-1)


def end_term(day: Day, is_suspended: Callable[[bytes], bool]) -> None:
    """Give the vote to members whose waiting for it ends with this term, unless they are suspended."""
    for name in list(MATURING.scan(day.draft, day.terms_complete)):
        MATURING.delete(day.draft, day.terms_complete, name.value)
        if not is_suspended(name.value):
            restore_vote(day, name.value)


# ---- Invariants ---------------------------------------------------------
def broken_invariants(draft: Draft, voters: int) -> Iterator[str]:
    """Yield a sentence for each thing that must never be: the counter of voters differs from the members."""
    counted = sum(1 for row in MEMBERS.scan(draft) if is_voter(row))
    if counted != voters:
        yield f"{counted} members may vote, the counter says {voters}"
    for row in MEMBERS.scan(draft):
        if is_voter(row) and not row.is_member:
            yield f"{row.key.hex()} may vote without being a member"


