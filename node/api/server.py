"""The local API: HTTP/JSON with server-sent events on a Unix socket (mode 0600). To open it is to act as the member.

`node.api.schema.ENDPOINTS` is the table of what is answered; here each endpoint has its handler. Behind them are three
narrow roles (reads, actions, events), so the server knows nothing of ledger, network or keys. Errors are `{"error":
{"code", "what", "hint", "family", "rule"}}` with 400 (malformed), 404, 409 (refused by a rule), 413, 423 (locked), 500,
503.
"""

from __future__ import annotations

import inspect
import socket
import stat
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, cast, get_args

import hypercorn.trio
import hypercorn.trio.run  # pyright: ignore[reportUnusedImport] - for its name
import msgspec
import structlog
import trio
from hypercorn.config import Config
from hypercorn.trio.tcp_server import TCPServer
from starlette.applications import Starlette
from starlette.background import BackgroundTask
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from governance.refusals import rule_of
from ledger.errors import LedgerCorrupt, MalformedBytes, MutuaError, RuleBroken, family_of
from ledger.hashing import HASH_SIZE
from node.api import schema
from node.api.listening import place_to_listen
from node.api.reads import Reads, question_of
from node.api.sockets import remove
from node.api.text import dated, hex_bytes
from node.api.views import actions
from node.api.views.node import Health, LogLevel
from node.faults import describe

if TYPE_CHECKING:
    from node.api.actions import Actions
    from node.api.event_hub import EventHub

log = structlog.get_logger("mutua.api")

HEARTBEAT_S = 10.0
"""A comment on a quiet event stream, so that both ends notice a dead one."""
ARGUMENT_MAX = 8
HEIGHT_MAX = 2**63 - 1
LOG_LEVELS: tuple[str, ...] = get_args(LogLevel)
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


@dataclass(frozen=True, slots=True)
class Api:
    """What is served: what is read, what is done, and the events as they come."""

    reads: Reads
    actions: Actions
    hub: EventHub


async def serve(api: Api, path: Path, *, task_status: trio.TaskStatus[list[str]] = trio.TASK_STATUS_IGNORED) -> None:
    """Answer on the socket `path` until cancelled; the socket is gone afterwards.

    A socket left by a dead daemon is replaced.

    Errors: MutuaError `socket_path` (no short place for it), `api_in_use` (another daemon answers), `socket_unusable`.
    """
    try:
        place = place_to_listen(path)
    except OSError as error:
        raise _unusable(path, error) from None
    _check_socket(place)
    config = Config()
    config.bind = [f"unix:{place}"]
    config.umask = 0o177
    config.accesslog = None
    config.errorlog = None
    config.include_server_header = False
    config.graceful_timeout = 0.5
    library = cast("Any", hypercorn.trio)  # it names the ASGI types of starlette differently
    library.run.TCPServer = Connection
    try:
        await library.serve(build_app(api), config, shutdown_trigger=trio.sleep_forever, task_status=task_status)
    except OSError as error:
        raise _unusable(path, error) from None
    finally:
        remove(path)


def _unusable(path: Path, error: OSError) -> MutuaError:
    hint = "use a data folder that can hold a socket"
    return MutuaError("socket_unusable", f"the API cannot listen on {path} ({error.strerror})", hint)


def build_app(api: Api) -> Starlette:
    """Return the ASGI application."""
    return Starlette(
        routes=[Route(item.path, _answering(api, item), methods=[item.method]) for item in schema.ENDPOINTS],
        exception_handlers={HTTPException: _http_error},
    )


class Connection(TCPServer):
    """A connection whose faults end it alone.

    Hypercorn 0.18.0 lets them out of its server, and so would end the daemon: a request that is cut off can meet the
    answer to it half-way (trio.BusyResourceError), and what is an OSError comes in a group that it does not look into.
    """

    async def run(self) -> None:
        """Serve the connection to its end, whatever that is."""
        try:
            await super().run()
        except* Exception as group:
            log.debug("api_connection_failed", error=describe(group))


# ---- Handlers -------------------------------------------------------------------


# Each takes the request and, where the table names one, its body; it gives the answer, or a promise of it.


