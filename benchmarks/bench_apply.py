"""A block's whole work against the raw rate of its signatures: verify, apply, roots, one synced LevelDB batch.

Rival: libsodium's Ed25519 verification alone, on all cores, in the same run. Ballots are used because they carry one
signature each; the state is that of 300 founders, then the same with 100,000 further members from `population.py`.
Prints the median of five runs, and what a record costs by step and by handler; exits 1 when a ratio misses its target.

The ratio of CPU times counts this process and its workers: it is what the ratio tends to on a machine with nothing else
to do, but for the part of a block that only one core works on (the batch).

A ratio of 0.80 leaves a quarter of a signature, 10 µs, for the rest of a record: decision 7 says what it would take.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
import time
from pathlib import Path

import bench_scale
import psutil
from coop import CLAIMANTS, CORES, Coop, acting, encode_events, raw_work, validating
from trees import keep, median_of, module_of, parser_of

from governance.kinds import decode_body
from governance.transition import BlockContext, OpenBlock
from ledger.blocks import Block, BlockWithBodies, encode_header
from ledger.chain import Chain
from ledger.leveldb import LevelDB
from ledger.records import check_record_shape, is_body_of, is_record_signed, record_id_of, signed_bytes_of

verifying = module_of("node.execution.verifier", "node.verifier")

TARGETS = {0: 0.70, 100_000: 0.60}
"""By members beside the founders."""
RUNS = 5


def cpu_of_all() -> float:
    """Return the CPU seconds of this process and its workers."""
    used = time.process_time()
    for child in psutil.Process().children():
        used += sum(child.cpu_times()[:2])
    return used


class Measured:
    """A chain with an applied block of claims, and the block of ballots that comes next."""

    def __init__(self, folder: Path, members: int) -> None:
        coop = Coop(folder, members)
        filed = coop.claims(CLAIMANTS)
        first = coop.candidate(filed)
        coop.chain.commit(first.block, b"", first.delta, b"")
        votes = list(coop.ballots([record_id_of(item.record) for item in filed]))
        built = coop.candidate(votes)
        coop.store.close()
        self.folder, self.committee, self.built, self.count = folder, coop.committee, built, len(votes)
        # Other objects than those the block was built from, as from a peer.
        block = BlockWithBodies(Block(encode_header(built.header), built.block.block.records), built.block.bodies)
        self.block = block

    def copy(self, folder: Path) -> Chain:
        """Open a copy of the chain as a node does when it starts."""
        shutil.copytree(self.folder, folder)
        store = LevelDB(folder)
        if hasattr(store, "merge"):
            store.merge()
        return Chain.open(store)

    def run(self, folder: Path) -> dict[str, float]:
        """Verify, apply and keep the block once, beside the raw rate."""
        chain = self.copy(folder)
        verifier = verifying.Verifier()
        verifier.start()  # a running node has its workers
        time.sleep(1)
        raw_s, raw_cpu_s = raw_work(self.block.block.records)
        used, start = cpu_of_all(), time.perf_counter()
        candidate = validating.check_candidate(chain, self.committee, self.block, lambda _record: False, verifier)
        checked = time.perf_counter()
        if hasattr(chain, "keep"):
            chain.keep(candidate.next, b"")
        else:
            chain.commit(candidate.block, b"", candidate.delta, encode_events(candidate.events))
        whole_s, cpu_s = time.perf_counter() - start, cpu_of_all() - used
        verifier.close()
        chain.store.close()
        micros = 1e6 / self.count
        return {
            "raw libsodium verification, all cores": raw_s * micros,
            "raw, CPU": raw_cpu_s * micros,
            "verify + apply + roots": (checked - start) * micros,
            "  + one synced batch (the whole block)": whole_s * micros,
            "whole block, CPU": cpu_s * micros,
            "ratio": raw_s / whole_s,
            "ratio of CPU times": raw_cpu_s / cpu_s,
        }

    def steps(self, folder: Path) -> dict[str, float]:
        """Return CPU microseconds a record of each step, one after the other in one thread: the lowest of five."""
        from ledger.blocks import contents_of
        from ledger.records import seals_of

        chain = self.copy(folder)
        records, bodies, built = self.block.block.records, self.block.bodies, self.built
        context = BlockContext(built.header.height, built.header.randomness)
        contents = contents_of(records)
        acts = [acting.act_of(*item) for item in zip(records, bodies, contents.ids, strict=True)]

        def take() -> OpenBlock:
            opened = OpenBlock(chain.state, context)
            for act in acts:
                opened.take(act)
            return opened

        def bodies_fit() -> bool:
            for record in records:
                check_record_shape(record, chain.chain_id)
            return all(is_body_of(record, body) for record, body in zip(records, bodies, strict=True))

        def root() -> bytes:
            chain.tree.root_after({})  # forget the delta judged last
            return chain.tree.root_after(built.delta)

        def sealed() -> list[list[tuple[bytes, bytes]]]:
            return [seals_of(*item) for item in zip(records, contents.signed, strict=True)]

        def messages() -> list[bytes]:
            return [signed_bytes_of(record) for record in records]

        events = encode_events(built.events)
        figures = {
            "records encoded, ids and root hashed": best_of(lambda: contents_of(records)),
            "shapes and bodies checked": best_of(bodies_fit),
            "seals for the workers": best_of(sealed),
            "rules: bodies decoded": best_of(lambda: [decode_body(act.kind, act.body) for act in acts]),
            "rules: all of a record": best_of(take),
            "rules: end of day, delta": best_of(take().close),
            "state root": best_of(root),
            "rows of the batch": best_of(lambda: chain.prepare(self.block, built.delta, events, contents)),
            "one signature here": best_of(lambda: [is_record_signed(record) for record in records[:1000]])
            * (self.count / 1000),
        }
        prepared = chain.prepare(self.block, built.delta, events, contents)
        start = time.thread_time()
        chain.keep(prepared, b"")
        figures["batch written, tree moved on"] = time.thread_time() - start
        chain.store.close()
        return {name: seconds * 1e6 / self.count for name, seconds in figures.items()}


def handlers(members: int) -> dict[str, float]:
    """Return CPU microseconds a record by kind, in blocks of the population's members."""
    kinds = bench_scale.measure(members, "young", 400, 0)["kinds_us"]
    return {f"handler: {kind}": figure for kind, figure in kinds.items()}


