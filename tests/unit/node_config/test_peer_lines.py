"""What peers make a node write is bounded and counted, whoever writes it."""

from __future__ import annotations

import json
import logging

import pytest
import structlog

from node import logs
from node.logs import PEER_LINES_EVERY_S, PEER_LINES_MAX, PeerLines, set_up_logs


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def _logs_restored():
    root = logging.getLogger()
    before = (root.level, root.handlers[:])
    yield
    root.level, root.handlers = before
    structlog.reset_defaults()


@pytest.fixture
def clock(monkeypatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(logs, "PeerLines", lambda: PeerLines(clock))
    return clock


@pytest.mark.usefixtures("_logs_restored")
def test_a_flood_of_one_peer_writes_a_few_lines_and_one_that_counts_the_rest(tmp_path, clock) -> None:
    set_up_logs(tmp_path, "info", "quiet")
    log = structlog.get_logger("mutua.test")
    for number in range(1_000):
        log.warning("peer_struck", peer="aa", number=number)
        log.warning("treasury_message_refused", signer=3)
        logging.getLogger("hypercorn.error").warning("bad handshake %d", number)
        log.info("block_final", height=number)
    log.warning("peer_struck", peer="bb")
    clock.now = PEER_LINES_EVERY_S
    log.warning("peer_struck", peer="aa", number=1_000)
    lines = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    told = [line for line in lines if line["event"] == "peer_lines_suppressed"]
    assert {(line["peer"], line["of"]): line["more"] for line in told} == {
        ("aa", "peer_struck"): 1_000 - PEER_LINES_MAX,
        ("3", "treasury_message_refused"): 1_000 - PEER_LINES_MAX,
        ("hypercorn.error", "library_message"): 1_000 - PEER_LINES_MAX,
    }
    struck = [line.get("number") for line in lines if line["event"] == "peer_struck" and line["peer"] == "aa"]
    assert struck == [*range(PEER_LINES_MAX), 1_000]
    assert sum(line["event"] == "block_final" for line in lines) == 1_000
    assert sum(line.get("peer") == "bb" for line in lines) == 1


def test_what_is_remembered_of_peers_is_bounded_and_nothing_suppressed_is_lost(monkeypatch) -> None:
    monkeypatch.setattr(logs, "PEER_WINDOWS_MAX", 50)
    clock = Clock()
    lines = PeerLines(clock)
    written = told = 0
    for number in range(200):
        for _ in range(PEER_LINES_MAX + 3):
            try:
                lines.let_pass(None, "info", {"event": "peer_struck", "peer": f"{number:04}"})
                written += 1
            except structlog.DropEvent:
                pass
        told += sum(line["more"] for line in lines.suppressed())
        assert len(lines._windows) <= 50
    clock.now = PEER_LINES_EVERY_S
    told += sum(line["more"] for line in lines.suppressed())
    assert written + told == 200 * (PEER_LINES_MAX + 3)


def test_strangers_share_one_name_however_many_keys_they_make(tmp_path, _logs_restored) -> None:
    from node.p2p.network import Network

    set_up_logs(tmp_path, "info", "quiet")

    async def nothing(*_: object) -> None: ...

    network = Network(
        transport_seed=bytes(32),
        listen="/ip4/127.0.0.1/tcp/0",
        chain_id=bytes(32),
        members=lambda _: False,
        peers=dict,
        on_frame=nothing,
        on_peer_up=nothing,
        clock_ms=lambda: 0,
    )
    for number in range(300):
        network.note_refusal(number.to_bytes(32), "not a member, or banned")
    lines = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert [line["peer"] for line in lines] == ["stranger"] * PEER_LINES_MAX
