"""How a passphrase comes in: prompt, file, descriptor or systemd credential, never environment or command line."""

from __future__ import annotations

import getpass
import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from ledger.errors import MutuaError
from node.cli.common import Whole
from node.reading import read_secret

if TYPE_CHECKING:
    from node.paths import DataFolder
    from wallet.keys import KeyRing

CREDENTIAL = "mutua-passphrase"
"""Name of the systemd credential: LoadCredential=mutua-passphrase:/path."""


@Parameter(name="*")
@dataclass(frozen=True, slots=True)
class PassphraseFrom:
    """Where the passphrase comes from; the prompt when neither is given."""

    passphrase_fd: Annotated[
        Whole | None, Parameter(help="Read the passphrase's first line from this open descriptor.")
    ] = None
    passphrase_file: Annotated[Path | None, Parameter(help="Read the passphrase's first line from this file.")] = None

    def read(self, *, is_new: bool = False) -> str:
        """Return the passphrase. MutuaError `passphrase_missing` where nobody can be asked, `passphrase_file`."""
        if self.passphrase_fd is not None and self.passphrase_file is not None:
            raise MutuaError("usage", "both --passphrase-fd and --passphrase-file are given", "give one")
        if self.passphrase_fd is not None:
            return _first_line(self.passphrase_fd, f"descriptor {self.passphrase_fd}")
        if self.passphrase_file is not None:
            return _first_line(self.passphrase_file, str(self.passphrase_file))
        credentials = os.environ.get("CREDENTIALS_DIRECTORY")
        if credentials and (Path(credentials) / CREDENTIAL).exists():
            return _first_line(Path(credentials) / CREDENTIAL, f"credential {CREDENTIAL}")
        return _ask(is_new=is_new)


DEFAULT_PASSPHRASE = PassphraseFrom()


def _first_line(source: int | Path, name: str) -> str:
    try:
        line = read_secret(source, is_one_line=True)
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not UTF-8"
        hint = "name a readable file or descriptor"
        raise MutuaError("passphrase_file", f"the passphrase cannot be read from {name}: {reason}", hint) from None
    if not line:
        raise MutuaError("passphrase_empty", f"{name} holds no passphrase", "write it into the first line")
    return line


def _ask(*, is_new: bool) -> str:
    if not sys.stdin.isatty():
        what = "the key file needs its passphrase, and there is no terminal to ask on"
        raise MutuaError("passphrase_missing", what, "give --passphrase-file or --passphrase-fd")
    passphrase = getpass.getpass("new passphrase: " if is_new else "passphrase: ")
    if is_new and passphrase != getpass.getpass("once more: "):
        raise MutuaError("passphrase_differs", "the two passphrases differ", "start again")
    return passphrase


def unlock_seed(folder: DataFolder, passphrase: PassphraseFrom) -> bytes:
    """Return the master seed. MutuaError `keys_missing`, `wrong_passphrase`; MalformedBytes for a broken file."""
    from wallet.keyfile import open_keyfile

    try:
        data = folder.keys.read_bytes()
    except FileNotFoundError:
        raise MutuaError("keys_missing", f"{folder.root} holds no key file", "make one: mutua init") from None
    return open_keyfile(data, passphrase.read())


def unlock(folder: DataFolder, passphrase: PassphraseFrom) -> KeyRing:
    """Return the keys of a data folder; errors as `unlock_seed`."""
    from wallet.keys import KeyRing

    return KeyRing.from_seed(unlock_seed(folder, passphrase))
