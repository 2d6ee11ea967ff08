"""What a rehearsal does not need: signers, numbers, attestations, batches; and bodies made of noise."""

from __future__ import annotations

import random

import msgspec
import pytest
from msgspec.structs import replace

from governance.events import render
from governance.filing.claims import ClaimBody, ClaimLine, claim_subject_hash
from governance.genesis import CodeSpec, GenesisSpec, MemberSpec, PlanSpec, TreasurySpec, genesis_rows
from governance.invariants import all_broken_invariants
from governance.kinds import KINDS, encode_body
from governance.money.treasury import ConfirmBody
from governance.state.treasury import BatchBody, BatchPayout
from governance.transition import Act, BlockContext, OpenBlock, apply_block, check_act
from governance.views.claims import claim_view, needs_me_view
from governance.views.money import payouts_view, treasury_view, unsent_view
from governance.voting.ballots import BallotBody
from ledger.errors import MutuaError, RuleBroken
from ledger.hashing import tagged_hash
from ledger.records import Attestation
from ledger.store import MemoryStore


def key(tag, index):
    return tagged_hash("test", tag.encode(), bytes([index]))


MEMBERS = tuple(
    MemberSpec(key("id", i), key("cover", i), "p", devices=(key("device", i),), prepaid_terms=3) for i in range(7)
)
DOCTOR = key("doctor", 0)
SIGNERS = tuple(key("device", i) for i in range(7))
SPEC = GenesisSpec(
    claims_cents=5_000_000,
    reserve_cents=900_000,
    rate=10_000_000,
    plans=(PlanSpec("p", 50_000),),
    members=MEMBERS,
    providers=((DOCTOR, "doctor"),),
    codes=(CodeSpec("S", True, 30_000, system="H"),),
    params={"audit_random_bp": 0},
    treasury=TreasurySpec("regtest", 5, SIGNERS, key("baton", 0), 0, 10_000_000, 2),
)
CLAIM = ClaimBody(
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
    b"blob",
    (ClaimLine("H", "S", (), 1, 20_000, 1, 1),),
)


def state_with(*blocks):
    state = MemoryStore(genesis_rows(SPEC))
    for height, acts in enumerate(blocks, 1):
        state.write(apply_block(state, BlockContext(height, bytes(32)), acts).delta)
        assert all_broken_invariants(state) == []
    return state


def act(kind, author, body, *, signer=None, number=1, until=1_000, attested=(), record_id=None):
    data = body if isinstance(body, bytes) else encode_body(body)
    return Act(
        kind,
        author,
        signer or author,
        record_id or tagged_hash("id", kind.encode(), author, data),
        number,
        until,
        data,
        tuple(attested),
    )


def claim_act(body=CLAIM, **fields):
    return act(
        "claim.file",
        body.cover_id,
        body,
        attested=[Attestation("provider", DOCTOR, claim_subject_hash(body), b"")],
        **fields,
    )


def code_of(state, height, bad):
    with pytest.raises(RuleBroken) as caught:
        check_act(state, BlockContext(height, bytes(32)), bad)
    return caught.value.code


def test_a_claim_needs_the_cover_key_and_the_providers_attestation_of_this_claim():
    state = state_with()
    check_act(state, BlockContext(1, b""), claim_act())
    other = msgspec.structs.replace(CLAIM, other_payer_cents=1)
    foreign = act(
        "claim.file", CLAIM.cover_id, other, attested=[Attestation("provider", DOCTOR, claim_subject_hash(CLAIM), b"")]
    )
    assert code_of(state, 1, foreign) == "provider_attestation"
    assert code_of(state, 1, act("claim.file", key("id", 0), CLAIM)) == "cover_signature"
    # the provider need not know where the money goes
    elsewhere = msgspec.structs.replace(CLAIM, payout_commitment=b"other")
    check_act(
        state,
        BlockContext(1, b""),
        act(
            "claim.file",
            CLAIM.cover_id,
            elsewhere,
            attested=[Attestation("provider", DOCTOR, claim_subject_hash(CLAIM), b"")],
        ),
    )


