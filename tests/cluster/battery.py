"""A battery of hostile peers against the daemons of a devnet of seven, six of them honest; a table at the end.

    python tests/cluster/battery.py --seed 1 --seconds 15

The seventh founder never runs: its keys are the attacker's. Before each attack the six daemons start again, so that no
ban and no memory of the one before is left. The figures of an attack: the longest gap between two blocks, the memory of
the largest daemon, the lines that the most talkative one wrote (blocks apart) and their tracebacks, who banned the
attacker, and what junk still waits. An older tree is measured with its own packages: PYTHONSAFEPATH=1 and PYTHONPATH
name it.
"""

from __future__ import annotations

import argparse
import json
import logging
import shutil
import statistics
import struct
import sys
import tempfile
import time
from collections import defaultdict, deque
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime
from functools import partial
from pathlib import Path
from random import Random

import psutil
import structlog
import trio

sys.path.insert(0, str(Path(__file__).resolve().parent))

import attackers

from consensus.committee import leader_of
from consensus.messages import Proposal, Vote, VoteKind, decode_message, encode_message
from consensus.signing import sign_proposal, sign_vote
from governance.kinds import encode_body
from governance.money.rates import QuoteBody
from ledger.blocks import Header, block_hash_of, decode_header, encode_header
from ledger.errors import MutuaError
from ledger.records import Body, SignedRecord, sign_record
from node.clock import now_ms
from node.execution.header_rules import committee_of
from node.p2p.network import Channel, Network
from node.sandbox.devnet import Devnet, Node, Spec
from node.spread import wire

INTERVAL_MS = 1_000
PATIENCE_S = 60
JUNK = 300
FLOOD_AT_ONCE = 50


@dataclass
class Row:
    """What one attack did."""

    attack: str
    blocks: int = 0
    gap_s: float = 0.0
    usual_gap_s: float = 0.0
    memory_mib: float = 0.0
    lines: int = 0
    tracebacks: int = 0
    banned_by: int = 0
    waiting: int = 0
    ended: int = 0
    notes: list[str] = field(default_factory=list[str])


class Hostile:
    """The attacker as a peer: the seventh founder's transport, its ears, and what it needs to sign."""

    def __init__(self, devnet: Devnet, node: Node, random: Random) -> None:
        assert devnet.charter is not None
        self.devnet, self.node, self.keys, self.random = devnet, node, node.keys, random
        self.charter = devnet.charter
        self.chain_id = self.charter_id()
        self.committee = committee_of(self.charter)
        self.index = self.committee.index(self.keys.consensus_key)
        self.victims = {item.transport_key: item for item in self.charter.founders if item.transport_key != self.key}
        self.tip: Header | None = None
        self.votes: dict[int, deque[bytes]] = defaultdict(lambda: deque(maxlen=64))
        book = {key: item.address for key, item in self.victims.items()}
        mine = next(item for item in self.charter.founders if item.transport_key == self.key)
        self.network = Network(
            transport_seed=self.keys.transport_seed,
            listen=mine.address,
            chain_id=self.chain_id,
            members=book.__contains__,
            peers=lambda: book,
            on_frame=self._hear,
            on_peer_up=self._meet,
            clock_ms=now_ms,
        )

    @property
    def key(self) -> bytes:
        return self.keys.transport_key

    def charter_id(self) -> bytes:
        return bytes.fromhex(self.devnet.nodes[0].client().get_json("/v1/status")["chain_id"])

    @property
    def address(self) -> str:
        return next(iter(self.victims.values())).address

    @property
    def target(self) -> attackers.Target:
        """The first daemon, for the attacks that write bytes of their own."""
        return attackers.Target(self.address, self.keys.transport_seed, self.chain_id)

    async def _meet(self, peer: bytes) -> None:
        self.say(peer, Channel.SYNC, wire.encode_message(wire.GetBlocks(1, 1)))

    async def _hear(self, peer: bytes, channel: Channel, data: bytes) -> None:
        if channel == Channel.CONSENSUS:
            message = decode_message(data)
            if isinstance(message, Vote):
                self.votes[message.voter].append(data)
        elif channel == Channel.SYNC:
            message = wire.decode_message(data)
            if isinstance(message, wire.Tip) and (self.tip is None or message.height > self.tip.height):
                self.say(peer, Channel.SYNC, wire.encode_message(wire.GetBlocks(message.height, 1)))
            elif isinstance(message, wire.Blocks):
                for item in message.items:
                    header = decode_header(item.block.block.header)
                    if self.tip is None or header.height > self.tip.height:
                        self.tip = header

    def say(self, peer: bytes, channel: Channel, payload: bytes) -> bool:
        return self.network.send(peer, channel, payload)

    async def say_all(self, channel: Channel, payload: bytes) -> None:
        for peer in self.network.connected():
            while not self.say(peer, channel, payload) and peer in self.network.connected():
                await trio.sleep(0.01)

    async def each_height(self, act: Callable[[Header], Awaitable[None]]) -> None:
        """Act once at each height that becomes final."""
        done = -1
        while True:
            if self.tip is not None and self.tip.height > done:
                done = self.tip.height
                await act(self.tip)
            await trio.sleep(0.02)


