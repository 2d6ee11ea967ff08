"""The local API: HTTP/JSON with server-sent events on a Unix socket (mode 0600).

Whoever may open the socket acts as the member.

| method, path | answer | | --- | --- | | GET /v1/health | `{"live", "ready"}`; ready once the node is in step | | GET
/v1/status · /v1/peers | where the node stands; its peers | | GET /v1/blocks?start&count · /v1/blocks/{h} | headers (the
newest without `start`); one block with records and events | | GET /v1/views/{name}?… | a view of the newest final state
| | GET /v1/records/{id} | a record's receipt: pending, refused, or final with its proof | | GET /v1/receipts/{claim} |
what decided a claim: `{"receipt", "explanation"}`, replayed from genesis | | GET /v1/events | server-sent events, one
JSON object each | | POST /v1/submit | `{"kind", "body"}`: sign and spread; durable before the answer | | POST
/v1/accept | `{"record"}`: take a record that its author signed elsewhere; durable before the answer | | POST /v1/check
| `{"records"}`: what the rules would refuse of them now; nothing is kept | | POST /v1/open | `{"claim"}`: open a local
document and sign the receipt | | GET /v1/auto-accept | every version of this member's standing rules | | POST
/v1/auto-accept | `{"action", "rule"}`: add, replace or revoke one; durable before the answer | | POST /v1/log ·
/v1/stop | change the log level; end the daemon |

The daemon is behind a narrow facade, so the API knows nothing of ledger, network or keys. Errors are `{"error":
{"code", "what", "hint", "family"}}` with 400 (malformed), 404, 409 (refused by a rule), 413, 423 (locked), 500, 503.
"""

from __future__ import annotations

import os
import socket
import stat
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from functools import partial
from pathlib import Path
from typing import Any, Protocol, TypeVar, cast

import hypercorn.trio
import msgspec
import structlog
import trio
from hypercorn.config import Config
from starlette.applications import Starlette
from starlette.background import BackgroundTask
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from governance.refusals import rule_of
from ledger.errors import LedgerCorrupt, MalformedBytes, MutuaError, RuleBroken, family_of
from ledger.hashing import HASH_SIZE
from node.api import schema

log = structlog.get_logger("mutua.api")

HEARTBEAT_S = 10.0
"""A comment on a quiet event stream, so that both ends notice a dead one."""
ARGUMENT_MAX = 8
SOCKET_PATH_MAX = 103
"""Bytes of a Unix socket's path: 107 on Linux, 103 on macOS."""
HEIGHT_MAX = 2**63 - 1
LOG_LEVELS = ("debug", "info", "warning", "error")
STATUS_OF_CODE = {
    "not_found": 404,
    "document_missing": 404,
    "not_a_member": 409,
    "body_size": 413,
    "locked": 423,
    "disk": 503,
    "too_many_subscribers": 503,
    "receipt_long": 503,
    "mempool_full": 503,
}
T = TypeVar("T")


