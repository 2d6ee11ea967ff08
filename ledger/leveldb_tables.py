"""The parts of a LevelDB table that LevelDB does without when they are damaged, checked to the last byte.

A damaged filter only makes reads slower, a damaged list of filters is passed over, and neither is an error, whatever
the options. The rows themselves LevelDB checks as it reads them. Format: LevelDB's table_format; behind each block
stand its kind and its masked CRC-32C.
"""

from __future__ import annotations

from pathlib import Path

from ledger.leveldb_files import Fields

FOOTER_SIZE = 48
TAIL_SIZE = 5
MAGIC = bytes.fromhex("57fb808b247547db")
_CRC_TABLE: list[int] = []

Handle = tuple[int, int]
"""Where a block begins, and its size without its tail."""


def table_problem(path: Path) -> str | None:
    """Return what is wrong with a table, its rows aside, in words that follow its name. OSError passes through."""
    data = path.read_bytes()
    try:
        blocks = blocks_of(data)
    except ValueError as error:
        return f"is damaged: {error}"
    place = 0
    for offset, size in blocks:
        if offset != place:
            break
        place += size + TAIL_SIZE
    return None if place == len(data) - FOOTER_SIZE else f"holds bytes at {place} that belong to none of its blocks"


def blocks_of(data: bytes) -> list[Handle]:
    """Return where a table has its rows, filter, list of filters, index. ValueError on damage; rows are not read."""
    if len(data) < FOOTER_SIZE or not data.endswith(MAGIC):
        raise ValueError("it does not end like a table")
    footer = Fields(data[-FOOTER_SIZE : -len(MAGIC)])
    filter_list, index = _handle(footer), _handle(footer)
    if footer.rest().strip(b"\0"):
        raise ValueError("its end does not consist of zeros")
    filters = _handles_in(_block(data, filter_list))
    for handle in filters:
        _block(data, handle)
    return [*_handles_in(_block(data, index)), *filters, filter_list, index]


def masked_crc(data: bytes) -> int:
    """Return the CRC-32C of some bytes as LevelDB writes it.

    >>> crc = 0xE3069283  # of these digits, from the definition of CRC-32C
    >>> masked_crc(b"123456789") == ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF
    True
    """
    table = _CRC_TABLE or _fill_table()
    crc = 0xFFFFFFFF
    for byte in data:
        crc = table[(crc ^ byte) & 255] ^ (crc >> 8)
    crc ^= 0xFFFFFFFF
    return ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF


def _fill_table() -> list[int]:
    for byte in range(256):
        crc = byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82F63B78 if crc & 1 else 0)
        _CRC_TABLE.append(crc)
    return _CRC_TABLE


def _handle(fields: Fields) -> Handle:
    return fields.number(), fields.number()


def _block(data: bytes, handle: Handle) -> bytes:
    offset, size = handle
    block = data[offset : offset + size + TAIL_SIZE]
    if len(block) != size + TAIL_SIZE or masked_crc(block[:-4]) != int.from_bytes(block[-4:], "little"):
        raise ValueError(f"the block at {offset} does not have its checksum")
    return block[:-TAIL_SIZE]


def _handles_in(block: bytes) -> list[Handle]:
    """Return the places that the values of a block name, in order."""
    restarts = int.from_bytes(block[-4:], "little")
    fields = Fields(block[: len(block) - 4 * (restarts + 1)])
    found: list[Handle] = []
    while fields.is_more():
        fields.number()  # shared with the key before
        key_size, value_size = fields.number(), fields.number()
        fields.take(key_size)
        found.append(_handle(Fields(fields.take(value_size))))
    return found
