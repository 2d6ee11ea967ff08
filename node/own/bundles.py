"""Bundles: a record on its way in a file, while the signatures of others are collected (rules §2, §3, §9, §11).

An applicant, a provider, an attester, a signer or a panel member needs no node: the file travels, each adds a
signature, and any member's node submits it. A bundle names its chain, so a signature given here means nothing
elsewhere. What a kind wants signed, and by whom, is declared with the kind (`governance.kinds.Kind.attested`) and
nowhere else.

Nothing in a bundle is believed: reading one checks sizes, shape, every signature and that every signature is over this
very body. Whether enough of the right keys signed is for the rules to say, when it is submitted.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

from governance.acts import Attested
from governance.kinds import KINDS, Kind
from ledger import records, signatures
from ledger.codec import Shape, decode, encode
from ledger.errors import MalformedBytes, MutuaError, RuleBroken
from ledger.hashing import HASH_SIZE
from ledger.records import Attestation, SignedRecord
from node.api.bodies import body_from_json, body_to_json
from node.reading import read_bytes

FORMAT = 1
FILE_SIZE_MAX = 256 * 1024
"""A body of 32 KiB and 16 attestations, as JSON with hex, twice over, stay below this."""
FIELDS = ("mutua_bundle", "chain_id", "kind", "author", "body", "attestations", "record")

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Bundle:
    """A record on its way. `author` None: whoever submits it. `record`: the whole, already signed by its author."""

    chain_id: bytes
    kind: str
    author: bytes | None
    body: Shape
    attestations: tuple[Attestation, ...] = ()
    record: SignedRecord | None = None


@dataclass(frozen=True, slots=True)
class Wanted:
    """One role of a bundle: who may sign, over which hash, and who has signed already."""

    role: str
    who: str
    subject_hash: bytes
    keys: tuple[bytes, ...]


# ---- Making ---------------------------------------------------------------------


def new_bundle(chain_id: bytes, kind: str, body: object, author: bytes | None = None) -> Bundle:
    """Return an unsigned bundle of a body or its JSON. Errors: `kind_unknown`, `body_shape`, `bundle_shape`."""
    known = kind_of(kind)
    shaped = body if isinstance(body, Shape) else body_from_json(known.body, body)
    try:
        decode(known.body, encode(shaped))
    except (MalformedBytes, OverflowError, UnicodeError) as error:
        what = f"the body is not a valid {kind}: {error}"
        raise MutuaError("bundle_shape", what, "correct the body and draft it again") from None
    return Bundle(chain_id, kind, author, shaped)


def kind_of(kind: str) -> Kind:
    """Return a record kind; RuleBroken `kind_unknown`."""
    known = KINDS.get(kind)
    if known is None:
        raise RuleBroken("kind_unknown", f"there is no record kind {kind!r}", f"kinds: {', '.join(sorted(KINDS))}")
    return known


def role_of(bundle: Bundle, role: str | None) -> Attested:
    """Return what is to be signed: the role, or the only one there is. MutuaError `bundle_role`."""
    wanted = kind_of(bundle.kind).attested
    found = [item for item in wanted if role in (None, item.role)]
    if len(found) != 1:
        names = ", ".join(item.role for item in wanted)
        problem = f"no signature of role {role}" if role else f"{len(wanted)} kinds of signatures"
        hint = f"give --role with one of: {names}" if names else "submit it as it is"
        raise MutuaError("bundle_role", f"{bundle.kind} wants {problem}", hint)
    return found[0]


def subject_of(bundle: Bundle, wanted: Attested) -> bytes:
    """Return the hash that an attester signs. MutuaError `bundle_author` where it needs an author and none is named."""
    if bundle.author is not None:
        return wanted.subject(bundle.author, bundle.body)
    one, other = (wanted.subject(bytes([filler]) * HASH_SIZE, bundle.body) for filler in (0, 1))
    if one != other:
        what = f"a signature of role {wanted.role} is for one author, and none is named"
        raise MutuaError("bundle_author", what, "draft it with its author")
    return one


def add_attestation(bundle: Bundle, seed: bytes, role: str | None = None) -> Bundle:
    """Return the bundle with an attestation more, unless it is full, signed by its author, or has no such role."""
    wanted = role_of(bundle, role)
    if bundle.record is not None:
        what = "the author has signed the bundle as it is"
        raise MutuaError("bundle_signed", what, "attest the draft before its author signs it")
    item = records.attest(seed, bundle.chain_id, wanted.role, subject_of(bundle, wanted))
    others = tuple(other for other in bundle.attestations if (other.role, other.key) != (item.role, item.key))
    if len(others) >= records.ATTESTATION_MAX:
        what = f"a record carries at most {records.ATTESTATION_MAX} attestations"
        raise MutuaError("bundle_full", what, "submit it with those it has")
    return replace(bundle, attestations=(*others, item))


def sign_bundle(bundle: Bundle, seed: bytes, *, salt: bytes, number: int, valid_until_height: int) -> Bundle:
    """Return the bundle signed whole by its author, whose node need not exist. `salt` is 16 random bytes.

    The author is the one that the bundle names, else the key of `seed`. `number` is above all that the key used before
    (1 for a new key); in no block after `valid_until_height`. Error: `bundle_author` when the seed cannot be the
    author's and the kind is not signed by devices.
    """
    signer = signatures.public_key_of(seed)
    author = bundle.author or signer
    if author != signer and not kind_of(bundle.kind).is_by_member:
        what = "the seed is not that of the bundle's author"
        raise MutuaError("bundle_author", what, "sign it with the author's own key")
    signed = records.sign_record(
        seed,
        chain_id=bundle.chain_id,
        kind=bundle.kind,
        author=author,
        number=number,
        valid_until_height=valid_until_height,
        body=records.Body(salt, encode(bundle.body)),
        attestations=bundle.attestations,
    )
    return replace(bundle, author=author, record=signed)


def wanted_of(bundle: Bundle) -> list[Wanted]:
    """Return every role of the bundle's kind with the keys that signed it."""
    found: list[Wanted] = []
    for item in kind_of(bundle.kind).attested:
        keys = tuple(sorted(given.key for given in bundle.attestations if given.role == item.role))
        found.append(Wanted(item.role, item.who, subject_of(bundle, item), keys))
    return found


