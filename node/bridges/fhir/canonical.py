"""Canonical JSON of a resource, so that one source is imported once however it was printed.

FHIR's own canonical form `http://hl7.org/fhir/canonicalization/json#static`: `text` (the narrative) and `meta` (which a
server rewrites at every export) are left out; names sorted by code point, no spaces, UTF-8. Beyond it, numbers lose
trailing zeros, so 125, 125.0 and 1.25e2 are one number.
"""

from __future__ import annotations

import json
from decimal import Decimal
from hashlib import sha256
from typing import Any, cast

_LEFT_OUT = frozenset(("text", "meta"))


def source_hash_of(resource: dict[str, Any]) -> bytes:
    """Return SHA-256 over the canonical JSON of a resource.

    >>> a = source_hash_of({"id": "1", "resourceType": "Claim", "meta": {"versionId": "7"}})
    >>> a == source_hash_of({"resourceType": "Claim", "id": "1"})
    True
    """
    static = {name: value for name, value in resource.items() if name not in _LEFT_OUT}
    return sha256(canonical_json(static).encode()).digest()


def canonical_json(value: Any) -> str:
    """Return the canonical text of a JSON value; numbers are integers or decimals.

    >>> canonical_json({"b": [True, None, Decimal("125.50")], "a": "é"})
    '{"a":"é","b":[true,null,125.5]}'
    """
    if isinstance(value, dict):
        members = cast("dict[str, Any]", value)
        return "{" + ",".join(f"{_text(name)}:{canonical_json(members[name])}" for name in sorted(members)) + "}"
    if isinstance(value, list):
        return "[" + ",".join(canonical_json(item) for item in cast("list[Any]", value)) + "]"
    if isinstance(value, Decimal):
        return _number(value)
    if isinstance(value, str):
        return _text(value)
    return json.dumps(value)


def _text(value: str) -> str:
    return json.dumps(value, ensure_ascii=False)


def _number(value: Decimal) -> str:
    """Return a decimal without exponent and trailing zeros. `reading` bounds exponents, so this stays short."""
    plain = format(value, "f")
    if "." in plain:
        plain = plain.rstrip("0").rstrip(".")
    return "0" if plain in ("-0", "") else plain
