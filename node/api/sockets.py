"""Where a Unix socket lies whose path is longer than a system takes: in the runtime directory, with a link to it.

The link stands at the long path, in the owner's folder, so that every program finds the socket whatever its own
environment says. The place in the runtime directory is for its owner alone and is refused if it is anybody else's.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
from pathlib import Path

from node.api.errors import ApiError

SOCKET_PATH_MAX = 103
"""Bytes of a Unix socket's path: 107 on Linux, 103 on macOS."""


def place_to_connect(path: Path) -> Path:
    """Return where the socket of `path` answers, or would answer. ApiError `socket_path`."""
    if fits(path):
        return path
    place = short_place(path)
    try:
        found = path.readlink()
    except OSError:
        return place
    return found if found.name == place.name else place  # the link of a copied folder leads to the original's node


def remove(path: Path) -> None:
    """Remove the socket of `path`, and the link that leads to it."""
    if not fits(path):
        place_to_connect(path).unlink(missing_ok=True)
    path.unlink(missing_ok=True)


def fits(path: Path) -> bool:
    """True iff the system takes a socket of this path."""
    return len(os.fsencode(path)) <= SOCKET_PATH_MAX


def short_place(path: Path) -> Path:
    """Return the place in the runtime directory for the socket of a longer path. ApiError `socket_path`."""
    given = os.environ.get("XDG_RUNTIME_DIR")
    folder = Path(given) / "mutua" if given else Path(tempfile.gettempdir()) / f"mutua-{os.getuid()}"
    whole = path.parent.resolve() / path.name
    place = folder / f"{hashlib.sha256(os.fsencode(whole)).hexdigest()[:16]}.sock"
    if not fits(place):
        hint = "set XDG_RUNTIME_DIR to a folder with a short path, such as one in /tmp"
        raise ApiError("socket_path", f"the path of the socket is too long for the system: {place}", hint)
    return place
