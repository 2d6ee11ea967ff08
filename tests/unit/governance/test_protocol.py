"""A program that does not know the rules of the next block stops before it; what it has stays."""

from __future__ import annotations

import pytest

from governance import protocol
from governance.genesis import GenesisSpec, MemberSpec, PlanSpec, genesis_rows
from governance.state.protocol import VersionRow
from governance.tables import Draft
from governance.transition import BlockContext, apply_block
from governance.views.coop import status_view
from ledger.errors import MutuaError, RuleBroken
from ledger.store import MemoryStore
from node.faults import is_fatal

PLANS = (PlanSpec("basic", 100),)
MEMBERS = (MemberSpec(b"m" * 32, b"c" * 32, "basic"),)


def founded(version: int, height: int, *, is_rehearsal: bool = False) -> MemoryStore:
    """Return the state of a co-op that decided on a version for a height."""
    store = MemoryStore(genesis_rows(GenesisSpec(plans=PLANS, members=MEMBERS, is_rehearsal=is_rehearsal)))
    draft = Draft(store)
    protocol.schedule(draft, version, height)
    store.write(draft.delta())
    return store


def play_to(store: MemoryStore, height: int, first: int = 1) -> None:
    for number in range(first, height + 1):
        store.write(apply_block(store, BlockContext(number, bytes(32)), ()).delta)


def test_a_block_of_an_unknown_version_ends_the_node_with_what_to_install_and_changes_nothing() -> None:
    store = founded(2, 3)
    play_to(store, 2)
    before = dict(store.scan(b""))
    with pytest.raises(
        MutuaError, match="from block 3 on the co-op follows protocol version 2; this program knows up to 1"
    ) as error:
        play_to(store, 3, first=3)
    assert (error.value.code, is_fatal(error.value)) == ("protocol_unknown", True)
    assert not isinstance(error.value, RuleBroken)
    assert dict(store.scan(b"")) == before


def test_what_is_decided_for_later_is_shown_before_it_comes() -> None:
    store = founded(2, 3)
    assert status_view(store, 2).protocol_version == 1
    assert status_view(store, 2).protocol_next == VersionRow(3, 2)
    assert status_view(store, 3).protocol_next is None


def test_a_rehearsal_plays_on_by_the_rules_it_has() -> None:
    store = founded(2, 3, is_rehearsal=True)
    play_to(store, 4)
    assert protocol.row_at(Draft(store), 4).version == 2


def test_versions_out_of_order_break_an_invariant() -> None:
    store = founded(2, 3)
    draft = Draft(store)
    assert list(protocol.broken_invariants(draft)) == []
    protocol.schedule(draft, 2, 9)
    assert list(protocol.broken_invariants(draft)) == ["protocol version 2 is scheduled for block 9 after version 2"]


def test_the_status_warns_before_the_block_of_a_version_this_program_does_not_know() -> None:
    from node.api.reads import protocol_state
    from node.api.views.node import Consensus, PeerCounts, ProtocolState, Status
    from node.cli.node.live import status_lines

    store = founded(2, 30)
    shown = protocol_state(store, 5)
    assert shown == ProtocolState(version=1, next_version=2, next_height=30, knows_next=False)
    answer = Status(
        name="x",
        chain_id="",
        currency="USD",
        exponent=2,
        height=5,
        block_hash="",
        state_root="",
        term=0,
        day_one="2026-01-01",
        block_interval_ms=1000,
        peers=PeerCounts(connected=0, known=0),
        mempool=0,
        is_syncing=False,
        consensus=Consensus(view=0, is_member=False, committee=1, misbehaviour=0, is_signing=False),
        needs_me=0,
        protocol=shown,
        log_level="info",
    )
    assert [line for line in status_lines(answer) if line.startswith("protocol")] == [
        "protocol   version 2 begins with block 30: install a newer mutua before it, or this node stops there"
    ]
    assert protocol_state(founded(1, 0), 5).knows_next is True