class NodeFacade(Protocol):
    """What the API needs of a daemon; `node.api.facade.Facade` is the real one.

    Everything is JSON-ready; ids are bytes here, hex outside.
    """

    def status(self) -> dict[str, Any]:
        """Return what `mutua status` shows."""
        ...

    def view(self, name: str, **arguments: str | None) -> Any:
        """Return a governance view; MutuaError `not_found` for an unknown view or subject."""
        ...

    def peers(self) -> list[dict[str, Any]]:
        """Return every known peer."""
        ...

    def blocks(self, start: int, count: int) -> list[dict[str, Any]]:
        """Return up to `count` headers from `start` on, ascending."""
        ...

    def block(self, height: int) -> dict[str, Any]:
        """Return a block with records and events; MutuaError `not_found`."""
        ...

    def record(self, record_id: bytes) -> dict[str, Any]:
        """Return a record's receipt; MutuaError `not_found`."""
        ...

    async def receipt(self, claim: bytes) -> dict[str, Any]:
        """Return a claim's receipt and its sentences; MutuaError `not_found`, `body_missing` or `receipt_long`."""
        ...

    async def submit(self, kind: str, body: dict[str, Any]) -> dict[str, Any]:
        """Build, sign, check, keep durably and spread a record; RuleBroken when the rules refuse it."""
        ...

    async def accept(self, data: bytes) -> dict[str, Any]:
        """Verify, check, keep durably and spread a record that its author signed elsewhere.

        RuleBroken when the rules refuse it.
        """
        ...

    async def check(self, records: list[tuple[str, dict[str, Any]]]) -> list[dict[str, Any]]:
        """Return what the rules would refuse of (kind, body) records, one after the other, in the next block.

        Nothing is kept.
        """
        ...

    async def open_document(self, claim: bytes) -> dict[str, Any]:
        """Open a local document of a claim and sign the receipt."""
        ...

    def auto_rules(self) -> list[dict[str, Any]]:
        """Return every version of this member's standing rules."""
        ...

    async def change_auto_rule(self, action: str, wanted: dict[str, Any]) -> dict[str, Any]:
        """Add, replace or revoke a standing rule."""
        ...

    def events(self) -> AbstractAsyncContextManager[trio.MemoryReceiveChannel[dict[str, Any]]]:
        """Subscribe to events until the block is left."""
        ...

    def set_log_level(self, level: str) -> None:
        """Change how much is logged."""
        ...

    def stop(self) -> None:
        """Ask the daemon to end."""
        ...


async def serve(
    facade: NodeFacade, path: Path, *, task_status: trio.TaskStatus[list[str]] = trio.TASK_STATUS_IGNORED
) -> None:
    """Answer on the socket `path` until cancelled; the socket is gone afterwards.

    A socket left by a dead daemon is replaced.

    Errors: MutuaError `socket_path` (too long), `api_in_use` (another daemon answers there), `socket_unusable`.
    """
    _check_socket(path)
    config = Config()
    config.bind = [f"unix:{path}"]
    config.umask = 0o177
    config.accesslog = None
    config.errorlog = None
    config.include_server_header = False
    config.graceful_timeout = 0.5
    run: Any = cast("Any", hypercorn.trio).serve  # it names the ASGI types of starlette differently
    try:
        await run(build_app(facade), config, shutdown_trigger=trio.sleep_forever, task_status=task_status)
    except OSError as error:
        hint = "use a data folder that can hold a socket"
        raise MutuaError("socket_unusable", f"the API cannot listen on {path} ({error.strerror})", hint) from None
    finally:
        _remove(path)


def build_app(facade: NodeFacade) -> Starlette:
    """Return the ASGI application over a facade."""

    def get(path: str, read: Callable[[Request], Any]) -> Route:
        async def endpoint(request: Request) -> Response:
            return _json(read(request))

        return Route(path, _guarded(endpoint))

    def post(path: str, act: Callable[[Request], Awaitable[Response]]) -> Route:
        return Route(path, _guarded(act), methods=["POST"])

    return Starlette(
        routes=[
            get("/v1/health", lambda _: {"live": True, "ready": not facade.status().get("is_syncing", False)}),
            get("/v1/status", lambda _: facade.status()),
            get("/v1/peers", lambda _: facade.peers()),
            get("/v1/blocks", partial(_blocks, facade)),
            get(
                "/v1/blocks/{height}", lambda r: facade.block(_number(r.path_params["height"], "height", 0, HEIGHT_MAX))
            ),
            get("/v1/views/{name}", partial(_view, facade)),
            get("/v1/records/{record_id}", lambda r: facade.record(_hash(r.path_params["record_id"], "the record id"))),
            Route("/v1/receipts/{claim}", _guarded(partial(_receipt, facade))),
            Route("/v1/events", _guarded(partial(_events, facade))),
            post("/v1/submit", partial(_submit, facade)),
            post("/v1/accept", partial(_accept, facade)),
            post("/v1/check", partial(_check, facade)),
            post("/v1/open", partial(_open, facade)),
            get("/v1/auto-accept", lambda _: facade.auto_rules()),
            post("/v1/auto-accept", partial(_auto_accept, facade)),
            post("/v1/log", partial(_log, facade)),
            post("/v1/stop", partial(_stop, facade)),
        ],
        exception_handlers={HTTPException: _http_error},
    )


