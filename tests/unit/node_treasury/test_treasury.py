"""Seven signers in memory over a real regtest engine.

A ledger that checks what governance checks, a network that loses messages.
"""

import random
import subprocess
import sys
import tempfile
from collections import Counter, deque
from dataclasses import replace
from itertools import combinations
from pathlib import Path

import msgspec
import pytest
import trio

pytest.importorskip("pbk")

from ledger.codec import decode, encode
from ledger.errors import LedgerCorrupt, MutuaError
from ledger.records import attestation_message
from ledger.signatures import is_signed
from node.sandbox.regtest.client import OutputStatus, RegtestClient, TxStatus
from node.sandbox.regtest.engine import Engine
from node.treasury.job import TreasuryJob
from node.treasury.journal import Journal
from node.treasury.messages import (
    Attested,
    BatchBody,
    ConfirmBody,
    Partial,
    Propose,
    batch_subject,
    confirm_subject,
    decode_message,
    encode_message,
)
from node.treasury.plan import DuePayout, OpenBatch, Policy, choose, is_anonymity_set_reached, payable_of, plan_outputs
from node.treasury.protocols import SignerSecrets
from node.treasury.view import Signer
from wallet.addresses import account_of, claim_programs, script_of
from wallet.keys import KeyRing
from wallet.seal import SealedBlob, commitment_of, new_key, seal_addresses
from wallet.transactions import Outpoint, Treasury

RINGS = [KeyRing.from_seed(bytes([number]) * 32) for number in range(1, 8)]
SIGNERS = [Signer(ring.device_key, ring.bitcoin_key) for ring in RINGS]
TREASURY = Treasury.of(5, [signer.bitcoin_key for signer in SIGNERS])
CHAIN = b"c" * 32
FUNDS = 10**9
PAYEE = KeyRing.from_seed(bytes(32))


class Crash(Exception):
    """The power went off."""


class Ledger:
    """What governance knows of the treasury."""

    def __init__(self, baton: Outpoint) -> None:
        self.height, self.baton = 1, baton
        self.due: dict[bytes, DuePayout] = {}
        self.open: list[OpenBatch] = []
        self.waiting: list[tuple] = []
        self.paid: Counter[bytes] = Counter()
        self.credit: Counter[bytes] = Counter()
        self.batches: list[BatchBody] = []
        self.confirmed: list[ConfirmBody] = []

    def block(self) -> None:
        self.height += 1
        waiting, self.waiting = self.waiting, []
        for kind, body, attestations in waiting:
            if kind == "treasury.batch":
                self._batch(decode(BatchBody, body), attestations)
            else:
                self._confirm(decode(ConfirmBody, body), attestations)

    def _has_quorum(self, role: str, subject: bytes, attestations) -> bool:
        keys = {item.key for item in attestations}
        known = {signer.device_key for signer in SIGNERS}
        signed = all(
            is_signed(a.key, a.signature, "attestation", CHAIN, attestation_message(role, subject))
            and a.subject_hash == subject
            for a in attestations
        )
        return len(keys) == len(attestations) == 5 and keys <= known and signed

    def _batch(self, body: BatchBody, attestations) -> None:
        assert self._has_quorum("batch", batch_subject(body), attestations)
        if (body.baton_txid, body.baton_vout) != (self.baton.txid, self.baton.vout):
            return  # refused: a second coordinator submitted the same batch
        assert body.fee_sat + body.change_sat + sum(row.paid_sat for row in body.payouts) == self.baton.amount_sat
        before = tuple(self.due[row.payout_id] for row in body.payouts)
        self.baton = Outpoint(body.unsigned_txid, 0, body.change_sat)
        self.open.append(OpenBatch(body, before))
        self.batches.append(body)
        for row, payout in zip(body.payouts, before, strict=True):
            assert row.paid_sat + row.queued_sat + row.credit_sat == payout.amount_sat
            self.paid[row.payout_id] += row.paid_sat
            self.credit[row.payout_id] += row.credit_sat
            del self.due[row.payout_id]
            if row.queued_sat:
                self.due[row.payout_id] = replace(
                    payout, amount_sat=row.queued_sat, first_output=payout.first_output + row.outputs
                )

    def _confirm(self, body: ConfirmBody, attestations) -> None:
        assert self._has_quorum("confirm", confirm_subject(body), attestations)
        if any(item.body.unsigned_txid == body.unsigned_txid for item in self.open):
            self.open = [item for item in self.open if item.body.unsigned_txid != body.unsigned_txid]
            self.confirmed.append(body)


