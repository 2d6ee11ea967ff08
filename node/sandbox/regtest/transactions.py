"""The part of bitcoin's wire format that the regtest engine needs; the kernel decides what is valid.

Txids are in the byte order that people read.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from hashlib import sha256

from ledger.errors import MalformedBytes

TX_SIZE_MAX = 400_000
WITNESS_HEADER = b"\xaa\x21\xa9\xed"
REGTEST_BITS = 0x207FFFFF
"""Every second hash is a block."""
BLOCK_VERSION = 0x20000000
NULL_TXID = bytes(32)


@dataclass(frozen=True, slots=True)
class TxIn:
    """The coin an input spends, and its nSequence."""

    txid: bytes
    vout: int
    sequence: int


@dataclass(frozen=True, slots=True)
class TxOut:
    """Amount in satoshi, and the script that locks it."""

    amount_sat: int
    script: bytes


@dataclass(frozen=True, slots=True)
class Tx:
    """A parsed transaction. `txid` and `wtxid` as read."""

    raw: bytes
    txid: bytes
    wtxid: bytes
    inputs: tuple[TxIn, ...]
    outputs: tuple[TxOut, ...]
    locktime: int
    weight: int

    @property
    def is_coinbase(self) -> bool:
        """True iff it makes new coins."""
        return len(self.inputs) == 1 and self.inputs[0].txid == NULL_TXID


def hash256(data: bytes) -> bytes:
    """Return SHA-256 twice, in wire order."""
    return sha256(sha256(data).digest()).digest()


class _Reader:
    """Bytes with a position; MalformedBytes at the end."""

    def __init__(self, data: bytes, place: int = 0) -> None:
        self.data = data
        self.place = place

    def take(self, count: int) -> bytes:
        """Return the next `count` bytes."""
        if count < 0 or self.place + count > len(self.data):
            raise _malformed("it ends too early")
        self.place += count
        return self.data[self.place - count : self.place]

    def number(self, size: int) -> int:
        """Return a little-endian integer of `size` bytes."""
        return int.from_bytes(self.take(size), "little")

    def compact(self) -> int:
        """Return a CompactSize integer, in its shortest form only."""
        first = self.number(1)
        if first < 0xFD:
            return first
        size, least = {0xFD: (2, 0xFD), 0xFE: (4, 0x10000), 0xFF: (8, 0x100000000)}[first]
        value = self.number(size)
        if value < least:
            raise _malformed("a length is not in its shortest form")
        return value


def read_tx(raw: bytes) -> Tx:
    """Parse one transaction that fills `raw` exactly; MalformedBytes otherwise."""
    if len(raw) > TX_SIZE_MAX:
        raise _malformed(f"it has {len(raw)} bytes, more than {TX_SIZE_MAX}")
    tx, end = read_tx_at(raw, 0)
    if end != len(raw):
        raise _malformed("bytes follow its end")
    return tx


def read_tx_at(data: bytes, place: int) -> tuple[Tx, int]:
    """Parse the transaction that starts at `place`; return it and where it ends."""
    reader = _Reader(data, place)
    version = reader.take(4)
    has_witness = reader.data[reader.place : reader.place + 2] == b"\x00\x01"
    if has_witness:
        reader.take(2)
    start = reader.place
    inputs: list[TxIn] = []
    for _ in range(_bounded(reader.compact())):
        txid, vout = reader.take(32)[::-1], reader.number(4)
        reader.take(reader.compact())
        inputs.append(TxIn(txid, vout, reader.number(4)))
    outputs = tuple(TxOut(reader.number(8), reader.take(reader.compact())) for _ in range(_bounded(reader.compact())))
    core = data[start : reader.place]
    if has_witness:
        for _ in inputs:
            for _ in range(_bounded(reader.compact())):
                reader.take(reader.compact())
    locktime = reader.take(4)
    if not inputs or not outputs:
        raise _malformed("it has no inputs or no outputs")
    base, raw = version + core + locktime, data[place : reader.place]
    txid, wtxid, weight = hash256(base)[::-1], hash256(raw)[::-1], 3 * len(base) + len(raw)
    return Tx(raw, txid, wtxid, tuple(inputs), outputs, int.from_bytes(locktime, "little"), weight), reader.place


def read_block(raw: bytes) -> tuple[Tx, ...]:
    """Return the transactions of a block."""
    reader = _Reader(raw)
    reader.take(80)
    count, place = reader.compact(), reader.place
    transactions: list[Tx] = []
    for _ in range(_bounded(count)):
        tx, place = read_tx_at(raw, place)
        transactions.append(tx)
    return tuple(transactions)


def compact_size(value: int) -> bytes:
    """Return the CompactSize form of an integer below 2^32."""
    if value < 0xFD:
        return bytes([value])
    return b"\xfd" + struct.pack("<H", value) if value < 0x10000 else b"\xfe" + struct.pack("<I", value)


def write_tx(inputs: list[tuple[bytes, int]], outputs: list[TxOut]) -> bytes:
    """Return a version 2 transaction with empty scripts and no witness: for coins that anyone can spend."""
    body = b"".join(txid[::-1] + struct.pack("<I", vout) + b"\x00" + b"\xfd\xff\xff\xff" for txid, vout in inputs)
    return struct.pack("<I", 2) + compact_size(len(inputs)) + body + _write_outputs(outputs) + bytes(4)


def write_coinbase(height: int, pays: TxOut, wtxids: list[bytes]) -> tuple[bytes, bytes]:
    """Return a coinbase with the output `pays` and its txid in wire order (BIP34 height, BIP141 commitment)."""
    number = height.to_bytes((height.bit_length() + 8) // 8, "little")
    push = bytes([0x50 + height]) if 1 <= height <= 16 else bytes([len(number)]) + number
    reserved = bytes(32)
    commitment = hash256(merkle_root([bytes(32), *(wtxid[::-1] for wtxid in wtxids)]) + reserved)
    unlock = push + b"\x05mutua"
    inputs = b"\x01" + NULL_TXID + b"\xff\xff\xff\xff" + compact_size(len(unlock)) + unlock + b"\xff\xff\xff\xff"
    core = inputs + _write_outputs([pays, TxOut(0, b"\x6a\x24" + WITNESS_HEADER + commitment)])
    version, locktime = struct.pack("<I", 2), bytes(4)
    return version + b"\x00\x01" + core + b"\x01\x20" + reserved + locktime, hash256(version + core + locktime)


def merkle_root(leaves: list[bytes]) -> bytes:
    """Return bitcoin's Merkle root of hashes in wire order (the last one is doubled on odd levels)."""
    level = leaves
    while len(level) > 1:
        if len(level) % 2:
            level = [*level, level[-1]]
        level = [hash256(level[i] + level[i + 1]) for i in range(0, len(level), 2)]
    return level[0]


