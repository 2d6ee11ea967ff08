"""The bytes of the vote log: a torn tail is dropped, anything else that is wrong stops the voter."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consensus import votelog
from consensus.messages import Cell, CellKind
from ledger.errors import LedgerCorrupt
from ledger.hashing import ZERO_HASH

KEY = bytes(range(32))
CELLS = st.builds(
    Cell,
    st.sampled_from(CellKind),
    st.integers(0, 2**63 - 1),
    st.integers(0, 1_000_000),
    st.binary(min_size=32, max_size=32),
    st.binary(max_size=400),
)
THREE = (
    Cell(CellKind.PROPOSE, 7, 0, bytes([1]) * 32, b"header" * 40),
    Cell(CellKind.NOTARIZE, 7, 0, bytes([1]) * 32, b"header" * 40),
    Cell(CellKind.SKIP, 7, 1, ZERO_HASH),
)


def write(cells) -> bytes:
    data, head = votelog.begin(KEY)
    for cell in cells:
        record, head = votelog.append(head, cell)
        data += record
    return data


def ends(cells) -> list[int]:
    return [len(write(cells[:count])) for count in range(len(cells) + 1)]


@given(st.lists(CELLS, max_size=8))
def test_what_was_written_is_read_in_order_and_the_log_goes_on(cells):
    data = write(cells)
    scan = votelog.scan(data, KEY)
    assert (list(scan.cells), scan.size) == (cells, len(data))
    more = Cell(CellKind.SKIP, 9, 9, ZERO_HASH)
    record, _ = votelog.append(scan.head, more)
    assert votelog.scan(data + record, KEY).cells == (*cells, more)


def test_a_tail_torn_at_any_byte_is_dropped_and_the_log_goes_on_from_there():
    data = write(THREE)
    borders = ends(THREE)
    for size in range(borders[0], len(data) + 1):
        scan = votelog.scan(data[:size], KEY)
        whole = max(count for count, end in enumerate(borders) if end <= size)
        assert (scan.cells, scan.size) == (THREE[:whole], borders[whole])
        record, _ = votelog.append(scan.head, THREE[2])
        assert votelog.scan(data[: scan.size] + record, KEY).cells == (*THREE[:whole], THREE[2])


def test_a_last_record_with_a_wrong_byte_is_torn_whichever_byte_it_is():
    data = write(THREE)
    for place in range(ends(THREE)[2], len(data)):
        bad = bytearray(data)
        bad[place] ^= 0x40
        assert votelog.scan(bytes(bad), KEY).cells == THREE[:2]


def test_a_last_record_of_which_only_zeros_reached_the_disk_is_torn():
    data = write(THREE)
    start = ends(THREE)[2]
    assert votelog.scan(data[:start] + bytes(len(data) - start), KEY).cells == THREE[:2]


def test_a_wrong_byte_before_the_last_record_is_a_broken_past():
    data = write(THREE)
    borders = ends(THREE)
    # The digest of the last but one is the byte range that a search for whole records alone would miss.
    for place in range(borders[0], borders[2]):
        bad = bytearray(data)
        bad[place] ^= 0x01
        with pytest.raises(LedgerCorrupt) as caught:
            votelog.scan(bytes(bad), KEY)
        assert caught.value.code == "vote_log_broken"


def test_a_record_left_out_or_put_twice_is_a_broken_past():
    first, second, third = (write(THREE)[a:b] for a, b in zip(ends(THREE), ends(THREE)[1:], strict=False))
    start, _ = votelog.begin(KEY)
    for data in (start + second + third, start + first + first + second, start + first + third + second):
        with pytest.raises(LedgerCorrupt):
            votelog.scan(data, KEY)


def test_another_keys_log_is_refused():
    with pytest.raises(LedgerCorrupt) as caught:
        votelog.scan(write(THREE), bytes(32))
    assert caught.value.code == "vote_log_other_key"


@pytest.mark.parametrize("data", [b"", b"mutua", b"mutua-votes-1\n", b"mutua-votes-1\n" + KEY[:31], b"x" * 100])
def test_what_does_not_begin_as_a_vote_log_is_refused(data):
    with pytest.raises(LedgerCorrupt) as caught:
        votelog.scan(data, KEY)
    assert caught.value.code == "vote_log_broken"


def test_pruning_keeps_the_open_heights_in_order():
    later = [Cell(CellKind.SKIP, 8, view, ZERO_HASH) for view in range(3)]
    data, head = votelog.prune(KEY, [*THREE, *later], 7)
    scan = votelog.scan(data, KEY)
    assert (list(scan.cells), scan.head) == (later, head)


def test_a_cell_of_a_newer_kind_is_refused_and_not_overlooked():
    data, head = votelog.begin(KEY)
    cell = Cell(CellKind.SKIP, 7, 1, ZERO_HASH)
    record, _ = votelog.append(head, Cell(9, cell.height, cell.view, cell.block_hash))  # type: ignore[arg-type]
    with pytest.raises(LedgerCorrupt, match="kind 9"):
        votelog.scan(data + record, KEY)
