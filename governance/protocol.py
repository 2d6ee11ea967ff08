"""The protocol version at a height: which rules hold, and what a program does that does not know them (rules §12).

Members schedule a version by a critical proposal for a named height. From the block of that height on the rules of that
version hold. A program that does not know them can neither make nor check a block: it stops, with everything it has
kept, and says what to install.
"""

from __future__ import annotations

from collections.abc import Iterator

from governance.day import Day
from governance.state.protocol import PROTOCOL_SCHEDULE, VersionRow
from governance.tables import Draft
from ledger.errors import MutuaError

# ---- Rules --------------------------------------------------------------
KNOWN_VERSIONS = frozenset({1})
"""The versions whose rules this program has."""
FIRST_VERSION = 1


def row_at(draft: Draft, height: int) -> VersionRow:
    """Return the version that block `height` follows, with the height it began at."""
    found = VersionRow(0, FIRST_VERSION)
    for row in PROTOCOL_SCHEDULE.scan(draft):
        if row.height > height:
            break
        found = row
    return found


def newest(draft: Draft) -> VersionRow:
    """Return the last version that members decided on, in force or not yet."""
    found = VersionRow(0, FIRST_VERSION)
    for row in PROTOCOL_SCHEDULE.scan(draft):
        found = row
    return found


def next_change(draft: Draft, height: int) -> VersionRow | None:
    """Return the first version that begins after `height`, if one is decided."""
    return next((row for row in PROTOCOL_SCHEDULE.scan(draft) if row.height > height), None)


def schedule(draft: Draft, version: int, height: int) -> None:
    """Let `version` hold from block `height` on."""
    PROTOCOL_SCHEDULE.put(draft, VersionRow(height, version), height)


def start_block(day: Day) -> None:
    """Stop a program that does not know the rules of this block; say so where a version begins.

    MutuaError `protocol_unknown` ends the node. In a rehearsal there is no other program to install: it plays on by the
    rules it has.
    """
    row = row_at(day.draft, day.height)
    if row.version not in KNOWN_VERSIONS and not day.coop.is_rehearsal:
        raise MutuaError(
            "protocol_unknown",
            f"from block {row.height} on the co-op follows protocol version {row.version}; this program knows up to"
            f" {max(KNOWN_VERSIONS)}",
            "install a newer mutua and start the node again; everything up to this block is kept",
        )
    if row.height == day.height and day.height > 0:
        day.emit("protocol_changed", **{"from": row_at(day.draft, day.height - 1).version, "to": row.version})


# ---- Invariants ---------------------------------------------------------
def broken_invariants(draft: Draft) -> Iterator[str]:
    """Yield a sentence for each version that does not follow the one before it."""
    before = 0
    for row in PROTOCOL_SCHEDULE.scan(draft):
        if row.version <= before:
            yield f"protocol version {row.version} is scheduled for block {row.height} after version {before}"
        before = row.version
