"""Members: pseudonymous keys, their households, the covers that claims name, and who may vote since when.

A member's id is the first identity key, for ever: rows, draws and records keep it. Who may sign for the member may
change: devices come and go, and guardians may move the identity to a new key (`governance.membership.identity`).

One person has one vote and stake never counts. Whether a member may vote is kept as a short history of changes with
their heights, so that "may vote as of block s" can be asked for any recent s without visiting anybody else.
"""

from __future__ import annotations

from collections.abc import Iterator

from msgspec.structs import replace

from governance.day import Day
from governance.state.contracts import CONTRACTS, is_suspended
from governance.state.keys import DEVICES, DEVICES_OF, IDENTITIES, KEY_OWNERS, OwnerRow
from governance.state.members import (
    COVERS,
    ENDED_MEMBERSHIPS,
    HOUSEHOLDS,
    MATURING_VOTES,
    MEMBERS,
    VOTE_CHANGES,
    VOTER_PLACES,
    VOTER_PLACES_GIVEN,
    VOTERS,
    MemberRow,
    VotersRow,
)
from governance.tables import Draft, Name, Number
from ledger import calendar
from ledger.errors import RuleBroken

# ---- Rules --------------------------------------------------------------
HISTORY_BLOCKS = 720
"""Changes of the right to vote older than this decide nothing any more: the longest vote and appeal together are
shorter."""


VOTERS_A_ROW = 64


def check_member(draft: Draft, key: bytes) -> MemberRow:
    """Return the row of a present member; RuleBroken for anybody else."""
    row = MEMBERS.find(draft, key)
    if row is None or not row.is_member:
        raise RuleBroken("not_a_member", "the author is not a member", "apply for membership first")
    return row


def check_signer(draft: Draft, author: bytes, signer: bytes) -> None:
    """Raise RuleBroken unless `signer` is the author's identity key or a device key that it certified."""
    if not is_signer(draft, author, signer):
        what = "the signing key is not one of the author's devices"
        raise RuleBroken("signer_unknown", what, "certify the device with the identity key")


def check_identity(draft: Draft, author: bytes, signer: bytes) -> None:
    """Raise RuleBroken unless `signer` is the author's identity key itself: no device will do."""
    if signer != identity_key_of(draft, author):
        what = "this record must be signed by the identity key, not by a device"
        raise RuleBroken("identity_signature", what, "sign it with the identity key")


def is_signer(draft: Draft, author: bytes, signer: bytes) -> bool:
    """True iff `signer` may sign for `author` now: the identity key, or a device in use."""
    if signer != author:  # most often a device
        device = DEVICES.find(draft, signer)
        if device is not None and device.value == author:
            return True
    return signer == identity_key_of(draft, author)


def identity_key_of(draft: Draft, member: bytes) -> bytes:
    """Return the key that acts for a member now: the id itself until guardians have moved the identity."""
    moved = IDENTITIES.find(draft, member)
    return member if moved is None else moved.value


def member_of_identity(draft: Draft, key: bytes) -> MemberRow | None:
    """Return the member whose identity key now is `key`; None for past identity keys, devices and strangers."""
    owner = KEY_OWNERS.find(draft, key)
    row = MEMBERS.find(draft, key if owner is None else owner.member)
    return row if row is not None and identity_key_of(draft, row.key) == key else None


def owner_of_key(draft: Draft, key: bytes) -> bytes | None:
    """Return the member to whom an identity, device or cover key belongs or belonged, or None."""
    if MEMBERS.find(draft, key) is not None:
        return key
    taken = KEY_OWNERS.find(draft, key)
    if taken is not None:
        return taken.member
    link = COVERS.find(draft, key)
    return None if link is None else link.value


def add_device(draft: Draft, member: bytes, device: bytes) -> None:
    """Let a device sign for a member."""
    DEVICES.put(draft, Name(member), device)
    DEVICES_OF.put(draft, Name(device), member, device)
    KEY_OWNERS.put(draft, OwnerRow(member, "device"), device)


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
    KEY_OWNERS.put(draft, OwnerRow(member, "identity"), new_key)


def member_of_cover(draft: Draft, cover: bytes) -> MemberRow | None:
    """Return the member whose contract a cover belongs to. This link stands nowhere else."""
    link = COVERS.find(draft, cover)
    return None if link is None else MEMBERS.find(draft, link.value)


def household_of(draft: Draft, row: MemberRow) -> list[bytes]:
    """Return the keys of everyone in the member's household, the member included."""
    return [name.value for name in HOUSEHOLDS.scan(draft, row.household)] if row.household else [row.key]


def excluded_of(draft: Draft, row: MemberRow, provider: bytes) -> tuple[bytes, ...]:
    """Return the members who may never vote on a member's claim: the claimant, household, vouchers, the provider."""
    treating = owner_of_key(draft, provider) or provider
    return tuple(sorted({row.key, provider, treating, *household_of(draft, row), *row.vouchers}))


def is_voter(row: MemberRow) -> bool:
    """True iff the member may vote now."""
    return bool(row.voting) and row.voting[-1][1]


