"""Two daemons with one key: a folder is copied and both are started. Part of `make soak`."""

from __future__ import annotations

import json
import shutil
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import pytest

pytest.importorskip("pbk", reason="the regtest engine needs the extra demo: pip install 'mutua[demo]'")

from node.sandbox.devnet import Devnet, Node, Spec, free_ports

INTERVAL_MS = 800
PATIENCE_S = 60
BLOCKS = 12


def consensus_of(node: Node) -> dict[str, object]:
    return node.client(10.0).get_json("/v1/status")["consensus"]


def height_of(node: Node) -> int:
    return node.client(10.0).get_json("/v1/status")["height"]


def wait_for(is_so, what: str) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not is_so():
        assert time.monotonic() < deadline, f"not in time: {what}"
        time.sleep(0.2)


def proofs_of(node: Node) -> list[dict[str, object]]:
    lines = [json.loads(line) for line in (node.folder / "log.jsonl").read_text(encoding="utf-8").splitlines()]
    return [line for line in lines if line["event"] == "misbehaviour_seen"]


@pytest.fixture
def devnet():
    folder = Path(tempfile.mkdtemp(prefix="mutua-"))
    made = Devnet(folder / "four", Spec(seed=5, founders=4, interval_ms=INTERVAL_MS, start_in_s=4))
    try:
        made.make()
        for node in made.nodes:
            made.start_node(node)
        made.wait_ready(made.nodes)
        wait_for(lambda: min(map(height_of, made.nodes)) >= 2, "two blocks")
        yield made
    finally:
        made.stop()
        shutil.rmtree(folder, ignore_errors=True)


def copied(devnet: Devnet, node: Node) -> Node:
    """The copy of a stopped node's folder, entered as one more process to stop."""
    folder = node.folder.with_name("twin")
    shutil.copytree(node.folder, folder)
    twin = replace(node, name="twin", folder=folder, process=None)
    twin.extra = ["--listen", f"/ip4/127.0.0.1/tcp/{free_ports(1)[0]}"]
    devnet.followers.append(twin)
    return twin


@pytest.mark.soak
@pytest.mark.parametrize("is_late", [False, True], ids=["both at once", "the copy later"])
def test_a_copy_of_a_folder_falls_silent_and_names_itself_while_the_others_go_on(devnet, is_late):
    *others, first = devnet.nodes
    first.process.terminate()
    first.process.wait(10)
    twin = copied(devnet, first)
    devnet.start_node(first)
    if is_late:
        devnet.wait_ready([first])
        wait_for(lambda: consensus_of(first)["is_signing"], "the first signs")
    devnet.start_node(twin)
    devnet.wait_ready([first, twin])
    began = height_of(others[0])
    wait_for(lambda: height_of(others[0]) >= began + BLOCKS, "blocks")
    settled = height_of(others[0])
    wait_for(lambda: height_of(others[0]) >= settled + BLOCKS, "more blocks")
    states = {node.name: consensus_of(node) for node in (first, twin)}
    assert sum(bool(state["is_signing"]) for state in states.values()) <= 1, states
    silent = [name for name, state in states.items() if state["signs_elsewhere"]]
    assert silent, states
    assert all(str(devnet.folder) in str(states[name]["signs_elsewhere"]) for name in silent)
    for node in others:
        assert [proof for proof in proofs_of(node) if proof["height"] > settled] == []
