"""`mutua claim import` of a file of claims into a running node: claims a second, until the last one is acknowledged.

A co-op of seven signers whose committee is one node, a block every two seconds; claims of three lines that need no
vote, each with its provider's signature and fresh payout addresses. Whole processes: reading the file counts, and so
does waiting for room in the node's pool. Runs on the packages of an older tree too.

    python benchmarks/against.py f0ce4bc bench_import -- --claims 5000
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path

import psutil
from trees import keep, module_of, parser_of

from ledger import charter as charters
from ledger.codec import encode
from ledger.genesis import CharterCode, CharterPlan, CharterProvider, Founder
from ledger.signatures import public_key_of
from node.api.client import Client
from wallet.keyfile import LIGHT, seal_keyfile
from wallet.keys import KeyRing

committee_of = module_of("node.execution.header_rules", "node.ledgerside").committee_of
to_toml = module_of("ledger.charter_file", "ledger.charter").charter_to_toml

SIGNERS, LINES = 7, 3
INTERVAL_MS = 2_000
PASSPHRASE = "bench"
SYSTEM = "urn:bench"
PATIENCE_S = 1_800
PLAN = CharterPlan("basic", 50_000, 10_000, 1_500, 2_000, 500_000, 2_500_000, None, 0, None, ())


def seed(label: str) -> bytes:
    return sha256(f"bench-import/{label}".encode()).digest()


def code(claim: int, line: int) -> str:
    return f"C{LINES * claim + line:06}"


def found_coop(folder: Path, claims: int) -> Path:
    """Write the data folder of the one node that makes the blocks; return it."""
    rings = [KeyRing.from_seed(seed(f"member{number}")) for number in range(SIGNERS)]
    draft = charters.new_charter(
        "bench",
        seed=seed("charter"),
        genesis_time_ms=time.time_ns() // 1_000_000,
        day_one="2026-01-01",
        block_interval_ms=INTERVAL_MS,
        phase="live",
        committee_max=1,
        claims_cents=10**12,
        reserve_cents=10**11,
        rate=10_000_000,
        plans=(PLAN,),
        codes=[
            CharterCode(SYSTEM, code(claim, line), True, None, None) for claim in range(claims) for line in range(LINES)
        ],
        providers=(CharterProvider(public_key_of(seed("provider")), "clinic"),),
        params={"audit_random_bp": 0},
    )
    names = ("identity_key", "device_key", "cover_key", "consensus_key", "transport_key", "bitcoin_key")
    for number, ring in enumerate(rings):
        keys = {name: getattr(ring, name) for name in names}
        place = {
            "onion_tip": ring.onion.tip,
            "address": f"/ip4/127.0.0.1/tcp/{20_000 + number}",
            "household": f"h{number}",
        }
        founder = Founder(**keys, **place, plan=PLAN.name, contract_terms=12, prepaid_terms=12, signature=b"")
        draft = charters.add_founder(draft, charters.sign_founder(ring.identity_seed, founder, draft.name))
    charter = charters.seal(draft)
    leader = next(n for n, ring in enumerate(rings) if ring.consensus_key == committee_of(charter)[0])
    home = folder / "node"
    home.mkdir(mode=0o700)
    (home / "documents").mkdir()
    (home / "keys.json").write_bytes(seal_keyfile(seed(f"member{leader}"), PASSPHRASE, LIGHT))
    (home / "keys.json").chmod(0o600)
    (home / "charter.bin").write_bytes(encode(charter))
    (home / "charter.toml").write_text(to_toml(charter, is_sealed=True))
    (folder / "passphrase").write_text(PASSPHRASE + "\n")
    (folder / "provider.seed").write_text(seed("provider").hex())
    return home


def write_claims(path: Path, claims: int) -> None:
    """Write claims as NDJSON, such as a clinic exports them."""

    def item(claim: int, line: int) -> dict:
        return {
            "sequence": line + 1,
            "productOrService": {"coding": [{"system": SYSTEM, "code": code(claim, line)}]},
            "net": {"value": 100 + line, "currency": "USD"},
            "servicedDate": "2026-01-01",
        }

    with path.open("w") as file:
        for claim in range(claims):
            content = {
                "resourceType": "Claim",
                "id": f"c{claim}",
                "status": "active",
                "type": {"coding": [{"code": "professional"}]},
                "use": "claim",
                "patient": {"reference": "Patient/p1"},
                "created": "2026-01-02",
                "provider": {"identifier": {"value": "clinic"}},
                "priority": {"coding": [{"code": "normal"}]},
                "insurance": [{"sequence": 1, "focal": True, "coverage": {"display": "the co-op"}}],
                "item": [item(claim, line) for line in range(LINES)],
            }
            file.write(json.dumps(content) + "\n")


@contextmanager
def running(home: Path):
    """The node, once it made its first block."""
    command = [sys.executable, "-m", "node.run", "--data-dir", str(home), "--passphrase-file"]
    command += [str(home.parent / "passphrase"), "--listen", "/ip4/127.0.0.1/tcp/0"]
    with (home / "stderr.log").open("ab") as log:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    try:
        client = Client(home / "api.sock")
        deadline = time.monotonic() + 60
        while True:
            try:
                if client.get_json("/v1/status")["height"] >= 1:
                    break
            except Exception:
                pass
            if process.poll() is not None or time.monotonic() > deadline:
                raise SystemExit((home / "stderr.log").read_text()[-800:])
            time.sleep(0.1)
        yield client, psutil.Process(process.pid)
    finally:
        process.terminate()
        process.wait(60)


def import_all(home: Path, path: Path) -> None:
    """Run the import, again while it says that the pool is full."""
    folder = home.parent
    command = [sys.executable, "-m", "node.cli.main", "claim", "import", str(path), "-d", str(home), "--json"]
    command += ["--provider-seed-file", str(folder / "provider.seed")]
    deadline = time.monotonic() + PATIENCE_S
    while True:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode == 0:
            return
        if "mempool_full" not in done.stderr or time.monotonic() > deadline:
            raise SystemExit(done.stdout[-400:] + done.stderr[-400:])
        time.sleep(INTERVAL_MS / 1000)


def own_cpu_s() -> float:
    """Return the CPU time of the processes that ended: the imports."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def main() -> int:
    parser = parser_of(__doc__)
    parser.add_argument("--claims", type=int, default=5_000)
    chosen = parser.parse_args()
    for name in [name for name in os.environ if name.startswith("MUTUA_")]:
        del os.environ[name]
    with tempfile.TemporaryDirectory(prefix="mutua-bench-") as name:
        home, path = found_coop(Path(name), chosen.claims), Path(name) / "claims.ndjson"
        write_claims(path, chosen.claims)
        with running(home) as (client, node):
            start, used, own = time.perf_counter(), sum(node.cpu_times()[:2]), own_cpu_s()
            import_all(home, path)
            took = time.perf_counter() - start
            used, own = sum(node.cpu_times()[:2]) - used, own_cpu_s() - own
            height = client.get_json("/v1/status")["height"]
    figures = {
        "claims a second": chosen.claims / took,
        "CPU of the import, ms a claim": own * 1000 / chosen.claims,
        "CPU of the node, blocks included, ms a claim": used * 1000 / chosen.claims,
    }
    print(f"{chosen.claims} claims of {LINES} lines acknowledged in {took:.1f} s, up to block {height}")
    for name, value in figures.items():
        print(f"{name:<50}{value:>10.2f}")
    keep(chosen.json, figures)
    return 0


if __name__ == "__main__":
    sys.exit(main())
