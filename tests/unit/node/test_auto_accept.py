"""Auto-accept: what a rule accepts, what the file keeps, and that a node casts in s+1, once, also across a restart."""

from __future__ import annotations

import json
import time
from typing import get_type_hints

import msgspec
import pytest
import trio

from governance.day import Day
from governance.state.cases import CASES, OPEN_CASES, CaseKey, CaseRow
from governance.state.claims import CLAIMS, ClaimRow
from governance.tables import Draft
from governance.voting import ballots
from ledger.errors import MutuaError
from node.api.views.actions import AutoRuleFields
from node.daemon import Daemon, Options
from node.own.auto_accept import AutoRule, Rulebook, change_of, check_rule, find_ballots, is_met, rule_hash_of
from wallet.keys import KeyRing

ANN, BOB = (KeyRing.from_seed(bytes([number]) * 32) for number in (1, 2))
CLAIM, CLINIC, LAB = b"\xc1" * 32, b"\x0d" * 32, b"\x0e" * 32
CHAIN = b"\x0c" * 32


def rule(**changes):
    fields = {
        "chain_id": CHAIN,
        "member": ANN.identity_key,
        "name": "trifles",
        "version": 1,
        "is_revoked": False,
        "codes": ("X1",),
        "charge_max_cents": 10_000,
        "providers": (),
        "salt": bytes(16),
    }
    return AutoRule(**(fields | changes))


def case(**changes):
    fields = {
        "claim": CLAIM,
        "code": "X1",
        "system": "H",
        "carried_height": 0,
        "is_second": False,
        "lines": (0,),
        "charges_cents": 10_000,
        "excluded": (BOB.identity_key,),
        "eligible": 1,
        "bar_bp": 5_000,
        "seniority_bp": 0,
        "params_version": 0,
        "passing_since": 0,
        "panel": (),
        "status": "open",
        "how": "",
        "yes": 0,
        "no": 0,
        "opened": 0,
        "award_cents": 0,
        "benefit_cents": 0,
        "closed_height": 0,
    }
    return CaseRow(**(fields | changes))


def claim_row():
    empty = {bytes: b"", str: "", int: 0, bool: False}
    blank = {name: empty.get(hint, ()) for name, hint in get_type_hints(ClaimRow).items()}
    told = {
        "claim": CLAIM,
        "cover": BOB.cover_key,
        "member": BOB.identity_key,
        "provider": CLINIC,
        "evidence_version": 1,
    }
    return ClaimRow(**(blank | told))


def carry(node, *cases):
    """Write the rows that a block of the node's height leaves when it carries these cases.

    Return how to take them away again.
    """
    draft = Draft(node.chain.state)
    CLAIMS.put(draft, claim_row(), CLAIM)
    for row in cases:
        CASES.put(draft, row, row.claim, row.code)
        OPEN_CASES.put(draft, CaseKey(row.claim, row.code), row.carried_height, row.claim, row.code)
    rows = {b"s/" + key: row for key, row in draft.delta().items()}
    node.chain.store.write(rows)
    return lambda: node.chain.store.write(dict.fromkeys(rows))


# ---- Deciding ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rule_changes", "case_changes", "met"),
    [
        ({}, {}, True),
        ({}, {"charges_cents": 10_001}, False),
        ({}, {"code": "X2"}, False),
        ({"codes": ("X2", "X1")}, {}, True),
        ({"is_revoked": True}, {}, False),
        ({"providers": (LAB, CLINIC)}, {}, True),
        ({"providers": (LAB,)}, {}, False),
    ],
)
def test_a_rule_accepts_by_code_ceiling_and_provider(rule_changes, case_changes, met):
    assert is_met(rule(**rule_changes), case(**case_changes), CLINIC) is met


def test_the_hash_says_which_version_and_cannot_be_guessed():
    hashes = {
        rule_hash_of(rule()),
        rule_hash_of(rule(version=2)),
        rule_hash_of(rule(salt=b"\x01" * 16)),
        rule_hash_of(rule(charge_max_cents=1)),
    }
    assert len(hashes) == 4


