"""What cannot be undone is never sent unasked: every command that asks is walked, with nobody there to answer."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from governance.kinds import KINDS
from node.cli.undo import CANNOT_UNDO, UNDONE_BY
from tests.cli.test_options import every_command, options_of

CLAIM, MEMBER, OTHER, KEY = "7f3a" + "ab" * 30, "11" * 32, "12" * 32, "a0" * 32
SEED, LETTER, BUNDLE = Path("seed"), Path("letter"), Path("bundle.json")
"""Files of the test's own folder."""
BILL = ("--provider", "demo-clinic", "--code", "G0101", "--charge", "150", "--day", "60")
RULE = ("--code", "X9", "--charge-max", "10")
ACTIONS = {
    "audit report": ("audit.report", OTHER),
    "bundle attest": ("bundle.attest", BUNDLE, "--seed-file", SEED),
    "bundle submit": ("audit.finding", BUNDLE),
    "claim appeal": ("case.appeal", CLAIM, "X9", "--ground", "rule"),
    "claim evidence": ("claim.evidence", CLAIM, LETTER),
    "claim preauthorise": ("claim.file", *BILL),
    "claim withdraw": ("claim.withdraw", CLAIM),
    "keys device revoke": ("device.revoke", "d0" * 32),
    "keys guardians set": ("guardians.set", KEY, "--threshold", "1"),
    "keys object": ("identity.object",),
    "member attest-enrolment": ("bundle.attest", Path("apply.json"), "--seed-file", SEED),
    "member dependant add": ("cover.add",),
    "member dependant end": ("cover.end", "c0" * 32),
    "member leave": ("member.leave",),
    "member object": ("member.object", "77" * 32, "why"),
    "member vouch": ("member.vouch", "77" * 32),
    "plan change": ("plan.change", "basic"),
    "proposal open": ("proposal.open", "phase", "--name", "live"),
    "proposal sponsor": ("proposal.sponsor", "ab" * 32),
    "proposal vote": ("proposal.vote", "ab" * 32, "yes"),
    "treasury quote": ("rate.quote", "64000"),
    "vote auto add": ("case.auto_ballot", "new", *RULE),
    "vote auto replace": ("case.auto_ballot", "trifles", *RULE),
    "vote auto revoke": ("case.auto_ballot", "trifles"),
    "vote cast": ("case.ballot", CLAIM, "--accept"),
    "vote delegate": ("vote.delegate", OTHER),
    "vote undelegate": ("vote.undelegate",),
}
"""Each command that asks: what it sends or signs, and arguments with which it would."""
COMMANDS = {
    " ".join(path): {name for item in options_of(command) for name in item.names} for path, command in every_command()
}
PAGE = Path(__file__).resolve().parents[2] / "docs" / "reference" / "actions.md"
COMMAND_OF = dict(
    re.findall(r"^\| `([a-z._]+)` \|[^|]+\| `mutua ([^`]+)` \|", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
)


@pytest.fixture
def ask(call, node, tmp_path):
    (tmp_path / SEED).write_text("21" * 32)
    (tmp_path / LETTER).write_bytes(b"a letter")
    at = ("--data-dir", tmp_path)
    finding = {"claim": CLAIM, "outcome": "fraud", "reason": "why"}
    (tmp_path / "body.json").write_text(json.dumps(finding))
    drafts = [
        call("bundle", "new", tmp_path / BUNDLE, "--kind", "audit.finding", "--body", tmp_path / "body.json", *at),
        call(
            *("member", "apply", tmp_path / "apply.json", "--plan", "basic", "--nullifier", "99" * 32),
            *("--deposit-commitment", "88" * 32, "--identity", KEY, "--cover", "c2" * 32, *at),
        ),
    ]
    assert [item.err for item in drafts if item.code] == []
    node.rules.append({"name": "trifles"})

    def run(name, *more):
        given = [tmp_path / item if isinstance(item, Path) else item for item in ACTIONS[name][1:]]
        return call(*name.split(), *given, *more, *at)

    return run


def test_every_kind_of_record_is_judged_once() -> None:
    assert {*CANNOT_UNDO, *UNDONE_BY} - {"bundle.attest"} == set(KINDS)
    assert not CANNOT_UNDO.keys() & UNDONE_BY.keys()


def test_every_command_that_asks_is_walked_and_every_kind_that_stands_is_asked_about() -> None:
    assert {name for name, options in COMMANDS.items() if "--yes" in options} == set(ACTIONS)
    asked = {kind for kind, *_ in ACTIONS.values()}
    drafted = {kind for kind, command in COMMAND_OF.items() if "--out" in COMMANDS[command] or command == "run"}
    assert CANNOT_UNDO.keys() - asked - drafted == set()


@pytest.mark.parametrize("more", [(), ("--json",)], ids=["piped", "json"])
@pytest.mark.parametrize("name", sorted(ACTIONS))
def test_where_nobody_can_be_asked_only_what_can_be_undone_is_sent(ask, node, tmp_path, name, more) -> None:
    kind = ACTIONS[name][0]
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    done = ask(name, *more)
    if kind in UNDONE_BY:
        assert done.code == 0, done.err
        return
    assert (done.code, done.out) == (2, "")
    assert "not_confirmed" in done.err or "nobody can be asked here" in done.err
    assert CANNOT_UNDO[kind] in done.err
    assert (node.submitted, node.accepted) == ([], [])
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before
    sent = ask(name, *more, "--yes")
    assert sent.code == 0, sent.err


def test_the_end_of_input_is_no_answer(ask, node, monkeypatch) -> None:
    monkeypatch.setattr("node.cli.common.is_live", lambda: True)

    def end(_question: str) -> str:
        raise EOFError

    monkeypatch.setattr("builtins.input", end)
    assert ask("member leave").code == 130
    assert node.submitted == []
