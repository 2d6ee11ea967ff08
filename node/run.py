"""Start a daemon on a data folder: `python -m node.run --data-dir D --passphrase-file F`; `mutua run` is the same with its config.

The passphrase comes from a file or a descriptor, never from the environment or the command line.
"""

from __future__ import annotations

import argparse
import logging
import os
import sys
from pathlib import Path

import structlog

from ledger.errors import MutuaError

EXIT_OK, EXIT_USAGE, EXIT_LOCKED = 0, 2, 4
LOCKED_CODES = frozenset({"wrong_passphrase", "passphrase", "keyfile_passphrase"})


def read_passphrase(file: Path | None, descriptor: int | None) -> str:
    """Return the passphrase: the first line of a file or an open descriptor."""
    if file is not None:
        return file.read_text(encoding="utf-8").split("\n", 1)[0]
    if descriptor is not None:
        with os.fdopen(descriptor, encoding="utf-8") as stream:
            return stream.readline().rstrip("\n")
    raise MutuaError("locked", "the key file is locked", "give --passphrase-file or --passphrase-fd")


def set_up_logs(folder: Path, level: str = "INFO") -> None:
    """Write events as JSON lines to log.jsonl in the data folder. Secrets are never among the fields."""
    stream = (folder / "log.jsonl").open("a", encoding="utf-8", buffering=1)
    structlog.configure(
        processors=[structlog.processors.add_log_level, structlog.processors.TimeStamper(fmt="iso", utc=True), structlog.processors.format_exc_info,
                    structlog.processors.JSONRenderer()],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level.upper()]),
        logger_factory=structlog.PrintLoggerFactory(file=stream),
    )  # fmt: skip
    logging.getLogger("libp2p").setLevel(logging.ERROR)
    logging.getLogger().addHandler(logging.NullHandler())


def run_node(folder: Path, passphrase: str, *, listen: str | None, bitcoin_socket: Path | None, guests: tuple[bytes, ...], level: str = "INFO") -> None:
    """Unlock the keys of `folder` and run its daemon until it is stopped. Errors: MutuaError of keys, charter, ledger, lock, port."""
    from wallet.keyfile import open_keyfile
    from wallet.keys import KeyRing

    path = folder / "keys.json"
    if not path.exists():
        raise MutuaError("keys_missing", f"{folder} holds no key file", "run mutua init first")
    keys = KeyRing.from_seed(open_keyfile(path.read_bytes(), passphrase))
    from node import daemon

    set_up_logs(folder, level)
    daemon.main(folder, keys, {"listen": listen, "bitcoin_socket": bitcoin_socket, "guests": guests})


def main(arguments: list[str] | None = None) -> int:
    """Parse the command line and run; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m node.run", description="Run one Mutua node until SIGTERM.")
    parser.add_argument("--data-dir", type=Path, required=True)
    parser.add_argument("--passphrase-file", type=Path)
    parser.add_argument("--passphrase-fd", type=int)
    parser.add_argument("--listen")
    parser.add_argument("--bitcoin-socket", type=Path)
    parser.add_argument("--guest", action="append", default=[], help="transport key (hex) of a follower that may connect")
    parser.add_argument("--log-level", default="INFO")
    given = parser.parse_args(arguments)
    try:
        passphrase = read_passphrase(given.passphrase_file, given.passphrase_fd)
        run_node(
            given.data_dir, passphrase, listen=given.listen, bitcoin_socket=given.bitcoin_socket,
            guests=tuple(bytes.fromhex(item) for item in given.guest), level=given.log_level,
        )  # fmt: skip
    except MutuaError as error:
        print(f"mutua: {error.what}; {error.mend}", file=sys.stderr)
        return EXIT_LOCKED if error.code in LOCKED_CODES or "passphrase" in error.code else EXIT_USAGE
    return EXIT_OK


if __name__ == "__main__":
    sys.exit(main())
