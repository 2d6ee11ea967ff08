"""A small co-op in memory: four founders, one charter, and ledgers that several nodes share or keep apart."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from consensus.committee import committee_hash, leader_of
from consensus.messages import Certificate, Vote, VoteKind
from consensus.signing import sign_vote
from governance.kinds import encode_body
from governance.money.rates import QuoteBody
from ledger.chain import Chain
from ledger.charter import add_founder, new_charter, seal, sign_founder
from ledger.codec import encode
from ledger.genesis import Charter, CharterPlan, Founder
from ledger.records import Body, SignedRecord, sign_record
from ledger.store import MemoryStore
from node.execution.apply import genesis_rows
from node.execution.header_rules import committee_of
from node.execution.ledger import LedgerService
from node.execution.propose import Proposer, build_candidate
from node.execution.validate import Candidate
from node.p2p.network import Channel
from node.pool.blobs import AddressListStore
from node.pool.mempool import Mempool
from wallet.keyfile import LIGHT, seal_keyfile
from wallet.keys import KeyRing

INTERVAL_MS = 1_000
GENESIS_MS = 1_700_000_000_000


def ring_of(number: int) -> KeyRing:
    return KeyRing.from_seed(bytes([number + 1]) * 32)


def charter_of(
    founders: int = 4,
    genesis_ms: int = GENESIS_MS,
    name: str = "Riverside",
    ports: Callable[[int], int] = lambda n: 4001 + n,
) -> Charter:
    plan = CharterPlan("basic", 30_000, 0, 0, 0, None, None, None, 0, None, ())
    draft = new_charter(
        name,
        seed=b"\x05" * 32,
        genesis_time_ms=genesis_ms,
        day_one="2026-01-31",
        block_interval_ms=INTERVAL_MS,
        claims_cents=1_000_000,
        reserve_cents=300_000,
        rate=6_000_000,
        plans=(plan,),
    )
    for number in range(founders):
        ring = ring_of(number)
        bare = Founder(
            ring.identity_key,
            ring.device_key,
            ring.cover_key,
            ring.consensus_key,
            ring.transport_key,
            b"",
            ring.onion.tip,
            f"/ip4/127.0.0.1/tcp/{ports(number)}",
            "",
            "basic",
            12,
            12,
            b"",
        )
        draft = add_founder(draft, sign_founder(ring.identity_seed, bare, draft.name))
    return seal(draft)


def new_chain(charter: Charter, store: MemoryStore | None = None) -> Chain:
    return Chain.create(
        store or MemoryStore(), charter, genesis_rows(charter), committee_hash=committee_hash(committee_of(charter))
    )


def quote(chain_id: bytes, ring: KeyRing, number: int, rate: int = 6_000_000, valid_until: int = 60) -> SignedRecord:
    """A real record of a member: what a bitcoin costs."""
    return sign_record(
        ring.device_seed,
        chain_id=chain_id,
        kind="rate.quote",
        author=ring.identity_key,
        number=number,
        valid_until_height=valid_until,
        body=Body(number.to_bytes(16, "big"), encode_body(QuoteBody(rate + number))),
    )


@dataclass
class Node:
    """One member's ledger in memory, as the daemon wires it."""

    ring: KeyRing
    chain: Chain
    store: MemoryStore = field(default_factory=MemoryStore)
    finals: list[Candidate] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.mempool = Mempool(self.store)
        self.blobs = AddressListStore(self.store)
        self.ledger = LedgerService(self.chain, self.mempool, self.blobs, self.ring.consensus_key, self._on_final)

    async def _on_final(self, candidate: Candidate) -> None:
        self.finals.append(candidate)

    @property
    def proposer(self) -> Proposer:
        assert self.ledger.own_index is not None
        return Proposer(self.ledger.own_index, self.ring.consensus_key, self.ring.onion.reveal)


@dataclass
class Coop:
    """The founders, and what they can make together."""

    charter: Charter
    rings: list[KeyRing]

    def node(self, number: int = 0) -> Node:
        return Node(self.rings[number], new_chain(self.charter))

    def candidate(
        self, chain: Chain, records: list[SignedRecord] | None = None, now_ms: int = 0, view: int = 0
    ) -> Candidate:
        from ledger.records import record_id_of

        committee = committee_of(self.charter)
        leader = leader_of(chain.tip.header.randomness, view, len(committee))
        ring = next(ring for ring in self.rings if ring.consensus_key == committee[leader])
        waiting = [(record_id_of(item.record), item) for item in records or ()]
        candidate, refused = build_candidate(
            chain, committee, Proposer(leader, ring.consensus_key, ring.onion.reveal), waiting, now_ms
        )
        assert refused == {}
        return candidate

    def votes(self, block_hash: bytes, height: int, kind: VoteKind = VoteKind.FINALIZE, view: int = 0) -> list[Vote]:
        rings = {ring.consensus_key: ring for ring in self.rings}
        chain_id = new_chain(self.charter).chain_id
        return [
            sign_vote(Vote(kind, 0, height, view, block_hash, index), rings[key].consensus_seed, chain_id)
            for index, key in enumerate(committee_of(self.charter))
        ]

    def certificate(
        self, block_hash: bytes, height: int, kind: VoteKind = VoteKind.FINALIZE, view: int = 0
    ) -> Certificate:
        votes = self.votes(block_hash, height, kind, view)[:3]
        return Certificate(kind, 0, height, view, block_hash, (0, 1, 2), tuple(vote.signature for vote in votes))


class FakeNetwork:
    """A network of one node in a test: what it sends is kept, or handed to `deliver`."""

    def __init__(self, key: bytes = b"me", peers: tuple[bytes, ...] = ()) -> None:
        self.key = key
        self.peers = list(peers)
        self.sent: list[tuple[bytes, Channel, bytes]] = []
        self.struck: list[tuple[bytes, str]] = []
        self.banned: list[tuple[bytes, str]] = []
        self.deliver: Callable[[bytes, bytes, Channel, bytes], None] | None = None

    def connected(self) -> tuple[bytes, ...]:
        return tuple(self.peers)

    def send(self, peer: bytes, channel: Channel, payload: bytes) -> bool:
        if peer not in self.peers:
            return False
        self.sent.append((peer, channel, payload))
        if self.deliver is not None:
            self.deliver(self.key, peer, channel, payload)
        return True

    def broadcast(self, channel: Channel, payload: bytes) -> int:
        return sum(self.send(peer, channel, payload) for peer in self.peers)

    def strike(self, peer: bytes, reason: str) -> None:
        self.struck.append((peer, reason))

    def ban(self, peer: bytes, reason: str) -> None:
        self.banned.append((peer, reason))


@pytest.fixture(scope="session")
def coop() -> Coop:
    return Coop(charter_of(), [ring_of(number) for number in range(4)])


@pytest.fixture
def make_network() -> type[FakeNetwork]:
    return FakeNetwork


@pytest.fixture
def make_quote() -> Callable[..., SignedRecord]:
    return quote


def write_folder(folder: Path, number: int, charter: Charter, passphrase: str = "devnet") -> Path:
    """Write a data folder as `mutua init` leaves it."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "charter.bin").write_bytes(encode(charter))
    (folder / "keys.json").write_bytes(seal_keyfile(bytes([number + 1]) * 32, passphrase, LIGHT))
    (folder / "passphrase").write_text(passphrase + "\n")
    return folder


@pytest.fixture
def make_folder() -> Callable[..., Path]:
    return write_folder


@pytest.fixture
def make_charter() -> Callable[..., Charter]:
    return charter_of
