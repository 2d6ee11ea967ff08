"""Numbers of records: per signing key a sliding window of 64, gaps allowed, so that a lost record blocks nobody."""

from __future__ import annotations

from governance.state.windows import WINDOWS, WindowRow
from governance.tables import Draft
from ledger.errors import RuleBroken

# ---- Rules --------------------------------------------------------------
WINDOW_SIZE = 64
VALIDITY_BLOCKS_MAX = 1_000_000
"""A record may be valid this long at most; one that is valid for ever could be kept back and played years later."""


def is_expired(valid_until_height: int, height: int) -> bool:
    """True when the block of `height` is too late for a record."""
    return valid_until_height < height


def is_used(row: WindowRow, number: int) -> bool:
    """True for a number that was used, or that fell out of the window."""
    age = row.highest - number
    return age >= WINDOW_SIZE or (age >= 0 and bool(row.used >> age & 1))


def take_number(draft: Draft, signer: bytes, number: int, valid_until_height: int, height: int) -> None:
    """Use up `number`, or raise RuleBroken when it was used, fell out of the window, or the record is too late."""
    if is_expired(valid_until_height, height):
        what = f"it was valid until block {valid_until_height}, this is {height}"
        raise RuleBroken("record_expired", what, "sign it again")
    row = WINDOWS.find(draft, signer)
    if row is None:
        WINDOWS.put(draft, WindowRow(number, 1), signer)
        return
    if number > row.highest:
        shift = number - row.highest
        used = (row.used << shift) & ((1 << WINDOW_SIZE) - 1) if shift < WINDOW_SIZE else 0
        WINDOWS.put(draft, WindowRow(number, used | 1), signer)
        return
    age = row.highest - number
    if age >= WINDOW_SIZE:
        what = f"number {number} is more than {WINDOW_SIZE} behind {row.highest}"
        raise RuleBroken("number_old", what, "sign it with the next number")
    if row.used >> age & 1:
        raise RuleBroken("number_used", f"number {number} of this key was used before", "sign it with the next number")
    WINDOWS.put(draft, WindowRow(row.highest, row.used | 1 << age), signer)
