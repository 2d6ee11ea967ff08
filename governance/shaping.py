"""One shape filled from others: most of what a view or a receipt says stands under the same name in a row."""

from __future__ import annotations

from typing import Any, TypeVar

import msgspec

T = TypeVar("T", bound=msgspec.Struct)


def filled(shape: type[T], /, *sources: object, **given: Any) -> T:
    """Return a `shape` of `given` and, for its other fields, of the first of `sources` that has one of that name."""
    for name in shape.__struct_fields__:
        source = next((item for item in sources if hasattr(item, name)), None)
        if source is not None:
            given.setdefault(name, getattr(source, name))
    return shape(**given)
