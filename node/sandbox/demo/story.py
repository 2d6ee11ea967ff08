"""What happens in the demo, block by block, as data: the same seed gives the same story.

| blocks | what |
| --- | --- |
| 1–12 | 24 claims for codes that nobody listed; five members accept each, the seventh denies them all |
| 3 | one of them finds too few voters: it lapses at 63, is filed again and accepted |
| 6, 20, 40 | visits from Synthea are imported; standard codes, paid in the next block |
| 16–27 | the 24 are accepted, each after 15 good blocks in a row |
| 29 | the seventh files a claim: the approval threshold is 100 %, five accept and one denies, denied at 89 |
| 35 | a daemon is killed while it votes, and comes back |
| 50 | a follower starts from nothing and syncs from genesis |
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from functools import partial
from pathlib import Path
from typing import Any

from ledger.genesis import CharterCode
from node.bridges.fhir.values import HCPCS_SYSTEM
from node.sandbox.synthea import DEMO_CODES, STANDARD_CODES, VOTED_CODES, demo_visits

BLOCKS = 90
VOTED_CASES = 24
VOTED_BLOCKS = 12
LAPSING_BLOCK = 3
REFILE_FROM = 64
IMPORT_ROUNDS: tuple[tuple[int, tuple[int, int]], ...] = ((6, (1, 5)), (20, (6, 19)), (40, (20, 39)))
"""(block, first and last day of the visits imported before it)."""
VISITS_PER_ROUND = 14
DENIER = 6
"""Index of the member who denies everything."""
DENIER_CLAIM_BLOCK = 29
KILL_FROM = 35
KILLED = 3
FOLLOWER_BLOCK = 50
DAY_ONE = date(2026, 1, 1)


@dataclass(frozen=True, slots=True)
class VotedClaim:
    """A claim for one non-standard code, with the document its voters will open."""

    label: str
    member: int
    block: int
    code: str
    charge_cents: int
    provider: str
    document: bytes


@dataclass(frozen=True, slots=True)
class Story:
    """The plan of a run."""

    seed: int
    voted: tuple[VotedClaim, ...]
    lapsing: VotedClaim
    denier: VotedClaim
    imports: dict[int, dict[int, list[dict[str, Any]]]]
    """Block -> member -> FHIR claims."""


def charter_codes() -> tuple[CharterCode, ...]:
    """Return the genesis list: HCPCS Level II codes, with synthetic allowed amounts."""
    return tuple(
        CharterCode(HCPCS_SYSTEM, item.code, item.is_standard, item.allowed_cents, item.frequency)
        for item in DEMO_CODES
    )


def tell(seed: int, members: int, providers: Sequence[str], cache: Path) -> Story:
    """Return the story of a seed; `cache` keeps what Synthea made. MutuaError when Synthea is not installed."""
    patients = [f"Patient/member-{index + 1}" for index in range(members)]
    visits_of = partial(demo_visits, seed, work_dir=cache, patients=patients, providers=providers, day_one=DAY_ONE)
    visits = visits_of(VOTED_CASES + 2, days=(1, 60), codes=VOTED_CODES)
    claims = [_voted(index, visit, providers) for index, visit in enumerate(visits)]
    imports: dict[int, dict[int, list[dict[str, Any]]]] = {}
    for block, days in IMPORT_ROUNDS:
        imports[block] = {}
        for visit in visits_of(VISITS_PER_ROUND, days=days, codes=STANDARD_CODES):
            imports[block].setdefault(patients.index(visit["patient"]["reference"]), []).append(visit)
    return Story(seed, tuple(claims[:VOTED_CASES]), claims[VOTED_CASES], claims[VOTED_CASES + 1], imports)


def _voted(index: int, visit: dict[str, Any], providers: Sequence[str]) -> VotedClaim:
    item = visit["item"][0]
    code = item["productOrService"]["coding"][0]["code"]
    net = item.get("net") or item["unitPrice"]
    if index < VOTED_CASES:
        member, block = index % DENIER, 1 + index // 2
    elif index == VOTED_CASES:
        member, block = 1, LAPSING_BLOCK
    else:
        member, block = DENIER, DENIER_CLAIM_BLOCK
    document = json.dumps(visit, sort_keys=True, indent=1).encode()
    provider = providers[index % len(providers)] if index < VOTED_CASES else providers[0]
    return VotedClaim(f"voted-{index + 1}", member, block, code, round(float(net["value"]) * 100), provider, document)
