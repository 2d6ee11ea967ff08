"""The treasury's transactions: an m-of-n P2WSH script, one batch an outpoint, signatures apart, then combined.

Every signer builds the same bytes from the same figures; the txid is known before anyone signs and does not depend on
who signs. Output 0 is always the change, back to the treasury: it is the next outpoint, and its script type tells it
apart anyway, so its place leaks nothing. The payees' outputs follow in BIP69 order (amount, then script). Version 2,
one input, nSequence 0xfffffffd. Txids are in the byte order that people read.

This is the only file that imports bitcoinlib, late, with a data folder of its own and no database; its multisig script
is compared with ours at each build (it breaks at n >= 17). Call these functions in a thread: the first one costs 0.1 s.
"""

from __future__ import annotations

import atexit
import os
import shutil
import sys
import tempfile
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

import coincurve

from ledger.errors import LedgerCorrupt, MutuaError
from wallet.addresses import address_of, script_of

if TYPE_CHECKING:
    from bitcoinlib.keys import Key, Signature
    from bitcoinlib.transactions import Transaction

SIGNER_MAX = 15
"""Electrum's wizard and bitcoinlib both end here; the ledger's record has room for this many attestations."""
CHANGE_VOUT = 0
SEQUENCE = 0xFFFFFFFD
"""Replaceable (BIP125), no relative lock."""
DUST_SAT = 330
"""Smallest P2WSH output that Bitcoin nodes relay."""
SIGNATURE_SIZE_MAX = 72
"""Six bytes of DER, R (33 at most), S (32, in the lower half), and the sighash byte."""
OUTPUTS_MAX = 2_000
"""About 62 kvB: inside the standard limit of 100 kvB with room for any script."""
LOCKTIME_HEIGHT_MAX = 499_999_999
_SIGHASH_ALL = 1
_import_lock = threading.Lock()


@dataclass(frozen=True, slots=True)
class Outpoint:
    """A coin of the treasury: transaction id (32 bytes, as read), output number, amount."""

    txid: bytes
    vout: int
    amount_sat: int


@dataclass(frozen=True, slots=True)
class Payment:
    """One output to a payee: a P2WPKH program (20 bytes) and an amount."""

    program: bytes
    amount_sat: int


@dataclass(frozen=True)
class Treasury:
    """An m-of-n multisig over compressed keys, in BIP67 order whatever the order they are given in."""

    threshold: int
    keys: tuple[bytes, ...]
    network: str = "regtest"

    @staticmethod
    def of(threshold: int, keys: Sequence[bytes], network: str = "regtest") -> Treasury:
        """Return the treasury of `keys` (33 bytes each). MutuaError `treasury_keys` if they are not valid."""
        if not 1 <= threshold <= len(keys) <= SIGNER_MAX or len(set(keys)) != len(keys):
            what = f"{threshold} of {len(keys)} keys are not a valid treasury"
            raise MutuaError("treasury_keys", what, f"use 1 to {SIGNER_MAX} different keys and a threshold within")
        for key in keys:
            try:
                is_point = len(key) == 33 and bool(coincurve.PublicKey(key))
            except ValueError:
                is_point = False
            if not is_point:
                what = f"{key.hex()[:16]}… is not a compressed secp256k1 key"
                raise MutuaError("treasury_keys", what, "take the bitcoin key of the charter")
        return Treasury(threshold, tuple(sorted(keys)), network)

    @cached_property
    def script(self) -> bytes:
        """Return the witness script: OP_m, the keys, OP_n, OP_CHECKMULTISIG."""
        keys = b"".join(b"\x21" + key for key in self.keys)
        return bytes([0x50 + self.threshold]) + keys + bytes([0x50 + len(self.keys), 0xAE])

    @property
    def program(self) -> bytes:
        """Return SHA-256 of the script: the 32-byte witness program."""
        return sha256(self.script).digest()

    @property
    def script_pubkey(self) -> bytes:
        """Return the output script of the treasury: OP_0 and a push of 32 bytes."""
        return b"\x00\x20" + self.program

    @property
    def address(self) -> str:
        """Return the treasury's bech32 address."""
        return address_of(self.program, self.network)


