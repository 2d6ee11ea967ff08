"""I9: a certificate is a quorum of distinct members of exactly that committee, with strict, unambiguous signatures."""

from __future__ import annotations

from dataclasses import replace
from hashlib import sha256

import pytest

from consensus.committee import leader_of, quorum_of
from consensus.messages import Certificate, Proposal, Vote, VoteKind
from consensus.misbehaviour import is_contradiction, is_proven
from consensus.signing import sign_proposal, sign_vote, verify_certificate, verify_proposal, verify_vote
from ledger.blocks import HEADER_VERSION, Header, block_hash_of, encode_header
from ledger.hashing import ZERO_HASH
from ledger.signatures import public_key_of

SECRETS = [sha256(bytes([index])).digest() for index in range(5)]
COMMITTEE = tuple(public_key_of(secret) for secret in SECRETS[:4])
CHAIN_ID = sha256(b"chain").digest()
BLOCK = sha256(b"block").digest()
SEED = bytes(32)


def vote_of(voter: int, kind: VoteKind = VoteKind.FINALIZE, view: int = 0, block_hash: bytes = BLOCK) -> Vote:
    return sign_vote(Vote(kind, 0, 5, view, block_hash, voter), SECRETS[voter], CHAIN_ID)


def certificate_of(*voters: int, kind: VoteKind = VoteKind.FINALIZE) -> Certificate:
    signatures = tuple(vote_of(voter, kind).signature for voter in voters)
    return Certificate(kind, 0, 5, 0, BLOCK, voters, signatures)


def header_of(height: int = 5, epoch: int = 0) -> Header:
    return Header(
        version=HEADER_VERSION,
        chain_id=CHAIN_ID,
        epoch=epoch,
        height=height,
        scheduled_time_ms=0,
        proposed_time_ms=0,
        record_count=0,
        proposer=0,
        parent=BLOCK,
        records_root=ZERO_HASH,
        state_root=ZERO_HASH,
        history_root=ZERO_HASH,
        committee_hash=ZERO_HASH,
        next_committee_hash=ZERO_HASH,
        onion_reveal=ZERO_HASH,
        randomness=ZERO_HASH,
        reserved=ZERO_HASH,
    )


def proposal_of(view: int, header: Header | None = None) -> Proposal:
    header = header or header_of()
    leader = leader_of(SEED, view, len(COMMITTEE))
    bare = Proposal(0, 5, view, block_hash_of(header), encode_header(header), leader)
    return sign_proposal(bare, SECRETS[leader], CHAIN_ID)


# ---- Votes -------------------------------------------------------------------------


def test_a_vote_verifies_and_signing_it_again_gives_the_same_bytes():
    assert verify_vote(vote_of(2), COMMITTEE, CHAIN_ID)
    assert vote_of(2) == vote_of(2)


@pytest.mark.parametrize(
    "change",
    [
        {"kind": VoteKind.NOTARIZE},
        {"epoch": 1},
        {"height": 6},
        {"view": 1},
        {"block_hash": bytes(range(32))},
        {"voter": 1},
        {"voter": 4},
        {"signature": bytes(64)},
    ],
    ids=lambda change: next(iter(change)),
)
def test_a_vote_changed_in_any_field_does_not_verify(change):
    assert not verify_vote(replace(vote_of(2), **change), COMMITTEE, CHAIN_ID)


def test_a_vote_of_another_chain_does_not_verify():
    assert not verify_vote(vote_of(2), COMMITTEE, bytes(32))


def test_a_proposals_signature_is_no_votes_signature():
    proposal = proposal_of(0)
    vote = Vote(VoteKind.NOTARIZE, 0, 5, 0, proposal.block_hash, 0, proposal.signature)
    assert not verify_vote(vote, COMMITTEE, CHAIN_ID)


# ---- Certificates --------------------------------------------------------------------


def test_a_quorum_is_a_certificate_and_more_is_one_too():
    assert quorum_of(4) == 3
    assert verify_certificate(certificate_of(0, 1, 3), COMMITTEE, CHAIN_ID)
    assert verify_certificate(certificate_of(0, 1, 2, 3), COMMITTEE, CHAIN_ID)


def test_one_vote_too_few_is_no_certificate():
    assert not verify_certificate(certificate_of(0, 1), COMMITTEE, CHAIN_ID)
    assert not verify_certificate(certificate_of(), COMMITTEE, CHAIN_ID)


def test_a_voter_counts_once_in_a_certificate():
    assert not verify_certificate(certificate_of(0, 1, 1), COMMITTEE, CHAIN_ID)


def test_voters_stand_in_committee_order():
    assert not verify_certificate(certificate_of(1, 0, 3), COMMITTEE, CHAIN_ID)


def test_somebody_outside_the_committee_is_no_voter():
    assert not verify_certificate(certificate_of(0, 1, 4), COMMITTEE, CHAIN_ID)


def test_a_certificate_holds_for_its_own_committee_only():
    turned = (*COMMITTEE[1:], COMMITTEE[0])
    assert not verify_certificate(certificate_of(0, 1, 3), turned, CHAIN_ID)


