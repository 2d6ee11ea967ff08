"""Blocks full of arbitrary records with valid authors, through the real transition.

What must hold is asserted as they go by.
"""

from __future__ import annotations

import collections
import random
from hashlib import sha256

from fuzz.bodies import Names, body_of, mangled
from fuzz.sensible import sensible
from governance import genesis
from governance.acts import Act
from governance.invariants import all_broken_invariants
from governance.kinds import KINDS, encode_body
from governance.membership import members
from governance.state.plans import PLANS
from governance.state.treasury import TREASURY
from governance.tables import Draft
from governance.transition import BlockContext, OpenBlock, apply_block
from ledger.errors import MalformedBytes, RuleBroken
from ledger.records import Attestation
from ledger.store import MemoryStore

FOUNDERS = 9
STRANGERS = 4
TRACED_SHARE = 0.03
"""Of the refused records so many are looked at for a trace in the delta: taking one costs as much as some records."""


def key_of(name: str) -> bytes:
    return sha256(name.encode()).digest()


class Fuzz:
    """One seed: a co-op, and arbitrary records for it."""

    def __init__(self, seed: int) -> None:
        self.r = r = random.Random(f"fuzz {seed}")
        self.is_wild = r.random() < 0.25
        """Figures at the very bounds that a founding and a claim allow."""
        self.is_doomed = seed % 4 == 1
        """Owes more than it has from the first claim on: run-off at the second boundary, disbanded soon after."""
        self.people = [key_of(f"m{i}") for i in range(FOUNDERS)]
        self.strangers = [key_of(f"s{i}") for i in range(STRANGERS)]
        self.covers = {key: key_of(f"cover {i}") for i, key in enumerate(self.people + self.strangers)}
        self.devices = {key: key_of(f"device {i}") for i, key in enumerate(self.people)}
        self.providers = [key_of(f"d{i}") for i in range(3)]
        self.parties = [key_of(f"party {i}") for i in range(2)]
        """Enrolment attesters and verifiers of providers."""
        self.signers = tuple(self.people[:3])
        self.numbers: dict[bytes, int] = {}
        self.known_keys: list[bytes] = list(self.devices.values())
        self.counts: collections.Counter[str] = collections.Counter()
        self.height = 0
        self.names = self._names()
        self.state = MemoryStore(genesis.genesis_rows(self._spec(r)))

    def _names(self) -> Names:
        names = Names()
        for field in ("member", "to", "applicant", "author"):
            names.blobs[field] = [*self.people, *self.strangers]
        names.blobs["cover_id"] = list(self.covers.values())
        names.blobs["provider_id"] = self.providers
        names.blobs["hash"] = names.blobs["opened"] = names.blobs["evidence_hash"] = [
            key_of("paper 1"),
            key_of("paper 2"),
            b"",
        ]
        names.blobs["rule_hash"] = [key_of("rule")]
        names.blobs["nullifier"] = [key_of(f"person {i}") for i in range(5)]
        names.blobs["payout_id"] = []
        names.blobs["unsigned_txid"] = [key_of("tx 1"), key_of("tx 2")]
        names.blobs["household"] = [b"", b"h1"]
        names.blobs["claim"] = []
        names.blobs["proposal"] = []
        names.blobs["event_id"] = names.blobs["source_hash"] = [b"", b"", b"e1"]
        names.texts = {
            "code": ["S1", "S2", "N1", "N2"],
            "codes": ["S1", "N1"],
            "plan": ["basic", "plus"],
            "name": [
                "basic",
                "plus",
                "N1",
                "S1",
                "live",
                "vote_blocks",
                "reserve_bp",
                "small_claim_cents",
                "bar_floor_bp",
            ],
            "choice": ["accept", "accept", "deny", "abstain", "yes", "no"],
            "system": ["", "", "", "h"],
            "topic": ["*", "N1"],
            "payee": ["member", "provider"],
            "use": ["claim", "claim", "preauth"],
            "outcome": ["fraud", "clear"],
            "ground": ["evidence", "rule"],
            "what": ["param", "list", "plan", "demote", "phase", "expel"],
            "reason": ["", "because"],
            "submitter_role": ["member", "provider"],
        }
        return names

    def _spec(self, r) -> genesis.GenesisSpec:
        """Return a founding with small bounds, rich, poor, or at its very limits."""
        wild = self.is_wild
        top = genesis.FIGURE_MAX
        plan = genesis.PlanSpec(
            "basic",
            r.choice([0, 3001, 50_000, top if wild else 20_000]),
            r.choice([0, 999]),
            r.choice([0, 1500]),
            r.choice([0, 3333, 10_000]),
            r.choice([None, 20_000]),
            r.choice([None, 45_000]),
            r.choice([None, 90_000]),
            r.choice([0, 1]),
        )
        plus = genesis.PlanSpec(
            "plus", r.choice([1, 60_000]), waiting_terms=r.choice([0, 2]), codes=r.choice([(), ("S1", "N1")])
        )
        params = {"audit_random_bp": r.choice([0, 3000])}
        for name, values in (
            ("vote_blocks", [4, 20]),
            ("streak_blocks", [1, 3]),
            ("freeze_blocks", [1, 5]),
            ("evidence_until", [3]),
            ("quorum_min", [1, 2]),
            ("quorum_div", [4]),
            ("min_voters", [1, 2]),
            ("small_claim_cents", [20_000]),
            ("panel_block", [2]),
            ("panel_size", [2]),
            ("sponsor_min", [1]),
            ("proposal_blocks", [3]),
            ("turnout_div", [9]),
            ("audit_reports", [1, 2]),
            ("hold_blocks", [3]),
            ("audit_panel", [1, 3]),
            ("appeal_blocks", [2]),
            ("appeal_panel", [3]),
            ("credibility_k", [0, 3]),
            ("run_off_terms", [1]),
            ("filing_terms", [1]),
            ("voting_after_terms", [0, 1]),
            ("vouchers", [0, 1]),
            ("objections", [1]),
            ("grace_blocks", [0, 3]),
            ("unpaid_terms", [1]),
            ("renewal_min", [1]),
            ("renewal_terms", [1]),
            ("renewal_pct", [50]),
            ("promote_cases", [1]),
            ("promote_claimants", [1]),
            ("promote_providers", [1]),
            ("promote_terms", [1]),
            ("deny_sample_min", [1, 3]),
            ("evidence_versions", [2]),
            ("audit_claims", [2]),
            ("expense_bp", [5000]),
            ("claim_reserve_bp", [0, 10_000]),
            ("rate_move_bp", [0, 9_999]),
        ):
            if r.random() < 0.5:
                params[name] = r.choice(values)
        founders = tuple(
            genesis.MemberSpec(
                key,
                self.covers[key],
                r.choice(["basic", "plus"]),
                r.choice([b"", b"", b"h1"]),
                r.choice([1, 1, 3, 12]),
                r.choice([0, 0, 1]),
                (self.devices[key],),
                r.choice([0, 3, 12, 10_000 if wild else 24]),
                r.choice([(0, 0), (15, 20), (20, 20)]),
            )
            for key in self.people
        )
        poor = r.random() < 0.4
        if self.is_doomed:
            wild, poor = False, True
            params |= {"run_off_terms": 1, "filing_terms": 1, "vote_blocks": 4, "hold_blocks": 3, "appeal_blocks": 2}
        return genesis.GenesisSpec(
            phase="live" if self.is_doomed else r.choice(["live", "live", "live", "pilot", "recruit"]),
            claims_cents=genesis.ACCOUNT_MAX if wild else 0 if poor else r.choice([5_000_000, 30_000]),
            reserve_cents=0 if poor else r.choice([20_000, 900_000]),
            rate=1 if wild else 10**7 if self.is_doomed else r.choice([None, 10**7, 9]),
            is_rehearsal=r.random() < 0.2,
            is_auto_pay=r.random() < 0.5,
            params=params,
            plans=(plan, plus),
            members=founders,
            providers=tuple((key, f"d{i}") for i, key in enumerate(self.providers)),
            codes=(
                genesis.CodeSpec("S1", True, r.choice([None, 3000]), r.choice([None, 2, top])),
                genesis.CodeSpec("S2", True),
                genesis.CodeSpec("N1", False),
            ),
            attesters=tuple((key, "a") for key in self.parties) if r.random() < 0.7 else (),
            verifiers=tuple((key, "v") for key in self.parties),
            treasury=(
                genesis.TreasurySpec(
                    "regtest", r.choice([1, 2]), self.signers, key_of("coin"), 0, r.choice([10**6, 2**62]), 1
                )
                if r.random() < 0.8
                else None
            ),
        )

    # ---- Records ------------------------------------------------------------
    def act(self) -> Act:
        """Return an arbitrary record whose author might be anybody, mostly one who fits."""
        r = self.r
        kind = KINDS[r.choice(list(KINDS))] if r.random() < 0.35 else KINDS[r.choice(LIKELY)]
        if kind.name in (RARE if not self.is_doomed else (*RARE, "premium.paid", "member.leave")) and r.random() < 0.9:
            kind = KINDS["claim.file"]
        body = body_of(r, kind.body, self.names, self.height)
        author = r.choice(self.people if r.random() < 0.85 else self.strangers)
        body, author = sensible(self, kind.name, body, author)
        data = encode_body(body)
        if r.random() < 0.04:
            data = mangled(r, data)
        signer = author
        if author in self.people and r.random() < 0.95:
            signer = members.identity_key_of(Draft(self.state), author)
        if r.random() < 0.15 and author in self.devices:
            signer = self.devices[author]
        elif r.random() < 0.01:
            signer = r.choice([*self.people, *self.strangers, *self.covers.values()])
        number = self.numbers.get(signer, 0) + 1
        if r.random() < 0.01:
            number = r.choice([0, 1, number + 63, number + 64, number + 65, 2**62, 2**63 - 1, max(0, number - 70)])
        until = self.height + r.choice([0, 10, 100, 2**61]) if r.random() < 0.97 else max(0, self.height - 1)
        name = kind.name if r.random() < 0.99 else r.choice(["", "nothing", "case.ballot\x00", "x" * 48])
        return Act(
            name, author, signer, r.randbytes(32), number, until, data, self._attestations(kind.name, body, author)
        )

    def premium_of(self, plan: str) -> int:
        return PLANS.get(Draft(self.state), plan).premium_cents

    def devices_of(self, draft: Draft) -> list[tuple[bytes, bytes]]:
        """(device, owner) of every device key that was ever certified here."""
        found = [(key, members.owner_of_key(draft, key)) for key in self.known_keys]
        return [(key, owner) for key, owner in found if owner is not None]

    def _attestations(self, kind: str, body, author: bytes) -> tuple[Attestation, ...]:
        """Return what a real record would bring, by everybody who could attest it.

        Sometimes too few, or over something else.
        """
        r = self.r
        if r.random() < 0.08:
            return ()
        keep = 1.0 if r.random() < 0.9 else 0.3
        named = [
            value
            for name in body.__struct_fields__
            if isinstance(value := getattr(body, name), bytes) and len(value) == 32
        ]
        keys = [*{*self.people, *self.providers, *self.parties, *named}]
        keys.sort()
        found = [
            Attestation(wanted.role, key, wanted.subject(author, body), bytes(64))
            for wanted in KINDS[kind].attested
            for key in keys
            if r.random() < keep
        ]
        if r.random() < 0.05:
            role = r.choice([wanted.role for item in KINDS.values() for wanted in item.attested])
            found.append(Attestation(role, r.choice(keys), r.randbytes(32), bytes(64)))
        return tuple(found)

    # ---- Blocks -------------------------------------------------------------
    def block(self, records: int) -> None:
        """Fill and close one block; whatever is not RuleBroken or MalformedBytes goes up to the test."""
        self.height += 1
        context = BlockContext(self.height, sha256(b"fuzz" + self.height.to_bytes(8, "big")).digest())
        opened = OpenBlock(self.state, context)
        taken: list[Act] = []
        for _ in range(records):
            act = self.act()
            before = opened.day.draft.delta() if self.r.random() < TRACED_SHARE else None
            heard = len(opened.day.events)
            try:
                opened.take(act)
            except (RuleBroken, MalformedBytes) as error:
                self.counts[f"refused {error.code}"] += 1
                assert len(opened.day.events) == heard, f"{act.kind} was refused ({error.code}) and left an event"
                if before is not None:
                    assert opened.day.draft.delta() == before, f"{act.kind} was refused ({error.code}) and left a trace"
                    self.counts["traced"] += 1
                continue
            taken.append(act)
            self._note(act)
        outcome = opened.close()
        again = apply_block(self.state, context, taken)
        assert again.delta == outcome.delta, "a block without its refused records does something else"
        assert again.events == outcome.events
        self.state.write(outcome.delta)
        assert all_broken_invariants(self.state) == []
        for event in outcome.events:
            self.counts[f"event {event.name}"] += 1

    def _note(self, act: Act) -> None:
        """Remember what now exists."""
        self.numbers[act.signer] = (
            max(self.numbers.get(act.signer, 0), act.number) if act.number < 2**40 else self.numbers.get(act.signer, 0)
        )
        self.counts[f"taken {act.kind}"] += 1
        if act.kind in ("device.certify", "cover.add"):
            self.known_keys.append(act.body[-32:])
        if act.kind == "claim.file":
            for field in ("claim", "supersedes"):
                self.names.note(field, act.record_id)
        elif act.kind == "proposal.open":
            self.names.note("proposal", act.record_id)
        elif act.kind == "treasury.batch":
            self.names.note("unsigned_txid", TREASURY.get(Draft(self.state)).outpoint_txid)


RARE = ("member.leave", "audit.finding")
"""Records after which less can happen: they come now and then, else every co-op is soon empty."""
LIKELY = (
    "claim.file",
    "claim.file",
    *("case.ballot",) * 9,
    "proposal.open",
    "proposal.sponsor",
    "proposal.vote",
    "premium.paid",
    "rate.quote",
    "treasury.batch",
    "treasury.batch",
    "treasury.confirm",
    "audit.report",
    "audit.finding",
    "case.appeal",
    "member.apply",
    "member.vouch",
    "case.auto_ballot",
)


def run(seed: int, blocks: int, records: int) -> Fuzz:
    """Play one seed; the state of a failure is in the fuzz that is raised through."""
    fuzz = Fuzz(seed)
    for _ in range(blocks):
        fuzz.block(fuzz.r.randrange(records + 1))
    return fuzz


def summed(many) -> collections.Counter[str]:
    """Return the counts of several seeds together."""
    total: collections.Counter[str] = collections.Counter()
    for fuzz in many:
        total += fuzz.counts
    return total
