import json
import signal
import subprocess
import sys
import tempfile
from contextlib import contextmanager
from pathlib import Path

import pytest
import trio

pytest.importorskip("pbk")

from ledger.errors import MalformedBytes, MutuaError
from node.sandbox.regtest.client import RegtestClient
from node.sandbox.regtest.engine import Engine
from node.sandbox.regtest.server import answer
from node.sandbox.regtest.transactions import TxOut, merkle_root, read_tx, write_tx
from wallet.keys import KeyRing
from wallet.transactions import CHANGE_VOUT, Outpoint, Payment, Treasury, build_batch, combine, sign_all

RINGS = [KeyRing.from_seed(bytes([number]) * 32) for number in range(1, 8)]
TREASURY = Treasury.of(5, [ring.bitcoin_key for ring in RINGS])


def batch_from(txid: bytes, vout: int, amount: int, seed: int = 0, locktime: int = 0):
    return build_batch(
        TREASURY, Outpoint(txid, vout, amount), [Payment(bytes([seed, n]) * 10, 10_000) for n in range(4)], 2, locktime
    )


def signed(batch) -> bytes:
    return combine(batch, {ring.bitcoin_key: sign_all(batch, ring.bitcoin_secret) for ring in RINGS[:5]})


@contextmanager
def engine_process(folder: Path, *more: str):
    process = subprocess.Popen(
        [sys.executable, "-m", "node.sandbox.regtest", "--dir", folder / "d", "--socket", folder / "s", *more],
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert json.loads(process.stdout.readline())["event"] == "regtest_ready"
        yield process
    finally:
        process.terminate()
        process.wait(10)
        process.stdout.close()


@pytest.fixture
def short_path():
    with tempfile.TemporaryDirectory(prefix="mr") as folder:  # Unix socket paths are short
        yield Path(folder)


def test_a_treasury_is_funded_paid_from_and_confirmed(tmp_path) -> None:
    engine = Engine(tmp_path)
    txid, vout = engine.fund(TREASURY.script_pubkey, 10**8)
    assert engine.find_output(txid, vout)["amount_sat"] == 10**8
    batch = batch_from(txid, vout, 10**8, locktime=engine.height)
    assert engine.send_raw(signed(batch)) == batch.txid
    assert engine.find_tx(batch.txid) == {"confirmations": 0, "height": None}
    engine.mine(2)
    assert engine.find_tx(batch.txid) == {"confirmations": 2, "height": engine.height - 1}
    assert engine.find_output(txid, vout)["spent_by"] == batch.txid.hex()
    assert engine.find_output(batch.txid, CHANGE_VOUT)["amount_sat"] == batch.change_sat
    engine.close()


def test_the_same_transaction_again_is_no_error_and_another_spend_of_the_coin_is_refused(tmp_path) -> None:
    engine = Engine(tmp_path)
    coin = engine.fund(TREASURY.script_pubkey, 10**8)
    first, second = batch_from(*coin, 10**8), batch_from(*coin, 10**8, seed=1)
    for _ in range(2):
        engine.send_raw(signed(first))
    for _ in range(2):
        with pytest.raises(MutuaError, match="is spent by") as caught:
            engine.send_raw(signed(second))
        assert caught.value.code == "tx_refused"
        engine.mine(1)
        engine.send_raw(signed(first))
    assert engine.find_tx(second.txid) is None
    engine.close()


def test_each_fault_of_a_transaction_is_refused_with_its_reason(tmp_path) -> None:
    engine = Engine(tmp_path)
    txid, vout = engine.fund(TREASURY.script_pubkey, 10**8)
    raw = bytearray(signed(batch_from(txid, vout, 10**8)))
    raw[-300] ^= 1
    faults = [
        (bytes(raw), "do not satisfy"),
        (write_tx([(b"\x07" * 32, 7)], [TxOut(1, b"\x51")]), "is unknown"),
        (write_tx([(txid, 1), (txid, 1)], [TxOut(1, b"\x51")]), "spends a coin twice"),
        (write_tx([(txid, 1)], [TxOut(51 * 10**8, b"\x51")]), "worth more"),
        (signed(batch_from(txid, vout, 10**8, locktime=engine.height + 1)), "locktime"),
        (signed(batch_from(txid, vout, 10**8 + 1)), "do not satisfy"),
    ]
    for bad, reason in faults:
        with pytest.raises(MutuaError, match=reason):
            engine.send_raw(bad)
    assert engine.info()["mempool"] == 0
    engine.close()


def test_a_young_coinbase_cannot_be_spent(tmp_path) -> None:
    engine = Engine(tmp_path)
    engine.mine(2)
    newest = next(reversed(engine._heights))
    with pytest.raises(MutuaError, match="younger than 100"):
        engine.send_raw(write_tx([(newest, 0)], [TxOut(1, b"\x51")]))
    engine.close()


@pytest.mark.parametrize("raw", [b"", b"\x00" * 10, b"\xff" * 200, bytes.fromhex("02000000") + b"\xfd\x01\x00"])
def test_bytes_that_are_no_transaction_are_named_so(tmp_path, raw: bytes) -> None:
    with pytest.raises(MalformedBytes):
        read_tx(raw)


def test_the_engine_comes_back_with_blocks_and_waiting_transactions_even_with_a_torn_journal_and_no_kernel_folder(
    tmp_path,
) -> None:
    engine = Engine(tmp_path)
    coin = engine.fund(TREASURY.script_pubkey, 10**8)
    batch = batch_from(*coin, 10**8)
    engine.send_raw(signed(batch))
    before = engine.info()
    engine.close()
    with (tmp_path / "journal.log").open("ab") as file:
        file.write(b'{"block": "00')
    engine = Engine(tmp_path)
    assert engine.info() == before
    engine.close()
    subprocess.run(["rm", "-r", tmp_path / "kernel"], check=True)
    engine = Engine(tmp_path)
    assert engine.info() == before
    engine.mine(1)
    assert engine.find_tx(batch.txid)["confirmations"] == 1
    engine.close()


def test_a_transaction_that_no_block_can_carry_does_not_stop_the_chain(tmp_path) -> None:
    engine = Engine(tmp_path)
    txid, vout = engine.fund(TREASURY.script_pubkey, 10**8)
    hog = engine.send_raw(write_tx([(txid, 1)], [TxOut(10**8, b"\xac" * 30_000), TxOut(10**8, b"\x51")]))
    child = engine.send_raw(write_tx([(hog, 1)], [TxOut(10**7, b"\x51")]))
    engine.mine(1)
    batch = batch_from(txid, vout, 10**8)
    engine.send_raw(signed(batch))
    engine.mine(2)
    assert engine.find_tx(batch.txid)["confirmations"] == 2
    assert engine.find_tx(hog)["confirmations"] == engine.find_tx(child)["confirmations"] == 0
    before = engine.info()
    engine.close()
    engine = Engine(tmp_path)
    assert engine.info() == before
    engine.mine(1)
    assert engine.height == before["height"] + 1
    engine.close()


def test_a_relative_lock_is_refused(tmp_path) -> None:
    engine = Engine(tmp_path)
    txid, _ = engine.fund(TREASURY.script_pubkey, 10**8)
    raw = write_tx([(txid, 1)], [TxOut(1, b"\x51")]).replace(b"\xfd\xff\xff\xff", b"\x05\x00\x00\x00")
    with pytest.raises(MutuaError, match="relative lock"):
        engine.send_raw(raw)
    engine.close()


def test_two_engines_never_share_a_folder(tmp_path) -> None:
    engine = Engine(tmp_path)
    with pytest.raises(MutuaError) as caught:
        Engine(tmp_path)
    assert caught.value.code == "regtest_locked"
    engine.close()


def test_funding_more_than_a_hundred_blocks_give_mines_until_it_is_there(tmp_path) -> None:
    engine = Engine(tmp_path)
    txid, vout = engine.fund(TREASURY.script_pubkey, 400 * 10**8)
    assert engine.find_output(txid, vout)["confirmations"] == 1
    with pytest.raises(MutuaError):
        engine.fund(TREASURY.script_pubkey, 10**12 + 1)
    engine.close()


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"[]",
        b"\xff",
        b"[" * 50_000,
        b'{"method":"halt"}',
        b'{"method":"mine","params":[]}',
        b'{"method":"mine","params":{"count":-1}}',
        b'{"method":"mine","params":{"count":9999}}',
        b'{"method":"mine","params":{"count":true}}',
        b'{"method":"get_tx","params":{"txid":"zz"}}',
        b'{"method":"send_raw","params":{"hex":5}}',
    ],
)
def test_a_bad_request_gets_an_error_object(tmp_path, line: bytes) -> None:
    engine = Engine(tmp_path)
    assert set(answer(engine, line)["error"]) == {"code", "what", "hint"}
    assert engine.height == 0
    engine.close()