class Fuse:
    """Counts effects, and crashes at one of them."""

    def __init__(self) -> None:
        self.count, self.at = 0, None

    def burn(self) -> None:
        self.count += 1
        if self.count == self.at:
            raise Crash


class Bitcoin:
    """The engine, in process, as the backend of one signer."""

    def __init__(self, engine: Engine, fuse: Fuse) -> None:
        self.engine, self.fuse = engine, fuse

    async def height(self) -> int:
        return self.engine.height

    async def send_raw(self, raw: bytes) -> bytes:
        self.fuse.burn()
        txid = self.engine.send_raw(raw)
        self.fuse.burn()
        return txid

    async def find_tx(self, txid: bytes):
        found = self.engine.find_tx(txid)
        return None if found is None else TxStatus(found["confirmations"], found["height"])

    async def find_output(self, txid: bytes, vout: int):
        found = self.engine.find_output(txid, vout)
        return found and OutputStatus(
            found["amount_sat"],
            bytes.fromhex(found["script"]),
            found["confirmations"],
            found["spent_by"] and bytes.fromhex(found["spent_by"]),
        )


class Host:
    signers, threshold, network = SIGNERS, 5, "regtest"

    def __init__(self, world: "World", index: int) -> None:
        self.world, self.signer_index, self.fuse = world, index, Fuse()
        self.policy = Policy(fee_sat_per_vb=2)
        self.events: list[tuple[str, dict]] = []
        self.hidden_blobs: set[bytes] = set()

    def height(self) -> int:
        return self.world.ledger.height

    def outpoint(self):
        return self.world.ledger.baton

    async def payouts_due(self):
        return list(self.world.ledger.due.values())

    async def open_batches(self):
        return list(self.world.ledger.open)

    def blob(self, commitment: bytes):
        return None if commitment in self.hidden_blobs else self.world.blobs.get(commitment)

    async def send(self, signer_index: int, data: bytes) -> None:
        self.fuse.burn()
        push = self.world.queue.appendleft if self.signer_index in self.world.liars else self.world.queue.append
        push((self.signer_index, signer_index, self.world.twist(self.signer_index, data)))
        self.fuse.burn()

    async def broadcast(self, data: bytes) -> None:
        for index in range(len(SIGNERS)):
            if index != self.signer_index:
                await self.send(index, data)

    async def submit(self, kind: str, body: bytes, attestations) -> None:
        self.fuse.burn()
        self.world.ledger.waiting.append((kind, body, attestations))
        self.fuse.burn()

    def event(self, name: str, **fields) -> None:
        self.fuse.burn()
        self.events.append((name, fields))


