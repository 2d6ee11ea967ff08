"""The local API: HTTP/JSON with server-sent events on a Unix socket (mode 0600). Whoever may open the socket acts as the member.

| method, path | answer |
| --- | --- |
| GET /v1/health | `{"live", "ready"}`; ready once the node is in step |
| GET /v1/status · /v1/peers | where the node stands; its peers |
| GET /v1/blocks?start&count · /v1/blocks/{h} | headers; one block with records and events |
| GET /v1/views/{name}?… | a view of the newest final state |
| GET /v1/records/{id} | a record's receipt: pending, refused, or final with its proof |
| GET /v1/events | server-sent events, one JSON object each |
| POST /v1/submit | `{"kind", "body"}`: sign and spread; durable before the answer |
| POST /v1/open | `{"claim"}`: open a local document and sign the receipt |
| POST /v1/log · /v1/stop | change the log level; end the daemon |

Errors are `{"error": {"code", "what", "mend"}}` with 400 (malformed), 404, 409 (refused by a rule), 503.
"""

from __future__ import annotations

import json
import os
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from functools import partial
from pathlib import Path
from typing import Any, Protocol

import hypercorn.trio
import structlog
import trio
from hypercorn.config import Config
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, StreamingResponse
from starlette.routing import Route

from ledger.errors import MalformedBytes, MutuaError, RuleBroken

log = structlog.get_logger("mutua.api")

BODY_SIZE_MAX = 256 * 1024
SSE_KEEPALIVE_S = 10.0
NOT_FOUND_CODES = frozenset({"not_found", "document_missing"})


class NodeFacade(Protocol):
    """What the API needs of a daemon; `node.facade.Facade` is the real one."""

    def status(self) -> dict[str, Any]:
        """Return what `mutua status` shows."""
        ...

    def view(self, name: str, **arguments: str | None) -> Any:
        """Return a governance view by name."""
        ...

    def peers(self) -> list[dict[str, Any]]:
        """Return every known peer."""
        ...

    def blocks(self, start: int, count: int) -> list[dict[str, Any]]:
        """Return headers from `start` on."""
        ...

    def block(self, height: int) -> dict[str, Any]:
        """Return a block with records and events."""
        ...

    def record(self, record_id: bytes) -> dict[str, Any]:
        """Return a record's receipt."""
        ...

    async def submit(self, kind: str, body: dict[str, Any]) -> dict[str, Any]:
        """Build, sign, check, keep durably and spread a record."""
        ...

    async def open_document(self, claim: bytes) -> dict[str, Any]:
        """Open a local document and sign the receipt."""
        ...

    def events(self) -> AbstractAsyncContextManager[trio.MemoryReceiveChannel[dict[str, Any]]]:
        """Subscribe to events."""
        ...

    def set_log_level(self, level: str) -> None:
        """Change how much is logged."""
        ...

    def stop(self) -> None:
        """Ask the daemon to end."""
        ...


