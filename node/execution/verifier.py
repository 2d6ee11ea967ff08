"""The signatures of a large block, or of a whole ledger, are verified by other processes while this one does the rest.

libsodium lets go of the interpreter's lock while it works, but a thread that verifies beside a busy interpreter waits
for that lock again after every signature (measured). So each further core gets a worker process that runs this module:
it reads frames of seals on its standard input and answers each with one byte. It starts with the first work that is
worth it and ends when its input does, also when this process is killed. Whoever waits for an answer verifies parts
meanwhile. A worker that dies costs time only: what it has not answered is verified here.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections import deque
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from threading import Condition, Thread
from typing import IO, BinaryIO

import msgspec

from ledger.records import Record, Seal, seals_of
from ledger.signatures import are_sealed

CORES = len(os.sched_getaffinity(0))
PART = 128
"""Seals a frame: five milliseconds of work, about as long as a feeder waits at worst for this interpreter's lock."""
LAST_PART = 16
"""Seals a frame at the end, which is shared evenly."""
AHEAD = 6
"""Frames a worker has before it, to work on while its feeder waits."""
PIPE_SIZE_BYTES = 1 << 20
"""What lies ahead fits in the pipe: a feeder never waits for room in it."""
SUBMITTED_AT_ONCE = 1_024
"""Records whose seals are given to the workers before the next are made."""
RECORDS_MIN = 1_024
"""Fewer to verify are done before workers could have started."""
ANSWER_BAD, ANSWER_GOOD = b"\0", b"\1"
FRAME_SIZE_BYTES = 4


@dataclass(eq=False, slots=True)
class Part:
    """Some seals, and whether all of them verify once that is known."""

    seals: Sequence[Seal]
    is_good: bool | None = None

    def verify(self) -> None:
        """Verify here."""
        self.is_good = are_sealed(self.seals)


class Verifier:
    """Verifies seals with all cores; used by one thread at a time. `close` ends the workers."""

    def __init__(self, workers: int = CORES - 1) -> None:
        self._wanted = workers
        self._workers: list[subprocess.Popen[bytes]] = []
        self._waiting: deque[Part] = deque()
        """Parts that nobody has taken."""
        self._changed = Condition()
        self._ahead = AHEAD

    def start(self) -> None:
        """Start the workers that are not there; where none can be, all is verified in this process."""
        while len(self._workers) < self._wanted:
            try:
                command, pipe = [sys.executable, "-m", "node.execution.verifier"], subprocess.PIPE
                worker = subprocess.Popen(
                    command, stdin=pipe, stdout=pipe, stderr=subprocess.DEVNULL, pipesize=PIPE_SIZE_BYTES
                )
            except OSError:
                return
            self._workers.append(worker)
            Thread(target=self._feed, args=(worker,), daemon=True).start()

    def close(self) -> None:
        """End the workers."""
        with self._changed:
            workers, self._workers = self._workers, []
            self._changed.notify_all()
        for worker in workers:
            _end(worker)

    def submit(self, seals: Sequence[Seal], part_size: int | None = None) -> list[Part]:
        """Give seals to the workers, which are started once enough wait; `finish` says how it went."""
        size = part_size or PART
        parts = [Part(seals[start : start + size]) for start in range(0, len(seals), size)]
        if (len(self._waiting) + len(parts)) * size >= RECORDS_MIN:
            self.start()
        with self._changed:
            self._waiting.extend(parts)
            self._changed.notify_all()
        return parts

    def finish(self, parts: Sequence[Part]) -> bool:
        """Return whether all seals of `parts` verify, as soon as that is known; verify here what nobody has taken."""
        self._ahead = 1  # from now on the end is shared evenly
        try:
            for part in parts:
                while part.is_good is None:
                    self._help(part)
                if not part.is_good:
                    return False
            return True
        finally:
            self._ahead = AHEAD
            self._withdraw(parts)

    def _help(self, wanted: Part) -> None:
        """Verify the next part that waits, or wait for the wanted one."""
        with self._changed:
            if not self._waiting:
                if wanted.is_good is None:
                    self._changed.wait(0.1)
                return
            part = self._waiting.popleft()
        part.verify()

    def _withdraw(self, parts: Sequence[Part]) -> None:
        """Take back what is not to be verified any more."""
        if any(part.is_good is None for part in parts):
            gone = set(map(id, parts))
            with self._changed:
                self._waiting = deque(part for part in self._waiting if id(part) not in gone)

    @contextmanager
    def checking(self, records: Sequence[tuple[Record, bytes]]) -> Generator[Callable[[], bool]]:
        """Have every signature of the records verified meanwhile; what comes out says at last whether all of them do.

        Each record comes with the bytes that its author signed. Few are verified only when that is asked.
        """
        if len(records) >= RECORDS_MIN:
            self.start()
        if len(records) < RECORDS_MIN or not self._workers:
            yield lambda: _verify_in_threads(_seals_of(records))
            return
        parts: list[Part] = []
        try:
            for start in range(0, len(records), SUBMITTED_AT_ONCE):
                end = start + SUBMITTED_AT_ONCE
                parts += self.submit(_seals_of(records[start:end]), PART if end < len(records) else LAST_PART)
            yield lambda: self.finish(parts)
        finally:
            self._withdraw(parts)

    def _feed(self, worker: subprocess.Popen[bytes]) -> None:
        """Give a worker parts as long as it lives; take back what it does not answer."""
        assert worker.stdin is not None
        assert worker.stdout is not None
        given: deque[Part] = deque()
        try:
            while worker in self._workers:
                for part in self._take(worker, given):
                    _write_frame(worker.stdin, part.seals)
                if given:
                    is_good = _read_answer(worker.stdout) == ANSWER_GOOD
                    with self._changed:
                        given.popleft().is_good = is_good
                        self._changed.notify_all()
        except (OSError, ValueError):
            with suppress(ValueError):
                self._workers.remove(worker)
            _end(worker)
        finally:
            with self._changed:
                self._waiting.extendleft(reversed(given))
                self._changed.notify_all()

    def _take(self, worker: subprocess.Popen[bytes], given: deque[Part]) -> list[Part]:
        """Wait until a worker that has nothing to do is given something, or is to end; return what it is given now."""
        with self._changed:
            while not given and not self._waiting and worker in self._workers:
                self._changed.wait()
            count = min(self._ahead - len(given), len(self._waiting))
            taken = [self._waiting.popleft() for _ in range(count)]
            given.extend(taken)
            return taken


