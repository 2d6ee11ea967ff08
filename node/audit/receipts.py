"""Receipts from a ledger: its history replayed in a thread, with a bound, and what it says as JSON and in sentences."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any, Protocol, TypeVar

from governance.events import render_hex
from governance.genesis import spec_of_charter
from governance.history import PastBlock
from governance.receipts.collect import Collector
from governance.receipts.shapes import Receipt, as_json
from governance.receipts.words import explain
from governance.state.claims import CLAIMS
from governance.state.members import MEMBERS
from governance.state.proposals import PROPOSALS
from governance.tables import Draft
from governance.transition import Outcome
from ledger.chain import Chain
from ledger.errors import LedgerCorrupt, MutuaError
from node.api.text import dated
from node.execution.apply import encode_events
from node.execution.history import past_blocks

LIVE_S_MAX = 45.0
"""So long may a running node replay for one receipt; longer ledgers are explained offline."""
Progress = Callable[[int, int], None]
"""Told the block that is done and the tip."""
T = TypeVar("T")
PAUSE_S = 0.0005
"""A running node gives way to its other work after each block."""


class Replay(Protocol):
    """A collector of `governance.receipts`: it lives through one block after the other."""

    def step(self, block: PastBlock) -> Outcome:
        """Live through the next block and return what it did."""
        ...


def claim_receipt(
    chain: Chain, claim: bytes, on_height: Progress | None = None, *, live_s_max: float | None = None
) -> Receipt:
    """Return the receipt of a claim as of the chain's tip. Errors: those of `live_through`; MutuaError `not_found`."""
    collector = Collector(spec_of_charter(chain.charter), {claim})
    live_through(chain, collector, on_height, live_s_max=live_s_max)
    return found_in(chain, collector.receipt(claim), "claim")


def live_through(
    chain: Chain, replay: Replay, on_height: Progress | None = None, *, live_s_max: float | None = None
) -> None:
    """Let a collector live through a ledger up to its tip, and compare what each block did with what the ledger says.

    Errors: MutuaError `body_missing`, `receipt_long` (a live node would replay too long); LedgerCorrupt
    `history_differs` when the rules do not lead to what this ledger says.
    """
    tip, started = chain.height, time.monotonic()
    for block in past_blocks(chain, tip):
        if encode_events(replay.step(block).events) != chain.events(block.height):
            raise LedgerCorrupt(
                "history_differs",
                f"under these rules block {block.height} does not do what this ledger says",
                "check the folder with mutua audit verify, or use the version of mutua that wrote it",
            )
        if on_height is not None:
            on_height(block.height, tip)
        if live_s_max is not None:
            time.sleep(PAUSE_S)
            if time.monotonic() - started > live_s_max:
                raise MutuaError(
                    "receipt_long",
                    f"after {live_s_max:.0f} s the replay stood at block {block.height} of {tip}",
                    "copy the stopped node's folder and run mutua audit explain there",
                )


def found_in(chain: Chain, receipt: T | None, kind: str) -> T:
    """Return a receipt that there is; MutuaError `not_found` where the ledger knows nothing of the kind."""
    if receipt is None:
        what = f"the ledger knows no such {kind} at height {chain.height}"
        raise MutuaError("not_found", what, "check the id, or ask a node that is in sync")
    return receipt


def proposal_ids(chain: Chain) -> Iterator[str]:
    """Yield the ids of all proposals, hexadecimal."""
    return (row.proposal.hex() for row in PROPOSALS.scan(Draft(chain.state)))


def member_ids(chain: Chain) -> Iterator[str]:
    """Yield the ids of all members, past ones included, hexadecimal."""
    return (row.key.hex() for row in MEMBERS.scan(Draft(chain.state)))


def claim_ids(chain: Chain) -> Iterator[str]:
    """Yield the ids of all claims, hexadecimal."""
    return (row.claim.hex() for row in CLAIMS.scan(Draft(chain.state)))


def told(receipt: Receipt, day_one: str) -> dict[str, Any]:
    """Return a receipt ready for JSON, with its sentences; `day_one`: the date of day 1."""
    sentences = [dated(sentence, day_one) for sentence in explain(receipt, render_hex)]
    return {"receipt": as_json(receipt, render_hex), "explanation": sentences}
