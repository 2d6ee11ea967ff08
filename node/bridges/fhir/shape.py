"""Is a resource FHIR R4, in what the mapping uses of it? Every fault is found, with its path; no value is repeated.

The tables say what is looked at. What they pass over is not checked: a fault in what nobody reads is nobody's fault. An
extension beside a primitive (`_created`) says nothing that a claim needs and is passed over as well.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date
from decimal import Decimal
from functools import partial
from typing import Any, NamedTuple, cast

from node.bridges.fhir.tables import CODES, NOT_UNDERSTOOD, TABLES, Element, Table
from node.bridges.fhir.values import Refusal, fields_of

REASONS_PER_RESOURCE_MAX = 20
INTEGER_MAX = 2**31 - 1
SUBSETTED = "SUBSETTED"
"""The tag by which a server says that it left elements out."""

_YEAR = r"(?!0000)[0-9]{4}"
_MONTH, _DAY = r"(?:0[1-9]|1[0-2])", r"(?:0[1-9]|[12][0-9]|3[01])"
_ZONE = r"(?:Z|[+-](?:(?:0[0-9]|1[0-3]):[0-5][0-9]|14:00))"
_TIME = rf"T(?:[01][0-9]|2[0-3]):[0-5][0-9]:(?:[0-5][0-9]|60)(?:\.[0-9]+)?{_ZONE}"
_DATE = re.compile(rf"{_YEAR}(?:-{_MONTH}(?:-{_DAY})?)?")
_DATE_TIME = re.compile(rf"{_YEAR}(?:-{_MONTH}(?:-{_DAY}(?:{_TIME})?)?)?")
_CODE = re.compile(r"[^\s\ud800-\udfff]+(?: [^\s\ud800-\udfff]+)*")
_STRING = re.compile(r"[^\ud800-\udfff]+", re.DOTALL)
_URI = re.compile(r"[^\s\ud800-\udfff]+")
_ID = re.compile(r"[A-Za-z0-9.-]{1,64}")


class Fault(NamedTuple):
    """One fault: where, what, and if it is an element that must be understood and is not."""

    path: str
    what: str
    is_not_understood: bool = False

    def refusal(self, resource: str, where: str) -> Refusal:
        """Return it as a reason of a resource."""
        if self.is_not_understood:
            hint = "ask the provider's system for a record without it, or file the claim by hand"
            return Refusal(resource, self.path, "fhir_not_understood", f"the element {self.what}", hint, where)
        hint = "ask the provider's system for valid FHIR R4 (4.0.1)"
        return Refusal(resource, self.path, "fhir_invalid", f"not valid FHIR R4: the element {self.what}", hint, where)


def faults_of(content: dict[str, Any], kind: str) -> list[Fault]:
    """Return what is wrong with a resource or an element of type `kind`.

    >>> faults_of({"value": "12", "currency": "USD"}, "Money")
    [Fault(path='Money.value', what='is not a decimal', is_not_understood=False)]
    """
    found: list[Fault] = []
    _check(content, kind, kind, found)
    return found[:REASONS_PER_RESOURCE_MAX]


def _check(value: Any, kind: str, path: str, found: list[Fault]) -> None:
    if not isinstance(value, dict):
        found.append(Fault(path, "is not an object"))
        return
    content, table, checks = cast("dict[str, Any]", value), TABLES[kind], _CHECKS[kind]
    has_null = False
    for name, item in content.items():
        check = checks.get(name)
        if item is None:
            has_null = True
        elif check is not None:
            check(item, name, path, found)
        elif name not in table.elements:
            _check_other(name, table, path, found)
    if has_null or not table.required <= content.keys():
        _check_required(content, table, path, found)
    if table.one_of and len(table.one_of & content.keys()) > 1:
        found.append(Fault(f"{path}.{min(table.one_of)}", "has another of the same choice beside it"))


def _check_other(name: str, table: Table, path: str, found: list[Fault]) -> None:
    """An element that the table does not have: the extension of a primitive, or unknown."""
    element = table.elements.get(name[1:]) if name.startswith("_") else None
    is_extension = element is not None and (not element.kind or element.kind in PRIMITIVES)
    if not is_extension and not table.is_open:
        found.append(Fault(f"{path}.{name}", "is not an element of FHIR R4"))


def _check_required(content: dict[str, Any], table: Table, path: str, found: list[Fault]) -> None:
    for name in sorted(table.required):
        has_reason = table.elements[name].kind in PRIMITIVES and content.get(f"_{name}") is not None
        if content.get(name) is None and not has_reason:
            found.append(Fault(f"{path}.{name}", "is missing"))


# ---- One element: a function of (value, name, path of its parent, faults found) -------------------------------------

_Check = Callable[[Any, str, str, list[Fault]], None]
_Test = Callable[[Any], bool]


def _check_of(kind: str, name: str, element: Element) -> _Check | None:
    """Return the check of an element; none when it is passed over."""
    if name in NOT_UNDERSTOOD:
        return _refuse_not_understood
    codes = CODES.get(f"{kind}.{name}")
    if codes is not None:
        return partial(_check_code, codes)
    if element.kind == "Tag":
        return _check_tags
    primitive = PRIMITIVES.get(element.kind)
    if primitive is not None:
        return partial(_check_primitive, (element.kind, primitive))
    if element.is_list:
        return partial(_check_list, element.kind)
    return partial(_check_object, element.kind) if element.kind else None


def _refuse_not_understood(_value: Any, name: str, path: str, found: list[Fault]) -> None:
    found.append(Fault(f"{path}.{name}", "may change what the rest means, and is not understood here", True))


def _check_primitive(primitive: tuple[str, _Test], value: Any, name: str, path: str, found: list[Fault]) -> None:
    kind, holds = primitive
    if not holds(value):
        found.append(Fault(f"{path}.{name}", f"is not a {kind}"))


def _check_code(codes: frozenset[str], value: Any, name: str, path: str, found: list[Fault]) -> None:
    if not isinstance(value, str) or value not in codes:
        found.append(Fault(f"{path}.{name}", f"is not one of {', '.join(sorted(codes))}"))


def _check_object(kind: str, value: Any, name: str, path: str, found: list[Fault]) -> None:
    _check(value, kind, f"{path}.{name}", found)


def _check_list(kind: str, value: Any, name: str, path: str, found: list[Fault]) -> None:
    if not isinstance(value, list):
        found.append(Fault(f"{path}.{name}", "is not a list"))
    elif kind:
        for number, item in enumerate(cast("list[Any]", value)):
            _check(item, kind, f"{path}.{name}[{number}]", found)


def _check_tags(value: Any, name: str, path: str, found: list[Fault]) -> None:
    """Refuse a resource of which the server says that it left elements out."""
    tags = cast("list[Any]", value) if isinstance(value, list) else []
    if any(fields_of(tag).get("code") == SUBSETTED for tag in tags):
        found.append(Fault(f"{path}.{name}", "says that the server left elements out", True))


# ---- Primitives -----------------------------------------------------------------------------------------------------


def _text(pattern: re.Pattern[str]) -> _Test:
    return lambda value: isinstance(value, str) and pattern.fullmatch(value) is not None


def _day(pattern: re.Pattern[str]) -> _Test:
    def is_day(value: Any) -> bool:
        if not isinstance(value, str) or pattern.fullmatch(value) is None:
            return False
        try:  # 31 April has the form of a date
            return len(value) < 10 or bool(date.fromisoformat(value[:10]))
        except ValueError:
            return False

    return is_day


def _integer(lowest: int) -> _Test:
    return lambda value: type(value) is int and lowest <= value <= INTEGER_MAX


PRIMITIVES: dict[str, _Test] = {
    "boolean": lambda value: value is True or value is False,
    "code": _text(_CODE),
    "date": _day(_DATE),
    "dateTime": _day(_DATE_TIME),
    "decimal": lambda value: isinstance(value, Decimal) or type(value) is int,
    "id": _text(_ID),
    "positiveInt": _integer(1),
    "string": _text(_STRING),
    "unsignedInt": _integer(0),
    "uri": _text(_URI),
}

_CHECKS = {
    kind: {
        name: check for name, element in table.elements.items() if (check := _check_of(kind, name, element)) is not None
    }
    for kind, table in TABLES.items()
}