# ---- JSON and files ---------------------------------------------------------------


def bundle_to_json(bundle: Bundle) -> Json:
    """Return a bundle as the JSON of its file."""
    return {
        "mutua_bundle": FORMAT,
        "chain_id": bundle.chain_id.hex(),
        "kind": bundle.kind,
        "author": bundle.author.hex() if bundle.author else None,
        "body": body_to_json(bundle.body),
        "attestations": [body_to_json(item) for item in bundle.attestations],
        "record": encode(bundle.record).hex() if bundle.record else None,
    }


def bundle_from_json(value: object) -> Bundle:
    """Return the bundle of a JSON value, every signature verified. MutuaError says what is wrong with it."""
    fields = _fields(value)
    chain_id = _hash(fields, "chain_id")
    author = None if fields.get("author") is None else _hash(fields, "author")
    given = fields.get("attestations")
    if not isinstance(given, list):
        raise _misfit("attestations must be a list")
    items = cast("list[object]", given)
    if len(items) > records.ATTESTATION_MAX:
        what = f"it has {len(items)} attestations, a record carries at most {records.ATTESTATION_MAX}"
        raise MutuaError("bundle_full", what, "leave some out")
    bundle = new_bundle(chain_id, str(fields.get("kind")), fields.get("body"), author)
    shaped = (body_from_json(Attestation, item, f"attestations[{index}]") for index, item in enumerate(items))
    attestations = tuple(cast("Attestation", item) for item in shaped)
    bundle = replace(bundle, attestations=attestations)
    for item in attestations:
        _check_attestation(bundle, item)
    return replace(bundle, record=_record(bundle, fields.get("record")))


def _fields(value: object) -> Json:
    """Return the fields of a bundle's JSON, all known and of this version."""
    if not isinstance(value, dict):
        raise _misfit("it is not a JSON object")
    fields = cast("Json", value)
    if "mutua_bundle" not in fields:
        raise _misfit("it has no field mutua_bundle")
    if fields["mutua_bundle"] != FORMAT:
        what = f"the bundle is of version {fields['mutua_bundle']!r}, not {FORMAT}"
        raise MutuaError("bundle_version", what, "use the mutua that wrote it")
    unknown = sorted(set(fields) - set(FIELDS))
    if unknown:
        raise _misfit(f"it has the unknown field {unknown[0]!r}")
    return fields


