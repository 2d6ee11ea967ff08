"""A sound ledger of five founders, made by the node's own code, and its rows as somebody with every key may forge them.

A claim, its ballots, quotes of the exchange rate, the end of a term: 32 blocks, each proposed by its leader.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

from consensus.committee import committee_hash, leader_of
from consensus.messages import Certificate, Vote, VoteKind, encode_certificate
from consensus.signing import sign_vote
from governance.filing.claims import ClaimBody, ClaimLine, EvidenceRef, claim_subject_hash
from governance.kinds import encode_body
from governance.money.rates import QuoteBody
from governance.voting.ballots import BallotBody
from ledger import merkle
from ledger.blocks import Block, Header, block_hash_of, contents_of, decode_header, encode_header
from ledger.chain import (
    BLOCK_PREFIX,
    BODY_PREFIX,
    CERTIFICATE_PREFIX,
    CHARTER_KEY,
    HASH_PREFIX,
    HEADER_PREFIX,
    RECORD_PREFIX,
    TIP_KEY,
    Chain,
    height_bytes,
)
from ledger.charter import add_founder, new_charter, seal, sign_founder
from ledger.codec import decode, encode
from ledger.genesis import Charter, CharterCode, CharterPlan, CharterProvider, Founder
from ledger.leveldb import LevelDB
from ledger.records import Body, Record, SignedRecord, attest, record_id_of, sign_record
from ledger.signatures import public_key_of
from ledger.store import MemoryStore
from node.execution.apply import encode_events, genesis_rows
from node.execution.header_rules import committee_of
from node.execution.propose import Proposer, build_candidate
from wallet.keys import KeyRing

RINGS = [KeyRing.from_seed(bytes([number]) * 32) for number in range(1, 6)]
DOCTOR = b"\x77" * 32
PAPER = EvidenceRef(b"\x99" * 32, 12, "application/pdf")
INTERVAL_MS = 2_000
BLOCKS = 32
QUORUM = 4


def make_charter(name: str = "Riverside") -> Charter:
    """Return a sealed charter of the five founders."""
    plan = CharterPlan("basic", 30_000, 0, 0, 0, None, None, None, 0, None, ())
    charter = new_charter(
        name,
        seed=b"\x05" * 32,
        genesis_time_ms=1_700_000_000_000,
        day_one="2026-01-31",
        block_interval_ms=INTERVAL_MS,
        phase="live",
        claims_cents=1_000_000,
        reserve_cents=300_000,
        rate=6_000_000,
        plans=(plan,),
        params={"audit_random_bp": 0},
        codes=(CharterCode("h", "X9", False, None, None),),
        providers=(CharterProvider(public_key_of(DOCTOR), "clinic"),),
    )
    for number, ring in enumerate(RINGS):
        keys = (ring.identity_key, ring.device_key, ring.cover_key, ring.consensus_key, ring.transport_key)
        address = f"/ip4/127.0.0.1/tcp/{4001 + number}"
        bare = Founder(*keys, b"", ring.onion.tip, address, "", "basic", 12, 12, b"")
        charter = add_founder(charter, sign_founder(ring.identity_seed, bare, charter.name))
    return seal(charter)


def certificate_of(header: Header, voters: Sequence[int] = range(QUORUM), *, view: int = 0, **fields) -> bytes:
    """Return a commit certificate of a header, signed by these members of the committee."""
    vote = Vote(VoteKind.FINALIZE, header.epoch, header.height, view, block_hash_of(header), 0)
    vote = replace(vote, **fields)
    signatures = tuple(sign_vote(vote, seed_of(voter), header.chain_id).signature for voter in voters)
    named = (vote.kind, vote.epoch, vote.height, vote.view, vote.block_hash)
    return encode_certificate(Certificate(*named, tuple(voters), signatures))


@cache
def committee() -> tuple[bytes, ...]:
    """Return the consensus keys in the order of the draw."""
    return committee_of(make_charter())


def seed_of(voter: int) -> bytes:
    """Return the consensus seed of a committee member."""
    return next(ring.consensus_seed for ring in RINGS if ring.consensus_key == committee()[voter])


class Coop:
    """A chain in memory that grows by whole blocks."""

    def __init__(self, name: str = "Riverside") -> None:
        self.store = MemoryStore()
        charter = make_charter(name)
        own_hash = committee_hash(committee_of(charter))
        self.chain = Chain.create(self.store, charter, genesis_rows(charter), committee_hash=own_hash)
        self.count = 0

    def sign(self, seed: bytes, kind: str, author: bytes, body, attestations=()) -> SignedRecord:
        """Return a record under the next number."""
        self.count += 1
        return sign_record(
            seed,
            chain_id=self.chain.chain_id,
            kind=kind,
            author=author,
            number=self.count,
            valid_until_height=500,
            body=Body(self.count.to_bytes(16, "big"), encode_body(body)),
            attestations=attestations,
        )

    def quote(self, ring: KeyRing) -> SignedRecord:
        """Return what a bitcoin costs, as a member says."""
        return self.sign(ring.device_seed, "rate.quote", ring.identity_key, QuoteBody(6_000_000 + self.count))

    def claim(self, ring: KeyRing) -> SignedRecord:
        """Return a claim of one line, attested by the doctor."""
        key, line = public_key_of(DOCTOR), ClaimLine("h", "X9", (), 1, 20_000, 1, 1)
        body = ClaimBody(
            "coop", ring.cover_key, "member", "member", key, b"", "claim", b"", 0, b"", (PAPER,), b"", (line,)
        )
        attested = (attest(DOCTOR, self.chain.chain_id, "provider", claim_subject_hash(body)),)
        return self.sign(ring.cover_seed, "claim.file", ring.cover_key, body, attested)

    def ballot(self, ring: KeyRing, claim: SignedRecord) -> SignedRecord:
        """Return a vote to accept."""
        body = BallotBody(record_id_of(claim.record), "X9", "accept", None, "", 1, PAPER.hash)
        return self.sign(ring.identity_seed, "case.ballot", ring.identity_key, body)

    def grow(self, records: Sequence[SignedRecord] = (), *, late_ms: int = 0, by_view: int = 0) -> None:
        """Make the next block of these records, `late_ms` after it was due, and certify it.

        `by_view`: the view of which the leader proposes it; it is certified in view 0 all the same.
        """
        chain = self.chain
        index = leader_of(chain.tip.header.randomness, by_view, len(committee()))
        ring = next(ring for ring in RINGS if ring.consensus_key == committee()[index])
        due_ms = chain.charter.genesis_time_ms + INTERVAL_MS * (chain.height + 1)
        proposer = Proposer(index, ring.consensus_key, ring.onion.reveal)
        waiting = [(record_id_of(signed.record), signed) for signed in records]
        made, refused = build_candidate(chain, committee(), proposer, waiting, due_ms + late_ms)
        assert refused == {}, refused
        chain.commit(made.block, certificate_of(made.header), made.delta, encode_events(made.events))


def made_of(plan: list[list[SignedRecord]], coop: Coop, **options) -> dict[bytes, bytes]:
    """Return the rows of a chain with these records in its blocks."""
    for records in plan:
        coop.grow(records, **options)
    return dict(coop.store.scan(b""))


@dataclass(frozen=True)
class World:
    """A sound ledger: the records of each block, its rows, and another co-op's."""

    plan: list[list[SignedRecord]]
    rows: dict[bytes, bytes]
    other: dict[bytes, bytes]

    @property
    def claim_id(self) -> bytes:
        """The id of the claim in block 2."""
        return record_id_of(self.plan[1][0].record)


