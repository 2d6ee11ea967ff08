"""`mutua doctor`: every check by name, with a hint for each problem. None needs a passphrase or changes anything."""

from __future__ import annotations

import json
import shutil
import socket
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ledger.errors import MutuaError
from node import exit_codes
from node.api.errors import ApiError, NodeNotRunning
from node.api.sockets import place_to_connect
from node.api.standing import (
    consensus_words,
    misbehaviour_words,
    peer_words,
    quarantine_words,
    sync_words,
    treasury_words,
)
from node.cli.common import DEFAULT, Common, Flag, say
from node.cli.node.stores import Found, store_checks
from node.paths import open_to_others

if TYPE_CHECKING:
    from node.api.views.node import Status
    from node.config import Config

FREE_BYTES_MIN = 1024 * 1024 * 1024
"""A year of blocks and evidence of a few hundred members."""
CONNECT_TIMEOUT_S = 2.0
PYTHONS = ((3, 11), (3, 12), (3, 13))
"""The versions that the tests run under, as in `requires-python`."""


@dataclass(frozen=True, slots=True)
class Check:
    """One check: `state` is ok, note or fault; a fault makes the exit code 6."""

    name: str
    state: str
    what: str
    hint: str = ""


def doctor(*, deep: Flag = False, common: Common = DEFAULT) -> int:
    """Check the set-up and give a hint for each problem. Exit code 6 when something must be repaired.

    :param deep: Also read each document, and each row and block of a stopped node, which takes a minute a gigabyte.
    """
    checks = list(run_checks(common, is_deep=deep))
    is_fault = any(check.state == "fault" for check in checks)
    say(common, [asdict(check) for check in checks], lambda: _lines(checks))
    return exit_codes.FINDING if is_fault else exit_codes.OK


def _lines(checks: list[Check]) -> Iterator[str]:
    for check in checks:
        yield f"{check.state:<6} {check.name:<14} {check.what}" + (f"; {check.hint}" if check.hint else "")


def run_checks(common: Common, *, is_deep: bool = False) -> Iterator[Check]:
    """Yield the checks in the order in which a fault matters."""
    yield _guarded("python", _check_python)
    try:
        config = common.config()
    except MutuaError as error:
        yield Check("settings", "fault", error.what, error.hint)
        return
    path = config.folder.config
    yield Check("settings", "ok", str(path) if path.exists() else "all at their defaults")
    is_running, node = _check_node(config)
    yield _guarded("folder", lambda: _check_folder(config))
    yield _guarded("keys", lambda: _check_keys(config))
    yield _guarded("charter", lambda: _check_charter(config))
    for name, check in store_checks(config.folder, config.documents, is_running=is_running, is_deep=is_deep):
        yield _guarded(name, check)
    yield _guarded("disk", lambda: _check_disk(config.root))
    yield _guarded("socket", lambda: _check_socket_path(config.api_socket))
    yield _guarded("signatures", _check_signatures)
    if not any(check.name == "treasury" for check in node):  # else the running node tells it
        yield _guarded("bitcoin", lambda: _check_bitcoin(config))
    yield _guarded("port", lambda: _check_port(config, is_running=is_running))
    yield from node


def _ok(what: str) -> Found:
    return "ok", what, ""


def _guarded(name: str, check: Callable[[], Found]) -> Check:
    try:
        return Check(name, *check())
    except (MutuaError, ApiError) as error:
        return Check(name, "fault", error.what, error.hint)
    except OSError as error:
        return Check(name, "fault", f"{error.strerror} ({error.filename})", "check the path and its permissions")


def _check_python() -> Found:
    version = sys.version.split()[0]
    if sys.version_info[:2] not in PYTHONS:
        return "fault", f"this is Python {version}", "install mutua with Python 3.11, 3.12 or 3.13"
    return _ok(version)


def _check_folder(config: Config) -> Found:
    if not config.root.is_dir():
        return "fault", f"{config.root} is not there", "make it: mutua init"
    if mode := open_to_others(config.root):
        return "fault", f"other users can read {config.root} (mode {mode})", f"chmod 700 {config.root}"
    return _ok(str(config.root))


