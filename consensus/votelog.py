"""The bytes of the vote log: records chained by SHA-256, so that a torn tail is told from a broken past.

File: the line `mutua-votes-1\\n`, the key's fingerprint (32 bytes); then records `length (u16) ‖ payload ‖ SHA-256(previous digest ‖ payload)`.
Payload: kind, height, view, block hash. No disk here: `node.votes` writes and syncs.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from hashlib import sha256

from consensus.messages import Cell, CellKind
from ledger.errors import LedgerCorrupt

_MAGIC = b"mutua-votes-1\n"
_PAYLOAD = struct.Struct(">BQI32s")
_RECORD_SIZE = 2 + _PAYLOAD.size + 32
_QUARANTINE = "move it away and start: the node then signs nothing until the network has passed the heights it may have voted in"


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
    payload = _PAYLOAD.pack(cell.kind, cell.height, cell.view, cell.block_hash)
    digest = sha256(head + payload).digest()
    return len(payload).to_bytes(2, "big") + payload + digest, digest


def scan(data: bytes, fingerprint: bytes) -> Scan:
    """Read a log. A torn last record is left out; LedgerCorrupt on another key's log or a chain broken elsewhere.

    A record that is whole in length but wrong is torn only when nothing follows it: blocks of a write may land in any order.
    """
    start, head = begin(fingerprint)
    if not data.startswith(_MAGIC) or len(data) < len(start):
        raise LedgerCorrupt("vote_log_broken", "the vote log does not begin as one", _QUARANTINE)
    if data[: len(start)] != start:
        raise LedgerCorrupt("vote_log_other_key", "the vote log belongs to another consensus key", _QUARANTINE)
    cells: list[Cell] = []
    position = len(start)
    while position < len(data):
        record = data[position : position + _RECORD_SIZE]
        payload = record[2 : 2 + _PAYLOAD.size]
        is_whole = len(record) == _RECORD_SIZE and int.from_bytes(record[:2], "big") == _PAYLOAD.size
        if not is_whole or sha256(head + payload).digest() != record[2 + _PAYLOAD.size :]:
            if len(data) - position <= _RECORD_SIZE:
                break
            raise LedgerCorrupt("vote_log_broken", f"the vote log is broken after {len(cells)} records", _QUARANTINE)
        kind, height, view, block_hash = _PAYLOAD.unpack(payload)
        cells.append(Cell(CellKind(kind), height, view, block_hash))
        head = record[2 + _PAYLOAD.size :]
        position += _RECORD_SIZE
    return Scan(tuple(cells), head, position)
