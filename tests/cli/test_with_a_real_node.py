"""The commands against a real daemon: one founder, a block every 300 ms, a claim from bill to receipt."""

from __future__ import annotations

import json
import os
import random
import shutil
import socket
import subprocess
import sys
import time
from contextlib import contextmanager
from functools import reduce

import pytest

from ledger.charter import add_founder, new_charter, seal
from ledger.charter_file import charter_to_toml, founder_from_file
from ledger.genesis import CharterCode, CharterPlan, CharterProvider
from ledger.signatures import public_key_of
from wallet.keyfile import LIGHT, seal_keyfile

PROVIDER_SEED = bytes(range(32))
PLAN = CharterPlan("basic", 50_000, 10_000, 1_500, 2_000, 500_000, 2_500_000, None, 0, None, ())
CODES = (CharterCode("urn:hcpcs", "G0101", True, 12_000, 5),)


@pytest.fixture
def home(tmp_path, call):
    """A data folder with keys and the sealed charter of a co-op of one."""
    return found_coop(tmp_path, call)


def found_coop(tmp_path, call, *, others: int = 0):
    """Return the folder of the first founder; the `others` have an entry in the charter and never start."""
    secret, provider = tmp_path / "passphrase", tmp_path / "provider.seed"
    secret.write_text("open sesame\n")
    provider.write_text(PROVIDER_SEED.hex())
    draft = new_charter(
        "Real Mutual",
        seed=bytes(32),
        genesis_time_ms=time.time_ns() // 1_000_000,
        day_one="2026-01-01",
        block_interval_ms=300,
        phase="live",
        claims_cents=1_000_000,
        reserve_cents=1_000_000,
        rate=10_000_000,
        plans=(PLAN,),
        codes=CODES,
        providers=(CharterProvider(public_key_of(PROVIDER_SEED), "clinic"),),
        params={"audit_random_bp": 0},
        community=("village",),
    )
    (tmp_path / "draft.toml").write_text(charter_to_toml(draft))
    folders = [tmp_path / name for name in ("data", *(f"other-{number}" for number in range(others)))]
    for number, folder in enumerate(folders):
        folder.mkdir(mode=0o700)
        (folder / "keys.json").write_bytes(seal_keyfile(bytes([number] * 32), "open sesame", LIGHT))
        (folder / "keys.json").chmod(0o600)
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            address = f"/ip4/127.0.0.1/tcp/{probe.getsockname()[1]}"
        entry = ("--draft", tmp_path / "draft.toml", "--no-signer", "--address", address)
        made = call("init", "-d", folder, "--passphrase-file", secret, *entry)
        assert made.code == 0, made.err
    entries = [founder_from_file((folder / "founder.toml").read_bytes()) for folder in folders]
    (tmp_path / "charter.toml").write_text(charter_to_toml(seal(reduce(add_founder, entries, draft)), is_sealed=True))
    kept = call("init", "-d", folders[0], "--passphrase-file", secret, "--charter", tmp_path / "charter.toml")
    assert kept.code == 0, kept.err
    return folders[0]


@contextmanager
def running(folder, call):
    """A daemon, until the block is left."""
    command = [
        sys.executable,
        "-m",
        "node.cli.main",
        "run",
        "-d",
        str(folder),
        "--passphrase-file",
        str(folder.parent / "passphrase"),
    ]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MUTUA_")}
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, env=environment)
    try:
        wait_for(lambda: process.poll() is not None or call("status", "-d", folder).code == 0)
        assert process.poll() is None, process.stderr.read()
        yield process
    finally:
        if call("status", "-d", folder).code == 0:
            process.terminate()
        _, errors = process.communicate(timeout=30)
    assert process.returncode == 0, errors


