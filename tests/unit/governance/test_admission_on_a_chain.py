"""On a real chain nothing is implied: attesters, the deposit, the audit panel.

A whole way in and out, with money conserved each block.
"""

from __future__ import annotations

import msgspec
import pytest

from governance.benefits.providers import VERIFIED, ProviderBody
from governance.day import Day
from governance.enrolment.admission import DEPOSIT, ENROLMENT, VouchBody, WithdrawApplicationBody
from governance.filing.claims import ClaimBody, ClaimLine, claim_subject_hash
from governance.genesis import CodeSpec, GenesisSpec, MemberSpec, PlanSpec, TreasurySpec, genesis_rows
from governance.invariants import all_broken_invariants
from governance.kinds import encode_body
from governance.money import accounts
from governance.state.applications import ApplyBody
from governance.state.treasury import PAYMENTS
from governance.tables import Draft
from governance.transition import Act, BlockContext, apply_block, check_act
from governance.views.governing import applications_view
from governance.voting.holds import FINDING, FindingBody, panel_of
from ledger.errors import RuleBroken
from ledger.hashing import tagged_hash
from ledger.records import Attestation
from ledger.store import MemoryStore


def key(tag: str, index: int = 0) -> bytes:
    return tagged_hash("test", tag.encode(), bytes([index]))


SIGNERS = tuple(key("signer", index) for index in range(3))
ATTESTERS = tuple((key("attester", index), f"attester {index}") for index in range(2))
DOCTOR, VERIFIER, HAL = key("doctor"), key("verifier"), key("hal")
SPEC = GenesisSpec(
    claims_cents=5_000_000,
    reserve_cents=900_000,
    rate=10_000_000,
    plans=(PlanSpec("p", 50_000),),
    members=tuple(MemberSpec(key("id", index), key("cover", index), "p", prepaid_terms=12) for index in range(7)),
    providers=((DOCTOR, "doctor"),),
    codes=(CodeSpec("S", True, 30_000, system="H"),),
    params={"audit_random_bp": 10_000, "audit_panel": 3},
    attesters=ATTESTERS,
    verifiers=((VERIFIER, "board"),),
    treasury=TreasurySpec("regtest", 2, SIGNERS, key("baton"), 0, 10_000_000, 2),
)
APPLY = ApplyBody(key("cover", 9), "p", 1, b"", key("person"), 50_000, key("deposit"), key("sealed addresses"))


class Chain:
    """Blocks one after the other, every invariant checked after each."""

    def __init__(self) -> None:
        self.state = MemoryStore(genesis_rows(SPEC))
        self.height = 0
        self.number = 0
        self.events: list[tuple[str, dict[str, object]]] = []

    def block(self, *acts: Act) -> None:
        self.height += 1
        outcome = apply_block(self.state, BlockContext(self.height, key("randomness", self.height % 256)), acts)
        self.state.write(outcome.delta)
        self.events += [(event.name, event.fields) for event in outcome.events]
        assert all_broken_invariants(self.state) == []

    def to(self, height: int) -> None:
        while self.height < height:
            self.block()

    def act(self, kind, author: bytes, body, attested: tuple[Attestation, ...] = ()) -> Act:
        self.number += 1
        data = encode_body(body)
        return Act(
            kind, author, author, tagged_hash("id", data, bytes([self.number])), self.number, 10_000, data, attested
        )

    def refusal(self, act: Act) -> str:
        with pytest.raises(RuleBroken) as caught:
            check_act(self.state, BlockContext(self.height + 1, bytes(32)), act)
        return caught.value.code

    def day(self) -> Day:
        return Day(Draft(self.state), self.height, b"")


def by(wanted, author: bytes, body, *keys: bytes) -> tuple[Attestation, ...]:
    return tuple(Attestation(wanted.role, item, wanted.subject(author, body), b"") for item in keys)


def application(chain: Chain, body: ApplyBody = APPLY, *, attesters=(0, 1), signers=(0, 1)) -> Act:
    enrolled = by(ENROLMENT, HAL, body, *(ATTESTERS[index][0] for index in attesters))
    return chain.act(
        "member.apply", HAL, body, (*enrolled, *by(DEPOSIT, HAL, body, *(SIGNERS[index] for index in signers)))
    )


