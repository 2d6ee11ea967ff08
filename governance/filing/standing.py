"""Which earlier claim already holds what a new one bills, for a member who files from the same documents again.

The rules refuse such a claim; here is what tells "it stands already" from "it contradicts what stands".
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from governance.filing.claims import ClaimBody, ClaimLine, has_standing_lines
from governance.state.claims import CLAIM_SOURCES, CLAIMS, LINE_USES, ClaimRow, LineRow
from governance.tables import Draft


def find_standing(draft: Draft, body: ClaimBody) -> ClaimRow | None:
    """Return the claim of the same cover that stands for `body`: of the same source, or with the same lines.

    The same lines: provider, payee, use, and of each line all that was billed. Documents change where nothing is billed
    (a display text, the address of a server), and such a change makes another source. How the code's system is spelled
    bills nothing either: the rules know a line by its code alone (§5). None when nothing of it stands, and when what
    stands is not the same.
    """
    source = CLAIM_SOURCES.find(draft, body.cover_id, body.source_hash) if body.source_hash else None
    if source is not None and has_standing_lines(draft, source.value):
        return CLAIMS.get(draft, source.value)
    uses = [LINE_USES.find(draft, body.cover_id, body.provider_id, line.code, line.first_day) for line in body.lines]
    holders = {use.standing for use in uses if use is not None and use.standing}
    if len(holders) != 1:
        return None
    claim = CLAIMS.get(draft, holders.pop())
    same = (claim.provider, claim.payee, claim.use) == (body.provider_id, body.payee, body.use)
    return claim if same and _billed(claim.lines) == _billed(body.lines) else None


def _billed(lines: Iterable[ClaimLine | LineRow]) -> Counter[tuple[object, ...]]:
    """Return what lines bill, in whatever order."""
    names = [name for name in ClaimLine.__struct_fields__ if name != "system"]
    return Counter(tuple(getattr(line, name) for name in names) for line in lines)
