"""Draws: the eligible in the order of a hash of the block's randomness, so that nobody chooses who is called (rules §1).

A duty panel reminds; it changes nothing in the tally. Drawing visits every eligible member: this happens only where a case
lacks its quorum halfway.
"""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import sha256

import msgspec

from governance import params
from governance.day import Day
from governance.membership import members
from governance.voting import ballots, cases


# ---- Rules --------------------------------------------------------------
def draw(randomness: bytes, label: bytes, keys: Iterable[bytes], count: int) -> list[bytes]:
    """Return the first `count` keys by SHA-256(R_h ‖ label ‖ 0x00 ‖ key), ascending."""
    prefix = randomness + label + b"\x00"
    return sorted(keys, key=lambda key: sha256(prefix + key).digest())[:count]


def eligible_of(day: Day, case: ballots.CaseRow) -> list[bytes]:
    """Return E of a case."""
    return [key for key in members.voters_as_of(day.draft, case.s) if key not in case.excluded]


def end_day(day: Day) -> None:
    """Draw a duty panel for every case that lacks its quorum at the end of s + panel_block."""
    for key in list(cases.PANELS_DUE.scan(day.draft, day.height)):
        case = ballots.CASES.get(day.draft, key.claim, key.code)
        cases.PANELS_DUE.delete(day.draft, day.height, case.s, key.claim, key.code)
        if case.status != "open":
            continue
        set_of_s = params.params_at(day.draft, case.params_version)
        tally = ballots.tally_now(day, case)
        lacking = cases.quorum_of(case, set_of_s) - tally.yes - tally.no
        if lacking <= 0:
            continue
        size = min(case.eligible, max(set_of_s.panel_size, 2 * lacking))
        label = b"duty/" + case.claim + b"/" + case.code.encode()
        panel = draw(day.randomness, label, eligible_of(day, case), size)
        ballots.CASES.put(day.draft, msgspec.structs.replace(case, panel=tuple(panel)), case.claim, case.code)
        day.emit("panel_drawn", claim=case.claim, case=case.code, members=tuple(panel))
