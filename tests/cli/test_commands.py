"""Every command against a node that answers: what people read, what programs read, what is submitted."""

from __future__ import annotations

import json

import pytest

CLAIM = "7f3a" + "ab" * 30
MEMBER = "11" * 32
PROVIDER = "33" * 32
BALLOT = "cd" * 32
REFUSED = "dd" * 32
PENDING = "ee" * 32
DOCUMENT = "99" * 32

READING = [
    ("status",),
    ("peers",),
    ("member", "list"),
    ("member", "show"),
    ("member", "show", "111111"),
    ("member", "applications"),
    ("member", "attesters"),
    ("proposal", "list"),
    ("proposal", "show", "ababab"),
    ("plan", "list"),
    ("plan", "show", "basic"),
    ("code", "list"),
    ("payout", "list"),
    ("payout", "list", "--claim", "7f3a"),
    ("block", "list"),
    ("block", "list", "--start", "3", "--count", "2"),
    ("block", "show", "40"),
    ("claim", "list"),
    ("claim", "list", "--all"),
    ("claim", "show", CLAIM),
    ("claim", "explain", "7f3aab"),
    ("vote", "list"),
    ("vote", "verify", BALLOT),
    ("vote", "verify", PENDING),
    ("evidence", "open", CLAIM),
    ("config", "show", "--origin"),
    ("logs", "--level", "debug"),
    ("doctor",),
]


@pytest.fixture
def on(call, node, tmp_path):
    return lambda *arguments: call(*arguments, "--data-dir", tmp_path)


@pytest.mark.parametrize("arguments", READING, ids=" ".join)
def test_every_reading_command_prints_lines_and_with_json_one_value(on, arguments) -> None:
    plain, machine = on(*arguments), on(*arguments, "--json")
    allowed = (0, 6) if arguments == ("doctor",) else (0,)
    assert plain.code in allowed, plain.err
    assert plain.out.strip()
    assert machine.code in allowed
    json.loads(machine.out)
    assert plain.err == machine.err == ""


def test_the_status_says_first_what_matters(on) -> None:
    lines = on("status").out.splitlines()
    assert lines[0] == "Test Mutual · block 41 · term 1 · in sync"
    assert lines[-1] == "needs you  1 case: mutua vote list"


def test_a_claim_is_explained_in_the_words_of_its_receipt(on) -> None:
    assert on("claim", "explain", CLAIM).out.splitlines() == [
        "Claim 7f3aabababab was filed.",
        "Line 1: settled.",
        "  §5.1 units.",
    ]
    answer = json.loads(on("claim", "explain", CLAIM[:8], "--json").out)
    assert answer["claim"] == CLAIM
    assert answer["receipt"]["height"] == 41
    assert answer["explanation"][0] == "Claim 7f3aabababab was filed."


def test_a_refusal_ends_with_the_section_of_the_rules(on, node) -> None:
    from ledger.errors import RuleBroken

    node.refusal = RuleBroken("vote_closed", "the case was denied in block 39", "see why: mutua claim explain")
    result = on("vote", "cast", CLAIM[:8], "--accept", "--yes")
    assert result.err == "mutua: the case was denied in block 39; see why: mutua claim explain (rules §6)\n"
    assert json.loads(on("vote", "cast", CLAIM[:8], "--accept", "--yes", "--json").err)["error"]["rule"] == "§6"


def test_seniority_is_not_shown_to_voters(on) -> None:
    assert "seniority" not in on("vote", "list").out
    assert "49 %" not in on("vote", "list").out


def test_a_ballot_names_claim_case_award_and_the_newest_evidence(on, node) -> None:
    result = on("vote", "cast", "7f3aab", "--yes", "--accept", "--award", "120.5", "--reason", "fair")
    assert result.code == 0, result.err
    assert node.submitted == [
        (
            "case.ballot",
            {
                "claim": CLAIM,
                "code": "X9",
                "choice": "accept",
                "award_cents": 12_050,
                "reason": "fair",
                "evidence_version": 2,
                "opened": "",
            },
        )
    ]
    assert f"mutua vote verify {BALLOT}" in result.out


def test_opening_before_voting_puts_the_document_into_the_ballot(on, node) -> None:
    assert on("vote", "cast", CLAIM, "X9", "--deny", "--open", "--yes").code == 0
    assert node.submitted[0][1]["opened"] == DOCUMENT


