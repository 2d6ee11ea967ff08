"""A Byzantine committee member: the scripted adversary of the simulator.

It hears everything that reaches it, knows which block is final, signs whatever helps it as often as it likes, proposes
two blocks in one view to two halves, re-proposes and ignores certificates as it pleases, and hoards certificates to
show them to single members at the worst moment. It cannot sign for others.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from random import Random
from typing import Protocol

from consensus.committee import leader_of, quorum_of
from consensus.messages import Certificate, Message, Proposal, Vote, VoteKind, proposal_message, vote_message
from ledger.blocks import HEADER_VERSION, Header, block_hash_of, decode_header, encode_header
from ledger.hashing import ZERO_HASH

ACT_EVERY_MS = 120
FLOODS_MAX = 3
"""Floods of a height: the member goes on with subtler things."""
CHAIN_ID = sha256(b"simulated chain").digest()


@dataclass(frozen=True, slots=True)
class Body:
    """A block's body on its way. A simulated block is its header."""

    header: bytes


@dataclass(frozen=True, slots=True)
class GetBody:
    """A question for a block's body."""

    block_hash: bytes


@dataclass(frozen=True, slots=True)
class TipReport:
    """A member's newest final height."""

    height: int


@dataclass(frozen=True, slots=True)
class Final:
    """A final block with its commit certificate."""

    header: bytes
    certificate: Certificate


Parcel = Message | Body | GetBody | TipReport | Final


class AdversaryEnvironment(Protocol):
    """What the adversary can do and see."""

    rng: Random
    size: int
    flood: int

    def send(self, sender: int, to: int, parcel: Parcel) -> None:
        """Send something to one member."""
        ...

    def note_vote(self, vote: Vote) -> None:
        """Let the checker know of a vote that exists."""
        ...

    def final_hashes(self) -> Mapping[int, bytes]:
        """Return the final block of each height."""
        ...


def fake_signature(member: int, message: bytes) -> bytes:
    """Return 64 bytes that only depend on who signs what: the simulator needs no real keys, since nobody forges."""
    return sha256(b"signature" + bytes([member]) + message).digest() * 2


def signed_vote(kind: VoteKind, height: int, view: int, block_hash: bytes, voter: int) -> Vote:
    """Return a vote as its member signs it."""
    message = vote_message(kind, 0, height, view, block_hash)
    return Vote(kind, 0, height, view, block_hash, voter, fake_signature(voter, message))


def signed_proposal(
    height: int, view: int, header: bytes, proposer: int, justification: tuple[Certificate, ...]
) -> Proposal:
    """Return a proposal as its member signs it."""
    block_hash = block_hash_of(decode_header(header))
    signature = fake_signature(proposer, proposal_message(0, height, view, block_hash))
    return Proposal(0, height, view, block_hash, header, proposer, signature, justification)


def make_header(height: int, parent: bytes, proposer: int, salt: bytes, *, is_valid: bool = True) -> bytes:
    """Return the header of a simulated block; `reserved` is not zero in one that everybody finds invalid."""
    head = (HEADER_VERSION, CHAIN_ID, 0, height, 0, 0, 0, proposer, parent)  # epoch, times and record count are 0
    reserved = ZERO_HASH if is_valid else sha256(b"invalid").digest()
    return encode_header(Header(*head, records_root=sha256(salt).digest(), reserved=reserved))


def leader_seed(parent: bytes) -> bytes:
    """Return the seed of a height's leaders in the simulator."""
    return sha256(b"leader" + parent).digest()


