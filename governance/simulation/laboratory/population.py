"""Honest members: they pay, fall ill, file true claims (and a few mistaken ones), and vote honestly on others' cases.

Illness is a Poisson process. For each case it is drawn beforehand whether a member votes, when, how well informed, and
with the evidence opened or not. Most panel members do their duty; most right claims that are denied are appealed; a
lapsed case is filed again. Members whom an attack controls live and pay the same way, but the attack votes for them.
"""

from __future__ import annotations

from itertools import accumulate
from random import Random
from typing import Any

from governance.simulation.laboratory.attackers.base import WorldView
from governance.simulation.laboratory.book import CaseNote, Line
from governance.simulation.laboratory.setting import OPEN_CODES, STANDARD_CODES, poisson, stream
from ledger import calendar

DELAY_MEAN_BLOCKS = 6.0
LAST_BALLOT = 45
APPEALING = 0.7
CHARGE_SPREAD = 0.7
"""Sigma of the log-normal charges."""
PROPOSAL_TURNOUT = 0.5
_WEIGHTS = list(accumulate(1 / rank for rank in range(1, len(OPEN_CODES) + 1)))


class Population:
    """The honest members of one world."""

    def __init__(self, world: WorldView) -> None:
        self.world, self.seed = world, world.setting.seed
        self.people: list[str] = [item["name"] for item in world.genesis["members"]]
        """Everybody for whom decisions are drawn, in a fixed order."""
        self.turnouts = {name: self._turnout_of(name) for name in self.people}

    def _turnout_of(self, name: str) -> float:
        """Return a member's own turnout: half to one and a half times the mean."""
        return self.world.setting.turnout * (0.5 + stream(self.seed, "turnout", name).random())

    def is_honest(self, name: str) -> bool:
        """True iff this member's ballots are the member's own."""
        return name not in self.world.attackers_now()

    # ---- Life --------------------------------------------------------------------
    def start_term(self, term: int) -> None:
        """Let everybody pay, and fall ill, in this term."""
        for name in self.people:
            if not self.world.is_member(name):
                continue
            if self.world.attack.pays(name):
                wait = stream(self.seed, "pay", name, term).randrange(4)
                self.world.at(
                    self.world.height + wait, self.world.if_member, name, self.world.act, "pay_premium", by=name
                )
            if self.world.attack.is_ill(name) and term >= self.world.setting.waiting_terms:
                self._fall_ill(name, term)
        for index in range(self.world.setting.applicants_per_term):
            self._apply(f"a{term:02}-{index}")

    def _fall_ill(self, name: str, term: int) -> None:
        setting = self.world.setting
        rng = stream(setting.seed, "ill", name, term)
        for index in range(poisson(rng, setting.claims_per_term)):
            height = calendar.first_height_of(term) + rng.randrange(calendar.TERM_BLOCKS)
            line = self._service(rng, max(calendar.first_height_of(term), height - rng.randrange(4)))
            claim = f"{name}.{term}.{index}", name, rng.choice(setting.doctors), (line,)
            self.world.at(height, self.world.if_member, name, self.world.claim, *claim)

    def _service(self, rng: Random, day: int) -> Line:
        """Return a service of a day, standard or not."""
        setting = self.world.setting
        is_open, is_right = rng.random() < setting.open_share, rng.random() >= setting.wrong_share
        spread = rng.lognormvariate(0, CHARGE_SPREAD)
        open_code = rng.choices(OPEN_CODES, cum_weights=_WEIGHTS)[0]
        code, allowed, _ = rng.choices(STANDARD_CODES, weights=(6, 3, 1))[0]
        if is_open:
            return Line(open_code, max(1_000, int(setting.charge_median_cents * spread)), day, is_right)
        return Line(code, int(allowed * 1.2), day)

    # ---- Ballots --------------------------------------------------------------------
    def on_case(self, case: CaseNote) -> None:
        """Let each honest member vote on a case, or not, as drawn."""
        setting = self.world.setting
        rng = stream(setting.seed, "case", case.claim, case.code)
        for name in self.people:
            votes, right, opens = rng.random(), rng.random(), rng.random()
            delay = rng.expovariate(1 / DELAY_MEAN_BLOCKS)
            if votes < self.turnouts[name] and name != case.by and self.is_honest(name) and self.world.is_member(name):
                height = case.s + 1 + min(LAST_BALLOT, int(delay))
                self.world.at(height, self._vote, name, case, right, opens)

    def _vote(self, name: str, case: CaseNote, right: float, opens: float) -> None:
        """Cast an honest ballot, unless the member has already voted."""
        if name in case.ballots and case.status == "open":
            return
        says_yes = case.is_right == (right < self.world.setting.accuracy)
        self.world.ballot(name, case, "accept" if says_yes else "deny", opened=opens < self.world.setting.opening)

    def on_event(self, event: dict[str, Any]) -> None:
        """React to panels, lapses, denials, admissions and proposals."""
        match event["event"]:
            case "panel_drawn":
                self._call(event, event["members"], 12)
            case "appeal_opened":
                self._call(event, event["panel"], 14)
            case "claim_lapsed":
                self._file_again(self.world.book.cases[event["claim"], event["case"]])
            case "claim_denied":
                self._appeal(self.world.book.cases[event["claim"], event["case"]])
            case "member_joined":
                if event["member"] not in self.people:
                    self.people.append(event["member"])
                    self.turnouts[event["member"]] = self._turnout_of(event["member"])
            case "proposal_opened":
                self._decide(event["proposal"])
            case _:
                pass

    def _call(self, event: dict[str, Any], panel: list[str], blocks: int) -> None:
        """Let drawn members do their duty."""
        case = self.world.book.cases[event["claim"], event["case"]]
        for name in panel:
            rng = stream(self.seed, "duty", case.claim, case.code, event["event"], name)
            responds, right, opens, delay = rng.random(), rng.random(), rng.random(), rng.randrange(1, blocks)
            is_willing = responds < self.world.setting.duty_turnout and self.world.attack.does_duty(name)
            if is_willing and self.is_honest(name):
                self.world.at(self.world.height + delay, self._vote, name, case, right, opens)

    def _file_again(self, case: CaseNote) -> None:
        """File a lapsed case once more: the same service, a new claim."""
        claim = self.world.book.claims[case.claim]
        lines = tuple(line for line in claim.lines if line.code == case.code)
        if not case.is_second:
            again = case.claim + "~", case.by, case.provider, lines
            self.world.at(self.world.height + 2, self.world.claim, *again)

    def _appeal(self, case: CaseNote) -> None:
        """Appeal most denials of a right claim."""
        rng = stream(self.seed, "appeal", case.claim, case.code)
        if case.is_right and not case.appealed and rng.random() < APPEALING and self.world.is_member(case.by):
            height = self.world.height + 1 + rng.randrange(8)
            fields = {"by": case.by, "claim": case.claim, "code": case.code, "ground": "evidence"}
            self.world.at(height, self.world.act, "appeal", **fields)

    # ---- Strangers and proposals ------------------------------------------------------
    def _apply(self, name: str) -> None:
        """Let an honest stranger apply; three honest founders vouch."""
        rng, founders = stream(self.seed, "apply", name), self.world.setting.founders
        friends = [other for other in founders if self.is_honest(other) and self.world.is_member(other)]
        if len(friends) >= 3 and self.world.apply(name, rng.sample(friends, 3)):
            self.world.attack.on_applicant(self.world, name)

    def _decide(self, proposal: str) -> None:
        """Let honest members vote on a proposal with the attack's probability of a yes."""
        for name in self.people:
            rng = stream(self.seed, "proposal", proposal, name)
            votes, feels, delay = rng.random(), rng.random(), rng.randrange(1, 28)
            if votes < PROPOSAL_TURNOUT and self.is_honest(name) and self.world.is_member(name):
                choice = "yes" if feels < self.world.attack.honest_yes(proposal) else "no"
                fields = {"by": name, "proposal": proposal, "choice": choice}
                self.world.at(self.world.height + delay, self.world.act, "cast", **fields)
