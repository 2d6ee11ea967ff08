"""Many records at once: each signed and checked on its own, all in one write, and no claim twice after whatever end."""

from __future__ import annotations

import errno
import itertools
import time

import msgspec
import pytest
import trio

from governance.filing.claims import ClaimBody, claim_subject_hash
from governance.money.rates import QuoteBody
from ledger.charter import seal, sign_founder
from ledger.codec import decode
from ledger.genesis import CharterCode, CharterProvider
from ledger.records import Attestation, attest
from ledger.signatures import public_key_of
from node.api.bodies import body_from_json, body_to_json
from node.api.views.actions import SubmitRequest
from node.daemon import Daemon, Options
from node.pool import blobs as blobs_module
from node.pool import intake as intake_module
from node.pool import mempool as pool_module
from node.pool.blobs import WAITING_PREFIX
from node.pool.intake import RecordDraft, Refused
from node.pool.mempool import PREFIX
from wallet.keys import KeyRing
from wallet.seal import SealedBlob

PROVIDER = b"p" * 32
FORGED = Attestation("provider", public_key_of(PROVIDER), bytes(32), bytes(64))


@pytest.fixture
def ring():
    return KeyRing.from_seed(b"\x01" * 32)


@pytest.fixture
def folder(tmp_path, make_folder, make_charter, ring):
    """A co-op of one, a signer of payouts, that lists a provider."""
    charter = make_charter(founders=1, genesis_ms=int(time.time() * 1000) + 3_600_000)
    founder = msgspec.structs.replace(charter.founders[0], bitcoin_key=ring.bitcoin_key)
    charter = msgspec.structs.replace(
        charter,
        providers=(CharterProvider(public_key_of(PROVIDER), "clinic"),),
        codes=(CharterCode("s", "A", True, None, None),),
        founders=(sign_founder(ring.identity_seed, founder, charter.name),),
    )
    return make_folder(tmp_path / "data", 0, seal(charter))


@pytest.fixture
async def node(folder, ring, nursery):
    made = Daemon(folder, ring, Options(listen="/ip4/127.0.0.1/tcp/0"))
    await nursery.start(made.run)
    yield made
    made.stop()
    with trio.move_on_after(2):
        while (folder / "api.sock").exists():
            await trio.sleep(0.01)


def claim(node, number: int, source: int | None = None, **fields) -> SubmitRequest:
    """A claim of a line under a code of its own, with its provider's signature."""
    line = {
        "system": "s",
        "code": f"A{number}",
        "modifiers": [],
        "units": 1,
        "charge_cents": 100,
        "first_day": 1,
        "last_day": 1,
    }
    line |= {name: fields.pop(name) for name in list(fields) if name in line}
    body = {
        "scheme": "Riverside",
        "cover_id": node.keys.cover_key.hex(),
        "submitter_role": "member",
        "payee": "member",
        "provider_id": public_key_of(PROVIDER).hex(),
        "event_id": "",
        "use": "claim",
        "supersedes": "",
        "other_payer_cents": 0,
        "source_hash": f"{number if source is None else source:064x}",
        "evidence": [],
        "payout_commitment": "",
        "lines": [line],
        **fields,
    }
    subject = claim_subject_hash(body_from_json(ClaimBody, body))
    signed = body_to_json(attest(PROVIDER, node.chain.chain_id, "provider", subject))
    return SubmitRequest(kind="claim.file", body={**body, "attestations": [signed]})


def writes_of(node, monkeypatch) -> list[dict]:
    written: list[dict] = []
    write = node.mempool_store.write
    monkeypatch.setattr(node.mempool_store, "write", lambda batch: (written.append(dict(batch)), write(batch)))
    return written


async def test_each_record_of_a_batch_is_judged_on_its_own_and_all_are_kept_in_one_write(node, monkeypatch):
    written = writes_of(node, monkeypatch)
    batch = [claim(node, 1), claim(node, 2, payee="nobody"), SubmitRequest(kind="moon.land", body={}), claim(node, 3)]
    answer = await node.api.actions.submit_all(batch)
    assert [record is None for record in answer.records] == [False, True, True, False]
    assert [(item.index, item.code) for item in answer.refusals] == [(1, "claim_shape"), (2, "kind_unknown")]
    kept = [bytes.fromhex(record) for record in answer.records if record]
    assert node.mempool.ids() == kept
    assert [sum(key.startswith(PREFIX) for key in batch) for batch in written] == [2]
    assert sum(key.startswith(WAITING_PREFIX) for key in written[0]) == 2


async def test_a_signature_that_does_not_verify_is_refused_here_as_every_peer_would_refuse_it(node):
    outcomes = await node.intake.submit(
        [RecordDraft("rate.quote", QuoteBody(6_000_000), (FORGED,)), RecordDraft("rate.quote", QuoteBody(6_000_000))]
    )
    assert isinstance(outcomes[0], Refused)
    assert outcomes[0].error.code == "record_signature"
    assert node.mempool.ids() == [outcomes[1]]


async def test_what_finds_no_room_leaves_no_trace_and_can_be_sent_again(node, monkeypatch):
    monkeypatch.setattr(pool_module, "PER_AUTHOR_MAX", 3)
    batch = [claim(node, number) for number in range(5)]
    answer = await node.api.actions.submit_all(batch)
    assert [item.code for item in answer.refusals] == ["mempool_full"] * 2
    monkeypatch.setattr(node.mempool, "room_of", lambda _: 5)  # as when others fill the pool meanwhile
    answer = await node.api.actions.submit_all(batch[3:])
    assert [item.code for item in answer.refusals] == ["mempool_full"] * 2
    assert len(list(node.mempool_store.scan(WAITING_PREFIX))) == len(node.mempool) == 3
    monkeypatch.setattr(pool_module, "PER_AUTHOR_MAX", 9)
    answer = await node.api.actions.submit_all(batch)
    assert [record is None for record in answer.records] == [True, True, True, False, False]
    assert len(list(node.mempool_store.scan(WAITING_PREFIX))) == len(node.mempool) == 5


