"""`mutua claim import FILE`: a FHIR file is read and mapped here, then submitted in batches to this node's daemon.

Nothing is submitted unless every claim of the file maps, and stands already or would be taken by the rules now. The
node holds a bounded number of waiting records: the import waits for blocks to make room, and what is not sent in the
end is left to the next run. That run, also after a crash of either side, finds out from the node what stands and what
waits; it needs no notes of its own. Every claim of the file is accounted for in one of the lists of `Account`.

Of the claims two requests are in memory: each is made from the file, once to be looked up and once to be sent.

Progress and reasons go to standard error, results to standard output; with `--json` the result is one object.
"""

from __future__ import annotations

import json as json_lib
import sys
import time
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass
from datetime import date
from itertools import islice
from pathlib import Path
from typing import TextIO, cast

import msgspec

from ledger.errors import MutuaError
from ledger.records import Attestation
from node.api.client import ApiError, Client, submission
from node.api.schema import BATCH_SIZE_MAX
from node.api.text import Units, clean, counted
from node.api.views.actions import BatchAnswer
from node.api.views.actions import Refusal as NodeRefusal
from node.api.views.coop import CODES, PROVIDERS, Code, Provider
from node.api.views.node import Status
from node.bridges.fhir.mapping import REASONS_MAX, map_claims
from node.bridges.fhir.reading import read_fhir
from node.bridges.fhir.values import CharterContext, ImportMapping, ImportPlan, MappedClaim, Refusal
from node.cli.claims.account import Account, Items, Json

EXIT_OK = 0
EXIT_USAGE = 2
EXIT_REFUSED = 5
FULL_CODE, DUPLICATE_CODE = "mempool_full", "duplicate_line"
REASONS_SHOWN_MAX = 50
"""Reasons printed for people; `--json` gives all."""
AT_ONCE_MAX = 250
"""Claims of one request: the node answers within a second."""
ROOM_WAIT_S = 60.0
WAIT_STEP_S = 0.3

Attester = Callable[[Json], Sequence[Attestation]]
"""Gives the provider's attestation of a complete body (all fields but the payout commitment)."""


@dataclass(frozen=True, slots=True)
class _Draft:
    """A claim of the file by its number there, and the encoded request that submits it."""

    number: int
    resource: str
    request: msgspec.Raw


