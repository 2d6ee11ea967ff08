"""Places in the life of a co-op, and a state that counts the rows read from it: cost as rows, not as seconds."""

from __future__ import annotations

import copy
from collections import Counter
from functools import cache

from governance.transition import BlockContext, OpenBlock
from ledger.store import MemoryStore

try:
    from benchmarks.population import Population, first_height, name_of, write_population
except ModuleNotFoundError:  # a benchmark runs as a script
    from population import Population, first_height, name_of, write_population

FEW, MANY = 150, 1_500
YOUNG_PAST, OLD_PAST = 20, 100
"""Claims decided in the past of an old ledger, thirty ballots each."""
KINDS = ("claim, standard", "claim, voted", "ballot", "delegation", "premium", "quote")


class CountingState:
    """A state that counts by table which rows are read from it."""

    def __init__(self, store: MemoryStore) -> None:
        self.store = store
        self.reads: Counter[str] = Counter()

    def get(self, key):
        self.reads[table_of(key)] += 1
        return self.store.get(key)

    def scan(self, prefix, start=b""):
        self.reads[table_of(prefix)] += 1
        for key, value in self.store.scan(prefix, start):
            self.reads[table_of(key)] += 1
            yield key, value


def table_of(key: bytes) -> str:
    return b"/".join(key.split(b"/")[:2]).decode()


class Place:
    """A population, and the records of its next block."""

    def __init__(self, rows: dict[bytes, bytes], people: Population, height: int) -> None:
        self.store, self.people, self.height = MemoryStore(rows), people, height

    def records(self, count: int, kinds: tuple[str, ...] = KINDS):
        made = list(self.people.records(self.height + 1, count, has_ballots=bool(self.people.open_cases)))
        return [act for kind, act in made if kind in kinds]

    def next(self, acts=()) -> Counter[str]:
        """Apply the next block and return what it read."""
        self.height += 1
        state = CountingState(self.store)
        opened = OpenBlock(state, BlockContext(self.height, name_of("randomness", self.height)))
        for act in acts:
            opened.take(act)
        self.store.write(opened.close().delta)
        return state.reads


PLACES = {
    "few": (FEW, "young", 0),
    "many": (MANY, "young", 0),
    "old": (FEW, "old", YOUNG_PAST),
    "older": (FEW, "old", OLD_PAST),
}


def founded(count: int, age: str, past: int) -> Place:
    """A population at the end of a term, of which as many act as there are few."""
    here = Place({}, Population(FEW), first_height(age))
    write_population(here.store, count, age, past)
    return here


@cache
def rows_and_people(name: str) -> tuple[dict[bytes, bytes], Population, int]:
    """A population in the middle of a term, with open cases that have ballots."""
    here = founded(*PLACES[name])
    here.next(), here.next()
    for _ in range(3):
        here.next(here.records(40))
    return dict(here.store.scan(b"")), here.people, here.height


def place(name: str) -> Place:
    rows, people, height = rows_and_people(name)
    return Place(rows, copy.deepcopy(people), height)
