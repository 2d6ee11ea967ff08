"""Clients of the local API: a plain one for the CLI, an asynchronous one for the terminal UI. Both speak HTTP over the Unix socket."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import httpx

from node.api.schema import ApiError

TIMEOUT_S = 30.0
_BASE = "http://mutua"


def _answer(response: httpx.Response) -> Any:
    try:
        value = response.json()
    except ValueError:
        raise ApiError("api", f"the node answered {response.status_code} without JSON", "look at mutua logs") from None
    if isinstance(value, dict) and "error" in value:
        error = value["error"]
        raise ApiError(error["code"], error["what"], error["mend"], family=error.get("family", "node"))
    return value


def _not_running(path: Path) -> ApiError:
    return ApiError("node_off", f"no node answers at {path}", "start it with mutua run", family="off")


class Client:
    """The plain client. ApiError with family "off" when no node answers."""

    def __init__(self, socket_path: Path, timeout_s: float = TIMEOUT_S) -> None:
        self.path = socket_path
        self._http = httpx.Client(transport=httpx.HTTPTransport(uds=str(socket_path)), base_url=_BASE, timeout=timeout_s)

    def get_json(self, path: str, **query: Any) -> Any:
        """Return the answer of a GET."""
        try:
            return _answer(self._http.get(path, params={key: value for key, value in query.items() if value is not None}))
        except httpx.TransportError:
            raise _not_running(self.path) from None

    def post_json(self, path: str, body: Any) -> Any:
        """Return the answer of a POST."""
        try:
            return _answer(self._http.post(path, json=body))
        except httpx.TransportError:
            raise _not_running(self.path) from None

    def events(self) -> Iterator[dict[str, Any]]:
        """Yield events as they come, until the node ends the stream."""
        try:
            with self._http.stream("GET", "/v1/events", timeout=httpx.Timeout(TIMEOUT_S)) as response:
                for line in response.iter_lines():
                    if line.startswith("data: "):
                        yield json.loads(line[6:])
        except httpx.TransportError:
            raise _not_running(self.path) from None

    def close(self) -> None:
        """Close the connection."""
        self._http.close()


class AsyncClient:
    """The client for asyncio (Textual)."""

    def __init__(self, socket_path: Path) -> None:
        self.path = socket_path
        self._http = httpx.AsyncClient(transport=httpx.AsyncHTTPTransport(uds=str(socket_path)), base_url=_BASE, timeout=TIMEOUT_S)

    async def get_json(self, path: str, **query: Any) -> Any:
        """Return the answer of a GET."""
        try:
            return _answer(await self._http.get(path, params={key: value for key, value in query.items() if value is not None}))
        except httpx.TransportError:
            raise _not_running(self.path) from None

    async def post_json(self, path: str, body: Any) -> Any:
        """Return the answer of a POST."""
        try:
            return _answer(await self._http.post(path, json=body))
        except httpx.TransportError:
            raise _not_running(self.path) from None

    async def events(self) -> AsyncIterator[dict[str, Any]]:
        """Yield events as they come."""
        try:
            async with self._http.stream("GET", "/v1/events", timeout=httpx.Timeout(TIMEOUT_S)) as response:
                async for line in response.aiter_lines():
                    if line.startswith("data: "):
                        yield json.loads(line[6:])
        except httpx.TransportError:
            raise _not_running(self.path) from None

    async def close(self) -> None:
        """Close the connections."""
        await self._http.aclose()
