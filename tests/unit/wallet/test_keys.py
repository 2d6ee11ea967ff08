from hashlib import sha256

import pytest
from coincurve import PrivateKey

from ledger.errors import MutuaError
from wallet.keys import ONION_LAYERS, KeyRing, Onion, new_seed


def test_one_seed_gives_the_same_keys_for_ever() -> None:
    ring = KeyRing.from_seed(bytes(range(32)))
    assert ring == KeyRing.from_seed(bytes(range(32)))
    assert ring.identity_key.hex() == "3e2ddea74d3ec63065907cbd6395165e2c7589b023917b55596b3eedb0171f48"
    assert ring.bitcoin_key.hex() == "03df6899e748341a76de10d83a0b01c0b94bf452d8e918dc3bc49689d6ad082c2f"
    assert ring.onion.tip.hex() == "1afef6e09959af8a5edfb74a3565b70bd8057083f21ce36f97897f6337a99f31"


def test_the_kinds_of_keys_never_mix() -> None:
    ring = KeyRing.from_seed(new_seed())
    keys = [ring.identity_key, ring.device_key, ring.cover_key, ring.consensus_key, ring.transport_key]
    seeds = [ring.identity_seed, ring.device_seed, ring.cover_seed, ring.consensus_seed, ring.transport_seed]
    assert len(set(keys)) == 5
    assert len({*seeds, ring.bitcoin_root_seed, ring.onion_secret}) == 7


def test_the_treasury_key_belongs_to_its_secret() -> None:
    ring = KeyRing.from_seed(new_seed())
    assert len(ring.bitcoin_key) == 33
    assert PrivateKey(ring.bitcoin_secret).public_key.format() == ring.bitcoin_key


def test_a_key_ring_prints_no_secret() -> None:
    ring = KeyRing.from_seed(new_seed())
    assert ring.identity_seed.hex() not in repr(ring)
    assert repr(ring.identity_seed) not in repr(ring)
    assert repr(ring.onion_secret) not in repr(ring.onion)


def test_each_reveal_is_the_preimage_of_the_one_before() -> None:
    onion = KeyRing.from_seed(bytes(32)).onion
    value = onion.tip
    for gone in range(ONION_LAYERS):
        reveal = onion.reveal(gone)
        assert sha256(reveal).digest() == value
        value = reveal
    assert value == KeyRing.from_seed(bytes(32)).onion_secret


def test_an_onion_whose_layers_are_no_multiple_of_the_checkpoints_opens_too() -> None:
    onion = Onion.from_secret(bytes(32), 100)
    value = onion.tip
    for gone in range(100):
        assert sha256(onion.reveal(gone)).digest() == value
        value = onion.reveal(gone)


@pytest.mark.parametrize("gone", [-1, ONION_LAYERS])
def test_a_used_up_onion_says_so(gone: int) -> None:
    with pytest.raises(MutuaError) as caught:
        KeyRing.from_seed(bytes(32)).onion.reveal(gone)
    assert caught.value.code == "onion_used_up"


def test_a_seed_of_another_size_is_refused() -> None:
    with pytest.raises(MutuaError) as caught:
        KeyRing.from_seed(bytes(31))
    assert caught.value.code == "seed_size"
