"""The shapes of the local API's answers, shared by daemon, CLI and terminal UI: the UI and the CLI import no node.

Ids and keys are hex, amounts are minor units of the co-op's currency, times are block heights unless a name says `_ms`.
Unknown fields are passed over and new ones have defaults, so an older screen can read a newer daemon. Answers of
`/v1/views/{name}` are the views of `governance.views`, rendered.
"""

from __future__ import annotations

from typing import Any, TypeVar

import msgspec

from node.api.errors import ApiError

__all__ = [
    "AcceptRequest",
    "Answer",
    "ApiError",
    "AutoAcceptRequest",
    "Block",
    "CheckRequest",
    "ConsensusStatus",
    "ErrorAnswer",
    "ErrorBody",
    "LogRequest",
    "OpenRequest",
    "Peer",
    "PeerCounts",
    "Receipt",
    "Status",
    "SubmitRequest",
    "Submitted",
    "convert",
]

SOCKET_NAME = "api.sock"
BODY_SIZE_MAX = 256 * 1024
"""The largest record body is 32 KiB of bytes; as JSON with hex it stays below this."""
CHECK_SIZE_MAX = 8 * 1024 * 1024
CHECK_RECORDS_MAX = 1_000
"""What a file of claims may ask about at once."""
BLOCKS_PAGE_MAX = 200


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """Base of the answers."""


T = TypeVar("T", bound=Answer)


class PeerCounts(Answer, frozen=True, kw_only=True):
    """How many members are connected, of how many known ones."""

    connected: int = 0
    known: int = 0


class ConsensusStatus(Answer, frozen=True, kw_only=True):
    """The view of the height being agreed on, whether this node votes on blocks, and how many do."""

    view: int = 0
    is_member: bool = False
    committee: int = 0


class Status(Answer, frozen=True, kw_only=True):
    """`GET /v1/status`.

    `member` is this member's identity key (None on a node that only follows), `cover` its pseudonym on claims,
    `dependants` those of its dependants, `needs_me` the number of cases that wait for its ballot. `treasury` is what
    the treasury's job reports, or None.
    """

    name: str = ""
    chain_id: str = ""
    height: int = 0
    block_hash: str = ""
    state_root: str = ""
    term: int = 0
    peers: PeerCounts = PeerCounts()
    mempool: int = 0
    is_syncing: bool = False
    sync_target: int | None = None
    consensus: ConsensusStatus = ConsensusStatus()
    needs_me: int = 0
    member: str | None = None
    cover: str | None = None
    dependants: tuple[str, ...] = ()
    day_one: str = ""
    block_interval_ms: int = 0
    currency: str = "USD"
    exponent: int = 2
    treasury: Any = None
    owed: Any = None
    """What this member owes: amount_cents, pay_by (block), suspended_from (block, or None)."""


class Peer(Answer, frozen=True, kw_only=True):
    """One line of `GET /v1/peers`; `since_ms` is when the present state (connected or not) began."""

    key: str = ""
    address: str = ""
    is_connected: bool = False
    since_ms: int = 0
    strikes: int = 0


class Block(Answer, frozen=True, kw_only=True):
    """One line of `GET /v1/blocks`; in `GET /v1/blocks/{h}` `records` is the list itself, and `events` stand beside it.

    `proposer` is a place in the committee, `time_ms` milliseconds since 1970 by the proposer's clock.
    """

    height: int = 0
    hash: str = ""
    state_root: str = ""
    time_ms: int = 0
    proposer: int | None = None
    term: int = 0
    records: Any = 0


class Receipt(Answer, frozen=True, kw_only=True):
    """`GET /v1/records/{id}`: what became of a record.

    `state` is pending, final or refused. Final: `height`, `index`, and the inclusion proof: `leaf` (hash), `proof`
    (hashes of an RFC 6962 path), `tree_size`, `records_root`. Refused: `reason` {code, what, hint}.
    """

    record_id: str = ""
    kind: str = ""
    state: str = ""
    height: int | None = None
    index: int | None = None
    leaf: str = ""
    proof: list[str] = []
    tree_size: int = 0
    records_root: str = ""
    reason: Any = None


class Submitted(Answer, frozen=True, kw_only=True):
    """Answer of `POST /v1/submit` and `/v1/open`: given only after the record is on disk."""

    record_id: str = ""
    kind: str = ""
    state: str = "pending"


class SubmitRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Body of `POST /v1/submit`: hex for bytes.

    `body` may bring `attestations` of others: {role, key, subject_hash, signature}.
    """

    kind: str
    body: dict[str, Any]


class AcceptRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Body of `POST /v1/accept`: the canonical bytes of a signed record with its body, as hex."""

    record: str


class CheckRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Body of `POST /v1/check`: records as for `/v1/submit`, checked in this order, each behind those before it.

    The answer is `{"refusals": [{index, code, what, hint, family}]}`, empty when the rules would take all of them now.
    """

    records: list[SubmitRequest]


class OpenRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Body of `POST /v1/open`."""

    claim: str


class AutoAcceptRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Body of `POST /v1/auto-accept`.

    `action` is add, replace or revoke, `rule` {name, codes, charge_max_cents, providers}.
    """

    action: str
    rule: dict[str, Any]


class LogRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Body of `POST /v1/log`."""

    level: str


class ErrorBody(msgspec.Struct, frozen=True):
    """What went wrong: stable code, what happened, how to fix it, and whose fault it is (see `ApiError.family`)."""

    code: str = "internal"
    what: str = ""
    hint: str = ""
    family: str = "node"
    rule: str = ""
    """Section of the co-op's rules that refuses, such as §6; empty where it is no rule of theirs."""


class ErrorAnswer(msgspec.Struct, frozen=True):
    """The JSON of every error."""

    error: ErrorBody


def convert(shape: type[T], value: object) -> T:
    """Return a JSON answer as `shape`."""
    return msgspec.convert(value, shape, strict=False)
