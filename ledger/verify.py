"""Replay: from genesis to the tip, everything a stored chain claims is computed again and compared.

Nothing is thrown: each contradiction becomes a `Finding` with its height, its check and, where there is one, its
record. What the rules mean and who may certify a block is injected, so the ledger imports nothing else. After the first
block whose effect cannot be recomputed, states are not compared any more (all later ones would differ for the same
reason); links, roots, signatures, bodies and certificates still are.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain as chained
from typing import Any, Protocol

from ledger import chain as layout
from ledger import merkle
from ledger.blocks import Block, Contents, Header, block_hash_of, contents_of, decode_header, encode_header
from ledger.codec import decode
from ledger.errors import MalformedBytes, MutuaError
from ledger.genesis import Charter, chain_id_of
from ledger.records import Body, Record, Seal, check_record_shape, is_body_of, is_record_signed, seals_of
from ledger.signatures import are_sealed
from ledger.state import StateReader, StateTree
from ledger.store import MemoryStore, Store

ROW_FINDINGS_MAX = 20
"""Rows listed one by one; the rest is counted."""
AHEAD_RECORDS = 8_192
"""Blocks are loaded, and their signatures handed out, as far ahead as these records: memory stays flat."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One contradiction: where, which check (docs/reference names them), and what in plain words."""

    height: int
    check: str
    what: str
    record_id: bytes | None = None


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

    def header_problems(self, state: StateReader, charter: Charter, parent: Header, header: Header) -> Sequence[str]:
        """Return the faults of the header's committee, proposer, times and randomness, given the state before it."""
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
        ids: Sequence[bytes],
    ) -> Applied:
        """Return the effect of the block, or raise MutuaError when the rules refuse it."""
        ...


VerifyCertificate = Callable[[StateReader, Charter, Header, bytes], str | None]
"""(state before the block, charter, header, certificate) -> what is wrong with the certificate, or None."""


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
    chain_id: bytes = b""
    state_root: bytes = b""
    on_height: Callable[[int, int], None] | None = None
    """Called with (height, tip) after each block."""


def replay(
    source: Store,
    rules: Rules,
    verify_certificate: VerifyCertificate,
    counts: Counts | None = None,
    checks: SignatureChecks | None = None,
) -> Iterator[Finding]:
    """Yield every finding of the chain in `source`, oldest first. Silent when all is well."""
    try:
        yield from _Replay(source, rules, verify_certificate, counts or Counts(), checks or ChecksHere()).run()
    except MutuaError as error:
        yield Finding(max(0, counts.height if counts else 0), "store", f"the rows cannot be read: {error}")


@dataclass(frozen=True, slots=True)
class _Loaded:
    """A block as it is stored, with what is wrong about its bytes; its signatures are being verified."""

    height: int
    records: Sequence[Record]
    header: Header | None
    findings: list[Finding]
    contents: Contents
    parts: Any


