"""The promise of a signer: one transaction an outpoint, for ever. On the disk before the first signature leaves.

A treasury that signed two transactions over the same coin could pay the wrong one; one that forgot what it signed could
sign another. So `promise` is durable on return, idempotent, and refuses a second transaction whatever the ledger or
anybody says. One JSON line an outpoint; a last line torn by a crash was never acted on and is cut off.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

from ledger.errors import LedgerCorrupt, MutuaError
from node.paths import sync_folder


class Journal:
    """The file of promises of one signer."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._promised: dict[tuple[bytes, int], bytes] = {}
        if path.exists():
            self._load()

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
        # The keys are those of the journals that exist.
        row = {"baton_txid": txid.hex(), "baton_vout": vout, "unsigned_txid": unsigned_txid.hex()}
        line = json.dumps(row) + "\n"
        is_new = not self._path.exists()
        size = 0 if is_new else self._path.stat().st_size
        try:
            with self._path.open("ab") as file:
                file.write(line.encode())
                file.flush()
                os.fsync(file.fileno())
            if is_new:
                sync_folder(self._path.parent)
        except OSError:
            if self._path.exists():  # half a line of a full disk would corrupt the next one
                os.truncate(self._path, size)
            raise
        self._promised[outpoint] = unsigned_txid

    def _load(self) -> None:
        data = self._path.read_bytes()
        whole = data[: data.rfind(b"\n") + 1]
        if whole != data:
            os.truncate(self._path, len(whole))
        for line in whole.splitlines():
            try:
                row = json.loads(line)
                outpoint = (bytes.fromhex(row["baton_txid"]), int(row["baton_vout"]))
                txid = bytes.fromhex(row["unsigned_txid"])
            except (ValueError, KeyError, TypeError) as error:
                raise self._damaged(f"a line is not a promise ({error})") from None
            if self._promised.setdefault(outpoint, txid) != txid:
                raise self._damaged("it holds two promises for one coin")

    def _damaged(self, reason: str) -> LedgerCorrupt:
        hint = "do not sign with this key again before it is restored from a backup"
        return LedgerCorrupt("treasury_journal", f"{self._path} is damaged: {reason}", hint)
