"""A co-op whose members have keys: signed claims and ballots, in blocks of any size, on a chain on disk.

Everybody else in a large state comes from `population.py`.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256
from pathlib import Path

import msgspec
import population
from trees import module_of

from consensus.committee import committee_hash
from consensus.messages import Certificate, Vote, VoteKind, encode_certificate
from consensus.signing import sign_vote
from governance.day import Day
from governance.tables import Draft
from governance.voting.ballots import BallotBody
from ledger import charter as charters
from ledger.chain import Chain
from ledger.codec import encode
from ledger.genesis import CharterCode, CharterPlan, CharterProvider, Founder
from ledger.leveldb import LevelDB
from ledger.records import Body, SignedRecord, attest, record_id_of, sign_record, signed_bytes_of
from ledger.signatures import is_signed_raw, public_key_of, sign_bytes
from ledger.store import MemoryStore
from wallet.keys import Onion

filing = module_of("governance.filing.claims", "governance.benefits.claims")
execution = module_of("node.execution.apply", "node.rules")
acting = module_of("governance.acts", "node.rules")
producer = module_of("node.execution.propose", "node.producer")
validating = module_of("node.execution.validate", "node.producer")
committee_of = module_of("node.execution.header_rules", "node.ledgerside").committee_of
encode_events = (execution if hasattr(execution, "encode_events") else producer).encode_events

FOUNDERS, CLAIMANTS = 300, 60
LAYERS = 4096
VALID_UNTIL = 10_000
CORES = len(os.sched_getaffinity(0))
validating.BLOCK_BYTES_MAX = 1 << 40
"""Blocks here are as large as their benchmark wants them."""


def seed(label: str) -> bytes:
    return sha256(f"bench/{label}".encode()).digest()


def raw_work(records) -> tuple[float, float]:
    """Verify signatures alone on all cores; return wall and CPU seconds."""
    bare = [
        (item.signer, item.signature, sign_bytes("record", item.chain_id, signed_bytes_of(item))) for item in records
    ]
    parts = [bare[i : i + 128] for i in range(0, len(bare), 128)]
    start, used = time.perf_counter(), time.process_time()
    with ThreadPoolExecutor(CORES) as pool:
        assert all(pool.map(lambda part: all(is_signed_raw(*item) for item in part), parts))
    return time.perf_counter() - start, time.process_time() - used


class Coop:
    """Founders, their chain, and what they sign."""

    def __init__(self, folder: Path, members: int = 0) -> None:
        """Found it, with so many members of a population beside the founders."""
        self.onion = Onion.from_secret(seed("onion"), LAYERS)
        self.charter = self._charter()
        self.committee = committee_of(self.charter)
        self.leader = next(i for i, item in enumerate(self.charter.founders) if item.consensus_key == self.committee[0])
        founders = list(self.charter.founders)
        founders[self.leader] = msgspec.structs.replace(founders[self.leader], onion_tip=self.onion.tip)
        self.charter = msgspec.structs.replace(self.charter, founders=tuple(founders))
        self.proposer = producer.Proposer(0, self.committee[0], self.onion.reveal)
        rows = MemoryStore(execution.genesis_rows(self.charter))
        for start in range(0, members, population.CHUNK):
            day = Day(Draft(rows), 0, b"")
            for number in range(start, min(start + population.CHUNK, members)):
                population._put_member(day, number, 0)
            rows.write(day.draft.delta())
        self.store = LevelDB(folder, create=True)
        self.chain = Chain.create(
            self.store, self.charter, dict(rows.scan(b"")), committee_hash=committee_hash(self.committee)
        )

    def _charter(self):
        draft = charters.new_charter(
            "bench",
            seed=seed("charter"),
            genesis_time_ms=0,
            day_one="2026-01-01",
            block_interval_ms=1000,
            phase="live",
            committee_max=1,
            claims_cents=10**13,
            reserve_cents=10**12,
            rate=10_000_000,
            plans=(CharterPlan("basic", 50_000, 0, 0, 0, None, None, None, 0, None, ()),),
            codes=(CharterCode("s", "X1", False, None, None),),
            providers=(CharterProvider(public_key_of(seed("provider")), "clinic"),),
        )
        return msgspec.structs.replace(draft, founders=tuple(self._founder(i) for i in range(FOUNDERS)))

    def _founder(self, number: int) -> Founder:
        names = ("identity", "device", "cover", "consensus", "transport")
        keys = [public_key_of(seed(f"{name}{number}")) for name in names]
        address = f"/ip4/127.0.0.1/tcp/{number + 1}"
        return Founder(*keys, b"", seed(f"tip{number}"), address, f"h{number}", "basic", 12, 12, b"")

    def claims(self, count: int, number: int = 1) -> list[SignedRecord]:
        """Sign a claim of one line by each of the first `count` founders, under this record number."""
        return [self._claim(author, number) for author in range(count)]

    def _claim(self, author: int, number: int) -> SignedRecord:
        provider, cover = seed("provider"), public_key_of(seed(f"cover{author}"))
        body = filing.ClaimBody(
            "bench",
            cover,
            "member",
            "member",
            public_key_of(provider),
            b"",
            "claim",
            b"",
            0,
            b"",
            (),
            b"",
            (filing.ClaimLine("s", "X1", (), 1, 10_000 + author, number, number),),
        )
        return sign_record(
            seed(f"cover{author}"),
            chain_id=self.chain.chain_id,
            kind="claim.file",
            author=cover,
            number=number,
            valid_until_height=VALID_UNTIL,
            body=Body(bytes(16), encode(body)),
            attestations=(attest(provider, self.chain.chain_id, "provider", filing.claim_subject_hash(body)),),
        )

    def ballots(self, claims: Sequence[bytes], first_number: int = 1) -> Iterator[SignedRecord]:
        """Sign a ballot on each of these claims by everybody who files none."""
        for voter in range(CLAIMANTS, FOUNDERS):
            for number, claim in enumerate(claims):
                body = BallotBody(claim, "X1", "accept", None, "necessary", 1, b"")
                yield sign_record(
                    seed(f"device{voter}"),
                    chain_id=self.chain.chain_id,
                    kind="case.ballot",
                    author=public_key_of(seed(f"identity{voter}")),
                    number=first_number + number,
                    valid_until_height=VALID_UNTIL,
                    body=Body(bytes(16), encode(body)),
                )

    def candidate(self, records: Sequence[SignedRecord]):
        """Return the next block of these records."""
        waiting = [(record_id_of(item.record), item) for item in records]
        time_ms = 1000 * (self.chain.height + 1)
        built, refused = producer.build_candidate(self.chain, self.committee, self.proposer, waiting, time_ms)
        assert not refused, next(iter(refused.values()))
        return built

    def grow(self, records: Sequence[SignedRecord]) -> None:
        """Make the next block of these records final, with its certificate."""
        built = self.candidate(records)
        vote = Vote(VoteKind.FINALIZE, 0, built.header.height, 0, built.block_hash, 0)
        signed = sign_vote(vote, seed(f"consensus{self.leader}"), self.chain.chain_id)
        certificate = Certificate(
            VoteKind.FINALIZE, 0, built.header.height, 0, built.block_hash, (0,), (signed.signature,)
        )
        events = encode_events(built.events)
        self.chain.commit(built.block, encode_certificate(certificate), built.delta, events)
