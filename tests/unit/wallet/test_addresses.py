import pytest
from embit.networks import NETWORKS
from embit.script import p2wpkh

from ledger.errors import MalformedBytes, MutuaError
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
