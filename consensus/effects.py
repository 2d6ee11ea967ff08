"""What the driver must do, in the order given. `Journal` is always ahead of what it binds."""

from __future__ import annotations

from dataclasses import dataclass

from consensus.messages import Cell, Certificate, Message, Proposal, Vote


@dataclass(frozen=True, slots=True)
class Journal:
    """Make a cell of the vote log durable, its support with it, before anything that follows."""

    cell: Cell


@dataclass(frozen=True, slots=True)
class CastVote:
    """Sign this vote, send it to all, and feed it back as `VoteReceived`."""

    vote: Vote


@dataclass(frozen=True, slots=True)
class SendProposal:
    """Sign this proposal, send it and its block to all, and feed it back as `ProposalReceived`."""

    proposal: Proposal


@dataclass(frozen=True, slots=True)
class SendCertificate:
    """Send a certificate to all: it spares those who lack a vote the wait."""

    certificate: Certificate


@dataclass(frozen=True, slots=True)
class SetTimer:
    """Feed `TimerFired(view)` after this time."""

    view: int
    after_ms: int


@dataclass(frozen=True, slots=True)
class BuildBlock:
    """Build a fresh block over the tip, keep it durably, and answer with `BlockBuilt`."""

    view: int


@dataclass(frozen=True, slots=True)
class CheckBlock:
    """Get the block with this hash, check it, keep it durably, and answer with `BlockChecked`.

    Durably, because the vote that follows may make it final: if its voters all lost power and nobody still held the
    body, the committee would be bound for ever to a block that does not exist.
    """

    block_hash: bytes
    proposer: int
    """The leader whose proposal named it."""


@dataclass(frozen=True, slots=True)
class Resend:
    """Send these again, byte for byte."""

    messages: tuple[Message, ...]


@dataclass(frozen=True, slots=True)
class ReportMisbehaviour:
    """Two signatures of one member that contradict each other: anybody can check them."""

    first: Vote | Proposal
    second: Vote | Proposal


@dataclass(frozen=True, slots=True)
class Finalize:
    """The block of this certificate is final: keep it durably. Repeated until the driver leaves the height."""

    certificate: Certificate


_Send = CastVote | SendProposal | SendCertificate | Resend
Effect = Journal | _Send | SetTimer | BuildBlock | CheckBlock | ReportMisbehaviour | Finalize
