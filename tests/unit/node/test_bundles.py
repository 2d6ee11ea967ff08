"""A bundle collects signatures in a file.

What is taken in, what is refused and why, and the way into a node's ledger.
"""

from __future__ import annotations

import json
import time

import pytest
import trio

from governance.kinds import KINDS
from governance.money.rates import QuoteBody
from governance.money.treasury import ConfirmBody
from governance.state.applications import ApplyBody
from governance.voting.holds import FindingBody
from ledger.codec import encode
from ledger.errors import MutuaError
from ledger.records import ATTESTATION_MAX, Body, sign_record
from ledger.signatures import public_key_of
from node.api.client import submission
from node.daemon import Daemon, Options
from node.own import bundles
from node.own.bundles import (
    add_attestation,
    bundle_from_json,
    bundle_to_json,
    new_bundle,
    read_bundle,
    sign_bundle,
    wanted_of,
    write_bundle,
)
from wallet.keys import KeyRing

CHAIN = b"\x0c" * 32
ANN, BOB, CLEO = (bytes([number]) * 32 for number in (1, 2, 3))
FINDING = {"claim": "ab" * 32, "outcome": "clear", "reason": "the documents agree"}
APPLY = ApplyBody(b"cover", "basic", 1, b"", b"\x07" * 32, 0, b"", b"")


def finding():
    return new_bundle(CHAIN, "audit.finding", FINDING)


def code_of(call):
    with pytest.raises(MutuaError) as caught:
        call()
    assert caught.value.hint
    return caught.value.code


def test_signatures_are_collected_in_a_file_and_each_is_over_this_body(tmp_path):
    path = tmp_path / "finding.json"
    write_bundle(path, finding(), is_new=True)
    for seed in (ANN, BOB, ANN):  # the same one twice is one
        write_bundle(path, add_attestation(read_bundle(path), seed), is_new=False)
    found = read_bundle(path)
    (wanted,) = wanted_of(found)
    assert set(wanted.keys) == {public_key_of(ANN), public_key_of(BOB)}
    assert (wanted.role, len(found.attestations)) == ("finding", 2)
    assert found.body == FindingBody(b"\xab" * 32, "clear", "the documents agree")


def test_an_existing_file_is_not_overwritten_by_a_new_bundle(tmp_path):
    path = tmp_path / "there.json"
    path.write_text("mine")
    assert code_of(lambda: write_bundle(path, finding(), is_new=True)) == "file_exists"
    assert path.read_text() == "mine"


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"mutua_bundle": 2}, "bundle_version"),
        ({"mutua_bundle": None}, "bundle_version"),
        ({"chain_id": "ab"}, "bundle_shape"),
        ({"chain_id": 5}, "bundle_shape"),
        ({"author": "zz"}, "bundle_shape"),
        ({"attestations": {}}, "bundle_shape"),
        ({"attestations": [{}] * (ATTESTATION_MAX + 1)}, "bundle_full"),
        ({"attestations": [{}]}, "body_shape"),
        ({"more": 1}, "bundle_shape"),
        ({"kind": "no.such"}, "kind_unknown"),
        ({"kind": ["audit.finding"]}, "kind_unknown"),
        ({"body": {}}, "body_shape"),
        ({"body": 7}, "body_shape"),
        ({"body": {**FINDING, "reason": "\ud800"}}, "body_shape"),
        ({"body": {**FINDING, "reason": "e\u0301"}}, "bundle_shape"),
        ({"kind": "rate.quote", "body": {"rate": 2**64}, "attestations": []}, "body_shape"),
        ({"kind": "rate.quote", "body": {"rate": -1}, "attestations": []}, "body_shape"),
        ({"record": "zz"}, "bundle_record"),
        ({"record": 5}, "bundle_record"),
        ({"record": "c0"}, "bundle_record"),
    ],
)
def test_a_file_that_is_no_bundle_says_what_is_wrong(change, code):
    assert code_of(lambda: bundle_from_json({**bundle_to_json(finding()), **change})) == code


