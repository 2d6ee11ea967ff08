"""One shape filled from others: most of what a view or a receipt says stands under the same name in a row."""

from __future__ import annotations

from functools import cache
from typing import Any, TypeVar

import msgspec

T = TypeVar("T", bound=msgspec.Struct)


def filled(shape: type[T], /, *sources: object, **given: Any) -> T:
    """Return a `shape` of `given` and, for its other fields, of the first of `sources` that has one of that name."""
    for name, place in _places(shape, tuple(map(type, sources))):
        if name not in given:
            given[name] = getattr(sources[place], name)
    return shape(**given)


@cache
def _places(shape: type[msgspec.Struct], kinds: tuple[type, ...]) -> tuple[tuple[str, int], ...]:
    """Return the fields that stand in a source, each with the first source's place."""
    fields = shape.__struct_fields__
    found = {name: [place for place, kind in enumerate(kinds) if hasattr(kind, name)] for name in fields}
    return tuple((name, places[0]) for name, places in found.items() if places)
