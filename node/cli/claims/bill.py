"""What a claim is for, as a person writes it on the command line, and the body of `claim.file` that it makes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter

from ledger.errors import MutuaError
from node.api.text import Units, read_whole, short
from node.api.views.coop import CODES, Code
from node.cli.common import Session, Whole, read_amount, read_day

LINE_PARTS = (4, 5)
UNITS_MAX = 999_999_999
Json = dict[str, Any]


@Parameter(name="*")
@dataclass(frozen=True, slots=True)
class Service:
    """What was done: one line, or several."""

    code: Annotated[str | None, Parameter(help="Code of the one line.")] = None
    units: Annotated[Whole, Parameter(help="Units of the one line.")] = 1
    charge: Annotated[str | None, Parameter(help="Charge of the one line, such as 120.50.")] = None
    day: Annotated[str | None, Parameter(help="Day of the service: a date such as 2026-01-31, or a block height.")] = (
        None
    )
    last_day: Annotated[str | None, Parameter(help="Last day, if the service took several days.")] = None
    line: Annotated[
        list[str] | None,
        Parameter(negative="", help="Instead, for several lines: CODE,UNITS,CHARGE,DAY[,LAST_DAY]; may be repeated."),
    ] = None
    system: Annotated[
        str, Parameter(help="Coding system of the codes; found automatically if the co-op lists the code once.")
    ] = ""
    other_payer: Annotated[str, Parameter(help="What another payer has paid.")] = "0"


@Parameter(name="*")
@dataclass(frozen=True, slots=True)
class Bill(Service):
    """What a claim is for."""

    provider: Annotated[str | None, Parameter(help="The provider: its identifier in the charter, or its key.")] = None
    payee: Annotated[str, Parameter(help="Who is paid: member or provider.")] = "member"
    evidence: Annotated[
        list[Path] | None, Parameter(negative="", help="A document; it stays on this node. May be repeated.")
    ] = None
    supersedes: Annotated[str, Parameter(help="One of your claims; this claim replaces its open cases.")] = ""
    cover: Annotated[str, Parameter(help="For a dependant: the cover key, or its first digits.")] = ""
    event: Annotated[
        str,
        Parameter(help="The first claim of the same event, such as one accident: both share one claim ceiling."),
    ] = ""


NO_SERVICE = Service()
NO_BILL = Bill()


def claim_body(session: Session, bill: Bill, *, use: str = "claim") -> Json:
    """Return the body of `claim.file`, all fields but evidence and the payout commitment, which the daemon makes."""
    return bill_body(session, bill, _cover_of(session, bill.cover)) | {"use": use}


def bill_body(session: Session, bill: Bill, cover: str) -> Json:
    """Return a bill as the body of a claim for a cover, filed by its member. Errors: `usage`, those of its parts."""
    if bill.payee not in ("member", "provider"):
        what = f"payee {bill.payee!r} is neither member nor provider"
        raise MutuaError("usage", what, "--payee member or --payee provider")
    if bill.provider is None:
        raise MutuaError("usage", "the provider is missing", "give --provider with its identifier or key")
    return {
        "scheme": session.status.name,
        "cover_id": cover,
        "submitter_role": "member",
        "payee": bill.payee,
        "provider_id": session.provider_key(bill.provider),
        "event_id": session.claim_id(bill.event) if bill.event else "",
        "use": "claim",
        "supersedes": session.claim_id(bill.supersedes) if bill.supersedes else "",
        "other_payer_cents": read_amount(session.units, bill.other_payer, "other payer's amount"),
        "source_hash": "",
        "evidence": [],
        "lines": _claim_lines(session, bill),
    }


def _cover_of(session: Session, text: str) -> str:
    """Return the cover of a claim: the member's own, or a dependant's."""
    if not text:
        return session.status.cover or ""
    from node.cli.members.dependants import dependant_cover

    return dependant_cover(session, text)


def _claim_lines(session: Session, bill: Service) -> list[Json]:
    if bill.line and (bill.code or bill.charge or bill.day):
        raise MutuaError("usage", "--line and --code are given", "use one or the other")
    rows: list[list[str]] = [item.split(",") for item in bill.line or ()]
    if not rows:
        if not (bill.code and bill.charge and bill.day):
            raise MutuaError("usage", "code, charge or day is missing", "give --code, --charge and --day, or --line")
        rows = [[bill.code, str(bill.units), bill.charge, bill.day, *([bill.last_day] if bill.last_day else [])]]
    listed = session.view(CODES)
    return [_claim_line(row, session, bill.system, listed) for row in rows]


def _claim_line(row: list[str], session: Session, system: str, listed: Sequence[Code]) -> Json:
    if len(row) not in LINE_PARTS:
        what = f"line {','.join(row)!r} has {len(row)} parts"
        raise MutuaError("usage", what, "write CODE,UNITS,CHARGE,DAY[,LAST_DAY]")
    code, units, charge, first, last = (part.strip() for part in (*row[:4], row[4] if len(row) > 4 else row[3]))
    count = read_whole(units)
    if count is None or not 0 < count <= UNITS_MAX:
        raise MutuaError("usage", f"units {units!r} is not a whole number from 1 to {UNITS_MAX}", "such as 1")
    systems = sorted({item.system for item in listed if item.code == code})
    if not system and len(systems) != 1:
        what, hint = (
            f"the co-op does not list code {code}",
            "see mutua code list; file another with its URI in --system",
        )
        if systems:
            what, hint = (
                f"the co-op lists code {code} under {len(systems)} coding systems",
                "give --system with its URI",
            )
        raise MutuaError("code_system", what, hint)
    return {
        "system": system or systems[0],
        "code": code,
        "modifiers": [],
        "units": count,
        "charge_cents": read_amount(session.units, charge, "charge"),
        "first_day": read_day(first, session.status),
        "last_day": read_day(last, session.status),
    }


def keep_evidence(documents: Path, bill: Bill) -> list[tuple[Json, bool]]:
    """Keep the documents of a bill on this machine; return their references, and which copies are new."""
    from node.cli.claims.evidence import keep_document

    return [keep_document(documents, file) for file in bill.evidence or ()]


def bill_lines(body: Mapping[str, Any], units: Units) -> Iterator[str]:
    """Yield what a body asks for, for a person to read before it is sent."""
    yield f"cover     {body['cover_id']}"
    yield f"provider  {body['provider_id']}; the {body['payee']} is paid"
    for line in body["lines"]:
        charge, days = units.money(line["charge_cents"]), units.days(line["first_day"], line["last_day"])
        yield f"line      {line['units']} × {line['code']}, {charge}, {days}"
    yield f"charged   {units.money(sum(line['charge_cents'] for line in body['lines']))}"
    if body["supersedes"]:
        yield f"replaces  the open cases of claim {short(body['supersedes'])}"
    yield f"documents {len(body['evidence'])}; members' nodes see code, day, provider and amount, not the documents"