class World:
    def __init__(self, folder: Path, engine: Engine | None = None) -> None:
        self.folder, self.engine = folder, engine or Engine(folder / "bitcoin")
        txid, vout = self.engine.fund(TREASURY.script_pubkey, FUNDS)
        self.first_baton = txid
        self.ledger = Ledger(Outpoint(txid, vout, FUNDS))
        self.blobs: dict[bytes, bytes] = {}
        self.programs: dict[bytes, tuple[bytes, ...]] = {}
        self.queue: deque = deque()
        self.down: set[int] = set()
        self.liars: set[int] = set()
        self.hosts = [Host(self, index) for index in range(7)]
        self.jobs = [self.start(index) for index in range(7)]

    def start(self, index: int) -> TreasuryJob:
        host = self.hosts[index]
        secrets = SignerSecrets(RINGS[index].device_seed, RINGS[index].bitcoin_secret, CHAIN)
        job = TreasuryJob(host, Bitcoin(self.engine, host.fuse), secrets, self.folder / f"journal{index}")
        promise = job.paying.journal.promise

        def burning(*arguments) -> None:
            host.fuse.burn()
            promise(*arguments)
            host.fuse.burn()

        job.paying.journal.promise = burning
        return job

    def twist(self, sender: int, data: bytes) -> bytes:
        message = decode_message(data)
        if sender in self.liars and isinstance(message, Partial):
            return encode_message(
                Partial(message.unsigned_txid, (random.Random(self.ledger.height).randbytes(71) + b"\x01",))
            )
        return data

    def owe(self, number: int, amount_sat: int, due_height: int | None = None, programs=None, **more) -> bytes:
        payout_id = b"payout" + number.to_bytes(26, "big")
        programs = programs or claim_programs(PAYEE.bitcoin_root, account_of(payout_id + self.first_baton), count=12)
        blob = more.pop("blob", None) or seal_addresses(programs, new_key([signer.device_key for signer in SIGNERS]))
        self.blobs[commitment_of(blob)] = blob
        self.programs[payout_id] = programs
        height = self.ledger.height if due_height is None else due_height
        self.ledger.due[payout_id] = DuePayout(payout_id, commitment_of(blob), amount_sat, height, **more)
        return payout_id

    async def blocks(self, count: int, *, mine: bool = True) -> None:
        for _ in range(count):
            self.ledger.block()
            for index in range(7):
                await self.guarded(index, self.jobs[index].step)
            while self.queue:
                sender, receiver, data = self.queue.popleft()
                await self.guarded(receiver, self.jobs[receiver].handle, sender, data)
            if mine:
                self.engine.mine(1)

    async def guarded(self, index: int, work, *arguments) -> None:
        if index in self.down:
            return
        try:
            await work(*arguments)
        except MutuaError as error:
            self.hosts[index].events.append(("failed", {"code": error.code}))
        except Crash:
            self.hosts[index].fuse.at = None
            self.jobs[index] = self.start(index)

    def received(self, payout_id: bytes) -> list[int]:
        scripts = {script_of(program) for program in self.programs[payout_id]}
        found = [item for item in self.engine._outputs.values() if item.out.script in scripts]
        assert all(item.height is not None for item in found)
        return sorted((item.out.amount_sat for item in found), reverse=True)

    def check_all_paid_once(self) -> None:
        assert not self.ledger.due and not self.ledger.open
        for payout_id in self.programs:
            assert sum(self.received(payout_id)) == self.ledger.paid[payout_id]
        assert self.engine.find_output(self.ledger.baton.txid, 0)["amount_sat"] == self.ledger.baton.amount_sat


@pytest.fixture
def world(tmp_path):
    made = World(tmp_path)
    yield made
    made.engine.close()


def owe_eight(world: World) -> None:
    for number in range(8):
        world.owe(number, 100_000 + 12_345 * number)


async def test_seven_signers_pay_eight_payees_and_confirm(world) -> None:
    owe_eight(world)
    await world.blocks(4)
    world.check_all_paid_once()
    assert len(world.ledger.batches) == len(world.ledger.confirmed) == 1
    body, confirmed = world.ledger.batches[0], world.ledger.confirmed[0]
    assert (
        confirmed.unsigned_txid == body.unsigned_txid
        and world.engine.find_tx(body.unsigned_txid)["height"] == confirmed.block_height
    )
    for payout_id in world.programs:
        assert len(world.received(payout_id)) >= 4
    assert sum(world.ledger.credit.values()) + sum(world.ledger.paid.values()) == sum(
        100_000 + 12_345 * n for n in range(8)
    )
    assert body.fee_sat + body.change_sat + sum(row.paid_sat for row in body.payouts) == FUNDS


@pytest.mark.parametrize("down", list(combinations(range(7), 2)))
async def test_any_two_signers_may_be_down(world, down) -> None:
    world.down = set(down)
    owe_eight(world)
    await world.blocks(10)
    world.check_all_paid_once()


async def test_three_down_pay_nothing_and_are_waited_for(world) -> None:
    world.down = {0, 3, 6}
    owe_eight(world)
    await world.blocks(16)
    assert not world.ledger.batches
    world.down = {3, 6}
    await world.blocks(16)
    world.check_all_paid_once()


async def test_three_go_down_after_the_batch_is_on_the_ledger_and_it_is_paid_when_one_is_back(world) -> None:
    owe_eight(world)
    await world.blocks(1)
    world.down = {1, 2, 4}
    await world.blocks(5)
    assert len(world.ledger.batches) == 1 and world.engine.find_tx(world.ledger.batches[0].unsigned_txid) is None
    world.down = {2, 4}
    await world.blocks(12)
    world.check_all_paid_once()


@pytest.mark.parametrize("liar", range(7))
async def test_garbage_partials_are_counted_and_change_nothing(world, liar) -> None:
    world.liars, world.down = {liar}, {(liar + 3) % 7}
    owe_eight(world)
    await world.blocks(10)
    world.check_all_paid_once()
    assert sum(job.refused[liar] for job in world.jobs) > 0
    assert all(set(job.refused) <= {liar} for job in world.jobs)