async def serve(facade: NodeFacade, path: Path, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
    """Serve until cancelled. A socket left by a dead daemon is replaced (the folder's lock says that no other lives)."""
    path.unlink(missing_ok=True)
    if len(str(path).encode()) > 100:
        raise MutuaError("socket_path", f"the path of the API socket is too long for the system: {path}", "use a data folder with a shorter path")
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    listener.bind(str(path))
    os.chmod(path, 0o600)
    listener.listen(64)
    config = Config()
    config.bind = [f"fd://{listener.fileno()}"]
    config.accesslog = None
    config.errorlog = None
    config.include_server_header = False
    config.graceful_timeout = 0.5
    try:
        async with trio.open_nursery() as nursery:
            await nursery.start(partial(hypercorn.trio.serve, build_app(facade), config, shutdown_trigger=trio.sleep_forever))  # type: ignore[arg-type]
            task_status.started()
    finally:
        listener.close()
        path.unlink(missing_ok=True)


def build_app(facade: NodeFacade) -> Starlette:
    """Return the ASGI application over a facade."""
    routes = [
        Route("/v1/health", _answer(lambda _: {"live": True, "ready": not facade.status()["is_syncing"]})),
        Route("/v1/status", _answer(lambda _: facade.status())),
        Route("/v1/peers", _answer(lambda _: facade.peers())),
        Route("/v1/blocks", _answer(lambda r: facade.blocks(_number(r, "start", 0), _number(r, "count", 20)))),
        Route("/v1/blocks/{height:int}", _answer(lambda r: facade.block(r.path_params["height"]))),
        Route("/v1/views/{name}", _answer(lambda r: facade.view(r.path_params["name"], **dict(r.query_params)))),
        Route("/v1/records/{record_id}", _answer(lambda r: facade.record(_hex(r.path_params["record_id"])))),
        Route("/v1/events", partial(_events, facade)),
        Route("/v1/submit", _action(lambda body: facade.submit(_text(body, "kind"), _object(body, "body"))), methods=["POST"]),
        Route("/v1/open", _action(lambda body: facade.open_document(_hex(_text(body, "claim")))), methods=["POST"]),
        Route("/v1/log", _action(lambda body: _done(facade.set_log_level(_text(body, "level")))), methods=["POST"]),
        Route("/v1/stop", _action(lambda _: _done(facade.stop())), methods=["POST"]),
    ]
    return Starlette(routes=routes)


async def _done(_: None) -> dict[str, Any]:
    return {"done": True}


def _answer(read: Callable[[Request], Any]) -> Callable[[Request], Awaitable[JSONResponse]]:
    async def endpoint(request: Request) -> JSONResponse:
        try:
            return JSONResponse(read(request))
        except MutuaError as error:
            return error_response(error)

    return endpoint


def _action(act: Callable[[dict[str, Any]], Awaitable[Any]]) -> Callable[[Request], Awaitable[JSONResponse]]:
    async def endpoint(request: Request) -> JSONResponse:
        try:
            return JSONResponse(await act(await _read_body(request)))
        except MutuaError as error:
            return error_response(error)
        except OSError as error:
            log.error("disk_error", what=str(error))
            return error_response(MutuaError("disk", f"the disk did not take it: {error.strerror}", "free space and send it again"))

    return endpoint


async def _events(facade: NodeFacade, request: Request) -> StreamingResponse | JSONResponse:
    async def lines() -> AsyncIterator[bytes]:
        async with facade.events() as channel:
            yield b": mutua events\n\n"
            while True:
                event: dict[str, Any] | None = None
                with trio.move_on_after(SSE_KEEPALIVE_S):
                    try:
                        event = await channel.receive()
                    except trio.EndOfChannel:
                        return
                yield b": alive\n\n" if event is None else b"data: " + json.dumps(event, separators=(",", ":")).encode() + b"\n\n"

    del request
    return StreamingResponse(lines(), media_type="text/event-stream")


def error_response(error: MutuaError) -> JSONResponse:
    """Return an error as the API says it."""
    if error.code in NOT_FOUND_CODES:
        status = 404
    elif isinstance(error, RuleBroken):
        status = 409
    elif isinstance(error, MalformedBytes) or error.code in ("body_shape", "usage"):
        status = 400
    else:
        status = 503
    family = "rule" if isinstance(error, RuleBroken) else "malformed" if isinstance(error, MalformedBytes) else "node"
    return JSONResponse({"error": {"code": error.code, "what": error.what, "mend": error.mend, "family": family}}, status_code=status)


async def _read_body(request: Request) -> dict[str, Any]:
    data = b""
    async for chunk in request.stream():
        data += chunk
        if len(data) > BODY_SIZE_MAX:
            raise MutuaError("usage", f"a request holds at most {BODY_SIZE_MAX} bytes", "send less")
    try:
        value = json.loads(data or b"{}")
    except ValueError as error:
        raise MutuaError("usage", f"the request is not JSON: {error}", "send one JSON object") from None
    if not isinstance(value, dict):
        raise MutuaError("usage", "the request is not a JSON object", "send one JSON object")
    return value


def _number(request: Request, name: str, default: int) -> int:
    value = request.query_params.get(name, str(default))
    if not value.isdigit():
        raise MutuaError("usage", f"{name} is no height: {value}", "give a whole number")
    return int(value)


def _hex(value: str) -> bytes:
    try:
        return bytes.fromhex(value)
    except ValueError:
        raise MutuaError("usage", f"{value[:80]} is not hexadecimal", "give the whole id as it was shown") from None


def _text(body: dict[str, Any], name: str) -> str:
    value = body.get(name)
    if not isinstance(value, str):
        raise MutuaError("usage", f"the request has no text {name!r}", "see the API's page")
    return value


def _object(body: dict[str, Any], name: str) -> dict[str, Any]:
    value = body.get(name)
    if not isinstance(value, dict):
        raise MutuaError("usage", f"the request has no object {name!r}", "see the API's page")
    return value