def test_a_merkle_root_of_one_leaf_is_the_leaf() -> None:
    assert merkle_root([b"x" * 32]) == b"x" * 32


async def test_a_process_survives_restarts_of_clients_and_a_kill_of_itself(short_path) -> None:
    client = RegtestClient(short_path / "s")
    with pytest.raises(MutuaError) as caught:
        await client.info()
    assert caught.value.code == "bitcoin_down"
    with engine_process(short_path) as process:
        await client.wait_ready()
        assert oct((short_path / "s").stat().st_mode)[-3:] == "600"
        txid, vout = await client.fund(Treasury.of(5, [ring.bitcoin_key for ring in RINGS[::-1]]).script_pubkey, 10**8)
        batch = batch_from(txid, vout, 10**8, locktime=await client.height())
        assert await RegtestClient(short_path / "s").send_raw(signed(batch)) == batch.txid
        with pytest.raises(MutuaError) as caught:
            await client.send_raw(signed(batch_from(txid, vout, 10**8, seed=1)))
        assert caught.value.code == "tx_refused"
        process.send_signal(signal.SIGKILL)
        process.wait(10)
    with engine_process(short_path, "--mine-every-ms", "50"):
        with trio.fail_after(10):
            while (await client.find_tx(batch.txid)).confirmations < 2:  # noqa: ASYNC110 - another process mines
                await trio.sleep(0.02)
        spent = await client.find_output(txid, vout)
        assert spent.spent_by == batch.txid and spent.script == TREASURY.script_pubkey
        assert await client.find_tx(bytes(32)) is None and await client.find_output(bytes(32), 0) is None
        assert len(await client.mine(3, b"\x51")) == 3
    assert not (short_path / "s").exists()