def test_what_is_no_object_or_no_json_or_too_large_is_refused(tmp_path):
    path = tmp_path / "file.json"
    for text, code in (
        ("[]", "bundle_shape"),
        ("{", "bundle_shape"),
        ("[" * 100_000, "bundle_shape"),
        ("{}", "bundle_shape"),
        (" " * 300_000, "bundle_size"),
    ):
        path.write_text(text)
        assert code_of(lambda: read_bundle(path)) == code
    assert code_of(lambda: read_bundle(tmp_path / "absent")) == "file_unreadable"


def test_a_signature_over_another_body_another_chain_or_another_role_is_refused():
    signed = bundle_to_json(add_attestation(finding(), ANN))
    assert code_of(lambda: bundle_from_json({**signed, "body": {**FINDING, "outcome": "fraud"}})) == "bundle_subject"
    assert code_of(lambda: bundle_from_json({**signed, "chain_id": "dd" * 32})) == "bundle_signature"
    assert code_of(lambda: add_attestation(finding(), ANN, "batch")) == "bundle_role"
    assert code_of(lambda: add_attestation(new_bundle(CHAIN, "rate.quote", QuoteBody(5)), ANN)) == "bundle_role"
    other = {**signed["attestations"][0], "key": public_key_of(BOB).hex()}
    assert code_of(lambda: bundle_from_json({**signed, "attestations": [other]})) == "bundle_signature"


def test_an_enrolment_is_for_one_author_and_another_cannot_use_it():
    assert (
        code_of(lambda: add_attestation(new_bundle(CHAIN, "member.apply", APPLY), BOB, "enrolment")) == "bundle_author"
    )
    mine = add_attestation(new_bundle(CHAIN, "member.apply", APPLY, public_key_of(ANN)), BOB, "enrolment")
    stolen = {**bundle_to_json(mine), "author": public_key_of(CLEO).hex()}
    assert code_of(lambda: bundle_from_json(stolen)) == "bundle_subject"
    assert code_of(lambda: sign_bundle(mine, CLEO, salt=bytes(16), number=1, valid_until_height=9)) == "bundle_author"


def test_a_whole_record_travels_and_says_what_the_bundle_shows():
    mine = add_attestation(new_bundle(CHAIN, "member.apply", APPLY, public_key_of(ANN)), BOB, "enrolment")
    signed = sign_bundle(mine, ANN, salt=bytes(16), number=1, valid_until_height=9)
    shown = bundle_to_json(signed)
    assert bundle_from_json(json.loads(json.dumps(shown))) == signed
    assert code_of(lambda: add_attestation(signed, CLEO, "enrolment")) == "bundle_signed"
    assert code_of(lambda: bundle_from_json({**shown, "attestations": []})) == "bundle_record"
    forged = sign_record(
        CLEO,
        chain_id=CHAIN,
        kind="member.apply",
        author=public_key_of(ANN),
        number=1,
        valid_until_height=9,
        body=Body(bytes(16), encode(APPLY)),
        attestations=mine.attestations,
    )
    broken = encode(forged)[:-1] + bytes([encode(forged)[-1]])
    assert (
        bundle_from_json({**shown, "record": broken.hex()}).record == forged
    )  # whether Cleo may sign for Ann is for the rules
    bad = bytearray(encode(forged))
    bad[bad.index(forged.record.signature) + 5] ^= 1
    assert code_of(lambda: bundle_from_json({**shown, "record": bytes(bad).hex()})) == "bundle_record"


def test_a_bundle_is_full_with_as_many_signatures_as_a_record_carries():
    bundle = new_bundle(CHAIN, "treasury.confirm", ConfirmBody(bytes(32), 1, 1))
    for number in range(ATTESTATION_MAX):
        bundle = add_attestation(bundle, bytes([number + 1]) * 32)
    assert code_of(lambda: add_attestation(bundle, b"\xff" * 32)) == "bundle_full"


