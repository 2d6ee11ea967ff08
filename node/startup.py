"""Before a daemon works: its folder is locked, its charter read, port and chain checked, its ledger opened.

Each check stops the start with one clear error before anything in the folder is changed.
"""

from __future__ import annotations

import errno
import fcntl
import os
import socket
from pathlib import Path
from typing import IO

from consensus.committee import committee_hash
from ledger.addresses import parse_address
from ledger.chain import CHARTER_KEY, Chain
from ledger.codec import decode, encode
from ledger.errors import MalformedBytes, MutuaError
from ledger.genesis import Charter, chain_id_of
from ledger.leveldb import LevelDB, opened_aside
from node.execution.apply import genesis_rows
from node.execution.header_rules import committee_of
from node.faults import disk_error
from node.paths import DataFolder

READ_BACK_BLOCKS = 30
"""The newest blocks that are read whole at each start: a term, for a crash or a failing disk hurts the newest first."""


def lock_folder(folder: Path) -> IO[bytes]:
    """Take the folder for this process until it ends. MutuaError `folder_in_use` when another daemon has it, `disk`."""
    path = DataFolder(folder).lock
    try:
        handle = path.open("ab")
    except OSError as error:
        raise disk_error(f"{path}", error) from error
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        handle.close()
        hint = "stop it with mutua stop, or use its own folder"
        raise MutuaError("folder_in_use", f"another daemon runs on {folder}", hint) from None
    try:
        origin = DataFolder(folder).origin()
        handle.truncate(0)
        place = os.getpid(), os.fstat(handle.fileno()).st_ino, folder.resolve(), origin
        handle.write("\n".join(map(str, place)).encode())
        handle.flush()
    except OSError as error:
        handle.close()
        raise disk_error(f"{path}", error) from error
    return handle


def load_charter(folder: Path) -> Charter:
    """Return the sealed charter of a data folder. MutuaError `charter_missing` or `charter_malformed`."""
    path = DataFolder(folder).charter
    try:
        return decode(Charter, path.read_bytes())
    except FileNotFoundError:
        hint = "run mutua init --charter FILE with the sealed charter of your co-op"
        raise MutuaError("charter_missing", f"{folder} holds no charter", hint) from None
    except OSError as error:
        raise disk_error(f"{path}", error) from error
    except MalformedBytes as error:
        hint = "put the sealed charter of your co-op there again and compare its chain id: mutua charter show"
        raise MutuaError("charter_malformed", f"{path} is not a sealed charter ({error.what})", hint) from None


def check_port(listen: str) -> None:
    """Raise MutuaError `port_in_use`, `address_unusable` or `address_malformed` unless this node can listen."""
    host, port = parse_address(listen)
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        for family, kind, protocol, _, address in found:
            with socket.socket(family, kind, protocol) as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                probe.bind(address)
    except OSError as error:
        is_in_use = error.errno == errno.EADDRINUSE
        what = f"port {port} on {host} is in use" if is_in_use else f"cannot listen on {listen} ({error.strerror})"
        hint = "stop the other program, or change `listen` in config.toml"
        raise MutuaError("port_in_use" if is_in_use else "address_unusable", what, hint) from None


def check_chain(folder: Path, charter: Charter) -> None:
    """Raise MutuaError `other_chain` when the folder's ledger began with another charter. Not a byte is changed."""
    ledger = DataFolder(folder).ledger
    if not (ledger / "CURRENT").exists():
        return
    with opened_aside(ledger) as store:
        stored = store.get(CHARTER_KEY)
    if stored is not None and stored != encode(charter):
        what = f"the ledger in {folder} is of another chain than its charter.bin"
        raise MutuaError("other_chain", what, "put that chain's charter back, or use another data folder")


def open_chain(folder: Path, charter: Charter) -> Chain:
    """Open the ledger of a data folder, its newest blocks read whole, or make it with block 0."""
    store = LevelDB(DataFolder(folder).ledger, create=True)
    try:
        if store.get(CHARTER_KEY) is None:
            # An empty store is a first start, or a crash before block 0 was written: that batch is all or nothing.
            seats = committee_hash(committee_of(charter))
            return Chain.create(store, charter, genesis_rows(charter), committee_hash=seats)
        store.merge()
        chain = Chain.open(store, chain_id_of(charter))
        for _ in chain.read_back(chain.height + 1 - READ_BACK_BLOCKS):
            pass
    except MutuaError:
        store.close()
        raise
    return chain
