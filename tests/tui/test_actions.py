"""What a member can do by keys, each on a fake node, and what must never happen."""

import asyncio
import json
import os
import subprocess
import sys

import pytest

from node.api.errors import ApiError
from tui.screens.ballot import ChoiceScreen, ReviewScreen
from tui.screens.case import CaseScreen
from tui.screens.receipt import ReceiptScreen

TO_REVIEW = ("enter", "o", "escape", "v", "a", "enter", "enter")
VOTED, DOCUMENT, BALLOT, ME = "11" * 32, "e5" * 32, "9a" * 32, "a1" * 32


def submitted(node):
    return [call[1:] for call in node.calls if call[0] == "submit"]


def test_home_tells_what_needs_me_with_time_tally_and_bar(play, text_of):
    def check(pilot):
        text = text_of(pilot.app)
        assert "1 case waits for your ballot" in text
        assert "48 blocks left" in text
        assert "2 accept, 1 deny" in text
        assert "needs 75 %" in text
        assert "you are on duty" in text
        assert "in sync · block 112 · 6 of 6 peers" in text
        assert "K0001" in text

    play(check=check)


def test_each_place_is_one_key_away_and_the_last_one_is_remembered(play, make_app, tmp_path):
    for key, place in (("2", "claims"), ("3", "ballots"), ("4", "payouts"), ("5", "blocks"), ("1", "home")):
        play([key], lambda pilot, place=place: place == pilot.app.screen.PLACE or pytest.fail(place))
        assert json.loads((tmp_path / "tui.json").read_text())["screen"] == place
    app = make_app(screen="payouts")
    play([], lambda pilot: pilot.app.screen.PLACE == "payouts" or pytest.fail("not remembered"), app=app)


def test_the_claim_card_shows_code_amount_provider_and_similar_cases(play, text_of):
    def check(pilot):
        text = text_of(pilot.app)
        assert "A9999   420.00 USD" in text
        assert "demo-clinic" in text
        assert "1 of 1 were accepted" in text
        assert "380.00  block 61, 5 to 1" in text
        assert "not opened yet" in text

    play(["enter"], check)


def test_seniority_is_never_shown_to_a_voter_on_an_open_case(play, text_of):
    def check(pilot):
        text = text_of(pilot.app).lower()
        assert "seniority" not in text
        assert "3 %" not in text

    for keys in ([], ["enter"], TO_REVIEW, ["5"]):
        play(keys, check)


def test_opening_the_document_asks_the_node_for_a_receipt_and_shows_the_text(play, node, text_of):
    def check(pilot):
        assert ("open", VOTED) in node.calls
        assert "Visit note: synthetic" in text_of(pilot.app)
        assert pilot.app.memory.opened == {VOTED: DOCUMENT}

    play(["enter", "o"], check)


def test_a_document_opened_before_is_shown_again_without_a_second_receipt(play, node, text_of):
    node.refusal = ApiError(
        "receipt_there", "the author gave a receipt for this claim before", "nothing to do", "rule", 409
    )
    play(["enter", "o"], lambda pilot: "Visit note" in text_of(pilot.app) or pytest.fail("not shown"))


def test_a_document_that_is_not_here_is_told_with_its_mend(play, node, settle):
    node.refusal = ApiError(
        "document_missing", "no document of this claim's evidence is on this node", "put it into documents"
    )

    def check(pilot):
        assert isinstance(pilot.app.screen, CaseScreen)
        assert [note.message for note in pilot.app._notifications] == [
            "no document of this claim's evidence is on this node; put it into documents"
        ]
        assert pilot.app.memory.opened == {}

    play(["enter", "o"], check)


def test_a_claim_without_documents_may_be_called_read(play, node, text_of):
    node.data["claims"][VOTED]["evidence"] = []

    def check(pilot):
        assert not any(call[0] == "open" for call in node.calls)
        assert "the claim itself (it has no document)" in text_of(pilot.app)

    play(["enter", "o", "v", "a", "enter", "enter"], check)


def test_the_review_shows_every_field_that_will_be_signed(play, node, text_of):
    def check(pilot):
        assert isinstance(pilot.app.screen, ReviewScreen)
        text = text_of(pilot.app)
        for part in ("case.ballot", VOTED, "A9999", "accept", "all charges", "version 1", DOCUMENT, ME):
            assert part in text
        assert submitted(node) == []

    play(TO_REVIEW, check)


