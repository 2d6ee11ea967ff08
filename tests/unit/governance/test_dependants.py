"""Dependants on a real chain, and what a scenario reaches only with effort.

Prepaid terms, refused renewals, dearer plans.
"""

from __future__ import annotations

import pytest

from governance.benefits.dependants import CoverAddBody, CoverEndBody
from governance.events import render
from governance.kinds import KINDS
from governance.state.contracts import CONTRACTS
from governance.tables import Draft
from governance.views import members as views
from ledger.records import Attestation


@pytest.fixture
def add(chain):
    """A record that puts a cover on the first founder's contract.

    The cover (or `by`) signs that it wants to be with `over`.
    """

    def make(cover=None, *, author=None, by=None, over=None, number=1):
        body, author = CoverAddBody(cover or chain.key("kid")), author or chain.members[0].key
        subject = KINDS["cover.add"].attested[0].subject(over or author, body)
        return chain.act(
            "cover.add", author, body, number=number, attested=[Attestation("cover", by or body.cover, subject, b"")]
        )

    return make


def test_nobody_adds_a_key_that_does_not_want_to_be_there(chain, add):
    chain.check(add())
    assert chain.refusal(add(by=chain.key("other"))) == "attestations_missing"
    assert chain.refusal(add(over=chain.members[1].key)) == "attestations_missing"
    assert chain.refusal(add(chain.key("cover", 3))) == "key_taken"
    assert chain.refusal(add(chain.key("device", 0))) == "key_taken"


def test_a_dependants_share_falls_due_in_prepaid_terms(chain, add):
    chain.live([add()], *([] for _ in range(29)))
    before = CONTRACTS.get(Draft(chain.state), chain.members[0].key)
    assert (before.rate_cents, before.owed) == (100_000, ())
    chain.live([])
    owed = CONTRACTS.get(Draft(chain.state), chain.members[0].key).owed
    assert [item.amount_cents for item in owed] == [50_000]
    assert CONTRACTS.get(Draft(chain.state), chain.members[1].key).owed == ()


def test_the_view_says_how_each_cover_stands(chain, add):
    ann = chain.members[0].key

    def shown():
        return [
            (item.standing, item.rate_cents, item.last_day)
            for item in views.dependants_view(chain.state, chain.height, ann)
        ]

    chain.live([add()])
    assert shown() == [("coming", 0, None)]
    chain.live(*([] for _ in range(30)))
    assert shown() == [("covered", 50_000, None)]
    chain.live([chain.act("cover.end", ann, CoverEndBody(chain.key("kid")), number=2)])
    assert shown() == [("leaving", 50_000, 90)]
    assert views.dependants_view(chain.state, 90, ann)[0].standing == "ended"
    assert views.dependants_view(chain.state, 1, chain.key("stranger")) is None
    assert "kid" not in str(render(views.members_view(chain.state, chain.height)))
    assert chain.key("kid").hex() not in str(render(views.members_view(chain.state, chain.height)))


def test_nobody_is_added_where_cover_ends_or_has_not_begun(story):
    play = story(phase="recruit")
    play.do(1, "dependant", by="m0", name="kid")
    assert play.events("refused") == []
    play.advance(1)
    assert play.events("refused")[0]["code"] == "no_contract"
    play = story(accounts={"claims": 1, "reserve": 0}, params={"run_off_terms": 1}, auto_pay=False)
    play.claim(1, "m1", "c1", ("S", 1, 30_000)).advance(30)
    assert play.events("run_off")
    play.do(31, "dependant", by="m0", name="kid").advance(31)
    assert play.events("refused", do="dependant")[0]["code"] == "no_admission"


def test_a_dearer_plan_makes_a_dependant_who_begins_with_it_wait_and_not_one_who_was_there(story):
    plans = [{"name": "free", "premium_cents": 50_000}, {"name": "rich", "premium_cents": 90_000, "waiting_terms": 1}]
    play = story(plans=plans, members=[{"name": f"m{i}", "plan": "free"} for i in range(8)])
    play.do(2, "dependant", by="m0", name="kid").do(35, "change_plan", by="m0", plan="rich").do(
        35, "dependant", by="m0", name="rex"
    )
    play.claim(61, "kid", "c1", ("S", 1, 30_000)).claim(61, "rex", "c2", ("S", 1, 30_000)).claim(
        91, "rex", "c3", ("S", 1, 30_000)
    ).advance(92)
    refusals = {event["claim"]: event["refusal"] for event in play.events("claim_line")}
    assert refusals == {"c1": None, "c2": 2, "c3": None}
    due = [event["amount_cents"] for event in play.events("premium_due", member="m0")]
    rich = next(event["new_cents"] for event in play.events("premium_set", plan="rich", height=30))
    assert due[1:3] == [100_000, 3 * rich]


def test_an_unpaid_contract_takes_its_dependants_along(story):
    play = story(auto_pay=False)
    for name in ("m0", "m1"):
        play.do(1, "pay_premium", by=name)
    play.do(2, "dependant", by="m0", name="kid").advance(90)
    assert play.events("contract_ended", member="m0", height=90)[0]["amount_cents"] == 200_000
    assert play.events("cover_ended")[0]["height"] == 90
    assert play.show("member", "m0")["dependants"] == []
