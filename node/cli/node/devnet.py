"""`mutua devnet up|status|down`: a co-op on this machine, for development. Its passphrase is `devnet`."""

from __future__ import annotations

import json
import os
import signal
import time
from pathlib import Path
from typing import Annotated, Any

from cyclopts import App, Parameter

from ledger.errors import MutuaError
from node.cli.common import PRINT, Printing, Whole, say

app = App(name="devnet", help="A whole co-op on this machine: make, look, stop.")

FOLDER = Path("devnet")
Folder = Annotated[Path, Parameter(help="folder of the devnet")]
STATE = "devnet.json"


@app.command
def up(
    *,
    nodes: Whole = 7,
    seed: Whole = 1,
    interval_ms: Whole = 3_000,
    folder: Folder = FOLDER,
    printing: Printing = PRINT,
) -> int:
    """Create a devnet in an empty folder, with NODES founders, and start it. It runs until `mutua devnet down`."""
    from node.sandbox.demo.story import charter_codes
    from node.sandbox.devnet import Devnet, Spec

    if not 1 <= nodes <= 15:
        raise MutuaError("usage", f"a devnet has 1 to 15 nodes, not {nodes}", "give --nodes 7")
    place = folder.resolve()
    if place.exists() and any(place.iterdir()):
        what = f"{folder} is not empty"
        raise MutuaError("folder_not_empty", what, "mutua devnet down, then remove it, or name another folder")
    devnet = Devnet(place, Spec(seed=seed, founders=nodes, interval_ms=interval_ms, codes=charter_codes()))
    try:
        devnet.make()
        for node in devnet.nodes:
            devnet.start_node(node)
        devnet.wait_ready(devnet.nodes)
    except BaseException:
        devnet.stop()
        raise
    devnet.save()
    answer = {
        "folder": str(folder),
        "nodes": [node.name for node in devnet.nodes],
        "passphrase_file": str(folder / "passphrase"),
    }
    look, stop = f"mutua status --data-dir {folder}/member-1", f"mutua devnet down --folder {folder}"
    return say(printing, answer, f"{nodes} nodes run in {folder}. Look: {look}; stop: {stop}")


@app.command
def status(*, folder: Folder = FOLDER, printing: Printing = PRINT) -> int:
    """Show the state of each node of a devnet."""
    from node.api.client import Client

    rows: list[dict[str, Any]] = []
    for item in _load(folder)["nodes"]:
        row: dict[str, Any] = {"name": item["name"], "pid": item["pid"], "running": _is_ours(item["pid"], folder)}
        if row["running"]:
            answer = Client(folder.resolve() / item["name"] / "api.sock").status()
            row |= {"height": answer.height, "peers": answer.peers.connected}
        rows.append(row)

    def words(row: dict[str, Any]) -> str:
        return f"block {row['height']}, {row['peers']} peers" if row["running"] else "not running"

    return say(printing, rows, lambda: [f"{row['name']}: {words(row)}" for row in rows])


@app.command
def down(*, folder: Folder = FOLDER, printing: Printing = PRINT) -> int:
    """Stop a devnet's processes. Its folders stay."""
    state = _load(folder)
    pids = [item["pid"] for item in state["nodes"]] + [state["bitcoin"]]
    stopped = [pid for pid in pids if pid and _is_ours(pid, folder)]
    for pid in stopped:
        os.kill(pid, signal.SIGTERM)
    deadline = time.monotonic() + 10
    while any(_is_ours(pid, folder) for pid in stopped) and time.monotonic() < deadline:
        time.sleep(0.1)
    for pid in stopped:
        if _is_ours(pid, folder):
            os.kill(pid, signal.SIGKILL)
    words = f"stopped {len(stopped)} processes; the folders stay in {folder}"
    return say(printing, {"stopped": len(stopped)}, words)


def _load(folder: Path) -> dict[str, Any]:
    path = folder / STATE
    if not path.exists():
        raise MutuaError("no_devnet", f"there is no devnet in {folder}", "make one: mutua devnet up")
    return json.loads(path.read_text())


def _is_ours(pid: int | None, folder: Path) -> bool:
    """True iff a live process with this pid works on this folder: another program may have the pid by now."""
    import psutil

    if not pid:
        return False
    try:
        process = psutil.Process(pid)
        return process.status() != psutil.STATUS_ZOMBIE and any(
            str(folder.resolve()) in part for part in process.cmdline()
        )
    except psutil.Error:
        return False