def test_a_signal_right_after_the_ready_line_ends_it_cleanly(short_path) -> None:
    with engine_process(short_path) as process:
        process.terminate()
        assert process.wait(10) == 0
    assert not (short_path / "s").exists()


async def test_garbage_and_a_dropped_connection_do_not_stop_the_engine(short_path) -> None:
    with engine_process(short_path):
        for garbage in (b"\x00\xff\n", b"x" * 2_000_000, b'{"method":'):
            stream = await trio.open_unix_socket(str(short_path / "s"))
            try:
                await stream.send_all(garbage)
            except trio.BrokenResourceError:
                pass
            await stream.aclose()
        assert (await RegtestClient(short_path / "s").info())["height"] == 0


def test_a_second_process_on_one_folder_or_one_socket_says_so_in_one_line(short_path) -> None:
    with engine_process(short_path):
        for where, words in [
            ((short_path / "d", short_path / "t"), "another regtest engine"),
            ((short_path / "e", short_path / "s"), "answers on"),
        ]:
            done = subprocess.run(
                [sys.executable, "-m", "node.sandbox.regtest", "--dir", where[0], "--socket", where[1]],
                capture_output=True,
                text=True,
                check=False,
            )
            assert done.returncode == 1 and done.stdout == ""
            assert done.stderr.startswith("mutua: ") and words in done.stderr and done.stderr.count("\n") == 1
    assert (short_path / "d" / "journal.log").exists()
