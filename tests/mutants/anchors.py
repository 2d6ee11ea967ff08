"""The mutants of tests/vectors/mutants, and the place of each in the rules.

A mutant names a function (or a constant) and an expression in it. Both are looked up in syntax trees, so neither the
layout of a file nor the order of its lines matters, and a function may move to another module.
"""

import ast
import json
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "tests" / "vectors" / "mutants"


class Mutant(NamedTuple):
    """One wrong rule: `replacement` stands in `function` where `expression` stood (README.md beside the data)."""

    name: str
    rule: str
    function: str
    expression: str
    replacement: str
    killed_by: str


class AnchorError(LookupError):
    """A mutant's place is gone, or there is more than one."""


class Module(NamedTuple):
    """One file of a package."""

    name: str
    path: Path
    tree: ast.Module

    def compiled(self):
        return compile(self.tree, self.path, "exec", dont_inherit=True)


class Scope(NamedTuple):
    """A function or a constant, by its full dotted name."""

    name: str
    module: Module
    node: ast.stmt


class Place(NamedTuple):
    """Where code stands in a syntax tree: a field of a node or, with `start` and `end`, some items of a list in it."""

    owner: ast.AST
    field: str
    start: int | None = None
    end: int | None = None

    @contextmanager
    def replaced_by(self, nodes):
        """Have `nodes` there for a while."""
        old = getattr(self.owner, self.field)
        new = nodes[0] if self.start is None else [*old[: self.start], *nodes, *old[self.end :]]
        setattr(self.owner, self.field, new)
        try:
            yield
        finally:
            setattr(self.owner, self.field, old)


class Rules:
    """The modules of a package, and their functions and constants by name."""

    def __init__(self, root=ROOT, package="governance"):
        self.root = root
        self.package = package

    @cached_property
    def modules(self):
        modules = {}
        for path in sorted((self.root / self.package).rglob("*.py")):
            name = ".".join(path.relative_to(self.root).with_suffix("").parts).removesuffix(".__init__")
            modules[name] = Module(name, path, ast.parse(path.read_bytes()))
        return modules

    @cached_property
    def scopes(self):
        """The scopes by every end of their dotted names: `end_day`, `cases.end_day`, `voting.cases.end_day`, …"""
        scopes = {}
        for module in self.modules.values():
            for name, node in named_in(module.tree, module.name):
                parts = name.split(".")
                for start in range(len(parts)):
                    scopes.setdefault(".".join(parts[start:]), []).append(Scope(name, module, node))
        return scopes

    @contextmanager
    def mutated(self, function, expression, replacement):
        """Have a mutant in its module's tree for a while; yields the module."""
        old, new = parse_change(expression, replacement)
        scopes = self.scopes.get(function, [])
        if len(scopes) > 1:
            names = ", ".join(scope.name for scope in scopes)
            raise AnchorError(f"{function!r} may be {names}; write as much of the name's beginning as tells them apart")
        places = [place for scope in scopes for place in places_of(old, scope.node)]
        if len(places) > 1:
            raise AnchorError(f"{function!r} has {expression!r} {len(places)} times, not once; take a wider expression")
        if not places:
            lack = f"{function!r} does not have {expression!r}" if scopes else f"{self.package} has no {function!r}"
            raise AnchorError(f"{lack}; {self.advice_on(old)}")
        with places[0].replaced_by(new):
            yield scopes[0].module

    def advice_on(self, nodes):
        """Say where code stands that is not where it should be."""
        scopes = {scope.name: scope for found in self.scopes.values() for scope in found}.values()
        homes = [scope.name for scope in scopes if len(list(places_of(nodes, scope.node))) == 1]
        if not homes:
            return "no function has the expression once: write the mutant anew, for the rule as it stands today"
        return f"if the rule moved, name its function of today: the expression stands in {', '.join(homes)}"


def load_mutants():
    """Return all mutants, topic by topic; `killed_by` is completed to "topic: name"."""
    return [
        Mutant(**fields | {"killed_by": f"{path.stem}: {fields['killed_by']}"})
        for path in sorted(FOLDER.glob("*.jsonl"))
        for fields in map(json.loads, path.read_text(encoding="utf-8").splitlines())
    ]


def named_in(owner, prefix, is_local=False):
    """Yield the dotted names and nodes of the functions, methods, constants and class attributes in a syntax tree."""
    for node in ast.iter_child_nodes(owner):
        match node:
            case ast.FunctionDef() | ast.AsyncFunctionDef():
                yield f"{prefix}.{node.name}", node
                yield from named_in(node, f"{prefix}.{node.name}", is_local=True)
            case ast.ClassDef():
                yield from named_in(node, f"{prefix}.{node.name}")
            case ast.Assign() | ast.AnnAssign() if not is_local:
                targets = node.targets if isinstance(node, ast.Assign) else [node.target]
                leaves = (leaf for target in targets for leaf in ast.walk(target))
                yield from ((f"{prefix}.{leaf.id}", node) for leaf in leaves if isinstance(leaf, ast.Name))
            case _:
                yield from named_in(node, prefix, is_local)


def parse_change(expression, replacement):
    """Return both as lists of nodes: of one expression if each is one, of statements otherwise."""
    old, new = ast.parse(expression).body, ast.parse(replacement).body
    if all(len(body) == 1 and isinstance(body[0], ast.Expr) for body in (old, new)):
        return [old[0].value], [new[0].value]
    return old, new


def places_of(nodes, scope):
    """Yield the places in a scope where code equal to `nodes` stands, whatever its layout."""
    kind, count = type(nodes[0]), len(nodes)
    wanted = [ast.dump(node) for node in nodes]
    for owner in ast.walk(ast.Module([scope], [])):
        for field, value in ast.iter_fields(owner):
            if type(value) is kind and [ast.dump(value)] == wanted:
                yield Place(owner, field)
            elif isinstance(value, list):
                for start, item in enumerate(value):
                    if type(item) is kind and [ast.dump(node) for node in value[start : start + count]] == wanted:
                        yield Place(owner, field, start, start + count)
