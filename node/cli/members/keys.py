"""`mutua keys device | guardians | move | object`.

Who signs for you, and how an identity goes to a new key (rules §2).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any

from cyclopts import App, Parameter

from ledger.errors import MutuaError
from node.api.client import Client
from node.cli.common import (
    DEFAULT,
    ID_DIGITS,
    Common,
    full_id,
    is_confirmed,
    member_id,
    own_member,
    report_submission,
    say,
    short,
    table,
)

app = App(name="keys", help="Devices, guardians, and the move of an identity to a new key.")
device = App(name="device", help="Devices that sign for you.")
guardians = App(name="guardians", help="Who may move your identity to a new key.")
app.command(device)
app.command(guardians)

Json = Mapping[str, Any]
Yes = Annotated[bool, Parameter(name=("--yes", "-y"), negative="")]


def whole_key(text: str, whose: str) -> str:
    """Return a public key of 64 hex digits. MutuaError `id`: a key that the ledger does not know has no short form."""
    if len(text.strip()) != ID_DIGITS:
        raise MutuaError("id", f"{text!r} is no key of {whose}", f"give all its {ID_DIGITS} hex digits")
    return full_id(text, lambda: (), whose)


def _own_keys(client: Client) -> Json:
    return client.view("keys", member=own_member(client.status()))


# ---- Devices ------------------------------------------------------------------------


@device.command(name="list")
def device_list(*, common: Common = DEFAULT) -> int:
    """List the devices that may sign your daily records."""
    answer = _own_keys(common.client())
    return say(
        common,
        answer["devices"],
        lambda: [*answer["devices"], f"{len(answer['devices'])} of {answer['devices_max']} devices"],
    )


@device.command(name="add")
def device_add(key: str, out: Path, *, common: Common = DEFAULT) -> int:  # noqa: D417
    """Draft the certificate of a device. On the device: mutua bundle attest FILE; then here: mutua bundle submit FILE.

    Parameters
    ----------
    key
        The device's public key: 64 hex digits.
    out
        The bundle to write; an existing file is never overwritten.

    """
    from node.cli.members.bundle import write_draft
    from node.own.bundles import new_bundle

    status = common.client().status()
    author = bytes.fromhex(own_member(status))
    body = {"device": whole_key(key, "a device")}
    return write_draft(common, out, new_bundle(bytes.fromhex(str(status["chain_id"])), "device.certify", body, author))


@device.command(name="revoke")
def device_revoke(key: str, *, yes: Yes = False, wait: float = 0.0, common: Common = DEFAULT) -> int:  # noqa: D417
    """Revoke a device: it signs nothing for you any more, and never again.

    Parameters
    ----------
    key
        The device's public key, or its first digits.
    yes
        Do not ask before sending.
    wait
        Seconds to wait until it is final.

    """
    client = common.client()
    wanted = full_id(key, lambda: map(str, _own_keys(client)["devices"]), "device")
    review = [f"device {short(wanted)} signs nothing for you from the next block on; this key is never certified again"]
    if not is_confirmed(common, yes=yes, review=review, question="revoke it?"):
        return say(common, {}, "nothing was sent")
    answer = client.submit("device.revoke", {"device": wanted})
    return report_submission(common, client, answer, f"device {short(wanted)} revoked", wait)


# ---- Guardians ----------------------------------------------------------------------


@guardians.command(name="set")
def guardians_set(  # noqa: D417
    *keys: str,
    threshold: int = 0,
    yes: Yes = False,
    wait: float = 0.0,
    common: Common = DEFAULT,
) -> int:
    """Name your guardians anew. Without keys: no guardians any more.

    Parameters
    ----------
    keys
        Their public keys, 64 hex digits each; of a member the identity key.
    threshold
        How many of them must agree.
    yes
        Do not ask before sending.
    wait
        Seconds to wait until it is final.

    """
    client = common.client()
    own_member(client.status())
    named = [whole_key(key, "a guardian") for key in keys]
    review = [
        (
            f"any {threshold} of these {len(named)} may move your identity to a new key:"
            if named
            else "nobody may move your identity any more;"
        ),
        *(f"  {key}" for key in named),
        (
            "you could object within some days, with your identity key; what they signed before counts no more"
            if named
            else "if you lose the key, it is lost"
        ),
    ]
    if not is_confirmed(common, yes=yes, review=review, question="name them?"):
        return say(common, {}, "nothing was sent")
    answer = client.submit("guardians.set", {"threshold": threshold, "keys": named})
    return report_submission(common, client, answer, f"{threshold} of {len(named)} guardians named", wait)


@guardians.command(name="show")
def guardians_show(member: str = "", *, common: Common = DEFAULT) -> int:  # noqa: D417
    """Show a member's identity key, guardians, and a move on its way.

    Parameters
    ----------
    member
        The member's key, or its first digits; yourself by default.

    """
    client = common.client()
    answer = client.view("keys", member=member_id(client, member) if member else own_member(client.status()))
    return say(common, answer, lambda: _guardian_lines(answer))


def _guardian_lines(answer: Json) -> Iterator[str]:
    row, move = answer["guardians"], answer["move"]
    yield f"identity   {answer['identity_key']}{'' if answer['identity_key'] == answer['member'] else ' (moved)'}"
    if row["keys"]:
        yield f"guardians  {row['threshold']} of {len(row['keys'])} must agree; number {row['serial']}"
        yield from table(("guardian",), [(key,) for key in row["keys"]])[1:]
    else:
        yield "guardians  none: nobody can move this identity"
    if row["paused_until"] is not None:
        yield f"paused     guardians open no move until block {row['paused_until']}"
    if move is not None:
        yield (
            f"MOVE       to {move['new_key']} at the end of block {move['until']}; the old key may object: mutua keys"
            " object"
        )


# ---- Moving ---------------------------------------------------------------------------


@app.command(name="move")
def move_command(member: str, new_key: str, out: Path, *, common: Common = DEFAULT) -> int:  # noqa: D417
    """Draft the move of a member's identity to a new key, for the guardians and the new key to sign.

    Any member's node may submit it.

    Each guardian: mutua bundle attest FILE --role guardian; the new key: mutua bundle attest FILE --role new-key; then
    mutua bundle submit FILE.

    Parameters
    ----------
    member
        The member whose key is lost: the first identity key, or its first digits.
    new_key
        The new identity key: 64 hex digits.
    out
        The bundle to write; an existing file is never overwritten.

    """
    from node.cli.members.bundle import write_draft
    from node.own.bundles import new_bundle

    client = common.client()
    whose = member_id(client, member)
    serial = int(client.view("keys", member=whose)["guardians"]["serial"])
    body = {"member": whose, "new_key": whole_key(new_key, "the new identity"), "serial": serial}
    return write_draft(common, out, new_bundle(bytes.fromhex(str(client.status()["chain_id"])), "identity.move", body))


@app.command(name="object")
def object_command(*, yes: Yes = False, wait: float = 0.0, common: Common = DEFAULT) -> int:  # noqa: D417
    """Object to the move of your identity that is on its way. The identity key of this node signs it.

    Parameters
    ----------
    yes
        Do not ask before sending.
    wait
        Seconds to wait until it is final.

    """
    client = common.client()
    move = _own_keys(client)["move"]
    review = (
        ["no move of your identity is on its way"]
        if move is None
        else [f"your identity stays where it is; it goes not to {short(move['new_key'])}"]
    )
    if not is_confirmed(common, yes=yes, review=review, question="object?"):
        return say(common, {}, "nothing was sent")
    answer = client.submit("identity.object", {})
    return report_submission(common, client, answer, "objection to the move of your identity", wait)
