"""Clients of the local API: a plain one for the CLI, an asynchronous one for the terminal UI.

Both speak HTTP over the Unix socket.

The plain client stands on the standard library alone, because importing httpx (which imports trio) would double the
start-up of `mutua status`. Both raise `ApiError` with the daemon's own code and words, and `NodeNotRunning` when nobody
answers.
"""

from __future__ import annotations

import http.client
import json
import socket
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, cast
from urllib.parse import quote, urlencode

from node.api.errors import ApiError, NodeNotRunning, node_not_running

if TYPE_CHECKING:
    import httpx

__all__ = ["ApiError", "AsyncClient", "Client", "NodeNotRunning"]

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


def _submission(kind: str, body: Mapping[str, Any], attestations: Sequence[Mapping[str, str]]) -> dict[str, Any]:
    """Return the request of `/v1/submit`; attestations travel inside the body."""
    extra = {"attestations": [dict(item) for item in attestations]} if attestations else {}
    return {"kind": kind, "body": {**body, **extra}}


def _answer(status: int, data: bytes) -> Any:
    """Return the JSON of an answer, or raise what the daemon said."""
    try:
        value: Any = json.loads(data)
    except ValueError:
        raise ApiError(
            "answer_shape", f"the node answered {status} without JSON", "look at its log: mutua logs", status=status
        ) from None
    if status < 400:
        return value
    error: dict[str, Any] = cast("dict[str, Any]", value).get("error", {}) if isinstance(value, dict) else {}
    raise ApiError(
        str(error.get("code", "internal")),
        str(error.get("what", f"the node answered {status}")),
        str(error.get("hint", "")),
        family=str(error.get("family", "node")),
        status=status,
        rule=str(error.get("rule", "")),
    )


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
        self.sock.connect(str(self._path))


class Client:
    """The plain client: one connection a call."""

    def __init__(self, socket_path: Path, timeout_s: float = TIMEOUT_S) -> None:
        self.path = socket_path
        self._timeout_s = timeout_s

    def get_json(self, path: str, **query: Any) -> Any:
        """Return the answer of a GET; query arguments that are None are left out."""
        return self._call("GET", _path(path, query), None, self._timeout_s)

    def post_json(self, path: str, body: Any = None) -> Any:
        """Return the answer of a POST."""
        return self._call("POST", path, body or {}, max(SUBMIT_TIMEOUT_S, self._timeout_s))

    def status(self) -> Any:
        """Return the node's status; shape `schema.Status`."""
        return self.get_json("/v1/status")

    def peers(self) -> Any:
        """Return the peers; shape `schema.Peer`."""
        return self.get_json("/v1/peers")

    def blocks(self, start: int | None = None, count: int = 20) -> Any:
        """Return a page of blocks, the newest without `start`; shape `schema.Block`."""
        return self.get_json("/v1/blocks", start=start, count=count)

    def block(self, height: int) -> Any:
        """Return one block with records and events."""
        return self.get_json(f"/v1/blocks/{height}")

    def receipt(self, claim: str) -> Any:
        """Return a claim's receipt with its sentences; the node replays its ledger for it."""
        return self._call("GET", f"/v1/receipts/{quote(claim, safe='')}", None, max(RECEIPT_TIMEOUT_S, self._timeout_s))

    def view(self, name: str, **arguments: str | None) -> Any:
        """Return a governance view."""
        return self.get_json(f"/v1/views/{quote(name, safe='')}", **arguments)

    def record(self, record_id: str) -> Any:
        """Return a record's receipt; shape `schema.Receipt`."""
        return self.get_json(f"/v1/records/{quote(record_id, safe='')}")

    def submit(self, kind: str, body: Mapping[str, Any], attestations: Sequence[Mapping[str, str]] = ()) -> Any:
        """Hand a record's body to the node, which signs it; returns once it is on disk. Shape `schema.Submitted`."""
        return self.post_json("/v1/submit", _submission(kind, body, attestations))

    def accept(self, record: str) -> Any:
        """Hand in a record that its author signed elsewhere, as hex; returns once it is on disk.

        Shape `schema.Submitted`.
        """
        return self.post_json("/v1/accept", {"record": record})

    def check(
        self, kind: str, body: Mapping[str, Any], attestations: Sequence[Mapping[str, str]] = ()
    ) -> list[dict[str, Any]]:
        """Return why the rules would refuse a record now; empty when they would take it. Nothing is kept."""
        return list(self.post_json("/v1/check", {"records": [_submission(kind, body, attestations)]})["refusals"])

    def open_document(self, claim: str) -> Any:
        """Open the local document of a claim; the node submits the receipt."""
        return self.post_json("/v1/open", {"claim": claim})

    def auto_rules(self) -> list[dict[str, Any]]:
        """Return every version of this member's standing rules, oldest first."""
        return list(self.get_json("/v1/auto-accept"))

    def change_auto_rule(self, action: str, rule: Mapping[str, Any]) -> Any:
        """Add, replace or revoke a standing rule; returns once it is on disk."""
        return self.post_json("/v1/auto-accept", {"action": action, "rule": dict(rule)})

    def set_log_level(self, level: str) -> Any:
        """Change the node's log level."""
        return self.post_json("/v1/log", {"level": level})

    def stop(self) -> Any:
        """Ask the node to end."""
        return self.post_json("/v1/stop")

    def events(self) -> Iterator[dict[str, Any]]:
        """Yield events as they come, until the node ends the stream."""
        connection = _UnixConnection(self.path, EVENTS_TIMEOUT_S)
        try:
            connection.request("GET", "/v1/events", headers={"accept": "text/event-stream"})
            response = connection.getresponse()
            if response.status >= 400:
                _answer(response.status, response.read(ANSWER_SIZE_MAX))
            while line := response.readline(EVENT_SIZE_MAX):
                if line.startswith(b"data: "):
                    yield json.loads(line[6:])
        except (OSError, http.client.HTTPException):
            raise node_not_running(self.path) from None
        finally:
            connection.close()

    def close(self) -> None:
        """Do nothing: each call closes its own connection."""

    def _call(self, method: str, path: str, value: Any, timeout_s: float) -> Any:
        connection = _UnixConnection(self.path, timeout_s)
        data = None if value is None else json.dumps(value).encode()
        headers = {} if data is None else {"content-type": "application/json"}
        try:
            try:
                connection.request(method, path, data, headers)
            except BrokenPipeError:
                pass  # a body above the bound: the answer says so
            response = connection.getresponse()
            return _answer(response.status, response.read(ANSWER_SIZE_MAX))
        except TimeoutError:
            raise _silent() from None
        except (OSError, http.client.HTTPException):
            raise node_not_running(self.path) from None
        finally:
            connection.close()


