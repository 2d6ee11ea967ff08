"""The signatures of a large block are verified by other processes while this one applies it.

libsodium lets go of the interpreter's lock while it works, but a thread that verifies beside a busy interpreter waits
for that lock again after every signature (measured). So each further core gets a worker process that runs this module:
it reads frames of records on its standard input and answers each with one byte. It starts with the first block that is
worth it and ends when its input does, also when this process is killed. A worker that dies costs time only: what it has
not answered is verified here.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from threading import Event, Thread
from typing import IO, BinaryIO, TypeVar

import msgspec

from ledger.records import Record, is_record_signed

T = TypeVar("T")
CORES = len(os.sched_getaffinity(0))
PART = 128
"""Records a frame: eight milliseconds of work."""
AHEAD = 3
"""Frames a worker has before it: it works on while its feeder waits for this interpreter's lock, five milliseconds at
worst."""
RECORDS_MIN = 1_024
"""Fewer to verify are done before workers could have started."""
ANSWER_BAD, ANSWER_GOOD = b"\0", b"\1"
FRAME_SIZE_BYTES = 4


class _Job:
    """The parts of one block that are still to be verified, for whoever comes next, and whether one was bad."""

    def __init__(self, records: Sequence[Record]) -> None:
        self.parts = deque(records[start : start + PART] for start in range(0, len(records), PART))
        self.is_bad = Event()

    def verify_rest(self) -> None:
        """Verify here what nobody has taken."""
        while self.parts and not self.is_bad.is_set():
            with suppress(IndexError):
                if not _all_signed(self.parts.pop()):
                    self.is_bad.set()


class Verifier:
    """Verifies the records of blocks with all cores. One block at a time; `close` ends the workers."""

    def __init__(self, workers: int = CORES - 1) -> None:
        self._wanted = workers
        self._workers: list[subprocess.Popen[bytes]] = []

    def start(self) -> None:
        """Start the workers that are not there; where none can be, blocks are verified in this process."""
        while len(self._workers) < self._wanted:
            try:
                worker = subprocess.Popen(
                    [sys.executable, "-m", "node.execution.verifier"],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.DEVNULL,
                )
            except OSError:
                return
            self._workers.append(worker)

    def close(self) -> None:
        """End the workers."""
        for worker in self._workers:
            _end(worker)
        self._workers.clear()

    def check_while(self, records: Sequence[Record], work: Callable[[], T]) -> tuple[bool, T | Exception]:
        """Return whether every signature of `records` verifies, and what `work`, done meanwhile, returned or raised.

        Few records are verified before `work` starts, many beside it; `work` must not trust them, and nothing is to
        come of it when a signature is bad.
        """
        job = _Job(records)
        if len(records) >= RECORDS_MIN and self._wanted:
            self.start()
        if len(records) < RECORDS_MIN or not self._workers:
            _verify_in_threads(job)
            return not job.is_bad.is_set(), _outcome_of(work)
        feeders = [Thread(target=self._feed, args=(worker, job)) for worker in list(self._workers)]
        for feeder in feeders:
            feeder.start()
        outcome = _outcome_of(work)
        job.verify_rest()
        for feeder in feeders:
            feeder.join()
        job.verify_rest()  # what a worker that died had taken
        return not job.is_bad.is_set(), outcome

    def _feed(self, worker: subprocess.Popen[bytes], job: _Job) -> None:
        """Give a worker parts until none is left; take back what it does not answer."""
        assert worker.stdin is not None
        assert worker.stdout is not None
        given: deque[Sequence[Record]] = deque()
        try:
            while True:
                while len(given) < AHEAD and job.parts and not job.is_bad.is_set():
                    try:
                        part = job.parts.popleft()
                    except IndexError:
                        break
                    given.append(part)
                    _write_frame(worker.stdin, part)
                if not given:
                    return
                if _read_answer(worker.stdout) == ANSWER_BAD:
                    job.is_bad.set()
                given.popleft()
        except (OSError, ValueError):
            job.parts.extend(given)
            _end(worker)
            with suppress(ValueError):
                self._workers.remove(worker)


def _outcome_of(work: Callable[[], T]) -> T | Exception:
    try:
        return work()
    except Exception as error:  # judged by the caller, after the signatures
        return error


def _all_signed(records: Sequence[Record]) -> bool:
    return all(is_record_signed(record) for record in records)


def _verify_in_threads(job: _Job) -> None:
    """Verify in this process, on all cores."""
    if len(job.parts) < 2:
        job.verify_rest()
        return
    with ThreadPoolExecutor(CORES) as pool:
        for _ in range(CORES):
            pool.submit(job.verify_rest)


def _end(worker: subprocess.Popen[bytes]) -> None:
    worker.kill()
    worker.wait()
    for pipe in (worker.stdin, worker.stdout):
        if pipe is not None:
            with suppress(OSError):
                pipe.close()


# ---- The worker ------------------------------------------------------------
_decoder = msgspec.msgpack.Decoder(tuple[Record, ...])


def _read_answer(pipe: IO[bytes]) -> bytes:
    answer = pipe.read(1)
    if answer not in (ANSWER_GOOD, ANSWER_BAD):
        raise OSError("the worker ended")
    return answer


def _write_frame(pipe: IO[bytes], records: Sequence[Record]) -> None:
    data = msgspec.msgpack.encode(records)
    pipe.write(len(data).to_bytes(FRAME_SIZE_BYTES, "big") + data)
    pipe.flush()


def serve(source: BinaryIO, target: BinaryIO) -> None:
    """Answer frames until there are no more."""
    while len(size := source.read(FRAME_SIZE_BYTES)) == FRAME_SIZE_BYTES:
        records = _decoder.decode(source.read(int.from_bytes(size, "big")))
        target.write(ANSWER_GOOD if _all_signed(records) else ANSWER_BAD)
        target.flush()


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a key press at the terminal is for the daemon; its end is this one's
    serve(sys.stdin.buffer, sys.stdout.buffer)