async def test_batches_chain_and_each_spends_the_change_of_the_one_before(world) -> None:
    for round_number in range(3):
        for number in range(8):
            world.owe(100 * round_number + number, 90_000 + number)
        await world.blocks(5)
    world.check_all_paid_once()
    first, second, third = world.ledger.batches
    assert (second.baton_txid, third.baton_txid) == (first.unsigned_txid, second.unsigned_txid)


async def test_few_payees_wait_seven_blocks_and_now_means_now(world) -> None:
    for number in range(3):
        world.owe(number, 90_000)
    await world.blocks(6)
    assert not world.ledger.batches
    await world.blocks(5)
    world.check_all_paid_once()
    world.owe(9, 80_000, is_urgent=True)
    await world.blocks(4)
    world.check_all_paid_once()


async def test_small_payouts_ride_along_as_credit_and_make_no_crowd(world) -> None:
    for number in range(10):
        world.owe(number, 39_999)
    await world.blocks(12)
    assert not world.ledger.batches
    paid = world.owe(50, 100_001)
    await world.blocks(12)
    world.check_all_paid_once()
    assert sum(world.ledger.credit.values()) == 10 * 39_999 + 1 and sum(world.received(paid)) == 100_000


async def test_a_list_that_is_garbage_or_repeats_an_address_holds_up_nobody_else(world) -> None:
    owe_eight(world)
    first = next(iter(world.programs))
    twin = world.owe(20, 70_000, programs=world.programs[first])
    bad = world.owe(21, 70_000, blob=b"garbage")
    await world.blocks(5)
    assert set(world.ledger.due) == {twin, bad} and not world.ledger.open
    await world.blocks(12)
    assert set(world.ledger.due) == {bad}  # the twin is paid in the next batch, to addresses its owner has used before


async def test_a_signer_whose_entry_is_broken_or_whose_blob_never_came_gets_the_list_from_others(world) -> None:
    owe_eight(world)
    programs = claim_programs(PAYEE.bitcoin_root, 99)
    value = decode(SealedBlob, seal_addresses(programs, new_key([signer.device_key for signer in SIGNERS])))
    keys = tuple(
        (
            msgspec.structs.replace(item, sealed=bytes(80))
            if item.device_key in {SIGNERS[1].device_key, SIGNERS[2].device_key}
            else item
        )
        for item in value.keys
    )
    world.owe(30, 70_000, programs=programs, blob=encode(msgspec.structs.replace(value, keys=keys)))
    world.hosts[3].hidden_blobs = set(world.blobs)
    world.hosts[4].hidden_blobs = set(world.blobs)
    world.down = {0, 6}  # all others are needed
    await world.blocks(2)
    for index in range(1, 6):
        world.jobs[index] = world.start(index)  # what was told in the proposal is forgotten
    await world.blocks(16)
    world.check_all_paid_once()


async def test_everyone_crashing_at_any_step_neither_loses_nor_doubles_a_payment() -> None:
    with tempfile.TemporaryDirectory() as folder:
        engine = Engine(Path(folder) / "bitcoin")
        for at in range(1, 60, 3):
            world = World(Path(tempfile.mkdtemp(dir=folder)), engine)
            owe_eight(world)
            for index, host in enumerate(world.hosts):
                host.fuse.at = at + index % 3
            await world.blocks(9)
            world.check_all_paid_once()
            assert len(world.ledger.batches) == 1
        assert all(host.fuse.at is not None for host in world.hosts)  # there is no later step to crash at
        engine.close()


async def test_random_crashes_losses_and_outages_end_in_every_payment_made_once() -> None:
    with tempfile.TemporaryDirectory() as folder:
        engine = Engine(Path(folder) / "bitcoin")
        for seed in range(4):
            rng = random.Random(seed)
            world = World(Path(tempfile.mkdtemp(dir=folder)), engine)
            for block in range(24):
                for number in range(rng.randrange(3)):
                    world.owe(10 * block + number, rng.randrange(20_000, 5_000_000))
                world.down = set(rng.sample(range(7), rng.randrange(4)))
                for host in world.hosts:
                    host.fuse.at = host.fuse.count + rng.randrange(1, 90) if rng.random() < 0.4 else None
                await world.blocks(1, mine=rng.random() < 0.6)
            world.down = set()
            await world.blocks(24)
            rest = set(world.ledger.due)
            assert all(world.ledger.due[item].amount_sat < 40_000 for item in rest) and not world.ledger.open
            for item in rest:
                del world.ledger.due[item], world.programs[item]
            world.check_all_paid_once()
            assert len(world.ledger.batches) > 1
        engine.close()


