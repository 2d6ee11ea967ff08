"""The chain on disk: final blocks, certificates, bodies, events and the state, extended by one synced batch a block.

Rows of the store (heights as 8 bytes, big endian):

| row                | value                                              |
| ------------------ | -------------------------------------------------- |
| `g/charter`        | the charter's canonical bytes                      |
| `m/tip`            | height, block hash, number of state rows           |
| `h/` height        | the header's fixed layout                          |
| `b/` height        | the block: header and records                      |
| `c/` height        | the commit certificate, as consensus encodes it    |
| `d/` body hash     | a body; may be dropped after its retention         |
| `r/` record id     | height, index in the block                         |
| `e/` height        | what happened, bytes of the caller's choice        |
| `x/` block hash    | height                                             |
| `s/` state key     | a state row                                        |

What is read back is not trusted: `Chain.open` recomputes links, row count and the state root, and every block and body
is compared with the hashes that its header and its record commit to before anybody sees it.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from ledger import blocks, merkle
from ledger.blocks import Block, BlockWithBodies, Contents, Header, decode_header
from ledger.calendar import is_term_start
from ledger.codec import decode, encode
from ledger.errors import REBUILD, LedgerCorrupt, MalformedBytes, MutuaError
from ledger.genesis import Charter, chain_id_of
from ledger.hashing import ZERO_HASH
from ledger.records import Body, body_hash_of, record_id_of
from ledger.state import StateReader, StateTree
from ledger.store import Batch, Store

CHARTER_KEY = b"g/charter"
TIP_KEY = b"m/tip"
STATE_PREFIX = b"s/"
HEADER_PREFIX = b"h/"
BLOCK_PREFIX = b"b/"
CERTIFICATE_PREFIX = b"c/"
BODY_PREFIX = b"d/"
RECORD_PREFIX = b"r/"
EVENTS_PREFIX = b"e/"
HASH_PREFIX = b"x/"

HEIGHT_SIZE = 8

Delta = Batch
"""Rows that a block changes; None: the row is gone."""

_TIP = struct.Struct(">Q32sQ")
_PLACE = struct.Struct(">QI")
PLACE_SIZE = _PLACE.size


@dataclass(frozen=True, slots=True)
class Tip:
    """The newest final block."""

    height: int
    block_hash: bytes
    header: Header


@dataclass(frozen=True, slots=True)
class NextBlock:
    """A block checked against the tip it follows, and ready to be written."""

    tip: Tip
    """The tip once it is kept."""
    delta: Mapping[bytes, bytes | None]
    write: Callable[[Batch], None]
    """Writes all its rows, and the row of its certificate that comes last."""


def height_bytes(height: int) -> bytes:
    """Return a height as 8 bytes, so that rows sort by height."""
    return height.to_bytes(HEIGHT_SIZE, "big")


def decode_tip(data: bytes) -> tuple[int, bytes, int] | None:
    """Return (height, block hash, number of state rows) of a tip row, or None for bytes of another length."""
    return _TIP.unpack(data) if len(data) == _TIP.size else None


def encode_place(height: int, index: int) -> bytes:
    """Return a record's index row."""
    return _PLACE.pack(height, index)


def decode_place(data: bytes) -> tuple[int, int] | None:
    """Return (height, index) of a record's index row, or None for bytes of another length."""
    return _PLACE.unpack(data) if len(data) == _PLACE.size else None


def genesis_header(charter: Charter, state_root: bytes, committee_hash: bytes = ZERO_HASH) -> Header:
    """Return the header of block 0: no records, no parent, randomness = the charter's seed."""
    return Header(
        version=blocks.HEADER_VERSION,
        chain_id=chain_id_of(charter),
        epoch=0,
        height=0,
        scheduled_time_ms=charter.genesis_time_ms,
        proposed_time_ms=charter.genesis_time_ms,
        record_count=0,
        proposer=0,
        parent=ZERO_HASH,
        records_root=merkle.EMPTY_ROOT,
        state_root=state_root,
        history_root=merkle.EMPTY_ROOT,
        committee_hash=committee_hash,
        randomness=charter.seed,
    )