def test_signing_sends_the_reviewed_ballot_once_and_leads_to_its_receipt(play, node, settle, text_of):
    async def check(pilot):
        await pilot.press("s", "s", "s")
        await settle(pilot, lambda: isinstance(pilot.app.screen, ReceiptScreen) and "pending" in text_of(pilot.app))
        expected = {
            "claim": VOTED,
            "code": "A9999",
            "choice": "accept",
            "award_cents": None,
            "reason": "",
            "evidence_version": 1,
            "opened": DOCUMENT,
        }
        assert submitted(node) == [("case.ballot", expected)]
        assert BALLOT in text_of(pilot.app)
        node.finish_block()
        await settle(pilot, lambda: "final in block 113: record 2 of 3" in text_of(pilot.app))
        assert "counted: the tally holds it" in text_of(pilot.app)
        assert f"mutua vote verify {BALLOT}" in text_of(pilot.app)
        await pilot.press("escape")
        await settle(pilot, lambda: "Nothing needs you now" in text_of(pilot.app))

    play(TO_REVIEW, check)


def test_two_presses_before_the_node_answers_send_one_ballot(play, node, settle):
    async def check(pilot):
        node.hold = asyncio.Event()
        await pilot.press("s", "s", "s")
        await settle(pilot)
        assert len(submitted(node)) == 1
        node.hold.set()
        await settle(pilot, lambda: isinstance(pilot.app.screen, ReceiptScreen))
        assert len(submitted(node)) == 1

    play(TO_REVIEW, check)


def test_going_back_while_the_node_still_signs_loses_no_receipt(play, node, settle):
    async def check(pilot):
        node.hold = asyncio.Event()
        await pilot.press("s", "escape", "escape")
        node.hold.set()
        await settle(pilot, lambda: len(pilot.app.memory.receipts) == 1)
        assert "its receipt is under My ballots" in [note.message for note in pilot.app._notifications][-1]

    play(TO_REVIEW, check)


def test_an_award_and_a_reason_travel_with_the_ballot(play, node, text_of):
    def check(pilot):
        kind, body = submitted(node)[0]
        assert (body["award_cents"], body["reason"]) == (40050, "fair")

    play([*TO_REVIEW[:4], "a", *"400.5", "enter", *"fair", "enter", "s"], check)


def test_an_award_above_the_charges_stays_on_the_choice_with_what_and_mend(play, text_of):
    def check(pilot):
        assert isinstance(pilot.app.screen, ChoiceScreen)
        assert "the award is above the charges; award at most 420.00 USD" in text_of(pilot.app)

    play([*TO_REVIEW[:4], "a", *"421", "enter", "enter"], check)


def test_deny_takes_no_award_and_nothing_chosen_is_no_ballot(play, node, text_of):
    play(["enter", "v", "ctrl+r"], lambda pilot: "nothing is chosen" in text_of(pilot.app) or pytest.fail("reviewed"))

    def check(pilot):
        assert submitted(node)[0][1]["choice"] == "deny"
        assert submitted(node)[0][1]["award_cents"] is None

    play(["enter", "v", "d", "enter", "s"], check)


def test_going_back_signs_nothing(play, node):
    play(
        [*TO_REVIEW, "escape", "escape", "escape", "escape"],
        lambda pilot: submitted(node) == [] or pytest.fail("signed"),
    )


def test_a_refused_ballot_shows_the_rule_and_may_be_sent_again(play, node, settle, text_of):
    async def check(pilot):
        node.refusal = ApiError("vote_closed", "the case was accepted in block 112", "nothing to do", "rule", 409)
        await pilot.press("s")
        await settle(pilot, lambda: "✗ the case was accepted in block 112; nothing to do" in text_of(pilot.app))
        assert pilot.app.memory.receipts == []
        node.refusal = None
        await pilot.press("s")
        await settle(pilot, lambda: isinstance(pilot.app.screen, ReceiptScreen))

    play(TO_REVIEW, check)


@pytest.mark.parametrize("steps", [TO_REVIEW, TO_REVIEW[:5]], ids=["review", "choice"])
def test_a_vote_that_closed_meanwhile_is_told_at_once_and_nothing_is_sent(steps, play, node, settle, text_of):
    async def check(pilot):
        node.data["claims"][VOTED]["cases"][0].update(status="lapsed", closed_height=113)
        node.finish_block()
        await settle(pilot, lambda: "the vote has closed, nothing was sent" in text_of(pilot.app))
        await pilot.press("s" if steps == TO_REVIEW else "ctrl+r")
        await settle(pilot)
        assert submitted(node) == []
        assert isinstance(pilot.app.screen, ReviewScreen if steps == TO_REVIEW else ChoiceScreen)

    play(steps, check)


@pytest.mark.parametrize("steps", [TO_REVIEW, TO_REVIEW[:4]], ids=["review", "choice"])
def test_a_fault_and_the_buttons_are_in_sight_on_the_smallest_terminal(steps, play, node, settle):
    async def check(pilot):
        node.refusal = ApiError("x", "the author may not vote now", "pay what is owed", "rule", 409)
        await pilot.press("s" if steps == TO_REVIEW else "ctrl+r")
        screen = pilot.app.screen
        await settle(pilot, lambda: str(screen.query_one("#fault").visual).startswith("✗"))
        for widget in (screen.query_one("#fault"), *screen.query("Button")):
            assert widget.region.height > 0 and screen.find_widget(widget).visible_region == widget.region

    play(steps, check, size=(80, 24))


