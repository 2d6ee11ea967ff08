"""Bytes to resources: one resource, a Bundle, or NDJSON (one resource a line), validated against FHIR R4.

There are two kinds of failure. Bytes that are not JSON, or JSON that is not FHIR, end with one `MutuaError` with line
and column. Resources that are not valid R4 become reasons in `FhirFile.refusals`, so that a person sees all of them at
once. Validation is by `fhir.resources` (its R4B models serve R4 4.0.1 for the resources used here); it does not know
the required code lists, so `mapping` checks those it relies on. It is a check of shape, not of profiles.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from decimal import Decimal
from typing import Any, cast

from ledger.errors import MutuaError
from node.bridges.fhir.values import FhirFile, FhirResource, Refusal, fields_of

FILE_SIZE_MAX = 256 * 1024 * 1024
"""A generated patient with a whole life of visits is 7 MB; more than this belongs in several files."""
RESOURCES_MAX = 200_000
DEPTH_MAX = 64
"""Levels of nesting inside a resource; the deepest real resource stays below 20."""
DIGITS_MAX = 30
"""Digits of a number, and the size of its exponent; FHIR asks for 18."""
REASONS_PER_RESOURCE_MAX = 20
CLAIM_KINDS = frozenset(("Claim", "Encounter"))
PROVIDER_KINDS = frozenset(("Organization", "Practitioner", "PractitionerRole"))
KINDS = CLAIM_KINDS | PROVIDER_KINDS
_UUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")

Json = dict[str, Any]


def read_fhir(data: bytes) -> FhirFile:
    """Return the resources of a file. MutuaError `fhir_malformed` when it is not JSON or not FHIR."""
    if len(data) > FILE_SIZE_MAX:
        raise _too_large(f"the file has {len(data)} bytes, more than {FILE_SIZE_MAX}")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise _malformed(f"line {line} is not UTF-8 (byte {error.start})", "save the file as UTF-8 JSON") from None
    resources: list[FhirResource] = []
    ignored: Counter[str] = Counter()
    for where, value in _documents(text):
        for resource in _resources_of(value, where):
            if resource.kind not in KINDS:
                ignored[resource.kind] += 1
                continue
            resources.append(resource)
            if len(resources) > RESOURCES_MAX:
                raise _too_large(f"the file has more than {RESOURCES_MAX} resources")
    claims = [resource.content for resource in resources if resource.kind == "Claim"]
    # only providers that claims refer to are validated: a file may hold thousands
    wanted = {str(fields_of(claim.get("provider")).get("reference", "")) for claim in claims}
    checked = [item for item in resources if item.kind in CLAIM_KINDS or not wanted.isdisjoint(keys_of(item))]
    refusals = tuple(refusal for resource in checked for refusal in _invalid_parts(resource))
    return FhirFile(tuple(resources), tuple(sorted(ignored.items())), refusals)


def keys_of(resource: FhirResource) -> frozenset[str]:
    """Return every spelling by which a reference inside the file may name this resource."""
    keys = {resource.full_url} if resource.full_url else set[str]()
    if resource.id:
        keys.add(f"{resource.kind}/{resource.id}")
        if _UUID.fullmatch(resource.id):
            keys.add(f"urn:uuid:{resource.id}")
    return frozenset(keys)


def _too_large(what: str) -> MutuaError:
    return MutuaError("fhir_too_large", what, "split it by patient or by month")


def _malformed(what: str, hint: str = "export the file again") -> MutuaError:
    return MutuaError("fhir_malformed", what, hint)


# ---- JSON ---------------------------------------------------------------------------------------------------------


def _documents(text: str) -> list[tuple[str, Json]]:
    """Return (place, JSON object) of each document: one for plain JSON, one a line for NDJSON."""
    if not text.strip():
        raise _malformed("the file is empty", "export a Claim, a Bundle or NDJSON from the provider's system")
    try:
        return [("file", _object(_parse(text), 1))]
    except json.JSONDecodeError as error:
        if not (error.msg == "Extra data" and "\n" in text[: error.pos]):
            raise _not_json(error.lineno, error) from None
    documents: list[tuple[str, Json]] = []
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        try:
            documents.append((f"line {number}", _object(_parse(line), number)))
        except json.JSONDecodeError as error:
            raise _not_json(number, error) from None
    return documents


def _parse(text: str) -> Any:
    """Return a JSON value with exact numbers; JSONDecodeError names the place."""
    try:
        return json.loads(
            text, parse_float=_decimal, parse_int=_integer, parse_constant=_no_constant, object_pairs_hook=_members
        )
    except RecursionError:
        raise _malformed("the JSON is nested too deeply to be FHIR") from None


def _not_json(line: int, error: json.JSONDecodeError) -> MutuaError:
    what = f"the file is not JSON: line {line}, column {error.colno}: {error.msg}"
    return _malformed(what, "export the file again, or correct that line")


def _object(value: Any, line: int) -> Json:
    if not isinstance(value, dict):
        what = f"line {line} holds JSON that is not a FHIR resource"
        raise _malformed(what, "give one resource, a Bundle, or one resource a line")
    return cast("Json", value)


def _members(pairs: list[tuple[str, Any]]) -> Json:
    """Return an object; a name given twice would let two readers see two claims, so it is refused."""
    members = dict(pairs)
    if len(members) != len(pairs):
        name = next(name for name, count in Counter(name for name, _ in pairs).items() if count > 1)
        hint = "export the file again: readers would disagree on its meaning"
        raise _malformed(f"a JSON object gives {name!r} twice", hint)
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


def _too_long(text: str) -> MutuaError:
    return _malformed(f"the number {text[:40]} has more than {DIGITS_MAX} digits", "write amounts as plain decimals")


def _no_constant(text: str) -> Any:
    raise _malformed(f"{text} is not a valid JSON number", "leave out what is unknown")


# ---- FHIR ---------------------------------------------------------------------------------------------------------


def _resources_of(value: Json, where: str) -> list[FhirResource]:
    """Return the resources of one document: itself, or the entries of a Bundle."""
    if value.get("resourceType") != "Bundle":
        return [_resource(value, "", where)]
    entries: Any = value.get("entry", [])
    if not isinstance(entries, list):
        raise _malformed(f"Bundle.entry in {where} is not a list")
    resources: list[FhirResource] = []
    for number, entry in enumerate(cast("list[Any]", entries)):
        place = f"entry {number}" if where == "file" else f"{where}, entry {number}"
        if not isinstance(entry, dict):
            raise _malformed(f"Bundle.entry[{number}] is not an object")
        members = cast("Json", entry)
        inner: Any = members.get("resource")
        if inner is None:  # an entry that only answers or deletes carries nothing to import
            continue
        if not isinstance(inner, dict):
            raise _malformed(f"Bundle.entry[{number}].resource is not an object")
        url: Any = members.get("fullUrl", "")
        resources.append(_resource(cast("Json", inner), url if isinstance(url, str) else "", place))
    return resources


def _resource(content: Json, full_url: str, where: str) -> FhirResource:
    kind: Any = content.get("resourceType")
    if not isinstance(kind, str) or not kind:
        raise _malformed(f"the JSON in {where} has no resourceType", "give FHIR R4 resources")
    if kind == "Bundle":
        raise _malformed(f"there is a Bundle inside a Bundle in {where}", "export the inner bundle as a separate file")
    identity: Any = content.get("id")
    return FhirResource(kind, identity if isinstance(identity, str) else "", full_url, where, content)


def _invalid_parts(resource: FhirResource) -> list[Refusal]:
    """Return a reason for each part of a resource that is not FHIR R4; values may be private and are not repeated."""

    def invalid(path: str, what: str) -> Refusal:
        hint = "ask the provider's system for valid FHIR R4 (4.0.1)"
        return Refusal(resource.label, path, "fhir_invalid", what, hint)

    if _depth_exceeds(resource.content, DEPTH_MAX):
        return [invalid(resource.kind, f"nested more than {DEPTH_MAX} levels deep")]
    if _has_lone_surrogate(resource.content):
        return [invalid(resource.kind, "holds text that is not Unicode (a lone surrogate)")]
    import pydantic

    try:
        _model_of(resource.kind).model_validate(resource.content)
    except pydantic.ValidationError as error:
        details = error.errors(include_url=False, include_input=False)[:REASONS_PER_RESOURCE_MAX]
        return [
            invalid(_path_of(resource.kind, item["loc"]), f"not valid FHIR R4: {_plain(item['msg'])}")
            for item in details
        ]
    return []


def _model_of(kind: str) -> Any:
    """Return the R4 model of a resource type, imported late: the models take 0.3 s and 40 MB."""
    from importlib import import_module

    return getattr(import_module(f"fhir.resources.R4B.{kind.lower()}"), kind)


def _path_of(kind: str, location: tuple[int | str, ...]) -> str:
    """Return a readable path.

    >>> _path_of("Claim", ("item", 0, "net", "value"))
    'Claim.item[0].net.value'
    """
    path = kind
    for part in location:
        path += f"[{part}]" if isinstance(part, int) else f".{part}"
    return path


def _plain(message: str) -> str:
    return " ".join(message.removeprefix("Value error, ").split())[:160].rstrip(".")


def _depth_exceeds(value: Any, levels: int) -> bool:
    """True iff `value` is nested more than `levels` deep; walks level by level, so that depth cannot overflow it."""
    level: list[Any] = [value]
    for _ in range(levels + 1):
        below: list[Any] = []
        for item in level:
            if isinstance(item, dict):
                below.extend(cast("Json", item).values())
            elif isinstance(item, list):
                below.extend(cast("list[Any]", item))
        if not below:
            return False
        level = below
    return True


def _has_lone_surrogate(value: Any) -> bool:
    """True iff text in `value` cannot be written as UTF-8; called after the depth check."""
    if isinstance(value, dict):
        return any(_has_lone_surrogate(part) for pair in cast("Json", value).items() for part in pair)
    if isinstance(value, list):
        return any(_has_lone_surrogate(item) for item in cast("list[Any]", value))
    return isinstance(value, str) and any("\ud800" <= letter <= "\udfff" for letter in value)
