"""`mutua provider list | add | claim`.

Who may treat members, how another comes onto the list, and a claim that a provider files itself.
"""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

from cyclopts import App

from ledger.errors import MutuaError
from node.cli.claims.bill import NO_SERVICE, Service
from node.cli.common import DEFAULT, ID_DIGITS, Common, full_id, say, table

app = App(name="provider", help="Who may treat members, and how another comes onto the list.")


@app.command(name="list")
def list_command(*, common: Common = DEFAULT) -> int:
    """List the providers: the key that signs claims, and the name people know it by."""
    providers = common.client().view("providers")
    return say(
        common,
        providers,
        lambda: (
            table(("provider", "key"), [(item["identifier"], item["key"]) for item in providers])
            if providers
            else ["no providers"]
        ),
    )


@app.command
def add(key: str, identifier: str, out: Path, *, common: Common = DEFAULT) -> int:  # noqa: D417
    """Draft the listing of a provider, for a verifier to attest.

    Mutua bundle attest, then mutua bundle submit by any member.

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
    from node.cli.members.bundle import write_draft
    from node.own.bundles import new_bundle

    if len(key.strip()) != ID_DIGITS:
        raise MutuaError("id", f"{key!r} is no key of a provider", f"give all its {ID_DIGITS} hex digits")
    client = common.client()
    body = {"key": full_id(key, lambda: (), "provider"), "identifier": identifier}
    return write_draft(common, out, new_bundle(bytes.fromhex(str(client.status()["chain_id"])), "provider.list", body))


@app.command
def claim(  # noqa: D417
    out: Path, *, cover: str, scheme: str, provider: str, bill: Service = NO_SERVICE, common: Common = DEFAULT
) -> int:
    """Draft a claim that a provider files for a patient in a community scheme, and is paid for. Any node will do.

    The provider signs it whole (mutua bundle sign OUT --seed-file FILE --until HEIGHT), and any member's node submits
    it (mutua bundle submit). The patient is told, and may withdraw or report it.

    Parameters
    ----------
    out
        The bundle to write; an existing file is never overwritten.
    cover
        The patient's cover key: 64 hex digits.
    scheme
        The community scheme, as the charter names it.
    provider
        The provider: its identifier in the charter, or its key.

    """
    from node.cli.claims.bill import Bill, bill_body
    from node.cli.members.bundle import write_draft
    from node.own.bundles import new_bundle

    if len(cover.strip()) != ID_DIGITS:
        raise MutuaError("id", f"{cover!r} is no key of a cover", f"give all its {ID_DIGITS} hex digits")
    client = common.client()
    status = client.status()
    given = {item.name: getattr(bill, item.name) for item in fields(bill)}
    whole = Bill(**given, provider=provider, payee="provider")
    body = bill_body(client, status, whole, full_id(cover, lambda: (), "cover"))
    body |= {"scheme": scheme, "submitter_role": "provider", "payout_commitment": ""}
    author = bytes.fromhex(body["provider_id"])
    return write_draft(common, out, new_bundle(bytes.fromhex(str(status["chain_id"])), "claim.file", body, author))
