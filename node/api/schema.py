"""The local API in one table: every endpoint with its request and answer, every view, and the limits.

The server serves it, `node.api.openapi` describes it. Like `node.api.views` it imports nothing of a node.
"""

from __future__ import annotations

from functools import partial
from typing import Any, NamedTuple

from node.api.views import actions, claims, coop, members, money, node
from node.api.views.actions import AutoRule, Opened, OpenRequest, SubmitRequest, Submitted
from node.api.views.base import Question
from node.api.views.chain import Block, BlockHead, ClaimReceipt, Receipt

SOCKET_NAME = "api.sock"
BODY_SIZE_MAX = 256 * 1024
"""The largest record body is 32 KiB of bytes; as JSON with hex it stays below this."""
BATCH_SIZE_MAX = 8 * 1024 * 1024
BATCH_RECORDS_MAX = 500
"""What a file of claims may send or ask about at once."""
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
    size_max: int = BODY_SIZE_MAX


GET, POST = partial(Endpoint, "GET"), partial(Endpoint, "POST")
ENDPOINTS = (
    GET("/v1/health", node.Health, "Whether the node lives, and is in sync."),
    GET("/v1/status", node.Status, "Where the node stands, and what waits for this member."),
    GET("/v1/peers", tuple[node.Peer, ...], "Every known peer, connected or not."),
    GET(
        "/v1/blocks", tuple[BlockHead, ...], "Headers, ascending; the newest without `start`.", query=("start", "count")
    ),
    GET("/v1/blocks/{height}", Block, "One block with its records and events."),
    GET("/v1/views/{name}", None, "A view of the newest final state."),
    GET("/v1/records/{record_id}", Receipt, "What became of a record."),
    GET("/v1/receipts/{claim}", ClaimReceipt, "What decided a claim, replayed from genesis."),
    GET("/v1/events", None, "Server-sent events, one JSON object each."),
    GET("/v1/openapi.json", dict[str, Any], "This description."),
    POST("/v1/submit", Submitted, "Sign, check, store and send a record; durable before the answer.", SubmitRequest),
    POST(
        "/v1/batch",
        actions.BatchAnswer,
        "Do the same with many records, each on its own; those that are taken are durable before the answer.",
        actions.RecordsRequest,
        size_max=BATCH_SIZE_MAX,
    ),
    POST(
        "/v1/accept",
        Submitted,
        "Take a record that its author signed elsewhere; durable before the answer.",
        actions.AcceptRequest,
    ),
    POST(
        "/v1/check",
        actions.CheckAnswer,
        "What the rules would refuse of some records in the next block. Nothing is stored.",
        actions.RecordsRequest,
        size_max=BATCH_SIZE_MAX,
    ),
    POST("/v1/open", Opened, "Open a document of a claim that is on this node, and sign the receipt.", OpenRequest),
    GET("/v1/auto-accept", tuple[AutoRule, ...], "Every version of this member's auto-accept rules."),
    POST(
        "/v1/auto-accept",
        AutoRule,
        "Add, replace or revoke an auto-accept rule; durable before the answer.",
        actions.AutoAcceptRequest,
    ),
    POST("/v1/log", actions.Done, "Change the log level.", actions.LogRequest),
    POST("/v1/stop", actions.Done, "Stop the daemon after the answer."),
)
