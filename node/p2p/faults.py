"""Errors in a form for the log: never with the values of local variables, which may be keys."""

from __future__ import annotations

import traceback
from collections.abc import Iterator
from typing import cast


def leaves(error: BaseException) -> Iterator[BaseException]:
    """The single errors inside a group, or the error itself.

    >>> [str(leaf) for leaf in leaves(ExceptionGroup("two", [ValueError("a"), ExceptionGroup("b", [KeyError(1)])]))]
    ['a', '1']
    """
    if isinstance(error, BaseExceptionGroup):
        for inner in cast("BaseExceptionGroup[BaseException]", error).exceptions:
            yield from leaves(inner)
    else:
        yield error


def describe(error: BaseException) -> str:
    """The first error of a group: type, message, and the line where it was raised."""
    first = next(leaves(error))
    frames = traceback.extract_tb(first.__traceback__)
    place = f" at {frames[-1].filename}:{frames[-1].lineno}" if frames else ""
    return f"{type(first).__name__}: {first}{place}"
