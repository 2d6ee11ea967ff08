"""Signatures on consensus messages: made and checked by whoever drives the machine, never inside it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

from consensus.committee import leader_of, quorum_of
from consensus.messages import Certificate, Proposal, Vote, proposal_message, vote_message
from ledger import signatures
from ledger.blocks import block_hash_of, decode_header
from ledger.errors import MalformedBytes


def sign_vote(vote: Vote, seed: bytes, chain_id: bytes) -> Vote:
    """Return the vote signed with a consensus key's seed."""
    message = vote_message(vote.kind, vote.epoch, vote.height, vote.view, vote.block_hash)
    return replace(vote, signature=signatures.sign(seed, "vote", chain_id, message))


def sign_proposal(proposal: Proposal, seed: bytes, chain_id: bytes) -> Proposal:
    """Return the proposal signed with a consensus key's seed."""
    message = proposal_message(proposal.epoch, proposal.height, proposal.view, proposal.block_hash)
    return replace(proposal, signature=signatures.sign(seed, "proposal", chain_id, message))


def verify_vote(vote: Vote, committee: Sequence[bytes], chain_id: bytes) -> bool:
    """True iff the voter sits in the committee and signed the vote. About 60 µs."""
    if vote.voter >= len(committee):
        return False
    message = vote_message(vote.kind, vote.epoch, vote.height, vote.view, vote.block_hash)
    return signatures.is_signed(committee[vote.voter], vote.signature, "vote", chain_id, message)


def verify_proposal(proposal: Proposal, committee: Sequence[bytes], seed: bytes, chain_id: bytes) -> bool:
    """True iff the leader of the view signed it and the header has the hash and height it names."""
    if proposal.proposer != leader_of(seed, proposal.view, len(committee)):
        return False
    try:
        header = decode_header(proposal.header)
    except MalformedBytes:
        return False
    if (header.height, header.epoch) != (proposal.height, proposal.epoch):
        return False
    if block_hash_of(header) != proposal.block_hash:
        return False
    return is_proposal_signed(proposal, committee, chain_id)


def is_proposal_signed(proposal: Proposal, committee: Sequence[bytes], chain_id: bytes) -> bool:
    """True iff the committee member it names signed it, leader or not."""
    if proposal.proposer >= len(committee):
        return False
    message = proposal_message(proposal.epoch, proposal.height, proposal.view, proposal.block_hash)
    return signatures.is_signed(committee[proposal.proposer], proposal.signature, "proposal", chain_id, message)


def verify_certificate(certificate: Certificate, committee: Sequence[bytes], chain_id: bytes) -> bool:
    """True iff a quorum of distinct members of this committee signed (invariant I9)."""
    voters = certificate.voters
    if len(voters) < quorum_of(len(committee)) or len(voters) != len(certificate.signatures):
        return False
    if any(a >= b for a, b in pairwise(voters)) or voters[-1] >= len(committee):
        return False
    message = vote_message(
        certificate.kind, certificate.epoch, certificate.height, certificate.view, certificate.block_hash
    )
    return all(
        signatures.is_signed(committee[voter], signature, "vote", chain_id, message)
        for voter, signature in zip(voters, certificate.signatures, strict=True)
    )
