"""Records that wait for a block: durable, bounded, in the order they came (after a restart: of their numbers).

"Accepted" is said only after the record is on disk. A record that the rules refuse while a block is built stays for a
few heights (a peer may simply be a block ahead) and is then dropped with its reason, which the member can read. The
pool remembers what it dropped, so that gossip does not bring it back.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from threading import Lock

from ledger.codec import decode, encode
from ledger.errors import MalformedBytes, MutuaError
from ledger.leveldb import StoreKind
from ledger.records import SignedRecord, record_id_of
from ledger.store import Store
from node.pool.admission import APPLY_KIND

MEMPOOL = StoreKind(
    "the mempool",
    "move `mempool` and `mempool.end` away as evidence, leave every other file in its place (above all votes.log), and"
    " start: only records that still waited must be sent again",
)
PREFIX = b"p/"
SHORT_ID_SIZE = 8
"""Bytes of an id that name a record in a digest."""
RECORDS_MAX = 20_000
BYTES_MAX = 64 * 1024 * 1024
PER_AUTHOR_MAX = 2_000
PER_AUTHOR_CROWDED_MAX = 100
"""What one author may have waiting once the pool is half full: nobody can take the room of all others."""
REFUSED_HEIGHTS_MAX = 4
"""A record refused while building at this many heights is dropped: it is not early, it is wrong."""
REFUSALS_KEPT_MAX = 2_000
DROPPED_KEPT_MAX = 40_000
"""Ids of dropped records that are remembered: twice what can wait here, and thus at a peer."""
Write = Callable[[Sequence[SignedRecord], Mapping[bytes, bytes]], None]


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a record was dropped."""

    code: str
    what: str
    hint: str
    height: int


