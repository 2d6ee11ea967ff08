"""List every error code of the tree, read from the source without running it.

A code is the first argument of a call to an error class (`MutuaError`, `ApiError` and every class derived from them).
Where that is no literal but a parameter of a helper (`_refuse(code, what)`), the helper's own calls are read in its
place, and so on. `python tools/error_codes.py` prints one line a code: code, families, places.
"""

from __future__ import annotations

import ast
import sys
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

PACKAGES = ("ledger", "governance", "consensus", "wallet", "node", "tui")
ROOT_CLASSES = ("MutuaError", "ApiError")
ROUNDS_MAX = 8
"""Helpers that call helpers: far deeper than any code should be."""


@dataclass(slots=True)
class Found:
    """One code: the classes it is raised with, and where."""

    families: set[str] = field(default_factory=set[str])
    places: set[str] = field(default_factory=set[str])


@dataclass(frozen=True, slots=True)
class Maker:
    """Something that makes an error: where its code stands among the arguments, and what it makes."""

    position: int
    keyword: str
    families: frozenset[str]


def source_files(root: Path) -> list[Path]:
    """Return the modules of our packages, sorted."""
    return sorted(path for package in PACKAGES for path in (root / package).rglob("*.py"))


def error_classes(trees: Iterable[ast.Module]) -> set[str]:
    """Return the names of the error classes, derived ones too."""
    bases: dict[str, set[str]] = {}
    for tree in trees:
        for node in ast.walk(tree):
            if isinstance(node, ast.ClassDef):
                bases[node.name] = {base.id for base in node.bases if isinstance(base, ast.Name)}
    found = set(ROOT_CLASSES)
    while more := {name for name, above in bases.items() if above & found} - found:
        found |= more
    return found


def literals(node: ast.expr) -> list[str] | None:
    """Return the texts an expression may be, None when it is not made of literals.

    >>> literals(ast.parse("'a' if x else 'b'", mode="eval").body)
    ['a', 'b']
    """
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return [node.value]
    if isinstance(node, ast.IfExp):
        first, second = literals(node.body), literals(node.orelse)
        return None if first is None or second is None else first + second
    return None


def told_again(node: ast.expr) -> list[str] | None:
    """Return what an error told again may add by itself: nothing, or the default of `.get("code", default)`.

    None for other expressions.
    """
    if isinstance(node, ast.Attribute) and node.attr == "code":
        return []
    if isinstance(node, ast.Subscript):
        return [] if literals(node.slice) == ["code"] else None
    if isinstance(node, ast.Call) and called_name(node) == "str" and len(node.args) == 1:
        return told_again(node.args[0])
    if isinstance(node, ast.Call) and called_name(node) == "get" and node.args and literals(node.args[0]) == ["code"]:
        return literals(node.args[1]) if len(node.args) > 1 else []
    return None


def assigned(name: str, function: ast.FunctionDef | ast.AsyncFunctionDef) -> list[str] | None:
    """Return the texts a function assigns to a local name, None unless all of them are literals."""
    values = [
        literals(node.value)
        for node in ast.walk(function)
        if isinstance(node, ast.Assign)
        and any(isinstance(target, ast.Name) and target.id == name for target in node.targets)
    ]
    found = [text for value in values for text in value or ()]
    return found if values and all(value is not None for value in values) else None


def called_name(call: ast.Call) -> str | None:
    """Return the last name of what is called: `RuleBroken`, or `check` of `words.check`."""
    if isinstance(call.func, ast.Name):
        return call.func.id
    return call.func.attr if isinstance(call.func, ast.Attribute) else None