def mine_block(parent: bytes, time_s: int, height: int, pays: TxOut, transactions: list[Tx]) -> bytes:
    """Return a valid regtest block (about two hashes of work) on `parent` that pays the miner, with `transactions`."""
    coinbase, coinbase_hash = write_coinbase(height, pays, [tx.wtxid for tx in transactions])
    root = merkle_root([coinbase_hash, *(tx.txid[::-1] for tx in transactions)])
    body = compact_size(1 + len(transactions)) + coinbase + b"".join(tx.raw for tx in transactions)
    head = struct.pack("<I", BLOCK_VERSION) + parent[::-1] + root + struct.pack("<II", time_s, REGTEST_BITS)
    nonce = 0
    while hash256(head + struct.pack("<I", nonce))[31] >= 0x7F:
        nonce += 1
    return head + struct.pack("<I", nonce) + body


def block_hash_of(raw: bytes) -> bytes:
    """Return a block's hash, as read."""
    return hash256(raw[:80])[::-1]


def _write_outputs(outputs: list[TxOut]) -> bytes:
    parts = (struct.pack("<Q", out.amount_sat) + compact_size(len(out.script)) + out.script for out in outputs)
    return compact_size(len(outputs)) + b"".join(parts)


def _bounded(count: int) -> int:
    """Return `count`, unless no real transaction has that many parts."""
    if count > TX_SIZE_MAX:
        raise _malformed(f"it claims {count} parts")
    return count


def _malformed(reason: str) -> MalformedBytes:
    what = f"this is not a bitcoin transaction: {reason}"
    return MalformedBytes("tx_malformed", what, "send all of its bytes as hex")
