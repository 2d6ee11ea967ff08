"""Each rule of H-Simplex (notes on consensus, 1.3), with what goes wrong when it is missing."""

from __future__ import annotations

from dataclasses import replace

import pytest

from consensus import effects as fx
from consensus import events as ev
from consensus import machine
from consensus.messages import CellKind, Certificate, VoteKind, encode_certificate
from ledger.hashing import ZERO_HASH

N, S, F = VoteKind.NOTARIZE, VoteKind.SKIP, VoteKind.FINALIZE


def of_type(effects, kind):
    return [effect for effect in effects if isinstance(effect, kind)]


# ---- Rule 2: proposals -----------------------------------------------------------


def test_the_leader_of_view_0_builds_a_block_when_the_slot_opens_and_not_before(bench):
    node = bench(own=0, is_open=False)
    assert not of_type(node.start_effects, fx.BuildBlock)
    effects = node.feed(ev.SlotOpened())
    assert of_type(effects, fx.BuildBlock) == [fx.BuildBlock(0)]
    assert of_type(effects, fx.SetTimer) == [fx.SetTimer(0, 1_000)]


def test_nobody_but_the_leader_builds(bench):
    for own in (1, 2, 3, None):
        assert not of_type(bench(own=own).effects, fx.BuildBlock)


def test_a_second_slot_opening_changes_nothing(bench):
    assert bench(own=0).feed(ev.SlotOpened()) == ()


def test_a_built_block_is_journalled_proposed_and_then_notarized_by_its_leader(bench, block_hash):
    node = bench(own=0)
    effects = node.feed(node.built(0, "a"))
    assert [type(effect) for effect in effects] == [fx.Journal, fx.SendProposal, fx.Journal, fx.CastVote]
    assert effects[0].cell.kind == CellKind.PROPOSE
    assert node.cast() == [(N, 0, block_hash("a"))]


def test_a_leader_proposes_one_block_a_view(bench):
    node = bench(own=0)
    node.feed(node.built(0, "a"))
    assert not of_type(node.feed(node.built(0, "b")), fx.SendProposal)


def test_a_block_built_for_a_view_that_is_over_is_not_proposed(bench):
    node = bench(own=0)
    node.feed(node.certify(S, 0))
    assert node.feed(node.built(0, "a")) == ()


def test_a_fresh_block_carries_the_skip_certificates_of_all_lower_views(bench):
    node = bench(own=2)
    node.feed(node.certify(S, 0))
    assert of_type(node.feed(node.certify(S, 1)), fx.BuildBlock) == [fx.BuildBlock(2)]
    (sent,) = of_type(node.feed(node.built(2, "a")), fx.SendProposal)
    assert [(c.kind, c.view) for c in sent.proposal.justification] == [(S, 1), (S, 0)]


def test_a_leader_who_lacks_a_lower_certificate_waits_and_builds_when_it_comes(bench):
    node = bench(own=2)
    assert not of_type(node.feed(node.certify(S, 1)), fx.BuildBlock)
    assert of_type(node.feed(node.certify(S, 0)), fx.BuildBlock) == [fx.BuildBlock(2)]


def test_a_notarized_block_is_proposed_again_with_its_certificate_after_a_tick(bench, block_hash, header):
    node = bench(own=1)
    node.feed(node.proposal(0, "a"))
    effects = node.feed(node.certify(N, 0, "a"))
    assert not of_type(effects, fx.SendProposal)
    assert not of_type(effects, fx.BuildBlock)
    (sent,) = of_type(node.feed(ev.ResendTick()), fx.SendProposal)
    assert (sent.proposal.view, sent.proposal.block_hash, sent.proposal.header) == (1, block_hash("a"), header("a"))
    assert [(c.kind, c.view) for c in sent.proposal.justification] == [(N, 0)]


def test_a_leader_without_the_notarized_blocks_header_proposes_nothing_else(bench):
    node = bench(own=1)
    node.feed(node.certify(N, 0, "a"))
    effects = node.feed(ev.ResendTick())
    assert not of_type(effects, fx.SendProposal)
    assert not of_type(effects, fx.BuildBlock)


# ---- Rule 3 and rule 1: NOTARIZE --------------------------------------------------


def test_a_proposal_is_checked_and_notarized_only_when_its_block_holds(bench, block_hash):
    node = bench(own=3)
    assert node.feed(node.proposal(0, "a")) == (fx.CheckBlock(block_hash("a"), 0),)
    effects = node.feed(node.checked("a"))
    assert [type(effect) for effect in effects] == [fx.Journal, fx.CastVote]
    assert node.cast() == [(N, 0, block_hash("a"))]


