"""What treasury signers say to each other, and what they attest of the two record bodies of governance.

One tag byte, then canonical bytes. The transport knows who sends, so a message names no sender. Every list has a bound.
"""

from __future__ import annotations

from typing import ClassVar, Literal

from governance.money.treasury import BATCH, CONFIRM, ConfirmBody
from governance.state.treasury import BatchBody, BatchPayout
from ledger.codec import Shape, decode, encode
from ledger.errors import MalformedBytes
from ledger.records import Attestation

__all__ = ["BatchBody", "BatchPayout", "ConfirmBody"]
PAYEES_MAX = 60
"""60 payees with 32 outputs each stay inside a standard transaction."""
MESSAGE_SIZE_MAX = 900 * 1024
BATCH_KIND = "treasury.batch"
CONFIRM_KIND = "treasury.confirm"

Role = Literal["batch", "confirm"]
"""What a signer attests."""


class OpenedBlob(Shape, frozen=True):
    """A sealed address list with its symmetric key, for a signer whose own entry does not open."""

    commitment: bytes
    key: bytes
    blob: bytes


class Propose(Shape, frozen=True):
    """The coordinator's batch: what it spends, which payouts, and the keys of their address lists."""

    TAG: ClassVar[int] = 1
    outpoint_txid: bytes
    outpoint_vout: int
    locktime: int
    payout_ids: tuple[bytes, ...]
    opened: tuple[OpenedBlob, ...]


class Attested(Shape, frozen=True):
    """A signer's word, under a batch or a confirmation (the attestation's role says which)."""

    TAG: ClassVar[int] = 2
    unsigned_txid: bytes
    attestation: Attestation


class Partial(Shape, frozen=True):
    """A signer's signatures of a batch that is on the ledger, one an input."""

    TAG: ClassVar[int] = 3
    unsigned_txid: bytes
    signatures: tuple[bytes, ...]


class AddressListRequest(Shape, frozen=True):
    """Please send the opened address lists with these commitments."""

    TAG: ClassVar[int] = 4
    commitments: tuple[bytes, ...]


class AddressListAnswer(Shape, frozen=True):
    """The answer to `AddressListRequest`."""

    TAG: ClassVar[int] = 5
    opened: tuple[OpenedBlob, ...]


Message = Propose | Attested | Partial | AddressListRequest | AddressListAnswer
_KINDS: dict[int, type[Message]] = {
    kind.TAG: kind for kind in (Propose, Attested, Partial, AddressListRequest, AddressListAnswer)
}


def batch_subject(body: BatchBody) -> bytes:
    """Return the hash that signers attest in the role "batch"."""
    return BATCH.subject(b"", body)


def confirm_subject(body: ConfirmBody) -> bytes:
    """Return the hash that signers attest in the role "confirm"."""
    return CONFIRM.subject(b"", body)


def encode_message(message: Message) -> bytes:
    """Return the bytes of a message."""
    return bytes([message.TAG]) + encode(message)


def decode_message(data: bytes) -> Message:
    """Return the message in `data`; MalformedBytes when tag, shape or a bound does not fit."""
    kind = _KINDS.get(data[0]) if data else None
    if kind is None or len(data) > MESSAGE_SIZE_MAX:
        what = "a signer sent an unknown or too large message"
        raise MalformedBytes("treasury_message", what, "run the same version of mutua")
    message = decode(kind, data[1:])
    match message:
        case Propose():
            sizes = [len(message.payout_ids), len(message.opened)]
        case AddressListRequest():
            sizes = [len(message.commitments)]
        case AddressListAnswer():
            sizes = [len(message.opened)]
        case Attested() | Partial():
            sizes = []
    if any(size > PAYEES_MAX for size in sizes):
        what = f"a signer's message has more than {PAYEES_MAX} parts"
        raise MalformedBytes("treasury_message", what, "run the same version of mutua")
    return message
