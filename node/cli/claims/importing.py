"""`mutua claim import FILE`: a FHIR file is read and mapped here, then submitted claim by claim to this node's daemon.

Nothing is submitted unless every claim of the file maps and the rules would take it now, each behind those before it.
After a crash the same command is run again: the daemon refuses a source it knows (`source_known`), and such claims
count as imported. Progress and reasons go to standard error, results to standard output; with `--json` the result is
one object.
"""

from __future__ import annotations

import json as json_lib
import sys
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from datetime import date
from pathlib import Path
from typing import Any, TextIO, cast

from ledger.errors import MutuaError
from ledger.records import Attestation
from node.api.client import Client, submission
from node.api.errors import ApiError
from node.api.text import Units, clean, counted
from node.api.views.coop import CODES, PROVIDERS, Code, Provider
from node.api.views.node import Status
from node.bridges.fhir.mapping import map_claims
from node.bridges.fhir.reading import read_fhir
from node.bridges.fhir.values import CharterContext, ImportMapping, ImportPlan, MappedClaim, Refusal

EXIT_OK = 0
EXIT_USAGE = 2
EXIT_REFUSED = 5
KNOWN_CODE = "source_known"
REASONS_SHOWN_MAX = 50
"""Reasons printed for people; `--json` gives all."""
CHECKED_AT_ONCE_MAX = 500

Json = dict[str, Any]
Attester = Callable[[Json], Sequence[Attestation]]
"""Gives the provider's attestation of a complete body (all fields but the payout commitment)."""


@dataclass(slots=True)
class _Result:
    """What became of the claims, in the order of the file."""

    imported: list[Json] = field(default_factory=list[Json])
    known: list[str] = field(default_factory=list[str])

    @property
    def count(self) -> int:
        """Return how many claims the ledger has or will have."""
        return len(self.imported) + len(self.known)


def import_file(
    path: Path,
    client: Client,
    *,
    json: bool = False,
    progress: bool = True,
    mapping: ImportMapping | None = None,
    attester: Attester | None = None,
    out: TextIO | None = None,
    err: TextIO | None = None,
) -> int:
    """Import a FHIR file through the local daemon; return the exit code: 0, 2 (no FHIR file) or 5 (refused).

    Errors of the daemon other than refusals (not running, locked) are raised for the caller, who knows their exit
    codes; when claims were being submitted, a line says how far the import came.
    """
    output, errors = out or sys.stdout, err or sys.stderr
    try:
        file = read_fhir(path)
    except MutuaError as error:
        _print_error(error.code, error.what, error.hint, path, errors, as_json=json)
        return EXIT_USAGE
    status = client.status()
    if not status.cover:
        hint = "import on a member's node"
        raise MutuaError("not_a_member", "this node only follows the ledger; it has no cover to claim for", hint)
    context = context_of(status, client.view(PROVIDERS), client.view(CODES))
    plan = map_claims(file, mapping or ImportMapping(), context)
    if plan.refusals:
        _print_refusals(plan.refusals, path, errors, as_json=json)
        return EXIT_REFUSED
    bodies = [(claim.resource, _attested(body_of(claim, status), attester)) for claim in plan.claims]
    refusals = _check_all(bodies, client)
    if refusals:
        _print_refusals(refusals, path, errors, as_json=json)
        return EXIT_REFUSED
    if not json:
        _print_summary(path, plan, context, output)
    result = _Result()
    screen = _Screen(output, is_quiet=json or not progress)
    try:
        _submit_all(bodies, client, result, screen)
    except ApiError as error:
        taken = (
            f"{result.count} of {len(bodies)} claims were submitted; run the command again, no claim is submitted twice"
        )
        if error.family not in ("rule", "malformed"):
            if not json:
                print(f"{path.name}: the import stopped; {taken}", file=errors)
            raise
        _print_error(error.code, error.what, f"{error.hint}; {taken}", path, errors, as_json=json)
        return EXIT_REFUSED
    _print_result(path, plan, result, output, as_json=json)
    return EXIT_OK


def context_of(status: Status, providers: Sequence[Provider], codes: Sequence[Code]) -> CharterContext:
    """Return what the mapping needs from the daemon's answers; claims can be carried by the block after the tip."""
    return CharterContext(
        currency=status.currency,
        exponent=status.exponent,
        day_one=date.fromisoformat(status.day_one),
        height=status.height + 1,
        providers={item.identifier: bytes.fromhex(item.key) for item in providers},
        codes=frozenset((item.system, item.code) for item in codes),
        uses=frozenset(("claim",)),
    )


def body_of(claim: MappedClaim, status: Status) -> Json:
    """Return the body of `claim.file` but its payout commitment; the patient's reference stays on this machine."""
    return {
        "scheme": status.name,
        "cover_id": status.cover,
        "submitter_role": "member",
        "payee": claim.payee,
        "provider_id": claim.provider_key.hex(),
        "event_id": claim.event_id.hex(),
        "use": claim.use,
        "supersedes": "",
        "other_payer_cents": 0,
        "source_hash": claim.source_hash.hex(),
        "evidence": [],
        "lines": [{**asdict(line), "modifiers": list(line.modifiers)} for line in claim.lines],
    }


def _attested(body: Json, attester: Attester | None) -> Json:
    """Return a body with the provider's attestation; all are made before the first claim is submitted."""
    from node.api.bodies import body_to_json

    return body if attester is None else {**body, "attestations": [body_to_json(item) for item in attester(body)]}


