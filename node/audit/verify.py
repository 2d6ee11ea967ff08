"""What an auditor runs on the folder of a stopped node: the ledger's replay, joined with the rules and the committee.

No daemon, no network, no keys, and no byte of the folder changes.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from consensus.committee import committee_hash
from consensus.messages import decode_certificate
from consensus.votelog import newest_height
from ledger.blocks import Contents, Header, block_hash_of, decode_header
from ledger.chain import CHARTER_KEY, Chain
from ledger.end_mark import mark_path
from ledger.errors import LedgerCorrupt, MalformedBytes, MutuaError
from ledger.genesis import Charter, chain_id_of
from ledger.hashing import HASH_SIZE
from ledger.inventory import Finding
from ledger.leveldb import is_locked, opened_aside
from ledger.proofs import InclusionProof, build_inclusion_proof, inclusion_problems
from ledger.records import Body, Record
from ledger.state import StateReader
from ledger.store import Store
from ledger.verify import Applied, Counts, replay
from node.agreement.vote_log import problem_of as vote_log_problem
from node.execution.header_rules import certificate_problem, committee_of, header_problems, proposer_problem
from node.execution.verifier import Verifier
from node.paths import DataFolder


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

    def certificate_problem(
        self, charter: Charter, parent: Header | None, header: Header, certificate: bytes
    ) -> str | None:
        """Return what is wrong with the commit certificate of this header's block, or None."""
        committee = committee_of(charter)  # the founders, as long as nobody can join it
        problem = commit_problem(committee, chain_id_of(charter), header, certificate)
        if problem is not None or parent is None:
            return problem
        return proposer_problem(parent, header, len(committee), decode_certificate(certificate).view)

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


def commit_problem(committee: tuple[bytes, ...], chain_id: bytes, header: Header, data: bytes) -> str | None:
    """Return what is wrong with the bytes of a commit certificate of this header's block, or None."""
    try:
        certificate = decode_certificate(data)
    except MalformedBytes as error:
        return error.what
    return certificate_problem(committee, chain_id, header, certificate)


@dataclass(frozen=True, slots=True)
class Expected:
    """What the auditor knows of the ledger from elsewhere; None where they know nothing."""

    charter: Charter | None = None
    height: int | None = None
    """The ledger must reach at least this."""


def audit_folder(
    folder: Path, on_height: Callable[[int, int], None] | None = None, expected: Expected = Expected()
) -> Report:
    """Replay the ledger in a data folder (or a bare ledger folder). MutuaError `store_locked` or `store_missing`."""
    counts = Counts(on_height=on_height)
    try:
        with opened_ledger(folder) as store:
            with closing(Verifier()) as verifier:
                findings = list(replay(store, NodeRules(), counts, verifier))
            findings += _charter_file(folder, store)
    except LedgerCorrupt as error:
        findings = [Finding(0, "store", error.what)]
    findings += [*_vote_log(folder, counts.height), *_unexpected(counts, expected)]
    return Report(counts, tuple(sorted(findings, key=lambda finding: finding.height)))


def _unexpected(counts: Counts, expected: Expected) -> Iterator[Finding]:
    charter, height = expected.charter, expected.height
    if charter is not None and counts.chain_id and chain_id_of(charter) != counts.chain_id:
        what = f"this is not the ledger of the charter of {charter.name}, chain {chain_id_of(charter).hex()}"
        yield Finding(0, "charter", what)
    if height is not None and counts.height < height:
        yield Finding(max(0, counts.height), "height", f"the ledger does not reach block {height}")


def _vote_log(folder: Path, tip: int) -> Iterator[Finding]:
    """A node votes at a height once the block before it is on its disk: where it voted shows what its ledger held."""
    path = DataFolder(folder).votes
    problem = vote_log_problem(path)
    if problem is not None:
        yield Finding(max(0, tip), "vote_log", problem)
    try:
        newest = newest_height(path.read_bytes()) if path.exists() else 0
    except LedgerCorrupt:
        return  # its problem is told
    if newest > tip + 1:
        end = f"it ends at block {tip}" if tip >= 0 else "no block can be read"
        what = f"this node voted on block {newest}, so its ledger held block {newest - 1}; now {end}"
        yield Finding(max(0, tip), "vote_log", what)


@contextmanager
def opened_ledger(folder: Path) -> Generator[Store]:
    """Open the ledger of a stopped data folder without changing it."""
    inside = DataFolder(folder).ledger
    ledger = inside if inside.is_dir() or mark_path(inside).exists() else folder
    if is_locked(folder / "lock"):
        what = f"a daemon runs on {folder}"
        raise MutuaError("store_locked", what, "stop it first, or work on a copy made after it stopped")
    with opened_aside(ledger) as store:
        yield store


def prove(folder: Path, record_id: bytes) -> InclusionProof:
    """Return the proof of a record in a stopped data folder."""
    with opened_ledger(folder) as store:
        chain = Chain.open(store)
        return build_inclusion_proof(chain, record_id, committee_of(chain.charter))


def proof_problems(proof: InclusionProof, charter: Charter | None = None, anchor: bytes | None = None) -> list[str]:
    """Return what is wrong with a proof, and how it differs from a charter or an anchor's hash that somebody knows."""
    problems = inclusion_problems(proof)
    if problems:
        return problems
    header, committee = decode_header(proof.anchor), proof.committee
    if any(len(key) != HASH_SIZE for key in committee) or committee_hash(committee) != header.committee_hash:
        return ["the committee is not the one that the anchor names"]
    problem = commit_problem(committee, proof.chain_id, header, proof.certificate)
    if problem is not None:
        return [f"the certificate is not valid: {problem}"]
    if charter is not None and chain_id_of(charter) != proof.chain_id:
        problems.append("the proof belongs to another chain than the charter")
    elif charter is not None and committee_of(charter) != committee:
        problems.append("the committee is not the charter's")
    if anchor is not None and block_hash_of(header) != anchor:
        problems.append(f"the anchor, block {header.height}, has the hash {block_hash_of(header).hex()}, not yours")
    return problems


def _charter_file(folder: Path, store: Store) -> list[Finding]:
    path, stored = folder / "charter.bin", store.get(CHARTER_KEY)
    if stored is not None and path.exists() and path.read_bytes() != stored:
        return [Finding(0, "charter", "charter.bin is not the charter that the ledger began with")]
    return []
