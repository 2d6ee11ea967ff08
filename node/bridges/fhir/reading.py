"""A file of FHIR R4 as its resources: where each is, and one at a time what it says.

There are two kinds of failure. Bytes that are not JSON, or JSON that is not FHIR, end with one `MutuaError` that names
the place. Resources that are not valid R4 become reasons, so that a person sees all of them at once. One pass notes
where each resource is; after it a resource is read again from its place when it is asked for, so memory holds one.
"""

from __future__ import annotations

from array import array
from collections import Counter
from functools import lru_cache
from pathlib import Path
from typing import Any, cast

import msgspec

from node.bridges.fhir.exact import OddJsonError, exact
from node.bridges.fhir.pages import Page, missing_pages, page_of
from node.bridges.fhir.places import Places
from node.bridges.fhir.references import names_of, parsed
from node.bridges.fhir.scanning import BundleEnd, Span, fault_of, malformed, scan
from node.bridges.fhir.shape import faults_of
from node.bridges.fhir.source import Source
from node.bridges.fhir.values import FhirResource, Refusal, Unmappable, fields_of

KINDS = frozenset(("Claim", "Encounter", "Organization", "Practitioner", "PractitionerRole", "Patient"))
"""Resource types that a claim is made of."""
CACHED_MAX = 256
"""Referenced resources kept in memory: claims of one visit stand together, and providers are few."""

Json = dict[str, Any]


class _Resource(msgspec.Struct):
    resourceType: Any = None  # noqa: N815 (FHIR's name)
    id: Any = None
    identifier: Any = None


class _Entry(msgspec.Struct):
    resource: _Resource | None = None
    fullUrl: Any = None  # noqa: N815
    search: Any = None


_ENTRY, _RESOURCE = msgspec.json.Decoder(_Entry), msgspec.json.Decoder(_Resource)