def test_one_bad_signature_spoils_a_certificate():
    good = certificate_of(0, 1, 3)
    for place in range(3):
        signatures = list(good.signatures)
        signatures[place] = bytes(64)
        assert not verify_certificate(replace(good, signatures=tuple(signatures)), COMMITTEE, CHAIN_ID)


@pytest.mark.parametrize(
    "change", [{"kind": VoteKind.NOTARIZE}, {"epoch": 1}, {"height": 6}, {"view": 1}, {"block_hash": SEED}]
)
def test_signatures_of_one_thing_make_no_certificate_of_another(change):
    assert not verify_certificate(replace(certificate_of(0, 1, 3), **change), COMMITTEE, CHAIN_ID)


def test_voters_without_signatures_are_no_certificate():
    assert not verify_certificate(replace(certificate_of(0, 1, 3), signatures=()), COMMITTEE, CHAIN_ID)


# ---- Proposals -----------------------------------------------------------------------


def test_the_leader_of_a_view_signs_its_proposal():
    for view in range(5):
        assert verify_proposal(proposal_of(view), COMMITTEE, SEED, CHAIN_ID)


def test_nobody_else_proposes_in_a_view():
    proposal = proposal_of(1)
    assert not verify_proposal(replace(proposal, view=2), COMMITTEE, SEED, CHAIN_ID)
    other = sign_proposal(replace(proposal, proposer=3), SECRETS[3], CHAIN_ID)
    assert not verify_proposal(other, COMMITTEE, SEED, CHAIN_ID)


@pytest.mark.parametrize("header", [header_of(height=6), header_of(epoch=1)], ids=["height", "epoch"])
def test_a_proposal_names_the_height_and_epoch_of_its_header(header):
    assert not verify_proposal(proposal_of(0, header), COMMITTEE, SEED, CHAIN_ID)


def test_a_proposals_header_has_the_hash_it_names():
    other = replace(header_of(), proposed_time_ms=1)
    assert not verify_proposal(replace(proposal_of(0), header=encode_header(other)), COMMITTEE, SEED, CHAIN_ID)
    assert not verify_proposal(replace(proposal_of(0), header=b"short"), COMMITTEE, SEED, CHAIN_ID)


# ---- Misbehaviour: two signatures that no honest member gives ----------------------------

N, S, F = VoteKind.NOTARIZE, VoteKind.SKIP, VoteKind.FINALIZE
OTHER = sha256(b"other").digest()


@pytest.mark.parametrize(
    ("first", "second", "is_contradictory"),
    [
        ((N, BLOCK), (N, OTHER), True),
        ((F, BLOCK), (F, OTHER), True),
        ((S, ZERO_HASH), (F, BLOCK), True),
        ((N, BLOCK), (N, BLOCK), False),
        ((S, ZERO_HASH), (S, ZERO_HASH), False),
        ((F, BLOCK), (F, BLOCK), False),
        ((N, BLOCK), (S, ZERO_HASH), False),
        ((N, BLOCK), (F, OTHER), False),
        ((N, BLOCK), (F, BLOCK), False),
    ],
)
def test_which_pairs_of_votes_contradict_each_other(first, second, is_contradictory):
    one, two = vote_of(1, first[0], 0, first[1]), vote_of(1, second[0], 0, second[1])
    for a, b in ((one, two), (two, one)):
        assert is_contradiction(a, b) == is_contradictory
        assert is_proven(a, b, COMMITTEE, CHAIN_ID) == is_contradictory


def test_votes_of_two_members_or_two_views_do_not_contradict_each_other():
    assert not is_contradiction(vote_of(1, N), vote_of(2, N, 0, OTHER))
    assert not is_contradiction(vote_of(1, N), vote_of(1, N, 1, OTHER))
    assert not is_contradiction(vote_of(1, N), replace(vote_of(1, N, 0, OTHER), height=6))
    assert not is_contradiction(vote_of(1, N), replace(vote_of(1, N, 0, OTHER), epoch=1))


def test_two_proposals_of_one_view_contradict_each_other_and_a_proposal_and_a_vote_do_not():
    first = proposal_of(1)
    second = proposal_of(1, replace(header_of(), proposed_time_ms=1))
    assert is_proven(first, second, COMMITTEE, CHAIN_ID)
    assert not is_contradiction(first, first)
    assert not is_contradiction(first, proposal_of(2, replace(header_of(), proposed_time_ms=1)))
    assert not is_contradiction(first, vote_of(1, N, 1, OTHER))
    assert not is_contradiction(vote_of(1, N, 1, OTHER), first)


def test_a_contradiction_with_a_forged_signature_proves_nothing():
    forged = replace(vote_of(1, N, 0, OTHER), signature=vote_of(2, N, 0, OTHER).signature)
    assert is_contradiction(vote_of(1, N), forged)
    assert not is_proven(vote_of(1, N), forged, COMMITTEE, CHAIN_ID)
