"""Proposals with their sponsors and votes."""

from __future__ import annotations

from typing import Any, Literal

from governance.state.plans import PlanFigures
from governance.tables import Name, Table
from ledger.codec import Shape


class ProposeBody(Shape):
    """A proposal.

    `name`: code, parameter, plan, phase, or the name of a party; `system`: of a code; `member`: whom to expel;
    `value`: of a parameter, the threshold of the signers, or a protocol version; `height`: from which that version
    holds. A plan gives its figures; a code gives standard, allowed amount and frequency. Attesters, verifiers,
    providers and signers give `change` and `key`.
    """

    what: str
    name: str
    system: str
    member: bytes
    value: int
    standard: bool
    allowed_cents: int | None
    frequency: int | None
    premium_cents: int
    prior_cents: int | None
    figures: PlanFigures | None
    change: str
    """add | remove, for signers also threshold; empty where the kind knows no change."""
    key: bytes
    height: int


def propose_body(what: str, **fields: Any) -> ProposeBody:
    """Return the body of a proposal; fields that its kind does not know are empty."""
    empty: dict[str, Any] = {
        "name": "",
        "system": "",
        "member": b"",
        "value": 0,
        "standard": False,
        "allowed_cents": None,
        "frequency": None,
        "premium_cents": 0,
        "prior_cents": None,
        "figures": None,
        "change": "",
        "key": b"",
        "height": 0,
    }
    return ProposeBody(what=what, **{**empty, **fields})


ProposalStatus = Literal["gathering", "open", "passed", "failed", "in_force", "void"]
VoteChoice = Literal["yes", "no", "abstain"]


class ProposalRow(Shape):
    """A proposal, from its first sponsor on."""

    proposal: bytes
    body: ProposeBody
    sponsors: int = 0
    """How many have signed."""
    status: ProposalStatus = "gathering"
    opened_height: int = 0
    eligible: int = 0
    params_version: int = 0
    yes: int = 0
    no: int = 0
    abstain: int = 0
    effective_height: int = 0
    why: str = ""
    """Why a void proposal does nothing; else empty."""


class ProposalVoteRow(Shape):
    """A member's live vote on a proposal."""

    choice: VoteChoice


class SponsorRow(Shape):
    """A member who signed a proposal, the how manyth."""

    sponsor: bytes
    place: int


PROPOSALS = Table("voting/proposal", ProposalRow)
OPEN_PROPOSALS = Table("voting/open_proposal", Name)
"""(height at whose end it is judged, height opened, id) -> id."""
PASSED_PROPOSALS = Table("voting/passed_proposal", Name)
"""(effective height, id) -> id."""
PROPOSAL_VOTES = Table("voting/proposal_vote", ProposalVoteRow)
PROPOSAL_SPONSORS = Table("voting/sponsor", SponsorRow)
"""By (proposal, sponsor): a hundredth of all members may sign, and each reads one row."""