def test_a_ballot_refused_later_is_told_with_its_reason(play, node, settle, text_of):
    async def check(pilot):
        await pilot.press("s")
        await settle(pilot, lambda: isinstance(pilot.app.screen, ReceiptScreen))
        reason = {"code": "x", "what": "the author may not vote now", "hint": "pay what is owed"}
        node.data["records"][BALLOT] = {"record_id": BALLOT, "state": "refused", "height": 113, "reason": reason}
        node.finish_block()
        await settle(pilot, lambda: "refused: the author may not vote now; pay what is owed" in text_of(pilot.app))
        assert pilot.app.memory.receipts[0].state == "refused"

    play(TO_REVIEW, check)


def test_my_ballots_lists_what_was_sent_and_shows_a_receipt_again(play, make_app, node, text_of):
    node.data["records"][BALLOT] = {
        "record_id": BALLOT,
        "state": "final",
        "height": 111,
        "index": 0,
        "tree_size": 1,
        "proof": [],
        "kind": "case.ballot",
    }
    kept = {"record_id": BALLOT, "claim": VOTED, "code": "A9999", "choice": "deny", "sent_height": 110}
    play(
        ["3"],
        lambda pilot: "final in block 111" in text_of(pilot.app) or pytest.fail("not fresh"),
        app=make_app(receipts=[kept]),
    )
    play(["3", "enter"], lambda pilot: "you have replaced it" in text_of(pilot.app) or pytest.fail("no receipt"))


def test_my_claims_show_timeline_every_figure_tally_and_payouts(play, text_of):
    def check(pilot):
        text = text_of(pilot.app)
        for part in (
            "filed, 820.00 USD",
            "deductible",
            "100.00",
            "copay",
            "coinsurance",
            "relief",
            "cut by ceilings",
            "= benefit",
            "20.00",
            "3 accept, 1 deny",
            "needs 65 % accept",
            "threshold reached for 4 of 15 blocks",
            "your seniority lowers the threshold by 2 %",
            "mined, 3 confirmations",
            "20,000 sat",
            "too dear·[2J",
        ):
            assert part in text, part

    play(["2"], check)


def test_an_open_claim_on_home_leads_to_its_details(play, text_of):
    def check(pilot):
        assert pilot.app.screen.PLACE == "claims"
        assert "Timeline" in text_of(pilot.app)

    play(["tab", "enter"], check)


def test_payouts_show_mine_first_and_everybodys_on_demand(play, text_of):
    def mine(pilot):
        assert "1 payment, 20.00 USD, of it mined 20.00 USD" in text_of(pilot.app)
        assert "20,000 = sent 18,000 + waiting 0 + carried forward 2,000" in text_of(pilot.app)

    play(["4"], mine)
    play(["4", "a"], lambda pilot: "2 payments" in text_of(pilot.app) or pytest.fail("not all"))


def test_blocks_are_paged_and_each_opens_with_records_and_events(play, text_of):
    play(["5"], lambda pilot: "Blocks 63 to 112" in text_of(pilot.app) or pytest.fail("no blocks"))
    play(["5", "o"], lambda pilot: "Blocks 13 to 62" in text_of(pilot.app) or pytest.fail("not older"))

    def check(pilot):
        text = text_of(pilot.app)
        assert "Block 111" in text
        assert "case.ballot" in text
        assert "claim_accepted: claim 22222222…" in text

    play(["5", "enter", "o"], check)


def test_a_new_block_shows_by_itself(play, node, settle, text_of):
    async def check(pilot):
        node.finish_block(blocks=3)
        await settle(pilot, lambda: "block 115" in text_of(pilot.app) and "45 blocks left" in text_of(pilot.app))

    play(check=check)


def test_the_cursor_stays_on_its_row_while_others_come_and_go(play, node, settle, text_of):
    async def check(pilot):
        before = pilot.app.screen.query_one("#cases").chosen
        node.data["needs_me"].insert(0, {**node.data["needs_me"][0], "code": "B0001", "closes_at": 130})
        node.finish_block()
        await settle(pilot, lambda: "B0001" in text_of(pilot.app))
        assert pilot.app.screen.query_one("#cases").chosen == before

    play(check=check)


