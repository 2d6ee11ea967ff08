"""Appeals with their panels and ballots."""

from __future__ import annotations

from typing import Literal

from governance.state.ballots import BallotRow
from governance.state.cases import CaseKey
from governance.tables import Table
from ledger.codec import Shape

AppealStatus = Literal["open", "accepted", "denied", "cancelled"]
Ground = Literal["evidence", "rule"]


class AppealRow(Shape):
    """An appeal and its panel, in the order of the draw."""

    claim: bytes
    code: str
    height: int
    ground: Ground
    panel: tuple[bytes, ...]
    status: AppealStatus


APPEALS = Table("voting/appeal", AppealRow)
OPEN_APPEALS = Table("voting/open_appeal", CaseKey)
"""By (height at whose end it is judged, height of the appeal, claim, code)."""
APPEAL_BALLOTS = Table("voting/appeal_ballot", BallotRow)
