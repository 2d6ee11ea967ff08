"""One daemon in this process: what it accepts, what ends it, and what it leaves behind."""

from __future__ import annotations

import shutil
import time

import pytest
import trio

from governance.money.rates import QuoteBody
from ledger.errors import MutuaError, RuleBroken
from node.daemon import Daemon, Options
from node.faults import cause_of
from node.paths import DataFolder
from node.startup import check_chain, check_port, load_charter, lock_folder
from wallet.keys import KeyRing


@pytest.fixture
def folder(tmp_path, make_folder, make_charter):
    return make_folder(tmp_path / "data", 0, make_charter(founders=1, genesis_ms=int(time.time() * 1000) + 3_600_000))


@pytest.fixture
def ring():
    return KeyRing.from_seed(b"\x01" * 32)


@pytest.fixture
async def node(folder, ring, nursery):
    made = Daemon(folder, ring, Options(listen="/ip4/127.0.0.1/tcp/0"))
    await nursery.start(made.run)
    yield made
    made.stop()
    with trio.move_on_after(2):
        while (folder / "api.sock").exists():
            await trio.sleep(0.01)


async def test_what_is_accepted_is_on_the_disk_and_waits(node):
    record_id = await node.submit("rate.quote", QuoteBody(6_000_000))
    assert record_id in node.mempool
    assert node.mempool_store.get(b"p/" + record_id) is not None


async def test_a_record_is_checked_behind_what_waits_already(node):
    first = node.record_signer.sign("rate.quote", QuoteBody(6_000_000))
    await node.intake.accept_signed(first)
    await node.submit("rate.quote", QuoteBody(6_000_001))
    (again,) = await node.intake._accept([first], (), node.intake._take_all)
    assert again.error.code == "number_used"
    assert len(node.mempool) == 2


async def test_many_records_at_once_get_numbers_of_their_own(node):
    async with trio.open_nursery() as nursery:
        for rate in range(20):
            nursery.start_soon(node.submit, "rate.quote", QuoteBody(6_000_000 + rate))
    assert sorted(signed.record.number for _, signed in node.mempool) == list(range(1, 21))


async def test_a_record_that_the_rules_refuse_is_not_kept(node):
    with pytest.raises(RuleBroken):
        await node.submit("rate.quote", QuoteBody(0))
    assert len(node.mempool) == 0


async def test_a_full_disk_ends_the_daemon_with_that_error_and_nothing_is_acknowledged(folder, ring):
    made = Daemon(folder, ring, Options(listen="/ip4/127.0.0.1/tcp/0"))

    def full(_batch):
        raise MutuaError("disk_full", "the disk is full", "make room and start the node again")

    with trio.fail_after(5), pytest.raises(BaseException) as ended:
        async with trio.open_nursery() as nursery:
            await nursery.start(made.run)
            made.mempool_store.write = full
            with pytest.raises(MutuaError):
                await made.submit("rate.quote", QuoteBody(6_000_000))
            await trio.sleep_forever()
    assert cause_of(ended.value).code == "disk_full"
    assert len(made.mempool) == 0
    assert not (folder / "api.sock").exists()


async def test_a_daemon_ends_within_two_seconds(folder, ring):
    made = Daemon(folder, ring, Options(listen="/ip4/127.0.0.1/tcp/0"))
    async with trio.open_nursery() as nursery:
        await nursery.start(made.run)
        started = trio.current_time()
        made.stop()
    assert trio.current_time() - started < 2
    assert not (folder / "api.sock").exists()


async def test_the_records_of_a_stopped_daemon_wait_for_its_next_start(folder, ring):
    ids = []
    for _ in range(2):
        made = Daemon(folder, ring, Options(listen="/ip4/127.0.0.1/tcp/0"))
        async with trio.open_nursery() as nursery:
            await nursery.start(made.run)
            ids.append(await made.submit("rate.quote", QuoteBody(6_000_000)))
            waiting = set(made.mempool.ids())
            made.stop()
    assert waiting == set(ids)
    assert len(waiting) == 2


def test_the_folder_belongs_to_one_daemon(folder):
    held = lock_folder(folder)
    with pytest.raises(MutuaError) as taken:
        lock_folder(folder)
    assert taken.value.code == "folder_in_use"
    held.close()
    lock_folder(folder).close()


def test_a_copied_folder_knows_its_origin_also_after_a_daemon_ran_in_it(folder, tmp_path):
    lock_folder(folder).close()
    copy = tmp_path / "copy"
    shutil.copytree(folder, copy)
    for is_run in (False, True, True):
        if is_run:
            lock_folder(copy).close()
        assert DataFolder(copy).original() == ("" if is_run else str(folder.resolve()))
        assert DataFolder(copy).origin() == str(folder.resolve())
        advice = DataFolder(copy).advice_on_twin()
        assert f"a copy of {folder.resolve()}: stop it here, mutua stop --data-dir {copy}" in advice
    assert DataFolder(folder).origin() == ""
    assert str(folder) in DataFolder(folder).advice_on_twin()


def test_a_port_in_use_and_a_wrong_address_are_told_apart():
    import socket

    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        with pytest.raises(MutuaError) as used:
            check_port(f"/ip4/127.0.0.1/tcp/{other.getsockname()[1]}")
    with pytest.raises(MutuaError) as wrong:
        check_port("/ip4/192.0.2.1/tcp/4001")
    with pytest.raises(MutuaError) as malformed:
        check_port("127.0.0.1:4001")
    assert [error.value.code for error in (used, wrong, malformed)] == [
        "port_in_use",
        "address_unusable",
        "address_malformed",
    ]


def test_a_folder_with_another_chains_charter_is_refused_before_a_byte_changes(folder, ring, make_charter, make_folder):
    first = Daemon(folder, ring, Options(listen="/ip4/127.0.0.1/tcp/0"))
    first.chain.store.close()
    first.mempool_store.close()
    first.votes.close()
    make_folder(folder, 0, make_charter(founders=1, name="Elsewhere"))
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    with pytest.raises(MutuaError) as other:
        check_chain(folder, load_charter(folder))
    with pytest.raises(MutuaError):
        Daemon(folder, ring, Options(listen="/ip4/127.0.0.1/tcp/0"))
    assert other.value.code == "other_chain"
    assert {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == before
