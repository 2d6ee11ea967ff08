"""What happened, in order: the lines of a rehearsal, the stream of the local API, the material of receipts.

Names and fields are those of the scenario page and are never renamed. Keys and ids are bytes inside; the edge renders
them as hex on a real chain and as text in a rehearsal, where they are names.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, cast

import msgspec

QUIET = frozenset({"application_ended", "credit_lost", "credit_regained", "proposal_void"})
"""Events that follow from what scenario files always could do, and that the scenario page does not name. A rehearsal
tells them only where its first line asks for them (`"all_events": true`), so that two implementations of the page still
print the same lines."""

Value = int | str | bytes | bool | None | tuple["Value", ...] | list["Value"]


@dataclass(frozen=True, slots=True)
class Event:
    """One thing that happened in block `height`."""

    name: str
    height: int
    fields: dict[str, Any]


def render_hex(value: bytes) -> str:
    """Return a key or id as people see it on a real chain."""
    return value.hex()


def render_text(value: bytes) -> str:
    """Return a key or id as people see it in a rehearsal."""
    return value.decode("utf-8", "replace")


def render(value: Any, of_bytes: Callable[[bytes], str] = render_hex) -> Any:
    """Return `value` ready for JSON: bytes by `of_bytes`, structs as objects, a field called `row` as its fields."""
    if isinstance(value, bytes):
        return of_bytes(value)
    if isinstance(value, (tuple, list)):
        return [render(item, of_bytes) for item in cast("list[Any]", value)]
    if isinstance(value, dict):
        return {key: render(item, of_bytes) for key, item in cast("dict[str, Any]", value).items()}
    if not isinstance(value, msgspec.Struct):
        return value
    found: dict[str, Any] = {}
    for name, key in zip(value.__struct_fields__, value.__struct_encode_fields__, strict=True):
        item = getattr(value, name)
        if name == "row":
            found.update(render(item, of_bytes))
        elif item is not msgspec.UNSET:
            found[key] = render(item, of_bytes)
    return found


def event_json(event: Event, of_bytes: Callable[[bytes], str] = render_hex) -> dict[str, Any]:
    """Return the event as one JSON-ready object, fields in their fixed order."""
    fields = {name: render(value, of_bytes) for name, value in event.fields.items()}
    return {"event": event.name, "height": event.height, **fields}
