"""The client of the regtest engine. One connection a call, so either side may restart at any time."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import trio

from ledger.errors import MutuaError
from node.api.sockets import place_to_connect

CALL_TIMEOUT_S = 15.0
ANSWER_SIZE_MAX = 4 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class TxStatus:
    """Where a transaction is: 0 confirmations and no height while it waits."""

    confirmations: int
    height: int | None


@dataclass(frozen=True, slots=True)
class OutputStatus:
    """An output: amount, script, confirmations, and the txid (as read) that spends it, if any."""

    amount_sat: int
    script: bytes
    confirmations: int
    spent_by: bytes | None


class RegtestClient:
    """Speaks to the engine at a Unix socket. Txids are bytes in the order that people read.

    Errors of every call: MutuaError `bitcoin_down` (no answer), or the engine's own code, such as `tx_refused`.
    """

    def __init__(self, path: Path | str) -> None:
        self.path = Path(path)

    async def height(self) -> int:
        """Return the height of the newest bitcoin block."""
        return int((await self.info())["height"])

    async def info(self) -> dict[str, Any]:
        """Return chain, height, tip and mempool size."""
        return await self._call("info")

    async def mine(self, count: int, script: bytes | None = None) -> list[bytes]:
        """Mine blocks now; return their hashes."""
        params: dict[str, Any] = {"count": count} if script is None else {"count": count, "script": script.hex()}
        return [bytes.fromhex(item) for item in await self._call("mine", params)]

    async def send_raw(self, raw: bytes) -> bytes:
        """Broadcast a signed transaction; return its txid. Sending it again is no error."""
        return bytes.fromhex(await self._call("send_raw", {"hex": raw.hex()}))

    async def find_tx(self, txid: bytes) -> TxStatus | None:
        """Return where a transaction is, or None."""
        found = await self._call("get_tx", {"txid": txid.hex()})
        return None if found is None else TxStatus(found["confirmations"], found["height"])

    async def find_output(self, txid: bytes, vout: int) -> OutputStatus | None:
        """Return an output, spent or not, or None."""
        found = await self._call("get_output", {"txid": txid.hex(), "vout": vout})
        if found is None:
            return None
        script, spender = bytes.fromhex(found["script"]), found["spent_by"]
        spent_by = None if spender is None else bytes.fromhex(spender)
        return OutputStatus(found["amount_sat"], script, found["confirmations"], spent_by)

    async def fund(self, script: bytes, amount_sat: int) -> tuple[bytes, int]:
        """Make a confirmed output of `amount_sat` to `script`, such as a treasury's; return (txid, vout)."""
        found = await self._call("fund", {"script": script.hex(), "amount_sat": amount_sat})
        return bytes.fromhex(found["txid"]), int(found["vout"])

    async def wait_ready(self, timeout_s: float = 20.0) -> None:
        """Return once the engine answers; MutuaError `bitcoin_down` after `timeout_s`."""
        deadline = trio.current_time() + timeout_s
        while True:
            try:
                await self.info()
            except MutuaError as error:
                if error.code != "bitcoin_down" or trio.current_time() > deadline:
                    raise
                await trio.sleep(0.05)
            else:
                return

    async def _call(self, method: str, params: dict[str, Any] | None = None) -> Any:
        request = json.dumps({"id": 1, "method": method, "params": params or {}}).encode() + b"\n"
        try:
            with trio.fail_after(CALL_TIMEOUT_S):
                async with await trio.open_unix_socket(str(place_to_connect(self.path))) as stream:
                    await stream.send_all(request)
                    line = await _read_line(stream)
            found = json.loads(line)
        except (OSError, trio.BrokenResourceError, trio.TooSlowError, ValueError) as error:
            reason = str(error) or type(error).__name__
            what = f"the bitcoin engine at {self.path} does not answer: {reason}"
            raise MutuaError("bitcoin_down", what, "start it: python -m node.sandbox.regtest") from None
        answer = cast("dict[str, Any]", found)
        if "error" in answer:
            raise MutuaError(answer["error"]["code"], answer["error"]["what"], answer["error"]["hint"])
        return answer["result"]


async def _read_line(stream: trio.SocketStream) -> bytes:
    """Return the bytes before the first newline; OSError when the stream ends first or runs on."""
    got = bytearray()
    async for chunk in stream:
        got += chunk
        if b"\n" in chunk:
            return bytes(got[: got.index(b"\n")])
        if len(got) > ANSWER_SIZE_MAX:
            break
    raise OSError("the connection ended without an answer")