def import_file(
    path: Path,
    client: Client,
    *,
    json: bool = False,
    progress: bool = True,
    mapping: ImportMapping | None = None,
    wait_s: float = ROOM_WAIT_S,
    attester: Attester | None = None,
    out: TextIO | None = None,
    err: TextIO | None = None,
) -> int:
    """Import a FHIR file through the local daemon; return the exit code: 0, 2 (no FHIR file) or 5 (refused).

    `wait_s` is how long to wait for blocks when the node has no room. Errors of the daemon other than refusals (not
    running, no room) are raised for the caller, who knows their exit codes, after the account of what became of each
    claim.
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

    def draft(number: int) -> _Draft:
        claim = plan.claims[number]
        body = _attested(body_of(claim, status), attester)
        return _Draft(number, claim.resource, msgspec.Raw(msgspec.json.encode(submission("claim.file", body))))

    account = Account()
    fresh, refusals = _look_up(map(draft, range(len(plan.claims))), client, account)
    if refusals:
        _print_refusals(refusals, path, errors, as_json=json)
        return EXIT_REFUSED
    if not json:
        _print_summary(path, plan, context, output)
    screen = _Screen(output, is_quiet=json or not progress)
    try:
        _submit_all(fresh, draft, client, account, screen, wait_s=wait_s)
    finally:
        _print_account(path, plan, account, output, as_json=json)
    return _outcome(path, plan, account, errors, as_json=json)


def _outcome(path: Path, plan: ImportPlan, account: Account, err: TextIO, *, as_json: bool) -> int:
    """Return the exit code of an import that went to its end. MutuaError `mempool_full` where claims are left."""
    if account.unsent:
        what = f"{len(account.unsent)} of {counted(len(plan.claims), 'claim')} not sent: this node has no room for them"
        hint = "run the same command again after the next block; nothing is filed twice"
        raise MutuaError("mempool_full", what, hint)
    if account.refused:
        refusals = [Refusal(path="claim", **item) for item in account.refused]
        _print_refusals(refusals, path, err, as_json=as_json, is_partial=True)
        return EXIT_REFUSED
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


def _parts(drafts: Iterable[_Draft]) -> Iterator[list[_Draft]]:
    """Yield the drafts in parts that one request may hold."""
    part, size = list[_Draft](), 0
    for draft in drafts:
        weight = len(bytes(draft.request)) + 1
        if part and (len(part) >= AT_ONCE_MAX or size + weight > BATCH_SIZE_MAX - 100):
            yield part
            part, size = [], 0
        part.append(draft)
        size += weight
    if part:
        yield part


def _ahead(parts: Iterator[list[_Draft]]) -> Generator[list[_Draft]]:
    """Yield the same parts, the next one made in a thread while the caller is busy with one."""
    with ThreadPoolExecutor(1) as thread:
        coming = thread.submit(next, parts, None)
        while (part := coming.result()) is not None:
            coming = thread.submit(next, parts, None)
            yield part


def _look_up(drafts: Iterable[_Draft], client: Client, account: Account) -> tuple[Items, list[Refusal]]:
    """Return number and name of the claims that are new, and why the rules would refuse some; note what stands."""
    fresh, refusals = Items(), list[Refusal]()
    for part in _ahead(_parts(drafts)):
        found = {item.index: item for item in client.check([item.request for item in part])}
        for index, draft in enumerate(part):
            refusal = found.get(index)
            if refusal is None:
                fresh.append((draft.number, draft.resource))
            elif refusal.claim:
                account.note_standing(draft.resource, refusal)
            else:
                refusals.append(_reason_of(draft.resource, refusal))
        if len(refusals) >= REASONS_MAX:
            break
    return fresh, refusals


def _reason_of(resource: str, refusal: NodeRefusal) -> Refusal:
    """Return why a claim is refused; one that contradicts a claim on the ledger can be left out."""
    hint = refusal.hint
    if refusal.code == DUPLICATE_CODE:
        hint = f"compare the two: mutua claim show; if the earlier one is right: --leave-out {resource}"
    return Refusal(resource, "claim", refusal.code, refusal.what, hint)


def _submit_all(
    fresh: Items, draft: Callable[[int], _Draft], client: Client, account: Account, screen: _Screen, *, wait_s: float
) -> None:
    """Submit the claims in order, waiting for room where there is none; the account is complete whatever happens."""
    taken, left, flying = 0, list[_Draft](), list[_Draft]()
    deadline = time.monotonic() + wait_s
    parts = _ahead(_parts(draft(number) for number, _ in fresh))
    try:
        with closing(parts), screen.counting(len(fresh)) as show:
            for part in parts:
                taken, left = taken + len(part), part
                while left:
                    height = client.blocks(count=1)[-1].height
                    flying, left = left, []
                    answer = client.submit_all([item.request for item in flying])
                    (left, lines, fault), flying = _note_answer(flying, answer, account), []
                    for line in lines:
                        show(line)
                    if fault is not None:
                        raise ApiError(fault.code, fault.what, fault.hint, family=fault.family)
                    deadline = time.monotonic() + wait_s if lines else deadline
                    if left and not _is_block_coming(client, height, deadline):
                        return
    finally:
        for item in flying:
            account.unsure.append(item.resource)
        for name in (*(item.resource for item in left), *(name for _, name in islice(fresh, taken, None))):
            account.unsent.append(name)


def _note_answer(
    part: Sequence[_Draft], answer: BatchAnswer, account: Account
) -> tuple[list[_Draft], list[str], NodeRefusal | None]:
    """Note what became of each claim; return those without room, a line for each other, and what made the node fail."""
    refusals, fault = {item.index: item for item in answer.refusals}, None
    full, lines = list[_Draft](), list[str]()
    for index, draft in enumerate(part):
        name, refusal = draft.resource, refusals.get(index)
        if refusal is None:
            account.submitted.append({"resource": name, "record_id": answer.records[index]})
            lines.append(f"{name} submitted as {answer.records[index]}")
        elif refusal.claim:
            lines.append(account.note_standing(name, refusal))
        elif refusal.code == FULL_CODE:
            full.append(draft)
        elif refusal.family == "node":
            account.unsure.append(name)
            fault = refusal
        else:
            reason = _reason_of(name, refusal)
            account.refused.append({"resource": name, "code": reason.code, "what": reason.what, "hint": reason.hint})
            lines.append(f"{name} refused: {reason.what}")
    return full, lines, fault


def _is_block_coming(client: Client, height: int, deadline: float) -> bool:
    """Wait for a block after `height`; False when none came in time."""
    while client.blocks(count=1)[-1].height <= height and time.monotonic() < deadline:
        time.sleep(WAIT_STEP_S)
    return time.monotonic() < deadline


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
    lines = cents = 0
    for claim in plan.claims:
        lines, cents = lines + len(claim.lines), cents + claim.charge_cents
    amount = Units(context.currency, context.exponent).money(cents)
    left_out = f"; {plan.other_patients} of other patients left out" if plan.other_patients else ""
    repeated = f"; {plan.repeated} repeated" if plan.repeated else ""
    missing = f"; {plan.missing_pages}" if plan.missing_pages else ""
    held = f"{counted(len(plan.claims), 'claim')}, {counted(lines, 'line')}"
    text = f"{path.name}: {held}, charges {amount}{left_out}{repeated}{missing}"
    print(_plain(text), file=out, flush=True)


def _print_account(path: Path, plan: ImportPlan, account: Account, out: TextIO, *, as_json: bool) -> None:
    if as_json:
        rest = {name: getattr(plan, name) for name in ("repeated", "other_patients", "missing_pages")}
        account.write(out, {"file": path.name, "claims": len(plan.claims)}, rest)
    else:
        print(_plain(account.words(len(plan.claims))), file=out, flush=True)


def _print_refusals(
    refusals: Sequence[Refusal], path: Path, err: TextIO, *, as_json: bool, is_partial: bool = False
) -> None:
    what = f"{path.name} was not imported, for {counted(len(refusals), 'reason')}; nothing was submitted"
    if is_partial:
        what = f"{path.name}: the rules refused {counted(len(refusals), 'claim')}; the others were submitted"
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
