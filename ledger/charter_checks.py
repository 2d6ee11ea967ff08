"""A charter is checked whole before it is sealed: every fault is one `charter_invalid` error that names the field.

Names of parameters and what the figures mean are the business of `governance`.
"""

from __future__ import annotations

import datetime as dt
import unicodedata
from collections.abc import Iterable, Sequence

import msgspec

from ledger import signatures
from ledger.addresses import check_reachable
from ledger.codec import INT_MAX, decode, encode
from ledger.errors import MutuaError
from ledger.genesis import CHARTER_VERSION, Charter, Founder
from ledger.hashing import HASH_SIZE, ZERO_HASH

PHASES = ("recruit", "pilot", "live")
CONTRACT_TERMS = (1, 3, 6, 12)
NETWORKS = ("regtest", "signet", "testnet", "mainnet", "bitcoin")
CLAIM_WAYS = ("standard_or_vote",)
COMMITTEE_MAX = 199
"""Beyond this a certificate no longer fits where it is checked in 10 ms (notes on committees)."""
TREASURY_SIGNERS_MAX = 15
"""A P2WSH script with more keys is not standard for relaying nodes."""
NAME_SIZE_MAX = 64
COMMUNITY_MAX = 64
FOUNDERS_MAX = 1_000
PARTIES_MAX = 100
"""Attesters, or verifiers, that a charter may name."""
CHARTER_SIZE_MAX = 8 * 1024 * 1024
SATS_PER_BITCOIN = 100_000_000

_ED25519_KINDS = ("identity_key", "device_key", "cover_key", "consensus_key", "transport_key")
_SECP256K1_P = 2**256 - 2**32 - 977


def invalid(where: str, what: str, hint: str = "correct it in the charter file") -> MutuaError:
    """Return the error for a charter's field."""
    return MutuaError("charter_invalid", f"charter: {where} {what}", hint)


