"""A provider that files for a patient answers for it.

The debt of its fraud is its own (docs/reference/rules/community.md).
"""

from __future__ import annotations

from governance.state.payouts import RECEIVABLES
from governance.tables import Draft


def debt_of(run, debtor, claim):
    row = RECEIVABLES.find(Draft(run.player.state), debtor, claim)
    return None if row is None else row.value


def test_what_was_paid_on_a_providers_fraud_is_owed_by_the_provider(story):
    run = story(community=["village"])
    run.claim(3, "m0", "a", ("S", 1, 20_000), submitter="provider", scheme="village", payee="provider")
    run.do(5, "finding", claim="a", outcome="fraud").advance(5)
    assert (debt_of(run, b"doc", b"a"), debt_of(run, b"m0", b"a")) == (20_000, None)


def test_a_members_own_fraud_stays_the_members_debt(story):
    run = story(community=["village"]).claim(3, "m0", "a", ("S", 1, 20_000))
    run.do(5, "finding", claim="a", outcome="fraud").advance(5)
    assert (debt_of(run, b"doc", b"a"), debt_of(run, b"m0", b"a")) == (None, 20_000)


def test_fraud_is_found_once_in_a_claim_that_a_provider_filed(story):
    run = story(community=["village"])
    run.claim(3, "m0", "a", ("S", 1, 20_000), submitter="provider", scheme="village", payee="provider")
    run.do(5, "finding", claim="a", outcome="fraud").do(5, "finding", claim="a", outcome="fraud").advance(5)
    assert [event["code"] for event in run.events("refused")] == ["fraud_known"]
