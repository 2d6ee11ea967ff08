"""`mutua status | stop | peers`: what a running node says of itself."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from node.api.client import Client
from node.api.errors import ApiError, NodeNotRunning
from node.api.standing import consensus_words, misbehaviour_words, peer_words, sync_words, treasury_words
from node.api.text import counted, short
from node.api.views.node import Owed, Peer, Status
from node.cli.common import DEFAULT, Common, Row, say, table, units_of

STOP_WAIT_S = 30.0


def status(*, common: Common = DEFAULT) -> int:
    """Show height, peers, sync progress and what needs your attention."""
    answer = common.client().status()
    return say(common, answer, lambda: status_lines(answer))


def status_lines(answer: Status) -> Iterator[str]:
    """Yield the status for people, the first line the one to read."""
    yield f"{answer.name} · block {answer.height} · term {answer.term} · {sync_words(answer)}"
    yield f"today      {units_of(answer).day(answer.height + 1)}, the day of the next block"
    yield f"peers      {peer_words(answer)}"
    yield f"consensus  view {answer.consensus.view}, {consensus_words(answer)}"
    if answer.consensus.misbehaviour:
        yield f"warning    {misbehaviour_words(answer)}"
    if answer.treasury is not None:
        yield f"treasury   {treasury_words(answer.treasury)}"
    yield f"waiting    {counted(answer.mempool, 'record')}"
    yield f"chain      {answer.chain_id}"
    yield f"block      {answer.block_hash}"
    yield f"state      {answer.state_root}"
    later = answer.protocol
    if not later.knows_next:
        yield (
            f"protocol   version {later.next_version} begins with block {later.next_height}: install a newer mutua"
            " before it, or this node stops there"
        )
    yield f"member     {answer.member or 'none: this node follows the ledger'}"
    if answer.owed is not None:
        yield f"owed       {units_of(answer).money(answer.owed.amount_cents)}: {_owed_words(answer.owed)}"
    count = answer.needs_me
    yield f"needs you  {counted(count, 'case')}: mutua vote list" if count else "needs you  nothing"


def _owed_words(owed: Owed) -> str:
    if owed.suspended_from is None:
        return f"pay it by block {owed.pay_by}, or your cover is suspended"
    return f"there is no cover from block {owed.suspended_from} until it is paid"


def stop(
    *, wait: Annotated[bool, Parameter(help="Wait until the node has ended.")] = True, common: Common = DEFAULT
) -> int:
    """Stop the running node."""
    config = common.config()
    client = common.client()
    client.stop()
    deadline = time.monotonic() + STOP_WAIT_S
    while wait and not _has_ended(client, config.folder.lock):
        if time.monotonic() > deadline:
            raise ApiError("node_silent", f"the node has not ended after {STOP_WAIT_S:g} s", "see mutua logs")
        time.sleep(0.1)
    return say(common, {"stopped": wait}, "the node has stopped" if wait else "the node is stopping")


def _has_ended(client: Client, lock: Path) -> bool:
    """True once nobody answers and the folder is free: then its ledger can be read."""
    from ledger.leveldb import is_locked

    try:
        client.get_json("/v1/health")
    except NodeNotRunning:
        return not is_locked(lock)
    return False


def peers(*, common: Common = DEFAULT) -> int:
    """List the other members' nodes."""
    answer = common.client().peers()
    heads = ("peer", "address", "state", "sent", "received", "dropped", "strikes")

    def row(item: Peer) -> Row:
        state = "connected" if item.is_connected else "away"
        frames = item.sent_frames, item.received_frames, item.dropped_frames
        return short(item.key), item.address or "–", state, *frames, item.strikes

    return say(common, answer, lambda: table(heads, map(row, answer)))
