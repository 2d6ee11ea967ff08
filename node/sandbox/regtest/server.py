"""JSON lines over a Unix socket.

`{"id", "method", "params"}` in, `{"id", "result"}` or `{"id", "error": {code, what, hint}}` out.

| method | params | result |
|---|---|---|
| info | – | chain, height, tip, mempool |
| mine | count, script (hex, optional) | hashes of the blocks |
| send_raw | hex | txid |
| get_tx | txid | {confirmations, height} or null |
| get_output | txid, vout | {amount_sat, script, confirmations, spent_by} or null |
| fund | script, amount_sat | {txid, vout}, confirmed |
"""

from __future__ import annotations

import json
import os
import signal
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import trio

from ledger.errors import MalformedBytes, MutuaError
from node.api.listening import place_to_listen
from node.api.sockets import remove
from node.sandbox.regtest.engine import ANYONE, Engine

LINE_SIZE_MAX = 1024 * 1024
CONNECTION_MAX = 64


async def serve(engine: Engine, listener: trio.socket.SocketType, mine_every_ms: int | None = None) -> None:
    """Answer on a listening socket until cancelled; mine on an interval if asked to."""
    limit = trio.CapacityLimiter(CONNECTION_MAX)
    async with trio.open_nursery() as nursery:
        if mine_every_ms is not None:
            nursery.start_soon(_mine_forever, engine, mine_every_ms)
        while True:
            stream, _ = await listener.accept()
            nursery.start_soon(_talk, engine, trio.SocketStream(stream), limit)


async def run(folder: Path, path: Path, mine_every_ms: int | None) -> None:
    """Run an engine in `folder` on the socket at `path` until SIGTERM or SIGINT; prints one line when it is ready."""
    # signals first: a reader of the ready line may stop the engine at once
    with trio.open_signal_receiver(signal.SIGTERM, signal.SIGINT) as signals:
        engine = Engine(folder)
        try:
            listener = bind(path)
            try:
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(serve, engine, listener, mine_every_ms)
                    print(json.dumps({"event": "regtest_ready", "socket": str(path), **engine.info()}), flush=True)
                    async for _ in signals:
                        nursery.cancel_scope.cancel()
                        break
            finally:
                listener.close()
                remove(path)
        finally:
            engine.close()


def bind(path: Path) -> trio.socket.SocketType:
    """Return a listening socket (mode 0600), after removing the file of an engine that has ended."""
    path = place_to_listen(path)
    with socket.socket(socket.AF_UNIX) as probe:
        try:
            probe.connect(os.fspath(path))
        except OSError:
            path.unlink(missing_ok=True)
        else:
            raise MutuaError("socket_in_use", f"another program answers on {path}", "stop it, or use another socket")
    made = socket.socket(socket.AF_UNIX)
    old_mask = os.umask(0o177)
    try:
        made.bind(os.fspath(path))
    except OSError as error:
        made.close()
        what = f"cannot listen on {path}: {error.strerror}"
        raise MutuaError("socket_path", what, "use a folder that exists and is yours") from None
    finally:
        os.umask(old_mask)
    made.listen(CONNECTION_MAX)
    return trio.socket.from_stdlib_socket(made)


async def _mine_forever(engine: Engine, every_ms: int) -> None:
    while True:
        await trio.sleep(every_ms / 1000)
        engine.mine(1)


async def _talk(engine: Engine, stream: trio.SocketStream, limit: trio.CapacityLimiter) -> None:
    """Answer the lines of one connection until it ends."""
    async with limit, stream:
        pending = bytearray()
        try:
            async for chunk in stream:
                pending += chunk
                while (end := pending.find(b"\n")) >= 0:
                    line = bytes(pending[:end])
                    del pending[: end + 1]
                    await stream.send_all(json.dumps(answer(engine, line)).encode() + b"\n")
                if len(pending) > LINE_SIZE_MAX:
                    return
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            return


def answer(engine: Engine, line: bytes) -> dict[str, Any]:
    """Return the answer to one line; a client's fault is an error object, a full disk ends the engine (OSError)."""
    number: Any = None
    try:
        number, method, params = _parse(line)
        return {"id": number, "result": _METHODS[method](engine, params)}
    except MutuaError as error:
        return {"id": number, "error": {"code": error.code, "what": error.what, "hint": error.hint}}


def _parse(line: bytes) -> tuple[Any, str, dict[str, Any]]:
    try:
        value = json.loads(line)
    except (ValueError, RecursionError):
        raise _bad("the line is not JSON") from None
    if not isinstance(value, dict):
        raise _bad("the line is not an object")
    request = cast("dict[str, Any]", value)
    method, params = request.get("method"), request.get("params", {})
    if not isinstance(method, str) or method not in _METHODS or not isinstance(params, dict):
        raise _bad(f"method is not one of {', '.join(_METHODS)}, or params is not an object")
    return request.get("id"), method, cast("dict[str, Any]", params)


def _bad(reason: str) -> MalformedBytes:
    return MalformedBytes("regtest_request", f"request refused: {reason}", "use node.sandbox.regtest.client")


def _hex(params: dict[str, Any], name: str, size: int | None = None) -> bytes:
    value = params.get(name)
    try:
        data = bytes.fromhex(value) if isinstance(value, str) else None
    except ValueError:
        data = None
    if data is None or (size is not None and len(data) != size):
        raise _bad(f"{name} is not hex" + (f" of {size} bytes" if size else ""))
    return data


def _integer(params: dict[str, Any], name: str) -> int:
    value = params.get(name)
    if type(value) is not int or not 0 <= value < 2**53:
        raise _bad(f"{name} is not a whole number")
    return value


def _mine(engine: Engine, params: dict[str, Any]) -> list[str]:
    script = _hex(params, "script") if "script" in params else ANYONE
    return [item.hex() for item in engine.mine(_integer(params, "count"), script)]


def _fund(engine: Engine, params: dict[str, Any]) -> dict[str, Any]:
    txid, vout = engine.fund(_hex(params, "script"), _integer(params, "amount_sat"))
    return {"txid": txid.hex(), "vout": vout}


_METHODS: dict[str, Callable[[Engine, dict[str, Any]], Any]] = {
    "info": lambda engine, _: engine.info(),
    "mine": _mine,
    "send_raw": lambda engine, params: engine.send_raw(_hex(params, "hex")).hex(),
    "get_tx": lambda engine, params: engine.find_tx(_hex(params, "txid", 32)),
    "get_output": lambda engine, params: engine.find_output(_hex(params, "txid", 32), _integer(params, "vout")),
    "fund": _fund,
}
