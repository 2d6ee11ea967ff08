"""A whole co-op on one machine: founders' folders, a sealed charter, a funded regtest treasury, and the processes.

Everything follows from a seed, except the time of genesis. A devnet's passphrases are public; its key files are sealed
with light limits.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import Any

import trio

from ledger import charter as charters
from ledger.charter_checks import SATS_PER_BITCOIN
from ledger.charter_file import charter_to_toml
from ledger.codec import decode, encode
from ledger.errors import MutuaError
from ledger.genesis import Charter, CharterCode, CharterPlan, CharterProvider, CharterTreasury, Founder
from ledger.signatures import public_key_of
from node.api.client import Client
from node.parent import STAY
from node.paths import SECRET_MODE, write_whole
from node.sandbox.devnet_folder import State, running, write_state
from node.sandbox.regtest.client import RegtestClient
from wallet.keyfile import LIGHT, seal_keyfile
from wallet.keys import KeyRing

PASSPHRASE = "devnet"  # noqa: S105 - a devnet's passphrase is printed in its README
START_TIMEOUT_S = 60.0
FEE_SAT_PER_VB = 2
RATE = 10_000_000
"""Minor units per bitcoin at genesis: 100,000.00 a bitcoin."""


@dataclass(frozen=True, slots=True)
class Spec:
    """What a devnet is made of."""

    seed: int
    founders: int = 7
    interval_ms: int = 2_000
    start_in_s: float = 12.0
    claims_cents: int = 9_000_000
    reserve_cents: int = 1_500_000
    codes: tuple[CharterCode, ...] = ()
    providers: tuple[str, ...] = ("demo-clinic", "demo-lab")
    plans: tuple[CharterPlan, ...] = (
        CharterPlan("basic", 50_000, 10_000, 1_500, 2_000, 500_000, 2_500_000, None, 0, None, ()),
        CharterPlan("plus", 80_000, 0, 0, 1_000, 200_000, 5_000_000, None, 0, None, ()),
    )
    params: tuple[tuple[str, int], ...] = ()


@dataclass(slots=True)
class Node:
    """One daemon's folder, keys, and process."""

    name: str
    folder: Path
    keys: KeyRing
    process: subprocess.Popen[bytes] | None = None
    extra: list[str] = field(default_factory=list[str])

    @property
    def socket(self) -> Path:
        """Where its API listens."""
        return self.folder / "api.sock"

    def client(self, timeout_s: float = 30.0) -> Client:
        """Return a client of its API."""
        return Client(self.socket, timeout_s)


def seed_of(seed: int, label: str) -> bytes:
    """Return the 32-byte secret of a devnet's part."""
    return sha256(f"mutua-devnet/{seed}/{label}".encode()).digest()


def free_ports(count: int) -> list[int]:
    """Return ports that are free on loopback now."""
    holders = [socket.socket() for _ in range(count)]
    with contextlib.ExitStack() as stack:
        for holder in map(stack.enter_context, holders):
            holder.bind(("127.0.0.1", 0))
        return [holder.getsockname()[1] for holder in holders]


