"""The record envelope: what a member signs, in a shape that no later part may need to change.

`body_hash` = SHA-256(domain ‖ salt ‖ body), so a body is kept and served apart and can be dropped after its
retention without changing a signature or a root. `number` lives in a sliding window of 64 per signing key: gaps are
allowed, a refused or late record consumes nothing. The ledger treats bodies as bytes; `governance.kinds` gives them
meaning.
"""

from __future__ import annotations

from hashlib import sha256

import msgspec

from ledger import signatures
from ledger.codec import Shape, decode, encode
from ledger.errors import MalformedBytes
from ledger.hashing import HASH_SIZE, domain

RECORD_VERSION = 1
SALT_SIZE = 16
BODY_SIZE_MAX = 32 * 1024
"""A claim with its cap of lines fits in a fifth of this; a bundle of two fits in one gossip message."""
ATTESTATION_MAX = 16
KIND_SIZE_MAX = 48
RECORD_SIZE_MAX = 4 * 1024
Seal = tuple[bytes, bytes]
"""(key, signature ‖ message): what `ledger.signatures.is_sealed` verifies, in any process."""


class Attestation(Shape):
    """Somebody else's signature under a record, over role ‖ 0x00 ‖ `subject_hash`, the 32 bytes that they saw."""

    role: str
    key: bytes
    subject_hash: bytes
    signature: bytes


class Record(Shape):
    """The signed envelope: `author` is the identity key that acts, `signer` the identity or device key that signed."""

    version: int
    chain_id: bytes
    kind: str
    author: bytes
    signer: bytes
    number: int
    valid_until_height: int
    body_hash: bytes
    attestations: tuple[Attestation, ...]
    signature: bytes


class Body(Shape):
    """A body with the salt that hides it behind its hash."""

    salt: bytes
    data: bytes


class SignedRecord(Shape):
    """A record with its body, as it travels and waits in the mempool."""

    record: Record
    body: Body


def body_hash_of(body: Body) -> bytes:
    """Return the 32-byte commitment to a body."""
    return sha256(_BODY_DOMAIN + body.salt + body.data).digest()


_BODY_DOMAIN = domain("body")


def signed_bytes_of(record: Record, encoded: bytes | None = None) -> bytes:
    """Return the bytes that the author signed: the record, or its canonical bytes `encoded`, without signature."""
    data = encode(record) if encoded is None else encoded
    if len(record.signature) == signatures.SIGNATURE_SIZE:  # the last field: a header of two bytes and the signature
        return data[: -2 - signatures.SIGNATURE_SIZE] + _NO_SIGNATURE
    return encode(msgspec.structs.replace(record, signature=b""))


_NO_SIGNATURE = b"\xc4\x00"
"""An empty byte string in msgpack."""


def record_id_of(record: Record, encoded: bytes | None = None) -> bytes:
    """Return the 32-byte id: the hash of what the author signed (the signature itself is not part of it)."""
    return record_id_of_signed(signed_bytes_of(record, encoded))


def record_id_of_signed(signed: bytes) -> bytes:
    """Return the id of the record of which the author signed these bytes."""
    return sha256(_ID_DOMAIN + signed).digest()


_ID_DOMAIN = domain("record-id")


def attestation_message(role: str, subject_hash: bytes) -> bytes:
    """Return the message an attester signs under the tag `attestation`."""
    return role.encode() + b"\x00" + subject_hash


def attest(seed: bytes, chain_id: bytes, role: str, subject_hash: bytes) -> Attestation:
    """Return the attestation of `subject_hash` in `role` by the key of `seed`."""
    signature = signatures.sign(seed, "attestation", chain_id, attestation_message(role, subject_hash))
    return Attestation(role, signatures.public_key_of(seed), subject_hash, signature)


def sign_record(
    seed: bytes,
    *,
    chain_id: bytes,
    kind: str,
    author: bytes,
    number: int,
    valid_until_height: int,
    body: Body,
    attestations: tuple[Attestation, ...] = (),
) -> SignedRecord:
    """Return `body` in an envelope signed by the key of `seed`, which acts for `author`."""
    head = (RECORD_VERSION, chain_id, kind, author, signatures.public_key_of(seed), number, valid_until_height)
    return sign_draft(seed, SignedRecord(Record(*head, body_hash_of(body), attestations, b""), body))