def _blocks(api: Api, request: Request, _: Any) -> Any:
    count = _number(request.query_params.get("count", "20"), "count", 1, schema.BLOCKS_PAGE_MAX)
    given = request.query_params.get("start")
    start = api.reads.height() - count + 1 if given is None else _number(given, "start", 0, HEIGHT_MAX)
    return api.reads.blocks(max(0, start), count)


def _view(api: Api, request: Request, _: Any) -> Any:
    arguments = dict(request.query_params)
    if len(arguments) > ARGUMENT_MAX or not all(
        key.isidentifier() and key not in ("self", "question") for key in arguments
    ):
        raise MutuaError("arguments", "the arguments do not fit this view", "see the views in the reference")
    return api.reads.ask(question_of(request.path_params["name"]), **arguments)


def _openapi(_api: Api, _request: Request, _: Any) -> Any:
    from node.api.openapi import document

    return document()


def _accept(api: Api, _: Request, wanted: actions.AcceptRequest) -> Any:
    try:
        data = bytes.fromhex(wanted.record)
    except ValueError:
        what, hint = "record must be hexadecimal digits", "send the bytes that its author signed"
        raise MalformedBytes("request_shape", what, hint) from None
    return api.actions.accept(data)


def _batch(api: Api, _: Request, wanted: actions.RecordsRequest) -> Any:
    return api.actions.submit_all(_bounded(wanted))


async def _check(api: Api, _: Request, wanted: actions.RecordsRequest) -> Any:
    return actions.CheckAnswer(refusals=await api.actions.check(_bounded(wanted)))


def _bounded(wanted: actions.RecordsRequest) -> list[actions.SubmitRequest]:
    if len(wanted.records) > schema.BATCH_RECORDS_MAX:
        what = f"the request has more than {schema.BATCH_RECORDS_MAX} records"
        raise MalformedBytes("body_size", what, "send fewer at a time")
    return wanted.records


def _log(api: Api, _: Request, wanted: actions.LogRequest) -> Any:
    level = wanted.level.lower()
    if level not in LOG_LEVELS:
        raise MutuaError("log_level", f"there is no log level {level[:40]!r}", f"use one of {', '.join(LOG_LEVELS)}")
    api.actions.set_log_level(level)
    return actions.Done(done=True, level=level)


def _stop(api: Api, _request: Request, _: Any) -> Any:
    """Answer first, end afterwards."""

    async def end() -> None:
        api.actions.stop()

    response = _json(actions.Done(done=True))
    response.background = BackgroundTask(end)
    return response


async def _events(api: Api, _request: Request, _: Any) -> Any:
    subscription = api.hub.events()
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


Handler = Callable[[Api, Request, Any], Any]
HANDLERS: dict[tuple[str, str], Handler] = {
    ("GET", "/v1/health"): lambda api, _, __: Health(live=True, ready=api.reads.is_ready()),
    ("GET", "/v1/status"): lambda api, _, __: api.reads.status(),
    ("GET", "/v1/peers"): lambda api, _, __: api.reads.peers(),
    ("GET", "/v1/blocks"): _blocks,
    ("GET", "/v1/blocks/{height}"): lambda api, r, _: api.reads.block(
        _number(r.path_params["height"], "height", 0, HEIGHT_MAX)
    ),
    ("GET", "/v1/views/{name}"): _view,
    ("GET", "/v1/records/{record_id}"): lambda api, r, _: api.reads.record(
        _hash(r.path_params["record_id"], "the record id")
    ),
    ("GET", "/v1/receipts/{claim}"): lambda api, r, _: api.reads.receipt(_hash(r.path_params["claim"], "the claim id")),
    ("GET", "/v1/events"): _events,
    ("GET", "/v1/openapi.json"): _openapi,
    ("POST", "/v1/submit"): lambda api, _, wanted: api.actions.submit(wanted.kind, wanted.body),
    ("POST", "/v1/batch"): _batch,
    ("POST", "/v1/accept"): _accept,
    ("POST", "/v1/check"): _check,
    ("POST", "/v1/open"): lambda api, _, wanted: api.actions.open_document(_hash(wanted.claim, "the claim id")),
    ("GET", "/v1/auto-accept"): lambda api, _, __: api.actions.auto_rules(),
    ("POST", "/v1/auto-accept"): lambda api, _, wanted: api.actions.change_auto_rule(wanted.action, wanted.rule),
    ("POST", "/v1/log"): _log,
    ("POST", "/v1/stop"): _stop,
}