def _check_all(bodies: Sequence[tuple[str, Json]], client: Client) -> list[Refusal]:
    """Return why the rules would refuse claims of the file, those imported before apart. Nothing is submitted."""
    found: list[Refusal] = []
    for start in range(0, len(bodies), CHECKED_AT_ONCE_MAX):
        part = bodies[start : start + CHECKED_AT_ONCE_MAX]
        found += [
            Refusal(part[item.index][0], "claim", item.code, item.what, item.hint)
            for item in client.check([submission("claim.file", body) for _, body in part])
            if item.code != KNOWN_CODE
        ]
    return found


def _submit_all(bodies: Sequence[tuple[str, Json]], client: Client, result: _Result, screen: _Screen) -> None:
    """Submit every claim in order; `result` says how far it came whatever happens."""
    with screen.counting(len(bodies)) as show:
        for resource, body in bodies:
            try:
                answer = client.submit("claim.file", body)
            except ApiError as error:
                if error.code != KNOWN_CODE:
                    raise
                result.known.append(resource)
                show(f"{resource} was imported before")
            else:
                result.imported.append({"resource": resource, "record_id": answer.record_id})
                show(f"{resource} submitted as {answer.record_id}")


def provider_attester(seeds: dict[bytes, bytes], chain_id: bytes) -> Attester:
    """Return an attester that signs with providers' secret seeds (key -> seed), where they are at hand as in a demo."""
    from governance.filing.claims import ClaimBody, claim_subject_hash
    from ledger.records import attest
    from node.api.bodies import body_from_json

    def attest_body(body: Json) -> Sequence[Attestation]:
        key = bytes.fromhex(str(body["provider_id"]))
        if key not in seeds:
            hint = "let the provider sign the claim"
            raise MutuaError("provider_seed_missing", f"the key of provider {key.hex()} is not here", hint)
        shaped = cast("ClaimBody", body_from_json(ClaimBody, {**body, "payout_commitment": ""}))
        return [attest(seeds[key], chain_id, "provider", claim_subject_hash(shaped))]

    return attest_body


# ---- What people see ----------------------------------------------------------------------------------------------


class _Screen:
    """Progress: a bar on a terminal, plain lines elsewhere, nothing when quiet."""

    def __init__(self, stream: TextIO, *, is_quiet: bool) -> None:
        self._stream = stream
        self._is_quiet = is_quiet

    @contextmanager
    def counting(self, total: int) -> Generator[Callable[[str], None]]:
        """Give a function to call once a claim, with a line that says what became of it."""
        if self._is_quiet:
            yield lambda _line: None
            return
        if not self._stream.isatty():
            yield lambda line: print(_plain(line), file=self._stream, flush=True)
            return
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

        columns = (TextColumn("importing claims"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
        with Progress(*columns, console=Console(file=self._stream)) as bar:
            task = bar.add_task("claims", total=total)
            yield lambda _line: bar.advance(task)


def _plain(text: str) -> str:
    """Return one line without what could move a terminal's cursor: a file's ids are other people's text."""
    return clean(text.replace("\n", " "), None)


def _print_summary(path: Path, plan: ImportPlan, context: CharterContext, out: TextIO) -> None:
    lines = sum(len(claim.lines) for claim in plan.claims)
    cents = sum(claim.charge_cents for claim in plan.claims)
    amount = Units(context.currency, context.exponent).money(cents)
    left_out = f"; {plan.other_patients} of other patients left out" if plan.other_patients else ""
    repeated = f"; {plan.repeated} repeated" if plan.repeated else ""
    missing = f"; {plan.missing_pages}" if plan.missing_pages else ""
    text = f"{path.name}: {len(plan.claims)} claims, {lines} lines, charges {amount}{left_out}{repeated}{missing}"
    print(_plain(text), file=out, flush=True)


def _print_result(path: Path, plan: ImportPlan, result: _Result, out: TextIO, *, as_json: bool) -> None:
    if as_json:
        answer = {
            "file": path.name,
            "claims": len(plan.claims),
            "imported": result.imported,
            "known": result.known,
            "repeated": plan.repeated,
            "other_patients": plan.other_patients,
            "missing_pages": plan.missing_pages,
        }
        print(json_lib.dumps(answer), file=out)
        return
    known = f", {len(result.known)} were imported before" if result.known else ""
    print(f"submitted {len(result.imported)} of {len(plan.claims)} claims{known}", file=out)


def _print_refusals(refusals: Sequence[Refusal], path: Path, err: TextIO, *, as_json: bool) -> None:
    what = f"{path.name} was not imported, for {counted(len(refusals), 'reason')}; nothing was submitted"
    hint = "correct what is listed and import the file again"
    if as_json:
        error = {"code": "fhir_refused", "what": what, "hint": hint, "reasons": [asdict(item) for item in refusals]}
        print(json_lib.dumps({"error": error}), file=err)
        return
    print(_plain(f"mutua: {what}; {hint}"), file=err)
    for reason in refusals[:REASONS_SHOWN_MAX]:
        where = f" ({reason.where})" if reason.where not in ("", "file") else ""
        words = f"  {reason.resource}{where}  {reason.path}: {reason.what}; {reason.hint} [{reason.code}]"
        print(_plain(words), file=err)
    if len(refusals) > REASONS_SHOWN_MAX:
        print(f"  and {len(refusals) - REASONS_SHOWN_MAX} more; --json lists all", file=err)


def _print_error(code: str, what: str, hint: str, path: Path, err: TextIO, *, as_json: bool) -> None:
    what = f"{path.name}: {what}"
    if as_json:
        print(json_lib.dumps({"error": {"code": code, "what": what, "hint": hint}}), file=err)
    else:
        print(_plain(f"mutua: {what}; {hint}"), file=err)