class Devnet:
    """A devnet in a folder: `make` it once, or `reopen` it, `start` and `stop` its processes.

    The processes end when this one does, however it ends, until `release` lets them stay.
    """

    def __init__(self, folder: Path, spec: Spec) -> None:
        self.folder = folder
        self.spec = spec
        self.nodes: list[Node] = []
        self.followers: list[Node] = []
        self.providers = {name: seed_of(spec.seed, f"provider/{name}") for name in spec.providers}
        self.charter: Charter | None = None
        self.bitcoin: subprocess.Popen[bytes] | None = None
        self.stays: dict[str, int] = {}
        """Processes that ran before, by name."""

    @property
    def bitcoin_socket(self) -> Path:
        """Where the regtest engine listens."""
        return self.folder / "bitcoin.sock"

    # ---- Making ----------------------------------------------------------------

    def make(self) -> None:
        """Make folders and keys, start bitcoin, fund the treasury, seal the charter. The genesis clock starts here."""
        from node.sandbox.regtest.engine import check_kernel

        check_kernel()
        self.folder.mkdir(parents=True, exist_ok=True)
        names = [f"member-{index + 1}" for index in range(self.spec.founders)]
        write_state(self.folder, self._state(names, is_made=False))
        (self.folder / "passphrase").write_text(PASSPHRASE + "\n")
        for name, seed in self.providers.items():
            (self.folder / f"{name}.seed").write_text(seed.hex() + "\n")
        self.nodes += map(self._make_node, names)
        self.start_bitcoin()
        ports = free_ports(len(self.nodes))
        founders = list(map(self._founder, self.nodes, ports, range(len(ports))))
        treasury = trio.run(self._fund, founders)
        draft = charters.new_charter(
            "Demo Mutual",
            seed=seed_of(self.spec.seed, "charter"),
            day_one="2026-01-01",
            phase="live",
            genesis_time_ms=int((time.time() + self.spec.start_in_s) * 1000),
            block_interval_ms=self.spec.interval_ms,
            claims_cents=self.spec.claims_cents,
            reserve_cents=self.spec.reserve_cents,
            rate=RATE,
            params=dict(self.spec.params),
            plans=self.spec.plans,
            codes=self.spec.codes,
            treasury=treasury,
            providers=[CharterProvider(public_key_of(seed), name) for name, seed in self.providers.items()],
        )
        for node, founder in zip(self.nodes, founders, strict=True):
            draft = charters.add_founder(draft, charters.sign_founder(node.keys.identity_seed, founder, draft.name))
        self.charter = charters.seal(draft)
        for node in self.nodes:
            self.give_charter(node)
        self.save()

    @classmethod
    def reopen(cls, folder: Path, state: State) -> Devnet:
        """Return the devnet that was made in a folder, with the processes that still run."""
        devnet = cls(folder, Spec(seed=state["seed"]))
        devnet.charter = decode(Charter, (folder / state["nodes"][0]["name"] / "charter.bin").read_bytes())
        devnet.stays = running(folder)
        for item in state["nodes"]:
            name, keys = item["name"], KeyRing.from_seed(seed_of(state["seed"], item["name"]))
            group = devnet.nodes if name.startswith("member-") else devnet.followers
            group.append(Node(name, folder / name, keys, extra=list(item.get("extra", ()))))
        return devnet

    def add_follower(self, name: str) -> Node:
        """Make a node that follows the ledger without being a member; the founders admit its transport key."""
        node = self._make_node(name)
        for founder in self.nodes:
            founder.extra += ["--guest", node.keys.transport_key.hex()]
        node.extra += ["--listen", f"/ip4/127.0.0.1/tcp/{free_ports(1)[0]}"]
        self.followers.append(node)
        return node

    def give_charter(self, node: Node) -> None:
        """Put the sealed charter into a node's folder."""
        assert self.charter is not None
        (node.folder / "charter.bin").write_bytes(encode(self.charter))
        (node.folder / "charter.toml").write_text(charter_to_toml(self.charter, is_sealed=True))

    def _make_node(self, name: str) -> Node:
        folder = self.folder / name
        folder.mkdir(parents=True, mode=0o700)
        (folder / "documents").mkdir()
        seed = seed_of(self.spec.seed, name)
        write_whole(folder / "keys.json", seal_keyfile(seed, PASSPHRASE, LIGHT), SECRET_MODE)
        place = json.dumps(str(self.bitcoin_socket.resolve()))  # in the node's own settings: `doctor` reads them
        (folder / "config.toml").write_text(f"bitcoin_socket = {place}\n")
        return Node(name, folder, KeyRing.from_seed(seed))

    def _founder(self, node: Node, port: int, index: int) -> Founder:
        names = ("identity_key", "device_key", "cover_key", "consensus_key", "transport_key", "bitcoin_key")
        return Founder(
            **{name: getattr(node.keys, name) for name in names},
            onion_tip=node.keys.onion.tip,
            address=f"/ip4/127.0.0.1/tcp/{port}",
            household=f"household-{index + 1}",
            plan=self.spec.plans[0].name,
            contract_terms=12,
            prepaid_terms=12,
            signature=b"",
        )

    async def _fund(self, founders: Sequence[Founder]) -> CharterTreasury:
        from wallet.transactions import Treasury

        threshold = 2 * len(founders) // 3 + 1
        client = RegtestClient(self.bitcoin_socket)
        amount_sat = -(-(self.spec.claims_cents + self.spec.reserve_cents) * SATS_PER_BITCOIN // RATE)
        treasury = Treasury.of(threshold, [founder.bitcoin_key for founder in founders], "regtest")
        txid, vout = await client.fund(treasury.script_pubkey, amount_sat)
        return CharterTreasury("regtest", threshold, txid, vout, amount_sat, FEE_SAT_PER_VB)

    # ---- Processes ---------------------------------------------------------------

    def start(self) -> None:
        """Start what does not run, and wait until all answers."""
        if "bitcoin" not in self.stays and self.bitcoin is None:
            self.start_bitcoin()
        everyone = [*self.nodes, *self.followers]
        for node in everyone:
            if node.name not in self.stays and node.process is None:
                self.start_node(node)
        self.save()
        self.wait_ready(everyone)

    def start_bitcoin(self) -> None:
        """Start the regtest engine, a process of its own that mines every second, and wait until it answers."""
        options = {"--dir": self.folder / "bitcoin", "--socket": self.bitcoin_socket, "--mine-every-ms": 1000}
        self.bitcoin = _spawn("node.sandbox.regtest", options, [], self.folder / "bitcoin.log")
        client = RegtestClient(self.bitcoin_socket)
        _wait_for(lambda: trio.run(client.info), self.bitcoin, "the bitcoin engine", self.folder / "bitcoin.log")

    def start_node(self, node: Node) -> None:
        """Start a daemon."""
        secret = self.folder / "passphrase"
        options = {"--data-dir": node.folder, "--passphrase-file": secret, "--bitcoin-socket": self.bitcoin_socket}
        node.process = _spawn("node.run", options, node.extra, node.folder / "stderr.log")

    def wait_ready(self, nodes: Sequence[Node]) -> None:
        """Wait until the nodes' APIs answer; MutuaError `devnet_start` with the daemon's last words if one ends."""
        for node in nodes:
            ask = partial(node.client(2.0).get_json, "/v1/health")
            _wait_for(ask, node.process, node.name, node.folder / "stderr.log")

    def release(self) -> None:
        """Let the processes stay when this one ends; `mutua devnet down` ends them."""
        for process in [self.bitcoin, *(node.process for node in [*self.nodes, *self.followers])]:
            if process is not None and process.stdin is not None:
                with contextlib.suppress(BrokenPipeError), process.stdin:
                    process.stdin.write(STAY)

    def stop(self) -> None:
        """Stop every process that was started here: SIGTERM, then SIGKILL for one that does not end."""
        for group in ([node.process for node in [*self.nodes, *self.followers]], [self.bitcoin]):
            running = [process for process in group if process is not None]
            for process in running:
                process.send_signal(signal.SIGTERM)
            for process in running:
                _wait_or_kill(process)

    def save(self) -> None:
        """Note what `mutua devnet` needs to know of it later."""
        write_state(self.folder, self._state([node.name for node in [*self.nodes, *self.followers]], is_made=True))

    def _state(self, names: Sequence[str], *, is_made: bool) -> State:
        processes = {node.name: node.process for node in [*self.nodes, *self.followers]} | {"bitcoin": self.bitcoin}
        pids = self.stays | {name: process.pid for name, process in processes.items() if process is not None}
        extra = {node.name: node.extra for node in [*self.nodes, *self.followers]}
        nodes = [{"name": name, "pid": pids.get(name), "extra": extra.get(name, [])} for name in names]
        return {"is_made": is_made, "seed": self.spec.seed, "bitcoin": pids.get("bitcoin"), "nodes": nodes}


def _spawn(module: str, options: Mapping[str, object], extra: Sequence[str], log: Path) -> subprocess.Popen[bytes]:
    """Start a module of ours as a process in a session of its own, which writes to `log` and ends with this one."""
    words = [str(word) for option in options.items() for word in option]
    command = [sys.executable, "-m", module, *words, *extra, "--end-with-parent"]
    environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
    with log.open("ab") as stream:
        return subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=stream, stderr=stream, env=environment, start_new_session=True
        )


def _wait_for(ask: Callable[[], object], process: subprocess.Popen[bytes] | None, name: str, log: Path) -> None:
    """Ask until there is an answer. MutuaError `devnet_start` with the process's last words if it ends before."""
    deadline = time.monotonic() + START_TIMEOUT_S
    while True:
        with contextlib.suppress(Exception):
            ask()
            return
        what = ""
        if process is not None and process.poll() is not None:
            what = f"{name} ended at its start: {log.read_text(errors='replace')[-800:].strip()}"
        elif time.monotonic() > deadline:
            what = f"{name} does not answer after {START_TIMEOUT_S:.0f} s"
        if what:
            raise MutuaError("devnet_start", what, f"see {log}")
        time.sleep(0.1)


def _wait_or_kill(process: subprocess.Popen[Any]) -> None:
    try:
        process.wait(10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
