"""`mutua demo`: make the devnet, play the story, stop everything, read the folders, audit them, say what came out."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

from ledger.errors import MutuaError
from node.sandbox.demo.play import Play
from node.sandbox.demo.screen import open_screen
from node.sandbox.demo.story import BLOCKS, DENIER, IMPORT_ROUNDS, VISITS_PER_ROUND, VOTED_CASES, charter_codes, tell
from node.sandbox.demo.summary import summarise
from node.sandbox.devnet import Devnet, Spec
from node.sandbox.devnet_folder import read_state, remove, running

INTERVAL_MS = 1_800
IMPORTED = VISITS_PER_ROUND * len(IMPORT_ROUNDS)
OUTPUTS_MIN = 4
SETTLE_S = 4.0
"""After the last block: the others and the follower take it too."""


def run_demo(folder: Path, seed: int, summary_file: Path | None) -> dict[str, Any]:
    """Play the demo in an emptied `folder` and return its summary; stop everything that it started in any case."""
    started = time.monotonic()
    _clear(folder)
    spec = Spec(seed=seed, interval_ms=INTERVAL_MS, codes=charter_codes())
    screen = open_screen()
    devnet = Devnet(folder, spec)
    try:
        screen.say(f"seed {seed}: Synthea makes seven lives (amounts are synthetic)")
        story = tell(seed, spec.founders, spec.providers, folder.parent / f".{folder.name}-synthea")
        screen.say("seven founders make keys, fund the treasury on regtest and seal the charter")
        devnet.make()
        devnet.add_follower("follower")
        devnet.save()
        for node in devnet.nodes:
            devnet.start_node(node)
        devnet.save()
        devnet.wait_ready(devnet.nodes)
        screen.say("seven daemons answer; blocks begin")

        def on_block(height: int, block: dict[str, Any]) -> None:
            screen.block(height, block, _heights(devnet))

        play = Play(devnet, story, lambda _kind, line: screen.say(line), on_block)
        play.run()
        time.sleep(SETTLE_S)
        memory_mb = _memory_mb(devnet)
        devnet.stop()
        screen.say("all daemons stopped; their folders are read and audited")
        members, followers = ([node.folder for node in group] for group in (devnet.nodes, devnet.followers))
        summary = summarise(members, followers, play.killed, time.monotonic() - started)
        summary["memory_mb_max"] = memory_mb
    finally:
        devnet.stop()
        screen.close()
    if summary_file is not None:
        summary_file.parent.mkdir(parents=True, exist_ok=True)
        summary_file.write_text(json.dumps(summary, indent=1) + "\n")
    return summary


def faults_of(summary: dict[str, Any]) -> list[str]:
    """Return which of the demo's promises are broken; empty when all is well."""
    claims, payouts = summary["claims"], summary["payouts"]
    expected = {"imported": IMPORTED, "vote_accepted": VOTED_CASES + 1, "denied": 1, "lapsed": 1}
    missing, few = claims["imported"] - claims["standard_accepted"], payouts["outputs_per_payee_min"]
    late = payouts["due_by_70_open"]
    broken = [
        (len(set(summary["state_roots"])) != 1, "the nodes' state roots differ"),
        (summary["height"] < BLOCKS, f"the common height is {summary['height']}, not {BLOCKS}"),
        (any(summary["audit_exit_codes"]), "an audit has findings"),
        (not summary["restarted_caught_up"], "the killed daemon is not back in sync"),
        (not summary["follower_caught_up"], "the follower is not in sync"),
        *((claims[name] != n, f"claims {name} is {claims[name]}, not {n}") for name, n in expected.items()),
        (missing != 0, f"{missing} imported claims were not accepted in their block"),
        (
            list(summary["bars"].values())[DENIER] != 10_000,
            "the member who denies everything does not have the approval threshold of 100 %",
        ),
        (few < OUTPUTS_MIN, f"a payout went to {few} addresses, fewer than {OUTPUTS_MIN}"),
        (payouts["confirmed"] != len(payouts["txids"]), "a batch is not confirmed"),
        (late, f"{late} payouts due by block 70 are not mined"),
    ]
    return [words for is_broken, words in broken if is_broken]


def _memory_mb(devnet: Devnet) -> int:
    """Return the resident memory of the largest daemon, in MB of 10^6 bytes: a figure that no folder holds."""
    import psutil

    running = [node.process.pid for node in [*devnet.nodes, *devnet.followers] if node.process is not None]
    return round(max(psutil.Process(pid).memory_info().rss for pid in running) / 1e6)


def _heights(devnet: Devnet) -> dict[str, int]:
    found: dict[str, int] = {}
    for node in [*devnet.nodes, *devnet.followers]:
        if node.process is None:
            continue
        try:
            found[node.name] = int(node.client(2.0).get_json("/v1/status")["height"])
        except Exception:
            found[node.name] = -1
    return found


def _clear(folder: Path) -> None:
    """Remove an earlier demo; refuse a folder that is not one, and one whose nodes still run."""
    if folder.exists() and any(folder.iterdir()):
        if read_state(folder) is None:
            what = f"{folder} is not empty, and not an earlier demo"
            raise MutuaError("folder_not_empty", what, "name another folder")
        if names := running(folder):
            what = f"{', '.join(names)} of an earlier demo or devnet still run in {folder}"
            raise MutuaError("folder_in_use", what, f"stop them: mutua devnet down --folder {folder}")
        remove(folder)
    folder.mkdir(parents=True, exist_ok=True)