def code_argument(call: ast.Call | ast.Dict, maker: Maker) -> ast.expr | None:
    """Return the argument that is the code, None when it is left to a default or there is none."""
    if isinstance(call, ast.Dict):  # an error written as JSON by hand: {"code": …, "what": …, "hint": …}
        entries = {
            key.value: value for key, value in zip(call.keys, call.values, strict=True) if isinstance(key, ast.Constant)
        }
        return entries["code"] if {"code", "what", "hint"} <= entries.keys() else None
    for keyword in call.keywords:
        if keyword.arg == maker.keyword:
            return keyword.value
    plain = [item for item in call.args if not isinstance(item, ast.Starred)]
    return plain[maker.position] if len(plain) > maker.position else None


def calls_of(
    tree: ast.Module,
) -> Iterator[tuple[ast.Call | ast.Dict, tuple[ast.FunctionDef | ast.AsyncFunctionDef, ...]]]:
    """Yield every call and dictionary with the functions around it, the innermost last."""

    def walk(
        node: ast.AST, around: tuple[ast.FunctionDef | ast.AsyncFunctionDef, ...]
    ) -> Iterator[tuple[ast.Call | ast.Dict, tuple[ast.FunctionDef | ast.AsyncFunctionDef, ...]]]:
        inside = (*around, node) if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)) else around
        if isinstance(node, (ast.Call, ast.Dict)):
            yield node, inside
        for child in ast.iter_child_nodes(node):
            yield from walk(child, inside)

    yield from walk(tree, ())


def collect(root: Path) -> tuple[dict[str, Found], list[str]]:
    """Return the codes by name, sorted, and the places whose code cannot be read."""
    trees = {str(path.relative_to(root)): ast.parse(path.read_text(encoding="utf-8")) for path in source_files(root)}
    classes = {name: Maker(0, "code", frozenset({name})) for name in error_classes(trees.values())}
    codes: dict[str, Found] = defaultdict(Found)
    unread: set[str] = set()
    for path, tree in trees.items():
        _collect_file(path, tree, classes, codes, unread)
    return dict(sorted(codes.items())), sorted(unread)


def _collect_file(
    path: str, tree: ast.Module, classes: dict[str, Maker], codes: dict[str, Found], unread: set[str]
) -> None:
    makers = dict(classes)
    for _ in range(ROUNDS_MAX):
        before = len(makers)
        for call, around in calls_of(tree):
            maker = makers.get(called_name(call) or "") if isinstance(call, ast.Call) else Maker(0, "code", frozenset())
            code = code_argument(call, maker) if maker else None
            if maker is None or code is None:
                continue
            texts = literals(code)
            if texts is None:
                texts = told_again(code)
            if texts is None and isinstance(code, ast.Name) and around:
                texts = assigned(code.id, around[-1])
            for text in texts or ():
                codes[text].families |= maker.families
                codes[text].places.add(f"{path}:{call.lineno}")
            if texts is None and not _helper(code, around, maker, makers):
                unread.add(f"{path}:{call.lineno}: {ast.unparse(call)[:100]}")
        if len(makers) == before:
            return


def _helper(
    code: ast.expr, around: tuple[ast.FunctionDef | ast.AsyncFunctionDef, ...], maker: Maker, makers: dict[str, Maker]
) -> bool:
    """Note the function around as a maker when the code is one of its parameters."""
    if not isinstance(code, ast.Name):
        return False
    for function in reversed(around):
        names = [item.arg for item in function.args.args if item.arg not in ("self", "cls")]
        if code.id in names or code.id in [item.arg for item in function.args.kwonlyargs]:
            position = names.index(code.id) if code.id in names else 10_000
            makers.setdefault(function.name, Maker(position, code.id, maker.families))
            return True
    return False


def main() -> int:
    """Print the list; exit 1 when a code cannot be read."""
    codes, unread = collect(Path(__file__).resolve().parent.parent)
    for code, found in codes.items():
        print(f"{code:28} {', '.join(sorted(found.families)):32} {' '.join(sorted(found.places))}")
    for place in unread:
        print(f"not read: {place}", file=sys.stderr)
    return 1 if unread else 0


if __name__ == "__main__":
    sys.exit(main())
