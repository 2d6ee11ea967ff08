"""The charter as a TOML file that founders read: bytes as hex, figures as integers, a field that is None left out."""

from __future__ import annotations

import json
import tomllib
from codecs import BOM_UTF8
from collections.abc import Iterator
from functools import cache
from types import NoneType, UnionType
from typing import Any, TypeVar, Union, cast, get_args, get_origin, get_type_hints

from ledger.charter_checks import CHARTER_SIZE_MAX, invalid
from ledger.codec import INT_MAX, Shape, decode
from ledger.genesis import Charter, Founder, chain_id_of

S = TypeVar("S", bound=Shape)


def charter_from_file(data: bytes) -> Charter:
    """Return the charter in a file's bytes, TOML or canonical. A sealed file carries its `chain_id`, which must fit."""
    if len(data) > CHARTER_SIZE_MAX:
        raise invalid("file", f"has {len(data)} bytes, more than {CHARTER_SIZE_MAX}", "name a charter file")
    if data[:1] >= b"\x80" and not data.startswith(BOM_UTF8):  # a msgpack array; no TOML document begins like this
        return decode(Charter, data)
    table = _load_toml(data)
    chain_id = table.pop("chain_id", None)
    charter = _read(Charter, table, "")
    if chain_id is not None and chain_id != chain_id_of(charter).hex():
        what = "is not that of the rest of the file"
        raise invalid("chain_id", what, "it was changed after it was sealed: fetch the sealed one again")
    return charter


def founder_from_file(data: bytes) -> Founder:
    """Return the founder's entry in a TOML file's bytes."""
    if len(data) > CHARTER_SIZE_MAX:
        raise invalid("file", "is too big for a founder's entry", "name the entry that mutua init wrote")
    return _read(Founder, _load_toml(data), "")


def charter_to_toml(charter: Charter, *, is_sealed: bool = False) -> str:
    """Return the readable file. `is_sealed` puts the chain id at its head, which fixes every byte below."""
    lines = ["# The charter of a co-op. Figures are whole numbers in minor units of its currency; keys are hex."]
    if is_sealed:
        lines += [f"# Sealed: founders compare this id by voice.\nchain_id = {_toml_value(chain_id_of(charter).hex())}"]
    lines += _write(charter, "")
    return "\n".join(lines) + "\n"


def founder_to_toml(founder: Founder) -> str:
    """Return a founder's entry as a file that can be sent to whoever collects them."""
    return "\n".join(["# A founder's entry, signed by its identity key.", *_write(founder, "")]) + "\n"


def charter_to_json(charter: Charter) -> dict[str, Any]:
    """Return the charter as JSON-ready values, with its chain id."""
    return {"chain_id": chain_id_of(charter).hex(), **_plain(charter)}


def _load_toml(data: bytes) -> dict[str, Any]:
    try:  # editors may put a byte order mark first
        return tomllib.loads(data.decode("utf-8-sig"))
    except (UnicodeDecodeError, tomllib.TOMLDecodeError, RecursionError) as error:
        raise invalid("file", f"is not TOML ({error})", "correct that place, or fetch the file again") from None


def _plain(shape: Shape) -> dict[str, Any]:
    """Return a shape as a dict with hex for bytes; the pairs of `params` become a dict."""
    return {name: _plain_value(name, getattr(shape, name)) for name in shape.__struct_fields__}


def _plain_value(name: str, value: object) -> Any:
    if name == "params":
        return dict(cast("tuple[tuple[str, int], ...]", value))
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, Shape):
        return _plain(value)
    if isinstance(value, tuple):
        return [_plain_value("", item) for item in cast("tuple[object, ...]", value)]
    return value


