"""Members: pseudonymous keys, their households, the covers that claims name, and who may vote since when.

A member's id is the first identity key, for ever: rows, draws and records keep it. Who may sign for the member may
change: devices come and go, and guardians may move the identity to a new key (`governance.membership.identity`).

One person has one vote and stake never counts. Whether a member may vote is kept as a short history of changes with
their heights, so that "may vote as of block s" can be asked for any recent s without visiting anybody else.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import msgspec

from governance.day import Day
from governance.tables import Draft, Name, Number, Table
from ledger.codec import Shape
from ledger.errors import RuleBroken

# ---- State --------------------------------------------------------------
HISTORY_BLOCKS = 720
"""Changes of the right to vote older than this decide nothing any more: the longest vote and appeal together are
shorter."""
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


class KeyRow(Shape):
    """A key that a member took beside the first one. `role`: device | identity. It never becomes anybody else's."""

    member: bytes
    role: str


class VotersRow(Shape):
    """Some of those who may vote now."""

    keys: tuple[bytes, ...]


MEMBERS = Table("membership/member", MemberRow)
COVERS = Table("membership/cover", Name)
DEVICES = Table("membership/device", Name)
"""device -> the member for whom it may sign now."""
DEVICES_OF = Table("membership/device_of", Name)
"""(member, device) -> device, those in use."""
IDENTITIES = Table("membership/identity", Name)
"""member -> the identity key now; no row: the member's first key, which is the id."""
KEYS = Table("membership/key", KeyRow)
"""Devices in use and revoked, identity keys after a move: whose key it is, for ever."""
HOUSEHOLDS = Table("membership/household", Name)
ENDED = Table("membership/ended", Name)
"""Members whose membership ended in this block; gone at its end."""
VOTERS_A_ROW = 64
VOTERS = Table("membership/voters", VotersRow)
"""Everybody who may vote now, by place."""
PLACES = Table("membership/voter_place", Number)
"""member -> the row of VOTERS it is in while it may vote."""
PLACES_GIVEN = Table("membership/voter_places", Number)
VOTE_CHANGES = Table("membership/vote_change", Name)
"""(height, member): the right to vote changed in this block."""
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
    """Raise RuleBroken unless `signer` is the author's identity key or a device key that it certified."""
    if not is_signer(draft, author, signer):
        raise RuleBroken(
            "signer_unknown", "the signing key is no device of the author", "certify the device with the identity key"
        )


def check_identity(draft: Draft, author: bytes, signer: bytes) -> None:
    """Raise RuleBroken unless `signer` is the author's identity key itself: no device will do."""
    if signer != identity_key_of(draft, author):
        raise RuleBroken(
            "identity_signature",
            "this record is signed by the identity key, not by a device",
            "sign it with the identity key",
        )


def is_signer(draft: Draft, author: bytes, signer: bytes) -> bool:
    """True iff `signer` may sign for `author` now: the identity key, or a device in use."""
    if signer == identity_key_of(draft, author):
        return True
    device = DEVICES.find(draft, signer)
    return device is not None and device.value == author


def identity_key_of(draft: Draft, member: bytes) -> bytes:
    """Return the key that acts for a member now: the id itself until guardians have moved the identity."""
    moved = IDENTITIES.find(draft, member)
    return member if moved is None else moved.value


def member_of_identity(draft: Draft, key: bytes) -> MemberRow | None:
    """Return the member whose identity key now is `key`; None for past identity keys, devices and strangers."""
    owner = KEYS.find(draft, key)
    row = MEMBERS.find(draft, key if owner is None else owner.member)
    return row if row is not None and identity_key_of(draft, row.key) == key else None


def owner_of_key(draft: Draft, key: bytes) -> bytes | None:
    """Return the member one of whose keys this is or was: identity, device or cover.

    None for a key that is nobody's.
    """
    if MEMBERS.find(draft, key) is not None:
        return key
    taken = KEYS.find(draft, key)
    if taken is not None:
        return taken.member
    link = COVERS.find(draft, key)
    return None if link is None else link.value


