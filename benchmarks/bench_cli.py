"""`mutua --help` against a bare program of the same CLI library: whole processes, in turn, median of each.

Prints a table; exits 1 when the ratio is above the target of 1.5.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

TARGET = 1.5
RUNS = 15
BARE = """
from cyclopts import App
app = App(name="bare", help="A bare program.")
@app.command
def status(*, json: bool = False) -> int:
    "Show it."
    return 0
app()
"""


def timed(command: list[str]) -> float:
    start = time.perf_counter()
    subprocess.run(command, check=True, capture_output=True)
    return time.perf_counter() - start


def main() -> int:
    with tempfile.TemporaryDirectory() as folder:
        bare = Path(folder) / "bare.py"
        bare.write_text(BARE)
        ours = [sys.executable, "-m", "node.cli.main", "--help"]
        rival = [sys.executable, str(bare), "--help"]
        timed(ours), timed(rival)
        pairs = [(timed(ours), timed(rival)) for _ in range(RUNS)]
    our, their = (statistics.median(column) for column in zip(*pairs, strict=True))
    ratio = statistics.median(a / b for a, b in pairs)
    print(f"{'program':<28}{'median ms':>10}")
    print(f"{'bare cyclopts --help':<28}{their * 1000:>10.0f}")
    print(f"{'mutua --help':<28}{our * 1000:>10.0f}")
    print(f"ratio {ratio:.2f} (target at most {TARGET})")
    return 0 if ratio <= TARGET else 1


if __name__ == "__main__":
    sys.exit(main())