def best_of(work) -> float:
    """Return the CPU seconds of the quickest of five."""
    times: list[float] = []
    for _ in range(5):
        start = time.thread_time()
        work()
        times.append(time.thread_time() - start)
    return min(times)


def measure(members: int, runs: int) -> dict[str, float]:
    """Return the figures of one size of state."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        measured = Measured(folder / "first", members)
        figures = median_of([measured.run(folder / f"run{run}") for run in range(runs)])
        if hasattr(Chain, "keep"):
            figures |= measured.steps(folder / "steps")
    return figures | (handlers(members) if members else {})


def main() -> int:
    parser = parser_of(__doc__)
    parser.add_argument("--members", type=int, help="only with so many members beside the founders")
    parser.add_argument("--runs", type=int, default=RUNS)
    chosen = parser.parse_args()
    sizes = TARGETS if chosen.members is None else (chosen.members,)
    kept: dict[str, float] = {}
    is_reached = True
    for members in sizes:
        figures = measure(members, chosen.runs)
        target = TARGETS.get(members, 0.0)
        print(f"{members} members beside 300 founders, {CORES} cores; microseconds a record, median of {chosen.runs}")
        for name, figure in figures.items():
            print(f"  {name:<48}{figure:>9.2f}")
        print(f"ratio {figures['ratio']:.2f} (target {target})")
        is_reached &= figures["ratio"] >= target
        kept |= {f"{members}: {name}": figure for name, figure in figures.items()}
    keep(chosen.json, kept)
    return 0 if is_reached else 1


if __name__ == "__main__":
    sys.exit(main())
