import json

import pytest

from ledger.errors import MalformedBytes, MutuaError
from wallet.keyfile import LIGHT, NORMAL, Limits, open_keyfile, seal_keyfile

SEED = bytes(range(32))


def test_a_key_file_opens_with_its_passphrase() -> None:
    assert open_keyfile(seal_keyfile(SEED, "four green words", LIGHT), "four green words") == SEED


def test_the_normal_cost_is_written_in_the_file_and_opens() -> None:
    data = seal_keyfile(SEED, "p")
    assert json.loads(data)["kdf"]["memory_kib"] == NORMAL.memory_kib
    assert open_keyfile(data, "p") == SEED


def test_two_ways_to_type_one_letter_are_one_passphrase() -> None:
    assert open_keyfile(seal_keyfile(SEED, "caf\u00e9", LIGHT), "cafe\u0301") == SEED


def test_a_wrong_passphrase_is_told_apart_from_a_broken_file() -> None:
    with pytest.raises(MutuaError) as caught:
        open_keyfile(seal_keyfile(SEED, "right", LIGHT), "wrong")
    assert caught.value.code == "wrong_passphrase"
    assert not isinstance(caught.value, MalformedBytes)


def test_a_key_file_holds_neither_seed_nor_passphrase() -> None:
    data = seal_keyfile(SEED, "passphrase", LIGHT)
    assert SEED not in data and SEED.hex().encode() not in data and b"passphrase" not in data


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{}",
        b"null",
        b"\xff\xfe",
        b"[" * 4000,
        b"x" * 5000,
        b'{"format":"mutua-keys"}',
        b'{"format":"mutua-keys","version":"1"}',
    ],
)
def test_a_malformed_file_is_named_so(data: bytes) -> None:
    with pytest.raises(MalformedBytes) as caught:
        open_keyfile(data, "p")
    assert caught.value.code == "keyfile_malformed"


@pytest.mark.parametrize(
    ("path", "value", "code"),
    [
        (("format",), "other", "keyfile_malformed"),
        (("version",), 2, "keyfile_version"),
        (("kdf", "name"), "md5", "keyfile_malformed"),
        (("kdf", "memory_kib"), 1 << 40, "keyfile_limits"),
        (("kdf", "ops"), 0, "keyfile_limits"),
        (("kdf", "salt"), "zz", "keyfile_malformed"),
        (("nonce",), "00", "keyfile_malformed"),
        (("box",), "00", "keyfile_malformed"),
        (("cipher",), "none", "keyfile_malformed"),
    ],
)
def test_each_changed_field_has_its_refusal(path: tuple[str, ...], value: object, code: str) -> None:
    file = json.loads(seal_keyfile(SEED, "p", LIGHT))
    place = file
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = value
    with pytest.raises(MalformedBytes) as caught:
        open_keyfile(json.dumps(file).encode(), "p")
    assert caught.value.code == code


def test_a_flipped_bit_in_the_box_does_not_open() -> None:
    file = json.loads(seal_keyfile(SEED, "p", LIGHT))
    file["box"] = ("0" if file["box"][0] != "0" else "1") + file["box"][1:]
    with pytest.raises(MutuaError) as caught:
        open_keyfile(json.dumps(file).encode(), "p")
    assert caught.value.code == "wrong_passphrase"


def test_an_empty_passphrase_or_a_short_seed_or_mad_limits_are_refused() -> None:
    for args, code in [
        ((SEED, "", LIGHT), "passphrase_empty"),
        ((b"x", "p", LIGHT), "seed_size"),
        ((SEED, "p", Limits(0, 1)), "keyfile_limits"),
    ]:
        with pytest.raises(MutuaError) as caught:
            seal_keyfile(*args)
        assert caught.value.code == code
