import os
import random
import subprocess
import sys
from hashlib import sha256

import pytest
from embit import script as embit_script
from embit.ec import PublicKey
from embit.finalizer import finalize_psbt
from embit.networks import NETWORKS
from embit.psbt import PSBT
from embit.transaction import SIGHASH, Transaction, TransactionOutput
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger.errors import MutuaError
from wallet.addresses import script_of
from wallet.keys import KeyRing
from wallet.transactions import (
    CHANGE_VOUT,
    Batch,
    Outpoint,
    Payment,
    Treasury,
    build_batch,
    check_partial,
    combine,
    sign_all,
)

RINGS = [KeyRing.from_seed(bytes([number]) * 32) for number in range(1, 16)]
FIVE_OF_SEVEN = Treasury.of(5, [ring.bitcoin_key for ring in RINGS[:7]])
BATON = Outpoint(sha256(b"baton").digest(), 3, 10**9)


def payments(count: int) -> list[Payment]:
    return [
        Payment(sha256(bytes([index % 256, index // 256])).digest()[:20], 10_000 * (1 + index % 5))
        for index in range(count)
    ]


def batch_of(treasury: Treasury = FIVE_OF_SEVEN, count: int = 40) -> Batch:
    return build_batch(treasury, BATON, payments(count), fee_sat_per_vb=3, locktime=120)


def partials_of(batch: Batch, rings: list[KeyRing]) -> dict[bytes, tuple[bytes, ...]]:
    return {ring.bitcoin_key: sign_all(batch, ring.bitcoin_secret) for ring in rings}


def test_the_order_of_payments_and_keys_does_not_matter() -> None:
    shuffled = payments(40)
    random.Random(1).shuffle(shuffled)
    treasury = Treasury.of(5, [ring.bitcoin_key for ring in RINGS[:7]][::-1])
    assert build_batch(treasury, BATON, shuffled, 3, 120).unsigned == batch_of().unsigned


def test_two_processes_with_other_hash_seeds_build_the_same_bytes() -> None:
    code = (
        "import sys; sys.path[:0] = ['.', 'tests/unit/wallet']; import test_transactions as t;"
        " print(t.batch_of().txid.hex())"
    )
    found = {
        subprocess.run(
            [sys.executable, "-c", code],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in "12"
    }
    assert found == {batch_of().txid.hex() + "\n"}


def test_change_is_output_zero_and_the_next_outpoint_and_the_sums_are_exact() -> None:
    batch = batch_of()
    parsed = Transaction.parse(batch.unsigned)
    assert parsed.vout[CHANGE_VOUT].script_pubkey.data == FIVE_OF_SEVEN.script_pubkey
    assert parsed.vout[CHANGE_VOUT].value == batch.change_sat
    assert sum(out.value for out in parsed.vout) + batch.fee_sat == BATON.amount_sat
    rest = [(out.value, out.script_pubkey.data) for out in parsed.vout[1:]]
    assert rest == sorted((item.amount_sat, script_of(item.program)) for item in payments(40))
    assert (parsed.version, parsed.locktime, parsed.vin[0].sequence) == (2, 120, 0xFFFFFFFD)
    assert parsed.txid() == batch.txid
    assert (parsed.vin[0].txid, parsed.vin[0].vout) == (BATON.txid, BATON.vout)


@pytest.mark.parametrize(("m", "n"), [(1, 1), (2, 3), (5, 7), (7, 10), (11, 15), (15, 15)])
def test_embit_agrees_on_script_address_sighash_and_final_bytes(m: int, n: int) -> None:
    treasury = Treasury.of(m, [ring.bitcoin_key for ring in RINGS[:n]])
    batch = batch_of(treasury, 12)
    script = embit_script.Script(treasury.script)
    assert embit_script.multisig(m, sorted(PublicKey.parse(key) for key in treasury.keys)).data == treasury.script
    assert embit_script.p2wsh(script).address(NETWORKS["regtest"]) == treasury.address
    parsed = Transaction.parse(batch.unsigned)
    assert parsed.sighash_segwit(0, script, BATON.amount_sat, SIGHASH.ALL) == batch.sighash
    psbt = PSBT(parsed)
    psbt.inputs[0].witness_utxo = TransactionOutput(BATON.amount_sat, embit_script.p2wsh(script))
    psbt.inputs[0].witness_script = script
    partials = partials_of(batch, RINGS[:n][:m])
    for key, signatures in partials.items():
        psbt.inputs[0].partial_sigs[PublicKey.parse(key)] = signatures[0]
    assert finalize_psbt(psbt).serialize() == combine(batch, partials)


@given(st.sets(st.integers(0, 6), min_size=5), st.integers(1, 300))
@settings(max_examples=15, deadline=None)
def test_any_five_signers_make_a_transaction_the_kernel_accepts_with_the_txid_known_before(
    who: set[int], count: int
) -> None:
    pbk = pytest.importorskip("pbk")
    from pbk.script import PrecomputedTransactionData

    batch = batch_of(count=count)
    raw = combine(batch, partials_of(batch, [RINGS[index] for index in who]))
    made = pbk.Transaction(raw)
    spent = pbk.ScriptPubkey(FIVE_OF_SEVEN.script_pubkey)
    data = PrecomputedTransactionData(made, [pbk.TransactionOutput(spent, BATON.amount_sat)])
    assert spent.verify(BATON.amount_sat, made, data, 0, pbk.ScriptVerificationFlags.ALL)
    assert Transaction.parse(raw).txid() == batch.txid
    vsize = (3 * len(batch.unsigned) + len(raw) + 3) // 4
    assert vsize <= batch.vsize <= vsize + 6
    assert batch.fee_sat == 3 * batch.vsize


def test_a_garbage_partial_is_refused_and_does_not_spoil_the_others() -> None:
    batch = batch_of()
    partials = partials_of(batch, RINGS[:6])
    good = partials[RINGS[0].bitcoin_key][0]
    order = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
    r_size = good[3]
    high_s = order - int.from_bytes(good[6 + r_size : -1], "big")
    body = good[2 : 4 + r_size] + b"\x02\x21\x00" + high_s.to_bytes(32, "big")
    garbage = [
        b"",
        b"\x01",
        good[:-1],
        good[:-1] + b"\x02",
        good[:10] + bytes([good[10] ^ 1]) + good[11:],
        good + b"\x01",
        b"\x30\x06\x02\x01\x00\x02\x01\x00\x01",
        b"\xff" * 72,
        bytes([0x30, len(body)]) + body + b"\x01",
    ]
    for bad in garbage:
        assert not check_partial(batch, RINGS[0].bitcoin_key, (bad,))
        assert combine(batch, {**partials, RINGS[0].bitcoin_key: (bad,)})
    assert check_partial(batch, RINGS[0].bitcoin_key, (good,))
    assert not check_partial(batch, RINGS[0].bitcoin_key, (good, good))
    assert not check_partial(batch, RINGS[1].bitcoin_key, (good,))
    assert not check_partial(batch, RINGS[9].bitcoin_key, sign_all(batch, RINGS[9].bitcoin_secret))
    other = build_batch(FIVE_OF_SEVEN, BATON, payments(40), 3, 121)
    assert not check_partial(other, RINGS[0].bitcoin_key, (good,))


@given(st.binary(max_size=80))
@settings(max_examples=200, deadline=None)
def test_no_random_bytes_are_a_partial(data: bytes) -> None:
    assert not check_partial(BATCH, RINGS[0].bitcoin_key, (data,))


BATCH = batch_of(count=4)


def test_four_of_five_needed_signatures_are_not_enough() -> None:
    batch = batch_of()
    with pytest.raises(MutuaError) as caught:
        combine(batch, partials_of(batch, RINGS[:4]))
    assert caught.value.code == "signatures_missing"


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"payments": []}, "batch_empty"),
        ({"payments": payments(2001)}, "batch_size"),
        ({"payments": [Payment(bytes(20), 329)]}, "batch_payment"),
        ({"payments": [Payment(bytes(20), 10_000)] * 2}, "batch_payment"),
        ({"locktime": 500_000_000}, "batch_locktime"),
        ({"payments": [Payment(bytes(20), 10**9)]}, "treasury_short"),
        ({"fee_sat_per_vb": 10**7}, "treasury_short"),
    ],
)
def test_figures_that_cannot_be_a_batch_are_refused(change: dict, code: str) -> None:
    figures = {
        "treasury": FIVE_OF_SEVEN,
        "outpoint": BATON,
        "payments": payments(4),
        "fee_sat_per_vb": 3,
        "locktime": 1,
        **change,
    }
    with pytest.raises(MutuaError) as caught:
        build_batch(**figures)
    assert caught.value.code == code


def test_a_treasury_needs_different_real_keys_and_at_most_fifteen() -> None:
    keys = [ring.bitcoin_key for ring in RINGS]
    for threshold, some in [
        (0, keys[:3]),
        (4, keys[:3]),
        (1, keys[:1] * 2),
        (2, [*keys[:2], b"\x02" + b"\xff" * 32]),
        (1, [bytes(33)]),
        (1, [keys[0][1:]]),
        (5, [*keys, keys[0]]),
    ]:
        with pytest.raises(MutuaError) as caught:
            Treasury.of(threshold, some)
        assert caught.value.code == "treasury_keys"


def test_bitcoinlib_leaves_no_folder_at_home_and_no_database(tmp_path) -> None:
    code = (
        "import sys; sys.path[:0] = ['.', 'tests/unit/wallet']; import test_transactions as t; t.batch_of().txid;"
        " print('sqlalchemy' in sys.modules)"
    )
    env = {key: value for key, value in os.environ.items() if key != "BCL_DATA_DIR"} | {"HOME": str(tmp_path)}
    done = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, check=True)
    assert done.stdout == "False\n" and done.stderr == ""
    assert not (tmp_path / ".bitcoinlib").exists()


def test_bitcoinlib_keeps_to_a_folder_that_is_named_and_logs_nothing(tmp_path) -> None:
    code = "import sys; sys.path[:0] = ['.', 'tests/unit/wallet']; import test_transactions as t; t.batch_of().txid"
    subprocess.run([sys.executable, "-c", code], env={**os.environ, "BCL_DATA_DIR": str(tmp_path / "lib")}, check=True)
    assert (tmp_path / "lib").is_dir() and not (tmp_path / "lib" / "bitcoinlib.log").exists()
