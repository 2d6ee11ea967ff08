"""What a benchmark shares with `against.py`: things found wherever a tree keeps them, and figures kept for comparison.

A benchmark also runs on the packages of an older tree: what has moved is named with its places, today's first.
"""

from __future__ import annotations

import argparse
import importlib
import json
import statistics
from collections.abc import Sequence
from pathlib import Path
from typing import Any


def module_of(*places: str) -> Any:
    """Return the first of these modules that this tree has."""
    for place in places:
        try:
            return importlib.import_module(place)
        except ModuleNotFoundError:
            continue
    raise ModuleNotFoundError(" or ".join(places))


def parser_of(text: str) -> argparse.ArgumentParser:
    """Return a parser with the option by which `against.py` asks for figures."""
    parser = argparse.ArgumentParser(description=text.splitlines()[0])
    parser.add_argument("--json", type=Path, help="write the figures to this file, by name")
    return parser


def keep(path: Path | None, figures: dict[str, float]) -> None:
    """Write figures for `against.py`, where it asked for them."""
    if path is not None:
        path.write_text(json.dumps(figures))


def median_of(runs: Sequence[dict[str, float]]) -> dict[str, float]:
    """Return the median of each figure over several runs."""
    return {name: statistics.median(run[name] for run in runs) for name in runs[0]}
