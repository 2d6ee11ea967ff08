"""Bodies at the edge: JSON in, JSON out, and the field that does not fit is named."""

from __future__ import annotations

import pytest

from governance.filing.claims import ClaimBody
from governance.money.rates import QuoteBody
from governance.voting.ballots import BallotBody
from ledger.errors import MutuaError
from node.api.bodies import body_from_json, body_to_json

LINE = {
    "system": "s",
    "code": "T1015",
    "modifiers": ["A"],
    "units": 1,
    "charge_cents": 5,
    "first_day": 1,
    "last_day": 1,
}
CLAIM = {
    "scheme": "x",
    "cover_id": "aa" * 32,
    "submitter_role": "member",
    "payee": "member",
    "provider_id": "",
    "event_id": "",
    "use": "claim",
    "supersedes": "",
    "other_payer_cents": 0,
    "source_hash": "",
    "evidence": [],
    "payout_commitment": "",
    "lines": [LINE],
}


def test_a_body_comes_back_as_it_went():
    body = body_from_json(ClaimBody, CLAIM)
    assert isinstance(body, ClaimBody)
    assert body.lines[0].modifiers == ("A",)
    assert body_to_json(body) == CLAIM


def test_a_field_that_may_be_missing_is_none():
    ballot = {"claim": "00" * 32, "code": "T1", "choice": "accept", "reason": "r", "evidence_version": 0, "opened": ""}
    assert body_from_json(BallotBody, ballot).award_cents is None


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"cover_id": "xyz"}, "body.cover_id"),
        ({"cover_id": 5}, "body.cover_id"),
        ({"other_payer_cents": "5"}, "body.other_payer_cents"),
        ({"other_payer_cents": True}, "body.other_payer_cents"),
        ({"lines": {}}, "body.lines"),
        ({"lines": [{**LINE, "units": None}]}, "body.lines[0].units"),
        ({"lines": [{**LINE, "modifiers": [1]}]}, "body.lines[0].modifiers[0]"),
        ({"lines": ["x"]}, "body.lines[0]"),
        ({"more": 1}, "more"),
    ],
)
def test_the_field_that_does_not_fit_is_named(change, named):
    with pytest.raises(MutuaError) as refused:
        body_from_json(ClaimBody, {**CLAIM, **change})
    assert refused.value.code == "body_shape"
    assert named in refused.value.what


@pytest.mark.parametrize("value", [None, [], "x", 5])
def test_what_is_no_object_is_no_body(value):
    with pytest.raises(MutuaError):
        body_from_json(QuoteBody, value)


def test_a_missing_field_is_named():
    with pytest.raises(MutuaError) as refused:
        body_from_json(QuoteBody, {})
    assert "body.rate" in refused.value.what
