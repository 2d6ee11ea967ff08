"""Two readings of the rules play the same random scenarios and say the same, event for event (state roots aside).

A failing seed is printed with the first events that differ; `tests/naive/README.md` says how to look at one.
MUTUA_SCENARIO_SEED moves the first seed (default 0), MUTUA_SCENARIO_COUNT the number of mixed scenarios.
"""

import collections
import os

import pytest

FIRST_SEED = int(os.environ.get("MUTUA_SCENARIO_SEED", "0"))
MIXED_COUNT = int(os.environ.get("MUTUA_SCENARIO_COUNT", "200"))
COURT_COUNT = max(1, MIXED_COUNT // 8)
CROWD_COUNT = max(1, MIXED_COUNT // 25)
BATCH = 25

# What some scenario of the default seeds must reach, else the comparison proves nothing about it.
EVENTS = {
    "refused", "claim_line", "claim_accepted:standard", "claim_accepted:vote", "claim_accepted:appeal",
    "claim_accepted:small", "claim_accepted:lapse", "claim_denied", "claim_lapsed", "panel_drawn", "payout_due",
    "payout_short", "premium_due", "premium_paid", "cover_suspended", "cover_resumed", "contract_ended", "premium_set",
    "code_promoted", "code_demoted", "renewal_warned", "renewal_refused", "renewal_cleared", "hold_placed",
    "hold_lifted", "audit_drawn:random", "audit_drawn:claims", "audit_drawn:arrears", "audit_drawn:pair", "fraud_found", "proposal_opened", "proposal_passed", "proposal_failed",
    "appeal_opened", "member_joined", "member_left", "member_expelled", "rate_set", "param_changed", "phase_changed", "admission_stopped",
    "run_off", "disbanded", "shown", "end",
}  # fmt: skip

seen: collections.Counter[str] = collections.Counter()


@pytest.fixture(scope="module", autouse=True)
def every_event_was_reached():
    """After the last test of this file, in whatever order: when all default scenarios ran here, each event occurred."""
    yield
    ran_all = FIRST_SEED == 0 and MIXED_COUNT >= 200 and seen["end"] == MIXED_COUNT + COURT_COUNT + CROWD_COUNT
    print("\n".join(f"{count:8} {name}" for name, count in sorted(seen.items())))
    if ran_all:
        assert sorted(EVENTS - set(seen)) == []


def compare(kind, seed):
    from naive.compare import differences
    from naive.generate import scenario
    from naive.generate_votes import court, crowd

    lines = {"mixed": scenario, "court": court, "crowd": crowd}[kind](seed)
    ours, found = differences(lines)
    for event in ours:
        detail = event.get("how") or (event.get("trigger") if event["event"] == "audit_drawn" else None)
        seen[event["event"] + (f":{detail}" if detail else "")] += 1
    assert found is None, f"{kind} scenario, seed {seed}: {found}"


@pytest.mark.parametrize("first", range(FIRST_SEED, FIRST_SEED + MIXED_COUNT, BATCH))
def test_mixed_scenarios_end_in_the_same_events(first):
    for seed in range(first, min(first + BATCH, FIRST_SEED + MIXED_COUNT)):
        compare("mixed", seed)


@pytest.mark.parametrize("seed", range(FIRST_SEED, FIRST_SEED + COURT_COUNT))
def test_courts_of_many_votes_end_in_the_same_events(seed):
    compare("court", seed)


@pytest.mark.parametrize("seed", range(FIRST_SEED, FIRST_SEED + CROWD_COUNT))
def test_crowds_with_many_pairs_end_in_the_same_events(seed):
    compare("crowd", seed)