# ---- Endpoints ------------------------------------------------------------------


def _blocks(facade: NodeFacade, request: Request) -> Any:
    count = _number(request.query_params.get("count", "20"), "count", 1, schema.BLOCKS_PAGE_MAX)
    given = request.query_params.get("start")
    start = (
        max(0, int(facade.status()["height"]) - count + 1) if given is None else _number(given, "start", 0, HEIGHT_MAX)
    )
    return facade.blocks(start, count)


def _view(facade: NodeFacade, request: Request) -> Any:
    name, arguments = request.path_params["name"], dict(request.query_params)
    if len(arguments) > ARGUMENT_MAX or not all(
        key.isidentifier() and key not in ("self", "name") for key in arguments
    ):
        raise MutuaError("arguments", "these are no arguments of a view", "see the views in the reference")
    return facade.view(name, **arguments)


async def _receipt(facade: NodeFacade, request: Request) -> Response:
    return _json(await facade.receipt(_hash(request.path_params["claim"], "the claim id")))


async def _submit(facade: NodeFacade, request: Request) -> Response:
    wanted = await _body(request, schema.SubmitRequest)
    return _json(await facade.submit(wanted.kind, wanted.body))


async def _accept(facade: NodeFacade, request: Request) -> Response:
    wanted = await _body(request, schema.AcceptRequest)
    try:
        data = bytes.fromhex(wanted.record)
    except ValueError:
        raise MalformedBytes(
            "request_shape", "record must be hexadecimal digits", "send the bytes that its author signed"
        ) from None
    return _json(await facade.accept(data))


async def _check(facade: NodeFacade, request: Request) -> Response:
    wanted = await _body(request, schema.CheckRequest, schema.CHECK_SIZE_MAX)
    if len(wanted.records) > schema.CHECK_RECORDS_MAX:
        raise MalformedBytes(
            "body_size", f"the request has more than {schema.CHECK_RECORDS_MAX} records", "check fewer at a time"
        )
    return _json({"refusals": await facade.check([(item.kind, item.body) for item in wanted.records])})


async def _open(facade: NodeFacade, request: Request) -> Response:
    wanted = await _body(request, schema.OpenRequest)
    return _json(await facade.open_document(_hash(wanted.claim, "the claim id")))


async def _auto_accept(facade: NodeFacade, request: Request) -> Response:
    wanted = await _body(request, schema.AutoAcceptRequest)
    return _json(await facade.change_auto_rule(wanted.action, wanted.rule))


async def _log(facade: NodeFacade, request: Request) -> Response:
    level = (await _body(request, schema.LogRequest)).level.lower()
    if level not in LOG_LEVELS:
        raise MutuaError("log_level", f"there is no log level {level[:40]!r}", f"use one of {', '.join(LOG_LEVELS)}")
    facade.set_log_level(level)
    return _json({"done": True, "level": level})


async def _stop(facade: NodeFacade, request: Request) -> Response:
    """Answer first, end afterwards."""
    del request

    async def end() -> None:
        facade.stop()

    response = _json({"done": True})
    response.background = BackgroundTask(end)
    return response


async def _events(facade: NodeFacade, request: Request) -> Response:
    del request
    subscription = facade.events()
    channel = (
        await subscription.__aenter__()
    )  # here, so that a refused subscription is an error and not an empty stream

    async def lines() -> AsyncIterator[bytes]:
        try:
            yield b": mutua events\n\n"
            while True:
                line = b": alive\n\n"
                with trio.move_on_after(HEARTBEAT_S):
                    line = b"data: " + msgspec.json.encode(await channel.receive()) + b"\n\n"
                yield line
        except trio.EndOfChannel:
            return
        finally:
            await subscription.__aexit__(None, None, None)

    return StreamingResponse(lines(), media_type="text/event-stream", headers={"cache-control": "no-store"})


