"""A proof leads from a record to a certified header; changing any step of it is noticed."""

from __future__ import annotations

import json
from dataclasses import replace

import msgspec
import pytest

from ledger.blocks import decode_header, encode_header
from ledger.chain import Chain
from ledger.codec import encode
from ledger.errors import MalformedBytes, MutuaError
from ledger.proofs import build_inclusion_proof, inclusion_problems, proof_from_json, proof_to_json
from ledger.records import record_id_of
from ledger.store import MemoryStore

COMMITTEE = (b"\x01" * 32, b"\x02" * 32)


@pytest.fixture
def chain(charter, builder_of) -> Chain:
    chain = Chain.create(MemoryStore(), charter, {b"n": b"0"})
    builder = builder_of(chain)
    for count in (3, 1, 0, 5):
        builder.grow({}, records=count)
    return chain


def all_records(chain: Chain):
    return [record for height in range(1, chain.height + 1) for record in chain.block(height).records]


def test_every_record_has_a_proof_that_holds_and_survives_its_file(chain) -> None:
    for record in all_records(chain):
        proof = build_inclusion_proof(chain, record_id_of(record), COMMITTEE)
        assert inclusion_problems(proof) == []
        assert proof.record == encode(record)
        assert proof.certificate == b"certificate"
        assert proof_from_json(proof_to_json(proof).encode()) == (proof, [])


def test_an_unknown_record_has_none(chain) -> None:
    with pytest.raises(MutuaError) as caught:
        build_inclusion_proof(chain, b"\x01" * 32, COMMITTEE)
    assert caught.value.code == "record_unknown"


@pytest.mark.parametrize("field", ["record", "header", "record_path", "header_path", "index", "chain_id", "version"])
def test_a_changed_step_is_noticed(chain, field: str) -> None:
    proof = build_inclusion_proof(chain, record_id_of(chain.block(1).records[1]), COMMITTEE)
    value = getattr(proof, field)
    if isinstance(value, int):
        changed = value + 1
    elif isinstance(value, tuple):
        changed = (b"\x01" * 32, *value[1:])
    else:
        changed = value[:-40] + bytes([value[-40] ^ 1]) + value[-39:] if len(value) > 40 else b"\x01" * 32
    assert inclusion_problems(msgspec.structs.replace(proof, **{field: changed}))


def test_another_anchor_does_not_cover_the_header(chain) -> None:
    proof = build_inclusion_proof(chain, record_id_of(chain.block(1).records[1]), COMMITTEE)
    for fields in ({"history_root": b"\x01" * 32}, {"chain_id": b"\x01" * 32}):
        anchor = encode_header(replace(decode_header(proof.anchor), **fields))
        assert inclusion_problems(msgspec.structs.replace(proof, anchor=anchor)), fields


@pytest.mark.parametrize("data", [b"", b"{}", b"[]", b"null", b'{"version": 1}', b"[" * 10_000, b"\xff"])
def test_a_file_that_is_no_proof_is_one_error(data: bytes) -> None:
    with pytest.raises(MalformedBytes) as caught:
        proof_from_json(data)
    assert caught.value.code == "proof_malformed"


def test_numbers_out_of_range_are_refused(chain) -> None:
    table = json.loads(proof_to_json(build_inclusion_proof(chain, record_id_of(chain.block(1).records[0]), COMMITTEE)))
    for bad in (-1, 2**70, True, "1"):
        with pytest.raises(MalformedBytes):
            proof_from_json(json.dumps(table | {"index": bad}).encode())


def test_every_word_of_the_file_is_one_that_the_proof_proves(chain) -> None:
    proof = build_inclusion_proof(chain, record_id_of(chain.block(1).records[0]), COMMITTEE)
    table = json.loads(proof_to_json(proof))
    for change, name in (
        ({"kind": "case.ballot"}, "kind"),
        ({"height": 2}, "height"),
        ({"index": False}, None),
        ({"record_id": "00" * 32}, "record_id"),
        ({"anchor_hash": table["anchor_hash"].upper()}, "anchor_hash"),
        ({"anchor_height": str(table["anchor_height"])}, "anchor_height"),
        ({"amount_cents": 5}, "amount_cents"),
    ):
        data = json.dumps(table | change).encode()
        if name is None:
            with pytest.raises(MalformedBytes):
                proof_from_json(data)
        else:
            assert proof_from_json(data) == (proof, [f"the file's word {name!r} is not what it proves"])
    del table["height"]
    assert proof_from_json(json.dumps(table).encode())[1] == ["the file's word 'height' is not what it proves"]
    with pytest.raises(MalformedBytes):
        proof_from_json(proof_to_json(proof).replace('"kind"', '"kind": "x", "kind"').encode())
