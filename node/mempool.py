"""Records that wait for a block: durable, bounded, in the order they came.

"Accepted" is said only after the record is on disk. A record that the rules refuse while a block is built stays for a few
heights (a peer may simply be a block ahead) and is then dropped with its reason, which the member can read.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from ledger.codec import decode, encode
from ledger.errors import MalformedBytes, MutuaError
from ledger.records import SignedRecord, record_id_of
from ledger.store import Store

PREFIX = b"p/"
RECORDS_MAX = 20_000
BYTES_MAX = 64 * 1024 * 1024
PER_AUTHOR_MAX = 2_000
REFUSED_HEIGHTS_MAX = 4
"""A record refused while building at so many heights is dropped: it is not early, it is wrong."""
REFUSALS_KEPT_MAX = 2_000


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a record was dropped."""

    code: str
    what: str
    mend: str
    height: int


class Mempool:
    """The waiting records, mirrored in the store under `p/`."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._records: OrderedDict[bytes, SignedRecord] = OrderedDict()
        self._sizes: dict[bytes, int] = {}
        self._per_author: dict[bytes, int] = {}
        self._refused_at: dict[bytes, set[int]] = {}
        self.refusals: OrderedDict[bytes, Refusal] = OrderedDict()
        self.size_bytes = 0
        for key, value in list(store.scan(PREFIX)):
            try:
                self._remember(key[len(PREFIX) :], decode(SignedRecord, value), len(value))
            except MalformedBytes:
                store.write({key: None})

    def __len__(self) -> int:
        return len(self._records)

    def __contains__(self, record_id: bytes) -> bool:
        return record_id in self._records

    def __iter__(self) -> Iterator[tuple[bytes, SignedRecord]]:
        return iter(list(self._records.items()))

    def ids(self) -> list[bytes]:
        """Return the ids, oldest first."""
        return list(self._records)

    def get(self, record_id: bytes) -> SignedRecord | None:
        """Return a waiting record."""
        return self._records.get(record_id)

    def add(self, signed_records: Iterable[SignedRecord]) -> list[bytes]:
        """Keep checked records durably (one synced batch) and return the ids that are new. Blocks on the disk.

        Errors: MutuaError `mempool_full` when nothing of it fits; disk errors pass through and nothing is kept.
        """
        batch: dict[bytes, bytes | None] = {}
        fresh: list[tuple[bytes, SignedRecord, int]] = []
        is_full = False
        room = BYTES_MAX - self.size_bytes
        authors = dict[bytes, int]()
        for signed in signed_records:
            record_id = record_id_of(signed.record)
            if record_id in self._records or PREFIX + record_id in batch:
                continue
            data = encode(signed)
            author = signed.record.author
            taken = self._per_author.get(author, 0) + authors.get(author, 0)
            if len(self._records) + len(fresh) >= RECORDS_MAX or len(data) > room or taken >= PER_AUTHOR_MAX:
                is_full = True
                continue
            room -= len(data)
            authors[author] = authors.get(author, 0) + 1
            batch[PREFIX + record_id] = data
            fresh.append((record_id, signed, len(data)))
        if is_full and not fresh:
            raise MutuaError("mempool_full", "this node holds as many waiting records as it may", "wait for the next block and send it again")
        if batch:
            self._store.write(batch)
        for record_id, signed, size in fresh:
            self._remember(record_id, signed, size)
        return [record_id for record_id, _, _ in fresh]

    def refuse(self, record_id: bytes, error: MutuaError, height: int) -> None:
        """Note that the rules refused a record while the block of `height` was built."""
        heights = self._refused_at.setdefault(record_id, set())
        heights.add(height)
        self.refusals[record_id] = Refusal(error.code, error.what, error.mend, height)
        while len(self.refusals) > REFUSALS_KEPT_MAX:
            self.refusals.popitem(last=False)

    def settle(self, included: Iterable[bytes], height: int) -> list[bytes]:
        """After the block of `height`: drop what it holds, what expired, what keeps being refused. Returns the refused ids dropped."""
        gone = [record_id for record_id in included if record_id in self._records]
        for record_id in gone:
            self.refusals.pop(record_id, None)
        dropped = [record_id for record_id, heights in self._refused_at.items() if len(heights) >= REFUSED_HEIGHTS_MAX]
        for record_id, signed in self._records.items():
            if signed.record.valid_until_height <= height and record_id not in gone:
                dropped.append(record_id)
                self.refusals.setdefault(
                    record_id, Refusal("record_expired", f"not in a block by height {height}", "sign it anew", height)
                )
        batch = {PREFIX + record_id: None for record_id in {*gone, *dropped} if record_id in self._records}
        if batch:
            self._store.write(batch)
        for record_id in {*gone, *dropped}:
            self._forget(record_id)
        return dropped

    def _remember(self, record_id: bytes, signed: SignedRecord, size: int) -> None:
        self._records[record_id] = signed
        self._sizes[record_id] = size
        self.size_bytes += size
        author = signed.record.author
        self._per_author[author] = self._per_author.get(author, 0) + 1

    def _forget(self, record_id: bytes) -> None:
        self._refused_at.pop(record_id, None)
        signed = self._records.pop(record_id, None)
        if signed is None:
            return
        self.size_bytes -= self._sizes.pop(record_id)
        author = signed.record.author
        self._per_author[author] -= 1
        if not self._per_author[author]:
            del self._per_author[author]