Attack = Callable[[Hostile], Awaitable[None]]
AS_PEER: dict[str, Attack] = {}
"""Attacks that speak the protocol."""
AS_BYTES: dict[str, Attack] = {}
"""Attacks that write bytes of their own."""


def attack(table: dict[str, Attack]) -> Callable[[Attack], Attack]:
    def enter(function: Attack) -> Attack:
        table[function.__name__.replace("_", " ")] = function
        return function

    return enter


async def for_ever(act: Callable[[], Awaitable[None]], pause_s: float = 0.05) -> None:
    while True:
        try:
            await act()
        except* Exception as group:
            unexpected = [error for error in attackers.leaves(group) if not attackers.is_disconnect(error)]
            if unexpected:
                raise
        await trio.sleep(pause_s)


# ---- The attacks --------------------------------------------------------------------


@attack(AS_BYTES)
async def nothing(_: Hostile) -> None:
    """The six alone."""
    await trio.sleep_forever()


@attack(AS_PEER)
async def proposal_flood(me: Hostile) -> None:
    """Hundreds of proposals of one view, each signed by its leader, at every height."""

    async def flood() -> None:
        tip, size = me.tip, len(me.committee)
        if tip is None:
            return
        view = next(view for view in range(size) if leader_of(tip.randomness, view, size) == me.index)
        for _ in range(FLOOD_AT_ONCE):
            header = replace(tip, height=tip.height + 1, onion_reveal=me.random.randbytes(32), proposer=me.index)
            raw, name = encode_header(header), block_hash_of(header)
            bare = Proposal(header.epoch, header.height, view, name, raw, me.index)
            payload = encode_message(sign_proposal(bare, me.keys.consensus_seed, me.chain_id))
            await me.say_all(Channel.CONSENSUS, payload)

    await for_ever(flood)


