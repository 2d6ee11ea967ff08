"""A scenario file with an error: line, field and expected shape, in these words; and nothing of it is played."""

import json

import pytest

from governance.simulation.rehearse import play
from governance.simulation.scenario import ScenarioError, parse

PLAN = {"name": "basic", "premium_cents": 50_000}
ANN = {"name": "ann", "plan": "basic"}
GENESIS = {
    "do": "genesis",
    "plans": [PLAN],
    "members": [ANN],
    "providers": ["dr"],
    "codes": [{"code": "S", "standard": True}],
}

FOUNDINGS = [
    ({"params": {"vote_blocks": 0}}, "params.vote_blocks: expected an integer of 1 to 240 blocks, found 0"),
    ({"params": {"reserve_bp": 3001}}, "params.reserve_bp: expected an integer of 800 to 3000 bp, found 3001"),
    ({"params": {"vote_blocks": "60"}}, 'params.vote_blocks: expected an integer of 1 to 240 blocks, found "60"'),
    (
        {"params": {"vote_block": 60}},
        'params.vote_block: expected the name of a parameter of the rules, found "vote_block"',
    ),
    ({"params": [60]}, "params: expected an object of parameter names and integers, found [60]"),
    (
        {"accounts": {"claims": 10**17}},
        "accounts.claims: expected an integer of 0 to 10000000000000000, found 100000000000000000",
    ),
    ({"accounts": {"claim": 1}}, 'accounts.claim: expected claims or reserve, found "claim"'),
    ({"accounts": {"reserve": -1}}, "accounts.reserve: expected an integer of 0 to 10000000000000000, found -1"),
    ({"rate": 10**16}, "rate: expected an integer of 0 to 1000000000000000 or null, found 10000000000000000"),
    ({"exponent": 19}, "exponent: expected an integer of 0 to 18, found 19"),
    ({"phase": "later"}, 'phase: expected one of recruit, pilot, live, found "later"'),
    ({"at": 1}, "at: expected 0, found 1"),
    ({"seed": 2**63}, "seed: expected an integer of at most 9223372036854775807, found 9223372036854775808"),
    (
        {"plans": [{**PLAN, "coinsurance_bp": 10_001}]},
        "plans[0].coinsurance_bp: expected an integer of 0 to 10000, found 10001",
    ),
    ({"plans": [{**PLAN, "waiting_terms": 121}]}, "plans[0].waiting_terms: expected an integer of 0 to 120, found 121"),
    (
        {"plans": [{**PLAN, "oop_max_cents": 10**13}]},
        "plans[0].oop_max_cents: expected an integer of 0 to 1000000000000 or null, found 10000000000000",
    ),
    ({"plans": [PLAN, PLAN]}, 'plans[1].name: expected a name of its own (plans[0].name has this one), found "basic"'),
    ({"plans": [{"premium_cents": 1}]}, "plans[0].name: expected text, found nothing"),
    ({"plans": [{**PLAN, "codes": ["S", 7]}]}, "plans[0].codes[1]: expected text, found 7"),
    (
        {"members": [ANN, {"name": "bob", "plan": "plus"}]},
        'members[1].plan: expected the name of a plan of this line (basic), found "plus"',
    ),
    ({"plans": []}, 'members[0].plan: expected the name of a plan of this line (none is given), found "basic"'),
    (
        {"members": [ANN, ANN]},
        'members[1].name: expected a name of its own (members[0].name has this one), found "ann"',
    ),
    ({"members": [{**ANN, "contract_terms": 2}]}, "members[0].contract_terms: expected one of 1, 3, 6, 12, found 2"),
    (
        {"members": [{**ANN, "terms_ago": 10_001}]},
        "members[0].terms_ago: expected an integer of 0 to 10000, found 10001",
    ),
    (
        {"members": [{**ANN, "record": [3, 2]}]},
        "members[0].record: expected [denied, voted] with denied <= voted, found [3, 2]",
    ),
    (
        {"members": [{**ANN, "record": [0, 10**13]}]},
        "members[0].record: expected [denied, voted] with denied <= voted <= 1000000000000, found [0, 10000000000000]",
    ),
    (
        {"members": [{**ANN, "age": 40}]},
        'members[0].age: expected one of name, plan, household, contract_terms, terms_ago, record, found "age"',
    ),
    (
        {"codes": [{"code": "S"}, {"code": "S", "standard": True}]},
        'codes[1].code: expected a name of its own (codes[0].code has this one), found "S"',
    ),
    (
        {"codes": [{"code": "S", "frequency": 10**13}]},
        "codes[0].frequency: expected an integer of 0 to 1000000000000 or null, found 10000000000000",
    ),
    ({"providers": ["dr", "dr"]}, 'providers[1]: expected a name of its own (providers[0] has this one), found "dr"'),
    ({"providers": "dr"}, 'providers: expected a list of texts, found "dr"'),
    (
        {"signers": ["a", "b"], "signers_needed": 3},
        "signers_needed: expected an integer of 1 to 2, the number of signers, found 3",
    ),
    ({"auto_pay": 1}, "auto_pay: expected true or false, found 1"),
    (
        {"currency": "U\u0308SD"},
        'currency: expected text of at most 4096 characters in Unicode form NFC, found "U\u0308SD"',
    ),
]
LINES = [
    (
        "{",
        (
            "the line: expected one JSON object, Expecting property name enclosed in double quotes: line 1 column 2"
            " (char 1)"
        ),
    ),
    ("[]", "field the line: expected one JSON object, found []"),
    ('{"at":1,"do":"leave","by":"a","by":"b"}', "the line: expected one JSON object, the field by stands twice"),
    ('{"at":1,"do":"quote","by":"a","rate":NaN}', "the line: expected one JSON object, NaN is not a number of JSON"),
    ('{"at":1}', "field do: expected one of "),
    ('{"do":"genesis"}', 'field do: expected "genesis" on the first line and only there, found "genesis"'),
    ('{"at":1,"do":"leave"}', "field by: expected text, found nothing"),
    ('{"at":-1,"do":"leave","by":"a"}', "field at: expected an integer of 0 or more, found -1"),
    (
        '{"at":1,"do":"ballot","by":"a","claim":"c","choice":"yes"}',
        'field choice: expected one of accept, deny, abstain, found "yes"',
    ),
    (
        '{"at":1,"do":"claim","id":"c","by":"a","provider":"p","lines":[{"code":"X","charge_cents":"1","day":1}]}',
        'field lines[0].charge_cents: expected an integer of 0 or more, found "1"',
    ),
    (
        '{"at":1,"do":"claim","id":"c","by":"a","provider":"p","lines":[]}',
        "field lines: expected at least one line, found []",
    ),
    ('{"at":1,"do":"auto_accept","by":"a","id":"r","codes":["X",null]}', "field codes[1]: expected text, found null"),
    ('{"at":1,"do":"advance","to":1000001}', "field to: expected a height of at most 1000000, found 1000001"),
]


