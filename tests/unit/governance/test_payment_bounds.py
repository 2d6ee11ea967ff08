"""Payments keep inside what bitcoin and 64 bits can hold, and none gets lost (found by fuzzing the kinds)."""

import json

from governance.invariants import all_broken_invariants
from governance.simulation.rehearse import Player
from governance.simulation.scenario import parse
from governance.state.treasury import PAYMENTS
from governance.tables import Draft


def played(*lines, **genesis):
    first = {
        "do": "genesis",
        "params": {"audit_random_bp": 0},
        "plans": [{"name": "b", "premium_cents": 1}],
        "members": [{"name": name, "plan": "b"} for name in "abcdefg"],
        "providers": ["d"],
        "codes": [{"code": "S", "standard": True}],
    } | genesis
    actions = parse(json.dumps(line) for line in (first, *lines))
    player = Player(actions[0])
    return player, [event for action in actions[1:] for event in player.act(action)]


def claim(cents):
    return {
        "at": 3,
        "do": "claim",
        "id": "c1",
        "by": "a",
        "provider": "d",
        "lines": [{"code": "S", "charge_cents": cents, "day": 2}],
    }


def test_at_a_rate_near_nothing_a_payment_asks_for_no_more_than_all_bitcoin():
    """Rate 1: 21,000,000 bitcoin buy 21,000,000 cents; the rest of 10^12 stays owed in its place."""
    player, events = played(
        claim(10**12), {"at": 4, "do": "advance", "to": 4}, accounts={"claims": 10**16, "reserve": 0}, rate=1
    )
    paid = next(event.fields for event in events if event.name == "payout_due")
    assert (paid["amount_cents"], paid["amount_sat"]) == (21_000_000, 21_000_000 * 10**8)
    short = next(event.fields for event in events if event.name == "payout_short")
    assert short["owed_cents"] == 10**12 - 21_000_000
    assert all_broken_invariants(player.state) == []


def test_what_is_paid_twice_in_the_block_of_disbanding_reaches_the_signers_whole():
    """Block 60 pays 5 % of the reserve at the end of day, and all that is left at the end of run-off, for one part."""
    player, events = played(
        claim(900_000),
        {"at": 60, "do": "advance", "to": 60},
        accounts={"claims": 10, "reserve": 10_000},
        rate=10**7,
        params={"audit_random_bp": 0, "run_off_terms": 1, "filing_terms": 1},
    )
    paid = [event.fields["amount_sat"] for event in events if event.name == "payout_due"]
    assert [event.height for event in events if event.name == "payout_due"][-2:] == [60, 60]
    noted = [row.amount_sat for row in PAYMENTS.scan(Draft(player.state))]
    assert sum(noted) == sum(paid)
    assert all_broken_invariants(player.state) == []
