"""Commands about keys and dependants: what is sent, what is drafted for others to sign, what is asked before."""

from __future__ import annotations

import json

import pytest

MEMBER = "11" * 32
PROVIDER = "33" * 32
DEVICE, GUARDIAN, NEW_KEY, KID = "d0" * 32, "a0" * 32, "e0" * 32, "c0" * 32
FRESH = "f0" * 32

READING = [
    ("keys", "device", "list"),
    ("keys", "guardians", "show"),
    ("keys", "guardians", "show", "111111"),
    ("member", "dependant", "list"),
]
SENDING = [
    (("keys", "device", "revoke", "d0d0d0"), "device.revoke", {"device": DEVICE}),
    (
        ("keys", "guardians", "set", GUARDIAN, FRESH, "--threshold", "2"),
        "guardians.set",
        {"threshold": 2, "keys": [GUARDIAN, FRESH]},
    ),
    (("keys", "guardians", "set"), "guardians.set", {"threshold": 0, "keys": []}),
    (("keys", "object"), "identity.object", {}),
    (("member", "dependant", "add"), "cover.add", {}),
    (("member", "dependant", "end", "c0c0c0"), "cover.end", {"cover": KID}),
]


@pytest.fixture
def on(call, node, tmp_path):
    return lambda *arguments: call(*arguments, "--data-dir", tmp_path)


@pytest.mark.parametrize("arguments", READING, ids=" ".join)
def test_what_is_looked_up_is_lines_and_with_json_one_value(on, arguments):
    plain, machine = on(*arguments), on(*arguments, "--json")
    assert (plain.code, machine.code, plain.err, machine.err) == (0, 0, "", "")
    assert plain.out.strip()
    json.loads(machine.out)


def test_a_move_on_its_way_is_hard_to_overlook(on):
    assert (
        f"MOVE       to {NEW_KEY} at the end of block 47; the old key may object: mutua keys object"
        in on("keys", "guardians", "show").out
    )


@pytest.mark.parametrize(
    ("arguments", "kind", "body"), SENDING, ids=lambda value: " ".join(value) if isinstance(value, tuple) else ""
)
def test_an_action_sends_its_record_and_names_the_receipt(on, node, arguments, kind, body):
    plain = on(*arguments, "--yes")
    assert (plain.code, plain.err) == (0, "")
    assert "it is stored on this node and on its way" in plain.out
    assert json.loads(on(*arguments, "--json", "--yes").out)["record_id"] == "cd" * 32
    assert node.submitted == [(kind, body)] * 2


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("keys", "device", "revoke", DEVICE), "this key can never be certified again"),
        (("keys", "guardians", "set", GUARDIAN, "--threshold", "1"), "any 1 of these 1 may move your identity"),
        (("keys", "guardians", "set"), "nobody can restore your membership"),
        (("keys", "object"), "your identity keeps its key"),
        (("member", "dependant", "add"), "your premium rises by a share"),
        (("member", "dependant", "end", KID), "this key cannot be insured again"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_a_person_reads_what_it_means_and_may_say_no(on, node, monkeypatch, arguments, words):
    monkeypatch.setattr("node.cli.common.is_live", lambda: True)
    monkeypatch.setattr("builtins.input", lambda question: "n")
    refused = on(*arguments)
    assert refused.out.endswith("nothing was sent\n")
    assert words in refused.out
    assert node.submitted == []


@pytest.mark.parametrize(
    ("arguments", "kind", "author", "body"),
    [
        (("keys", "device", "add", FRESH), "device.certify", MEMBER, {"device": FRESH}),
        (
            ("keys", "move", "111111", NEW_KEY),
            "identity.move",
            None,
            {"member": MEMBER, "new_key": NEW_KEY, "serial": 4},
        ),
        (("member", "dependant", "add", "--cover", FRESH, "--out"), "cover.add", MEMBER, {"cover": FRESH}),
    ],
    ids=["device", "move", "cover"],
)
def test_what_others_must_sign_is_drafted_for_them(on, node, tmp_path, arguments, kind, author, body):
    file = tmp_path / "draft.json"
    done = on(*arguments, file)
    assert (done.code, done.err) == (0, "")
    draft = json.loads(file.read_text())
    assert (draft["kind"], draft["author"], draft["body"], draft["attestations"]) == (kind, author, body, [])
    assert f"mutua bundle attest {file}" in done.out
    assert on(*arguments, file).code == 2, "an existing file is never overwritten"
    assert node.submitted == []


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("keys", "device", "add", "f0f0f0", "x.json"), "give all its 64 hex digits"),
        (("keys", "device", "revoke", "abcdef"), "no device begins with abcdef"),
        (("keys", "guardians", "set", "f0f0f0", "--threshold", "1"), "give all its 64 hex digits"),
        (("keys", "move", "999999", NEW_KEY, "x.json"), "no member begins with 999999"),
        (("member", "dependant", "add", "--cover", FRESH), "--cover and --out go together"),
        (("member", "dependant", "end", "abcdef"), "no dependant's cover begins with abcdef"),
        (
            (
                "claim",
                "submit",
                "--provider",
                "demo-clinic",
                "--code",
                "G0101",
                "--charge",
                "1",
                "--day",
                "3",
                "--cover",
                "abcdef",
            ),
            "no dependant's cover",
        ),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_what_does_not_fit_is_one_line_and_sends_nothing(on, node, arguments, words):
    done = on(*arguments)
    assert done.code == 2
    assert words in done.err
    assert done.err.count("\n") == 1
    assert node.submitted == []


def test_a_claim_for_a_dependant_names_the_dependants_cover(on, node):
    bill = ("--provider", "demo-clinic", "--code", "G0101", "--charge", "150", "--day", "31")
    for cover in ((), ("--cover", "c0c0c0")):
        assert on("claim", "submit", *bill, *cover).code == 0
    assert [body["cover_id"] for _, body in node.submitted] == ["22" * 32, KID]
