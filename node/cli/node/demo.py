"""`mutua demo`: ninety days of a small co-op in three minutes, on real sockets, and an audit of what it leaves."""

from __future__ import annotations

import json as json_lib
import sys
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from node.cli.common import Whole


def demo(
    *,
    seed: Whole = 1,
    summary: Annotated[Path | None, Parameter(help="write the summary here too")] = None,
    folder: Annotated[Path, Parameter(help="where the nodes' folders go; an earlier demo there is replaced")] = Path(
        "demo-run"
    ),
    json: Annotated[bool, Parameter(help="print the summary as one JSON object on standard output")] = False,
) -> int:
    """Play the demo: seven founders' daemons, 90 blocks, votes, payouts mined on regtest, a killed and a late node.

    Exit code 0 when everything the summary promises is so, 6 with one line for each thing that is not.
    """
    from node.sandbox.demo.main import faults_of, run_demo

    result = run_demo(folder.resolve(), seed, summary)
    faults = faults_of(result)
    if json:
        print(json_lib.dumps({**result, "faults": faults}))
    else:
        _print(result, folder)
    for fault in faults:
        print(f"mutua: demo: {fault}", file=sys.stderr)
    return 6 if faults else 0


def _print(result: dict[str, object], folder: Path) -> None:
    print()
    print(json_lib.dumps(result, indent=1))
    print(f"\nThe nodes' folders are in {folder}; audit one yourself:  mutua audit verify {folder}/member-1")
