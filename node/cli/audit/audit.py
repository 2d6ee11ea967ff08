"""`mutua audit verify|prove|check|explain`: offline, on the folder of a stopped node. Exit 6 when anything is wrong."""

from __future__ import annotations

import sys
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cyclopts import App

from ledger.errors import MutuaError
from ledger.hashing import HASH_SIZE
from node.api.text import clock, counted, dated
from node.cli.audit.actions import drawn, finding, report
from node.cli.common import DEFAULT, PRINT, Common, Printing, Whole, read_file, say

if TYPE_CHECKING:
    from ledger.genesis import Charter
    from ledger.proofs import InclusionProof
    from node.audit.verify import Report

app = App(
    name="audit",
    help="Check a ledger, prove a record, check a proof, explain a decision; report, find, and see what was drawn.",
)

app.command(report)
app.command(finding)
app.command(drawn)

EXIT_OK = 0
EXIT_FINDING = 6


@app.command
def verify(
    folder: Path | None = None,
    /,
    *,
    charter: Path | None = None,
    at_least: Whole | None = None,
    common: Common = DEFAULT,
) -> int:
    """Replay the ledger from genesis and list every contradiction.

    Certificates, links, roots, signatures, bodies, events and state rows are computed again and compared. Nothing in
    the folder changes. Printed are the findings, one a line, and then which ledger this is and how far it goes. Exit
    code 0: no finding. Exit code 6: findings.

    :param folder: The data folder of a stopped node, or a copy of it; short for --data-dir.
    :param charter: Your co-op's sealed charter; the ledger of another co-op is a finding.
    :param at_least: A height that the co-op has reached, as another member knows it; a shorter ledger is a finding.
    """
    from node.audit.verify import Expected, audit_folder

    expected = Expected(_charter_of(charter), at_least)
    with _progress(common) as on_height:
        report = audit_folder(folder or common.folder, on_height, expected)
    counts = report.counts
    findings = [
        {
            "height": item.height,
            "check": item.check,
            "what": item.what,
            "record_id": item.record_id.hex() if item.record_id else None,
        }
        for item in report.findings
    ]
    answer = {
        "name": counts.name,
        "chain_id": counts.chain_id.hex(),
        "height": counts.height,
        "tip_hash": counts.tip_hash.hex(),
        "tip_time": clock(counts.time_ms),
        "records": counts.records,
        "certificates": counts.certificates,
        "states": counts.states,
        "state_root": counts.state_root.hex(),
        "findings": findings,
    }
    say(common, answer, lambda: _verified(report))
    return EXIT_FINDING if findings else EXIT_OK


def _verified(report: Report) -> Iterator[str]:
    for item in report.findings:
        record = f" record {item.record_id.hex()}" if item.record_id else ""
        yield f"height {item.height} {item.check}{record}: {item.what}"
    counts = report.counts
    if counts.tip_hash:
        yield f"ledger     {counts.name}, chain {counts.chain_id.hex()}"
        yield f"tip        block {counts.height}, {clock(counts.time_ms)}, {counts.tip_hash.hex()}"
    if counts.state_root:
        yield f"state      {counts.state_root.hex()}"
    kinds = ((counts.records, "record"), (counts.certificates, "certificate"), (counts.states, "state"))
    yield f"checked    {', '.join(counted(count, kind) for count, kind in kinds)}"
    yield f"findings   {len(report.findings) or 'none'}"


def _charter_of(file: Path | None) -> Charter | None:
    from ledger.charter_file import charter_from_file

    return None if file is None else charter_from_file(read_file(file))


@app.command
def prove(record_id: str, *, common: Common = DEFAULT) -> int:
    """Print a proof, as JSON, that a record is in the chain.

    :param record_id: The record's id, 64 hex digits.
    """
    from ledger.proofs import proof_to_json
    from node.audit.verify import prove as prove_record

    print(proof_to_json(prove_record(common.folder, _digest(record_id, "record_id"))))
    return EXIT_OK


def _digest(text: str, code: str) -> bytes:
    try:
        digest = bytes.fromhex(text)
    except ValueError:
        digest = b""
    if len(digest) != HASH_SIZE:
        what = f"{text!r} is not 64 hex digits"
        if code == "anchor_hash":
            raise MutuaError("anchor_hash", what, "name the anchor's hash, as mutua block show prints it")
        raise MutuaError("record_id", what, "name the 64 hex digits of the record's id")
    return digest


@app.command
def check(
    proof_file: Path, *, charter: Path | None = None, anchor: str | None = None, printing: Printing = PRINT
) -> int:
    """Check a proof, and print what it proves and against what: exit 6 with the reasons when it does not hold.

    A proof ends at its anchor, a block that a committee certified. That it is a block of your co-op you know from your
    co-op's charter, or from the anchor's hash, which your own node tells (mutua block show).

    :param proof_file: A file that `mutua audit prove` wrote.
    :param charter: Your co-op's sealed charter; the chain and the committee must be its own.
    :param anchor: The hash of the anchor, 64 hex digits, as you know it from elsewhere.
    """
    from ledger.proofs import proof_from_json, shown_of
    from node.audit.verify import proof_problems

    proof, problems = proof_from_json(read_file(proof_file))
    known = _charter_of(charter)
    problems += proof_problems(proof, known, None if anchor is None else _digest(anchor, "anchor_hash"))
    compared = [name for name, item in (("charter", charter), ("anchor", anchor)) if item is not None]
    shown = shown_of(proof)
    answer = {name: shown[name] for name in ("chain_id", "record_id", "kind", "height", "index")}
    answer |= {name: shown[name] for name in ("anchor_height", "anchor_hash")}
    answer |= {"compared_with": compared, "findings": problems}
    say(printing, answer, lambda: problems or _proved(proof, shown, compared))
    return EXIT_FINDING if problems else EXIT_OK


