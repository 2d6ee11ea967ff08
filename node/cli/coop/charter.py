"""`mutua charter new|add|seal|show`: how founders write, complete, seal and compare what their co-op begins with."""

from __future__ import annotations

import datetime as dt
import secrets
import time
from collections.abc import Iterator
from pathlib import Path

import cyclopts

from ledger.charter import add_founder, new_charter, seal
from ledger.charter_checks import check_draft
from ledger.charter_file import charter_from_file, charter_to_json, charter_to_toml, founder_from_file
from ledger.codec import encode
from ledger.errors import MutuaError
from ledger.genesis import Charter, CharterPlan, chain_id_of
from node.api.text import counted
from node.cli.common import PRINT, Printing, Whole, read_file, say

app = cyclopts.App(name="charter", help="Write, complete, seal and read the charter of a co-op.")

app.command(
    "node.cli.coop.ruin:ruin",
    name="ruin",
    help="Compute the smallest membership with which the chance of ruin in the first year is at most 1 %.",
)

SEED_SIZE = 32
FRESH_PARAMS = {"application_terms": 12, "pilot_terms": 12}
"""What a fresh draft says beside the defaults: a pilot of a year (rules §2), and no application for ever; founders may
change it in the file."""


def example_plan() -> CharterPlan:
    """Return the plan a fresh draft starts with; founders change its figures in the file."""
    return CharterPlan(
        name="basic",
        premium_cents=30_000,
        deductible_cents=50_000,
        copay_cents=2_000,
        coinsurance_bp=2_000,
        oop_max_cents=400_000,
        claim_ceiling_cents=5_000_000,
        year_ceiling_cents=20_000_000,
        waiting_terms=1,
        prior_cents=None,
        codes=(),
    )


@app.command
def new(
    draft: Path,
    *,
    name: str,
    currency: str = "USD",
    exponent: Whole = 2,
    block_interval_s: Whole = 86_400,
    claims_cents: Whole = 0,
    reserve_cents: Whole = 0,
    rate: Whole = 0,
    day_one: str = "",
    printing: Printing = PRINT,
) -> int:
    """Write a draft without founders, with one example plan, to edit by hand.

    :param draft: The TOML file to write; an existing file is never overwritten.
    :param name: The co-op's name: founders sign it with their entries.
    :param currency: Code of the co-op's currency, such as USD.
    :param exponent: Number of decimals of the currency (USD 2, XAF 0).
    :param block_interval_s: Seconds from block to block; 86400 is a day.
    :param claims_cents: Opening balance of the claims account in minor units.
    :param reserve_cents: Opening balance of the reserve in minor units.
    :param rate: Minor units a bitcoin.
    :param day_one: Date of height 1, such as 2026-01-31; tomorrow by default.
    """
    now_ms = time.time_ns() // 1_000_000
    tomorrow = dt.datetime.fromtimestamp(now_ms / 1000, tz=dt.UTC).date() + dt.timedelta(days=1)
    charter = new_charter(
        name,
        seed=secrets.token_bytes(SEED_SIZE),
        genesis_time_ms=now_ms,
        day_one=day_one or tomorrow.isoformat(),
        block_interval_ms=block_interval_s * 1000,
        currency=currency,
        exponent=exponent,
        claims_cents=claims_cents,
        reserve_cents=reserve_cents,
        rate=rate,
        plans=(example_plan(),),
        params=FRESH_PARAMS,
    )
    check_draft(charter)
    _write_new(draft, charter_to_toml(charter).encode())
    words = f"draft written to {draft}; edit it, then add each founder's entry: mutua charter add"
    return say(printing, {"draft": str(draft)}, words)


@app.command
def add(draft: Path, *entries: Path, printing: Printing = PRINT) -> int:
    """Add founders' signed entries to a draft; an entry of the same founder is replaced.

    :param draft: The draft, changed in place.
    :param entries: The TOML files that founders sent.
    """
    if not entries:
        raise MutuaError("entry_missing", "no founder's entry was named", "mutua charter add DRAFT ENTRY...")
    charter = _load(draft)
    for entry in entries:
        charter = add_founder(charter, founder_from_file(read_file(entry)))
    _replace(draft, charter_to_toml(charter).encode())
    count = len(charter.founders)
    words = f"{draft} has {counted(count, 'founder')}; when all are in: mutua charter seal"
    return say(printing, {"draft": str(draft), "founders": count}, words)


