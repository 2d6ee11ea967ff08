"""Clients of the local API: a plain one for the CLI, an asynchronous one for the terminal UI.

Both speak HTTP over the Unix socket and give typed answers (`node.api.views`). The plain one stands on the standard
library and msgspec alone: importing httpx (which imports trio) would double the start-up of `mutua status`. Both raise
`ApiError` with the daemon's own code and words, and `NodeNotRunning` when nobody answers.
"""

from __future__ import annotations

import http.client
import json
import socket
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, TypeVar, cast
from urllib.parse import quote, urlencode

import msgspec

from node.api.errors import ApiError, NodeNotRunning
from node.api.sockets import place_to_connect
from node.api.views.actions import (
    AutoRule,
    BatchAnswer,
    CheckAnswer,
    Done,
    ErrorAnswer,
    ErrorBody,
    Opened,
    Refusal,
    SubmitRequest,
    Submitted,
)
from node.api.views.base import Question, to_json
from node.api.views.chain import Block, BlockHead, ClaimReceipt, Event, Receipt
from node.api.views.node import Peer, Status

if TYPE_CHECKING:
    import httpx

__all__ = ["ApiError", "AsyncClient", "Client", "NodeNotRunning"]

T = TypeVar("T")
JSON = cast("type[Any]", Any)
Attestations = Sequence[Mapping[str, str]]

TIMEOUT_S = 30.0
SUBMIT_TIMEOUT_S = 60.0
RECEIPT_TIMEOUT_S = 120.0
"""Longer than two replays that wait for each other."""
EVENTS_TIMEOUT_S = 30.0
"""The daemon says something every 10 s; three times that is silence."""
ANSWER_SIZE_MAX = 64 * 1024 * 1024
"""Far above any honest answer, so that a mixed-up socket cannot fill the memory."""
EVENT_SIZE_MAX = 1024 * 1024


def _path(path: str, query: Mapping[str, Any]) -> str:
    given = {key: str(value) for key, value in query.items() if value is not None}
    return f"{path}?{urlencode(given)}" if given else path


Advise = Callable[[], str]
"""What to do where no node answers: `node.paths.DataFolder.advice_when_off` knows, the client knows its socket only."""


def start_it() -> str:
    """Return the plain advice, for a folder that is known to be a node's own."""
    return "start it: mutua run"


def submission(kind: str, body: Mapping[str, Any], attestations: Attestations = ()) -> SubmitRequest:
    """Return the request of `/v1/submit`; attestations travel inside the body."""
    extra = {"attestations": [dict(item) for item in attestations]} if attestations else {}
    return SubmitRequest(kind=kind, body={**body, **extra})


def _answer(shape: type[T], status: int, data: bytes) -> T:
    """Return an answer as its shape, or raise what the daemon said."""
    try:
        if status < 400:
            return msgspec.json.decode(data, type=shape)
        error = msgspec.json.decode(data, type=ErrorAnswer).error
    except msgspec.ValidationError as fault:
        if status < 400:
            what, hint = f"the node's answer does not fit: {fault}", "update mutua and restart the node"
            raise ApiError("answer_shape", what, hint, status=status) from None
        error = ErrorBody(what=f"the node answered {status}")
    except (msgspec.DecodeError, UnicodeError):
        what = f"the node answered {status} without JSON"
        raise ApiError("answer_shape", what, "look at its log: mutua logs", status=status) from None
    raise ApiError(error.code, error.what, error.hint, family=error.family, status=status, rule=error.rule)


def _node_not_running(socket_path: Path, advise: Advise) -> NodeNotRunning:
    return NodeNotRunning("node_not_running", f"no node answers at {socket_path}", advise(), family="off")


def _silent() -> ApiError:
    return ApiError("node_silent", "the node did not answer in time", "look at its log: mutua logs")


class _UnixConnection(http.client.HTTPConnection):
    """HTTP over a Unix socket."""

    def __init__(self, path: Path, timeout_s: float) -> None:
        super().__init__("mutua", timeout=timeout_s)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(str(place_to_connect(self._path)))


