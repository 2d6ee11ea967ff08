"""Plays the worlds of studies, in several processes, and judges them."""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from threading import Thread
from time import perf_counter

from governance.simulation.laboratory.book import Book
from governance.simulation.laboratory.driver import World
from governance.simulation.laboratory.setting import Setting
from governance.simulation.laboratory.study import Evidence, Job, Study

Progress = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Result:
    """A study played and judged. `seconds`: of all its worlds together, whichever core they ran on."""

    study: Study
    evidence: Evidence
    worlds: int
    seconds: float
    broken: tuple[str, ...]


def play(job: Job, setting: Setting) -> Book:
    """Play one world."""
    setting = replace(setting, **job.changes)
    return World(setting, job.attack(setting, is_idle=job.is_idle, **job.options)).run()


def run(
    studies: Iterable[Study],
    setting: Setting,
    seeds: Sequence[int],
    *,
    processes: int | None = None,
    progress: Progress | None = None,
) -> list[Result]:
    """Play and judge studies over seeds, `processes` worlds at once (None: one per core; 1: in this process)."""
    chosen = list(studies)
    planned = [(study, job, replace(setting, seed=seed)) for study in chosen for seed in seeds for job in study.jobs]
    count = min(processes or os.cpu_count() or 1, max(1, len(planned)))
    books: dict[str, dict[str, list[Book]]] = {study.name: {} for study in chosen}
    began = perf_counter()
    pool = ProcessPoolExecutor(count, initializer=_end_with_parent) if count > 1 else None
    try:
        _, jobs, settings = zip(*planned, strict=True) if planned else ((), (), ())
        played = map(play, jobs, settings) if pool is None else pool.map(play, jobs, settings)
        for number, ((study, job, _), book) in enumerate(zip(planned, played, strict=True), 1):
            books[study.name].setdefault(job.key, []).append(book)
            if progress is not None:
                progress(
                    f"world {number} of {len(planned)}: {study.name}/{job.key}, seed {book.setting.seed},"
                    f" {book.seconds:.1f} s ({perf_counter() - began:.0f} s)"
                )
    finally:
        if pool is not None:
            pool.shutdown(cancel_futures=True)
    return [_judged(study, books[study.name], replace(setting, seed=seeds[0])) for study in chosen]


def _end_with_parent() -> None:
    """Let a worker end when the laboratory does, however that ended: its queue alone would keep it waiting for ever."""
    parent = multiprocessing.parent_process()
    assert parent is not None

    def watch() -> None:
        parent.join()
        os._exit(1)

    signal.signal(signal.SIGTERM, signal.SIG_DFL)  # the pool's way to end a worker; ours would raise in it
    Thread(target=watch, daemon=True).start()


def _judged(study: Study, books: dict[str, list[Book]], setting: Setting) -> Result:
    every = [book for group in books.values() for book in group]
    broken = tuple(
        f"{study.name}, {key}, seed {book.setting.seed}: {line}"
        for key, group in books.items()
        for book in group
        for line in book.broken
    )
    return Result(study, study.judge(books, setting), len(every), sum(book.seconds for book in every), broken)
