"""`mutua keys device | guardians | move | object`: who signs for you, and the move to a new key (rules §2)."""

from __future__ import annotations

from collections.abc import Iterator

from cyclopts import App

from node.api.text import short
from node.api.views.members import KEYS, Keys
from node.cli.common import DEFAULT, SEND, Common, NewBundle, Sending, Session, Whole, full_id, say, table, whole_key

app = App(name="keys", help="Devices, guardians, and the move of an identity to a new key.")
device = App(name="device", help="Devices that sign for you.")
guardians = App(name="guardians", help="Who may move your identity to a new key.")
app.command(device)
app.command(guardians)


def _own_keys(session: Session) -> Keys:
    return session.view(KEYS, member=session.member)


# ---- Devices ------------------------------------------------------------------------


@device.command(name="list")
def device_list(*, common: Common = DEFAULT) -> int:
    """List the devices that may sign your daily records."""
    answer = _own_keys(common.session())
    count = f"{len(answer.devices)} of {answer.devices_max} devices"
    return say(common, answer.devices, lambda: [*answer.devices, count])


@device.command(name="add")
def device_add(key: str, out: NewBundle, *, common: Common = DEFAULT) -> int:
    """Draft the certificate of a device. On the device: mutua bundle attest FILE; then here: mutua bundle submit FILE.

    :param key: The device's public key: 64 hex digits.
    """
    from node.cli.members.bundle import draft

    session = common.session()
    author = session.member
    return draft(common, session, out, "device.certify", {"device": whole_key(key, "a device")}, author=author)


@device.command(name="revoke")
def device_revoke(key: str, *, send: Sending = SEND, common: Common = DEFAULT) -> int:
    """Revoke a device for good: it can no longer sign for you.

    :param key: The device's public key, or its first digits.
    """
    session = common.session()
    wanted = full_id(key, lambda: _own_keys(session).devices, "device")
    end = "can sign nothing for you from the next block on, and this key can never be certified again"
    review = [f"device {short(wanted)} {end}"]
    body, done = {"device": wanted}, f"device {short(wanted)} revoked"
    return send.send(common, session, "device.revoke", body, review=review, question="revoke it?", done=done)


# ---- Guardians ----------------------------------------------------------------------


@guardians.command(name="set")
def guardians_set(*keys: str, threshold: Whole = 0, send: Sending = SEND, common: Common = DEFAULT) -> int:
    """Name all your guardians; this replaces the earlier list. Without keys, you have none.

    :param keys: Their public keys, 64 hex digits each; of a member the identity key.
    :param threshold: How many of them must agree.
    """
    session = common.session()
    _, named = session.member, [whole_key(key, "a guardian") for key in keys]
    review = ["nobody may move your identity any more;", "if you lose the key, nobody can restore your membership"]
    if named:
        review = [
            f"any {threshold} of these {len(named)} may move your identity to a new key:",
            *(f"  {key}" for key in named),
            "you could object within some days, with your identity key; what they signed before counts no more",
        ]
    body, done = {"threshold": threshold, "keys": named}, f"{threshold} of {len(named)} guardians named"
    return send.send(common, session, "guardians.set", body, review=review, question="name them?", done=done)


@guardians.command(name="show")
def guardians_show(member: str = "", *, common: Common = DEFAULT) -> int:
    """Show a member's identity key, guardians, and any pending move.

    :param member: The member's key, or its first digits; yourself by default.
    """
    session = common.session()
    answer = session.view(KEYS, member=session.member_or(member))
    return say(common, answer, lambda: _guardian_lines(answer))


def _guardian_lines(answer: Keys) -> Iterator[str]:
    row, move = answer.guardians, answer.move
    yield f"identity   {answer.identity_key}{'' if answer.identity_key == answer.member else ' (moved)'}"
    if row.keys:
        yield f"guardians  {row.threshold} of {len(row.keys)} must agree; number {row.serial}"
        yield from table(("guardian",), [(key,) for key in row.keys])[1:]
    else:
        yield "guardians  none: nobody can move this identity"
    if row.paused_until is not None:
        yield f"paused     guardians open no move until block {row.paused_until}"
    if move is not None:
        when = f"at the end of block {move.until}"
        yield f"MOVE       to {move.new_key} {when}; the old key may object: mutua keys object"


# ---- Moving ---------------------------------------------------------------------------


@app.command(name="move")
def move_command(member: str, new_key: str, out: NewBundle, *, common: Common = DEFAULT) -> int:
    """Draft the move of a member's identity to a new key, for the guardians and the new key to sign.

    Any member's node may submit it.

    Each guardian: mutua bundle attest FILE --role guardian; the new key: mutua bundle attest FILE --role new-key; then
    mutua bundle submit FILE.

    :param member: The member whose key is lost: the first identity key, or its first digits.
    :param new_key: The new identity key: 64 hex digits.
    """
    from node.cli.members.bundle import draft

    session = common.session()
    whose = session.member_id(member)
    serial = session.view(KEYS, member=whose).guardians.serial
    body = {"member": whose, "new_key": whole_key(new_key, "the new identity"), "serial": serial}
    return draft(common, session, out, "identity.move", body)


@app.command(name="object")
def object_command(*, send: Sending = SEND, common: Common = DEFAULT) -> int:
    """Object to the pending move of your identity. The identity key of this node signs it."""
    session = common.session()
    move = _own_keys(session).move
    review = (
        "no move of your identity is on its way"
        if move is None
        else f"your identity keeps its key and does not move to {short(move.new_key)}"
    )
    done = "objection to the move of your identity"
    return send.send(common, session, "identity.object", {}, review=[review], question="object?", done=done)