async def test_a_ledger_that_shows_a_second_batch_for_one_baton_gets_no_signature(world) -> None:
    owe_eight(world)
    await world.blocks(1)
    world.ledger.block()
    opened = world.ledger.open[0]
    await world.jobs[0].step()
    assert (
        Journal(world.folder / "journal0").find(opened.body.baton_txid, opened.body.baton_vout)
        == opened.body.unsigned_txid
    )
    other = await trio.to_thread.run_sync(lambda: _other_batch(world, opened))
    world.ledger.open = [other]
    world.jobs[0] = world.start(0)
    world.queue.clear()
    with pytest.raises(MutuaError) as caught:
        await world.jobs[0].step()
    assert caught.value.code == "baton_promised"
    assert not any(isinstance(decode_message(data), Partial) for _, _, data in world.queue)


def _other_batch(world: World, opened: OpenBatch) -> OpenBatch:
    from node.treasury.plan import build_plan

    programs = {payout.commitment: world.programs[payout.payout_id] for payout in opened.payouts}
    baton = Outpoint(opened.body.baton_txid, opened.body.baton_vout, FUNDS)
    plan = build_plan(
        TREASURY, baton, opened.payouts[:7], programs, Policy(fee_sat_per_vb=2), locktime=opened.body.locktime
    )
    return OpenBatch(plan.body, opened.payouts[:7])


async def test_a_batch_on_the_ledger_that_a_signer_would_not_build_gets_no_signature(world) -> None:
    owe_eight(world)
    await world.blocks(1)
    world.ledger.block()
    opened = world.ledger.open[0]
    for change in (
        {"fee_sat": opened.body.fee_sat + 1},
        {"change_sat": opened.body.change_sat - 1},
        {"unsigned_txid": bytes(32)},
        {"locktime": 0},
    ):
        world.ledger.open = [OpenBatch(msgspec.structs.replace(opened.body, **change), opened.payouts)]
        with pytest.raises(MutuaError) as caught:
            await world.jobs[2].step()
        assert caught.value.code == "batch_differs"
    assert not (world.folder / "journal2").exists()


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"outpoint_txid": bytes(32)}, "proposal_baton"),
        ({"outpoint_vout": 5}, "proposal_baton"),
        ({"payout_ids": (bytes(32),)}, "proposal_payouts"),
        ({"locktime": 9999}, "proposal_locktime"),
        ({"payout_ids": "one"}, "proposal_crowd"),
        ({"payout_ids": "twice"}, "proposal_payouts"),
        ({"payout_ids": ()}, "proposal_crowd"),
        ({"opened": "bad"}, "blob_key"),
    ],
)
async def test_a_proposal_against_the_rules_is_not_attested(world, change, code) -> None:
    owe_eight(world)
    world.ledger.height = 2  # signer 1 coordinates
    world.hosts[2].hidden_blobs = set(world.blobs)
    await world.jobs[1].step()
    proposals = [decode_message(data) for _, to, data in world.queue if to == 2]
    proposal = next(item for item in proposals if isinstance(item, Propose))
    if change.get("payout_ids") == "one":
        change = {"payout_ids": proposal.payout_ids[:1]}
    elif change.get("payout_ids") == "twice":
        change = {"payout_ids": proposal.payout_ids[:1] * 8}
    elif change.get("opened") == "bad":
        change = {"opened": tuple(msgspec.structs.replace(item, key=bytes(32)) for item in proposal.opened)}
    world.queue.clear()
    await world.jobs[2].handle(1, encode_message(msgspec.structs.replace(proposal, **change)))
    assert [fields["code"] for name, fields in world.hosts[2].events if name == "treasury_proposal_refused"] == [code]
    assert not world.queue
    await world.jobs[2].handle(1, encode_message(proposal))
    assert any(isinstance(decode_message(data), Attested) for _, _, data in world.queue)


