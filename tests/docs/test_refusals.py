"""Every refusal of governance names its rule, gives its figures, and says what the member can do now."""

from __future__ import annotations

import ast
import re
import sys
from pathlib import Path

import pytest

from governance.refusals import CODES, OF_A_FILE, RULES, rule_of

ROOT = Path(__file__).resolve().parents[2]
PLAIN = {
    # There is no figure to give: an unknown name, another party's key, a missing signature, the end of the co-op.
    "applicant_unknown",
    "baton_spent",
    "batch_repeats",
    "case_unknown",
    "claim_known",
    "claim_not_own",
    "claim_unknown",
    "cover_signature",
    "cover_taken",
    "cover_unknown",
    "delegate_unfit",
    "device_unknown",
    "disbanded",
    "document_unknown",
    "fraud_known",
    "guardian_own",
    "identity_signature",
    "key_taken",
    "member_twice",
    "member_unknown",
    "move_pending",
    "name_missing",
    "no_contract",
    "no_guardians",
    "no_move",
    "no_treasury",
    "not_a_member",
    "not_on_committee",
    "nullifier_known",
    "party_unknown",
    "plan_figures",
    "proposal_known",
    "proposal_unknown",
    "provider_attestation",
    "provider_own",
    "provider_unknown",
    "report_unfit",
    "signer_unknown",
    "supersedes_unknown",
    "ballot_there",
    "dependant_unknown",
    "provider_signature",
    "commitment_size",
    "provider_removed",
}


def named_before(tree):
    """{line: the expression} of texts that got a name in the statement before the raise: `what = ...`, `hint = ...`."""
    return {
        node.lineno: node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") in ("what", "hint")
    }


def refusals():
    """(place, code, what, hint) of every RuleBroken made in governance, the last two as source."""
    for path in sorted((ROOT / "governance").rglob("*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        named = named_before(tree)
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "RuleBroken":
                code = node.args[0].value if isinstance(node.args[0], ast.Constant) else None
                what, hint = (*node.args[1:3], None)[:2]
                what, hint = (
                    named.get(node.lineno - 1, item) if getattr(item, "id", "") in ("what", "hint") else item
                    for item in (what, hint)
                )
                yield f"{path.relative_to(ROOT)}:{node.lineno}", code, what, hint


FOUND = list(refusals())


def test_every_code_that_governance_raises_has_its_rule():
    missing = {code: place for place, code, _, _ in FOUND if code is not None and code not in (*RULES, *OF_A_FILE)}
    assert not missing, f"add each to governance/refusals.py under the section of the rules that asks for it: {missing}"
    sys.path.insert(0, str(ROOT / "tools"))
    import error_codes

    raised = {
        code
        for code, found in error_codes.collect(ROOT)[0].items()
        if any(place.startswith("governance/") for place in found.places)
    }
    unused = sorted({*RULES, *OF_A_FILE} - raised)
    assert not unused, f"governance/refusals.py names codes that nothing raises: {unused}"


def test_no_code_stands_under_two_sections_and_each_section_is_one_of_the_rules():
    assert sum(len(codes.split()) for codes in CODES.values()) == len(RULES)
    assert [section for section in CODES if not re.fullmatch(r"§\d+( §\d+)*", section)] == []
    assert rule_of("vote_closed") == "§6"


@pytest.mark.parametrize(
    ("place", "code", "what", "hint"), FOUND, ids=[f"{code} {place}" for place, code, _, _ in FOUND]
)
def test_a_refusal_gives_its_figures_and_says_what_can_be_done(place, code, what, hint):
    told = ast.unparse(hint) if hint is not None else "''"
    assert told != "''", f"{place}: say what the member can do now"
    assert "nothing to do" not in told, f"{place}: say what holds instead, until when, or what else can be done"
    has_figures = isinstance(what, (ast.JoinedStr, ast.Name)) or isinstance(hint, (ast.JoinedStr, ast.Name))
    assert has_figures or code in PLAIN, (
        f"{place}: {code} gives no figure; give it, or add the code to PLAIN in {Path(__file__).name}"
    )


def test_each_rule_on_the_page_of_errors_links_to_its_section():
    page = (ROOT / "docs/reference/errors.md").read_text(encoding="utf-8")
    cited = [rule for line in re.findall(r"^\*Rule:\* (.+)$", page, re.MULTILINE) for rule in line.split()]
    assert cited
    assert [rule for rule in cited if not re.fullmatch(r"\[§(\d+)\]\(rules/README\.md#\1-[a-z-]+\)", rule)] == []


def test_the_page_of_errors_names_the_rule_of_each():
    page = re.sub(r"\[(§\d+)\]\([^)]*\)", r"\1", (ROOT / "docs/reference/errors.md").read_text(encoding="utf-8"))
    sections = {part.split("\n", 1)[0].strip(): part for part in re.split(r"^### ", page, flags=re.MULTILINE)[1:]}
    wrong = {
        code: f"*Rule:* {rule}"
        for code, rule in RULES.items()
        if code in sections and f"\n*Rule:* {rule}\n" not in sections[code]
    }
    assert not wrong, f"write these lines into the sections of docs/reference/errors.md: {wrong}"
    strangers = [code for code, text in sections.items() if "*Rule:*" in text and code not in RULES]
    assert strangers == []
