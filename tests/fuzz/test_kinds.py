"""No sequence of records raises anything but RuleBroken or MalformedBytes, and what is refused leaves no trace.

Authors and attestations fit mostly, bodies are arbitrary: made from the shapes' type hints, some of their bytes
mangled. After every block all invariants hold, and the block without its refused records does the same. MUTUA_FUZZ_SEED
moves the first seed (default 0), MUTUA_FUZZ_COUNT the number of seeds of the soak. To look at a failing seed:
`Fuzz(seed)`, then `block(40)` until it fails.
"""

import collections
import os
import random

import pytest

from governance.kinds import KINDS

SEED = int(os.environ.get("MUTUA_FUZZ_SEED", "0"))
COUNT = int(os.environ.get("MUTUA_FUZZ_COUNT", "160"))
BLOCKS, RECORDS = 64, 20
MOMENTS = (
    "run_off",
    "disbanded",
    "appeal_opened",
    "fraud_found",
    "hold_placed",
    "proposal_passed",
    "member_joined",
    "payout_due",
    "panel_drawn",
)


@pytest.fixture(scope="module")
def played():
    """Eight co-ops of sixty-four blocks, some thousand records; two of them owe more than they have."""
    from fuzz.play import run, summed

    return summed(run(seed, BLOCKS, RECORDS) for seed in range(SEED, SEED + 8))


def test_arbitrary_records_are_taken_or_refused_and_nothing_else(played):
    assert sum(count for name, count in played.items() if name.startswith(("taken", "refused"))) > 3_000
    assert played["traced"] > 50


def test_the_fuzz_goes_beyond_the_first_check(played):
    """Most kinds were taken and money moved: a fuzz that is refused at the door shows nothing.

    The soak asks for more.
    """
    assert len([kind for kind in KINDS if played[f"taken {kind}"]]) > len(KINDS) // 2
    assert [name for name in ("claim_accepted", "payout_due", "premium_paid") if not played[f"event {name}"]] == []


def test_a_field_of_a_new_type_is_noticed():
    from fuzz.bodies import Names, body_of

    names = Names()
    names.texts["code"] = ["N1"]
    for kind in KINDS.values():
        body_of(random.Random(1), kind.body, names, 5)


@pytest.mark.soak
def test_hundreds_of_thousands_of_arbitrary_records():
    """In every phase, in run-off and after the end; every kind is taken and every rare moment is reached."""
    from fuzz.play import run

    total: collections.Counter[str] = collections.Counter()
    for seed in range(SEED, SEED + COUNT):
        total += run(seed, 130, 40).counts
    print("\n".join(f"{count:8} {name}" for name, count in sorted(total.items())))
    assert [kind for kind in KINDS if not total[f"taken {kind}"]] == []
    assert [name for name in MOMENTS if not total[f"event {name}"]] == []
