"""Attacks on the co-op's own records.

What is signed once counts once, a key of two roles, covers that multiply, fraud that goes on.
"""

from __future__ import annotations

import msgspec
import pytest

from governance.benefits import providers
from governance.benefits.dependants import CoverAddBody
from governance.benefits.providers import ProviderBody
from governance.day import Day
from governance.enrolment import admission
from governance.enrolment.admission import ObjectBody, WithdrawApplicationBody
from governance.filing.claims import ClaimBody, ClaimLine, claim_subject_hash
from governance.kinds import KINDS
from governance.membership import guardians, members
from governance.membership.identity import MoveBody
from governance.money.premiums import PremiumBody
from governance.state.accounts import ACCOUNT_TOTALS
from governance.state.applications import ApplyBody
from governance.state.attesters import VERIFIERS, PartyRow
from governance.state.cases import CASES
from governance.state.claims import CLAIMS
from governance.state.contracts import CONTRACTS
from governance.state.members import MEMBERS
from governance.state.payouts import PAYOUT_HOLDS
from governance.tables import Draft
from governance.voting import audits, ballots
from governance.voting.holds import ReportBody
from ledger.records import Attestation


def attested(chain, kind, author, body, **keys):
    """Attestations of a body, by role; the seven treasury signers where no keys are named."""
    signers = [chain.key("device", i) for i in range(7)]
    return [
        Attestation(item.role, key, item.subject(author, body), b"")
        for item in KINDS[kind].attested
        for key in keys.get(item.role.replace("-", "_"), signers)
    ]


class Stranger:
    """An applicant with a deposit of one premium that the signers saw."""

    def __init__(self, chain):
        self.chain, self.me = chain, chain.key("stranger")
        self.body = ApplyBody(
            chain.key("cover", 90),
            "p",
            1,
            b"",
            chain.key("nullifier"),
            50_000,
            chain.key("deposit"),
            chain.key("payout"),
        )

    def apply(self, number=1, *, author=None, signer=None, **fields):
        body, author = msgspec.structs.replace(self.body, **fields), author or self.me
        return self.chain.act(
            "member.apply",
            author,
            body,
            number=number,
            signer=signer,
            attested=attested(self.chain, "member.apply", author, body),
        )

    def withdraw(self, number=2, *, author=None, signer=None):
        return self.chain.act(
            "member.withdraw", author or self.me, WithdrawApplicationBody(), number=number, signer=signer
        )

    def vouch(self, voucher, number=1):
        return self.chain.act(
            "member.vouch", self.chain.members[voucher].key, admission.VouchBody(self.me), number=number
        )


@pytest.fixture
def stranger(chain):
    return Stranger(chain)


def test_a_deposit_is_counted_once(chain, stranger):
    chain.live([stranger.apply()], [stranger.withdraw()], [])
    paid = ACCOUNT_TOTALS.get(Draft(chain.state)).paid_cents
    assert paid == 50_000
    assert chain.refusal(stranger.apply(3)) == "deposit_counted"
    chain.check(stranger.apply(3, deposit_commitment=chain.key("deposit", 1)))


def test_an_attested_premium_pays_once_and_what_was_seen(chain):
    ann = chain.members[0].key

    def pay(amount_cents, number, commitment):
        body = PremiumBody(ann, amount_cents, chain.key("deposit", commitment))
        return chain.act("premium.paid", ann, body, number=number, attested=attested(chain, "premium.paid", ann, body))

    chain.live(*([] for _ in range(90)))
    assert chain.refusal(pay(50_000, 1, 0)) == "nothing_owed"
    chain.live([])
    owed_cents = CONTRACTS.get(Draft(chain.state), ann).owed_cents
    assert chain.refusal(pay(owed_cents - 1, 1, 0)) == "premium_amount"
    chain.live([pay(owed_cents, 1, 0)], *([] for _ in range(30)))
    owed_cents = CONTRACTS.get(Draft(chain.state), ann).owed_cents
    assert chain.refusal(pay(owed_cents, 2, 0)) == "deposit_counted"
    chain.check(pay(owed_cents, 2, 1))


