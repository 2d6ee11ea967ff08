"""Where everything lies in a data folder. Names here are the only ones in the program."""

from __future__ import annotations

import os
import stat
from pathlib import Path

DEVNET_STATE = "devnet.json"
"""What marks the folder of a whole devnet, which holds the data folders of its nodes."""
FOLDER_MODE = 0o700
SECRET_MODE = 0o600


class DataFolder:
    """The paths of one node. Nothing is made by asking for them."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.charter = root / "charter.bin"
        """The canonical bytes of the sealed charter: the chain."""
        self.charter_text = root / "charter.toml"
        """The same charter for people."""
        self.founder = root / "founder.toml"
        """The signed entry of this member for a charter."""
        self.keys = root / "keys.json"
        """The encrypted key file."""
        self.config = root / "config.toml"
        """The settings."""
        self.ledger = root / "ledger"
        """The LevelDB of the chain."""
        self.mempool = root / "mempool"
        """The LevelDB of what waits for a block."""
        self.votes = root / "votes.log"
        """What this node has signed."""
        self.treasury_journal = root / "treasury.journal"
        """The promises of a treasury signer."""
        self.documents = root / "documents"
        """Evidence, each file named by its hash."""
        self.auto_accept = root / "auto-accept.json"
        """The member's auto-accept rules, every version signed."""
        self.api_socket = root / "api.sock"
        """The Unix socket of the local API."""
        self.log = root / "log.jsonl"
        """Events, one JSON object a line."""
        self.lock = root / "lock"
        """The lock of a running daemon: its process, its own inode, its folder, and where that was copied from."""

    def original(self) -> str:
        """Return the folder that this one was copied from; empty if it was not, or a daemon ran in it since."""
        return self._copies()[0]

    def origin(self) -> str:
        """Return the folder that this one was copied from, whether or not a daemon ran in it since; else empty."""
        return "".join(self._copies())

    def _copies(self) -> tuple[str, str]:
        """Return the folder that this one was copied from (since a daemon ran here, before one did), else empty."""
        try:
            _, inode, place, *before = self.lock.read_text(encoding="utf-8").split("\n")
            is_here = inode == str(self.lock.stat().st_ino) or place == str(self.root.resolve())
        except (OSError, ValueError):
            return "", ""
        return ("", "".join(before[:1])) if is_here else (place, "")

    def advice_when_off(self) -> str:
        """Return what to do where no node answers. It never leads to a second node with the same keys."""
        if (self.root / DEVNET_STATE).exists():
            return f"a devnet is there: name the data folder of one of its nodes, such as {self.root / 'member-1'}"
        if not self.charter.exists():
            return "name your node's data folder with --data-dir; a new one begins with mutua init"
        if not self.keys.exists():
            return f"{self.root} holds no keys: a copy is read with mutua audit verify, prove or explain"
        if place := self.original():
            return f"this is a copy of {place}: read it with mutua audit; run it only once that one is gone for good"
        if (self.root.parent / DEVNET_STATE).exists():
            return f"start the devnet: mutua devnet up --folder {self.root.parent}"
        return "start it: mutua run"

    def advice_on_twin(self) -> str:
        """Return which folder's node to stop where another one signs with this node's key."""
        stop = f"mutua stop --data-dir {self.root}"
        if place := self.origin():
            return f"this folder is a copy of {place}: stop it here, {stop}, and do not start it again"
        return f"stop the copy of {self.root} that runs in another folder or on another computer; or this one, {stop}"


def default_root() -> Path:
    """Return the data folder of this person on this system, such as ~/.local/share/mutua."""
    if data_home := os.environ.get("XDG_DATA_HOME"):
        return Path(data_home) / "mutua"
    from platformdirs import user_data_path

    return user_data_path("mutua", appauthor=False)


def open_to_others(path: Path) -> str:
    """Return the mode of a file or folder that other users could read or change; empty where it is for its owner."""
    mode = stat.S_IMODE(path.stat().st_mode)
    return f"{mode:o}" if mode & 0o077 else ""


def write_whole(path: Path, data: bytes, mode: int = 0o644) -> None:
    """Write a file beside, sync and rename it, so that a fault leaves the old one, or none. OSError passes through."""
    beside = path.with_name(f"{path.name}.{os.getpid()}-{os.urandom(4).hex()}.new")
    # A file or link that somebody put there is never written through, nor does it lend its mode to a secret.
    handle = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, mode)
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.write(data)
            stream.flush()
            os.fsync(stream.fileno())
        beside.replace(path)
    except BaseException:
        beside.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Make the names in a folder durable. OSError passes through."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