@dataclass(slots=True)
class _Replay:
    source: Store
    rules: Rules
    verify_certificate: VerifyCertificate
    counts: Counts
    checks: SignatureChecks
    state: MemoryStore | None = None
    """The replayed state; None once it cannot be known any more."""
    tree: StateTree = field(default_factory=StateTree)
    history: merkle.Frontier = field(default_factory=merkle.Frontier)
    seen: set[bytes] = field(default_factory=set[bytes])
    bodies_seen: set[bytes] = field(default_factory=set[bytes])
    hashes: dict[bytes, int] = field(default_factory=dict[bytes, int])
    parent: Header | None = None
    is_history_known: bool = True
    """False once a header is lost: no later history_root can be computed."""

    def run(self) -> Iterator[Finding]:
        data = self.source.get(layout.CHARTER_KEY)
        try:
            charter = decode(Charter, data or b"")
        except MalformedBytes as error:
            yield Finding(0, "charter", f"there is no readable charter ({error.what})")
            return
        self.counts.chain_id = chain_id_of(charter)
        packed = self.source.get(layout.TIP_KEY)
        tip = layout.decode_tip(packed) if packed is not None else None
        if tip is None:
            yield Finding(0, "tip", "there is no readable tip")
            return
        height, tip_hash, row_count = tip
        self.counts.tip = height
        yield from self._genesis(charter)
        for loaded in self._load_ahead(height):
            yield from self._block(charter, loaded)
            self._tick(loaded.height)
        if self.parent is None or block_hash_of(self.parent) != tip_hash:
            yield Finding(height, "tip", "the tip names another block than the last one")
        yield from self._state_rows(height, row_count)
        yield from self._strays(height)

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
        if events is not None and (self.source.get(layout.EVENTS_PREFIX + layout.height_bytes(0)) or b"") != events:
            yield Finding(0, "events", "the stored events of block 0 are not those of the charter")
        if header is None:
            header = expected
        if header is not None:
            self._advance(header)
        self._tick(0)

    def _advance(self, header: Header) -> None:
        self.history.append(merkle.leaf_hash(encode_header(header)))
        self.hashes[block_hash_of(header)] = header.height
        self.parent = header

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
            findings.append(
                Finding(height, "header_link", f"the header kept beside block {height} is not the block's own")
            )
        if self.source.get(layout.HASH_PREFIX + block_hash_of(header)) != at:
            findings.append(Finding(height, "header_link", f"block {height} is not found under its hash"))
        return block, header, findings

    def _load_ahead(self, tip: int) -> Iterator[_Loaded]:
        """Yield the blocks 1 .. tip, each loaded well before it is needed."""
        waiting: deque[_Loaded] = deque()
        count = 0
        for height in range(1, tip + 1):
            block, header, findings = self._load(height)
            records = () if block is None else block.records
            contents = contents_of(records)
            seals = [seal for pair in zip(records, contents.signed, strict=True) for seal in seals_of(*pair)]
            waiting.append(_Loaded(height, records, header, findings, contents, self.checks.submit(seals)))
            count += len(records)
            while count > AHEAD_RECORDS:
                count -= len(waiting[0].contents.ids)
                yield waiting.popleft()
        yield from waiting

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
        yield from self._links(height, header)
        yield from _records_of(height, header, loaded.contents)
        bodies = yield from self._records(loaded)
        yield from self._meaning(charter, loaded, header, bodies)
        self._advance(header)

    def _links(self, height: int, header: Header) -> Iterator[Finding]:
        if header.height != height:
            yield Finding(height, "header_link", f"the block at height {height} says height {header.height}")
        if header.chain_id != self.counts.chain_id:
            yield Finding(height, "header_link", f"block {height} belongs to another chain")
        if self.parent is not None:
            if header.parent != block_hash_of(self.parent):
                yield Finding(height, "header_link", f"block {height} does not name block {height - 1} as its parent")
            if header.epoch < self.parent.epoch or header.proposed_time_ms < self.parent.proposed_time_ms:
                yield Finding(height, "header_link", f"block {height} has an earlier epoch or time than its parent")
        if self.is_history_known and header.history_root != self.history.root():
            what = f"the history_root of block {height} is not the root over the headers before it"
            yield Finding(height, "history_root", what)

    def _records(self, loaded: _Loaded) -> Generator[Finding, None, dict[bytes, Body] | None]:
        """Yield findings about single records; return the bodies by hash, or None when one is missing."""
        height = loaded.height
        bodies: dict[bytes, Body] | None = {}
        are_signed = self.checks.finish(loaded.parts)
        for index, (record, record_id) in enumerate(zip(loaded.records, loaded.contents.ids, strict=True)):
            self.counts.records += 1
            try:
                check_record_shape(record, self.counts.chain_id)
            except MalformedBytes as error:
                yield Finding(height, "record_shape", error.what, record_id)
            if not are_signed and not is_record_signed(record):
                what = "the signature of the record, or of an attestation, does not verify"
                yield Finding(height, "record_signature", what, record_id)
            if record_id in self.seen:
                yield Finding(height, "record_repeated", "the record is already included in the chain", record_id)
            self.seen.add(record_id)
            place = self.source.get(layout.RECORD_PREFIX + record_id)
            if place is None or layout.decode_place(place) != (height, index):
                what = f"the record is not found as number {index} of block {height}"
                yield Finding(height, "record_index", what, record_id)
            self.bodies_seen.add(record.body_hash)
            body, finding = self._body(height, record, record_id)
            if finding is not None:
                yield finding
            if body is None:
                bodies = None
            elif bodies is not None:
                bodies[record.body_hash] = body
        return bodies

    def _body(self, height: int, record: Record, record_id: bytes) -> tuple[Body | None, Finding | None]:
        data = self.source.get(layout.BODY_PREFIX + record.body_hash)
        if data is None:
            return None, Finding(
                height,
                "body_missing",
                f"the body of a {record.kind} record is not kept: its effect cannot be replayed",
                record_id,
            )
        try:
            body = decode(Body, data)
        except MalformedBytes as error:
            return None, Finding(height, "body_hash", f"the body does not decode: {error.what}", record_id)
        if not is_body_of(record, body):
            return None, Finding(height, "body_hash", "the stored body is not the one the record commits to", record_id)
        return body, None

    def _meaning(
        self, charter: Charter, loaded: _Loaded, header: Header, bodies: dict[bytes, Body] | None
    ) -> Iterator[Finding]:
        """Check certificate, committee and effect: everything that needs the state before the block."""
        height = self.counts.height + 1
        parent, state = self.parent, self.state
        if parent is None or state is None:
            return
        certificate = self.source.get(layout.CERTIFICATE_PREFIX + layout.height_bytes(height))
        problem = (
            "there is none" if certificate is None else self.verify_certificate(state, charter, header, certificate)
        )
        self.counts.certificates += 1
        if problem is not None:
            yield Finding(height, "certificate", f"the certificate of block {height} is not valid: {problem}")
        for each in self.rules.header_problems(state, charter, parent, header):
            yield Finding(height, "header_rules", each)
        if bodies is None:
            self.state = None
            return
        records, ids = loaded.records, loaded.contents.ids
        try:
            applied = self.rules.apply(state, charter, parent, header, records=records, bodies=bodies, ids=ids)
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
        if (self.source.get(layout.EVENTS_PREFIX + layout.height_bytes(height)) or b"") != applied.events:
            yield Finding(height, "events", f"the stored events of block {height} are not those that the rules give")

    def _state_rows(self, height: int, row_count: int) -> Iterator[Finding]:
        """Compare the stored rows with the replayed ones, or, without a replay, with the last header's root."""
        state, tree = self.state, None
        if state is None:
            tree = StateTree(layout.StoredState(self.source).scan(b""))
            count, wrong = tree.size, dict[bytes, str]()
        else:
            count, wrong = _differences(self.source, state, self.tree.size)
        if count != row_count:
            yield Finding(height, "state_rows", f"the state has {count} rows where the tip counted {row_count}")
        if tree is not None and self.parent is not None and tree.root() != self.parent.state_root:
            yield Finding(height, "state_root", "the stored state does not have the state_root of the last header")
        for key in sorted(wrong)[:ROW_FINDINGS_MAX]:
            yield Finding(height, "state_rows", f"state row {key!r} {wrong[key]}")
        if len(wrong) > ROW_FINDINGS_MAX:
            yield Finding(height, "state_rows", f"{len(wrong) - ROW_FINDINGS_MAX} more state rows differ")

    def _strays(self, height: int) -> Iterator[Finding]:
        """Name rows that no final block accounts for."""
        limit = layout.height_bytes(height + 1)
        by_height = (layout.HEADER_PREFIX, layout.BLOCK_PREFIX, layout.CERTIFICATE_PREFIX, layout.EVENTS_PREFIX)
        for key, _ in chained.from_iterable(self.source.scan(prefix, limit) for prefix in by_height):
            what = f"row {key[:2].decode()} {int.from_bytes(key[2:], 'big')} lies beyond the tip"
            yield Finding(height, "beyond_tip", what)
        for key, _ in self.source.scan(layout.RECORD_PREFIX):
            if key[len(layout.RECORD_PREFIX) :] not in self.seen:
                what = "the index names a record that no block holds"
                yield Finding(height, "record_index", what, key[len(layout.RECORD_PREFIX) :])
        for key, _ in self.source.scan(layout.HASH_PREFIX):
            if key[len(layout.HASH_PREFIX) :] not in self.hashes:
                what = f"the index names a block that is not in the chain: {key[len(layout.HASH_PREFIX) :].hex()}"
                yield Finding(height, "header_link", what)
        for key, _ in self.source.scan(layout.BODY_PREFIX):
            if key[len(layout.BODY_PREFIX) :] not in self.bodies_seen:
                what = f"there is a body to which no record commits: {key[len(layout.BODY_PREFIX) :].hex()}"
                yield Finding(height, "body_stray", what)


