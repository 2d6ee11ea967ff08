"""Receipts from a ledger: its history replayed in a thread, with a bound, and what it says as JSON and in sentences."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

from governance.benefits.settlement import CLAIMS
from governance.events import render_hex
from governance.genesis import spec_of_charter
from governance.receipts.collect import Collector
from governance.receipts.shapes import Receipt, as_json
from governance.receipts.words import explain
from governance.tables import Draft
from ledger.chain import Chain
from ledger.errors import LedgerCorrupt, MutuaError
from node.history import past_blocks
from node.producer import encode_events

LIVE_S_MAX = 45.0
"""So long may a running node replay for one receipt; longer ledgers are explained offline."""
PAUSE_S = 0.0005
"""A running node gives way to its other work after each block."""


def claim_receipt(
    chain: Chain, claim: bytes, on_height: Callable[[int, int], None] | None = None, *, live_s_max: float | None = None
) -> Receipt:
    """Return the receipt of a claim as of the chain's tip.

    Errors: MutuaError `not_found` (no such claim), `body_missing`, `receipt_long` (a live node would replay too long);
    LedgerCorrupt `history_differs` when the rules do not lead to what this ledger says.
    """
    collector = Collector(spec_of_charter(chain.charter), {claim})
    tip, started = chain.height, time.monotonic()
    for block in past_blocks(chain, tip):
        if encode_events(collector.step(block).events) != chain.events(block.height):
            raise LedgerCorrupt(
                "history_differs", f"under these rules block {block.height} does not do what this ledger says",
                "check the folder with mutua audit verify, or use the version of mutua that wrote it",
            )  # fmt: skip
        if on_height is not None:
            on_height(block.height, tip)
        if live_s_max is not None:
            time.sleep(PAUSE_S)
            if time.monotonic() - started > live_s_max:
                raise MutuaError(
                    "receipt_long", f"after {live_s_max:.0f} s the replay stood at block {block.height} of {tip}",
                    "copy the stopped node's folder and run mutua audit explain there",
                )  # fmt: skip
    receipt = collector.receipt(claim)
    if receipt is None:
        raise MutuaError("not_found", f"the ledger knows no such claim at height {tip}", "check the id, or wait until the node is in step")
    return receipt


def claim_ids(chain: Chain) -> Iterator[str]:
    """Yield the ids of all claims, hexadecimal."""
    return (row.claim.hex() for row in CLAIMS.scan(Draft(chain.state)))


def told(receipt: Receipt) -> dict[str, Any]:
    """Return a receipt ready for JSON, with its sentences."""
    return {"receipt": as_json(receipt, render_hex), "explanation": list(explain(receipt, render_hex))}
