"""A single machine on a bench: feed it events, see its effects. Signatures are made up; the machine never looks at them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from consensus import effects as fx
from consensus import events as ev
from consensus import machine
from consensus.messages import Cell, Certificate, Proposal, VoteKind
from consensus.simulator_liar import make_header, signed_vote
from ledger.blocks import block_hash_of, decode_header
from ledger.hashing import ZERO_HASH

PARENT = bytes(32)


class Bench:
    """Height 5 of a committee of four; with seed 0 the leader of view v is v mod 4."""

    def __init__(self, own: int | None = 1, cells: Sequence[Cell] = (), size: int = 4) -> None:
        self.config = machine.Config(
            chain_id=bytes(32), epoch=0, height=5, committee=tuple(bytes([i]) * 32 for i in range(size)), seed=bytes(32),
            own_index=own, timeout0_ms=1_000, timeout_cap_ms=3_500,
        )  # fmt: skip
        self.state, effects = machine.start_height(self.config, cells)
        self.done: list[fx.Effect] = []
        self.feed_back(effects)

    def feed_back(self, effects: tuple[fx.Effect, ...]) -> None:
        """Do what a driver does with votes and proposals: sign them and feed them back."""
        self.done.extend(effects)
        for effect in effects:
            if isinstance(effect, fx.CastVote):
                vote = effect.vote
                signed = signed_vote(vote.kind, vote.height, vote.view, vote.block_hash, vote.voter)
                self.happen(ev.VoteReceived(signed))
            elif isinstance(effect, fx.SendProposal):
                self.happen(ev.ProposalReceived(replace(effect.proposal, signature=bytes(64))))

    def happen(self, *events: ev.Event) -> list[fx.Effect]:
        """Feed events; return the effects of all of them, votes fed back included."""
        start = len(self.done)
        for event in events:
            self.state, effects = machine.step(self.state, event)
            self.feed_back(effects)
        return self.done[start:]

    def open(self) -> list[fx.Effect]:
        return self.happen(ev.SlotOpened())

    @staticmethod
    def block(name: str = "a") -> tuple[bytes, bytes]:
        """Return (header, hash) of a block of height 5."""
        header = make_header(5, PARENT, 0, name.encode())
        return header, block_hash_of(decode_header(header))

    def proposal(self, view: int = 0, name: str = "a", *carried: Certificate) -> ev.ProposalReceived:
        header, block_hash = self.block(name)
        leader = self.config.leader(view)
        return ev.ProposalReceived(Proposal(0, 5, view, block_hash, header, leader, bytes([leader]) * 64, carried))

    def vote(self, kind: VoteKind, voter: int, view: int = 0, name: str = "a") -> ev.VoteReceived:
        block_hash = ZERO_HASH if kind == VoteKind.SKIP else self.block(name)[1]
        return ev.VoteReceived(signed_vote(kind, 5, view, block_hash, voter))

    def certificate(self, kind: VoteKind, view: int = 0, name: str = "a") -> ev.CertificateReceived:
        votes = [self.vote(kind, voter, view, name).vote for voter in (0, 2, 3)]
        return ev.CertificateReceived(
            Certificate(kind, 0, 5, view, votes[0].block_hash, (0, 2, 3), tuple(vote.signature for vote in votes))
        )

    def checked(self, name: str = "a", *, is_valid: bool = True) -> ev.BlockChecked:
        return ev.BlockChecked(self.block(name)[1], is_valid=is_valid)

    def cast(self) -> list[tuple[str, int]]:
        """Return what this node has voted so far: (kind, view)."""
        return [(effect.vote.kind.name, effect.vote.view) for effect in self.done if isinstance(effect, fx.CastVote)]

    def of(self, kind: type) -> list[fx.Effect]:
        return [effect for effect in self.done if isinstance(effect, kind)]


@pytest.fixture
def bench() -> type[Bench]:
    return Bench


@pytest.fixture
def node() -> Bench:
    """Member 1 with its slot open."""
    made = Bench()
    made.open()
    return made
