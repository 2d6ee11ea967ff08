"""A block's whole work against the raw rate of its signatures: verify, apply, roots, one synced LevelDB batch.

Rival: libsodium's Ed25519 verification alone, on all cores, in the same run. Ballots are used because they carry one
signature each. Prints a table; exits 1 when the ratio is under the target of 0.6.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256
from pathlib import Path

import msgspec

from consensus.committee import committee_hash
from governance.filing.claims import ClaimBody, ClaimLine, claim_subject_hash
from governance.voting.ballots import BallotBody
from ledger import charter as charters
from ledger.blocks import Block, BlockWithBodies, encode_header
from ledger.chain import Chain
from ledger.codec import encode
from ledger.genesis import CharterCode, CharterPlan, CharterProvider, Founder
from ledger.leveldb import LevelDB
from ledger.records import Body, SignedRecord, attest, record_id_of, sign_record
from ledger.signatures import is_signed_raw, public_key_of, sign_bytes
from node.execution.apply import genesis_rows
from node.execution.header_rules import committee_of
from node.execution.propose import Proposer, build_candidate
from node.execution.validate import check_candidate
from node.execution.verifier import Verifier
from wallet.keys import Onion

TARGET = 0.6
MEMBERS, CASES = 300, 60
CORES = len(os.sched_getaffinity(0))


def seed(label: str) -> bytes:
    return sha256(f"bench/{label}".encode()).digest()


def build_charter():
    plan = CharterPlan("basic", 50_000, 0, 0, 0, None, None, None, 0, None, ())
    provider = CharterProvider(public_key_of(seed("provider")), "clinic")
    onion = Onion.from_secret(seed("onion"), 64)
    founders = []
    for i in range(MEMBERS):
        keys = {
            name: public_key_of(seed(f"{name}{i}"))
            for name in ("identity", "device", "cover", "consensus", "transport")
        }
        founders.append(
            Founder(
                keys["identity"],
                keys["device"],
                keys["cover"],
                keys["consensus"],
                keys["transport"],
                b"",
                onion.tip if not i else seed(f"tip{i}"),
                f"/ip4/127.0.0.1/tcp/{i + 1}",
                f"h{i}",
                "basic",
                12,
                12,
                b"",
            )
        )
    draft = charters.new_charter(
        "bench",
        seed=seed("charter"),
        genesis_time_ms=0,
        day_one="2026-01-01",
        block_interval_ms=1000,
        phase="live",
        committee_max=1,
        claims_cents=10**12,
        reserve_cents=10**11,
        rate=10_000_000,
        plans=(plan,),
        codes=(CharterCode("s", "X1", False, None, None),),
        providers=(provider,),
    )
    return msgspec.structs.replace(draft, founders=tuple(founders)), onion


def claims(chain_id: bytes) -> list[SignedRecord]:
    provider = seed("provider")
    made = []
    for i in range(CASES):
        cover = public_key_of(seed(f"cover{i}"))
        body = ClaimBody(
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
            (ClaimLine("s", "X1", (), 1, 10_000 + i, 1, 1),),
        )
        made.append(
            sign_record(
                seed(f"cover{i}"),
                chain_id=chain_id,
                kind="claim.file",
                author=cover,
                number=1,
                valid_until_height=30,
                body=Body(bytes(16), encode(body)),
                attestations=(attest(provider, chain_id, "provider", claim_subject_hash(body)),),
            )
        )
    return made


def ballots(chain_id: bytes, cases: list[bytes]) -> list[SignedRecord]:
    made = []
    for voter in range(CASES, MEMBERS):
        for number, claim in enumerate(cases):
            body = BallotBody(claim, "X1", "accept", None, "necessary", 1, b"")
            made.append(
                sign_record(
                    seed(f"device{voter}"),
                    chain_id=chain_id,
                    kind="case.ballot",
                    author=public_key_of(seed(f"identity{voter}")),
                    number=number + 1,
                    valid_until_height=30,
                    body=Body(bytes(16), encode(body)),
                )
            )
    return made


def main() -> int:
    charter, onion = build_charter()
    committee = committee_of(charter)
    leader = next(i for i, founder in enumerate(charter.founders) if founder.consensus_key == committee[0])
    if leader:
        founders = list(charter.founders)
        founders[leader] = msgspec.structs.replace(founders[leader], onion_tip=onion.tip)
        founders[0] = msgspec.structs.replace(founders[0], onion_tip=seed("tip0"))
        charter = msgspec.structs.replace(charter, founders=tuple(founders))
    with tempfile.TemporaryDirectory() as folder:
        chain = Chain.create(
            LevelDB(Path(folder) / "db", create=True),
            charter,
            genesis_rows(charter),
            committee_hash=committee_hash(committee),
        )
        proposer = Proposer(0, committee[0], onion.reveal)
        filed = claims(chain.chain_id)
        first, refused = build_candidate(chain, committee, proposer, [(record_id_of(s.record), s) for s in filed], 1000)
        assert not refused, refused
        chain.commit(first.block, b"", first.delta, b"")
        votes = ballots(chain.chain_id, [record_id_of(s.record) for s in filed])
        from node.execution import validate

        validate.BLOCK_BYTES_MAX = 1 << 40
        built, refused = build_candidate(chain, committee, proposer, [(record_id_of(s.record), s) for s in votes], 2000)
        assert not refused, next(iter(refused.values()))
        raw = BlockWithBodies(Block(encode_header(built.header), built.block.block.records), built.block.bodies)

        bare = [
            (
                s.record.signer,
                s.record.signature,
                sign_bytes("record", chain.chain_id, encode(msgspec.structs.replace(s.record, signature=b""))),
            )
            for s in votes
        ]
        parts = [bare[i : i + 128] for i in range(0, len(bare), 128)]
        start = time.perf_counter()
        with ThreadPoolExecutor(CORES) as pool:
            assert all(pool.map(lambda part: all(is_signed_raw(*item) for item in part), parts))
        raw_s = time.perf_counter() - start
        verifier = Verifier()
        verifier.check_while(first.block.block.records * 40, lambda: None)  # a running node has its workers
        chain.tree.root_after({})  # a node that checks a block has not judged it before
        start = time.perf_counter()
        candidate = check_candidate(chain, committee, raw, lambda _record: False, verifier)
        checked = time.perf_counter()
        chain.commit(candidate.block, b"", candidate.delta, b"")
        whole_s = time.perf_counter() - start
        verifier.close()
    count = len(votes)
    ratio = raw_s / whole_s
    print(f"{count} ballots, {CORES} cores")
    print(f"{'work':<44}{'seconds':>9}{'records/s':>12}")
    print(f"{'raw libsodium verification, all cores':<44}{raw_s:>9.2f}{count / raw_s:>12.0f}")
    print(f"{'verify + apply + roots':<44}{checked - start:>9.2f}{count / (checked - start):>12.0f}")
    print(f"{'  + one synced batch (the whole block)':<44}{whole_s:>9.2f}{count / whole_s:>12.0f}")
    print(f"ratio {ratio:.2f} (target {TARGET})")
    return 0 if ratio >= TARGET else 1


if __name__ == "__main__":
    sys.exit(main())
