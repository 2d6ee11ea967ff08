import msgspec
import nacl.bindings as sodium
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.codec import decode, encode
from ledger.errors import MalformedBytes
from ledger.hashing import tagged_hash
from wallet.addresses import account_of, claim_programs
from wallet.keys import KeyRing
from wallet.seal import (
    AddressList,
    SealedBlob,
    commitment_of,
    new_key,
    new_payout_blob,
    open_key,
    open_with_key,
    seal_addresses,
)


def open_addresses(blob: bytes, device_seed: bytes) -> tuple[bytes, ...]:
    return open_with_key(blob, open_key(blob, device_seed))


RINGS = [KeyRing.from_seed(bytes([number]) * 32) for number in range(1, 8)]
DEVICES = [ring.device_key for ring in RINGS]
PROGRAMS = tuple(bytes([number]) * 20 for number in range(32))


def test_every_signer_reads_the_same_list_and_nobody_else() -> None:
    blob = seal_addresses(PROGRAMS, new_key(DEVICES))
    assert {open_addresses(blob, ring.device_seed) for ring in RINGS} == {PROGRAMS}
    with pytest.raises(MalformedBytes) as caught:
        open_addresses(blob, KeyRing.from_seed(bytes(32)).device_seed)
    assert caught.value.code == "blob_not_mine"


def test_a_claimant_makes_a_blob_of_the_addresses_its_own_wallet_finds_again() -> None:
    blob = new_payout_blob(RINGS[0].bitcoin_root, b"source hash", new_key(DEVICES))
    assert open_addresses(blob, RINGS[6].device_seed) == claim_programs(
        RINGS[0].bitcoin_root, account_of(b"source hash")
    )


def test_a_blob_shows_no_address_and_two_blobs_of_one_list_differ() -> None:
    key = new_key(DEVICES)
    blob, other = (seal_addresses(PROGRAMS, key) for _ in range(2))
    assert not any(program in blob for program in PROGRAMS)
    assert commitment_of(blob) != commitment_of(other)
    ours, theirs = (decode(SealedBlob, item) for item in (blob, other))
    assert ours.nonce != theirs.nonce
    assert not {ours.box[at : at + 16] for at in range(len(ours.box) - 15)} & {theirs.box[-16:], theirs.box[16:32]}
    assert open_addresses(other, RINGS[0].device_seed) == PROGRAMS
    assert decode(SealedBlob, seal_addresses(PROGRAMS, new_key(DEVICES))).key_hash != ours.key_hash
    assert len(blob) < 4096


def test_a_signer_whose_entry_is_garbage_opens_with_the_key_of_another_and_a_wrong_key_is_refused() -> None:
    value = decode(SealedBlob, seal_addresses(PROGRAMS, new_key(DEVICES)))
    broken = tuple(
        msgspec.structs.replace(item, sealed=bytes(80)) if item.device_key == DEVICES[2] else item
        for item in value.keys
    )
    blob = encode(msgspec.structs.replace(value, keys=broken))
    with pytest.raises(MalformedBytes) as caught:
        open_addresses(blob, RINGS[2].device_seed)
    assert caught.value.code == "blob_key"
    assert open_with_key(blob, open_key(blob, RINGS[0].device_seed)) == PROGRAMS
    with pytest.raises(MalformedBytes):
        open_with_key(blob, bytes(32))


def test_a_key_that_is_not_the_one_committed_to_is_refused_even_when_it_was_sealed_to_me() -> None:
    value = decode(SealedBlob, seal_addresses(PROGRAMS, new_key(DEVICES)))
    other = sodium.crypto_box_seal(bytes(32), sodium.crypto_sign_ed25519_pk_to_curve25519(DEVICES[0]))
    keys = tuple(
        msgspec.structs.replace(item, sealed=other) if item.device_key == DEVICES[0] else item for item in value.keys
    )
    with pytest.raises(MalformedBytes) as caught:
        open_addresses(encode(msgspec.structs.replace(value, keys=keys)), RINGS[0].device_seed)
    assert caught.value.code == "blob_key"


@given(st.binary(max_size=300))
def test_random_bytes_are_no_blob(data: bytes) -> None:
    with pytest.raises(MalformedBytes):
        open_addresses(data, RINGS[0].device_seed)


@given(st.data())
def test_no_changed_byte_changes_the_list(data: st.DataObject) -> None:
    blob = bytearray(seal_addresses(PROGRAMS[:4], new_key(DEVICES[:2])))
    blob[data.draw(st.integers(0, len(blob) - 1))] ^= data.draw(st.integers(1, 255))
    try:
        assert open_addresses(bytes(blob), RINGS[0].device_seed) == PROGRAMS[:4]
    except MalformedBytes:
        pass


@pytest.mark.parametrize(
    "programs",
    [
        PROGRAMS[:3],
        PROGRAMS[:4] + PROGRAMS[:1],
        (bytes(32),) * 4,
        [bytes([n // 256, n % 256]) * 10 for n in range(257)],
    ],
)
def test_a_list_that_is_short_long_repeated_or_of_another_type_is_neither_sealed_nor_opened(
    programs: tuple[bytes, ...],
) -> None:
    with pytest.raises(MalformedBytes):
        seal_addresses(programs, new_key(DEVICES))
    key, nonce = bytes(32), bytes(24)
    box = sodium.crypto_secretbox(encode(AddressList(tuple(programs))), nonce, key)
    value = decode(SealedBlob, seal_addresses(PROGRAMS, new_key(DEVICES)))
    with pytest.raises(MalformedBytes):
        open_with_key(
            encode(msgspec.structs.replace(value, box=box, nonce=nonce, key_hash=tagged_hash("sealed-key", key))), key
        )


def test_no_signers_or_a_key_that_is_no_point_is_refused() -> None:
    for keys in ([], [bytes(32)], DEVICES[:1] * 16):
        with pytest.raises(MalformedBytes) as caught:
            seal_addresses(PROGRAMS, new_key(keys))
        assert caught.value.code == "seal_signers"
