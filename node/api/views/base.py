"""What every view has in common, and how JSON becomes one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import msgspec

from node.api.errors import ApiError

T = TypeVar("T")


class View(msgspec.Struct, frozen=True, kw_only=True):
    """Base of all answers."""


class Request(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Base of all requests: a field that the daemon does not know is an error."""


@dataclass(frozen=True, slots=True)
class Question(Generic[T]):
    """A view of the ledger that can be asked for by name: the shape of its answer, and its arguments.

    An argument that ends in `?` may be left out.
    """

    name: str
    shape: type[T]
    arguments: tuple[str, ...] = ()


def read(shape: type[T], value: object) -> T:
    """Return a JSON value as `shape`. ApiError `answer_shape` where it does not fit."""
    try:
        return msgspec.convert(value, shape)
    except msgspec.ValidationError as error:
        what = f"the node's answer does not fit: {error}"
        raise ApiError("answer_shape", what, "update mutua and restart the node") from None


def to_json(value: object) -> Any:
    """Return a view, or a list of them, as JSON values."""
    return msgspec.to_builtins(value)