def test_an_invalid_block_is_never_notarized(bench):
    node = bench(own=3)
    node.feed(node.proposal(0, "a"))
    assert node.feed(node.checked("a", is_valid=False)) == ()
    assert node.feed(ev.ResendTick()) == ()


def test_a_proposal_before_the_slot_opens_waits(bench):
    node = bench(own=3, is_open=False)
    assert node.feed(node.proposal(0, "a")) == ()
    assert of_type(node.feed(ev.SlotOpened()), fx.CheckBlock)


def test_a_proposal_by_another_than_the_leader_is_ignored(bench):
    node = bench(own=3)
    proposal = replace(node.proposal(0, "a").proposal, proposer=2)
    assert node.feed(ev.ProposalReceived(proposal)) == ()


def test_at_most_one_block_is_notarized_in_a_view(bench):
    node = bench(own=3)
    node.feed(node.proposal(0, "a"), node.checked("a"), node.proposal(0, "b"), node.checked("b"))
    assert not node.cast() or node.cast()[0][2] != node.proposal(0, "b").proposal.block_hash
    assert node.state.cells[CellKind.NOTARIZE, 0] == node.proposal(0, "a").proposal.block_hash


def test_nothing_is_notarized_in_a_view_that_this_node_skips(bench):
    node = bench(own=3)
    node.feed(ev.TimerFired(0))
    assert node.cast() == [(S, 0, ZERO_HASH)]
    node.feed(node.proposal(0, "a"), node.checked("a"))
    assert node.cast() == []


def test_a_proposal_of_a_later_view_waits_until_that_view_is_entered(bench):
    node = bench(own=3)
    node.feed(node.proposal(1, "a"))
    assert node.effects == ()
    assert of_type(node.feed(node.certify(S, 0)), fx.CheckBlock)


def test_a_fresh_block_needs_skip_certificates_of_all_lower_views(bench):
    node = bench(own=3)
    node.feed(node.certify(S, 1), node.proposal(2, "a"))
    assert not of_type(node.effects, fx.CheckBlock)
    assert of_type(node.feed(node.certify(S, 0)), fx.CheckBlock)


def test_a_leader_may_not_propose_anothers_block_unless_it_was_notarized(bench, block_hash):
    # Its randomness differs from that of the leader's own block: the leader would choose between the two.
    node = bench(own=3)
    node.feed(node.proposal(0, "a"), node.certify(S, 0))
    node.feed(node.proposal(1, "a", maker=0), node.checked("a"))
    assert node.cast() == []
    node.feed(node.certify(N, 0, "a"))
    assert (N, 1, block_hash("a")) in node.cast()


def test_a_fresh_block_over_a_notarized_one_is_not_justified(bench):
    node = bench(own=3)
    node.feed(node.certify(N, 0, "a"))
    node.feed(node.proposal(1, "b"), node.checked("b"))
    assert node.cast() == []


def test_a_fresh_block_passes_a_view_that_was_both_notarized_and_skipped(bench, block_hash):
    # Otherwise one liar who hides a certificate and shows it late could keep every view from deciding.
    node = bench(own=3)
    node.feed(node.certify(S, 0), node.certify(N, 0, "a"))
    node.feed(node.proposal(1, "b"), node.checked("b"))
    assert node.cast() == [(N, 1, block_hash("b"))]


def test_a_block_is_justified_by_its_notarization_below_skipped_views(bench, block_hash):
    node = bench(own=3)
    node.feed(node.certify(N, 0, "a"), node.certify(S, 1))
    node.feed(node.proposal(2, "a"), node.checked("a"))
    assert node.cast() == [(N, 2, block_hash("a"))]


# ---- Rule 4: FINALIZE --------------------------------------------------------------


def test_a_quorum_of_notarize_makes_a_certificate_and_a_finalize(bench, block_hash):
    node = bench(own=3)
    node.feed(node.vote(N, 0, 0, "a"), node.vote(N, 0, 1, "a"))
    assert node.effects == ()
    effects = node.feed(node.vote(N, 0, 2, "a"))
    assert [type(effect) for effect in effects[:2]] == [fx.Journal, fx.CastVote]
    assert node.cast() == [(F, 0, block_hash("a"))]
    assert node.state.view == 1


