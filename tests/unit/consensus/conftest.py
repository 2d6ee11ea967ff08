"""One node of a committee of four under a test's hands: events in, effects out, signatures that are only stamps."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from hashlib import sha256

import pytest

from consensus import effects as fx
from consensus import events as ev
from consensus import machine
from consensus.messages import Cell, CellKind, Certificate, Proposal, Vote, VoteKind
from ledger.blocks import HEADER_VERSION, Header, encode_header
from ledger.hashing import ZERO_HASH

HEIGHT = 5


def make_hash(name: str) -> bytes:
    """Return the hash of a made-up block."""
    return sha256(name.encode()).digest()


def make_header(name: str, proposer: int = 0) -> bytes:
    """Return a header: the machine only looks who made the block."""
    return encode_header(Header(HEADER_VERSION, bytes(32), 0, HEIGHT, 0, 0, 0, proposer, bytes(32), make_hash(name)))


class Bench:
    """A machine of one height, the seed such that member 0 leads view 0, member 1 view 1, and so on."""

    def __init__(self, own: int | None = 0, size: int = 4, cells: Iterable[Cell] = (), *, is_open: bool = True) -> None:
        committee = tuple(bytes([index + 1]) * 32 for index in range(size))
        self.config = machine.Config(bytes(32), 0, HEIGHT, committee, bytes(32), own, 1_000, 3_000)
        self.state, self.effects = machine.start_height(self.config, cells)
        self.start_effects = self.effects
        if is_open:
            self.feed(ev.SlotOpened())

    def feed(self, *events: ev.Event) -> tuple[fx.Effect, ...]:
        """Let events happen, own votes and proposals fed back as a driver does; return all effects in order."""
        effects: list[fx.Effect] = []
        waiting = list(events)
        while waiting:
            self.state, fresh = machine.step(self.state, waiting.pop(0))
            effects += fresh
            for effect in fresh:
                if isinstance(effect, fx.CastVote):
                    waiting.append(ev.VoteReceived(replace(effect.vote, signature=bytes([effect.vote.voter]) * 64)))
                elif isinstance(effect, fx.SendProposal):
                    signed = replace(effect.proposal, signature=bytes([effect.proposal.proposer]) * 64)
                    waiting.append(ev.ProposalReceived(signed))
        self.effects = tuple(effects)
        return self.effects

    def cast(self) -> list[tuple[VoteKind, int, bytes]]:
        """Return the votes among the newest effects."""
        return [(e.vote.kind, e.vote.view, e.vote.block_hash) for e in self.effects if isinstance(e, fx.CastVote)]

    def vote(self, kind: VoteKind, view: int, voter: int, name: str = "") -> ev.VoteReceived:
        """Return a peer's vote; SKIP has no block."""
        block_hash = make_hash(name) if kind != VoteKind.SKIP else ZERO_HASH
        return ev.VoteReceived(Vote(kind, 0, HEIGHT, view, block_hash, voter, bytes([voter]) * 64))

    def certificate(
        self, kind: VoteKind, view: int, name: str = "", voters: tuple[int, ...] = (1, 2, 3)
    ) -> Certificate:
        """Return a certificate."""
        block_hash = make_hash(name) if kind != VoteKind.SKIP else ZERO_HASH
        return Certificate(kind, 0, HEIGHT, view, block_hash, voters, tuple(bytes([voter]) * 64 for voter in voters))

    def certify(self, kind: VoteKind, view: int, name: str = "") -> ev.CertificateReceived:
        """Return a certificate as an event."""
        return ev.CertificateReceived(self.certificate(kind, view, name))

    def proposal(
        self, view: int, name: str, *justification: Certificate, maker: int | None = None
    ) -> ev.ProposalReceived:
        """Return the proposal of a view's leader, of its own block unless another `maker` is named."""
        leader = self.config.leader(view)
        header = make_header(name, leader if maker is None else maker)
        return ev.ProposalReceived(
            Proposal(0, HEIGHT, view, make_hash(name), header, leader, bytes([leader]) * 64, justification)
        )

    def checked(self, name: str, *, is_valid: bool = True) -> ev.BlockChecked:
        """Return the verdict over a block."""
        return ev.BlockChecked(make_hash(name), is_valid)

    def built(self, view: int, name: str) -> ev.BlockBuilt:
        """Return a block that was built."""
        return ev.BlockBuilt(view, make_header(name, self.config.leader(view)), make_hash(name))

    def cell(self, kind: CellKind, view: int, name: str = "", support: bytes = b"") -> Cell:
        """Return a cell of this height."""
        return Cell(kind, HEIGHT, view, make_hash(name) if kind != CellKind.SKIP else ZERO_HASH, support)


@pytest.fixture
def bench() -> Callable[..., Bench]:
    """Return the maker of machines under test."""
    return Bench


@pytest.fixture
def block_hash() -> Callable[[str], bytes]:
    """Return what gives a made-up block its hash."""
    return make_hash


@pytest.fixture
def header() -> Callable[[str], bytes]:
    """Return what gives a made-up block its header."""
    return make_header
