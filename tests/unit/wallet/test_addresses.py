import pytest
from embit.hashes import hash160
from embit.networks import NETWORKS
from embit.script import p2wpkh
from hypothesis import example, given, settings
from hypothesis import strategies as st

from ledger.errors import MalformedBytes, MutuaError
from wallet import derivation
from wallet.addresses import account_of, account_path, address_of, claim_programs, script_of
from wallet.keys import KeyRing

RING = KeyRing.from_seed(bytes(32))


def test_a_claim_has_thirty_two_fresh_addresses_and_no_two_claims_share_one() -> None:
    first, second = (
        claim_programs(RING.bitcoin_root, account_of(b"a")),
        claim_programs(RING.bitcoin_root, account_of(b"b")),
    )
    assert len(first) == len(second) == 32
    assert len({*first, *second}) == 64
    assert claim_programs(RING.bitcoin_root, account_of(b"a")) == first


def test_an_address_belongs_to_its_secret_and_reads_as_embit_says() -> None:
    from embit.ec import PrivateKey

    program = claim_programs(RING.bitcoin_root, 5)[3]
    secret = RING.bitcoin_root.derive(f"{account_path(5, 'regtest')}/0/3").key.serialize()
    script = p2wpkh(PrivateKey(secret).get_public_key())
    assert script.data == script_of(program)
    assert script.address(NETWORKS["regtest"]) == address_of(program, "regtest")


def test_bip84_of_the_specification() -> None:
    from embit.bip32 import HDKey
    from embit.bip39 import mnemonic_to_seed

    root = HDKey.from_seed(mnemonic_to_seed("abandon " * 11 + "about"))
    programs = claim_programs(root, 0, count=2, network="mainnet")
    assert address_of(programs[0], "mainnet") == "bc1qcr8te4kr609gcawutmrza0j4xv80jy8z306fyu"
    assert address_of(programs[1], "mainnet") == "bc1qnjg0jd8228aq7egyzacy8cys3knf9xvrerkf9g"


@settings(max_examples=15)
@given(st.binary(min_size=16, max_size=64), st.integers(0, 2**31 - 1), st.sampled_from(["mainnet", "regtest"]))
@example(bytes(16), 0, "mainnet")
@example(b"\xff" * 64, 2**31 - 1, "regtest")
def test_the_keys_are_those_of_embit_and_of_bitcoinlib_bit_for_bit(seed, account, network) -> None:
    from embit.bip32 import HDKey

    from wallet.transactions import _bitcoinlib

    _bitcoinlib()
    from bitcoinlib.keys import HDKey as OtherKey

    root, path = HDKey.from_seed(seed), account_path(account, network)
    branch = root.derive(f"{path}/0")
    ours = derivation.ExtendedKey(int.from_bytes(branch.key.serialize(), "big"), branch.chain_code).public_children(32)
    assert ours == [branch.derive([index]).to_public().key.sec() for index in range(32)]
    assert claim_programs(root, account, network=network) == tuple(map(hash160, ours))
    other = OtherKey.from_seed(seed).subkey_for_path(path.replace("h", "'") + "/0")
    assert [other.child_public(index).public_byte for index in (0, 31)] == [ours[0], ours[31]]


def test_bip32_of_the_specification() -> None:
    """Chain m/0H/1 of vector 1: a hardened child and one that is not."""
    from embit.bip32 import HDKey

    root = HDKey.from_seed(bytes(range(16)))
    hardened = derivation.ExtendedKey(int.from_bytes(root.key.serialize(), "big"), root.chain_code).child(2**31)
    assert hardened.child(1).chain.hex() == "2a7857631386ba23dacac34180dd1983734e444fdbf774041578e9b6adb37c19"
    public = "03501e454bf00751f24b1b489aa925215d66af2234e3891c3b21a52bedb3cd711c"
    assert hardened.public_children(2)[1].hex() == public


def test_bip32_has_no_child_where_the_hash_is_not_below_the_order() -> None:
    order = derivation.ORDER.to_bytes(32, "big")
    derivation._check((derivation.ORDER - 1).to_bytes(32, "big") + b"\xff" * 32)
    for digest in (order + bytes(32), b"\xff" * 64):
        with pytest.raises(MutuaError):
            derivation._check(digest)


def test_figures_out_of_range_are_refused() -> None:
    for call, code in [
        (lambda: claim_programs(RING.bitcoin_root, 2**31), "account"),
        (lambda: address_of(b"x", "regtest"), "program_size"),
        (lambda: address_of(bytes(20), "moon"), "network"),
        (lambda: script_of(bytes(32)), "program_size"),
    ]:
        with pytest.raises((MutuaError, MalformedBytes)) as caught:
            call()
        assert caught.value.code == code
