"""What members sign about proposals: opening one, sponsoring it, voting on it (rules §12)."""

from __future__ import annotations

from typing import Any

from governance.benefits import plans
from ledger.codec import Shape

# ---- Records ------------------------------------------------------------
CHOICES = ("yes", "no", "abstain")
NAME_SIZE_MAX = 128
FIGURE_MAX = 10**12


class ProposeBody(Shape):
    """A proposal.

    `name`: code, parameter, plan, phase, or the name of a party; `system`: of a code; `member`: whom to expel.

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
    figures: plans.PlanFigures | None
    change: str
    """add | remove, for signers also threshold; empty where the kind knows no change."""
    key: bytes
    height: int


class SponsorBody(Shape):
    """Sign a proposal so that it opens."""

    proposal: bytes


class CastBody(Shape):
    """A vote on a proposal; the last one counts."""

    proposal: bytes
    choice: str


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
