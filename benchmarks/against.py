"""Today's tree against an older one: a benchmark on both, in turns on one interpreter, and the ratio of each figure.

    python benchmarks/against.py f0ce4bc bench_apply --rounds 5 -- --members 100000

Today's benchmark runs on the packages of both trees (with the older tree's own `population.py`, for its own rows);
with `--own` each tree runs its own file, whose figures must then have the same names.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

TODAY = Path(__file__).resolve().parents[1]


@contextmanager
def worktree_of(ref: str) -> Iterator[Path]:
    """Check out a commit beside this tree, and take it away at the end."""
    with tempfile.TemporaryDirectory(prefix="mutua-against-") as folder:
        tree = Path(folder) / "tree"
        git = ["git", "-C", str(TODAY), "worktree"]
        subprocess.run([*git, "add", "--quiet", "--detach", str(tree), ref], check=True)
        try:
            yield tree
        finally:
            subprocess.run([*git, "remove", "--force", str(tree)], check=True)


def figures_of(tree: Path, bench: Path, arguments: list[str]) -> dict[str, float]:
    """Run a benchmark on the packages of a tree; return its figures. A target that is missed does not matter here."""
    with tempfile.TemporaryDirectory() as folder:
        kept = Path(folder) / "figures.json"
        places = [tree, tree / "benchmarks", TODAY / "benchmarks"]
        environment = {
            **os.environ,
            "PYTHONPATH": os.pathsep.join(map(str, places)),
            "PYTHONSAFEPATH": "1",  # the folder of the script does not come first
        }
        command = [sys.executable, str(bench), "--json", str(kept), *arguments]
        done = subprocess.run(command, cwd=tree, env=environment, capture_output=True, text=True, check=False)
        if not kept.exists():
            raise SystemExit(f"{bench.name} gave no figures on {tree}:\n{done.stdout}{done.stderr}")
        return json.loads(kept.read_text())


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__.splitlines()[0], epilog="Arguments after -- go to the benchmark."
    )
    parser.add_argument("ref", help="a commit, such as f0ce4bc")
    parser.add_argument("bench", help="a benchmark, such as bench_apply")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--own", action="store_true", help="each tree runs its own file of this name")
    ours, _, theirs = " ".join(sys.argv[1:]).partition(" -- ")
    chosen, arguments = parser.parse_args(ours.split()), theirs.split()
    name = f"{chosen.bench.removesuffix('.py')}.py"
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # the worktree goes also when this is told to stop
    before: list[dict[str, float]] = []
    after: list[dict[str, float]] = []
    with worktree_of(chosen.ref) as tree:
        for number in range(chosen.rounds):
            for root, runs in ((tree, before), (TODAY, after)):
                bench = (root if chosen.own else TODAY) / "benchmarks" / name
                runs.append(figures_of(root, bench, arguments))
            print(f"round {number + 1} of {chosen.rounds}", file=sys.stderr)
    print(f"{name}, median of {chosen.rounds} rounds in turns; ratio: median of today / {chosen.ref} in one round")
    print(f"{'figure':<60}{chosen.ref[:12]:>14}{'today':>14}{'ratio':>8}")
    for figure in dict.fromkeys([*before[0], *after[0]]):
        old, new = ([run[figure] for run in runs if figure in run] for runs in (before, after))
        columns = [f"{statistics.median(runs):>14.2f}" if runs else f"{'-':>14}" for runs in (old, new)]
        pairs = [b / a for a, b in zip(old, new, strict=False) if a]
        ratio = f"{statistics.median(pairs):>8.2f}" if pairs else f"{'-':>8}"
        print(f"{figure:<60}{columns[0]}{columns[1]}{ratio}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
