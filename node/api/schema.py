"""The local API in one table: every endpoint with its request and answer, every view, and the limits.

The server serves it, `node.api.openapi` describes it. Like `node.api.views` it imports nothing of a node.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from node.api.views import actions, chain, claims, coop, members, money, node
from node.api.views.base import Question

SOCKET_NAME = "api.sock"
BODY_SIZE_MAX = 256 * 1024
"""The largest record body is 32 KiB of bytes; as JSON with hex it stays below this."""
CHECK_SIZE_MAX = 8 * 1024 * 1024
CHECK_RECORDS_MAX = 1_000
"""What a file of claims may ask about at once."""
BLOCKS_PAGE_MAX = 200

VIEWS: dict[str, Question[Any]] = {
    value.name: value
    for module in (claims, coop, members, money)
    for value in vars(module).values()
    if isinstance(value, Question)
}
"""Every view of `/v1/views/{name}`."""


class Endpoint(NamedTuple):
    """A method and path, what it answers (None: server-sent events), what it is for, what body and query hold."""

    method: str
    path: str
    answer: Any
    text: str
    request: Any = None
    query: tuple[str, ...] = ()


ENDPOINTS = (
    Endpoint("GET", "/v1/health", node.Health, "Whether the node lives, and is in sync."),
    Endpoint("GET", "/v1/status", node.Status, "Where the node stands, and what waits for this member."),
    Endpoint("GET", "/v1/peers", tuple[node.Peer, ...], "Every known peer, connected or not."),
    Endpoint(
        "GET",
        "/v1/blocks",
        tuple[chain.BlockHead, ...],
        "Headers, ascending; the newest without `start`.",
        query=("start", "count"),
    ),
    Endpoint("GET", "/v1/blocks/{height}", chain.Block, "One block with its records and events."),
    Endpoint("GET", "/v1/views/{name}", None, "A view of the newest final state."),
    Endpoint("GET", "/v1/records/{record_id}", chain.Receipt, "What became of a record."),
    Endpoint("GET", "/v1/receipts/{claim}", chain.ClaimReceipt, "What decided a claim, replayed from genesis."),
    Endpoint("GET", "/v1/events", None, "Server-sent events, one JSON object each."),
    Endpoint("GET", "/v1/openapi.json", dict[str, Any], "This description."),
    Endpoint(
        "POST",
        "/v1/submit",
        actions.Submitted,
        "Sign, check, store and send a record; durable before the answer.",
        actions.SubmitRequest,
    ),
    Endpoint(
        "POST",
        "/v1/accept",
        actions.Submitted,
        "Take a record that its author signed elsewhere; durable before the answer.",
        actions.AcceptRequest,
    ),
    Endpoint(
        "POST",
        "/v1/check",
        actions.CheckAnswer,
        "What the rules would refuse of some records in the next block. Nothing is stored.",
        actions.CheckRequest,
    ),
    Endpoint(
        "POST",
        "/v1/open",
        actions.Opened,
        "Open a document of a claim that is on this node, and sign the receipt.",
        actions.OpenRequest,
    ),
    Endpoint(
        "GET", "/v1/auto-accept", tuple[actions.AutoRule, ...], "Every version of this member's auto-accept rules."
    ),
    Endpoint(
        "POST",
        "/v1/auto-accept",
        actions.AutoRule,
        "Add, replace or revoke an auto-accept rule; durable before the answer.",
        actions.AutoAcceptRequest,
    ),
    Endpoint("POST", "/v1/log", actions.Done, "Change the log level.", actions.LogRequest),
    Endpoint("POST", "/v1/stop", actions.Done, "Stop the daemon after the answer."),
)
