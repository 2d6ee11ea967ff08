"""Bytes of a file to the places of its resources, in one pass that holds one of them at a time.

A file is one resource, a Bundle, or NDJSON (one resource or Bundle a line). A Bundle's entries are found one by one by
their brackets, so its size does not matter; what an entry means is decided later, by whoever needs it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from ledger.errors import MutuaError

CHUNK_SIZE = 1 << 20
ENTRY_SIZE_MAX = 64 << 20
"""Bytes of one entry: one is in memory at a time. A scanned document of many pages stays below."""
LOOK_SIZE = 4096
"""Bytes in memory ahead of the position, so that a name is there whole; no name of FHIR has more than 40."""
DEPTH_MAX = 100
"""Levels of nesting; the deepest real resource stays below 20."""

ReadAt = Callable[[int, int], bytes]
"""(offset, size) to the bytes there; fewer only at the end of the file."""

_STRING = rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"'


def _nested(levels: int) -> bytes:
    """Return the pattern of what stands between two brackets: no step of it can be taken back, so it is linear."""
    inner = rb""
    for _ in range(levels):
        inner = rb'(?:[^"\[\]{}]++|' + _STRING + rb"|[\[{]" + inner + rb"[\]}])*+"
    return inner


_VALUE = re.compile(rb"[\[{]" + _nested(DEPTH_MAX) + rb"[\]}]|" + _STRING + rb'|[^\s,:"\[\]{}]++|[,:\]}]', re.DOTALL)
"""A value, found by its brackets; or what stands in its place, to be refused by whoever reads it. No match: not closed.

