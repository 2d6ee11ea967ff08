"""The rules of H-Simplex, one by one, on a single machine."""

from __future__ import annotations

import pytest

from consensus import effects as fx
from consensus import events as ev
from consensus import machine
from consensus.messages import Cell, CellKind, VoteKind, decode_certificate

N, S, F = VoteKind.NOTARIZE, VoteKind.SKIP, VoteKind.FINALIZE


# ---- Rule 1 and 3: what is notarized -------------------------------------------


def test_a_proposal_is_checked_before_it_is_notarized_and_journalled_before_the_vote_leaves(node):
    assert node.happen(node.proposal()) == [fx.CheckBlock(node.block()[1])]
    effects = node.happen(node.checked())
    journal, cast = effects[:2]
    assert journal == fx.Journal(Cell(CellKind.NOTARIZE, 5, 0, node.block()[1], node.block()[0]))
    assert (cast.vote.kind, cast.vote.view, cast.vote.voter, cast.vote.signature) == (N, 0, 1, b"")


def test_an_invalid_block_is_not_notarized(node):
    node.happen(node.proposal(), node.checked(is_valid=False))
    assert node.cast() == []


def test_a_fresh_block_waits_for_the_slot_of_the_voter(bench):
    node = bench()
    node.happen(node.proposal())
    assert node.of(fx.CheckBlock) == []
    node.open()
    node.happen(node.checked())
    assert node.cast() == [("NOTARIZE", 0)]


def test_at_most_one_block_a_view_is_notarized_and_the_second_proposal_is_reported_once(node):
    node.happen(node.proposal(), node.checked(), node.proposal(name="b"), node.checked("b"), node.proposal(name="c"))
    assert node.cast() == [("NOTARIZE", 0)]
    assert len(node.of(fx.ReportMisbehaviour)) == 1


def test_a_proposal_by_another_than_the_leader_is_ignored(node):
    proposal = node.proposal(view=0).proposal
    from dataclasses import replace

    assert node.happen(ev.ProposalReceived(replace(proposal, proposer=2))) == []


def test_a_fresh_block_in_view_2_needs_skip_certificates_of_views_0_and_1(node):
    node.happen(node.certificate(S, 1), node.proposal(2), node.checked())
    assert node.cast() == []
    node.happen(node.certificate(S, 0), node.checked())
    assert node.cast() == [("NOTARIZE", 2)]


def test_the_certificate_that_closes_a_gap_lets_the_waiting_proposal_be_judged_at_once(node):
    node.happen(node.certificate(S, 1), node.proposal(2))
    assert node.happen(node.certificate(S, 0)) == [fx.CheckBlock(node.block()[1])]


def test_a_notarized_block_may_be_proposed_again_and_no_other_block_without_a_skip(node):
    node.happen(node.certificate(N, 0, "a"), node.proposal(1, "b"), node.checked("b"))
    assert ("NOTARIZE", 1) not in node.cast()


def test_the_notarized_block_is_notarized_again(bench):
    node = bench(own=2)
    node.open()
    node.happen(node.certificate(N, 0, "a"), node.proposal(1, "a"), node.checked("a"))
    assert node.cast() == [("FINALIZE", 0), ("NOTARIZE", 1)]


def test_with_both_certificates_of_a_view_a_fresh_block_is_justified_too(bench):
    node = bench(own=2)
    node.open()
    node.happen(node.certificate(S, 0), node.certificate(N, 0, "a"), node.proposal(1, "b"), node.checked("b"))
    assert ("NOTARIZE", 1) in node.cast()


def test_a_proposal_of_a_later_view_waits_for_that_view(node):
    node.happen(node.proposal(2), node.checked())
    assert node.cast() == []
    node.happen(node.certificate(S, 0), node.certificate(S, 1))
    assert ("NOTARIZE", 2) in node.cast()


def test_nothing_is_notarized_after_a_skip_of_the_view(node):
    node.happen(ev.TimerFired(0), node.proposal(), node.checked())
    assert node.cast() == [("SKIP", 0)]


# ---- Rule 4: finalize ------------------------------------------------------------


def test_the_vote_that_completes_the_quorum_makes_this_node_finalize_and_enter_the_next_view(node):
    node.happen(node.vote(N, 0), node.vote(N, 2))
    assert node.cast() == []
    node.happen(node.vote(N, 3))
    assert node.cast() == [("FINALIZE", 0)]
    assert node.state.view == 1


def test_a_finalize_cell_keeps_the_certificate_it_rests_on(node):
    node.happen(node.certificate(N))
    journal = node.of(fx.Journal)[0]
    assert decode_certificate(journal.cell.support) == node.certificate(N).certificate