def test_a_ballot_can_be_waited_for(on, node) -> None:
    assert "it is final in block 40" in on("vote", "cast", CLAIM, "--abstain", "--yes", "--wait", "5").out


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("vote", "cast", CLAIM), 2, "no choices"),
        (("vote", "cast", CLAIM, "--accept", "--deny"), 2, "2 choices"),
        (("vote", "cast", CLAIM, "--deny", "--award", "3"), 2, "--accept only"),
        (("vote", "cast", CLAIM, "Y1", "--deny"), 2, "no single case Y1"),
        (("vote", "cast", "7f3", "--deny"), 2, "at least its first 6"),
        (("vote", "cast", "zzzzzzzz", "--deny"), 2, "not a valid claim id"),
        (("vote", "cast", CLAIM, "--accept", "--award", "1.234"), 2, "at most 2 decimals"),
        (("vote", "verify", REFUSED), 5, "closed on day 39"),
        (("vote", "verify", "ab" * 32), 2, "knows no record"),
        (("claim", "show", "ab" * 32), 2, "no such claim"),
        (("claim", "show", "aaaaaa"), 2, "no claim begins with aaaaaa"),
        (("evidence", "open", "ab" * 32), 2, "no document"),
        (("plan", "show", "gold"), 2, "no plan 'gold'"),
        (("block", "show", "99"), 2, "there is no block 99"),
        (("block", "list", "--count", "0"), 2, "whole number"),
        (("block", "show", "x"), 2, "'x' is not a whole number"),
        (("claim", "explain"), 2, "see mutua claim explain --help"),
        (("claim", "vote"), 2, "there is no command 'vote'; see mutua claim --help"),
        (("logs", "--level", "loud"), 2, "no log level"),
        (("claim", "submit"), 2, "provider is missing"),
        (("claim", "submit", "--provider", "demo-clinic"), 2, "code, charge or day"),
        (
            ("claim", "submit", "--provider", "nobody", "--code", "G0101", "--charge", "1", "--day", "3"),
            2,
            "no provider 'nobody'",
        ),
        (
            ("claim", "submit", "--provider", "demo-clinic", "--code", "TWICE", "--charge", "1", "--day", "3"),
            2,
            "2 coding systems",
        ),
        (
            ("claim", "submit", "--provider", "demo-clinic", "--code", "NEW", "--charge", "1", "--day", "3"),
            2,
            "does not list code NEW",
        ),
        (
            ("claim", "submit", "--provider", "demo-clinic", "--code", "G0101", "--charge", "-1", "--day", "3"),
            2,
            "not an amount",
        ),
        (
            ("claim", "submit", "--provider", "demo-clinic", "--code", "G0101", "--charge", "1", "--day", "2025-12-31"),
            2,
            "before the co-op's first day",
        ),
        (
            ("claim", "submit", "--provider", "demo-clinic", "--code", "G0101", "--charge", "1", "--day", "soon"),
            2,
            "neither a height nor a date",
        ),
        (("stat",), 2, "did you mean 'status'"),
        (("status", "--loud"), 2, "--loud"),
    ],
)
def test_each_wrong_call_gets_one_line_and_its_exit_code(on, node, arguments, code, words) -> None:
    result = on(*arguments)
    assert (result.code, result.out) == (code, ""), result
    assert result.err.startswith("mutua: ")
    assert result.err.count("\n") == 1
    assert words in result.err
    machine = on(*arguments, "--json")
    assert machine.code == code
    error = json.loads(machine.err)["error"]
    assert set(error) == {"code", "what", "hint", "rule"} - ({"rule"} if code != 5 else set())
    assert node.submitted == []


def test_a_claim_is_filed_with_its_evidence_kept_here(on, node, tmp_path) -> None:
    scan = tmp_path / "invoice.pdf"
    scan.write_bytes(b"an invoice")
    result = on(
        "claim",
        "submit",
        "--code",
        "G0101",
        "--units",
        "2",
        "--charge",
        "150",
        "--day",
        "2026-01-10",
        "--provider",
        "demo-clinic",
        "--evidence",
        scan,
    )
    assert result.code == 0, result.err
    kind, body = node.submitted[0]
    assert kind == "claim.file"
    assert body["lines"] == [
        {
            "system": "urn:hcpcs",
            "code": "G0101",
            "modifiers": [],
            "units": 2,
            "charge_cents": 15_000,
            "first_day": 10,
            "last_day": 10,
        }
    ]
    assert (body["provider_id"], body["cover_id"], body["payee"], body["scheme"]) == (
        PROVIDER,
        "22" * 32,
        "member",
        "Test Mutual",
    )
    (reference,) = body["evidence"]
    assert (reference["size_bytes"], reference["media"]) == (10, "application/pdf")
    kept = tmp_path / "documents" / reference["hash"]
    assert kept.read_bytes() == b"an invoice"
    assert kept.stat().st_mode & 0o777 == 0o600


