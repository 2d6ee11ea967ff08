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
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any

import trio

from ledger import charter as charters
from ledger.charter_checks import SATS_PER_BITCOIN
from ledger.charter_file import charter_to_toml
from ledger.codec import encode
from ledger.errors import MutuaError
from ledger.genesis import Charter, CharterCode, CharterPlan, CharterProvider, CharterTreasury, Founder
from ledger.signatures import public_key_of
from node.api.client import Client
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
    """A devnet in a folder: `make` it once, `start` and `stop` its processes."""

    def __init__(self, folder: Path, spec: Spec) -> None:
        self.folder = folder
        self.spec = spec
        self.nodes: list[Node] = []
        self.followers: list[Node] = []
        self.providers = {name: seed_of(spec.seed, f"provider/{name}") for name in spec.providers}
        self.charter: Charter | None = None
        self.bitcoin: subprocess.Popen[bytes] | None = None

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
        (self.folder / "passphrase").write_text(PASSPHRASE + "\n")
        for name, seed in self.providers.items():
            (self.folder / f"{name}.seed").write_text(seed.hex() + "\n")
        for index in range(self.spec.founders):
            self.nodes.append(self._make_node(f"member-{index + 1}"))
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
        (folder / "keys.json").write_bytes(seal_keyfile(seed, PASSPHRASE, LIGHT))
        (folder / "keys.json").chmod(0o600)
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
        from node.sandbox.regtest.client import RegtestClient
        from wallet.transactions import Treasury

        threshold = 2 * len(founders) // 3 + 1
        client = RegtestClient(self.bitcoin_socket)
        await client.wait_ready()
        amount_sat = -(-(self.spec.claims_cents + self.spec.reserve_cents) * SATS_PER_BITCOIN // RATE)
        treasury = Treasury.of(threshold, [founder.bitcoin_key for founder in founders], "regtest")
        txid, vout = await client.fund(treasury.script_pubkey, amount_sat)
        return CharterTreasury("regtest", threshold, txid, vout, amount_sat, FEE_SAT_PER_VB)

    # ---- Processes ---------------------------------------------------------------

    def start_bitcoin(self) -> None:
        """Start the regtest engine: a process of its own that mines every second."""
        options = {"--dir": self.folder / "bitcoin", "--socket": self.bitcoin_socket, "--mine-every-ms": 1000}
        self.bitcoin = _spawn("node.sandbox.regtest", options, [], self.folder / "bitcoin.log")

    def start_node(self, node: Node) -> None:
        """Start a daemon."""
        secret = self.folder / "passphrase"
        options = {"--data-dir": node.folder, "--passphrase-file": secret, "--bitcoin-socket": self.bitcoin_socket}
        node.process = _spawn("node.run", options, node.extra, node.folder / "stderr.log")

    def wait_ready(self, nodes: Sequence[Node]) -> None:
        """Wait until the nodes' APIs answer; MutuaError `devnet_start` with the daemon's last words if one ends."""
        deadline = time.monotonic() + START_TIMEOUT_S
        for node in nodes:
            while True:
                with contextlib.suppress(Exception):
                    node.client(2.0).get_json("/v1/health")
                    break
                what = ""
                if node.process is not None and node.process.poll() is not None:
                    words = (node.folder / "stderr.log").read_text(errors="replace")[-800:]
                    what = f"{node.name} ended at its start: {words.strip()}"
                elif time.monotonic() > deadline:
                    what = f"{node.name} does not answer after {START_TIMEOUT_S:.0f} s"
                if what:
                    raise MutuaError("devnet_start", what, f"see {node.folder}")
                time.sleep(0.1)

    def stop(self) -> None:
        """Stop every process: SIGTERM, then SIGKILL for one that does not end."""
        for group in ([node.process for node in [*self.nodes, *self.followers]], [self.bitcoin]):
            running = [process for process in group if process is not None]
            for process in running:
                process.send_signal(signal.SIGTERM)
            for process in running:
                _wait_or_kill(process)

    def save(self) -> None:
        """Note what `mutua devnet status` and `down` need."""
        pids = {node.name: node.process and node.process.pid for node in [*self.nodes, *self.followers]}
        nodes = [{"name": name, "pid": pid} for name, pid in pids.items()]
        state = {"seed": self.spec.seed, "bitcoin": self.bitcoin and self.bitcoin.pid, "nodes": nodes}
        (self.folder / "devnet.json").write_text(json.dumps(state, indent=1) + "\n")


def _spawn(module: str, options: Mapping[str, object], extra: Sequence[str], log: Path) -> subprocess.Popen[bytes]:
    """Start a module of ours as a process in a session of its own, which writes to `log`."""
    words = [str(word) for option in options.items() for word in option]
    command = [sys.executable, "-m", module, *words, *extra]
    environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
    with log.open("ab") as stream:
        return subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=stream, stderr=stream, env=environment, start_new_session=True
        )


def _wait_or_kill(process: subprocess.Popen[Any]) -> None:
    try:
        process.wait(10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
