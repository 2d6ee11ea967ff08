"""A node that answers from what it is told, and ways to call the command: in this process, and as a person does."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import pytest
import trio

from ledger import merkle
from ledger.errors import MutuaError, RuleBroken
from node.api.views.actions import AutoRuleFields, SubmitRequest
from node.api.views.base import Question, read
from node.api.views.node import Status

CLAIM = "7f3a" + "ab" * 30
OTHER_CLAIM = "7f3b" + "ab" * 30
MEMBER = "11" * 32
OTHER_MEMBER = "12" * 32
COVER = "22" * 32
PROVIDER = "33" * 32
BALLOT = "cd" * 32
REFUSED = "dd" * 32
PENDING = "ee" * 32
DOCUMENT = "99" * 32
DEVICE, GUARDIAN, NEW_KEY, KID, REX = "d0" * 32, "a0" * 32, "e0" * 32, "c0" * 32, "c1" * 32
APPLICANT = "77" * 32
PROPOSAL = "ab" * 32


def line(**changes: Any) -> dict[str, Any]:
    return {
        "line": 0,
        "system": "urn:hcpcs",
        "code": "G0101",
        "modifiers": [],
        "units": 1,
        "charge_cents": 15_000,
        "first_day": 10,
        "last_day": 10,
        "is_standard": True,
        "status": "settled",
        "plan": "basic",
        "units_paid": 1,
        "allowed_cents": 12_000,
        "deductible_cents": 5_000,
        "copay_cents": 1_500,
        "coinsurance_cents": 1_100,
        "relief_cents": 0,
        "cut_cents": 0,
        "benefit_cents": 4_400,
        "refusal": None,
        "authorised_by": "",
        "explanation": "",
    } | changes


def case(**changes: Any) -> dict[str, Any]:
    return {
        "claim": CLAIM,
        "use": "claim",
        "code": "X9",
        "system": "urn:hcpcs",
        "status": "open",
        "how": "",
        "s": 12,
        "opens_at": 13,
        "closes_at": 72,
        "is_second": False,
        "charges_cents": 20_000,
        "eligible": 6,
        "bar_bp": 5_000,
        "seniority_bp": 100,
        "quorum": 5,
        "opened_needed": 3,
        "yes": 4,
        "no": 1,
        "abstain": 0,
        "opened": 3,
        "streak": 9,
        "streak_needed": 15,
        "award_cents": None,
        "benefit_cents": 0,
        "closed_height": None,
        "panel": [],
        "ballots": [],
        "explanation": "",
    } | changes


class FakeNode:
    """The reads, actions and events of a node at block 41, as JSON says them; what is submitted is noted."""

    day_one = "2026-01-01"

    def __init__(self) -> None:
        self.submitted: list[tuple[str, dict[str, Any]]] = []
        self.accepted: list[bytes] = []
        self.rules: list[dict[str, Any]] = []
        self.views: dict[str, Any] = {}
        self.refusals: list[dict[str, Any]] = []
        self.refusal: MutuaError | None = None
        self.member: str | None = MEMBER
        self.needs_me = [
            case()
            | {"my_choice": None, "on_duty": False, "evidence_version": 2, "provider_id": PROVIDER, "evidence": []}
        ]
        self.changes: dict[str, Any] = {}
        self.level = "info"
        self.stopped = threading.Event()

    def is_ready(self) -> bool:
        return True

    def status(self) -> Status:
        return read(Status, self._status() | self.changes)

    def _status(self) -> dict[str, Any]:
        return {
            "name": "Test Mutual",
            "chain_id": "aa" * 32,
            "currency": "USD",
            "exponent": 2,
            "height": 41,
            "block_hash": "bb" * 32,
            "state_root": "cc" * 32,
            "term": 1,
            "day_one": "2026-01-01",
            "block_interval_ms": 86_400_000,
            "peers": {"connected": 5, "known": 6},
            "mempool": 3,
            "is_syncing": False,
            "sync_target": 41,
            "consensus": {"view": 0, "is_member": True, "committee": 7, "misbehaviour": 0, "is_signing": True},
            "protocol": {"version": 1, "knows_next": True},
            "log_level": self.level,
            "member": self.member,
            "cover": COVER if self.member else None,
            "needs_me": len(self.needs_me),
        }

    def height(self) -> int:
        return 41

    async def ask(self, question: Question[Any], **arguments: str) -> Any:
        return self.view(question, **arguments)

    def view(self, question: Question[Any], **arguments: str | None) -> Any:
        return self.find(question.name, **arguments)

    def find(self, name: str, **arguments: str | None) -> Any:
        if name == "claims":
            short = {
                "cover_id": COVER,
                "provider_id": PROVIDER,
                "height": 12,
                "use": "claim",
                "payee": "member",
                "charge_cents": 35_000,
                "benefit_cents": 4_400,
                "status": "open",
                "codes": ["G0101", "X9"],
                "source_hash": "",
            }
            return [{"claim": CLAIM, **short}, {"claim": OTHER_CLAIM, **short}][
                : 2 if arguments.get("member") is None else 1
            ]
        if name == "claim":
            if arguments.get("id") != CLAIM:
                raise MutuaError(
                    "not_found",
                    "the ledger knows no such claim at height 41",
                    "check the id, or ask a node that is in sync",
                )
            return self._claim()
        views: dict[str, Any] = {
            "needs_me": self.needs_me,
            "codes": [
                {
                    "system": "urn:hcpcs",
                    "code": "G0101",
                    "from_day": 0,
                    "is_standard": True,
                    "allowed_cents": 12_000,
                    "frequency": 1,
                },
                {
                    "system": "urn:a",
                    "code": "TWICE",
                    "from_day": 0,
                    "is_standard": False,
                    "allowed_cents": None,
                    "frequency": None,
                },
                {
                    "system": "urn:b",
                    "code": "TWICE",
                    "from_day": 0,
                    "is_standard": False,
                    "allowed_cents": None,
                    "frequency": None,
                },
            ],
            "providers": [{"key": PROVIDER, "identifier": "demo-clinic"}],
            "plans": [
                {
                    "name": "basic",
                    "premium_cents": 50_000,
                    "prior_cents": None,
                    "from_day": 0,
                    "deductible_cents": 10_000,
                    "copay_cents": 1_500,
                    "coinsurance_bp": 2_000,
                    "oop_max_cents": 500_000,
                    "claim_ceiling_cents": 2_500_000,
                    "year_ceiling_cents": None,
                    "waiting_terms": 1,
                    "codes": [],
                }
            ],
            "keys": {
                "member": MEMBER,
                "identity_key": MEMBER,
                "devices": [DEVICE],
                "devices_max": 16,
                "guardians": {"threshold": 2, "keys": [GUARDIAN, PROVIDER], "serial": 4, "paused_until": None},
                "move": {"member": MEMBER, "new_key": NEW_KEY, "opened_height": 40, "until": 47},
            },
            "dependants": [
                {
                    "cover_id": KID,
                    "first_day": 31,
                    "last_day": None,
                    "waiting_last_day": 60,
                    "rate_cents": 50_000,
                    "standing": "waiting",
                },
                {
                    "cover_id": REX,
                    "first_day": 1,
                    "last_day": 40,
                    "waiting_last_day": 0,
                    "rate_cents": 0,
                    "standing": "ended",
                },
            ],
            "members": [self._member(), {**self._member(), "member": OTHER_MEMBER}],
            "member": self._member(),
            "payouts": [self._payout()],
            "applications": [self.application()],
            "parties": {
                "attesters": [{"key": "a1" * 32, "name": "Town registry", "since": 0}],
                "attesters_needed": 2,
                "signers_attest": True,
                "verifiers": [],
                "signers": ["b1" * 32, "b2" * 32, "b3" * 32],
                "signers_needed": 2,
            },
            "proposals": [self.proposal()],
            "proposal": {**self.proposal(), "sponsored_by": [MEMBER], "my_vote": "no"},
            "coop": {
                "height": 41,
                "term": 1,
                "phase": "pilot",
                "currency": "USD",
                "exponent": 2,
                "members": 7,
                "voters": 7,
                "open_cases": 1,
                "admission_stopped": False,
                "protocol_version": 1,
                "claims_cents": 5_000_000,
                "reserve_cents": 900_000,
                "annual_premium_cents": 600_000,
                "owed_cents": 4_400,
                "rate": 6_400_000,
            },
            "treasury": {
                "network": "regtest",
                "threshold": 2,
                "signers": ["77" * 32] * 3,
                "fee_sat_per_vb": 2,
                "baton_txid": "b0" * 32,
                "baton_vout": 0,
                "baton_sat": 10_000_000,
            },
            "owed": [
                {
                    "rank": 0,
                    "height": 13,
                    "claim": CLAIM,
                    "cover": COVER,
                    "provider": PROVIDER,
                    "payee": COVER,
                    "benefit_cents": 4_400,
                    "owed_cents": 4_400,
                    "commitment": "",
                }
            ],
            "owing": [{"member": OTHER_MEMBER, "owed_cents": 50_000, "owed": [], "suspended_from": None}],
            "unsent": [self._payout() | {"left_sat": 44_000}],
            "batches": [
                {
                    "baton_txid": "b0" * 32,
                    "baton_vout": 0,
                    "unsigned_txid": "ba" * 32,
                    "locktime": 100,
                    "fee_sat": 500,
                    "change_sat": 9_956_000,
                    "payouts": [
                        {"payout_id": "44" * 32, "paid_sat": 43_000, "queued_sat": 0, "credit_sat": 0, "outputs": 5}
                    ],
                    "height": 14,
                    "confirmations": 0,
                    "block_height": 0,
                }
            ],
            "delegations": {
                "member": MEMBER,
                "given": [{"topic": "X9", "to": OTHER_MEMBER}],
                "received": [{"topic": "*", "by": OTHER_MEMBER}],
                "delegators": 1,
                "delegators_max": 3,
            },
            "audits": {
                "drawn": [
                    {
                        "claim": CLAIM,
                        "cover_id": COVER,
                        "provider_id": PROVIDER,
                        "height": 12,
                        "trigger": "random",
                        "is_fraud": False,
                    }
                ],
                "holds": [{"held": COVER, "claim": CLAIM, "trigger": "reports", "until": 56}],
                "panels": [{"claim": CLAIM, "panel": [MEMBER, OTHER_MEMBER], "needed": 2, "is_fraud": False}],
            },
        } | self.views
        if name not in views:
            raise MutuaError("not_found", f"there is no view {name!r}")
        return views[name]

    def _member(self) -> dict[str, Any]:
        return {
            "member": MEMBER,
            "household": "home",
            "is_member": True,
            "is_founder": True,
            "may_vote": True,
            "since_term": 0,
            "denied": 3,
            "voted": 12,
            "bar_bp": 5_000,
            "seniority_bp": 0,
            "standing": "good",
            "missed_duties": 1,
            "has_credit": True,
            "contract": {
                "plan": "basic",
                "first_term": 0,
                "length_terms": 12,
                "rate_cents": 50_000,
                "last_block": 360,
                "next_plan": None,
                "next_length": 0,
                "is_in_force": True,
                "owed": [],
                "owed_cents": 0,
                "suspended_from": None,
                "waiting_last_day": 30,
            },
        }

    def application(self) -> dict[str, Any]:
        return {
            "applicant": APPLICANT,
            "cover_id": "78" * 32,
            "plan": "basic",
            "contract_terms": 1,
            "household": "",
            "height": 20,
            "deposit_cents": 50_000,
            "vouchers": [MEMBER],
            "vouchers_needed": 3,
            "objectors": [],
            "objections_end": 3,
            "objections_until": 50,
            "earliest_boundary": 60,
        }

    def proposal(self) -> dict[str, Any]:
        return {
            "proposal": PROPOSAL,
            "what": "param",
            "says": {"name": "grace_blocks", "value": 12},
            "status": "open",
            "is_critical": False,
            "sponsors": 5,
            "sponsors_needed": 5,
            "opened_height": 30,
            "closes_at": 60,
            "yes": 3,
            "no": 1,
            "abstain": 0,
            "eligible": 7,
            "turnout_needed": 2,
            "effective_height": None,
            "why": None,
        }

    def _payout(self) -> dict[str, Any]:
        return {
            "payout_id": "44" * 32,
            "payment_id": "44" * 32,
            "claim": CLAIM,
            "case": None,
            "payee": COVER,
            "rail": "bitcoin",
            "height": 13,
            "amount_cents": 4_400,
            "amount_sat": 44_000,
            "left_sat": 0,
            "sent_sat": 43_000,
            "credit_sat": 1_000,
            "outputs": 5,
            "batches": [],
            "commitment": "",
            "status": "confirmed",
        }

    def _claim(self) -> dict[str, Any]:
        refused = line(line=1, code="G0202", status="refused", refusal=2, benefit_cents=0, allowed_cents=0)
        voted = line(line=2, code="X9", charge_cents=20_000, status="open", is_standard=False)
        return {
            **self.find("claims")[0],
            "evidence": [{"hash": DOCUMENT, "size_bytes": 12, "media": "application/pdf"}],
            "evidence_version": 2,
            "other_payer_cents": 0,
            "payout_commitment": "",
            "lines": [line(), refused, voted],
            "cases": [case()],
            "estimates": [],
            "authorisations": [],
            "payouts": [self._payout()],
            "explanation": [],
        }

    async def receipt(self, claim: bytes) -> dict[str, Any]:
        """What the daemon replayed; tests/receipts says what stands in it."""
        self.find("claim", id=claim.hex())
        return {
            "receipt": {"claim": claim.hex(), "height": 41},
            "explanation": ["Claim 7f3aabababab was filed.", "Line 1: settled.", "  §5.1 units."],
        }

    def peers(self) -> list[dict[str, Any]]:
        return [
            {
                "key": "55" * 32,
                "address": "/ip4/127.0.0.1/tcp/4001",
                "is_connected": True,
                "since_ms": 0,
                "sent_frames": 9,
                "received_frames": 9,
                "dropped_frames": 0,
                "strikes": 0,
            }
        ]

    def blocks(self, start: int, count: int) -> list[dict[str, Any]]:
        return [
            {
                "height": height,
                "hash": "66" * 32,
                "time_ms": 1_767_225_600_000,
                "records": 2,
                "proposer": 3,
                "state_root": "cc" * 32,
                "term": 1,
            }
            for height in range(start, min(start + count, 42))
        ]

    def block(self, height: int) -> dict[str, Any]:
        if height > 41:
            raise MutuaError("not_found", f"there is no block {height}", "the newest is 41")
        records = (
            [{"id": BALLOT, "kind": "case.ballot", "author": MEMBER, "number": 1, "body_hash": ""}]
            if height == 40
            else []
        )
        return {
            **self.blocks(height, 1)[0],
            "records": records,
            "events": [{"event": "payout_due", "height": height}],
            "has_certificate": True,
        }

    def record(self, record_id: bytes) -> dict[str, Any]:
        known = record_id.hex()
        if known == BALLOT:
            hashes = [merkle.leaf_hash(bytes([number])) for number in range(5)]
            return {
                "record_id": known,
                "state": "final",
                "height": 40,
                "index": 4,
                "kind": "case.ballot",
                "leaf": hashes[4].hex(),
                "proof": [item.hex() for item in merkle.inclusion_proof(hashes, 4)],
                "tree_size": 5,
                "records_root": merkle.root_of_hashes(hashes).hex(),
            }
        if known == REFUSED:
            reason = {"code": "vote_closed", "what": "claim 7f3a closed on day 39", "hint": "ask for an audit"}
            return {"record_id": known, "state": "refused", "height": 40, "reason": reason}
        if known == PENDING:
            return {"record_id": known, "state": "pending", "height": 41}
        raise MutuaError("not_found", f"this node knows no record {known}", "check the id")

    async def submit(self, kind: str, body: dict[str, Any]) -> dict[str, Any]:
        if self.refusal is not None:
            raise self.refusal
        self.submitted.append((kind, body))
        return {"record_id": BALLOT, "kind": kind, "state": "pending", "height": 41}

    async def accept(self, data: bytes) -> dict[str, Any]:
        if self.refusal is not None:
            raise self.refusal
        self.accepted.append(data)
        return {"record_id": BALLOT, "kind": "any", "state": "pending", "height": 41}

    async def check(self, records: Sequence[SubmitRequest]) -> list[dict[str, Any]]:
        assert records
        return self.refusals

    async def open_document(self, claim: bytes) -> dict[str, Any]:
        if claim.hex() != CLAIM:
            raise MutuaError(
                "document_missing", "no document of this claim's evidence is on this node", "put it into documents"
            )
        return {
            "record_id": PENDING,
            "kind": "case.opened",
            "state": "pending",
            "path": "/documents/x",
            "hash": DOCUMENT,
            "size_bytes": 12,
        }

    def auto_rules(self) -> list[dict[str, Any]]:
        return self.rules

    async def change_auto_rule(self, action: str, wanted: AutoRuleFields) -> dict[str, Any]:
        if self.refusal is not None:
            raise self.refusal
        version = 1 + sum(item["name"] == wanted.name for item in self.rules)
        fields = json.loads(msgspec.json.encode(wanted))
        self.rules.append(
            {**fields, "version": version, "is_revoked": action == "revoke", "rule_hash": f"{version:02}" * 32}
        )
        return self.rules[-1]

    @asynccontextmanager
    async def events(self) -> AsyncGenerator[trio.MemoryReceiveChannel[dict[str, Any]], None]:
        _, receive = trio.open_memory_channel[dict[str, Any]](1)
        yield receive

    def set_log_level(self, level: str) -> None:
        self.level = level

    def stop(self) -> None:
        self.stopped.set()


@dataclass
class Result:
    """What a command left."""

    code: int
    out: str
    err: str


@pytest.fixture
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("MUTUA_")]:
        monkeypatch.delenv(name)


@pytest.fixture
def call(capsys: pytest.CaptureFixture[str], clean_environment: None) -> Callable[..., Result]:
    """Call the command in this process."""
    from node.cli.main import main

    def run(*arguments: object) -> Result:
        capsys.readouterr()
        code = main([str(item) for item in arguments])
        captured = capsys.readouterr()
        return Result(code, captured.out, captured.err)

    return run


@pytest.fixture
def shell() -> Callable[..., Result]:
    """Call the command as a person's shell does."""

    def run(*arguments: object, **options: Any) -> Result:
        environment = {name: value for name, value in os.environ.items() if not name.startswith("MUTUA_")}
        environment |= options.pop("env", {})
        done = subprocess.run(
            [sys.executable, "-m", "node.cli.main", *map(str, arguments)],
            capture_output=True,
            text=True,
            timeout=60,
            env=environment,
            check=False,
            stdin=subprocess.DEVNULL,
            **options,
        )
        return Result(done.returncode, done.stdout, done.stderr)

    return run


@pytest.fixture
def node(tmp_path: Path):
    """A fake node served on the socket of `tmp_path`, in a thread of its own."""
    from node.api.server import Api, serve

    fake = FakeNode()
    ready = threading.Event()
    token: list[Any] = []

    async def main() -> None:
        async with trio.open_nursery() as nursery:
            await nursery.start(serve, Api(fake, fake, fake), tmp_path / "api.sock")
            token.extend((trio.lowlevel.current_trio_token(), nursery.cancel_scope))
            ready.set()
            await trio.sleep_forever()

    thread = threading.Thread(target=trio.run, args=(main,), daemon=True)
    thread.start()
    assert ready.wait(10)
    yield fake
    token[0].run_sync_soon(token[1].cancel)
    thread.join(10)


@pytest.fixture
def refuse(node: FakeNode) -> Callable[[], None]:
    def set_refusal() -> None:
        node.refusal = RuleBroken(
            "duplicate_line", "line 1: code G0101 of day 10 stands in a claim already", "leave it out"
        )

    return set_refusal
