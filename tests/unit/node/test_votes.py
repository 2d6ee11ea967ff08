"""The vote log: what survives a crash, what is moved aside, and what is never forgotten."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from consensus import votelog
from consensus.messages import Cell, CellKind
from ledger.errors import MutuaError
from node.agreement import vote_log as votes
from node.agreement.vote_log import VoteLog, vote_log_path

KEY = b"k" * 32


def cell(height: int, view: int = 0) -> Cell:
    return Cell(CellKind.NOTARIZE, height, view, height.to_bytes(32, "big"))


def filled(folder, count: int = 5) -> VoteLog:
    log = VoteLog(vote_log_path(folder), KEY, is_first_start=True)
    for height in range(1, count + 1):
        log.append(cell(height))
    log.close()
    return log


def reopened(folder, key: bytes = KEY, *, is_first_start: bool = False) -> VoteLog:
    return VoteLog(vote_log_path(folder), key, is_first_start=is_first_start)


def test_a_reopened_log_holds_every_cell(tmp_path):
    filled(tmp_path)
    log = reopened(tmp_path)
    assert log.quarantine is None
    assert [log.cells(height) for height in range(1, 6)] == [(cell(height),) for height in range(1, 6)]
    assert log.has(CellKind.NOTARIZE, 3, 0, (3).to_bytes(32, "big"))
    assert not log.has(CellKind.NOTARIZE, 3, 1, (3).to_bytes(32, "big"))


@pytest.mark.parametrize("written", [1, 20, 40])
def test_a_torn_last_record_is_dropped_and_the_log_goes_on(tmp_path, written):
    filled(tmp_path)
    path = vote_log_path(tmp_path)
    data = path.read_bytes()
    record, _ = votelog.append(data[-32:], cell(6))
    path.write_bytes(data + record[:written])  # a crash: its `append` never returned
    assert votes.problem_of(path) is None
    log = reopened(tmp_path)
    assert (log.quarantine, log.cells(6), log.cells(5)) == (None, (), (cell(5),))
    log.append(cell(6))
    log.close()
    assert reopened(tmp_path).cells(6) == (cell(6),)


@pytest.mark.parametrize("is_first_start", [True, False])
@pytest.mark.parametrize("damage", ["cut", "cut at a record", "zeros", "flipped", "gone", "emptied"])
def test_a_vote_that_was_on_the_disk_is_not_forgotten_in_silence(tmp_path, damage, is_first_start):
    filled(tmp_path)
    path = vote_log_path(tmp_path)
    data = path.read_bytes()
    size = len(votelog.append(bytes(32), cell(1))[0])
    damaged = {
        "cut": data[:-1],
        "cut at a record": data[:-size],
        "zeros": data[:-size].ljust(len(data), b"\0"),
        "flipped": data[:-10] + bytes([data[-10] ^ 4]) + data[-9:],
        "gone": b"",
        "emptied": b"",
    }[damage]
    path.write_bytes(damaged)
    if damage == "gone":
        path.unlink()
    assert "vote log" in (votes.problem_of(path) or "")
    log = reopened(tmp_path, is_first_start=is_first_start)
    assert "vote log" in (log.quarantine or "")
    log.append(cell(6))
    log.end_quarantine()
    log.close()
    again = reopened(tmp_path)
    assert (again.quarantine, again.cells(6), votes.problem_of(path)) == (None, (cell(6),), None)


def test_a_log_broken_in_the_middle_is_moved_aside_and_quarantines_until_told_otherwise(tmp_path):
    filled(tmp_path)
    path = vote_log_path(tmp_path)
    data = bytearray(path.read_bytes())
    data[70] ^= 1
    path.write_bytes(data)
    log = reopened(tmp_path)
    assert "broken" in (log.quarantine or "")
    assert (tmp_path / "votes.log.broken-1").read_bytes() == data
    log.close()
    again = reopened(tmp_path)
    assert again.quarantine is not None, "a restart must not forget it"
    again.end_quarantine()
    again.close()
    assert reopened(tmp_path).quarantine is None


def test_a_log_of_another_key_quarantines(tmp_path):
    filled(tmp_path)
    assert "another consensus key" in (reopened(tmp_path, b"x" * 32).quarantine or "")


def test_a_missing_log_is_no_loss_at_the_first_start_and_quarantines_later(tmp_path):
    assert reopened(tmp_path, is_first_start=True).quarantine is None
    vote_log_path(tmp_path).unlink()
    assert "missing" in (reopened(tmp_path).quarantine or "")


def test_a_log_torn_while_it_was_begun_counts_as_missing(tmp_path):
    vote_log_path(tmp_path).write_bytes(votelog.begin(KEY)[0][:20])
    assert reopened(tmp_path, is_first_start=True).quarantine is None


def test_after_a_failed_write_nothing_more_is_written(tmp_path, monkeypatch):
    log = VoteLog(vote_log_path(tmp_path), KEY, is_first_start=True)
    log.append(cell(1))

    def full(_handle: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(votes.os, "fdatasync", full)
    with pytest.raises(MutuaError) as first:
        log.append(cell(2))
    monkeypatch.undo()
    with pytest.raises(MutuaError) as second:
        log.append(cell(3))
    assert (first.value.code, second.value.code) == ("disk", "vote_log_stopped")
    assert log.cells(2) == log.cells(3) == ()


def test_pruning_and_appending_at_once_leave_a_log_that_holds(tmp_path, monkeypatch):
    monkeypatch.setattr(votes, "PRUNE_FROM_BYTES", 1_000)
    log = VoteLog(vote_log_path(tmp_path), KEY, is_first_start=True)
    with ThreadPoolExecutor(4) as pool:
        for height in range(1, 120):
            pool.submit(log.append, cell(height))
            pool.submit(log.prune, height - 20)
    log.prune(90)
    log.append(cell(200))
    log.close()
    again = reopened(tmp_path)
    assert again.quarantine is None
    assert again.cells(200) == (cell(200),)
    assert again.cells(110) == (cell(110),)
