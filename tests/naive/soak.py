"""Many random scenarios on all processors.

`python -m naive.soak --first 0 --count 10000` (with tests on the path), or `make soak`.

Each failing seed is printed with the first events that differ, and its scenario, made small, is written to `folder` as
a file that `mutua rehearse` plays. At the end comes the table of how often each event occurred.
"""

import argparse
import collections
import json
import multiprocessing
import os
import sys
import time
from pathlib import Path

from .compare import compared
from .events import missing, name_of, table
from .generate import scenario, theme_of
from .shrink import shrunk

CHECKED_ONE_IN = 20
"""In every so many scenarios each invariant is checked after each block."""
BATCH = 25
SHRUNK_MAX = 10


def play_batch(seeds):
    """(how often each event occurred, how often each refusal, [(seed, fault)]) of some seeds."""
    seen, refusals, faults = collections.Counter(), collections.Counter(), []
    for seed in seeds:
        result = compared(scenario(seed), check_blocks=seed % CHECKED_ONE_IN == 0)
        seen.update(name_of(event) for event in result.theirs)
        refusals.update(event["code"] for event in result.theirs if event["event"] == "refused")
        if result.fault is not None:
            faults.append((seed, result.fault))
    return seen, refusals, faults


def keep_failing(folder, seed):
    """Write the seed's scenario, made small, to the folder; return its path."""
    lines = (
        shrunk(scenario(seed), lambda candidate: compared(candidate).fault is not None)
        if seed % CHECKED_ONE_IN
        else scenario(seed)
    )
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{theme_of(seed)}-{seed}.jsonl"
    path.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    return path


def soak(first, count, folder, processes=None, say=print):
    """Compare the scenarios of `count` seeds; return (counts, refusals, faults)."""
    batches = [range(at, min(at + BATCH, first + count)) for at in range(first, first + count, BATCH)]
    seen, refusals, faults = collections.Counter(), collections.Counter(), []
    began = time.monotonic()
    with multiprocessing.get_context("spawn").Pool(processes or os.cpu_count()) as pool:
        for done, (some, codes, failed) in enumerate(pool.imap_unordered(play_batch, batches), 1):
            seen += some
            refusals += codes
            for seed, fault in failed:
                say(f"seed {seed} ({theme_of(seed)}): {fault}")
            faults += failed
            if done % 20 == 0:
                say(
                    f"{min(done * BATCH, count):,} of {count:,} scenarios, {len(faults)} faults,"
                    f" {time.monotonic() - began:.0f} s"
                )
    for seed, _ in sorted(faults)[:SHRUNK_MAX]:
        say(f"seed {seed}: {keep_failing(folder, seed)}")
    say(table(seen))
    say("refusals by code: " + ", ".join(f"{code} {number:,}" for code, number in sorted(refusals.items())))
    say(
        f"{count:,} scenarios from seed {first}, {len(faults)} faults, never occurred: {missing(seen)},"
        f" {time.monotonic() - began:.0f} s"
    )
    return seen, refusals, faults


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--count", type=int, default=10_000)
    parser.add_argument("--processes", type=int, default=None)
    parser.add_argument("--folder", type=Path, default=Path("soak-failures"))
    told = parser.parse_args()
    seen, _, faults = soak(told.first, told.count, told.folder, told.processes)
    sys.exit(1 if faults or missing(seen) else 0)


if __name__ == "__main__":
    main()