def test_no_finalize_after_a_skip_of_the_view(node):
    node.happen(ev.TimerFired(0), node.certificate(N))
    assert node.cast() == [("SKIP", 0)]
    assert node.state.view == 1


def test_votes_for_different_blocks_make_no_quorum(node):
    node.happen(node.vote(N, 0, name="a"), node.vote(N, 2, name="b"), node.vote(N, 3, name="a"))
    assert node.cast() == []


def test_a_vote_counts_once(node):
    node.happen(node.vote(N, 0), node.vote(N, 0), node.vote(N, 2), node.vote(N, 2))
    assert node.cast() == []


def test_the_certificate_of_a_view_left_long_ago_is_finalized_if_it_was_not_skipped(node):
    node.happen(node.certificate(S, 2), node.certificate(N, 1))
    assert node.cast() == [("FINALIZE", 1)]
    assert node.state.view == 3


# ---- Rules 5 and 6: skip, and jump -------------------------------------------------


def test_the_timer_of_the_current_view_skips_it_once(node):
    node.happen(ev.TimerFired(0), ev.TimerFired(0))
    assert node.cast() == [("SKIP", 0)]


def test_the_timer_of_a_left_view_does_nothing(node):
    node.happen(node.certificate(N, 0))
    assert node.happen(ev.TimerFired(0)) == []


def test_a_skip_quorum_is_passed_on_and_opens_the_next_view_with_a_longer_timer(bench):
    node = bench(own=2)
    node.open()
    node.happen(ev.TimerFired(0), node.vote(S, 0))
    effects = node.happen(node.vote(S, 3))
    assert [type(effect) for effect in effects] == [fx.SendCertificate, fx.SetTimer]
    assert effects[1] == fx.SetTimer(1, 2_000)


def test_timers_grow_by_the_view_up_to_the_cap(node):
    assert [node.config.timeout_ms(view) for view in (0, 1, 2, 3, 9)] == [1_000, 2_000, 3_000, 3_500, 3_500]


def test_a_node_jumps_to_the_highest_certified_view_plus_one(node):
    node.happen(node.certificate(S, 7))
    assert node.state.view == 8


def test_no_timer_runs_before_the_slot_opens(bench):
    node = bench()
    node.happen(node.certificate(S, 0))
    assert node.of(fx.SetTimer) == []
    assert node.open()[0] == fx.SetTimer(1, 2_000)


def test_views_that_were_jumped_over_are_skipped_after_two_ticks_because_others_may_need_it(node):
    node.happen(node.certificate(S, 2), ev.ResendTick())
    assert node.cast() == []
    node.happen(ev.ResendTick())
    assert node.cast() == [("SKIP", 1), ("SKIP", 0)]


def test_a_finalized_view_is_never_skipped_late(bench):
    node = bench()
    node.open()
    node.happen(node.certificate(N, 1), node.certificate(S, 4), *[ev.ResendTick()] * 5)
    assert node.cast() == [("FINALIZE", 1), ("SKIP", 3), ("SKIP", 2)]


# ---- Rule 2: leading -----------------------------------------------------------------


def test_the_leader_builds_a_block_proposes_it_and_notarizes_it(bench):
    node = bench(own=0)
    assert node.open() == [fx.SetTimer(0, 1_000), fx.BuildBlock(0)]
    header, block_hash = node.block()
    effects = node.happen(ev.BlockBuilt(0, header, block_hash))
    kinds = [type(effect) for effect in effects]
    assert kinds == [fx.Journal, fx.SendProposal, fx.Journal, fx.CastVote]
    assert effects[0].cell == Cell(CellKind.PROPOSE, 5, 0, block_hash, header)


def test_a_block_built_too_late_for_its_view_is_not_proposed(bench):
    node = bench(own=0)
    node.open()
    node.happen(node.certificate(S, 0), ev.BlockBuilt(0, *node.block()))
    assert node.of(fx.SendProposal) == []


def test_the_next_leader_proposes_the_notarized_block_again_but_only_at_a_tick(node):
    node.happen(node.proposal(0), node.certificate(N, 0))
    assert node.of(fx.SendProposal) == []
    node.happen(ev.ResendTick())
    proposal = node.of(fx.SendProposal)[0].proposal
    assert (proposal.view, proposal.block_hash) == (1, node.block()[1])
    assert proposal.justification == (node.certificate(N, 0).certificate,)


