"""`mutua bundle`: draft, sign with a seed and with a folder's key, show, and submit in both ways."""

from __future__ import annotations

import json

import pytest

from ledger.records import decode_signed_record
from ledger.signatures import public_key_of
from wallet.keyfile import LIGHT, seal_keyfile
from wallet.keys import KeyRing

CHAIN = "aa" * 32
MEMBER = "11" * 32
FINDING = {"claim": "ab" * 32, "outcome": "clear", "reason": "the documents agree"}


@pytest.fixture
def on(call, node, tmp_path):
    return lambda *arguments: call(*arguments, "--data-dir", tmp_path)


@pytest.fixture
def seed_file(tmp_path):
    path = tmp_path / "seed"
    path.write_text("07" * 32 + "\n")
    return path


@pytest.fixture
def draft(on, tmp_path):
    def make(kind="audit.finding", body=None, *more):
        fields = tmp_path / "body.json"
        fields.write_text(json.dumps(body or FINDING))
        out = tmp_path / "bundle.json"
        done = on("bundle", "new", out, "--kind", kind, "--body", fields, *more)
        assert done.code == 0, done.err
        return out

    return make


def test_a_bundle_is_signed_without_a_node_and_submitted_with_its_signatures(on, call, node, draft, seed_file):
    file = draft()
    done = call("bundle", "attest", "--yes", file, "--seed-file", seed_file)
    assert done.code == 0, done.err
    assert "role finding: a majority of the drawn panel; signed by 1" in done.out
    assert on("bundle", "submit", "--yes", file).code == 0
    kind, body = node.submitted[-1]
    (attestation,) = body.pop("attestations")
    assert (kind, body, attestation["key"]) == ("audit.finding", FINDING, public_key_of(b"\x07" * 32).hex())


def test_the_own_key_of_a_folder_signs_and_it_is_the_one_that_counts(call, draft, tmp_path):
    (tmp_path / "keys.json").write_bytes(seal_keyfile(b"\x05" * 32, "word", LIGHT))
    (tmp_path / "passphrase").write_text("word\n")
    ring = KeyRing.from_seed(b"\x05" * 32)
    own = ("--data-dir", tmp_path, "--passphrase-file", tmp_path / "passphrase", "--json")
    finding = json.loads(call("bundle", "attest", "--yes", draft(), *own).out)
    (tmp_path / "bundle.json").unlink()
    deposit = json.loads(
        call(
            "bundle",
            "attest",
            "--yes",
            draft("premium.paid", {"member": MEMBER, "amount_cents": 50_000, "commitment": "cc" * 32}),
            *own,
        ).out
    )
    assert finding["wanted"][0]["keys"] == [ring.identity_key.hex()]
    assert deposit["wanted"][0]["keys"] == [ring.device_key.hex()]


def test_what_stands_in_a_bundle_is_shown_and_the_rules_are_asked_where_wanted(on, call, node, draft):
    file = draft()
    plain = call("bundle", "show", file)
    assert "outcome              clear" in plain.out
    assert "author    whoever submits it" in plain.out
    node.refusals = [
        {
            "index": 0,
            "code": "attestations_missing",
            "what": "0 of 11 are there",
            "hint": "collect the missing ones",
            "family": "rule",
        }
    ]
    asked = on("bundle", "show", file, "--check")
    assert "the rules refuse it now: 0 of 11 are there; collect the missing ones" in asked.out
    node.refusals = []
    assert "the rules would accept it now" in on("bundle", "show", file, "--check").out
    assert json.loads(on("bundle", "show", file, "--check", "--json").out)["refusals"] == []


def test_a_whole_record_is_signed_by_its_author_and_handed_in(on, call, node, draft, seed_file):
    author = public_key_of(b"\x07" * 32).hex()
    file = draft("rate.quote", {"rate": 5}, "--author", author)
    refused = on("bundle", "submit", "--yes", file)
    assert refused.code == 2
    assert "let the author sign it" in refused.err
    assert call("bundle", "sign", file, "--seed-file", seed_file, "--until", 60).code == 0
    done = on("bundle", "submit", "--yes", file)
    assert done.code == 0, done.err
    record = decode_signed_record(node.accepted[-1], bytes.fromhex(CHAIN)).record
    assert (record.author.hex(), record.number, record.valid_until_height) == (author, 1, 60)
    assert node.submitted == []


def test_a_bundle_of_another_chain_or_an_edited_one_goes_nowhere(on, node, draft, seed_file):
    file = draft()
    on("bundle", "attest", "--yes", file, "--seed-file", seed_file)
    value = json.loads(file.read_text())
    file.write_text(json.dumps({**value, "attestations": [], "chain_id": "bb" * 32}))
    other = on("bundle", "submit", "--yes", file)
    file.write_text(json.dumps({**value, "body": {**FINDING, "outcome": "fraud"}}))
    edited = on("bundle", "submit", "--yes", file, "--json")
    assert (other.code, edited.code) == (2, 2)
    assert "is for chain bbbbbbbbbbbb" in other.err
    assert json.loads(edited.err)["error"]["code"] == "bundle_subject"
    assert node.submitted == node.accepted == []


def test_a_person_reads_it_before_signing_and_may_say_no(monkeypatch, call, draft, seed_file, capsys):
    file = draft()
    before = file.read_bytes()
    monkeypatch.setattr("node.cli.common.is_live", lambda: True)
    monkeypatch.setattr("builtins.input", lambda question: "n")
    done = call("bundle", "attest", file, "--seed-file", seed_file)
    assert "the documents agree" in done.out
    assert "nothing was signed" in done.out
    assert file.read_bytes() == before


def test_errors_of_a_bundle_are_one_line(on, tmp_path, draft, seed_file):
    file = draft()
    wrong = [
        on("bundle", "show", tmp_path / "absent"),
        on("bundle", "attest", "--yes", file, "--role", "batch", "--seed-file", seed_file),
        on("bundle", "attest", "--yes", file, "--seed-file", file),
        on("bundle", "attest", "--yes", file, "--seed-file", seed_file, "--key", "device"),
        on("bundle", "attest", "--yes", file, "--key", "onion"),
        on("bundle", "new", file, "--kind", "audit.finding", "--body", tmp_path / "body.json"),
        on("bundle", "new", tmp_path / "x", "--kind", "no.such", "--body", tmp_path / "body.json"),
        on("bundle", "new", tmp_path / "x", "--kind", "audit.finding", "--body", seed_file),
        on("bundle", "sign", file, "--seed-file", seed_file, "--until", 0),
    ]
    assert [item.err.count("\n") for item in wrong] == [1] * len(wrong)
    assert all(item.code in (2, 5) for item in wrong)