# ---- Requests and answers -------------------------------------------------------


def _guarded(endpoint: Callable[[Request], Awaitable[Response]]) -> Callable[[Request], Awaitable[Response]]:
    """Return the endpoint with every error in the one shape."""

    async def answer(request: Request) -> Response:
        try:
            return await endpoint(request)
        except MutuaError as error:
            return error_response(error)
        except OSError as error:
            log.exception("disk_error", what=str(error))
            return error_response(
                MutuaError("disk", f"the disk did not take it: {error.strerror}", "free space and send it again")
            )
        except Exception:
            # The edge of the daemon: a fault in one answer is told and logged, and never ends the node.
            log.exception("api_fault", path=request.url.path)
            return _error(
                schema.ErrorBody("internal", "the node met a fault while answering", "see its log: mutua logs"), 500
            )

    return answer


def error_response(error: MutuaError) -> Response:
    """Return an error as the API says it: its code and words, the family, and the HTTP status that goes with them."""
    rule = rule_of(error.code) if isinstance(error, RuleBroken) else ""
    by_family = 409 if isinstance(error, RuleBroken) else 500 if isinstance(error, LedgerCorrupt) else 400
    return _error(
        schema.ErrorBody(error.code, error.what, error.hint, family_of(error), rule),
        STATUS_OF_CODE.get(error.code, by_family),
    )


async def _http_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    code = {404: "not_found", 405: "method"}.get(error.status_code, "request")
    what = f"{request.method} {request.url.path}: {error.detail}"
    return _error(schema.ErrorBody(code, what, "see the API in the reference", "malformed"), error.status_code)


def _json(value: object, status: int = 200) -> Response:
    return Response(msgspec.json.encode(value), status, media_type="application/json")


def _error(body: schema.ErrorBody, status: int) -> Response:
    return _json(schema.ErrorAnswer(body), status)


async def _body(request: Request, shape: type[T], size_max: int = schema.BODY_SIZE_MAX) -> T:
    """Return the request's JSON, read up to the bound and not further."""
    data = bytearray()
    async for chunk in request.stream():
        data += chunk
        if len(data) > size_max:
            raise MalformedBytes("body_size", f"the request has more than {size_max} bytes", "send a smaller one")
    try:
        return msgspec.json.decode(bytes(data), type=shape)
    except (msgspec.MsgspecError, UnicodeError, RecursionError) as error:
        raise MalformedBytes(
            "request_shape", f"the request does not fit: {error}", "see the API in the reference"
        ) from None


def _number(text: str, name: str, low: int, high: int) -> int:
    if not text.isascii() or not text.isdigit() or len(text) > 19 or not low <= int(text) <= high:
        raise MalformedBytes(
            "arguments", f"{name} {text[:40]!r} is not a whole number of {low}..{high}", f"correct {name}"
        )
    return int(text)


def _hash(text: str, name: str) -> bytes:
    try:
        value = bytes.fromhex(text)
    except ValueError:
        value = b""
    if len(value) != HASH_SIZE:
        raise MalformedBytes(
            "hash_shape", f"{name} is not {2 * HASH_SIZE} hex digits", "give the whole id as it was shown"
        )
    return value


def _remove(path: Path) -> None:
    path.unlink(missing_ok=True)


def _check_socket(path: Path) -> None:
    """Refuse a path that is too long, is no socket, or where somebody answers; a dead socket is removed."""
    if len(os.fsencode(path)) > SOCKET_PATH_MAX:
        raise MutuaError(
            "socket_path",
            f"the path of the API socket is too long for the system: {path}",
            "use a data folder with a shorter path",
        )
    try:
        mode = path.lstat().st_mode
    except OSError:
        return
    if not stat.S_ISSOCK(mode):
        raise MutuaError("socket_unusable", f"{path} is there and is no socket", "move it away")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(1.0)
        try:
            probe.connect(str(path))
        except OSError:
            path.unlink(missing_ok=True)
            return
    raise MutuaError("api_in_use", f"another node answers at {path}", "stop it first: mutua stop")