async def test_a_proposer_that_tells_everyone_something_else_cannot_stop_the_next_one(world) -> None:
    owe_eight(world)
    world.ledger.height = 2
    await world.jobs[1].step()
    proposal = next(decode_message(data) for _, _, data in world.queue if isinstance(decode_message(data), Propose))
    world.queue.clear()
    for index in (0, 2, 3, 4, 5, 6):
        for locktime in range(20):
            await world.jobs[index].handle(
                1, encode_message(msgspec.structs.replace(proposal, locktime=20 * index + locktime))
            )
    world.queue.clear()
    world.down = {1}
    await world.blocks(8)
    world.check_all_paid_once()


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x00",
        b"\x09abc",
        b"\x01\xff",
        b"\x03" + b"\x90",
        b"\x04" + encode(Partial(b"x", ())),
        b"\x01" * 1_000_000,
    ],
)
async def test_malformed_messages_are_counted(world, data) -> None:
    await world.jobs[0].handle(3, data)
    assert world.jobs[0].refused[3] == 1
    await world.jobs[0].handle(99, data)


def test_the_journal_keeps_its_promise_over_restarts_and_torn_lines(tmp_path) -> None:
    path = tmp_path / "journal"
    journal = Journal(path)
    journal.promise(b"b" * 32, 0, b"t" * 32)
    journal.promise(b"b" * 32, 0, b"t" * 32)
    with path.open("ab") as file:
        file.write(b'{"baton_txid": "61')
    for _ in range(2):
        again = Journal(path)
        with pytest.raises(MutuaError) as caught:
            again.promise(b"b" * 32, 0, b"u" * 32)
        assert caught.value.code == "baton_promised"
        again.promise(b"b" * 32, 1, b"u" * 32)
    assert Journal(path).find(b"b" * 32, 1) == b"u" * 32 and Journal(path).find(b"x" * 32, 0) is None
    assert path.read_bytes().count(b"\n") == 2


@pytest.mark.parametrize(
    "damage",
    [
        b"nonsense\n",
        b"{}\n",
        b"[]\n",
        (
            b'{"baton_txid":"62","baton_vout":0,"unsigned_txid":"00"}\n'
            b'{"baton_txid":"62","baton_vout":0,"unsigned_txid":"01"}\n'
        ),
    ],
)
def test_a_damaged_journal_stops_the_signer(tmp_path, damage) -> None:
    (tmp_path / "journal").write_bytes(damage)
    with pytest.raises(LedgerCorrupt):
        Journal(tmp_path / "journal")


@pytest.mark.parametrize("damage", ["cut", "a line less", "zeros", "flipped", "gone", "first line gone"])
def test_a_promise_that_was_on_the_disk_is_not_forgotten_in_silence(tmp_path, damage) -> None:
    path = tmp_path / "journal"
    journal = Journal(path)
    for number in range(3):
        journal.promise(b"b" * 32, number, bytes([number]) * 32)
    data = path.read_bytes()
    lines = data.splitlines(keepends=True)
    damaged = {
        "cut": data[:-1],
        "a line less": b"".join(lines[:-1]),
        "zeros": data[:-40].ljust(len(data), b"\0"),
        "flipped": data.replace(b"02" * 32, b"02" * 31 + b"03"),
        "gone": b"",
        "first line gone": b"".join(lines[1:]) + lines[0],
    }[damage]
    path.write_bytes(damaged)
    if damage == "gone":
        path.unlink()
    with pytest.raises(LedgerCorrupt, match="the journal of promises .* is damaged") as caught:
        Journal(path)
    assert "never put an old copy in its place" in caught.value.hint
    assert not path.exists() or path.read_bytes() == damaged, "evidence is left as it is"


def test_the_lines_of_a_journal_check_those_before_them(tmp_path) -> None:
    path = tmp_path / "journal"
    Journal(path).promise(b"b" * 32, 0, b"t" * 32)
    Journal(path).promise(b"b" * 32, 1, b"u" * 32)
    again = Journal(path)
    assert (again.find(b"b" * 32, 0), again.find(b"b" * 32, 1)) == (b"t" * 32, b"u" * 32)
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(lines[1] + lines[0])
    with pytest.raises(LedgerCorrupt, match="was changed"):
        Journal(path)


def test_a_full_disk_promises_nothing_and_leaves_no_half_line(tmp_path, monkeypatch) -> None:
    journal = Journal(tmp_path / "journal")
    journal.promise(b"a" * 32, 0, b"t" * 32)
    before = (tmp_path / "journal").read_bytes()

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OSError, match="No space"):
        journal.promise(b"b" * 32, 0, b"t" * 32)
    assert journal.find(b"b" * 32, 0) is None and (tmp_path / "journal").read_bytes() == before