def _check_keys(config: Config) -> Found:
    path = config.folder.keys
    if not path.exists():
        return "fault", "there is no key file", "make one: mutua init"
    if mode := open_to_others(path):
        return "fault", f"other users can read {path} (mode {mode})", f"chmod 600 {path}"
    try:
        head = json.loads(path.read_bytes())["format"]
    except (ValueError, KeyError, TypeError):
        head = None
    if head != "mutua-keys":
        hint = "restore it from a backup, or from its 24 words: mutua init --restore"
        return "fault", f"{path} is not a key file", hint
    return _ok("encrypted key file, for you alone")


def _check_charter(config: Config) -> Found:
    from ledger.charter_file import charter_from_file
    from ledger.genesis import chain_id_of

    path = config.folder.charter
    if not path.exists():
        return "fault", "there is no charter", "mutua init --charter FILE with the sealed charter of your co-op"
    charter = charter_from_file(path.read_bytes())
    return _ok(f"{charter.name}, {len(charter.founders)} founders, chain {chain_id_of(charter).hex()}")


def _check_disk(root: Path) -> Found:
    place = root
    while not place.exists():
        place = place.parent
    free = shutil.disk_usage(place).free
    if free < FREE_BYTES_MIN:
        return "fault", f"{free // 2**20} MiB are free at {place}", f"free at least {FREE_BYTES_MIN // 2**20} MiB"
    return _ok(f"{free // 2**30} GiB free")


def _check_socket_path(path: Path) -> Found:
    return _ok(str(place_to_connect(path)))


def _check_signatures() -> Found:
    from ledger.selftest import check_signatures

    check_signatures()
    return _ok("strict verification refuses every edge case")


def _check_bitcoin(config: Config) -> Found:
    path = config.path("bitcoin_socket")
    if path is None:
        what = "no Bitcoin backend is configured, so this node signs no payouts"
        return "note", what, "a treasury's signer sets bitcoin_socket"
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(CONNECT_TIMEOUT_S)
        try:
            probe.connect(str(place_to_connect(path)))
        except OSError as error:
            hint = "start the Bitcoin backend, or correct bitcoin_socket"
            return "fault", f"nobody answers at {path} ({error.strerror})", hint
    return _ok(f"the backend answers at {path}")


def _check_port(config: Config, *, is_running: bool) -> Found:
    """Can the port be taken? Told by the running node itself when there is one. MutuaError as the start's own check."""
    from node.startup import check_port

    listen = config.text("listen")
    if is_running:
        return _ok("the node is running and has it")
    if listen is None:
        return "note", "the charter's address is used", "set listen where the node stands behind another one"
    check_port(listen)
    return _ok(f"{listen} is free")


def _check_node(config: Config) -> tuple[bool, list[Check]]:
    """Return whether the node runs, and what it says of itself."""
    from node.api.client import Client

    try:
        status = Client(config.api_socket, 5.0).status()
    except NodeNotRunning:
        return False, [Check("node", "note", "it is not running", config.folder.advice_when_off())]
    except ApiError as error:
        return True, [Check("node", "fault", error.what, error.hint)]
    return True, list(node_checks(status))


def node_checks(status: Status) -> Iterator[Check]:
    """Yield what a running node says of itself: sync, peers, signing, the treasury's job, misbehaviour."""
    consensus, job, peers = status.consensus, status.treasury, status.peers
    yield Check("node", "ok", f"block {status.height}, {sync_words(status)}")
    is_lonely = peers.known > 0 and 3 * peers.connected < peers.known
    hint = "check the network, and that the port can be reached" if is_lonely else ""
    yield Check("peers", "fault" if is_lonely else "ok", peer_words(status), hint)
    if consensus.quarantine is not None:
        hint = "make sure that no copy of this node runs elsewhere; it signs again automatically"
        if consensus.signs_elsewhere is not None:
            hint = "it signs again automatically once the other one is stopped"
        yield Check("signing", "fault", f"this node {quarantine_words(status)}", hint)
    elif consensus.is_member:
        yield Check("signing", "ok" if consensus.is_signing else "note", consensus_words(status))
    if job is not None:
        hint = {"off": "set bitcoin_socket", "waiting": "check the Bitcoin backend: bitcoin_socket"}.get(job.state, "")
        yield Check("treasury", "fault" if hint else "ok", treasury_words(job), hint)
    if consensus.misbehaviour:
        yield Check("misbehaviour", "note", misbehaviour_words(status), "tell the members")