def add_device(draft: Draft, member: bytes, device: bytes) -> None:
    """Let a device sign for a member."""
    DEVICES.put(draft, Name(member), device)
    DEVICES_OF.put(draft, Name(device), member, device)
    KEYS.put(draft, KeyRow(member, "device"), device)


def drop_device(draft: Draft, member: bytes, device: bytes) -> None:
    """Let a device sign no longer. The key stays the member's: it is never taken again."""
    DEVICES.delete(draft, device)
    DEVICES_OF.delete(draft, member, device)


def devices_of(draft: Draft, member: bytes) -> list[bytes]:
    """Return the devices in use, sorted."""
    return [name.value for name in DEVICES_OF.scan(draft, member)]


def move_identity(draft: Draft, member: bytes, new_key: bytes) -> None:
    """Make `new_key` the only key that signs for the member: every device is dropped."""
    for device in devices_of(draft, member):
        drop_device(draft, member, device)
    IDENTITIES.put(draft, Name(new_key), member)
    KEYS.put(draft, KeyRow(member, "identity"), new_key)


def member_of_cover(draft: Draft, cover: bytes) -> MemberRow | None:
    """Return the member whose contract a cover belongs to. This link stands nowhere else."""
    link = COVERS.find(draft, cover)
    return None if link is None else MEMBERS.find(draft, link.value)


def household_of(draft: Draft, row: MemberRow) -> list[bytes]:
    """Return the keys of everyone in the member's household, the member included."""
    return [name.value for name in HOUSEHOLDS.scan(draft, row.household)] if row.household else [row.key]


def excluded_of(draft: Draft, row: MemberRow, provider: bytes) -> tuple[bytes, ...]:
    """Return who never judges a claim of a member.

    Claimant, household, vouchers, the treating provider, under whichever of its keys it is listed.
    """
    treating = owner_of_key(draft, provider) or provider
    return tuple(sorted({row.key, provider, treating, *household_of(draft, row), *row.vouchers}))


def is_voter(row: MemberRow) -> bool:
    """True iff the member may vote now."""
    return bool(row.voting) and row.voting[-1][1]


def was_voter(row: MemberRow, height: int) -> bool:
    """True iff the member may vote as of the end of block `height`."""
    for since, may_vote in reversed(row.voting):
        if since <= height:
            return may_vote
    return False


def voters_now(draft: Draft) -> list[bytes]:
    """Return everybody who may vote now, in no order that means anything. Linear in members: only draws ask for it."""
    return [key for row in VOTERS.scan(draft) for key in row.keys]


def voters_as_of(day: Day, height: int) -> list[bytes]:
    """Return everybody who may vote as of a recent block: those who may now, but for changes since.

    Linear in members.
    """
    changed = {
        name.value for since in range(height + 1, day.height + 1) for name in VOTE_CHANGES.scan(day.draft, since)
    }
    voters = [key for key in voters_now(day.draft) if key not in changed]
    return voters + [key for key in sorted(changed) if was_voter(MEMBERS.get(day.draft, key), height)]


def set_voting(day: Day, key: bytes, may_vote: bool) -> None:
    """Give or take the vote from the end of this block on."""
    row = MEMBERS.get(day.draft, key)
    if is_voter(row) == may_vote:
        return
    kept = [
        item
        for index, item in enumerate(row.voting)
        if index == len(row.voting) - 1 or row.voting[index + 1][0] > day.height - HISTORY_BLOCKS
    ]
    history = (*(item for item in kept if item[0] != day.height), (day.height, may_vote))
    MEMBERS.put(day.draft, msgspec.structs.replace(row, voting=history), key)
    day.count(voters=1 if may_vote else -1)
    _list_voter(day, key, may_vote)


