"""What may be asked of a node that changes something, and what it answers."""

from __future__ import annotations

from typing import Any, Literal

from msgspec import UNSET, UnsetType

from node.api.views.base import Request, View
from node.api.views.chain import Receipt


class SubmitRequest(Request, frozen=True, kw_only=True):
    """Body of `POST /v1/submit`: hex for bytes.

    `body` may bring `attestations` of others: {role, key, subject_hash, signature}.
    """

    kind: str
    body: dict[str, Any]


class Submitted(Receipt, frozen=True, kw_only=True):
    """Answer of `/v1/submit` and `/v1/accept`: given only after the record is on disk."""


class AcceptRequest(Request, frozen=True, kw_only=True):
    """Body of `POST /v1/accept`: the canonical bytes of a signed record with its body, as hex."""

    record: str


class RecordsRequest(Request, frozen=True, kw_only=True):
    """Body of `POST /v1/batch` and `/v1/check`: records as for `/v1/submit`, each checked behind those before it."""

    records: list[SubmitRequest]


class Refusal(View, frozen=True, kw_only=True):
    """Why the record at `index` of the request is refused, or would be.

    `claim`: of a claim that stands already, the claim that holds the same lines; `height` its block, 0 while it waits
    on this node. The code `mempool_full` says that there is no room now; every other one of the family `node` that the
    node failed here: whether it kept the record is known once it answers again.
    """

    index: int
    code: str
    what: str
    hint: str
    family: str
    rule: str = ""
    claim: str = ""
    height: int = 0


class BatchAnswer(View, frozen=True, kw_only=True):
    """Answer of `/v1/batch`: for each record its id, or null and a refusal at its place."""

    records: tuple[str | None, ...]
    refusals: tuple[Refusal, ...]


class CheckAnswer(View, frozen=True, kw_only=True):
    """Answer of `/v1/check`; empty when the rules would accept all of them now."""

    refusals: tuple[Refusal, ...]


class OpenRequest(Request, frozen=True, kw_only=True):
    """Body of `POST /v1/open`."""

    claim: str


class Opened(View, frozen=True, kw_only=True):
    """Answer of `/v1/open`: the receipt of opening that this node signed, and where the document lies."""

    record_id: str
    kind: str
    state: str
    path: str
    hash: str
    size_bytes: int


class AutoRuleFields(Request, frozen=True, kw_only=True):
    """An auto-accept rule as a member writes it: what it accepts, of which providers (none: of all)."""

    name: str
    codes: tuple[str, ...] = ()
    charge_max_cents: int = 0
    providers: tuple[str, ...] = ()


class AutoAcceptRequest(Request, frozen=True, kw_only=True):
    """Body of `POST /v1/auto-accept`."""

    action: Literal["add", "replace", "revoke"]
    rule: AutoRuleFields


class AutoRule(View, frozen=True, kw_only=True):
    """A version of an auto-accept rule, in `GET` and `POST /v1/auto-accept`; ballots name its `rule_hash`."""

    name: str
    codes: tuple[str, ...]
    charge_max_cents: int
    providers: tuple[str, ...]
    version: int
    is_revoked: bool
    rule_hash: str


class LogRequest(Request, frozen=True, kw_only=True):
    """Body of `POST /v1/log`."""

    level: str


class Done(View, frozen=True, kw_only=True):
    """Answer of `/v1/log` and `/v1/stop`."""

    done: bool
    level: str | UnsetType = UNSET


class ErrorBody(View, frozen=True, kw_only=True):
    """What went wrong: stable code, what happened, a hint, and whose fault it is (see `ApiError.family`).

    `rule`: the section of the co-op's rules that refuses, such as §6; empty if none does.
    """

    code: str = "internal"
    what: str = ""
    hint: str = ""
    family: str = "node"
    rule: str = ""


class ErrorAnswer(View, frozen=True, kw_only=True):
    """The JSON of every error."""

    error: ErrorBody