@app.command(name="seal")
def seal_command(draft: Path, *, out: Path | None = None, printing: Printing = PRINT) -> int:
    """Check everything and write charter.toml and charter.bin; print the chain id that founders compare.

    :param draft: The draft with all founders.
    :param out: The folder for the two files; the draft's folder by default.
    """
    charter = seal(_load(draft))
    _check_rules(charter)
    folder = out or draft.parent
    folder.mkdir(parents=True, exist_ok=True)
    text, data = charter_to_toml(charter, is_sealed=True).encode(), encode(charter)
    for path, content in ((folder / "charter.toml", text), (folder / "charter.bin", data)):
        if path.exists() and path.read_bytes() != content and path.resolve() != draft.resolve():
            raise MutuaError("charter_exists", f"{path} holds another charter", "choose another folder with --out")
    _replace(folder / "charter.toml", text)
    _replace(folder / "charter.bin", data)
    chain_id = chain_id_of(charter).hex()
    gaps = list(_gaps(charter))
    words = [
        *(f"warning: {gap}" for gap in gaps),
        f"sealed: chain id {chain_id}",
        "founders compare this id by voice before they run it",
    ]
    return say(printing, {"chain_id": chain_id, "folder": str(folder), "warnings": gaps}, lambda: words)


def _gaps(charter: Charter) -> Iterator[str]:
    """Yield what a valid charter lacks for a co-op to pay claims from its first day."""
    if not charter.providers:
        yield "no provider is listed: no claim can be filed before the co-op lists one"
    if not any(code.is_standard for code in charter.codes):
        yield "no code is standard: the members vote on every claim"
    if not any(founder.bitcoin_key for founder in charter.founders):
        yield "no founder has a bitcoin key: there is no treasury that could pay"


@app.command
def show(charter: Path, *, printing: Printing = PRINT) -> int:
    """Print what a charter says; a draft is shown too, without a chain id.

    :param charter: charter.toml, charter.bin or a draft.
    """
    value = _load(charter)
    fault = None
    try:
        seal(value)
    except MutuaError as error:
        fault = error.what
    shown = charter_to_json(value)
    if fault is not None:
        shown["chain_id"] = None
    return say(printing, {**shown, "fault": fault}, "\n".join(_lines(value, fault)))


def _lines(charter: Charter, fault: str | None) -> list[str]:
    unit = f"{charter.currency} with {charter.exponent} decimals"
    treasury = charter.treasury
    signers = sum(bool(founder.bitcoin_key) for founder in charter.founders)
    return [
        f"{charter.name}: {counted(len(charter.founders), 'founder')}, phase {charter.phase}, {unit}",
        f"chain id   {chain_id_of(charter).hex()}" if fault is None else f"not sealed {fault}",
        f"blocks     every {charter.block_interval_ms / 1000:g} s, height 1 is {charter.day_one}",
        (
            f"accounts   claims {charter.claims_cents}, reserve {charter.reserve_cents} minor units; {charter.rate} a"
            " bitcoin"
        ),
        f"treasury   {treasury.threshold} of {signers} on {treasury.network}, {treasury.amount_sat} sat",
        *(
            f"plan       {plan.name}: premium {plan.premium_cents} a term, deductible {plan.deductible_cents}"
            for plan in charter.plans
        ),
        (
            f"codes      {sum(code.is_standard for code in charter.codes)} standard of {len(charter.codes)} listed;"
            f" {counted(len(charter.providers), 'provider')}"
        ),
        *(f"warning    {gap}" for gap in _gaps(charter)),
        *_party_lines(charter),
        *(f"param      {name} = {value}" for name, value in charter.params),
        *(
            f"founder {number:<2} {founder.identity_key.hex()} {founder.plan} {founder.address}"
            for number, founder in enumerate(charter.founders, start=1)
        ),
    ]


def _party_lines(charter: Charter) -> list[str]:
    """Return who attests enrolments and verifies providers, or who does it where the charter names nobody."""
    attesters = ", ".join(party.name for party in charter.attesters)
    verifiers = ", ".join(party.name for party in charter.verifiers)
    return [
        f"attesters  {attesters or 'none: the treasury signers stand in until members list attesters'}",
        f"community  {', '.join(charter.community) or 'none: every claim is signed by its patient'}",
        f"verifiers  {verifiers or 'none: providers are listed by a vote of the members'}",
    ]


def _check_rules(charter: Charter) -> None:
    """Let governance refuse what only it knows, such as a parameter that does not exist."""
    from governance.genesis import genesis_rows, spec_of_charter

    genesis_rows(spec_of_charter(charter))


def _load(path: Path) -> Charter:
    return charter_from_file(read_file(path))


def _write_new(path: Path, data: bytes) -> None:
    try:
        with path.open("xb") as handle:
            handle.write(data)
    except FileExistsError:
        what = f"{path} is there already"
        raise MutuaError("file_exists", what, "choose another name; nothing was written") from None
    except OSError as error:
        what = f"{path} cannot be written ({error.strerror})"
        raise MutuaError("file_unwritable", what, "choose another place") from None


def _replace(path: Path, data: bytes) -> None:
    """Write beside and rename, so that a fault leaves the old file as it was."""
    from node.paths import write_whole

    try:
        write_whole(path, data)
    except OSError as error:
        what = f"{path} cannot be written ({error.strerror})"
        raise MutuaError("file_unwritable", what, "choose another place") from None