def was_voter(row: MemberRow, height: int) -> bool:
    """True iff the member may vote as of the end of block `height`."""
    for since, may_vote in row.voting[::-1]:
        if since <= height:
            return may_vote
    return False


def voters_now(draft: Draft) -> list[bytes]:
    """Return everybody who may vote now, in no order that means anything. Linear in members: only draws ask for it."""
    return [key for row in VOTERS.scan(draft) for key in row.keys]


def voters_as_of(day: Day, height: int) -> list[bytes]:
    """Return everybody who could vote as of a recent block. Linear in members."""
    changed = {
        name.value for since in range(height + 1, day.height + 1) for name in VOTE_CHANGES.scan(day.draft, since)
    }
    voters = voters_now(day.draft)
    if changed:
        voters = [key for key in voters if key not in changed]
    return voters + [key for key in sorted(changed) if was_voter(MEMBERS.get(day.draft, key), height)]


def set_voting_right(day: Day, key: bytes, may_vote: bool) -> None:
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
    MEMBERS.put(day.draft, replace(row, voting=history), key)
    day.count(voters=1 if may_vote else -1)
    _list_voter(day, key, may_vote)


def _list_voter(day: Day, key: bytes, may_vote: bool) -> None:
    """Keep the list of voters, in rows of a bounded length: a member keeps one place in it for ever."""
    place = VOTER_PLACES.find(day.draft, key)
    if place is None:
        place = Number((VOTER_PLACES_GIVEN.add(day.draft, 1) - 1) // VOTERS_A_ROW)
        VOTER_PLACES.put(day.draft, place, key)
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


def check_may_vote(day: Day, member: MemberRow) -> None:
    """Raise RuleBroken, with the reason, unless a member may vote now."""
    if is_voter(member):
        return
    if not member.is_member:
        what = f"the author's membership ended in block {member.left_height}"
        raise RuleBroken("may_not_vote", what, "apply to come back")
    row = CONTRACTS.find(day.draft, member.key)
    if row is not None and row.suspended_from is not None:
        what = f"the author is suspended from block {row.suspended_from} on and owes {row.owed_cents}"
        raise RuleBroken("may_not_vote", what, "pay it; you can vote again the same day")
    if member.no_vote_until >= day.height:
        what = f"after a finding of fraud the author does not vote until block {member.no_vote_until}"
        raise RuleBroken("may_not_vote", what, f"vote from block {member.no_vote_until + 1} on")
    needed, complete = day.params.voting_after_terms, terms_complete_of(day, member)
    first = calendar.last_height_of(member.since_term + needed - 1) + 1
    what = f"the author has been a member for {complete} of the {needed} complete terms needed to vote"
    raise RuleBroken("may_not_vote", what, f"vote on what opens from block {first} on")


def terms_complete_of(day: Day, row: MemberRow) -> int:
    """Return complete terms since the present membership began."""
    return max(0, day.terms_complete - row.since_term)


def is_good_standing(day: Day, row: MemberRow) -> bool:
    """True iff a member may vouch: not suspended, no fraud in 12 terms, 6 complete terms (founders always)."""
    recent_fraud = row.fraud_height is not None and row.fraud_height > day.height - 360
    long_enough = row.is_founder or day.terms_over - row.since_term >= 6
    return row.is_member and not is_suspended(day.draft, row.key) and not recent_fraud and long_enough


def restore_voting_right(day: Day, key: bytes, terms_complete: int) -> None:
    """Give back the right to vote if nothing prevents it; `terms_complete`: of the co-op, now."""
    row = MEMBERS.get(day.draft, key)
    matured = row.is_founder or terms_complete - row.since_term >= day.params.voting_after_terms
    if row.is_member and matured and row.no_vote_until <= day.height:
        set_voting_right(day, key, True)


def schedule_voting(day: Day, key: bytes, terms_complete: int) -> None:
    """Let the member vote from the end of the boundary at which so many terms are complete."""
    MATURING_VOTES.put(day.draft, Name(key), terms_complete, key)


def add_member(day: Day, row: MemberRow) -> None:
    """Write a new (or returning) member with the cover and household it belongs to."""
    MEMBERS.put(day.draft, row, row.key)
    COVERS.put(day.draft, Name(row.key), row.cover)
    if row.household:
        HOUSEHOLDS.put(day.draft, Name(row.key), row.household, row.key)
    day.count(members=1)


def end_membership(day: Day, key: bytes) -> None:
    """End a membership: no vote, no place in the household; the record stays."""
    set_voting_right(day, key, False)
    row = MEMBERS.get(day.draft, key)
    MEMBERS.put(day.draft, replace(row, is_member=False, leave_term=None, until=None, left_height=day.height), key)
    if row.household:
        HOUSEHOLDS.delete(day.draft, row.household, key)
    ENDED_MEMBERSHIPS.put(day.draft, Name(key), key)
    day.count(members=-1)


def end_term(day: Day) -> None:
    """Give the vote to members whose waiting for it ends with this term, unless they are suspended."""
    for name in list(MATURING_VOTES.scan(day.draft, day.terms_complete)):
        MATURING_VOTES.delete(day.draft, day.terms_complete, name.value)
        if not is_suspended(day.draft, name.value):
            restore_voting_right(day, name.value, day.terms_complete)


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
