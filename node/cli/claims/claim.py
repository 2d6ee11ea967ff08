"""`mutua claim …`: file a claim, ask before a service, add evidence, withdraw, appeal, look up and explain."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter

from ledger.errors import MutuaError
from node.api.text import short
from node.api.views.claims import CLAIMS, ClaimHead
from node.cli.claims.acts import appeal, evidence, withdraw
from node.cli.claims.files import attest, draft_command, preauthorise, submit
from node.cli.common import DEFAULT, ClaimId, Common, Flag, Row, Whole, say, table

app = App(name="claim", help="File claims, ask before a service, add evidence, withdraw, appeal, look up and explain.")
app.command(submit)
app.command(preauthorise)
app.command(draft_command, name="draft")
app.command(attest)
app.command(evidence)
app.command(withdraw)
app.command(appeal)


@app.command(name="import")
def import_command(
    file: Path,
    *,
    patient: str = "",
    map_code: Annotated[list[str] | None, Parameter(negative="")] = None,
    map_provider: Annotated[list[str] | None, Parameter(negative="")] = None,
    provider_seed_file: Path | None = None,
    leave_out: Annotated[list[str] | None, Parameter(negative="")] = None,
    wait: Whole = 60,
    partial: Flag = False,
    common: Common = DEFAULT,
) -> int:
    """Import the claims of a FHIR R4 file (Claim with Encounter; single, Bundle or NDJSON).

    Nothing is sent unless every claim can be filed or stands already. Run it again as often as you like.

    :param file: The file.
    :param patient: Take the claims of this patient only, such as Patient/7.
    :param map_code: SYSTEM|CODE=SYSTEM|CODE: a code in the file, and the co-op's code for it.
    :param map_provider: IDENTIFIER=IDENTIFIER: a provider in the file, and its identifier in the charter.
    :param provider_seed_file: Sign for the providers with this seed, where it is on this machine.
    :param leave_out: A claim of the file that is not to be filed, such as Claim/7.
    :param wait: Seconds to wait for blocks to make room when this node can hold no more records.
    :param partial: Take a file that holds only some pages of a search's answer.
    """
    from node.bridges.fhir.values import ImportMapping
    from node.cli.claims.importing import import_file, provider_attester

    codes = {_coding(left): _coding(right) for left, right in map(_pair, map_code or ())}
    providers = dict(map(_pair, map_provider or ()))
    mapping = ImportMapping(codes, providers, patient, frozenset(leave_out or ()), is_partial=partial)
    session = common.session()
    attester = None
    if provider_seed_file is not None:
        from ledger.signatures import public_key_of
        from node.reading import read_seed

        seed = read_seed(provider_seed_file)
        attester = provider_attester({public_key_of(seed): seed}, session.chain_id)
    return import_file(
        file,
        session.client,
        json=common.json,
        mapping=mapping,
        wait_s=wait,
        attester=attester,
    )


@app.command(name="list")
def list_command(*, all: Flag = False, common: Common = DEFAULT) -> int:  # noqa: A002
    """List your claims, newest first.

    :param all: The claims of all covers.
    """
    session = common.session()
    claims = session.view(CLAIMS, member=None if all else session.member)
    heads = ("claim", "block", "status", "charged", "benefit", "codes")
    money = session.units.money

    def row(item: ClaimHead) -> Row:
        charged, benefit = money(item.charge_cents), money(item.benefit_cents)
        return short(item.claim), item.height, item.status, charged, benefit, " ".join(item.codes)

    return say(common, claims, lambda: table(heads, map(row, claims)))


@app.command
def show(claim: ClaimId, *, common: Common = DEFAULT) -> int:
    """Show a claim with every settlement figure and the tally of its cases."""
    from node.cli.claims.explaining import claim_lines

    session = common.session()
    answer = session.claim(claim)
    return say(common, answer, lambda: claim_lines(answer, session.units))


@app.command
def explain(claim: ClaimId, *, common: Common = DEFAULT) -> int:
    """Explain in plain words what became of a claim: the rule, every figure, each tally and each payment.

    The node replays its ledger for it. A long ledger is explained offline: mutua audit explain.
    """
    session = common.session()
    found = session.client.receipt(session.claim_id(claim))
    answer = {"claim": found.receipt["claim"], "explanation": found.explanation, "receipt": found.receipt}
    return say(common, answer, lambda: found.explanation)


# ---- Pairs ------------------------------------------------------------------------


def _pair(text: str) -> tuple[str, str]:
    left, equals, right = text.partition("=")
    if not equals or not left or not right:
        raise MutuaError("usage", f"{text!r} is not a pair", "write FROM=TO")
    return left, right


def _coding(text: str) -> tuple[str, str]:
    system, _, code = text.rpartition("|")
    return system, code
