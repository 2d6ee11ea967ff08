"""`mutua vote auto`: rules are added, replaced, revoked and listed; what is asked before, and what is refused."""

from __future__ import annotations

import json

import pytest

from ledger.errors import MutuaError

PROVIDER = "33" * 32


@pytest.fixture
def on(call, node, tmp_path):
    return lambda *arguments: call(*arguments, "--data-dir", tmp_path)


def test_a_rule_is_added_replaced_and_revoked_and_every_version_can_be_listed(on, node):
    added = on(
        "vote",
        "auto",
        "add",
        "trifles",
        "--code",
        "X9",
        "--code",
        "X8",
        "--charge-max",
        "120.50",
        "--provider",
        "demo-clinic",
    )
    assert added.code == 0, added.err
    assert node.rules[0] == {
        "name": "trifles",
        "codes": ["X8", "X9"],
        "charge_max_cents": 12_050,
        "providers": [PROVIDER],
        "version": 1,
        "is_revoked": False,
        "rule_hash": "01" * 32,
    }
    assert "X8 X9" in on("vote", "auto", "list").out
    assert on("vote", "auto", "replace", "trifles", "--code", "X9", "--charge-max", "10").code == 0
    assert on("vote", "auto", "revoke", "trifles").code == 0
    assert on("vote", "auto", "list").out == "no auto-accept rules; your node casts no ballots automatically\n"
    every = json.loads(on("vote", "auto", "list", "--all", "--json").out)
    assert [(item["version"], item["is_revoked"]) for item in every] == [(1, False), (2, False), (3, True)]
    assert "3 revoked" in on("vote", "auto", "list", "--all").out


def test_with_json_each_change_is_the_version_that_was_made(on):
    made = json.loads(on("vote", "auto", "add", "a", "--code", "X9", "--charge-max", "1", "--json").out)
    gone = json.loads(on("vote", "auto", "revoke", "a", "--json").out)
    assert (made["version"], gone["version"], gone["is_revoked"]) == (1, 2, True)


def test_a_person_is_told_what_others_see_and_may_say_no(on, node, monkeypatch):
    monkeypatch.setattr("node.cli.common.is_live", lambda: True)
    monkeypatch.setattr("builtins.input", lambda question: "n")
    said = on("vote", "auto", "add", "a", "--code", "X9", "--charge-max", "1")
    assert "all members see that a rule cast the ballot" in said.out
    assert said.out.endswith("nothing was changed\n")
    assert on("vote", "auto", "revoke", "a").out == "nothing was changed\n"
    assert node.rules == []
    assert on("vote", "auto", "add", "a", "--code", "X9", "--charge-max", "1", "--yes").code == 0
    assert len(node.rules) == 1


def test_what_does_not_fit_is_one_line_and_changes_nothing(on, node):
    wrong = [
        on("vote", "auto", "add", "a", "--charge-max", "1"),
        on("vote", "auto", "add", "a", "--code", "X9"),
        on("vote", "auto", "add", "a", "--code", "X9", "--charge-max", "1.234"),
        on("vote", "auto", "add", "a", "--code", "X9", "--charge-max", "1", "--provider", "nobody"),
    ]
    assert [(item.code, item.err.count("\n")) for item in wrong] == [(2, 1)] * 4
    node.refusal = MutuaError("auto_rule_name", "there is a rule 'a' already", "replace it, or choose another name")
    refused = on("vote", "auto", "add", "a", "--code", "X9", "--charge-max", "1")
    assert (refused.code, refused.err) == (
        2,
        "mutua: there is a rule 'a' already; replace it, or choose another name\n",
    )
    node.member = None
    assert on("vote", "auto", "add", "a", "--code", "X9", "--charge-max", "1").code == 5
    assert node.rules == []