class Client:
    """The plain client: one connection a call."""

    def __init__(self, socket_path: Path, timeout_s: float = TIMEOUT_S, advise: Advise = start_it) -> None:
        self.path = socket_path
        self._advise = advise
        self._timeout_s = timeout_s

    def get_json(self, path: str, **query: Any) -> Any:
        """Return the answer of a GET as it is; query arguments that are None are left out."""
        return self._get(JSON, path, **query)

    def post_json(self, path: str, body: Any = None) -> Any:
        """Return the answer of a POST as it is."""
        return self._post(JSON, path, body)

    def status(self) -> Status:
        """Return where the node stands."""
        return self._get(Status, "/v1/status")

    def peers(self) -> tuple[Peer, ...]:
        """Return the peers."""
        return self._get(tuple[Peer, ...], "/v1/peers")

    def blocks(self, start: int | None = None, count: int = 20) -> tuple[BlockHead, ...]:
        """Return a page of blocks, the newest without `start`."""
        return self._get(tuple[BlockHead, ...], "/v1/blocks", start=start, count=count)

    def block(self, height: int) -> Block:
        """Return one block with records and events."""
        return self._get(Block, f"/v1/blocks/{height}")

    def receipt(self, claim: str) -> ClaimReceipt:
        """Return a claim's receipt with its sentences; the node replays its ledger for it."""
        path = f"/v1/receipts/{quote(claim, safe='')}"
        return self._call(ClaimReceipt, "GET", path, None, max(RECEIPT_TIMEOUT_S, self._timeout_s))

    def view(self, question: Question[T], **arguments: str | None) -> T:
        """Return a view of the newest final state."""
        return self._get(question.shape, f"/v1/views/{question.name}", **arguments)

    def record(self, record_id: str) -> Receipt:
        """Return what became of a record."""
        return self._get(Receipt, f"/v1/records/{quote(record_id, safe='')}")

    def submit(self, kind: str, body: Mapping[str, Any], attestations: Attestations = ()) -> Submitted:
        """Hand a record's body to the node, which signs it; returns once it is on disk."""
        return self._post(Submitted, "/v1/submit", submission(kind, body, attestations))

    def submit_all(self, records: Sequence[SubmitRequest | msgspec.Raw]) -> BatchAnswer:
        """Hand in many records, each checked behind those before it; what is taken is on disk when this returns."""
        return self._post(BatchAnswer, "/v1/batch", {"records": records})

    def accept(self, record: str) -> Submitted:
        """Hand in a record that its author signed elsewhere, as hex; returns once it is on disk."""
        return self._post(Submitted, "/v1/accept", {"record": record})

    def check(self, records: Sequence[SubmitRequest | msgspec.Raw]) -> tuple[Refusal, ...]:
        """Return why the rules would refuse records now, each behind those before it. Nothing is kept."""
        return self._post(CheckAnswer, "/v1/check", {"records": records}).refusals

    def open_document(self, claim: str) -> Opened:
        """Open the local document of a claim; the node submits the receipt."""
        return self._post(Opened, "/v1/open", {"claim": claim})

    def auto_rules(self) -> tuple[AutoRule, ...]:
        """Return every version of this member's auto-accept rules, oldest first."""
        return self._get(tuple[AutoRule, ...], "/v1/auto-accept")

    def change_auto_rule(self, action: str, rule: Mapping[str, Any]) -> AutoRule:
        """Add, replace or revoke an auto-accept rule; returns once it is on disk."""
        return self._post(AutoRule, "/v1/auto-accept", {"action": action, "rule": dict(rule)})

    def set_log_level(self, level: str) -> Done:
        """Change the node's log level."""
        return self._post(Done, "/v1/log", {"level": level})

    def stop(self) -> Done:
        """Ask the node to end."""
        return self._post(Done, "/v1/stop")

    def events(self) -> Iterator[Event]:
        """Yield events as they come, until the node ends the stream."""
        connection = _UnixConnection(self.path, EVENTS_TIMEOUT_S)
        try:
            connection.request("GET", "/v1/events", headers={"accept": "text/event-stream"})
            response = connection.getresponse()
            if response.status >= 400:
                _answer(JSON, response.status, response.read(ANSWER_SIZE_MAX))
            while line := response.readline(EVENT_SIZE_MAX):
                if line.startswith(b"data: "):
                    yield json.loads(line[6:])
        except (OSError, http.client.HTTPException):
            raise _node_not_running(self.path, self._advise) from None
        finally:
            connection.close()

    def _get(self, shape: type[T], path: str, **query: Any) -> T:
        return self._call(shape, "GET", _path(path, query), None, self._timeout_s)

    def _post(self, shape: type[T], path: str, body: Any = None) -> T:
        return self._call(shape, "POST", path, body or {}, max(SUBMIT_TIMEOUT_S, self._timeout_s))

    def _call(self, shape: type[T], method: str, path: str, value: Any, timeout_s: float) -> T:
        connection = _UnixConnection(self.path, timeout_s)
        data = None if value is None else msgspec.json.encode(value)
        headers = {} if data is None else {"content-type": "application/json"}
        try:
            try:
                connection.request(method, path, data, headers)
            except BrokenPipeError:
                pass  # a body above the bound: the answer says so
            response = connection.getresponse()
            return _answer(shape, response.status, response.read(ANSWER_SIZE_MAX))
        except TimeoutError:
            raise _silent() from None
        except (OSError, http.client.HTTPException):
            raise _node_not_running(self.path, self._advise) from None
        finally:
            connection.close()


