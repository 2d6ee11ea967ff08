"""What is shown of applications and proposals agrees with what the rules do with them."""

from __future__ import annotations

import json

from governance.events import render, render_text
from governance.simulation.rehearse import Player
from governance.simulation.scenario import parse
from governance.views.governing import PROPOSAL_FIELDS, applications_view, proposal_view, proposals_view
from governance.voting import proposal_kinds

NAMES = ("ann", "bob", "cy", "dee", "eve", "fay", "gil")
GENESIS = {
    "do": "genesis",
    "params": {"audit_random_bp": 0},
    "plans": [{"name": "basic", "premium_cents": 50000}],
    "members": [{"name": name, "plan": "basic"} for name in NAMES],
    "accounts": {"claims": 5000000},
    "auto_pay": True,
}


def played(*lines: dict[str, object]) -> Player:
    first, *others = parse(json.dumps(line) for line in (GENESIS, *lines))
    player = Player(first)
    for action in others:
        assert [event for event in player.act(action) if event.name == "refused"] == []
    return player


def test_an_application_shows_its_vouchers_and_the_earliest_boundary() -> None:
    player = played(
        {"at": 5, "do": "apply", "name": "hal", "plan": "basic", "deposit_cents": 60000},
        {"at": 6, "do": "vouch", "by": "ann", "name": "hal"},
        {"at": 7, "do": "object", "by": "bob", "name": "hal", "reason": "?"},
        {"at": 7, "do": "advance", "to": 8},
    )
    (item,) = render(applications_view(player.state, 8), render_text)
    assert (item["applicant"], item["vouchers"], item["objectors"], item["deposit_cents"]) == (
        "hal",
        ["ann"],
        ["bob"],
        60000,
    )
    assert (item["vouchers_needed"], item["objections_end"], item["objections_until"], item["earliest_boundary"]) == (
        3,
        3,
        35,
        60,
    )


def test_a_proposal_shows_what_it_needs_and_a_member_their_vote() -> None:
    player = played(
        {"at": 3, "do": "propose", "by": "ann", "id": "p", "what": "param", "name": "reserve_bp", "value": 1000},
        {
            "at": 3,
            "do": "propose",
            "by": "ann",
            "id": "q",
            "what": "attester",
            "change": "add",
            "key": "reg",
            "name": "Registry",
        },
        *({"at": 4, "do": "sponsor", "by": name, "proposal": "p"} for name in NAMES[1:5]),
        {"at": 5, "do": "cast", "by": "cy", "proposal": "p", "choice": "no"},
        {"at": 5, "do": "advance", "to": 6},
    )
    first, second = render(proposals_view(player.state, 6), render_text)
    assert (first["proposal"], first["status"], first["sponsors"], first["sponsors_needed"]) == ("q", "gathering", 1, 5)
    assert first["says"] == {"change": "add", "key": "reg", "name": "Registry"}
    assert (
        second["proposal"],
        second["status"],
        second["is_critical"],
        second["closes_at"],
        second["turnout_needed"],
    ) == ("p", "open", True, 34, 2)
    shown = render(proposal_view(player.state, 6, b"p", b"cy"), render_text)
    assert shown is not None
    assert (shown["my_vote"], shown["no"], shown["sponsored_by"]) == ("no", 1, ["ann", "bob", "cy", "dee", "eve"])
    assert proposal_view(player.state, 6, b"unknown", None) is None


def test_every_kind_of_proposal_says_something() -> None:
    assert set(PROPOSAL_FIELDS) == set(proposal_kinds.KINDS)