def wait_for(condition, seconds: float = 30.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited too long"
        time.sleep(0.1)


def test_a_claim_from_bill_to_receipt(home, call) -> None:
    folder = home
    bill = (
        "--code",
        "G0101",
        "--charge",
        "150",
        "--provider",
        "clinic",
        "--provider-seed-file",
        folder.parent / "provider.seed",
    )
    with running(folder, call):
        wait_for(lambda: json.loads(call("status", "-d", folder, "--json").out)["height"] >= 2)
        (folder.parent / "invoice.pdf").write_bytes(b"an invoice")
        filed = call(
            "claim",
            "submit",
            *bill,
            "--day",
            "1",
            "--evidence",
            folder.parent / "invoice.pdf",
            "--wait",
            "20",
            "-d",
            folder,
            "--json",
        )
        assert filed.code == 0, filed.err
        receipt = json.loads(filed.out)
        assert receipt["state"] == "final"
        claim = receipt["record_id"]
        text = call("claim", "explain", claim, "-d", folder).out
        assert (
            "Of the charge 120.00 USD is allowed; 100.00 USD goes to your deductible, 15.00 USD is your copay, 1.00 USD"
            " is your coinsurance" in text
        )
        assert "The co-op pays 4.00 USD" in text
        assert call("vote", "verify", claim[:12], "-d", folder).code == 0
        again = call("claim", "submit", *bill, "--day", "1", "-d", folder)
        assert again.code == 5
        assert f"is already in claim {claim[:12]}" in again.err
        opened = call("evidence", "open", claim, "-d", folder)
        assert opened.out.startswith(str(folder / "documents")), opened.err
        assert call("claim", "show", claim, "-d", folder).code == 0
        assert call("claim", "list", "-d", folder).out.splitlines()[1].startswith(claim[:12])
        assert call("member", "show", "-d", folder).code == 0
        assert call("doctor", "-d", folder).code == 0, call("doctor", "-d", folder).out
        second = call("run", "-d", folder, "--passphrase-file", folder.parent / "passphrase")
        assert second.code == 2
        assert "another node runs on" in second.err
        assert call("stop", "-d", folder).code == 0
    assert "start it: mutua run" in call("claim", "explain", claim, "-d", folder).err
    copy = folder.parent / "copy"
    shutil.copytree(folder, copy, ignore=shutil.ignore_patterns("api.sock"))
    told = call("claim", "explain", claim, "-d", copy).err
    assert f"this is a copy of {folder}: read it with mutua audit" in told
    (copy / "keys.json").unlink()
    assert "holds no keys: a copy is read with mutua audit" in call("status", "-d", copy).err
    verified = call("vote", "verify", claim, "-d", folder, "--json")
    assert verified.code == 0, verified.err
    assert json.loads(verified.out)["is_proven"]
    assert call("audit", "verify", folder).code == 0


def test_a_question_before_the_service_and_a_claim_that_the_provider_files(home, call, tmp_path) -> None:
    """The provider has no node: its signed bundle is submitted by a member's, and the patient sees the claim."""
    seed = tmp_path / "provider.seed"
    at = ("-d", home)
    with running(home, call):
        wait_for(lambda: json.loads(call("status", *at, "--json").out)["height"] >= 2)
        status = json.loads(call("status", *at, "--json").out)
        planned = str(status["height"] + 100)
        bill = (
            "--code",
            "G0101",
            "--charge",
            "130",
            "--day",
            planned,
            "--provider",
            "clinic",
            "--provider-seed-file",
            seed,
        )
        asked = call("claim", "preauthorise", *bill, "--wait", "20", *at, "--json")
        assert asked.code == 0, asked.err
        shown = json.loads(call("claim", "show", json.loads(asked.out)["record_id"], *at, "--json").out)
        assert (shown["use"], shown["benefit_cents"], shown["lines"][0]["status"]) == ("preauth", 0, "estimated")
        assert (
            shown["estimates"][0]["benefit_cents"] == 400
        )  # 120.00 allowed, 100.00 deductible, 15.00 copay, 20 % of 5.00
        visit = tmp_path / "visit.json"
        drafted = call(
            "provider",
            "claim",
            visit,
            "--cover",
            status["cover"],
            "--scheme",
            "village",
            "--provider",
            "clinic",
            "--code",
            "G0101",
            "--charge",
            "130",
            "--day",
            "1",
            *at,
        )
        assert drafted.code == 0, drafted.err
        unsigned = call("bundle", "submit", "--yes", visit, *at)
        assert unsigned.code != 0
        assert call("bundle", "sign", visit, "--seed-file", seed, "--until", "5000").code == 0
        filed = call("bundle", "submit", "--yes", visit, "--wait", "20", *at, "--json")
        assert filed.code == 0, filed.err
        claims = json.loads(call("claim", "list", *at, "--json").out)
        mine = next(item for item in claims if item["use"] == "claim")
        assert (mine["payee"], mine["benefit_cents"]) == ("provider", 400)
        assert call("stop", *at).code == 0


def fhir_claim(name: str, code: str, charge: int) -> dict:
    item = {
        "sequence": 1,
        "productOrService": {"coding": [{"system": "urn:hcpcs", "code": code}]},
        "net": {"value": charge, "currency": "USD"},
        "servicedDate": "2026-01-01",
    }
    return {
        "resourceType": "Claim",
        "id": name,
        "status": "active",
        "use": "claim",
        "patient": {"reference": "Patient/p1"},
        "created": "2026-01-01",
        "type": {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/claim-type", "code": "professional"}]},
        "provider": {"identifier": {"system": "urn:clinics", "value": "1"}},
        "priority": {"coding": [{"code": "normal"}]},
        "insurance": [{"sequence": 1, "focal": True, "coverage": {"display": "the co-op"}}],
        "item": [item],
    }


def test_a_file_is_imported_once_and_nothing_of_one_that_repeats_a_line(home, call, tmp_path) -> None:
    def imported(*claims, options=(), **fields):
        path = tmp_path / "claims.json"
        bundle = {"resourceType": "Bundle", "type": "collection", "entry": [{"resource": claim} for claim in claims]}
        path.write_text(json.dumps(bundle | fields))
        provider = ("--map-provider", "urn:clinics|1=clinic", "--provider-seed-file", tmp_path / "provider.seed")
        return call("claim", "import", path, *provider, *options, "-d", home, "--json")

    def claims():
        return json.loads(call("claim", "list", "-d", home, "--json").out)

    with running(home, call):
        wait_for(lambda: json.loads(call("status", "-d", home, "--json").out)["height"] >= 2)
        page = {"type": "searchset", "total": 250}
        refused = imported(fhir_claim("a", "G0101", 100), fhir_claim("b", "X9", 100), **page)
        assert (refused.code, json.loads(refused.err)["error"]["reasons"][0]["code"]) == (5, "fhir_pages_missing")
        first = imported(fhir_claim("a", "G0101", 100), fhir_claim("b", "X9", 100), options=["--partial"], **page)
        assert (first.code, json.loads(first.out)["missing_pages"][:20]) == (0, "the file holds 2 of "), first.err
        again = imported(fhir_claim("a", "G0101", 100), fhir_claim("b", "X9", 100))
        told = json.loads(again.out)
        assert [item["resource"] for item in (*told["stood"], *told["waiting"])] == ["Claim/a", "Claim/b"], again.err
        wait_for(lambda: len(claims()) == 2)
        final = imported(fhir_claim("a", "G0101", 100), fhir_claim("b", "X9", 100))
        assert (final.code, json.loads(final.out)["submitted"]) == (0, [])
        shown = fhir_claim("a", "G0101", 100)
        shown["item"][0]["productOrService"]["text"] = "a screening, as the clinic calls it now"
        changed = imported(shown, fhir_claim("b", "X9", 100), fhir_claim("e", "X7", 100))
        told = json.loads(changed.out)
        assert [[item["resource"] for item in told[name]] for name in ("submitted", "stood")] == [
            ["Claim/e"],
            ["Claim/a", "Claim/b"],
        ]
        wait_for(lambda: len(claims()) == 3)
        repeats = imported(fhir_claim("c", "X8", 100), fhir_claim("d", "G0101", 90))
        assert repeats.code == 5
        (reason,) = json.loads(repeats.err)["error"]["reasons"]
        assert (reason["resource"], reason["code"]) == ("Claim/d", "duplicate_line")
        assert len(claims()) == 3
        assert json.loads(call("status", "-d", home, "--json").out)["mempool"] == 0


def killed_and_run_again(folder, call, seed: int, kills: int, count: int = 320) -> None:
    """Kill the import, the node or both with SIGKILL while claims go in, some times; then let one run end."""
    rng, path = random.Random(seed), folder.parent / "claims.ndjson"
    path.write_text("".join(json.dumps(fhir_claim(f"c{n}", f"C{n}", 1 + n)) + "\n" for n in range(count)))
    seeds = ("--map-provider", "urn:clinics|1=clinic", "--provider-seed-file", folder.parent / "provider.seed")
    words = ("claim", "import", path, *seeds, "-d", folder, "--json")

    def has_begun(importing) -> bool:
        """Something of the file is here, or the import has ended."""
        waiting = call("status", "-d", folder, "--json")
        return importing.poll() is not None or waiting.code != 0 or json.loads(waiting.out)["mempool"] > 0

    for _ in range(kills):
        node = start("run", "-d", folder, "--passphrase-file", folder.parent / "passphrase")
        wait_for(lambda node=node: node.poll() is not None or call("status", "-d", folder).code == 0)
        importing = start(*words)
        wait_for(lambda importing=importing: has_begun(importing), 60)
        time.sleep(rng.uniform(0, 0.3))
        for process in rng.sample([node, importing], 2)[: rng.randint(1, 2)]:
            process.kill()
            time.sleep(rng.uniform(0, 0.1))
        for process in (importing, node):
            process.kill()
            process.wait()
    with running(folder, call):
        last = call(*words)
        assert last.code == 0, last.err
        told = json.loads(last.out)
        lists = [{item["resource"] for item in told[name]} for name in ("submitted", "stood", "waiting")]
        assert sum(map(len, lists)) == len(set.union(*lists)) == count, (seed, list(map(len, lists)))
        wait_for(lambda: json.loads(call("status", "-d", folder, "--json").out)["mempool"] == 0, 60)
        claims = json.loads(call("claim", "list", "-d", folder, "--json").out)
        assert sorted(claim["codes"][0] for claim in claims) == sorted(f"C{n}" for n in range(count)), seed


def start(*words) -> subprocess.Popen[bytes]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MUTUA_")}
    command = [sys.executable, "-m", "node.cli.main", *map(str, words)]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=environment)


def test_an_import_that_is_killed_and_run_again_files_every_claim_once(home, call) -> None:
    killed_and_run_again(home, call, seed=7, kills=2)


@pytest.mark.soak
@pytest.mark.parametrize("seed", range(20))
def test_an_import_killed_at_any_moment(home, call, seed) -> None:
    killed_and_run_again(home, call, seed, kills=4)


def test_devices_guardians_and_a_dependant_whose_claims_this_node_signs(home, call) -> None:
    seeds = {name: home.parent / f"{name}.seed" for name in ("phone", "friend", "new")}
    for number, file in enumerate(seeds.values(), start=40):
        file.write_text(bytes([number] * 32).hex())
    phone, friend, new = (public_key_of(bytes.fromhex(file.read_text())).hex() for file in seeds.values())

    def done(*arguments):
        result = call(*arguments, "-d", home, "--json")
        assert result.code == 0, result.err
        return json.loads(result.out)

    with running(home, call):
        member = done("status")["member"]
        done("keys", "device", "add", phone, home.parent / "phone.json")
        done("bundle", "attest", "--yes", home.parent / "phone.json", "--seed-file", seeds["phone"])
        done("bundle", "submit", "--yes", home.parent / "phone.json", "--wait", "20")
        assert phone in done("keys", "device", "list")
        done("keys", "device", "revoke", "--yes", phone[:8], "--wait", "20")
        assert phone not in done("keys", "device", "list")
        done("keys", "guardians", "set", friend, "--threshold", "1", "--wait", "20")
        done("keys", "move", member, new, home.parent / "move.json")
        for role, name in (("guardian", "friend"), ("new-key", "new")):
            done("bundle", "attest", "--yes", home.parent / "move.json", "--role", role, "--seed-file", seeds[name])
        done("bundle", "submit", "--yes", home.parent / "move.json", "--wait", "20")
        assert done("keys", "object", "--yes", "--wait", "20")["state"] == "final"
        shown = done("keys", "guardians", "show")
        assert (shown["move"], shown["guardians"]["paused_until"] is None) == (None, False)
        again = call("bundle", "submit", "--yes", home.parent / "move.json", "-d", home)
        assert (again.code, "guardians" in again.err or "objected" in again.err) == (5, True)
        for count in (1, 2):
            done("member", "dependant", "add", "--yes", "--wait", "20")
            assert len({item["cover_id"] for item in done("member", "dependant", "list")}) == count
        cover = done("member", "dependant", "list")[1]["cover_id"]
        bill = (
            "--code",
            "G0101",
            "--charge",
            "150",
            "--day",
            "1",
            "--provider",
            "clinic",
            "--provider-seed-file",
            home.parent / "provider.seed",
        )
        filed = done("claim", "submit", *bill, "--cover", cover[:8], "--wait", "20")
        claim = done("claim", "show", filed["record_id"])
        assert (claim["cover_id"], claim["lines"][0]["refusal"]) == (
            cover,
            1,
        ), "signed by the dependant's key, covered from the next term on"
        assert claim["claim"] in {item["claim"] for item in done("claim", "list")}


def test_a_port_in_use_is_said_in_one_line(home, shell) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        address = f"/ip4/127.0.0.1/tcp/{taken.getsockname()[1]}"
        result = shell(
            "run",
            "-d",
            home,
            "--passphrase-file",
            home.parent / "passphrase",
            "--listen",
            address,
            "--log-format",
            "quiet",
        )
    assert result.code == 2
    assert result.err.startswith("mutua: port ")
    assert "in use" in result.err
    assert result.err.count("\n") == 1


def test_the_ledger_of_another_chain_is_refused_and_left_alone(home, call, shell, tmp_path) -> None:
    secret = home.parent / "passphrase"
    with running(home, call):
        assert call("stop", "-d", home).code == 0
    text = (home / "charter.toml").read_text().replace('name = "Real Mutual"', 'name = "Other Mutual"')
    assert text != (home / "charter.toml").read_text()
    from msgspec.structs import replace

    from ledger.charter import sign_founder
    from ledger.charter_file import charter_from_file
    from ledger.codec import encode
    from wallet.keys import KeyRing

    other = charter_from_file((home / "charter.bin").read_bytes())
    founder = sign_founder(KeyRing.from_seed(bytes(32)).identity_seed, other.founders[0], "Other Mutual")
    (home / "charter.bin").write_bytes(encode(seal(replace(other, name="Other Mutual", founders=(founder,)))))
    before = sorted((path.name, path.read_bytes()) for path in (home / "ledger").iterdir() if path.suffix == ".ldb")
    result = shell("run", "-d", home, "--passphrase-file", secret, "--log-format", "quiet")
    assert result.code in (2, 6), result
    assert result.err.count("\n") == 1
    assert "chain" in result.err
    assert (
        sorted((path.name, path.read_bytes()) for path in (home / "ledger").iterdir() if path.suffix == ".ldb")
        == before
    )


def test_a_cut_off_node_says_so_and_that_what_is_sent_waits_here(tmp_path, call) -> None:
    folder = found_coop(tmp_path, call, others=3)
    day_before = str(json.loads(call("charter", "show", tmp_path / "charter.toml", "--json").out)["day_one"])
    bill = ("--code", "G0101", "--charge", "150", "--day", day_before, "--provider", "clinic")
    with running(folder, call):
        status = call("status", "-d", folder).out
        assert " · cut off since 20" in status
        assert "in sync" not in status
        assert "peers      0 of 3 connected; none heard since the start. What you send waits here" in status
        sent = call("claim", "submit", *bill, "--provider-seed-file", tmp_path / "provider.seed", "-d", folder)
        assert sent.code == 0, sent.err
        assert "stored on this node, where it waits: the node is cut off since" in sent.out
        checks = {item["name"]: item for item in json.loads(call("doctor", "-d", folder, "--json").out)}
        assert checks["peers"]["state"] == "fault"
        assert "in sync" not in checks["node"]["what"]
