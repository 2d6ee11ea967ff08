"""Every row of a ledger's store is accounted for: what no block, record or state explains is a finding.

A replay asks for most rows that it expects and compares them. What is left to find are rows too many: under a name that
the ledger does not know, under a height, hash or id that no final block explains, or in the state. The index of records
is compared as a whole: sorted places against sorted rows, which spares a look-up a record.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import chain, islice

from ledger import chain as layout
from ledger.blocks import block_hash_of, decode_header
from ledger.errors import MalformedBytes
from ledger.hashing import HASH_SIZE
from ledger.store import MemoryStore, Store, end_of

ROW_FINDINGS_MAX = 20
"""Rows of a table listed one by one; the rest is counted."""
FIRST_HEIGHTS = {
    layout.HEADER_PREFIX: 0,
    layout.BLOCK_PREFIX: 0,
    layout.EVENTS_PREFIX: 0,
    layout.CERTIFICATE_PREFIX: 1,
}
"""Tables with a row for each height up to the tip, and the first."""
TABLES = (*FIRST_HEIGHTS, layout.BODY_PREFIX, layout.RECORD_PREFIX, layout.HASH_PREFIX, layout.STATE_PREFIX)


@dataclass(frozen=True, slots=True)
class Finding:
    """One contradiction: where, which check (docs/reference names them), and what in plain words."""

    height: int
    check: str
    what: str
    record_id: bytes | None = None


def unaccounted(source: Store, tip: int, places: Iterable[bytes], body_hashes: Iterable[bytes]) -> Iterator[Finding]:
    """Yield a finding for each row that no final block explains; state rows are those of `state_differences`.

    `places`: of all records, id and index row in one; `body_hashes`: those that records commit to; both ascending.
    """
    for rows in (
        _unknown(source, tip),
        _heights(source, tip),
        _hashes(source, tip),
        _records(source, tip, places),
        _bodies(source, tip, body_hashes),
    ):
        yield from islice(rows, ROW_FINDINGS_MAX)
        more = sum(1 for _ in rows)
        if more:
            yield Finding(tip, "row_unknown", f"{more} more rows like these are too many, missing or out of place")


def state_differences(source: Store, state: MemoryStore, size: int) -> tuple[int, dict[bytes, str]]:
    """Compare stored state rows with the `size` replayed ones; return how many are stored, and what is wrong by key."""
    count = matched = 0
    wrong: dict[bytes, str] = {}
    for stored_key, value in source.scan(layout.STATE_PREFIX):
        count += 1
        key = stored_key[len(layout.STATE_PREFIX) :]
        expected = state.get(key)
        matched += expected is not None
        if expected != value:
            wrong[key] = "should not be there" if expected is None else "has another value"
    if matched != size:
        missing = (key for key, _ in state.scan(b"") if source.get(layout.STATE_PREFIX + key) is None)
        wrong.update(dict.fromkeys(missing, "is missing"))
    return count, wrong


def next_height(source: Store, height: int) -> int | None:
    """Return the lowest height from `height` on of which block or header is stored, or None."""
    found = (
        next((key for key, _ in source.scan(prefix, layout.height_bytes(height)) if height_of(key) is not None), None)
        for prefix in (layout.BLOCK_PREFIX, layout.HEADER_PREFIX)
    )
    return min((int.from_bytes(key[2:], "big") for key in found if key is not None), default=None)


def height_of(key: bytes) -> int | None:
    """Return the height in a row's name, or None for a name of another length."""
    return int.from_bytes(key[2:], "big") if len(key) == len(layout.BLOCK_PREFIX) + layout.HEIGHT_SIZE else None


def _unknown(source: Store, tip: int) -> Iterator[Finding]:
    """Look into the gaps between the tables and the two single rows."""
    known = sorted([*((prefix, end_of(prefix)) for prefix in TABLES), *_single_rows()])
    start = b""
    for name, end in [*known, (None, None)]:
        for key, _ in source.scan(b"", start):
            if name is not None and key >= name:
                break
            yield Finding(tip, "row_unknown", f"the ledger has no row named {key[:40]!r}")
        start = end or b""


def _single_rows() -> list[tuple[bytes, bytes]]:
    return [(key, key + b"\x00") for key in (layout.CHARTER_KEY, layout.TIP_KEY)]


def _heights(source: Store, tip: int) -> Iterator[Finding]:
    for prefix, first in FIRST_HEIGHTS.items():
        for key, _ in source.scan(prefix):
            height = height_of(key)
            if height is None:
                yield Finding(tip, "row_unknown", f"row {key[:40]!r} does not name a height")
            elif height < first:
                yield Finding(tip, "row_unknown", f"block {height} has no row {prefix.decode()}")
            elif height > tip:
                yield Finding(tip, "beyond_tip", f"row {prefix.decode()} {height} lies beyond the tip")


def _hashes(source: Store, tip: int) -> Iterator[Finding]:
    for key, value in source.scan(layout.HASH_PREFIX):
        digest = key[len(layout.HASH_PREFIX) :]
        if int.from_bytes(value, "big") > tip or _hash_at(source, value) != digest:
            what = f"the index names a block that is not in the chain: {digest[:40].hex()}"
            yield Finding(tip, "header_link", what)


def _hash_at(source: Store, height: bytes) -> bytes | None:
    try:
        return block_hash_of(decode_header(source.get(layout.HEADER_PREFIX + height) or b""))
    except MalformedBytes:
        return None


def _records(source: Store, tip: int, places: Iterable[bytes]) -> Iterator[Finding]:
    """Compare the index with the places of all records. It has one row a record: a repeated one has more places."""
    rows = ((key[len(layout.RECORD_PREFIX) :], value) for key, value in source.scan(layout.RECORD_PREFIX))
    row = next(rows, None)
    last = b""
    for entry in places:
        record_id, place = entry[:HASH_SIZE], entry[HASH_SIZE:]
        while row is not None and row[0] < record_id:
            if row[0] != last:
                yield _stray_record(tip, row[0])
            row = next(rows, None)
        is_found = row is not None and row[0] == record_id and row[1] == place
        if not is_found or record_id == last:
            height, index = layout.decode_place(place) or (0, 0)
            if record_id == last:
                what = f"the record is in the chain more than once, also as number {index} of block {height}"
                yield Finding(height, "record_repeated", what, record_id)
            else:
                what = f"the record is not found as number {index} of block {height}"
                yield Finding(height, "record_index", what, record_id)
        last = record_id
    for record_id, _ in chain(() if row is None else (row,), rows):
        if record_id != last:
            yield _stray_record(tip, record_id)


def _stray_record(tip: int, record_id: bytes) -> Finding:
    return Finding(tip, "record_index", "the index names a record that no block holds", record_id)


def _bodies(source: Store, tip: int, body_hashes: Iterable[bytes]) -> Iterator[Finding]:
    committed = iter(body_hashes)
    current = next(committed, None)
    for key, _ in source.scan(layout.BODY_PREFIX):
        body_hash = key[len(layout.BODY_PREFIX) :]
        while current is not None and current < body_hash:
            current = next(committed, None)
        if current != body_hash:
            what = f"there is a body to which no record commits: {body_hash[:40].hex()}"
            yield Finding(tip, "body_stray", what)
