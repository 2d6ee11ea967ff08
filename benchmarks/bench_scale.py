"""What a block costs as the co-op grows and ages.

CPU time a record, a changed row of the state root, a member at a term's end, a draw.

Each size and age runs in a process of its own, on LevelDB as a node does. Times are CPU time of the thread that applies
the block (`time.thread_time`), so that other work on the machine and waiting for the disk stay out of them. Prints
tables; exits 1 when a record costs more than the allowed multiple of what it costs with the fewest members (the median
block of each).

    python benchmarks/bench_scale.py --members 1000,10000,100000,1000000
"""

from __future__ import annotations

import argparse
import gc
import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from population import Population, first_height, name_of, write_population

from governance.day import Day
from governance.state.cases import CASES, OPEN_CASES
from governance.tables import Draft
from governance.transition import BlockContext, OpenBlock
from governance.voting import panels
from ledger.chain import STATE_PREFIX, StoredState
from ledger.leveldb import LevelDB
from ledger.state import StateTree

RATIOS_MAX = {100_000: 1.2, 1_000_000: 1.5}
"""What a record may cost with up to so many members, as a multiple of what it costs with the fewest."""
ORDINARY_BLOCKS = 7
AGES = ("young", "old")
KINDS = ("claim, standard", "claim, voted", "ballot", "delegation", "premium", "quote")


class Rows(StoredState):
    """The state in a LevelDB, as the chain keeps it, that can also be written."""

    def write(self, batch):
        self._store.write({STATE_PREFIX + key: value for key, value in batch.items()})

    def merge(self):
        """As a node does when it starts, and in the first block of a term."""
        if hasattr(self._store, "merge"):
            self._store.merge()

    def close(self):
        self._store.close()


def block_of(rows, tree, height, records=()):
    """Apply one block; return times in seconds and counts."""
    gc.collect()
    times = {kind: [] for kind in KINDS}
    clock = time.thread_time
    start = clock()
    opened = OpenBlock(rows, BlockContext(height, name_of("randomness", height)))
    started = clock()
    for kind, act in records:
        before = clock()
        opened.take(act)
        times[kind].append(clock() - before)
    taken = clock()
    outcome = opened.close()
    closed = clock()
    tree.root_after(outcome.delta)
    rooted = clock()
    tree.apply(outcome.delta)
    kept = clock()
    rows.write(outcome.delta)
    written = clock()
    return {
        "kinds": times,
        "records": len(records),
        "start_s": started - start,
        "take_s": taken - started,
        "close_s": closed - taken,
        "root_s": rooted - closed,
        "keep_s": kept - rooted,
        "write_s": written - kept,
        "changed": len(outcome.delta),
    }


def measure(count, age, records, closed_claims):
    """Build a population, apply its blocks and return the figures of one line."""
    with tempfile.TemporaryDirectory() as folder:
        rows = Rows(LevelDB(Path(folder) / "db", create=True))
        start = time.perf_counter()
        write_population(rows, count, age, closed_claims)
        built = time.perf_counter()
        rows.merge()
        tree = StateTree(rows.scan(b""))
        rooted = time.perf_counter()
        peak_built = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        people, height = Population(count), first_height(age) + 1
        boundary = block_of(rows, tree, height)
        term_start = block_of(rows, tree, height + 1)
        rows.merge()
        first = list(people.records(height + 2, records, has_ballots=False))
        block_of(rows, tree, height + 2, first)
        ordinary = []
        for i in range(ORDINARY_BLOCKS):
            acts = list(people.records(height + 3 + i, records, has_ballots=True))
            ordinary.append(block_of(rows, tree, height + 3 + i, acts))
        quiet = block_of(rows, tree, height + 10)
        draw_s = draw_time(rows, height + 10)
        grace = block_of(rows, tree, height + 11)
        size, peak = tree.size, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        rows.close()
    micros = [1e6 * (b["start_s"] + b["take_s"] + b["close_s"]) / b["records"] for b in ordinary]
    return {
        "members": count,
        "age": age,
        "rows": size,
        "build_s": built - start,
        "tree_s": rooted - built,
        "record_us": statistics.median(micros),
        "record_us_low": min(micros),
        "record_us_high": max(micros),
        "kinds_us": {kind: 1e6 * statistics.median(t for b in ordinary for t in b["kinds"][kind]) for kind in KINDS},
        "close_us": statistics.median(1e6 * b["close_s"] / b["records"] for b in ordinary),
        "write_us": statistics.median(1e6 * b["write_s"] / b["changed"] for b in ordinary),
        "root_us": statistics.median(1e6 * (b["root_s"] + b["keep_s"]) / b["changed"] for b in ordinary),
        "root_ms": statistics.median(1e3 * (b["root_s"] + b["keep_s"]) for b in ordinary),
        "open_cases": len(people.open_cases),
        "quiet_us": 1e6 * (quiet["start_s"] + quiet["close_s"]) / len(people.open_cases),
        "end_us": 1e6 * boundary["close_s"] / count,
        "start_us": 1e6 * term_start["start_s"] / count,
        "grace_us": 1e6 * grace["close_s"] / (count - people.paid),
        "delta_us": 1e6 * term_start["close_s"] / count,
        "draw_us": 1e6 * draw_s / count,
        "peak_mb": peak / 1024,
        "peak_built_mb": peak_built / 1024,
    }