# ---- Keeping -------------------------------------------------------------------------------


def code_of(call):
    with pytest.raises(MutuaError) as caught:
        call()
    assert caught.value.hint
    return caught.value.code


@pytest.fixture
def book(tmp_path):
    def opened(keys=frozenset({ANN.identity_key}), chain=CHAIN):
        made = Rulebook(tmp_path / "auto-accept.json", chain, keys)
        made.load()
        return made

    return opened


def test_every_version_is_kept_with_its_signature_and_the_newest_holds(book):
    first = book()
    for action, changes in (
        ("add", {}),
        ("replace", {"charge_max_cents": 5}),
        ("revoke", {}),
        ("add", {"codes": ("X9",)}),
    ):
        first.put(change_of(first.newest(), action, rule(**changes)), ANN.identity_seed)
    again = book()
    assert [(item.rule.version, item.rule.is_revoked, item.rule.charge_max_cents) for item in again.versions] == [
        (1, False, 10_000),
        (2, False, 5),
        (3, True, 5),
        (4, False, 10_000),
    ]
    assert [item.codes for item in again.standing()] == [("X9",)]


def test_a_rule_that_is_there_is_not_added_and_one_that_is_not_is_neither_replaced_nor_revoked(book):
    there = {"trifles": rule()}
    assert code_of(lambda: change_of(there, "add", rule())) == "auto_rule_name"
    assert code_of(lambda: change_of({}, "replace", rule())) == "auto_rule_name"
    assert code_of(lambda: change_of({"trifles": rule(is_revoked=True)}, "revoke", rule())) == "auto_rule_name"
    assert code_of(lambda: change_of(there, "deny", rule())) == "usage"


@pytest.mark.parametrize(
    "changes",
    [
        {"name": ""},
        {"name": "a\nb"},
        {"codes": ()},
        {"codes": ("",)},
        {"charge_max_cents": 0},
        {"providers": (b"short",)},
        {"codes": ("X",) * 101},
    ],
)
def test_a_rule_out_of_bounds_is_refused(changes):
    assert code_of(lambda: check_rule(rule(**changes))) == "auto_rule_shape"


def test_a_file_that_was_tampered_with_or_is_anothers_casts_nothing(book, tmp_path):
    book().put(rule(), ANN.identity_seed)
    path = tmp_path / "auto-accept.json"
    good = path.read_text()
    assert code_of(lambda: book(frozenset({BOB.identity_key}))) == "auto_rules_unusable"
    assert code_of(lambda: book(chain=b"\xdd" * 32)) == "auto_rules_unusable"
    signed = json.loads(good)["auto_accept"][0]["signed"]
    for text in (
        "{",
        "[]",
        '{"auto_accept": [{"signed": "zz"}]}',
        good.replace(signed, signed[:-2] + ("00" if signed[-2:] != "00" else "01")),
    ):
        path.write_text(text)
        assert code_of(book) == "auto_rules_unusable"


def test_a_disk_that_refuses_leaves_the_rules_as_they_were(book, monkeypatch):
    made = book()
    made.put(rule(), ANN.identity_seed)

    def full(*_arguments):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("node.paths.write_whole", full)
    with pytest.raises(OSError, match="space"):
        made.put(rule(version=2), ANN.identity_seed)
    assert [item.version for item in made.standing()] == [1]
    assert [item.version for item in book().standing()] == [1]


# ---- Casting -------------------------------------------------------------------------------


@pytest.fixture
def folder(tmp_path, make_folder, make_charter):
    return make_folder(tmp_path / "data", 0, make_charter(founders=2, genesis_ms=int(time.time() * 1000) + 3_600_000))


async def until(condition):
    with trio.fail_after(5):
        while not condition():
            await trio.sleep(0.01)