class StoredState:
    """A `StateReader` over the state rows of a store; reads go straight to the store, nothing is copied."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def get(self, key: bytes) -> bytes | None:
        """Return the row at `key`, or None."""
        return self._store.get(STATE_PREFIX + key)

    def scan(self, prefix: bytes, start: bytes = b"") -> Iterator[tuple[bytes, bytes]]:
        """Yield rows under `prefix` in key order, from `prefix + start` on."""
        for key, value in self._store.scan(STATE_PREFIX + prefix, start):
            yield key[len(STATE_PREFIX) :], value


class Chain:
    """The final blocks of one chain in one store. Made by `create` or `open`; moved on only by `commit`."""

    def __init__(self, store: Store, charter: Charter, tip: Tip, tree: StateTree, history: merkle.Frontier) -> None:
        self.store = store
        self.charter = charter
        self.chain_id = tip.header.chain_id
        self.state: StateReader = StoredState(store)
        self.tree = tree
        self._tip = tip
        self._history = history

    @classmethod
    def create(
        cls, store: Store, charter: Charter, rows: Mapping[bytes, bytes], *, committee_hash: bytes = ZERO_HASH
    ) -> Chain:
        """Write block 0 with its state rows into an empty store. MutuaError `ledger_exists` where there is one."""
        if store.get(TIP_KEY) is not None:
            what = "this folder already holds a ledger"
            raise MutuaError("ledger_exists", what, "open it, or choose an empty folder")
        tree = StateTree(rows.items())
        header = genesis_header(charter, tree.root(), committee_hash)
        block_hash = blocks.block_hash_of(header)
        encoded = blocks.encode_header(header)
        batch: dict[bytes, bytes | None] = {STATE_PREFIX + key: value for key, value in rows.items()}
        batch |= {
            CHARTER_KEY: encode(charter),
            TIP_KEY: _TIP.pack(0, block_hash, tree.size),
            HEADER_PREFIX + height_bytes(0): encoded,
            BLOCK_PREFIX + height_bytes(0): encode(Block(encoded, ())),
            EVENTS_PREFIX + height_bytes(0): b"",
            HASH_PREFIX + block_hash: height_bytes(0),
        }
        store.write(batch)
        return cls(store, charter, Tip(0, block_hash, header), tree, merkle.Frontier([merkle.leaf_hash(encoded)]))

    @classmethod
    def open(cls, store: Store, chain_id: bytes | None = None) -> Chain:
        """Open and check what was written. MutuaError `ledger_empty`, `other_chain`; LedgerCorrupt."""
        charter = _load_charter(store)
        if chain_id is not None and chain_id_of(charter) != chain_id:
            what = "this folder holds the ledger of another chain"
            raise MutuaError("other_chain", what, "use the folder of this charter")
        tip = decode_tip(store.get(TIP_KEY) or b"")
        if tip is None:
            raise LedgerCorrupt("tip_missing", "the ledger has a charter but no readable tip", REBUILD)
        height, block_hash, row_count = tip
        header, history = _check_headers(store, chain_id_of(charter), height, block_hash)
        block = _load_block(store, height)
        if block is None or block.header != blocks.encode_header(header):
            what = f"the block at the tip, height {height}, is missing or has another header"
            raise LedgerCorrupt("tip_block", what, REBUILD)
        tree = StateTree(StoredState(store).scan(b""))
        if tree.size != row_count:
            what = f"the state has {tree.size} rows where the tip counted {row_count}"
            raise LedgerCorrupt("row_count", what, REBUILD)
        if tree.root() != header.state_root:
            what = f"the state does not have the root of the header at height {height}"
            raise LedgerCorrupt("state_root", what, REBUILD)
        return cls(store, charter, Tip(height, block_hash, header), tree, history)

    @property
    def tip(self) -> Tip:
        """The newest final block."""
        return self._tip

    @property
    def height(self) -> int:
        """The newest final height."""
        return self._tip.height

    def history_root(self) -> bytes:
        """Return the RFC 6962 root over the encoded headers 0 .. tip: what the next header must carry."""
        return self._history.root()

    def header(self, height: int) -> Header | None:
        """Return the header at `height`, or None above the tip."""
        data = self.store.get(HEADER_PREFIX + height_bytes(height)) if 0 <= height <= self.height else None
        return None if data is None else decode_header(data)

    def header_hashes(self) -> list[bytes]:
        """Return the RFC 6962 leaf hashes of the headers 0 .. tip, for proofs."""
        return [merkle.leaf_hash(data) for _, data in self.store.scan(HEADER_PREFIX)]

    def block(self, height: int) -> Block | None:
        """Return the block at `height`, or None above the tip. LedgerCorrupt when it is not the one of its header."""
        block = _load_block(self.store, height) if 0 <= height <= self.height else None
        if block is None:
            return None
        header = self.header(height)
        if header is None or block.header != blocks.encode_header(header) or _root_of(block) != header.records_root:
            what = f"the stored block {height} is not the one that its header commits to"
            raise LedgerCorrupt("block_changed", what, REBUILD)
        return block

    def block_with_bodies(self, height: int) -> BlockWithBodies | None:
        """Return the block at `height` with the bodies that are still kept, or None above the tip."""
        block = self.block(height)
        if block is None:
            return None
        return BlockWithBodies(block, tuple(self.body(record.body_hash) for record in block.records))

    def certificate(self, height: int) -> bytes | None:
        """Return the bytes of the commit certificate at `height`; None for genesis and above the tip."""
        return self.store.get(CERTIFICATE_PREFIX + height_bytes(height)) if height > 0 else None

    def body(self, body_hash: bytes) -> Body | None:
        """Return the body with this hash, or None when it was dropped or never came. LedgerCorrupt for another body."""
        data = self.store.get(BODY_PREFIX + body_hash)
        if data is None:
            return None
        try:
            body = decode(Body, data)
        except MalformedBytes:
            body = None
        if body is None or body_hash_of(body) != body_hash:
            what = f"what is stored as the body {body_hash.hex()} is not the body with this hash"
            raise LedgerCorrupt("body_changed", what, REBUILD)
        return body

    def events(self, height: int) -> bytes | None:
        """Return what the caller kept as the events of `height`."""
        return self.store.get(EVENTS_PREFIX + height_bytes(height)) if height >= 0 else None

    def read_back(self, first: int) -> Iterator[int]:
        """Read each block from `first` to the tip with all that belongs to it; yield its height.

        LedgerCorrupt `block_missing` where a part is not there, `block_changed`, `body_changed` where it is another
        one, and the store's own where a checksum does not fit.
        """
        for height in range(max(0, first), self.height + 1):
            whole = self.block_with_bodies(height)
            if whole is None or self.events(height) is None or (height > 0 and self.certificate(height) is None):
                raise LedgerCorrupt("block_missing", f"block {height} is not whole in the ledger", REBUILD)
            for index, record in enumerate(whole.block.records):
                if self.find_record(record_id_of(record)) != (height, index):
                    what = f"record {index + 1} of block {height} is not where the index has it"
                    raise LedgerCorrupt("record_index", what, REBUILD)
            yield height

    def find_record(self, record_id: bytes) -> tuple[int, int] | None:
        """Return (height, index) of a final record, or None."""
        place = self.store.get(RECORD_PREFIX + record_id)
        return None if place is None else decode_place(place)

    def placed_record(self, record_id: bytes) -> tuple[Block, int] | None:
        """Return the block that holds a record and its index in it, or None. LedgerCorrupt when it is not there."""
        place = self.find_record(record_id)
        if place is None:
            return None
        height, index = place
        block = self.block(height)
        if block is None or index >= len(block.records) or record_id_of(block.records[index]) != record_id:
            what = f"the record {record_id.hex()} is not number {index} of block {height}, where the index has it"
            raise LedgerCorrupt("record_index", what, REBUILD)
        return block, index

    def commit(self, block: BlockWithBodies, certificate: bytes, delta: Delta, events: bytes = b"") -> Tip:
        """Make the next block final: one synced batch with block, certificate, bodies, events, state delta and tip.

        The caller has verified certificate, signatures and rules. Links and roots are asserted here once more, so that
        a wrong block can never reach the disk. Nothing changes when the write fails. Errors: LedgerCorrupt, and the
        store's own.
        """
        return self.keep(self.prepare(block, delta, events), certificate)

    def prepare(
        self, whole: BlockWithBodies, delta: Delta, events: bytes = b"", contents: Contents | None = None
    ) -> NextBlock:
        """Check links and roots of the next block and stage its rows. `contents`: of its records, if at hand."""
        block = whole.block
        header = decode_header(block.header)
        contents = contents or blocks.contents_of(block.records)
        self._check_next(header, whole, contents)
        if self.tree.root_after(delta) != header.state_root:
            what = f"block {header.height} does not lead to its state root"
            raise LedgerCorrupt("commit_state_root", what, "report this; do not go on")
        block_hash = blocks.block_hash_of(header)
        height = height_bytes(header.height)
        rows: dict[bytes, bytes | None] = {
            BLOCK_PREFIX + height: blocks.encode_block(block.header, contents),
            EVENTS_PREFIX + height: events,
            HEADER_PREFIX + height: block.header,
            TIP_KEY: _TIP.pack(header.height, block_hash, self.tree.size_after(delta)),
            HASH_PREFIX + block_hash: height,
        }
        for record, body in zip(block.records, whole.bodies, strict=True):
            if body is not None:
                rows[BODY_PREFIX + record.body_hash] = encode(body)
        for index, record_id in enumerate(contents.ids):
            rows[RECORD_PREFIX + record_id] = encode_place(header.height, index)
        rows.update((STATE_PREFIX + key, value) for key, value in delta.items())
        return NextBlock(Tip(header.height, block_hash, header), delta, self.store.stage(rows))

    def keep(self, prepared: NextBlock, certificate: bytes) -> Tip:
        """Make a prepared block final with its certificate: one synced batch. Errors as of `commit`."""
        tip = prepared.tip
        if tip.header.parent != self._tip.block_hash:
            raise _not_kept(tip.height, f"it does not follow the tip at height {self.height}")
        prepared.write({CERTIFICATE_PREFIX + height_bytes(tip.height): certificate})
        self.tree.apply(prepared.delta)
        self._history.append(merkle.leaf_hash(blocks.encode_header(tip.header)))
        self._tip = tip
        if is_term_start(tip.height):  # the last two blocks changed a row of every member
            self.store.merge()
        return tip

    def _check_next(self, header: Header, whole: BlockWithBodies, contents: Contents) -> None:
        links = blocks.link_problems(header, self.chain_id, self._tip.header, self.history_root(), contents)
        problem = next((what for _, what in links), None)
        if problem is None and len(whole.bodies) != len(whole.block.records):
            problem = "its numbers of records and bodies do not agree"
        if problem is not None:
            raise _not_kept(header.height, problem)


def _not_kept(height: int, problem: str) -> LedgerCorrupt:
    return LedgerCorrupt("commit_link", f"block {height} was not kept: {problem}", "report this; do not go on")


def _root_of(block: Block) -> bytes:
    return merkle.merkle_root([encode(record) for record in block.records])


def _load_charter(store: Store) -> Charter:
    data = store.get(CHARTER_KEY)
    if data is None:
        raise MutuaError("ledger_empty", "this folder holds no ledger", "run mutua init with the charter of your co-op")
    try:
        return decode(Charter, data)
    except MalformedBytes as error:
        raise LedgerCorrupt("charter_bytes", f"the stored charter does not decode ({error.what})", REBUILD) from None


def _load_block(store: Store, height: int) -> Block | None:
    data = store.get(BLOCK_PREFIX + height_bytes(height))
    if data is None:
        return None
    try:
        return decode(Block, data)
    except MalformedBytes as error:
        what = f"the stored block {height} does not decode ({error.what})"
        raise LedgerCorrupt("block_bytes", what, REBUILD) from None


def _check_headers(store: Store, chain_id: bytes, height: int, block_hash: bytes) -> tuple[Header, merkle.Frontier]:
    """Check that the headers 0 .. height are all there and linked, and return the last with the frontier over them."""
    history = merkle.Frontier()
    header: Header | None = None
    parent: Header | None = None
    for expected, (key, data) in enumerate(store.scan(HEADER_PREFIX)):
        try:
            header = decode_header(data)
        except MalformedBytes as error:
            what = f"the stored header {expected} does not decode ({error.what})"
            raise LedgerCorrupt("header_bytes", what, REBUILD) from None
        is_in_place = key == HEADER_PREFIX + height_bytes(expected) and header.height == expected
        if not is_in_place or any(blocks.link_problems(header, chain_id, parent, history.root(), None)):
            what = f"the stored header {expected} does not follow the one before it"
            raise LedgerCorrupt("header_link", what, REBUILD)
        parent = header
        history.append(merkle.leaf_hash(data))
    if header is None or header.height != height or blocks.block_hash_of(header) != block_hash:
        raise LedgerCorrupt("tip_header", f"the stored headers do not end at the tip, height {height}", REBUILD)
    return header, history
