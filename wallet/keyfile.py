"""The encrypted key file: argon2id over the passphrase, then secretbox (XSalsa20-Poly1305) over the master seed.

Bytes in, bytes out: the caller reads and writes the file. The file is JSON with hex strings and carries its own cost
figures, so a later version can raise them without breaking old files; figures that no honest program writes are refused
before any memory is spent on them.
"""

from __future__ import annotations

import secrets
import unicodedata
from dataclasses import dataclass

import msgspec
import nacl.bindings as sodium
from nacl.exceptions import CryptoError

from ledger.errors import MalformedBytes, MutuaError
from wallet.keys import SEED_SIZE

FORMAT = "mutua-keys"
VERSION = 1
KEYFILE_SIZE_MAX = 4096
OPS_MIN, OPS_MAX = 1, 64
MEMORY_KIB_MIN, MEMORY_KIB_MAX = 8, 1024 * 1024
_HINT = "restore the file from a backup, or the seed from its 24 words: mutua init --restore"


@dataclass(frozen=True, slots=True)
class Limits:
    """What one guess of the passphrase costs: passes over the memory, and KiB of memory."""

    ops: int
    memory_kib: int


NORMAL = Limits(ops=3, memory_kib=256 * 1024)
"""About half a second and 256 MiB: libsodium's "moderate"."""
LIGHT = Limits(ops=1, memory_kib=64)
"""For tests and the demo only: under a millisecond, no protection against guessing."""


class _Kdf(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    name: str
    ops: int
    memory_kib: int
    salt: str


class _KeyFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    format: str
    version: int
    kdf: _Kdf
    cipher: str
    nonce: str
    box: str


def seal_keyfile(seed: bytes, passphrase: str, limits: Limits = NORMAL) -> bytes:
    """Return a key file that opens with `passphrase`. Errors: `seed_size`, `passphrase_empty`, `keyfile_*`."""
    if len(seed) != SEED_SIZE:
        what = f"a master seed has {SEED_SIZE} bytes, not {len(seed)}"
        raise MutuaError("seed_size", what, "restore it from its 24 words")
    if not passphrase:
        raise MutuaError("passphrase_empty", "the passphrase is empty", "choose four or more random words")
    if not _is_within_limits(limits.ops, limits.memory_kib):
        what = f"cost figures {limits.ops} / {limits.memory_kib} KiB are out of range"
        raise MutuaError("keyfile_limits", what, "use NORMAL")
    salt = secrets.token_bytes(sodium.crypto_pwhash_SALTBYTES)
    nonce = secrets.token_bytes(sodium.crypto_secretbox_NONCEBYTES)
    box = sodium.crypto_secretbox(seed, nonce, _stretch(passphrase, salt, limits))
    kdf = _Kdf("argon2id", limits.ops, limits.memory_kib, salt.hex())
    file = _KeyFile(FORMAT, VERSION, kdf, "xsalsa20-poly1305", nonce.hex(), box.hex())
    return msgspec.json.format(msgspec.json.encode(file), indent=2) + b"\n"


def open_keyfile(data: bytes, passphrase: str) -> bytes:
    """Return the master seed (32 bytes) inside a key file. MutuaError `wrong_passphrase`; MalformedBytes."""
    file = _decode_keyfile(data)
    try:
        salt, nonce, box = (bytes.fromhex(text) for text in (file.kdf.salt, file.nonce, file.box))
    except ValueError:
        raise _malformed("a field is not hex") from None
    box_size = SEED_SIZE + sodium.crypto_secretbox_MACBYTES
    sizes = (sodium.crypto_pwhash_SALTBYTES, sodium.crypto_secretbox_NONCEBYTES, box_size)
    if (len(salt), len(nonce), len(box)) != sizes:
        raise _malformed("a field has the wrong length")
    key = _stretch(passphrase, salt, Limits(file.kdf.ops, file.kdf.memory_kib))
    try:
        return sodium.crypto_secretbox_open(box, nonce, key)
    except CryptoError:
        hint = "try again; if it is surely right, the file is damaged: restore it from a backup"
        raise MutuaError("wrong_passphrase", "the passphrase does not open the key file", hint) from None


def _decode_keyfile(data: bytes) -> _KeyFile:
    """Return the parsed file with its versions, names and cost figures checked."""
    if len(data) > KEYFILE_SIZE_MAX:
        raise _malformed(f"it has {len(data)} bytes, more than {KEYFILE_SIZE_MAX}")
    try:
        file = msgspec.json.decode(data, type=_KeyFile)
    except (msgspec.MsgspecError, UnicodeError, RecursionError) as error:
        raise _malformed(str(error)) from None
    if file.format != FORMAT or file.kdf.name != "argon2id" or file.cipher != "xsalsa20-poly1305":
        raise _malformed("it names another format, key function or cipher")
    if file.version != VERSION:
        what = f"the key file has version {file.version}, this program reads {VERSION}"
        raise MalformedBytes("keyfile_version", what, "use the program that wrote it")
    if not _is_within_limits(file.kdf.ops, file.kdf.memory_kib):
        what = f"the key file asks for {file.kdf.ops} passes over {file.kdf.memory_kib} KiB"
        raise MalformedBytes("keyfile_limits", what, _HINT)
    return file


def _malformed(reason: str) -> MalformedBytes:
    return MalformedBytes("keyfile_malformed", f"this is not a key file: {reason}", _HINT)


def _is_within_limits(ops: int, memory_kib: int) -> bool:
    return OPS_MIN <= ops <= OPS_MAX and MEMORY_KIB_MIN <= memory_kib <= MEMORY_KIB_MAX


def _stretch(passphrase: str, salt: bytes, limits: Limits) -> bytes:
    """Return the 32-byte key of a passphrase in Unicode form NFKC: one person types é in two ways."""
    secret = unicodedata.normalize("NFKC", passphrase).encode("utf-8", "surrogatepass")
    cost = (limits.ops, limits.memory_kib * 1024, sodium.crypto_pwhash_ALG_ARGON2ID13)
    try:
        return sodium.crypto_pwhash_alg(sodium.crypto_secretbox_KEYBYTES, secret, salt, *cost)
    except (RuntimeError, MemoryError):
        what = f"argon2id needs {limits.memory_kib} KiB of memory and did not get it"
        raise MutuaError("keyfile_memory", what, "close other programs and try again") from None