def test_in_a_community_scheme_the_providers_signature_on_the_record_is_enough():
    state = MemoryStore(genesis_rows(replace(SPEC, community=("village",))))
    filed = msgspec.structs.replace(CLAIM, scheme="village", submitter_role="provider", payee="provider")
    check_act(state, BlockContext(1, b""), act("claim.file", DOCTOR, filed))
    assert code_of(state, 1, act("claim.file", CLAIM.cover_id, filed)) == "provider_signature"
    assert code_of(state, 1, act("claim.file", DOCTOR, filed, signer=key("device", 0))) == "provider_signature"
    assert code_of(state, 1, act("claim.file", DOCTOR, CLAIM)) == "cover_signature"
    attested = act(
        "claim.file", CLAIM.cover_id, filed, attested=[Attestation("provider", DOCTOR, claim_subject_hash(filed), b"")]
    )
    assert code_of(state, 1, attested) == "provider_signature"
    elsewhere = msgspec.structs.replace(filed, scheme="coop")
    assert code_of(state, 1, act("claim.file", DOCTOR, elsewhere)) == "scheme_closed"
    assert code_of(state_with(), 1, act("claim.file", DOCTOR, filed)) == "scheme_closed"


def test_the_same_source_is_imported_once():
    state = state_with([claim_act()])
    again = msgspec.structs.replace(CLAIM, lines=(ClaimLine("H", "S", (), 1, 20_000, 0, 0),))
    assert code_of(state, 2, claim_act(again, number=2)) == "source_known"
    # the same file once more: it stands, whatever its lines do, and an import that was cut short can go on
    assert code_of(state, 2, claim_act(CLAIM, number=2, record_id=key("id-of-the-second", 0))) == "source_known"
    elsewhere = msgspec.structs.replace(CLAIM, source_hash=b"another")
    assert code_of(state, 2, claim_act(elsewhere, number=2)) == "duplicate_line"


def test_numbers_live_in_a_window_of_sixty_four_and_a_refused_record_consumes_nothing():
    nonvoter = BallotBody(b"none", "X", "accept", None, "", 1, b"")
    state = state_with()
    block = OpenBlock(state, BlockContext(1, b""))
    with pytest.raises(RuleBroken):
        block.take(act("case.ballot", key("id", 0), nonvoter, number=5))
    quote = {
        number: act("rate.quote", key("id", 0), msgspec.msgpack.encode([10_000_000]), number=number)
        for number in (5, 70, 69, 7, 6)
    }
    for number in (5, 70, 69, 7):
        block.take(quote[number])
    codes = []
    for number in (70, 7, 6):
        with pytest.raises(RuleBroken) as caught:
            block.take(quote[number])
        codes.append(caught.value.code)
    assert codes == ["number_used", "number_used", "number_old"]
    late = act("rate.quote", key("id", 0), msgspec.msgpack.encode([10_000_000]), number=71, until=0)
    with pytest.raises(RuleBroken, match="valid until"):
        block.take(late)


def test_a_device_signs_for_its_member_and_a_stranger_does_not():
    state = state_with()
    body = msgspec.msgpack.encode([10_000_000])
    check_act(state, BlockContext(1, b""), act("rate.quote", key("id", 0), body, signer=key("device", 0)))
    assert code_of(state, 1, act("rate.quote", key("id", 0), body, signer=key("device", 1))) == "signer_unknown"


def batch_of(state, **changes):
    (payment,) = unsent_view(state)
    fields = {
        "baton_txid": key("baton", 0),
        "paid": payment.amount_sat,
        "queued": 0,
        "credit": 0,
        "fee": 500,
        "signers": 5,
        **changes,
    }
    row = BatchPayout(
        payment.payment_id,
        fields["paid"],
        fields["queued"],
        fields["credit"],
        fields.get("outputs", 4),
    )
    change = 10_000_000 - fields["paid"] - fields["fee"]
    body = BatchBody(fields["baton_txid"], 0, key("tx", 1), 0, fields["fee"], fields.get("change", change), (row,))
    subject = tagged_hash("payout-batch", encode_body(body))
    return act(
        "treasury.batch",
        key("id", 0),
        body,
        attested=[Attestation("batch", SIGNERS[i % 7], subject, b"") for i in range(fields["signers"])],
    )


