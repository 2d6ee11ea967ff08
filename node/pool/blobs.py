"""Sealed payout addresses, by their hash: kept when a known record commits to them, within a limit until it is final.

Rows: `o/` hash, a blob whose claim waits; `k/` hash, a blob whose claim is final (or b"" while it has not arrived).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from threading import Lock

from ledger.hashing import tagged_hash
from ledger.store import Store

WAITING_PREFIX = b"o/"
FINAL_PREFIX = b"k/"
WAITING_BYTES_MAX = 64 * 1024 * 1024
"""Blobs beyond are not kept before their claim is final; they are asked for when a payment is due."""


def blob_hash_of(blob: bytes) -> bytes:
    """Return the commitment that a claim names for its sealed payout addresses."""
    return tagged_hash("sealed-addresses", blob)


class AddressListStore:
    """The blobs in the store. Safe for several threads."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._lock = Lock()
        self.waiting_bytes = sum(len(value) for _, value in store.scan(WAITING_PREFIX))

    def get(self, commitment: bytes) -> bytes | None:
        """Return the blob with this hash."""
        return self._store.get(FINAL_PREFIX + commitment) or self._store.get(WAITING_PREFIX + commitment)

    def add(self, blobs: Iterable[bytes], beside: Mapping[bytes, bytes] | None = None, *, is_own: bool = False) -> None:
        """Keep blobs durably, in one write with the rows `beside`; none is written twice. Blocks on the disk.

        Those of this node's own claims are kept beyond the limit, for nobody else could give them back.
        """
        with self._lock:
            batch: dict[bytes, bytes | None] = dict(beside or {})
            waiting = self.waiting_bytes
            for blob in blobs:
                commitment = blob_hash_of(blob)
                final = self._store.get(FINAL_PREFIX + commitment)
                if not blob or final or self._store.get(WAITING_PREFIX + commitment):
                    continue
                if final is not None:
                    batch[FINAL_PREFIX + commitment] = blob
                elif WAITING_PREFIX + commitment not in batch and (is_own or waiting + len(blob) <= WAITING_BYTES_MAX):
                    batch[WAITING_PREFIX + commitment] = blob
                    waiting += len(blob)
            if batch:
                self._store.write(batch)
            self.waiting_bytes = waiting

    def settle(self, final: Collection[bytes], dropped: Collection[bytes], waiting: Collection[bytes]) -> None:
        """After a block: keep blobs of final claims for good, drop those that only dropped records name."""
        with self._lock:
            batch: dict[bytes, bytes | None] = {}
            for commitment in final:
                blob = self._store.get(WAITING_PREFIX + commitment)
                if self._store.get(FINAL_PREFIX + commitment) is None or blob is not None:
                    batch[FINAL_PREFIX + commitment] = self._store.get(FINAL_PREFIX + commitment) or blob or b""
                    batch[WAITING_PREFIX + commitment] = None
            for commitment in set(dropped) - set(waiting) - set(final):
                batch[WAITING_PREFIX + commitment] = None
            if not batch:
                return
            gone = sum(len(self._store.get(key) or b"") for key in batch if key.startswith(WAITING_PREFIX))
            self._store.write(batch)
            self.waiting_bytes -= gone
