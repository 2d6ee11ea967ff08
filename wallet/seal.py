"""Sealed payout addresses: one blob that only the treasury signers can open, named on the ledger by its hash alone.

A fresh symmetric key encrypts the list (secretbox with a random nonce); the key is sealed to each signer's device key
in its X25519 form. The blob also carries a hash of that key: whoever opens the blob knows that every other signer sees
the same list (without it, one blob could be made to decrypt to two lists, and the signers would never build the same
transaction).
For the same reason a signer who can open no entry takes the key from another signer and checks it against the hash.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING

import nacl.bindings as sodium
from nacl.exceptions import CryptoError

from ledger.codec import Shape, decode, encode
from ledger.errors import MalformedBytes
from ledger.hashing import tagged_hash
from ledger.signatures import is_valid_key
from wallet.addresses import PROGRAM_SIZE, account_of, claim_programs

if TYPE_CHECKING:
    from embit.bip32 import HDKey

VERSION = 1
KEY_SIZE = 32
_SEALED_SIZES = (KEY_SIZE, KEY_SIZE + sodium.crypto_box_SEALBYTES)
SIGNER_MAX = 15
PROGRAM_MIN, PROGRAM_MAX = 4, 256
BLOB_SIZE_MAX = 16 * 1024
_HINT = "file the claim again with a blob made by wallet.seal"


class SealedKey(Shape, frozen=True):
    """The symmetric key, sealed to one signer."""

    device_key: bytes
    sealed: bytes


class SealedBlob(Shape, frozen=True):
    """What travels beside a claim. `key_hash` = tagged hash of the symmetric key."""

    version: int
    key_hash: bytes
    keys: tuple[SealedKey, ...]
    nonce: bytes
    box: bytes


class AddressList(Shape, frozen=True):
    """What the signers read: P2WPKH programs (20 bytes each), in the order they are used."""

    programs: tuple[bytes, ...]


def commitment_of(blob: bytes) -> bytes:
    """Return the 32-byte name of a blob: the claim's `payout_commitment`."""
    return tagged_hash("sealed-addresses", blob)


@dataclass(frozen=True, slots=True)
class NewKey:
    """A fresh symmetric key and its copies for the signers, for the claims that one patient files at one moment.

    Its lists go to the same signers, so that none may open one and not another; the copies take most of the time.
    """

    secret: bytes = field(repr=False)
    sealed: tuple[SealedKey, ...]


def new_key(signer_device_keys: Sequence[bytes]) -> NewKey:
    """Return a key for the signers. MalformedBytes `seal_signers` when they do not fit."""
    key = secrets.token_bytes(KEY_SIZE)
    boxes = {item: _box_key(item) for item in sorted(set(signer_device_keys))}
    if not 1 <= len(signer_device_keys) <= SIGNER_MAX or not all(boxes.values()):
        what = "the list of signers is empty, too long or holds a bad key"
        raise MalformedBytes("seal_signers", what, "take it from the ledger")
    sealed = tuple(SealedKey(item, sodium.crypto_box_seal(key, box_key)) for item, box_key in boxes.items())
    return NewKey(key, sealed)


def seal_addresses(programs: Sequence[bytes], key: NewKey) -> bytes:
    """Return a blob of `programs` for the signers of a key. MalformedBytes when the list does not fit."""
    nonce = secrets.token_bytes(sodium.crypto_secretbox_NONCEBYTES)
    _check_programs(tuple(programs))
    box = sodium.crypto_secretbox(encode(AddressList(tuple(programs))), nonce, key.secret)
    return encode(SealedBlob(VERSION, tagged_hash("sealed-key", key.secret), key.sealed, nonce, box))


@lru_cache(maxsize=64)
def _box_key(device_key: bytes) -> bytes:
    """Return a device key in its X25519 form; empty for a key that is not valid. The same signers come every time."""
    return sodium.crypto_sign_ed25519_pk_to_curve25519(device_key) if is_valid_key(device_key) else b""


def new_payout_blob(root: HDKey, unique: bytes, key: NewKey, network: str = "regtest") -> bytes:
    """Return a blob of fresh addresses of the claimant for the claim that `unique` (its source hash) identifies."""
    return seal_addresses(claim_programs(root, account_of(unique), network=network), key)


def check_blob(blob: bytes) -> SealedBlob:
    """Return the parsed blob; MalformedBytes unless shape, sizes and version fit. Needs no secret."""
    if len(blob) > BLOB_SIZE_MAX:
        raise MalformedBytes("blob_size", f"a sealed blob of {len(blob)} bytes is larger than {BLOB_SIZE_MAX}", _HINT)
    value = decode(SealedBlob, blob)
    fits = (
        value.version == VERSION
        and len(value.key_hash) == KEY_SIZE
        and len(value.nonce) == sodium.crypto_secretbox_NONCEBYTES
        and 1 <= len(value.keys) <= SIGNER_MAX
        and all((len(item.device_key), len(item.sealed)) == _SEALED_SIZES for item in value.keys)
    )
    if not fits:
        raise MalformedBytes("blob_shape", "a sealed blob has fields of the wrong size or another version", _HINT)
    return value


def open_key(blob: bytes, device_seed: bytes) -> bytes:
    """Return a blob's symmetric key, opened with a signer's device seed. MalformedBytes `blob_not_mine`, `blob_key`."""
    value = check_blob(blob)
    public, secret = sodium.crypto_sign_seed_keypair(device_seed)
    mine = next((item for item in value.keys if item.device_key == public), None)
    if mine is None:
        what = "a sealed blob has no entry for this signer"
        raise MalformedBytes("blob_not_mine", what, "ask another signer for the key of this blob")
    try:
        pair = sodium.crypto_sign_ed25519_pk_to_curve25519(public), sodium.crypto_sign_ed25519_sk_to_curve25519(secret)
        key = sodium.crypto_box_seal_open(mine.sealed, *pair)
    except CryptoError:
        what = "this signer's entry in a sealed blob does not open"
        raise MalformedBytes("blob_key", what, "ask another signer for the key of this blob") from None
    _check_key(value, key)
    return key


def open_with_key(blob: bytes, key: bytes) -> tuple[bytes, ...]:
    """Return the programs inside a blob, given its symmetric key (checked against the blob's `key_hash`)."""
    value = check_blob(blob)
    _check_key(value, key)
    try:
        plain = sodium.crypto_secretbox_open(value.box, value.nonce, key)
    except CryptoError:
        raise MalformedBytes("blob_box", "the list inside a sealed blob does not open", _HINT) from None
    programs = decode(AddressList, plain).programs
    _check_programs(programs)
    return programs


def _check_key(value: SealedBlob, key: bytes) -> None:
    if len(key) != KEY_SIZE or tagged_hash("sealed-key", key) != value.key_hash:
        what = "a key does not belong to this sealed blob"
        raise MalformedBytes("blob_key", what, "ask another signer for the key of this blob")


def _check_programs(programs: tuple[bytes, ...]) -> None:
    if not PROGRAM_MIN <= len(programs) <= PROGRAM_MAX:
        what = f"{len(programs)} payout addresses were given"
        raise MalformedBytes("programs_count", what, f"give {PROGRAM_MIN} to {PROGRAM_MAX}, all fresh")
    if any(len(item) != PROGRAM_SIZE for item in programs) or len(set(programs)) != len(programs):
        what = "a payout address is repeated or not of type P2WPKH"
        raise MalformedBytes("programs_shape", what, "give fresh P2WPKH addresses")