class AsyncClient:
    """The client for asyncio (Textual), on httpx; it works under trio too. May be used as an async context manager."""

    def __init__(self, socket_path: Path, timeout_s: float = TIMEOUT_S) -> None:
        import httpx

        self.path = socket_path
        self._http: httpx.AsyncClient = httpx.AsyncClient(
            transport=httpx.AsyncHTTPTransport(uds=str(socket_path)), base_url="http://mutua", timeout=timeout_s
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def get_json(self, path: str, **query: Any) -> Any:
        """Return the answer of a GET; query arguments that are None are left out."""
        return await self._call("GET", _path(path, query), None)

    async def post_json(self, path: str, body: Any = None) -> Any:
        """Return the answer of a POST."""
        return await self._call("POST", path, body or {})

    async def status(self) -> Any:
        """Return the node's status; shape `schema.Status`."""
        return await self.get_json("/v1/status")

    async def peers(self) -> Any:
        """Return the peers; shape `schema.Peer`."""
        return await self.get_json("/v1/peers")

    async def blocks(self, start: int | None = None, count: int = 20) -> Any:
        """Return a page of blocks, the newest without `start`; shape `schema.Block`."""
        return await self.get_json("/v1/blocks", start=start, count=count)

    async def block(self, height: int) -> Any:
        """Return one block with records and events."""
        return await self.get_json(f"/v1/blocks/{height}")

    async def view(self, name: str, **arguments: str | None) -> Any:
        """Return a governance view."""
        return await self.get_json(f"/v1/views/{quote(name, safe='')}", **arguments)

    async def record(self, record_id: str) -> Any:
        """Return a record's receipt; shape `schema.Receipt`."""
        return await self.get_json(f"/v1/records/{quote(record_id, safe='')}")

    async def submit(self, kind: str, body: Mapping[str, Any], attestations: Sequence[Mapping[str, str]] = ()) -> Any:
        """Hand a record's body to the node, which signs it; returns once it is on disk. Shape `schema.Submitted`."""
        return await self.post_json("/v1/submit", _submission(kind, body, attestations))

    async def open_document(self, claim: str) -> Any:
        """Open the local document of a claim; the node submits the receipt."""
        return await self.post_json("/v1/open", {"claim": claim})

    async def events(self) -> AsyncIterator[dict[str, Any]]:
        """Yield events as they come, until the node ends the stream."""
        import httpx

        try:
            async with self._http.stream("GET", "/v1/events", timeout=httpx.Timeout(EVENTS_TIMEOUT_S)) as response:
                if response.status_code >= 400:
                    _answer(response.status_code, await response.aread())
                async for line in response.aiter_lines():
                    if line.startswith("data: "):
                        yield json.loads(line[6:])
        except httpx.TransportError:
            raise node_not_running(self.path) from None

    async def _call(self, method: str, path: str, value: Any) -> Any:
        import httpx

        try:
            response = await self._http.request(method, path, json=value)
        except httpx.TimeoutException:
            raise _silent() from None
        except httpx.TransportError:
            raise node_not_running(self.path) from None
        return _answer(response.status_code, response.content)