def draw_time(rows, height):
    """Return the seconds of one draw of a duty panel from everybody eligible."""
    day = Day(Draft(rows), height, name_of("randomness", height))
    case = next(CASES.get(day.draft, key.claim, key.code) for key in OPEN_CASES.scan(day.draft))
    start = time.thread_time()
    panel = panels.draw(day.randomness, b"duty/" + case.claim, panels.eligible_of(day, case), 21)
    assert len(panel) == 21
    return time.thread_time() - start


def run_apart(count, age, records, closed_claims):
    """Run one line in a process of its own: its peak memory is its own."""
    arguments = ["--one", str(count), "--age", age, "--records", str(records), "--closed-claims", str(closed_claims)]
    done = subprocess.run([sys.executable, __file__, *arguments], check=True, capture_output=True, text=True)
    return json.loads(done.stdout)


def print_tables(lines):
    base = {
        age: next(line for line in lines if line["age"] == age)["record_us"] for age in {line["age"] for line in lines}
    }
    print(
        "\nrules: CPU microseconds a record, median block (lowest - highest); ratio of the medians; a quiet open case a"
        " block"
    )
    print(
        f"{'members':>9} {'age':<6}{'rows':>10}{'a record':>10}{'(spread)':>16}"
        f"{'ratio':>7}{'close':>7}{'write/row':>10}{'open case':>10}{'peak MB':>9}"
    )
    for line in lines:
        spread = f"({line['record_us_low']:.0f} - {line['record_us_high']:.0f})"
        print(
            f"{line['members']:>9} {line['age']:<6}{line['rows']:>10}{line['record_us']:>10.1f}{spread:>16}"
            f"{line['record_us'] / base[line['age']]:>7.2f}{line['close_us']:>7.1f}{line['write_us']:>10.1f}"
            f"{line['quiet_us']:>10.1f}{line['peak_mb']:>9.0f}"
        )
    print("\nby kind: CPU microseconds a record, median")
    print(f"{'members':>9} {'age':<6}" + "".join(f"{kind:>17}" for kind in KINDS))
    for line in lines:
        print(f"{line['members']:>9} {line['age']:<6}" + "".join(f"{line['kinds_us'][kind]:>17.1f}" for kind in KINDS))
    print("\nstate root, and what is linear in members by the rules: CPU microseconds")
    print(
        f"{'members':>9} {'age':<6}{'root/row':>10}{'root ms':>9}{'end of term':>13}{'start':>8}"
        f"{'+ delta':>9}{'grace':>8}{'draw':>8}{'build s':>9}{'tree s':>8}"
    )
    for line in lines:
        print(
            f"{line['members']:>9} {line['age']:<6}{line['root_us']:>10.1f}{line['root_ms']:>9.1f}"
            f"{line['end_us']:>13.1f}{line['start_us']:>8.1f}{line['delta_us']:>9.1f}{line['grace_us']:>8.1f}"
            f"{line['draw_us']:>8.2f}{line['build_s']:>9.1f}{line['tree_s']:>8.1f}"
        )
    print(
        "(root: a block with its records, per changed row; end of term, start, delta: a block, per member; grace: per"
        " member who owes; draw: one panel, per member)"
    )


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--members", default="1000,10000", help="sizes, fewest first")
    parser.add_argument("--ages", default=",".join(AGES))
    parser.add_argument("--records", type=int, default=400, help="records a block")
    parser.add_argument("--closed-claims", type=int, default=5000, help="claims decided in the past of an old ledger")
    parser.add_argument("--one", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--age", default="young", help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.one is not None:
        print(json.dumps(measure(chosen.one, chosen.age, chosen.records, chosen.closed_claims)))
        return 0
    lines = []
    for age in chosen.ages.split(","):
        for count in (int(item) for item in chosen.members.split(",")):
            lines.append(run_apart(count, age, chosen.records, chosen.closed_claims))
            print(f"{count} members, {age}: {lines[-1]['record_us']:.1f} us a record", file=sys.stderr)
    print_tables(lines)
    is_within = True
    for line in lines:
        ratio = line["record_us"] / next(other for other in lines if other["age"] == line["age"])["record_us"]
        most = next((most for members, most in RATIOS_MAX.items() if line["members"] <= members), RATIOS_MAX[1_000_000])
        is_within &= ratio <= most
        print(f"{line['members']} members, {line['age']}: a record costs {ratio:.2f} times (at most {most})")
    return 0 if is_within else 1


if __name__ == "__main__":
    sys.exit(main())
