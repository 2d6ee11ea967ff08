"""Replay: from genesis to the tip, everything a stored chain claims is computed again and compared.

Nothing is thrown: each contradiction becomes a `Finding` with its height, its check and, where there is one, its
record. What the rules mean and who may certify a block is injected, so the ledger imports nothing else. After the first
block whose effect cannot be recomputed, states are not compared any more (all later ones would differ for the same
reason); headers, links, roots, signatures, bodies and certificates still are. `ledger.inventory` looks for rows that no
block explains.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any, Protocol

from ledger import chain as layout
from ledger import merkle
from ledger.blocks import (
    Block,
    Contents,
    Header,
    block_hash_of,
    contents_of,
    decode_header,
    encode_header,
    link_problems,
)
from ledger.codec import decode
from ledger.errors import MalformedBytes, MutuaError
from ledger.genesis import Charter, chain_id_of
from ledger.hashing import HASH_SIZE
from ledger.inventory import ROW_FINDINGS_MAX, Finding, next_height, state_differences, unaccounted
from ledger.records import Body, Record, Seal, check_record_shape, is_body_of, is_record_signed, seals_of
from ledger.signatures import are_sealed
from ledger.spool import Spool
from ledger.state import StateReader, StateTree
from ledger.store import MemoryStore, Store

BEHIND_RECORDS = 8_192
"""Signatures are asked about so many records later, and at the very end: others verify them meanwhile, none waits for
the last block's replay, and memory stays flat."""


FIELD_CHECKS = {"history_root": "history_root", "record_count": "record_count", "records_root": "records_root"}
"""The check named for a field of `link_problems`; the others are `header_link`."""


@dataclass(frozen=True, slots=True)
class Applied:
    """What the rules say a block does."""

    delta: Mapping[bytes, bytes | None]
    events: bytes


class Rules(Protocol):
    """The meaning of records, as the node that wrote the chain understood it."""

    def genesis(self, charter: Charter) -> tuple[Mapping[bytes, bytes], bytes, bytes]:
        """Return the state rows, the events and the committee hash of block 0."""
        ...

    def header_problems(self, charter: Charter, parent: Header, header: Header) -> Sequence[str]:
        """Return the faults of what charter and parent fix in a header: epoch, times, committee, proposer."""
        ...

    def certificate_problem(
        self, charter: Charter, parent: Header | None, header: Header, certificate: bytes
    ) -> str | None:
        """Return what is wrong with the stored certificate of a header's block, or None."""
        ...

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
        """Return the effect of the block, or raise MutuaError when the rules refuse it."""
        ...


class SignatureChecks(Protocol):
    """Verifies signatures, perhaps in other processes: they are handed out early and asked for later."""

    def submit(self, seals: Sequence[Seal]) -> Any:
        """Take seals to verify; the answer is for `finish`."""
        ...

    def finish(self, parts: Any) -> bool:
        """Return whether all seals that were submitted together verify."""
        ...


class ChecksHere:
    """Verifies in this thread, when asked."""

    def submit(self, seals: Sequence[Seal]) -> Sequence[Seal]:
        """Keep the seals for later."""
        return seals

    def finish(self, parts: Sequence[Seal]) -> bool:
        """Verify them."""
        return are_sealed(parts)


@dataclass(slots=True)
class Counts:
    """How much a replay has checked so far, for progress and for the auditor's summary."""

    height: int = -1
    tip: int = -1
    records: int = 0
    certificates: int = 0
    states: int = 0
    name: str = ""
    """Of the co-op, as its charter says."""
    chain_id: bytes = b""
    tip_hash: bytes = b""
    """Of the last block that could be read, as `time_ms`, when it was proposed."""
    time_ms: int = 0
    state_root: bytes = b""
    on_height: Callable[[int, int], None] | None = None
    """Called with (height, tip) after each block."""