def test_a_batch_spends_the_baton_once_adds_up_and_is_attested_by_m_of_n():
    state = state_with([claim_act()], [])
    assert code_of(state, 3, batch_of(state, baton_txid=key("baton", 1))) == "baton_spent"
    assert code_of(state, 3, batch_of(state, signers=4)) == "attestations_missing"
    assert code_of(state, 3, batch_of(state, change=1)) == "batch_sum"
    assert code_of(state, 3, batch_of(state, queued=1)) == "payout_sum"
    assert code_of(state, 3, batch_of(state, outputs=10_001)) == "batch_shape"
    good = batch_of(state)
    state.write(apply_block(state, BlockContext(3, b""), [good]).delta)
    assert render(treasury_view(state))["baton_txid"] == key("tx", 1).hex()
    assert unsent_view(state) == []
    confirm = ConfirmBody(key("tx", 1), 1, 101)
    subject = tagged_hash("payout-confirm", encode_body(confirm))
    record = act(
        "treasury.confirm",
        key("id", 1),
        confirm,
        attested=[Attestation("confirm", signer, subject, b"") for signer in SIGNERS[:5]],
    )
    state.write(apply_block(state, BlockContext(4, b""), [record]).delta)
    assert [item.row.status for item in payouts_view(state)] == ["confirmed"]
    assert all_broken_invariants(state) == []


def test_prepaid_terms_do_not_fall_due():
    state = MemoryStore(genesis_rows(SPEC))
    due = []
    for height in range(1, 92):
        outcome = apply_block(state, BlockContext(height, b""), [])
        state.write(outcome.delta)
        due += [event.height for event in outcome.events if event.name == "premium_due"]
    assert set(due) == {91}


def test_no_bytes_raise_anything_but_a_readable_refusal():
    rng = random.Random(3)
    state = state_with([claim_act()], [])
    leaves = [
        0,
        1,
        -1,
        2**63,
        2**62,
        "",
        "X",
        "accept",
        "param",
        "S",
        "p",
        "plan",
        "list",
        b"",
        key("id", 0),
        key("id", 1),
        key("cover", 1),
        DOCTOR,
        None,
        True,
        1.5,
        [],
        [1],
    ]

    def noise(shape):
        values = []
        for field in msgspec.structs.fields(shape):
            kinds = {
                "str": ["", "X", "S", "accept", "param", "plan", "p", "member", "claim", "live", "yes", "*"],
                "bytes": [b"", key("id", 1), key("cover", 1), DOCTOR, claim_act().record_id],
                "int": [0, 1, 2, 12, 2**62],
            }.get(getattr(field.type, "__name__", str(field.type)), leaves)
            values.append(rng.choice(leaves) if rng.random() < 0.1 else rng.choice(kinds))
        return msgspec.msgpack.encode(values)

    for _ in range(4_000):
        kind = rng.choice(sorted(KINDS))
        body = rng.randbytes(rng.randrange(40)) if rng.random() < 0.1 else noise(KINDS[kind].body)
        author = rng.choice([key("id", 0), key("id", 1), key("cover", 1), DOCTOR, b""])
        with pytest.MonkeyPatch.context():
            try:
                check_act(state, BlockContext(3, bytes(32)), act(kind, author, body))
            except MutuaError as error:
                assert error.code
                assert error.what


def test_a_ballot_of_a_voter_shows_what_still_needs_them():
    voted = msgspec.structs.replace(CLAIM, lines=(ClaimLine("H", "X", (), 1, 20_000, 1, 1),))
    record = claim_act(voted)
    state = state_with([record])
    assert [item.my_choice for item in needs_me_view(state, 1, key("id", 1))] == [None]
    assert needs_me_view(state, 1, key("id", 0)) == []
    shown = claim_view(state, 1, record.record_id)
    assert shown.cases[0].eligible == 6
    assert shown.row.status == "open"


def test_only_members_of_the_committee_quote_the_rate() -> None:
    from governance.money.rates import QuoteBody

    state = MemoryStore(genesis_rows(replace(SPEC, quoters=(MEMBERS[0].key, MEMBERS[1].key))))
    check_act(
        state, BlockContext(1, bytes(32)), act("rate.quote", MEMBERS[1].key, QuoteBody(10_500_000), signer=SIGNERS[1])
    )
    assert (
        code_of(state, 1, act("rate.quote", MEMBERS[2].key, QuoteBody(10_500_000), signer=SIGNERS[2]))
        == "not_on_committee"
    )
    check_act(
        state_with(),
        BlockContext(1, bytes(32)),
        act("rate.quote", MEMBERS[2].key, QuoteBody(10_500_000), signer=SIGNERS[2]),
    )