def auto_ballots(node):
    return [signed.record for _, signed in node.mempool if signed.record.kind == "case.auto_ballot"]


def opened(folder):
    return Daemon(folder, ANN, Options(listen="/ip4/127.0.0.1/tcp/0"))


TRIFLES = AutoRuleFields(name="trifles", codes=("X1",), charge_max_cents=10_000)


async def test_a_node_casts_in_the_next_block_once_also_after_a_restart(folder):
    ids = []
    for start in range(3):
        node = opened(folder)
        async with trio.open_nursery() as nursery:
            forget = carry(node, case(), case(code="X2"), case(code="X3", charges_cents=10_001))
            await nursery.start(node.run)
            if start == 0:
                await node.api.actions.change_auto_rule("add", TRIFLES)
                await until(lambda: auto_ballots(node))
            node.auto.wake()
            await trio.sleep(0.2)
            ids.append([item.body_hash for item in auto_ballots(node)])
            forget()  # a ledger that does not have the root of its header is not opened again
            node.stop()
    assert len(ids[0]) == 1
    assert ids[0] == ids[1] == ids[2]


async def test_a_rule_kept_from_before_casts_at_the_start_on_what_the_newest_block_carried(folder):
    first = opened(folder)
    async with trio.open_nursery() as nursery:
        await nursery.start(first.run)
        made = await first.api.actions.change_auto_rule("add", TRIFLES)
        first.stop()
    node = opened(folder)
    carry(node, case())
    async with trio.open_nursery() as nursery:
        await nursery.start(node.run)
        await until(lambda: auto_ballots(node))
        (signed,) = [signed for _, signed in node.mempool]
        node.stop()
    assert msgspec.msgpack.decode(signed.body.data, type=ballots.AutoBallotBody).rule_hash.hex() == made.rule_hash


async def test_nothing_is_cast_where_a_ballot_waits_or_the_member_is_not_in_e_or_the_rule_is_gone(folder):
    node = opened(folder)
    carry(node, case(), case(code="X2", excluded=(ANN.identity_key,)), case(code="X3"))
    async with trio.open_nursery() as nursery:
        await nursery.start(node.run)
        by_hand = {
            "claim": CLAIM.hex(),
            "code": "X1",
            "choice": "deny",
            "award_cents": None,
            "reason": "",
            "evidence_version": 1,
            "opened": "",
        }
        await node.api.actions.submit("case.ballot", by_hand)
        gone = rule(chain_id=node.chain.chain_id, name="gone", codes=("X3",), is_revoked=True)
        node.auto.rulebook.put(gone, ANN.identity_seed)
        await node.api.actions.change_auto_rule("add", msgspec.structs.replace(TRIFLES, codes=("X1", "X2")))
        await trio.sleep(0.3)
        cast = auto_ballots(node)
        node.stop()
    assert cast == []


async def test_cases_of_earlier_blocks_are_let_be(folder):
    node = opened(folder)
    carry(node, case())
    assert len(find_ballots(node.chain.state, 0, ANN.identity_key, [rule()])) == 1
    assert find_ballots(node.chain.state, 1, ANN.identity_key, [rule()]) == []
    assert find_ballots(node.chain.state, 0, BOB.identity_key, [rule()]) == []
    assert Day(Draft(node.chain.state), 1, b"").counts.members == 2
    node.chain.store.close()
    node.mempool_store.close()
    node.votes.close()


async def test_an_unusable_file_is_told_and_the_node_runs_on(folder):
    (folder / "auto-accept.json").write_text("{")
    node = opened(folder)
    async with trio.open_nursery() as nursery:
        await nursery.start(node.run)
        told = [code_of(node.api.actions.auto_rules)]
        with pytest.raises(MutuaError) as refused:
            await node.api.actions.change_auto_rule("add", TRIFLES)
        told.append(refused.value.code)
        node.stop()
    assert told == ["auto_rules_unusable"] * 2
    assert (folder / "auto-accept.json").read_text() == "{"
