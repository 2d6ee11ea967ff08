"""Record bodies as JSON at the local API's edge: bytes are hex, a missing or misshapen field is named."""

from __future__ import annotations

import types
import typing
from functools import cache
from typing import Any

from ledger.codec import INT_MAX, Shape
from ledger.errors import MutuaError


def body_from_json(shape: type[Shape], value: object, where: str = "body") -> Shape:
    """Return the body of JSON. MutuaError `body_shape` names the field that does not fit."""
    if not isinstance(value, dict):
        raise _misfit(where, "an object")
    given = typing.cast("dict[str, object]", value)
    hints = _hints(shape)
    unknown = sorted(set(given) - set(hints))
    if unknown:
        raise MutuaError("body_shape", f"{where} has no field {unknown[0]!r}", f"it has: {', '.join(hints)}")
    fields: dict[str, Any] = {}
    for name, hint in hints.items():
        if name not in given and not _is_optional(hint):
            raise _misfit(f"{where}.{name}", _describe(hint))
        fields[name] = _value(hint, given.get(name), f"{where}.{name}")
    return shape(**fields)


def body_to_json(value: object) -> Any:
    """Return a body, or any part of one, with bytes as hex."""
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, (tuple, list)):
        return [body_to_json(item) for item in typing.cast("list[object]", value)]
    if isinstance(value, Shape):
        return {name: body_to_json(getattr(value, name)) for name in value.__struct_fields__}
    return value


@cache
def _hints(shape: type[Shape]) -> dict[str, Any]:
    return typing.get_type_hints(shape)


def _value(hint: Any, value: object, where: str) -> Any:
    if _is_optional(hint):
        if value is None:
            return None
        hint = next(part for part in typing.get_args(hint) if part is not type(None))
    if hint is bytes:
        try:
            return bytes.fromhex(typing.cast("str", value))
        except (ValueError, TypeError):
            raise _misfit(where, "hexadecimal digits") from None
    if typing.get_origin(hint) is tuple:
        if not isinstance(value, (list, tuple)):
            raise _misfit(where, "a list")
        part = typing.get_args(hint)[0]
        items = typing.cast("list[object]", value)
        return tuple(_value(part, item, f"{where}[{index}]") for index, item in enumerate(items))
    if isinstance(hint, type) and issubclass(hint, Shape):
        return body_from_json(hint, value, where)
    if not isinstance(value, hint) or (hint is int and isinstance(value, bool)):
        raise _misfit(where, _describe(hint))
    if hint is int and not 0 <= typing.cast("int", value) <= INT_MAX:
        raise _misfit(where, "a whole number of 0 to 2^63-1")
    if hint is str and not _is_unicode(typing.cast("str", value)):
        raise _misfit(where, "text")
    return value


def _is_unicode(text: str) -> bool:
    """True unless the text holds half of a surrogate pair, which JSON can write and nothing can encode."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _is_optional(hint: Any) -> bool:
    return typing.get_origin(hint) in (typing.Union, types.UnionType) and type(None) in typing.get_args(hint)


def _describe(hint: Any) -> str:
    names = {int: "a whole number", str: "text", bytes: "hexadecimal digits", bool: "true or false"}
    return names.get(hint, "a list" if typing.get_origin(hint) is tuple else "a value of its kind")


def _misfit(where: str, expected: str) -> MutuaError:
    return MutuaError("body_shape", f"{where} must be {expected}", "see the record kinds in the reference")
