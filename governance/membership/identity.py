"""Keys after genesis: devices that a member certifies and revokes, and the move of an identity to a new key (rules §2).

The identity key certifies devices; a device signs daily records and nothing on this page. k of n guardians may open a
move to a new key. It takes effect `guardian_blocks` later, unless the old key objects: then it is gone, and guardians
wait `guardian_pause_blocks` before they may try again. With the move every device of the old key is revoked. The
member's id stays the first key, and with it the record, the contract, the covers and the delegations.
"""

from __future__ import annotations

from collections.abc import Iterator

from governance.acts import Act, Attested, check_attested, hash_of
from governance.day import Day
from governance.membership import guardians, members
from governance.state.applications import APPLICATIONS
from governance.state.keys import DEVICES, IDENTITY_MOVES, IDENTITY_MOVES_DUE, KEY_OWNERS, MoveRow, OwnerRow
from governance.state.members import MEMBERS
from governance.state.providers import PROVIDERS
from governance.tables import Draft, Name
from ledger.codec import Shape
from ledger.errors import RuleBroken

# ---- Records ------------------------------------------------------------
DEVICES_MAX = 16
"""A move revokes all of them in one block."""


class DeviceBody(Shape):
    """Certify a device: from now on it signs daily records for the author. The device key signs its consent."""

    device: bytes


class RevokeBody(Shape):
    """Revoke a device for good: it can no longer sign any record."""

    device: bytes


class MoveBody(Shape):
    """Open, as any member, the move of an identity; `serial`: the guardians' now, so attestations count once."""

    member: bytes
    new_key: bytes
    serial: int


class MoveObjectBody(Shape):
    """The current identity key objects to a move and cancels it."""


DEVICE = Attested(
    "device", hash_of("device-certify", with_author=True), "the device wants to sign for this member", key="device"
)
GUARDIAN = Attested("guardian", hash_of("identity-move"), "k of the member's n guardians")
NEW_KEY = Attested("new-key", hash_of("identity-move"), "the new key itself")


# ---- Rules: devices -------------------------------------------------------
def check_certify(day: Day, act: Act, body: DeviceBody) -> None:
    """Raise RuleBroken unless a member certifies a key that is nobody's and that wants it."""
    members.check_member(day.draft, act.author)
    check_fresh(day, body.device)
    if body.device in guardians.guardians_of(day.draft, act.author).keys:
        raise RuleBroken("guardian_own", "this key is one of the author's guardians", "use a fresh device key")
    count = len(members.devices_of(day.draft, act.author))
    if count >= DEVICES_MAX:
        what = f"{count} of {DEVICES_MAX} devices are certified"
        raise RuleBroken("devices_full", what, "revoke one that you do not use")
    if not day.coop.is_rehearsal:
        check_attested(act, DEVICE, body, (body.device,), 1)


def apply_certify(day: Day, act: Act, body: DeviceBody) -> None:
    """Let the device sign for the author."""
    members.add_device(day.draft, act.author, body.device)
    day.emit("device_certified", member=act.author, device=body.device)


def check_revoke(day: Day, act: Act, body: RevokeBody) -> None:
    """Raise RuleBroken unless the device is one of the author's. A past member may revoke, too."""
    device = DEVICES.find(day.draft, body.device)
    if device is None or device.value != act.author:
        what = "the author has no such device in use"
        raise RuleBroken("device_unknown", what, "see the devices: mutua keys device list")


def apply_revoke(day: Day, act: Act, body: RevokeBody) -> None:
    """Let the device sign no longer."""
    members.drop_device(day.draft, act.author, body.device)
    day.emit("device_revoked", member=act.author, device=body.device)


def check_fresh(day: Day, key: bytes) -> None:
    """Raise RuleBroken if a key is or was an identity, device, cover, applicant or provider."""
    if not 1 <= len(key) <= guardians.NAME_SIZE_MAX:
        raise RuleBroken("key_taken", f"{len(key)} bytes are not a valid key", "use a fresh key")
    is_applicant = APPLICATIONS.find(day.draft, key) is not None
    if is_applicant or members.owner_of_key(day.draft, key) is not None or PROVIDERS.find(day.draft, key) is not None:
        what = "this key is or was an identity, device, cover or provider of this co-op"
        raise RuleBroken("key_taken", what, "use a fresh key")