def treasury_sat_for(charter: Charter) -> int:
    """Return the satoshi that back the genesis accounts at the charter's rate, rounded up; 0 without a rate."""
    total = charter.claims_cents + charter.reserve_cents
    return -(-total * SATS_PER_BITCOIN // charter.rate) if charter.rate else 0


def founder_message(founder: Founder, charter_name: str) -> bytes:
    """Return what a founder signs under `charter-founder`: the charter's name, a zero byte, the unsigned entry."""
    return charter_name.encode() + b"\x00" + encode(msgspec.structs.replace(founder, signature=b""))


def is_founder_signed(founder: Founder, charter_name: str) -> bool:
    """Return whether the identity key signed this entry for a charter of this name."""
    message = founder_message(founder, charter_name)
    return signatures.is_signed(founder.identity_key, founder.signature, "charter-founder", ZERO_HASH, message)


def check_draft(charter: Charter) -> None:
    """Raise MutuaError `charter_invalid`, naming the field, unless a draft only lacks its founders."""
    _check_head(charter)
    _check_lists(charter)


def check_charter(charter: Charter) -> None:
    """Raise MutuaError `charter_invalid`, naming the field, unless the founders may begin a chain with it."""
    check_draft(charter)
    if not charter.founders:
        raise invalid("founders", "are missing", "add each founder's entry: mutua charter add")
    if len(charter.founders) > FOUNDERS_MAX:
        raise invalid("founders", f"are more than {FOUNDERS_MAX}")
    for number, founder in enumerate(charter.founders, start=1):
        check_founder(charter, founder, f"founder {number}'s")
    check_unique_keys(charter.founders, charter)
    _check_treasury(charter)
    data = encode(charter)
    if len(data) > CHARTER_SIZE_MAX:
        raise invalid("file", f"has {len(data)} bytes, more than {CHARTER_SIZE_MAX}")
    decode(Charter, data)


def _check_head(charter: Charter) -> None:
    if charter.version != CHARTER_VERSION:
        raise invalid("version", f"is {charter.version}, not {CHARTER_VERSION}", "use the mutua that wrote it")
    _check_name("name", charter.name)
    currency = charter.currency
    if len(currency) != 3 or not (currency.isascii() and currency.isalpha() and currency.isupper()):
        raise invalid("currency", f"is {currency!r}, not three capital letters such as USD")
    _check_range("exponent", charter.exponent, 0, 4)
    _check_choice("phase", charter.phase, PHASES)
    _check_choice("claim_way", charter.claim_way, CLAIM_WAYS)
    _check_range("genesis_time_ms", charter.genesis_time_ms, 1, INT_MAX)
    _check_range("block_interval_ms", charter.block_interval_ms, 100, 366 * 86_400_000)
    _check_day(charter.day_one)
    if len(charter.seed) != HASH_SIZE:
        raise invalid("seed", f"has {len(charter.seed)} bytes, not {HASH_SIZE}")
    _check_range("committee_max", charter.committee_max, 1, COMMITTEE_MAX)
    for field in ("claims_cents", "reserve_cents", "rate"):
        _check_range(field, getattr(charter, field), 0, INT_MAX)


def _check_lists(charter: Charter) -> None:
    _check_unique("params", [name for name, _ in charter.params])
    for name, value in charter.params:
        if not name.isascii() or not name.replace("_", "a").isalnum() or not name.islower():
            raise invalid("params", f"name {name!r} is not lower case letters, digits and underscores")
        _check_range(f"params.{name}", value, 0, INT_MAX)
    if not charter.plans:
        raise invalid("plans", "are missing", "a member needs a plan; add [[plans]]")
    _check_unique("plans", [plan.name for plan in charter.plans])
    for plan in charter.plans:
        _check_name("a plan's name", plan.name)
        where = f"plan {plan.name!r}'s"
        for field in plan.__struct_fields__:
            value = getattr(plan, field)
            if isinstance(value, int):
                _check_range(f"{where} {field}", value, 0, 10_000 if field.endswith("_bp") else INT_MAX)
        _check_unique(f"{where} codes", plan.codes)
    _check_unique("codes", [(code.system, code.code) for code in charter.codes])
    for code in charter.codes:
        if not code.system or not code.code:
            raise invalid(f"code {code.code!r}", "needs a system and a code")
        for field, value in (("allowed_cents", code.allowed_cents), ("frequency", code.frequency)):
            if value is not None:
                _check_range(f"code {code.code!r}'s {field}", value, 0, INT_MAX)
    _check_unique("providers", [provider.identifier for provider in charter.providers])
    for provider in charter.providers:
        _check_name("a provider's identifier", provider.identifier)
        if not signatures.is_valid_key(provider.key):
            raise invalid(f"provider {provider.identifier!r}'s key", "is not a valid Ed25519 key")
    for what, parties in (("attester", charter.attesters), ("verifier", charter.verifiers)):
        _check_unique(f"{what}s", [party.name for party in parties])
        if len(parties) > PARTIES_MAX:
            raise invalid(f"{what}s", f"are {len(parties)}, more than {PARTIES_MAX}")
        for party in parties:
            _check_name(f"name of {what}", party.name)
            if not signatures.is_valid_key(party.key):
                raise invalid(f"{what} {party.name!r}'s key", "is not a valid Ed25519 key")
    _check_unique("community schemes", charter.community)
    if len(charter.community) > COMMUNITY_MAX:
        raise invalid("community schemes", f"are {len(charter.community)}, more than {COMMUNITY_MAX}")
    for name in charter.community:
        _check_name("name of community scheme", name)


def check_founder(charter: Charter, founder: Founder, where: str) -> None:
    """Raise MutuaError unless a founder's entry is whole, fits the charter and is signed."""
    for field in _ED25519_KINDS:
        if not signatures.is_valid_key(getattr(founder, field)):
            raise invalid(f"{where} {field}", "is not a valid Ed25519 key", "use the entry that mutua init wrote")
    if founder.bitcoin_key and not _is_secp256k1_key(founder.bitcoin_key):
        what = "is not a compressed secp256k1 key"
        raise invalid(f"{where} bitcoin_key", what, "use the entry that mutua init wrote, or leave it empty")
    if len(founder.onion_tip) != HASH_SIZE:
        what = f"has {len(founder.onion_tip)} bytes, not {HASH_SIZE}"
        raise invalid(f"{where} onion_tip", what, "use the entry that mutua init wrote")
    try:
        check_reachable(founder.address)
    except MutuaError as error:
        raise invalid(f"{where} address", error.what, error.hint) from None
    if founder.plan not in {plan.name for plan in charter.plans}:
        raise invalid(f"{where} plan", f"{founder.plan!r} is none of the charter's plans")
    if founder.contract_terms not in CONTRACT_TERMS:
        raise invalid(f"{where} contract_terms", f"is {founder.contract_terms}, not 1, 3, 6 or 12")
    _check_range(f"{where} prepaid_terms", founder.prepaid_terms, 0, 120)
    if founder.household:
        _check_name(f"{where} household", founder.household)
    if not is_founder_signed(founder, charter.name):
        what = "does not verify for this entry and this charter's name"
        raise invalid(f"{where} signature", what, "ask the founder for a fresh entry")


def check_unique_keys(founders: Sequence[Founder], charter: Charter) -> None:
    """Raise MutuaError when a key is listed twice, in whatever roles: what it signs would be mixed up."""
    seen: dict[bytes | str, str] = {}
    named: list[tuple[bytes | str, str]] = []
    for number, founder in enumerate(founders, start=1):
        fields = (*_ED25519_KINDS, "bitcoin_key", "onion_tip", "address")
        named += [(getattr(founder, field), f"founder {number}'s {field}") for field in fields]
    named += [(provider.key, f"provider {provider.identifier!r}'s key") for provider in charter.providers]
    named += [(party.key, f"attester {party.name!r}'s key") for party in charter.attesters]
    named += [(party.key, f"verifier {party.name!r}'s key") for party in charter.verifiers]
    for value, where in named:
        if value and value in seen:
            raise invalid(where, f"is also {seen[value]}", "each needs its own; take the entry of another founder")
        seen[value] = where


def _check_treasury(charter: Charter) -> None:
    treasury = charter.treasury
    signer_count = sum(bool(founder.bitcoin_key) for founder in charter.founders)
    _check_choice("treasury.network", treasury.network, NETWORKS)
    if treasury.threshold == 0 and not treasury.txid and treasury.amount_sat == 0:
        return  # no bitcoin yet: payouts wait
    if signer_count > TREASURY_SIGNERS_MAX:
        what = f"has {signer_count} signers, more than {TREASURY_SIGNERS_MAX}"
        raise invalid("treasury", what, "leave bitcoin_key empty for the others")
    if not signer_count // 2 < treasury.threshold <= signer_count:
        what = f"is {treasury.threshold} of {signer_count} signers, not a majority of them"
        raise invalid("treasury.threshold", what)
    if len(treasury.txid) != HASH_SIZE:
        what = f"has {len(treasury.txid)} bytes, not {HASH_SIZE}"
        raise invalid("treasury.txid", what, "name the transaction that funds the treasury")
    _check_range("treasury.vout", treasury.vout, 0, 2**32 - 1)
    _check_range("treasury.amount_sat", treasury.amount_sat, 1, 21_000_000 * SATS_PER_BITCOIN)
    _check_range("treasury.fee_sat_per_vb", treasury.fee_sat_per_vb, 1, 10_000)
    if not charter.rate:
        what = "is missing while the treasury holds bitcoin"
        raise invalid("rate", what, "say what a bitcoin is worth in minor units")
    needed = treasury_sat_for(charter)
    one_unit_sat = SATS_PER_BITCOIN // charter.rate + 1
    if not needed <= treasury.amount_sat < needed + one_unit_sat:
        what = f"is {treasury.amount_sat}, but claims_cents + reserve_cents at this rate are {needed} sat"
        raise invalid("treasury.amount_sat", what, "make the accounts equal to the treasury")


def _check_name(where: str, name: str) -> None:
    if not name or len(name) > NAME_SIZE_MAX or not name.isprintable() or name != name.strip():
        raise invalid(where, f"{name!r} is empty, longer than {NAME_SIZE_MAX} or has blanks at its ends")
    if unicodedata.normalize("NFC", name) != name:
        raise invalid(where, f"{name!r} is not in Unicode form NFC")


def _check_range(where: str, value: int, least: int, most: int) -> None:
    if not least <= value <= most:
        raise invalid(where, f"is {value}, outside {least} .. {most}")


def _check_choice(where: str, value: str, choices: Sequence[str]) -> None:
    if value not in choices:
        raise invalid(where, f"is {value!r}, not one of {', '.join(choices)}")


def _check_unique(where: str, values: Iterable[object]) -> None:
    seen = set[object]()
    for value in values:
        if value in seen:
            raise invalid(where, f"holds {value!r} twice")
        seen.add(value)


def _check_day(day_one: str) -> None:
    try:
        is_date = dt.date.fromisoformat(day_one).isoformat() == day_one
    except ValueError:
        is_date = False
    if not is_date:
        raise invalid("day_one", f"{day_one!r} is not a date such as 2026-01-31")


def _is_secp256k1_key(key: bytes) -> bool:
    """Return whether these are the 33 bytes of a point: x³ + 7 has a square root modulo p."""
    if len(key) != 33 or key[0] not in {2, 3}:
        return False
    x = int.from_bytes(key[1:], "big")
    square = (pow(x, 3, _SECP256K1_P) + 7) % _SECP256K1_P
    return x < _SECP256K1_P and pow(square, (_SECP256K1_P - 1) // 2, _SECP256K1_P) == 1
