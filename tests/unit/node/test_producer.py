"""Blocks made and checked: in time, within their size, and never stopped by one record."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ledger.blocks import BlockWithBodies, encode_header
from ledger.errors import MalformedBytes, MutuaError, RuleBroken
from ledger.records import record_id_of
from node.execution import propose as producer
from node.execution import validate
from node.execution.header_rules import earliest_ms
from node.execution.ledger import TIMELY_MS_MIN
from node.execution.propose import build_candidate
from node.execution.validate import check_candidate, check_whole


@pytest.fixture
def node(coop):
    return coop.node(0)


def waiting(records):
    return [(record_id_of(signed.record), signed) for signed in records]


def check(node, block):
    return check_candidate(node.chain, node.ledger.committee, block, lambda _record: False)


def test_a_block_is_never_dated_before_it_was_due_even_when_the_clock_went_back(node):
    candidate, _ = build_candidate(node.chain, node.ledger.committee, node.proposer, [], now_ms=5)
    assert candidate.header.proposed_time_ms == earliest_ms(node.chain)
    check(node, candidate.block)


def test_a_block_dated_before_it_was_due_is_invalid(node, coop):
    candidate = coop.candidate(node.chain)
    header = replace(candidate.header, proposed_time_ms=earliest_ms(node.chain) - 1)
    with pytest.raises(MalformedBytes) as early:
        check(node, BlockWithBodies(type(candidate.block.block)(encode_header(header), ()), ()))
    assert early.value.code == "block_early"


def test_a_clock_that_differs_little_is_borne_with(node, coop):
    header = coop.candidate(node.chain).header
    seen = header.proposed_time_ms
    assert node.ledger.is_timely(header, seen + TIMELY_MS_MIN)
    assert not node.ledger.is_timely(header, seen + TIMELY_MS_MIN + 1)
    assert not node.ledger.is_timely(header, seen - TIMELY_MS_MIN - 1)


def test_a_full_block_leaves_the_rest_for_the_next(node, coop, make_quote, monkeypatch):
    records = [make_quote(node.chain.chain_id, ring, 1) for ring in coop.rings]
    monkeypatch.setattr(validate, "BLOCK_BYTES_MAX", 2 * validate.weight_of(records[0]) + 10)
    candidate, refused = build_candidate(node.chain, node.ledger.committee, node.proposer, waiting(records), 0)
    assert (candidate.header.record_count, refused) == (2, {})
    check(node, candidate.block)
    monkeypatch.setattr(validate, "BLOCK_BYTES_MAX", validate.weight_of(records[0]))
    with pytest.raises(MalformedBytes) as large:
        check(node, candidate.block)
    assert large.value.code == "block_size"


def test_a_block_is_closed_in_time_with_what_it_has(node, coop, make_quote):
    records = [make_quote(node.chain.chain_id, ring, 1) for ring in coop.rings]
    asked = iter([False, False, True])
    candidate, _ = build_candidate(
        node.chain, node.ledger.committee, node.proposer, waiting(records), 0, is_late=lambda: next(asked)
    )
    assert candidate.header.record_count == 2


def test_a_record_at_which_the_rules_meet_a_fault_stops_no_proposer(node, coop, make_quote, monkeypatch):
    records = [make_quote(node.chain.chain_id, ring, 1) for ring in coop.rings[:2]]
    poison = record_id_of(records[0].record)
    take = producer.OpenBlock.take

    def fault(self, act):
        if act.record_id == poison:
            raise ZeroDivisionError
        take(self, act)

    monkeypatch.setattr(producer.OpenBlock, "take", fault)
    candidate, refused = build_candidate(node.chain, node.ledger.committee, node.proposer, waiting(records), 0)
    assert candidate.header.record_count == 1
    assert refused[poison].code == "rules_fault"


async def test_a_fault_of_the_rules_at_a_block_counts_as_an_invalid_block(node, coop, make_quote, monkeypatch):
    candidate = coop.candidate(node.chain, [make_quote(node.chain.chain_id, coop.rings[0], 1)])

    def fault(_day, _act):
        raise ZeroDivisionError

    monkeypatch.setattr("governance.transition.take_record", fault)
    with pytest.raises(RuleBroken) as refused:
        await node.ledger.check(candidate.block)
    assert refused.value.code == "rules_fault"


def test_a_failing_disk_is_no_fault_of_a_record(node, coop, make_quote, monkeypatch):
    def broken(_self, _act):
        raise MutuaError("store_unusable", "the ledger cannot be read", "repair the disk")

    monkeypatch.setattr(producer.OpenBlock, "take", broken)
    with pytest.raises(MutuaError) as fatal:
        build_candidate(
            node.chain,
            node.ledger.committee,
            node.proposer,
            waiting([make_quote(node.chain.chain_id, coop.rings[0], 1)]),
            0,
        )
    assert fatal.value.code == "store_unusable"


def test_bodies_and_records_must_be_those_of_the_header(node, coop, make_quote):
    whole = coop.candidate(
        node.chain, [make_quote(node.chain.chain_id, ring, 1 + index) for index, ring in enumerate(coop.rings[:2])]
    ).block
    check_whole(whole)
    swapped = BlockWithBodies(whole.block, whole.bodies[::-1])
    short = BlockWithBodies(whole.block, whole.bodies[:1])
    fewer = BlockWithBodies(type(whole.block)(whole.block.header, whole.block.records[:1]), whole.bodies[:1])
    for block in (swapped, short, fewer):
        with pytest.raises(MalformedBytes):
            check_whole(block)
