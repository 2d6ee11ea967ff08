"""A small co-op driven at random through both readings of the rules.

The same events, no broken invariant, no broken law.

Every action of a scenario is a rule here; Hypothesis picks, and makes a failing run small. Parameters are short, so
that votes, appeals and terms end within few blocks. `make soak` plays many more runs with other seeds.
"""

import sys
from pathlib import Path

import hypothesis.strategies as st
import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule, run_state_machine_as_test

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from naive import model
from naive.compare import RealSide, first_difference
from naive.laws import broken_laws
from naive.world import new_world

PLANS = ("basic", "plus")
CODES = ("S1", "S2", "N1")
PROVIDERS = ("d1", "d2")
CHARGES = st.sampled_from([1, 999, 5000, 20000, 90000])
INDEX = st.integers(0, 11)
FEW = st.integers(0, 3)
SHORT = {
    "vote_blocks": [6, 9],
    "streak_blocks": [1, 3],
    "freeze_blocks": [0, 2],
    "evidence_until": [3],
    "panel_block": [2, 4],
    "panel_size": [2, 21],
    "min_voters": [2, 5],
    "quorum_min": [1, 3, 5],
    "quorum_div": [2, 20],
    "small_claim_cents": [0, 5000],
    "lapse_pay_cents": [100, 100000],
    "deny_sample_min": [1, 20],
    "renewal_min": [1, 2],
    "renewal_terms": [1],
    "warning_pct": [50],
    "proposal_blocks": [3, 29],
    "sponsor_min": [1, 2],
    "turnout_div": [2, 5],
    "grace_blocks": [0, 10],
    "unpaid_terms": [1, 2],
    "voting_after_terms": [0, 1],
    "vouchers": [0, 1],
    "objections": [1, 2],
    "audit_random_bp": [0, 5000],
    "audit_claims": [2],
    "audit_reports": [1, 2],
    "hold_blocks": [3, 15],
    "appeal_blocks": [3],
    "appeal_panel": [3, 43],
    "run_off_terms": [1, 3],
    "filing_terms": [1, 6],
    "claim_reserve_bp": [0, 500],
    "reserve_bp": [800, 3000],
    "guaranteed_max_bp": [0, 4000],
    "delegators_min": [1, 3],
    "credibility_k": [0, 12],
}


@st.composite
def geneses(draw):
    names = [f"m{i:02}" for i in range(draw(st.integers(6, 12)))]
    plans = []
    for name in PLANS:
        plans.append(
            {
                "name": name,
                "premium_cents": draw(st.sampled_from([3001, 20000, 50000])),
                "deductible_cents": draw(st.sampled_from([0, 999])),
                "copay_cents": draw(st.sampled_from([0, 1500])),
                "coinsurance_bp": draw(st.sampled_from([0, 3333])),
                "waiting_terms": draw(st.sampled_from([0, 0, 1])),
            }
        )
        for field in ("oop_max_cents", "claim_ceiling_cents", "year_ceiling_cents"):
            if draw(st.booleans()):
                plans[-1][field] = draw(st.sampled_from([4000, 30000]))
    members = []
    for name in names:
        member = {
            "name": name,
            "plan": draw(st.sampled_from(PLANS)),
            "contract_terms": draw(st.sampled_from([1, 1, 3])),
        }
        if draw(st.integers(0, 3)) == 0:
            member |= {"terms_ago": 13, "record": draw(st.sampled_from([[13, 20], [19, 20], [20, 20]]))}
        if draw(st.integers(0, 5)) == 0:
            member["household"] = "h1"
        members.append(member)
    chosen = draw(st.sets(st.sampled_from(sorted(SHORT)), max_size=14))
    params = {
        "audit_random_bp": 0,
        "vote_blocks": 9,
        "streak_blocks": 3,
        "freeze_blocks": 2,
        "panel_block": 4,
        "proposal_blocks": 3,
    }
    for name in sorted(chosen):
        params[name] = draw(st.sampled_from(SHORT[name]))
    return {
        "do": "genesis",
        "phase": draw(st.sampled_from(["live", "live", "live", "pilot", "recruit"])),
        "seed": draw(st.integers(0, 9)),
        "auto_pay": draw(st.booleans()),
        "params": params,
        "plans": plans,
        "members": members,
        "providers": list(PROVIDERS),
        "accounts": {
            "claims": draw(st.sampled_from([0, 100000, 5000000])),
            "reserve": draw(st.sampled_from([0, 30000, 900000])),
        },
        "codes": [
            {"code": "S1", "standard": True, "allowed_cents": 9000, "frequency": 3},
            {"code": "S2", "standard": True},
            {"code": "N1"},
        ],
        "rate": 10000000,
    }