def _differences(source: Store, state: MemoryStore, size: int) -> tuple[int, dict[bytes, str]]:
    """Compare stored state rows with the `size` replayed ones; return how many are stored, and what is wrong by key."""
    count = matched = 0
    wrong: dict[bytes, str] = {}
    for stored_key, value in source.scan(layout.STATE_PREFIX):
        count += 1
        key = stored_key[len(layout.STATE_PREFIX) :]
        expected = state.get(key)
        matched += expected is not None
        if expected != value:
            wrong[key] = "should not be there" if expected is None else "has another value"
    if matched != size:
        missing = (key for key, _ in state.scan(b"") if source.get(layout.STATE_PREFIX + key) is None)
        wrong.update(dict.fromkeys(missing, "is missing"))
    return count, wrong


def _header_beside(source: Store, height: int) -> Header | None:
    """Return the header kept beside a block that is lost, if it still decodes."""
    try:
        return decode_header(source.get(layout.HEADER_PREFIX + layout.height_bytes(height)) or b"")
    except MalformedBytes:
        return None


def _records_of(height: int, header: Header, contents: Contents) -> Iterator[Finding]:
    count = len(contents.ids)
    if header.record_count != count:
        yield Finding(height, "record_count", f"block {height} says {header.record_count} records and holds {count}")
    if header.records_root != contents.root:
        yield Finding(height, "records_root", f"the records_root of block {height} is not the root over its records")
