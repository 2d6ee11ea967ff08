r"""The bytes of the vote log: records chained by SHA-256, so that a torn tail is told from a broken past.

File: the line `mutua-votes-1\n`, the key's fingerprint (32 bytes); then records
`length of payload (u16) ‖ payload ‖ SHA-256(previous digest ‖ payload)`.
Payload: kind, height, view, block hash, and the cell's support to its end. `node.agreement.vote_log` writes and syncs.

A crash can tear only the last record, because each is synced before the next is begun. A record that does not hold is
therefore taken for torn when nothing follows it, and for a broken past when something does.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import sha256

from consensus.messages import Cell, CellKind
from ledger.errors import LedgerCorrupt

_MAGIC = b"mutua-votes-1\n"
_LENGTH_SIZE = 2
_HEAD = struct.Struct(">BQI32s")
_DIGEST_SIZE = 32
_RECORD_MAX = _LENGTH_SIZE + 0xFFFF + _DIGEST_SIZE
_QUARANTINE = (
    "leave it to the node, which sets it aside and signs nothing until the network has passed the heights it may have"
    " voted in"
)


@dataclass(frozen=True, slots=True)
class Scan:
    """What a log holds: its cells in order, the digest to chain on, and how many bytes of the file are good."""

    cells: tuple[Cell, ...]
    head: bytes
    size: int


def begin(fingerprint: bytes) -> tuple[bytes, bytes]:
    """Return the first bytes of a log of this key, and the digest to chain on."""
    data = _MAGIC + fingerprint
    return data, sha256(data).digest()


def append(head: bytes, cell: Cell) -> tuple[bytes, bytes]:
    """Return the bytes of one more record, and the new digest."""
    payload = _HEAD.pack(cell.kind, cell.height, cell.view, cell.block_hash) + cell.support
    digest = sha256(head + payload).digest()
    return len(payload).to_bytes(_LENGTH_SIZE, "big") + payload + digest, digest


def prune(fingerprint: bytes, cells: Iterable[Cell], final_height: int) -> tuple[bytes, bytes]:
    """Return a whole new log without the cells of heights up to `final_height`, and its digest to chain on."""
    data, head = begin(fingerprint)
    parts = [data]
    for cell in cells:
        if cell.height > final_height:
            record, head = append(head, cell)
            parts.append(record)
    return b"".join(parts), head


def scan(data: bytes, fingerprint: bytes) -> Scan:
    """Read a log. A torn last record is left out; LedgerCorrupt on another key's log or a chain broken elsewhere."""
    start, head = begin(fingerprint)
    if not data.startswith(_MAGIC) or len(data) < len(start):
        raise LedgerCorrupt("vote_log_broken", "the vote log does not begin as one", _QUARANTINE)
    if data[: len(start)] != start:
        raise LedgerCorrupt("vote_log_other_key", "the vote log belongs to another consensus key", _QUARANTINE)
    cells: list[Cell] = []
    position = len(start)
    while position < len(data):
        end = _end_of_record(data, position, head)
        if end is None:
            if _is_followed(data, position):
                what = f"the vote log is broken after {len(cells)} records"
                raise LedgerCorrupt("vote_log_broken", what, _QUARANTINE)
            break
        cells.append(_decode_cell(data[position + _LENGTH_SIZE : end - _DIGEST_SIZE]))
        head = data[end - _DIGEST_SIZE : end]
        position = end
    return Scan(tuple(cells), head, position)


def newest_height(data: bytes) -> int:
    """Return the greatest height of any cell in a log, whoever's it is; 0 without one. LedgerCorrupt as of `scan`."""
    return max((cell.height for cell in scan(data, fingerprint_in(data)).cells), default=0)


def fingerprint_in(data: bytes) -> bytes:
    """Return the fingerprint of the key that a log names."""
    return data[len(_MAGIC) : len(_MAGIC) + _DIGEST_SIZE]


def _end_of_record(data: bytes, position: int, head: bytes) -> int | None:
    """Return where the record at `position` ends, or None when no whole record chained on `head` is there."""
    size = int.from_bytes(data[position : position + _LENGTH_SIZE], "big")
    end = position + _LENGTH_SIZE + size + _DIGEST_SIZE
    if size < _HEAD.size or end > len(data):
        return None
    payload = data[position + _LENGTH_SIZE : end - _DIGEST_SIZE]
    return end if sha256(head + payload).digest() == data[end - _DIGEST_SIZE : end] else None


def _is_followed(data: bytes, position: int) -> bool:
    """True when something follows the bad record at `position`: it is not the last, so no crash explains it.

    A torn record never reaches past the length it declares. Where that length itself is not valid, or reaches past the
    end, a whole record may still begin later: its chain hangs on the 32 bytes before it.
    """
    if len(data) - position > _RECORD_MAX:
        return True
    size = int.from_bytes(data[position : position + _LENGTH_SIZE], "big")
    if size >= _HEAD.size and position + _LENGTH_SIZE + size + _DIGEST_SIZE < len(data):
        return True
    first = position + _LENGTH_SIZE + _HEAD.size + _DIGEST_SIZE
    places = range(first, len(data))
    return any(_end_of_record(data, at, data[at - _DIGEST_SIZE : at]) is not None for at in places)


def _decode_cell(payload: bytes) -> Cell:
    kind, height, view, block_hash = _HEAD.unpack_from(payload)
    if kind not in (1, 2, 3, 4):
        raise LedgerCorrupt("vote_log_broken", f"the vote log holds a cell of unknown kind {kind}", "upgrade mutua")
    return Cell(CellKind(kind), height, view, block_hash, payload[_HEAD.size :])
