"""Plays rule vectors under mutated modules: jobs (JSON) on standard input, what each vector missed on standard output.

A mutant lives in memory only: an import hook hands the changed text to the compiler, nothing is written, no byte code
is kept. Between two jobs every governance module is forgotten and imported anew. Only ledger and governance are ever
imported, so a job takes about a tenth of a second.
"""

import importlib.abc
import importlib.util
import json
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "tests" / "vectors" / "rules"


class MutantLoader(importlib.abc.SourceLoader):
    """Loads one module from a changed text."""

    def __init__(self, path, text):
        self.path = path
        self.text = text

    def get_filename(self, fullname):
        return str(self.path)

    def get_data(self, path):
        return self.text.encode("utf-8")


class MutantFinder(importlib.abc.MetaPathFinder):
    """Finds one module, mutated; every other module is found as ever."""

    def __init__(self, module, path, text):
        self.module = module
        self.path = path
        self.text = text

    def find_spec(self, fullname, path=None, target=None):
        if fullname != self.module:
            return None
        return importlib.util.spec_from_file_location(fullname, self.path, loader=MutantLoader(self.path, self.text))


def mutate(file, source, replacement):
    """Return a finder that imports `file` with its one occurrence of `source` replaced."""
    path = ROOT / file
    text = path.read_text(encoding="utf-8")
    assert text.count(source) == 1, f"{file} has the fragment {text.count(source)} times"
    module = file.removesuffix(".py").replace("/", ".")
    return MutantFinder(module, path, text.replace(source, replacement))


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

    from governance.simulation.rehearse import play_lines

    try:
        return first_missing(vector["expect"], list(play_lines(json.dumps(line) for line in vector["scenario"])))
    except Exception as error:
        return f"raised {type(error).__name__}: {error}"


def run_job(job, vectors):
    """Return what each vector asked for (all, if none is named) missed under a mutant; no file.

    Under the rules as they are.
    """
    forget_governance()
    finder = mutate(job["file"], job["source"], job["replacement"]) if job["file"] else None
    if finder is not None:
        sys.meta_path.insert(0, finder)
    try:
        return {name: complaint_of(vectors[name]) for name in job["vectors"] or vectors}
    finally:
        if finder is not None:
            sys.meta_path.remove(finder)


def main():
    sys.path[:0] = [str(ROOT), str(ROOT / "tests")]
    vectors = load_vectors()
    json.dump([run_job(job, vectors) for job in json.load(sys.stdin)], sys.stdout)


if __name__ == "__main__":
    main()