def _hash(fields: Json, name: str) -> bytes:
    """Return a field of 64 hex digits."""
    try:
        value = bytes.fromhex(fields.get(name, ""))
    except (ValueError, TypeError):
        value = b""
    if len(value) != HASH_SIZE:
        raise _misfit(f"{name} must be {2 * HASH_SIZE} hex digits")
    return value


def _check_attestation(bundle: Bundle, item: Attestation) -> None:
    """Raise MutuaError unless the attestation is of a role of this kind, over this body, and its signature verifies."""
    wanted = role_of(bundle, item.role)
    shown = item.key.hex()[:12]
    if item.subject_hash != subject_of(bundle, wanted):
        what = f"the signature of {shown} is for a different body"
        raise MutuaError("bundle_subject", what, "have it signed again, or remove it")
    message = records.attestation_message(item.role, item.subject_hash)
    if not signatures.is_signed(item.key, item.signature, "attestation", bundle.chain_id, message):
        what = f"the signature of {shown} does not verify"
        raise MutuaError("bundle_signature", what, "have it signed again, or remove it")


def _record(bundle: Bundle, value: object) -> SignedRecord | None:
    """Return the signed record of a bundle's JSON: it must say what the bundle shows."""
    if value is None:
        return None
    try:
        signed = records.decode_signed_record(bytes.fromhex(cast("str", value)), bundle.chain_id)
    except (ValueError, TypeError):
        raise MutuaError(
            "bundle_record", "record must be hexadecimal digits", "have the author sign it again"
        ) from None
    except MutuaError as error:
        what = f"the record in it is malformed: {error.what}"
        raise MutuaError("bundle_record", what, "have the author sign it again") from None
    record = signed.record
    shows = (bundle.kind, bundle.author, encode(bundle.body), bundle.attestations)
    if (record.kind, record.author, signed.body.data, record.attestations) != shows:
        what = "its author signed something different from what the bundle shows"
        raise MutuaError("bundle_record", what, "have the author sign it again")
    if not records.is_record_signed(record):
        raise MutuaError("bundle_record", "the author's signature does not verify", "have the author sign it again")
    return signed


def _misfit(what: str) -> MutuaError:
    return MutuaError("bundle_shape", f"the file is not a valid bundle: {what}", "name a file that mutua wrote")


def read_bundle(path: Path) -> Bundle:
    """Return the bundle of a file. Errors: `file_unreadable`, `bundle_size`, and those of `bundle_from_json`."""
    try:
        data = read_bytes(path)
        if len(data) > FILE_SIZE_MAX:
            what = f"{path} has more than {FILE_SIZE_MAX} bytes"
            raise MutuaError("bundle_size", what, "name a file that mutua wrote")
        value = json.loads(data)
    except OSError as error:
        what = f"{path} cannot be read ({error.strerror})"
        raise MutuaError("file_unreadable", what, "name an existing file") from None
    except (ValueError, RecursionError):
        raise _misfit(f"{path} is not JSON") from None
    return bundle_from_json(value)


def write_bundle(path: Path, bundle: Bundle, *, is_new: bool) -> None:
    """Write a bundle whole or not at all. A new one overwrites nothing: MutuaError `file_exists`."""
    from node.paths import write_whole

    if is_new and path.exists():
        raise MutuaError("file_exists", f"{path} is there already", "choose another name; nothing was written")
    write_whole(path, json.dumps(bundle_to_json(bundle), indent=2, ensure_ascii=False).encode() + b"\n")


def check_chain(bundle: Bundle, chain_id: bytes) -> None:
    """Raise MutuaError `bundle_chain` unless the bundle is for this chain."""
    if bundle.chain_id != chain_id:
        what = f"the bundle is for chain {bundle.chain_id.hex()[:12]}, this node is on {chain_id.hex()[:12]}"
        raise MutuaError("bundle_chain", what, "use a node of its co-op")
