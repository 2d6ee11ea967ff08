"""Which errors end the daemon, and the one error that a person reads, or a log, when many tasks end together."""

from __future__ import annotations

import errno
import traceback
from collections.abc import Iterator
from typing import cast

from ledger.errors import LedgerCorrupt, MutuaError

FATAL_CODES = frozenset(
    {"disk", "disk_full", "store_stopped", "store_unusable", "vote_log_stopped", "protocol_unknown"}
)
"""After a failed write nothing may be acknowledged: a restart drops the torn end and goes on."""

DISK_ERRNOS = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EROFS})


def is_fatal(error: BaseException) -> bool:
    """True for errors of this node's own disk or ledger; a record or a peer can never cause one.

    >>> is_fatal(MutuaError("disk_full", "the disk is full")), is_fatal(MutuaError("mempool_full", "wait"))
    (True, False)
    """
    if isinstance(error, OSError):
        return error.errno in DISK_ERRNOS
    return isinstance(error, LedgerCorrupt) or (isinstance(error, MutuaError) and error.code in FATAL_CODES)


def cause_of(error: BaseException) -> BaseException:
    """Return the error that explains the others: of a group the first expected one, else the first of all.

    >>> cause_of(BaseExceptionGroup("", [ValueError("later"), MutuaError("port_in_use", "port 1 is in use")])).code
    'port_in_use'
    """
    found = list(leaves(error))
    return next((item for item in found if isinstance(item, MutuaError)), found[0])


def disk_error(what: str, error: OSError) -> MutuaError:
    """Return the fatal error of a write or read that the disk refused; `what` names the file."""
    reason = error.strerror or str(error)
    hint = "repair the disk or free space on it and start the node again"
    return MutuaError("disk", f"{what} could not be written or read ({reason})", hint)


def quorum_disagrees(height: int, error: MutuaError) -> LedgerCorrupt:
    """Return the error of a node whose rules refuse what a quorum made final: it must not go on."""
    what = f"block {height} is final for the committee and this node's rules refuse it ({error.code}: {error.what})"
    hint = "upgrade mutua to the version of the others; keep this folder as evidence"
    return LedgerCorrupt("quorum_disagrees", what, hint)


def leaves(error: BaseException) -> Iterator[BaseException]:
    """Yield the single errors inside a group, or the error itself.

    >>> [str(leaf) for leaf in leaves(ExceptionGroup("two", [ValueError("a"), ExceptionGroup("b", [KeyError(1)])]))]
    ['a', '1']
    """
    if isinstance(error, BaseExceptionGroup):
        for inner in cast("BaseExceptionGroup[BaseException]", error).exceptions:
            yield from leaves(inner)
    else:
        yield error


def describe(error: BaseException) -> str:
    """Return the first error of a group for the log: never with the values of local variables, which may be keys."""
    first = next(leaves(error))
    frames = traceback.extract_tb(first.__traceback__)
    place = f" at {frames[-1].filename}:{frames[-1].lineno}" if frames else ""
    return f"{type(first).__name__}: {first}{place}"