def sign_draft(seed: bytes, draft: SignedRecord) -> SignedRecord:
    """Return a record that lacks only its signature, signed by the key of `seed`, which it names as its signer."""
    bare = draft.record
    signature = signatures.sign(seed, "record", bare.chain_id, encode(bare))
    return SignedRecord(msgspec.structs.replace(bare, signature=signature), draft.body)


def are_attestations_signed(record: Record) -> bool:
    """True iff every attestation verifies; about 40 µs each, GIL released."""
    return signatures.are_sealed(seals_of(record)[1:])


def check_record_shape(record: Record, chain_id: bytes) -> None:
    """Raise MalformedBytes unless sizes, version and chain fit. No signature is verified here."""
    problem = None
    if record.version != RECORD_VERSION:
        problem = f"version {record.version} is not {RECORD_VERSION}"
    elif record.chain_id != chain_id:
        problem = "it belongs to another chain"
    elif not len(record.author) == len(record.signer) == len(record.body_hash) == HASH_SIZE:
        problem = "a key or hash is not 32 bytes"
    elif len(record.signature) != signatures.SIGNATURE_SIZE:
        problem = "its signature is not 64 bytes"
    elif not _is_name(record.kind):
        problem = "its kind is empty, too long or not ASCII"
    elif len(record.attestations) > ATTESTATION_MAX:
        problem = f"it has {len(record.attestations)} attestations, more than {ATTESTATION_MAX}"
    elif record.attestations:
        problem = next((found for item in record.attestations if (found := _attestation_problem(item))), None)
    if problem is not None:
        what = f"record refused: {problem}"
        raise MalformedBytes("record_shape", what, "build it with this version of mutua on this chain")


def _is_name(text: str) -> bool:
    return 0 < len(text) <= KIND_SIZE_MAX and text.isascii() and text.isprintable()


def _attestation_problem(item: Attestation) -> str | None:
    if not _is_name(item.role):
        return "the role of an attestation is empty, too long or not plain ASCII"
    sizes = (len(item.key), len(item.subject_hash), len(item.signature))
    if sizes != (HASH_SIZE, HASH_SIZE, signatures.SIGNATURE_SIZE):
        return "an attestation's key, subject or signature has the wrong size"
    return None


def seals_of(record: Record, signed: bytes | None = None) -> list[Seal]:
    """Return what the signer and every attester sealed; a signature of another size gives a seal that never verifies.

    `signed`: the bytes that the author signed, if at hand.
    """
    chain_id = record.chain_id
    message = _RECORD_DOMAIN + chain_id + (signed_bytes_of(record) if signed is None else signed)
    seals = [(record.signer, _sealed(record.signature, message))]
    for item in record.attestations:
        message = attestation_message(item.role, item.subject_hash)
        seals.append((item.key, _sealed(item.signature, signatures.sign_bytes("attestation", chain_id, message))))
    return seals


_RECORD_DOMAIN = domain("record")


def _sealed(signature: bytes, message: bytes) -> bytes:
    return signature + message if len(signature) == signatures.SIGNATURE_SIZE else b""


def is_record_signed(record: Record) -> bool:
    """True iff the signer's signature and every attestation verify. About 40 µs a signature, GIL released."""
    return signatures.are_sealed(seals_of(record))


def is_body_of(record: Record, body: Body) -> bool:
    """True iff `body` is the one that `record` commits to, within the size limits."""
    return len(body.salt) == SALT_SIZE and len(body.data) <= BODY_SIZE_MAX and body_hash_of(body) == record.body_hash


def decode_signed_record(data: bytes, chain_id: bytes) -> SignedRecord:
    """Decode and check shape and body; MalformedBytes otherwise. The caller verifies the signature, in a thread."""
    signed = decode(SignedRecord, data)
    check_record_shape(signed.record, chain_id)
    if not is_body_of(signed.record, signed.body):
        what = "the body does not match the record's body_hash"
        raise MalformedBytes("record_body", what, "send the body the author signed")
    return signed
