"""Scenario files: JSON lines read into checked actions; the first error names line, field and expected shape."""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, cast

from governance.genesis import ACCOUNT_MAX, FIGURE_MAX
from governance.params import PARAMETERS
from governance.simulation.actions import ABSENT, ACTIONS, GENESIS_FIELDS, NO_RECORDS, OBJECTS, PROPOSALS, SIGNED, Field
from ledger.codec import INT_MAX
from ledger.errors import MutuaError

LINES_MAX = 5_000_000
"""A bound on the file; longer stories are split."""
HEIGHT_MAX = 1_000_000
"""About 2,700 years of daily blocks: a typing error must not play for ever."""
TEXT_MAX = 4096


class ScenarioError(MutuaError):
    """A file that does not parse: nothing of it is played."""


@dataclass(frozen=True, slots=True)
class Action:
    """One line: what is done at which height, with every field filled in."""

    line: int
    at: int
    do: str
    fields: dict[str, Any]


def parse(lines: Iterable[str]) -> list[Action]:
    """Return the actions of a file, the genesis first; ScenarioError at the first line that is not as the page says."""
    actions: list[Action] = []
    at = 0
    for number, text in enumerate(lines, 1):
        if not text.strip():
            continue
        if number > LINES_MAX:
            raise _error(number, "the file", f"at most {LINES_MAX} lines", "more")
        action = _parse_line(number, text, is_first=not actions)
        if action.at < at:
            raise _error(number, "at", f"an integer of {at} or more (lines are sorted)", action.at)
        at = action.at
        actions.append(action)
    if not actions:
        raise _error(1, "do", '"genesis"', "an empty file")
    return actions


def refusal(line: int, field: str, words: str) -> ScenarioError:
    """Return the error of a line."""
    return ScenarioError("scenario", f"line {line}, {field}: {words}", "correct the line; nothing was played")


def _error(line: int, field: str, expected: str, found: Any) -> ScenarioError:
    is_words = isinstance(found, str) and found in ("more", "an empty file", "nothing")
    shown = found if is_words else json.dumps(found, ensure_ascii=False, default=str)
    return refusal(line, f"field {field}", f"expected {expected}, found {shown[:80]}")


def _refuse_constant(text: str) -> Any:
    raise ValueError(f"{text} is not a number of JSON")


