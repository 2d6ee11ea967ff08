"""The charter as people handle it: a TOML file that founders read, complete, seal and compare by its chain id.

The way: `new_charter` makes a draft, `add_founder` takes each founder's signed entry, `seal` checks everything and
gives the value whose canonical bytes are the chain. In the file bytes are hex, a field that is None is left out,
figures are integers in minor units. Every fault is one `charter_invalid` error that names the field. Names of
parameters and what the figures mean are the business of `governance`.
"""

from __future__ import annotations

import datetime as dt
import json
import tomllib
import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache
from types import NoneType, UnionType
from typing import Any, TypeVar, Union, cast, get_args, get_origin, get_type_hints

import msgspec

from ledger import signatures
from ledger.codec import INT_MAX, Shape, decode, encode
from ledger.errors import MutuaError
from ledger.genesis import (
    CHARTER_VERSION,
    Charter,
    CharterCode,
    CharterParty,
    CharterPlan,
    CharterProvider,
    CharterTreasury,
    Founder,
    chain_id_of,
)
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


S = TypeVar("S", bound=Shape)


def invalid(where: str, what: str, hint: str = "correct it in the charter file") -> MutuaError:
    """Return the error for a charter's field."""
    return MutuaError("charter_invalid", f"charter: {where} {what}", hint)


# ---- Making one ----------------------------------------------------------------


def new_charter(
    name: str,
    *,
    seed: bytes,
    genesis_time_ms: int,
    day_one: str,
    block_interval_ms: int = 86_400_000,
    currency: str = "USD",
    exponent: int = 2,
    phase: str = "pilot",
    committee_max: int = 100,
    claims_cents: int = 0,
    reserve_cents: int = 0,
    rate: int = 0,
    params: Mapping[str, int] | None = None,
    plans: Iterable[CharterPlan] = (),
    codes: Iterable[CharterCode] = (),
    providers: Iterable[CharterProvider] = (),
    treasury: CharterTreasury | None = None,
    attesters: Iterable[CharterParty] = (),
    verifiers: Iterable[CharterParty] = (),
    community: Iterable[str] = (),
) -> Charter:
    """Return a draft without founders. `seed`: 32 fresh random bytes. Nothing is checked before `seal`."""
    return Charter(
        version=CHARTER_VERSION,
        name=name,
        currency=currency,
        exponent=exponent,
        phase=phase,
        genesis_time_ms=genesis_time_ms,
        block_interval_ms=block_interval_ms,
        day_one=day_one,
        seed=seed,
        committee_max=committee_max,
        claims_cents=claims_cents,
        reserve_cents=reserve_cents,
        rate=rate,
        claim_way=CLAIM_WAYS[0],
        params=tuple(sorted((params or {}).items())),
        plans=tuple(plans),
        codes=tuple(codes),
        providers=tuple(providers),
        attesters=tuple(attesters),
        verifiers=tuple(verifiers),
        community=tuple(community),
        treasury=treasury or no_treasury(),
        founders=(),
    )


def no_treasury() -> CharterTreasury:
    """Return the treasury of a co-op that holds no bitcoin yet."""
    return CharterTreasury(network="regtest", threshold=0, txid=b"", vout=0, amount_sat=0, fee_sat_per_vb=1)