@pytest.mark.parametrize(
    ("changes", "words"),
    FOUNDINGS,
    ids=[words.split(":")[0] + f" {index}" for index, (_, words) in enumerate(FOUNDINGS)],
)
def test_a_first_line_that_cannot_be_names_the_field_and_its_range(changes, words):
    with pytest.raises(ScenarioError) as caught:
        parse([json.dumps({**GENESIS, **changes})])
    assert caught.value.what == f"line 1, field {words}"
    assert caught.value.hint == "correct the line; nothing was played"


@pytest.mark.parametrize(("line", "words"), LINES)
def test_a_later_line_names_its_number_field_and_shape(line, words):
    with pytest.raises(ScenarioError) as caught:
        parse([json.dumps(GENESIS), "", '{"at":0,"do":"advance","to":0}', line])
    assert caught.value.what.startswith(f"line 4, {words}")


def test_nothing_is_played_of_a_file_whose_last_line_is_wrong(tmp_path, capsys):
    from node.cli.coop.rehearse import rehearse

    file = tmp_path / "story.jsonl"
    file.write_text(
        "\n".join([json.dumps(GENESIS), '{"at":1,"do":"advance","to":40}', '{"at":41,"do":"leave"}']), encoding="utf-8"
    )
    assert rehearse(file) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert (
        printed.err == "mutua: line 3, field by: expected text, found nothing; correct the line; nothing was played\n"
    )


def test_figures_of_a_proposal_are_judged_by_the_rules_and_not_by_the_file():
    """A proposal out of bounds is an action that the rules refuse: an event, no error of the file."""
    lines = [
        GENESIS,
        {"at": 1, "do": "propose", "by": "ann", "id": "p", "what": "plan", "name": "top", "coinsurance_bp": 10_001},
        {"at": 1, "do": "change_plan", "by": "ann", "plan": "none", "contract_terms": 2},
    ]
    refused = [event for event in play(parse(json.dumps(line) for line in lines)) if event["event"] == "refused"]
    assert [(event["code"], event["rule"]) for event in refused] == [("plan_figures", "§12"), ("plan_unknown", "§3")]
    assert list(refused[0])[-1] == "rule"


def test_the_founding_of_the_rules_finds_nothing_that_the_file_did_not():
    """Whatever `genesis_rows` refuses has a field in the table above: a file never says `field genesis`."""
    import ast
    import inspect

    from governance import genesis

    codes = {
        node.args[0].value
        for node in ast.walk(ast.parse(inspect.getsource(genesis)))
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "RuleBroken"
    }
    assert codes == {"genesis_figure", "phase_unknown", "plan_twice", "member_twice"}
