"""What a reference names, however it is spelled: relative, with a server's address, as a URN, or by an identifier.

A name is `Type/id`, `urn:uuid:…` or `Type?identifier=system|value`. The server's address is kept beside it, because two
servers may both hold `Patient/1`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import Any, cast
from urllib.parse import parse_qsl

from node.bridges.fhir.values import fields_of

_UUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_RESTFUL = re.compile(
    r"(?:(?P<base>https?://[^?#]+)/)?(?P<type>[A-Z][A-Za-z]+)/(?P<id>[A-Za-z0-9.-]{1,64})"
    r"(?:/_history/[A-Za-z0-9.-]{1,64})?"
)
_CONDITIONAL = re.compile(r"(?:(?P<base>https?://[^?#]+)/)?(?P<type>[A-Z][A-Za-z]+)\?(?P<query>[^#]+)")
URN = "urn:uuid:"

Named = tuple[str, str]
"""(address of a server or empty, name)."""


@lru_cache(maxsize=4096)
def parsed(reference: str) -> Named:
    """Return the server and the name in a reference; its version does not matter.

    >>> parsed("https://A.example/fhir/Encounter/1/_history/4")
    ('a.example/fhir', 'Encounter/1')
    >>> parsed("Practitioner?identifier=urn:npi%7C7")
    ('', 'Practitioner?identifier=urn:npi|7')
    """
    if reference[: len(URN)].lower() == URN:
        return "", reference.lower()
    if match := _RESTFUL.fullmatch(reference):
        return _address(match["base"]), f"{match['type']}/{_id(match['id'])}"
    if match := _CONDITIONAL.fullmatch(reference):
        asked = parse_qsl(match["query"])
        if [name for name, _ in asked] == ["identifier"]:
            return _address(match["base"]), identified(match["type"], asked[0][1])
    return "", reference


def identified(kind: str, spelling: str) -> str:
    """Return the name of a resource that is known by an identifier, `system|value` or a bare value."""
    return f"{kind}?identifier={spelling}"


def names_of(kind: str, identity: str, full_url: str, identifiers: Any) -> tuple[str, tuple[str, ...]]:
    """Return (address of its server or empty, names) of a resource in a file."""
    base, name = parsed(full_url) if full_url else ("", "")
    names = [name] if name.startswith((URN, f"{kind}/")) else []
    if identity:
        names.append(f"{kind}/{_id(identity)}")
        if _UUID.fullmatch(identity):
            names.append(f"{URN}{identity.lower()}")
    names += [identified(kind, spelling) for spelling in spellings(identifiers)]
    return base, tuple(dict.fromkeys(names))


def spellings(identifiers: Any) -> Iterator[str]:
    """Yield `system|value` and the bare value of each Identifier that is not an old one."""
    given = cast("list[Any]", identifiers) if isinstance(identifiers, list) else [identifiers]
    for identifier in given:
        members = fields_of(identifier)
        value, system = members.get("value"), members.get("system")
        if not isinstance(value, str) or not value or members.get("use") == "old":
            continue
        if isinstance(system, str) and system:
            yield f"{system}|{value}"
        yield value


def local_name(kind: str, name: str) -> str:
    """Return `Type/id` for a URN whose resource is not in the file: servers keep the UUID as the id.

    >>> local_name("Encounter", "urn:uuid:7")
    'Encounter/7'
    """
    return f"{kind}/{name.removeprefix(URN)}" if name.startswith(URN) else name


def _id(text: str) -> str:
    return text.lower() if _UUID.fullmatch(text) else text


def _address(base: str | None) -> str:
    """Return a server's address without its scheme, which is http or https by chance."""
    if not base:
        return ""
    host, slash, path = base.partition("//")[2].partition("/")
    return f"{host.lower()}{slash}{path}".rstrip("/")
