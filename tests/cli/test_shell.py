"""The command as a shell sees it: start-up, exit codes, pipes, completion, set-up of a data folder."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from ledger.charter_checks import is_founder_signed
from ledger.charter_file import charter_from_file, founder_from_file
from node.api.views.base import read
from node.api.views.node import Status
from node.cli.node.doctor import PYTHONS
from node.cli.node.version import find_commit
from wallet.keyfile import LIGHT, open_keyfile, seal_keyfile

ROOT = Path(__file__).resolve().parents[2]
PASSPHRASE = "four random words here"
SEED = bytes(range(32))


@pytest.fixture
def secret(tmp_path):
    path = tmp_path / "passphrase"
    path.write_text(PASSPHRASE + "\n")
    return path


@pytest.fixture
def folder(tmp_path):
    """A data folder with a key file that costs little to open."""
    place = tmp_path / "data"
    place.mkdir(mode=0o700)
    (place / "keys.json").write_bytes(seal_keyfile(SEED, PASSPHRASE, LIGHT))
    (place / "keys.json").chmod(0o600)
    return place


@pytest.fixture
def sealed(call, tmp_path, folder, secret):
    """A sealed charter of one founder, whose keys are those of `folder`."""
    draft = tmp_path / "draft.toml"
    assert call("charter", "new", draft, "--name", "Shell Mutual").code == 0
    made = call(
        "init",
        "-d",
        folder,
        "--passphrase-file",
        secret,
        "--draft",
        draft,
        "--no-signer",
        "--address",
        "/ip4/127.0.0.1/tcp/4555",
    )
    assert made.code == 0, made.err
    assert call("charter", "add", draft, folder / "founder.toml").code == 0
    assert call("charter", "seal", draft, "--out", tmp_path / "sealed").code == 0
    return tmp_path / "sealed" / "charter.toml"


def test_a_charter_is_sealed_with_a_word_about_each_thing_that_it_lacks(call, sealed, tmp_path) -> None:
    again = call("charter", "seal", sealed, "--out", tmp_path / "again")
    assert [line.split(":")[0] for line in again.out.splitlines()] == ["warning"] * 3 + [
        "sealed",
        "founders compare this id by voice before they run it",
    ]
    told = json.loads(call("charter", "seal", sealed, "--out", tmp_path / "again", "--json").out)
    assert [gap.split(":")[0] for gap in told["warnings"]] == [
        "no provider is listed",
        "no code is standard",
        "no founder has a bitcoin key",
    ]


@pytest.mark.parametrize(
    "arguments", [("--help",), ("status",), ("vote", "list"), ("vote", "cast", "abcdef", "--accept"), ("claim", "list")]
)
def test_everyday_commands_load_no_heavy_library(arguments) -> None:
    heavy = (
        "libp2p",
        "bitcoinlib",
        "web3",
        "trio",
        "httpx",
        "structlog",
        "starlette",
        "hypercorn",
        "governance",
        "consensus",
        "plyvel",
        "nacl",
        "asyncio",
    )
    code = (
        f"import sys; from node.cli.main import main; main({list(arguments)!r}); print([m for m in {heavy!r} if m in"
        " sys.modules])"
    )
    environment = {**os.environ, "MUTUA_DATA_DIR": "/nowhere"}
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=environment, timeout=60, check=True
    )
    assert done.stdout.splitlines()[-1] == "[]"


def test_no_node_is_exit_code_3_in_words_and_in_json(shell, tmp_path) -> None:
    plain = shell("status", "-d", tmp_path)
    assert (plain.code, plain.out) == (3, "")
    hint = "name your node's data folder with --data-dir; a new one begins with mutua init"
    assert plain.err == f"mutua: no node answers at {tmp_path}/api.sock; {hint}\n"
    machine = shell("status", "--json", env={"MUTUA_DATA_DIR": str(tmp_path)})
    assert (machine.code, json.loads(machine.err)["error"]["code"]) == (3, "node_not_running")


def test_the_version_names_release_commit_and_protocol(shell) -> None:
    told = shell("--version").out
    assert re.fullmatch(r"mutua [\d.]+, commit ([0-9a-f]{12,40}(-dirty)?|unknown), protocol version 1\n", told), told


def test_a_folder_in_somebody_elses_checkout_has_no_commit(tmp_path) -> None:
    if shutil.which("git") is None:
        pytest.skip("git is not installed")
    git = f"git -C {tmp_path} -c user.name=n -c user.email=n@example.org -c commit.gpgsign=false".split()
    subprocess.run([*git, "init", "--quiet"], check=True)
    subprocess.run([*git, "commit", "--quiet", "--allow-empty", "-m", "first"], check=True)
    (tmp_path / "venv").mkdir()
    assert re.fullmatch(r"[0-9a-f]{12}", find_commit(tmp_path))
    assert find_commit(tmp_path / "venv") == ""


def test_doctor_asks_for_the_pythons_that_the_package_asks_for() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    first, last = PYTHONS[0], PYTHONS[-1]
    assert project["requires-python"] == f">={first[0]}.{first[1]},<{last[0]}.{last[1] + 1}"


def test_a_devnet_without_its_bitcoin_engine_leaves_nothing_behind(call, tmp_path, monkeypatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _name: None)
    result = call("devnet", "up", "--folder", tmp_path / "devnet", "--json")
    assert result.code != 0
    assert ".[demo]" in result.err
    assert list(tmp_path.iterdir()) == []


def test_help_names_the_commands(shell) -> None:
    text = shell("--help").out
    for name in ("init", "run", "status", "claim", "vote", "audit", "rehearse", "demo"):
        assert f" {name} " in text


def test_a_reader_that_has_enough_is_no_fault(tmp_path) -> None:
    environment = {**os.environ, "MUTUA_DATA_DIR": str(tmp_path)}
    process = subprocess.Popen(
        [
            sys.executable,
            "-c",
            "from node.cli.main import main; import sys; sys.exit(main(['config', 'show', '--json']))",
        ],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment,
    )
    assert process.stdout is not None
    process.stdout.close()
    assert process.wait(30) == 0
    assert process.stderr is not None
    assert process.stderr.read() == b""


def test_a_config_that_does_not_fit_stops_every_command(call, tmp_path) -> None:
    (tmp_path / "config.toml").write_text("lissten = 'x'\n")
    for command in (("status",), ("config", "show"), ("run",)):
        result = call(*command, "-d", tmp_path)
        assert result.code == 2
        assert "'lissten', which is not a setting" in result.err


def test_init_makes_everything_once_and_keeps_it_afterwards(shell, tmp_path, secret) -> None:
    place = tmp_path / "new"
    first = shell("init", "-d", place, "--passphrase-file", secret, "--show-words", "--json")
    assert first.code == 0, first.err
    answer = json.loads(first.out)
    assert {step["state"] for step in answer["steps"]} == {"made"}
    assert len(answer["words"].split()) == 24
    assert place.stat().st_mode & 0o777 == 0o700
    assert (place / "keys.json").stat().st_mode & 0o777 == 0o600
    before = {path.name: path.read_bytes() for path in place.iterdir()}
    second = shell("init", "-d", place, "--passphrase-file", secret, "--json")
    assert {step["state"] for step in json.loads(second.out)["steps"]} == {"kept"}
    assert json.loads(second.out)["member"] == answer["member"]
    assert {path.name: path.read_bytes() for path in place.iterdir()} == before
    restored = tmp_path / "restored"
    (tmp_path / "words").write_text(answer["words"].upper())
    third = shell("init", "-d", restored, "--passphrase-file", secret, "--words-file", tmp_path / "words", "--json")
    assert json.loads(third.out)["member"] == answer["member"]


def test_the_passphrase_comes_by_descriptor_too(tmp_path, folder) -> None:
    read, write = os.pipe()
    os.write(write, PASSPHRASE.encode() + b"\n")
    os.close(write)
    done = subprocess.run(
        [sys.executable, "-m", "node.cli.main", "init", "-d", str(folder), "--passphrase-fd", str(read)],
        pass_fds=(read,),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    os.close(read)
    assert done.returncode == 0, done.stderr


def test_a_founders_entry_is_signed_for_its_draft(sealed, folder) -> None:
    founder = founder_from_file((folder / "founder.toml").read_bytes())
    assert is_founder_signed(founder, "Shell Mutual")
    assert charter_from_file(sealed.read_bytes()).founders == (founder,)


def test_init_keeps_the_sealed_charter_and_refuses_another_chain(call, sealed, folder, secret, tmp_path) -> None:
    assert call("init", "-d", folder, "--passphrase-file", secret, "--charter", sealed).code == 0
    kept = (folder / "charter.bin").read_bytes()
    other = tmp_path / "other.toml"
    other.write_text(sealed.read_text().replace('phase = "pilot"', 'phase = "live"').replace("chain_id", "# chain_id"))
    result = call("init", "-d", folder, "--passphrase-file", secret, "--charter", other)
    assert result.code == 2
    assert "belongs to another chain" in result.err
    assert (folder / "charter.bin").read_bytes() == kept


@pytest.mark.parametrize("command", ["init", "run"])
def test_a_wrong_passphrase_is_exit_code_4_and_changes_nothing(call, sealed, folder, secret, command) -> None:
    assert call("init", "-d", folder, "--passphrase-file", secret, "--charter", sealed).code == 0
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    secret.write_text("something else\n")
    result = call(command, "-d", folder, "--passphrase-file", secret)
    assert (result.code, result.out) == (4, "")
    assert "does not open the key file" in result.err
    assert "something else" not in result.err
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


def test_nobody_to_ask_is_locked(shell, folder) -> None:
    result = shell("init", "-d", folder)
    assert result.code == 4
    assert "--passphrase-file" in result.err


def test_run_names_what_is_missing(call, tmp_path, secret, folder) -> None:
    assert "mutua init --charter" in call("run", "-d", folder, "--passphrase-file", secret).err
    (folder / "keys.json").unlink()
    (folder / "charter.bin").write_bytes(b"x")
    result = call("run", "-d", folder, "--passphrase-file", secret)
    assert result.code == 2
    assert "mutua init" in result.err


def test_a_broken_key_file_is_named(call, folder, secret) -> None:
    (folder / "keys.json").write_bytes(b"{}")
    result = call("init", "-d", folder, "--passphrase-file", secret)
    assert result.code == 2
    assert "not a key file" in result.err
    assert (folder / "keys.json").read_bytes() == b"{}"


def test_a_second_node_on_a_folder_is_refused_before_the_passphrase(call, sealed, folder, secret) -> None:
    import fcntl

    assert call("init", "-d", folder, "--passphrase-file", secret, "--charter", sealed).code == 0
    with (folder / "lock").open("ab") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        result = call("run", "-d", folder)
    assert result.code == 2
    assert "another node runs on" in result.err


def test_doctor_names_each_fault_with_its_remedy(call, folder, tmp_path) -> None:
    folder.chmod(0o755)
    (folder / "config.toml").write_text(f'bitcoin_socket = "{tmp_path}/nobody.sock"\nlisten = "nonsense"\n')
    result = call("doctor", "-d", folder, "--json")
    assert result.code == 6
    found = {item["name"]: item for item in json.loads(result.out)}
    assert {name for name, item in found.items() if item["state"] == "fault"} == {
        "folder",
        "charter",
        "bitcoin",
        "port",
    }
    assert all(item["hint"] for item in found.values() if item["state"] == "fault")
    assert open_keyfile((folder / "keys.json").read_bytes(), PASSPHRASE) == SEED


@pytest.mark.parametrize("listen", ["/ip4/127.0.0.1/tcp/99999", "/ip4/999.1.1.1/tcp/4001"])
def test_doctor_and_run_refuse_an_address_that_a_socket_would_take_for_another(call, folder, sealed, secret, listen):
    assert call("init", "-d", folder, "--passphrase-file", secret, "--charter", sealed).code == 0
    result = call("run", "-d", folder, "--listen", listen, "--passphrase-file", secret)
    assert (result.code, result.out) == (2, "")
    assert "is not an address" in result.err
    (folder / "config.toml").write_text(f'listen = "{listen}"\n')
    (port,) = (item for item in json.loads(call("doctor", "-d", folder, "--json").out) if item["name"] == "port")
    assert port["state"] == "fault"
    assert "is not an address" in port["what"]


def test_logs_show_the_newest_lines_of_a_stopped_node(call, tmp_path) -> None:
    lines = [
        json.dumps({"event": "block_final", "height": height, "level": "info", "timestamp": "2026-01-01T10:00:00.1Z"})
        for height in range(9)
    ]
    (tmp_path / "log.jsonl").write_text("\n".join(lines) + "\n")
    assert (
        call("logs", "-n", "2", "-d", tmp_path).out
        == "2026-01-01 10:00:00 info    block_final  height=7\n2026-01-01 10:00:00 info    block_final  height=8\n"
    )
    assert call("logs", "-n", "1", "--json", "-d", tmp_path).out == lines[-1] + "\n"
    assert call("logs", "-d", tmp_path / "empty").code == 2


def test_logs_are_followed_across_a_rotation(tmp_path) -> None:
    path = tmp_path / "log.jsonl"
    path.write_text("old\n")
    process = subprocess.Popen(
        [sys.executable, "-m", "node.cli.main", "logs", "-f", "-n", "1", "--json", "-d", str(tmp_path)],
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "old\n"
        with path.open("a") as stream:
            stream.write("new\n")
        assert process.stdout.readline() == "new\n"
        path.replace(tmp_path / "log.jsonl.1")
        path.write_text("after\n")
        assert process.stdout.readline() == "after\n"
    finally:
        process.kill()
        process.wait()


ASKED = {
    "bash": 'source "$0"; COMP_WORDS=(mutua vote ca); COMP_CWORD=2; _mutua; echo "${COMPREPLY[@]}"',
    "zsh": 'autoload -U compinit; compinit -D -u; source "$0"; echo "$_comps[mutua]"',
    "fish": 'source $argv[1]; complete -C "mutua vote ca"',
}
"""For each shell: load the script, and ask what follows `mutua vote ca`, or in zsh who would answer."""


@pytest.mark.parametrize(("name", "answer"), [("bash", "cast"), ("zsh", "_cyclopts_mutua"), ("fish", "cast\t")])
def test_the_shell_completes_commands(call, tmp_path, name, answer) -> None:
    result = call("completion", name)
    assert result.code == 0, result.err
    assert "status" in result.out
    if shutil.which(name) is None:
        pytest.skip(f"{name} is not installed")
    script = tmp_path / "script"
    script.write_text(result.out)
    words = [name, *(["-f"] if name == "zsh" else []), "-c", ASKED[name], str(script)]
    environment = {**os.environ, "HOME": str(tmp_path)}
    done = subprocess.run(words, capture_output=True, text=True, timeout=60, check=False, env=environment)
    assert done.stdout.startswith(answer), done.stderr


def test_a_fault_is_one_line_without_a_traceback(call, monkeypatch, tmp_path) -> None:
    monkeypatch.setattr("node.cli.node.live.status_lines", lambda _answer: 1 // 0)
    monkeypatch.setattr("node.api.client.Client.status", lambda _self: {})
    result = call("status", "-d", tmp_path)
    assert result.code == 1
    assert result.err.startswith("mutua: there is a fault in the program: ZeroDivisionError")
    assert result.err.count("\n") == 1


def test_a_full_disk_is_said_as_such(call, folder, secret, monkeypatch) -> None:
    def full(*_arguments: object) -> None:
        raise OSError(28, "No space left on device", "config.toml")

    monkeypatch.setattr("node.paths.write_whole", full)
    result = call("init", "-d", folder, "--passphrase-file", secret)
    assert result.code == 1
    assert "No space left on device (config.toml); free some space" in result.err


def test_the_smallest_membership_for_the_gate_is_computed_from_a_charter(shell, tmp_path) -> None:
    draft = tmp_path / "draft.toml"
    assert shell("charter", "new", draft, "--name", "hill", "--reserve-cents", "100000000").code == 0
    figures = ("--claims-a-year", "1", "--benefit", "200", "--deviation", "300", "--runs", "299", "--members", "20,10")
    answer = json.loads(shell("charter", "ruin", draft, *figures, "--json").out)
    assert (answer["members_needed"], [row["members"] for row in answer["rows"]]) == (10, [10])
    assert (
        shell("charter", "ruin", draft, *figures).out.splitlines()[-1].startswith("with 10 members ruin is at most 1%")
    )
    for wrong in (("--members", "ten"), ("--runs", "10"), ("--plan", "gold"), ("--benefit", "-1")):
        refused = shell("charter", "ruin", draft, *figures, *wrong)
        assert (refused.code, refused.out) == (2, "") or "plan" in refused.err


def status_of(**changes: object) -> Status:
    consensus = {"view": 0, "is_member": True, "committee": 7, "misbehaviour": 0, "is_signing": True}
    fields = {
        "name": "hill",
        "chain_id": "",
        "currency": "USD",
        "exponent": 2,
        "height": 32,
        "block_hash": "",
        "state_root": "",
        "term": 2,
        "day_one": "2026-01-01",
        "block_interval_ms": 1000,
        "peers": {"connected": 6, "known": 6},
        "mempool": 0,
        "is_syncing": False,
        "needs_me": 0,
        "protocol": {"version": 1, "knows_next": True},
        "log_level": "info",
    }
    return read(Status, {**fields, **changes, "consensus": {**consensus, **changes.get("consensus", {})}})


def line_of(label: str, **changes: object) -> str:
    """The line of `mutua status` with this label; empty when there is none."""
    from node.cli.node.live import status_lines

    return next((line for line in status_lines(status_of(**changes)) if line.startswith(label)), "")


def findings_of(**changes: object) -> dict[str, tuple[str, str]]:
    """What `mutua doctor` says of a running node, by check."""
    from node.cli.node.doctor import node_checks

    return {check.name: (check.state, check.what) for check in node_checks(status_of(**changes))}


def test_the_status_says_what_is_owed_and_until_when() -> None:
    assert line_of("owed") == ""
    owed = {"amount_cents": 150_000, "pay_by": 41, "suspended_from": None}
    assert line_of("owed", owed=owed) == "owed       1,500.00 USD: pay it by block 41, or your cover is suspended"
    late = line_of("owed", owed={**owed, "suspended_from": 42})
    assert late.endswith("there is no cover from block 42 until it is paid")


def test_the_status_and_the_doctor_say_whether_the_node_signs_and_why_not() -> None:
    assert line_of("consensus") == "consensus  view 0, votes on blocks"
    assert findings_of()["signing"] == ("ok", "votes on blocks")
    starting = {"is_signing": False}
    assert line_of("consensus", consensus=starting).endswith("in the committee; it asks its peers before it signs")
    assert findings_of(consensus=starting)["signing"][0] == "note"
    assert line_of("consensus", consensus={"is_member": False}).endswith("follows; it is not in the committee")
    assert "signing" not in findings_of(consensus={"is_member": False})
    held = {"is_signing": False, "quarantine": "own vote unknown", "quarantine_until": 40}
    assert line_of("consensus", consensus=held).endswith("signs nothing until block 40 is final: own vote unknown")
    assert findings_of(consensus=held)["signing"][0] == "fault"
    twin = {**held, "signs_elsewhere": "this folder is a copy of /a: stop it here"}
    assert line_of("consensus", consensus=twin).endswith(
        "own vote unknown. Only one may: this folder is a copy of /a: stop it here"
    )
    unknown = line_of("consensus", consensus={**held, "quarantine_until": None})
    assert unknown.endswith("signs nothing until enough peers have told how far they are: own vote unknown")


@pytest.mark.parametrize(
    ("job", "words", "state"),
    [
        ({"state": "off", "open_batches": 0}, "no Bitcoin backend is configured: this node signs no payouts", "fault"),
        ({"state": "starting", "open_batches": 0}, "the treasury's job is starting", "ok"),
        (
            {"state": "waiting", "last_error": "no engine answers", "open_batches": 1},
            "the last step failed and is tried again: no engine answers; 1 unconfirmed batch",
            "fault",
        ),
        ({"state": "working", "open_batches": 2}, "the last step went well; 2 unconfirmed batches", "ok"),
    ],
)
def test_a_signer_is_told_what_the_treasurys_job_does(job, words, state) -> None:
    assert line_of("treasury", treasury=job).endswith(words)
    assert findings_of(treasury=job)["treasury"][0] == state


def test_a_member_without_a_bitcoin_key_hears_nothing_of_the_treasurys_job() -> None:
    assert line_of("treasury") == ""
    assert "treasury" not in findings_of()


def test_misbehaviour_seen_is_a_warning_and_a_finding() -> None:
    assert line_of("warning") == ""
    seen = {"misbehaviour": 2}
    words = "2 proofs that another node signed two things where it may sign one"
    assert line_of("warning", consensus=seen) == f"warning    {words}"
    assert findings_of(consensus=seen)["misbehaviour"] == ("note", words)
