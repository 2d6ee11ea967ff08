"""Draws: eligible members in the order of a hash of the block's randomness, so nobody chooses the panel (rules §1).

A duty panel reminds; it changes nothing in the tally. Drawing visits every eligible member, and happens only if a case
lacks its quorum halfway.
"""

from __future__ import annotations

from hashlib import sha256

from msgspec.structs import replace

from governance.day import Day
from governance.membership import members
from governance.state.cases import CASES, PANELS_DUE, CaseRow
from governance.state.params import params_at
from governance.voting import ballots, cases

HASH_END = 1 << 256
MARGIN = 8
"""A draw of n sorts about 8 n keys, those whose hash is in the lowest part of all hashes; all of them where that is too
few."""


# ---- Rules --------------------------------------------------------------
def draw(randomness: bytes, label: bytes, keys: list[bytes], count: int) -> list[bytes]:
    """Return the first `count` keys by SHA-256(R_h ‖ label ‖ 0x00 ‖ key): one hash a key, only the lowest sorted."""
    begun = sha256(randomness + label + b"\x00")  # what all hashes share is hashed once
    share = MARGIN * count
    limit = (share * HASH_END // len(keys)).to_bytes(32, "big") if share < len(keys) else None
    hashed: list[tuple[bytes, bytes]] = []
    for key in keys:
        hasher = begun.copy()
        hasher.update(key)
        digest = hasher.digest()
        if limit is None or digest < limit:
            hashed.append((digest, key))
    if limit is not None and len(hashed) < count:
        return sorted(keys, key=lambda key: sha256(randomness + label + b"\x00" + key).digest())[:count]
    return [key for _, key in sorted(hashed)[:count]]


def eligible_of(day: Day, case: CaseRow) -> list[bytes]:
    """Return E of a case. Linear in members."""
    excluded = frozenset(case.excluded)
    return [key for key in members.voters_as_of(day, case.carried_height) if key not in excluded]


def end_day(day: Day) -> None:
    """Draw a duty panel for every case that lacks its quorum at the end of s + panel_block."""
    for key in list(PANELS_DUE.scan(day.draft, day.height)):
        case = CASES.get(day.draft, key.claim, key.code)
        PANELS_DUE.delete(day.draft, day.height, case.carried_height, key.claim, key.code)
        if case.status != "open":
            continue
        case_params = params_at(day.draft, case.params_version)
        tally = ballots.tally_now(day, case)
        lacking = cases.quorum_of(case, case_params) - tally.yes - tally.no
        if lacking <= 0:
            continue
        size = min(case.eligible, max(case_params.panel_size, 2 * lacking))
        label = b"duty/" + case.claim + b"/" + case.code.encode()
        panel = draw(day.randomness, label, eligible_of(day, case), size)
        CASES.put(day.draft, replace(case, panel=tuple(panel)), case.claim, case.code)
        day.emit("panel_drawn", claim=case.claim, case=case.code, members=tuple(panel))
