"""`mutua provider list | add | claim`: who may treat members, and a claim that a provider files itself."""

from __future__ import annotations

from dataclasses import fields

from cyclopts import App

from node.api.views.coop import PROVIDERS
from node.cli.claims.bill import NO_SERVICE, Service
from node.cli.common import DEFAULT, Common, NewBundle, say, table, whole_key

app = App(name="provider", help="List providers, add one to the list, or draft a provider's claim.")


@app.command(name="list")
def list_command(*, common: Common = DEFAULT) -> int:
    """List the providers: the key that signs claims, and the name people know it by."""
    found = common.session().view(PROVIDERS)
    rows = [(item.identifier, item.key) for item in found]
    return say(common, found, lambda: table(("provider", "key"), rows, "no providers"))


@app.command
def add(key: str, identifier: str, out: NewBundle, *, common: Common = DEFAULT) -> int:
    """Draft the listing of a provider, for a verifier to attest (mutua bundle attest) and any member to submit.

    If the co-op has no verifier, or to take a provider off the list, use mutua proposal open.

    :param key: The provider's public key: 64 hex digits.
    :param identifier: The name people know it by, such as a licence number.
    """
    from node.cli.members.bundle import draft

    body = {"key": whole_key(key, "a provider"), "identifier": identifier}
    return draft(common, common.session(), out, "provider.list", body)


@app.command
def claim(
    out: NewBundle, *, cover: str, scheme: str, provider: str, bill: Service = NO_SERVICE, common: Common = DEFAULT
) -> int:
    """Draft a claim that a provider files for a patient in a community scheme, and is paid for. Any node will do.

    The provider signs it (mutua bundle sign OUT --seed-file FILE --until HEIGHT), and any member's node submits
    it (mutua bundle submit). The patient is told, and may withdraw or report it.

    :param cover: The patient's cover key: 64 hex digits.
    :param scheme: The community scheme, as the charter names it.
    :param provider: The provider: its identifier in the charter, or its key.
    """
    from node.cli.claims.bill import Bill, bill_body
    from node.cli.members.bundle import draft

    session = common.session()
    given = {item.name: getattr(bill, item.name) for item in fields(bill)}
    whole = Bill(**given, provider=provider, payee="provider")
    body = bill_body(session, whole, whole_key(cover, "a cover"))
    body |= {"scheme": scheme, "submitter_role": "provider", "payout_commitment": ""}
    return draft(common, session, out, "claim.file", body, author=body["provider_id"])
