"""Who a node acts for follows from the newest state.

Members admitted after genesis, certified devices, past members, strangers.
"""

from __future__ import annotations

import time

import msgspec
import pytest
import trio

from governance.day import Day
from governance.membership import members
from governance.state.keys import DEVICES
from governance.state.members import MEMBERS
from governance.tables import Draft, Name
from ledger.errors import MutuaError, RuleBroken
from node.daemon import Daemon, Options
from wallet.keys import KeyRing

LATER = KeyRing.from_seed(b"\x77" * 32)


@pytest.fixture
async def node(tmp_path, make_folder, make_charter, nursery):
    """A node of a founders' co-op whose keys are in no charter."""
    folder = make_folder(
        tmp_path / "data", 0x76, make_charter(founders=2, genesis_ms=int(time.time() * 1000) + 3_600_000)
    )
    made = Daemon(folder, LATER, Options(listen="/ip4/127.0.0.1/tcp/0"))
    await nursery.start(made.run)
    yield made
    made.stop()
    with trio.move_on_after(2):
        while (folder / "api.sock").exists():
            await trio.sleep(0.01)


def admit(node, *, device=None, identity=LATER.identity_key):
    """Write the rows that an admission leaves."""
    day = Day(Draft(node.chain.state), 1, b"")
    founder = MEMBERS.get(day.draft, node.charter.founders[0].identity_key)
    row = msgspec.structs.replace(
        founder, key=identity, cover=LATER.cover_key, is_founder=False, household=b"", voting=()
    )
    members.add_member(day, row)
    if device is not None:
        DEVICES.put(day.draft, Name(identity), device)
    node.chain.store.write({b"s/" + key: value for key, value in day.draft.delta().items()})


def waiting(node):
    (signed,) = [signed for _, signed in node.mempool]
    return signed.record


async def test_a_node_whose_keys_are_no_members_only_follows(node):
    assert (node.api.reads.status().member, node.api.reads.status().cover) == (None, None)
    for kind, body in (("vote.delegate", {"to": "00" * 32, "topic": "*"}), ("claim.file", {})):
        with pytest.raises(MutuaError) as refused:
            await node.api.actions.submit(kind, body)
        assert refused.value.code == "not_a_member"


async def test_a_stranger_may_apply_with_the_own_identity_key(node):
    with pytest.raises(RuleBroken) as refused:
        await node.api.actions.submit(
            "member.apply",
            {
                "cover_id": "c0",
                "plan": "none",
                "contract_terms": 1,
                "household": "",
                "nullifier": "",
                "deposit_cents": 0,
                "deposit_commitment": "",
                "payout_commitment": "",
            },
        )
    assert refused.value.code == "plan_unknown"
    signed = node.record_signer.sign("member.apply", DEVICES.shape(b""))
    assert signed.record.author == signed.record.signer == LATER.identity_key


async def test_a_member_admitted_later_acts_and_the_identity_key_signs(node):
    admit(node)
    assert node.api.reads.status().member == LATER.identity_key.hex()
    assert node.api.reads.status().cover == LATER.cover_key.hex()
    founder = node.charter.founders[0].identity_key
    await node.api.actions.submit("vote.delegate", {"to": founder.hex(), "topic": "*"})
    assert (waiting(node).author, waiting(node).signer) == (LATER.identity_key, LATER.identity_key)


async def test_once_the_device_is_certified_it_signs(node):
    admit(node, device=LATER.device_key)
    await node.api.actions.submit("vote.delegate", {"to": node.charter.founders[0].identity_key.hex(), "topic": "*"})
    assert (waiting(node).author, waiting(node).signer) == (LATER.identity_key, LATER.device_key)


async def test_a_certified_device_of_another_folder_acts_for_its_member(node):
    other = KeyRing.from_seed(b"\x78" * 32).identity_key
    admit(node, device=LATER.device_key, identity=other)
    assert node.api.reads.status().member == other.hex()
    await node.api.actions.submit("vote.delegate", {"to": node.charter.founders[0].identity_key.hex(), "topic": "*"})
    assert (waiting(node).author, waiting(node).signer) == (other, LATER.device_key)


async def test_a_later_members_claim_is_checked_by_the_rules_and_signed_by_the_cover(node):
    admit(node)
    line = {
        "system": "H",
        "code": "A1",
        "modifiers": [],
        "units": 1,
        "charge_cents": 100,
        "first_day": 1,
        "last_day": 1,
    }
    with pytest.raises(RuleBroken) as refused:
        await node.api.actions.submit("claim.file", {"provider_id": "ab" * 32, "lines": [line]})
    assert refused.value.code == "provider_unknown"


async def test_a_past_member_is_told_so_by_the_rules(node):
    admit(node)
    row = msgspec.structs.replace(MEMBERS.get(Draft(node.chain.state), LATER.identity_key), is_member=False)
    draft = Draft(node.chain.state)
    MEMBERS.put(draft, row, row.key)
    node.chain.store.write({b"s/" + key: value for key, value in draft.delta().items()})
    assert node.api.reads.status().member == LATER.identity_key.hex()
    with pytest.raises(RuleBroken) as refused:
        await node.api.actions.submit(
            "vote.delegate", {"to": node.charter.founders[0].identity_key.hex(), "topic": "*"}
        )
    assert refused.value.code == "not_a_member"