def test_applying_and_withdrawing_twice_in_one_block_breaks_nothing(chain, stranger):
    again = stranger.apply(3, deposit_commitment=chain.key("deposit", 1))
    chain.live([stranger.apply(), stranger.withdraw(), again, stranger.withdraw(4)], [])
    assert ACCOUNT_TOTALS.get(Draft(chain.state)).paid_cents == 100_000


def test_objections_to_two_applications_in_one_block_break_nothing(chain, stranger):
    def objections(first):
        return [
            chain.act("member.object", chain.members[i].key, ObjectBody(stranger.me, "no"), number=first)
            for i in range(3)
        ]

    again = stranger.apply(2, deposit_commitment=chain.key("deposit", 1))
    chain.live([stranger.apply(), *objections(1), again, *objections(2)], [])
    assert ACCOUNT_TOTALS.get(Draft(chain.state)).paid_cents == 100_000


def test_an_application_taken_back_leaves_no_cover_behind(chain, stranger):
    old, new = chain.key("cover", 90), chain.key("cover", 91)
    again = stranger.apply(3, cover_id=new, deposit_commitment=chain.key("deposit", 1))
    chain.live(
        [stranger.apply(), stranger.withdraw()],
        [again, *(stranger.vouch(i) for i in range(3))],
        *([] for _ in range(60)),
    )
    draft = Draft(chain.state)
    assert MEMBERS.find(draft, stranger.me).is_member
    assert members.member_of_cover(draft, new).key == stranger.me
    assert members.member_of_cover(draft, old) is None


def test_who_returns_has_the_cover_of_before(chain, stranger):
    ann = chain.members[0]
    chain.live([chain.act("member.leave", ann.key, KINDS["member.leave"].body(), number=1)], *([] for _ in range(59)))
    apply = stranger.apply(2, author=ann.key)
    assert chain.refusal(apply) == "cover_other"
    chain.check(stranger.apply(2, author=ann.key, cover_id=ann.cover))


def test_a_past_member_under_a_moved_identity_withdraws_an_application(chain, stranger):
    ann, bob = chain.members[0], chain.members[1].key
    new = chain.key("new")
    move = MoveBody(ann.key, new, 1)
    subject = KINDS["identity.move"].attested[0].subject(b"", move)
    signed = [Attestation("guardian", bob, subject, b""), Attestation("new-key", new, subject, b"")]
    chain.live(
        [
            chain.act("guardians.set", ann.key, guardians.GuardiansBody(1, (bob,)), number=1),
            chain.act("member.leave", ann.key, KINDS["member.leave"].body(), number=2),
            chain.act("identity.move", bob, move, attested=signed),
        ],
        *([] for _ in range(59)),
        [stranger.apply(1, author=ann.key, signer=new, cover_id=ann.cover)],
    )
    assert chain.refusal(stranger.withdraw(3, author=ann.key)) == "identity_signature"
    chain.live([stranger.withdraw(2, author=ann.key, signer=new)])


def test_a_guardian_is_no_cover_of_the_same_member(chain):
    ann, friend = chain.members[0].key, chain.key("friend")
    chain.live([chain.act("guardians.set", ann, guardians.GuardiansBody(1, (friend,)), number=1)])
    body = CoverAddBody(friend)
    add = chain.act("cover.add", ann, body, number=2, attested=attested(chain, "cover.add", ann, body, cover=(friend,)))
    assert chain.refusal(add) == "guardian_own"


def written(chain, change):
    """Change the state as a vote of the members would."""
    day = Day(Draft(chain.state), chain.height, bytes(32))
    change(day)
    chain.state.write(day.draft.delta())


