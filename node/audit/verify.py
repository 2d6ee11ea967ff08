"""What an auditor runs on the folder of a stopped node: the ledger's replay, joined with the rules and the committee.

No daemon, no network, no keys, and no byte of the folder changes.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from consensus.committee import committee_hash
from consensus.messages import decode_certificate
from ledger.blocks import Contents, Header, decode_header
from ledger.chain import CHARTER_KEY, Chain
from ledger.errors import LedgerCorrupt, MalformedBytes, MutuaError
from ledger.genesis import Charter, chain_id_of
from ledger.inventory import Finding
from ledger.leveldb import is_locked, opened_aside
from ledger.proofs import InclusionProof, build_inclusion_proof, inclusion_problems
from ledger.records import Body, Record
from ledger.state import StateReader
from ledger.store import Store
from ledger.verify import Applied, Counts, replay
from node.execution.header_rules import certificate_problem, committee_of, header_problems
from node.execution.verifier import Verifier


@dataclass(frozen=True, slots=True)
class Report:
    """The result of an audit: how much was checked, and what was found."""

    counts: Counts
    findings: tuple[Finding, ...]


class NodeRules:
    """`ledger.verify.Rules` by the same functions that the daemon applies blocks with."""

    def genesis(self, charter: Charter) -> tuple[Mapping[bytes, bytes], bytes, bytes]:
        """Return rows, events and committee hash of block 0."""
        from node.execution.apply import genesis_rows

        return genesis_rows(charter), b"", committee_hash(committee_of(charter))

    def header_problems(self, charter: Charter, parent: Header, header: Header) -> Sequence[str]:
        """Return what is wrong with epoch, times, committee, proposer and reserved bytes."""
        return [what for _, what in header_problems(charter, committee_of(charter), parent, header)]

    def certificate_problem(self, charter: Charter, header: Header, certificate: bytes) -> str | None:
        """Return what is wrong with the commit certificate of this header's block, or None."""
        return commit_problem(charter, header, certificate)

    def apply(
        self,
        state: StateReader,
        charter: Charter,
        parent: Header,
        header: Header,
        *,
        records: Sequence[Record],
        bodies: Mapping[bytes, Body],
        contents: Contents,
    ) -> Applied:
        """Return the effect of the block; MutuaError when the rules refuse it."""
        from node.execution.apply import apply_block, encode_events
        from node.execution.validate import check_size

        committee = committee_of(charter)
        if header.proposer >= len(committee):
            raise LedgerCorrupt("committee", "the proposer is not known", "see the finding on the header")
        check_size(contents, (bodies[record.body_hash] for record in records))
        leader = committee[header.proposer]
        applied = apply_block(state, header, parent.randomness, leader, records, bodies, contents.ids)
        return Applied(applied.delta, encode_events(applied.events))


def commit_problem(charter: Charter, header: Header, data: bytes) -> str | None:
    """Return what is wrong with the bytes of a commit certificate of this header's block, or None."""
    try:
        certificate = decode_certificate(data)
    except MalformedBytes as error:
        return error.what
    # The founders are the committee as long as nobody can join it.
    return certificate_problem(committee_of(charter), chain_id_of(charter), header, certificate)


def audit_folder(folder: Path, on_height: Callable[[int, int], None] | None = None) -> Report:
    """Replay the ledger in a data folder (or a bare ledger folder). MutuaError `store_locked` or `store_missing`."""
    counts = Counts(on_height=on_height)
    try:
        with opened_ledger(folder) as store:
            with closing(Verifier()) as verifier:
                findings = list(replay(store, NodeRules(), counts, verifier))
            findings += _charter_file(folder, store)
    except LedgerCorrupt as error:
        findings = [Finding(0, "store", error.what)]
    return Report(counts, tuple(findings))


@contextmanager
def opened_ledger(folder: Path) -> Generator[Store]:
    """Open the ledger of a stopped data folder without changing it."""
    ledger = folder / "ledger" if (folder / "ledger").is_dir() else folder
    if is_locked(folder / "lock"):
        what = f"a daemon runs on {folder}"
        raise MutuaError("store_locked", what, "stop it first, or work on a copy made after it stopped")
    with opened_aside(ledger) as store:
        yield store


def prove(folder: Path, record_id: bytes) -> InclusionProof:
    """Return the proof of a record in a stopped data folder."""
    with opened_ledger(folder) as store:
        return build_inclusion_proof(Chain.open(store), record_id)


def proof_problems(proof: InclusionProof, charter: Charter | None) -> list[str]:
    """Return what is wrong with a proof; with the charter, its chain and certificate are checked too."""
    problems = inclusion_problems(proof)
    if charter is None or problems:
        return problems
    if chain_id_of(charter) != proof.chain_id:
        return ["the proof belongs to another chain than the charter"]
    problem = commit_problem(charter, decode_header(proof.anchor), proof.certificate)
    return [] if problem is None else [f"the certificate is not valid: {problem}"]


def _charter_file(folder: Path, store: Store) -> list[Finding]:
    path = folder / "charter.bin"
    if path.exists() and path.read_bytes() != store.get(CHARTER_KEY):
        return [Finding(0, "charter", "charter.bin is not the charter that the ledger began with")]
    return []
