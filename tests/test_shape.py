"""The shape of the tree: files and functions that fit a screen or a sitting, one width, and no circle of imports."""

import ast
import statistics
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("ledger", "governance", "consensus", "wallet", "node", "tui")
LINES_MAX = 50_000
FILE_LINES_MAX = 450
FUNCTION_LINES_MAX = 60
FUNCTION_LINES_MEDIAN = 8
FUNCTION_LINES_P90 = 25
WIDTH_MAX = 120
Function = ast.FunctionDef | ast.AsyncFunctionDef


def sources(*folders: str) -> dict[str, str]:
    """Return the text of each module by its dotted name."""
    paths = [path for folder in folders for path in sorted((ROOT / folder).rglob("*.py"))]
    return {name_of(path): path.read_text(encoding="utf-8") for path in paths}


def name_of(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


SOURCES = sources(*PACKAGES)
TREES = {name: ast.parse(text) for name, text in SOURCES.items()}


def function_lines() -> dict[str, int]:
    """Return the lines of each function, signature and docstring included, by module, name and line."""
    return {
        f"{name}:{node.name}:{node.lineno}": (node.end_lineno or node.lineno) - node.lineno + 1
        for name, tree in TREES.items()
        for node in ast.walk(tree)
        if isinstance(node, Function)
    }


def imports_of(tree: ast.Module) -> Iterator[str]:
    """Yield the modules of ours that a module imports: late imports and those for type checkers count as well."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module:
            inner = [f"{node.module}.{item.name}" for item in node.names]
            yield from (name if name in TREES else node.module for name in inner)
        elif isinstance(node, ast.Import):
            yield from (item.name for item in node.names)


def circles() -> list[list[str]]:
    """Return the groups of modules of which each imports, by some way, every other."""
    graph = {
        name: {found for found in imports_of(tree) if found in TREES and found != name} for name, tree in TREES.items()
    }
    reached = {name: set(near) for name, near in graph.items()}
    for middle in graph:
        for name in graph:
            if middle in reached[name]:
                reached[name] |= reached[middle]
    groups = {
        frozenset(other for other in reached[name] if name in reached[other]) for name in graph if name in reached[name]
    }
    return sorted(sorted(group) for group in groups)


def test_the_six_packages_stay_below_their_budget_of_lines():
    assert sum(text.count("\n") for text in SOURCES.values()) < LINES_MAX


def test_a_file_fits_a_sitting():
    assert {name: text.count("\n") for name, text in SOURCES.items() if text.count("\n") > FILE_LINES_MAX} == {}


def test_a_function_fits_a_screen_and_most_are_far_shorter():
    lines = function_lines()
    assert {place: count for place, count in lines.items() if count > FUNCTION_LINES_MAX} == {}
    assert statistics.median(lines.values()) <= FUNCTION_LINES_MEDIAN
    assert statistics.quantiles(lines.values(), n=10)[-1] <= FUNCTION_LINES_P90


def test_no_line_is_wider_than_the_formatter_allows():
    every = SOURCES | sources("tests", "tools", "benchmarks")
    wide = [
        f"{name}:{at}"
        for name, text in every.items()
        for at, line in enumerate(text.split("\n"), 1)
        if len(line) > WIDTH_MAX
    ]
    assert wide == []


def test_no_files_import_each_other_in_a_circle():
    assert circles() == []