# ---- Rules: moving an identity ----------------------------------------------
def check_move(day: Day, act: Act, body: MoveBody) -> None:
    """Raise RuleBroken unless k guardians and the new key ask for a move that may be opened now."""
    members.check_member(day.draft, act.author)
    if MEMBERS.find(day.draft, body.member) is None:
        raise RuleBroken("member_unknown", "no present or past member has this id", "name the member by the first key")
    row = guardians.guardians_of(day.draft, body.member)
    if not row.keys:
        raise RuleBroken("no_guardians", "the member named no guardians", "nobody can move this identity")
    pending = IDENTITY_MOVES.find(day.draft, body.member)
    if pending is not None:
        what = f"a move of this identity takes effect at the end of block {pending.until}"
        raise RuleBroken("move_pending", what, "wait for its end")
    if day.height <= row.paused_until:
        what = f"the old key objected; no move is opened until block {row.paused_until}"
        raise RuleBroken("move_paused", what, "wait until then")
    if body.serial != row.serial:
        what = f"the move has serial number {body.serial}, but the guardians' current one is {row.serial}"
        raise RuleBroken("move_stale", what, "have the guardians sign a new one")
    check_fresh(day, body.new_key)
    if body.new_key in row.keys:
        raise RuleBroken("key_taken", "the new key is a guardian's", "use a fresh key")
    check_attested(act, GUARDIAN, body, guardians.signing_keys_of(day.draft, row), row.threshold)
    if not day.coop.is_rehearsal:
        check_attested(act, NEW_KEY, body, (body.new_key,), 1)


def apply_move(day: Day, _act: Act, body: MoveBody) -> None:
    """Open the move; the new key is kept for it."""
    until = day.height + day.params.guardian_blocks
    guardians.count_move(day.draft, body.member)
    IDENTITY_MOVES.put(day.draft, MoveRow(body.member, body.new_key, day.height, until), body.member)
    IDENTITY_MOVES_DUE.put(day.draft, Name(body.member), until, body.member)
    KEY_OWNERS.put(day.draft, OwnerRow(body.member, "offered"), body.new_key)
    day.emit("identity_move_opened", member=body.member, key=body.new_key, until=until)


def check_move_object(day: Day, act: Act, _body: MoveObjectBody) -> None:
    """Raise RuleBroken unless a move of the author's identity is pending."""
    if IDENTITY_MOVES.find(day.draft, act.author) is None:
        raise RuleBroken("no_move", "no move of this identity is pending", "the identity stays as it is")


def apply_move_object(day: Day, act: Act, _body: MoveObjectBody) -> None:
    """Take the move back; guardians wait before they may try again."""
    row = IDENTITY_MOVES.get(day.draft, act.author)
    _forget(day, row)
    KEY_OWNERS.delete(day.draft, row.new_key)
    guardians.pause(day.draft, act.author, day.height + day.params.guardian_pause_blocks)
    day.emit("identity_move_objected", member=act.author, key=row.new_key)


def _forget(day: Day, row: MoveRow) -> None:
    IDENTITY_MOVES.delete(day.draft, row.member)
    IDENTITY_MOVES_DUE.delete(day.draft, row.until, row.member)


def end_day(day: Day) -> None:
    """Let the moves whose time has come take effect: the new key is the only one that signs."""
    for name in list(IDENTITY_MOVES_DUE.scan(day.draft, day.height)):
        row = IDENTITY_MOVES.get(day.draft, name.value)
        _forget(day, row)
        members.move_identity(day.draft, row.member, row.new_key)
        day.emit("identity_moved", member=row.member, key=row.new_key)


# ---- Invariants ---------------------------------------------------------
def broken_invariants(draft: Draft) -> Iterator[str]:
    """Yield a sentence for each pending move that would never end or whose key is somebody else's."""
    for row in IDENTITY_MOVES.scan(draft):
        if (
            IDENTITY_MOVES_DUE.find(draft, row.until, row.member) is None
            or members.owner_of_key(draft, row.new_key) != row.member
        ):
            yield f"the move of {row.member.hex()} never ends, or to a key of another"