def test_the_crowd_rule_at_its_edges() -> None:
    policy = Policy(fee_sat_per_vb=1)
    programs = {bytes([n]): tuple(bytes([n, i]) * 10 for i in range(32)) for n in range(9)}
    due = [DuePayout(bytes([n]), bytes([n]), 90_000, 10) for n in range(9)]
    assert (
        is_anonymity_set_reached(due[:8], 10, policy)
        and not is_anonymity_set_reached(due[:7], 16, policy)
        and is_anonymity_set_reached(due[:7], 17, policy)
        and not is_anonymity_set_reached([], 99, policy)
    )
    assert is_anonymity_set_reached([replace(due[0], is_urgent=True)], 10, policy)
    assert [item.payout_id for item in choose(due[::-1], programs, 10, policy)] == [bytes([n]) for n in range(9)]
    assert choose(due, {}, 99, policy) == []


def test_payouts_of_one_claim_take_its_list_in_turn_and_a_used_up_list_starts_again() -> None:
    policy = Policy(fee_sat_per_vb=1)
    programs = {b"c": tuple(bytes([i]) * 20 for i in range(12))}
    due = [DuePayout(bytes([n]), b"c", 180_000, 10, first_output=2) for n in range(4)]
    allotted = plan_outputs(due[:2][::-1], programs, policy)
    assert allotted[b"\x00"].programs == programs[b"c"][2:6] and allotted[b"\x01"].programs == programs[b"c"][6:10]
    assert (
        plan_outputs(due[:3], programs, policy)[b"\x02"].programs == programs[b"c"][:4]
    )  # 10 of 12 are used: too few are left
    assert [item.payout_id for item in payable_of(due, programs, policy)] == [
        b"\x00",
        b"\x01",
    ]  # the third would pay an address twice
    used_up = [replace(due[0], first_output=12)]
    assert plan_outputs(used_up, programs, policy)[b"\x00"].programs == programs[b"c"][:4]


async def test_end_to_end_with_a_regtest_process_and_running_jobs() -> None:
    with tempfile.TemporaryDirectory(prefix="mt") as folder:
        path = Path(folder)
        command = [
            sys.executable,
            "-m",
            "node.sandbox.regtest",
            "--dir",
            path / "d",
            "--socket",
            path / "s",
            "--mine-every-ms",
            "200",
        ]
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL)  # noqa: ASYNC220
        try:
            client = RegtestClient(path / "s")
            await client.wait_ready()
            world = World(path)
            world.engine.close()
            txid, vout = await client.fund(TREASURY.script_pubkey, FUNDS)
            world.ledger.baton = Outpoint(txid, vout, FUNDS)
            owe_eight(world)
            for index, job in enumerate(world.jobs):
                job.context.bitcoin = RegtestClient(path / "s")
                assert index == world.hosts[index].signer_index
            with trio.fail_after(30):
                async with trio.open_nursery() as nursery:
                    for job in world.jobs[:5]:
                        nursery.start_soon(job.run)
                    while not world.ledger.confirmed:
                        await trio.sleep(0.3)
                        world.ledger.block()
                        for job in world.jobs[:5]:
                            job.wake()
                        for _ in range(20):
                            while world.queue:
                                sender, receiver, data = world.queue.popleft()
                                world.jobs[receiver].receive(sender, data)
                            await trio.sleep(0.01)
                    nursery.cancel_scope.cancel()
            body = world.ledger.batches[0]
            status = await client.find_tx(body.unsigned_txid)
            assert status.confirmations >= 1 and status.height == world.ledger.confirmed[0].block_height
            change = await client.find_output(body.unsigned_txid, 0)
            assert change.script == TREASURY.script_pubkey and change.amount_sat == body.change_sat
        finally:
            process.terminate()
            process.wait(10)


async def test_a_job_tells_why_its_last_pass_failed_until_one_goes_well(world) -> None:
    job, faults = world.jobs[0], [MutuaError("bitcoin_down", "no engine answers", "start it")]

    async def due() -> list[object]:
        if faults:
            raise faults.pop()
        return []

    assert (job.has_worked, job.last_error) == (False, None)
    job._host.payouts_due = due
    with pytest.raises(MutuaError):
        await job._pass()
    assert (job.has_worked, job.last_error) == (False, "no engine answers; start it")
    await job._pass()
    assert (job.has_worked, job.last_error) == (True, None)
