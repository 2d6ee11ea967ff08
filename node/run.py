"""Start a daemon on a data folder: `python -m node.run --data-dir D --passphrase-file F`, as `mutua run` does.

The passphrase comes from a file or a descriptor, never from the environment or the command line.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import structlog

from ledger.errors import LedgerCorrupt, MutuaError
from node.exit_codes import FAULT, INTERRUPTED, OK, exit_code_of
from node.faults import disk_error, is_fatal
from node.parent import end_with_parent
from node.reading import read_secret

if TYPE_CHECKING:
    from wallet.keys import KeyRing


def read_passphrase(file: Path | None, descriptor: int | None) -> str:
    """Return the passphrase: the first line of a file or an open descriptor. MutuaError `locked`."""
    if file is None and descriptor is None:
        raise MutuaError("locked", "the key file is locked", "give --passphrase-file or --passphrase-fd")
    try:
        return read_secret(file if file is not None else descriptor or 0, is_one_line=True)
    except (OSError, UnicodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not text"
        source = file if file is not None else f"descriptor {descriptor}"
        what = f"no passphrase can be read from {source} ({reason})"
        raise MutuaError("locked", what, "name a file whose first line is the passphrase") from None


def unlock_keys(folder: Path, passphrase: str) -> KeyRing:
    """Return the keys of a data folder. MutuaError `keys_missing`, `wrong_passphrase`, `disk`; MalformedBytes."""
    from wallet.keyfile import open_keyfile
    from wallet.keys import KeyRing

    path = folder / "keys.json"
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        raise MutuaError("keys_missing", f"{folder} holds no key file", "run mutua init first") from None
    except OSError as error:
        raise disk_error(f"{path}", error) from error
    return KeyRing.from_seed(open_keyfile(data, passphrase))


def run_node(given: argparse.Namespace) -> None:
    """Unlock the keys of the data folder and run its daemon until it is stopped. MutuaError says what prevents it."""
    folder: Path = given.data_dir
    keys = unlock_keys(folder, read_passphrase(given.passphrase_file, given.passphrase_fd))
    from node import daemon, startup
    from node.logs import set_up_logs

    startup.load_charter(folder)
    startup.lock_folder(folder).close()
    try:
        set_up_logs(folder, given.log_level, "quiet")
    except OSError as error:
        raise disk_error(f"{folder / 'log.jsonl'}", error) from error
    daemon.main(folder, keys, daemon.Options(given.listen, given.bitcoin_socket, tuple(given.guest)))


def main(arguments: list[str] | None = None) -> int:
    """Parse the command line and run; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m node.run", description="Run one Mutua node until SIGTERM.")
    parser.add_argument("--data-dir", type=Path, required=True)
    parser.add_argument("--passphrase-file", type=Path)
    parser.add_argument("--passphrase-fd", type=int)
    parser.add_argument("--listen")
    parser.add_argument("--bitcoin-socket", type=Path)
    parser.add_argument(
        "--guest", action="append", default=[], type=_key, help="transport key (hex) of a follower that may connect"
    )
    parser.add_argument("--log-level", default="info", type=str.lower, choices=["debug", "info", "warning", "error"])
    parser.add_argument("--end-with-parent", action="store_true", help="end when standard input does")
    given = parser.parse_args(arguments)
    if given.end_with_parent:
        end_with_parent()
    try:
        run_node(given)
    except MutuaError as error:
        return _told(error)
    except OSError as error:
        return _told(disk_error(str(error.filename or given.data_dir), error))
    except KeyboardInterrupt:
        return INTERRUPTED
    except Exception as error:
        structlog.get_logger("mutua.run").exception("node_fault")
        what = f"there is a fault in the program: {type(error).__name__}: {error}"
        return _told(MutuaError("internal", what, f"see {given.data_dir / 'log.jsonl'} and report it"))
    return OK


def _told(error: MutuaError) -> int:
    print(" ".join(f"mutua: {error.what}; {error.hint}".split()), file=sys.stderr)
    is_machine = is_fatal(error) and not isinstance(error, LedgerCorrupt)
    return FAULT if is_machine else exit_code_of(error)


def _key(text: str) -> bytes:
    key = bytes.fromhex(text)
    if len(key) != 32:
        raise ValueError("a key has 64 hex digits")
    return key


if __name__ == "__main__":
    sys.exit(main())