@pytest.mark.parametrize("place", ["keep", "_with_addresses"])
async def test_what_was_kept_before_the_node_failed_is_told(node, monkeypatch, place):
    monkeypatch.setattr(intake_module, "KEPT_AT_ONCE", 2)
    owner = node.intake if place == "keep" else node.api.actions
    work, calls = getattr(owner, place), itertools.count(1)

    def fail_at(number):
        def failing(*arguments):
            if next(calls) == number:
                raise OSError(errno.EMFILE, "Too many open files")
            return work(*arguments)

        return failing

    batch = [claim(node, number) for number in range(5)]
    monkeypatch.setattr(owner, place, fail_at(2))
    answer = await node.api.actions.submit_all(batch)
    assert [bytes.fromhex(item) for item in answer.records if item] == node.mempool.ids()
    assert [(item.index, item.code, item.family) for item in answer.refusals] == [
        (n, "disk", "node") for n in (2, 3, 4)
    ]
    assert [len(answer.records), len(node.mempool)] == [5, 2]
    calls = itertools.count(2)
    with pytest.raises(OSError, match="Too many"):  # nothing was judged: an error as of one record
        await node.api.actions.submit_all(batch[2:])
    again = await node.api.actions.submit_all(batch)
    assert [item.claim for item in again.refusals] == list(answer.records[:2])
    assert len(node.mempool) == 5


async def test_the_addresses_of_an_own_claim_are_kept_however_many_blobs_others_sent(node, monkeypatch):
    """Only this node has them: without them the claim could never be paid."""
    monkeypatch.setattr(blobs_module, "WAITING_BYTES_MAX", 0)
    answer = await node.api.actions.submit_all([claim(node, 1)])
    (record,) = [node.mempool.get(bytes.fromhex(item)) for item in answer.records]
    (commitment,) = node.ledger.admission.commitments_of(record)
    assert node.blobs.get(commitment) is not None
    node.blobs.add([b"a blob of somebody else"])
    assert len(list(node.mempool_store.scan(WAITING_PREFIX))) == 1


async def test_claims_of_one_patient_share_a_key_and_those_of_another_do_not(node):
    drafts = []
    for number, cover in enumerate([b"a" * 32, b"b" * 32, b"a" * 32]):
        fields = claim(node, number, cover_id=cover.hex()).body
        del fields["attestations"]
        drafts.append(RecordDraft("claim.file", body_from_json(ClaimBody, fields)))
    made = node.api.actions._with_addresses(drafts)
    first, other, second = (decode(SealedBlob, draft.blobs[0]) for draft in made)
    assert (first.key_hash, first.keys) == (second.key_hash, second.keys)
    assert first.key_hash != other.key_hash
    assert first.nonce != second.nonce


async def test_what_stands_is_named_with_its_place_and_what_contradicts_it_is_not(node):
    first = (await node.api.actions.submit_all([claim(node, 1), claim(node, 2)])).records
    again = [
        claim(node, 1),  # the same file again
        claim(node, 2, source=99),  # a display text was added
        claim(node, 2, source=99, system="https://s/"),  # as an older version wrote the system
        claim(node, 2, source=99, charge_cents=120),
        claim(node, 2, source=99, payee="provider"),
        claim(node, 1, lines=[*claim(node, 1).body["lines"], *claim(node, 2).body["lines"]], source=98),
    ]
    found = await node.api.actions.check(again)
    assert [(item.code, item.claim, item.height) for item in found] == [
        ("source_known", first[0], 0),
        ("duplicate_line", first[1], 0),
        ("duplicate_line", first[1], 0),
        ("duplicate_line", "", 0),
        ("duplicate_line", "", 0),
        ("duplicate_line", "", 0),
    ]
    assert first[1][:12] in found[3].what


async def test_after_a_kill_the_node_still_knows_every_claim_that_waits(folder, ring):
    """The store gives them back in any order; what then lay outside the window of numbers was taken a second time."""
    count = 130
    for _ in range(2):
        made = Daemon(folder, ring, Options(listen="/ip4/127.0.0.1/tcp/0"))
        batch = [claim(made, number) for number in range(count)]
        async with trio.open_nursery() as nursery:
            await nursery.start(made.run)
            answer = await made.api.actions.submit_all(batch)
            waiting = len(made.mempool)
            made.stop()
    assert waiting == count
    assert answer.records == (None,) * count
    assert all(item.claim and item.height == 0 for item in answer.refusals)


async def test_numbers_go_on_above_what_waits_whoever_signed_it(node, make_quote):
    (first,) = await node.intake.submit([RecordDraft("rate.quote", QuoteBody(6_000_000))])
    other = make_quote(node.chain.chain_id, node.keys, 40)
    await node.intake.accept_signed(other)
    (second,) = await node.intake.submit([RecordDraft("rate.quote", QuoteBody(6_000_001))])
    numbers = [node.mempool.get(item).record.number for item in (first, second)]
    assert numbers == [1, 41]
    node.mempool.settle(node.mempool.ids(), 1)
    assert node.mempool.highest_number(node.keys.device_key) == 0