@cache
def world() -> World:
    """Return the sound ledger."""
    coop = Coop()
    claim = coop.claim(RINGS[0])
    plan = [[coop.quote(RINGS[0]), coop.quote(RINGS[1])], [claim, coop.quote(RINGS[2])], []]
    plan += [[coop.ballot(ring, claim) for ring in RINGS[1:4]], [coop.claim(RINGS[1])], [], [coop.quote(RINGS[3])]]
    plan += [[coop.quote(RINGS[0]), coop.quote(RINGS[2])], *([] for _ in range(BLOCKS - 9)), [coop.quote(RINGS[4])]]
    stranger = Coop("Hillside")
    return World(plan, made_of(plan, coop), made_of([[stranger.quote(RINGS[0])], *([] for _ in plan[1:])], stranger))


class Rows:
    """The rows of a ledger in a forger's hands, who can sign for everybody."""

    def __init__(self, rows: dict[bytes, bytes]) -> None:
        self.rows = dict(rows)

    @property
    def tip(self) -> int:
        """The height that the tip row names."""
        return int.from_bytes(self.rows[TIP_KEY][:8], "big")

    def header(self, height: int) -> Header:
        """Return a stored header."""
        return decode_header(self.rows[HEADER_PREFIX + height_bytes(height)])

    def records(self, height: int) -> list[Record]:
        """Return the records of a block."""
        return list(decode(Block, self.rows[BLOCK_PREFIX + height_bytes(height)]).records)

    def certify(self, height: int, header: Header, records: Sequence[Record]) -> None:
        """Put a block with every row that leads to it, and a certificate by a quorum."""
        at, encoded = height_bytes(height), encode_header(header)
        self.rows.pop(HASH_PREFIX + block_hash_of(self.header(height)), None)
        self.rows |= {
            HEADER_PREFIX + at: encoded,
            BLOCK_PREFIX + at: encode(Block(encoded, tuple(records))),
            HASH_PREFIX + block_hash_of(header): at,
        }
        if height:
            self.rows[CERTIFICATE_PREFIX + at] = certificate_of(header)

    def put_records(self, height: int, records: Sequence[Record], bodies: Sequence[Body] = ()) -> None:
        """Give a block other records, with index, bodies, count and root; `seal` makes it final again."""
        for record in self.records(height):
            self.rows.pop(RECORD_PREFIX + record_id_of(record), None)
        for index, record in enumerate(records):
            self.rows[RECORD_PREFIX + record_id_of(record)] = height_bytes(height) + index.to_bytes(4, "big")
        self.rows |= {BODY_PREFIX + body_hash: encode(body) for body_hash, body in _by_hash(bodies)}
        contents = contents_of(records)
        header = replace(self.header(height), record_count=len(records), records_root=contents.root)
        self.certify(height, header, records)

    def seal(self, first: int, *, onwards: bool = False, **fields) -> Rows:
        """Change fields of the header at `first`, link every later one to it anew, and let a quorum sign them all.

        `onwards`: the later ones get the same fields.
        """
        history = merkle.Frontier(merkle.leaf_hash(self.rows[HEADER_PREFIX + height_bytes(h)]) for h in range(first))
        parent = block_hash_of(self.header(first - 1)) if first else bytes(32)
        for height in range(first, self.tip + 1):
            header = replace(self.header(height), history_root=history.root(), parent=parent)
            header = replace(header, **fields) if height == first or onwards else header
            self.certify(height, header, self.records(height))
            history.append(merkle.leaf_hash(encode_header(header)))
            parent = block_hash_of(header)
        self.rows[TIP_KEY] = height_bytes(self.tip) + parent + self.rows[TIP_KEY][-8:]
        return self


def _by_hash(bodies: Sequence[Body]) -> Iterator[tuple[bytes, Body]]:
    from ledger.records import body_hash_of

    return ((body_hash_of(body), body) for body in bodies)


def write_folder(folder: Path, rows: dict[bytes, bytes], charter: bytes | None = None) -> Path:
    """Write the data folder of a stopped node."""
    store = LevelDB(folder / "ledger", create=True)
    store.write(rows)
    store.close()
    (folder / "charter.bin").write_bytes(rows[CHARTER_KEY] if charter is None else charter)
    return folder