def _proved(proof: InclusionProof, shown: Mapping[str, Any], compared: Sequence[str]) -> Iterator[str]:
    from consensus.messages import decode_certificate
    from ledger.blocks import decode_header
    from ledger.codec import decode
    from ledger.records import Record

    record, time_ms = decode(Record, proof.record), decode_header(proof.anchor).proposed_time_ms
    voters = len(decode_certificate(proof.certificate).voters)
    yield f"record     {shown['record_id']}, {record.kind} by {record.author.hex()}"
    yield f"body       {record.body_hash.hex()}"
    yield f"place      record {proof.index + 1} of block {shown['height']}"
    yield f"chain      {shown['chain_id']}"
    yield f"anchor     block {shown['anchor_height']}, {clock(time_ms)}, {shown['anchor_hash']}"
    yield f"certified  by {voters} of {len(proof.committee)} members of its committee"
    if compared:
        yield f"compared   with your {' and your '.join(compared)}"
    else:
        yield "compared   with nothing that you know: anybody can make such a chain; give --charter or --anchor"


@app.command
def explain(
    claim: str | None = None,
    *,
    proposal: str | None = None,
    member: str | None = None,
    premium: str | None = None,
    common: Common = DEFAULT,
) -> int:
    """Explain a decision from its ledger alone: the rule, every figure, each tally, step and payment.

    The ledger of --data-dir, of a stopped node, is replayed from genesis; nothing in the folder changes. With --json
    the receipt is printed, from which anyone can recompute the decision (docs/reference/receipts.md).

    :param claim: The claim's id, or its first digits.
    :param proposal: Instead of a claim: a proposal's sponsors, votes, turnout and effect, by its id or first digits.
    :param member: Instead of a claim: a member's approval threshold, and every decision on the renewal.
    :param premium: Instead of a claim: every re-rating of a plan, by its name.
    """
    given = {"claim": claim, "proposal": proposal, "member": member, "premium": premium}
    wanted = [(kind, name) for kind, name in given.items() if name is not None]
    if len(wanted) != 1:
        what = "one decision is explained at a time"
        raise MutuaError("usage", what, "give a CLAIM, or one of --proposal, --member, --premium")
    from governance.events import render_hex
    from governance.receipts.shapes import as_json

    with _progress(common) as on_height:
        receipt, sentences, day_one = _explained(common.folder, *wanted[0], on_height)
    answer = as_json(receipt, render_hex) if common.json else None
    return say(common, answer, lambda: [dated(sentence, day_one) for sentence in sentences])


def _explained(
    folder: Path, kind: str, name: str, on_height: Callable[[int, int], None] | None
) -> tuple[Any, Iterator[str], str]:
    """Return the receipt of a decision, its sentences, and the date of day 1."""
    from governance.events import render_hex
    from governance.genesis import spec_of_charter
    from governance.receipts import other_words, others, words
    from ledger.chain import Chain
    from node.audit.receipts import claim_ids, claim_receipt, found_in, live_through, member_ids, proposal_ids
    from node.audit.verify import opened_ledger
    from node.cli.common import full_id

    with opened_ledger(folder) as store:
        chain = Chain.open(store)
        spec = spec_of_charter(chain.charter)
        if kind == "claim":
            claim = claim_receipt(chain, bytes.fromhex(full_id(name, lambda: claim_ids(chain), kind)), on_height)
            return claim, words.explain(claim, render_hex), chain.charter.day_one
        about: Any
        if kind == "proposal":
            about = others.ProposalCollector(spec, bytes.fromhex(full_id(name, lambda: proposal_ids(chain), kind)))
            tell = other_words.explain_proposal
        elif kind == "member":
            about = others.MemberCollector(spec, bytes.fromhex(full_id(name, lambda: member_ids(chain), kind)))
            tell = other_words.explain_member
        else:
            about, tell, kind = others.PremiumCollector(spec, name), other_words.explain_premium, "plan"
        live_through(chain, about, on_height)
        found = found_in(chain, about.receipt(), kind)
        return found, tell(found, render_hex), chain.charter.day_one


@contextmanager
def _progress(common: Common) -> Generator[Callable[[int, int], None] | None]:
    """Give a function that shows the block being replayed, where somebody watches."""
    is_live = sys.stderr.isatty() and not common.json
    try:
        yield _show_progress if is_live else None
    finally:
        if is_live:
            print("\r\x1b[K", end="", file=sys.stderr)


def _show_progress(height: int, tip: int) -> None:
    print(f"\rblock {height} of {tip}", end="", file=sys.stderr, flush=True)
