"""What a claimant does beside filing: evidence, withdrawal, appeal, asking before a service.

And a claim that a provider drafts.
"""

from __future__ import annotations

import json

import pytest

from ledger.errors import RuleBroken

CLAIM = "7f3a" + "ab" * 30
COVER = "22" * 32
PROVIDER = "33" * 32
ASK = (
    "claim",
    "preauthorise",
    "--code",
    "G0101",
    "--units",
    "2",
    "--charge",
    "150",
    "--day",
    "2026-03-01",
    "--provider",
    "demo-clinic",
)


@pytest.fixture
def on(call, node, tmp_path):
    return lambda *arguments: call(*arguments, "--data-dir", tmp_path)


@pytest.fixture
def letter(tmp_path):
    path = tmp_path / "letter.pdf"
    path.write_bytes(b"a letter")
    return path


@pytest.fixture
def deny(node):
    """Let the case X9 of the claim be denied, and give it a second one."""
    whole = node._claim

    def claim():
        found = whole()
        case = found["cases"][0] | {"status": "denied", "closed_height": 40}
        return found | {"cases": [case, case | {"code": "Y1", "status": "accepted"}]}

    node._claim = claim


def kept_in(folder):
    documents = folder / "documents"
    return sorted(item.name for item in documents.iterdir()) if documents.exists() else []


SENDING = [
    (
        ("claim", "withdraw", "7f3aab"),
        "claim.withdraw",
        {"claim": CLAIM},
        "case X9, 200.00 USD: 4 yes, 1 no, open until block 72",
    ),
    (
        ("claim", "appeal", CLAIM, "X9", "--ground", "rule"),
        "case.appeal",
        {"claim": CLAIM, "code": "X9", "ground": "rule"},
        "judgement is final",
    ),
]


@pytest.mark.parametrize(
    ("arguments", "kind", "body", "words"), SENDING, ids=lambda value: value if isinstance(value, str) else ""
)
def test_an_action_is_reviewed_sent_and_named(on, node, monkeypatch, arguments, kind, body, words):
    plain = on(*arguments, "--yes")
    assert (plain.code, plain.err) == (0, "")
    assert "it is stored on this node and on its way" in plain.out
    assert json.loads(on(*arguments, "--json", "--yes").out)["record_id"] == "cd" * 32
    assert node.submitted == [(kind, body)] * 2
    monkeypatch.setattr("node.cli.common.is_live", lambda: True)
    monkeypatch.setattr("builtins.input", lambda question: "n")
    refused = on(*arguments)
    assert refused.out.endswith("nothing was sent\n")
    assert words in refused.out
    assert len(node.submitted) == 2
    assert on(*arguments, "--yes").code == 0
    assert len(node.submitted) == 3


def test_a_refusal_is_the_rules_own_words(on, node):
    node.refusal = RuleBroken("nothing_open", "the claim has no open case", "nothing to do")
    for arguments, _, _, _ in SENDING:
        assert on(*arguments, "--yes").err.startswith("mutua: the claim has no open case; nothing to do")


def test_the_denied_case_is_found_where_there_is_one(on, node, deny):
    assert on("claim", "appeal", CLAIM, "--ground", "evidence", "--yes").code == 0
    assert node.submitted == [("case.appeal", {"claim": CLAIM, "code": "X9", "ground": "evidence"})]


def test_without_a_denied_case_the_code_is_asked_for(on, node):
    assert on("claim", "appeal", CLAIM, "--ground", "evidence").err.startswith(
        "mutua: 0 cases of the claim were denied; name the code"
    )
    assert on("claim", "appeal", CLAIM, "--ground", "anger").code == 2
    assert node.submitted == []


def test_new_evidence_is_kept_here_and_named_by_its_hash(on, node, letter, tmp_path):
    done = on("claim", "evidence", "7f3aab", letter, "--yes")
    assert (done.code, done.err) == (0, "")
    ((kind, body),) = node.submitted
    (document,) = body["evidence"]
    assert (kind, body["claim"], document["size_bytes"], document["media"]) == (
        "claim.evidence",
        CLAIM,
        8,
        "application/pdf",
    )
    assert kept_in(tmp_path) == [document["hash"]]


