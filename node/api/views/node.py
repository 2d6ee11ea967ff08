"""What a node says of itself: where it stands, what it signs, its peers."""

from __future__ import annotations

from typing import Literal

from node.api.views.base import View

LogLevel = Literal["debug", "info", "warning", "error"]


class Health(View, frozen=True, kw_only=True):
    """`GET /v1/health`: `ready` once the node is in sync."""

    live: bool
    ready: bool


class PeerCounts(View, frozen=True, kw_only=True):
    """How many members' nodes are connected, of how many known ones.

    `alone_since_ms`: since when none is, None while one is and where there is no other. `last_heard`: the key of the
    one that was heard last before, None where none has been heard since the node started.
    """

    connected: int
    known: int
    alone_since_ms: int | None = None
    last_heard: str | None = None


class Consensus(View, frozen=True, kw_only=True):
    """The node's part in agreeing on blocks.

    `is_signing`: it votes now. `quarantine`: why it does not sign, and `quarantine_until` the block that must be final
    first, None while that is not known yet. `signs_elsewhere`: where another node signs with this node's key, which of
    the two to stop. `misbehaviour`: proofs that another member's node contradicted itself.
    """

    view: int
    is_member: bool
    committee: int
    messages_in: int = 0
    messages_out: int = 0
    misbehaviour: int
    is_signing: bool
    quarantine: str | None = None
    quarantine_until: int | None = None
    signs_elsewhere: str | None = None


class TreasuryJob(View, frozen=True, kw_only=True):
    """What a signer's node does for the treasury.

    `off`: no bitcoin backend is configured. `starting`: not at work yet. `waiting`: the last step failed, see
    `last_error`; it is tried again automatically. `working`: the last step went well.
    """

    state: Literal["off", "starting", "waiting", "working"]
    last_error: str | None = None
    open_batches: int
    """Payout transactions on the ledger without a confirmation."""


class Owed(View, frozen=True, kw_only=True):
    """What this member owes: pay by the end of block `pay_by`; without cover from block `suspended_from` on."""

    amount_cents: int
    pay_by: int
    suspended_from: int | None = None


class ProtocolState(View, frozen=True, kw_only=True):
    """The protocol version in force, the next one decided on, and whether this program knows it."""

    version: int
    next_version: int | None = None
    next_height: int | None = None
    knows_next: bool


class Status(View, frozen=True, kw_only=True):
    """`GET /v1/status`.

    `member` is this member's identity key (None on a node that only follows), `cover` its pseudonym on claims,
    `dependants` those of its dependants, `needs_me` the number of cases that wait for its ballot. `treasury` is None
    on a node whose key is not a treasury signer's.
    """

    name: str
    chain_id: str
    currency: str
    exponent: int
    height: int
    block_hash: str
    state_root: str
    term: int
    day_one: str
    block_interval_ms: int
    peers: PeerCounts
    mempool: int
    is_syncing: bool
    sync_target: int | None = None
    consensus: Consensus
    treasury: TreasuryJob | None = None
    owed: Owed | None = None
    member: str | None = None
    cover: str | None = None
    dependants: tuple[str, ...] = ()
    needs_me: int
    protocol: ProtocolState
    log_level: LogLevel
    """From which level on the node logs now."""


class Peer(View, frozen=True, kw_only=True):
    """One line of `GET /v1/peers`; `since_ms` is when the present state (connected or not) began."""

    key: str
    address: str
    is_connected: bool
    since_ms: int
    sent_frames: int
    received_frames: int
    dropped_frames: int
    strikes: int