@dataclass(frozen=True)
class Batch:
    """An unsigned payout transaction and what there is to know about it. Made by `build_batch` only."""

    treasury: Treasury
    outpoint: Outpoint
    payments: tuple[Payment, ...]
    """In the order of the outputs 1, 2, …"""
    locktime: int
    fee_sat: int
    change_sat: int
    vsize: int
    """Virtual size in vB once signed, rounded up, for the longest signatures."""

    @cached_property
    def unsigned(self) -> bytes:
        """Return the bytes without witness: what every signer compares."""
        return self.library_transaction().raw(witness_type="legacy")

    @property
    def txid(self) -> bytes:
        """Return the transaction id (32 bytes, as read), the same before and after signing."""
        return txid_of(self.unsigned)

    def library_transaction(self) -> Transaction:
        """Return a fresh bitcoinlib transaction of this batch, its script compared with ours."""
        library = _bitcoinlib()
        network = self.treasury.network if self.treasury.network != "mainnet" else "bitcoin"
        made = library.Transaction(network=network, witness_type="segwit", version=2, locktime=self.locktime)
        keys = [library.Key(key.hex(), network=network) for key in self.treasury.keys]
        made.add_input(
            self.outpoint.txid.hex(),
            self.outpoint.vout,
            keys=keys,
            script_type="p2sh_multisig",
            witness_type="segwit",
            encoding="bech32",
            sigs_required=self.treasury.threshold,
            value=self.outpoint.amount_sat,
            sequence=SEQUENCE,
            sort=False,
        )
        made.add_output(self.change_sat, self.treasury.address)
        for payment in self.payments:
            made.add_output(payment.amount_sat, address_of(payment.program, self.treasury.network))
        scripts = [self.treasury.script_pubkey, *(script_of(payment.program) for payment in self.payments)]
        built = [bytes(item.lock_script) for item in made.outputs]
        if made.inputs[0].redeemscript != self.treasury.script or built != scripts:
            what = "bitcoinlib builds another script than the charter's"
            raise LedgerCorrupt("bitcoin_library", what, "do not sign; report versions of both")
        return made

    @cached_property
    def sighash(self) -> bytes:
        """Return the 32 bytes each signer signs (BIP143, SIGHASH_ALL)."""
        return bytes(self.library_transaction().signature_hash(0, witness_type="segwit"))


def build_batch(
    treasury: Treasury, outpoint: Outpoint, payments: Sequence[Payment], fee_sat_per_vb: int, locktime: int
) -> Batch:
    """Return the one transaction that pays `payments` from `outpoint`. The treasury bears the fee, never a payee.

    Fee: `fee_sat_per_vb` times the virtual size with the longest signatures. Errors: MutuaError `batch_empty`,
    `batch_size`, `batch_payment`, `batch_locktime`, `treasury_short` (change under the dust limit would break the chain
    of outpoints).
    """
    if not payments:
        raise MutuaError("batch_empty", "a batch without payments was asked for", "wait until a payout is due")
    if len(payments) > OUTPUTS_MAX:
        raise MutuaError("batch_size", f"{len(payments)} outputs are more than {OUTPUTS_MAX}", "pay in two batches")
    programs = {payment.program for payment in payments}
    if any(payment.amount_sat < DUST_SAT for payment in payments) or len(programs) != len(payments):
        what = "a payment is dust, or pays one address twice"
        raise MutuaError("batch_payment", what, "use fresh addresses and standard denominations")
    if not 0 <= locktime <= LOCKTIME_HEIGHT_MAX:
        what = f"locktime {locktime} is not a valid Bitcoin block height"
        raise MutuaError("batch_locktime", what, "use the height of the newest bitcoin block")
    ordered = tuple(sorted(payments, key=lambda payment: (payment.amount_sat, script_of(payment.program))))
    vsize = _vsize(treasury, len(ordered))
    fee_sat = vsize * fee_sat_per_vb
    change_sat = outpoint.amount_sat - fee_sat - sum(payment.amount_sat for payment in ordered)
    if change_sat < DUST_SAT:
        what = f"the treasury's coin of {outpoint.amount_sat} sat is {DUST_SAT - change_sat} sat short"
        raise MutuaError("treasury_short", what, "pay fewer payouts")
    return Batch(treasury, outpoint, ordered, locktime, fee_sat, change_sat, vsize)


def txid_of(raw_without_witness: bytes) -> bytes:
    """Return the transaction id (as read) of bytes without witness."""
    return sha256(sha256(raw_without_witness).digest()).digest()[::-1]


def sign_all(batch: Batch, secret32: bytes) -> tuple[bytes, ...]:
    """Return this signer's signatures, one an input, DER and the sighash byte. Deterministic (RFC 6979), low S."""
    key = coincurve.PrivateKey(secret32)
    signature = key.sign(batch.sighash, hasher=None)  # pyright: ignore[reportUnknownMemberType]
    return (signature + bytes([_SIGHASH_ALL]),)


def check_partial(batch: Batch, key: bytes, signatures: Sequence[bytes]) -> bool:
    """True when these are valid signatures of this batch by the signer with `key`. Garbage is False, never an error."""
    if key not in batch.treasury.keys or len(signatures) != 1:
        return False
    signature = signatures[0]
    if not 9 <= len(signature) <= SIGNATURE_SIZE_MAX or signature[-1] != _SIGHASH_ALL:
        return False
    try:
        # Re-encoding catches high S and loose DER, which libsecp256k1 may take but Bitcoin's relay rules refuse.
        return _is_strict_der(signature[:-1]) and coincurve.PublicKey(key).verify(
            signature[:-1], batch.sighash, hasher=None
        )
    except (ValueError, TypeError):
        return False