def test_votes_for_different_blocks_do_not_add_up(bench):
    node = bench(own=3)
    node.feed(node.vote(N, 0, 0, "a"), node.vote(N, 0, 1, "a"), node.vote(N, 0, 2, "b"))
    assert node.cast() == []
    assert not node.state.certificates


def test_a_voter_counts_once(bench):
    node = bench(own=3)
    node.feed(*[node.vote(N, 0, 0, "a")] * 5)
    assert not node.state.certificates


def test_no_finalize_in_a_view_that_this_node_skips(bench):
    node = bench(own=3)
    node.feed(ev.TimerFired(0))
    node.feed(node.certify(N, 0, "a"))
    assert node.cast() == []
    assert node.state.view == 1


def test_a_late_notarization_of_an_old_view_is_still_finalized(bench, block_hash):
    node = bench(own=3)
    node.feed(node.certify(N, 1, "a"))
    node.feed(node.certify(N, 0, "a"))
    assert node.cast() == [(F, 0, block_hash("a"))]
    assert node.state.view == 2


# ---- Rules 5 and 6: SKIP and moving on ----------------------------------------------


def test_the_timer_of_the_current_view_makes_a_skip(bench):
    node = bench(own=3)
    effects = node.feed(ev.TimerFired(0))
    assert [type(effect) for effect in effects] == [fx.Journal, fx.CastVote]
    assert node.state.view == 0


def test_a_view_is_skipped_once(bench):
    node = bench(own=3)
    node.feed(ev.TimerFired(0))
    assert node.feed(ev.TimerFired(0)) == ()


def test_a_timer_of_a_view_that_is_over_does_nothing(bench):
    node = bench(own=3)
    node.feed(node.certify(N, 0, "a"))
    assert node.feed(ev.TimerFired(0)) == ()


def test_a_finalized_view_is_never_skipped(bench):
    node = bench(own=3)
    node.feed(node.certify(N, 0, "a"))
    for _ in range(10):
        node.feed(ev.TimerFired(0), ev.ResendTick())
    assert (CellKind.SKIP, 0) not in node.state.cells


def test_a_skip_certificate_enters_the_next_view_with_a_longer_timer(bench):
    node = bench(own=3)
    effects = node.feed(node.certify(S, 0))
    assert node.state.view == 1
    assert of_type(effects, fx.SetTimer) == [fx.SetTimer(1, 2_000)]


def test_timers_grow_up_to_the_cap(bench):
    node = bench(own=3)
    assert [node.config.timeout_ms(view) for view in (0, 1, 2, 3, 50)] == [1_000, 2_000, 3_000, 3_000, 3_000]


def test_a_node_jumps_to_the_highest_certified_view_plus_1(bench):
    node = bench(own=3)
    node.feed(node.certify(S, 40))
    assert node.state.view == 41


def test_a_lower_certificate_does_not_turn_the_view_back(bench):
    node = bench(own=3)
    node.feed(node.certify(S, 7), node.certify(S, 3))
    assert node.state.view == 8


def test_views_that_were_jumped_over_are_skipped_late_so_that_their_certificates_can_be_made(bench):
    node = bench(own=3)
    node.feed(node.certify(S, 2))
    node.feed(ev.ResendTick(), ev.ResendTick())
    assert {(kind, view) for kind, view, _ in node.cast()} == {(S, 0), (S, 1)}


# ---- Rule 7: final -----------------------------------------------------------------


def test_a_quorum_of_finalize_is_final_at_once(bench, block_hash):
    node = bench(own=3)
    effects = node.feed(node.vote(F, 0, 0, "a"), node.vote(F, 0, 1, "a"), node.vote(F, 0, 2, "a"))
    (final,) = of_type(effects, fx.Finalize)
    assert (final.certificate.block_hash, final.certificate.voters) == (block_hash("a"), (0, 1, 2))
    assert node.state.is_final


def test_a_final_height_ignores_votes_timers_and_proposals(bench):
    node = bench(own=3)
    node.feed(node.certify(F, 0, "a"))
    events = [node.vote(N, 0, 1, "b"), node.proposal(1, "b"), ev.TimerFired(0), node.certify(S, 0), node.built(0, "b")]
    assert node.feed(*events) == ()


def test_a_final_height_says_finalize_again_for_a_driver_that_lacked_the_block(bench):
    node = bench(own=3)
    node.feed(node.certify(F, 0, "a"))
    assert len(of_type(node.feed(ev.ResendTick()), fx.Finalize)) == 1
    assert len(of_type(node.feed(node.checked("a")), fx.Finalize)) == 1


# ---- Crashes -------------------------------------------------------------------------


