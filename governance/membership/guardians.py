"""Guardians: k of n keys that a member trusts to move the identity to a new key when the old one is lost (rules §2).

Guardians can only open a move, and the old key can cancel it. A member names guardians by key. A guardian who is also a
member signs with the current identity key, so a key that a guardian has lost gives nobody access.
"""

from __future__ import annotations

from collections.abc import Iterator

from msgspec.structs import replace

from governance.acts import Act
from governance.day import Day
from governance.membership import members
from governance.state.guardians import GUARDIANS, GuardiansRow
from governance.state.keys import DEVICES, KEY_OWNERS
from governance.tables import Draft
from ledger.codec import Shape
from ledger.errors import RuleBroken
from ledger.hashing import HASH_SIZE

# ---- Records ------------------------------------------------------------
GUARDIANS_MAX = 15
"""With the new key they fit the attestations of one record."""
NAME_SIZE_MAX = 128


class GuardiansBody(Shape):
    """Name the author's guardians: `threshold` of `keys` may move the identity. No keys and 0: no guardians."""

    threshold: int
    keys: tuple[bytes, ...]


# ---- Rules --------------------------------------------------------------
def guardians_of(draft: Draft, member: bytes) -> GuardiansRow:
    """Return a member's guardians; none at first."""
    return GUARDIANS.find(draft, member) or GuardiansRow(member, 0, (), 0, -1)


def check_set(day: Day, act: Act, body: GuardiansBody) -> None:
    """Raise RuleBroken unless the author is a member and the guardians are k of n different keys of others."""
    members.check_member(day.draft, act.author)
    count = len(body.keys)
    is_whole = all(
        len(key) == HASH_SIZE or (day.coop.is_rehearsal and 1 <= len(key) <= NAME_SIZE_MAX) for key in body.keys
    )
    if not min(1, count) <= body.threshold <= count <= GUARDIANS_MAX or len(set(body.keys)) != count or not is_whole:
        hint = f"name 1 to {GUARDIANS_MAX} different keys of {HASH_SIZE} bytes and how many must agree, or none and 0"
        raise RuleBroken("guardians_shape", f"{body.threshold} of {count} keys are not a valid set of guardians", hint)
    own = next((key for key in body.keys if members.owner_of_key(day.draft, key) == act.author), None)
    if own is not None:
        what = f"guardian {own.hex()[:12]} is a key of the author"
        raise RuleBroken("guardian_own", what, "name keys of people you trust")


def apply_set(day: Day, act: Act, body: GuardiansBody) -> None:
    """Name guardians. A move that is pending goes on as it was opened; the author may object to it."""
    row = guardians_of(day.draft, act.author)
    fresh = GuardiansRow(act.author, body.threshold, tuple(sorted(body.keys)), row.serial + 1, row.paused_until)
    GUARDIANS.put(day.draft, fresh, act.author)
    day.emit("guardians_set", member=act.author, threshold=fresh.threshold, guardians=fresh.keys)


def signing_keys_of(draft: Draft, row: GuardiansRow) -> set[bytes]:
    """Return the keys with which guardians sign now: a member's identity key, or the key that was named."""
    return {voice for key in row.keys if (voice := _signing_key_of(draft, key)) is not None}


def _signing_key_of(draft: Draft, key: bytes) -> bytes | None:
    """Return the key with which a guardian signs; a device that its member revoked no longer can."""
    taken = KEY_OWNERS.find(draft, key)
    if taken is not None and taken.role == "device":
        return key if DEVICES.find(draft, key) is not None else None
    return members.identity_key_of(draft, key if taken is None else taken.member)


def count_move(draft: Draft, member: bytes) -> None:
    """Note that a move was opened: the attestations for it are used up."""
    row = guardians_of(draft, member)
    GUARDIANS.put(draft, replace(row, serial=row.serial + 1), member)


def pause(draft: Draft, member: bytes, until: int) -> None:
    """Let no move be opened up to a height."""
    GUARDIANS.put(draft, replace(guardians_of(draft, member), paused_until=until), member)


# ---- Invariants ---------------------------------------------------------
def broken_invariants(draft: Draft) -> Iterator[str]:
    """Yield a sentence for guardians that nobody could reach, or that are the member's own keys."""
    for row in GUARDIANS.scan(draft):
        if not min(1, len(row.keys)) <= row.threshold <= len(row.keys):
            yield f"{row.threshold} of {len(row.keys)} guardians of {row.member.hex()} are needed"
        if any(members.owner_of_key(draft, key) == row.member for key in row.keys):
            yield f"a guardian of {row.member.hex()} is a key of its own"
