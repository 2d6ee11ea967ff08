"""`mutua run`: unlock the keys, open the log, and give the data folder to the daemon until it is stopped."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from ledger.errors import MutuaError
from node.api.text import hex_bytes
from node.cli.common import DEFAULT, Common
from node.cli.unlocking import DEFAULT_PASSPHRASE, PassphraseFrom, unlock

if TYPE_CHECKING:
    from node.config import Config
    from wallet.keys import KeyRing


def run(
    *,
    listen: str | None = None,
    bitcoin_socket: str | None = None,
    log_level: str | None = None,
    log_format: str | None = None,
    api_socket: str | None = None,
    guest: Annotated[list[str] | None, Parameter(negative="")] = None,
    passphrase: PassphraseFrom = DEFAULT_PASSPHRASE,
    common: Common = DEFAULT,
) -> int:
    """Run the node until it is stopped (mutua stop, SIGTERM or Ctrl-C).

    :param listen: Multiaddr where to listen for members; the charter's address by default.
    :param bitcoin_socket: Unix socket of the bitcoin backend; without it this node signs no payouts.
    :param log_level: debug, info, warning or error.
    :param log_format: console, json or quiet: what standard error shows; log.jsonl is always written.
    :param api_socket: Unix socket of the local API.
    :param guest: Transport key (hex) of a follower that may connect; may be repeated.
    """
    from ledger.addresses import parse_address
    from ledger.leveldb import is_locked

    config = common.config(
        listen=listen, bitcoin_socket=bitcoin_socket, log_level=log_level, log_format=log_format, api_socket=api_socket
    )
    folder = config.folder
    guests = tuple(_key(item) for item in guest or ())
    if address := config.text("listen"):
        parse_address(address)  # before a passphrase is asked for
    if not folder.charter.exists():
        hint = "mutua init --charter FILE with the sealed charter of your co-op"
        raise MutuaError("charter_missing", f"{folder.root} holds no charter", hint)
    if is_locked(folder.lock):
        # Before a passphrase is asked for; the daemon's own lock decides.
        hint = "stop it with mutua stop, or use another data folder"
        raise MutuaError("folder_in_use", f"another node runs on {folder.root}", hint)
    keys = unlock(folder, passphrase)
    _start(config, keys, guests, log_format="json" if common.json else config.text("log_format") or "console")
    return 0


def _start(config: Config, keys: KeyRing, guests: tuple[bytes, ...], *, log_format: str) -> None:
    """Open the log and give the data folder to the daemon until it is stopped."""
    from node import daemon
    from node.logs import set_up_logs
    from node.own.hooks import words_of

    if command := config.text("on_event"):
        words_of(command)
    set_up_logs(config.root, config.text("log_level") or "info", log_format)
    options = daemon.Options(
        listen=config.text("listen"),
        bitcoin_socket=config.path("bitcoin_socket"),
        guests=guests,
        api_socket=config.api_socket,
        documents=config.documents,
        on_event=config.text("on_event"),
    )
    daemon.main(config.root, keys, options)


def _key(text: str) -> bytes:
    key = hex_bytes(text)
    if len(key) != 32:
        what = f"guest {text[:20]!r} is not a key of 64 hex digits"
        raise MutuaError("key_shape", what, "copy it from the follower's mutua init")
    return key
