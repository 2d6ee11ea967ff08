"""The start-up self-test: libsodium passes, and every careless verifier is caught by a case that names its fault."""

from __future__ import annotations

import json
from hashlib import sha512

import pytest

from ledger import selftest, signatures
from ledger.errors import LedgerCorrupt
from ledger.selftest import BASE, IDENTITY, L, P, add, edge_cases, encode_point, key_cases, multiply, torsion_point


def decode_carelessly(data: bytes) -> tuple[int, int] | None:
    number = int.from_bytes(data, "little")
    y, sign = (number & ((1 << 255) - 1)) % P, number >> 255
    x = selftest._recover_x(y, sign)
    return None if x is None else (x % P, y)


def careless(key: bytes, signature: bytes, message: bytes, *, is_cofactored: bool) -> bool:
    """Verify without any check of range, canonical bytes or order."""
    point, nonce = decode_carelessly(key), decode_carelessly(signature[:32])
    if point is None or nonce is None:
        return False
    s = int.from_bytes(signature[32:], "little")
    k = int.from_bytes(sha512(signature[:32] + key + message).digest(), "little") % L
    left, right = multiply(s, BASE), add(nonce, multiply(k, point))
    if is_cofactored:
        left, right = multiply(8, left), multiply(8, right)
    return left == right


def test_libsodium_answers_every_case_as_the_rule_says() -> None:
    selftest.check_signatures()


def test_every_refused_case_but_the_wrong_message_would_fool_a_careless_verifier() -> None:
    for case in edge_cases():
        fooled = careless(case.key, case.signature, case.message, is_cofactored=True)
        assert fooled == (case.name != "another message"), case.name


def test_a_cofactored_verifier_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(signatures, "is_signed_raw", lambda k, s, m: careless(k, s, m, is_cofactored=True))
    with pytest.raises(LedgerCorrupt) as caught:
        selftest.check_signatures()
    assert caught.value.code == "signature_selftest"
    assert "S + L" in caught.value.what
    assert "k·T ≠ 0" in caught.value.what


@pytest.mark.parametrize("name", [case.name for case in edge_cases()])
def test_a_wrong_answer_in_any_single_case_stops_the_node(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    answers = {(c.key, c.signature, c.message): c.is_accepted != (c.name == name) for c in edge_cases()}
    monkeypatch.setattr(signatures, "is_signed_raw", lambda k, s, m: answers[k, s, m])
    with pytest.raises(LedgerCorrupt) as caught:
        selftest.check_signatures()
    assert name in caught.value.what


def test_a_library_that_registers_any_key_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(signatures, "is_valid_key", lambda _key: True)
    with pytest.raises(LedgerCorrupt):
        selftest.check_signatures()


def test_our_arithmetic_agrees_with_libsodium_on_honest_keys() -> None:
    for number in range(1, 9):
        seed = bytes([number]) * 32
        digest = bytearray(sha512(seed).digest()[:32])
        digest[0] &= 248
        digest[31] = digest[31] & 63 | 64
        assert encode_point(multiply(int.from_bytes(digest, "little"), BASE)) == signatures.public_key_of(seed)


def test_the_eight_small_order_points_are_eight() -> None:
    assert multiply(8, torsion_point()) == IDENTITY
    assert len({data for _, data in selftest.small_order_encodings()}) == 8
    assert multiply(L, BASE) == IDENTITY


def test_registration_refuses_all_but_the_honest_key() -> None:
    assert [case.name for case in key_cases() if signatures.is_valid_key(case.key)] == ["honest key"]
    assert not signatures.is_valid_key(b"")
    assert not signatures.is_valid_key(b"\x01" * 33)


def test_wrong_lengths_are_refused_not_raised() -> None:
    key = signatures.public_key_of(b"\x01" * 32)
    assert not signatures.is_signed_raw(key[:31], bytes(64), b"")
    assert not signatures.is_signed_raw(key, bytes(63), b"")
    assert not signatures.is_signed_raw(key, bytes(65), b"")


def test_a_signature_means_one_thing_on_one_chain() -> None:
    seed, chain = b"\x01" * 32, b"\x02" * 32
    key = signatures.public_key_of(seed)
    signature = signatures.sign(seed, "record", chain, b"m")
    assert signatures.is_signed(key, signature, "record", chain, b"m")
    assert not signatures.is_signed(key, signature, "attestation", chain, b"m")
    assert not signatures.is_signed(key, signature, "record", b"\x03" * 32, b"m")


# ---- Published vectors, kept outside the project -------------------------------


@pytest.fixture
def vectors(reference_file):
    return lambda name: json.loads(reference_file(f"vectors/{name}").read_text())


def test_speccheck_row_is_that_of_libsodium(vectors) -> None:
    row = [
        signatures.is_signed_raw(
            bytes.fromhex(case["pub_key"]), bytes.fromhex(case["signature"]), bytes.fromhex(case["message"])
        )
        for case in vectors("speccheck.json")
    ]
    assert "".join("V" if accepted else "X" for accepted in row) == "XXXVXXXXXXXX"


def test_wycheproof_agrees_in_all_cases(vectors) -> None:
    count = 0
    for group in vectors("wycheproof_ed25519.json")["testGroups"]:
        key = bytes.fromhex(group["publicKey"]["pk"])
        for case in group["tests"]:
            accepted = signatures.is_signed_raw(key, bytes.fromhex(case["sig"]), bytes.fromhex(case["msg"]))
            assert accepted == (case["result"] == "valid"), case["comment"]
            count += 1
    assert count >= 150