class ByzantineMember:
    """The adversary's memory and its whims."""

    def __init__(self, index: int, around: AdversaryEnvironment) -> None:
        self.index = index
        self._around = around
        self._rng = around.rng
        self._votes: defaultdict[tuple[int, VoteKind, int, bytes], dict[int, bytes]] = defaultdict(dict)
        self._headers: defaultdict[tuple[int, int], dict[bytes, bytes]] = defaultdict(dict)
        self._certificates: dict[tuple[int, VoteKind, int, bytes], Certificate] = {}
        self._proposed: dict[tuple[int, int], int] = {}
        self._flooded: defaultdict[int, int] = defaultdict(int)
        self._height = 1
        self._view = 0
        self._friends = self._draw_friends()

    def hear(self, sender: int, parcel: Parcel) -> None:
        """Take in whatever arrives."""
        match parcel:
            case Vote():
                self._see(parcel.height, parcel.view)
                self._note_vote(parcel)
            case Certificate():
                self._see(parcel.height, parcel.view + 1)
                self._keep(parcel)
            case Proposal():
                self._see(parcel.height, parcel.view)
                self._headers[parcel.height, parcel.view][parcel.block_hash] = parcel.header
                for certificate in parcel.justification:
                    self._keep(certificate)
                if self._rng.random() < 0.6:
                    self._vote_in(parcel.height, parcel.view)
                if self._around.flood and self._flooded[parcel.height] < FLOODS_MAX:
                    self._flood(parcel.height)
            case GetBody(block_hash):
                header = self._header_of(block_hash)
                if header is not None and self._rng.random() < 0.5:
                    self._around.send(self.index, sender, Body(header))
            case TipReport(height):
                self._see(height + 1, 0)
            case _:
                pass

    def act(self) -> None:
        """Do one or two harmful things."""
        view = max(0, self._view - self._rng.choice((0, 0, 0, 0, 1, 1, 2, 3)))
        self._propose_in(self._height, self._view)
        self._propose_in(self._height, self._view + 1)
        if self._rng.random() < 0.7:
            self._vote_in(self._height, view)
        if self._rng.random() < 0.5:
            self._show_certificates()

    def _see(self, height: int, view: int) -> None:
        if height > self._height:
            self._height, self._view = height, 0
            self._friends = self._draw_friends()
            self._votes.clear()
            self._headers.clear()
            self._certificates.clear()
        if height == self._height and view > self._view:
            self._view = view

    def _note_vote(self, vote: Vote) -> None:
        key = (vote.height, vote.kind, vote.view, vote.block_hash)
        signatures = self._votes[key]
        signatures[vote.voter] = vote.signature
        own = signed_vote(vote.kind, vote.height, vote.view, vote.block_hash, self.index)
        everyone = {**signatures, self.index: own.signature}
        if len(everyone) >= quorum_of(self._around.size) and key not in self._certificates:
            self._around.note_vote(own)
            voters = tuple(sorted(everyone)[: quorum_of(self._around.size)])
            parts = tuple(everyone[voter] for voter in voters)
            self._keep(Certificate(vote.kind, 0, vote.height, vote.view, vote.block_hash, voters, parts))

    def _keep(self, certificate: Certificate) -> None:
        key = (certificate.height, certificate.kind, certificate.view, certificate.block_hash)
        self._certificates.setdefault(key, certificate)

    def _show_certificates(self) -> None:
        held = sorted(self._certificates)
        if not held:
            return
        certificate = self._certificates[self._rng.choice(held)]
        to = self._rng.choice(self._others())
        if self._friends is None or (to in self._friends) == (certificate.kind != VoteKind.SKIP):
            self._around.send(self.index, to, certificate)

    def _vote_in(self, height: int, view: int) -> None:
        """Tell each member another story about one view."""
        blocks = sorted(self._headers[height, view])
        if self._friends is not None:
            self._be_two_faced(height, view, blocks, self._friends)
            return
        for to in self._others():
            if self._rng.random() < 0.3:
                continue
            kinds = [VoteKind.SKIP]
            if blocks:
                kinds += [VoteKind.NOTARIZE, VoteKind.NOTARIZE, VoteKind.FINALIZE]
            kind = self._rng.choice(kinds)
            block_hash = ZERO_HASH if kind == VoteKind.SKIP else self._rng.choice(blocks)
            self._tell(to, signed_vote(kind, height, view, block_hash, self.index))

    def _be_two_faced(self, height: int, view: int, blocks: list[bytes], friends: frozenset[int]) -> None:
        """Help a block to be final among some, and the view to be skipped among the others: the way to a fork."""
        for to in self._others():
            if to in friends and blocks:
                self._tell(to, signed_vote(VoteKind.NOTARIZE, height, view, blocks[0], self.index))
                self._tell(to, signed_vote(VoteKind.FINALIZE, height, view, blocks[0], self.index))
            elif to not in friends:
                self._tell(to, signed_vote(VoteKind.SKIP, height, view, ZERO_HASH, self.index))
                if blocks and self._rng.random() < 0.3:
                    self._tell(to, signed_vote(VoteKind.NOTARIZE, height, view, blocks[-1], self.index))

    def _propose_in(self, height: int, view: int) -> None:
        """Propose two blocks in a view of its own, each to a part of the others, with votes to match."""
        parent = self._around.final_hashes().get(height - 1)
        if parent is None or leader_of(leader_seed(parent), view, self._around.size) != self.index:
            return
        count = self._proposed.get((height, view), 0)
        if count >= 3 or self._rng.random() < 0.3:
            return
        self._proposed[height, view] = count + 1
        blocks = [self._block_for(height, parent) for _ in range(2)]
        justification = self._justification(height, view)
        for to in self._others():
            is_friend = self._friends is not None and to in self._friends
            header = blocks[0] if is_friend else self._rng.choice(blocks)
            proposal = signed_proposal(height, view, header, self.index, justification)
            self._headers[height, view][proposal.block_hash] = header
            if self._rng.random() < 0.8:
                self._around.send(self.index, to, Body(header))
            self._around.send(self.index, to, proposal)
            self._tell(to, signed_vote(VoteKind.NOTARIZE, height, view, proposal.block_hash, self.index))

    def _flood(self, height: int) -> None:
        """Sign hundreds of blocks in its own next view: each is a valid proposal, whoever keeps them all is full."""
        parent = self._around.final_hashes().get(height - 1)
        if parent is None:
            return
        self._flooded[height] += 1
        seed, size = leader_seed(parent), self._around.size
        view = next(each for each in range(self._view, self._view + size) if leader_of(seed, each, size) == self.index)
        for _ in range(self._around.flood):
            header = make_header(height, parent, self.index, self._rng.randbytes(8))
            proposal = signed_proposal(height, view, header, self.index, ())
            for to in self._others():
                self._around.send(self.index, to, proposal)
                if self._rng.random() < 0.02:
                    self._around.send(self.index, to, Body(header))

    def _block_for(self, height: int, parent: bytes) -> bytes:
        """Return an old block of this height, a fresh one, or one that is not even valid."""
        here = [headers for (at, _), headers in sorted(self._headers.items()) if at == height]
        old = [header for headers in here for _, header in sorted(headers.items())]
        if old and self._rng.random() < 0.5:
            return self._rng.choice(old)
        return make_header(height, parent, self.index, self._rng.randbytes(8), is_valid=self._rng.random() < 0.9)

    def _justification(self, height: int, view: int) -> tuple[Certificate, ...]:
        """Return certificates of lower views, SKIPs before NOTARIZEs: what hides a notarized block from a voter."""
        fits = [key for key in sorted(self._certificates) if key[0] == height and key[2] < view]
        fits.sort(key=lambda key: (key[2], key[1] != VoteKind.SKIP))
        return tuple(self._certificates[key] for key in fits[-16:] if key[1] != VoteKind.FINALIZE)

    def _tell(self, to: int, vote: Vote) -> None:
        self._around.note_vote(vote)
        self._around.send(self.index, to, vote)

    def _header_of(self, block_hash: bytes) -> bytes | None:
        for headers in self._headers.values():
            if block_hash in headers:
                return headers[block_hash]
        return None

    def _others(self) -> list[int]:
        return [member for member in range(self._around.size) if member != self.index]

    def _draw_friends(self) -> frozenset[int] | None:
        """Return whom it tells one story at this height, everybody else the other; None: stories by chance."""
        others = self._others()
        return None if self._rng.random() < 0.4 else frozenset(self._rng.sample(others, len(others) // 2 + 1))
