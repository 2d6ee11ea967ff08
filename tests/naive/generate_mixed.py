"""The mixed theme: everything at once, small parameters so that rare events happen.

Most actions are sensible, some are not.
"""

from .generate_story import PROVIDERS, Story

CODES = ["S1", "S2", "S3", "N1", "N2"]
MOODS = [
    ["accept"] * 5 + ["deny"],
    ["accept"] * 3 + ["deny"] * 2 + ["abstain"],
    ["deny"] * 5 + ["accept"],
    ["deny"],
    ["accept"],
]
WEIGHTS = {
    "claim": 16,
    "votes": 20,
    "one_vote": 6,
    "on_own_claim": 3,
    "auto": 2,
    "delegate": 3,
    "undelegate": 1,
    "pay": 4,
    "plan": 3,
    "leave": 0.7,
    "apply": 2,
    "vouch": 5,
    "object_to": 1,
    "propose": 3,
    "sponsor_or_cast": 9,
    "report": 4,
    "finding": 0.6,
    "appeal": 3,
    "quote": 2,
    "show": 2,
    "refile": 5,
    "appeal_votes": 4,
}


def mixed(seed):
    return Mixed(seed).play()


class Mixed:
    """A story told in order: one kind of action after the other, drawn by weight."""

    def __init__(self, seed):
        self.s = s = Story("mixed", seed, members=14)
        r = s.r
        s.names = s.names[: r.choice([4, 6, 8, 10, 14])]
        s.genesis["members"] = s.genesis["members"][: len(s.names)]
        s.genesis["phase"] = r.choice(["live"] * 18 + ["pilot", "pilot", "recruit"])
        s.genesis["auto_pay"] = s.maybe(0.8)
        s.genesis["accounts"] = {"claims": r.choice([0, 30000, 5000000]), "reserve": r.choice([0, 20000, 900000])}
        if s.maybe(0.05):
            del s.genesis["rate"]
        self.plans = ["basic", "plus", "top"][: r.randint(1, 3)]
        s.genesis["plans"] = [{"name": name, **self.figures()} for name in self.plans]
        s.each_member(
            plan=self.plans,
            contract_terms=[1, 1, 3, 6, 12],
            household=[None] * 8 + ["h1", "h2"],
            terms_ago=[None, None, 0, 5, 12, 24, 130],
            record=[None, None, None, [5, 10], [13, 20], [20, 21], [36, 40]],
        )
        self.small_params()
        self.applicants = []
        self.mood = r.choice(MOODS)
        self.opens = r.choice([0.3, 0.95, 1])
        self.at = 1

    def figures(self):
        return self.s.plan_figures(
            premium_cents=[0, 3001, 20000, 50000],
            deductible_cents=[0, 999, 10000],
            copay_cents=[0, 1500, 30000],
            coinsurance_bp=[0, 1, 2000, 3333, 10000],
            waiting_terms=[0, 0, 1, 2],
            oop_max_cents=[None, None, 20000, 60001],
            claim_ceiling_cents=[None, None, 45000, 200000],
            year_ceiling_cents=[None, None, 90000, 400000],
            prior_cents=[None, None, 10, 30000],
            codes=[None, None, None, ["S1", "S2", "N1"]],
        )

    def small_params(self):
        self.s.params(audit_random_bp=self.s.r.choice([0, 300, 3000]))
        self.s.some_params(
            0.3,
            small_claim_cents=[20000, 60000],
            lapse_pay_cents=[100, 50000],
            quorum_min=[1, 3],
            quorum_div=[2],
            renewal_min=[2, 5],
            renewal_terms=[1, 2],
            renewal_pct=[60],
            warning_pct=[40],
            promote_cases=[2],
            promote_claimants=[1],
            promote_providers=[1],
            promote_terms=[1],
            sponsor_min=[1, 2],
            audit_reports=[2],
            credibility_k=[0, 3],
            min_voters=[2],
            audit_claims=[2],
            appeal_panel=[3],
            panel_size=[2],
            run_off_terms=[1],
            expense_bp=[700],
            filing_terms=[1],
            voting_after_terms=[0],
            bar_floor_bp=[4950],
            evidence_versions=[2],
            objections=[1],
            deny_sample_min=[4],
            claim_reserve_bp=[50],
        )

    def play(self):
        r = self.s.r
        end = r.choice([100, 200, 430])
        step = end / r.choice([20, 60, 90])
        while self.at < end and len(self.s.todo) < 450:
            self.at += int(r.expovariate(1 / step)) if self.s.maybe(0.7) else 0
            if self.s.maybe(0.02):
                self.at = max(self.at, (self.at + 29) // 30 * 30)
            kind = r.choices(list(WEIGHTS), list(WEIGHTS.values()))[0]
            getattr(self, kind)()
        return self.s.lines(max(self.at, end) + r.choice([5, 70, 130]))

    # ---- who and what ----

    def who(self):
        everyone = self.applicants if self.applicants and self.s.maybe(0.15) else self.s.names
        return self.s.r.choice(everyone)

    def old_claim(self, recent=True):
        """A claim, one of the last 61 blocks if there is any; None before the first."""
        found = [claim for claim in self.s.claims if self.at - claim["at"] <= 61] if recent else self.s.claims
        found = found or self.s.claims
        return self.s.r.choice(found) if found else None

    def code_of(self, claim):
        return self.s.r.choice(claim["lines"])["code"]

    # ---- one method a kind ----

    def claim(self):
        s, r = self.s, self.s.r
        lines = []
        for _ in range(r.choice([1, 1, 2, 3])):
            day = max(1, self.at - r.choice([0, 0, 1, 5, 29, 31, 200])) + s.maybe(0.01)
            code = r.choice(CODES)
            if (code, day) in [(line[0], line[3]) for line in lines] and s.maybe(0.9):
                continue
            lines.append((code, r.choice([1, 1, 2, 5]), r.choice([1, 4999, 30000, 80000, 333333]), day))
        mine = [claim["id"] for claim in s.claims if claim["by"] == s.names[0]]
        by = s.names[0] if mine and s.maybe(0.1) else self.who()
        s.claim(
            self.at,
            by,
            *lines,
            payee="provider" if s.maybe(0.2) else None,
            other_payer_cents=r.choice([1, 5000, 100000]) if s.maybe(0.2) else None,
            supersedes=r.choice(mine) if mine and by == s.names[0] and s.maybe(0.5) else None,
        )

    def refile(self):
        old = self.old_claim(recent=False)
        if old is not None and (self.at - old["at"] >= 59 or self.s.maybe(0.2)):
            self.s.file_again(self.at, old["id"])

    def votes(self, claim=None):
        claim = claim or self.old_claim()
        if claim is None:
            return
        if self.s.maybe(0.3):
            self.mood = self.s.r.choice(MOODS)
        if self.at == claim["at"]:
            self.at += 1
        for name in self.s.names + self.applicants:
            if self.s.maybe(0.8):
                self.ballot(name, claim)

    def ballot(self, name, claim):
        s, r = self.s, self.s.r
        several = len({line["code"] for line in claim["lines"]}) > 1
        choice = r.choice(self.mood)
        award = r.choice([0, 1, 20000, 400000]) if choice == "accept" and s.maybe(0.15) else None
        code = self.code_of(claim) if several or s.maybe(0.7) else None
        s.act(
            self.at,
            "ballot",
            by=name,
            claim=claim["id"],
            code=code,
            choice=choice,
            opened=s.maybe(self.opens),
            award_cents=award,
        )

    def one_vote(self):
        claim = self.old_claim()
        if claim is not None:
            self.ballot(self.who(), claim)

    def appeal(self):
        old = [claim for claim in self.s.claims if 58 <= self.at - claim["at"] <= 72] or self.s.claims
        if old:
            claim = self.s.r.choice(old)
            self.s.act(
                self.at,
                "appeal",
                by=claim["by"],
                claim=claim["id"],
                code=self.code_of(claim),
                ground=self.s.r.choice(["evidence", "rule"]),
            )

    def appeal_votes(self):
        appeals = [act for act in self.s.todo if act["do"] == "appeal" and self.at - act["at"] <= 16]
        if appeals:
            name = self.s.r.choice(appeals)["claim"]
            self.votes(next(claim for claim in self.s.claims if claim["id"] == name))

    def on_own_claim(self):
        claim = self.old_claim()
        if claim is not None:
            by = claim["by"] if self.s.maybe(0.95) else self.who()
            self.s.act(self.at, self.s.r.choice(["evidence", "evidence", "withdraw"]), by=by, claim=claim["id"])

    def auto(self):
        s, r = self.s, self.s.r
        name = r.choice(["r1", "r2"])
        if s.maybe(0.15):
            s.act(self.at, "auto_accept", by=self.who(), id=name, off=True)
        elif s.maybe(0.6):
            s.act(
                self.at,
                "auto_accept",
                by=self.who(),
                id=name,
                codes=[r.choice(CODES)],
                ceiling_cents=r.choice([30000, 100000]),
                providers=["d1", "d2"],
            )
        else:
            s.act(self.at, "auto_accept", by=self.who(), id=name)

    def delegate(self):
        self.s.act(
            self.at,
            "delegate",
            by=self.who(),
            to=self.s.r.choice(self.s.names),
            topic=self.s.r.choice(["*", "N1", "N2"]),
        )

    def undelegate(self):
        self.s.act(self.at, "undelegate", by=self.who(), topic=self.s.r.choice(["*", "N1", "N2"]))

    def pay(self):
        self.s.act(self.at, "pay_premium", by=self.who())

    def plan(self):
        self.s.act(
            self.at,
            "change_plan",
            by=self.who(),
            plan=self.s.r.choice([*self.plans * 3, "lux"]),
            contract_terms=self.s.r.choice([1, 1, 3, 6, 12, 2]),
        )

    def leave(self):
        self.s.act(self.at, "leave", by=self.who())

    def apply(self):
        name = f"a{len(self.applicants)}" if self.s.maybe(0.7) else self.who()
        self.applicants.append(name)
        self.s.act(self.at, "apply", name=name, plan=self.s.r.choice(self.plans), contract_terms=1)
        for by in self.s.r.sample(self.s.names, 3):
            if self.s.maybe(0.8):
                self.s.act(self.at, "vouch", by=by, name=name)

    def vouch(self):
        if self.applicants:
            self.s.act(self.at, "vouch", by=self.who(), name=self.s.r.choice(self.applicants))

    def object_to(self):
        if self.applicants:
            self.s.act(self.at, "object", by=self.who(), name=self.s.r.choice(self.applicants), reason="no")

    def propose(self):
        from .generate_proposals import any_content

        s, r = self.s, self.s.r
        what, fields = any_content(s)
        if s.maybe(0.3):
            what, fields = (
                "param",
                {
                    "name": r.choice(["small_claim_cents", "vote_blocks", "reserve_bp"]),
                    "value": r.choice([45, 2500, 30000]),
                },
            )
        voters = [name for name in s.names if s.maybe(0.7)] if s.maybe(0.6) else []
        s.propose(self.at, what, r.sample(s.names, 4), yes=voters[::3] + voters[1::3], no=voters[2::3], **fields)

    def sponsor_or_cast(self):
        if self.s.proposals:
            proposal = f"p{max(0, self.s.proposals - self.s.r.choice([1, 2, 3]))}"
            if self.s.maybe(0.4):
                self.s.act(self.at, "sponsor", by=self.who(), proposal=proposal)
            else:
                self.s.act(
                    self.at,
                    "cast",
                    by=self.who(),
                    proposal=proposal,
                    choice=self.s.r.choice(["yes", "yes", "no", "abstain"]),
                )

    def report(self):
        target = self.s.r.choice(self.s.names) if self.s.maybe(0.8) else self.s.r.choice([*PROVIDERS, "nobody"])
        own = [claim["id"] for claim in self.s.claims if claim["by"] == target]
        for by in self.s.r.sample(self.s.names, 3):
            self.s.act(self.at, "report", by=by, member=target, claim=own[-1] if own else None)

    def finding(self):
        claim = self.old_claim(recent=False)
        if claim is not None:
            self.s.act(self.at, "finding", claim=claim["id"], outcome=self.s.r.choice(["fraud", "clear"]))

    def quote(self):
        self.s.act(self.at, "quote", by=self.who(), rate=self.s.r.choice([9, 9500001, 10499999, 12000000]))

    def show(self):
        self.s.act(self.at, "advance", to=self.at)
        self.s.act(self.at, "show", what="accounts")
        self.s.act(self.at, "show", what="member", name=self.who())
        claim = self.old_claim()
        if claim is not None:
            self.s.act(self.at, "show", what="claim", name=claim["id"])
        self.at += 1
