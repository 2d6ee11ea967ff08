"""The page on the architecture names files that exist, and each of them once."""

import re
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "explanation" / "architecture.md"
PLACE = re.compile(r"`((?:ledger|governance|consensus|wallet|node|tui|tests)/[\w/.]*)`")


def test_every_place_on_the_page_exists_and_the_way_of_a_claim_enters_each_file_once():
    text = PAGE.read_text(encoding="utf-8")
    places = PLACE.findall(text)
    assert [place for place in places if not (ROOT / place).exists()] == []
    way = text.partition("## How a claim travels through the code")[2].partition(
        "## Why the packages are divided this way"
    )[0]
    files = Counter(place for place in PLACE.findall(way) if place.endswith(".py"))
    assert len(files) >= 30
    assert [place for place, count in files.items() if count > 1] == []
