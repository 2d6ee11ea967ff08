"""A devnet through its commands, and what becomes of processes whose parent ends: real processes, real sockets."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from ledger.errors import MutuaError
from node.api.errors import ApiError
from node.api.listening import place_to_listen
from node.api.sockets import place_to_connect, remove
from node.sandbox.demo.main import _clear

WAIT_S = 60.0


@pytest.fixture
def short_folder():
    """A folder with a path as short as a socket needs, for the runtime directory as well."""
    with tempfile.TemporaryDirectory(prefix="mu") as name:
        yield Path(name)


def wait_for(is_done, what):
    deadline = time.monotonic() + WAIT_S
    while not is_done():
        assert time.monotonic() < deadline, what
        time.sleep(0.1)


@contextmanager
def running(command, folder, **options):
    """A process, and in the end neither it nor any other that names the folder."""
    process = subprocess.Popen(command, **options)
    try:
        yield process
    finally:
        process.kill()
        process.wait()
        for left in working_on(folder):
            left.kill()


def working_on(folder):
    found = []
    for process in psutil.process_iter(["cmdline"]):
        if process.pid != os.getpid() and any(str(folder) in word for word in process.info["cmdline"] or ()):
            found.append(process)
    return [item for item in found if item.is_running() and item.status() != psutil.STATUS_ZOMBIE]


def test_a_devnet_goes_up_down_up_and_away_and_each_step_may_be_repeated(short_folder):
    net = short_folder / ("long-name-" * 9) / "net"  # a socket in it would be longer than a system takes
    environment = os.environ | {"XDG_RUNTIME_DIR": str(short_folder)}

    def devnet(*words, code=0):
        command = [sys.executable, "-m", "node.cli.main", "devnet", *words, "--folder", str(net), "--json"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=120, env=environment, check=False)
        assert done.returncode == code, done.stderr
        return json.loads(done.stdout or done.stderr)

    def heights():
        return [item["height"] for item in devnet("status") if item["running"]]

    def look():
        return [(item["name"], item["pid"], item["running"]) for item in devnet("status")]

    try:
        assert devnet("down")["stopped"] == 0
        devnet("up", "--nodes", "2", "--interval-ms", "500")
        before = look()
        assert [(name, is_running) for name, _, is_running in before] == [("member-1", True), ("member-2", True)]
        assert (net / "member-1" / "api.sock").is_symlink()
        devnet("up")
        assert look() == before, "nothing was started twice"
        assert "has --nodes 2, not 3" in devnet("up", "--nodes", "3", code=2)["error"]["what"]
        psutil.Process(before[1][1]).kill()
        psutil.Process(before[1][1]).wait(WAIT_S)
        doctor = [sys.executable, "-m", "node.cli.main", "doctor", "-d", str(net / "member-2"), "--json"]
        found = json.loads(subprocess.run(doctor, capture_output=True, env=environment, check=False).stdout)
        told = {item["name"]: item["what"] for item in found}
        assert told["bitcoin"].startswith("the backend answers at"), "a stopped signer knows its backend"
        devnet("up")
        assert look()[0] == before[0]
        assert look()[1][2], "only what was missing is started"
        wait_for(lambda: min(heights()) >= 1, "a block")
        tip = max(heights())
        assert [devnet("down")["stopped"], devnet("down")["stopped"]] == [3, 0]
        assert {is_running for _, _, is_running in look()} == {False}
        devnet("up")
        wait_for(lambda: min(heights()) > tip, "a block after the one where it stopped")
        (net / "member-list.txt").write_text("a member's own")
        assert devnet("down", "--remove") == {"stopped": 3, "removed": True, "left": ["member-list.txt"]}
        assert devnet("down", "--remove") == {"stopped": 0, "removed": False, "left": []}
        assert [path.name for path in net.iterdir()] == ["member-list.txt"]
        assert devnet("up", code=2)["error"]["code"] == "folder_not_empty"
    finally:
        for left in working_on(net):
            left.kill()


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGHUP], ids=lambda number: number.name)
@pytest.mark.parametrize("is_in_background", [False, True])
def test_whatever_ends_the_command_ends_what_it_started_and_it_can_be_begun_again(
    short_folder, number, is_in_background
):
    net = short_folder / "net"
    command = [sys.executable, "-m", "node.cli.main", "devnet", "up", "--nodes", "4", "--folder", str(net)]
    if is_in_background:  # a script's `&` lets nothing be interrupted by Ctrl-C
        command = ["/bin/sh", "-c", 'trap "" INT; exec "$@"', "sh", *command]
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    with running(command, net, **quiet) as up:
        wait_for(lambda: (net / "bitcoin.sock").exists(), "the bitcoin engine")
        up.send_signal(number)  # long before four nodes are up, and may stay
        assert up.wait(WAIT_S) != 0
        wait_for(lambda: not working_on(net), "the end of every process")
    with running(command, net, **quiet):
        wait_for(lambda: (net / "member-1" / "stderr.log").exists(), "a second beginning")


LAB = """
from governance.simulation.laboratory.runner import _end_with_parent
from concurrent.futures import ProcessPoolExecutor
import os, time
pool = ProcessPoolExecutor(1, initializer=_end_with_parent)
print(pool.submit(os.getpid).result(), flush=True)
time.sleep(600)
"""


def test_a_worker_of_the_laboratory_does_not_outlive_it(tmp_path):
    with running([sys.executable, "-c", LAB], tmp_path, stdout=subprocess.PIPE) as lab:
        worker = psutil.Process(int(lab.stdout.readline()))
        lab.kill()
        lab.wait()
        assert worker.wait(WAIT_S) is None or not worker.is_running()


def test_the_demo_removes_what_a_devnet_made_and_nothing_else(tmp_path):
    (tmp_path / "bitcoin").mkdir()
    (tmp_path / "bitcoin" / "wallet.dat").touch()
    with pytest.raises(MutuaError, match="not an earlier demo"):
        _clear(tmp_path)
    assert (tmp_path / "bitcoin" / "wallet.dat").exists()


def test_a_runtime_folder_of_somebody_else_is_refused(short_folder, monkeypatch):
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(short_folder))
    path = short_folder / ("x" * 100)
    (short_folder / "mutua").mkdir(mode=0o777)
    (short_folder / "mutua").chmod(0o777)
    with pytest.raises(MutuaError, match="not a folder of yours alone"):
        place_to_listen(path)
    (short_folder / "mutua").chmod(0o700)
    assert place_to_connect(path) == place_to_listen(path) == path.readlink()
    monkeypatch.delenv("XDG_RUNTIME_DIR")  # the link tells a program with another environment
    assert place_to_connect(path).parent == short_folder / "mutua"
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(short_folder / ("y" * 100)))
    for place, error in ((place_to_listen, MutuaError), (place_to_connect, ApiError)):
        with pytest.raises(error, match="too long for the system"):
            place(short_folder / ("z" * 100))


def test_a_copy_of_a_folder_with_a_long_path_does_not_lead_to_the_original_s_node(short_folder, monkeypatch):
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(short_folder))
    first, second = (short_folder / (name * 25) / "api.sock" for name in ("one-", "two-"))
    first.parent.mkdir()
    place = place_to_listen(first)
    place.touch()
    shutil.copytree(first.parent, second.parent, symlinks=True)
    assert place_to_connect(second) != place
    assert place_to_listen(second) != place
    remove(second)
    assert place.exists()
    assert place_to_connect(first) == place_to_listen(first) == place
    assert place.exists()
