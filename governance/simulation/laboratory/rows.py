"""The thirteen rows of rules §13, and how each is judged from the checks of the studies that look at it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from governance.simulation.laboratory.study import Check

PASS, FAIL, OPEN = "pass", "fail", "not measured"


@dataclass(frozen=True, slots=True)
class Row:
    """A row as the rules state it."""

    number: int
    attack: str
    asked: str


_ATTACKS = {
    "deny-everything bot; 19 denials and stop": (
        "own claims need 75 % from 13 denials on, 100 % from 19; gone at contract end"
    ),
    "accept ring": "30 % of members hold a 21-panel in < 3 % of draws",
    "denying by silence": "a valid claim is decided or paid after two lapses",
    "last-minute swing, streak breaking": (
        "ballots at s+59 alone never pay; a broken run costs a real ballot kept to the end"
    ),
    "sybils": "voters grow ≤ 10 % a term in `live`",
    "splitting, upcoding, riding on a popular code": (
        "parts of one event share ceilings; no standard payout above the amount; a case a code"
    ),
    "promotion by four friends": "20 cases, 5 claimants, 3 providers, 6 terms",
    "whale claim": "reserve never negative; ≤ 5 % a payout and block",
    "join sick, leave after": "waiting, notice; expected gain ≤ 0 over 6 terms",
    "washing a record by re-joining or auto-accepting trifles": "record survives; auto-accept ≤ half of N",
    "tracing a payout": "P(link) ≤ p_max for every output, by payee",
    "evidence leak": "no plaintext in store, gossip or log",
    "equivocating proposer": "finality by > 2/3; misbehaviour record; loses its seat",
}
ROWS = tuple(Row(number, attack, asked) for number, (attack, asked) in enumerate(_ATTACKS.items(), 1))


@dataclass(frozen=True, slots=True)
class Verdict:
    """A row with what was measured."""

    row: Row
    verdict: str
    checks: tuple[Check, ...]


def judge_rows(checks: Iterable[Check]) -> list[Verdict]:
    """Return a verdict for every row: one check not met fails it; a part that nobody measured leaves it open."""
    found = list(checks)
    by_row = [(row, tuple(check for check in found if check.row == row.number)) for row in ROWS]
    return [Verdict(row, _verdict_of(looked_at), looked_at) for row, looked_at in by_row]


def _verdict_of(checks: Sequence[Check]) -> str:
    if any(check.is_met is False for check in checks):
        return FAIL
    return PASS if checks and all(check.is_met for check in checks) else OPEN
