"""`mutua status | stop | peers`: what a running node says of itself."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, cast

from cyclopts import Parameter

from node.api.client import Client
from node.api.errors import ApiError, NodeNotRunning
from node.cli.common import DEFAULT, Common, Money, say, short, table
from node.paths import is_held

STOP_WAIT_S = 30.0


def status(*, common: Common = DEFAULT) -> int:
    """Show height, peers, progress and what needs you."""
    answer = common.client().status()
    return say(common, answer, lambda: status_lines(answer))


def status_lines(answer: Mapping[str, Any]) -> Iterator[str]:
    """Yield the status for people, the first line the one to read."""
    yield f"{answer['name']} · block {answer['height']} · term {answer['term']} · {sync_words(answer)}"
    peers, consensus = answer.get("peers", {}), answer.get("consensus", {})
    yield f"peers      {peers.get('connected', 0)} of {peers.get('known', 0)} connected"
    role = "votes on blocks" if consensus.get("is_member") else "follows"
    yield f"consensus  view {consensus.get('view', 0)}, {role}"
    yield f"waiting    {answer.get('mempool', 0)} records"
    treasury = answer.get("treasury")
    if isinstance(treasury, Mapping) and treasury:
        yield "treasury   " + ", ".join(
            f"{name} {value}" for name, value in cast("Mapping[str, Any]", treasury).items() if value is not None
        )
    yield f"chain      {answer['chain_id']}"
    yield f"block      {answer['block_hash']}"
    yield f"state      {answer['state_root']}"
    later = cast("Mapping[str, Any]", answer.get("protocol") or {})
    if not later.get("knows_next", True):
        yield (
            f"protocol   version {later['next_version']} begins with block {later['next_height']}: install a newer"
            " mutua before it, or this node stops there"
        )
    yield f"member     {answer.get('member') or 'none: this node follows the ledger'}"
    owed = cast("Mapping[str, Any]", answer.get("owed") or {})
    if owed:
        since = owed.get("suspended_from")
        when = (
            f"to be paid by block {owed['pay_by']}, or cover stops"
            if since is None
            else f"there is no cover from block {since} until it is paid"
        )
        yield f"owed       {Money.of(answer).show(owed['amount_cents'])}: {when}"
    count = int(answer.get("needs_me") or 0)
    yield f"needs you  {count} case{'s' if count != 1 else ''}: mutua vote list" if count else "needs you  nothing"


def sync_words(answer: Mapping[str, Any]) -> str:
    """Return whether the node is in step, with the share it has while it is not.

    >>> sync_words({"height": 30, "is_syncing": True, "sync_target": 120})
    'syncing 30 of 120 (25 %)'
    """
    target = answer.get("sync_target") or 0
    if not answer.get("is_syncing"):
        return "in step"
    return (
        f"syncing {answer['height']} of {target} ({100 * int(answer['height']) // target} %)" if target else "syncing"
    )


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
    try:
        client.get_json("/v1/health")
    except NodeNotRunning:
        return not is_held(lock)
    return False


def peers(*, common: Common = DEFAULT) -> int:
    """List the other members' nodes."""
    answer = common.client().peers()
    return say(
        common,
        answer,
        lambda: table(
            ("peer", "address", "state", "sent", "received", "dropped", "strikes"),
            [
                (
                    short(item["key"]),
                    item.get("address") or "–",
                    "connected" if item.get("is_connected") else "away",
                    item.get("sent_frames", 0),
                    item.get("received_frames", 0),
                    item.get("dropped_frames", 0),
                    item.get("strikes", 0),
                )
                for item in answer
            ],
        ),
    )