The patterns below match in any case, with nothing in their groups."""
_NAME = re.compile(rb"\s*+(?:(" + _STRING + rb")\s*+:\s*+)?", re.DOTALL)
_OPEN = re.compile(rb"([\[{]?)\s*+([\]}]?)\s*+")
_NEXT = re.compile(rb"\s*+([,\]}]?)")
_SPACE = re.compile(rb"\s*+")
_LINE_END = re.compile(rb"[ \t\r]*+(\n?)\s*+")
_OTHER_TYPE = re.compile(rb'(\{\s*+"resourceType"\s*+:\s*+"(?!Bundle")[A-Za-z]++")?')


@dataclass(frozen=True, slots=True)
class Span:
    """One entry of a Bundle, or one resource outside of Bundles."""

    offset: int
    text: bytes
    line: int
    """Line of the file in which its document begins, counted from 1."""
    entry: int
    """Place in its Bundle, counted from 1; 0 outside of Bundles."""


@dataclass(frozen=True, slots=True)
class BundleEnd:
    """A Bundle whose entries have been given: its other members."""

    line: int
    members: dict[str, Span]


def scan(read_at: ReadAt) -> Iterator[Span | BundleEnd]:
    """Yield the entries and resources of a file in their order, and the end of each Bundle."""
    window = _Window(read_at)
    if read_at(0, 3) == b"\xef\xbb\xbf":
        window.seek(3)
    window.take(_SPACE)
    if window.is_at_end():
        raise malformed("the file is empty", "export a Claim, a Bundle or NDJSON from the provider's system")
    while not window.is_at_end():
        yield from _document(window)
        if not window.taken(_LINE_END) and not window.is_at_end():
            raise window.not_json("Extra data")


def malformed(what: str, hint: str = "export the file again") -> MutuaError:
    """Return the error of bytes that are not JSON or not FHIR."""
    return MutuaError("fhir_malformed", what, hint)


def not_json(read_at: ReadAt, offset: int, message: str) -> MutuaError:
    """Return the error of a place that is not JSON."""
    line, column = _place(read_at, offset)
    what = f"the file is not JSON: line {line}, column {column}: {message}"
    return malformed(what, "export the file again, or correct that line")


def _place(read_at: ReadAt, offset: int) -> tuple[int, int]:
    """Return (line, column), both counted from 1."""
    line, start, at = 1, 0, 0
    while at < offset and (chunk := read_at(at, min(CHUNK_SIZE, offset - at))):
        line += chunk.count(b"\n")
        start = at + chunk.rfind(b"\n") + 1 if b"\n" in chunk else start
        at += len(chunk)
    before = read_at(start, min(offset - start, CHUNK_SIZE)).decode("utf-8", "replace")
    return line, len(before.removeprefix("\ufeff")) + 1


def fault_of(read_at: ReadAt, offset: int, text: bytes) -> MutuaError:
    """Return why `text`, which stands at `offset`, is not a JSON value."""
    try:
        json.JSONDecoder(parse_int=str, parse_float=str).raw_decode(text.decode("utf-8"))
    except json.JSONDecodeError as error:
        return not_json(read_at, offset + len(error.doc[: error.pos].encode()), error.msg)
    except UnicodeDecodeError as error:
        at = offset + error.start
        line, _ = _place(read_at, at)
        return malformed(f"line {line} is not UTF-8 (byte {at})", "save the file as UTF-8 JSON")
    except RecursionError:
        pass
    return malformed(f"the JSON is nested too deeply to be FHIR, more than {DEPTH_MAX} levels")


class _Window:
    """The part of the file that is in memory, and a position in it."""

    def __init__(self, read_at: ReadAt) -> None:
        self._read_at = read_at
        self._start, self._text, self._has_ended = 0, b"", False
        self._pos = self._counted = 0
        self._line = 1

    def seek(self, offset: int, line: int = 1) -> None:
        """Go to an offset of the file, which is in `line`."""
        if not self._start <= offset <= self._start + len(self._text):
            self._start, self._text, self._has_ended = offset, b"", False
        self._pos = self._counted = offset - self._start
        self._line = line

    @property
    def offset(self) -> int:
        """Offset of the position in the file."""
        return self._start + self._pos

    @property
    def line(self) -> int:
        """Line of the position, counted from 1."""
        self._line += self._text.count(b"\n", self._counted, self._pos)
        self._counted = self._pos
        return self._line

    def is_at_end(self) -> bool:
        """True iff nothing is left of the file."""
        if self._pos == len(self._text):
            self._more()
        return self._pos == len(self._text)

    def look(self, pattern: re.Pattern[bytes]) -> re.Match[bytes] | None:
        """Return what stands at the position, read as far as it may reach."""
        while len(self._text) - self._pos < LOOK_SIZE and not self._has_ended:
            self._more()
        while True:
            match = pattern.match(self._text, self._pos)
            if self._has_ended or (match is not None and match.end() < len(self._text)):
                return match
            self._more()

    def take(self, pattern: re.Pattern[bytes]) -> re.Match[bytes] | None:
        """Return what stands at the position and go behind it."""
        match = self.look(pattern)
        if match is not None:
            self._pos = match.end()
        return match

    def taken(self, pattern: re.Pattern[bytes]) -> bytes:
        """Return the first group of a pattern that always matches, and go behind the match."""
        match = self.take(pattern)
        return match[1] or b"" if match is not None else b""

    def value(self) -> tuple[int, bytes]:
        """Return (offset, text) of the JSON value at the position and go behind it."""
        at = self.offset
        match = self.take(_VALUE)
        if match is None:
            raise fault_of(self._read_at, at, self._text[self._pos :])
        return at, match[0]

    def not_json(self, message: str, offset: int = -1) -> MutuaError:
        """Return the error of the position, or of an earlier offset."""
        return not_json(self._read_at, self.offset if offset < 0 else offset, message)

    def _more(self) -> None:
        line, kept = self.line, self._text[self._pos :]
        if len(kept) > ENTRY_SIZE_MAX:
            what = f"one entry has more than {ENTRY_SIZE_MAX} bytes, or is never closed (line {line})"
            raise MutuaError("fhir_too_large", what, "leave out documents and pictures, or export the file again")
        self._start, self._pos, self._counted = self._start + self._pos, 0, 0
        more = self._read_at(self._start + len(kept), max(CHUNK_SIZE, len(kept)))
        self._text, self._has_ended = kept + more, not more


def _document(window: _Window) -> Iterator[Span | BundleEnd]:
    """Yield one document: a resource, or the entries of a Bundle."""
    start, line = window.offset, window.line
    other = window.look(_OTHER_TYPE)
    if other is None or not other[1]:
        members, entry_at = dict[str, Span](), -1
        for name, span in _members(window, line):
            if span is not None:
                members[name] = span
            elif _type_of(members) == "Bundle":
                yield from _entries(window, line)
            else:  # entries before the type: they are given once it is known
                entry_at = window.offset
                for _ in _entries(window, line):
                    pass
        if not _type_of(members):
            raise malformed(f"the JSON in line {line} has no resourceType", "give FHIR R4 resources")
        if _type_of(members) == "Bundle":
            end, end_line = window.offset, window.line
            if entry_at >= 0:
                window.seek(entry_at, line)
                yield from _entries(window, line)
                window.seek(end, end_line)
            yield BundleEnd(line, members)
            return
        window.seek(start, line)
    yield Span(*window.value(), line, 0)


def _members(window: _Window, line: int) -> Iterator[tuple[str, Span | None]]:
    """Yield (name, value) of an object's members; the value of `entry` is left to whoever asked."""
    opened = window.look(_OPEN)
    if opened is None or opened[1] != b"{":
        raise _no_object(window, line)
    window.take(_OPEN)
    names: set[str] = set()
    after = b"}" if opened[2] else b","
    while after == b",":
        written = window.taken(_NAME)
        if not written:
            raise window.not_json("Expecting property name enclosed in double quotes")
        name = _text_of(written)
        if name in names:
            what = f"a JSON object gives {name!r} twice (line {line})"
            raise malformed(what, "export the file again: readers would disagree on its meaning")
        names.add(name)
        yield name, None if name == "entry" else Span(*window.value(), line, 0)
        after = window.taken(_NEXT)
    if after != b"}":
        raise window.not_json("Expecting ',' delimiter")


def _no_object(window: _Window, line: int) -> MutuaError:
    """Return the error of a line that does not begin with an object."""
    at, text = window.value()
    try:
        json.loads(text)
    except ValueError:
        return window.not_json("Expecting value", at)
    what = f"line {line} holds JSON that is not a FHIR resource"
    return malformed(what, "give one resource, a Bundle, or one resource a line")


def _entries(window: _Window, line: int) -> Iterator[Span]:
    """Yield the elements of the array at the position."""
    opened = window.take(_OPEN)
    if opened is None or opened[1] != b"[":
        raise malformed(f"Bundle.entry in line {window.line} is not a list")
    number, after = 0, b"]" if opened[2] else b","
    while after == b",":
        number += 1
        window.take(_SPACE)
        yield Span(*window.value(), line, number)
        after = window.taken(_NEXT)
    if after != b"]":
        raise window.not_json("Expecting ',' delimiter")


def _type_of(members: dict[str, Span]) -> str:
    return _text_of(members["resourceType"].text) if "resourceType" in members else ""


def _text_of(text: bytes) -> str:
    try:
        value = json.loads(text)
    except ValueError:
        return ""
    return value if isinstance(value, str) else ""