def test_an_application_brings_two_attesters_and_a_deposit_that_the_signers_saw() -> None:
    chain = Chain()
    assert chain.refusal(application(chain, attesters=(0,))) == "attestations_missing"
    assert chain.refusal(application(chain, signers=(2,))) == "attestations_missing"
    assert chain.refusal(application(chain, replace_body(deposit_cents=49_999))) == "deposit_amount"
    assert chain.refusal(application(chain, replace_body(deposit_cents=0))) == "deposit_amount"
    assert chain.refusal(application(chain, replace_body(nullifier=b""))) == "nullifier_known"
    assert chain.refusal(application(chain, replace_body(payout_commitment=bytes(33)))) == "commitment_size"
    moved = chain.act("member.apply", HAL, replace_body(deposit_cents=60_000), application(chain).attestations)
    assert chain.refusal(moved) == "attestations_missing", "signatures are over this body"
    chain.block(application(chain))
    (shown,) = applications_view(chain.state, chain.height)
    assert (shown.applicant, shown.deposit_cents) == (HAL, 50_000)
    assert accounts.deposits_balance(Draft(chain.state)) == 50_000


def replace_body(**changes) -> ApplyBody:
    return msgspec.structs.replace(APPLY, **changes)


def test_the_deposit_of_a_withdrawn_application_is_paid_to_the_cover_and_its_sealed_addresses() -> None:
    chain = Chain()
    chain.block(application(chain))
    withdraw = chain.act("member.withdraw", HAL, WithdrawApplicationBody())
    by_device = Act("member.withdraw", HAL, key("device"), withdraw.record_id, 1, 10_000, withdraw.body, ())
    assert chain.refusal(by_device) == "identity_signature"
    chain.block(withdraw)
    chain.block()
    (payment,) = PAYMENTS.scan(Draft(chain.state))
    assert (payment.payee, payment.amount_cents, payment.commitment) == (
        APPLY.cover_id,
        50_000,
        key("sealed addresses"),
    )
    assert accounts.deposits_balance(Draft(chain.state)) == 0


def test_an_applicant_is_admitted_and_the_deposit_stays() -> None:
    chain = Chain()
    chain.block(
        application(chain), *(chain.act("member.vouch", key("id", index), VouchBody(HAL)) for index in range(3))
    )
    chain.to(60)
    assert ("member_joined", {"member": HAL}) in chain.events
    assert accounts.deposits_balance(Draft(chain.state)) == 50_000


def test_a_claim_drawn_for_audit_is_found_fraudulent_by_a_majority_of_its_panel_and_by_nobody_else() -> None:
    chain = Chain()
    body = ClaimBody(
        "coop",
        key("cover", 0),
        "member",
        "member",
        DOCTOR,
        b"",
        "claim",
        b"",
        0,
        b"source",
        (),
        b"",
        (ClaimLine("H", "S", (), 1, 900, 1, 1),),
    )
    claim = chain.act(
        "claim.file", body.cover_id, body, (Attestation("provider", DOCTOR, claim_subject_hash(body), b""),)
    )
    chain.block(claim)
    panel = panel_of(chain.day(), claim.record_id)
    assert panel is not None
    assert len(panel) == 3
    assert key("id", 0) not in panel
    finding = FindingBody(claim.record_id, "fraud", "the documents are forged")
    others = [member.key for member in SPEC.members[1:] if member.key not in panel]
    for keys in ((), panel[:1], (panel[0], *others), (key("stranger"),) * 3):
        assert (
            chain.refusal(chain.act("audit.finding", key("id", 1), finding, by(FINDING, key("id", 1), finding, *keys)))
            == "attestations_missing"
        )
    chain.block(chain.act("audit.finding", key("id", 1), finding, by(FINDING, key("id", 1), finding, *panel[1:])))
    assert "fraud_found" in [name for name, _ in chain.events]


def test_a_provider_comes_onto_the_list_by_a_verifier_alone() -> None:
    chain = Chain()
    body = ProviderBody(key("new doctor"), "Dr. New")
    for keys in ((), (ATTESTERS[0][0],), SIGNERS):
        assert (
            chain.refusal(chain.act("provider.list", key("id", 1), body, by(VERIFIED, key("id", 1), body, *keys)))
            == "attestations_missing"
        )
    chain.block(chain.act("provider.list", key("id", 1), body, by(VERIFIED, key("id", 1), body, VERIFIER)))
    assert ("party_listed", {"role": "provider", "party": key("new doctor"), "name": "Dr. New"}) in chain.events
