"""The entry: each thing that can be wrong at the start is one line, the right exit code, and no change on the disk."""

from __future__ import annotations

import os
import resource
import signal
import socket
import subprocess
import sys
import time

import pytest

from node.api.client import ApiError, Client


@pytest.fixture
def folder(tmp_path, make_folder, make_charter):
    """A fresh data folder of a co-op of one, on a port that is free now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    charter = make_charter(founders=1, genesis_ms=int(time.time() * 1000) + 3_600_000, ports=lambda _number: port)
    return make_folder(tmp_path / "data", 0, charter)


def command(folder, *more: str) -> list[str]:
    return [
        sys.executable,
        "-m",
        "node.run",
        "--data-dir",
        str(folder),
        "--passphrase-file",
        str(folder / "passphrase"),
        *more,
    ]


def start(folder, *more: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command(folder, *more), capture_output=True, text=True, timeout=30, check=False)


def pictured(folder) -> dict[str, bytes]:
    """Everything in the folder that means something; the log and the lock's owner do not."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name not in ("log.jsonl", "lock")
    }


def wrong_passphrase(folder):
    (folder / "passphrase").write_text("guess\n")
    return 4, "passphrase does not open"


def no_passphrase_file(folder):
    (folder / "passphrase").unlink()
    return 4, "no passphrase can be read"


def malformed_keys(folder):
    (folder / "keys.json").write_bytes(b"{}")
    return 2, "not a key file"


def no_keys(folder):
    (folder / "keys.json").unlink()
    return 2, "holds no key file"


def malformed_charter(folder):
    (folder / "charter.bin").write_bytes((folder / "charter.bin").read_bytes()[:-1])
    return 2, "is not a sealed charter"


def no_charter(folder):
    (folder / "charter.bin").unlink()
    return 2, "holds no charter"


@pytest.mark.parametrize(
    "spoil", [wrong_passphrase, no_passphrase_file, malformed_keys, no_keys, malformed_charter, no_charter]
)
def test_a_start_that_cannot_be_is_one_clear_line_and_changes_nothing(folder, spoil):
    code, words = spoil(folder)
    before = pictured(folder)
    done = start(folder)
    assert (done.returncode, done.stdout) == (code, "")
    assert done.stderr.count("\n") == 1
    assert done.stderr.startswith("mutua: ")
    assert words in done.stderr
    assert "; " in done.stderr
    assert pictured(folder) == before


def test_a_port_in_use_is_told_before_anything_is_made(folder):
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        before = pictured(folder)
        done = start(folder, "--listen", f"/ip4/127.0.0.1/tcp/{port}")
    assert done.returncode == 2
    assert (
        done.stderr
        == f"mutua: port {port} on 127.0.0.1 is in use; stop the other program, or change `listen` in config.toml\n"
    )
    assert pictured(folder) == before


@pytest.mark.parametrize(
    "more", [("--guest", "zz"), ("--guest", "aa"), ("--log-level", "loud"), ("--listen", "nowhere")]
)
def test_a_wrong_argument_is_a_matter_of_usage(folder, more):
    done = start(folder, *more)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr


def test_a_second_daemon_on_the_folder_is_refused_and_the_first_stops_cleanly(folder):
    first = subprocess.Popen(command(folder), stderr=subprocess.PIPE, text=True)
    try:
        deadline = time.monotonic() + 20
        while not (folder / "api.sock").exists():
            assert first.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.05)
        second = start(folder)
        assert second.returncode == 2
        assert second.stderr.startswith(f"mutua: another daemon runs on {folder}; ")
        assert (folder / "lock").read_text().split("\n")[0] == str(first.pid)
        stopped_at = time.monotonic()
        os.kill(first.pid, signal.SIGTERM)
        assert first.wait(10) == 0
        assert time.monotonic() - stopped_at < 2
        assert first.stderr is not None
        assert first.stderr.read() == ""
        assert not (folder / "api.sock").exists()
    finally:
        first.kill()
        first.wait()


def test_a_damaged_ledger_is_a_finding_and_not_a_trace(folder):
    test_a_second_daemon_on_the_folder_is_refused_and_the_first_stops_cleanly(folder)
    for path in (folder / "ledger").glob("*.log"):
        data = bytearray(path.read_bytes())
        data[len(data) // 2] ^= 1
        path.write_bytes(data)
    done = start(folder)
    assert done.returncode == 6
    assert done.stderr.count("\n") == 1
    assert "damaged" in done.stderr


def limit_files() -> None:
    """What a full disk is to LevelDB: no file grows beyond 64 KiB."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (64 * 1024, resource.RLIM_INFINITY))


def wait_for_api(process, folder) -> Client:
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        assert process.poll() is None
        try:
            Client(folder / "api.sock").get_json("/v1/health")
        except ApiError:
            time.sleep(0.05)
        else:
            return Client(folder / "api.sock")
    raise AssertionError("the daemon does not answer")


def test_a_disk_that_fills_up_stops_the_daemon_and_no_acknowledged_record_is_lost(folder):
    first = subprocess.Popen(command(folder), stderr=subprocess.PIPE, text=True, preexec_fn=limit_files)
    accepted: list[str] = []
    try:
        client = wait_for_api(first, folder)
        with pytest.raises(ApiError):
            for rate in range(1, 1_000):
                accepted.append(
                    client.post_json("/v1/submit", {"kind": "rate.quote", "body": {"rate": rate}})["record_id"]
                )
        assert first.wait(5) == 1
        assert first.stderr is not None
        words = first.stderr.read()
    finally:
        first.kill()
        first.wait()
    assert words.startswith("mutua: the disk of ")
    assert words.count("\n") == 1
    second = subprocess.Popen(command(folder))
    try:
        client = wait_for_api(second, folder)
        assert len(accepted) > 20
        assert {client.get_json(f"/v1/records/{record_id}")["state"] for record_id in accepted} == {"pending"}
    finally:
        second.terminate()
        assert second.wait(10) == 0