def _seals_of(records: Sequence[tuple[Record, bytes]]) -> list[Seal]:
    return [seal for record, signed in records for seal in seals_of(record, signed)]


def _verify_in_threads(seals: Sequence[Seal]) -> bool:
    """Verify in this process, on all cores."""
    if len(seals) <= PART or CORES == 1:
        return are_sealed(seals)
    with ThreadPoolExecutor(CORES) as pool:
        return all(pool.map(are_sealed, (seals[start : start + PART] for start in range(0, len(seals), PART))))


def _end(worker: subprocess.Popen[bytes]) -> None:
    worker.kill()
    worker.wait()
    for pipe in (worker.stdin, worker.stdout):
        if pipe is not None:
            with suppress(OSError):
                pipe.close()


# ---- The worker ------------------------------------------------------------
_decoder = msgspec.msgpack.Decoder(tuple[Seal, ...])


def _read_answer(pipe: IO[bytes]) -> bytes:
    answer = pipe.read(1)
    if answer not in (ANSWER_GOOD, ANSWER_BAD):
        raise OSError("the worker ended")
    return answer


def _write_frame(pipe: IO[bytes], seals: Sequence[Seal]) -> None:
    data = msgspec.msgpack.encode(seals)
    pipe.write(len(data).to_bytes(FRAME_SIZE_BYTES, "big") + data)
    pipe.flush()


def serve(source: BinaryIO, target: BinaryIO) -> None:
    """Answer frames until there are no more."""
    while len(size := source.read(FRAME_SIZE_BYTES)) == FRAME_SIZE_BYTES:
        seals = _decoder.decode(source.read(int.from_bytes(size, "big")))
        target.write(ANSWER_GOOD if are_sealed(seals) else ANSWER_BAD)
        target.flush()


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a key press at the terminal is for the daemon; its end is this one's
    serve(sys.stdin.buffer, sys.stdout.buffer)
