"""Splitters, upcoders and riders: the same care, billed in the way that pays most.

The attackers are some members with helpful providers. Splitters divide one event of four services, which exceeds the
ceiling of a claim, into four claims, over days or over providers. Upcoders bill a small standard service under the most
expensive standard code, above its amount. Riders add junk to a claim beside a code that everybody accepts. They gain
benefits above the ceiling, above the amount, or for junk. Shared ceilings, allowed amounts and one case for each code
should stop them (§4, §5).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from governance.simulation.laboratory.attackers.base import Attack, WorldView
from governance.simulation.laboratory.book import Book, Line
from governance.simulation.laboratory.measures import claims_of, money, settled_cases, share_of, spread
from governance.simulation.laboratory.setting import STANDARD_CODES, Setting
from governance.simulation.laboratory.study import Books, Check, Evidence, Job, Layer, Picture, Study
from ledger import calendar

EVENT_CODES = ("E1", "E2", "E3", "E4")
EVENT_AMOUNT_CENTS, CEILING_CENTS = 40_000, 100_000
MODES: dict[str, tuple[bool, bool, bool, bool]] = {
    "whole": (False, False, False, True),
    "four claims, one visit": (True, False, False, True),
    "four days, event named": (True, True, False, True),
    "four providers, event named": (True, False, True, True),
    "four days, no event named": (True, True, False, False),
    "four providers, no event named": (True, False, True, False),
}
"""How an event is billed: (split, over days, over providers, event named)."""
UNNAMED = tuple(mode for mode, figures in MODES.items() if not figures[3])
UPCODED, TRUE_CODE = "S3", "S1"
POPULAR, JUNK = "X01", "JUNK"
AMOUNTS = {code: allowed for code, allowed, _ in STANDARD_CODES} | dict.fromkeys(EVENT_CODES, EVENT_AMOUNT_CENTS)


class Splitters(Attack):
    """One member for each mode of splitting, two upcoders and two riders, none of them with other claims."""

    name = "split"

    @property
    def billers(self) -> tuple[str, ...]:
        """Splitters, upcoders and riders, in this order."""
        return self.some(len(MODES) + 4)

    def is_ill(self, name: str) -> bool:
        """The billers bill their stories only."""
        return name not in self.billers

    def found(self, genesis: dict[str, Any]) -> None:
        """List the event's codes; a low ceiling keeps the co-op solvent whatever splitting brings."""
        genesis["plans"][0]["claim_ceiling_cents"] = CEILING_CENTS
        genesis["plans"][0]["year_ceiling_cents"] = 10 * CEILING_CENTS
        genesis["codes"] += [
            {"code": code, "standard": True, "allowed_cents": EVENT_AMOUNT_CENTS, "frequency": 6}
            for code in EVENT_CODES
        ]

    def at_block(self, world: WorldView) -> None:
        """An event in the third term of each year; upcoding and riding in every term."""
        if not calendar.is_term_start(world.height) or world.term < 2:
            return
        if world.term % calendar.YEAR_TERMS == 2:
            for mode, name in zip(MODES, self.billers, strict=False):
                self._bill(world, mode, name)
        for index, name in enumerate(self.billers[len(MODES) :]):
            act = self._upcode if index < 2 else self._ride
            world.at(world.height + 5 + index, act, world, name)

    def _bill(self, world: WorldView, mode: str, name: str) -> None:
        is_split, over_days, over_doctors, is_named = MODES[mode]
        event = f"{name}.{world.term}" if is_named else None
        lines = [
            Line(code, EVENT_AMOUNT_CENTS, world.height + (index if over_days else 0))
            for index, code in enumerate(EVENT_CODES)
        ]
        parts = [(line,) for line in lines] if is_split else [tuple(lines)]
        for index, part in enumerate(parts):
            doctor, claim = self.setting.doctors[index if over_doctors else 0], f"{name}.{world.term}.{mode}.{index}"
            world.at(world.height + 4, world.claim, claim, name, doctor, part, event=event)

    def _upcode(self, world: WorldView, name: str) -> None:
        """Bill a small service as the most expensive one, half again above its amount."""
        line = Line(UPCODED, 3 * AMOUNTS[UPCODED] // 2, world.height, is_right=False)
        world.claim(f"{name}.{world.term}.up", name, self.setting.doctors[0], (line,))

    def _ride(self, world: WorldView, name: str) -> None:
        """One rider puts junk beside a popular code, the other files it alone."""
        lines = [Line(POPULAR, 30_000, world.height), Line(JUNK, 50_000, world.height, is_right=False)]
        part = tuple(lines) if name == self.billers[-2] else (lines[1],)
        world.claim(f"{name}.{world.term}.ride", name, self.setting.doctors[1], part)


def _benefits(books: Sequence[Book]) -> dict[str, list[int]]:
    """Return the benefit of each event by mode, in cents."""
    found: dict[str, dict[tuple[int, str], int]] = {mode: {} for mode in MODES}
    for number, book in enumerate(books):
        for claim in book.claims.values():
            parts = claim.claim.split(".")
            if len(parts) == 4 and parts[2] in MODES:
                events = found[parts[2]]
                events[number, parts[1]] = events.get((number, parts[1]), 0) + claim.benefit_cents
    return {mode: list(events.values()) for mode, events in found.items()}


def _over_amount(books: Sequence[Book]) -> list[bool]:
    """Return for each standard line of a code listed at the founding whether more than amount × units was allowed."""
    return [
        allowed > units * AMOUNTS[code]
        for claim in claims_of(books)
        for code, is_standard, units, allowed in claim.allowed
        if is_standard and code in AMOUNTS
    ]


def _without_case(books: Sequence[Book]) -> list[bool]:
    """Return for each non-standard line that was paid whether it has no accepted case of its own code."""
    lines = [(book, claim, line) for book in books for claim in book.claims.values() for line in claim.allowed]
    cases = [book.cases.get((claim.claim, line[0])) for book, claim, line in lines if not line[1]]
    return [case is None or not case.is_paid for case in cases]


def _junk_paid(books: Sequence[Book], name: str) -> str:
    """Return how many junk cases of a rider were paid."""
    cases = settled_cases(books, lambda case: case.by == name and case.code == JUNK, tail_terms=3)
    return share_of(case.is_paid for case in cases)


def _upcoding(books: Sequence[Book]) -> str:
    """Return how upcoding paid."""
    upcoded = claims_of(books, ".up")
    allowed = spread([sum(item[3] for item in claim.allowed) / 100 for claim in upcoded if claim.allowed])
    return (
        f"An amount limits a code, not the choice of the code: a service worth {money(AMOUNTS[TRUE_CODE])} billed as"
        f" {UPCODED} was allowed {allowed} at once, without a vote;"
        f" {share_of(claim.audit is not None for claim in upcoded)} of these claims were drawn for audit."
    )


def judge(books: Books, setting: Setting) -> Evidence:
    """Compare what the modes bring, look for amounts exceeded and for codes paid without a case."""
    found, riders = books["split"], Splitters(setting).billers[-2:]
    most = {mode: max(values, default=0) for mode, values in _benefits(found).items()}
    named = {mode: cents for mode, cents in most.items() if mode not in UNNAMED and mode != "whole"}
    worse = {mode: cents for mode, cents in named.items() if cents > CEILING_CENTS}
    whole, over, without_case = most["whole"], _over_amount(found), _without_case(found)
    ceiling, shared = f"share the ceiling ({money(CEILING_CENTS)})", f"whole {money(whole)}; {_each(named)}"
    ridden, alone = (_junk_paid(found, name) for name in riders)
    riding = (
        f"{share_of(without_case)} lines paid without a case of their code; junk paid {ridden} beside a popular code,"
        f" {alone} alone"
    )
    is_within, has_cases = bool(over) and not any(over), bool(without_case) and not any(without_case)
    checks = (
        Check(6, "parts of one event", ceiling, shared, bool(whole) and not worse),
        Check(6, "standard payouts", "none above the amount", f"{share_of(over)} lines above it", is_within),
        Check(6, "riding on a popular code", "a case a code", riding, has_cases),
    )
    findings = [
        "Only claims that name the same event share a ceiling: if they do not name it, "
        + "; ".join(f"{mode} brings {money(most[mode])}" for mode in UNNAMED)
        + f", the whole {money(whole)}. No rule makes a claimant name the event (§5); audits of many claims in a term"
        " are the only answer.",
        _upcoding(found),
    ]
    if worse:
        words = "Parts that name one event do not share the ceiling across days or providers: "
        findings.insert(0, f"{words}{_each(worse)}. §5 says cover, provider and day; §13 says parts of one event.")
    figures = {"benefit_cents": most, "over_amount": sum(over), "without_case": sum(without_case)}
    return Evidence(checks, tuple(findings), figures, _picture(most))


def _each(most: Mapping[str, int]) -> str:
    return "; ".join(f"{mode} {money(cents)}" for mode, cents in most.items())


def _picture(most: dict[str, int]) -> Picture:
    benefits = tuple(cents / 100 for cents in most.values())
    bars = Layer("bars", "attacker", "benefit of the event", y=benefits, labels=tuple(most))
    bound = Layer("hline", "bound", "ceiling of a claim", y=(CEILING_CENTS / 100,))
    title = "Parts of an event share its ceiling when they name it, and escape it when they do not"
    return Picture(title, f"an event of {money(4 * EVENT_AMOUNT_CENTS)}, billed in parts", "benefit", (bars, bound))


STUDY = Study("split", "Splitters, upcoders and riders", __doc__ or "", (Job("split", Splitters),), judge)
