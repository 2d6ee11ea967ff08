"""What a devnet's folder says of it: its parts, whether it was made to the end, and which processes work on it."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from ledger.errors import MutuaError
from node.paths import DEVNET_STATE as STATE
from node.paths import write_whole

NODE = r"member-\d+|follower"
PARTS = re.compile(rf"{NODE}|bitcoin(\.sock|\.log)?|passphrase|demo-(clinic|lab)\.seed|{re.escape(STATE)}", re.ASCII)
"""All that a devnet puts into its folder; nothing else is ever removed."""
STOP_TIMEOUT_S = 10.0
State = dict[str, Any]


def read_state(folder: Path) -> State | None:
    """Return what was noted, None where there is no devnet. MutuaError `no_devnet` for a note that cannot be read."""
    path = folder / STATE
    try:
        state = json.loads(path.read_bytes())
        names = [re.fullmatch(NODE, item["name"], re.ASCII) for item in state["nodes"]]
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError):
        raise _not_ours(path) from None
    if not names or None in names:
        raise _not_ours(path)
    return {"seed": 1, "bitcoin": None, "is_made": True, **state}


def _not_ours(path: Path) -> MutuaError:
    return MutuaError("no_devnet", f"{path} is not what a devnet writes", "name another folder")


def write_state(folder: Path, state: State) -> None:
    """Note a devnet's state."""
    write_whole(folder / STATE, json.dumps(state, indent=1).encode() + b"\n")


def pids_of(state: State) -> dict[str, int]:
    """Return the processes that were noted, by name; whether they live still, and are ours, `is_ours` tells."""
    found = {item["name"]: item["pid"] for item in state["nodes"]} | {"bitcoin": state["bitcoin"]}
    return {name: pid for name, pid in found.items() if pid}


def is_ours(pid: int, folder: Path) -> bool:
    """True iff a live process with this pid works on this folder: another program may have the pid by now."""
    import psutil

    place = str(folder.resolve())
    try:
        process = psutil.Process(pid)
        words = process.cmdline() if process.status() != psutil.STATUS_ZOMBIE else []
    except psutil.Error:
        return False
    return any(word == place or word.startswith(f"{place}{os.sep}") for word in words)


def running(folder: Path) -> dict[str, int]:
    """Return the processes that work on a devnet's folder, by name."""
    state = read_state(folder)
    return {} if state is None else {name: pid for name, pid in pids_of(state).items() if is_ours(pid, folder)}


def stop(folder: Path) -> int:
    """Stop the processes of a devnet, bitcoin last; return how many there were."""
    found = running(folder)
    for group in ([pid for name, pid in found.items() if name != "bitcoin"], [found.get("bitcoin")]):
        _end(folder, [pid for pid in group if pid])
    return len(found)


def _end(folder: Path, pids: Iterable[int]) -> None:
    """Ask processes to end, and end by force what has not ended in time."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        live = [pid for pid in pids if is_ours(pid, folder)]
        for pid in live:
            os.kill(pid, number)
        deadline = time.monotonic() + STOP_TIMEOUT_S
        while any(is_ours(pid, folder) for pid in live) and time.monotonic() < deadline:
            time.sleep(0.1)


def remove(folder: Path) -> list[str]:
    """Remove a stopped devnet, and the folder where nothing else is in it; return the names of what stays."""
    folder = folder.resolve()
    parts = [path for path in folder.iterdir() if PARTS.fullmatch(path.name)]
    for path in sorted(parts, key=lambda path: path.name == STATE):  # the note that it is a devnet last
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)
    left = sorted(path.name for path in folder.iterdir())
    if not left:
        folder.rmdir()
    return left