def test_a_member_never_votes_on_what_its_own_device_treated(chain):
    """Bob is listed as a provider under the key of his device: E and audit panels are without him all the same."""
    device, cover, bob = chain.key("device", 1), chain.key("cover", 0), chain.members[1].key
    written(chain, lambda day: providers.add(day, device, "bob"))
    body = ClaimBody(
        "coop",
        cover,
        "member",
        "member",
        device,
        b"",
        "claim",
        b"",
        0,
        b"",
        (),
        b"",
        (ClaimLine("H", "N", (), 1, 20_000, 1, 1),),
    )
    chain.live(
        [
            chain.act(
                "claim.file", cover, body, attested=[Attestation("provider", device, claim_subject_hash(body), b"")]
            )
        ]
    )
    draft = Draft(chain.state)
    case = next(iter(CASES.scan(draft)))
    assert (case.eligible, ballots.is_eligible(draft, case, bob)) == (5, False)
    claim = CLAIMS.get(draft, case.claim)
    assert bob in audits.excluded_of(Day(draft, chain.height, bytes(32)), claim)


def test_an_old_signature_does_not_list_a_provider_again_that_a_vote_took_off(chain):
    verifier, doctor = chain.key("verifier"), chain.key("doctor", 9)
    written(chain, lambda day: VERIFIERS.put(day.draft, PartyRow(verifier, "v", 0), verifier))
    body = ProviderBody(doctor, "nine")

    def listing(number):
        return chain.act(
            "provider.list",
            chain.members[0].key,
            body,
            number=number,
            attested=attested(chain, "provider.list", b"", body, verifier=(verifier,)),
        )

    chain.live([listing(1)])
    written(chain, lambda day: providers.remove(day, doctor))
    assert chain.refusal(listing(2)) == "provider_removed"
    written(chain, lambda day: providers.add(day, doctor, "nine"))
    assert chain.refusal(listing(2)) == "party_known"


def test_fraud_ends_an_appeal_and_lets_none_begin(story):
    told = story(params={"voting_after_terms": 0}).claim(1, "m0", "c", ("X", 1, 20_000), ("Y", 1, 20_000))
    for code in ("X", "Y"):
        told.ballots(2, "c", no=7, code=code)
    told.advance(61)
    told.do(62, "appeal", by="m0", claim="c", code="X", ground="evidence")
    told.do(63, "finding", claim="c", outcome="fraud")
    told.do(64, "appeal", by="m0", claim="c", code="Y", ground="evidence")
    for i in range(1, 8):
        told.do(64, "ballot", by=f"m{i}", claim="c", code="X", choice="accept", opened=True)
    told.advance(90)
    assert told.events("claim_accepted", "payout_due") == []
    assert [event["code"] for event in told.events("refused", do="appeal")] == ["fraud_known"]


def test_a_report_on_a_provider_who_is_a_member_holds_both(chain):
    bob = chain.members[1]
    written(chain, lambda day: providers.add(day, bob.key, "bob"))
    chain.live([chain.act("audit.report", chain.members[i].key, ReportBody(bob.key, b"")) for i in range(2, 7)])
    held = [key for key in (bob.cover, bob.key) if PAYOUT_HOLDS.find(Draft(chain.state), key) is not None]
    assert held == [bob.cover, bob.key]


def test_two_holds_that_end_in_one_block_are_told_apart_for_good(story):
    """Three holds on one cover, all to block 17: a finding lifts the first before the third comes."""
    told = (
        story(params={"audit_reports": 1})
        .claim(1, "m0", "c", ("S", 1, 20_000))
        .claim(1, "m0", "d", ("S", 1, 20_000), provider="doc2")
    )
    told.do(2, "report", by="m1", member="m0", claim="c").do(2, "report", by="m2", member="m0", claim="d")
    told.do(2, "finding", claim="c", outcome="clear").do(2, "report", by="m3", member="m0", claim="d")
    told.advance(18)
    assert list(PAYOUT_HOLDS.scan(Draft(told.player.state))) == []