def test_a_leader_shown_another_block_learns_the_header_of_the_notarized_one(node):
    node.happen(node.proposal(0, "b"), node.certificate(N, 0, "a"), node.proposal(0, "a"), ev.ResendTick())
    assert node.of(fx.SendProposal)[0].proposal.block_hash == node.block("a")[1]


def test_a_leader_without_a_path_of_certificates_proposes_nothing(node):
    node.happen(node.certificate(S, 4))
    assert node.config.leader(5) == 1
    assert node.of(fx.BuildBlock) == []


# ---- Rule 7: final -------------------------------------------------------------------


def test_a_quorum_of_finalize_is_final_even_for_a_node_that_saw_nothing_else(node):
    effects = node.happen(node.vote(F, 0), node.vote(F, 2), node.vote(F, 3))
    assert len(node.of(fx.Finalize)) == 1
    assert effects[-1].certificate.voters == (0, 2, 3)
    assert node.state.is_final


def test_a_final_height_ignores_everything_else(node):
    node.happen(node.certificate(F))
    assert node.happen(node.proposal(), node.vote(N, 0), ev.TimerFired(0), node.certificate(S, 3)) == []


def test_finalize_is_repeated_and_its_certificate_shown_until_the_driver_has_the_block(node):
    node.happen(node.certificate(F))
    resend, again = node.happen(ev.ResendTick())
    assert resend.messages[0] == node.certificate(F).certificate
    assert isinstance(again, fx.Finalize)
    assert [type(effect) for effect in node.happen(node.checked())] == [fx.Finalize]
    assert node.happen(node.checked("b")) == []


def test_alone_in_a_committee_of_one_a_member_makes_blocks_by_itself(bench):
    node = bench(own=0, size=1)
    node.open()
    node.happen(ev.BlockBuilt(0, *node.block()))
    assert len(node.of(fx.Finalize)) == 1


# ---- Resending, bounds, observers ------------------------------------------------------


def test_a_tick_says_the_own_votes_of_the_newest_views_again_byte_for_byte(node):
    node.happen(node.proposal(), node.checked())
    said = node.state.votes[N, 0][1]
    assert node.happen(ev.ResendTick()) == [fx.Resend((said,))]
    assert node.happen(ev.ResendTick()) == [fx.Resend((said,))]


def test_a_tick_carries_certificates_and_the_proposal_that_others_need_to_follow(node):
    node.happen(node.proposal(0), node.certificate(N, 0), node.certificate(S, 1))
    messages = node.happen(ev.ResendTick())[0].messages
    assert node.certificate(N, 0).certificate in messages
    assert node.certificate(S, 1).certificate in messages
    assert node.proposal(0).proposal in messages


def test_ticks_stay_small_and_yet_show_every_old_certificate_in_turn(node):
    for view in range(40):
        node.happen(node.certificate(S, view))
    shown = set()
    for _ in range(8):
        messages = [effect for effect in node.happen(ev.ResendTick()) if isinstance(effect, fx.Resend)][0].messages
        assert len(messages) <= machine.RESEND_NEWEST + machine.RESEND_OLDER + 7
        shown |= {message.view for message in messages if message in node.state.certificates.values()}
    assert shown == set(range(40))


def test_where_a_certificate_is_missing_the_own_old_votes_are_said_again(node):
    node.happen(ev.TimerFired(0), node.certificate(S, 5))
    assert node.state.votes[S, 0][1] in node.happen(ev.ResendTick())[0].messages


@pytest.mark.parametrize("field", ["height", "epoch"])
def test_messages_of_another_height_or_epoch_change_nothing(node, field):
    from dataclasses import replace

    before = node.state
    node.happen(ev.VoteReceived(replace(node.vote(N, 0).vote, **{field: 9})))
    node.happen(ev.ProposalReceived(replace(node.proposal().proposal, **{field: 9})))
    node.happen(ev.CertificateReceived(replace(node.certificate(F).certificate, **{field: 9})))
    assert node.state == before


def test_votes_for_views_far_ahead_are_dropped(node):
    node.happen(node.vote(S, 0, view=machine.VIEWS_AHEAD_MAX + 1))
    assert node.state.votes == {}


def test_an_observer_follows_and_never_votes(bench):
    node = bench(own=None)
    node.open()
    node.happen(node.proposal(), node.certificate(N), ev.TimerFired(1), *[ev.ResendTick()] * 3, node.certificate(F))
    assert node.of(fx.CastVote) == []
    assert node.of(fx.Journal) == []
    assert len(node.of(fx.Finalize)) == 1


