"""An event's benefit stays within one ceiling, however it is split into claims, days and providers (rules §13)."""

from __future__ import annotations

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

CEILING = 30_000
PARTS = st.lists(
    st.tuples(
        st.integers(1, 40_000),
        st.integers(1, 6),
        st.sampled_from(["doc", "doc2", "doc3"]),
        st.sampled_from(["S", "T", "X"]),
    ),
    min_size=1,
    max_size=8,
    unique_by=lambda part: part[1:],
)


def benefits_of(story, parts, event):
    plan = {"name": "free", "premium_cents": 50_000, "claim_ceiling_cents": CEILING}
    run = story(plans=[plan], codes=[{"code": "S", "standard": True}, {"code": "T", "standard": True}, {"code": "X"}])
    for number, (charge, day, provider, code) in enumerate(parts):
        line = {"code": code, "units": 1, "charge_cents": charge, "day": day}
        run.do(6, "claim", id=f"c{number}", by="m0", provider=provider, event=event, lines=[line])
    for number, part in enumerate(parts):
        if part[3] == "X":
            run.ballots(7, f"c{number}", yes=5)
    run.advance(22)
    return sum(line["benefit_cents"] for line in run.events("claim_line")), len(run.events("claim_line"))


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(PARTS)
def test_no_split_of_a_named_event_pays_more_than_one_claim_of_it(story, parts):
    benefit, lines = benefits_of(story, parts, "fall")
    assert lines == len(parts)
    assert benefit == min(CEILING, sum(part[0] for part in parts))


def test_a_splitter_who_names_no_event_gets_a_ceiling_for_each_day_and_provider(story):
    """What is left of the attack: only the visit is shared. Audits and the pair statistics look at the rest."""
    parts = [(20_000, 1, "doc", "S"), (20_000, 1, "doc", "T"), (20_000, 2, "doc", "S"), (20_000, 1, "doc2", "S")]
    assert benefits_of(story, parts, None) == (CEILING + 20_000 + 20_000, 4)
    assert benefits_of(story, parts, "fall") == (CEILING, 4)
