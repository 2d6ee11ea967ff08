"""Fresh payout addresses: each claim has a hardened BIP84 account of its own, and each address is used once.

All payouts go to one script type (P2WPKH), so that outputs of one denomination look alike. Inside the program an
address is its 20-byte witness program: a wrong type or network cannot be written down. Text addresses are for people
only.
"""

from __future__ import annotations

import hashlib
from functools import cache, lru_cache
from typing import TYPE_CHECKING, Any

from embit import bech32

from ledger.errors import MalformedBytes, MutuaError
from ledger.hashing import tagged_hash
from wallet.derivation import HARDENED, ExtendedKey

if TYPE_CHECKING:
    from embit.bip32 import HDKey

PROGRAM_SIZE = 20
ADDRESS_COUNT = 32
"""Fresh addresses a claim: the most outputs one payee gets in one batch."""
ACCOUNT_MAX = 2**31 - 1
HRP = {"regtest": "bcrt", "testnet": "tb", "signet": "tb", "mainnet": "bc"}


def account_of(unique: bytes) -> int:
    """Return the account number (31 bits) of a claim, from its source hash: no counter can be lost or used twice."""
    return int.from_bytes(tagged_hash("payout-account", unique)[:4], "big") >> 1


def account_path(account: int, network: str) -> str:
    """Return the BIP84 path of an account, for any wallet that can import it.

    >>> account_path(7, "regtest")
    'm/84h/1h/7h'
    """
    _check_account(account)
    return f"m/84h/{0 if network == 'mainnet' else 1}h/{account}h"


def claim_programs(
    root: HDKey, account: int, count: int = ADDRESS_COUNT, network: str = "regtest"
) -> tuple[bytes, ...]:
    """Return `count` fresh P2WPKH programs (20 bytes each) of a claim's account, in the order they will be used."""
    _check_account(account)
    branch = _coin_key(root, network).child(HARDENED + account).child(0)
    return tuple(map(_hash160, branch.public_children(count)))


@lru_cache(maxsize=8)
def _coin_key(root: HDKey, network: str) -> ExtendedKey:
    """Return the key of all accounts: the path of an account but its last step."""
    key = root.derive(account_path(0, network).rpartition("/")[0])
    return ExtendedKey(int.from_bytes(key.key.serialize(), "big"), key.chain_code)


def _hash160(key: bytes) -> bytes:
    """Return RIPEMD-160 of SHA-256; an OpenSSL without the older hashes leaves it to embit, more slowly."""
    empty = _empty_ripemd160()
    if empty is None:
        from embit.hashes import hash160

        return hash160(key)
    hashed = empty.copy()
    hashed.update(hashlib.sha256(key).digest())
    return hashed.digest()


@cache
def _empty_ripemd160() -> Any:
    try:
        return hashlib.new("ripemd160")
    except ValueError:
        return None


def script_of(program: bytes) -> bytes:
    """Return the scriptPubKey of a P2WPKH program: OP_0 and a push of 20 bytes."""
    if len(program) != PROGRAM_SIZE:
        what = f"a P2WPKH program has {PROGRAM_SIZE} bytes, not {len(program)}"
        raise MalformedBytes("program_size", what, "send addresses of that type")
    return b"\x00\x14" + program


def address_of(program: bytes, network: str) -> str:
    """Return the text of a witness version 0 program (20 bytes: P2WPKH, 32 bytes: P2WSH) on `network`."""
    text = bech32.encode(_hrp(network), 0, program) if len(program) in (PROGRAM_SIZE, 32) else None
    if text is None:
        raise MalformedBytes("program_size", f"{len(program)} bytes are not a witness program", "use 20 or 32 bytes")
    return text


def _hrp(network: str) -> str:
    if network not in HRP:
        raise MutuaError("network", f"{network!r} is not a bitcoin network", "use " + ", ".join(HRP))
    return HRP[network]


def _check_account(account: int) -> None:
    if not 0 <= account <= ACCOUNT_MAX:
        raise MutuaError("account", f"account {account} is outside 0..{ACCOUNT_MAX}", "use account_of()")
