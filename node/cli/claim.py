"""`mutua claim submit | draft | attest | import | list | show | explain`.

A claim needs the provider's signature. Where the provider is elsewhere: `draft` writes the claim, the provider signs it with
`attest` on its own machine, and `submit --draft FILE --attestation FILE` files it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, cast

from cyclopts import App, Parameter

from ledger.errors import MutuaError
from node.api.client import Client
from node.api.errors import ApiError
from node.cli.common import (
    DEFAULT,
    Common,
    Money,
    claim_id,
    own_member,
    provider_key,
    read_day,
    report_submission,
    say,
    short,
    table,
)

app = App(name="claim", help="Submit, import, list, show and explain claims.")

FILE_SIZE_MAX = 256 * 1024
LINE_PARTS = (4, 5)
Json = dict[str, Any]


@Parameter(name="*")
@dataclass(frozen=True, slots=True)
class Bill:
    """What a claim is for."""

    code: Annotated[str | None, Parameter(help="Code of the one line.")] = None
    units: Annotated[int, Parameter(help="Units of the one line.")] = 1
    charge: Annotated[str | None, Parameter(help="Charge of the one line, such as 120.50.")] = None
    day: Annotated[str | None, Parameter(help="Day of the service: a date such as 2026-01-31, or a block height.")] = (
        None
    )
    last_day: Annotated[str | None, Parameter(help="Last day, where the service took several.")] = None
    line: Annotated[
        list[str] | None,
        Parameter(negative="", help="Instead, for several lines: CODE,UNITS,CHARGE,DAY[,LAST_DAY]; may be repeated."),
    ] = None
    system: Annotated[
        str, Parameter(help="Coding system of the codes; found by itself where the co-op lists the code once.")
    ] = ""
    provider: Annotated[str | None, Parameter(help="The provider: its identifier in the charter, or its key.")] = None
    payee: Annotated[str, Parameter(help="Who is paid: member or provider.")] = "member"
    evidence: Annotated[
        list[Path] | None, Parameter(negative="", help="A document; it stays on this node. May be repeated.")
    ] = None
    supersedes: Annotated[str, Parameter(help="An own claim whose open cases this one replaces.")] = ""
    other_payer: Annotated[str, Parameter(help="What another payer has paid.")] = "0"
    cover: Annotated[str, Parameter(help="For a dependant: the cover key, or its first digits.")] = ""


NO_BILL = Bill()


@app.command
def submit(  # noqa: D417
    *,
    bill: Bill = NO_BILL,
    draft: Path | None = None,
    attestation: Annotated[list[Path] | None, Parameter(negative="")] = None,
    provider_seed_file: Path | None = None,
    wait: float = 0.0,
    common: Common = DEFAULT,
) -> int:
    """File a claim.

    Parameters
    ----------
    draft
        File this draft (mutua claim draft) instead of a bill.
    attestation
        The provider's signature (mutua claim attest).
    provider_seed_file
        Sign for the provider with its seed, where it is on this machine.
    wait
        Seconds to wait until the claim is final.

    """
    client = common.client()
    status = client.status()
    own_member(status)
    documents = common.config().documents
    kept: list[tuple[Json, bool]] = []
    if draft is not None:
        body = {name: value for name, value in _read_json(draft, "claim_draft").items() if name != "chain_id"}
    else:
        body = _claim_body(client, status, bill)
        kept = _keep_evidence(documents, bill)
        body["evidence"] = [reference for reference, _ in kept]
    try:
        attestations = [_read_json(file, "attestation") for file in attestation or ()]
        if provider_seed_file is not None:
            attestations.append(_attest(body, provider_seed_file, str(status["chain_id"])))
        answer = client.submit("claim.file", body, attestations)
    except (ApiError, MutuaError) as error:
        if not isinstance(error, ApiError) or error.family in ("rule", "malformed"):
            from node.cli.evidence import forget

            forget(documents, kept)
        raise
    new = short(answer["record_id"])
    return report_submission(common, client, answer, f"claim {new} filed", wait, then=f"what became of it: mutua claim explain {new}")


@app.command(name="draft")
def draft_command(out: Path, *, bill: Bill = NO_BILL, common: Common = DEFAULT) -> int:  # noqa: D417
    """Write a claim for the provider to sign; nothing is sent.

    Parameters
    ----------
    out
        The file to write; an existing one is never overwritten.

    """
    client = common.client()
    status = client.status()
    own_member(status)
    if out.exists():
        raise MutuaError("file_exists", f"{out} is there already", "choose another name; nothing was written")
    body = _claim_body(client, status, bill)
    body["evidence"] = [reference for reference, _ in _keep_evidence(common.config().documents, bill)]
    from node.paths import write_whole

    write_whole(out, json.dumps({**body, "chain_id": status["chain_id"]}, indent=2).encode() + b"\n")
    return say(
        common,
        {"draft": str(out)},
        f"draft written to {out}; the provider signs it: mutua claim attest {out} --seed-file FILE",
    )


@app.command
def attest(draft: Path, *, seed_file: Path, common: Common = DEFAULT) -> int:  # noqa: D417
    """Sign a claim's draft as its provider; prints the attestation as JSON. Needs no node.

    Parameters
    ----------
    draft
        The member's draft (mutua claim draft).
    seed_file
        The file with the provider's secret seed: 64 hex digits.

    """
    del common
    body = _read_json(draft, "claim_draft")
    print(json.dumps(_attest(body, seed_file, str(body.get("chain_id", ""))), indent=2))
    return 0


@app.command(name="import")
def import_command(  # noqa: D417
    file: Path,
    *,
    patient: str = "",
    map_code: Annotated[list[str] | None, Parameter(negative="")] = None,
    map_provider: Annotated[list[str] | None, Parameter(negative="")] = None,
    provider_seed_file: Path | None = None,
    common: Common = DEFAULT,
) -> int:
    """Import the claims of a FHIR R4 file (Claim with Encounter; single, Bundle or NDJSON): all of them or none.

    Parameters
    ----------
    file
        The file.
    patient
        Take the claims of this patient only, such as Patient/7.
    map_code
        SYSTEM|CODE=SYSTEM|CODE: a code in the file, and the co-op's code for it.
    map_provider
        IDENTIFIER=IDENTIFIER: a provider in the file, and its identifier in the charter.
    provider_seed_file
        Sign for the providers with this seed, where it is on this machine.

    """
    from node.bridges.fhir import ImportMapping
    from node.cli.claim_import import import_file, provider_attester

    codes = {_coding(left): _coding(right) for left, right in map(_pair, map_code or ())}
    mapping = ImportMapping(codes=codes, providers=dict(map(_pair, map_provider or ())), patient=patient)
    client = common.client()
    attester = None
    if provider_seed_file is not None:
        from ledger.signatures import public_key_of

        seed = _seed(provider_seed_file)
        attester = provider_attester({public_key_of(seed): seed}, bytes.fromhex(client.status()["chain_id"]))
    return import_file(file, client, json=common.json, mapping=mapping, attester=attester)


@app.command(name="list")
def list_command(*, all: Annotated[bool, Parameter(negative="")] = False, common: Common = DEFAULT) -> int:  # noqa: A002, D417
    """List your claims, newest first.

    Parameters
    ----------
    all
        The claims of all covers.

    """
    client = common.client()
    status = client.status()
    claims = client.view("claims", member=None if all else own_member(status))
    money = Money.of(status)
    return say(
        common, claims, lambda: table(
            ("claim", "block", "status", "charged", "benefit", "codes"),
            [
                (short(item["claim"]), item["height"], item["status"], money.show(item["charge_cents"]), money.show(item["benefit_cents"]),
                 " ".join(item["codes"]))
                for item in claims
            ],
        ),
    )  # fmt: skip


@app.command
def show(claim: str, *, common: Common = DEFAULT) -> int:  # noqa: D417
    """Show a claim with every settlement figure and the tally of its cases.

    Parameters
    ----------
    claim
        The claim's id, or its first digits.

    """
    from node.cli.explaining import claim_lines

    client = common.client()
    answer = client.view("claim", id=claim_id(client, claim))
    return say(common, answer, lambda: claim_lines(answer, Money.of(client.status())))


@app.command
def explain(claim: str, *, common: Common = DEFAULT) -> int:  # noqa: D417
    """Explain in plain words what became of a claim: the rule, every figure, each tally and each payment.

    The node replays its ledger for it. A long ledger is explained offline: mutua audit explain.

    Parameters
    ----------
    claim
        The claim's id, or its first digits.

    """
    client = common.client()
    found = client.receipt(claim_id(client, claim))
    answer = {"claim": found["receipt"]["claim"], "explanation": found["explanation"], "receipt": found["receipt"]}
    return say(common, answer, lambda: found["explanation"])


# ---- Bodies -----------------------------------------------------------------------


def _claim_body(client: Client, status: Mapping[str, Any], bill: Bill) -> Json:
    """Return the body of `claim.file`, all fields but evidence and the payout commitment, which the daemon makes."""
    if bill.payee not in ("member", "provider"):
        raise MutuaError(
            "usage", f"payee {bill.payee!r} is neither member nor provider", "--payee member or --payee provider"
        )
    if bill.provider is None:
        raise MutuaError("usage", "the provider is missing", "give --provider with its identifier or key")
    money = Money.of(status)
    return {
        "scheme": status["name"], "cover_id": _cover_of(client, status, bill.cover), "submitter_role": "member", "payee": bill.payee,
        "provider_id": provider_key(client, bill.provider), "event_id": "", "use": "claim",
        "supersedes": claim_id(client, bill.supersedes) if bill.supersedes else "",
        "other_payer_cents": money.read(bill.other_payer, "other payer's amount"), "source_hash": "", "evidence": [],
        "lines": _claim_lines(client, status, bill, money),
    }  # fmt: skip


def _cover_of(client: Client, status: Mapping[str, Any], text: str) -> str:
    """Return the cover of a claim: the member's own, or a dependant's."""
    if not text:
        return str(status["cover"])
    from node.cli.dependants import dependant_cover

    return dependant_cover(client, own_member(status), text)


def _claim_lines(client: Client, status: Mapping[str, Any], bill: Bill, money: Money) -> list[Json]:
    if bill.line and (bill.code or bill.charge or bill.day):
        raise MutuaError("usage", "--line and --code are given", "use one or the other")
    rows: list[list[str]] = [item.split(",") for item in bill.line or ()]
    if not rows:
        if not (bill.code and bill.charge and bill.day):
            raise MutuaError("usage", "code, charge or day is missing", "give --code, --charge and --day, or --line")
        rows = [[bill.code, str(bill.units), bill.charge, bill.day, *([bill.last_day] if bill.last_day else [])]]
    listed = client.view("codes")
    return [_claim_line(row, status, bill.system, money, listed) for row in rows]


def _claim_line(row: list[str], status: Mapping[str, Any], system: str, money: Money, listed: list[Json]) -> Json:
    if len(row) not in LINE_PARTS:
        raise MutuaError(
            "usage", f"line {','.join(row)!r} has {len(row)} parts", "write CODE,UNITS,CHARGE,DAY[,LAST_DAY]"
        )
    code, units, charge, first, last = (part.strip() for part in (*row[:4], row[4] if len(row) > 4 else row[3]))
    if not units.isascii() or not units.isdigit() or not 0 < len(units) < 10 or int(units) == 0:
        raise MutuaError("usage", f"units {units!r} is no whole number", "such as 1")
    systems = sorted({str(item["system"]) for item in listed if item["code"] == code})
    if not system and len(systems) != 1:
        what = (
            f"the co-op lists code {code} under {len(systems)} coding systems"
            if systems
            else f"the co-op does not list code {code}"
        )
        raise MutuaError("code_system", what, "give --system with its URI")
    return {
        "system": system or systems[0], "code": code, "modifiers": [], "units": int(units), "charge_cents": money.read(charge, "charge"),
        "first_day": read_day(first, status), "last_day": read_day(last, status),
    }  # fmt: skip


def _keep_evidence(documents: Path, bill: Bill) -> list[tuple[Json, bool]]:
    from node.cli.evidence import keep_document

    return [keep_document(documents, file) for file in bill.evidence or ()]


def _attest(body: Json, seed_file: Path, chain_id: str) -> Json:
    """Return the provider's attestation over a body, as JSON."""
    from governance.benefits.claims import ClaimBody, claim_subject_hash
    from ledger.records import attest as sign
    from node.bodies import body_from_json

    seed = _seed(seed_file)
    try:
        chain = bytes.fromhex(chain_id)
    except ValueError:
        chain = b""
    if len(chain) != 32:
        raise MutuaError("claim_draft", "the draft names no chain", "make it with mutua claim draft")
    fields = {name: value for name, value in body.items() if name != "chain_id"}
    shaped = cast("ClaimBody", body_from_json(ClaimBody, {**fields, "payout_commitment": ""}))
    item = sign(seed, chain, "provider", claim_subject_hash(shaped))
    if item.key != shaped.provider_id:
        raise MutuaError(
            "provider_seed",
            "the seed belongs to another provider than the claim's",
            "sign with the seed of the claim's provider",
        )
    return {
        "role": item.role,
        "key": item.key.hex(),
        "subject_hash": item.subject_hash.hex(),
        "signature": item.signature.hex(),
    }


