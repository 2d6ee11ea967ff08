"""Blocks, and what became of a record."""

from __future__ import annotations

from typing import Any, Literal

from node.api.views.base import View

Event = dict[str, Any]
"""`event` is its name, `height` the block; the other fields are its own (docs/reference/events.md)."""


class BlockBase(View, frozen=True, kw_only=True):
    """What a block's header says.

    `proposer` is a place in the committee, `time_ms` milliseconds since 1970 by the proposer's clock.
    """

    height: int
    hash: str
    time_ms: int
    proposer: int
    state_root: str
    term: int


class BlockHead(BlockBase, frozen=True, kw_only=True):
    """One line of `GET /v1/blocks`; `records` is their number."""

    records: int


class RecordHead(View, frozen=True, kw_only=True):
    """A record of a block, without its body."""

    id: str
    kind: str
    author: str
    number: int
    body_hash: str


class Block(BlockBase, frozen=True, kw_only=True):
    """`GET /v1/blocks/{height}`: a block with its records and what they did."""

    records: tuple[RecordHead, ...]
    events: tuple[Event, ...]
    has_certificate: bool


class Reason(View, frozen=True, kw_only=True):
    """Why a record was refused; `rule` is the section of the co-op's rules, or empty."""

    code: str
    what: str
    hint: str
    rule: str = ""


class Receipt(View, omit_defaults=True, frozen=True, kw_only=True):
    """`GET /v1/records/{id}`: what became of a record.

    Final: `height`, `index`, and the inclusion proof: `leaf` (hash), `proof` (hashes of an RFC 6962 path), `tree_size`,
    `records_root`. Refused: `reason`. Pending: `height` is the newest final block.
    """

    record_id: str
    kind: str = ""
    state: Literal["pending", "refused", "final"]
    height: int
    index: int | None = None
    records_root: str = ""
    tree_size: int = 0
    proof: tuple[str, ...] | None = None
    leaf: str = ""
    reason: Reason | None = None


class ClaimReceipt(View, frozen=True, kw_only=True):
    """`GET /v1/receipts/{claim}`: what decided a claim (docs/reference/receipts.md), and the same in sentences."""

    receipt: dict[str, Any]
    explanation: tuple[str, ...]