def _list_voter(day: Day, key: bytes, may_vote: bool) -> None:
    """Keep the list of voters, in rows of a bounded length: a member keeps one place in it for ever."""
    place = PLACES.find(day.draft, key)
    if place is None:
        given = PLACES_GIVEN.find(day.draft) or Number(0)
        PLACES_GIVEN.put(day.draft, Number(given.value + 1))
        place = Number(given.value // VOTERS_A_ROW)
        PLACES.put(day.draft, place, key)
    row = VOTERS.find(day.draft, place.value)
    others = () if row is None else tuple(other for other in row.keys if other != key)
    voters = (*others, key) if may_vote else others
    if voters:
        VOTERS.put(day.draft, VotersRow(voters), place.value)
    else:
        VOTERS.delete(day.draft, place.value)
    if day.height > 0:
        VOTE_CHANGES.put(day.draft, Name(key), day.height, key)


def end_day(day: Day) -> None:
    """Forget changes of the right to vote that decide nothing any more."""
    for name in list(VOTE_CHANGES.scan(day.draft, day.height - HISTORY_BLOCKS)):
        VOTE_CHANGES.delete(day.draft, day.height - HISTORY_BLOCKS, name.value)


def terms_complete_of(day: Day, row: MemberRow) -> int:
    """Return complete terms since the present membership began."""
    return max(0, day.terms_complete - row.since_term)


def is_good_standing(day: Day, row: MemberRow, is_suspended: bool) -> bool:
    """True iff a member may vouch: not suspended, no fraud in 12 terms, member for 6 terms (founders always).

    A record of a boundary block comes before the end of its term: that term is not complete yet.
    """
    recent_fraud = row.fraud_height is not None and row.fraud_height > day.height - 360
    long_enough = row.is_founder or day.terms_over - row.since_term >= 6
    return row.is_member and not is_suspended and not recent_fraud and long_enough


def restore_vote(day: Day, key: bytes, terms_complete: int) -> None:
    """Give the vote (back), where nothing stands against it.

    `terms_complete`: of the co-op, at the moment of asking.
    """
    row = MEMBERS.get(day.draft, key)
    matured = row.is_founder or terms_complete - row.since_term >= day.params.voting_after_terms
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
    MEMBERS.put(
        day.draft,
        msgspec.structs.replace(row, is_member=False, leave_term=None, until=None, left_height=day.height),
        key,
    )
    if row.household:
        HOUSEHOLDS.delete(day.draft, row.household, key)
    ENDED.put(day.draft, Name(key), key)
    day.count(members=-1)


def end_term(day: Day, is_suspended: Callable[[bytes], bool]) -> None:
    """Give the vote to members whose waiting for it ends with this term, unless they are suspended."""
    for name in list(MATURING.scan(day.draft, day.terms_complete)):
        MATURING.delete(day.draft, day.terms_complete, name.value)
        if not is_suspended(name.value):
            restore_vote(day, name.value, day.terms_complete)


# ---- Invariants ---------------------------------------------------------
def broken_invariants(draft: Draft, voters: int) -> Iterator[str]:
    """Yield a sentence for each thing that must never be: the counter of voters differs from the members."""
    counted = sum(1 for row in MEMBERS.scan(draft) if is_voter(row))
    listed = voters_now(draft)
    if not counted == voters == len(listed):
        yield f"{counted} members may vote, the counter says {voters}, the list {len(listed)}"
    if sorted(listed) != [row.key for row in MEMBERS.scan(draft) if is_voter(row)]:
        yield "the list of voters names others than those who may vote"
    for row in MEMBERS.scan(draft):
        if is_voter(row) and not row.is_member:
            yield f"{row.key.hex()} may vote without being a member"
        for device in DEVICES_OF.scan(draft, row.key):
            if DEVICES.get(draft, device.value).value != row.key or owner_of_key(draft, device.value) != row.key:
                yield f"device {device.value.hex()} signs for another than {row.key.hex()}"
        if owner_of_key(draft, identity_key_of(draft, row.key)) != row.key:
            yield f"the identity key of {row.key.hex()} is somebody else's"
