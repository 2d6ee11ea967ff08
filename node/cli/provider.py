"""`mutua provider list | add`: who may treat members, and the draft by which another comes onto the list."""

from __future__ import annotations

from pathlib import Path

from cyclopts import App

from ledger.errors import MutuaError
from node.cli.common import DEFAULT, ID_DIGITS, Common, full_id, say, table

app = App(name="provider", help="Who may treat members, and how another comes onto the list.")


@app.command(name="list")
def list_command(*, common: Common = DEFAULT) -> int:
    """List the providers: the key that signs claims, and the name people know it by."""
    providers = common.client().view("providers")
    return say(
        common, providers, lambda: table(("provider", "key"), [(item["identifier"], item["key"]) for item in providers]) if providers else ["no providers"]
    )


@app.command
def add(key: str, identifier: str, out: Path, *, common: Common = DEFAULT) -> int:  # noqa: D417
    """Draft the listing of a provider, for a verifier to attest: mutua bundle attest, then mutua bundle submit by any member.

    Where the co-op has no verifier, or to take a provider off the list: mutua proposal open.

    Parameters
    ----------
    key
        The provider's public key: 64 hex digits.
    identifier
        The name people know it by, such as a licence number.
    out
        The bundle to write; an existing file is never overwritten.

    """
    from node.bundles import new_bundle
    from node.cli.bundle import write_draft

    if len(key.strip()) != ID_DIGITS:
        raise MutuaError("id", f"{key!r} is no key of a provider", f"give all its {ID_DIGITS} hex digits")
    client = common.client()
    body = {"key": full_id(key, lambda: (), "provider"), "identifier": identifier}
    return write_draft(common, out, new_bundle(bytes.fromhex(str(client.status()["chain_id"])), "provider.list", body))
