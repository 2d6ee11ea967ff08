"""How a file that a person names is read: a regular file, as UTF-8 with or without a byte order mark."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

from ledger.errors import MutuaError

SECRET_SIZE_MAX = 4096


def open_regular(path: Path) -> int:
    """Return a descriptor to read a regular file. OSError, also for a pipe or a device: it may never end."""
    handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        raise OSError(errno.EINVAL, "it is not a regular file", str(path))
    return handle


def read_bytes(path: Path) -> bytes:
    """Return the bytes of a regular file. OSError."""
    with os.fdopen(open_regular(path), "rb") as stream:
        return stream.read()


def text_of(data: bytes) -> str:
    r"""Return the text of a file's bytes; a byte order mark before it says nothing. UnicodeDecodeError.

    >>> text_of(b"\xef\xbb\xbfseven")
    'seven'
    """
    return data.decode("utf-8-sig")


def read_secret(source: Path | int, *, is_one_line: bool = False) -> str:
    """Return a short secret from a file, a pipe (so that it need not be on a disk) or an open descriptor.

    With `is_one_line` nothing after the first line is waited for. Errors: OSError, UnicodeDecodeError.
    """
    with open(source, encoding="utf-8-sig") as stream:  # noqa: PTH123 - a descriptor has no path
        text = stream.readline(SECRET_SIZE_MAX) if is_one_line else stream.read(SECRET_SIZE_MAX)
    return text.rstrip("\r\n")


def read_seed(path: Path) -> bytes:
    """Return the secret seed in a file of 64 hex digits. MutuaError `seed_file`."""
    problem = "holds no seed of 64 hex digits"
    try:
        seed = bytes.fromhex(read_secret(path))
    except OSError as error:
        seed, problem = b"", f"cannot be read ({error.strerror})"
    except ValueError:
        seed = b""
    if len(seed) != 32:
        raise MutuaError("seed_file", f"{path} {problem}", "name the file with the signer's or the provider's seed")
    return seed