def treasury_sat_for(charter: Charter) -> int:
    """Return the satoshi that back the genesis accounts at the charter's rate, rounded up; 0 without a rate."""
    total = charter.claims_cents + charter.reserve_cents
    return -(-total * SATS_PER_BITCOIN // charter.rate) if charter.rate else 0


def founder_message(founder: Founder, charter_name: str) -> bytes:
    """Return what a founder signs under the tag `charter-founder`.

    The charter's name, a zero byte, the unsigned entry.
    """
    return charter_name.encode() + b"\x00" + encode(msgspec.structs.replace(founder, signature=b""))


def sign_founder(identity_seed: bytes, founder: Founder, charter_name: str) -> Founder:
    """Return the entry signed by its identity key. The chain has no id yet: the signature stands on 32 zero bytes."""
    signature = signatures.sign(identity_seed, "charter-founder", ZERO_HASH, founder_message(founder, charter_name))
    return msgspec.structs.replace(founder, signature=signature)


def is_founder_signed(founder: Founder, charter_name: str) -> bool:
    """Return whether the identity key signed this entry for a charter of this name."""
    message = founder_message(founder, charter_name)
    return signatures.is_signed(founder.identity_key, founder.signature, "charter-founder", ZERO_HASH, message)


def add_founder(draft: Charter, founder: Founder) -> Charter:
    """Return the draft with a signed entry more; an entry with the same identity key is replaced where it stands."""
    _check_founder(draft, founder, "the new founder's")
    others = [founder if each.identity_key == founder.identity_key else each for each in draft.founders]
    if founder not in others:
        others.append(founder)
    _check_unique_keys(others, draft)
    return msgspec.structs.replace(draft, founders=tuple(others))


def seal(draft: Charter) -> Charter:
    """Return the charter with its parameters in order, after checking all of it.

    `charter_invalid` names the first fault.
    """
    charter = msgspec.structs.replace(draft, params=tuple(sorted(draft.params)))
    check_charter(charter)
    return charter


# ---- Checking one ---------------------------------------------------------------


def check_draft(charter: Charter) -> None:
    """Raise MutuaError `charter_invalid`, naming the field, unless the draft only lacks founders."""
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
        _check_founder(charter, founder, f"founder {number}'s")
    _check_unique_keys(charter.founders, charter)
    _check_treasury(charter)
    data = encode(charter)
    if len(data) > CHARTER_SIZE_MAX:
        raise invalid("file", f"has {len(data)} bytes, more than {CHARTER_SIZE_MAX}")
    decode(Charter, data)


def _check_head(charter: Charter) -> None:
    if charter.version != CHARTER_VERSION:
        raise invalid("version", f"is {charter.version}, not {CHARTER_VERSION}", "use the mutua that wrote it")
    _check_name("name", charter.name)
    if (
        len(charter.currency) != 3
        or not charter.currency.isascii()
        or not charter.currency.isalpha()
        or not charter.currency.isupper()
    ):
        raise invalid("currency", f"is {charter.currency!r}, not three capital letters such as USD")
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
    _check_community(charter)


def _check_community(charter: Charter) -> None:
    _check_unique("community schemes", charter.community)
    if len(charter.community) > COMMUNITY_MAX:
        raise invalid("community schemes", f"are {len(charter.community)}, more than {COMMUNITY_MAX}")
    for name in charter.community:
        _check_name("name of community scheme", name)


def _check_founder(charter: Charter, founder: Founder, where: str) -> None:
    for field in _ED25519_KINDS:
        if not signatures.is_valid_key(getattr(founder, field)):
            raise invalid(f"{where} {field}", "is not a valid Ed25519 key", "use the entry that mutua init wrote")
    if founder.bitcoin_key and not _is_secp256k1_key(founder.bitcoin_key):
        raise invalid(
            f"{where} bitcoin_key",
            "is not a compressed secp256k1 key",
            "use the entry that mutua init wrote, or leave it empty",
        )
    if len(founder.onion_tip) != HASH_SIZE:
        raise invalid(
            f"{where} onion_tip",
            f"has {len(founder.onion_tip)} bytes, not {HASH_SIZE}",
            "use the entry that mutua init wrote",
        )
    parts = founder.address.split("/")
    if (
        parts[0] != ""
        or len(parts) < 5
        or parts[3] != "tcp"
        or not parts[4].isdecimal()
        or not 0 < int(parts[4]) < 65_536
        or not parts[2]
    ):
        raise invalid(f"{where} address", f"{founder.address!r} is not a multiaddr such as /ip4/192.0.2.7/tcp/4001")
    if founder.plan not in {plan.name for plan in charter.plans}:
        raise invalid(f"{where} plan", f"{founder.plan!r} is none of the charter's plans")
    if founder.contract_terms not in CONTRACT_TERMS:
        raise invalid(f"{where} contract_terms", f"is {founder.contract_terms}, not 1, 3, 6 or 12")
    _check_range(f"{where} prepaid_terms", founder.prepaid_terms, 0, 120)
    if founder.household:
        _check_name(f"{where} household", founder.household)
    if not is_founder_signed(founder, charter.name):
        raise invalid(
            f"{where} signature",
            "does not verify for this entry and this charter's name",
            "ask the founder for a fresh entry",
        )


def _check_unique_keys(founders: Sequence[Founder], charter: Charter) -> None:
    """No key stands twice, in whatever role.

    Two members of one key, or one key of two kinds, would mix what it signs.
    """
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
        raise invalid(
            "treasury",
            f"has {signer_count} signers, more than {TREASURY_SIGNERS_MAX}",
            "leave bitcoin_key empty for the others",
        )
    if not signer_count // 2 < treasury.threshold <= signer_count:
        raise invalid(
            "treasury.threshold", f"is {treasury.threshold} of {signer_count} signers, not a majority of them"
        )
    if len(treasury.txid) != HASH_SIZE:
        raise invalid(
            "treasury.txid",
            f"has {len(treasury.txid)} bytes, not {HASH_SIZE}",
            "name the transaction that funds the treasury",
        )
    _check_range("treasury.vout", treasury.vout, 0, 2**32 - 1)
    _check_range("treasury.amount_sat", treasury.amount_sat, 1, 21_000_000 * SATS_PER_BITCOIN)
    _check_range("treasury.fee_sat_per_vb", treasury.fee_sat_per_vb, 1, 10_000)
    if not charter.rate:
        raise invalid(
            "rate", "is missing while the treasury holds bitcoin", "say what a bitcoin is worth in minor units"
        )
    needed = treasury_sat_for(charter)
    one_unit_sat = SATS_PER_BITCOIN // charter.rate + 1
    if not needed <= treasury.amount_sat < needed + one_unit_sat:
        raise invalid(
            "treasury.amount_sat",
            f"is {treasury.amount_sat}, but claims_cents + reserve_cents at this rate are {needed} sat",
            "make the accounts equal to the treasury",
        )


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


# ---- TOML -----------------------------------------------------------------------


def charter_from_file(data: bytes) -> Charter:
    """Return the charter in a file's bytes, TOML or canonical. `charter_invalid` says which field is wrong.

    A sealed TOML file carries its `chain_id`; a change after the sealing is found here.
    """
    if len(data) > CHARTER_SIZE_MAX:
        raise invalid("file", f"has {len(data)} bytes, more than {CHARTER_SIZE_MAX}", "name a charter file")
    if data[:1] >= b"\x80":  # a msgpack array; no TOML document begins like this
        return decode(Charter, data)
    table = _load_toml(data)
    chain_id = table.pop("chain_id", None)
    charter = _read(Charter, table, "")
    if chain_id is not None and chain_id != chain_id_of(charter).hex():
        raise invalid(
            "chain_id",
            "is not that of the rest of the file",
            "it was changed after it was sealed: fetch the sealed one again",
        )
    return charter


def founder_from_file(data: bytes) -> Founder:
    """Return the founder's entry in a TOML file's bytes."""
    if len(data) > CHARTER_SIZE_MAX:
        raise invalid("file", "is too big for a founder's entry", "name the entry that mutua init wrote")
    return _read(Founder, _load_toml(data), "")


def charter_to_toml(charter: Charter, *, is_sealed: bool = False) -> str:
    """Return the readable file. `is_sealed` puts the chain id at its head, which fixes every byte below."""
    lines = ["# The charter of a co-op. Figures are whole numbers in minor units of its currency; keys are hex."]
    if is_sealed:
        lines += [f"# Sealed: founders compare this id by voice.\nchain_id = {_toml_value(chain_id_of(charter).hex())}"]
    lines += _write(charter, "")
    return "\n".join(lines) + "\n"


def founder_to_toml(founder: Founder) -> str:
    """Return a founder's entry as a file that can be sent to whoever collects them."""
    return "\n".join(["# A founder's entry, signed by its identity key.", *_write(founder, "")]) + "\n"


def charter_to_json(charter: Charter) -> dict[str, Any]:
    """Return the charter as JSON-ready values, with its chain id."""
    return {"chain_id": chain_id_of(charter).hex(), **_plain(charter)}


def _load_toml(data: bytes) -> dict[str, Any]:
    try:
        return tomllib.loads(data.decode("utf-8"))
    except (UnicodeDecodeError, tomllib.TOMLDecodeError, RecursionError) as error:
        raise invalid("file", f"is not TOML ({error})", "correct that place, or fetch the file again") from None


def _plain(shape: Shape) -> dict[str, Any]:
    """Return a shape as a dict with hex for bytes; the pairs of `params` become a dict."""
    return {name: _plain_value(name, getattr(shape, name)) for name in shape.__struct_fields__}


def _plain_value(name: str, value: object) -> Any:
    if name == "params":
        return dict(cast("tuple[tuple[str, int], ...]", value))
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, Shape):
        return _plain(value)
    if isinstance(value, tuple):
        return [_plain_value("", item) for item in cast("tuple[object, ...]", value)]
    return value


