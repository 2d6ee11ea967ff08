"""Helpers for rule tests: play a scenario given as dicts and look at its events."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from governance.events import event_json, render_text
from governance.genesis import CodeSpec, GenesisSpec, MemberSpec, PlanSpec, TreasurySpec, genesis_rows
from governance.invariants import all_broken_invariants
from governance.kinds import encode_body
from governance.simulation.rehearse import Player
from governance.simulation.scenario import parse
from governance.transition import Act, BlockContext, apply_block, check_act
from ledger.errors import RuleBroken
from ledger.hashing import tagged_hash
from ledger.store import MemoryStore


class Story:
    """A scenario under way: `do` adds an action, `events` picks events by name."""

    def __init__(self, **genesis: Any) -> None:
        base: dict[str, Any] = {
            "do": "genesis",
            "params": {"audit_random_bp": 0},
            "seed": 7,
            "accounts": {"claims": 5_000_000, "reserve": 900_000},
            "rate": 10_000_000,
            "auto_pay": True,
            "plans": [{"name": "free", "premium_cents": 50_000}],
            "members": [{"name": f"m{i}", "plan": "free", "contract_terms": 12} for i in range(8)],
            "providers": ["doc", "doc2", "doc3"],
            "codes": [{"code": "S", "standard": True, "allowed_cents": 30_000, "frequency": 6}, {"code": "X"}],
        }
        params = {**base["params"], **genesis.pop("params", {})}
        self.player = Player(parse([json.dumps({**base, **genesis, "params": params})])[0])
        self.seen: list[dict[str, Any]] = []

    def do(self, at: int, do: str, **fields: Any) -> Story:
        line = json.dumps({"at": at, "do": do, **fields})
        action = parse(['{"do":"genesis"}', line])[1]
        before = self.player.closed
        self.seen += [event_json(event, render_text) for event in self.player.act(action)]
        if self.player.closed != before:
            assert all_broken_invariants(self.player.state) == []
        return self

    def claim(
        self, at: int, by: str, name: str, *lines: tuple[str, int, int], provider: str = "doc", **fields: Any
    ) -> Story:
        found = [{"code": code, "units": units, "charge_cents": charge, "day": at} for code, units, charge in lines]
        return self.do(at, "claim", id=name, by=by, provider=provider, lines=found, **fields)

    def ballots(self, at: int, claim: str, *, yes: int = 0, no: int = 0, first: int = 1, **fields: Any) -> Story:
        for index in range(yes + no):
            choice = "accept" if index < yes else "deny"
            self.do(at, "ballot", by=f"m{first + index}", claim=claim, choice=choice, opened=True, **fields)
        return self

    def advance(self, to: int) -> Story:
        return self.do(self.player.closed, "advance", to=to)

    def events(self, *names: str, **fields: Any) -> list[dict[str, Any]]:
        return [
            e for e in self.seen if e["event"] in names and all(e.get(key) == value for key, value in fields.items())
        ]

    def show(self, what: str, name: str | None = None) -> dict[str, Any]:
        self.do(self.player.closed, "show", what=what, name=name)
        return self.seen[-1]


@pytest.fixture
def story() -> Callable[..., Story]:
    return Story


class ChainSide:
    """What a rehearsal does not need: keys of 32 bytes, signers, attestations.

    Seven founders, one plan, one provider, a treasury.
    """

    def __init__(self) -> None:
        self.members = tuple(
            MemberSpec(self.key("id", i), self.key("cover", i), "p", devices=(self.key("device", i),), prepaid_terms=3)
            for i in range(7)
        )
        self.doctor = self.key("doctor", 0)
        signers = tuple(self.key("device", i) for i in range(7))
        self.spec = GenesisSpec(
            claims_cents=5_000_000,
            reserve_cents=900_000,
            rate=10_000_000,
            plans=(PlanSpec("p", 50_000),),
            members=self.members,
            providers=((self.doctor, "doctor"),),
            codes=(CodeSpec("S", True, 30_000, system="H"),),
            params={"audit_random_bp": 0},
            treasury=TreasurySpec("regtest", 5, signers, self.key("baton", 0), 0, 10_000_000, 2),
        )
        self.state = MemoryStore(genesis_rows(self.spec))
        self.height = 0

    def key(self, tag: str, index: int = 0) -> bytes:
        return tagged_hash("test", tag.encode(), bytes([index]))

    def act(
        self, kind: str, author: bytes, body: Any, *, signer: bytes | None = None, number: int = 1, attested: Any = ()
    ) -> Act:
        data = encode_body(body)
        return Act(
            kind,
            author,
            signer or author,
            tagged_hash("id", kind.encode(), author, data),
            number,
            1_000,
            data,
            tuple(attested),
        )

    def live(self, *blocks: list[Act]) -> ChainSide:
        """Apply blocks of records, every invariant checked after each."""
        for acts in blocks:
            self.height += 1
            self.state.write(apply_block(self.state, BlockContext(self.height, bytes(32)), acts).delta)
            assert all_broken_invariants(self.state) == []
        return self

    def check(self, act: Act) -> None:
        """Raise RuleBroken unless the next block could hold the record."""
        check_act(self.state, BlockContext(self.height + 1, bytes(32)), act)

    def refusal(self, act: Act) -> str:
        """The code with which the next block refuses the record."""
        with pytest.raises(RuleBroken) as caught:
            self.check(act)
        return caught.value.code


@pytest.fixture
def chain() -> ChainSide:
    return ChainSide()
