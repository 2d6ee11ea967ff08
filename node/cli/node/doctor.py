"""`mutua doctor`: every check by name, each finding with its remedy.

No check needs a passphrase and none changes anything.
"""

from __future__ import annotations

import json
import shutil
import socket
import stat
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ledger.errors import MutuaError
from node import exit_codes
from node.api.errors import ApiError, NodeNotRunning
from node.cli.common import DEFAULT, Common, say

if TYPE_CHECKING:
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


def doctor(*, common: Common = DEFAULT) -> int:
    """Check the set-up; each finding comes with its remedy. Exit code 6 when something must be mended."""
    checks = list(run_checks(common))
    is_fault = any(check.state == "fault" for check in checks)
    say(common, [asdict(check) for check in checks], lambda: _lines(checks))
    return exit_codes.FINDING if is_fault else exit_codes.OK


def _lines(checks: list[Check]) -> Iterator[str]:
    for check in checks:
        yield f"{check.state:<6} {check.name:<14} {check.what}" + (f"; {check.hint}" if check.hint else "")


def run_checks(common: Common) -> Iterator[Check]:
    """Yield the checks in the order in which a fault matters."""
    yield _guarded("python", _check_python)
    try:
        config = common.config()
    except MutuaError as error:
        yield Check("settings", "fault", error.what, error.hint)
        return
    yield Check(
        "settings", "ok", f"{config.folder.config if config.folder.config.exists() else 'all at their defaults'}"
    )
    is_running, node = _check_node(config)
    checks: tuple[tuple[str, Callable[[], Check]], ...] = (
        ("folder", lambda: _check_folder(config)),
        ("keys", lambda: _check_keys(config)),
        ("charter", lambda: _check_charter(config)),
        ("ledger", lambda: _check_ledger(config)),
        ("disk", lambda: _check_disk(config.root)),
        ("socket", lambda: _check_socket_path(config.api_socket)),
        ("signatures", _check_signatures),
        ("bitcoin", lambda: _check_bitcoin(config)),
        ("port", lambda: _check_port(config, is_running=is_running)),
    )
    for name, check in checks:
        yield _guarded(name, check)
    yield from node


def _guarded(name: str, check: Callable[[], Check]) -> Check:
    try:
        return check()
    except (MutuaError, ApiError) as error:
        return Check(name, "fault", error.what, error.hint)
    except OSError as error:
        return Check(name, "fault", f"{error.strerror} ({error.filename})", "check the path and its permissions")


def _check_python() -> Check:
    version = sys.version.split()[0]
    if sys.version_info[:2] not in PYTHONS:
        return Check("python", "fault", f"this is Python {version}", "install mutua with Python 3.11, 3.12 or 3.13")
    return Check("python", "ok", version)


def _check_folder(config: Config) -> Check:
    if not config.root.is_dir():
        return Check("folder", "fault", f"{config.root} is not there", "make it: mutua init")
    mode = stat.S_IMODE(config.root.stat().st_mode)
    if mode & 0o077:
        return Check(
            "folder", "fault", f"others may look into {config.root} (mode {mode:o})", f"chmod 700 {config.root}"
        )
    return Check("folder", "ok", str(config.root))


def _check_keys(config: Config) -> Check:
    path = config.folder.keys
    if not path.exists():
        return Check("keys", "fault", "there is no key file", "make one: mutua init")
    mode = stat.S_IMODE(path.stat().st_mode)
    if mode & 0o077:
        return Check("keys", "fault", f"others may read {path} (mode {mode:o})", f"chmod 600 {path}")
    try:
        head = json.loads(path.read_bytes())["format"]
    except (ValueError, KeyError, TypeError):
        head = None
    if head != "mutua-keys":
        return Check(
            "keys",
            "fault",
            f"{path} is no key file",
            "restore it from a backup, or from its 24 words: mutua init --restore",
        )
    return Check("keys", "ok", "encrypted key file, for you alone")


def _check_charter(config: Config) -> Check:
    from ledger.charter_file import charter_from_file
    from ledger.genesis import chain_id_of

    path = config.folder.charter
    if not path.exists():
        return Check(
            "charter", "fault", "there is no charter", "mutua init --charter FILE with the sealed charter of your co-op"
        )
    charter = charter_from_file(path.read_bytes())
    return Check(
        "charter", "ok", f"{charter.name}, {len(charter.founders)} founders, chain {chain_id_of(charter).hex()}"
    )


