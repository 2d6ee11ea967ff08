"""A proof that a record is in the chain, which anyone can check without the chain.

It leads from the record to the records_root of its block, from that block's header to the history_root of a later
header (the anchor), and ends at the anchor's commit certificate by the committee that the anchor names. So every word
of it hangs on the anchor, which whoever checks it compares with what they know: the charter, or the anchor's hash. A
record in the newest block has no later header: there the anchor is its own header.
Source: RFC 6962 sections 2.1.1 and 2.1.3.
"""

from __future__ import annotations

import json
from typing import Any, cast

from ledger import merkle
from ledger.blocks import block_hash_of, decode_header
from ledger.chain import Chain
from ledger.codec import Shape, decode, encode
from ledger.errors import LedgerCorrupt, MalformedBytes, MutuaError
from ledger.records import Record, check_record_shape, is_record_signed, record_id_of

PROOF_VERSION = 2
PROOF_SIZE_MAX = 1024 * 1024
PATH_MAX = 64
"""Steps of a path: a tree of 2^64 leaves."""


class InclusionProof(Shape):
    """Record -> records_root -> header -> history_root -> anchor -> certificate."""

    version: int
    chain_id: bytes
    record: bytes
    """Canonical bytes, signatures included."""
    index: int
    header: bytes
    record_path: tuple[bytes, ...]
    anchor: bytes
    """A later header whose history_root covers `header`, or `header` itself."""
    header_path: tuple[bytes, ...]
    certificate: bytes
    """The commit certificate of the anchor."""
    committee: tuple[bytes, ...]
    """The consensus keys to which the anchor's committee_hash commits."""


def build_inclusion_proof(chain: Chain, record_id: bytes, committee: tuple[bytes, ...]) -> InclusionProof:
    """Return the proof of a final record up to the tip. MutuaError `record_unknown` when no block holds it."""
    placed = chain.placed_record(record_id)
    if placed is None:
        what = f"no block holds the record {record_id.hex()}"
        raise MutuaError("record_unknown", what, "wait for the next block, or check the id")
    block, index = placed
    height = decode_header(block.header).height
    leaves = [merkle.leaf_hash(encode(record)) for record in block.records]
    anchor = chain.block(chain.height)
    certificate = chain.certificate(chain.height)
    if anchor is None or certificate is None:
        raise LedgerCorrupt("tip_block", "the newest block or its certificate is missing", "run mutua audit verify")
    path = merkle.inclusion_proof(chain.header_hashes()[: chain.height], height) if height < chain.height else ()
    record, record_path = encode(block.records[index]), merkle.inclusion_proof(leaves, index)
    shown = (PROOF_VERSION, chain.chain_id, record, index, block.header, record_path)
    return InclusionProof(*shown, anchor.header, path, certificate, committee)


def inclusion_problems(proof: InclusionProof) -> list[str]:
    """Return what is wrong, in the order of the reasoning; the committee and its certificate aside."""
    try:
        record = decode(Record, proof.record)
        check_record_shape(record, proof.chain_id)
        header, anchor = decode_header(proof.header), decode_header(proof.anchor)
    except MalformedBytes as error:
        return [error.what]
    problems: list[str] = []
    if proof.version != PROOF_VERSION:
        problems.append(f"the proof has version {proof.version}, not {PROOF_VERSION}")
    if header.chain_id != proof.chain_id or anchor.chain_id != proof.chain_id:
        problems.append("a header belongs to another chain")
    if not is_record_signed(record):
        problems.append("the record's signature does not verify")
    if len(proof.record_path) > PATH_MAX or len(proof.header_path) > PATH_MAX:
        return [*problems, "a path has too many steps"]
    if not merkle.is_included(proof.record, proof.index, header.record_count, proof.record_path, header.records_root):
        problems.append("the record is not under the records_root of its header")
    if proof.header == proof.anchor:
        if proof.header_path:
            problems.append("a path leads from the anchor to itself")
    elif not merkle.is_included(proof.header, header.height, anchor.height, proof.header_path, anchor.history_root):
        problems.append("the header is not under the history_root of the anchor")
    return problems


def shown_of(proof: InclusionProof) -> dict[str, Any]:
    """Return the words of a proof's file: what a reader wants to see first, and its fields, bytes as hex."""
    record, header, anchor = decode(Record, proof.record), decode_header(proof.header), decode_header(proof.anchor)
    shown: dict[str, Any] = {
        "record_id": record_id_of(record).hex(),
        "kind": record.kind,
        "height": header.height,
        "anchor_height": anchor.height,
        "anchor_hash": block_hash_of(anchor).hex(),
    }
    for name in proof.__struct_fields__:
        value = getattr(proof, name)
        if isinstance(value, bytes):
            shown[name] = value.hex()
        elif isinstance(value, tuple):
            shown[name] = [step.hex() for step in cast("tuple[bytes, ...]", value)]
        else:
            shown[name] = value
    return shown


def proof_to_json(proof: InclusionProof) -> str:
    """Return the proof as a JSON file."""
    return json.dumps(shown_of(proof), indent=2)


def proof_from_json(data: bytes) -> tuple[InclusionProof, list[str]]:
    """Return the proof in a JSON file, and what the file says beside or against it. MalformedBytes for no proof."""
    if len(data) > PROOF_SIZE_MAX:
        raise _malformed(f"it has more than {PROOF_SIZE_MAX} bytes")
    try:
        table = json.loads(data, object_pairs_hook=_once)
        version, index = table["version"], table["index"]
        names, paths = ("chain_id", "record", "header", "anchor", "certificate"), ("record_path", "header_path")
        chain_id, record, header, anchor, certificate = (bytes.fromhex(table[name]) for name in names)
        lists = (tuple(bytes.fromhex(step) for step in table[name]) for name in (*paths, "committee"))
        record_path, header_path, committee = lists
    except KeyError as error:
        raise _malformed(f"it has no word {error}") from None
    except (ValueError, TypeError, RecursionError):
        raise _malformed("it is not JSON of a proof's form") from None
    if type(version) is not int or type(index) is not int:
        raise _malformed("version and index are whole numbers")
    shown = (version, chain_id, record, index, header, record_path)
    proof = InclusionProof(*shown, anchor, header_path, certificate, committee)
    try:
        proof = decode(InclusionProof, encode(proof))
        proved = shown_of(proof)
    except (OverflowError, MalformedBytes) as error:
        raise _malformed(str(error)) from None
    differing = sorted(name for name in proved.keys() | table.keys() if not _is_same(name, proved, table))
    return proof, [f"the file's word {name!r} is not what it proves" for name in differing]


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    table = dict(pairs)
    if len(table) != len(pairs):
        raise _malformed("a word is there twice")
    return table


def _is_same(name: str, proved: dict[str, Any], table: dict[str, Any]) -> bool:
    """True when both say the same under a name, in the same spelling: true is not 1, and hex is in small letters."""
    return name in proved and name in table and json.dumps(proved[name]) == json.dumps(table[name])


def _malformed(reason: str) -> MalformedBytes:
    what = f"this is not an inclusion proof ({reason})"
    return MalformedBytes("proof_malformed", what, "make it with mutua audit prove")
