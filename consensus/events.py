"""What can happen to the machine. Messages are verified before they become events."""

from __future__ import annotations

from dataclasses import dataclass

from consensus.messages import Certificate, Proposal, Vote


@dataclass(frozen=True, slots=True)
class SlotOpened:
    """The day's slot is open: fresh blocks may be proposed, and the timer of view 0 starts."""


@dataclass(frozen=True, slots=True)
class ProposalReceived:
    """A proposal signed by the leader of its view."""

    proposal: Proposal


@dataclass(frozen=True, slots=True)
class VoteReceived:
    """A vote signed by a committee member."""

    vote: Vote


@dataclass(frozen=True, slots=True)
class CertificateReceived:
    """A certificate whose signatures hold."""

    certificate: Certificate


@dataclass(frozen=True, slots=True)
class BlockBuilt:
    """The answer to `BuildBlock`."""

    view: int
    header: bytes
    block_hash: bytes


@dataclass(frozen=True, slots=True)
class BlockChecked:
    """The answer to `CheckBlock`: the body is held durably and is valid, or it is not valid."""

    block_hash: bytes
    is_valid: bool


@dataclass(frozen=True, slots=True)
class TimerFired:
    """The time of a view is over."""

    view: int


@dataclass(frozen=True, slots=True)
class ResendTick:
    """Time to say again what may have been lost."""


_Received = ProposalReceived | VoteReceived | CertificateReceived
Event = SlotOpened | _Received | BlockBuilt | BlockChecked | TimerFired | ResendTick