def test_a_node_that_is_off_is_told_with_the_command_and_comes_back_by_itself(play, node, make_app, settle, text_of):
    async def check(pilot):
        text = text_of(pilot.app)
        assert "no node answers at /data/api.sock" in text
        assert "mutua run" in text
        node.is_off = False
        await settle(pilot, lambda: "1 case waits for your ballot" in text_of(pilot.app))
        assert "no node answers" not in text_of(pilot.app)

    node.is_off = True
    play(check=check)


def test_a_node_that_goes_off_leaves_what_was_known_and_says_so(play, node, settle, text_of):
    async def check(pilot):
        node.is_off = True
        pilot.app.action_look()
        await settle(pilot, lambda: "✗ node off" in text_of(pilot.app))
        assert "A9999" in text_of(pilot.app)
        assert "may be out of date" in text_of(pilot.app)

    play(check=check)


def test_an_answer_of_another_version_is_an_error_message_and_no_crash(play, node, text_of):
    node.data["status"]["height"] = "many"
    play(check=lambda pilot: "does not fit" in text_of(pilot.app) or pytest.fail("not told"))


def test_a_follower_says_that_it_votes_for_nobody(play, node, text_of):
    node.data["status"].update(member=None, cover=None, needs_me=0)
    play(check=lambda pilot: "does not belong to a member" in text_of(pilot.app) or pytest.fail("not told"))
    play(["4"], lambda pilot: "2 payments" in text_of(pilot.app) or pytest.fail("payouts hidden"))


def test_keys_can_be_given_to_names(play, make_app):
    play(
        ["h"],
        lambda pilot: pilot.app.screen.PLACE == "payouts" or pytest.fail("not remapped"),
        app=make_app(keys={"go.payouts": "h"}),
    )


def test_every_binding_of_ours_has_a_name_for_remapping(play):
    def check(pilot):
        ours = [item.binding for item in pilot.app.screen.active_bindings.values() if item.binding.show]
        assert not [binding.description for binding in ours if not binding.id and binding.action != "command_palette"]

    for keys in ([], ["2"], ["3"], ["4"], ["5"], ["enter"], TO_REVIEW):
        play(keys, check)


def test_high_contrast_is_one_key_and_is_remembered(play, tmp_path):
    play(["f2"], lambda pilot: pilot.app.theme == "mutua-contrast" or pytest.fail("no contrast"))
    assert json.loads((tmp_path / "tui.json").read_text())["theme"] == "mutua-contrast"
    play(check=lambda pilot: pilot.app.theme == "mutua-contrast" or pytest.fail("forgotten"))


def test_animations_are_off_unless_asked_for(play, make_app):
    play(check=lambda pilot: pilot.app.animation_level == "none" or pytest.fail("animated"))
    play(
        check=lambda pilot: pilot.app.animation_level == "full" or pytest.fail("not animated"),
        app=make_app(animations=True),
    )


def test_help_names_the_keys_of_the_place_and_closes_again(play, text_of):
    def check(pilot):
        assert "case.open" in text_of(pilot.app)
        assert "quorum" in text_of(pilot.app)

    play(["enter", "question_mark"], check)
    play(["question_mark", "escape"], lambda pilot: pilot.app.screen.PLACE == "home" or pytest.fail("open"))


def test_the_screens_import_nothing_heavy_and_start_in_under_a_second():
    code = (
        "import sys, tui.app; bad = {'httpx','trio','libp2p','bitcoinlib','ledger','governance','wallet','consensus'} &"
        " set(sys.modules); sys.exit(str(bad) if bad else 0)"
    )
    used = []
    for _ in range(3):
        before = os.times()
        subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
        after = os.times()
        used.append(after.children_user + after.children_system - before.children_user - before.children_system)
    assert min(used) < 1.0, (
        "seconds of processor time to import the screens; the clock would measure the other tests too"
    )


def test_the_top_line_says_what_the_daemon_knows_of_signing_treasury_and_misbehaviour(play, node, text_of):
    def told(*words):
        def check(pilot):
            line = text_of(pilot.app).split("\n")[1]
            assert all(word in line for word in words), line

        play(check=check, size=(160, 36))

    status = node.data["status"]
    told("✓ in sync · block 112")
    status["peers"] = {"connected": 0, "known": 6, "alone_since_ms": 0}
    told("✗ cut off since 1970-01-01 00:00:00 UTC · ", "0 of 6 peers")
    status["consensus"].update(is_signing=False)
    told("! not signing yet")
    status["consensus"].update(quarantine="own vote unknown", quarantine_until=140, misbehaviour=1)
    status["treasury"] = {"state": "waiting", "last_error": "no engine answers", "open_batches": 1}
    told("! signs nothing until block 140: quarantine", "! treasury waits", "! 1 contradicting")
    status["consensus"].update(signs_elsewhere="stop the copy")
    told("! signs nothing until block 140: its key signs elsewhere")
    status["treasury"] = {"state": "off", "open_batches": 0}
    told("! no Bitcoin backend")