class Mempool:
    """The waiting records, mirrored in the store under `p/`. Safe for threads; readers never wait for the disk."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._writing = Lock()
        self._memory = Lock()
        self._records: OrderedDict[bytes, SignedRecord] = OrderedDict()
        self._sizes: dict[bytes, int] = {}
        self._per_author: dict[bytes, int] = {}
        self._per_signer: dict[bytes, tuple[int, int]] = {}
        self._refused_at: dict[bytes, set[int]] = {}
        self._passed_by: dict[bytes, int] = {}
        """Blocks that became final while a record waited."""
        self.refusals: OrderedDict[bytes, Refusal] = OrderedDict()
        self._dropped: OrderedDict[bytes, bytes] = OrderedDict()
        """Short id -> id of what the rules refused for good."""
        self.size_bytes = 0
        for key, value in list(store.scan(PREFIX)):
            try:
                self._remember(key[len(PREFIX) :], decode(SignedRecord, value), len(value))
            except MalformedBytes:
                store.write({key: None})  # of a much older version: its author signs it again

    def __len__(self) -> int:
        return len(self._records)

    def __contains__(self, record_id: bytes) -> bool:
        return record_id in self._records

    def __iter__(self) -> Iterator[tuple[bytes, SignedRecord]]:
        """Give the records as they came, but those of one key by their numbers: out of order, most would be refused."""
        with self._memory:
            items = list(self._records.items())
        numbered: dict[bytes, list[tuple[int, bytes, SignedRecord]]] = {}
        for record_id, signed in items:
            numbered.setdefault(signed.record.signer, []).append((signed.record.number, record_id, signed))
        ordered = {signer: iter(sorted(own, key=lambda item: item[:2])) for signer, own in numbered.items()}
        return iter([next(ordered[signed.record.signer])[1:] for _, signed in items])

    def ids(self) -> list[bytes]:
        """Return the ids, oldest first."""
        with self._memory:
            return list(self._records)

    def of_authors(self, authors: frozenset[bytes]) -> list[SignedRecord]:
        """Return what waits of these authors, oldest first."""
        return [signed for _, signed in self if signed.record.author in authors]

    def is_dropped(self, record_id: bytes) -> bool:
        """True for a record that the rules refused so often that it was dropped; known by its short id, too."""
        found = self._dropped.get(record_id[:SHORT_ID_SIZE])
        return found is not None and found.startswith(record_id)

    def suspects(self, count: int) -> list[tuple[bytes, SignedRecord]]:
        """Return the oldest records that several blocks passed over, for another look."""
        with self._memory:
            passed = (name for name, blocks in self._passed_by.items() if blocks > 1)
            return [(name, self._records[name]) for name in islice(passed, count)]

    def get(self, record_id: bytes) -> SignedRecord | None:
        """Return a waiting record."""
        return self._records.get(record_id)

    def highest_number(self, signer: bytes) -> int:
        """Return the highest number of a waiting record that this key signed, or 0."""
        return self._per_signer.get(signer, (0, 0))[1]

    def room_of(self, author: bytes) -> int:
        """Return how many records more this author may have waiting now, by their number."""
        return max(0, min(RECORDS_MAX - len(self._records), self._share() - self._per_author.get(author, 0)))

    def add(self, signed_records: Iterable[SignedRecord], write: Write | None = None) -> list[bytes]:
        """Keep checked records durably, all in one write; return the ids that are new. Blocks on the disk.

        `write` gets those that fit and their rows, where more is to be written with them. MutuaError `mempool_full`
        when none of them fits.
        """
        with self._writing:
            fresh, is_full = self._choose(signed_records)
            if is_full and not fresh:
                raise pool_full()
            rows = {PREFIX + record_id: data for record_id, _, data in fresh}
            if write is not None:
                write([signed for _, signed, _ in fresh], rows)
            elif rows:
                self._store.write(rows)
            with self._memory:
                for record_id, signed, data in fresh:
                    self._remember(record_id, signed, len(data))
        return [record_id for record_id, _, _ in fresh]

    def _share(self, more: int = 0, more_bytes: int = 0) -> int:
        """Return what one author may have waiting, with so much more in the pool."""
        is_crowded = (
            len(self._records) + more >= RECORDS_MAX // 2 or self.size_bytes + more_bytes > BYTES_MAX - BYTES_MAX // 2
        )
        return PER_AUTHOR_CROWDED_MAX if is_crowded else PER_AUTHOR_MAX

    def _choose(self, signed_records: Iterable[SignedRecord]) -> tuple[list[tuple[bytes, SignedRecord, bytes]], bool]:
        """Return the records that are new and fit, and whether any did not fit."""
        fresh: dict[bytes, tuple[bytes, SignedRecord, bytes]] = {}
        is_full = False
        used = 0
        authors = dict[bytes, int]()
        for signed in signed_records:
            record_id = record_id_of(signed.record)
            if record_id in self._records or record_id in fresh:
                continue
            data = encode(signed)
            author = _bucket(signed)
            count = len(self._records) + len(fresh)
            of_author = self._per_author.get(author, 0) + authors.get(author, 0)
            is_too_large = self.size_bytes + used + len(data) > BYTES_MAX
            if count >= RECORDS_MAX or is_too_large or of_author >= self._share(len(fresh), used):
                is_full = True
                continue
            used += len(data)
            authors[author] = authors.get(author, 0) + 1
            fresh[record_id] = (record_id, signed, data)
        return list(fresh.values()), is_full

    def refuse(self, record_id: bytes, error: MutuaError, height: int) -> None:
        """Note that the rules refused a record while the block of `height` was built."""
        with self._memory:
            if record_id not in self._records:
                return
            self._refused_at.setdefault(record_id, set()).add(height)
            self._note(record_id, Refusal(error.code, error.what, error.hint, height))

    def settle(self, included: Iterable[bytes], height: int) -> list[SignedRecord]:
        """After a block: drop what it includes, what expired, what keeps being refused. Return the last two."""
        with self._writing:
            with self._memory:
                done = {record_id for record_id in included if record_id in self._records}
                valid = {name: signed.record.valid_until_height for name, signed in self._records.items()}
                expired = {record_id for record_id, last in valid.items() if last <= height} - done
                counts = {record_id: len(heights) for record_id, heights in self._refused_at.items()}
                refused = {record_id for record_id, count in counts.items() if count >= REFUSED_HEIGHTS_MAX} - done
            if done or expired or refused:
                self._store.write({PREFIX + record_id: None for record_id in done | expired | refused})
            with self._memory:
                for record_id in expired - refused:
                    if record_id not in self.refusals:
                        what = f"not in a block by height {height}"
                        self._note(record_id, Refusal("record_expired", what, "sign it again", height))
                for record_id in done:
                    self.refusals.pop(record_id, None)
                dropped = [self._records[record_id] for record_id in sorted(expired | refused)]
                for record_id in done | expired | refused:
                    self._forget(record_id)
                self._passed_by = {name: self._passed_by.get(name, 0) + 1 for name in self._records}
                for record_id in sorted(refused):
                    self._dropped[record_id[:SHORT_ID_SIZE]] = record_id
                while len(self._dropped) > DROPPED_KEPT_MAX:
                    self._dropped.popitem(last=False)
        return dropped

    def _note(self, record_id: bytes, refusal: Refusal) -> None:
        self.refusals[record_id] = refusal
        while len(self.refusals) > REFUSALS_KEPT_MAX:
            self.refusals.popitem(last=False)

    def _remember(self, record_id: bytes, signed: SignedRecord, size: int) -> None:
        self._dropped.pop(record_id[:SHORT_ID_SIZE], None)  # its author's own node had it checked anew
        self._records[record_id] = signed
        self._sizes[record_id] = size
        self.size_bytes += size
        author = _bucket(signed)
        self._per_author[author] = self._per_author.get(author, 0) + 1
        count, highest = self._per_signer.get(signed.record.signer, (0, 0))
        self._per_signer[signed.record.signer] = count + 1, max(highest, signed.record.number)

    def _forget(self, record_id: bytes) -> None:
        self._refused_at.pop(record_id, None)
        self._passed_by.pop(record_id, None)
        signed = self._records.pop(record_id, None)
        if signed is None:
            return
        self.size_bytes -= self._sizes.pop(record_id)
        author = _bucket(signed)
        self._per_author[author] -= 1
        if not self._per_author[author]:
            del self._per_author[author]
        count, highest = self._per_signer.pop(signed.record.signer)
        if count > 1:
            self._per_signer[signed.record.signer] = count - 1, highest


def pool_full() -> MutuaError:
    """Return the error of a record for which there is no room now."""
    what = "this node holds as many waiting records as it may"
    return MutuaError("mempool_full", what, "wait for the next block and send it again")


def _bucket(signed: SignedRecord) -> bytes:
    """Return as whose a record counts: all applications together count as one author's."""
    return APPLY_KIND.encode() if signed.record.kind == APPLY_KIND else signed.record.author