def _pairs(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        names = [name for name, _ in pairs]
        raise ValueError(f"the field {next(name for name in names if names.count(name) > 1)} stands twice")
    return found


def _parse_line(number: int, text: str, *, is_first: bool) -> Action:
    """Return one checked action."""
    try:
        found = json.loads(text, object_pairs_hook=_pairs, parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise refusal(number, "the line", f"expected one JSON object, {error}") from None
    if not isinstance(found, dict):
        raise _error(number, "the line", "one JSON object", found)
    fields = cast("dict[str, Any]", found)
    do = fields.get("do")
    if is_first or do == "genesis":
        if not is_first or do != "genesis":
            raise _error(number, "do", '"genesis" on the first line and only there', do)
        checked = _check_object(number, "", fields, GENESIS_FIELDS)
        if checked["at"] != 0:
            raise _error(number, "at", "0", checked["at"])
        _check_founding(number, checked)
        return Action(number, 0, "genesis", checked)
    if not isinstance(do, str) or do not in ACTIONS:
        raise _error(number, "do", "one of " + ", ".join(ACTIONS), do)
    shape = {"at": Field("integer"), "do": Field("text"), **ACTIONS[do], **({} if do in NO_RECORDS else SIGNED)}
    if do == "propose":
        shape |= PROPOSALS.get(str(fields.get("what")), {})
    if do == "show" and fields.get("what") in ("member", "claim", "code", "plan"):
        shape["name"] = Field("text")
    checked = _check_object(number, "", fields, shape)
    at = checked.pop("at")
    checked.pop("do")
    for name, height in (("at", at), ("to", checked.get("to"))):
        if isinstance(height, int) and height > HEIGHT_MAX:
            raise _error(number, name, f"a height of at most {HEIGHT_MAX}", height)
    return Action(number, at, do, checked)


def _check_object(line: int, path: str, found: Any, shape: dict[str, Field]) -> dict[str, Any]:
    """Return an object with defaults filled in, every field of its shape and no other."""
    if not isinstance(found, dict):
        raise _error(line, path.rstrip(".") or "the line", "an object", found)
    given = cast("dict[str, Any]", found)
    for name in given:
        if name not in shape:
            raise _error(line, path + name, "one of " + ", ".join(shape), name)
    checked: dict[str, Any] = {}
    for name, field in shape.items():
        if name not in given:
            if field.default is ABSENT:
                raise _error(line, path + name, _expected(field), "nothing")
            checked[name] = field.default
        else:
            checked[name] = _check_field(line, path + name, given[name], field)
    return checked


def _check_founding(line: int, fields: dict[str, Any]) -> None:
    """Refuse a first line whose parts contradict each other, by the field that does."""
    names = [plan["name"] for plan in fields["plans"]]
    for kind in ("plans", "members"):
        _check_once(line, kind, [item["name"] for item in fields[kind]], ".name")
    for kind in ("providers", "signers", "attesters", "verifiers"):
        _check_once(line, kind, list(fields[kind]), "")
    _check_once(line, "codes", [(item["system"], item["code"]) for item in fields["codes"]], ".code")
    for index, member in enumerate(fields["members"]):
        if member["plan"] not in names:
            known = " or ".join(names) if names else "none is given"
            raise _error(line, f"members[{index}].plan", f"the name of a plan of this line ({known})", member["plan"])
        if member["record"][1] > FIGURE_MAX:
            expected = f"[denied, voted] with denied <= voted <= {FIGURE_MAX}"
            raise _error(line, f"members[{index}].record", expected, list(member["record"]))
    signers, needed = len(fields["signers"]), fields["signers_needed"]
    if signers and not 1 <= needed <= signers:
        raise _error(line, "signers_needed", f"an integer of 1 to {signers}, the number of signers", needed)


def _check_once(line: int, path: str, names: list[Any], field: str) -> None:
    """Refuse a name that stands twice in a list."""
    for index, name in enumerate(names):
        if name in names[:index]:
            expected = f"a name of its own ({path}[{names.index(name)}]{field} has this one)"
            raise _error(line, f"{path}[{index}]{field}", expected, name if isinstance(name, str) else name[-1])


def _expected(field: Field) -> str:
    """Return a field's shape in words."""
    integer = "an integer of 0 or more" if field.most == INT_MAX else f"an integer of 0 to {field.most}"
    if field.options:
        integer = "one of " + ", ".join(map(str, field.options))
    words = {
        "text": "text",
        "integer": integer,
        "flag": "true or false",
        "texts": "a list of texts",
        "record": "[denied, voted] with denied <= voted",
        "params": "an object of parameter names and integers",
        "accounts": '{"claims": cents, "reserve": cents}',
        "objects": f"a list of {field.shape} objects",
    }[field.kind]
    if field.choices:
        words = "one of " + ", ".join(field.choices)
    return words + (" or null" if field.is_nullable else "")


def _is_integer(value: Any, most: int = INT_MAX) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= most


def _is_text(value: Any) -> bool:
    is_text = isinstance(value, str) and not any("\ud800" <= letter <= "\udfff" for letter in value)
    return is_text and len(value) <= TEXT_MAX and unicodedata.normalize("NFC", value) == value


def _check_field(line: int, path: str, value: Any, field: Field) -> Any:
    """Return a field's checked value."""
    if value is None and field.is_nullable:
        return field.default if field.default is not ABSENT else None
    kind = field.kind
    if kind in ("texts", "objects", "record"):
        return _check_list(line, path, value, field)
    if kind in ("params", "accounts"):
        return _check_named(line, path, value, field)
    is_fine = (
        (kind == "text" and _is_text(value) and (not field.choices or value in field.choices))
        or (kind == "integer" and _is_integer(value, field.most) and (not field.options or value in field.options))
        or (kind == "flag" and isinstance(value, bool))
    )
    if not is_fine:
        raise _error(line, path, _expected_of(field, value), value)
    return value


def _expected_of(field: Field, value: Any) -> str:
    """Return a field's shape in words, with the bound that a value of the right kind has passed."""
    if field.kind == "integer" and not field.options and field.most == INT_MAX and _is_integer(value, 10**400):
        return f"an integer of at most {INT_MAX}"
    if field.kind == "text" and not field.choices and isinstance(value, str):
        return f"text of at most {TEXT_MAX} characters in Unicode form NFC"
    return _expected(field)


def _check_list(line: int, path: str, value: Any, field: Field) -> Any:
    """Return a checked list, its items named by their place."""
    if not isinstance(value, list):
        raise _error(line, path, _expected(field), value)
    items = cast("list[Any]", value)
    if field.kind == "record":
        if not (len(items) == 2 and all(map(_is_integer, items)) and items[0] <= items[1]):
            raise _error(line, path, _expected(field), value)
    elif field.kind == "texts":
        for index, item in enumerate(items):
            _check_field(line, f"{path}[{index}]", item, Field("text"))
    else:
        if field.shape == "line" and not items:
            raise _error(line, path, "at least one line", value)
        return tuple(
            _check_object(line, f"{path}[{index}].", item, OBJECTS[field.shape]) for index, item in enumerate(items)
        )
    return tuple(items)


def _check_named(line: int, path: str, value: Any, field: Field) -> Any:
    """Return checked parameters or balances, each named."""
    if not isinstance(value, dict):
        raise _error(line, path, _expected(field), value)
    for name, item in cast("dict[str, Any]", value).items():
        where = f"{path}.{name}"
        if field.kind == "accounts":
            if name not in ("claims", "reserve"):
                raise _error(line, where, "claims or reserve", name)
            _check_field(line, where, item, Field("integer", most=ACCOUNT_MAX))
            continue
        parameter = PARAMETERS.get(name)
        if parameter is None:
            raise _error(line, where, "the name of a parameter of the rules", name)
        if not _is_integer(item, parameter.value_max) or item < parameter.value_min:
            expected = f"an integer of {parameter.value_min} to {parameter.value_max} {parameter.unit}"
            raise _error(line, where, expected, item)
    return cast("Any", value)
