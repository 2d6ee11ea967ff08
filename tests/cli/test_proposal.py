"""`mutua proposal`: what is proposed in plain words, each kind's own fields, a review before sending."""

from __future__ import annotations

import json

import pytest

from governance.state.proposals import ProposeBody
from governance.voting import proposal_kinds
from node.api.bodies import body_from_json
from node.cli.coop.proposal import FIELDS

PROPOSAL = "ab" * 32
KEY = "5e" * 32


@pytest.fixture
def on(call, node, tmp_path):
    return lambda *arguments: call(*arguments, "--data-dir", tmp_path)


def test_the_list_says_what_is_proposed(on) -> None:
    assert "param grace_blocks = 12" in on("proposal", "list").out


def test_the_list_says_how_many_sponsors_a_proposal_has(on, node, monkeypatch) -> None:
    gathering = {**node.proposal(), "status": "gathering", "sponsors": 2}
    monkeypatch.setattr(node, "proposal", lambda: gathering)
    assert "2 of 5 sponsors" in on("proposal", "list").out


def test_who_opens_a_proposal_learns_what_comes_next(on) -> None:
    assert (
        "next: others sponsor it: mutua proposal sponsor cdcdcdcdcdcd"
        in on("proposal", "open", "phase", "--name", "live", "--yes").out
    )


def test_a_proposal_is_shown_with_what_it_needs_and_the_own_vote(on) -> None:
    text = on("proposal", "show", "ababab").out
    assert "3 yes, 1 no, 0 abstain of 7; 2 must vote" in text
    assert "your vote  no" in text


OPENED = [
    (("param", "--name", "grace_blocks", "--value", "12"), {"what": "param", "name": "grace_blocks", "value": 12}),
    (("phase", "--name", "live"), {"what": "phase", "name": "live"}),
    (
        ("demote", "--name", "G0101", "--system", "urn:hcpcs"),
        {"what": "demote", "name": "G0101", "system": "urn:hcpcs"},
    ),
    (
        ("list", "--name", "X9", "--standard", "--allowed", "120.50", "--frequency", "2"),
        {"standard": True, "allowed_cents": 12_050, "frequency": 2},
    ),
    (("expel", "--member", "111111"), {"what": "expel", "member": "11" * 32}),
    (
        ("attester", "--change", "add", "--key", KEY, "--name", "Notary"),
        {"what": "attester", "change": "add", "key": KEY, "name": "Notary"},
    ),
    (("verifier", "--change", "remove", "--key", KEY), {"what": "verifier", "change": "remove", "key": KEY}),
    (
        ("provider", "--change", "add", "--key", KEY, "--name", "Dr. May"),
        {"what": "provider", "key": KEY, "name": "Dr. May"},
    ),
    (
        ("signer", "--change", "threshold", "--value", "3"),
        {"what": "signer", "change": "threshold", "value": 3, "key": ""},
    ),
    (("protocol", "--value", "2", "--height", "400"), {"what": "protocol", "value": 2, "height": 400}),
    (
        (
            "plan",
            "--name",
            "gold",
            "--premium",
            "800",
            "--deductible",
            "100",
            "--coinsurance-bp",
            "1000",
            "--code",
            "A1",
            "--code",
            "B2",
        ),
        {"what": "plan", "name": "gold", "premium_cents": 80_000, "prior_cents": None},
    ),
]


@pytest.mark.parametrize(("arguments", "body"), OPENED, ids=[item[0][0] for item in OPENED])
def test_each_kind_is_proposed_with_its_own_fields(on, node, arguments, body) -> None:
    answer = on("proposal", "open", *arguments, "--json", "--yes")
    assert answer.code == 0, answer.err
    kind, sent = node.submitted[-1]
    assert kind == "proposal.open"
    shaped = body_from_json(ProposeBody, sent)
    assert isinstance(shaped, ProposeBody)
    assert {name: sent[name] for name in body} == body
    if sent["what"] == "plan":
        assert (
            sent["figures"] | {"deductible_cents": 10_000, "coinsurance_bp": 1_000, "codes": ["A1", "B2"]}
            == sent["figures"]
        )


def test_every_kind_of_the_rules_can_be_proposed_from_the_command_line() -> None:
    assert set(FIELDS) == set(proposal_kinds.KINDS) == {item[0][0] for item in OPENED}


@pytest.mark.parametrize(
    ("arguments", "what"),
    [
        (("tax",), "there is no kind of proposal 'tax'"),
        (("param", "--name", "grace_blocks"), "it lacks --value"),
        (("phase", "--name", "live", "--value", "3"), "it has no field --value"),
        (("attester", "--change", "add"), "it lacks --key"),
    ],
)
def test_fields_that_a_kind_lacks_or_does_not_know_are_named_and_nothing_is_sent(on, node, arguments, what) -> None:
    refused = on("proposal", "open", *arguments)
    assert refused.code == 2
    assert what in refused.err
    assert node.submitted == []


def test_sponsoring_and_voting_send_the_whole_id(on, node) -> None:
    assert on("proposal", "sponsor", "ababab", "--json", "--yes").code == 0
    assert on("proposal", "vote", "ababab", "abstain", "--json").code == 0
    sponsored, voted = node.submitted
    assert (sponsored[0], sponsored[1]["proposal"]) == ("proposal.sponsor", PROPOSAL)
    assert (voted[0], voted[1]["proposal"], voted[1]["choice"]) == ("proposal.vote", PROPOSAL, "abstain")


def test_a_choice_that_is_none_is_refused_before_anything_is_asked(on, node) -> None:
    assert on("proposal", "vote", "ababab", "maybe").code == 2
    assert node.submitted == []


def test_a_person_reads_the_proposal_before_voting_and_may_say_no(on, node, monkeypatch) -> None:
    monkeypatch.setattr("node.cli.common.is_live", lambda: True)
    monkeypatch.setattr("builtins.input", lambda _: "n")
    text = on("proposal", "vote", "ababab", "yes").out
    assert "what       param grace_blocks = 12" in text
    assert "nothing was sent" in text
    assert node.submitted == []


def test_a_proposal_that_opened_by_itself_has_a_longer_id(on, node, monkeypatch) -> None:
    own = "657870656c2f" + "cd" * 32
    monkeypatch.setattr(node, "proposal", lambda: {**type(node).proposal(node), "proposal": own})
    assert on("proposal", "vote", own, "yes", "--json").code == 0
    assert on("proposal", "vote", own[:20], "yes", "--json").code == 0
    assert json.loads(on("proposal", "show", own, "--json").out)["proposal"] == own
