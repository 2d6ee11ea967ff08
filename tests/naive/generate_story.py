"""What the themes of random scenarios share.

A co-op to begin with, a list of actions to come, and the verbs that fill it.

A theme plans its actions in any order; `lines` sorts them by height. All randomness comes from the theme's own seed.
"""

import random

PROVIDERS = ["d1", "d2", "d3"]


class Story:
    """One scenario in the making."""

    def __init__(self, theme, seed, members=8, lines_max=1500):
        self.r = random.Random(f"{theme} {seed}")
        self.names = [f"m{i:02}" for i in range(members)]
        self.lines_max = lines_max
        self.todo = []
        self.claims = []
        self.proposals = 0
        self.genesis = {
            "do": "genesis",
            "phase": "live",
            "seed": self.r.randrange(1000),
            "auto_pay": True,
            "params": {"audit_random_bp": 0},
            "accounts": {"claims": 5000000, "reserve": 900000},
            "rate": 10000000,
            "plans": [{"name": "basic", "premium_cents": 20000}],
            "members": [],
            "providers": list(PROVIDERS),
            "codes": [
                {"code": "S1", "standard": True, "allowed_cents": 30000, "frequency": 6},
                {"code": "S2", "standard": True, "allowed_cents": 7777},
                {"code": "S3", "standard": True},
                {"code": "N1"},
            ],
        }
        for name in self.names:
            self.genesis["members"].append({"name": name, "plan": "basic"})

    # ---- the co-op ----

    def params(self, **values):
        self.genesis["params"] |= values

    def maybe(self, chance=0.5):
        return self.r.random() < chance

    def some_params(self, chance, **choices):
        """Each parameter is set, with this chance, to one of its choices."""
        for name, values in choices.items():
            if self.maybe(chance):
                self.genesis["params"][name] = self.r.choice(values)

    def each_member(self, **choices):
        """Every member gets one of the choices for each field; None leaves a field out."""
        for member in self.genesis["members"]:
            for field, values in choices.items():
                value = self.r.choice(values)
                if value is not None:
                    member[field] = value

    def plan_figures(self, **choices):
        """A plan's figures, each one of its choices; None leaves a figure out."""
        chosen = {field: self.r.choice(values) for field, values in choices.items()}
        return {field: value for field, value in chosen.items() if value is not None}

    # ---- what happens ----

    def act(self, at, do, **fields):
        self.todo.append(
            {"at": max(1, at), "do": do, **{name: value for name, value in fields.items() if value is not None}}
        )

    def claim(self, at, by, *lines, **fields):
        """A claim of (code, units, charge, day) lines; returns its id."""
        name = f"c{len(self.claims):03}"
        given = []
        for code, units, charge, day in lines:
            given.append({"code": code, "units": units, "charge_cents": charge, "day": max(1, day)})
        fields.setdefault("provider", self.r.choice(PROVIDERS))
        self.claims.append({"id": name, "by": by, "at": at, "lines": given, "provider": fields["provider"]})
        self.act(at, "claim", id=name, by=by, lines=given, **fields)
        return name

    def file_again(self, at, claim_id, **fields):
        """The same lines once more, as after a lapse."""
        old = next(claim for claim in self.claims if claim["id"] == claim_id)
        name = f"c{len(self.claims):03}"
        self.claims.append({**old, "id": name, "at": at})
        self.act(at, "claim", id=name, by=old["by"], lines=old["lines"], provider=old["provider"], **fields)
        return name

    def vote(self, at, claim_id, yes=(), no=(), abstain=(), code=None, opened=True, award=None):
        for choice, voters in (("accept", yes), ("deny", no), ("abstain", abstain)):
            for name in voters:
                self.act(
                    at,
                    "ballot",
                    by=name,
                    claim=claim_id,
                    code=code,
                    choice=choice,
                    opened=opened,
                    award_cents=award if choice == "accept" else None,
                )

    def others(self, *without):
        return [name for name in self.names if name not in without]

    def shuffled(self, names):
        return self.r.sample(names, len(names))

    def propose(self, at, what, sponsors=None, yes=(), no=(), abstain=(), cast_at=None, **fields):
        """A proposal, its sponsors in the same block, its votes; returns its id."""
        name = f"p{self.proposals}"
        self.proposals += 1
        sponsors = self.names if sponsors is None else sponsors
        self.act(at, "propose", by=sponsors[0], id=name, what=what, **fields)
        for by in sponsors[1:]:
            self.act(at, "sponsor", by=by, proposal=name)
        for choice, voters in (("yes", yes), ("no", no), ("abstain", abstain)):
            for by in voters:
                self.act(at + 1 if cast_at is None else cast_at, "cast", by=by, proposal=name, choice=choice)
        return name

    # ---- the file ----

    def lines(self, end):
        """The scenario: every action up to `end`, in order, then everyone is shown."""
        planned = sorted((act for act in self.todo if act["at"] <= end), key=lambda act: act["at"])[: self.lines_max]
        found = [self.genesis, *planned, {"at": end, "do": "advance", "to": end}]
        for member in self.genesis["members"][:20]:
            found.append({"at": end, "do": "show", "what": "member", "name": member["name"]})
        found.append({"at": end, "do": "show", "what": "accounts"})
        return found

    def shown(self, what, names, lines):
        """The scenario's lines, and at their end what else is shown."""
        end = lines[-1]["at"]
        return [*lines, *({"at": end, "do": "show", "what": what, "name": name} for name in names)]