def replay(
    source: Store, rules: Rules, counts: Counts | None = None, checks: SignatureChecks | None = None
) -> Iterator[Finding]:
    """Yield every finding of the chain in `source`. Silent when all is well.

    Oldest first, but for signatures, which are verified meanwhile, and rows too many, which are told at the end.
    """
    try:
        with closing(Spool(HASH_SIZE + layout.PLACE_SIZE)) as places, closing(Spool(HASH_SIZE)) as bodies:
            yield from _Replay(source, rules, counts or Counts(), checks or ChecksHere(), places, bodies).run()
    except MutuaError as error:
        yield Finding(max(0, counts.height if counts else 0), "store", f"the rows cannot be read: {error}")


@dataclass(frozen=True, slots=True)
class _Loaded:
    """A block as it is stored, with what is wrong about its bytes."""

    height: int
    records: Sequence[Record]
    header: Header | None
    findings: list[Finding]
    contents: Contents


@dataclass(slots=True)
class _Replay:
    source: Store
    rules: Rules
    counts: Counts
    checks: SignatureChecks
    places: Spool
    """Of every record: its id and its index row."""
    body_hashes: Spool
    """Every body hash to which a record commits."""
    state: MemoryStore | None = None
    """The replayed state; None once it cannot be known any more."""
    tree: StateTree = field(default_factory=StateTree)
    history: merkle.Frontier = field(default_factory=merkle.Frontier)
    unproved: deque[tuple[int, Sequence[Record], Contents, Any]] = field(default_factory=deque[Any])
    """Height, records, their bytes and the answer to come, of blocks whose signatures are being verified."""
    unproved_count: int = 0
    parent: Header | None = None
    is_history_known: bool = True
    """False once a header is lost: no later history_root can be computed."""

    def run(self) -> Iterator[Finding]:
        data = self.source.get(layout.CHARTER_KEY)
        if data is None:
            what = "the ledger does not hold its first block: its rows are lost, or none were ever written"
            yield Finding(0, "store", what)
            return
        try:
            charter = decode(Charter, data)
        except MalformedBytes as error:
            yield Finding(0, "charter", f"there is no readable charter ({error.what})")
            return
        self.counts.name, self.counts.chain_id = charter.name, chain_id_of(charter)
        packed = self.source.get(layout.TIP_KEY)
        tip = layout.decode_tip(packed) if packed is not None else None
        if tip is None:
            yield Finding(0, "tip", "there is no readable tip")
            return
        height, tip_hash, row_count = tip
        self.counts.tip = height
        yield from self._genesis(charter)
        for loaded in self._loaded(height):
            yield from self._block(charter, loaded)
            yield from self._signatures(BEHIND_RECORDS)
            self._tick(loaded.height)
        if self.parent is None or block_hash_of(self.parent) != tip_hash:
            yield Finding(height, "tip", "the tip names another block than the last one")
        yield from self._state_rows(height, row_count)
        yield from unaccounted(self.source, height, self.places, self.body_hashes)
        yield from self._signatures(0)

    def _tick(self, height: int) -> None:
        self.counts.height = height
        if self.counts.on_height is not None:
            self.counts.on_height(height, self.counts.tip)

    def _genesis(self, charter: Charter) -> Iterator[Finding]:
        block, header, findings = self._load(0)
        yield from findings
        events = None
        expected: Header | None = None
        try:
            rows, events, committee_hash = self.rules.genesis(charter)
        except MutuaError as error:
            yield Finding(0, "rules", f"the rules refuse the charter: {error}")
        else:
            self.state = MemoryStore(dict(rows))
            self.tree = StateTree(rows.items())
            expected = layout.genesis_header(charter, self.tree.root(), committee_hash)
        if header is not None and expected is not None and header != expected:
            names = [name for name in Header.__dataclass_fields__ if getattr(header, name) != getattr(expected, name)]
            yield Finding(0, "header_link", f"block 0 is not the one that the charter gives: {', '.join(names)} differ")
        if block is not None and block.records:
            yield Finding(0, "record_count", f"block 0 holds {len(block.records)} records, not 0")
        if events is not None and self.source.get(layout.EVENTS_PREFIX + layout.height_bytes(0)) != events:
            yield Finding(0, "events", "the stored events of block 0 are not those of the charter")
        if header is None:
            header = expected
        if header is not None:
            self._advance(header)
        self._tick(0)

    def _advance(self, header: Header) -> None:
        self.history.append(merkle.leaf_hash(encode_header(header)))
        self.parent = header
        self.counts.tip_hash, self.counts.time_ms = block_hash_of(header), header.proposed_time_ms

    def _load(self, height: int) -> tuple[Block | None, Header | None, list[Finding]]:
        """Return block and header of a height with what is wrong about their bytes."""
        at = layout.height_bytes(height)
        stored, data = self.source.get(layout.HEADER_PREFIX + at), self.source.get(layout.BLOCK_PREFIX + at)
        if data is None:
            return None, None, [Finding(height, "block_missing", f"there is no block {height}")]
        try:
            block = decode(Block, data)
            header = decode_header(block.header)
        except MalformedBytes as error:
            return None, None, [Finding(height, "block_bytes", f"block {height} does not decode: {error.what}")]
        findings: list[Finding] = []
        if stored != block.header:
            what = f"the header kept beside block {height} is not the block's own"
            findings.append(Finding(height, "header_link", what))
        if self.source.get(layout.HASH_PREFIX + block_hash_of(header)) != at:
            findings.append(Finding(height, "header_link", f"block {height} is not found under its hash"))
        return block, header, findings

    def _loaded(self, tip: int) -> Iterator[_Loaded]:
        """Yield the blocks 1 .. tip with their signatures under verification; the way leads over a gap in one step."""
        height = 0
        while height < tip:
            height += 1
            block, header, findings = self._load(height)
            if block is None and self.source.get(layout.HEADER_PREFIX + layout.height_bytes(height)) is None:
                last = min(next_height(self.source, height) or tip + 1, tip + 1) - 1
                if last > height:
                    findings = [Finding(height, "block_missing", f"there are no blocks {height} to {last}")]
                    height = last
            records = () if block is None else block.records
            contents = contents_of(records)
            seals = [seal for pair in zip(records, contents.signed, strict=True) for seal in seals_of(*pair)]
            if records:
                self.unproved.append((height, records, contents, self.checks.submit(seals)))
                self.unproved_count += len(records)
            yield _Loaded(height, records, header, findings, contents)

    def _signatures(self, behind: int) -> Iterator[Finding]:
        """Ask how signatures turned out, the oldest first, until those of `behind` records are left."""
        while self.unproved_count > behind:
            height, records, contents, parts = self.unproved.popleft()
            self.unproved_count -= len(records)
            if not self.checks.finish(parts):
                for record, record_id in zip(records, contents.ids, strict=True):
                    if not is_record_signed(record):
                        what = "the signature of the record, or of an attestation, does not verify"
                        yield Finding(height, "record_signature", what, record_id)

    def _block(self, charter: Charter, loaded: _Loaded) -> Iterator[Finding]:
        height, header = loaded.height, loaded.header
        yield from loaded.findings
        if header is None:
            self.state = None
            beside = _header_beside(self.source, height)
            if beside is None:
                self.parent, self.is_history_known = None, False
            else:
                self._advance(beside)
            return
        if self.parent is None and header.height != height:
            yield Finding(height, "header_link", f"the block at height {height} says height {header.height}")
        history_root = self.history.root() if self.is_history_known else None
        for name, what in link_problems(header, self.counts.chain_id, self.parent, history_root, loaded.contents):
            yield Finding(height, FIELD_CHECKS.get(name, "header_link"), what)
        yield from self._agreement(charter, height, header)
        bodies = yield from self._records(loaded)
        yield from self._meaning(charter, loaded, header, bodies)
        self._advance(header)

    def _agreement(self, charter: Charter, height: int, header: Header) -> Iterator[Finding]:
        """Check the certificate, and what charter and parent fix in a header."""
        certificate = self.source.get(layout.CERTIFICATE_PREFIX + layout.height_bytes(height))
        problem: str | None = "there is none"
        if certificate is not None:
            problem = self.rules.certificate_problem(charter, self.parent, header, certificate)
        self.counts.certificates += 1
        if problem is not None:
            yield Finding(height, "certificate", f"the certificate of block {height} is not valid: {problem}")
        if self.parent is not None:
            for each in self.rules.header_problems(charter, self.parent, header):
                yield Finding(height, "header_rules", each)

    def _records(self, loaded: _Loaded) -> Generator[Finding, None, dict[bytes, Body] | None]:
        """Yield findings about single records; return the bodies by hash, or None when one is missing."""
        height = loaded.height
        bodies: dict[bytes, Body] | None = {}
        for index, (record, record_id) in enumerate(zip(loaded.records, loaded.contents.ids, strict=True)):
            self.counts.records += 1
            try:
                check_record_shape(record, self.counts.chain_id)
            except MalformedBytes as error:
                yield Finding(height, "record_shape", error.what, record_id)
            self.places.add(record_id + layout.encode_place(height, index))
            if len(record.body_hash) == HASH_SIZE:
                self.body_hashes.add(record.body_hash)
            body = self._body(height, record, record_id)
            if isinstance(body, Finding):
                yield body
                bodies = None
            elif bodies is not None:
                bodies[record.body_hash] = body
        return bodies

    def _body(self, height: int, record: Record, record_id: bytes) -> Body | Finding:
        data = self.source.get(layout.BODY_PREFIX + record.body_hash)
        if data is None:
            what = f"the body of a {record.kind} record is not kept: its effect cannot be replayed"
            return Finding(height, "body_missing", what, record_id)
        try:
            body = decode(Body, data)
        except MalformedBytes as error:
            return Finding(height, "body_hash", f"the body does not decode: {error.what}", record_id)
        if not is_body_of(record, body):
            return Finding(height, "body_hash", "the stored body is not the one the record commits to", record_id)
        return body

    def _meaning(
        self, charter: Charter, loaded: _Loaded, header: Header, bodies: dict[bytes, Body] | None
    ) -> Iterator[Finding]:
        """Check the effect: everything that needs the state before the block."""
        height, parent, state = loaded.height, self.parent, self.state
        if parent is None or state is None:
            return
        if bodies is None:
            self.state = None
            return
        try:
            records, contents = loaded.records, loaded.contents
            applied = self.rules.apply(
                state, charter, parent, header, records=records, bodies=bodies, contents=contents
            )
        except MutuaError as error:
            yield Finding(height, "rules", f"the rules refuse block {height}: {error}")
            self.state = None
            return
        state.write(applied.delta)
        self.tree.apply(applied.delta)
        self.counts.states += 1
        if self.tree.root() != header.state_root:
            yield Finding(height, "state_root", f"applying block {height} does not give the state_root of its header")
            self.state = None
            return
        self.counts.state_root = header.state_root
        if self.source.get(layout.EVENTS_PREFIX + layout.height_bytes(height)) != applied.events:
            yield Finding(height, "events", f"the stored events of block {height} are not those that the rules give")

    def _state_rows(self, height: int, row_count: int) -> Iterator[Finding]:
        """Compare the stored rows with the replayed ones, or, without a replay, with the last header's root."""
        state, tree = self.state, None
        if state is None:
            tree = StateTree(layout.StoredState(self.source).scan(b""))
            count, wrong = tree.size, dict[bytes, str]()
        else:
            count, wrong = state_differences(self.source, state, self.tree.size)
        if count != row_count:
            yield Finding(height, "state_rows", f"the state has {count} rows where the tip counted {row_count}")
        if tree is not None and self.parent is not None and tree.root() != self.parent.state_root:
            yield Finding(height, "state_root", "the stored state does not have the state_root of the last header")
        for key in sorted(wrong)[:ROW_FINDINGS_MAX]:
            yield Finding(height, "state_rows", f"state row {key!r} {wrong[key]}")
        if len(wrong) > ROW_FINDINGS_MAX:
            yield Finding(height, "state_rows", f"{len(wrong) - ROW_FINDINGS_MAX} more state rows differ")


def _header_beside(source: Store, height: int) -> Header | None:
    """Return the header kept beside a block that is lost, if it still decodes."""
    try:
        return decode_header(source.get(layout.HEADER_PREFIX + layout.height_bytes(height)) or b"")
    except MalformedBytes:
        return None