class AsyncClient:
    """The client for asyncio (Textual), on httpx; it works under trio too. May be used as an async context manager."""

    def __init__(self, socket_path: Path, timeout_s: float = TIMEOUT_S, advise: Advise = start_it) -> None:
        import httpx

        self.path = socket_path
        self._advise = advise
        self._http: httpx.AsyncClient = httpx.AsyncClient(
            transport=httpx.AsyncHTTPTransport(uds=str(place_to_connect(socket_path))),
            base_url="http://mutua",
            timeout=timeout_s,
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def status(self) -> Status:
        """Return where the node stands."""
        return await self._call(Status, "GET", "/v1/status")

    async def blocks(self, start: int | None = None, count: int = 20) -> tuple[BlockHead, ...]:
        """Return a page of blocks, the newest without `start`."""
        return await self._call(tuple[BlockHead, ...], "GET", _path("/v1/blocks", {"start": start, "count": count}))

    async def block(self, height: int) -> Block:
        """Return one block with records and events."""
        return await self._call(Block, "GET", f"/v1/blocks/{height}")

    async def view(self, question: Question[T], **arguments: str | None) -> T:
        """Return a view of the newest final state."""
        return await self._call(question.shape, "GET", _path(f"/v1/views/{question.name}", arguments))

    async def record(self, record_id: str) -> Receipt:
        """Return what became of a record."""
        return await self._call(Receipt, "GET", f"/v1/records/{quote(record_id, safe='')}")

    async def submit(self, kind: str, body: Mapping[str, Any], attestations: Attestations = ()) -> Submitted:
        """Hand a record's body to the node, which signs it; returns once it is on disk."""
        return await self._call(Submitted, "POST", "/v1/submit", to_json(submission(kind, body, attestations)))

    async def open_document(self, claim: str) -> Opened:
        """Open the local document of a claim; the node submits the receipt."""
        return await self._call(Opened, "POST", "/v1/open", {"claim": claim})

    async def events(self) -> AsyncIterator[Event]:
        """Yield events as they come, until the node ends the stream."""
        import httpx

        try:
            async with self._http.stream("GET", "/v1/events", timeout=httpx.Timeout(EVENTS_TIMEOUT_S)) as response:
                if response.status_code >= 400:
                    _answer(JSON, response.status_code, await response.aread())
                async for line in response.aiter_lines():
                    if line.startswith("data: "):
                        yield json.loads(line[6:])
        except httpx.TransportError:
            raise _node_not_running(self.path, self._advise) from None

    async def _call(self, shape: type[T], method: str, path: str, value: Any = None) -> T:
        import httpx

        try:
            response = await self._http.request(method, path, json=value)
        except httpx.TimeoutException:
            raise _silent() from None
        except httpx.TransportError:
            raise _node_not_running(self.path, self._advise) from None
        return _answer(shape, response.status_code, response.content)
