"""Plays rule vectors under mutated modules: jobs (JSON) on standard input, what each vector missed on standard output.

A mutant lives in memory only. Every governance module is compiled once, a mutant's module once more; between two jobs
all of them are forgotten and imported anew, from memory. Only ledger and governance are ever imported, so a job takes
less than a tenth of a second.
"""

import gc
import importlib.abc
import importlib.util
import json
import sys
from contextlib import contextmanager, nullcontext

from anchors import ROOT, AnchorError, Rules

FOLDER = ROOT / "tests" / "vectors" / "rules"


class MemoryImporter(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Imports the modules of a package from memory, one of them mutated; every other module is found as ever."""

    def __init__(self, rules):
        self.rules = rules
        self.codes = {name: module.compiled() for name, module in rules.modules.items()}

    @contextmanager
    def mutated(self, mutant):
        """Import one module as its mutant for a while."""
        with self.rules.mutated(**mutant) as module:
            mutated = module.compiled()
        original = self.codes[module.name]
        self.codes[module.name] = mutated
        try:
            yield
        finally:
            self.codes[module.name] = original

    def find_spec(self, fullname, path=None, target=None):
        if fullname not in self.codes:
            return None
        file = self.rules.modules[fullname].path
        folders = [str(file.parent)] if file.stem == "__init__" else None
        return importlib.util.spec_from_file_location(fullname, file, loader=self, submodule_search_locations=folders)

    def exec_module(self, module):
        exec(self.codes[module.__name__], vars(module))


def forget_governance():
    for name in [name for name in sys.modules if name.split(".")[0] == "governance"]:
        del sys.modules[name]


def load_vectors():
    """Return the vectors by id."""
    return {
        f"{path.stem}: {vector['name']}": vector
        for path in sorted(FOLDER.glob("*.jsonl"))
        for vector in map(json.loads, path.read_text(encoding="utf-8").splitlines())
    }


def complaint_of(vector):
    """What a vector missed under the rules as they are imported, or None."""
    from naive.expectation import first_missing

    from governance.simulation.rehearse import play
    from governance.simulation.scenario import parse

    try:
        return first_missing(vector["expect"], list(play(parse(json.dumps(line) for line in vector["scenario"]))))
    except Exception as error:
        return f"raised {type(error).__name__}: {error}"


def run_job(job, vectors, importer):
    """Return what each vector asked for missed under a mutant; no mutant: under the rules as they are."""
    forget_governance()
    try:
        with importer.mutated(job["mutant"]) if job["mutant"] else nullcontext():
            return {name: complaint_of(vectors[name]) for name in job["vectors"]}
    except AnchorError as error:
        return dict.fromkeys(job["vectors"], f"raised AnchorError: {error}")


def main():
    sys.path[:0] = [str(ROOT), str(ROOT / "tests")]
    vectors = load_vectors()
    importer = MemoryImporter(Rules())
    sys.meta_path.insert(0, importer)
    gc.freeze()  # the trees and vectors stay: the collector need not walk them after every job
    json.dump([run_job(job, vectors, importer) for job in json.load(sys.stdin)], sys.stdout)


if __name__ == "__main__":
    main()
