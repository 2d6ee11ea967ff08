"""`mutua member`: who applies, applying from a file that travels, vouching, objecting, leaving."""

from __future__ import annotations

import json

import pytest

from ledger.records import Attestation
from ledger.signatures import public_key_of
from node.own.bundles import read_bundle

APPLICANT = "77" * 32
SEED, OTHER = b"\x31" * 32, b"\x32" * 32
NULLIFIER = "0c" * 32
APPLY = (
    "member",
    "apply",
    "--plan",
    "basic",
    "--nullifier",
    NULLIFIER,
    "--deposit-commitment",
    "dc" * 32,
    "--identity",
    public_key_of(SEED).hex(),
    "--cover",
    "5c" * 32,
)


@pytest.fixture
def on(call, node, tmp_path):
    return lambda *arguments: call(*arguments, "--data-dir", tmp_path)


def test_the_list_of_applications_says_what_each_lacks(on) -> None:
    text = on("member", "applications").out
    assert "777777777777" in text
    assert "1 of 3" in text
    assert "500.00 USD" in text


def test_the_parties_are_told_with_who_stands_in_for_them(on) -> None:
    text = on("member", "attesters").out
    assert "Town registry" in text
    assert "an application needs 2 attesters; while fewer are listed the signers stand in" in text
    assert "2 of 3 signers" in text


def test_a_member_is_shown_with_missed_duties(on) -> None:
    assert "duties     1 missed in twelve terms" in on("member", "show").out


def test_an_application_is_drafted_attested_signed_and_submitted_by_a_member(on, node, tmp_path) -> None:
    path, seed = tmp_path / "apply.json", tmp_path / "seed"
    assert on(*APPLY[:2], path, *APPLY[2:]).code == 0
    body = read_bundle(path).body
    assert (body.plan, body.deposit_cents, body.nullifier.hex()) == ("basic", 50_000, NULLIFIER)
    seed.write_text(OTHER.hex())
    told = on("bundle", "show", path).out
    assert f"mutua bundle attest {path} --role deposit" in told
    assert f"mutua bundle sign {path} --until BLOCK" in told
    assert on("member", "attest-enrolment", "--yes", path, "--seed-file", seed).code == 0
    assert on("bundle", "attest", "--yes", path, "--role", "deposit", "--seed-file", seed).code == 0
    assert {item.role for item in read_bundle(path).attestations} == {"enrolment", "deposit"}
    seed.write_text(SEED.hex())
    assert on("bundle", "sign", path, "--until", 90, "--seed-file", seed).code == 0
    asked = on("bundle", "show", path, "--check")  # the node would ask the rules for its own member, who has a contract
    assert asked.code == 2
    assert "the node asks the rules for its own member" in asked.err
    assert on("bundle", "submit", "--yes", path).code == 0
    assert all(isinstance(item, Attestation) for item in read_bundle(path).attestations)


def test_a_deposit_of_another_sum_is_read_as_money(on, tmp_path) -> None:
    path = tmp_path / "apply.json"
    assert on(*APPLY[:2], path, *APPLY[2:], "--deposit", "612.50").code == 0
    assert read_bundle(path).body.deposit_cents == 61_250


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (("--plan", "gold"), "not_found"),
        (("--nullifier", "0c"), "id"),
        (("--deposit", "1.005"), "amount"),
        (("--cover", "5c"), "id"),
    ],
)
def test_an_application_with_an_error_writes_no_file(on, tmp_path, change, code) -> None:
    path = tmp_path / "apply.json"
    at = APPLY.index(change[0]) if change[0] in APPLY else None
    arguments = [*APPLY[2:], *change] if at is None else [*APPLY[2:at], *change, *APPLY[at + 2 :]]
    refused = on("member", "apply", path, *arguments, "--json")
    assert refused.code != 0
    assert json.loads(refused.err)["error"]["code"] == code
    assert not path.exists()


def test_only_an_application_is_attested_as_an_enrolment(on, tmp_path) -> None:
    path, seed = tmp_path / "withdraw.json", tmp_path / "seed"
    assert on("member", "withdraw", path, "--identity", public_key_of(SEED).hex()).code == 0
    assert read_bundle(path).kind == "member.withdraw"
    seed.write_text(OTHER.hex())
    refused = on("member", "attest-enrolment", "--yes", path, "--seed-file", seed)
    assert refused.code != 0
    assert "is not an application but member.withdraw" in refused.err


@pytest.mark.parametrize(
    ("arguments", "kind", "body"),
    [
        (("vouch", "777777"), "member.vouch", {"applicant": APPLICANT}),
        (
            ("object", "777777", "nobody has met them"),
            "member.object",
            {"applicant": APPLICANT, "reason": "nobody has met them"},
        ),
        (("leave",), "member.leave", {}),
    ],
)
def test_what_members_send_about_members(on, node, arguments, kind, body) -> None:
    answer = on("member", *arguments, "--json", "--yes")
    assert answer.code == 0, answer.err
    assert json.loads(answer.out)["state"] == "pending"
    sent_kind, sent = node.submitted[-1]
    assert (sent_kind, {name: sent[name] for name in body}) == (kind, body)


def test_a_person_reads_what_follows_before_leaving_and_may_say_no(on, node, monkeypatch) -> None:
    monkeypatch.setattr("node.cli.common.is_live", lambda: True)
    monkeypatch.setattr("builtins.input", lambda _: "n")
    text = on("member", "leave").out
    assert "cover and membership end with term 2, block 90, if it is final in this term" in text
    assert node.submitted == []


def test_nobody_vouches_for_who_has_not_applied(on, node) -> None:
    refused = on("member", "vouch", "12" * 32)
    assert refused.code != 0
    assert "has not applied" in refused.err
    assert node.submitted == []


def test_an_objection_needs_a_reason(on, node) -> None:
    assert on("member", "object", "777777", " ").code == 2
    assert node.submitted == []
