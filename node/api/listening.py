"""Where the API listens when its socket's path is too long: a folder in the runtime directory for its owner alone."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from ledger.errors import MutuaError
from node.api.errors import ApiError
from node.api.sockets import fits, short_place


def place_to_listen(path: Path) -> Path:
    """Return where to bind the socket of `path`. MutuaError `socket_path`, `socket_unusable`; OSError passes."""
    if fits(path):
        return path
    try:
        place = short_place(path)
    except ApiError as error:
        raise MutuaError("socket_path", error.what, error.hint) from None
    _check_own(place.parent)
    if path.is_symlink():
        path.unlink()
    path.symlink_to(place)
    return place


def _check_own(folder: Path) -> None:
    """Make the folder for this user alone; refuse one that another user made or could write."""
    folder.mkdir(mode=0o700, exist_ok=True)
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid() or found.st_mode & 0o077:
        what = f"{folder}, where the socket of a path this long would lie, is not a folder of yours alone"
        raise MutuaError("socket_unusable", what, "set XDG_RUNTIME_DIR to a folder of your own")
