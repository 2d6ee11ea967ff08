"""The promise of a signer: one transaction an outpoint, for ever. On the disk before the first signature leaves.

A treasury that signed two transactions over the same coin could pay the wrong one; one that forgot what it signed could
sign another. So `promise` is durable on return, idempotent, and refuses a second transaction whatever the ledger or
anybody says. One JSON line an outpoint, each with a check over all lines before it; a last line torn by a crash was
never acted on and is cut off. How far the file reached stands in a mark beside it, so that a lost promise is noticed.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path

from ledger.end_mark import mark_path, move_mark, read_mark
from ledger.errors import LedgerCorrupt, MutuaError
from node.paths import sync_folder

REMEDY = (
    "leave it where it is and bitcoin_socket unset, so that this node signs no payouts, until the other signers confirm"
    " that no open batch depends on a promise of this key; never put an old copy in its place"
)
Outpoint = tuple[bytes, int]


@dataclass(slots=True)
class Promises:
    """What a journal holds: the txid promised for each outpoint, the bytes of whole lines, the check of the last."""

    by_outpoint: dict[Outpoint, bytes] = field(default_factory=dict[Outpoint, bytes])
    size: int = 0
    check: str = ""


def read_promises(path: Path) -> Promises:
    """Read a journal and change nothing. A torn last line is left out; LedgerCorrupt `treasury_journal` on damage."""
    mark = read_mark(path)
    data = path.read_bytes() if path.exists() else b""
    size = data.rfind(b"\n") + 1
    if mark is not None and size < mark[1]:
        what = f"it has {size} bytes of whole lines where {mark[1]} were written ({mark_path(path).name})"
        raise _damaged(path, what)
    found = Promises(size=size)
    for number, line in enumerate(data[:size].splitlines(), 1):
        try:
            row = json.loads(line)
            outpoint = (bytes.fromhex(row["baton_txid"]), int(row["baton_vout"]))
            txid = bytes.fromhex(row["unsigned_txid"])
            check = row.pop("check")
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise _damaged(path, f"line {number} is not a promise ({error})") from None
        if len(row) != 3 or check != _check_of(found.check, row):
            raise _damaged(path, f"line {number}, or one before it, was changed")
        found.check = check
        if found.by_outpoint.setdefault(outpoint, txid) != txid:
            raise _damaged(path, f"line {number} is a second promise for one coin")
    return found


def _check_of(before: str, row: Mapping[str, object]) -> str:
    return sha256((before + json.dumps(row)).encode()).hexdigest()[:32]


def _damaged(path: Path, reason: str) -> LedgerCorrupt:
    return LedgerCorrupt("treasury_journal", f"the journal of promises {path} is damaged: {reason}", REMEDY)


class Journal:
    """The file of promises of one signer."""

    def __init__(self, path: Path) -> None:
        self._path = path
        held = read_promises(path)
        self._promised = held.by_outpoint
        self._check = held.check
        if path.exists():
            os.truncate(path, held.size)
            move_mark(path, 0, held.size)

    def find(self, txid: bytes, vout: int) -> bytes | None:
        """Return the txid promised for an outpoint, or None."""
        return self._promised.get((txid, vout))

    def promise(self, txid: bytes, vout: int, unsigned_txid: bytes) -> None:
        """Promise to sign this transaction and no other over the outpoint; durable. MutuaError `baton_promised`."""
        outpoint = (txid, vout)
        before = self._promised.get(outpoint)
        if before == unsigned_txid:
            return
        if before is not None:
            what = f"this signer promised {before.hex()[:16]}… for a coin that {unsigned_txid.hex()[:16]}… spends too"
            raise MutuaError("baton_promised", what, "never sign both: ask the other signers what happened")
        row = {"baton_txid": txid.hex(), "baton_vout": vout, "unsigned_txid": unsigned_txid.hex()}
        check = _check_of(self._check, row)
        line = json.dumps({**row, "check": check}) + "\n"
        is_new = not self._path.exists()
        size = 0 if is_new else self._path.stat().st_size
        try:
            with self._path.open("ab") as file:
                file.write(line.encode())
                file.flush()
                os.fsync(file.fileno())
            if is_new:
                sync_folder(self._path.parent)
            move_mark(self._path, 0, size + len(line))
        except OSError:
            if self._path.exists():  # half a line of a full disk would corrupt the next one
                os.truncate(self._path, size)
            raise
        self._promised[outpoint] = unsigned_txid
        self._check = check
