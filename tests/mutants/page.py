"""Writes docs/reference/mutants.md from tests/vectors/mutants. `python tests/mutants/page.py`"""

from collections import Counter

from anchors import ROOT, load_mutants

PAGE = ROOT / "docs" / "reference" / "mutants.md"
INTRO = """# Mutants: what the rule vectors notice

A mutant is the rules with one mistake: a boundary off by one, a rounding reversed, an exclusion forgotten, two steps
swapped. The tests play each of the {count} mutants below and fail unless its vector notices it: an event, or a figure
in it, differs from the result computed by hand from the rules. A vector is named as `topic: name`; it is the line of
that name in `tests/vectors/rules/<topic>.jsonl`, with its arithmetic. The mutants are in
`tests/vectors/mutants/<topic>.jsonl`.

This page is made by `python tests/mutants/page.py`; a test checks that it is current.

Mutants by topic: {topics}.

| mutant | function | rule | killed by |
|---|---|---|---|
"""


def page_text():
    mutants = load_mutants()
    by_topic = Counter(mutant.killed_by.split(":")[0] for mutant in mutants)
    topics = ", ".join(f"{topic} {count}" for topic, count in by_topic.items())
    rows = [f"| {mutant.name} | `{mutant.function}` | {mutant.rule} | {mutant.killed_by} |" for mutant in mutants]
    return INTRO.format(count=len(mutants), topics=topics) + "\n".join(rows) + "\n"


if __name__ == "__main__":
    PAGE.write_text(page_text(), encoding="utf-8")
