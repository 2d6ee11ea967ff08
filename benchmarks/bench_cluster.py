"""Seven real daemons on this machine: CPU of all together a block, consensus messages a block, memory.

Limit for memory: 200 MB a daemon. Blocks are empty, so the figures are what agreeing costs. Prints a table; exits 1
above the limit.
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path

import psutil

from node.sandbox.devnet import Devnet, Spec

NODES, FROM, BLOCKS = 7, 3, 20
MEMORY_MB_MAX = 200


def main() -> int:
    with tempfile.TemporaryDirectory(prefix="mutua-bench-") as folder:
        devnet = Devnet(Path(folder) / "net", Spec(seed=1, founders=NODES, interval_ms=1_500))
        try:
            devnet.make()
            for node in devnet.nodes:
                devnet.start_node(node)
            devnet.wait_ready(devnet.nodes)
            processes = [psutil.Process(node.process.pid) for node in devnet.nodes if node.process]
            before = measure(devnet, processes, FROM)
            after = measure(devnet, processes, FROM + BLOCKS)
            memory = max(process.memory_info().rss for process in processes) / 1e6
        finally:
            devnet.stop()
    blocks = after[0] - before[0]
    cpu_ms = (after[1] - before[1]) * 1000 / blocks
    messages = (after[2] - before[2]) / blocks
    print(f"{NODES} daemons, {blocks} empty blocks, 1.5 s apart")
    print(f"{'CPU of all daemons a block, ms':<44}{cpu_ms:>8.0f}")
    print(f"{'consensus messages sent by all a block':<44}{messages:>8.0f}")
    print(f"{'memory of the largest daemon, MB':<44}{memory:>8.0f}   (limit {MEMORY_MB_MAX})")
    return 0 if memory < MEMORY_MB_MAX else 1


def measure(devnet: Devnet, processes: list[psutil.Process], height: int) -> tuple[int, float, int]:
    """Return (height, CPU seconds, messages) once every node has reached `height`."""
    while True:
        statuses = [node.client().get_json("/v1/status") for node in devnet.nodes]
        if min(status["height"] for status in statuses) >= height:
            cpu = sum(sum(process.cpu_times()[:2]) for process in processes)
            return statuses[0]["height"], cpu, sum(status["consensus"]["messages_out"] for status in statuses)
        time.sleep(0.3)


if __name__ == "__main__":
    sys.exit(main())