# ---- Requests and answers -------------------------------------------------------


def _answering(api: Api, endpoint: schema.Endpoint) -> Callable[[Request], Awaitable[Response]]:
    """Return what answers an endpoint: its body read, its answer as JSON, every error in the one shape."""
    handler = HANDLERS[endpoint.method, endpoint.path]

    async def answer(request: Request) -> Response:
        try:
            given = None if endpoint.request is None else await _body(request, endpoint.request, endpoint.size_max)
            found = handler(api, request, given)
            if inspect.isawaitable(found):
                found = await found
            return found if isinstance(found, Response) else _json(found)
        except MutuaError as error:
            return error_response(error, api.reads.day_one)
        except ClientDisconnect:  # cut off in the middle of its body: there is nobody to answer
            return Response(status_code=400)
        except OSError as error:
            log.exception("disk_error", what=str(error))
            what = f"the disk did not accept the write: {error.strerror}"
            return error_response(MutuaError("disk", what, "free space and send it again"))
        except Exception:
            # The edge of the daemon: a fault in one answer is told and logged, and never ends the node.
            log.exception("api_fault", path=request.url.path)
            fault = "the node met a fault while answering"
            return _error(actions.ErrorBody(what=fault, hint="see its log: mutua logs"), 500)

    return answer


def error_response(error: MutuaError, day_one: str = "") -> Response:
    """Return an error as the API says it: its code and words, the family, and the HTTP status that goes with them."""
    what = dated(error.what, day_one) if isinstance(error, RuleBroken) else error.what
    rule = rule_of(error.code) if isinstance(error, RuleBroken) else ""
    by_family = 409 if isinstance(error, RuleBroken) else 500 if isinstance(error, LedgerCorrupt) else 400
    return _error(
        actions.ErrorBody(code=error.code, what=what, hint=error.hint, family=family_of(error), rule=rule),
        STATUS_OF_CODE.get(error.code, by_family),
    )


async def _http_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    code = {404: "not_found", 405: "method"}.get(error.status_code, "request")
    what = f"{request.method} {request.url.path}: {error.detail}"
    body = actions.ErrorBody(code=code, what=what, hint="see the API in the reference", family="malformed")
    return _error(body, error.status_code)


def _json(value: object, status: int = 200) -> Response:
    return Response(msgspec.json.encode(value), status, media_type="application/json")


def _error(body: actions.ErrorBody, status: int) -> Response:
    return _json(actions.ErrorAnswer(error=body), status)


async def _body(request: Request, shape: type[T], size_max: int) -> T:
    """Return the request's JSON, read up to the bound and not further."""
    data = bytearray()
    async for chunk in request.stream():
        data += chunk
        if len(data) > size_max:
            raise MalformedBytes("body_size", f"the request has more than {size_max} bytes", "send a smaller one")
    try:
        return msgspec.json.decode(bytes(data), type=shape)
    except (msgspec.MsgspecError, UnicodeError, RecursionError) as error:
        what = f"the request does not fit: {error}"
        raise MalformedBytes("request_shape", what, "see the API in the reference") from None


def _number(text: str, name: str, low: int, high: int) -> int:
    if not text.isascii() or not text.isdigit() or len(text) > 19 or not low <= int(text) <= high:
        what = f"{name} {text[:40]!r} is not a whole number of {low}..{high}"
        raise MalformedBytes("arguments", what, f"correct {name}")
    return int(text)


def _hash(text: str, name: str) -> bytes:
    value = hex_bytes(text)
    if len(value) != HASH_SIZE:
        what = f"{name} is not {2 * HASH_SIZE} hex digits"
        raise MalformedBytes("hash_shape", what, "give the full id as it was shown")
    return value


def _check_socket(path: Path) -> None:
    """Refuse a path that is not a socket, or where somebody answers; a dead socket is removed."""
    try:
        mode = path.lstat().st_mode
    except OSError:
        return
    if not stat.S_ISSOCK(mode):
        raise MutuaError("socket_unusable", f"{path} exists and is not a socket", "move it away")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(1.0)
        try:
            probe.connect(str(path))
        except OSError:
            path.unlink(missing_ok=True)
            return
    raise MutuaError("api_in_use", f"another node answers at {path}", "stop it first: mutua stop")