def test_several_lines_are_written_one_option_each(on, node) -> None:
    result = on(
        "claim",
        "submit",
        "--line",
        "G0101,1,10,3",
        "--line",
        "G0101,2,20.50,4,6",
        "--provider",
        PROVIDER,
        "--payee",
        "provider",
    )
    assert result.code == 0, result.err
    lines = node.submitted[0][1]["lines"]
    assert [(item["units"], item["charge_cents"], item["first_day"], item["last_day"]) for item in lines] == [
        (1, 1_000, 3, 3),
        (2, 2_050, 4, 6),
    ]


def test_a_refused_claim_leaves_nothing_behind(on, refuse, tmp_path) -> None:
    refuse()
    scan = tmp_path / "invoice.pdf"
    scan.write_bytes(b"an invoice")
    result = on(
        "claim",
        "submit",
        "--code",
        "G0101",
        "--charge",
        "150",
        "--day",
        "10",
        "--provider",
        "demo-clinic",
        "--evidence",
        scan,
    )
    assert result.code == 5
    assert (
        result.err
        == "mutua: line 1: code G0101 of day 10 (2026-01-10) stands in a claim already; leave it out (rules §5)\n"
    )
    assert list((tmp_path / "documents").iterdir()) == []


def test_a_provider_signs_a_draft_elsewhere(on, node, tmp_path, monkeypatch) -> None:
    from governance.filing.claims import ClaimBody, claim_subject_hash
    from ledger.records import attestation_message
    from ledger.signatures import is_signed, public_key_of
    from node.api.bodies import body_from_json

    seed = bytes(range(32))
    provider = public_key_of(seed).hex()
    monkeypatch.setattr(node, "find", _with_provider(node.find, provider))
    (tmp_path / "seed").write_text(seed.hex() + "\n")
    draft, signature = tmp_path / "draft.json", tmp_path / "signature.json"
    assert (
        on("claim", "draft", draft, "--code", "G0101", "--charge", "150", "--day", "10", "--provider", "own").code == 0
    )
    attested = on("claim", "attest", draft, "--seed-file", tmp_path / "seed")
    assert attested.code == 0, attested.err
    signature.write_text(attested.out)
    assert on("claim", "submit", "--draft", draft, "--attestation", signature).code == 0
    body = node.submitted[0][1]
    (item,) = body.pop("attestations")
    subject = claim_subject_hash(body_from_json(ClaimBody, {**body, "payout_commitment": ""}))
    assert item["key"] == provider
    assert item["subject_hash"] == subject.hex()
    chain = bytes.fromhex("aa" * 32)
    assert is_signed(
        bytes.fromhex(provider),
        bytes.fromhex(item["signature"]),
        "attestation",
        chain,
        attestation_message("provider", subject),
    )
    assert on("claim", "draft", draft, "--code", "G0101", "--charge", "1", "--day", "1", "--provider", "own").code == 2


def _with_provider(view, key):
    return lambda name, **arguments: (
        [{"key": key, "identifier": "own"}] if name == "providers" else view(name, **arguments)
    )


def test_a_follower_is_told_that_it_cannot_act(on, node) -> None:
    node.member = None
    for arguments in (
        ("vote", "list"),
        ("vote", "cast", CLAIM, "--deny"),
        ("claim", "list"),
        ("claim", "submit", "--provider", "demo-clinic"),
    ):
        result = on(*arguments)
        assert result.code == 5
        assert "its key does not belong to a member" in result.err


def test_a_proof_that_does_not_hold_is_a_finding(on, node, monkeypatch) -> None:
    good = node.record
    monkeypatch.setattr(node, "record", lambda record_id: {**good(record_id), "index": 3})
    result = on("vote", "verify", BALLOT)
    assert result.code == 6
    assert "does not hold" in result.err


def test_other_peoples_words_cannot_move_the_cursor(on, node) -> None:
    node.needs_me[0]["code"] = "X\x1b[2J9"
    assert "\x1b" not in on("vote", "list").out


def test_stop_waits_until_the_node_is_gone(on, node) -> None:
    result = on("stop", "--no-wait")
    assert (result.code, result.out) == (0, "the node is stopping\n")
    assert node.stopped.wait(5)


def test_the_first_digits_of_an_id_are_not_enough_without_a_node(call, tmp_path) -> None:
    (tmp_path / "ledger").mkdir()
    result = call("vote", "verify", "abcdefabcdef", "--data-dir", tmp_path)
    assert result.code == 2
    assert "no node is running that could look it up; give all its 64 hex digits" in result.err
