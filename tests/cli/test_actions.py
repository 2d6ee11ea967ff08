"""Actions of members, signers and auditors.

What is sent, what is asked before, what is refused, and both forms of every answer.
"""

from __future__ import annotations

import json

import pytest

from node.cli.coop.treasury import deposit_commitment

CLAIM = "7f3a" + "ab" * 30
MEMBER = "11" * 32
OTHER = "12" * 32
PROVIDER = "33" * 32

READING = [
    ("provider", "list"),
    ("vote", "delegations"),
    ("vote", "delegations", "121212"),
    ("treasury", "show"),
    ("audit", "drawn"),
]
SENDING = [
    (("vote", "delegate", "121212"), "vote.delegate", {"to": OTHER, "topic": "*"}),
    (("vote", "delegate", OTHER, "--topic", "X9"), "vote.delegate", {"to": OTHER, "topic": "X9"}),
    (("vote", "undelegate"), "vote.undelegate", {"topic": "*"}),
    (("vote", "undelegate", "--topic", "X9"), "vote.undelegate", {"topic": "X9"}),
    (("plan", "change", "basic", "--terms", "6"), "plan.change", {"plan": "basic", "contract_terms": 6}),
    (("treasury", "quote", "64000.50"), "rate.quote", {"rate": 6_400_050}),
    (("audit", "report", "121212"), "audit.report", {"member": OTHER, "claim": ""}),
    (("audit", "report", "demo-clinic", "--claim", "7f3aab"), "audit.report", {"member": PROVIDER, "claim": CLAIM}),
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


@pytest.mark.parametrize(
    ("arguments", "kind", "body"), SENDING, ids=lambda value: " ".join(value) if isinstance(value, tuple) else ""
)
def test_an_action_sends_its_record_and_names_the_receipt(on, node, arguments, kind, body):
    plain = on(*arguments, "--yes")
    assert (plain.code, plain.err) == (0, "")
    assert "it is stored on this node and on its way" in plain.out
    checked = f"check its receipt: mutua vote verify {'cd' * 32}"  # whole: its first digits name no record that waits
    assert plain.out.splitlines()[1] == checked
    machine = json.loads(on(*arguments, "--json", "--yes").out)
    assert (machine["record_id"], machine["state"]) == ("cd" * 32, "pending")
    assert node.submitted == [(kind, body)] * 2


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("vote", "delegate", OTHER), "their denials enter your voting record"),
        (("vote", "delegate", OTHER, "--topic", "X9"), "121212121212 votes for you there until then"),
        (("vote", "undelegate"), ""),
        (("plan", "change", "basic"), "now   basic at 500.00 USD a term, until block 360"),
        (("treasury", "quote", "64000"), "the rate in force is 64,000.00 USD"),
        (("audit", "report", OTHER), "all members' nodes can see your report"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_a_person_reads_what_it_means_and_may_say_no(on, node, monkeypatch, arguments, words):
    monkeypatch.setattr("node.cli.common.is_live", lambda: True)
    answers = iter(["n", "y"])
    monkeypatch.setattr("builtins.input", lambda question: next(answers))
    refused = on(*arguments)
    assert refused.out.endswith("nothing was sent\n")
    assert words in refused.out
    assert node.submitted == []
    assert on(*arguments).code == 0
    assert len(node.submitted) == 1
    assert on(*arguments, "--yes").code == 0


def test_a_refusal_is_the_rules_own_words(on, refuse, node):
    refuse()
    for arguments, _, _ in SENDING:
        done = on(*arguments, "--yes")
        assert (done.code, done.err) == (
            5,
            "mutua: line 1: code G0101 of day 10 (2026-01-10) stands in a claim already; leave it out (rules §5)\n",
        )


def test_what_does_not_fit_is_one_line_and_sends_nothing(on, node, tmp_path):
    wrong = [
        on("vote", "delegate", "zz"),
        on("vote", "delegate", "999999"),
        on("plan", "change", "gold"),
        on("plan", "change", "basic", "--terms", "5"),
        on("treasury", "quote", "64000.123"),
        on("treasury", "premium", OTHER, tmp_path / "b"),
        on("treasury", "premium", OTHER, tmp_path / "b", "--deposit", "ab:0"),
        on("treasury", "premium", OTHER, tmp_path / "b", "--deposit", "ab" * 32),
        on("treasury", "premium", OTHER, tmp_path / "b", "--commitment", "ab"),
        on("audit", "report", "nobody-we-list"),
        on("audit", "finding", CLAIM, tmp_path / "b", "--outcome", "guilty", "--reason", "x"),
        on("audit", "finding", "123456", tmp_path / "b", "--outcome", "clear", "--reason", "x"),
    ]
    assert [(item.code, item.err.count("\n")) for item in wrong] == [(2, 1)] * len(wrong)
    node.member = None
    assert [on(*arguments).code for arguments, _, _ in SENDING] == [5] * len(SENDING)
    assert node.submitted == []
    assert not (tmp_path / "b").exists()


def test_a_premium_is_drafted_under_a_commitment_that_other_signers_can_compute(on, call, node, tmp_path):
    out = tmp_path / "premium.json"
    txid = "6f" * 32
    drafted = json.loads(on("treasury", "premium", "121212", out, "--deposit", f"{txid}:3", "--json").out)
    assert (drafted["kind"], drafted["owed_cents"], drafted["body"]["member"]) == ("premium.paid", 50_000, OTHER)
    commitment = deposit_commitment(bytes.fromhex(txid), 3, bytes.fromhex(drafted["salt"]))
    assert drafted["body"]["commitment"] == commitment.hex()
    assert txid not in out.read_text()
    again = on("treasury", "premium", "121212", out, "--deposit", f"{txid}:3")
    assert (again.code, "is there already" in again.err) == (2, True)
    other = on("treasury", "premium", "121212", tmp_path / "two.json", "--commitment", commitment.hex())
    assert "the member owes 500.00 USD" in other.out
    assert json.loads((tmp_path / "two.json").read_text())["body"] == json.loads(out.read_text())["body"]
    assert node.submitted == []


def test_a_finding_is_drafted_for_the_panel_and_goes_with_its_signatures(on, call, node, tmp_path):
    out, seed = tmp_path / "finding.json", tmp_path / "seed"
    seed.write_text("07" * 32)
    drafted = on(
        "audit", "finding", "7f3aab", out, "--outcome", "fraud", "--reason", "the provider knows nothing of it"
    )
    assert "role finding: a majority of the drawn panel; signed by 0" in drafted.out
    assert call("bundle", "attest", "--yes", out, "--seed-file", seed).code == 0
    assert on("bundle", "submit", "--yes", out).code == 0
    kind, body = node.submitted[-1]
    assert (kind, len(body.pop("attestations")), body["outcome"], body["claim"]) == ("audit.finding", 1, "fraud", CLAIM)


def test_a_providers_listing_is_drafted_for_a_verifier(on, node, tmp_path):
    out = tmp_path / "provider.json"
    assert (
        "role verifier: a listed verifier of providers; signed by 0"
        in on("provider", "add", "AB" * 32, "urn:npi|42", out).out
    )
    assert json.loads(out.read_text())["body"] == {"key": "ab" * 32, "identifier": "urn:npi|42"}
    assert on("provider", "add", "ab" * 31, "x", tmp_path / "other").code == 2
    assert on("provider", "add", "zz" * 32, "x", tmp_path / "other").code == 2


def test_a_panel_member_sees_it_and_an_empty_list_says_so(on, node):
    assert "on it" in on("audit", "drawn").out
    node.views = {
        "audits": {"drawn": [], "holds": [], "panels": []},
        "delegations": {"member": "11" * 32, "given": [], "received": [], "delegators": 0, "delegators_max": 3},
    }
    assert on("audit", "drawn").out == "no claim was drawn for audit, and nothing is held\n"
    assert on("vote", "delegations").out == "no delegations\ndelegators: 0 of at most 3\n"
