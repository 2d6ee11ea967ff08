"""What members can look up before they act.

Delegations both ways, premiums due, what was drawn, held and given to a panel.
"""

from __future__ import annotations

from governance.events import render, render_text
from governance.views.audits import audits_view
from governance.views.members import delegations_view, owing_view


def test_delegations_are_seen_from_both_sides_with_the_bound(story):
    played = (
        story()
        .do(1, "delegate", by="m1", to="m2")
        .do(1, "delegate", by="m1", to="m3", topic="X")
        .do(1, "delegate", by="m4", to="m2", topic="X")
    )
    played.do(1, "delegate", by="m4", to="m2", topic="*").advance(1)

    def seen(name):
        return render(delegations_view(played.player.state, 1, name.encode()), render_text)

    assert seen("m1")["given"] == [{"topic": "*", "to": "m2"}, {"topic": "X", "to": "m3"}]
    assert seen("m2")["received"] == [
        {"topic": "*", "by": "m1"},
        {"topic": "*", "by": "m4"},
        {"topic": "X", "by": "m4"},
    ]
    assert (seen("m2")["delegators"], seen("m2")["delegators_max"]) == (2, 3)
    played.do(2, "delegate", by="m1", to="m5").do(2, "undelegate", by="m1", topic="X").advance(2)
    assert seen("m1")["given"] == [{"topic": "*", "to": "m5"}]
    assert [item["by"] for item in seen("m2")["received"]] == ["m4", "m4"]
    assert (seen("m3")["received"], seen("m3")["delegators"]) == ([], 0)


def test_premiums_due_are_listed_until_they_are_paid(story):
    played = story(auto_pay=False).advance(2)
    due = render(owing_view(played.player.state), render_text)
    assert len(due) == 8
    assert (due[1]["member"], due[1]["owed_cents"], due[1]["suspended_from"]) == ("m1", 50_000, None)
    played.do(3, "pay_premium", by="m1").advance(11)
    left = render(owing_view(played.player.state), render_text)
    assert [item["member"] for item in left] == ["m0", *(f"m{i}" for i in range(2, 8))]
    assert {item["suspended_from"] for item in left} == {12}


def test_draws_holds_and_panels_are_listed_with_what_was_found(story):
    played = (
        story(params={"audit_random_bp": 10_000})
        .claim(1, "m1", "c1", ("S", 1, 100))
        .claim(2, "m2", "c2", ("S", 1, 100))
    )
    for reporter in ("m3", "m4", "m5", "m6", "m7"):
        played.do(3, "report", by=reporter, member="m1", claim="c1")
    played.advance(3)
    seen = render(audits_view(played.player.state), render_text)
    assert [(item["claim"], item["trigger"], item["height"]) for item in seen["drawn"]] == [
        ("c2", "random", 2),
        ("c1", "random", 1),
    ]
    assert [(item["held"], item["claim"], item["trigger"], item["until"]) for item in seen["holds"]] == [
        ("m1", "c1", "reports", 18)
    ]
    (panel,) = seen["panels"]
    assert (panel["claim"], "m1" in panel["panel"], panel["needed"]) == ("c1", False, len(panel["panel"]) // 2 + 1)
    played.do(4, "finding", claim="c1", outcome="fraud").advance(4)
    after = render(audits_view(played.player.state), render_text)
    assert after["holds"] == []
    assert [item["is_fraud"] for item in after["drawn"]] == [False, True]
    assert after["panels"][0]["is_fraud"] is True
