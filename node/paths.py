"""Where everything lies in a data folder. Names here are the only ones in the program."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

FOLDER_MODE = 0o700
SECRET_MODE = 0o600


@dataclass(frozen=True, slots=True)
class DataFolder:
    """The paths of one node. Nothing is made by asking for them."""

    root: Path

    @property
    def charter(self) -> Path:
        """The canonical bytes of the sealed charter: the chain."""
        return self.root / "charter.bin"

    @property
    def charter_text(self) -> Path:
        """The same charter for people."""
        return self.root / "charter.toml"

    @property
    def founder(self) -> Path:
        """The signed entry of this member for a charter."""
        return self.root / "founder.toml"

    @property
    def keys(self) -> Path:
        """The encrypted key file."""
        return self.root / "keys.json"

    @property
    def config(self) -> Path:
        """The settings."""
        return self.root / "config.toml"

    @property
    def ledger(self) -> Path:
        """The LevelDB of the chain."""
        return self.root / "ledger"

    @property
    def mempool(self) -> Path:
        """The LevelDB of what waits for a block."""
        return self.root / "mempool"

    @property
    def treasury_journal(self) -> Path:
        """The promises of a treasury signer."""
        return self.root / "treasury.journal"

    @property
    def documents(self) -> Path:
        """Evidence, each file named by its hash."""
        return self.root / "documents"

    @property
    def auto_accept(self) -> Path:
        """The member's auto-accept rules, every version signed."""
        return self.root / "auto-accept.json"

    @property
    def api_socket(self) -> Path:
        """The Unix socket of the local API."""
        return self.root / "api.sock"

    @property
    def log(self) -> Path:
        """Events, one JSON object a line."""
        return self.root / "log.jsonl"

    @property
    def lock(self) -> Path:
        """The lock that a running daemon holds."""
        return self.root / "lock"


def default_root() -> Path:
    """Return the data folder of this person on this system, such as ~/.local/share/mutua."""
    if data_home := os.environ.get("XDG_DATA_HOME"):
        return Path(data_home) / "mutua"
    from platformdirs import user_data_path

    return user_data_path("mutua", appauthor=False)


def is_held(lock: Path) -> bool:
    """True while another process holds the lock of a data folder. Nothing is made or changed."""
    import fcntl

    try:
        handle = os.open(lock, os.O_RDONLY)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return True
    finally:
        os.close(handle)
    return False


def write_whole(path: Path, data: bytes, mode: int = 0o644) -> None:
    """Write a file beside, sync and rename it, so that a fault leaves the old one, or none. OSError passes through."""
    beside = path.with_name(f"{path.name}.{os.getpid()}.new")
    try:
        handle = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
        with os.fdopen(handle, "wb") as stream:
            stream.write(data)
            stream.flush()
            os.fsync(stream.fileno())
        beside.replace(path)
    except BaseException:
        beside.unlink(missing_ok=True)
        raise
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
