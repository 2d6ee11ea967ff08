"""A large block's signatures are verified by other processes, and the answer is the same as without them."""

from __future__ import annotations

import io
import os
import signal
import subprocess
import sys

import msgspec
import pytest

from ledger.records import Body, attest, seals_of, sign_record, signed_bytes_of
from node.execution import verifier as module
from node.execution.verifier import Verifier, serve

SEED, CHAIN = bytes(range(32)), b"c" * 32


def record_of(number: int):
    attestations = (attest(SEED, CHAIN, "provider", b"s" * 32),) if number % 7 == 0 else ()
    signed = sign_record(
        SEED,
        chain_id=CHAIN,
        kind="k",
        author=b"a" * 32,
        number=number,
        valid_until_height=9,
        body=Body(bytes(16), b""),
        attestations=attestations,
    )
    return signed.record, signed_bytes_of(signed.record)


@pytest.fixture(scope="module")
def records():
    return [record_of(number) for number in range(400)]


@pytest.fixture
def verifier(monkeypatch):
    monkeypatch.setattr(module, "RECORDS_MIN", 100)
    monkeypatch.setattr(module, "PART", 16)
    made = Verifier(1)
    yield made
    made.close()


def forged(item):
    record, _ = item
    other = msgspec.structs.replace(record, number=record.number + 1)
    return other, signed_bytes_of(other)


def are_signed(verifier, records, work=lambda: None) -> bool:
    with verifier.checking(records) as ask:
        work()
        return ask()


def test_good_records_verify_while_work_is_done(records, verifier) -> None:
    assert are_signed(verifier, records)
    assert are_signed(verifier, records)


@pytest.mark.parametrize("index", [0, 15, 200, 399])
def test_one_bad_signature_is_found_wherever_it_stands(records, verifier, index) -> None:
    bad = [*records[:index], forged(records[index]), *records[index + 1 :]]
    assert not are_signed(verifier, bad)
    assert are_signed(verifier, records)


@pytest.mark.parametrize("index", [0, 50, 98])
def test_few_records_are_verified_without_workers(records, verifier, index) -> None:
    few = records[:99]
    assert are_signed(verifier, few)
    assert not are_signed(verifier, [*few[:index], forged(few[index]), *few[index + 1 :]])
    assert not verifier._workers


def test_what_is_left_undone_waits_for_nobody(records, verifier) -> None:
    with pytest.raises(ValueError, match="refused"), verifier.checking(records):
        raise ValueError("refused")
    assert not verifier._waiting
    assert are_signed(verifier, records)


def test_a_worker_that_is_killed_costs_time_only(records, verifier) -> None:
    verifier.start()
    worker = verifier._workers[0]
    worker.kill()
    worker.wait()
    assert are_signed(verifier, records)
    bad = [*records[:-1], forged(records[-1])]
    assert not are_signed(verifier, bad), "a new worker, or none, judges alike"


def test_a_worker_killed_while_it_works_leaves_nothing_unverified(records, verifier) -> None:
    verifier.start()
    pid = verifier._workers[0].pid
    bad = [forged(records[0]), *records[1:]]
    assert not are_signed(verifier, bad, lambda: os.kill(pid, signal.SIGKILL))


def test_closing_leaves_no_process(records, verifier) -> None:
    are_signed(verifier, records)
    worker = verifier._workers[0]
    verifier.close()
    assert worker.poll() is not None


def test_a_worker_ends_with_its_input() -> None:
    worker = subprocess.Popen(
        [sys.executable, "-m", "node.execution.verifier"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    out, _ = worker.communicate(b"", timeout=60)
    assert (worker.returncode, out) == (0, b"")


def test_a_worker_answers_each_frame_in_order(records) -> None:
    source, target = io.BytesIO(), io.BytesIO()
    for part in (records[:3], [forged(records[3])], records[4:6]):
        module._write_frame(source, [seal for item in part for seal in seals_of(*item)])
    source.seek(0)
    serve(source, target)
    assert target.getvalue() == b"\1\0\1"


def test_what_is_submitted_ahead_is_finished_in_any_order(records, verifier) -> None:
    verifier.start()
    bad = [*records[:50], forged(records[50]), *records[51:100]]
    batches = [verifier.submit([seal for item in part for seal in seals_of(*item)]) for part in (records, bad, records)]
    assert [verifier.finish(batches[index]) for index in (1, 2, 0)] == [False, True, True]


def test_a_signature_of_another_size_never_verifies(records, verifier) -> None:
    record, signed = records[0]
    for signature in (b"", record.signature[:-1], record.signature + b"\0"):
        other = msgspec.structs.replace(record, signature=signature)
        assert not are_signed(verifier, [(other, signed)])