class FhirFile:
    """A file as read: its claims in order, and whatever they refer to."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._offsets, self._spans = array("Q"), array("I")
        """Of each resource that may be used: its offset; its size, line and entry."""
        self._places = Places()
        self._documents = 0
        self._find_once = lru_cache(CACHED_MAX)(self._find)
        self.claims = array("Q")
        """Numbers of the claims, in the order of the file."""
        self.bundles: list[Refusal] = []
        """What is wrong with the Bundles themselves."""
        pages: list[Page] = []
        self.ignored = tuple(sorted(self._index(pages).items()))
        """(resource type, count) of what no claim is made of, sorted by type."""
        self.missing_pages = missing_pages(pages)
        """A sentence when the file holds only some pages of a search's answer, else empty."""

    def resource(self, number: int) -> FhirResource:
        """Return a resource by its number; its numbers are exact."""
        offset, (size, line, entry) = self._offsets[number], self._spans[3 * number : 3 * number + 3]
        span = Span(offset, self._source.read_at(offset, size), line, entry)
        content: Any = self._exact(span)
        full_url: Any = ""
        if entry:
            full_url, content = content.get("fullUrl"), content.get("resource")
        identity = fields_of(content).get("id")
        where = _where(line, entry) if self._documents > 1 or entry else "file"
        return FhirResource(
            kind=str(content["resourceType"]),
            id=identity if isinstance(identity, str) else "",
            full_url=full_url if isinstance(full_url, str) else "",
            where=where,
            content=content,
        )

    def earlier_twin(self, number: int, claim: FhirResource) -> FhirResource | None:
        """Return the first resource of the file that bears all names of claim `number`, if it stands before it."""
        named = _named(claim)
        for name in named[1][:1]:
            for other in self._places.find(name):
                if other >= number:
                    break
                if _named(found := self.resource(other)) == named:
                    return found
        return None

    def find(self, reference: str, server: str, path: str) -> FhirResource | None:
        """Return the resource a reference names, whatever its version; None when it is elsewhere.

        A relative reference means the server of whoever refers, `server`. An address may differ only from a resource
        that states none. Unmappable `fhir_duplicate_id` when several may be meant.
        """
        first, other = self._find_once(reference, server)
        if first is not None and other is not None:
            what = f"{first.where} and {other.where} hold different resources named {parsed(reference)[1]}"
            raise Unmappable(path, "fhir_duplicate_id", what, "keep one version of each resource")
        return first

    def _find(self, reference: str, server: str) -> tuple[FhirResource | None, FhirResource | None]:
        """Return the resource a reference names, and another that it may mean as well."""
        base, name = parsed(reference)
        server = base or server
        found = [item for item in map(self.resource, self._places.find(name)) if name in _named(item)[1]]
        meant = [item for item in found if _named(item)[0] == server] or [
            item for item in found if not (server and _named(item)[0])
        ]
        first = meant[0] if meant else None
        return first, next((item for item in meant[1:] if first and not is_same(first, item)), None)

    def check_unchanged(self) -> None:
        """Raise MutuaError unless the file is still what it was when it was opened."""
        self._source.check_unchanged()

    # ---- The pass over the file -------------------------------------------------------------------------------------

    def _index(self, pages: list[Page]) -> Counter[str]:
        ignored, matches = Counter[str](), 0
        for part in scan(self._source.read_at):
            if isinstance(part, BundleEnd):
                content = {name: self._exact(span) for name, span in part.members.items()}
                self.bundles += [it.refusal("Bundle", f"line {part.line}") for it in faults_of(content, "Bundle")]
                pages.append(page_of(content, matches))
                self._documents, matches = self._documents + 1, 0
                continue
            self._documents += not part.entry
            entry = self._header(part)
            resource = entry.resource
            if resource is None:  # an entry that only answers or deletes carries nothing to import
                continue
            kind = self._kind(resource.resourceType, part)
            matches += fields_of(entry.search).get("mode", "match") == "match"
            if kind in KINDS:
                self._note(part, kind, _names(kind, resource.id, entry.fullUrl, resource.identifier)[1])
            else:
                ignored[kind] += 1
        return ignored

    def _note(self, span: Span, kind: str, names: tuple[str, ...]) -> None:
        number = len(self._offsets)
        self._offsets.append(span.offset)
        self._spans.extend((len(span.text), span.line, span.entry))
        if kind == "Claim":
            self.claims.append(number)
        for name in names:
            self._places.add(name, number)

    def _header(self, span: Span) -> _Entry:
        """Return what the index needs of an entry or a resource."""
        try:
            return _ENTRY.decode(span.text) if span.entry else _Entry(_RESOURCE.decode(span.text))
        except (msgspec.MsgspecError, UnicodeDecodeError):
            value = self._exact(span)  # says what is wrong, or reads what only the fast reader cannot
        if not isinstance(value, dict):
            raise malformed(f"{_where(span.line, span.entry)} of the file is not an object")
        content = cast("Json", value)
        resource: Any = content.get("resource") if span.entry else content
        if resource is not None and not isinstance(resource, dict):
            raise malformed(f"the resource of {_where(span.line, span.entry)} is not an object")
        given = cast("Json", resource)
        head = _Resource(given.get("resourceType"), given.get("id"), given.get("identifier")) if given else None
        return _Entry(head, content.get("fullUrl"), content.get("search"))

    def _kind(self, kind: Any, span: Span) -> str:
        if not isinstance(kind, str) or not kind:
            raise malformed(
                f"the JSON in {_where(span.line, span.entry)} has no resourceType", "give FHIR R4 resources"
            )
        if kind == "Bundle":
            what = f"there is a Bundle inside a Bundle in {_where(span.line, span.entry)}"
            raise malformed(what, "export the inner bundle as a separate file")
        return kind

    def _exact(self, span: Span) -> Any:
        try:
            return exact(span.text)
        except OddJsonError as error:
            raise malformed(f"{error.what} ({_where(span.line, span.entry)})", error.hint) from None
        except (ValueError, RecursionError):
            raise fault_of(self._source.read_at, span.offset, span.text) from None


def read_fhir(source: bytes | Path) -> FhirFile:
    """Return the resources of a file.

    MutuaError `fhir_malformed` when it is not JSON or not FHIR, `fhir_unreadable` when it cannot be read.
    """
    return FhirFile(Source(source))


def is_same(one: FhirResource, other: FhirResource) -> bool:
    """True iff two resources say the same, but for what a server rewrites at every export."""
    left_out = ("meta", "text")
    first, second = (
        {name: value for name, value in item.content.items() if name not in left_out} for item in (one, other)
    )
    return first == second


def _named(resource: FhirResource) -> tuple[str, tuple[str, ...]]:
    return _names(resource.kind, resource.id, resource.full_url, resource.content.get("identifier"))


def _names(kind: str, identity: Any, full_url: Any, identifiers: Any) -> tuple[str, tuple[str, ...]]:
    """Return (server, names); a claim's own identifiers are no names, because nothing refers to a claim by them."""
    return names_of(
        kind,
        identity if isinstance(identity, str) else "",
        full_url if isinstance(full_url, str) else "",
        None if kind == "Claim" else identifiers,
    )


def _where(line: int, entry: int) -> str:
    """Return a place for people; a file of one Bundle is one document, of which only the entry counts."""
    if entry:
        return f"entry {entry}" if line == 1 else f"line {line}, entry {entry}"
    return f"line {line}"