def test_every_declared_subject_is_a_hash_that_the_body_decides():
    declared = [(kind, item) for kind in KINDS.values() for item in kind.attested]
    assert len(declared) >= 6
    assert [kind.name for kind, item in declared if not item.who or not item.role.isascii()] == []
    assert bundles.subject_of(finding(), KINDS["audit.finding"].attested[0]) != bundles.subject_of(
        new_bundle(CHAIN, "audit.finding", {**FINDING, "reason": "another"}), KINDS["audit.finding"].attested[0]
    )


# ---- The way into a node ---------------------------------------------------------------


@pytest.fixture
async def node(tmp_path, make_folder, make_charter, nursery):
    folder = make_folder(tmp_path / "data", 0, make_charter(founders=1, genesis_ms=int(time.time() * 1000) + 3_600_000))
    made = Daemon(folder, KeyRing.from_seed(b"\x01" * 32), Options(listen="/ip4/127.0.0.1/tcp/0"))
    await nursery.start(made.run)
    yield made
    made.stop()
    with trio.move_on_after(2):
        while (folder / "api.sock").exists():
            await trio.sleep(0.01)


def quote_of(node, *, seed=None, rate=6_000_000, until=20, author=None):
    seed = seed or node.keys.identity_seed
    return sign_record(
        seed,
        chain_id=node.chain.chain_id,
        kind="rate.quote",
        author=author or public_key_of(seed),
        number=1,
        valid_until_height=until,
        body=Body(bytes(16), encode(QuoteBody(rate))),
    )


async def refused(call):
    with pytest.raises(MutuaError) as caught:
        await call
    return caught.value.code


async def test_a_record_signed_elsewhere_is_durable_before_the_answer_and_taken_once(node):
    signed = quote_of(node)
    first = await node.api.actions.accept(encode(signed))
    assert (first.state, len(node.mempool)) == ("pending", 1)
    assert node.mempool_store.get(b"p/" + bytes.fromhex(first.record_id)) is not None
    assert await node.api.actions.accept(encode(signed)) == first
    assert len(node.mempool) == 1


async def test_a_record_signed_elsewhere_is_checked_like_any_other(node):
    stranger = quote_of(node, seed=BOB)
    unsigned = quote_of(node)
    broken = bytearray(encode(unsigned))
    broken[broken.index(unsigned.record.signature) + 5] ^= 1
    assert await refused(node.api.actions.accept(encode(stranger))) == "not_a_member"
    assert await refused(node.api.actions.accept(bytes(broken))) == "record_signature"
    assert (
        await refused(node.api.actions.accept(encode(quote_of(node, seed=BOB, author=node.keys.identity_key))))
        == "signer_unknown"
    )
    assert await refused(node.api.actions.accept(encode(quote_of(node, until=0)))) == "record_expired"
    assert await refused(node.api.actions.accept(encode(quote_of(node, rate=0)))) == "rate_range"
    assert await refused(node.api.actions.accept(b"\xc0")) in {"malformed", "not_canonical"}
    assert len(node.mempool) == 0


async def test_checking_keeps_nothing_and_each_record_is_behind_those_before_it(node):
    plan = {"plan": "basic", "contract_terms": 1}
    topic = {"topic": "A1"}
    asked = [
        ("rate.quote", {"rate": 5}),
        ("rate.quote", {"rate": 0}),
        ("plan.change", plan),
        ("vote.undelegate", topic),
        ("no.such", {}),
        ("rate.quote", {}),
    ]
    asked = [submission(kind, body) for kind, body in asked]
    refusals = await node.api.actions.check(asked)
    assert [(item.index, item.code) for item in refusals] == [
        (1, "rate_range"),
        (3, "no_delegation"),
        (4, "kind_unknown"),
        (5, "body_shape"),
    ]
    assert refusals == await node.api.actions.check(asked)
    assert len(node.mempool) == 0
    assert (await node.api.actions.submit("rate.quote", {"rate": 5})).state == "pending"
    assert [signed.record.number for _, signed in node.mempool] == [1]