def combine(batch: Batch, partials: Mapping[bytes, Sequence[bytes]]) -> bytes:
    """Return the transaction signed by the first `threshold` valid partials. MutuaError `signatures_missing`."""
    valid = [key for key in batch.treasury.keys if key in partials and check_partial(batch, key, partials[key])]
    threshold = batch.treasury.threshold
    if len(valid) < threshold:
        what = f"{len(valid)} of {threshold} signatures have arrived"
        raise MutuaError("signatures_missing", what, "wait for more signers")
    library = _bitcoinlib()
    made = batch.library_transaction()
    made.inputs[0].signatures = [
        library.Signature.parse_bytes(
            bytes(partials[key][0]), public_key=library.Key(key.hex(), network=made.network.name)
        )
        for key in valid[:threshold]
    ]
    made.inputs[0].update_scripts()
    raw = bytes(made.raw())
    if bytes(made.raw(witness_type="legacy")) != batch.unsigned or batch.treasury.script not in raw:
        what = "bitcoinlib changed the transaction while combining"
        raise LedgerCorrupt("bitcoin_library", what, "do not broadcast; report the version")
    return raw


def _vsize(treasury: Treasury, payment_count: int) -> int:
    """Return the virtual size (vB, rounded up) with the longest signatures: BIP141 weight / 4."""
    outputs = payment_count + 1
    base = 4 + 1 + 41 + (1 if outputs < 253 else 3) + 43 + 31 * payment_count + 4
    script_size = len(treasury.script)
    witness = 2 + 1 + 1 + treasury.threshold * (1 + SIGNATURE_SIZE_MAX) + (1 if script_size < 253 else 3) + script_size
    return (4 * base + witness + 3) // 4


_HALF_ORDER = 0x7FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF5D576E7357A4501DDFE92F46681B20A0


def _is_strict_der(der: bytes) -> bool:
    """True iff `der` is the shortest DER of (R, S) with S in the lower half (BIP66, BIP146)."""
    if len(der) < 8 or der[0] != 0x30 or der[1] != len(der) - 2 or der[2] != 0x02:
        return False
    r_size = der[3]
    if 6 + r_size > len(der) - 1 or der[4 + r_size] != 0x02 or der[5 + r_size] != len(der) - 6 - r_size:
        return False
    r, s = der[4 : 4 + r_size], der[6 + r_size :]
    shortest = all(
        item and item[0] < 0x80 and not (len(item) > 1 and item[0] == 0 and item[1] < 0x80) for item in (r, s)
    )
    return shortest and int.from_bytes(s, "big") <= _HALF_ORDER


@dataclass(frozen=True, slots=True)
class _Library:
    """The three names we use of bitcoinlib."""

    Transaction: type[Transaction]
    Key: type[Key]
    Signature: type[Signature]


_loaded: list[_Library] = []


def _bitcoinlib() -> _Library:
    """Import bitcoinlib once, with its data in a folder of its own and without its database and network providers."""
    with _import_lock:
        if not _loaded:
            if "BCL_DATA_DIR" not in os.environ:
                os.environ["BCL_DATA_DIR"] = tempfile.mkdtemp(prefix="mutua-bitcoinlib-")
                atexit.register(shutil.rmtree, os.environ["BCL_DATA_DIR"], ignore_errors=True)
            settings = Path(os.environ["BCL_DATA_DIR"], "config.ini")
            if not settings.exists():  # else bitcoinlib logs to a file, which could hold what no log may hold
                settings.parent.mkdir(parents=True, exist_ok=True)
                settings.write_text("[logs]\nenable_bitcoinlib_logging=False\nloglevel=ERROR\n", encoding="utf-8")
            hide = "sqlalchemy" not in sys.modules
            if hide:  # bitcoinlib leaves out wallets and services when SQLAlchemy is missing: 0.06 s instead of 0.4 s
                sys.modules["sqlalchemy"] = None  # type: ignore[assignment]
            try:
                from bitcoinlib.keys import Key, Signature
                from bitcoinlib.transactions import Transaction
            except OSError as error:
                what = f"bitcoinlib does not start: {error}"
                raise MutuaError("bitcoin_library", what, "set LANG to a UTF-8 locale, such as C.UTF-8") from None
            finally:
                if hide:
                    del sys.modules["sqlalchemy"]
            _loaded.append(_Library(Transaction, Key, Signature))
        return _loaded[0]
