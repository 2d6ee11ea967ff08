"""`mutua audit verify|prove|check|explain`: offline, on the folder of a stopped node. Exit 6 when anything is wrong."""

from __future__ import annotations

import sys
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from cyclopts import App

from ledger.errors import MutuaError
from node.cli.audit.actions import drawn, finding, report
from node.cli.common import DEFAULT, PRINT, Common, Printing, print_json, read_file, say

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
def verify(folder: Path | None = None, /, *, common: Common = DEFAULT) -> int:
    """Replay the ledger from genesis and list every contradiction.

    Certificates, links, roots, signatures, bodies, events and state rows are computed again and compared. Nothing in
    the folder changes. Exit code 0: no finding, and nothing is printed. Exit code 6: findings, one a line.

    :param folder: The data folder of a stopped node, or a copy of it; short for --data-dir.
    """
    from node.audit.verify import audit_folder

    with _progress(common) as on_height:
        report = audit_folder(folder or common.folder, on_height)
    counts = report.counts
    if common.json:
        findings = [
            {
                "height": f.height,
                "check": f.check,
                "what": f.what,
                "record_id": f.record_id.hex() if f.record_id else None,
            }
            for f in report.findings
        ]
        print_json(
            {
                "chain_id": counts.chain_id.hex(),
                "height": counts.height,
                "records": counts.records,
                "certificates": counts.certificates,
                "states": counts.states,
                "state_root": counts.state_root.hex(),
                "findings": findings,
            }
        )
    else:
        for finding in report.findings:
            record = f" record {finding.record_id.hex()}" if finding.record_id else ""
            print(f"height {finding.height} {finding.check}{record}: {finding.what}")
    return EXIT_FINDING if report.findings else EXIT_OK


@app.command
def prove(record_id: str, *, common: Common = DEFAULT) -> int:
    """Print a proof, as JSON, that a record is in the chain.

    :param record_id: The record's id, 64 hex digits.
    """
    from ledger.proofs import proof_to_json
    from node.audit.verify import prove as prove_record

    try:
        wanted = bytes.fromhex(record_id)
    except ValueError:
        what = f"{record_id!r} is not hex"
        raise MutuaError("record_id", what, "name the 64 hex digits of the record's id") from None
    print(proof_to_json(prove_record(common.folder, wanted)))
    return EXIT_OK


@app.command
def check(proof_file: Path, *, charter: Path | None = None, printing: Printing = PRINT) -> int:
    """Check a proof: silent with exit 0 when it holds, exit 6 with the reasons when it does not.

    :param proof_file: A file that `mutua audit prove` wrote.
    :param charter: The co-op's sealed charter; with it, the chain id and the certificate are checked too.
    """
    from ledger.charter_file import charter_from_file
    from ledger.proofs import proof_from_json
    from node.audit.verify import proof_problems

    proof = proof_from_json(read_file(proof_file))
    problems = proof_problems(proof, charter_from_file(read_file(charter)) if charter is not None else None)
    if printing.json:
        print_json(
            {"chain_id": proof.chain_id.hex(), "is_certificate_checked": charter is not None, "findings": problems}
        )
    else:
        for problem in problems:
            print(problem)
    return EXIT_FINDING if problems else EXIT_OK


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
        receipt, sentences = _explained(common.folder, *wanted[0], on_height)
    return say(common, as_json(receipt, render_hex) if common.json else None, lambda: sentences)


def _explained(
    folder: Path, kind: str, name: str, on_height: Callable[[int, int], None] | None
) -> tuple[Any, Iterator[str]]:
    """Return the receipt of a decision and its sentences."""
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
            return claim, words.explain(claim, render_hex)
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
        return found, tell(found, render_hex)


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