def _write(shape: Shape, header: str) -> list[str]:
    """Return the lines of a table: plain values first, then sub-tables, as TOML wants it."""
    lines = [header] if header else []
    tables: list[str] = []
    for name, value in _plain(shape).items():
        if value is None:
            continue
        if isinstance(value, dict):
            inner = cast("dict[str, Any]", value)
            tables += [
                "",
                f"[{name}]",
                *(f"{key} = {_toml_value(item)}" for key, item in inner.items() if item is not None),
            ]
        elif isinstance(getattr(shape, name), tuple) and _item_shape(type(shape), name) is not None:
            for item in getattr(shape, name):
                tables += ["", *_write(item, f"[[{name}]]")]
        else:
            lines.append(f"{name} = {_toml_value(value)}")
    return lines + tables


def _toml_value(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, str):
        # A JSON string is a TOML basic string, but for DEL, which TOML wants escaped.
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    return "[" + ", ".join(_toml_value(item) for item in cast("list[object]", value)) + "]"


@cache
def _hints(shape: type[Shape]) -> dict[str, Any]:
    return {name: hint for name, hint in get_type_hints(shape).items() if name in shape.__struct_fields__}


def _item_shape(shape: type[Shape], name: str) -> type[Shape] | None:
    """Return T for a field `tuple[T, ...]` of shapes."""
    args = get_args(_hints(shape)[name])
    return args[0] if args and isinstance(args[0], type) and issubclass(args[0], Shape) else None