class TwoReadings(RuleBasedStateMachine):
    @initialize(genesis=geneses())
    def begin(self, genesis):
        self.genesis = genesis
        self.names = [member["name"] for member in genesis["members"]]
        self.ours = new_world(genesis)
        self.real = RealSide(genesis, check_blocks=True)
        self.theirs = []
        self.checked = 0
        self.height = 1
        self.claims = []
        self.proposals = 0
        self.applicants = []

    # ---- both sides ----

    def act(self, do, **fields):
        line = {"at": self.height, "do": do} | {name: value for name, value in fields.items() if value is not None}
        model.take(self.ours, line)
        self.theirs += self.real.take(line)

    def who(self, index):
        everyone = self.names + self.applicants
        return everyone[index % len(everyone)]

    def claim_at(self, index):
        """A late claim more often than an early one."""
        return self.claims[-1 - index % len(self.claims)]

    def compare(self):
        ours, theirs = self.ours["events"][self.checked :], self.theirs[self.checked :]
        fault = first_difference(ours, theirs)
        assert fault is None, fault
        self.checked = len(self.theirs)

    # ---- time ----

    @rule(blocks=st.sampled_from([1, 1, 2, 3, 6, 10]))
    def days_pass(self, blocks):
        self.act("advance", to=self.height + blocks - 1)
        self.height += blocks
        self.compare()

    @rule()
    def the_term_ends(self):
        end = (self.height + 29) // 30 * 30
        self.act("advance", to=end)
        self.height = end + 1
        self.compare()

    # ---- claims ----

    @rule(
        by=INDEX,
        codes=st.lists(st.sampled_from(CODES), min_size=1, max_size=3),
        units=st.integers(1, 4),
        charge=CHARGES,
        ago=st.sampled_from([0, 0, 1, 9, 31, 61]),
        provider=st.sampled_from(PROVIDERS),
        payee=st.sampled_from([None, "provider"]),
        other=st.sampled_from([None, None, 1, 5000]),
        event=st.sampled_from([None, None, "fall"]),
        use=st.sampled_from([None, None, None, "preauth"]),
    )
    def file_claim(self, by, codes, units, charge, ago, provider, payee, other, event, use=None):
        lines = [
            {
                "code": code,
                "units": units,
                "charge_cents": charge + i,
                "day": max(1, self.height - ago if use is None else self.height + ago),
            }
            for i, code in enumerate(codes)
        ]
        name = f"c{len(self.claims)}"
        self.claims.append((name, self.who(by), lines, provider))
        self.act(
            "claim",
            id=name,
            by=self.who(by),
            provider=provider,
            lines=lines,
            payee=payee,
            other_payer_cents=other,
            event=event,
            use=use,
        )

    @precondition(lambda self: self.claims)
    @rule(claim=INDEX, replaces=st.booleans())
    def file_again(self, claim, replaces):
        old, by, lines, provider = self.claim_at(claim)
        name = f"c{len(self.claims)}"
        lines = [line for line in lines if line["code"] == "N1"][:1] or lines
        self.claims.append((name, by, lines, provider))
        self.act("claim", id=name, by=by, provider=provider, lines=lines, supersedes=old if replaces else None)

    @precondition(lambda self: self.claims)
    @rule(claim=INDEX, what=st.sampled_from(["withdraw", "evidence"]), by=st.one_of(st.none(), INDEX))
    def on_a_claim(self, claim, what, by):
        name, owner, _, _ = self.claim_at(claim)
        self.act(what, by=owner if by is None else self.who(by), claim=name)

    # ---- votes ----

    @precondition(lambda self: self.claims)
    @rule(
        claim=INDEX,
        by=INDEX,
        choice=st.sampled_from(["accept", "deny", "abstain"]),
        opened=st.booleans(),
        award=st.sampled_from([None, None, 0, 700]),
        code=st.sampled_from([None, "N1"]),
    )
    def one_votes(self, claim, by, choice, opened, award, code):
        self.act(
            "ballot",
            by=self.who(by),
            claim=self.claim_at(claim)[0],
            code=code,
            choice=choice,
            opened=opened,
            award_cents=award,
        )

    @precondition(lambda self: self.claims)
    @rule(
        claim=FEW,
        yes=st.sampled_from([0, 1, 2, 3, 4, 5, 12]),
        no=st.sampled_from([0, 1, 2, 3, 12]),
        opened=st.sampled_from([True, True, False]),
    )
    def many_vote(self, claim, yes, no, opened):
        name, owner, _, _ = self.claim_at(claim)
        voters = [by for by in self.names if by != owner]
        for index, by in enumerate(voters[: yes + no]):
            self.act("ballot", by=by, claim=name, choice="accept" if index < yes else "deny", opened=opened)

    @rule(
        by=INDEX,
        charge=CHARGES,
        yes=st.sampled_from([0, 1, 2, 3, 4, 5, 12]),
        no=st.sampled_from([0, 0, 1, 2, 3]),
        days=st.sampled_from([1, 2, 9, 10]),
        again=st.booleans(),
    )
    def a_case_is_heard(self, by, charge, yes, no, days, again):
        """A claim of what nobody listed, its votes the next day, the end of its time.

        Then the whole once more, or an appeal.
        """
        for _ in range(1 + again):
            self.file_claim(by, ["N1"], 1, charge, 0, "d1", None, None, None)
            self.days_pass(1)
            self.many_vote(0, yes, no, opened=True)
            self.days_pass(days)
        self.appeal(0, "rule")

    @precondition(lambda self: self.claims)
    @rule(claim=INDEX, ground=st.sampled_from(["evidence", "rule"]))
    def appeal(self, claim, ground):
        name, by, _, _ = self.claim_at(claim)
        self.act("appeal", by=by, claim=name, ground=ground)

    @rule(by=INDEX, off=st.booleans(), ceiling=st.sampled_from([None, 5000]), codes=st.sampled_from([None, ["N1"]]))
    def auto_accept(self, by, off, ceiling, codes):
        self.act("auto_accept", by=self.who(by), id="r", off=off or None, ceiling_cents=ceiling, codes=codes)

    @rule(by=INDEX, to=FEW, topic=st.sampled_from([None, "*", "N1"]))
    def delegate(self, by, to, topic):
        self.act("delegate", by=self.who(by), to=self.who(to), topic=topic)

    @rule(by=INDEX, topic=st.sampled_from([None, "N1"]))
    def undelegate(self, by, topic):
        self.act("undelegate", by=self.who(by), topic=topic)

    # ---- contracts and members ----

    @rule(by=INDEX)
    def pay(self, by):
        self.act("pay_premium", by=self.who(by))

    @rule(by=INDEX, plan=st.sampled_from(PLANS), terms=st.sampled_from([1, 1, 3, 2]))
    def change_plan(self, by, plan, terms):
        self.act("change_plan", by=self.who(by), plan=plan, contract_terms=terms)

    @rule(by=INDEX)
    def leave(self, by):
        self.act("leave", by=self.who(by))

    @rule(
        again=st.one_of(st.none(), INDEX),
        plan=st.sampled_from(PLANS),
        household=st.sampled_from([None, "h1"]),
        vouchers=st.sets(INDEX, max_size=3),
        deposit=st.sampled_from([None, None, 3001, 60000]),
    )
    def apply(self, again, plan, household, vouchers, deposit):
        name = f"a{len(self.applicants)}" if again is None else self.who(again)
        if again is None:
            self.applicants.append(name)
        self.act("apply", name=name, plan=plan, household=household, deposit_cents=deposit)
        for index in sorted(vouchers):
            self.act("vouch", by=self.who(index), name=name)

    @precondition(lambda self: self.applicants)
    @rule(by=INDEX, name=INDEX, what=st.sampled_from(["vouch", "object"]))
    def on_an_applicant(self, by, name, what):
        self.act(what, by=self.who(by), name=self.applicants[name % len(self.applicants)])

    @precondition(lambda self: self.applicants)
    @rule(name=INDEX)
    def take_an_application_back(self, name):
        self.act("withdraw_application", by=self.applicants[name % len(self.applicants)])

    @rule(by=FEW, name=st.sampled_from(["kid", "rex"]), off=st.booleans(), charge=CHARGES)
    def dependant(self, by, name, off, charge):
        """Put on the contract or taken off it, and a claim of the dependant."""
        self.act("dependant", by=self.who(by), name=name, off=off or None)
        claim = f"c{len(self.claims)}"
        lines = [
            {"code": "S1", "units": 1, "charge_cents": charge, "day": self.height},
            {"code": "N1", "units": 1, "charge_cents": charge, "day": self.height},
        ]
        self.claims.append((claim, name, lines, "d1"))
        self.act("claim", id=claim, by=name, provider="d1", lines=lines)

    # ---- keys ----

    @rule(by=FEW, key=st.sampled_from(["phone", "pad", "zoe"]), off=st.booleans(), to=INDEX)
    def device(self, by, key, off, to):
        """Certified or revoked, and a delegation that it signs."""
        self.act("device", by=self.who(by), device=key, off=off or None)
        self.act("delegate", by=self.who(by), to=self.who(to), signed_by=key)

    @rule(by=FEW, threshold=st.integers(0, 2), keys=st.sets(st.sampled_from(["m05", "zoe", "phone"]), max_size=3))
    def guardians(self, by, threshold, keys):
        self.act("guardians", by=self.who(by), threshold=threshold, guardians=sorted(keys))

    @rule(
        by=INDEX,
        member=FEW,
        to=st.sampled_from(["x1", "x2", "phone"]),
        keys=st.sets(st.sampled_from(["m05", "zoe", "x1"]), min_size=1),
    )
    def move_identity(self, by, member, to, keys):
        self.act("move_identity", by=self.who(by), member=self.who(member), to=to, guardians=sorted(keys))

    @rule(by=FEW, key=st.sampled_from([None, None, "x1"]))
    def object_to_a_move(self, by, key):
        self.act("object_move", by=self.who(by), signed_by=key)

    # ---- proposals, audits, money ----

    @rule(by=INDEX, name=st.sampled_from(["d1", "d3"]))
    def list_provider(self, by, name):
        self.act("list_provider", by=self.who(by), name=name)

    @rule(
        by=INDEX,
        yes=st.integers(0, 12),
        content=st.sampled_from(
            [
                {"what": "demote", "code": "S1"},
                {"what": "param", "name": "lapse_pay_cents", "value": 7},
                {"what": "param", "name": "streak_blocks", "value": 2},
                {"what": "param", "name": "reserve_bp", "value": 700},
                {"what": "list", "code": "N1", "standard": True, "allowed_cents": 500},
                {"what": "plan", "name": "plus", "deductible_cents": 1, "codes": ["S1"]},
                {"what": "phase", "to": "live"},
                {"what": "phase", "to": "pilot"},
                {"what": "expel", "member": "m00"},
                {"what": "provider", "change": "remove", "key": "d1"},
                {"what": "attester", "change": "add", "key": "reg"},
                {"what": "protocol", "version": 2, "height": 95},
            ]
        ),
    )
    def propose(self, by, yes, content):
        name = f"p{self.proposals}"
        self.proposals += 1
        self.act("propose", by=self.who(by), id=name, **content)
        for other in self.names[:5]:
            self.act("sponsor", by=other, proposal=name)
        if yes:
            self.act("advance", to=self.height)
            self.height += 1
            for other in self.names[:yes]:
                self.act("cast", by=other, proposal=name, choice="yes")

    @precondition(lambda self: self.proposals)
    @rule(by=INDEX, proposal=FEW, choice=st.sampled_from(["yes", "no", "abstain"]))
    def cast(self, by, proposal, choice):
        self.act("cast", by=self.who(by), proposal=f"p{max(0, self.proposals - 1 - proposal)}", choice=choice)

    @rule(
        by=st.sets(INDEX, min_size=1, max_size=5),
        about=INDEX,
        claim=st.one_of(st.none(), INDEX),
        provider=st.booleans(),
    )
    def report(self, by, about, claim, provider):
        name = self.claim_at(claim)[0] if self.claims and claim is not None else None
        for index in sorted(by):
            self.act("report", by=self.who(index), member="d1" if provider else self.who(about), claim=name)

    @precondition(lambda self: self.claims)
    @rule(claim=INDEX, outcome=st.sampled_from(["fraud", "clear"]))
    def finding(self, claim, outcome):
        self.act("finding", claim=self.claim_at(claim)[0], outcome=outcome)

    @rule(by=st.sets(INDEX, min_size=1, max_size=3), rate=st.sampled_from([1, 9000000, 10500000, 10**9]))
    def quote(self, by, rate):
        for index in sorted(by):
            self.act("quote", by=self.who(index), rate=rate + index)

    @rule(what=st.sampled_from(["member", "claim", "code", "plan", "accounts", "params", "coop"]), index=INDEX)
    def show(self, what, index):
        self.act("advance", to=self.height)
        name = {
            "member": self.who(index),
            "claim": f"c{index}",
            "code": CODES[index % 3],
            "plan": PLANS[index % 2],
        }.get(what)
        self.act("show", what=what, name=name)
        self.height += 1
        self.compare()

    # ---- the end ----

    def teardown(self):
        if not hasattr(self, "real"):
            return
        self.act("advance", to=self.height + 31)
        self.act("show", what="accounts")
        self.act("advance", to=self.height + 31)
        self.compare()
        assert list(broken_laws(self.genesis, self.theirs)) == []


QUICK = settings(
    max_examples=40,
    stateful_step_count=30,
    derandomize=True,
    database=None,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
THOROUGH = settings(
    QUICK,
    max_examples=1500,
    stateful_step_count=80,
    derandomize=False,
    phases=(Phase.generate, Phase.shrink),
    print_blob=True,
)


def test_both_readings_agree_whatever_members_do():
    run_state_machine_as_test(TwoReadings, settings=QUICK)


@pytest.mark.soak
def test_both_readings_agree_whatever_members_do_for_long():
    run_state_machine_as_test(TwoReadings, settings=THOROUGH)