def _write(shape: Shape, header: str) -> list[str]:
    """Return the lines of a table: plain values first, then sub-tables, as TOML wants it."""
    lines = [header] if header else []
    tables: list[str] = []
    for name, value in _plain(shape).items():
        if value is None:
            continue
        if isinstance(value, dict):
            inner = cast("dict[str, Any]", value)
            tables += ["", f"[{name}]"]
            tables += [f"{key} = {_toml_value(item)}" for key, item in inner.items() if item is not None]
        elif isinstance(getattr(shape, name), tuple) and _item_shape(type(shape), name) is not None:
            for item in getattr(shape, name):
                tables += ["", *_write(item, f"[[{name}]]")]
        else:
            lines.append(f"{name} = {_toml_value(value)}")
    return lines + tables


def _toml_value(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, str):
        # A JSON string is a TOML basic string, but for DEL, which TOML wants escaped.
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    return "[" + ", ".join(_toml_value(item) for item in cast("list[object]", value)) + "]"


@cache
def _hints(shape: type[Shape]) -> dict[str, Any]:
    return {name: hint for name, hint in get_type_hints(shape).items() if name in shape.__struct_fields__}


def _item_shape(shape: type[Shape], name: str) -> type[Shape] | None:
    """Return T for a field `tuple[T, ...]` of shapes."""
    args = get_args(_hints(shape)[name])
    return args[0] if args and isinstance(args[0], type) and issubclass(args[0], Shape) else None


def _read(shape: type[S], table: object, where: str) -> S:
    """Return the shape that a TOML table holds; every field by name, none unknown."""
    if not isinstance(table, dict):
        raise invalid(where or "file", "is not a table")
    fields = cast("dict[str, object]", table)
    hints = _hints(shape)
    unknown = sorted(fields.keys() - hints.keys())
    if unknown:
        raise invalid(f"{where}{unknown[0]}", "is not a field of a charter", "remove it, or correct its spelling")
    return shape(**{name: _read_value(hint, fields.get(name), f"{where}{name}", name) for name, hint in hints.items()})


def _read_value(hint: Any, value: object, where: str, name: str) -> object:
    origin, args = get_origin(hint), get_args(hint)
    if origin in {Union, UnionType}:
        inner = next(arg for arg in args if arg is not NoneType)
        return None if value is None else _read_value(inner, value, where, name)
    if name == "params":
        return tuple(_pairs(value, where))
    if origin is tuple:
        return _read_list(args[0], value, where)
    if value is None:
        raise invalid(where, "is missing", "add it to the charter file")
    if isinstance(hint, type) and issubclass(hint, Shape):
        return _read(hint, value, f"{where}.")
    if hint is bytes:
        return _read_hex(value, where)
    if type(value) is not hint:
        what = f"is {value!r}, not {'a whole number' if hint is int else 'true or false' if hint is bool else 'text'}"
        raise invalid(where, what)
    if isinstance(value, int) and not 0 <= value <= INT_MAX:
        raise invalid(where, f"is {value}, outside 0 .. 2^63-1")
    return value


def _read_list(hint: Any, value: object, where: str) -> tuple[object, ...]:
    if value is None:
        return ()
    if not isinstance(value, list):
        raise invalid(where, "is not a list")
    items = cast("list[object]", value)
    return tuple(_read_item(hint, item, f"{where}[{number}]") for number, item in enumerate(items, start=1))


def _read_item(hint: Any, item: object, where: str) -> object:
    if isinstance(hint, type) and issubclass(hint, Shape):
        return _read(hint, item, f"{where}.")
    return _read_value(hint, item, where, "")


def _pairs(value: object, where: str) -> Iterator[tuple[str, int]]:
    if value is None:
        return
    if not isinstance(value, dict):
        raise invalid(where, "is not a table of names and whole numbers")
    for name, item in sorted(cast("dict[str, object]", value).items()):
        if type(item) is not int or not 0 <= item <= INT_MAX:
            raise invalid(f"{where}.{name}", f"is {item!r}, not a whole number from 0 to 2^63-1")
        yield name, item


def _read_hex(value: object, where: str) -> bytes:
    if isinstance(value, str):
        try:
            data = bytes.fromhex(value)
        except ValueError:
            data = None
        if data is not None and data.hex() == value:
            return data
    raise invalid(where, f"is {value!r}, not lower-case hex")