def test_a_restarted_node_says_again_what_it_signed_and_nothing_else(bench, block_hash, header):
    cells = (
        bench().cell(CellKind.NOTARIZE, 0, "a", header("a")),
        bench().cell(CellKind.SKIP, 0),
        bench().cell(CellKind.NOTARIZE, 1, "b", header("b")),
    )
    node = bench(own=3, cells=cells, is_open=False)
    assert [(e.vote.kind, e.vote.view) for e in node.start_effects] == [(N, 0), (S, 0), (N, 1)]
    assert node.state.view == 1
    node.feed(ev.SlotOpened(), node.certify(S, 0), node.proposal(1, "c"), node.checked("c"))
    assert node.cast() == []


def test_a_restarted_node_does_not_skip_what_it_finalized(bench, header):
    support = encode_certificate(bench().certificate(N, 0, "a"))
    cells = (bench().cell(CellKind.NOTARIZE, 0, "a", header("a")), bench().cell(CellKind.FINALIZE, 0, "a", support))
    node = bench(own=3, cells=cells)
    assert node.state.view == 1
    for _ in range(5):
        node.feed(ev.TimerFired(0), ev.ResendTick())
    assert (CellKind.SKIP, 0) not in node.state.cells


def test_a_restarted_node_still_has_the_certificate_of_its_finalize(bench):
    certificate = bench().certificate(N, 0, "a")
    node = bench(own=3, cells=(bench().cell(CellKind.FINALIZE, 0, "a", encode_certificate(certificate)),))
    (resend,) = of_type(node.feed(ev.ResendTick()), fx.Resend)
    assert certificate in resend.messages


def test_a_restarted_leader_can_propose_again_what_it_notarized(bench, block_hash, header):
    node = bench(own=1, cells=(bench().cell(CellKind.NOTARIZE, 0, "a", header("a")),))
    node.feed(node.certify(N, 0, "a"))
    (sent,) = of_type(node.feed(ev.ResendTick()), fx.SendProposal)
    assert sent.proposal.header == header("a")


def test_a_restarted_leader_sends_the_same_proposal_and_never_another(bench, block_hash, header):
    node = bench(own=0, cells=(bench().cell(CellKind.PROPOSE, 0, "a", header("a")),), is_open=False)
    (sent,) = of_type(node.start_effects, fx.SendProposal)
    assert sent.proposal.block_hash == block_hash("a")
    assert not of_type(node.feed(ev.SlotOpened()), fx.BuildBlock)


def test_cells_of_other_heights_bind_nothing(bench):
    cell = replace(bench().cell(CellKind.SKIP, 9), height=4)
    node = bench(own=3, cells=(cell,))
    assert node.state.view == 0
    assert not node.start_effects


# ---- Journal, memory, misbehaviour -----------------------------------------------------


def test_every_signature_comes_right_after_the_journal_of_its_cell(bench):
    node = bench(own=0)
    seen = list(node.effects)
    seen += node.feed(node.built(0, "a"))
    seen += node.feed(node.vote(N, 0, 1, "a"), node.vote(N, 0, 2, "a"))
    seen += node.feed(ev.TimerFired(1))
    signed = 0
    for before, effect in zip(seen, seen[1:], strict=False):
        if isinstance(effect, fx.CastVote):
            vote = effect.vote
            assert isinstance(before, fx.Journal)
            assert (before.cell.kind, before.cell.view, before.cell.block_hash) == (
                vote.kind,
                vote.view,
                vote.block_hash,
            )
            signed += 1
        if isinstance(effect, fx.SendProposal):
            assert isinstance(before, fx.Journal)
            assert before.cell.kind == CellKind.PROPOSE
            signed += 1
    assert signed == 4


def test_messages_of_another_height_or_epoch_are_ignored(bench):
    node = bench(own=3)
    vote = node.vote(N, 0, 1, "a").vote
    assert node.feed(ev.VoteReceived(replace(vote, height=6)), ev.VoteReceived(replace(vote, epoch=1))) == ()
    certificate = replace(node.certificate(F, 0, "a"), height=6)
    assert node.feed(ev.CertificateReceived(certificate)) == ()
    assert not node.state.votes
    assert not node.state.is_final


def test_votes_too_far_ahead_are_not_kept(bench):
    node = bench(own=3)
    node.feed(node.vote(S, machine.VIEWS_AHEAD_MAX + 1, 1))
    assert not node.state.votes
    node.feed(node.vote(S, machine.VIEWS_AHEAD_MAX, 1))
    assert node.state.votes