@attack(AS_PEER)
async def vote_replays(me: Hostile) -> None:
    """Reports of the daemon's own old votes, sixty-four a frame, again and again."""

    async def replay() -> None:
        for peer in me.network.connected():
            votes = me.votes[me.committee.index(me.victims[peer].consensus_key)]
            if votes and me.tip is not None:
                report = wire.VoteReport(me.tip.height, tuple(votes) * (64 // len(votes)))
                for _ in range(10):
                    me.say(peer, Channel.SYNC, wire.encode_message(report))

    await for_ever(replay)


@attack(AS_PEER)
async def contradictions(me: Hostile) -> None:
    """Votes for two blocks in one view, signed by the same member, at every height."""

    async def contradict(tip: Header) -> None:
        for _ in range(2):
            bare = Vote(VoteKind.NOTARIZE, tip.epoch, tip.height + 1, 0, me.random.randbytes(32), me.index)
            vote = sign_vote(bare, me.keys.consensus_seed, me.chain_id)
            await me.say_all(Channel.CONSENSUS, encode_message(vote))

    await me.each_height(contradict)


@attack(AS_PEER)
async def future_votes(me: Hostile) -> None:
    """Votes of the height after the next that nobody signed."""

    async def flood(tip: Header) -> None:
        for view in range(132):
            vote = Vote(VoteKind.SKIP, tip.epoch, tip.height + 2, view, bytes(32), me.index, me.random.randbytes(64))
            await me.say_all(Channel.CONSENSUS, encode_message(vote))

    await me.each_height(flood)


@attack(AS_PEER)
async def junk_records(me: Hostile) -> None:
    """Signed records that the rules always refuse, to every daemon."""

    def junk(number: int) -> SignedRecord:
        return sign_record(
            me.keys.device_seed,
            chain_id=me.chain_id,
            kind="rate.quote",
            author=me.keys.identity_key,
            number=number,
            valid_until_height=900_000,
            body=Body(bytes(16), encode_body(QuoteBody(10**18))),
        )

    while len(me.network.connected()) < len(me.victims):
        await trio.sleep(0.1)
    records = [junk(number) for number in range(1, JUNK + 1)]
    for start in range(0, JUNK, 100):
        await me.say_all(Channel.RECORDS, wire.encode_message(wire.Bundle(tuple(records[start : start + 100]), ())))
    await trio.sleep_forever()


@attack(AS_BYTES)
async def stranger_handshakes(me: Hostile) -> None:
    """Finished handshakes with fresh keys, one after the other."""
    await for_ever(partial(_hand_shake, attackers.Target(me.address)), 0.02)


async def _hand_shake(target: attackers.Target) -> None:
    secured = await attackers.noise(target)
    await attackers.drain(secured, 0.1)
    await secured.close()


@attack(AS_BYTES)
async def half_frames(me: Hostile) -> None:
    """The head of a frame of four megabytes, a part of its body, and silence."""

    async def begin() -> None:
        secured = await attackers.framed(me.target)
        await secured.write(attackers.data(1, struct.pack(">IB", 4_000_000, 3) + bytes(50_000)))
        await attackers.drain(secured, 1.0)

    await for_ever(begin)


@attack(AS_BYTES)
async def oversized_frames(me: Hostile) -> None:
    """Frames that say they are of four gigabytes, and megabytes without waiting for credit."""

    async def send() -> None:
        await attackers.ATTACKS["frame_garbage"](me.target)
        await attackers.ATTACKS["window_overrun"](me.target)

    await for_ever(send)


@attack(AS_BYTES)
async def slow_reads(me: Hostile) -> None:
    """Blocks and records are asked for without end, and no answer is read."""

    async def ask() -> None:
        secured = await attackers.framed(me.target)
        asked = wire.encode_message(wire.GetBlocks(1, wire.BLOCKS_PER_ANSWER_MAX))
        for _ in range(200):
            await secured.write(attackers.data(1, attackers.frame(3, asked)))
        await trio.sleep(4)
        await secured.close()

    await for_ever(ask)


# ---- Playing them ---------------------------------------------------------------------


class Battery:
    """A devnet, and one attack after the other on it."""

    def __init__(self, folder: Path, seed: int, seconds: float) -> None:
        self.seconds, self.random = seconds, Random(seed)
        self.devnet = Devnet(folder, Spec(seed=seed, interval_ms=INTERVAL_MS, start_in_s=2))
        self.devnet.make()
        *self.honest, self.seventh = self.devnet.nodes

    def play(self, name: str, act: Attack, *, is_peer: bool) -> Row:
        """Start the six, attack, and stop them."""
        row = Row(name)
        for node in self.honest:
            self.devnet.start_node(node)
        try:
            self.devnet.wait_ready(self.honest)
            self._await_blocks(2)
            lines = [_size(node) for node in self.honest]
            since = time.time()
            trio.run(self._attack, act, is_peer, row)
            alive = [node for node in self.honest if node.process is not None and node.process.poll() is None]
            row.ended = len(self.honest) - len(alive)
            row.notes += [f"{node.name} ended" for node in self.honest if node not in alive]
            row.waiting = max((_status(node)["mempool"] for node in alive), default=0)
        finally:
            for node in self.honest:
                if node.process is not None:
                    node.process.terminate()
            for node in self.honest:
                if node.process is not None:
                    node.process.wait(20)
        self._read_logs(row, lines, since)
        return row

    def _await_blocks(self, count: int) -> None:
        start, deadline = _status(self.honest[0])["height"], time.monotonic() + PATIENCE_S
        while _status(self.honest[0])["height"] < start + count:
            if time.monotonic() > deadline:
                raise MutuaError("battery", "the six do not agree on blocks", f"see {self.devnet.folder}")
            time.sleep(0.1)

    async def _attack(self, act: Attack, is_peer: bool, row: Row) -> None:
        me = Hostile(self.devnet, self.seventh, self.random)
        with trio.move_on_after(self.seconds):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._weigh, row)
                if is_peer:
                    nursery.start_soon(me.network.run)
                    await trio.sleep(1.5)
                    row.notes.append(f"{len(me.network.connected())} links")
                nursery.start_soon(act, me)

    async def _weigh(self, row: Row) -> None:
        """Note the memory of the largest daemon, all the time."""
        while True:
            for node in self.honest:
                with suppress(psutil.NoSuchProcess):
                    if node.process is not None:
                        size = psutil.Process(node.process.pid).memory_info().rss
                        row.memory_mib = max(row.memory_mib, size / 2**20)
            await trio.sleep(0.3)

    def _read_logs(self, row: Row, sizes: list[int], since: float) -> None:
        """Enter the gaps between blocks and the lines written, of the daemon where they were worst."""
        me = self.seventh.keys.transport_key.hex()[:16]
        for node, size in zip(self.honest, sizes, strict=True):
            text = (node.folder / "log.jsonl").read_bytes()[size:].decode()
            lines = [json.loads(line) for line in text.splitlines()]
            end = since + self.seconds
            times = [at for line in lines if line["event"] == "block_final" and (at := _seconds(line)) < end]
            row.blocks = max(row.blocks, len(times))
            times = [since, *times, end]
            gaps = [b - a for a, b in zip(times, times[1:], strict=False)]
            row.gap_s = max(row.gap_s, *gaps)
            row.usual_gap_s = max(row.usual_gap_s, statistics.median(gaps))
            others = [line for line in lines if line["event"] not in ("block_final", "node_stopped")]
            row.lines = max(row.lines, len(others))
            row.tracebacks += sum("exception" in line for line in others)
            row.banned_by += any(line["event"] == "peer_banned" and line["peer"] == me for line in others)


def _seconds(line: dict[str, str]) -> float:
    return datetime.fromisoformat(line["timestamp"]).timestamp()


def _status(node: Node) -> dict[str, int]:
    return node.client(20.0).get_json("/v1/status")


def _size(node: Node) -> int:
    return (node.folder / "log.jsonl").stat().st_size


def played(seed: int, seconds: float, wanted: frozenset[str] = frozenset()) -> list[Row]:
    """Play the battery and print its table."""
    folder = Path(tempfile.mkdtemp(prefix="mutua-b-"))
    logging.getLogger("libp2p").setLevel(logging.CRITICAL)
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    rows: list[Row] = []
    battery: Battery | None = None
    print(f"battery: seed {seed}, {seconds:.0f} s an attack, a block each {INTERVAL_MS} ms, in {folder}")
    print(
        f"{'attack':<22}{'blocks':>7}{'gap s':>8}{'usual':>7}{'MiB':>7}{'lines':>7}{'traces':>7}{'bans':>5}{'waits':>7}"
    )
    try:
        battery = Battery(folder, seed, seconds)
        for name, act in (AS_BYTES | AS_PEER).items():
            if wanted and name not in wanted:
                continue
            row = battery.play(name, act, is_peer=name in AS_PEER)
            rows.append(row)
            figures = f"{row.blocks:>7}{row.gap_s:>8.1f}{row.usual_gap_s:>7.1f}{row.memory_mib:>7.0f}{row.lines:>7}"
            print(f"{name:<22}{figures}{row.tracebacks:>7}{row.banned_by:>5}{row.waiting:>7}", *row.notes, flush=True)
    finally:
        if battery is not None:
            battery.devnet.stop()
        shutil.rmtree(folder, ignore_errors=True)
    return rows


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=15.0, help="for each attack")
    parser.add_argument("--attack", action="append", default=[], help="this one alone; may be given several times")
    parser.add_argument("--json", type=Path, help="write the rows to this file")
    chosen = parser.parse_args()
    rows = played(chosen.seed, chosen.seconds, frozenset(chosen.attack))
    if chosen.json is not None:
        chosen.json.write_text(json.dumps([asdict(row) for row in rows], indent=1))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