def test_refused_evidence_leaves_nothing_behind(on, node, letter, tmp_path, monkeypatch):
    node.refusal = RuleBroken("evidence_late", "evidence was taken until block 57", "let the vote end")
    assert on("claim", "evidence", CLAIM, letter, "--yes").code == 5
    assert kept_in(tmp_path) == []
    node.refusal = None
    monkeypatch.setattr("node.cli.common.is_live", lambda: True)
    monkeypatch.setattr("builtins.input", lambda question: "n")
    answer = on("claim", "evidence", CLAIM, letter)
    assert "version 3 adds 1" in answer.out
    assert answer.out.endswith("nothing was sent\n")
    assert kept_in(tmp_path) == []
    assert on("claim", "evidence", CLAIM).err.startswith("mutua: no document was named")
    assert node.submitted == []


def test_a_pre_authorisation_is_the_bill_of_a_claim_for_days_to_come(on, node, letter, tmp_path, monkeypatch):
    assert on(*ASK, "--evidence", letter, "--event", "7f3aab").code == 0
    ((kind, body),) = node.submitted
    assert (kind, body["use"], body["submitter_role"], body["event_id"]) == ("claim.file", "preauth", "member", CLAIM)
    assert [(line["code"], line["units"], line["charge_cents"], line["first_day"]) for line in body["lines"]] == [
        ("G0101", 2, 15_000, 60)
    ]
    monkeypatch.setattr("node.cli.common.is_live", lambda: True)
    monkeypatch.setattr("builtins.input", lambda question: "n")
    refused = on(*ASK)
    assert "line      2 × G0101, 150.00 USD, 2026-03-01 (day 60)" in refused.out
    assert "it pays nothing and uses nothing up" in refused.out
    assert len(node.submitted) == 1


def test_a_refused_pre_authorisation_leaves_nothing_behind(on, node, letter, tmp_path):
    node.refusal = RuleBroken(
        "preauth_open", "a pre-authorisation of code G0101 by this provider is being voted on", "wait for its end"
    )
    assert on(*ASK, "--evidence", letter).code == 5
    assert kept_in(tmp_path) == []


def test_a_draft_says_whether_it_asks_before(on, node, tmp_path):
    draft, other = tmp_path / "before.json", tmp_path / "after.json"
    bill = ASK[2:]
    assert on("claim", "draft", draft, "--before", *bill).code == 0
    assert on("claim", "draft", other, *bill).code == 0
    assert (json.loads(draft.read_text())["use"], json.loads(other.read_text())["use"]) == ("preauth", "claim")
    assert on("claim", "preauthorise", "--draft", draft).code == 0
    assert node.submitted[0][1]["use"] == "preauth"
    wrong = on("claim", "preauthorise", "--draft", other)
    assert wrong.err.startswith("mutua: the draft is of a claim; file it with mutua claim submit")
    assert len(node.submitted) == 1


def test_a_provider_drafts_a_claim_that_travels_as_a_bundle(on, node, tmp_path):
    out = tmp_path / "visit.json"
    arguments = (
        "provider",
        "claim",
        out,
        "--cover",
        COVER,
        "--scheme",
        "village",
        "--provider",
        "demo-clinic",
        "--line",
        "G0101,1,80,10",
    )
    done = on(*arguments)
    assert (done.code, done.err) == (0, "")
    bundle = json.loads(out.read_text())
    body = bundle["body"]
    assert (bundle["kind"], bundle["author"], bundle["record"]) == ("claim.file", PROVIDER, None)
    assert (body["scheme"], body["submitter_role"], body["payee"], body["cover_id"], body["use"]) == (
        "village",
        "provider",
        "provider",
        COVER,
        "claim",
    )
    assert body["lines"][0]["charge_cents"] == 8_000
    assert on(*arguments).code == 2
    assert (
        on(
            "provider",
            "claim",
            tmp_path / "x",
            "--cover",
            "22",
            "--scheme",
            "v",
            "--provider",
            "demo-clinic",
            "--line",
            "G0101,1,80,10",
        ).code
        == 2
    )
    assert node.submitted == []