def test_double_votes_are_reported_once_a_member_and_view(bench):
    node = bench(own=3)
    node.feed(node.vote(N, 0, 1, "a"))
    (report,) = of_type(node.feed(node.vote(N, 0, 1, "b")), fx.ReportMisbehaviour)
    assert {report.first.block_hash, report.second.block_hash} == {
        node.vote(N, 0, 1, "a").vote.block_hash,
        node.vote(N, 0, 1, "b").vote.block_hash,
    }
    assert not of_type(node.feed(node.vote(N, 0, 1, "c")), fx.ReportMisbehaviour)


def test_skip_with_finalize_is_reported_in_either_order(bench):
    for first, second in ((S, F), (F, S)):
        node = bench(own=3)
        node.feed(node.vote(first, 0, 1, "a"))
        assert of_type(node.feed(node.vote(second, 0, 1, "a")), fx.ReportMisbehaviour)


def test_skip_after_notarize_is_honest(bench):
    node = bench(own=3)
    node.feed(node.vote(N, 0, 1, "a"))
    assert not of_type(node.feed(node.vote(S, 0, 1)), fx.ReportMisbehaviour)


def test_two_proposals_of_one_view_are_reported(bench):
    node = bench(own=3)
    node.feed(node.proposal(0, "a"))
    assert of_type(node.feed(node.proposal(0, "b")), fx.ReportMisbehaviour)
    assert not of_type(node.feed(node.proposal(0, "a")), fx.ReportMisbehaviour)


def test_an_observer_follows_and_signs_nothing(bench):
    node = bench(own=None)
    effects = node.feed(
        node.proposal(0, "a"),
        node.checked("a"),
        ev.TimerFired(0),
        node.certify(N, 0, "a"),
        ev.ResendTick(),
        ev.ResendTick(),
        node.certify(S, 3),
        ev.ResendTick(),
        ev.ResendTick(),
        ev.ResendTick(),
    )
    assert not of_type(effects, (fx.Journal, fx.CastVote, fx.SendProposal))
    assert of_type(node.feed(node.certify(F, 0, "a")), fx.Finalize)


def test_a_resend_tick_says_own_votes_again_byte_for_byte(bench):
    node = bench(own=3)
    node.feed(ev.TimerFired(0))
    (resend,) = of_type(node.feed(ev.ResendTick()), fx.Resend)
    assert [(m.kind, m.view, m.signature) for m in resend.messages] == [(S, 0, bytes([3]) * 64)]


def test_an_own_vote_that_was_never_fed_back_is_cast_again_at_the_tick(bench):
    node = bench(own=3)
    node.state, effects = machine.step(node.state, ev.TimerFired(0))
    assert len(of_type(effects, fx.CastVote)) == 1
    effects = node.feed(ev.ResendTick())
    assert node.cast() == [(S, 0, ZERO_HASH)]
    assert not of_type(effects, fx.Journal)
    node.feed(ev.ResendTick())
    assert node.cast() == []


def test_a_resend_tick_stays_small_after_many_views(bench):
    node = bench(own=3)
    for view in range(200):
        node.feed(node.certify(S, view))
    seen: set[int] = set()
    for _ in range(60):
        (resend,) = of_type(node.feed(ev.ResendTick()), fx.Resend)
        assert len(resend.messages) <= 32
        seen |= {m.view for m in resend.messages if isinstance(m, Certificate)}
    assert seen == set(range(200)), "every certificate is shown in turn: one who restarts needs them all"


def test_a_height_with_a_committee_of_one_decides_alone(bench):
    node = bench(own=0, size=1)
    assert of_type(node.feed(node.built(0, "a")), fx.Finalize)


@pytest.mark.parametrize("kind", [N, S, F])
def test_filling_a_cell_twice_stops_the_node(bench, kind):
    node = bench(own=3)
    turn = machine.Turn(node.state)
    turn.write(CellKind(kind), 0, bytes(32), b"")
    with pytest.raises(AssertionError, match="I2"):
        turn.write(CellKind(kind), 0, bytes(32), b"")


def test_finalize_without_its_certificate_stops_the_node(bench):
    with pytest.raises(AssertionError, match="I3"):
        machine.Turn(bench(own=3).state).cast(F, 0, bytes(32))


def test_notarize_without_justification_stops_the_node(bench):
    with pytest.raises(AssertionError, match="I4"):
        machine.Turn(bench(own=3).state).cast(N, 1, bytes(range(32)))
