"""An audit of a whole ledger against the raw rate of its signatures, and its memory.

Rival: libsodium's Ed25519 verification of the same signatures, on all cores, in the same run. The ledger holds 100,000
ballots and their claims, in blocks of 4,800; the audit runs in a process of its own, whose start-up (an audit of the
genesis alone) is taken off. Peak memory is told for a short and for the whole ledger: what it grows by is the state
and its tree, neither blocks nor records. Prints a table; exits 1 when the ratio is under its target.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from coop import CLAIMANTS, CORES, Coop, raw_work
from trees import keep, parser_of

from ledger.records import record_id_of

TARGET = 0.60
ROUNDS = 7
"""Each: a block of claims, and three of ballots on a third of them each."""
RUNS = 3
AUDIT = """
import json, os, sys, time
from pathlib import Path
from trees import module_of
audit_folder = module_of("node.audit.verify", "node.audit").audit_folder
start = time.perf_counter()
report = audit_folder(Path(sys.argv[1]))
wall = time.perf_counter() - start
assert not report.findings, report.findings[:3]
times = os.times()
peak = int(next(line for line in open("/proc/self/status") if line.startswith("VmHWM")).split()[1])
cpu = times.user + times.system + times.children_user + times.children_system
print(json.dumps([report.counts.records, wall, cpu, peak / 1024]))
"""


def audit(folder: Path) -> tuple[int, float, float, float]:
    """Return records, wall seconds, CPU seconds and peak MB of an audit in a process of its own."""
    command, environment = [sys.executable, "-c", AUDIT, str(folder)], {**os.environ, "PYTHONPATH": ":".join(sys.path)}
    done = subprocess.run(command, env=environment, check=True, capture_output=True, text=True)
    return json.loads(done.stdout)


def build(folder: Path, rounds: int) -> list:
    """Build a ledger; return its records."""
    coop, every = Coop(folder), []
    for number in range(rounds):
        filed = coop.claims(CLAIMANTS, number + 1)
        coop.grow(filed)
        every += [item.record for item in filed]
        ids = [record_id_of(item.record) for item in filed]
        for start in range(0, CLAIMANTS, CLAIMANTS // 3):
            part = ids[start : start + CLAIMANTS // 3]
            votes = list(coop.ballots(part, number * CLAIMANTS + start + 1))
            coop.grow(votes)
            every += [item.record for item in votes]
    coop.store.close()
    return every


def main() -> int:
    parser = parser_of(__doc__)
    parser.add_argument("--rounds", type=int, default=ROUNDS, help=f"of {3 * 4800 + CLAIMANTS} records")
    parser.add_argument("--runs", type=int, default=RUNS)
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        build(folder / "empty", 0)
        build(folder / "short", 1)
        records = build(folder / "whole", chosen.rounds)
        runs: list[dict[str, float]] = []
        for _ in range(chosen.runs):
            raw_s, raw_cpu_s = raw_work(records)
            _, start_s, start_cpu_s, start_mb = audit(folder / "empty")
            *_, short_mb = audit(folder / "short")
            count, wall_s, cpu_s, whole_mb = audit(folder / "whole")
            assert count == len(records)
            micros = 1e6 / count
            runs.append(
                {
                    "raw libsodium verification, all cores, us": raw_s * micros,
                    "raw, CPU us": raw_cpu_s * micros,
                    "audit, us": (wall_s - start_s) * micros,
                    "audit, CPU us": (cpu_s - start_cpu_s) * micros,
                    "peak MB, genesis alone": start_mb,
                    "peak MB, one round": short_mb,
                    "peak MB, whole": whole_mb,
                    "ratio": raw_s / (wall_s - start_s),
                    "ratio of CPU times": raw_cpu_s / (cpu_s - start_cpu_s),
                }
            )
    figures = {name: sorted(run[name] for run in runs)[len(runs) // 2] for name in runs[0]}
    print(f"{len(records)} records, {CORES} cores; microseconds a record, median of {chosen.runs}")
    for name, figure in figures.items():
        print(f"  {name:<48}{figure:>9.2f}")
    print(f"ratio {figures['ratio']:.2f} (target {TARGET})")
    keep(chosen.json, figures)
    return 0 if figures["ratio"] >= TARGET else 1


if __name__ == "__main__":
    sys.exit(main())
