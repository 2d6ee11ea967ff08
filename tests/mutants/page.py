"""Writes docs/reference/mutants.md from the table. `python tests/mutants/page.py`"""

import importlib.util
import sys
from collections import Counter
from pathlib import Path

HERE = Path(__file__).resolve().parent
PAGE = HERE.parents[1] / "docs" / "reference" / "mutants.md"
INTRO = """# Mutants: what the rule vectors notice

A mutant is the rules with one thing wrong: a boundary off by one, a rounding turned round, an exclusion forgotten, two steps
swapped. The tests play each of the {count} mutants below and fail unless its vector notices it: another event, or another
figure in one, than was computed by hand from the rules. A vector is named as `topic: name`; it is the line of that name in
`tests/vectors/rules/<topic>.jsonl`, with its arithmetic. The mutants themselves are in `tests/mutants/mutants.py`.

This page is made by `python tests/mutants/page.py`; a test checks that it is current.

Mutants by module: {modules}.

| mutant | module | rule | killed by |
|---|---|---|---|
"""


def load(name):
    """A module beside this one, whatever else is called like it."""
    spec = importlib.util.spec_from_file_location(f"mutua_mutants_{name}", HERE / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def page_text():
    mutants = load("mutants").MUTANTS
    by_module = Counter(Path(mutant.file).stem for mutant in mutants)
    modules = ", ".join(f"{module} {count}" for module, count in sorted(by_module.items()))
    rows = [
        f"| {mutant.name} | `{mutant.file.removeprefix('governance/')}` | {mutant.rule} | {mutant.killed_by} |"
        for mutant in mutants
    ]
    return INTRO.format(count=len(mutants), modules=modules) + "\n".join(rows) + "\n"


if __name__ == "__main__":
    PAGE.write_text(page_text(), encoding="utf-8")
