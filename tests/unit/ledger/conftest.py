"""A small signed world for the ledger's tests: one charter, and blocks that hold together."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from ledger import signatures
from ledger.blocks import Block, BlockWithBodies, Header, contents_of, encode_header, next_randomness
from ledger.chain import Chain
from ledger.genesis import Charter, CharterTreasury
from ledger.hashing import ZERO_HASH
from ledger.leveldb import LevelDB
from ledger.records import Body, SignedRecord, sign_record
from ledger.store import MemoryStore, Store


def make_charter(name: str = "Riverside") -> Charter:
    """Return a charter with no founders: enough for rows and roots."""
    return Charter(
        1,
        name,
        "USD",
        2,
        "pilot",
        1_700_000_000_000,
        2_000,
        "2026-01-01",
        bytes(32),
        100,
        1_000,
        200,
        5_000_000,
        "standard_or_vote",
        (),
        (),
        (),
        (),
        (),
        (),
        (),
        CharterTreasury("regtest", 0, b"", 0, 0, 1),
        (),
    )


def make_record(chain_id: bytes, number: int, seed: bytes = b"\x07" * 32, data: bytes = b"hello") -> SignedRecord:
    """Return a signed record of a made-up kind."""
    body = Body(number.to_bytes(16, "big"), data)
    return sign_record(
        seed,
        chain_id=chain_id,
        kind="test.note",
        author=signatures.public_key_of(seed),
        number=number,
        valid_until_height=90,
        body=body,
    )


@dataclass
class Builder:
    """Builds the next valid block of a chain."""

    chain: Chain
    number: int = field(default=0)

    def next_block(
        self, delta: Mapping[bytes, bytes | None] | None = None, records: int = 1
    ) -> tuple[BlockWithBodies, dict[bytes, bytes | None]]:
        """Return a block that leads to the root after `delta`."""
        changes = dict(delta or {})
        tip = self.chain.tip
        signed = []
        for _ in range(records):
            self.number += 1
            signed.append(make_record(self.chain.chain_id, self.number))
        header = Header(
            1,
            self.chain.chain_id,
            0,
            tip.height + 1,
            0,
            tip.header.proposed_time_ms,
            records,
            0,
            tip.block_hash,
            contents_of([s.record for s in signed]).root,
            self.chain.tree.root_after(changes),
            self.chain.history_root(),
            ZERO_HASH,
            ZERO_HASH,
            b"\x01" * 32,
            next_randomness(tip.header.randomness, b"\x01" * 32),
            ZERO_HASH,
        )
        block = Block(encode_header(header), tuple(s.record for s in signed))
        return BlockWithBodies(block, tuple(s.body for s in signed)), changes

    def grow(self, delta: Mapping[bytes, bytes | None] | None = None, records: int = 1) -> BlockWithBodies:
        """Commit the next block."""
        block, changes = self.next_block(delta, records)
        self.chain.commit(block, b"certificate", changes, b"[]")
        return block


OpenStore = Callable[[], Store]


@pytest.fixture(params=["memory", "leveldb"])
def open_store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[OpenStore]:
    """Return a function that opens the same store again and again, closing the one before."""
    if request.param == "memory":
        memory = MemoryStore()
        yield lambda: memory
        return
    opened: list[LevelDB] = []

    def reopen() -> Store:
        for store in opened:
            store.close()
        opened.append(LevelDB(tmp_path / "ledger", create=True))
        return opened[-1]

    yield reopen
    for store in opened:
        store.close()


@pytest.fixture
def store(open_store: OpenStore) -> Store:
    """Return an open, empty store."""
    return open_store()


@pytest.fixture
def charter() -> Charter:
    """Return a charter."""
    return make_charter()


@pytest.fixture
def builder_of() -> Callable[[Chain], Builder]:
    """Return the maker of blocks."""
    return Builder