def _read(shape: type[S], table: object, where: str) -> S:
    """Return the shape that a TOML table holds; every field by name, none unknown."""
    if not isinstance(table, dict):
        raise invalid(where or "file", "is not a table")
    fields = cast("dict[str, object]", table)
    hints = _hints(shape)
    unknown = sorted(fields.keys() - hints.keys())
    if unknown:
        raise invalid(f"{where}{unknown[0]}", "is no field of a charter", "remove it, or correct its spelling")
    return shape(**{name: _read_value(hint, fields.get(name), f"{where}{name}", name) for name, hint in hints.items()})


def _read_value(hint: Any, value: object, where: str, name: str) -> object:
    origin, args = get_origin(hint), get_args(hint)
    if origin in {Union, UnionType}:
        return (
            None if value is None else _read_value(next(arg for arg in args if arg is not NoneType), value, where, name)
        )
    if name == "params":
        return tuple(_pairs(value, where))
    if origin is tuple:
        return _read_list(args[0], value, where)
    if value is None:
        raise invalid(where, "is missing", "add it to the charter file")
    if isinstance(hint, type) and issubclass(hint, Shape):
        return _read(hint, value, f"{where}.")
    if hint is bytes:
        return _read_hex(value, where)
    if type(value) is not hint:
        raise invalid(
            where,
            f"is {value!r}, not {'a whole number' if hint is int else 'true or false' if hint is bool else 'text'}",
        )
    if isinstance(value, int) and not 0 <= value <= INT_MAX:
        raise invalid(where, f"is {value}, outside 0 .. 2^63-1")
    return value


def _read_list(hint: Any, value: object, where: str) -> tuple[object, ...]:
    if value is None:
        return ()
    if not isinstance(value, list):
        raise invalid(where, "is not a list")
    items = cast("list[object]", value)
    return tuple(_read_item(hint, item, f"{where}[{number}]") for number, item in enumerate(items, start=1))


def _read_item(hint: Any, item: object, where: str) -> object:
    if isinstance(hint, type) and issubclass(hint, Shape):
        return _read(hint, item, f"{where}.")
    return _read_value(hint, item, where, "")


def _pairs(value: object, where: str) -> Iterator[tuple[str, int]]:
    if value is None:
        return
    if not isinstance(value, dict):
        raise invalid(where, "is not a table of names and whole numbers")
    for name, item in sorted(cast("dict[str, object]", value).items()):
        if type(item) is not int or not 0 <= item <= INT_MAX:
            raise invalid(f"{where}.{name}", f"is {item!r}, not a whole number from 0 to 2^63-1")
        yield name, item


def _read_hex(value: object, where: str) -> bytes:
    if isinstance(value, str):
        try:
            data = bytes.fromhex(value)
        except ValueError:
            data = None
        if data is not None and data.hex() == value:
            return data
    raise invalid(where, f"is {value!r}, not lower-case hex")
