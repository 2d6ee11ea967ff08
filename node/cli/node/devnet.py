"""`mutua devnet up|status|down`: a co-op on this machine, for development. Its passphrase is `devnet`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import App, Parameter

from ledger.errors import MutuaError
from node.cli.common import PRINT, Flag, Printing, Whole, say

if TYPE_CHECKING:
    from node.sandbox.devnet import Devnet
    from node.sandbox.devnet_folder import State

app = App(name="devnet", help="A whole co-op on this machine: make, look, stop.")

FOLDER = Path("devnet")
Folder = Annotated[Path, Parameter(help="folder of the devnet")]
NODES, SEED, INTERVAL_MS = 7, 1, 3_000
START_IN_S = 1.7
"""From the sealing of the charter to its first block, for each node: two cores start seven in twelve seconds."""


@app.command
def up(
    *,
    nodes: Whole | None = None,
    seed: Whole | None = None,
    interval_ms: Whole | None = None,
    folder: Folder = FOLDER,
    printing: Printing = PRINT,
) -> int:
    """Create a devnet in an empty folder and start it, or start again the one that is there.

    It runs until `mutua devnet down`.

    :param nodes: How many founders a new devnet has: 7 by default.
    :param seed: From which the keys of a new devnet are made: 1 by default.
    :param interval_ms: Milliseconds from block to block of a new devnet: 3000 by default.
    """
    from node.sandbox.devnet_folder import read_state, remove, stop

    place, given = folder.resolve(), {"nodes": nodes, "seed": seed, "interval_ms": interval_ms}
    state = read_state(place)
    if state is None and place.exists() and any(place.iterdir()):
        hint = "name another folder, or an empty one"
        raise MutuaError("folder_not_empty", f"{folder} is not empty, and no devnet", hint)
    if state is not None and not state["is_made"]:  # an earlier `up` was interrupted
        stop(place)
        remove(place)
        state = None
    devnet = _new(place, given) if state is None else _old(place, state, given)
    try:
        if state is None:
            devnet.make()
        devnet.start()
    except BaseException:
        devnet.stop()
        raise
    devnet.release()
    names = [node.name for node in [*devnet.nodes, *devnet.followers]]
    answer = {"folder": str(folder), "nodes": names, "passphrase_file": str(folder / "passphrase")}
    look, end = f"mutua status --data-dir {folder}/member-1", f"mutua devnet down --folder {folder}"
    return say(printing, answer, f"{len(names)} nodes run in {folder}. Look: {look}; stop: {end}")


def _new(place: Path, given: dict[str, int | None]) -> Devnet:
    from node.sandbox.demo.story import charter_codes
    from node.sandbox.devnet import Devnet, Spec

    nodes, seed, interval_ms = (
        default if value is None else value
        for value, default in zip(given.values(), (NODES, SEED, INTERVAL_MS), strict=True)
    )
    if not 1 <= nodes <= 15:
        raise MutuaError("usage", f"a devnet has 1 to 15 nodes, not {nodes}", "give --nodes 7")
    spec = Spec(seed, nodes, interval_ms, start_in_s=START_IN_S * nodes, codes=charter_codes())
    return Devnet(place, spec)


def _old(place: Path, state: State, given: dict[str, int | None]) -> Devnet:
    """Return the devnet of a folder. MutuaError `usage` when it is made of something else than what is asked for."""
    from node.sandbox.devnet import Devnet

    devnet = Devnet.reopen(place, state)
    assert devnet.charter is not None
    values = len(devnet.charter.founders), state["seed"], devnet.charter.block_interval_ms
    for (name, wanted), value in zip(given.items(), values, strict=True):
        if wanted is not None and wanted != value:
            what = f"the devnet in {place} has --{name.replace('_', '-')} {value}, not {wanted}"
            raise MutuaError("usage", what, "leave it out to go on, or begin anew: mutua devnet down --remove")
    return devnet


@app.command
def status(*, folder: Folder = FOLDER, printing: Printing = PRINT) -> int:
    """Show the state of each node of a devnet."""
    from node.api.client import Client
    from node.sandbox.devnet_folder import is_ours, read_state

    state = read_state(folder)
    if state is None:
        raise MutuaError("no_devnet", f"there is no devnet in {folder}", "make one: mutua devnet up")
    rows: list[dict[str, Any]] = []
    for item in state["nodes"]:
        is_running = bool(item["pid"]) and is_ours(item["pid"], folder)
        row: dict[str, Any] = {"name": item["name"], "pid": item["pid"], "running": is_running}
        if is_running:
            answer = Client(folder.resolve() / item["name"] / "api.sock").status()
            row |= {"height": answer.height, "peers": answer.peers.connected}
        rows.append(row)

    def words(row: dict[str, Any]) -> str:
        return f"block {row['height']}, {row['peers']} peers" if row["running"] else "not running"

    return say(printing, rows, lambda: [f"{row['name']}: {words(row)}" for row in rows])


@app.command
def down(*, remove: Flag = False, folder: Folder = FOLDER, printing: Printing = PRINT) -> int:
    """Stop a devnet's processes. Its folders stay, and `mutua devnet up` goes on where they stopped.

    :param remove: Remove the devnet as well, for good.
    """
    from node.sandbox.devnet_folder import read_state, stop
    from node.sandbox.devnet_folder import remove as remove_devnet

    is_there = read_state(folder) is not None
    count = stop(folder)
    left = remove_devnet(folder) if remove and is_there else []
    answer = {"stopped": count, "removed": remove and is_there, "left": left}
    words = f"stopped {count} process{'' if count == 1 else 'es'}"
    if not is_there:
        words = f"there is no devnet in {folder}: nothing to stop"
    elif remove:
        words += f"; the devnet in {folder} is removed" + (f", but not {', '.join(left)}" if left else "")
    else:
        words += f"; the folders stay in {folder}; go on: mutua devnet up --folder {folder}"
    return say(printing, answer, words)