def test_what_is_known_needs_no_second_verification(node):
    for event, message in (
        (node.vote(N, 0), node.vote(N, 0).vote),
        (node.proposal(), node.proposal().proposal),
        (node.certificate(S, 3), node.certificate(S, 3).certificate),
    ):
        assert not machine.is_known(node.state, message)
        node.happen(event)
        assert machine.is_known(node.state, message)
    assert not machine.is_known(node.state, node.vote(N, 0, name="b").vote)


def test_a_proposal_with_an_unknown_certificate_is_not_known(node):
    carried = node.certificate(S, 0).certificate
    node.happen(node.proposal(1, "a", carried))
    assert not machine.is_known(node.state, node.proposal(1, "a", carried).proposal)


@pytest.mark.parametrize(
    ("first", "second"),
    [((N, "a"), (N, "b")), ((F, "a"), (F, "b")), ((S, "a"), (F, "a")), ((F, "a"), (S, "a"))],
)
def test_two_contradictory_votes_are_reported_once(node, first, second):
    node.happen(node.vote(first[0], 2, 0, first[1]), node.vote(second[0], 2, 0, second[1]))
    node.happen(node.vote(second[0], 2, 0, second[1]))
    assert len(node.of(fx.ReportMisbehaviour)) == 1


# ---- After a crash -----------------------------------------------------------------------


def test_after_a_crash_the_same_votes_are_cast_again_and_none_other(bench):
    before = bench()
    before.open()
    before.happen(before.proposal(), before.checked())
    cells = [effect.cell for effect in before.of(fx.Journal)]
    after = bench(cells=cells)
    assert after.of(fx.CastVote) == before.of(fx.CastVote)
    after.open()
    after.happen(after.proposal(name="b"), after.checked("b"))
    assert after.cast() == [("NOTARIZE", 0)]


def test_after_a_crash_a_skipped_view_stays_skipped_and_a_finalized_one_finalized(bench):
    skipped = bench(cells=[Cell(CellKind.SKIP, 5, 0, bytes(32))])
    skipped.open()
    skipped.happen(skipped.proposal(), skipped.checked(), skipped.certificate(N))
    assert skipped.cast() == [("SKIP", 0)]


def test_after_a_crash_a_finalize_cell_gives_back_its_certificate_and_the_next_view(bench):
    before = bench()
    before.open()
    before.happen(before.certificate(N))
    after = bench(cells=[effect.cell for effect in before.of(fx.Journal)])
    assert after.state.view == 1
    assert after.state.certificates == {(N, 0): before.certificate(N).certificate}
    after.open()
    after.happen(ev.TimerFired(0), ev.TimerFired(1))
    assert after.cast() == [("FINALIZE", 0), ("SKIP", 1)]


def test_after_a_crash_a_leader_sends_its_own_proposal_again_and_no_other(bench):
    header, block_hash = bench.block()
    node = bench(own=0, cells=[Cell(CellKind.PROPOSE, 5, 0, block_hash, header)])
    assert node.of(fx.SendProposal)[0].proposal.block_hash == block_hash
    node.open()
    node.happen(ev.BlockBuilt(0, *node.block("b")))
    assert len(node.of(fx.SendProposal)) == 1


def test_after_a_crash_a_leader_can_propose_again_what_it_once_notarized(bench):
    header, block_hash = bench.block()
    node = bench(cells=[Cell(CellKind.NOTARIZE, 5, 0, block_hash, header)])
    node.open()
    node.happen(node.certificate(N, 0), ev.ResendTick())
    assert node.of(fx.SendProposal)[0].proposal.header == header


def test_cells_of_other_heights_are_passed_over(bench):
    assert bench(cells=[Cell(CellKind.SKIP, 4, 0, bytes(32))]).done == []


# ---- Assertions that stay on ----------------------------------------------------------------


def test_a_cell_cannot_be_written_twice(node):
    turn = machine.Turn(node.state)
    turn.cast(S, 0, bytes(32))
    with pytest.raises(AssertionError, match="I2"):
        turn.cast(S, 0, bytes(32))
    with pytest.raises(AssertionError, match="I2"):
        turn.write(CellKind.FINALIZE, 0, node.block()[1], b"")


def test_a_finalize_without_its_certificate_is_caught(node):
    with pytest.raises(AssertionError, match="I3"):
        machine.Turn(node.state).cast(F, 0, node.block()[1])


def test_a_notarize_that_is_not_justified_is_caught(node):
    node.happen(node.certificate(S, 1))
    with pytest.raises(AssertionError, match="I4"):
        machine.Turn(node.state).cast(N, 2, node.block()[1])