# ---- Files and pairs --------------------------------------------------------------


def _read_json(file: Path, code: str) -> Json:
    try:
        data = file.read_bytes()
        if len(data) > FILE_SIZE_MAX:
            raise MutuaError(code, f"{file} has more than {FILE_SIZE_MAX} bytes", "name the file that mutua wrote")
        value = json.loads(data)
    except OSError as error:
        raise MutuaError(
            "file_unreadable", f"{file} cannot be read ({error.strerror})", "name an existing file"
        ) from None
    except (ValueError, RecursionError):
        raise MutuaError(code, f"{file} is not JSON", "name the file that mutua wrote") from None
    if not isinstance(value, dict):
        raise MutuaError(code, f"{file} is no JSON object", "name the file that mutua wrote")
    return cast("Json", value)


def _seed(file: Path) -> bytes:
    try:
        seed = bytes.fromhex(file.read_text(encoding="ascii").strip())
    except (OSError, ValueError):
        seed = b""
    if len(seed) != 32:
        raise MutuaError("provider_seed", f"{file} holds no seed of 64 hex digits", "name the provider's seed file")
    return seed


def _pair(text: str) -> tuple[str, str]:
    left, equals, right = text.partition("=")
    if not equals or not left or not right:
        raise MutuaError("usage", f"{text!r} is no pair", "write FROM=TO")
    return left, right


def _coding(text: str) -> tuple[str, str]:
    system, _, code = text.rpartition("|")
    return system, code