def _check_ledger(config: Config) -> Check:
    if not config.folder.ledger.exists():
        return Check("ledger", "note", "there is no ledger yet", "it begins with mutua run")
    size = sum(file.stat().st_size for file in config.folder.ledger.iterdir() if file.is_file())
    return Check(
        "ledger", "ok", f"{size // 1024} KiB; a full check of a stopped node: mutua audit verify {config.root}"
    )


def _check_disk(root: Path) -> Check:
    place = root
    while not place.exists():
        place = place.parent
    free = shutil.disk_usage(place).free
    if free < FREE_BYTES_MIN:
        return Check(
            "disk", "fault", f"{free // 2**20} MiB are free at {place}", f"free at least {FREE_BYTES_MIN // 2**20} MiB"
        )
    return Check("disk", "ok", f"{free // 2**30} GiB free")


def _check_socket_path(path: Path) -> Check:
    if len(str(path).encode()) > 103:
        return Check(
            "socket",
            "fault",
            f"{path} is too long for a socket",
            "set api_socket to a shorter path, or move the data folder",
        )
    return Check("socket", "ok", str(path))


def _check_signatures() -> Check:
    from ledger.selftest import check_signatures

    check_signatures()
    return Check("signatures", "ok", "strict verification refuses every edge case")


def _check_bitcoin(config: Config) -> Check:
    path = config.path("bitcoin_socket")
    if path is None:
        return Check(
            "bitcoin",
            "note",
            "no backend is set: this node signs no payouts",
            "a treasury's signer sets bitcoin_socket",
        )
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(CONNECT_TIMEOUT_S)
        try:
            probe.connect(str(path))
        except OSError as error:
            return Check(
                "bitcoin",
                "fault",
                f"nobody answers at {path} ({error.strerror})",
                "start the bitcoin backend, or correct bitcoin_socket",
            )
    return Check("bitcoin", "ok", f"the backend answers at {path}")


def _check_port(config: Config, *, is_running: bool) -> Check:
    """Can the port be taken? Told by the running node itself when there is one."""
    listen = config.text("listen")
    if is_running:
        return Check("port", "ok", "the node is running and has it")
    if listen is None:
        return Check(
            "port", "note", "the charter's address is used", "set listen where the node stands behind another one"
        )
    parts = listen.strip("/").split("/")
    if (
        len(parts) != 4
        or parts[0] not in ("ip4", "ip6")
        or parts[2] != "tcp"
        or not parts[3].isdigit()
        or int(parts[3]) > 65_535
    ):
        return Check("port", "fault", f"listen is {listen!r}", "write it as /ip4/0.0.0.0/tcp/4001")
    family = socket.AF_INET if parts[0] == "ip4" else socket.AF_INET6
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((parts[1], int(parts[3])))
        except OSError as error:
            return Check(
                "port",
                "fault",
                f"{listen} cannot be used ({error.strerror})",
                "stop what uses it, or choose another with listen",
            )
    return Check("port", "ok", f"{listen} is free")


def _check_node(config: Config) -> tuple[bool, list[Check]]:
    """Return whether the node runs, and what it says of itself."""
    from node.api.client import Client
    from node.cli.node.live import sync_words

    try:
        status = Client(config.api_socket, 5.0).status()
    except NodeNotRunning:
        return False, [Check("node", "note", "it is not running", "mutua run")]
    except ApiError as error:
        return True, [Check("node", "fault", error.what, error.hint)]
    peers = status.get("peers", {})
    found = [Check("node", "ok", f"block {status['height']}, {sync_words(status)}")]
    connected, known = int(peers.get("connected", 0)), int(peers.get("known", 0))
    if known and 3 * connected < known:
        found.append(
            Check(
                "peers",
                "fault",
                f"{connected} of {known} members are connected",
                "check the network, and that the port can be reached",
            )
        )
    else:
        found.append(Check("peers", "ok", f"{connected} of {known} members are connected"))
    if status.get("consensus", {}).get("misbehaviour"):
        found.append(
            Check(
                "misbehaviour",
                "note",
                f"{status['consensus']['misbehaviour']} proofs of a contradicting node were kept",
                "tell the members",
            )
        )
    return True, found
