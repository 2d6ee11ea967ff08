"""JSON to values, exactly: a number keeps every digit it is written with, and a name given twice is refused."""

from __future__ import annotations

import json
from collections import Counter
from decimal import Decimal
from typing import Any

DIGITS_MAX = 30
"""Digits of a number, and the size of its exponent; FHIR asks for 18."""


class OddJsonError(Exception):
    """JSON whose meaning readers would disagree on."""

    def __init__(self, what: str, hint: str) -> None:
        super().__init__(f"{what}; {hint}")
        self.what = what
        self.hint = hint


def exact(text: bytes) -> Any:
    """Return a JSON value; numbers are int or Decimal. OddJsonError, ValueError or RecursionError.

    >>> exact(b'[10.00, 123456789012345678.90]')
    [Decimal('10.00'), Decimal('123456789012345678.90')]
    """
    return json.loads(
        text.decode(),
        parse_float=_decimal,
        parse_int=_integer,
        parse_constant=_no_constant,
        object_pairs_hook=_members,
    )


def _members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Return an object; a name given twice would let two readers see two claims, so it is refused."""
    members = dict(pairs)
    if len(members) != len(pairs):
        name = next(name for name, count in Counter(name for name, _ in pairs).items() if count > 1)
        hint = "export the file again: readers would disagree on its meaning"
        raise OddJsonError(f"a JSON object gives {name!r} twice", hint)
    return members


def _decimal(text: str) -> Decimal:
    value = Decimal(text)
    exponent = value.as_tuple().exponent
    is_short = len(text) <= 3 * DIGITS_MAX and isinstance(exponent, int) and abs(exponent) <= DIGITS_MAX
    if not is_short or abs(value.adjusted()) > DIGITS_MAX:
        raise _too_long(text)
    return value


def _integer(text: str) -> int:
    if len(text) > DIGITS_MAX:
        raise _too_long(text)
    return int(text)


def _too_long(text: str) -> OddJsonError:
    return OddJsonError(f"the number {text[:40]} has more than {DIGITS_MAX} digits", "write amounts as plain decimals")


def _no_constant(text: str) -> Any:
    raise OddJsonError(f"{text} is not a valid JSON number", "leave out what is unknown")
